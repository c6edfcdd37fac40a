/* One operation again and again; MODE names which. */
#include "bench.h"

enum { COUNT = SIZE(50000000, 5000) };

static NOINLINE u64 next(u64 x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 3;
}

static NOINLINE u64 other(u64 x)
{
    __asm__ volatile("" : "+r"(x));
    return x ^ 5;
}

/* A call and its return. */
static inline u64 call(void)
{
    u64 x = 0;
    for (int i = 0; i < COUNT; i++)
        x = next(x);
    return x;
}

/* The same through a pointer, to one function for 64 times and then to another. */
static inline u64 pointer(void)
{
    static u64 (*volatile functions[2])(u64) = {next, other};
    u64 x = 0;
    for (int i = 0; i < COUNT; i += 64) {
        u64 (*function)(u64) = functions[i >> 6 & 1];
        for (int j = 0; j < 64; j++)
            x = function(x);
    }
    return x;
}

/* A load and a store. */
static inline u64 memory(void)
{
    static volatile u64 cells[64];
    u64 sum = 0;
    for (int i = 0; i < COUNT; i++)
        cells[i & 63] = cells[(i + 7) & 63] + (u64)i;
    for (int i = 0; i < 64; i++)
        sum = sum * 3 + cells[i];
    return sum;
}

static inline u64 fadd(void)
{
    double x = 0, y = 1;
    for (int i = 0; i < COUNT; i += 2) {
        x += 0.1, y += 0.3;
        __asm__ volatile("");
    }
    return bits_of(x) ^ bits_of(y);
}

static inline u64 fmadd(void)
{
    double x = 0, y = 1;
    for (int i = 0; i < COUNT; i += 2) {
        x = FUSED(x, 0.999, 0.1), y = FUSED(y, 0.99, 0.3);
        __asm__ volatile("");
    }
    return bits_of(x) ^ bits_of(y);
}

static inline u64 amoadd(void)
{
    static u64 cell;
    u64 sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum ^= __atomic_fetch_add(&cell, (u64)i, __ATOMIC_RELAXED);
    return sum + cell;
}

/* LR and SC, as a compare-and-swap that succeeds. */
static inline u64 lrsc(void)
{
    static u64 cell;
    u64 was = 0;
    for (int i = 0; i < COUNT; i++) {
        while (!__atomic_compare_exchange_n(&cell, &was, was * 3 + (u64)i, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            ;
        was = was * 3 + (u64)i;
    }
    return cell;
}

u64 bench(void)
{
    return MODE();
}
