/* The spectral norm of an infinite matrix's corner, by powers of the matrix times its transpose. */
#include "bench.h"

enum { SIDE = SIZE(1000, 20) };

static double u[SIDE], v[SIDE], between[SIDE];

static inline double element(int i, int j)
{
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static NOINLINE void times(const double *in, double *out, int transposed)
{
    for (int i = 0; i < SIDE; i++) {
        double sum = 0;
        for (int j = 0; j < SIDE; j++)
            sum = FUSED(transposed ? element(j, i) : element(i, j), in[j], sum);
        out[i] = sum;
    }
}

u64 bench(void)
{
    for (int i = 0; i < SIDE; i++)
        u[i] = 1;
    for (int round = 0; round < 10; round++) {
        times(u, between, 0), times(between, v, 1);
        times(v, between, 0), times(between, u, 1);
    }
    double upper = 0, lower = 0;
    for (int i = 0; i < SIDE; i++)
        upper = FUSED(u[i], v[i], upper), lower = FUSED(v[i], v[i], lower);
    return bits_of(__builtin_sqrt(upper / lower));
}
