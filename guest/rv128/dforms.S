/* The forms on 64 and on 32 bits beside those on all 128, and loads that extend in each way. */
#include "rv128.h"

.macro show instruction:vararg
    \instruction
    jal     print_hex
.endm

    .globl  main
main:
    push    ra
    la      s1, pairs
1:  lq      s2, 0, s1
    lq      s3, 16, s1
    show    addid a0, s2, -1
    show    addd a0, s2, s3
    show    subd a0, s2, s3
    show    addw a0, s2, s3
    show    subw a0, s2, s3
    jal     print_end
    show    sllid a0, s2, 63
    show    srlid a0, s2, 1
    show    sraid a0, s2, 33
    show    slld a0, s2, s3
    show    srld a0, s2, s3
    show    srad a0, s2, s3
    jal     print_end
    show    muld a0, s2, s3
    show    divd a0, s2, s3
    show    divud a0, s2, s3
    show    remd a0, s2, s3
    show    remud a0, s2, s3
    jal     print_end
    show    sll a0, s2, s3
    show    srl a0, s2, s3
    show    sra a0, s2, s3
    show    sllw a0, s2, s3
    show    sraw a0, s2, s3
    show    sraiq a0, s2, 100
    jal     print_end
    show    lb a0, 7(s1)
    show    lh a0, 6(s1)
    show    lw a0, 4(s1)
    show    lwu a0, 4(s1)
    show    ld a0, 0(s1)
    show    ldu a0, 0, s1
    show    lq a0, 1, s1
    jal     print_end
    show    slt a0, s2, s3
    show    sltu a0, s2, s3
    show    sltiu a0, s2, -1
    show    xori a0, s2, -1
    show    lui a0, 0x80000
    jal     print_end
    /* What software keeps in mscratch is 128 bits. */
    csrw    mscratch, s2
    csrrs   zero, mscratch, s3
    show    csrr a0, mscratch
    csrr    a0, misa
    srliq   a0, a0, 126
    jal     print_hex
    jal     print_end
    addi    s1, s1, 32
    la      t0, pairs_end
    bne     s1, t0, 1b
    pop     ra
    ret

    .section .rodata
    .balign 16
pairs:
    .octa   0x0123456789abcdeffedcba9876543210, 0x00000000000000000000000000000007
    .octa   0x00000000000000008000000000000000, 0xffffffffffffffffffffffffffffffff
    .octa   0x80000000000000000000000000000001, 0x0000000000000001000000000000007f
    .octa   0x7fffffffffffffffffffffff80000000, 0x00000000000000000000000000000000
    .octa   0x5555555555555555aaaaaaaaaaaaaaaa, 0x123456789abcdef0fedcba9876543241
pairs_end:
