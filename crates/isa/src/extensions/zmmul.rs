//! Multiplication (unprivileged spec, Zmmul, a part of M).

use crate::row::instructions;

instructions! { all: Zmmul, Any; |m|
    "mul"    R "0000001 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Mul, rs2));
    "mulh"   R "0000001 ..... ..... 001    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Mulh, rs2));
    "mulhsu" R "0000001 ..... ..... 010    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Mulhsu, rs2));
    "mulhu"  R "0000001 ..... ..... 011    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Mulhu, rs2));
}

instructions! { rv64: Zmmul, Rv64; |m|
    "mulw"   R "0000001 ..... ..... 000    ..... 0111011" (rd, rs1, rs2) => rd.set(rs1.bin32(Mul, rs2));
}
