/* What assemblers do not know of the 128-bit base, and a console: the first UART of `virt` and `param`. */

#define UART 0x10000000
#define FINISHER 0x100000

.macro lq rd, offset, base
    .insn i 0x0f, 2, \rd, \offset(\base)
.endm
.macro sq rs2, offset, base
    .insn s 0x23, 4, \rs2, \offset(\base)
.endm
.macro ldu rd, offset, base
    .insn i 0x03, 7, \rd, \offset(\base)
.endm
/* Shift amounts of seven bits. */
.macro slliq rd, rs1, amount
    .insn i 0x13, 1, \rd, \rs1, \amount
.endm
.macro srliq rd, rs1, amount
    .insn i 0x13, 5, \rd, \rs1, \amount
.endm
.macro sraiq rd, rs1, amount
    .insn i 0x13, 5, \rd, \rs1, \amount + 0x400
.endm
/* The forms on 64 bits: as `addw` and so on in RV64. */
.macro addid rd, rs1, value
    .insn i 0x5b, 0, \rd, \rs1, \value
.endm
.macro sllid rd, rs1, amount
    .insn i 0x5b, 1, \rd, \rs1, \amount
.endm
.macro srlid rd, rs1, amount
    .insn i 0x5b, 5, \rd, \rs1, \amount
.endm
.macro sraid rd, rs1, amount
    .insn i 0x5b, 5, \rd, \rs1, \amount + 0x400
.endm
.macro addd rd, rs1, rs2
    .insn r 0x7b, 0, 0x00, \rd, \rs1, \rs2
.endm
.macro subd rd, rs1, rs2
    .insn r 0x7b, 0, 0x20, \rd, \rs1, \rs2
.endm
.macro slld rd, rs1, rs2
    .insn r 0x7b, 1, 0x00, \rd, \rs1, \rs2
.endm
.macro srld rd, rs1, rs2
    .insn r 0x7b, 5, 0x00, \rd, \rs1, \rs2
.endm
.macro srad rd, rs1, rs2
    .insn r 0x7b, 5, 0x20, \rd, \rs1, \rs2
.endm
.macro muld rd, rs1, rs2
    .insn r 0x7b, 0, 0x01, \rd, \rs1, \rs2
.endm
.macro divd rd, rs1, rs2
    .insn r 0x7b, 4, 0x01, \rd, \rs1, \rs2
.endm
.macro divud rd, rs1, rs2
    .insn r 0x7b, 5, 0x01, \rd, \rs1, \rs2
.endm
.macro remd rd, rs1, rs2
    .insn r 0x7b, 6, 0x01, \rd, \rs1, \rs2
.endm
.macro remud rd, rs1, rs2
    .insn r 0x7b, 7, 0x01, \rd, \rs1, \rs2
.endm

/* A register kept on the stack, whole; the stack stays aligned to 16. */
.macro push r
    addi sp, sp, -16
    sq \r, 0, sp
.endm
.macro pop r
    lq \r, 0, sp
    addi sp, sp, 16
.endm
