/* Traps: what they are called, who expects them, and where execution goes on. */
#include "monitor.h"

struct trapped last_trap;
volatile u64 ticks;
static u32 probes; /* guards around accesses that may trap by intention */

extern char guard_unwind[];

static inline struct hart *this_hart(void)
{
    return (struct hart *)csr_get(mscratch);
}

/* Machine cause codes, Privileged Architecture 3.1.15. */
const char *cause_name(uxl cause)
{
    static const char exceptions[20][32] = {
        "instruction address misaligned", "instruction access fault", "illegal instruction", "breakpoint",
        "load address misaligned", "load access fault", "store address misaligned", "store access fault",
        "call from U-mode", "call from S-mode", "call from VS-mode", "call from M-mode",
        "instruction page fault", "load page fault", "reserved exception 14", "store page fault",
        "double trap", "reserved exception 17", "software check", "hardware error",
    };
    static const char interrupts[12][32] = {
        [1] = "supervisor software interrupt", [3] = "machine software interrupt",
        [5] = "supervisor timer interrupt",    [7] = "machine timer interrupt",
        [9] = "supervisor external interrupt", [11] = "machine external interrupt",
    };
    if (cause >> (XLEN - 1)) {
        uxl line = cause << 1 >> 1;
        return line < 12 && interrupts[line][0] ? interrupts[line] : "another interrupt";
    }
    return cause < 20 ? exceptions[cause] : "another exception";
}

void print_trap(uxl cause, uxl pc, uxl value)
{
    print("%s, mcause %#lx, mepc %#lx, mtval %#lx\n", cause_name(cause), cause, pc, value);
}

/* Called by trap_entry on the hart's trap stack; what it leaves in *hart is where and with what the hart goes on. */
void trap(struct hart *hart)
{
    uxl cause = csr_get(mcause);
    if (cause >> (XLEN - 1)) {
        uxl line = cause << 1 >> 1;
        if (line == IRQ_EXTERNAL && machine.plic) {
            console_interrupt();
        } else if (line == IRQ_TIMER && machine.clint) {
            ticks++;
            timer_at(read64(machine.mtimecmp) + machine.timebase);
        } else {
            csr_off(mie, 1ul << (line & 63)); /* nobody waits for it: never again */
        }
        return;
    }
    hart->cause = cause;
    hart->value = csr_get(mtval);
    if (!hart->guard)
        sleep();
    if (!probes && csr_get(mhartid) == machine.boot_hart) {
        last_trap.any = true;
        last_trap.cause = cause;
        last_trap.pc = hart->pc;
        last_trap.value = hart->value;
        for (u32 i = 0; i < 32; i++)
            last_trap.x[i] = hart->x[i];
    }
    hart->pc = (uxl)guard_unwind;
    hart->x[2] = hart->guard;
    hart->x[10] = 1;
    csr_on(mstatus, MSTATUS_MPP);
}

/* ---- guarded single accesses ---- */

struct access {
    u64 address, value;
    u32 width;
};

static void load(void *argument)
{
    struct access *a = argument;
    switch (a->width) {
    case 1:
        a->value = *(volatile u8 *)at(a->address);
        break;
    case 2:
        a->value = *(volatile u16 *)at(a->address);
        break;
    case 4:
        a->value = read32(a->address);
        break;
    default:
        a->value = read64(a->address);
    }
}

static void store(void *argument)
{
    struct access *a = argument;
    switch (a->width) {
    case 1:
        *(volatile u8 *)at(a->address) = (u8)a->value;
        break;
    case 2:
        *(volatile u16 *)at(a->address) = (u16)a->value;
        break;
    case 4:
        write32(a->address, (u32)a->value);
        break;
    default:
        write64(a->address, a->value);
    }
    __asm__ volatile("fence.i" ::: "memory"); /* it may have been code */
}

static bool probe(void (*work)(void *), void *argument)
{
    probes++;
    bool trapped = guarded(work, argument);
    probes--;
    return !trapped;
}

bool probe_load(u64 address, u32 width, u64 *value)
{
    struct access a = {address, 0, width};
    bool done = probe(load, &a);
    *value = a.value;
    return done;
}

bool probe_store(u64 address, u32 width, u64 value)
{
    struct access a = {address, value, width};
    return probe(store, &a);
}

void probe_report(void)
{
    struct hart *hart = this_hart();
    print("%s at %#lx\n", cause_name(hart->cause), hart->value);
}

/* ---- any CSR by its number: there is no instruction for that, so one is written and run ---- */

struct csr_access {
    u32 number;
    uxl value;
};

static u32 csr_code[2];

static void read_csr(void *argument)
{
    struct csr_access *a = argument;
    csr_code[0] = a->number << 20 | 0x2573; /* csrr a0, number */
    csr_code[1] = 0x8067;                   /* ret */
    __asm__ volatile("fence.i" ::: "memory");
    a->value = ((uxl (*)(void))csr_code)();
}

bool csr_read(u32 number, uxl *value)
{
    struct csr_access a = {number, 0};
    bool done = probe(read_csr, &a);
    *value = a.value;
    return done;
}

/* ---- time ---- */

/* At 32 bits the halves are read one by one, and again if the low one wrapped meanwhile. */
u64 now(void)
{
    uxl low = 0, high = 0, again = 0;
    if (machine.clint && XLEN == 64)
        return read64(machine.clint + 0xbff8);
    do {
        if (machine.clint) {
            high = read32(machine.clint + 0xbffc);
            low = read32(machine.clint + 0xbff8);
            again = read32(machine.clint + 0xbffc);
        } else {
            if (!csr_read(0xc01, &low) || XLEN == 64)
                return low;
            if (!csr_read(0xc81, &high) || !csr_read(0xc01, &low) || !csr_read(0xc81, &again))
                return 0;
        }
    } while (high != again);
    return (u64)high << 32 | low;
}

/* In halves, no value in between may be one that has passed. */
void timer_at(u64 when)
{
    if (!machine.clint)
        return;
    if (XLEN == 32)
        write32(machine.mtimecmp + 4, ~0u);
    write64(machine.mtimecmp, when);
}
