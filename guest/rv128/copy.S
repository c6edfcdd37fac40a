/* Copies memory by sixteen bytes and the rest one by one, from and to every alignment, and sums what came. */
#include "rv128.h"

    .globl  main
main:
    push    ra
    /* The source: bytes of a linear congruence. */
    la      s1, source
    li      t0, 0
    li      t1, 512
1:  li      t2, 69
    mul     t3, t0, t2
    addi    t0, t3, 41
    add     t2, s1, t1
    sb      t0, -1(t2)
    addi    t1, t1, -1
    bnez    t1, 1b
    li      s2, 0
2:  li      s3, 0
3:  la      a0, target
    add     a0, a0, s3
    add     a1, s1, s2
    li      a2, 201
    jal     copy
    la      a0, target
    jal     sum
    jal     print_hex
    addi    s3, s3, 5
    li      t0, 20
    blt     s3, t0, 3b
    jal     print_end
    addi    s2, s2, 1
    li      t0, 16
    blt     s2, t0, 2b
    pop     ra
    ret

/* a2 bytes from a1 to a0. */
copy:
    li      t0, 16
1:  blt     a2, t0, 2f
    lq      t1, 0, a1
    sq      t1, 0, a0
    addi    a0, a0, 16
    addi    a1, a1, 16
    addi    a2, a2, -16
    j       1b
2:  beqz    a2, 3f
    lbu     t1, 0(a1)
    sb      t1, 0(a0)
    addi    a0, a0, 1
    addi    a1, a1, 1
    addi    a2, a2, -1
    j       2b
3:  ret

/* Of 256 bytes at a0: 128 bits, each word turned left by 29 before the next is added. */
sum:
    li      t0, 16
    li      t1, 0
1:  lq      t2, 0, a0
    slliq   t3, t1, 29
    srliq   t4, t1, 99
    or      t1, t3, t4
    add     t1, t1, t2
    addi    a0, a0, 16
    addi    t0, t0, -1
    bnez    t0, 1b
    mv      a0, t1
    ret

    .bss
    .balign 16
source: .space  512
target: .space  256
