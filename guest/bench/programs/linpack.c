/* Linear equations by elimination with pivots, columns of doubles. */
#include "bench.h"

enum { SIDE = SIZE(160, 24) };

static double matrix[SIDE][SIDE], right[SIDE];

/* to += factor * from */
static NOINLINE void add_multiple(int count, double factor, const double *from, double *to)
{
    for (int i = 0; i < count; i++)
        to[i] = FUSED(factor, from[i], to[i]);
}

/* The right side is the rows' sums, so that the solution is ones. */
static void fill(u64 *state)
{
    for (int row = 0; row < SIDE; row++)
        right[row] = 0;
    for (int column = 0; column < SIDE; column++)
        for (int row = 0; row < SIDE; row++) {
            matrix[column][row] = (double)(random_after(state) >> 40) / (1 << 24) - 0.5;
            right[row] += matrix[column][row];
        }
}

static void swap(double *a, double *b)
{
    double was = *a;
    *a = *b, *b = was;
}

static void solve(void)
{
    for (int k = 0; k < SIDE; k++) {
        double *column = matrix[k];
        int pivot = k;
        for (int row = k + 1; row < SIDE; row++)
            if (__builtin_fabs(column[row]) > __builtin_fabs(column[pivot]))
                pivot = row;
        swap(&column[k], &column[pivot]);
        for (int row = k + 1; row < SIDE; row++)
            column[row] /= -column[k];
        for (int j = k + 1; j < SIDE; j++) {
            swap(&matrix[j][k], &matrix[j][pivot]);
            add_multiple(SIDE - k - 1, matrix[j][k], &column[k + 1], &matrix[j][k + 1]);
        }
        swap(&right[k], &right[pivot]);
        add_multiple(SIDE - k - 1, right[k], &column[k + 1], &right[k + 1]);
    }
    for (int k = SIDE - 1; k >= 0; k--) {
        right[k] /= matrix[k][k];
        add_multiple(k, -right[k], matrix[k], right);
    }
}

u64 bench(void)
{
    u64 state = 2463534242, sum = 0;
    for (int round = 0; round < SIZE(40, 2); round++) {
        fill(&state);
        solve();
        for (int i = 0; i < SIDE; i++) {
            if (__builtin_fabs(right[i] - 1) > 1e-6)
                return 0;
            sum = sum * 3 + bits_of(right[i]);
        }
    }
    return sum;
}
