/* The first instructions of every hart, the trap entry, and what C cannot say.
 *
 * Each hart owns a slot of memory behind the image: its stack, then a trap stack with `struct hart` on top.
 * While a hart runs outside its trap handler, mscratch points at its `struct hart`.
 */

#include "layout.h"

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
        sd      zero, HART_GUARD(t2)
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
        sd      zero, 0(t0)
        addi    t0, t0, 8
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
        sd      x\n, 8*\n(sp)
        .endr
        csrrw   t0, mscratch, sp                /* mscratch is right again: a handler may itself be guarded */
        sd      t0, 8*2(sp)
        sd      zero, 0(sp)
        csrr    t0, mepc
        sd      t0, HART_PC(sp)
        .option push
        .option norelax
        la      gp, __global_pointer$           /* foreign code (the call command) may have changed it */
        .option pop
        mv      a0, sp
        call    trap
        csrr    sp, mscratch
        ld      t0, HART_PC(sp)
        csrw    mepc, t0
        .irp    n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        ld      x\n, 8*\n(sp)
        .endr
        ld      sp, 8*2(sp)
        mret

/* int guarded(void (*work)(void *), void *argument): calls work(argument); 0 when it returned, 1 when a trap ended it.
 * Guards nest; `trap` ends the innermost one by resuming at guard_unwind with sp as it was here. */
        .globl  guarded
guarded:
        addi    sp, sp, -128
        sd      ra, 0(sp)
        sd      s0, 8(sp)
        sd      s1, 16(sp)
        sd      s2, 24(sp)
        sd      s3, 32(sp)
        sd      s4, 40(sp)
        sd      s5, 48(sp)
        sd      s6, 56(sp)
        sd      s7, 64(sp)
        sd      s8, 72(sp)
        sd      s9, 80(sp)
        sd      s10, 88(sp)
        sd      s11, 96(sp)
        csrr    t0, mscratch
        ld      t1, HART_GUARD(t0)
        sd      t1, 104(sp)
        sd      sp, HART_GUARD(t0)
        mv      t0, a0
        mv      a0, a1
        jalr    t0
        li      a0, 0
        .globl  guard_unwind
guard_unwind:
        csrr    t0, mscratch
        ld      t1, 104(sp)
        sd      t1, HART_GUARD(t0)
        ld      ra, 0(sp)
        ld      s0, 8(sp)
        ld      s1, 16(sp)
        ld      s2, 24(sp)
        ld      s3, 32(sp)
        ld      s4, 40(sp)
        ld      s5, 48(sp)
        ld      s6, 56(sp)
        ld      s7, 64(sp)
        ld      s8, 72(sp)
        ld      s9, 80(sp)
        ld      s10, 88(sp)
        ld      s11, 96(sp)
        addi    sp, sp, 128
        ret

/* void snapshot(u64 registers[32]): the caller's general registers, ra being where it will go on. */
        .globl  snapshot
snapshot:
        sd      zero, 0(a0)
        .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        sd      x\n, 8*\n(a0)
        .endr
        ret
