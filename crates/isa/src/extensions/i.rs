//! The base (unprivileged spec, RV32I and RV64I, and the E bases, which have 16 registers).

use crate::row::instructions;

instructions! { all: I | E, Any; |m|
    //        31....................................0
    "lui"   U "....................       ..... 0110111" (rd, hi)                      => rd.set(hi);
    "auipc" U "....................       ..... 0010111" (rd, hi) with pc              => rd.set(pc + hi);
    "jal"   J "....................       ..... 1101111" (rd, target) with link        => { m.landing(target.to())?; rd.set(link); target.always()? };
    "jalr"  I "............  ..... 000    ..... 1100111" (rd, imm(rs1)) with link      => { let to = m.landing(rs1 + imm)?; rd.set(link); m.jump(to)? };
    "beq"   B "....... ..... ..... 000    ..... 1100011" (rs1, rs2, target)            => target.when(rs1.bin(Eq, rs2))?;
    "bne"   B "....... ..... ..... 001    ..... 1100011" (rs1, rs2, target)            => target.when(rs1.bin(Ne, rs2))?;
    "blt"   B "....... ..... ..... 100    ..... 1100011" (rs1, rs2, target)            => target.when(rs1.bin(Lt, rs2))?;
    "bge"   B "....... ..... ..... 101    ..... 1100011" (rs1, rs2, target)            => target.when(rs1.bin(Ge, rs2))?;
    "bltu"  B "....... ..... ..... 110    ..... 1100011" (rs1, rs2, target)            => target.when(rs1.bin(Ltu, rs2))?;
    "bgeu"  B "....... ..... ..... 111    ..... 1100011" (rs1, rs2, target)            => target.when(rs1.bin(Geu, rs2))?;
    "lb"    I "............  ..... 000    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(I8, rs1 + imm)?);
    "lh"    I "............  ..... 001    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(I16, rs1 + imm)?);
    "lw"    I "............  ..... 010    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(I32, rs1 + imm)?);
    "lbu"   I "............  ..... 100    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(U8, rs1 + imm)?);
    "lhu"   I "............  ..... 101    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(U16, rs1 + imm)?);
    "sb"    S "....... ..... ..... 000    ..... 0100011" (rs2, imm(rs1))               => m.store(U8, rs1 + imm, rs2)?;
    "sh"    S "....... ..... ..... 001    ..... 0100011" (rs2, imm(rs1))               => m.store(U16, rs1 + imm, rs2)?;
    "sw"    S "....... ..... ..... 010    ..... 0100011" (rs2, imm(rs1))               => m.store(U32, rs1 + imm, rs2)?;
    "addi"  I "............  ..... 000    ..... 0010011" (rd, rs1, imm)                => rd.set(rs1 + imm);
    "slti"  I "............  ..... 010    ..... 0010011" (rd, rs1, imm)                => rd.set(rs1.bin(Lt, imm));
    "sltiu" I "............  ..... 011    ..... 0010011" (rd, rs1, imm)                => rd.set(rs1.bin(Ltu, imm));
    "xori"  I "............  ..... 100    ..... 0010011" (rd, rs1, imm)                => rd.set(rs1 ^ imm);
    "ori"   I "............  ..... 110    ..... 0010011" (rd, rs1, imm)                => rd.set(rs1 | imm);
    "andi"  I "............  ..... 111    ..... 0010011" (rd, rs1, imm)                => rd.set(rs1 & imm);
    "add"   R "0000000 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 + rs2);
    "sub"   R "0100000 ..... ..... 000    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 - rs2);
    "sll"   R "0000000 ..... ..... 001    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 << rs2);
    "slt"   R "0000000 ..... ..... 010    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1.bin(Lt, rs2));
    "sltu"  R "0000000 ..... ..... 011    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1.bin(Ltu, rs2));
    "xor"   R "0000000 ..... ..... 100    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 ^ rs2);
    "srl"   R "0000000 ..... ..... 101    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 >> rs2);
    "sra"   R "0100000 ..... ..... 101    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1.bin(Sar, rs2));
    "or"    R "0000000 ..... ..... 110    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 | rs2);
    "and"   R "0000000 ..... ..... 111    ..... 0110011" (rd, rs1, rs2)                => rd.set(rs1 & rs2);
    "fence" N "............  ..... 000    ..... 0001111" (pred, succ) with store_load  => m.system(System::Fence { store_load })?;
}

instructions! { rv32: I | E, Rv32; |m|
    "slli"  H "0000000 ..... ..... 001    ..... 0010011" (rd, rs1, shamt)              => rd.set(rs1 << shamt);
    "srli"  H "0000000 ..... ..... 101    ..... 0010011" (rd, rs1, shamt)              => rd.set(rs1 >> shamt);
    "srai"  H "0100000 ..... ..... 101    ..... 0010011" (rd, rs1, shamt)              => rd.set(rs1.bin(Sar, shamt));
}

instructions! { rv64: I | E, Rv64; |m|
    "lwu"   I "............  ..... 110    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(U32, rs1 + imm)?);
    "ld"    I "............  ..... 011    ..... 0000011" (rd, imm(rs1))                => rd.set(m.load(I64, rs1 + imm)?);
    "sd"    S "....... ..... ..... 011    ..... 0100011" (rs2, imm(rs1))               => m.store(U64, rs1 + imm, rs2)?;
    "addiw" I "............  ..... 000    ..... 0011011" (rd, rs1, imm)                => rd.set(rs1.bin32(Add, imm));
    "slliw" H "0000000 ..... ..... 001    ..... 0011011" (rd, rs1, shamt)              => rd.set(rs1.bin32(Shl, shamt));
    "srliw" H "0000000 ..... ..... 101    ..... 0011011" (rd, rs1, shamt)              => rd.set(rs1.bin32(Shr, shamt));
    "sraiw" H "0100000 ..... ..... 101    ..... 0011011" (rd, rs1, shamt)              => rd.set(rs1.bin32(Sar, shamt));
    "addw"  R "0000000 ..... ..... 000    ..... 0111011" (rd, rs1, rs2)                => rd.set(rs1.bin32(Add, rs2));
    "subw"  R "0100000 ..... ..... 000    ..... 0111011" (rd, rs1, rs2)                => rd.set(rs1.bin32(Sub, rs2));
    "sllw"  R "0000000 ..... ..... 001    ..... 0111011" (rd, rs1, rs2)                => rd.set(rs1.bin32(Shl, rs2));
    "srlw"  R "0000000 ..... ..... 101    ..... 0111011" (rd, rs1, rs2)                => rd.set(rs1.bin32(Shr, rs2));
    "sraw"  R "0100000 ..... ..... 101    ..... 0111011" (rd, rs1, rs2)                => rd.set(rs1.bin32(Sar, rs2));
}

// With 128 bits, shift amounts have seven.
instructions! { only64: I | E, Only64; |m|
    "slli"  H "000000 ...... ..... 001    ..... 0010011" (rd, rs1, shamt)              => rd.set(rs1 << shamt);
    "srli"  H "000000 ...... ..... 101    ..... 0010011" (rd, rs1, shamt)              => rd.set(rs1 >> shamt);
    "srai"  H "010000 ...... ..... 101    ..... 0010011" (rd, rs1, shamt)              => rd.set(rs1.bin(Sar, shamt));
}
