/* Runs litmus tests, a hart a thread, and prints how often each final state was seen:
 *
 *     NAME TIMES VALUE...         a line a state: observed registers by hart, then observed words of memory
 *
 * A round has many instances of a test, each with memory of its own, so that harts stand together once a round only.
 * Two harts keep step instance by instance besides; more of them would wait for the host's scheduler each time, as it
 * may have fewer cores. A random delay before each instance lets either be first. */
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;

enum {
    INSTANCES = 256,
    STRIDE = 128,               /* bytes between two words, so that no two share a line of any host's cache */
    WORDS = 6,
    OBSERVED = 6,               /* by one hart */
    STATES = 256,
    STEP = HARTS == 2 ? 1 : 32, /* instances between two meetings */
    PATIENCE = 300,             /* looks before a hart lets others have its host's core */
};

/* What the generated threads are listed in. */
struct test {
    const char *name;
    void (*thread[4])(char *memory, u32 *observed);
    u64 registers[4];           /* how many each thread observes */
    u64 finals;                 /* how many words are observed, */
    u64 final[WORDS];           /* and which */
};
extern const struct test tests[];
extern const u64 test_count;

static char memory[INSTANCES][WORDS * STRIDE] __attribute__((aligned(4096)));
static u32 observed[HARTS][INSTANCES][OBSERVED] __attribute__((aligned(4096)));
static struct { volatile u64 at; char line[STRIDE - 8]; } progress[HARTS] __attribute__((aligned(128)));
static struct { u32 values[HARTS * OBSERVED + WORDS]; u64 times; } states[STATES];

static void whole_fence(void)
{
    __asm__ volatile("fence rw,rw" ::: "memory");
}

static void put(char c)
{
    volatile unsigned char *uart = (void *)0x10000000;
    while (!(uart[5] & 0x20))
        ;
    uart[0] = c;
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

static void say_number(u64 n)
{
    if (n >= 10)
        say_number(n / 10);
    put('0' + n % 10);
}

/* Waits until every other hart is at `at` too. Positions only grow, so nobody has to reset them. */
static void meet(u64 hart, u64 at)
{
    progress[hart].at = at;
    whole_fence();
    for (u64 other = 0; other < HARTS; other++)
        for (u64 looks = 0; progress[other].at < at; looks++)
            if (looks > PATIENCE)
                __asm__ volatile("pause");
    whole_fence();
}

static u32 *word(u64 instance, u64 which)
{
    return (u32 *)&memory[instance][which * STRIDE];
}

/* Adds the states that a round ended in. */
static void count(const struct test *test)
{
    for (u64 i = 0; i < INSTANCES; i++) {
        u32 values[HARTS * OBSERVED + WORDS];
        u64 n = 0, state = 0;
        for (u64 hart = 0; hart < HARTS; hart++)
            for (u64 r = 0; r < test->registers[hart]; r++)
                values[n++] = observed[hart][i][r];
        for (u64 f = 0; f < test->finals; f++)
            values[n++] = *word(i, test->final[f]);
        for (; state < STATES - 1 && states[state].times; state++) {
            u64 same = 0;
            while (same < n && states[state].values[same] == values[same])
                same++;
            if (same == n)
                break;
        }
        for (u64 v = 0; v < n; v++)
            states[state].values[v] = values[v];
        states[state].times++;
    }
}

static void print(const struct test *test)
{
    u64 n = test->finals;
    for (u64 hart = 0; hart < HARTS; hart++)
        n += test->registers[hart];
    for (u64 state = 0; state < STATES && states[state].times; state++) {
        say(test->name);
        put(' ');
        say_number(states[state].times);
        for (u64 v = 0; v < n; v++) {
            put(' ');
            say_number(states[state].values[v]);
        }
        put('\n');
        states[state].times = 0;
    }
}

void run(u64 hart)
{
    u64 at = 0, random = 0x9e3779b97f4a7c15 * (hart + 1);
    for (const struct test *test = tests; test < tests + test_count; test++) {
        for (u64 done = 0; done < ITERATIONS; done += INSTANCES) {
            for (u64 i = hart; i < INSTANCES; i += HARTS)
                for (u64 w = 0; w < WORDS; w++)
                    *word(i, w) = 0;
            meet(hart, ++at);
            for (u64 i = 0; i < INSTANCES; i++) {
                if (i % STEP == 0)
                    meet(hart, ++at);
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                for (u64 delay = random % 16; delay; delay--)
                    __asm__ volatile("");
                test->thread[hart](memory[i], observed[hart][i]);
            }
            meet(hart, ++at);
            if (hart == 0)
                count(test);
            meet(hart, ++at);
        }
        if (hart == 0)
            print(test);
    }
}
