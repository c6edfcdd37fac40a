//! CSRs, protection and traps against Sail's model of RISC-V (`softcore-rv64`), on random states.
//!
//! Where the specification leaves a choice and ours is another, the comparison stays clear of it:
//!
//! - An event of a counter has 56 bits, there 32. There is no interrupt of counters there.
//! - `mstatus.VS` can be written there without V; `UXL` through `sstatus`.
//! - Reserved encodings keep what was there (`MPP`, `CBIE`, R=0 W=1 of `pmpcfg`), there they become zero; a reserved
//!   mode of `mtvec` and `stvec` loses its high bit, there it keeps the old mode.
//! - `medeleg` and `mideleg` have only bits of exceptions and interrupts that there are.
//! - `tselect` is not there without Sdtrig.
//! - A locked entry 16 of PMP, which is not there, locks nothing.

#![forbid(unsafe_code)]

mod common;

use common::{RAM, Rng, full, hart, sail, sail_model};
use hartwright_hart::{Access, Cause, Hart, Privilege, Trap};
use hartwright_ir::CsrOp;
use hartwright_isa::csr::*;
use softcore_rv64::{
    Core, ExceptionType, Privilege as SailPrivilege, ast,
    prelude::bv,
    raw::{self, AccessType},
    registers::{X1, X2},
};

const MODES: [Privilege; 3] = [Privilege::User, Privilege::Supervisor, Privilege::Machine];

fn theirs(mode: Privilege) -> SailPrivilege {
    match mode {
        Privilege::User => SailPrivilege::User,
        Privilege::Supervisor => SailPrivilege::Supervisor,
        Privilege::Machine => SailPrivilege::Machine,
    }
}

fn ours(mode: SailPrivilege) -> Privilege {
    match mode {
        SailPrivilege::User => Privilege::User,
        SailPrivilege::Supervisor => Privilege::Supervisor,
        SailPrivilege::Machine => Privilege::Machine,
    }
}

/// Writes a register of both, as M-mode.
fn set(hart: &Hart<u64>, core: &mut Core, csr: u16, value: u64) {
    hart.write_csr(csr, value);
    core.set_mode(SailPrivilege::Machine);
    core.set_csr(csr.into(), value).unwrap_or_else(|| panic!("Sail has {csr:#x}"));
}

/// The interrupt of counters that overflow.
const LCOFI: u64 = 1 << 13;
/// Of `mhpmevent`, the bits of an event that few know.
const EVENT_HIGH: u64 = 0xff_ffff << 32;
const VS: u64 = 3 << 9;
const UXL: u64 = 3 << 32;

/// A value that both can hold in the register, of those that software may write.
fn tame(csr: u16, value: u64, now: u64) -> u64 {
    match csr {
        // SD is read-only, and theirs follows VS.
        MSTATUS | SSTATUS => {
            let value = value & !(VS | UXL | 1 << 63) | 2 << 32;
            if value >> 11 & 3 == 2 { value & !(3 << 11) | now & 3 << 11 } else { value }
        }
        // Whether `STIP` is software's: there it changes hands at the next tick only.
        MENVCFG => value & !(1 << 63) & !if value >> 4 & 3 == 2 { 3 << 4 } else { 0 },
        SENVCFG if value >> 4 & 3 == 2 => value & !(3 << 4),
        MTVEC | STVEC => value & !2,
        MEDELEG => value & 0xb3ff,
        MIDELEG => value & 0x222,
        MIE | SIE | MIP | SIP => value & !LCOFI,
        // Nor such as count instructions, of which this test does none.
        MHPMEVENT3..=0x33f => value & !EVENT_HIGH | 8,
        // Not what would be due at once.
        STIMECMP => value | 1 << 62,
        0x3a0..=0x3af => {
            u64::from_le_bytes(value.to_le_bytes().map(|c| if c & 3 == 2 { c & !7 } else { c & 0x7f }))
        }
        _ => value,
    }
}

/// Whether a value is none that the two take differently.
fn is_tame(csr: u16, value: u64) -> bool {
    match csr {
        MSTATUS | SSTATUS => value & (VS | UXL) == 2 << 32 && value >> 11 & 3 != 2,
        _ => tame(csr, value, 0) == value,
    }
}

/// Registers that count, and those that say who made the hart.
fn differs(csr: u16) -> bool {
    matches!(csr, MCYCLE | MINSTRET | CYCLE | TIME | INSTRET | 0x7a0)
        || matches!(csr, MVENDORID | MARCHID | MIMPID)
}

#[test]
fn every_register_is_there_for_whom_it_is_in_sail() {
    let (hart, mut core) = (hart(sail_model()), sail());
    let mut rng = Rng(1);
    for _ in 0..8 {
        let status = tame(MSTATUS, rng.next(), 0);
        set(&hart, &mut core, MSTATUS, status);
        for csr in [MCOUNTEREN, SCOUNTEREN, MENVCFG, MEDELEG] {
            let stce = if csr == MENVCFG { rng.below(2) << 63 } else { 0 };
            set(&hart, &mut core, csr, tame(csr, rng.next(), 0) | stce);
        }
        for mode in MODES {
            for csr in (0..0x1000).filter(|csr| *csr != 0x7a0) {
                hart.set_privilege(mode);
                core.set_mode(theirs(mode));
                let here = hart.access_csr(csr, CsrOp::Set, 0, true, false).is_ok();
                let there = core.get_csr(csr.into()).is_some();
                assert_eq!(here, there, "reading {csr:#x} in {mode:?}, mstatus {status:#x}");
                // Writing what it holds changes nothing, and is allowed or not.
                let held = hart.read_csr(csr).unwrap_or(0);
                let here = hart.access_csr(csr, CsrOp::Write, held, false, true).is_ok();
                let check = raw::check_CSR(&mut core, bv(csr.into()), theirs(mode), true);
                assert_eq!(here, check, "writing {csr:#x} in {mode:?}, mstatus {status:#x}");
            }
        }
    }
}

#[test]
fn every_register_holds_what_it_holds_in_sail() {
    let (hart, mut core) = (hart(sail_model()), sail());
    let mut rng = Rng(2);
    let known: Vec<u16> = (0..0x1000).filter(|csr| hart.read_csr(*csr).is_some() && !differs(*csr)).collect();
    set(&hart, &mut core, STIMECMP, u64::MAX);
    let rounds = if full() { 2_000_000 } else { 200_000 };
    let mut done = 0;
    for _ in 0..rounds {
        let mode = if rng.one_in(3) { rng.pick(&MODES) } else { Privilege::Machine };
        hart.set_privilege(mode);
        core.set_mode(theirs(mode));
        let csr = rng.pick(&known);
        let held = hart.read_csr(csr).unwrap();
        let op = rng.pick(&[CsrOp::Write, CsrOp::Set, CsrOp::Clear]);
        let wish = tame(csr, rng.integer(), held);
        let (value, new) = match op {
            CsrOp::Write => (wish, wish),
            CsrOp::Set => (wish & !held, wish | held),
            CsrOp::Clear => (held & !wish, held & wish),
        };
        if !is_tame(csr, new) {
            continue;
        }
        core.set(X1, value);
        let there = match op {
            CsrOp::Write => core.csrrw(X2, csr.into(), X1),
            CsrOp::Set => core.csrrs(X2, csr.into(), X1),
            CsrOp::Clear => core.csrrc(X2, csr.into(), X1),
        };
        let here = hart.access_csr(csr, op, value, true, true);
        let what = format!("{op:?} {csr:#x} with {value:#x} in {mode:?}, it held {held:#x}");
        assert_eq!(here.is_ok(), there.is_ok(), "{what}");
        if let Ok(old) = here {
            assert_eq!(old, core.get(X2), "{what}: the old value");
        }
        hart.set_privilege(Privilege::Machine);
        core.set_mode(SailPrivilege::Machine);
        let here = hart.access_csr(csr, CsrOp::Set, 0, true, false).ok();
        assert_eq!(here, core.get_csr(csr.into()), "{what}: the new value");
        done += 1;
    }
    for csr in known {
        let here = hart.access_csr(csr, CsrOp::Set, 0, true, false).ok();
        assert_eq!(here, core.get_csr(csr.into()), "{csr:#x} in the end");
    }
    eprintln!("{done} accesses agree with Sail");
}

#[test]
fn reserved_encodings_are_never_held() {
    let hart = hart(sail_model());
    let mut rng = Rng(3);
    for _ in 0..20_000 {
        let csr =
            rng.pick(&[MSTATUS, SSTATUS, MENVCFG, SENVCFG, MTVEC, STVEC, SATP, PMPCFG0, PMPCFG0 + 2, MEPC]);
        hart.write_csr(csr, rng.integer() & !0x8080_8080_8080_8080);
        let held = |csr| hart.read_csr(csr).unwrap();
        assert_ne!(held(MSTATUS) >> 11 & 3, 2);
        assert_eq!(held(MSTATUS) >> 32 & 0xf, 0xa);
        assert_ne!(held(MENVCFG) >> 4 & 3, 2);
        assert_ne!(held(SENVCFG) >> 4 & 3, 2);
        assert!(held(MTVEC) & 3 < 2 && held(STVEC) & 3 < 2);
        assert!([0, 8, 9, 10].contains(&(held(SATP) >> 60)));
        assert!(held(PMPCFG0).to_le_bytes().iter().all(|cfg| cfg & 3 != 2 && cfg & 0x60 == 0));
        assert_eq!(held(MEPC) & 1, 0);
    }
}

/// A random `pmpaddr` about RAM.
fn pmpaddr(rng: &mut Rng) -> u64 {
    let addr = RAM + rng.below(0x1_0000);
    match rng.below(4) {
        0 => rng.integer(),
        1 => addr >> 2 | (1 << rng.below(14)) - 1,
        2 => (addr & !0xfff) >> 2,
        _ => addr >> 2,
    }
}

#[test]
fn protection_allows_what_sail_allows() {
    let mut rng = Rng(4);
    let (mut allowed, mut denied) = (0, 0);
    for _ in 0..if full() { 20_000 } else { 1_500 } {
        let (hart, mut core) = (hart(sail_model()), sail());
        let entries = 1 + rng.below(16);
        for entry in 0..entries as u16 {
            let addr = pmpaddr(&mut rng);
            set(&hart, &mut core, PMPADDR0 + entry, addr);
        }
        let locks = rng.one_in(2);
        for half in 0..2u16 {
            let mut cfg = tame(PMPCFG0, rng.next(), 0);
            if locks {
                // Entry 0 may be locked last, or its neighbour's lock would be seen before.
                cfg |= rng.next() & rng.next() & 0x8080_8080_8080_8080;
            }
            for entry in 0..8 {
                if u64::from(half * 8 + entry) >= entries {
                    cfg &= !(0xff << (8 * entry));
                }
            }
            set(&hart, &mut core, PMPCFG0 + 2 * half, cfg);
        }
        // Once more, now that some may be locked.
        for _ in 0..4 {
            let csr = rng.pick(&[PMPADDR0, PMPADDR0 + 1, PMPADDR0 + 2, PMPADDR0 + 7, PMPCFG0]);
            let value = if csr == PMPCFG0 { tame(csr, rng.next(), 0) } else { pmpaddr(&mut rng) };
            set(&hart, &mut core, csr, value);
            assert_eq!(hart.read_csr(csr), core.get_csr(csr.into()), "{csr:#x}");
        }
        for _ in 0..60 {
            let mode = rng.pick(&MODES);
            hart.set_privilege(mode);
            let size = 1u64 << rng.below(4);
            let mut addr = RAM + rng.below(0x1_0000 - 8);
            if !rng.one_in(4) {
                addr &= !(size - 1);
            }
            if addr % 0x1000 + size > 0x1000 {
                continue;
            }
            let (access, there) = match rng.below(3) {
                0 => (Access::Load, AccessType::Read(())),
                1 => (Access::Store, AccessType::Write(())),
                _ => (Access::Fetch, AccessType::InstructionFetch(())),
            };
            let (addr, size) = if access == Access::Fetch { (addr & !1, 2) } else { (addr, size) };
            let here = common::touch(&hart, addr, size, access);
            let at = raw::physaddr::Physaddr(bv(addr));
            let there = raw::pmpCheck(&mut core, at, size.into(), there, theirs(mode));
            let cfg = [0, 2].map(|i| hart.read_csr(PMPCFG0 + i).unwrap());
            let addrs: Vec<_> =
                (0..16).map(|i| format!("{:#x}", hart.read_csr(PMPADDR0 + i).unwrap() << 2)).collect();
            assert_eq!(
                here.is_ok(),
                there.is_none(),
                "{access:?} of {size} at {addr:#x} in {mode:?}: {here:?}, {cfg:#x?} {addrs:?}"
            );
            if let Err(trap) = here {
                assert_eq!(trap, Trap::new(Cause::access_fault(access), addr));
                denied += 1;
            } else {
                allowed += 1;
            }
        }
    }
    eprintln!("{allowed} accesses allowed and {denied} denied, as by Sail");
}

/// Random contents for all that traps look at; the same for both.
fn scatter(rng: &mut Rng, hart: &Hart<u64>, core: &mut Core) -> u64 {
    for csr in [MSTATUS, MIE, MIP, MIDELEG, MEDELEG, MTVEC, STVEC, MEPC, SEPC, MCAUSE, SCAUSE, MTVAL, STVAL] {
        let value = tame(csr, rng.next() & if rng.one_in(2) { u64::MAX } else { rng.next() }, 0);
        set(hart, core, csr, value);
    }
    let mode = rng.pick(&MODES);
    hart.set_privilege(mode);
    core.set_mode(theirs(mode));
    let pc = rng.next() & !1;
    hart.set_pc(pc);
    core.PC = bv(pc);
    core.nextPC = bv(pc);
    pc
}

#[track_caller]
fn agree(hart: &Hart<u64>, core: &mut Core, pc: u64, what: &str) {
    assert_eq!(hart.privilege(), ours(core.mode()), "{what}: privilege");
    assert_eq!(hart.pc(), pc, "{what}: pc");
    core.set_mode(SailPrivilege::Machine);
    for csr in [MSTATUS, MIE, MIP, MEPC, SEPC, MCAUSE, SCAUSE, MTVAL, STVAL, MTVEC, STVEC] {
        let there = core.get_csr(csr.into()).unwrap();
        assert_eq!(hart.read_csr(csr).unwrap(), there, "{what}: {csr:#x}");
    }
}

#[test]
fn interrupts_are_taken_as_in_sail() {
    let (hart, mut core) = (hart(sail_model()), sail());
    let mut rng = Rng(5);
    let mut taken = 0;
    for _ in 0..if full() { 1_000_000 } else { 50_000 } {
        scatter(&mut rng, &hart, &mut core);
        // The pins, which software cannot write.
        let pins = rng.next() & 0x888;
        for pin in [3, 7, 11] {
            hartwright_wire::Sink::set(&**hart.port(), pin, pins >> pin & 1 != 0);
        }
        core.mip.bits = bv(core.mip.bits.bits() & !0x888 | pins);
        let what = format!(
            "mode {:?} mstatus {:#x} mie {:#x} mip {:#x} mideleg {:#x}",
            hart.privilege(),
            hart.read_csr(MSTATUS).unwrap(),
            hart.read_csr(MIE).unwrap(),
            hart.read_csr(MIP).unwrap(),
            hart.read_csr(MIDELEG).unwrap()
        );
        core.dispatch_interrupt();
        taken += u32::from(hart.take_interrupt().is_some());
        let pc = core.nextPC.bits();
        agree(&hart, &mut core, pc, &what);
    }
    eprintln!("{taken} interrupts taken as by Sail");
}

#[test]
fn exceptions_are_taken_as_in_sail() {
    let (hart, mut core) = (hart(sail_model()), sail());
    let mut rng = Rng(6);
    let kinds = [
        (Cause::InstructionAddressMisaligned, ExceptionType::E_Fetch_Addr_Align(())),
        (Cause::InstructionAccessFault, ExceptionType::E_Fetch_Access_Fault(())),
        (Cause::IllegalInstruction, ExceptionType::E_Illegal_Instr(())),
        (Cause::Breakpoint, ExceptionType::E_Breakpoint(())),
        (Cause::LoadAddressMisaligned, ExceptionType::E_Load_Addr_Align(())),
        (Cause::LoadAccessFault, ExceptionType::E_Load_Access_Fault(())),
        (Cause::StoreAddressMisaligned, ExceptionType::E_SAMO_Addr_Align(())),
        (Cause::StoreAccessFault, ExceptionType::E_SAMO_Access_Fault(())),
        (Cause::EcallFromU, ExceptionType::E_U_EnvCall(())),
        (Cause::EcallFromS, ExceptionType::E_S_EnvCall(())),
        (Cause::EcallFromM, ExceptionType::E_M_EnvCall(())),
        (Cause::InstructionPageFault, ExceptionType::E_Fetch_Page_Fault(())),
        (Cause::LoadPageFault, ExceptionType::E_Load_Page_Fault(())),
        (Cause::StorePageFault, ExceptionType::E_SAMO_Page_Fault(())),
    ];
    for _ in 0..if full() { 1_000_000 } else { 50_000 } {
        let pc = scatter(&mut rng, &hart, &mut core);
        let ((cause, kind), tval) = (rng.pick(&kinds), rng.next());
        let mode = core.mode();
        let to = raw::exception_delegatee(&mut core, kind, mode);
        let code = raw::exceptionType_to_bits(kind);
        let entry = raw::trap_handler(&mut core, to, false, code, bv(pc), Some(bv(tval)), None);
        hart.take_trap(Trap::new(cause, tval));
        agree(&hart, &mut core, entry.bits(), &format!("{cause:?}"));
    }
}

#[test]
fn trap_returns_go_where_they_go_in_sail() {
    let (hart, mut core) = (hart(sail_model()), sail());
    let mut rng = Rng(7);
    for _ in 0..if full() { 1_000_000 } else { 50_000 } {
        scatter(&mut rng, &hart, &mut core);
        let m = rng.one_in(2);
        let mode =
            if m { Privilege::Machine } else { rng.pick(&[Privilege::Supervisor, Privilege::Machine]) };
        // Whether `sret` is allowed is `exec`'s to say.
        let allowed = mode == Privilege::Machine || hart.read_csr(MSTATUS).unwrap() >> 22 & 1 == 0;
        if !allowed {
            continue;
        }
        hart.set_privilege(mode);
        core.set_mode(theirs(mode));
        core.execute(if m { ast::MRET(()) } else { ast::SRET(()) });
        if m {
            hart.mret();
        } else {
            hart.sret();
        }
        let pc = core.nextPC.bits();
        agree(&hart, &mut core, pc, if m { "mret" } else { "sret" });
    }
}
