//! Who may do what: privileged instructions, CSRs and cache-block operations in every mode, under every setting that
//! allows or traps them, against QEMU; and the two that would leave or wait, by hand.

#![forbid(unsafe_code)]

mod common;

use common::{
    Machine, RAM, Rng,
    battery::{Battery, Case, MACHINE, SCRATCH},
    full, li, model, op,
    peer::qemus,
    recorder::Shape,
};
use hartwright_hart::Privilege;
use hartwright_isa::csr;

/// Registers whose reading one mode allows another.
const READ: &[u16] = &[
    csr::CYCLE,
    csr::TIME,
    csr::INSTRET,
    0xc03,
    0xc12,
    csr::SATP,
    csr::STIMECMP,
    csr::SENVCFG,
    csr::SSTATEEN0,
    csr::SSTATEEN1,
    csr::SSCRATCH,
    csr::MSCRATCH,
    csr::MSTATUS,
    csr::MINSTRET,
    csr::FCSR,
    csr::FRM,
];

/// Settings, and the bits that matter of each.
const SETTINGS: &[(u16, u64)] = &[
    (csr::MENVCFG, 0x8000_0000_0000_00f0),
    (csr::SENVCFG, 0xf0),
    (csr::MCOUNTEREN, 0xffff_ffff),
    (csr::SCOUNTEREN, 0xffff_ffff),
    (csr::MSTATEEN0, 3 << 62),
    (csr::MSTATEEN0 + 1, 1 << 63),
];

fn battery(rng: &mut Rng, count: u64) -> Battery {
    let mut battery = Battery::new(rng, Shape::RV64);
    let case = |battery: &mut Battery, name: String, words: &[u32], mstatus: u64, x5: u64| {
        let bytes: Vec<u8> =
            words.iter().chain(&[op("ebreak", 0, 0, 0, 0)]).flat_map(|w| w.to_le_bytes()).collect();
        let mut x = [0; 32];
        x[5] = x5.into();
        x[6] = u128::from(SCRATCH) + 0x100;
        let pc = battery.code(&bytes);
        battery.cases.push(Case { name, pc, x, f: [0; 32], fcsr: 0, mstatus, satp: 0, watch: SCRATCH });
    };
    let plain =
        ["ecall", "ebreak", "mret", "sret", "sfence.vma", "sinval.vma", "sfence.w.inval", "sfence.inval.ir"];
    let blocks = ["cbo.inval", "cbo.clean", "cbo.flush", "cbo.zero"];
    for _ in 0..count {
        if rng.one_in(3) {
            let (number, mask) = rng.pick(SETTINGS);
            let mut value = rng.next() & mask;
            if matches!(number, csr::MENVCFG | csr::SENVCFG) && value >> 4 & 3 == 2 {
                value &= !0x30;
            }
            let write = op("csrrw", 0, 5, 0, number.into());
            case(&mut battery, format!("set {number:#x} to {value:#x}"), &[write], MACHINE, value);
            continue;
        }
        let mode = rng.pick(&[0u64, 0, 1, 1, 3]);
        // TVM, TW, TSR, and FS.
        let status = rng.next() & (7 << 20 | 3 << 13) | mode << 11;
        let word = match rng.below(3) {
            0 => {
                let name = rng.pick(&plain);
                if mode == 3 && name.ends_with("ret") {
                    continue;
                }
                op(name, 0, 0, 0, 0)
            }
            1 => op(rng.pick(&blocks), 0, 6, 0, 0),
            _ => op("csrrs", 0, 0, 0, rng.pick(READ).into()),
        };
        case(&mut battery, format!("{word:#010x} in mode {mode}"), &[word], status, 0);
    }
    battery
}

#[test]
fn every_mode_may_do_what_it_may_in_qemu() {
    // QEMU 7.2 knows no cache-block operations.
    for qemu in qemus(64).into_iter().filter(|qemu| qemu.version >= 8) {
        let mut battery = battery(&mut Rng(61), if full() { 20_000 } else { 4_000 });
        let ours = battery.run_here(model("max"));
        let theirs = qemu.run(battery.image(), "max");
        let lines = battery.lines(&ours, &theirs, |_, _, _| false);
        lines.iter().take(40).for_each(|line| eprintln!("{line}"));
        assert!(lines.is_empty(), "{} of {} cases differ", lines.len(), battery.cases.len());
        eprintln!("{} cases agree with QEMU {}", battery.cases.len(), qemu.version);
    }
}

/// Whether `wfi` and `wrs.nto` are illegal in a mode (privileged spec, 3.1.6.6; Zawrs).
#[test]
fn waiting_is_illegal_where_it_would_stall_others() {
    let machine = Machine::max();
    for (mnemonic, in_user) in [("wfi", false), ("wrs.nto", true)] {
        for (mode, tw, legal) in [
            (Privilege::Machine, true, true),
            (Privilege::Supervisor, false, true),
            (Privilege::Supervisor, true, false),
            (Privilege::User, false, in_user),
            (Privilege::User, true, false),
        ] {
            machine.harts.reset();
            let word = op(mnemonic, 0, 0, 0, 0);
            machine.put(RAM, &[word]);
            machine
                .harts
                .with(0, move |hart| {
                    hart.set_csr(csr::PMPADDR0, u64::MAX);
                    hart.set_csr(csr::PMPCFG0, 0x1f);
                    hart.set_csr(csr::MSTATUS, u64::from(tw) << 21);
                    hart.set_csr(csr::MTVEC, RAM + 0x100);
                    hart.set_privilege(mode);
                })
                .unwrap();
            machine.step();
            let pc = machine.harts.with(0, |hart| hart.pc()).unwrap();
            assert_eq!(pc, if legal { RAM + 4 } else { RAM + 0x100 }, "{mnemonic} in {mode:?}, TW {tw}");
            if !legal {
                assert_eq!((machine.csr(csr::MCAUSE), machine.csr(csr::MTVAL)), (2, word.into()));
            }
        }
    }
}

/// An interrupt that is pending is taken when the mode or a register first allows it, before the next instruction.
#[test]
fn an_interrupt_is_taken_as_soon_as_it_is_allowed() {
    let machine = Machine::max();
    const HANDLER: u64 = RAM + 0x1000;
    let mut handler = vec![op("csrrs", 10, 0, 0, csr::MEPC.into())];
    handler.extend(common::finish());
    machine.put(HANDLER, &handler);
    let setup = |mut words: Vec<u32>| {
        words.extend(li(5, HANDLER));
        words.push(op("csrrw", 0, 5, 0, csr::MTVEC.into()));
        words.push(op("addi", 6, 0, 0, 2));
        words
    };
    // By mie, by mip, by mstatus: each last.
    let write = |number: u16, rs1| op("csrrs", 0, rs1, 0, number.into());
    for last in 0..3 {
        let mut words = setup(vec![]);
        words.push(op("addi", 7, 0, 0, 8));
        let mut writes = vec![write(csr::MIE, 6), write(csr::MIP, 6), write(csr::MSTATUS, 7)];
        let late = writes.remove(last);
        words.extend(writes);
        words.push(late);
        let expected = RAM + 4 * words.len() as u64;
        words.extend([op("addi", 9, 0, 0, 1); 8]);
        assert_eq!(machine.outcome(&words), expected, "{last}");
        assert_eq!(machine.x(9), 0);
    }
    // By mret to a lower mode, whose interrupts are M's to take.
    let mut words = setup(vec![op("addi", 5, 0, 0, -1), op("csrrw", 0, 5, 0, csr::PMPADDR0.into())]);
    words.extend([op("addi", 5, 0, 0, 0x1f), op("csrrw", 0, 5, 0, csr::PMPCFG0.into())]);
    words.extend([write(csr::MIE, 6), write(csr::MIP, 6)]);
    words.extend(li(5, RAM + 0x800));
    words.extend([op("csrrw", 0, 5, 0, csr::MEPC.into()), op("mret", 0, 0, 0, 0)]);
    machine.put(RAM + 0x800, &[op("addi", 9, 0, 0, 1); 8]);
    assert_eq!(machine.outcome(&words), RAM + 0x800);
    assert_eq!(machine.x(9), 0);
}

/// `mstatus.FS` is dirty once a floating-point register or `fcsr` was written, and no instruction runs while it is off.
#[test]
fn floating_point_is_dirty_when_written_and_refused_when_off() {
    let machine = Machine::max();
    const INITIAL: u64 = 1 << 13;
    const DIRTY: u64 = 1 << 63 | 3 << 13;
    let cases = [
        (op("fadd.d", 1, 2, 3, 0), true),
        (op("fmv.d.x", 1, 5, 0, 0), true),
        (op("flw", 1, 5, 0, 0), true),
        (op("csrrwi", 0, 1, 0, csr::FFLAGS.into()), true),
        (op("csrrwi", 0, 1, 0, csr::FRM.into()), true),
        (op("fsw", 0, 5, 1, 0), false),
        (op("fmv.x.d", 7, 1, 0, 0), false),
        (op("feq.d", 7, 1, 1, 0), false),
        (op("csrrs", 7, 0, 0, csr::FCSR.into()), false),
    ];
    for (word, writes) in cases {
        for fs in [INITIAL, 0, INITIAL] {
            machine.harts.reset();
            // The same words each time: what ran must be refused, and what was refused must run.
            machine.put(RAM, &[op("addi", 0, 0, 0, 0), word, op("addi", 10, 0, 0, 1)]);
            machine.put(RAM + 12, &common::finish());
            machine.put(RAM + 0x100, &common::finish());
            let setup = move |hart: &mut dyn hartwright_exec::Inspect| {
                hart.set_csr(csr::MTVEC, RAM + 0x100);
                hart.set_csr(csr::MSTATUS, fs);
                hart.set_x(5, SCRATCH.into());
            };
            machine.harts.with(0, setup).unwrap();
            machine.run();
            if fs == 0 {
                assert_eq!(
                    (machine.csr(csr::MCAUSE), machine.csr(csr::MTVAL)),
                    (2, word.into()),
                    "{word:#x}"
                );
                assert_eq!((machine.x(10), machine.csr(csr::MEPC)), (0, RAM + 4));
            } else {
                assert_eq!(machine.x(10), 1, "{word:#x}");
                let status = machine.csr(csr::MSTATUS) & DIRTY;
                assert_eq!(status, if writes { DIRTY } else { INITIAL }, "{word:#x}");
                assert_eq!(machine.csr(csr::SSTATUS) & DIRTY, status);
            }
        }
    }
}

/// The same code, met with floating point on and off by turns.
#[test]
fn code_runs_or_not_as_floating_point_is_on_or_off_now() {
    let machine = Machine::max();
    let csrw = |number: u16, rs1| op("csrrw", 0, rs1, 0, number.into());
    const HANDLER: u64 = RAM + 0x1000;
    machine.put(
        HANDLER,
        &[
            op("addi", 9, 9, 0, 1),
            op("csrrs", 28, 0, 0, csr::MEPC.into()),
            op("addi", 28, 28, 0, 4),
            csrw(csr::MEPC, 28),
            op("mret", 0, 0, 0, 0),
        ],
    );
    let mut words = li(5, HANDLER);
    words.push(csrw(csr::MTVEC, 5));
    // MPP machine, so that the handler returns here; FS dirty, toggled each time around.
    words.extend(li(6, 3 << 11 | 3 << 13));
    words.extend(li(7, 3 << 13));
    words.push(op("addi", 8, 0, 0, 10));
    words.extend([
        csrw(csr::MSTATUS, 6),
        op("jal", 0, 0, 0, 4),
        op("addi", 10, 10, 0, 1),
        op("fadd.d", 1, 2, 3, 0),
        op("addi", 11, 11, 0, 1),
        op("xor", 6, 6, 7, 0),
        op("addi", 8, 8, 0, -1),
        op("bne", 0, 8, 0, -28),
    ]);
    assert_eq!(machine.outcome(&words), 10);
    assert_eq!((machine.x(11), machine.x(9)), (10, 5));
}
