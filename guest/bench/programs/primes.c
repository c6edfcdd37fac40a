/* The sieve of Eratosthenes, a byte for each odd number: 32 MiB, more pages than any TLB holds. */
#include "bench.h"

enum { COUNT = SIZE(32 << 20, 64 << 10) };

static u8 composite[COUNT];

u64 bench(void)
{
    u64 sum = 0;
    for (u64 i = 1; 2 * i * (i + 1) < COUNT; i++) {
        if (composite[i])
            continue;
        for (u64 multiple = 2 * i * (i + 1); multiple < COUNT; multiple += 2 * i + 1)
            composite[multiple] = 1;
    }
    for (u64 i = 1; i < COUNT; i++)
        if (!composite[i])
            sum += 2 * i + 1;
    return sum;
}
