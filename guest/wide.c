/* What the compiler calls for 64 bits on a machine of 32; elsewhere nothing. */
#include "monitor.h"

#if XLEN == 32

union halves {
    u64 whole;
    struct {
        u32 low, high;
    };
};

u64 __lshrdi3(u64 value, int by);
u64 __ashldi3(u64 value, int by);
long long __ashrdi3(long long value, int by);
u64 __udivdi3(u64 value, u64 by);
u64 __umoddi3(u64 value, u64 by);
long long __moddi3(long long value, long long by);

u64 __lshrdi3(u64 value, int by)
{
    union halves v = {value};
    if (by & 32)
        v.low = v.high, v.high = 0;
    by &= 31;
    if (by) {
        v.low = v.low >> by | v.high << (32 - by);
        v.high >>= by;
    }
    return v.whole;
}

u64 __ashldi3(u64 value, int by)
{
    union halves v = {value};
    if (by & 32)
        v.high = v.low, v.low = 0;
    by &= 31;
    if (by) {
        v.high = v.high << by | v.low >> (32 - by);
        v.low <<= by;
    }
    return v.whole;
}

long long __ashrdi3(long long value, int by)
{
    u64 shifted = __lshrdi3((u64)value, by);
    return (long long)(value < 0 && by ? shifted | ~__lshrdi3(~0ull, by) : shifted);
}

/* Bit by bit, as on paper. */
static u64 divide(u64 value, u64 by, u64 *rest)
{
    union halves quotient = {value}, left = {0};
    for (u32 i = 0; i < 64; i++) {
        u32 carry = left.high >> 31;
        left.high = left.high << 1 | left.low >> 31;
        left.low = left.low << 1 | quotient.high >> 31;
        quotient.high = quotient.high << 1 | quotient.low >> 31;
        quotient.low <<= 1;
        if (carry || left.whole >= by) {
            left.whole -= by;
            quotient.low |= 1;
        }
    }
    *rest = left.whole;
    return quotient.whole;
}

u64 __udivdi3(u64 value, u64 by)
{
    u64 rest;
    return divide(value, by, &rest);
}

u64 __umoddi3(u64 value, u64 by)
{
    u64 rest;
    divide(value, by, &rest);
    return rest;
}

long long __moddi3(long long value, long long by)
{
    u64 rest;
    divide(value < 0 ? -(u64)value : (u64)value, by < 0 ? -(u64)by : (u64)by, &rest);
    return value < 0 ? (long long)-rest : (long long)rest;
}

#endif
