/* Where a program begins, how it ends, and what it prints with. Each function keeps all but t0 to t6 and a0. */
#include "rv128.h"

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
    csrr    a0, mcause
    jal     print_hex
    li      t1, 0x13333
end:
    li      t0, FINISHER
    sw      t1, 0(t0)
1:  j       1b

    .text
/* Prints the character in a0. */
    .globl  print_char
print_char:
    li      t0, UART
1:  lbu     t1, 5(t0)
    andi    t1, t1, 0x20
    beqz    t1, 1b
    sb      a0, 0(t0)
    ret

/* Prints the text at a0, which ends with a zero. */
    .globl  print
print:
    push    ra
    push    s0
    mv      s0, a0
1:  lbu     a0, 0(s0)
    beqz    a0, 2f
    jal     print_char
    addi    s0, s0, 1
    j       1b
2:  pop     s0
    pop     ra
    ret

/* Prints all 128 bits of a0 as 32 hexadecimal digits, and a blank. */
    .globl  print_hex
print_hex:
    push    ra
    push    s0
    push    s1
    mv      s0, a0
    li      s1, 32
1:  srliq   a0, s0, 124
    slliq   s0, s0, 4
    li      t0, 10
    bltu    a0, t0, 2f
    addi    a0, a0, 'a' - 10 - '0'
2:  addi    a0, a0, '0'
    jal     print_char
    addi    s1, s1, -1
    bnez    s1, 1b
    li      a0, ' '
    jal     print_char
    pop     s1
    pop     s0
    pop     ra
    ret

/* Prints a0 as an unsigned decimal number. */
    .globl  print_decimal
print_decimal:
    push    ra
    push    s0
    mv      s0, sp
    addi    sp, sp, -48
    addi    s0, s0, -1
    sb      zero, 0(s0)
    li      t2, 10
1:  remu    t3, a0, t2
    addi    t3, t3, '0'
    addi    s0, s0, -1
    sb      t3, 0(s0)
    divu    t4, a0, t2
    mv      a0, t4
    bnez    a0, 1b
    mv      a0, s0
    jal     print
    addi    sp, sp, 48
    pop     s0
    pop     ra
    ret

/* Prints the end of a line. */
    .globl  print_end
print_end:
    li      a0, '\n'
    j       print_char

    .bss
    .balign 16
    .space  0x1000
stack_end:
