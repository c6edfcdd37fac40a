/* Floating point, where there is double precision: results as bits. Compiled without, it says nothing. */
#include "programs.h"

#if __riscv_flen >= 64
static u64 bits(double x)
{
    union { double x; u64 bits; } both = {x};
    return both.bits;
}

static u32 single_bits(float x)
{
    union { float x; u32 bits; } both = {x};
    return both.bits;
}

void floats(void)
{
    double e = 1, term = 1, pi = 0, root = 2;
    for (int n = 1; n < 20; n++)
        term /= n, e += term;
    for (int n = 0; n < 2000; n++)
        pi += (n % 2 ? -4.0 : 4.0) / (2 * n + 1);
    for (int n = 0; n < 6; n++)
        root = (root + 2 / root) / 2;
    say("e", bits(e)), say("pi", bits(pi)), say("root", bits(root));
    float sum = 0, product = 1;
    for (int n = 1; n < 1000; n++)
        sum += 1.0f / (float)n, product = product * 1.01f - 0.005f;
    say("harmonic", single_bits(sum)), say("product", single_bits(product));
    say("cut", (u64)(long long)(int)(e * 1000) << 32 | (u32)(pi * 1e9));
    double matrix[8][8], inverse = 0;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            matrix[i][j] = 1.0 / (i + j + 1);
    for (int k = 0; k < 8; k++)
        for (int i = k + 1; i < 8; i++)
            for (int j = 7; j >= k; j--)
                matrix[i][j] -= matrix[i][k] / matrix[k][k] * matrix[k][j];
    for (int i = 0; i < 8; i++)
        inverse += 1 / matrix[i][i];
    say("hilbert", bits(inverse));
}
#else
void floats(void)
{
}
#endif
