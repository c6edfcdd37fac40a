//! What a hart of 32 bits has otherwise: halves of registers, fields in other places, addresses that wrap.

#![forbid(unsafe_code)]

use hartwright_hart::{Cause, Config, Hart, Privilege, Trap};
use hartwright_ir::CsrOp;
use hartwright_isa::{cpu::CpuModel, csr::*};
use hartwright_mem::AddressSpace;
use hartwright_wire::{Clock, Entropy, Mtime};

const RAM: u64 = 0x8000_0000;

fn hart() -> Hart<u32> {
    let mut builder = AddressSpace::build();
    builder.ram("ram", RAM, 0x10_0000).unwrap();
    let mtime = Mtime::new(Clock::new(), 10_000_000);
    let model = CpuModel::find("max32").unwrap().clone();
    Hart::new(Config {
        model,
        id: 0,
        reset_pc: RAM,
        space: builder.finish().unwrap(),
        mtime,
        entropy: Entropy::default(),
    })
}

/// Writes registers, and compares what they and others hold then.
#[track_caller]
fn check(writes: &[(u16, u64)], reads: &[(u16, Option<u64>)]) {
    let hart = hart();
    for (csr, value) in writes {
        hart.access_csr(*csr, CsrOp::Write, *value as u32, false, true).unwrap();
    }
    for (csr, value) in reads {
        let number = name(*csr).unwrap_or_default();
        assert_eq!(
            hart.read_csr(*csr).map(|v| format!("{v:#x}")),
            value.map(|v| format!("{v:#x}")),
            "{number}"
        );
    }
}

#[test]
fn halves_are_written_by_themselves() {
    check(
        &[(MENVCFGH, 0xe000_0000), (MENVCFG, 0x71)],
        &[(MENVCFG, Some(0x71)), (MENVCFGH, Some(0xa000_0000))],
    );
    check(&[(MCYCLEH, 7), (MCYCLE, 5)], &[(MCYCLEH, Some(7)), (CYCLEH, Some(7))]);
    check(&[(STIMECMP, 1), (STIMECMPH, 2)], &[(STIMECMP, Some(1)), (STIMECMPH, Some(2))]);
    check(&[(MSTATEEN0H, !0)], &[(MSTATEEN0, Some(0)), (MSTATEEN0H, Some(0xc000_0000))]);
    check(&[], &[(MSTATUSH, Some(0)), (MEDELEGH, Some(0)), (TIMEH, Some(0)), (0xb81, None)]);
    let pmp = [(0x3a0, 0x0f0f_0f0f), (0x3a1, 0x1f1b_1918), (0x3a3, 0x8f)];
    check(
        &pmp,
        &[(0x3a0, Some(0x0f0f_0f0f)), (0x3a1, Some(0x1f1b_1918)), (0x3a2, Some(0)), (0x3a3, Some(0x8f))],
    );
}

#[test]
fn events_have_halves_and_triggers_fields_of_their_own() {
    check(
        &[(MHPMEVENT3, 7), (MHPMEVENT3H, !0), (MCYCLECFGH, !0), (MINSTRETCFGH, 1 << 30)],
        &[
            (MHPMEVENT3, Some(7)),
            // OF and three modes; nothing of modes that are not there.
            (MHPMEVENT3H, Some(0xf0ff_ffff)),
            (MCYCLECFG, Some(0)),
            (MCYCLECFGH, Some(0x7000_0000)),
            (MINSTRETCFGH, Some(0x4000_0000)),
            (SCOUNTOVF, Some(8)),
            (MHPMEVENT3H + 16, Some(0)),
        ],
    );
    check(
        &[(TSELECT, 1), (TDATA1, 0x6000_0000 | 0x5f), (TDATA2, !0), (TDATA3, !0), (MCONTEXT, !0)],
        &[
            (TSELECT, Some(1)),
            (TDATA1, Some(0x6000_005f)),
            (TDATA2, Some(0xffff_ffff)),
            (TDATA3, Some(0xfe00_0000)),
            (MCONTEXT, Some(0x3f)),
            (TINFO, Some(0x44)),
        ],
    );
    // Of no type it can be: it keeps its own, and is off.
    check(&[(TDATA1, 0x6000_005f), (TDATA1, 0)], &[(TDATA1, Some(0x6000_0000))]);
    check(&[], &[(TDATA1, Some(0x2000_0000))]);
}

#[test]
fn fields_are_where_32_bits_have_them() {
    check(&[(MSTATUS, 0xffff_ffff)], &[(MSTATUS, Some(0x807e_79aa)), (SSTATUS, Some(0x800c_6122))]);
    check(&[(SATP, 0xffff_ffff)], &[(SATP, Some(0xffff_ffff))]);
    check(&[(PMPADDR0, 0xffff_ffff)], &[(PMPADDR0, Some(0xffff_ffff))]);
    check(&[(MCAUSE, 0x8000_0007)], &[(MCAUSE, Some(0x8000_0007)), (MISA, Some(0x4014_112f))]);
}

#[test]
fn a_trap_leaves_32_bits() {
    let hart = hart();
    hart.write_csr(MTVEC, 0xffff_fffd);
    hart.write_csr(MIE, 1 << 7);
    hart.write_csr(MSTATUS, 1 << 3);
    hartwright_wire::Sink::set(&**hart.port(), 7, true);
    assert_eq!(hart.take_interrupt(), Some(7));
    assert_eq!((hart.read_csr(MCAUSE), hart.pc()), (Some(0x8000_0007), 0x18));
    hart.take_trap(Trap::new(Cause::LoadPageFault, 0xffff_fff0));
    assert_eq!(hart.read_csr(MTVAL), Some(0xffff_fff0));
    assert_eq!(hart.privilege(), Privilege::Machine);
}

#[test]
fn the_program_counter_wraps() {
    let hart = hart();
    hart.set_pc(0x1_0000_0004);
    assert_eq!(hart.pc(), 4);
}
