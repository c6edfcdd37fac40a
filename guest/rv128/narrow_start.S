/* Where narrow.c begins and ends, at 64 and at 128 bits alike. */
    .section .init
    .globl _start
_start:
    la      sp, stack_end
    la      t0, fault
    csrw    mtvec, t0
    jal     main
    li      t1, 0x5555
    j       end
    .balign 4
fault:
    li      t1, 0x13333
end:
    li      t0, 0x100000
    sw      t1, 0(t0)
1:  j       1b

    .bss
    .balign 16
    .space  0x4000
stack_end:
