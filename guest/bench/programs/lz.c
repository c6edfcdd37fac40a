/* A compressor of deflate's kind and what undoes it: matches found through chains of equal hashes, Huffman codes. */
#include "bench.h"

enum { COUNT = SIZE(256 << 10, 4 << 10), WINDOW = 1 << 15, HASHES = 1 << 14, LONGEST = 258, TRIES = 32 };
/* A token's symbol is a byte, or 256 and how many bits its length has; a distance's is how many bits it has. */
enum { SYMBOLS = 256 + 9, DISTANCES = 16 };

struct code {
    int symbols;
    u32 uses[SYMBOLS], bits[SYMBOLS], length[SYMBOLS];
    u32 of_length[32], in_order[SYMBOLS];
};

static u8 text[COUNT], packed[2 * COUNT + 1024], unpacked[COUNT];
static u32 tokens[COUNT];
static int newest[HASHES], before[WINDOW];
static struct code symbols, distances;

static u8 *stream;
static u64 held;
static u32 count_held;

static void put(u32 value, u32 count)
{
    held = held << count | value;
    for (count_held += count; count_held >= 8; count_held -= 8)
        *stream++ = (u8)(held >> (count_held - 8));
}

static u32 get(u32 count)
{
    for (; count_held < count; count_held += 8)
        held = held << 8 | *stream++;
    count_held -= count;
    return (u32)(held >> count_held) & ((1u << count) - 1);
}

static u32 width(u32 value)
{
    u32 bits = 0;
    for (; value; value >>= 1)
        bits++;
    return bits;
}

/* Words of a small language, some far more usual than others. */
static void write_text(void)
{
    u64 state = 2463534242;
    for (u32 at = 0; at < COUNT;) {
        u64 word = random_after(&state) & random_after(&state) & 0x3ff, letters = word * 0x9e3779b97f4a7c15;
        for (u64 length = 2 + word % 7; length && at < COUNT; length--, letters >>= 5)
            text[at++] = (u8)('a' + letters % 26);
        if (at < COUNT)
            text[at++] = word % 11 ? ' ' : '\n';
    }
}

static u32 hash_at(const u8 *p)
{
    return ((u32)p[0] << 16 | (u32)p[1] << 8 | p[2]) * 2654435761u >> 18;
}

static u32 match_length(u32 from, u32 at)
{
    u32 length = 0;
    while (length < LONGEST && at + length < COUNT && text[from + length] == text[at + length])
        length++;
    return length;
}

/* Fills `tokens`: a byte, or a length above a distance. */
static u32 find_matches(void)
{
    u32 count = 0;
    for (u32 i = 0; i < HASHES; i++)
        newest[i] = -1;
    for (u32 at = 0; at < COUNT;) {
        u32 best = 0, distance = 0, step = 1;
        if (at + 3 <= COUNT) {
            int from = newest[hash_at(&text[at])];
            for (int tries = TRIES; tries && from >= 0 && at - (u32)from < WINDOW; tries--) {
                u32 length = match_length((u32)from, at);
                if (length > best)
                    best = length, distance = at - (u32)from;
                from = before[(u32)from % WINDOW];
            }
        }
        if (best >= 3)
            step = best, tokens[count++] = best << 16 | distance;
        else
            tokens[count++] = text[at];
        for (; step; step--, at++)
            if (at + 3 <= COUNT) {
                u32 hash = hash_at(&text[at]);
                before[at % WINDOW] = newest[hash], newest[hash] = (int)at;
            }
    }
    return count;
}

static int rarest(const u32 *weight, int count)
{
    int found = -1;
    for (int i = 0; i < count; i++)
        if (weight[i] && (found < 0 || weight[i] < weight[found]))
            found = i;
    return found;
}

/* From how often each symbol is used to how long its code is: the two rarest become one, again and again. */
static void measure(struct code *code)
{
    u32 weight[2 * SYMBOLS], sum;
    int parent[2 * SYMBOLS], count = code->symbols;
    for (int i = 0; i < count; i++)
        weight[i] = code->uses[i] + 1;
    for (int made = count; made < 2 * count - 1; weight[made++] = sum) {
        sum = 0;
        for (int which = 0; which < 2; which++) {
            int node = rarest(weight, made);
            sum += weight[node], weight[node] = 0, parent[node] = made;
        }
    }
    for (int i = 0; i < count; i++) {
        code->length[i] = 0;
        for (int node = i; node != 2 * count - 2; node = parent[node])
            code->length[i]++;
    }
}

/* Codes of a length are numbers in a row, in the order of the symbols. */
static void number(struct code *code)
{
    u32 next = 0, place = 0;
    for (u32 length = 1; length < 32; length++, next <<= 1) {
        code->of_length[length] = 0;
        for (int i = 0; i < code->symbols; i++)
            if (code->length[i] == length)
                code->bits[i] = next++, code->in_order[place++] = (u32)i, code->of_length[length]++;
    }
}

static void encode(const struct code *code, u32 symbol)
{
    put(code->bits[symbol], code->length[symbol]);
}

static u32 decode(const struct code *code)
{
    u32 bits = 0, first = 0, place = 0;
    for (u32 length = 1;; length++) {
        bits = bits << 1 | get(1), first <<= 1;
        if (bits - first < code->of_length[length])
            return code->in_order[place + bits - first];
        first += code->of_length[length], place += code->of_length[length];
    }
}

static void start(void)
{
    stream = packed, held = 0, count_held = 0;
}

static u32 compress(void)
{
    u32 count = find_matches();
    symbols = (struct code){.symbols = SYMBOLS}, distances = (struct code){.symbols = DISTANCES};
    for (u32 i = 0; i < count; i++)
        if (tokens[i] >> 16)
            symbols.uses[256 + width((tokens[i] >> 16) - 3)]++, distances.uses[width(tokens[i] & 0xffff)]++;
        else
            symbols.uses[tokens[i]]++;
    measure(&symbols), measure(&distances);
    number(&symbols), number(&distances);
    start();
    for (u32 i = 0; i < SYMBOLS + DISTANCES; i++)
        put(i < SYMBOLS ? symbols.length[i] : distances.length[i - SYMBOLS], 5);
    for (u32 i = 0; i < count; i++) {
        u32 length = (tokens[i] >> 16) - 3, distance = tokens[i] & 0xffff;
        if (!(tokens[i] >> 16)) {
            encode(&symbols, tokens[i]);
            continue;
        }
        encode(&symbols, 256 + width(length));
        put(length, width(length));
        encode(&distances, width(distance));
        put(distance, width(distance));
    }
    put(0, 7);
    return (u32)(stream - packed);
}

static void decompress(void)
{
    symbols = (struct code){.symbols = SYMBOLS}, distances = (struct code){.symbols = DISTANCES};
    start();
    for (u32 i = 0; i < SYMBOLS + DISTANCES; i++)
        *(i < SYMBOLS ? &symbols.length[i] : &distances.length[i - SYMBOLS]) = get(5);
    number(&symbols), number(&distances);
    for (u32 at = 0; at < COUNT;) {
        u32 symbol = decode(&symbols);
        if (symbol < 256) {
            unpacked[at++] = (u8)symbol;
            continue;
        }
        u32 length = get(symbol - 256) + 3, distance = get(decode(&distances));
        for (; length; length--, at++)
            unpacked[at] = unpacked[at - distance];
    }
}

u64 bench(void)
{
    u64 sum = 0;
    write_text();
    for (int round = 0; round < SIZE(8, 1); round++) {
        u32 size = compress();
        for (u32 i = 0; i < size; i++)
            sum = sum * 31 + packed[i];
        decompress();
        for (u32 i = 0; i < COUNT; i++)
            if (unpacked[i] != text[i])
                return 0;
        sum = sum * 31 + size;
        text[round] ^= 1;
    }
    return sum;
}
