/* Numbers of 32 bits only, as a compiler of RV64 makes them: it must print the same at 64 and at 128 bits. */

#define UART ((volatile unsigned char *)0x10000000)

static void print_char(int c)
{
    while (!(UART[5] & 0x20)) {
    }
    UART[0] = (unsigned char)c;
}

static void print_number(int value)
{
    if (value < 0) {
        print_char('-');
        value = -value;
    }
    if (value >= 10)
        print_number(value / 10);
    print_char('0' + value % 10);
}

static void print_line(int value)
{
    print_number(value);
    print_char('\n');
}

static unsigned char composite[10000];

static int primes(void)
{
    int count = 0;
    for (int i = 2; i < 10000; i++) {
        if (composite[i])
            continue;
        count++;
        for (int j = 2 * i; j < 10000; j += i)
            composite[j] = 1;
    }
    return count;
}

/* CRC-32 of the numbers 0 to 255, bit by bit. */
static int crc(void)
{
    int crc = -1;
    for (int i = 0; i < 256; i++) {
        crc ^= i;
        for (int bit = 0; bit < 8; bit++) {
            int low = crc & 1;
            crc = crc >> 1 & 0x7fffffff;
            if (low)
                crc ^= (int)0xedb88320;
        }
    }
    return ~crc;
}

static int ackermann(int m, int n)
{
    if (m == 0)
        return n + 1;
    return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static int sorted[64];

static int sort(void)
{
    unsigned seed = 1;
    int changes = 0;
    for (int i = 0; i < 64; i++) {
        seed = seed * 1103515245u + 12345u;
        sorted[i] = (int)(seed >> 16) - 0x8000;
    }
    for (int i = 1; i < 64; i++)
        for (int j = i; j > 0 && sorted[j] < sorted[j - 1]; j--, changes++) {
            int swap = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = swap;
        }
    return changes;
}

int main(void)
{
    print_line(primes());
    print_line(crc());
    print_line(ackermann(2, 30));
    print_line(sort());
    print_line(sorted[0]);
    print_line(sorted[63]);
    return 0;
}
