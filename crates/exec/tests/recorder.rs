//! The battery's recorder itself: it gives a case what it should have and writes down what it left, at every width.

#![forbid(unsafe_code)]

mod common;

use common::{
    Rng,
    battery::{BREAKPOINT, Battery, Case, MACHINE, SCRATCH},
    model, op,
    peer::qemus,
    recorder::Shape,
};
use hartwright_isa::{Ext, cpu::CpuModel};

fn max_at(xlen: u32) -> CpuModel {
    CpuModel { xlen, ..model("max") }
}

/// Cases that end at once, with anything in their registers.
fn idle(rng: &mut Rng, shape: Shape, count: usize) -> Battery {
    let mut battery = Battery::new(rng, shape);
    let mut x: [u128; 32] = [0; 32];
    for i in 0..count {
        let pc = battery.code(&op("ebreak", 0, 0, 0, 0).to_le_bytes());
        (1..shape.registers as usize).for_each(|r| x[r] = rng.integer_of(shape.xlen));
        let f = std::array::from_fn(|_| if shape.flen == 0 { 0 } else { rng.float() >> (64 - shape.flen) });
        let fcsr = if shape.flen == 0 { 0 } else { i as u64 % 32 };
        battery.cases.push(Case {
            name: "idle".into(),
            pc,
            x,
            f,
            fcsr,
            mstatus: MACHINE,
            satp: 0,
            watch: SCRATCH,
        });
    }
    battery
}

#[track_caller]
fn check(battery: &Battery, memory: &[u8]) {
    for (i, case) in battery.cases.iter().enumerate() {
        let left = battery.outcome(memory, i);
        assert_eq!((left.pc, left.mcause, left.fcsr), (case.pc, BREAKPOINT, case.fcsr), "case {i}");
        assert_eq!((left.x, left.f), (case.x, case.f), "case {i}");
        let watched = battery.word(SCRATCH);
        assert_eq!(left.watched[0], watched, "case {i}");
    }
}

#[test]
fn a_case_that_does_nothing_leaves_what_it_had() {
    for shape in [Shape::RV32, Shape::RV64] {
        let mut battery = idle(&mut Rng(81), shape, 100);
        let memory = battery.run_here(max_at(shape.xlen));
        check(&battery, &memory);
    }
}

#[test]
fn a_hart_with_few_registers_and_no_floating_point_can_be_recorded() {
    for (registers, flen) in [(16, 0), (32, 0), (32, 32)] {
        let shape = Shape { registers, flen, reserves: flen != 0, ..Shape::RV32 };
        let mut battery = idle(&mut Rng(82), shape, 100);
        let without = CpuModel { extensions: max_at(32).extensions.without(Ext::D), ..max_at(32) };
        let memory = battery.run_here(without);
        check(&battery, &memory);
    }
}

#[test]
fn the_recorder_does_the_same_in_qemu() {
    for (shape, old, new) in [
        (Shape::RV32, "rv32", "max"),
        (Shape { registers: 16, flen: 0, reserves: false, ..Shape::RV32 }, "rv32", "max"),
        (Shape::RV64, "rv64", "max"),
        (Shape::RV128, "x-rv128", "x-rv128"),
    ] {
        for qemu in qemus(shape.xlen) {
            let mut battery = idle(&mut Rng(83), shape, 100);
            let memory = qemu.run(battery.image(), if qemu.version < 8 { old } else { new });
            check(&battery, &memory);
        }
    }
}
