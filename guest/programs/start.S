/* The least that C needs: a stack, floating point if there is any, no register above x15. Hart 0 alone is expected. */
        .section .text.start, "ax"
        .globl  _start
_start:
        la      sp, stack_top
#ifdef __riscv_flen
        li      t0, 0x6000              /* mstatus.FS */
        csrs    mstatus, t0
#endif
        call    main
        li      t0, 0x100000            /* the finisher */
        li      t1, 0x5555
        sw      t1, 0(t0)
1:      j       1b
        .bss
        .balign 16
        .space  0x4000
stack_top:
