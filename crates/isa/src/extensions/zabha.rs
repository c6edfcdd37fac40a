//! Atomic memory operations on bytes and halfwords (unprivileged spec, Zabha).

use crate::row::instructions;

instructions! { all: Zabha, Any; |m|
    "amoswap.b"  R "00001.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Swap, I8, order, rs1, rs2)?);
    "amoadd.b"   R "00000.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Add, I8, order, rs1, rs2)?);
    "amoxor.b"   R "00100.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Xor, I8, order, rs1, rs2)?);
    "amoand.b"   R "01100.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::And, I8, order, rs1, rs2)?);
    "amoor.b"    R "01000.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Or, I8, order, rs1, rs2)?);
    "amomin.b"   R "10000.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Min, I8, order, rs1, rs2)?);
    "amomax.b"   R "10100.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Max, I8, order, rs1, rs2)?);
    "amominu.b"  R "11000.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Minu, I8, order, rs1, rs2)?);
    "amomaxu.b"  R "11100.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Maxu, I8, order, rs1, rs2)?);
    "amoswap.h"  R "00001.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Swap, I16, order, rs1, rs2)?);
    "amoadd.h"   R "00000.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Add, I16, order, rs1, rs2)?);
    "amoxor.h"   R "00100.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Xor, I16, order, rs1, rs2)?);
    "amoand.h"   R "01100.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::And, I16, order, rs1, rs2)?);
    "amoor.h"    R "01000.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Or, I16, order, rs1, rs2)?);
    "amomin.h"   R "10000.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Min, I16, order, rs1, rs2)?);
    "amomax.h"   R "10100.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Max, I16, order, rs1, rs2)?);
    "amominu.h"  R "11000.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Minu, I16, order, rs1, rs2)?);
    "amomaxu.h"  R "11100.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Maxu, I16, order, rs1, rs2)?);
}

instructions! { swaps: Zabha & Zacas, Any; |m|
    "amocas.b"   R "00101.. ..... ..... 000    ..... 0101111" (rd, rs2, zero(rs1)) with order, old => rd.set(m.compare_and_swap(I8, order, rs1, old.first(), rs2)?);
    "amocas.h"   R "00101.. ..... ..... 001    ..... 0101111" (rd, rs2, zero(rs1)) with order, old => rd.set(m.compare_and_swap(I16, order, rs1, old.first(), rs2)?);
}
