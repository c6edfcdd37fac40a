//! Conditional zeroing (unprivileged spec, Zicond).

use crate::row::instructions;

instructions! { all: Zicond, Any; |m|
    "czero.eqz" R "0000111 ..... ..... 101    ..... 0110011" (rd, rs1, rs2) with zero => rd.set(rs2.select(rs1, zero));
    "czero.nez" R "0000111 ..... ..... 111    ..... 0110011" (rd, rs1, rs2) with zero => rd.set(rs2.select(zero, rs1));
}
