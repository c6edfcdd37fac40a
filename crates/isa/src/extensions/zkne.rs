//! AES encryption (unprivileged spec, Zkne). Its key schedule is in Zknd.

use crate::row::instructions;

instructions! { rv32: Zkne, Rv32; |m|
    "aes32esi"  R "..10001 ..... ..... 000    ..... 0110011" (rd, rs1, rs2, bs) => rd.set(rs1.crypto(Aes32(Aes::Es, bs), rs2));
    "aes32esmi" R "..10011 ..... ..... 000    ..... 0110011" (rd, rs1, rs2, bs) => rd.set(rs1.crypto(Aes32(Aes::Esm, bs), rs2));
}

instructions! { rv64: Zkne, Rv64; |m|
    "aes64es"   R "0011001 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)     => rd.set(rs1.crypto(Aes64(Aes::Es), rs2));
    "aes64esm"  R "0011011 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)     => rd.set(rs1.crypto(Aes64(Aes::Esm), rs2));
}
