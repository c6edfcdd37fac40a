//! Double-precision floating point (unprivileged spec, D).

use crate::row::instructions;

instructions! { all: D, Any; |m|
    "fld"       I  "............  ..... 011    ..... 0000111"     (fd, imm(rs1))               => fd.set(m.load_float(D, rs1 + imm)?);
    "fsd"       S  "....... ..... ..... 011    ..... 0100111"     (fs2, imm(rs1))              => m.store_float(D, rs1 + imm, fs2)?;
    "fmadd.d"   R4 ".....01 ..... ..... ...    ..... 1000011"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Madd, D, rm, [fs1, fs2, fs3])?);
    "fmsub.d"   R4 ".....01 ..... ..... ...    ..... 1000111"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Msub, D, rm, [fs1, fs2, fs3])?);
    "fnmsub.d"  R4 ".....01 ..... ..... ...    ..... 1001011"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Nmsub, D, rm, [fs1, fs2, fs3])?);
    "fnmadd.d"  R4 ".....01 ..... ..... ...    ..... 1001111"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Nmadd, D, rm, [fs1, fs2, fs3])?);
    "fadd.d"    R  "0000001 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Add, D, rm, [fs1, fs2, fs2])?);
    "fsub.d"    R  "0000101 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Sub, D, rm, [fs1, fs2, fs2])?);
    "fmul.d"    R  "0001001 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Mul, D, rm, [fs1, fs2, fs2])?);
    "fdiv.d"    R  "0001101 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Div, D, rm, [fs1, fs2, fs2])?);
    "fsqrt.d"   R  "0101101 00000 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp(Fp::Sqrt, D, rm, [fs1, fs1, fs1])?);
    "fsgnj.d"   R  "0010001 ..... ..... 000    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnj, D, 0, [fs1, fs2, fs2])?);
    "fsgnjn.d"  R  "0010001 ..... ..... 001    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnjn, D, 0, [fs1, fs2, fs2])?);
    "fsgnjx.d"  R  "0010001 ..... ..... 010    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnjx, D, 0, [fs1, fs2, fs2])?);
    "fmin.d"    R  "0010101 ..... ..... 000    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Min, D, 0, [fs1, fs2, fs2])?);
    "fmax.d"    R  "0010101 ..... ..... 001    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Max, D, 0, [fs1, fs2, fs2])?);
    "feq.d"     R  "1010001 ..... ..... 010    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Eq, D, fs1, fs2));
    "flt.d"     R  "1010001 ..... ..... 001    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Lt, D, fs1, fs2));
    "fle.d"     R  "1010001 ..... ..... 000    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Le, D, fs1, fs2));
    "fclass.d"  R  "1110001 00000 ..... 001    ..... 1010011"     (rd, fs1)                    => rd.set(m.fp_test(FpTest::Class, D, fs1, fs1));
    "fcvt.w.d"  R  "1100001 00000 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::W, D, rm, fs1)?);
    "fcvt.d.w"  R  "1101001 00000 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::W, D, rm, rs1)?);
    "fcvt.wu.d" R  "1100001 00001 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::Wu, D, rm, fs1)?);
    "fcvt.d.wu" R  "1101001 00001 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::Wu, D, rm, rs1)?);
    "fcvt.s.d"  R  "0100000 00001 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp_to_fp(D, S, rm, fs1)?);
    "fcvt.d.s"  R  "0100001 00000 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp_to_fp(S, D, rm, fs1)?);
}

instructions! { rv64: D, Only64; |m|
    "fcvt.l.d"  R  "1100001 00010 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::L, D, rm, fs1)?);
    "fcvt.d.l"  R  "1101001 00010 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::L, D, rm, rs1)?);
    "fcvt.lu.d" R  "1100001 00011 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::Lu, D, rm, fs1)?);
    "fcvt.d.lu" R  "1101001 00011 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::Lu, D, rm, rs1)?);
    "fmv.x.d"   R  "1110001 00000 ..... 000    ..... 1010011"     (rd, fs1)                    => rd.set(m.float_bits(D, fs1));
    "fmv.d.x"   R  "1111001 00000 ..... 000    ..... 1010011"     (fd, rs1)                    => fd.set(m.bits_float(D, rs1));
}
