//! Carry-less multiplication (unprivileged spec, Zbc). Part of it is cryptography's too (Zbkc).

use crate::row::instructions;

instructions! { all: Zbc, Any; |m|
    "clmulr" R "0000101 ..... ..... 010    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Clmulr, rs2));
}

instructions! { shared: Zbc | Zbkc, Any; |m|
    "clmul"  R "0000101 ..... ..... 001    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Clmul, rs2));
    "clmulh" R "0000101 ..... ..... 011    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Clmulh, rs2));
}
