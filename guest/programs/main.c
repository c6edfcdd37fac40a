/* Small programs of the usual kinds, each of which says what it computed: the same on any machine with a UART and a
 * finisher where `virt` has them, whatever instructions it was compiled to. */
#include "programs.h"

static u64 seed = 1;

static u64 random(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed ^ seed >> 29;
}

/* ---- SHA-256 and SHA-512 (FIPS 180-4), their constants computed ---- */

static u64 fractions[80];

#define ROTATE(x, n) ((x) >> (n) | (x) << (8 * sizeof(x) - (n)))
#define SHA(name, type, rounds, down, a1, a2, a3, b1, b2, b3, c1, c2, c3, d1, d2, d3)                                  \
    static void name(type state[8], const u8 *block)                                                                   \
    {                                                                                                                  \
        type w[rounds], v[8];                                                                                          \
        for (u32 i = 0; i < rounds; i++) {                                                                             \
            if (i < 16) {                                                                                              \
                w[i] = 0;                                                                                              \
                for (u32 j = 0; j < sizeof(type); j++)                                                                 \
                    w[i] = w[i] << 8 | block[i * sizeof(type) + j];                                                    \
                continue;                                                                                              \
            }                                                                                                          \
            type x = w[i - 15], y = w[i - 2];                                                                          \
            w[i] = w[i - 16] + (ROTATE(x, c1) ^ ROTATE(x, c2) ^ x >> c3) + w[i - 7] +                                  \
                   (ROTATE(y, d1) ^ ROTATE(y, d2) ^ y >> d3);                                                          \
        }                                                                                                              \
        for (u32 i = 0; i < 8; i++)                                                                                    \
            v[i] = state[i];                                                                                           \
        for (u32 i = 0; i < rounds; i++) {                                                                             \
            type t = v[7] + (ROTATE(v[4], b1) ^ ROTATE(v[4], b2) ^ ROTATE(v[4], b3)) +                                 \
                     ((v[4] & v[5]) ^ (~v[4] & v[6])) + (type)(fractions[i] >> down) + w[i];                           \
            type u = (ROTATE(v[0], a1) ^ ROTATE(v[0], a2) ^ ROTATE(v[0], a3)) +                                        \
                     ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));                                                  \
            for (u32 j = 7; j; j--)                                                                                    \
                v[j] = v[j - 1];                                                                                       \
            v[4] += t, v[0] = t + u;                                                                                   \
        }                                                                                                              \
        for (u32 i = 0; i < 8; i++)                                                                                    \
            state[i] += v[i];                                                                                          \
    }

SHA(sha256, u32, 64, 32, 2, 13, 22, 6, 11, 25, 7, 18, 3, 17, 19, 10)
SHA(sha512, u64, 80, 0, 28, 34, 39, 14, 18, 41, 1, 8, 7, 19, 61, 6)

static void digests(void)
{
    u32 small[8];
    u64 large[8];
    for (u32 i = 0; i < 80; i++)
        fractions[i] = root_fraction(nth_prime(i), 3);
    for (u32 i = 0; i < 8; i++)
        large[i] = root_fraction(nth_prime(i), 2), small[i] = (u32)(large[i] >> 32);
    /* "abc", padded; then blocks of anything. */
    u8 block[128] = {'a', 'b', 'c', 0x80};
    block[63] = 24;
    sha256(small, block);
    block[63] = 0, block[127] = 24;
    sha512(large, block);
    say("sha-256 abc", (u64)small[0] << 32 | small[1]);
    say("sha-512 abc", large[0]);
    for (u32 round = 0; round < 8; round++) {
        for (u32 i = 0; i < 128; i++)
            block[i] = (u8)random();
        sha256(small, block), sha512(large, block);
    }
    say("sha-256", (u64)small[6] << 32 | small[7]);
    say("sha-512", large[7]);
}

/* ---- AES-128 (FIPS 197), its box computed ---- */

static u8 box[256];

static u8 product(u8 a, u8 b)
{
    u8 sum = 0;
    for (; b; b >>= 1, a = (u8)(a << 1 ^ (a >> 7) * 0x1b))
        if (b & 1)
            sum ^= a;
    return sum;
}

static void cipher(void)
{
    for (u32 i = 0; i < 256; i++) {
        u8 inverse = 1, x = 0x63;
        for (u32 n = 0; n < 254; n++)
            inverse = product(inverse, (u8)i);
        for (u32 n = 0; n < 5; n++)
            x ^= (u8)(inverse << n | inverse >> (8 - n));
        box[i] = x;
    }
    /* The key and the block of appendix C.1. */
    u8 key[16], s[16], t[16], constant = 1;
    for (u32 i = 0; i < 16; i++)
        key[i] = (u8)i, s[i] = (u8)(i * 0x11) ^ key[i];
    for (u32 round = 1; round <= 10; round++) {
        for (u32 i = 0; i < 4; i++)
            key[i] ^= box[key[12 + (i + 1) % 4]];
        key[0] ^= constant, constant = product(constant, 2);
        for (u32 i = 4; i < 16; i++)
            key[i] ^= key[i - 4];
        for (u32 i = 0; i < 16; i++)
            t[i] = box[s[(i + i % 4 * 4) % 16]];
        for (u32 i = 0; i < 16; i++) {
            const u8 *c = t + (i & 12u);
            u8 mixed = product(c[i % 4], 2) ^ product(c[(i + 1) % 4], 3) ^ c[(i + 2) % 4] ^ c[(i + 3) % 4];
            s[i] = (round < 10 ? mixed : t[i]) ^ key[i];
        }
    }
    u64 first = 0;
    for (u32 i = 0; i < 8; i++)
        first = first << 8 | s[i];
    say("aes", first);
}

/* ---- the rest: sorting through a pointer, recursion, a switch, division ---- */

static int ascending(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static int by_low_bits(const void *a, const void *b)
{
    return (int)(*(const u32 *)a & 0xfff) - (int)(*(const u32 *)b & 0xfff);
}

static void sort(int *of, int count, int (*compare)(const void *, const void *))
{
    if (count < 2)
        return;
    int pivot = of[count / 2], i = 0, j = count - 1;
    for (;; i++, j--) {
        while (compare(&of[i], &pivot) < 0)
            i++;
        while (compare(&of[j], &pivot) > 0)
            j--;
        if (i >= j)
            break;
        int swapped = of[i];
        of[i] = of[j], of[j] = swapped;
    }
    sort(of, i, compare), sort(of + i, count - i, compare);
}

static u32 ackermann(u32 m, u32 n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

/* A machine of its own: its programs are random, its jumps go forward. */
static u64 interpret(const u8 *code, u32 length)
{
    u64 r[4] = {1, 2, 3, 4};
    for (u32 at = 0; at < length; at++) {
        u64 *a = &r[code[at] >> 4 & 3], b = r[code[at] >> 6];
        switch (code[at] & 15) {
        case 0: *a += b; break;
        case 1: *a -= b + at; break;
        case 2: *a *= b | 1; break;
        case 3: *a /= b | 1; break;
        case 4: *a %= b | 1; break;
        case 5: *a ^= b * 5; break;
        case 6: *a = *a << (b & 63) | *a >> (64 - (b & 63)) % 64; break;
        case 7: *a = ~*a; break;
        case 8: *a = (u64)((long long)*a >> (b & 31)); break;
        case 9: *a = (u32)*a; break;
        case 10: *a = (u64)(long long)(int)*a; break;
        case 11: *a = (u64)(long long)((int)*a / ((int)b | 1)); break;
        case 12: *a = (u64)(long long)((int)*a % ((int)b | 1)); break;
        case 13: at += (u32)b & 3; break;
        case 14: *a += (long long)*a < (long long)b; break;
        default: *a += *a < b; break;
        }
    }
    return r[0] ^ r[1] ^ r[2] ^ r[3];
}

static void logic(void)
{
    static int numbers[500];
    static u8 code[2000];
    u64 sum = 0;
    for (u32 i = 0; i < 500; i++)
        numbers[i] = (int)random();
    sort(numbers, 500, ascending);
    for (u32 i = 0; i < 500; i++)
        sum = sum * 31 + (u32)numbers[i];
    sort(numbers, 500, by_low_bits);
    say("sorted", sum + (u32)numbers[0] % 0x1000);
    say("ackermann", ackermann(2, 20));
    for (u32 i = 0; i < 2000; i++)
        code[i] = (u8)(random() >> 40);
    say("interpreted", interpret(code, 2000));
}

int main(void)
{
    digests();
    cipher();
    logic();
    atomics();
    floats();
    return 0;
}
