//! Base: which specification, which implementation, which extensions (chapter 4).

use super::EXTENSIONS;
use crate::call::{Answer, Call, Extension, Function};
use hartwright_isa::csr::{MARCHID, MIMPID, MVENDORID};

#[rustfmt::skip]
pub(super) const BASE: Extension = Extension {
    id: 0x10,
    name: "Base",
    functions: &[
        Function { id: 0, name: "sbi_get_spec_version", run: |_| Ok(SPECIFICATION) },
        Function { id: 1, name: "sbi_get_impl_id",      run: |_| Ok(IMPLEMENTATION) },
        Function { id: 2, name: "sbi_get_impl_version", run: |_| Ok(version()) },
        Function { id: 3, name: "sbi_probe_extension",  run: probe },
        Function { id: 4, name: "sbi_get_mvendorid",    run: |call| csr(call, MVENDORID) },
        Function { id: 5, name: "sbi_get_marchid",      run: |call| csr(call, MARCHID) },
        Function { id: 6, name: "sbi_get_mimpid",       run: |call| csr(call, MIMPID) },
    ],
};

/// 2.0: the major number from bit 24 on.
const SPECIFICATION: u64 = 2 << 24;
/// "hw": nobody gave us a number, and those that were given are small.
const IMPLEMENTATION: u64 = 0x6877;

/// Our version: the major number from bit 16 on, then the minor one.
fn version() -> u64 {
    let number = |text: &str| text.parse().unwrap_or(0);
    number(env!("CARGO_PKG_VERSION_MAJOR")) << 16 | number(env!("CARGO_PKG_VERSION_MINOR"))
}

fn probe(call: &mut Call<'_>) -> Answer {
    let asked = call.argument(0);
    Ok(EXTENSIONS.iter().any(|row| row.id == asked).into())
}

fn csr(call: &mut Call<'_>, number: u16) -> Answer {
    Ok(call.hart.csr(number).unwrap_or(0))
}
