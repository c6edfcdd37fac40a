/* The console: an NS16550A driven by its interrupt where there is a PLIC, a formatter, and a line editor. */
#include "monitor.h"

volatile bool interrupted;

/* Received bytes wait here. When it is full the UART's interrupt is switched off and its FIFO holds back the sender. */
enum { RING = 256 };
static u8 ring[RING];
static volatile u32 ring_in, ring_out;
static volatile bool choked;

/* ---- NS16550A ---- */

enum { RBR = 0, THR = 0, DLL = 0, DLM = 1, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
enum { IER_RDA = 1, FCR_ENABLE = 1, LCR_8N1 = 3, LCR_DLAB = 0x80, LSR_DR = 1, LSR_THRE = 0x20 };
enum { MCR_DTR_RTS_OUT2 = 0x0b, MCR_LOOP = 0x10 };

static u32 uart_get(u32 number)
{
    u64 address = machine.uart + ((u64)number << machine.uart_shift);
    return machine.uart_width == 4 ? read32(address) & 0xff : *(volatile u8 *)at(address);
}

static void uart_set(u32 number, u32 value)
{
    u64 address = machine.uart + ((u64)number << machine.uart_shift);
    if (machine.uart_width == 4)
        write32(address, value);
    else
        *(volatile u8 *)at(address) = (u8)value;
}

void console_poll(void)
{
    while (uart_get(LSR) & LSR_DR) {
        if (ring_in - ring_out == RING) {
            choked = true;
            uart_set(IER, 0);
            return;
        }
        u8 c = (u8)uart_get(RBR);
        if (c == 3)
            interrupted = true;
        ring[ring_in % RING] = c;
        ring_in++;
    }
}

/* Enabling the FIFOs empties them (16550 data sheet, FCR bit 0), and somebody may have typed already:
 * loopback holds back the line while what has arrived is kept. */
void console_start(void)
{
    uart_set(IER, 0);
    uart_set(MCR, MCR_LOOP);
    console_poll();
    uart_set(FCR, FCR_ENABLE);
    if (machine.uart_clock && machine.uart_speed) {
        u32 divisor = (machine.uart_clock + 8 * machine.uart_speed) / (16 * machine.uart_speed);
        if (!divisor)
            divisor = 1;
        uart_set(LCR, LCR_DLAB | LCR_8N1);
        uart_set(DLL, divisor & 0xff);
        uart_set(DLM, divisor >> 8 & 0xff);
    }
    uart_set(LCR, LCR_8N1);
    uart_set(MCR, MCR_DTR_RTS_OUT2);
    if (!machine.plic)
        return;
    u64 enable = machine.plic + 0x2000 + 0x80 * machine.plic_context + machine.uart_irq / 32 * 4;
    write32(machine.plic + 4 * machine.uart_irq, 1);
    write32(enable, read32(enable) | 1u << machine.uart_irq % 32);
    write32(machine.plic + 0x200000 + 0x1000 * machine.plic_context, 0);
    uart_set(IER, IER_RDA);
    csr_on(mie, 1ul << IRQ_EXTERNAL);
    csr_on(mstatus, MSTATUS_MIE);
}

void console_interrupt(void)
{
    u64 claim = machine.plic + 0x200004 + 0x1000 * machine.plic_context;
    u32 source;
    while ((source = read32(claim)) != 0) {
        if (source == machine.uart_irq)
            console_poll();
        else
            write32(machine.plic + 4 * source, 0); /* enabled by somebody else: silence it */
        write32(claim, source);
    }
}

int take(void)
{
    if (!machine.plic)
        console_poll();
    if (ring_in == ring_out)
        return -1;
    u8 c = ring[ring_out % RING];
    ring_out++;
    if (choked) {
        choked = false;
        if (machine.plic)
            uart_set(IER, IER_RDA);
    }
    return c;
}

/* With interrupts off between the test and the wfi no wake-up can be lost: a pending one ends the wfi all the same. */
void idle(u64 ticks_seen)
{
    if (!machine.plic) {
        console_poll();
        if (!machine.clint || (csr_get(mie) & 1ul << IRQ_TIMER))
            return;
        timer_at(now() + machine.timebase / 200);
        csr_on(mie, 1ul << IRQ_TIMER);
        __asm__ volatile("wfi");
        csr_off(mie, 1ul << IRQ_TIMER);
        return;
    }
    csr_off(mstatus, MSTATUS_MIE);
    if (ring_in == ring_out && ticks == ticks_seen)
        __asm__ volatile("wfi");
    csr_on(mstatus, MSTATUS_MIE);
}

/* ---- output ---- */

void put_byte(u8 byte)
{
    if (!machine.uart)
        return;
    while (!(uart_get(LSR) & LSR_THRE))
        ;
    uart_set(THR, byte);
}

void put(char c)
{
    if (c == '\n')
        put_byte('\r');
    put_byte((u8)c);
}

void print_clean(const char *text, u32 length)
{
    for (u32 i = 0; i < length; i++)
        put(text[i] >= ' ' && text[i] < 0x7f ? text[i] : '.');
}

/* printf's %s %c %d %u %x with l, ll, #, 0, - and a width. */
void print_list(const char *format, va_list arguments)
{
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        bool left = false, zero = false, prefix = false, negative = false;
        u32 width = 0, longs = 0;
        for (format++; *format == '-' || *format == '0' || *format == '#'; format++)
            *format == '-' ? (left = true) : *format == '0' ? (zero = true) : (prefix = true);
        if (*format == '*') {
            width = va_arg(arguments, u32);
            format++;
        }
        for (; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + (u32)(*format - '0');
        for (; *format == 'l'; format++)
            longs++;
        char digits[24];
        char *text = digits + sizeof digits - 1;
        *text = 0;
        if (*format == 's') {
            text = va_arg(arguments, char *);
            zero = false;
        } else if (*format == 'c') {
            *--text = (char)va_arg(arguments, int);
        } else {
            u64 value = longs > 1 ? va_arg(arguments, u64) : longs ? va_arg(arguments, uxl) : va_arg(arguments, u32);
            u32 base = *format == 'x' ? 16 : 10;
            if (*format == 'd') {
                int64_t number = longs > 1 ? (int64_t)value : longs ? (long)value : (int32_t)value;
                negative = number < 0;
                value = negative ? -(u64)number : (u64)number;
            }
            do {
                *--text = "0123456789abcdef"[value % base];
                value /= base;
            } while (value);
            if (negative)
                *--text = '-';
        }
        u32 length = length_of(text) + (prefix ? 2 : 0);
        for (; !left && !zero && length < width; width--)
            put(' ');
        if (prefix)
            put('0'), put('x');
        for (; !left && length < width; width--)
            put('0');
        while (*text)
            put(*text++);
        for (; length < width; width--)
            put(' ');
    }
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
}

/* ---- input: one line, with the usual keys ---- */

enum { REMEMBERED = 8 };
static char history[REMEMBERED][LINE_SIZE];
static u32 remembered;

static u32 erase(u32 length)
{
    for (; length; length--)
        print("\b \b");
    return 0;
}

static u32 recall(char *line, u32 length, u32 back)
{
    erase(length);
    length = 0;
    if (back) {
        const char *old = history[(remembered - back) % REMEMBERED];
        while ((line[length] = old[length]))
            length++;
    }
    line[length] = 0;
    print("%s", line);
    return length;
}

static void remember(const char *line)
{
    if (!*line || (remembered && same(line, history[(remembered - 1) % REMEMBERED])))
        return;
    char *slot = history[remembered++ % REMEMBERED];
    while ((*slot++ = *line++))
        ;
}

static char next_key(void)
{
    int c;
    while ((c = take()) < 0)
        idle(ticks);
    return (char)c;
}

bool read_line(char *line, u32 size)
{
    static bool after_cr;
    u32 length = 0, back = 0;
    for (;;) {
        char c = next_key();
        bool second_half = c == '\n' && after_cr;
        after_cr = c == '\r';
        if (second_half)
            continue;
        if (c == 0x1b) { /* a cursor key is ESC [ letter, or ESC O letter */
            c = next_key();
            if (c != '[' && c != 'O')
                continue;
            while ((c = next_key()) < '@')
                ;
            c = c == 'A' ? 'P' & 0x1f : c == 'B' ? 'N' & 0x1f : 0;
        }
        switch (c) {
        case '\r':
        case '\n':
            print("\n");
            line[length] = 0;
            remember(line);
            return true;
        case 'C' & 0x1f:
            print("^C\n");
            interrupted = false;
            return false;
        case 'U' & 0x1f:
            length = erase(length);
            break;
        case 'W' & 0x1f: {
            u32 keep = length;
            while (keep && line[keep - 1] == ' ')
                keep--;
            while (keep && line[keep - 1] != ' ')
                keep--;
            erase(length - keep);
            length = keep;
            break;
        }
        case 'P' & 0x1f:
            if (back < remembered && back < REMEMBERED)
                length = recall(line, length, ++back);
            break;
        case 'N' & 0x1f:
            if (back)
                length = recall(line, length, --back);
            break;
        case '\b':
        case 0x7f:
            if (length) {
                length--;
                erase(1);
            }
            break;
        default:
            if (c < ' ')
                break;
            if (length + 1 < size) {
                line[length++] = c;
                put(c);
            } else {
                put('\a');
            }
        }
    }
}
