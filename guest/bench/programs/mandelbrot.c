/* How long points of the plane take to leave the Mandelbrot set. */
#include "bench.h"

enum { SIDE = SIZE(480, 16), LIMIT = SIZE(400, 50) };

static NOINLINE int steps(double x, double y)
{
    double r = 0, i = 0;
    int n = 0;
    while (n < LIMIT) {
        double rr = r * r, ii = i * i;
        if (rr + ii > 4)
            break;
        i = FUSED(r + r, i, y);
        r = rr - ii + x;
        n++;
    }
    return n;
}

u64 bench(void)
{
    u64 sum = 0;
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column++)
            sum = sum * 7 + (u64)steps(3.0 * column / SIDE - 2, 2.5 * row / SIDE - 1.25);
    return sum;
}
