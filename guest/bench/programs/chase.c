/* A list in an order that no cache foresees, as large as a second-level cache: each load waits for the one before. */
#include "bench.h"

enum { COUNT = SIZE(6144, 64) };

static struct cell {
    struct cell *next;
    u64 value, rest[6];
} cells[COUNT];

u64 bench(void)
{
    static u32 order[COUNT];
    u64 state = 88172645463325252, sum = 0;
    for (u32 i = 0; i < COUNT; i++)
        order[i] = i, cells[i].value = random_after(&state);
    for (u32 i = COUNT - 1; i > 0; i--) {
        u32 j = (u32)(random_after(&state) % (i + 1)), was = order[i];
        order[i] = order[j], order[j] = was;
    }
    for (u32 i = 0; i < COUNT; i++)
        cells[order[i]].next = &cells[order[(i + 1) % COUNT]];
    const struct cell *at = cells;
    for (int i = 0; i < SIZE(100000000, 10000); i++)
        at = at->next;
    for (u32 i = 0; i < COUNT; i++, at = at->next)
        sum = sum * 3 + at->value;
    return sum;
}
