//! The block cipher SM4 (unprivileged spec, Zksed).

use crate::row::instructions;

instructions! { all: Zksed, Any; |m|
    "sm4ed" R "..11000 ..... ..... 000    ..... 0110011" (rd, rs1, rs2, bs) => rd.set(rs1.crypto(Sm4Ed(bs), rs2));
    "sm4ks" R "..11010 ..... ..... 000    ..... 0110011" (rd, rs1, rs2, bs) => rd.set(rs1.crypto(Sm4Ks(bs), rs2));
}
