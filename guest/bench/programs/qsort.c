/* Quicksort that compares through a pointer to a function, in two orders by turns. */
#include "bench.h"

enum { COUNT = SIZE(100000, 500) };

static u32 numbers[COUNT];

static NOINLINE int by_value(const void *a, const void *b)
{
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x > y) - (x < y);
}

static NOINLINE int by_low_half(const void *a, const void *b)
{
    return (int)(*(const u32 *)a & 0xffff) - (int)(*(const u32 *)b & 0xffff);
}

static void swap(u32 *a, u32 *b)
{
    u32 was = *a;
    *a = *b, *b = was;
}

/* The larger part is the loop's, so that the stack stays short. */
static void sort(u32 *of, long count, int (*compare)(const void *, const void *))
{
    while (count > 1) {
        u32 pivot = of[count / 2];
        long i = 0, j = count - 1;
        while (i <= j) {
            while (compare(&of[i], &pivot) < 0)
                i++;
            while (compare(&of[j], &pivot) > 0)
                j--;
            if (i <= j)
                swap(&of[i++], &of[j--]);
        }
        if (j + 1 < count - i) {
            sort(of, j + 1, compare);
            of += i, count -= i;
        } else {
            sort(of + i, count - i, compare);
            count = j + 1;
        }
    }
}

u64 bench(void)
{
    u64 state = 88172645463325252, sum = 0;
    for (long i = 0; i < COUNT; i++)
        numbers[i] = (u32)(random_after(&state) >> 20);
    for (int round = 0; round < SIZE(5, 2); round++) {
        sort(numbers, COUNT, by_low_half);
        for (long i = 1; i < COUNT; i++)
            sum += by_low_half(&numbers[i - 1], &numbers[i]) > 0;
        sort(numbers, COUNT, by_value);
        for (long i = 0; i < COUNT; i++)
            sum = sum * 31 + numbers[i];
    }
    return sum;
}
