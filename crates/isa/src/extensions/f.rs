//! Single-precision floating point (unprivileged spec, F).

use crate::row::instructions;

instructions! { all: F, Any; |m|
    "flw"       I  "............  ..... 010    ..... 0000111"     (fd, imm(rs1))               => fd.set(m.load_float(S, rs1 + imm)?);
    "fsw"       S  "....... ..... ..... 010    ..... 0100111"     (fs2, imm(rs1))              => m.store_float(S, rs1 + imm, fs2)?;
    "fmadd.s"   R4 ".....00 ..... ..... ...    ..... 1000011"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Madd, S, rm, [fs1, fs2, fs3])?);
    "fmsub.s"   R4 ".....00 ..... ..... ...    ..... 1000111"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Msub, S, rm, [fs1, fs2, fs3])?);
    "fnmsub.s"  R4 ".....00 ..... ..... ...    ..... 1001011"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Nmsub, S, rm, [fs1, fs2, fs3])?);
    "fnmadd.s"  R4 ".....00 ..... ..... ...    ..... 1001111"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Nmadd, S, rm, [fs1, fs2, fs3])?);
    "fadd.s"    R  "0000000 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Add, S, rm, [fs1, fs2, fs2])?);
    "fsub.s"    R  "0000100 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Sub, S, rm, [fs1, fs2, fs2])?);
    "fmul.s"    R  "0001000 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Mul, S, rm, [fs1, fs2, fs2])?);
    "fdiv.s"    R  "0001100 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Div, S, rm, [fs1, fs2, fs2])?);
    "fsqrt.s"   R  "0101100 00000 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp(Fp::Sqrt, S, rm, [fs1, fs1, fs1])?);
    "fsgnj.s"   R  "0010000 ..... ..... 000    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnj, S, 0, [fs1, fs2, fs2])?);
    "fsgnjn.s"  R  "0010000 ..... ..... 001    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnjn, S, 0, [fs1, fs2, fs2])?);
    "fsgnjx.s"  R  "0010000 ..... ..... 010    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnjx, S, 0, [fs1, fs2, fs2])?);
    "fmin.s"    R  "0010100 ..... ..... 000    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Min, S, 0, [fs1, fs2, fs2])?);
    "fmax.s"    R  "0010100 ..... ..... 001    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Max, S, 0, [fs1, fs2, fs2])?);
    "feq.s"     R  "1010000 ..... ..... 010    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Eq, S, fs1, fs2));
    "flt.s"     R  "1010000 ..... ..... 001    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Lt, S, fs1, fs2));
    "fle.s"     R  "1010000 ..... ..... 000    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Le, S, fs1, fs2));
    "fclass.s"  R  "1110000 00000 ..... 001    ..... 1010011"     (rd, fs1)                    => rd.set(m.fp_test(FpTest::Class, S, fs1, fs1));
    "fcvt.w.s"  R  "1100000 00000 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::W, S, rm, fs1)?);
    "fcvt.s.w"  R  "1101000 00000 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::W, S, rm, rs1)?);
    "fcvt.wu.s" R  "1100000 00001 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::Wu, S, rm, fs1)?);
    "fcvt.s.wu" R  "1101000 00001 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::Wu, S, rm, rs1)?);
    "fmv.x.w"   R  "1110000 00000 ..... 000    ..... 1010011"     (rd, fs1)                    => rd.set(m.float_bits(S, fs1));
    "fmv.w.x"   R  "1111000 00000 ..... 000    ..... 1010011"     (fd, rs1)                    => fd.set(m.bits_float(S, rs1));
}

instructions! { rv64: F, Only64; |m|
    "fcvt.l.s"  R  "1100000 00010 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::L, S, rm, fs1)?);
    "fcvt.s.l"  R  "1101000 00010 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::L, S, rm, rs1)?);
    "fcvt.lu.s" R  "1100000 00011 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::Lu, S, rm, fs1)?);
    "fcvt.s.lu" R  "1101000 00011 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::Lu, S, rm, rs1)?);
}
