//! Basic bit manipulation (unprivileged spec, Zbb). Part of it is cryptography's too (Zbkb).

use crate::row::instructions;

instructions! { all: Zbb, Any; |m|
    "clz"    R "0110000 00000 ..... 001    ..... 0010011" (rd, rs1)        => rd.set(rs1.un(Un::Clz));
    "ctz"    R "0110000 00001 ..... 001    ..... 0010011" (rd, rs1)        => rd.set(rs1.un(Un::Ctz));
    "cpop"   R "0110000 00010 ..... 001    ..... 0010011" (rd, rs1)        => rd.set(rs1.un(Un::Cpop));
    "max"    R "0000101 ..... ..... 110    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1.bin(Max, rs2));
    "maxu"   R "0000101 ..... ..... 111    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1.bin(Maxu, rs2));
    "min"    R "0000101 ..... ..... 100    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1.bin(Min, rs2));
    "minu"   R "0000101 ..... ..... 101    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1.bin(Minu, rs2));
    "sext.b" R "0110000 00100 ..... 001    ..... 0010011" (rd, rs1)        => rd.set(rs1.sext(8));
    "sext.h" R "0110000 00101 ..... 001    ..... 0010011" (rd, rs1)        => rd.set(rs1.sext(16));
    "orc.b"  R "0010100 00111 ..... 101    ..... 0010011" (rd, rs1)        => rd.set(rs1.un(Un::OrcB));
}

instructions! { rv32: Zbb, Rv32; |m|
    "zext.h" R "0000100 00000 ..... 100    ..... 0110011" (rd, rs1)        => rd.set(rs1.zext(16));
}

instructions! { rv64: Zbb, Rv64; |m|
    "zext.h" R "0000100 00000 ..... 100    ..... 0111011" (rd, rs1)        => rd.set(rs1.zext(16));
    "clzw"   R "0110000 00000 ..... 001    ..... 0011011" (rd, rs1)        => rd.set(rs1.un32(Un::Clz));
    "ctzw"   R "0110000 00001 ..... 001    ..... 0011011" (rd, rs1)        => rd.set(rs1.un32(Un::Ctz));
    "cpopw"  R "0110000 00010 ..... 001    ..... 0011011" (rd, rs1)        => rd.set(rs1.un32(Un::Cpop));
}

instructions! { shared: Zbb | Zbkb, Any; |m|
    "andn"   R "0100000 ..... ..... 111    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1 & !rs2);
    "orn"    R "0100000 ..... ..... 110    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1 | !rs2);
    "xnor"   R "0100000 ..... ..... 100    ..... 0110011" (rd, rs1, rs2)   => rd.set(!(rs1 ^ rs2));
    "rol"    R "0110000 ..... ..... 001    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1.bin(Rol, rs2));
    "ror"    R "0110000 ..... ..... 101    ..... 0110011" (rd, rs1, rs2)   => rd.set(rs1.bin(Ror, rs2));
}

instructions! { shared_rv32: Zbb | Zbkb, Rv32; |m|
    "rori"   H "0110000 ..... ..... 101    ..... 0010011" (rd, rs1, shamt) => rd.set(rs1.bin(Ror, shamt));
    "rev8"   R "0110100 11000 ..... 101    ..... 0010011" (rd, rs1)        => rd.set(rs1.un(Un::Rev8));
}

instructions! { shared_rv64: Zbb | Zbkb, Rv64; |m|
    "rori"   H "011000 ...... ..... 101    ..... 0010011" (rd, rs1, shamt) => rd.set(rs1.bin(Ror, shamt));
    "rev8"   R "0110101 11000 ..... 101    ..... 0010011" (rd, rs1)        => rd.set(rs1.un(Un::Rev8));
    "rolw"   R "0110000 ..... ..... 001    ..... 0111011" (rd, rs1, rs2)   => rd.set(rs1.bin32(Rol, rs2));
    "rorw"   R "0110000 ..... ..... 101    ..... 0111011" (rd, rs1, rs2)   => rd.set(rs1.bin32(Ror, rs2));
    "roriw"  H "0110000 ..... ..... 101    ..... 0011011" (rd, rs1, shamt) => rd.set(rs1.bin32(Ror, shamt));
}
