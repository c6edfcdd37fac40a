/* The `bench` command: a fixed integer load for about a second, with a result that is known. */
#include "monitor.h"

enum { LIMIT = 8192, PRIMES = 1028 };
#define EXPECTED 0xd51dc720u

static u8 composite[LIMIT];

/* One round: the sieve of Eratosthenes below 8192, then CRC-32 (polynomial 0xedb88320) over the primes' low bytes. */
static u32 round_of_work(u32 *primes)
{
    u32 crc = ~0u, found = 0;
    for (u32 i = 0; i < LIMIT; i++)
        composite[i] = 0;
    for (u32 i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        found++;
        crc ^= i & 0xff;
        for (u32 bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
        for (u32 j = i * i; i < 91 && j < LIMIT; j += i)
            composite[j] = 1;
    }
    *primes = found;
    return ~crc;
}

void bench_command(int count, char **word)
{
    (void)count, (void)word;
    if (!machine.timebase || !now()) {
        print("no clock: the device tree names no CLINT or no timebase-frequency\n");
        return;
    }
    u64 rounds = 0, elapsed;
    uxl before = 0, after = 0;
    u32 primes = 0, crc = 0;
    bool wrong = false, counted = csr_read(0xb02, &before);
    u64 start = now();
    do {
        crc = round_of_work(&primes);
        wrong |= crc != EXPECTED || primes != PRIMES;
        rounds++;
        elapsed = now() - start;
        if (!machine.plic)
            console_poll();
    } while (elapsed < machine.timebase && !interrupted);
    counted = counted && csr_read(0xb02, &after);
    u64 micros = elapsed * 1000000 / machine.timebase;
    uxl instructions = after - before; /* fewer than 2^32 in a second */
    print("%llu rounds in %llu.%03llu s, %llu a second\n", rounds, micros / 1000000, micros / 1000 % 1000,
          rounds * 1000000 / (micros ? micros : 1));
    if (counted && instructions)
        print("%lu instructions by minstret, %llu.%llu MIPS\n", instructions, instructions / (micros ? micros : 1),
              (u64)instructions * 10 / (micros ? micros : 1) % 10);
    print("%u primes, crc %08x: %s\n", primes, crc, wrong ? "WRONG" : "right");
}
