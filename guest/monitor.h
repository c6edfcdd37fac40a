/* What the parts of the monitor know of each other. */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef unsigned long uxl; /* as wide as a register, and an address */
#define XLEN __riscv_xlen

/* ---- fdt.c: a reader of flattened device trees that believes nothing ---- */

/* A node is the offset of its FDT_BEGIN_NODE token in the structure block. */
typedef u32 node;
#define NO_NODE ((node)-1)

struct property {
    const u8 *data; /* NULL: there is no such property */
    u32 length;     /* bytes */
};

bool fdt_open(const void *blob);           /* false: not a device tree, or of a version before 16 */
u32 fdt_size(void);                        /* bytes, as the header says */
const char *fdt_name(node n);              /* with its unit address; "" for the root */
node fdt_next(node n, int *depth);         /* document order; NO_NODE at the end; adds to *depth */
node fdt_parent(node n);
node fdt_find_path(const char *path, u32 length);
node fdt_find_compatible(const char *compatible, node after); /* after: NO_NODE to begin with */
struct property fdt_property(node n, const char *name);
struct property fdt_property_at(node n, u32 index, const char **name);
u32 fdt_cell(struct property p, u32 index); /* 0 when it is not there */
u32 fdt_u32(node n, const char *name, u32 otherwise);
const char *fdt_string(node n, const char *name); /* NULL unless a terminated string */
bool fdt_is_compatible(node n, const char *compatible);
bool fdt_is_enabled(node n);
bool fdt_reg(node n, u32 index, u64 *address, u64 *size); /* as the root sees it; false: no such entry */

/* ---- machine.c: what the device tree says this machine is ---- */

struct hart_info {
    u64 id;
    node cpu;
    u32 intc; /* phandle of its interrupt controller, or 0 */
    bool enabled;
};

struct machine {
    const void *tree;
    u64 boot_hart;
    u32 harts;     /* in the tree; the first MAX_LISTED of them are in hart[] */
    u32 timebase;  /* Hz, 0: unknown */
    u64 uart;      /* 0: none */
    u32 uart_shift, uart_width, uart_clock, uart_speed;
    u32 uart_irq;  /* 0: poll */
    u64 plic, plic_context;
    u64 clint;     /* 0: none */
    u64 mtimecmp;  /* address of the boot hart's */
    u64 finisher;  /* 0: none */
    struct hart_info hart[32];
};
#define MAX_LISTED 32

extern struct machine machine;

void machine_discover(const void *tree, u64 hart);
void machine_introduce(void);
u64 clint_slot(const struct hart_info *hart); /* its place in the CLINT's arrays */
void tree_command(int count, char **word);

/* ---- console.c: the UART and lines of text ---- */

extern volatile bool interrupted; /* Ctrl-C came; commands that take time look at it and clear it */

void console_start(void);
void console_interrupt(void);        /* the PLIC says so */
void console_poll(void);
void idle(u64 ticks_seen);           /* until a key, an interrupt, or more ticks than that */
int take(void);                      /* the next received byte, or -1 */
void put(char c);                    /* a newline becomes CR LF */
void put_byte(u8 byte);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_list(const char *format, va_list arguments);
void print_clean(const char *text, u32 length); /* a device tree's text, without control characters */
bool read_line(char *line, u32 size);           /* false: aborted by Ctrl-C */
#define LINE_SIZE 128

/* ---- trap.c: traps, guards and interrupts ---- */

struct hart {
    uxl x[32];
    uxl pc;
    uxl guard;        /* stack pointer of the innermost guard, or 0 */
    uxl cause, value; /* of the last exception */
};

struct trapped {
    bool any;
    uxl cause, pc, value;
    uxl x[32];
};

extern struct trapped last_trap; /* the last one that no probe asked for */
extern volatile u64 ticks;       /* timer interrupts seen */

int guarded(void (*work)(void *), void *argument);
void snapshot(uxl x[32]);
void trap(struct hart *hart);
const char *cause_name(uxl cause);
void print_trap(uxl cause, uxl pc, uxl value);
bool probe_load(u64 address, u32 width, u64 *value);  /* false: it trapped, see probe_report */
bool probe_store(u64 address, u32 width, u64 value);
void probe_report(void);                              /* says how the last probe failed */
bool csr_read(u32 number, uxl *value);               /* false: it trapped */

u64 now(void);          /* mtime, or 0 */
void timer_at(u64 when); /* mtimecmp of this hart */

/* ---- harts.c: the other harts ---- */

uxl lowest_hart(uxl self, const void *tree);
void serve(uxl id);
void sleep(void) __attribute__((noreturn));
void harts_command(int count, char **word);

/* ---- registers.c, bench.c, command.c ---- */

void regs_command(int count, char **word);
void bench_command(int count, char **word);
void run_line(char *line);
bool parse_number(const char *word, u64 *value); /* says what is wrong when false */

/* ---- text.c ---- */

bool same(const char *a, const char *b);
u32 length_of(const char *text);
u32 distance(const char *a, const char *b); /* edits from one to the other */

/* ---- in line ---- */

#define csr_get(name) ({ uxl v_; __asm__ volatile("csrr %0, " #name : "=r"(v_)); v_; })
#define csr_set(name, v) __asm__ volatile("csrw " #name ", %0" ::"r"((uxl)(v)))
#define csr_on(name, v) __asm__ volatile("csrs " #name ", %0" ::"r"((uxl)(v)))
#define csr_off(name, v) __asm__ volatile("csrc " #name ", %0" ::"r"((uxl)(v)))

#define MSTATUS_MIE (1ul << 3)
#define MSTATUS_MPP (3ul << 11)
#define IRQ_SOFT 3
#define IRQ_TIMER 7
#define IRQ_EXTERNAL 11

static inline volatile void *at(u64 address) { return (volatile void *)(uxl)address; }
static inline void write32(u64 address, u32 value) { *(volatile u32 *)at(address) = value; }
static inline u32 read32(u64 address) { return *(volatile u32 *)at(address); }
#if XLEN == 32
static inline void write64(u64 address, u64 value) { write32(address, (u32)value), write32(address + 4, (u32)(value >> 32)); }
static inline u64 read64(u64 address) { return read32(address) | (u64)read32(address + 4) << 32; }
#else
static inline void write64(u64 address, u64 value) { *(volatile u64 *)at(address) = value; }
static inline u64 read64(u64 address) { return *(volatile u64 *)at(address); }
#endif

#endif
