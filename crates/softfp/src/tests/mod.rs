//! Every function against SoftFloat's RISC-V build, or against the manual's tables where SoftFloat has no
//! such function.

mod against_softfloat;
mod by_the_manual;
mod operands;
mod oracle;

use crate::format::Format;
use crate::round::{Flags, Rounding};

const ROUNDINGS: [Rounding; 5] = [Rounding::Rne, Rounding::Rtz, Rounding::Rdn, Rounding::Rup, Rounding::Rmm];

/// A result of ours in a form to be read in a failure.
fn shown<F: Format>((bits, flags): (u64, Flags)) -> String {
    let names =
        [(Flags::NV, "NV"), (Flags::DZ, "DZ"), (Flags::OF, "OF"), (Flags::UF, "UF"), (Flags::NX, "NX")];
    let raised: Vec<_> =
        names.iter().filter(|(flag, _)| flags.0 & flag.0 != 0).map(|(_, name)| *name).collect();
    format!("{bits:#0width$x} [{}]", raised.join(" "), width = F::BITS as usize / 4 + 2)
}
