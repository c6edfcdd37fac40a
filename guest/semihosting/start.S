/* Where the semihosting programs begin; the call; and breakpoints that are none. */

    .section .text.start
    .globl _start
_start:
    csrr    t0, mhartid
    bnez    t0, 2f
    la      sp, stack_top
    la      t0, bss
    la      t1, _end
1:  bgeu    t0, t1, 1f
    sb      zero, 0(t0)
    addi    t0, t0, 1
    j       1b
1:  la      t0, unexpected
    csrw    mtvec, t0
    call    main
2:  wfi
    j       2b

    .text
    /* The three instructions must have 32 bits each, and lie in one page. */
    .balign 16
    .globl call
call:
    .option push
    .option norvc
    slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 7
    .option pop
    ret

    /* A trap that nobody asked for ends the program with 99. */
    .balign 4
unexpected:
    li      a0, 0x20
    la      a1, 1f
    slli    zero, zero, 0x1f
    .option push
    .option norvc
    .balign 16
    slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 7
    .option pop
    j       unexpected
    .balign 8
1:
#if __riscv_xlen == 64
    .dword  0x20026, 99
#else
    .word   0x20026, 99
#endif

    /* trapped(n): mcause after breakpoint n. The handler goes on after the `ebreak`, which has 32 bits. */
    .balign 4
    .globl trapped
trapped:
    mv      a5, ra
    la      t0, 1f
    csrrw   t1, mtvec, t0
    mv      t2, a0
    li      a0, 0x31
    li      a2, 0
    la      t3, table
    slli    t2, t2, 2
    add     t3, t3, t2
    jr      t3
    .balign 4
1:  csrr    a2, mcause
    li      t3, 0x1800              /* back to M-mode, from wherever */
    csrs    mstatus, t3
    csrr    t3, mepc
    addi    t3, t3, 4
    csrw    mepc, t3
    mret
finish:
    csrw    mtvec, t1
    mv      a0, a2
    jr      a5
    .option push
    .option norvc
    .balign 4
table:
    j       finish
    j       bare
    j       number
    j       pages
    j       nofirst
    j       user
    .balign 16
bare:
    ebreak
    j       finish
    .balign 16
number:
    slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 8
    j       finish
    .balign 16
nofirst:
    nop
    ebreak
    srai    zero, zero, 7
    j       finish
user:
    li      t3, -1
    csrw    pmpaddr0, t3
    li      t3, 0x1f
    csrw    pmpcfg0, t3
    la      t3, 1f
    csrw    mepc, t3
    li      t3, 0x1800
    csrc    mstatus, t3
    mret
    .balign 16
1:  slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 7
    bnez    a2, finish
    ecall
    j       finish
    .balign 4096
    .fill   1023, 4, 0x00000013
pages:
    slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 7
    j       finish
    .option pop
