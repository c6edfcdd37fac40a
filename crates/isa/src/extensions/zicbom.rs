//! Cache-block management (unprivileged spec, CMO).

use crate::row::instructions;

instructions! { all: Zicbom, UpTo64; |m|
    "cbo.inval" N "000000000000  ..... 010    00000 0001111" (zero(rs1)) => m.cbo(Cbo::Inval, rs1)?;
    "cbo.clean" N "000000000001  ..... 010    00000 0001111" (zero(rs1)) => m.cbo(Cbo::Clean, rs1)?;
    "cbo.flush" N "000000000010  ..... 010    00000 0001111" (zero(rs1)) => m.cbo(Cbo::Flush, rs1)?;
}
