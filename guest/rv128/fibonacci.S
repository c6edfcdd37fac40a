/* The numbers of Fibonacci in decimal, until the sum of two is no number of 128 bits. */
#include "rv128.h"

    .globl  main
main:
    push    ra
    li      s1, 0
    li      s2, 1
    li      s3, 0
1:  mv      a0, s3
    jal     print_decimal
    li      a0, ' '
    jal     print_char
    mv      a0, s1
    jal     print_decimal
    jal     print_end
    add     t0, s1, s2
    addi    s3, s3, 1
    /* The sum is less than a summand when it went over the end. */
    bltu    t0, s2, 2f
    mv      s1, s2
    mv      s2, t0
    j       1b
2:  pop     ra
    ret
