//! Cache-block zero (unprivileged spec, CMO).

use crate::row::instructions;

instructions! { all: Zicboz, UpTo64; |m|
    "cbo.zero"  N "000000000100  ..... 010    00000 0001111" (zero(rs1)) => m.cbo(Cbo::Zero, rs1)?;
}
