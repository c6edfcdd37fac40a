/* What a program says it by, and what the compiler calls where an instruction is missing: multiplication and division
 * of 32 bits, and all of 64. */
#include "programs.h"

static void put(char c)
{
    *(volatile u8 *)0x10000000 = (u8)c;
}

void say(const char *what, u64 value)
{
    while (*what)
        put(*what++);
    put(' ');
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[value >> shift & 15]);
    put('\n');
}

u32 __mulsi3(u32 a, u32 b)
{
    u32 sum = 0;
    for (; b; b >>= 1, a <<= 1)
        if (b & 1)
            sum += a;
    return sum;
}

static u32 divide(u32 value, u32 by, u32 *rest)
{
    u32 left = 0;
    for (u32 i = 0; i < 32; i++) {
        u32 carry = left >> 31;
        left = left << 1 | value >> 31;
        value <<= 1;
        if (carry || left >= by)
            left -= by, value |= 1;
    }
    *rest = left;
    return value;
}

u32 __udivsi3(u32 a, u32 b)
{
    u32 rest;
    return divide(a, b, &rest);
}

u32 __umodsi3(u32 a, u32 b)
{
    u32 rest;
    divide(a, b, &rest);
    return rest;
}

int __divsi3(int a, int b)
{
    u32 quotient = __udivsi3(a < 0 ? -(u32)a : (u32)a, b < 0 ? -(u32)b : (u32)b);
    return (a < 0) != (b < 0) ? (int)-quotient : (int)quotient;
}

int __modsi3(int a, int b)
{
    u32 rest = __umodsi3(a < 0 ? -(u32)a : (u32)a, b < 0 ? -(u32)b : (u32)b);
    return a < 0 ? (int)-rest : (int)rest;
}

u64 __muldi3(u64 a, u64 b)
{
    u64 sum = 0;
    for (; b; b >>= 1, a <<= 1)
        if (b & 1)
            sum += a;
    return sum;
}

u32 __bswapsi2(u32 x)
{
    return x << 24 | (x & 0xff00) << 8 | (x >> 8 & 0xff00) | x >> 24;
}

void *memset(void *to, int byte, size_t count)
{
    u8 *p = to;
    while (count--)
        *p++ = (u8)byte;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    u8 *p = to;
    const u8 *q = from;
    while (count--)
        *p++ = *q++;
    return to;
}
