//! Half-precision floating point, moved and converted only (unprivileged spec, Zfhmin).

use crate::row::instructions;

instructions! { all: Zfhmin, Any; |m|
    "flh"       I  "............  ..... 001    ..... 0000111"     (fd, imm(rs1))               => fd.set(m.load_float(H, rs1 + imm)?);
    "fsh"       S  "....... ..... ..... 001    ..... 0100111"     (fs2, imm(rs1))              => m.store_float(H, rs1 + imm, fs2)?;
    "fmv.x.h"   R  "1110010 00000 ..... 000    ..... 1010011"     (rd, fs1)                    => rd.set(m.float_bits(H, fs1));
    "fmv.h.x"   R  "1111010 00000 ..... 000    ..... 1010011"     (fd, rs1)                    => fd.set(m.bits_float(H, rs1));
    "fcvt.s.h"  R  "0100000 00010 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp_to_fp(H, S, rm, fs1)?);
    "fcvt.h.s"  R  "0100010 00000 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp_to_fp(S, H, rm, fs1)?);
}

instructions! { double: Zfhmin & D, Any; |m|
    "fcvt.d.h"  R  "0100001 00010 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp_to_fp(H, D, rm, fs1)?);
    "fcvt.h.d"  R  "0100010 00001 ..... ...    ..... 1010011"     (fd, fs1) with rm            => fd.set(m.fp_to_fp(D, H, rm, fs1)?);
}
