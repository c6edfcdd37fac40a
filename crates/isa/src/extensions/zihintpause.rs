//! A hint that the hart spins (unprivileged spec, Zihintpause). To a CPU without it, it is a `fence`.

use crate::row::instructions;

instructions! { all: Zihintpause, Any; |m|
    "pause" N "000000010000  00000 000    00000 0001111" () => m.system(System::Pause)?;
}
