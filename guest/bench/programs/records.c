/* What business programs of old did: records, strings, enumerations, and small procedures that call each other. */
#include "bench.h"

enum kind { ACCOUNT, ORDER, REFUND, CLOSED };

struct record {
    struct record *next;
    enum kind kind;
    int amount;
    int history[4];
    char name[32];
};

static struct record first, second;
static int totals[50], ledger[50][50];

static NOINLINE int compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (u8)*a - (u8)*b;
}

static NOINLINE void copy(char *to, const char *from)
{
    while ((*to++ = *from++))
        ;
}

static NOINLINE enum kind after(enum kind kind, int amount)
{
    switch (kind) {
    case ACCOUNT: return amount > 100 ? ORDER : CLOSED;
    case ORDER: return REFUND;
    case REFUND: return amount & 1 ? ACCOUNT : ORDER;
    default: return ACCOUNT;
    }
}

static NOINLINE void add(int a, int b, int *sum)
{
    *sum = a + 2 + b;
}

static NOINLINE void post(int line, int value)
{
    totals[line] = value;
    totals[line + 1] = totals[line];
    totals[line + 30] = line;
    for (int column = line; column <= line + 1; column++)
        ledger[line][column] = line;
    ledger[line][line - 1]++;
    ledger[line + 20][line] = totals[line];
}

static NOINLINE int same_initials(const char *a, const char *b)
{
    int at = 2;
    while (at <= 2 && a[at] == b[at + 1])
        at++;
    return at > 2 || compare(a, b) > 0;
}

static NOINLINE void move(struct record *from)
{
    struct record *to = from->next;
    *to = *from;
    to->next = from;
    to->amount = from->amount + 5;
    to->kind = after(from->kind, to->amount);
    if (to->kind == ACCOUNT)
        add(to->amount, 10, &to->history[0]);
    else
        to->history[to->kind] += to->amount & 0xff;
}

u64 bench(void)
{
    char this[32], that[32];
    u64 sum = 0;
    int value = 3;
    first.next = &second, first.amount = 40;
    copy(first.name, "A RECORD OF THE FIRST KIND");
    copy(this, "THE FIRST STRING OF THIS LOOP");
    for (int round = 1; round <= SIZE(2500000, 2000); round++) {
        copy(that, round & 1 ? "THE FIRST STRING OF THAT LOOP" : "THE OTHER STRING OF THE LOOP");
        sum += (u64)same_initials(this, that);
        for (int i = 1; i < 3; i++)
            add(i, value, &value);
        post(8, value & 0xffff);
        move(&first);
        first.amount = (second.amount * 7 + round) % 1000;
        first.kind = second.kind;
        value = value / 3 + second.history[round & 3] % 7;
        sum = sum * 5 + (u64)value + (u64)ledger[28][8] + (u64)second.kind;
    }
    return sum + (u64)compare(second.name, first.name);
}
