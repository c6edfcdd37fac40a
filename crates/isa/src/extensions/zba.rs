//! Address generation (unprivileged spec, Zba).

use crate::row::instructions;

instructions! { all: Zba, Any; |m|
    "sh1add"    R "0010000 ..... ..... 010    ..... 0110011" (rd, rs1, rs2)   => rd.set((rs1 << m.constant(1)) + rs2);
    "sh2add"    R "0010000 ..... ..... 100    ..... 0110011" (rd, rs1, rs2)   => rd.set((rs1 << m.constant(2)) + rs2);
    "sh3add"    R "0010000 ..... ..... 110    ..... 0110011" (rd, rs1, rs2)   => rd.set((rs1 << m.constant(3)) + rs2);
}

instructions! { rv64: Zba, Rv64; |m|
    "add.uw"    R "0000100 ..... ..... 000    ..... 0111011" (rd, rs1, rs2)   => rd.set(rs1.zext(32) + rs2);
    "sh1add.uw" R "0010000 ..... ..... 010    ..... 0111011" (rd, rs1, rs2)   => rd.set((rs1.zext(32) << m.constant(1)) + rs2);
    "sh2add.uw" R "0010000 ..... ..... 100    ..... 0111011" (rd, rs1, rs2)   => rd.set((rs1.zext(32) << m.constant(2)) + rs2);
    "sh3add.uw" R "0010000 ..... ..... 110    ..... 0111011" (rd, rs1, rs2)   => rd.set((rs1.zext(32) << m.constant(3)) + rs2);
    "slli.uw"   H "000010 ...... ..... 001    ..... 0011011" (rd, rs1, shamt) => rd.set(rs1.zext(32) << shamt);
}
