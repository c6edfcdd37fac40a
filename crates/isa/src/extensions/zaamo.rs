//! Atomic memory operations (unprivileged spec, Zaamo, a part of A).

use crate::row::instructions;

instructions! { all: Zaamo, Any; |m|
    "amoswap.w"  R "00001.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Swap, I32, order, rs1, rs2)?);
    "amoadd.w"   R "00000.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Add, I32, order, rs1, rs2)?);
    "amoxor.w"   R "00100.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Xor, I32, order, rs1, rs2)?);
    "amoand.w"   R "01100.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::And, I32, order, rs1, rs2)?);
    "amoor.w"    R "01000.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Or, I32, order, rs1, rs2)?);
    "amomin.w"   R "10000.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Min, I32, order, rs1, rs2)?);
    "amomax.w"   R "10100.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Max, I32, order, rs1, rs2)?);
    "amominu.w"  R "11000.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Minu, I32, order, rs1, rs2)?);
    "amomaxu.w"  R "11100.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Maxu, I32, order, rs1, rs2)?);
}

instructions! { rv64: Zaamo, Only64; |m|
    "amoswap.d"  R "00001.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Swap, I64, order, rs1, rs2)?);
    "amoadd.d"   R "00000.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Add, I64, order, rs1, rs2)?);
    "amoxor.d"   R "00100.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Xor, I64, order, rs1, rs2)?);
    "amoand.d"   R "01100.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::And, I64, order, rs1, rs2)?);
    "amoor.d"    R "01000.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Or, I64, order, rs1, rs2)?);
    "amomin.d"   R "10000.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Min, I64, order, rs1, rs2)?);
    "amomax.d"   R "10100.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Max, I64, order, rs1, rs2)?);
    "amominu.d"  R "11000.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Minu, I64, order, rs1, rs2)?);
    "amomaxu.d"  R "11100.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.amo(Amo::Maxu, I64, order, rs1, rs2)?);
}
