//! May-be-operations (unprivileged spec, Zimop): they write zero until an extension makes something else of them. There
//! are 32 of the first and 8 of the second, told apart by the bits of `n`.

use crate::row::instructions;

instructions! { all: Zimop, Any; |m|
    "mop.r"  R "1.00..0 111.. ..... 100    ..... 1110011" (rd, rs1) with zero      => rd.set(zero);
    "mop.rr" R "1.00..1 ..... ..... 100    ..... 1110011" (rd, rs1, rs2) with zero => rd.set(zero);
}
