//! Load-reserved and store-conditional (unprivileged spec, Zalrsc, a part of A).

use crate::row::instructions;

instructions! { all: Zalrsc, Any; |m|
    "lr.w"       R "00010.. 00000 ..... 010    ..... 0101111" (rd, zero(rs1)) with order      => rd.set(m.load_reserved(I32, order, rs1)?);
    "sc.w"       R "00011.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.store_conditional(I32, order, rs1, rs2)?);
}

instructions! { rv64: Zalrsc, Only64; |m|
    "lr.d"       R "00010.. 00000 ..... 011    ..... 0101111" (rd, zero(rs1)) with order      => rd.set(m.load_reserved(I64, order, rs1)?);
    "sc.d"       R "00011.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order => rd.set(m.store_conditional(I64, order, rs1, rs2)?);
}
