/* Strings, and the two memory functions that the compiler may call on its own. */
#include "monitor.h"

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

bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

u32 length_of(const char *text)
{
    u32 length = 0;
    while (text[length])
        length++;
    return length;
}

/* Levenshtein's distance with adjacent swaps counted as one, for words; longer ones are far from everything. */
u32 distance(const char *a, const char *b)
{
    enum { LONGEST = 12 };
    u32 la = length_of(a), lb = length_of(b);
    if (la > LONGEST || lb > LONGEST)
        return LONGEST;
    u32 row[LONGEST + 1][LONGEST + 1];
    for (u32 i = 0; i <= la; i++) {
        for (u32 j = 0; j <= lb; j++) {
            if (!i || !j) {
                row[i][j] = i + j;
                continue;
            }
            u32 best = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (row[i - 1][j] + 1 < best)
                best = row[i - 1][j] + 1;
            if (row[i][j - 1] + 1 < best)
                best = row[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && row[i - 2][j - 2] + 1 < best)
                best = row[i - 2][j - 2] + 1;
            row[i][j] = best;
        }
    }
    return row[la][lb];
}
