//! Waiting for a reservation set (unprivileged spec, Zawrs).

use crate::row::instructions;

instructions! { all: Zawrs, Any; |m|
    "wrs.nto" N "000000001101  00000 000    00000 1110011" () => m.system(System::WrsNto)?;
    "wrs.sto" N "000000011101  00000 000    00000 1110011" () => m.system(System::WrsSto)?;
}
