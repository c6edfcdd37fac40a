/* The first instructions of every hart, the trap entry, and what C cannot say.
 *
 * Each hart owns a slot of memory behind the image: its stack, then a trap stack with `struct hart` on top.
 * While a hart runs outside its trap handler, mscratch points at its `struct hart`.
 */

#include "layout.h"

#if __riscv_xlen == 32
#define STORE sw
#define LOAD lw
#else
#define STORE sd
#define LOAD ld
#endif

        .section .text.start, "ax"
        .globl  _start
_start:
        csrw    mie, zero
        csrci   mstatus, 8                      /* MIE off: whoever started us may have left it on */
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      t0, trap_entry
        csrw    mtvec, t0
        csrr    a0, mhartid
        li      t0, MAX_HARTS
        bgeu    a0, t0, sleep                   /* no slot for this one */
        li      t0, SLOT_SIZE
        mul     t1, a0, t0
        la      t2, __slots
        add     t1, t1, t2
        add     t2, t1, t0
        addi    t2, t2, -HART_SIZE              /* t2: struct hart, at the top of the slot */
        csrw    mscratch, t2
        STORE   zero, HART_GUARD(t2)
        li      t0, STACK_SIZE
        add     sp, t1, t0
        csrr    s0, mhartid
        mv      s1, a1
        mv      a0, s0
        call    lowest_hart                     /* a0 in: our id, a1: device tree; out: who runs the monitor, or -1 */
        beq     a0, s0, first
        mv      a0, s0
        call    serve                           /* does not return */

first:  la      t0, __bss_start                 /* stacks and slots lie behind __bss_end: others stand on theirs already */
        la      t1, __bss_end
1:      bgeu    t0, t1, 2f
        STORE   zero, 0(t0)
        addi    t0, t0, REG
        j       1b
2:      la      sp, __main_stack_top
        mv      a0, s0
        mv      a1, s1
        call    monitor

        .globl  sleep
sleep:  csrw    mie, zero
1:      wfi
        j       1b

        .text
        .balign 4
trap_entry:
        csrrw   sp, mscratch, sp
        .irp    n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        STORE   x\n, REG*\n(sp)
        .endr
        csrrw   t0, mscratch, sp                /* mscratch is right again: a handler may itself be guarded */
        STORE   t0, 2*REG(sp)
        STORE   zero, 0(sp)
        csrr    t0, mepc
        STORE   t0, HART_PC(sp)
        .option push
        .option norelax
        la      gp, __global_pointer$           /* foreign code (the call command) may have changed it */
        .option pop
        mv      a0, sp
        call    trap
        csrr    sp, mscratch
        LOAD    t0, HART_PC(sp)
        csrw    mepc, t0
        .irp    n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        LOAD    x\n, REG*\n(sp)
        .endr
        LOAD    sp, 2*REG(sp)
        mret

/* int guarded(void (*work)(void *), void *argument): calls work(argument); 0 when it returned, 1 when a trap ended it.
 * Guards nest; `trap` ends the innermost one by resuming at guard_unwind with sp as it was here. */
        .globl  guarded
guarded:
        addi    sp, sp, -16*REG
        STORE   ra, 0(sp)
        STORE   s0, 1*REG(sp)
        STORE   s1, 2*REG(sp)
        STORE   s2, 3*REG(sp)
        STORE   s3, 4*REG(sp)
        STORE   s4, 5*REG(sp)
        STORE   s5, 6*REG(sp)
        STORE   s6, 7*REG(sp)
        STORE   s7, 8*REG(sp)
        STORE   s8, 9*REG(sp)
        STORE   s9, 10*REG(sp)
        STORE   s10, 11*REG(sp)
        STORE   s11, 12*REG(sp)
        csrr    t0, mscratch
        LOAD    t1, HART_GUARD(t0)
        STORE   t1, 13*REG(sp)
        STORE   sp, HART_GUARD(t0)
        mv      t0, a0
        mv      a0, a1
        jalr    t0
        li      a0, 0
        .globl  guard_unwind
guard_unwind:
        csrr    t0, mscratch
        LOAD    t1, 13*REG(sp)
        STORE   t1, HART_GUARD(t0)
        LOAD    ra, 0(sp)
        LOAD    s0, 1*REG(sp)
        LOAD    s1, 2*REG(sp)
        LOAD    s2, 3*REG(sp)
        LOAD    s3, 4*REG(sp)
        LOAD    s4, 5*REG(sp)
        LOAD    s5, 6*REG(sp)
        LOAD    s6, 7*REG(sp)
        LOAD    s7, 8*REG(sp)
        LOAD    s8, 9*REG(sp)
        LOAD    s9, 10*REG(sp)
        LOAD    s10, 11*REG(sp)
        LOAD    s11, 12*REG(sp)
        addi    sp, sp, 16*REG
        ret

/* void snapshot(uxl registers[32]): the caller's general registers, ra being where it will go on. */
        .globl  snapshot
snapshot:
        STORE   zero, 0(a0)
        .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        STORE   x\n, REG*\n(a0)
        .endr
        ret
