//! Carry-less multiplication (unprivileged spec, Zbc).

use crate::row::instructions;

instructions! { all: Zbc, Any; |m|
    "clmul"  R "0000101 ..... ..... 001    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Clmul, rs2));
    "clmulh" R "0000101 ..... ..... 011    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Clmulh, rs2));
    "clmulr" R "0000101 ..... ..... 010    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Clmulr, rs2));
}
