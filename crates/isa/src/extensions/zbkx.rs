//! Permutations of nibbles and bytes (unprivileged spec, Zbkx).

use crate::row::instructions;

instructions! { all: Zbkx, Any; |m|
    "xperm4" R "0010100 ..... ..... 010    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Xperm4, rs2));
    "xperm8" R "0010100 ..... ..... 100    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Xperm8, rs2));
}
