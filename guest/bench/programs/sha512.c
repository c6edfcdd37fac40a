/* SHA-512 (FIPS 180-4) of blocks that follow from each other; its constants are computed. */
#include "bench.h"

static u64 constants[80];

static inline u64 rotated(u64 x, int by)
{
    return x >> by | x << (64 - by);
}

static NOINLINE void hash(u64 state[8], const u64 block[16])
{
    u64 w[80], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = block[i];
    for (int i = 16; i < 80; i++) {
        u64 x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotated(x, 1) ^ rotated(x, 8) ^ x >> 7) + (rotated(y, 19) ^ rotated(y, 61) ^ y >> 6);
    }
    memcpy(v, state, sizeof v);
    u64 a = v[0], b = v[1], c = v[2], d = v[3], e = v[4], f = v[5], g = v[6], h = v[7];
    for (int i = 0; i < 80; i++) {
        u64 one = h + (rotated(e, 14) ^ rotated(e, 18) ^ rotated(e, 41)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
        u64 two = (rotated(a, 28) ^ rotated(a, 34) ^ rotated(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    u64 after[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        state[i] += after[i];
}

u64 bench(void)
{
    u64 state[8], block[16] = {0x6162638000000000, [15] = 24};
    for (u32 i = 0; i < 80; i++)
        constants[i] = root_fraction(nth_prime(i), 3);
    for (u32 i = 0; i < 8; i++)
        state[i] = root_fraction(nth_prime(i), 2);
    hash(state, block);
    /* The digest of "abc". */
    if (state[0] != 0xddaf35a193617aba || state[7] != 0x2a9ac94fa54ca49f)
        return 0;
    for (int i = 0; i < SIZE(800000, 200); i++) {
        block[i & 15] ^= state[i & 7];
        hash(state, block);
    }
    return state[0];
}
