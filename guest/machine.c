/* What this machine is, as its device tree tells it, and how to tell it to a person. */
#include "monitor.h"

struct machine machine;

extern char _start[], __end[];

/* ---- finding ---- */

static bool is_uart(node n)
{
    return n != NO_NODE && fdt_is_enabled(n) && (fdt_is_compatible(n, "ns16550a") || fdt_is_compatible(n, "ns16550"));
}

/* /chosen's stdout-path is a path or an alias, perhaps followed by `:115200n8` (Devicetree Specification, 3.6). */
static node stdout_node(u32 *speed)
{
    const char *path = fdt_string(fdt_find_path("/chosen", 7), "stdout-path");
    if (!path)
        return NO_NODE;
    u32 length = 0;
    while (path[length] && path[length] != ':')
        length++;
    u32 number = 0;
    if (path[length])
        for (const char *c = path + length + 1; *c >= '0' && *c <= '9' && number < 100000000; c++)
            number = number * 10 + (u32)(*c - '0');
    *speed = number;
    if (path[0] == '/')
        return fdt_find_path(path, length);
    node aliases = fdt_find_path("/aliases", 8);
    const char *name;
    for (u32 i = 0;; i++) {
        struct property alias = fdt_property_at(aliases, i, &name);
        if (!alias.data)
            return NO_NODE;
        u32 same_so_far = 0;
        while (same_so_far < length && name[same_so_far] == path[same_so_far])
            same_so_far++;
        if (same_so_far == length && !name[length])
            return fdt_find_path((const char *)alias.data, alias.length ? alias.length - 1 : 0);
    }
}

static void find_harts(u64 self)
{
    node cpus = fdt_find_path("/cpus", 5);
    machine.timebase = fdt_u32(cpus, "timebase-frequency", 0);
    int depth = 0;
    if (cpus == NO_NODE)
        return;
    for (node n = fdt_next(cpus, &depth); n != NO_NODE && depth > 0; n = fdt_next(n, &depth)) {
        if (depth == 2 && machine.harts && fdt_property(n, "interrupt-controller").data) {
            if (machine.harts <= MAX_LISTED)
                machine.hart[machine.harts - 1].intc = fdt_u32(n, "phandle", 0);
            continue;
        }
        const char *kind = fdt_string(n, "device_type");
        struct property reg = fdt_property(n, "reg");
        if (depth != 1 || !kind || !same(kind, "cpu") || !reg.data)
            continue;
        u64 id = reg.length >= 8 ? (u64)fdt_cell(reg, 0) << 32 | fdt_cell(reg, 1) : fdt_cell(reg, 0);
        if (machine.harts < MAX_LISTED)
            machine.hart[machine.harts] = (struct hart_info){id, n, 0, fdt_is_enabled(n)};
        machine.harts++;
        if (id == self && !machine.timebase)
            machine.timebase = fdt_u32(n, "timebase-frequency", 0);
    }
}

static u32 listed(void)
{
    return machine.harts < MAX_LISTED ? machine.harts : MAX_LISTED;
}

/* Which pair of an interrupts-extended property is (this interrupt controller, this line); -1: none. */
static int pair_of(node n, u32 intc, u32 line)
{
    struct property wires = fdt_property(n, "interrupts-extended");
    for (u32 i = 0; intc && i < wires.length / 8; i++)
        if (fdt_cell(wires, 2 * i) == intc && fdt_cell(wires, 2 * i + 1) == line)
            return (int)i;
    return -1;
}

static node first_of(const char *compatible, const char *otherwise)
{
    node n = fdt_find_compatible(compatible, NO_NODE);
    return n != NO_NODE ? n : fdt_find_compatible(otherwise, NO_NODE);
}

static node clint;

u64 clint_slot(const struct hart_info *hart)
{
    int pair = pair_of(clint, hart->intc, IRQ_SOFT);
    return pair < 0 ? hart->id : (u64)pair / 2;
}

static u32 interrupt_parent(node n)
{
    for (; n != NO_NODE; n = fdt_parent(n)) {
        u32 parent = fdt_u32(n, "interrupt-parent", 0);
        if (parent)
            return parent;
    }
    return 0;
}

static u32 plic_phandle;

/* The PLIC's line of a device, or 0. */
static u32 plic_line(node n, u32 *count)
{
    struct property wires = fdt_property(n, "interrupts");
    u32 controller;
    *count = wires.length / 4;
    if (wires.data) {
        controller = interrupt_parent(n);
    } else {
        wires = fdt_property(n, "interrupts-extended");
        if (wires.length < 8)
            return 0;
        controller = fdt_cell(wires, 0);
        wires.data += 4;
        wires.length -= 4;
        *count = 1;
    }
    return controller && controller == plic_phandle ? fdt_cell(wires, 0) : 0;
}

static void find_uart(void)
{
    u32 speed = 0, count;
    node n = stdout_node(&speed), plic = first_of("sifive,plic-1.0.0", "riscv,plic0");
    plic_phandle = fdt_u32(plic, "phandle", 0);
    if (!is_uart(n)) {
        speed = 0;
        n = NO_NODE;
        do
            n = fdt_find_compatible("ns16550a", n);
        while (n != NO_NODE && !fdt_is_enabled(n));
    }
    u64 size;
    if (n == NO_NODE || !fdt_reg(n, 0, &machine.uart, &size)) {
        machine.uart = 0;
        return;
    }
    machine.uart_shift = fdt_u32(n, "reg-shift", 0) & 7;
    machine.uart_width = fdt_u32(n, "reg-io-width", 1);
    machine.uart_clock = fdt_u32(n, "clock-frequency", 0);
    machine.uart_speed = speed ? speed : fdt_u32(n, "current-speed", 115200);
    machine.uart += fdt_u32(n, "reg-offset", 0);
    machine.uart_irq = plic_line(n, &count);

    for (u32 i = 0; machine.uart_irq && i < listed(); i++) {
        int context = pair_of(plic, machine.hart[i].intc, IRQ_EXTERNAL);
        if (machine.hart[i].id == machine.boot_hart && context >= 0 && fdt_reg(plic, 0, &machine.plic, &size))
            machine.plic_context = (u64)context;
    }
}

void machine_discover(const void *tree, u64 self)
{
    u64 size;
    machine.boot_hart = self;
    if (!fdt_open(tree))
        return;
    machine.tree = tree;
    find_harts(self);
    clint = first_of("sifive,clint0", "riscv,clint0");
    if (!fdt_reg(clint, 0, &machine.clint, &size))
        machine.clint = 0;
    machine.mtimecmp = machine.clint + 0x4000 + 8 * self;
    for (u32 i = 0; i < listed(); i++)
        if (machine.hart[i].id == self)
            machine.mtimecmp = machine.clint + 0x4000 + 8 * clint_slot(&machine.hart[i]);
    if (machine.clint)
        write64(machine.mtimecmp, (u64)-1); /* as found it may be due already */
    if (!fdt_reg(first_of("sifive,test0", "sifive,test1"), 0, &machine.finisher, &size))
        machine.finisher = 0;
    find_uart();
}

/* ---- telling ---- */

enum { LABEL = 11, COLUMNS = 78 };

static void print_text(struct property p)
{
    print_clean((const char *)p.data, p.length && !p.data[p.length - 1] ? p.length - 1 : p.length);
}

/* An ISA string, broken at its underscores. */
static void print_isa(const char *isa, u32 column)
{
    while (*isa) {
        u32 length = 1;
        while (isa[length] && isa[length] != '_')
            length++;
        if (column + length >= COLUMNS && *isa == '_') {
            print("\n%*s", (u32)(LABEL + 2), "");
            column = LABEL + 2;
        }
        print_clean(isa, length);
        column += length;
        isa += length;
    }
}

static struct property isa_of(node cpu)
{
    struct property isa = fdt_property(cpu, "riscv,isa");
    return isa.data ? isa : fdt_property(cpu, "riscv,isa-extensions");
}

static bool equal(struct property a, struct property b)
{
    if (a.length != b.length || !a.data != !b.data)
        return false;
    for (u32 i = 0; i < a.length; i++)
        if (a.data[i] != b.data[i])
            return false;
    return true;
}

static void introduce_hart(const struct hart_info *hart, bool all)
{
    if (all)
        print("           all: ");
    else
        print("           %3llu: ", hart->id);
    const char *isa = fdt_string(hart->cpu, "riscv,isa");
    if (isa) {
        print_isa(isa, LABEL + 5);
    } else {
        const char *base = fdt_string(hart->cpu, "riscv,isa-base");
        struct property extensions = fdt_property(hart->cpu, "riscv,isa-extensions");
        u32 column = LABEL + 5;
        print("%s", base ? base : "no ISA string");
        for (u32 i = 0; i < extensions.length; i++) {
            u32 length = 0;
            while (i + length < extensions.length && extensions.data[i + length])
                length++;
            if (column + length + 1 >= COLUMNS) {
                print("\n%*s", (u32)(LABEL + 2), "");
                column = LABEL + 2;
            }
            put(i ? '_' : ' ');
            print_clean((const char *)extensions.data + i, length);
            column += length + 1;
            i += length;
        }
    }
    const char *mmu = fdt_string(hart->cpu, "mmu-type");
    if (mmu && same(mmu, "riscv,none"))
        mmu = NULL;
    if (mmu && length_of(mmu) > 6)
        mmu += 6; /* "riscv," */
    print("\n                MMU: %s%s\n", mmu ? mmu : "none", hart->enabled ? "" : ", disabled");
}

static void introduce_harts(void)
{
    bool alike = true;
    for (u32 i = 1; i < listed(); i++)
        if (!equal(isa_of(machine.hart[0].cpu), isa_of(machine.hart[i].cpu)) ||
            !equal(fdt_property(machine.hart[0].cpu, "mmu-type"), fdt_property(machine.hart[i].cpu, "mmu-type")) ||
            machine.hart[0].enabled != machine.hart[i].enabled)
            alike = false;
    print("harts      %u, this is hart %llu", machine.harts, machine.boot_hart);
    if (machine.timebase)
        print(", timebase %u Hz", machine.timebase);
    print("\n");
    if (alike && machine.harts)
        introduce_hart(&machine.hart[0], true);
    for (u32 i = 0; !alike && i < listed(); i++)
        introduce_hart(&machine.hart[i], false);
}

struct range {
    u64 base, size;
    node n;
};

enum { MAX_RANGES = 96 };
static struct range map[MAX_RANGES];

static bool is_mapped(node n)
{
    node parent = fdt_parent(n);
    if (parent == NO_NODE)
        return false;
    return fdt_parent(parent) == NO_NODE || fdt_is_compatible(parent, "simple-bus") || same(fdt_name(parent), "soc");
}

static void print_size(u64 size)
{
    static const char units[][4] = {"B", "KiB", "MiB", "GiB", "TiB"};
    u32 unit = 0;
    for (; size && !(size & 1023) && unit < 4; unit++)
        size >>= 10;
    print("%5llu %-3s", size, units[unit]);
}

static void introduce_map(void)
{
    u32 count = 0, left_out = 0, digits = 8;
    int depth = 0;
    for (node n = fdt_next(NO_NODE, &depth); n != NO_NODE; n = fdt_next(n, &depth)) {
        struct range r = {0, 0, n};
        for (u32 i = 0; is_mapped(n) && fdt_reg(n, i, &r.base, &r.size); i++) {
            if (count == MAX_RANGES) {
                left_out++;
                continue;
            }
            u32 at = count++;
            for (; at && map[at - 1].base > r.base; at--)
                map[at] = map[at - 1];
            map[at] = r;
        }
    }
    for (u32 i = 0; i < count; i++)
        while (digits < 16 && (map[i].base + map[i].size - !!map[i].size) >> 4 * digits)
            digits++;
    print("memory map\n");
    for (u32 i = 0; i < count; i++) {
        const char *name = fdt_name(map[i].n);
        u32 lines, line = plic_line(map[i].n, &lines), length = length_of(name);
        struct property compatible = fdt_property(map[i].n, "compatible");
        u32 first = 0;
        while (first < compatible.length && compatible.data[first])
            first++;
        print("  %#0*llx-%#0*llx ", digits + 2, map[i].base, digits + 2, map[i].base + map[i].size - !!map[i].size);
        print_size(map[i].size);
        print("  ");
        print_clean(name, length);
        if (first || line)
            print("%*s", length < 24 ? 25 - length : 1, "");
        print_clean((const char *)compatible.data, first);
        if (line)
            print("%*sirq %u", first < 20 ? 21 - first : 1, "", line);
        if (line && lines > 1)
            print(" and %u more", lines - 1);
        print("\n");
    }
    if (left_out)
        print("  and %u more\n", left_out);
}

void machine_introduce(void)
{
    print("\n"
          "   _                _                 _        _     _\n"
          "  | |_   __ _  _ _ | |_ __ __ __ _ _ (_) __ _ | |_  | |_\n"
          "  | ' \\ / _` || '_||  _|\\ V  V /| '_|| |/ _` || ' \\ |  _|\n"
          "  |_||_|\\__,_||_|   \\__| \\_/\\_/ |_|  |_|\\__, ||_||_| \\__|\n"
          "                                        |___/\n\n");
    node root = fdt_next(NO_NODE, &(int){0});
    struct property model = fdt_property(root, "model"), compatible = fdt_property(root, "compatible");
    print("machine    ");
    print_text(model.data ? model : compatible);
    print("\n");
    introduce_harts();
    struct property arguments = fdt_property(fdt_find_path("/chosen", 7), "bootargs");
    if (arguments.length > 1) {
        print("bootargs   ");
        print_text(arguments);
        print("\n");
    }
    introduce_map();
    print("in memory  %#lx-%#lx this monitor, %#lx-%#lx the device tree\n", (uxl)_start, (uxl)__end - 1, (uxl)machine.tree,
          (uxl)machine.tree + fdt_size() - 1);
    if (!machine.plic)
        print("note       no PLIC line for the UART: the keyboard is polled\n");
}
