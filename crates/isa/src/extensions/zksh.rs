//! The permutations of the hash SM3 (unprivileged spec, Zksh).

use crate::row::instructions;

instructions! { all: Zksh, Any; |m|
    "sm3p0" R "0001000 01000 ..... 001    ..... 0010011" (rd, rs1) => rd.set(rs1.crypto(Sm3P0, rs1));
    "sm3p1" R "0001000 01001 ..... 001    ..... 0010011" (rd, rs1) => rd.set(rs1.crypto(Sm3P1, rs1));
}
