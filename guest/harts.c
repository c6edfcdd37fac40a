/* The other harts: they sleep, and answer when a software interrupt wakes them. */
#include "monitor.h"

/* ---- before there is any shared memory: who runs the monitor ---- */

struct search {
    const void *tree;
    u64 lowest;
};

static void find_lowest(void *argument)
{
    struct search *s = argument;
    int depth = 0;
    if (!fdt_open(s->tree))
        return;
    node cpus = fdt_find_path("/cpus", 5);
    if (cpus == NO_NODE)
        return;
    for (node n = fdt_next(cpus, &depth); n != NO_NODE && depth > 0; n = fdt_next(n, &depth)) {
        const char *kind = fdt_string(n, "device_type");
        struct property reg = fdt_property(n, "reg");
        if (depth != 1 || !kind || !same(kind, "cpu") || !reg.data || !fdt_is_enabled(n))
            continue;
        u64 id = reg.length >= 8 ? (u64)fdt_cell(reg, 0) << 32 | fdt_cell(reg, 1) : fdt_cell(reg, 0);
        if (id < s->lowest)
            s->lowest = id;
    }
}

/* The lowest hart id of the enabled harts in the tree, or -1: without a tree nobody runs the monitor. */
uxl lowest_hart(uxl self, const void *tree)
{
    struct search s = {tree, (u64)-1};
    (void)self;
    if (guarded(find_lowest, &s))
        return (uxl)-1;
    return (uxl)s.lowest;
}

/* ---- serving ---- */

/* Written by the hart it belongs to; the monitor's hart waits for it to become what it asked for. */
static volatile u64 answered[MAX_HARTS];
static volatile u64 asked;

static u64 msip_of(u64 id)
{
    for (u32 i = 0; i < machine.harts && i < MAX_LISTED; i++)
        if (machine.hart[i].id == id)
            return machine.clint + 4 * clint_slot(&machine.hart[i]);
    return 0;
}

/* A hart is woken only by the monitor, which has zeroed and filled `machine` by then. */
void serve(uxl id)
{
    csr_set(mie, 1ul << IRQ_SOFT);
    for (;;) {
        __asm__ volatile("wfi");
        if (!(csr_get(mip) & 1ul << IRQ_SOFT))
            continue;
        __asm__ volatile("fence" ::: "memory");
        write32(msip_of(id), 0);
        answered[id] = asked;
        __asm__ volatile("fence" ::: "memory");
    }
}

static void ping(const struct hart_info *hart)
{
    if (!hart->enabled) {
        print("disabled in the device tree\n");
        return;
    }
    if (hart->id >= MAX_HARTS) {
        print("asleep: this monitor wakes hart 0 to %u only\n", (u32)MAX_HARTS - 1);
        return;
    }
    if (!machine.clint) {
        print("cannot be asked: the device tree names no CLINT\n");
        return;
    }
    u64 start = now(), patience = machine.timebase ? machine.timebase / 4 : 1u << 20;
    asked++;
    __asm__ volatile("fence" ::: "memory");
    write32(msip_of(hart->id), 1);
    while (answered[hart->id] != asked) {
        if (now() - start > patience) {
            print("no answer to a software interrupt within a quarter of a second\n");
            return;
        }
    }
    print("sleeps; answered a software interrupt after %llu timer ticks\n", now() - start);
}

void harts_command(int count, char **word)
{
    (void)count, (void)word;
    for (u32 i = 0; i < machine.harts && i < MAX_LISTED; i++) {
        print("hart %-2llu  ", machine.hart[i].id);
        if (machine.hart[i].id == machine.boot_hart)
            print("runs this monitor\n");
        else
            ping(&machine.hart[i]);
    }
    if (machine.harts > MAX_LISTED)
        print("and %u more\n", machine.harts - MAX_LISTED);
}
