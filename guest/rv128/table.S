/* A table of products, high and low halves signed and unsigned, quotients and remainders of numbers at the edges. */
#include "rv128.h"

    .globl  main
main:
    push    ra
    la      s1, numbers
1:  la      s2, numbers
2:  lq      s3, 0, s1
    lq      s4, 0, s2
    mul     a0, s3, s4
    jal     print_hex
    mulh    a0, s3, s4
    jal     print_hex
    mulhsu  a0, s3, s4
    jal     print_hex
    mulhu   a0, s3, s4
    jal     print_hex
    div     a0, s3, s4
    jal     print_hex
    divu    a0, s3, s4
    jal     print_hex
    rem     a0, s3, s4
    jal     print_hex
    remu    a0, s3, s4
    jal     print_hex
    jal     print_end
    addi    s2, s2, 16
    la      t0, numbers_end
    bne     s2, t0, 2b
    addi    s1, s1, 16
    bne     s1, t0, 1b
    pop     ra
    ret

    .section .rodata
    .balign 16
numbers:
    .octa   0, 1, 10, 0xffffffffffffffffffffffffffffffff
    .octa   0x80000000000000000000000000000000, 0x7fffffffffffffffffffffffffffffff
    .octa   0x0000000000000000ffffffffffffffff, 0x00000000000000010000000000000000
    .octa   0x0123456789abcdeffedcba9876543210, 0xfedcba98765432100123456789abcdef
numbers_end:
