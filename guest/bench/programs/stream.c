/* Copies, multiples, sums and both of arrays of doubles, 256 KiB in all. */
#include "bench.h"

enum { COUNT = 256 * 1024 / 3 / 8 };

static double a[COUNT], b[COUNT], c[COUNT];

static NOINLINE void round_of_four(double factor)
{
    for (int i = 0; i < COUNT; i++)
        c[i] = a[i];
    for (int i = 0; i < COUNT; i++)
        b[i] = factor * c[i];
    for (int i = 0; i < COUNT; i++)
        c[i] = a[i] + b[i];
    for (int i = 0; i < COUNT; i++)
        a[i] = FUSED(factor, c[i], b[i]);
}

u64 bench(void)
{
    double sum = 0;
    for (int i = 0; i < COUNT; i++)
        a[i] = 1 + i % 10;
    for (int round = 0; round < SIZE(1500, 2); round++)
        round_of_four(0.4142135);
    for (int i = 0; i < COUNT; i++)
        sum += a[i] + b[i] + c[i];
    return bits_of(sum);
}
