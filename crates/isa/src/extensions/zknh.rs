//! The sums of SHA-256 and SHA-512 (unprivileged spec, Zknh).

use crate::row::instructions;

instructions! { all: Zknh, Any; |m|
    "sha256sum0"  R "0001000 00000 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha256(Sha::Sum0), rs1));
    "sha256sum1"  R "0001000 00001 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha256(Sha::Sum1), rs1));
    "sha256sig0"  R "0001000 00010 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha256(Sha::Sig0), rs1));
    "sha256sig1"  R "0001000 00011 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha256(Sha::Sig1), rs1));
}

instructions! { rv32: Zknh, Rv32; |m|
    "sha512sum0r" R "0101000 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.crypto(Sha512Low(Sha::Sum0), rs2));
    "sha512sum1r" R "0101001 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.crypto(Sha512Low(Sha::Sum1), rs2));
    "sha512sig0l" R "0101010 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.crypto(Sha512Low(Sha::Sig0), rs2));
    "sha512sig1l" R "0101011 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.crypto(Sha512Low(Sha::Sig1), rs2));
    "sha512sig0h" R "0101110 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.crypto(Sha512High(Sha::Sig0), rs2));
    "sha512sig1h" R "0101111 ..... ..... 000    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.crypto(Sha512High(Sha::Sig1), rs2));
}

instructions! { rv64: Zknh, Rv64; |m|
    "sha512sum0"  R "0001000 00100 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha512(Sha::Sum0), rs1));
    "sha512sum1"  R "0001000 00101 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha512(Sha::Sum1), rs1));
    "sha512sig0"  R "0001000 00110 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha512(Sha::Sig0), rs1));
    "sha512sig1"  R "0001000 00111 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.crypto(Sha512(Sha::Sig1), rs1));
}
