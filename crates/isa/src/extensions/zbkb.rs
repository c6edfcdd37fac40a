//! Bit manipulation for cryptography (unprivileged spec, Zbkb). What it shares with Zbb is there.

use crate::row::instructions;

instructions! { all: Zbkb, Any; |m|
    "pack"  R "0000100 ..... ..... 100    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Pack, rs2));
    "packh" R "0000100 ..... ..... 111    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.zext(8) | (rs2.zext(8) << m.constant(8)));
    "brev8" R "0110100 00111 ..... 101    ..... 0010011" (rd, rs1)      => rd.set(rs1.un(Un::Brev8));
}

instructions! { rv32: Zbkb, Rv32; |m|
    "zip"   R "0000100 01111 ..... 001    ..... 0010011" (rd, rs1)      => rd.set(rs1.un(Un::Zip));
    "unzip" R "0000100 01111 ..... 101    ..... 0010011" (rd, rs1)      => rd.set(rs1.un(Un::Unzip));
}

instructions! { rv64: Zbkb, Rv64; |m|
    "packw" R "0000100 ..... ..... 100    ..... 0111011" (rd, rs1, rs2) => rd.set(rs1.bin32(Pack, rs2));
}
