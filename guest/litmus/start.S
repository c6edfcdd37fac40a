/* Every hart gets a stack and runs `run`; the first, which prints, switches off at its end. */
        .section .text.start, "ax"
        .globl  _start
_start:
        csrr    a0, mhartid
        la      sp, stacks
        addi    t0, a0, 1
        slli    t0, t0, 12
        add     sp, sp, t0
        call    run
        csrr    t0, mhartid
        bnez    t0, 1f
        li      t0, 0x100000            /* the finisher */
        li      t1, 0x5555
        sw      t1, 0(t0)
1:      wfi
        j       1b
        .bss
        .balign 16
stacks: .space  0x1000 * HARTS
