//! The guest side of the battery: the program that gives each case its registers and writes down what it left.

use super::{FINISHER, RAM, op, op_at};
use hartwright_isa::{Ext, cpu::CpuModel, csr};

/// Where the recorder keeps its place: what is next, where it goes, how many are left.
pub(super) const CONTROL: u64 = RAM + 0x1000;

/// The register that goes through `mscratch` on its way into the record.
const KEPT: u32 = 15;

/// What the recorder has to know of a hart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bits of an integer register.
    pub(crate) xlen: u32,
    /// Integer registers: 16 or 32.
    pub(crate) registers: u32,
    /// Bits of a floating-point register that are recorded; 0 if there are none.
    pub(crate) flen: u32,
    /// Whether there is `sc.w`.
    pub(crate) reserves: bool,
}

impl Shape {
    /// 32 bits with G.
    pub(crate) const RV32: Shape = Shape { xlen: 32, registers: 32, flen: 64, reserves: true };
    /// 64 bits with G.
    pub(crate) const RV64: Shape = Shape { xlen: 64, ..Shape::RV32 };
    /// 128 bits with G.
    pub(crate) const RV128: Shape = Shape { xlen: 128, ..Shape::RV32 };

    /// That of a model.
    pub(crate) fn of(model: &CpuModel) -> Shape {
        let has = |ext| model.extensions.has(ext);
        Shape {
            xlen: model.xlen,
            registers: if has(Ext::I) { 32 } else { 16 },
            flen: if has(Ext::D) {
                64
            } else if has(Ext::F) {
                32
            } else {
                0
            },
            reserves: has(Ext::Zalrsc),
        }
    }

    /// Bytes of an integer register.
    pub(super) fn bytes(self) -> u64 {
        u64::from(self.xlen / 8)
    }

    /// Bits of an address and of a CSR: 64 at 128 bits too.
    pub(super) fn csr_bits(self) -> u32 {
        self.xlen.min(64)
    }
}

/// Where a record has what: integer registers from 0, with the program counter in the place of `x0`; the rest in
/// words of 64 bits.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) f: u64,
    pub(super) fcsr: u64,
    pub(super) in_mstatus: u64,
    pub(super) in_satp: u64,
    pub(super) in_watch: u64,
    pub(super) in_size: u64,
    pub(super) out_mcause: u64,
    pub(super) out_mtval: u64,
    pub(super) out_mstatus: u64,
    pub(super) out_watched: u64,
    pub(super) out_size: u64,
}

impl Layout {
    pub(super) fn of(shape: Shape) -> Layout {
        let f = 32 * shape.bytes();
        let fcsr = f + 256;
        Layout {
            f,
            fcsr,
            in_mstatus: fcsr + 8,
            in_satp: fcsr + 16,
            in_watch: fcsr + 24,
            in_size: fcsr + 32,
            out_mcause: fcsr + 8,
            out_mtval: fcsr + 16,
            out_mstatus: fcsr + 24,
            out_watched: fcsr + 32,
            out_size: fcsr + 64,
        }
    }
}

/// A load of a whole integer register.
pub(crate) fn load_x(xlen: u32, rd: u32, base: u32, offset: u64) -> u32 {
    match xlen {
        32 => op("lw", rd, base, 0, offset as i64),
        64 => op("ld", rd, base, 0, offset as i64),
        _ => 0x0000_200f | rd << 7 | base << 15 | (offset as u32) << 20,
    }
}

/// A store of a whole integer register.
pub(crate) fn store_x(xlen: u32, rs2: u32, base: u32, offset: u64) -> u32 {
    match xlen {
        32 => op("sw", 0, base, rs2, offset as i64),
        64 => op("sd", 0, base, rs2, offset as i64),
        _ => 0x0000_4023 | op("sw", 0, base, rs2, offset as i64) & !0x707f,
    }
}

/// Instructions that write 0x5555 to the finisher, and wait.
fn finish() -> [u32; 6] {
    [
        op("lui", 15, 0, 0, FINISHER as i64),
        op("lui", 14, 0, 0, 0x5000),
        op("addi", 14, 14, 0, 0x555),
        op("sw", 0, 15, 14, 0),
        op("wfi", 0, 0, 0, 0),
        op("jal", 0, 0, 0, -4),
    ]
}

/// The program. Its registers are x12 to x15, which every base has; `mscratch` keeps the address of its control
/// words.
pub(super) fn recorder(shape: Shape) -> Vec<u32> {
    const CONTROL_REG: u32 = KEPT;
    const RECORD: u32 = 14;
    const TEMP: u32 = 13;
    const OTHER: u32 = 12;
    const INPUT: u64 = 0;
    const OUTPUT: u64 = 8;
    const LEFT: u64 = 16;
    const CURRENT: u64 = 24;
    const UNUSED: i64 = 40;
    const SAVED: u64 = 48;
    let layout = Layout::of(shape);
    let load = |rd, offset, base| load_x(shape.csr_bits(), rd, base, offset);
    let store = |rs2, offset, base| store_x(shape.csr_bits(), rs2, base, offset);
    let load_whole = |r| load_x(shape.xlen, r, RECORD, shape.bytes() * u64::from(r));
    let store_whole = |r, from| store_x(shape.xlen, from, RECORD, shape.bytes() * u64::from(r));
    let csrw = |csr: u16, rs1| op("csrrw", 0, rs1, 0, csr.into());
    let csrr = |rd, csr: u16| op("csrrs", rd, 0, 0, csr.into());
    let swap = |r, csr: u16| op("csrrw", r, r, 0, csr.into());
    let float_on = [op("lui", TEMP, 0, 0, 0x6000), op("csrrs", 0, TEMP, 0, csr::MSTATUS.into())];
    let floats = |mnemonics: [&'static str; 2]| {
        let mnemonic = mnemonics[usize::from(shape.flen == 64)];
        (0..if shape.flen == 0 { 0 } else { 32u32 }).map(move |r| {
            let (rd, rs2) = if mnemonic.starts_with("fl") { (r, 0) } else { (0, r) };
            op_at(shape.xlen, mnemonic, rd, RECORD, rs2, (layout.f + 8 * u64::from(r)) as i64)
        })
    };
    // x14 and x15 hold the recorder's own until the last moment.
    let others = || (1..shape.registers).filter(|r| *r != RECORD && *r != CONTROL_REG);

    let mut next = vec![
        csrr(CONTROL_REG, csr::MSCRATCH),
        load(RECORD, LEFT, CONTROL_REG),
        0, // To the end if none is left.
        op("addi", RECORD, RECORD, 0, -1),
        store(RECORD, LEFT, CONTROL_REG),
        load(RECORD, INPUT, CONTROL_REG),
        op("addi", TEMP, RECORD, 0, layout.in_size as i64),
        store(TEMP, INPUT, CONTROL_REG),
        store(RECORD, CURRENT, CONTROL_REG),
        load(TEMP, 0, RECORD),
        csrw(csr::MEPC, TEMP),
    ];
    if shape.flen != 0 {
        next.extend([load(TEMP, layout.fcsr, RECORD), csrw(csr::FCSR, TEMP)]);
    }
    if shape.reserves {
        // No case has a reservation of the one before; whether that survives a trap is everyone's own affair.
        next.extend([op("addi", TEMP, CONTROL_REG, 0, UNUSED), op("sc.w", 0, TEMP, 0, 0)]);
    }
    next.extend(floats(["flw", "fld"]));
    next.extend([load(TEMP, layout.in_satp, RECORD), csrw(csr::SATP, TEMP), op("sfence.vma", 0, 0, 0, 0)]);
    next.extend([load(TEMP, layout.in_mstatus, RECORD), csrw(csr::MSTATUS, TEMP)]);
    next.extend(others().map(load_whole));
    next.extend([load_whole(CONTROL_REG), load_whole(RECORD), op("mret", 0, 0, 0, 0)]);

    let mut handler = vec![
        swap(CONTROL_REG, csr::MSCRATCH),
        store_x(shape.xlen, RECORD, CONTROL_REG, SAVED),
        load(RECORD, OUTPUT, CONTROL_REG),
    ];
    handler.extend(others().map(|r| store_whole(r, r)));
    handler.extend([load_x(shape.xlen, TEMP, CONTROL_REG, SAVED), store_whole(RECORD, TEMP)]);
    // What was in x15 is in mscratch, all of it; the address goes back.
    handler.extend([
        op("addi", TEMP, CONTROL_REG, 0, 0),
        swap(TEMP, csr::MSCRATCH),
        store_whole(CONTROL_REG, TEMP),
    ]);
    for (csr, offset) in [
        (csr::MSTATUS, layout.out_mstatus),
        (csr::MEPC, 0),
        (csr::MCAUSE, layout.out_mcause),
        (csr::MTVAL, layout.out_mtval),
    ] {
        handler.extend([csrr(TEMP, csr), store(TEMP, offset, RECORD)]);
    }
    if shape.flen != 0 {
        handler.extend(float_on);
        handler.extend([csrr(TEMP, csr::FCSR), store(TEMP, layout.fcsr, RECORD)]);
        handler.extend(floats(["fsw", "fsd"]));
    }
    handler.extend([load(TEMP, CURRENT, CONTROL_REG), load(TEMP, layout.in_watch, TEMP)]);
    let step = u64::from(shape.csr_bits() / 8);
    handler.extend(
        (0..32 / step)
            .map(|i| i * step)
            .flat_map(|at| [load(OTHER, at, TEMP), store(OTHER, layout.out_watched + at, RECORD)]),
    );
    handler
        .extend([op("addi", RECORD, RECORD, 0, layout.out_size as i64), store(RECORD, OUTPUT, CONTROL_REG)]);

    // Everything begins here: the handler's address, all of memory open to S and U, floating point on.
    let mut words = vec![
        op("auipc", CONTROL_REG, 0, 0, (CONTROL - RAM) as i64),
        csrw(csr::MSCRATCH, CONTROL_REG),
        op("auipc", RECORD, 0, 0, 0),
        0, // The handler's distance from the word before.
        csrw(csr::MTVEC, RECORD),
        op("addi", RECORD, 0, 0, -1),
        csrw(csr::PMPADDR0, RECORD),
        op("addi", RECORD, 0, 0, 0x1f),
        csrw(csr::PMPCFG0, RECORD),
    ];
    words.extend(float_on);
    let next_at = words.len();
    next[2] = op("beq", 0, RECORD, 0, 4 * (next.len() as i64 - 2));
    words.extend(next);
    words.extend(finish());
    words[3] = op("addi", RECORD, RECORD, 0, 4 * (words.len() as i64 - 2));
    words.extend(handler);
    words.push(op("jal", 0, 0, 0, 4 * (next_at as i64 - words.len() as i64)));
    words
}
