/* AES-128 (FIPS 197) by tables of 32-bit words, each block encrypting the one before. */
#include "bench.h"

static u8 box[256];
static u32 table[4][256], key[44];

static u32 rotated(u32 x, int by)
{
    return x << by | x >> (32 - by);
}

static u32 boxed(u32 x)
{
    return (u32)box[x >> 24] << 24 | (u32)box[x >> 16 & 255] << 16 | (u32)box[x >> 8 & 255] << 8 | box[x & 255];
}

/* Powers of 3 run through all bytes but 0, so an inverse is a power looked up backwards. */
static void make_tables(void)
{
    u8 power[256], logarithm[256] = {0}, x = 1;
    for (int i = 0; i < 255; i++) {
        power[i] = x, logarithm[x] = (u8)i;
        x ^= (u8)(x << 1 ^ (x >> 7) * 0x1b);
    }
    for (int i = 0; i < 256; i++) {
        u32 inverse = i ? power[(255 - logarithm[i]) % 255] : 0;
        inverse |= inverse << 8;
        box[i] = (u8)(inverse ^ inverse >> 4 ^ inverse >> 5 ^ inverse >> 6 ^ inverse >> 7 ^ 0x63);
        u32 one = box[i], two = (one << 1 ^ (one >> 7) * 0x1b) & 255;
        u32 column = two << 24 | one << 16 | one << 8 | (one ^ two);
        for (int row = 0; row < 4; row++, column = rotated(column, 24))
            table[row][i] = column;
    }
}

static void expand_key(void)
{
    u32 constant = 1;
    for (int i = 0; i < 4; i++)
        key[i] = 0x00010203u + 0x04040404u * (u32)i;
    for (int i = 4; i < 44; i++) {
        u32 word = key[i - 1];
        if (i % 4 == 0) {
            word = boxed(rotated(word, 8)) ^ constant << 24;
            constant = constant << 1 ^ (constant >> 7) * 0x11b;
        }
        key[i] = key[i - 4] ^ word;
    }
}

static NOINLINE void encrypt(u32 s[4])
{
    u32 t[4];
    for (int i = 0; i < 4; i++)
        s[i] ^= key[i];
    for (int round = 1; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            t[i] = table[0][s[i] >> 24] ^ table[1][s[(i + 1) & 3] >> 16 & 255] ^ table[2][s[(i + 2) & 3] >> 8 & 255] ^
                   table[3][s[(i + 3) & 3] & 255] ^ key[4 * round + i];
        for (int i = 0; i < 4; i++)
            s[i] = t[i];
    }
    for (int i = 0; i < 4; i++)
        t[i] = boxed((s[i] & 0xff000000) | (s[(i + 1) & 3] & 0xff0000) | (s[(i + 2) & 3] & 0xff00) |
                     (s[(i + 3) & 3] & 0xff));
    for (int i = 0; i < 4; i++)
        s[i] = t[i] ^ key[40 + i];
}

u64 bench(void)
{
    /* The block of appendix C.1. */
    u32 s[4] = {0x00112233, 0x44556677, 0x8899aabb, 0xccddeeff};
    make_tables();
    expand_key();
    encrypt(s);
    if (s[0] != 0x69c4e0d8 || s[3] != 0x70b4c55a)
        return 0;
    for (int i = 0; i < SIZE(1500000, 1000); i++)
        encrypt(s);
    return (u64)s[0] << 32 | s[1];
}
