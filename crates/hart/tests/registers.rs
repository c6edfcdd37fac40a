//! The integer registers, at every width.

#![forbid(unsafe_code)]

use hartwright_hart::{Config, Hart};
use hartwright_ir::Width;
use hartwright_isa::cpu::CpuModel;
use hartwright_mem::AddressSpace;
use hartwright_wire::{Clock, Entropy, Mtime};

fn check<W: Width>(model: &str) {
    let mut builder = AddressSpace::build();
    builder.ram("ram", 0x8000_0000, 0x1000).unwrap();
    let (space, mtime) = (builder.finish().unwrap(), Mtime::new(Clock::new(), 10_000_000));
    let model = CpuModel::find(model).unwrap().clone();
    let hart = Hart::<W>::new(Config {
        model,
        id: 0,
        reset_pc: 0x8000_0000,
        space,
        mtime,
        entropy: Entropy::default(),
    });
    (0..32).for_each(|r| hart.set_x(r, W::from_u64(100 + u64::from(r))));
    assert_eq!(hart.x(0).to_u64(), 0);
    assert!((1..32).all(|r| hart.x(r).to_u64() == 100 + u64::from(r)));
}

#[test]
fn register_0_stays_zero() {
    check::<u32>("max32");
    check::<u64>("max");
    check::<u128>("x-rv128");
}
