//! The base of 128 bits (unprivileged spec, RV128I, a draft): loads and stores of 16 bytes, shift amounts of seven bits,
//! and arithmetic on 64 bits as RV64I has it on 32. The draft leaves opcodes open; these are QEMU's.

use crate::row::instructions;

instructions! { base: I, Rv128; |m|
    //        31....................................0
    "lq"    I "............  ..... 010    ..... 0001111" (rd, imm(rs1))    => rd.set(m.load(I128, rs1 + imm)?);
    "ldu"   I "............  ..... 111    ..... 0000011" (rd, imm(rs1))    => rd.set(m.load(U64, rs1 + imm)?);
    "sq"    S "....... ..... ..... 100    ..... 0100011" (rs2, imm(rs1))   => m.store(I128, rs1 + imm, rs2)?;
    "slli"  H "00000 ....... ..... 001    ..... 0010011" (rd, rs1, shamt)  => rd.set(rs1 << shamt);
    "srli"  H "00000 ....... ..... 101    ..... 0010011" (rd, rs1, shamt)  => rd.set(rs1 >> shamt);
    "srai"  H "01000 ....... ..... 101    ..... 0010011" (rd, rs1, shamt)  => rd.set(rs1.bin(Sar, shamt));
    "addid" I "............  ..... 000    ..... 1011011" (rd, rs1, imm)    => rd.set(rs1.bin64(Add, imm));
    "sllid" H "000000 ...... ..... 001    ..... 1011011" (rd, rs1, shamt)  => rd.set(rs1.bin64(Shl, shamt));
    "srlid" H "000000 ...... ..... 101    ..... 1011011" (rd, rs1, shamt)  => rd.set(rs1.bin64(Shr, shamt));
    "sraid" H "010000 ...... ..... 101    ..... 1011011" (rd, rs1, shamt)  => rd.set(rs1.bin64(Sar, shamt));
    "addd"  R "0000000 ..... ..... 000    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Add, rs2));
    "subd"  R "0100000 ..... ..... 000    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Sub, rs2));
    "slld"  R "0000000 ..... ..... 001    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Shl, rs2));
    "srld"  R "0000000 ..... ..... 101    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Shr, rs2));
    "srad"  R "0100000 ..... ..... 101    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Sar, rs2));
}

instructions! { products: Zmmul, Rv128; |m|
    "muld"  R "0000001 ..... ..... 000    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Mul, rs2));
}

instructions! { quotients: M, Rv128; |m|
    "divd"  R "0000001 ..... ..... 100    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Div, rs2));
    "divud" R "0000001 ..... ..... 101    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Divu, rs2));
    "remd"  R "0000001 ..... ..... 110    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Rem, rs2));
    "remud" R "0000001 ..... ..... 111    ..... 1111011" (rd, rs1, rs2)    => rd.set(rs1.bin64(Remu, rs2));
}
