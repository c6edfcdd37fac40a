//! Cache-block prefetch hints (unprivileged spec, CMO). To a CPU without them, they are `ori` into `x0`.

use crate::row::instructions;

instructions! { all: Zicbop, Any; |m|
    "prefetch.i" S "....... 00000 ..... 110    00000 0010011" (imm(rs1)) => ();
    "prefetch.r" S "....... 00001 ..... 110    00000 0010011" (imm(rs1)) => ();
    "prefetch.w" S "....... 00011 ..... 110    00000 0010011" (imm(rs1)) => ();
}
