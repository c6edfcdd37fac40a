//! The entropy source (unprivileged spec, Zkr): who may poll `seed`, how, and what there is to see.

#![forbid(unsafe_code)]

mod common;

use common::hart;
use hartwright_hart::{Hart, Illegal, Privilege};
use hartwright_ir::CsrOp;
use hartwright_isa::{Ext, cpu::CpuModel, csr};

const SSEED: u64 = 1 << 9;
const USEED: u64 = 1 << 8;

fn poll(hart: &Hart<u64>) -> Result<u64, Illegal> {
    hart.access_csr(csr::SEED, CsrOp::Write, 0, true, true)
}

#[test]
fn polling_gives_sixteen_bits_that_are_never_alike_for_long() {
    let hart = hart(CpuModel::find("max").unwrap().clone());
    let polled: Vec<u64> = (0..64).map(|_| poll(&hart).unwrap()).collect();
    assert!(polled.iter().all(|seed| seed >> 16 == 2 << 14), "ES16, and nothing in the reserved bits");
    let ones: u32 = polled.iter().map(|seed| (seed & 0xffff).count_ones()).sum();
    assert!((400..624).contains(&ones), "{ones} of 1024 bits are one");
}

#[test]
fn only_what_writes_may_poll_and_below_m_only_who_is_let() {
    let hart = hart(CpuModel::find("max").unwrap().clone());
    for op in [CsrOp::Set, CsrOp::Clear] {
        assert_eq!(hart.access_csr(csr::SEED, op, 0, true, false), Err(Illegal));
    }
    for (mode, bit) in [(Privilege::Supervisor, SSEED), (Privilege::User, USEED)] {
        for allowed in [0, SSEED, USEED, SSEED | USEED] {
            hart.write_csr(csr::MSECCFG, allowed);
            hart.set_privilege(mode);
            assert_eq!(poll(&hart).is_ok(), allowed & bit != 0);
            hart.set_privilege(Privilege::Machine);
        }
    }
}

#[test]
fn without_the_extension_there_is_neither_register() {
    let mut model = CpuModel::find("max").unwrap().clone();
    model.extensions = model.extensions.without(Ext::Zkr).without(Ext::Smepmp);
    let hart = hart(model);
    assert_eq!(poll(&hart), Err(Illegal));
    assert_eq!(hart.read_csr(csr::MSECCFG), None);
}
