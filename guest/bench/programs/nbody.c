/* Five bodies under each other's gravity, by the leapfrog; the result is their energy. */
#include "bench.h"

enum { BODIES = 5 };

static struct body {
    double at[3], speed[3], mass;
} bodies[BODIES];

static NOINLINE void step(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double x = a->at[0] - b->at[0], y = a->at[1] - b->at[1], z = a->at[2] - b->at[2];
            double square = FUSED(x, x, FUSED(y, y, z * z));
            double pull = dt / (square * __builtin_sqrt(square));
            double by_a = a->mass * pull, by_b = b->mass * pull;
            a->speed[0] = FUSED(-x, by_b, a->speed[0]), b->speed[0] = FUSED(x, by_a, b->speed[0]);
            a->speed[1] = FUSED(-y, by_b, a->speed[1]), b->speed[1] = FUSED(y, by_a, b->speed[1]);
            a->speed[2] = FUSED(-z, by_b, a->speed[2]), b->speed[2] = FUSED(z, by_a, b->speed[2]);
        }
    }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            bodies[i].at[k] = FUSED(dt, bodies[i].speed[k], bodies[i].at[k]);
}

static double energy(void)
{
    double sum = 0;
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int k = 0; k < 3; k++)
            sum = FUSED(a->mass / 2, a->speed[k] * a->speed[k], sum);
        for (int j = i + 1; j < BODIES; j++) {
            double square = 0;
            for (int k = 0; k < 3; k++)
                square = FUSED(a->at[k] - bodies[j].at[k], a->at[k] - bodies[j].at[k], square);
            sum -= a->mass * bodies[j].mass / __builtin_sqrt(square);
        }
    }
    return sum;
}

u64 bench(void)
{
    /* One heavy body; the others on circles around it, a little out of the plane. */
    bodies[0].mass = 40;
    for (int i = 1; i < BODIES; i++) {
        double far = 3 * i * i + 2;
        bodies[i] = (struct body){{i & 1 ? far : -far, 0.1 * i, 0.2 * i}, {0, 0, 0}, 0.01 * i};
        bodies[i].speed[1] = (i & 1 ? 1 : -1) * __builtin_sqrt(bodies[0].mass / far);
    }
    for (int i = 0; i < SIZE(400000, 300); i++)
        step(0.001);
    return bits_of(energy());
}
