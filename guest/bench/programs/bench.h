/* What the programs share. Each defines `bench`, whose result is the same on every machine: it is what a run is checked
 * by. Products are added by FUSED alone, so that the compilers of two machines round alike. */
#ifndef BENCH_H
#define BENCH_H

#include "programs.h"

/* How much there is to do: for measuring, or for a test. */
#ifdef TINY
#define SIZE(full, tiny) (tiny)
#else
#define SIZE(full, tiny) (full)
#endif

#define FUSED(a, b, c) __builtin_fma(a, b, c)
#define NOINLINE __attribute__((noinline))

u64 bench(void);

/* Marsaglia's xorshift. */
static inline u64 random_after(u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline u64 bits_of(double x)
{
    union { double x; u64 bits; } both = {x};
    return both.bits;
}

#endif
