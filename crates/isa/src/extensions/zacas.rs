//! Compare and swap (unprivileged spec, Zacas). What is twice as wide as a register is in two, the first one even.

use crate::row::instructions;

instructions! { all: Zacas, Any; |m|
    "amocas.w"   R "00101.. ..... ..... 010    ..... 0101111" (rd, rs2, zero(rs1)) with order, old => rd.set(m.compare_and_swap(I32, order, rs1, old.first(), rs2)?);
}

instructions! { rv32: Zacas, Rv32; |m|
    "amocas.d"   R "00101.. ....0 ..... 011    ....0 0101111" (rd, rs2, zero(rs1)) with order, old, new => old.set(m.compare_and_swap_pair(order, rs1, old.both(), new.both())?);
}

instructions! { rv64: Zacas, Rv64; |m|
    "amocas.d"   R "00101.. ..... ..... 011    ..... 0101111" (rd, rs2, zero(rs1)) with order, old => rd.set(m.compare_and_swap(I64, order, rs1, old.first(), rs2)?);
    "amocas.q"   R "00101.. ....0 ..... 100    ....0 0101111" (rd, rs2, zero(rs1)) with order, old, new => old.set(m.compare_and_swap_pair(order, rs1, old.both(), new.both())?);
}
