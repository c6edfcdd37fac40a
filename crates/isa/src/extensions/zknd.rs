//! AES decryption (unprivileged spec, Zknd). The key schedule is encryption's too.

use crate::row::instructions;

instructions! { rv32: Zknd, Rv32; |m|
    "aes32dsi"  R "..10101 ..... ..... 000    ..... 0110011" (rd, rs1, rs2, bs) => rd.set(rs1.crypto(Aes32(Aes::Ds, bs), rs2));
    "aes32dsmi" R "..10111 ..... ..... 000    ..... 0110011" (rd, rs1, rs2, bs) => rd.set(rs1.crypto(Aes32(Aes::Dsm, bs), rs2));
}

instructions! { rv64: Zknd, Rv64; |m|
    "aes64ds"   R "0011101 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)     => rd.set(rs1.crypto(Aes64(Aes::Ds), rs2));
    "aes64dsm"  R "0011111 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)     => rd.set(rs1.crypto(Aes64(Aes::Dsm), rs2));
    "aes64im"   R "0011000 00000 ..... 001    ..... 0010011" (rd, rs1)          => rd.set(rs1.crypto(Aes64Im, rs1));
}

/// The last round constant's number; greater ones are reserved.
const LAST_ROUND: u8 = 10;

instructions! { keys: Zknd | Zkne, Rv64; |m|
    "aes64ks1i" R "0011000 1.... ..... 001    ..... 0010011" (rd, rs1, rnum)    => {
        if rnum > LAST_ROUND {
            return m.reserved();
        }
        rd.set(rs1.crypto(Aes64Ks1(rnum), rs1));
    };
    "aes64ks2"  R "0111111 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)     => rd.set(rs1.crypto(Aes64Ks2, rs2));
}
