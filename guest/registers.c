/* The `regs` command: general registers and CSRs, by name, with the fields that people look for spelt out. */
#include "monitor.h"

static const char gpr[32][5] = {
    "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
    "a6",   "a7", "s2", "s3", "s4",  "s5",  "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

static void explain_misa(uxl v)
{
    print(" rv%u", 16u << (v >> (XLEN - 2)));
    for (u32 i = 0; i < 26; i++)
        if (v >> i & 1)
            put((char)('a' + i));
}

struct bit {
    char name[6];
    u8 at;
};

static void explain_bits(uxl v, const struct bit *bits, u32 count)
{
    for (u32 i = 0; i < count; i++)
        if (v >> bits[i].at & 1)
            print(" %s", bits[i].name);
}

static void explain_mstatus(uxl v)
{
    static const struct bit bits[] = {
        {"SIE", 1},  {"MIE", 3},  {"SPIE", 5}, {"UBE", 6},  {"MPIE", 7}, {"SPP", 8},  {"MPRV", 17}, {"SUM", 18},
        {"MXR", 19}, {"TVM", 20}, {"TW", 21},  {"TSR", 22}, {"SD", XLEN - 1},
#if XLEN > 32
        {"SBE", 36}, {"MBE", 37},
#endif
   
    };
    static const char modes[4][2] = {"U", "S", "-", "M"};
    static const char states[4][8] = {"off", "initial", "clean", "dirty"};
    explain_bits(v, bits, sizeof bits / sizeof *bits);
    print(" MPP=%s FS=%s VS=%s", modes[v >> 11 & 3], states[v >> 13 & 3], states[v >> 9 & 3]);
}

static void explain_interrupts(uxl v)
{
    static const struct bit bits[] = {
        {"SSI", 1}, {"VSSI", 2}, {"MSI", 3}, {"STI", 5}, {"VSTI", 6}, {"MTI", 7},
        {"SEI", 9}, {"VSEI", 10}, {"MEI", 11}, {"SGEI", 12}, {"LCOFI", 13},
    };
    explain_bits(v, bits, sizeof bits / sizeof *bits);
}

static void explain_cause(uxl v)
{
    if (v)
        print(" %s", cause_name(v));
}

static void explain_satp(uxl v)
{
#if XLEN == 32
    print(" %s asid %lu root %#llx", v >> 31 ? "Sv32" : "bare", v >> 22 & 0x1ff, (u64)(v & 0x3fffff) << 12);
#else
    static const char modes[16][6] = {"bare", [8] = "Sv39", "Sv48", "Sv57", "Sv64"};
    print(" %s asid %lu root %#lx", modes[v >> 60], v >> 44 & 0xffff, v << 20 >> 8);
#endif
}

static void explain_tvec(uxl v)
{
    print((v & 3) == 1 ? " vectored" : " direct");
}

/* The numbers are those of the Privileged Architecture, table 3 to 8 (chapter 2.2). */
static const struct csr {
    char name[14];
    u16 number;
    void (*explain)(uxl value);
} csrs[] = {
    {"mvendorid", 0xf11, NULL},
    {"marchid", 0xf12, NULL},
    {"mimpid", 0xf13, NULL},
    {"mhartid", 0xf14, NULL},
    {"mconfigptr", 0xf15, NULL},
    {"misa", 0x301, explain_misa},
    {"mstatus", 0x300, explain_mstatus},
    {"mtvec", 0x305, explain_tvec},
    {"medeleg", 0x302, NULL},
    {"mideleg", 0x303, explain_interrupts},
    {"mie", 0x304, explain_interrupts},
    {"mip", 0x344, explain_interrupts},
    {"mscratch", 0x340, NULL},
    {"mepc", 0x341, NULL},
    {"mcause", 0x342, explain_cause},
    {"mtval", 0x343, NULL},
    {"mcounteren", 0x306, NULL},
    {"mcountinhibit", 0x320, NULL},
    {"menvcfg", 0x30a, NULL},
    {"mseccfg", 0x747, NULL},
    {"mstateen0", 0x30c, NULL},
    {"pmpcfg0", 0x3a0, NULL},
    {"pmpaddr0", 0x3b0, NULL},
    {"mcycle", 0xb00, NULL},
    {"minstret", 0xb02, NULL},
    {"time", 0xc01, NULL},
    {"stvec", 0x105, explain_tvec},
    {"scounteren", 0x106, NULL},
    {"senvcfg", 0x10a, NULL},
    {"sscratch", 0x140, NULL},
    {"sepc", 0x141, NULL},
    {"scause", 0x142, explain_cause},
    {"stval", 0x143, NULL},
    {"stimecmp", 0x14d, NULL},
    {"satp", 0x180, explain_satp},
};
enum { CSRS = sizeof csrs / sizeof *csrs };

static void print_csr(const struct csr *csr, uxl value)
{
    print("%-13s %0*lx", csr->name, XLEN / 4, value);
    if (csr->explain)
        csr->explain(value);
    print("\n");
}

static void print_one(const char *name)
{
    uxl x[32], value;
    snapshot(x);
    for (u32 i = 0; i < 32; i++) {
        if (same(name, gpr[i])) {
            print("%-13s %0*lx\n", name, XLEN / 4, last_trap.any ? last_trap.x[i] : x[i]);
            return;
        }
    }
    for (u32 i = 0; i < CSRS; i++) {
        if (!same(name, csrs[i].name))
            continue;
        if (csr_read(csrs[i].number, &value))
            print_csr(&csrs[i], value);
        else
            print("%s is not there: reading it is an illegal instruction\n", name);
        return;
    }
    u64 number;
    if (!parse_number(name, &number))
        return;
    if (number > 0xfff)
        print("`%s` is no CSR number: they end at 0xfff\n", name);
    else if (csr_read((u32)number, &value))
        print("csr %#05llx     %0*lx\n", number, XLEN / 4, value);
    else
        print("csr %#llx is not there: reading it is an illegal instruction\n", number);
}

void regs_command(int count, char **word)
{
    uxl x[32], value;
    if (count > 1) {
        for (int i = 1; i < count; i++)
            print_one(word[i]);
        return;
    }
    snapshot(x);
    if (last_trap.any) {
        print("at the last trap: ");
        print_trap(last_trap.cause, last_trap.pc, last_trap.value);
    }
    for (u32 i = 0; i < 32; i++)
        print("%-4s %0*lx%s", gpr[i], XLEN / 4, last_trap.any ? last_trap.x[i] : x[i], i % 4 == 3 ? "\n" : "  ");
    bool missing = false;
    for (u32 i = 0; i < CSRS; i++) {
        if (csr_read(csrs[i].number, &value))
            print_csr(&csrs[i], value);
        else
            missing = true;
    }
    if (!missing)
        return;
    print("not there:");
    for (u32 i = 0; i < CSRS; i++)
        if (!csr_read(csrs[i].number, &value))
            print(" %s", csrs[i].name);
    print("\n");
}
