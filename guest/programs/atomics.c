/* Atomic operations, where there are some. Compiled without, it says nothing. */
#include "programs.h"

#ifdef __riscv_atomic
static u32 cell = 7;

void atomics(void)
{
    u32 sum = 0;
    for (u32 i = 1; i < 100; i++) {
        sum += __atomic_fetch_add(&cell, i, __ATOMIC_SEQ_CST);
        sum ^= __atomic_fetch_xor(&cell, i << 20, __ATOMIC_ACQ_REL);
        sum += __atomic_fetch_or(&cell, 1u << i % 32, __ATOMIC_RELAXED);
        sum ^= __atomic_fetch_and(&cell, ~(i << 3), __ATOMIC_ACQUIRE);
        sum += __atomic_exchange_n(&cell, sum, __ATOMIC_RELEASE);
        u32 expected = cell;
        sum += __atomic_compare_exchange_n(&cell, &expected, sum * i, i & 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        expected++;
        sum -= __atomic_compare_exchange_n(&cell, &expected, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) + expected;
    }
    say("atomics", (u64)sum << 32 | cell);
}
#else
void atomics(void)
{
}
#endif
