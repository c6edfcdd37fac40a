//! Half-precision floating point (unprivileged spec, Zfh).

use crate::row::instructions;

instructions! { all: Zfh, Any; |m|
    "fmadd.h"   R4 ".....10 ..... ..... ...    ..... 1000011"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Madd, H, rm, [fs1, fs2, fs3])?);
    "fmsub.h"   R4 ".....10 ..... ..... ...    ..... 1000111"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Msub, H, rm, [fs1, fs2, fs3])?);
    "fnmsub.h"  R4 ".....10 ..... ..... ...    ..... 1001011"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Nmsub, H, rm, [fs1, fs2, fs3])?);
    "fnmadd.h"  R4 ".....10 ..... ..... ...    ..... 1001111"     (fd, fs1, fs2, fs3) with rm  => fd.set(m.fp(Fp::Nmadd, H, rm, [fs1, fs2, fs3])?);
    "fadd.h"    R  "0000010 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Add, H, rm, [fs1, fs2, fs2])?);
    "fsub.h"    R  "0000110 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Sub, H, rm, [fs1, fs2, fs2])?);
    "fmul.h"    R  "0001010 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Mul, H, rm, [fs1, fs2, fs2])?);
    "fdiv.h"    R  "0001110 ..... ..... ...    ..... 1010011"     (fd, fs1, fs2) with rm       => fd.set(m.fp(Fp::Div, H, rm, [fs1, fs2, fs2])?);
    "fsqrt.h"   R  "0101110 00000 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp(Fp::Sqrt, H, rm, [fs1, fs1, fs1])?);
    "fsgnj.h"   R  "0010010 ..... ..... 000    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnj, H, 0, [fs1, fs2, fs2])?);
    "fsgnjn.h"  R  "0010010 ..... ..... 001    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnjn, H, 0, [fs1, fs2, fs2])?);
    "fsgnjx.h"  R  "0010010 ..... ..... 010    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Sgnjx, H, 0, [fs1, fs2, fs2])?);
    "fmin.h"    R  "0010110 ..... ..... 000    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Min, H, 0, [fs1, fs2, fs2])?);
    "fmax.h"    R  "0010110 ..... ..... 001    ..... 1010011"     (fd, fs1, fs2)               => fd.set(m.fp(Fp::Max, H, 0, [fs1, fs2, fs2])?);
    "feq.h"     R  "1010010 ..... ..... 010    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Eq, H, fs1, fs2));
    "flt.h"     R  "1010010 ..... ..... 001    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Lt, H, fs1, fs2));
    "fle.h"     R  "1010010 ..... ..... 000    ..... 1010011"     (rd, fs1, fs2)               => rd.set(m.fp_test(FpTest::Le, H, fs1, fs2));
    "fclass.h"  R  "1110010 00000 ..... 001    ..... 1010011"     (rd, fs1)                    => rd.set(m.fp_test(FpTest::Class, H, fs1, fs1));
    "fcvt.w.h"  R  "1100010 00000 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::W, H, rm, fs1)?);
    "fcvt.h.w"  R  "1101010 00000 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::W, H, rm, rs1)?);
    "fcvt.wu.h" R  "1100010 00001 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::Wu, H, rm, fs1)?);
    "fcvt.h.wu" R  "1101010 00001 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::Wu, H, rm, rs1)?);
}

instructions! { rv64: Zfh, Rv64; |m|
    "fcvt.l.h"  R  "1100010 00010 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::L, H, rm, fs1)?);
    "fcvt.h.l"  R  "1101010 00010 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::L, H, rm, rs1)?);
    "fcvt.lu.h" R  "1100010 00011 ..... ...    ..... 1010011"     (rd, fs1) with rm            => rd.set(m.fp_to_int(Int::Lu, H, rm, fs1)?);
    "fcvt.h.lu" R  "1101010 00011 ..... ...    ..... 1010011"     (fd, rs1) with rm            => fd.set(m.int_to_fp(Int::Lu, H, rm, rs1)?);
}
