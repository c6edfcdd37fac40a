//! Instruction-fetch fence (unprivileged spec, Zifencei).

use crate::row::instructions;

instructions! { all: Zifencei, Any; |m|
    "fence.i" N "............  ..... 001    ..... 0001111" () => m.system(System::FenceI)?;
}
