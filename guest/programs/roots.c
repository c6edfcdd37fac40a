/* Fractions of primes' roots, which are the constants of many a hash. */
#include "programs.h"

/* The first 64 bits of the fraction of the square or cube root of a prime, by bisection. */
u64 root_fraction(u32 prime, u32 power)
{
    u64 whole = 1, fraction = 0;
    while ((power == 2 ? (whole + 1) * (whole + 1) : (whole + 1) * (whole + 1) * (whole + 1)) <= prime)
        whole++;
    for (int bit = 63; bit >= 0; bit--) {
        u64 try = fraction | 1ull << bit;
        u32 a[3] = {(u32)try, (u32)(try >> 32), (u32)whole}, product[8] = {1}, next[8];
        for (u32 times = 0; times < power; times++) {
            for (u32 i = 0; i < 8; i++)
                next[i] = 0;
            for (u32 i = 0; i < 3; i++) {
                u64 carry = 0;
                for (u32 j = 0; i + j < 8; j++) {
                    carry += (u64)a[i] * product[j] + next[i + j];
                    next[i + j] = (u32)carry;
                    carry >>= 32;
                }
            }
            memcpy(product, next, sizeof next);
        }
        if (product[2 * power] < prime && !product[2 * power + 1])
            fraction = try;
    }
    return fraction;
}

u32 nth_prime(u32 n)
{
    u32 candidate = 1;
    for (u32 found = 0; found <= n;) {
        candidate++;
        u32 by = 2;
        while (by * by <= candidate && candidate % by)
            by++;
        found += by * by > candidate;
    }
    return candidate;
}
