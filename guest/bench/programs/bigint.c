/* Large integers: digits of pi by Machin's formula, then squares of what that gave. */
#include "bench.h"

enum { WORDS = SIZE(400, 40) };

/* A fixed point number: the whole part, then fractions of 2^32 each. */
static u32 pi[WORDS], term[WORDS], quotient[WORDS];
static u64 factor[WORDS], square[2 * WORDS];

static int divide(u32 *to, const u32 *from, u32 by)
{
    u64 rest = 0;
    u32 any = 0;
    for (int i = 0; i < WORDS; i++) {
        rest = rest << 32 | from[i];
        any |= to[i] = (u32)(rest / by);
        rest %= by;
    }
    return any != 0;
}

static void add(u32 *to, const u32 *from, int negative)
{
    u64 carry = negative != 0;
    for (int i = WORDS - 1; i >= 0; i--) {
        carry += (u64)to[i] + (negative ? ~from[i] : from[i]);
        to[i] = (u32)carry;
        carry >>= 32;
    }
}

/* Adds times * arctan(1/x), or subtracts it. */
static void add_arctan(u32 times, u32 x, int negative)
{
    for (int i = 0; i < WORDS; i++)
        term[i] = 0;
    term[0] = times;
    divide(term, term, x);
    for (u32 n = 1; divide(quotient, term, n); n += 2) {
        add(pi, quotient, negative ^ (int)(n >> 1 & 1));
        divide(term, term, x * x);
    }
}

static void multiply(void)
{
    for (int i = 0; i < 2 * WORDS; i++)
        square[i] = 0;
    for (int i = 0; i < WORDS; i++) {
        u64 carry = 0;
        for (int j = 0; j < WORDS; j++) {
            unsigned __int128 product = (unsigned __int128)factor[i] * factor[j] + square[i + j] + carry;
            square[i + j] = (u64)product;
            carry = (u64)(product >> 64);
        }
        square[i + WORDS] = carry;
    }
}

u64 bench(void)
{
    u64 sum = 0;
    add_arctan(16, 5, 0);
    add_arctan(4, 239, 1);
    if (pi[0] != 3 || pi[1] != 0x243f6a88)
        return 0;
    for (int i = 0; i < WORDS; i++)
        factor[i] = (u64)pi[i] << 32 | pi[WORDS - 1 - i];
    for (int round = 0; round < SIZE(800, 3); round++) {
        multiply();
        for (int i = 0; i < WORDS; i++)
            factor[i] = square[i + WORDS / 2];
        sum = sum * 3 + square[WORDS];
    }
    return sum;
}
