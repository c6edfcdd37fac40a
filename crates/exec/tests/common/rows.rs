//! From a row of the tables to cases: each class of operands with each rounding mode, so many times.

use super::{
    RAM, Rng,
    battery::{Battery, Case, FREE, MACHINE, SCRATCH, SCRATCH_SIZE, SIZE},
    classes::{ADDRESSES, Address, FLOATS, Float, INTEGERS, MODES, RESERVED, Rounding},
    op, place,
    recorder::{Shape, load_x},
};
use hartwright_isa::{
    Compressed, Decoded, Decoder, Ext, ExtSet, Format, Insn, Widths, compressed_rows, csr, rows,
};

/// One row of either table.
#[derive(Clone, Copy)]
pub(crate) enum Row {
    /// 32 bits.
    Wide(&'static Insn),
    /// 16 bits, and the row of what it means.
    Narrow(&'static Compressed, &'static Insn),
}

/// Every row that a CPU has, of both tables.
pub(crate) fn rows_of(extensions: ExtSet, xlen: u32) -> Vec<Row> {
    let wide = || rows().map(|(_, insn)| insn).filter(|insn| insn.is_in(extensions, xlen));
    let has = |c: &&Compressed| c.widths.has(xlen) && c.needs.iter().all(|ext| extensions.has(*ext));
    let narrow = compressed_rows().filter(has).filter_map(|c| {
        let base = wide().find(|insn| insn.mnemonic == c.base)?;
        Some(Row::Narrow(c, base))
    });
    wide().map(Row::Wide).chain(narrow).collect()
}

/// Registers to try CSR instructions on: plain storage to both, and some that are not there or cannot be written.
const CSRS: &[u16] = &[
    csr::FFLAGS,
    csr::FRM,
    csr::FCSR,
    csr::SSCRATCH,
    csr::SCAUSE,
    csr::STVAL,
    csr::SEPC,
    csr::MHARTID,
    csr::MVENDORID,
    0x5c0,
];

/// `mstatus.FS`.
const FS: u64 = 3 << 13;
/// `c.ebreak`, which ends a case wherever it lands.
const EBREAK: [u8; 2] = [0x02, 0x90];
/// Bytes of them on either side of a jump.
const LANDING: u64 = 64;
/// Cases that share their code.
const CASES_PER_PIECE: u64 = 5;
/// Where nothing is, neither here nor in QEMU.
const NOWHERE: u64 = RAM + 2 * SIZE;

const _: () = assert!(FREE < NOWHERE);

/// Whether a mnemonic begins with one of these.
pub(crate) fn is(mnemonic: &str, list: &[&str]) -> bool {
    list.iter().any(|prefix| mnemonic.starts_with(prefix))
}

impl Row {
    pub(crate) fn mnemonic(self) -> &'static str {
        match self {
            Row::Wide(insn) => insn.mnemonic,
            Row::Narrow(c, _) => c.mnemonic,
        }
    }

    /// The extension that brings it, or the first of those that do.
    pub(crate) fn extension(self) -> Ext {
        match self {
            Row::Wide(insn) => insn.needs[0],
            Row::Narrow(c, _) => c.needs[0],
        }
    }

    /// The register widths that have it.
    pub(crate) fn widths(self) -> Widths {
        match self {
            Row::Wide(insn) => insn.widths,
            Row::Narrow(c, _) => c.widths,
        }
    }

    /// What it means.
    fn base(self) -> &'static Insn {
        match self {
            Row::Wide(insn) | Row::Narrow(_, insn) => insn,
        }
    }

    fn has(self, operand: &str) -> bool {
        self.base().syntax.iter().any(|(name, _)| *name == operand)
    }

    /// Whether it has an address, which is in a register.
    fn is_access(self) -> bool {
        let based = self.base().syntax.iter().any(|(_, base)| !base.is_empty());
        based && self.base().mnemonic != "jalr"
    }

    /// Whether all that it does is to compute an integer register from others.
    pub(crate) fn computes(self) -> bool {
        self.has("rd") && self.has("rs1") && !self.has("csr")
    }

    /// The registers of floating point that it reads.
    fn floats(self, d: &Decoded) -> Vec<u8> {
        let all = [("fs1", d.rs1), ("fs2", d.rs2), ("fs3", d.rs3)];
        all.into_iter().filter(|(name, _)| self.has(name)).map(|(_, r)| r).collect()
    }

    /// The integer registers that it computes with.
    fn integers(self, d: &Decoded) -> Vec<u8> {
        let all = [("rs1", d.rs1), ("rs2", d.rs2)];
        all.into_iter().filter(|(name, _)| self.has(name)).map(|(_, r)| r).collect()
    }

    fn reads_floats(self) -> bool {
        ["fs1", "fs2", "fs3"].iter().any(|name| self.has(name))
    }

    /// Whether bits 12 to 14 are a rounding mode.
    pub(crate) fn rounds(self) -> bool {
        let (mask, value) = self.base().pattern;
        let computes = matches!(value & 0x7f, 0x43 | 0x47 | 0x4b | 0x4f | 0x53);
        matches!(self, Row::Wide(_)) && computes && mask & 0x7000 == 0
    }

    /// Bytes of what it accesses.
    fn size(self) -> u64 {
        let mnemonic = self.base().mnemonic;
        match mnemonic.rsplit('.').next().and_then(|last| last.trim_end_matches('u').chars().last()) {
            Some('b') => 1,
            Some('h') => 2,
            Some('w') => 4,
            Some('q') => 16,
            _ => 8,
        }
    }
}

/// What is varied about a row.
#[derive(Clone, Copy, Debug)]
enum Class {
    Integer(usize),
    Float(usize),
    Address(usize),
    /// It reads nothing.
    Nothing,
}

/// Every 16-bit pattern of each row of 16 bits.
pub(crate) struct Patterns {
    decoder: Decoder,
    narrow: Vec<(&'static str, Vec<u32>)>,
}

impl Patterns {
    pub(crate) fn new(extensions: ExtSet, xlen: u32) -> Self {
        let decoder = Decoder::new(extensions, xlen);
        let mut narrow = vec![];
        let all = rows_of(extensions, xlen);
        let mut table: Vec<_> =
            all.iter().filter_map(|row| if let Row::Narrow(c, _) = row { Some(*c) } else { None }).collect();
        table.sort_by_key(|c| std::cmp::Reverse(c.pattern.0.count_ones()));
        for c in &table {
            narrow.push((c.mnemonic, vec![]));
        }
        for raw in (0..0x1_0000u32).filter(|raw| raw & 3 != 3) {
            let Some(d) = decoder.decode(raw, 0) else { continue };
            let jumps = is(d.insn().mnemonic, &["beq", "bne"]) || d.insn().mnemonic == "jal";
            // Jumps beyond the landing would leave the case.
            if jumps && (d.imm == 0 || !(-60..60).contains(&d.imm)) {
                continue;
            }
            let at = table.iter().position(|c| raw & c.pattern.0 == c.pattern.1);
            narrow[at.expect("what decodes has a row")].1.push(raw);
        }
        Patterns { decoder, narrow }
    }

    /// One encoding of a row.
    fn one(&self, row: Row, rng: &mut Rng, registers: u32) -> u32 {
        let insn = match row {
            Row::Narrow(c, _) => {
                let of = self.narrow.iter().find(|(mnemonic, _)| *mnemonic == c.mnemonic);
                return rng.pick(&of.expect("every row has patterns").1);
            }
            Row::Wide(insn) => insn,
        };
        let (mask, value) = insn.pattern;
        let mut free = !mask;
        if registers == 16 {
            // Others than those that there are QEMU has all the same.
            let fields = [("rd", 11), ("old", 11), ("rs1", 19), ("rs2", 24), ("new", 24)];
            let uses =
                |name: &str| insn.syntax.iter().any(|(operand, base)| *operand == name || *base == name);
            fields.iter().filter(|(name, _)| uses(name)).for_each(|(_, bit)| free &= !(1 << bit));
        }
        let mut raw = value | rng.next() as u32 & free;
        match insn.format {
            Format::B | Format::J => {
                raw &= !place(insn.format, u32::MAX);
                raw |= place(insn.format, landing(rng) as u32);
            }
            Format::Z => {
                raw = raw & 0xf_ffff | u32::from(rng.pick(CSRS)) << 20;
                if rng.one_in(4) {
                    // From `x0`, which may mean that nothing is written.
                    raw &= !(31 << 15);
                }
            }
            _ => {}
        }
        raw
    }
}

/// How far a jump may go: not to itself, nor into its own middle.
fn landing(rng: &mut Rng) -> i64 {
    let bytes = 4 + 2 * rng.below(LANDING / 4) as i64;
    if rng.one_in(2) { bytes } else { 2 - bytes }
}

/// One instruction, placed in memory with what it needs around it.
struct Piece {
    row: Row,
    name: String,
    d: Decoded,
    /// Where the case begins, and where the instruction is.
    pc: u64,
    at: u64,
    mode: Option<Rounding>,
}

/// Makes the cases of rows.
pub(crate) struct Maker<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) patterns: &'a Patterns,
    pub(crate) shape: Shape,
}

impl Maker<'_> {
    /// The cases of one row: each of its classes with each mode, `times` times.
    pub(crate) fn all(&mut self, battery: &mut Battery, row: Row, times: u64) {
        let classes: Vec<Class> = if row.reads_floats() {
            (0..FLOATS.len()).map(Class::Float).collect()
        } else if row.has("rs1") || row.has("rs2") {
            (0..INTEGERS.len()).map(Class::Integer).collect()
        } else if row.is_access() {
            (0..ADDRESSES.len()).map(Class::Address).collect()
        } else {
            vec![Class::Nothing]
        };
        for class in classes {
            if !row.rounds() {
                self.some(battery, row, class, None, times, MACHINE);
                continue;
            }
            for mode in MODES {
                self.some(battery, row, class, Some(Rounding::Static(mode)), times.div_ceil(2), MACHINE);
                self.some(battery, row, class, Some(Rounding::Dynamic(mode)), times.div_ceil(2), MACHINE);
            }
        }
        let any = if row.reads_floats() {
            Class::Float(FLOATS.len() - 1)
        } else if row.has("rs1") {
            Class::Integer(INTEGERS.len() - 1)
        } else {
            Class::Nothing
        };
        if row.rounds() {
            for mode in RESERVED {
                self.some(battery, row, any, Some(*mode), times.div_ceil(5), MACHINE);
            }
        }
        if row.reads_floats() || row.has("fd") || row.has("csr") {
            let mode = row.rounds().then_some(Rounding::Dynamic(0));
            self.some(battery, row, any, mode, times.div_ceil(5), MACHINE & !FS);
        }
    }

    fn some(
        &mut self,
        battery: &mut Battery,
        row: Row,
        class: Class,
        mode: Option<Rounding>,
        times: u64,
        mstatus: u64,
    ) {
        let mut piece = None;
        for i in 0..times {
            if i % CASES_PER_PIECE == 0 {
                piece = Some(self.piece(battery, row, mode));
            }
            let case = self.case(piece.as_ref().expect("the first made one"), class, i, mstatus);
            battery.cases.push(case);
        }
    }

    fn piece(&mut self, battery: &mut Battery, row: Row, mode: Option<Rounding>) -> Piece {
        let mut raw = self.patterns.one(row, self.rng, self.shape.registers);
        if let Some(mode) = mode {
            let field = if let Rounding::Static(mode) = mode { mode as u32 } else { 7 };
            raw = raw & !0x7000 | field << 12;
        }
        let (before, after) = self.around(row, raw);
        let jumps = ["target", "jalr"].iter().any(|name| row.has(name) || row.base().mnemonic == *name)
            || is(row.mnemonic(), &["mret", "sret"]);
        let landing = if jumps { EBREAK.repeat(LANDING as usize / 2) } else { vec![] };
        let pc = battery.here() + landing.len() as u64;
        let at = pc + before.len() as u64;
        let d = self.patterns.decoder.decode(raw, at);
        let d = d.unwrap_or_else(|| panic!("{}: {raw:#x} decodes", row.mnemonic()));
        let instruction = &raw.to_le_bytes()[..d.len.into()];
        let end = if jumps { &landing } else { &EBREAK[..] };
        battery.code(&[&landing, &before, instruction, &after, end].concat());
        let text = d.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let name = format!("{} {raw:#010x} (after {before:02x?}: {text})", row.mnemonic());
        Piece { row, name, d, pc, at, mode }
    }

    /// What comes before and after an instruction, so that it does something.
    fn around(&mut self, row: Row, raw: u32) -> (Vec<u8>, Vec<u8>) {
        let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let mnemonic = row.mnemonic();
        let csrw = |csr: u16, rs1| op("csrrw", 0, rs1, 0, csr.into());
        // Software's interrupt of S-mode, which wakes and is not taken.
        let pending = |mnemonic, csr: u16| op(mnemonic, 0, 2, 0, csr.into());
        let (rd, base) = (raw >> 7 & 31, raw >> 15 & 31);
        let (before, after) = match mnemonic {
            "mret" => (vec![csrw(csr::MEPC, 5), csrw(csr::MSTATUS, 6)], vec![]),
            "sret" => (vec![csrw(csr::SEPC, 5), csrw(csr::MSTATUS, 6)], vec![]),
            "wfi" | "wrs.nto" | "wrs.sto" => (
                vec![pending("csrrsi", csr::MIE), pending("csrrsi", csr::MIP)],
                vec![pending("csrrci", csr::MIP), pending("csrrci", csr::MIE)],
            ),
            // After a reservation of the same word, by which it succeeds unless that changed its address.
            _ if is(mnemonic, &["sc."]) && !self.rng.one_in(3) => {
                (vec![0x1000_002f | raw & 0x7000 | base << 15 | (self.register()) << 7], vec![])
            }
            // After a load of what is there, by which it swaps.
            _ if is(mnemonic, &["amocas"]) && rd | 1 != base | 1 && !self.rng.one_in(3) => {
                let bytes = u64::from(self.shape.csr_bits() / 8);
                let load = |i| load_x(self.shape.csr_bits(), rd | i as u32, base, i * bytes);
                (if row.size() > bytes { vec![load(0), load(1)] } else { vec![load(0)] }, vec![])
            }
            _ => (vec![], vec![]),
        };
        (bytes(&before), bytes(&after))
    }

    fn register(&mut self) -> u32 {
        self.rng.below(self.shape.registers.into()) as u32
    }

    /// One case of a piece; number `i` of its class.
    fn case(&mut self, piece: &Piece, class: Class, i: u64, mstatus: u64) -> Case {
        let (rng, shape, row, d) = (&mut *self.rng, self.shape, piece.row, &piece.d);
        let integer = |rng: &mut Rng, class: Option<usize>| {
            let class = class.unwrap_or_else(|| rng.below(INTEGERS.len() as u64) as usize);
            INTEGERS[class].1(rng, shape.xlen) & u128::MAX >> (128 - shape.xlen)
        };
        let format = Float::of(row.mnemonic());
        let mut x = [0; 32];
        (1..shape.registers as usize).for_each(|r| x[r] = integer(rng, None));
        let mut f = [0; 32];
        if shape.flen != 0 {
            f = std::array::from_fn(|_| FLOATS[rng.below(FLOATS.len() as u64) as usize].1(rng, format));
        }
        let frm = match piece.mode {
            Some(Rounding::Dynamic(frm)) => frm,
            _ => rng.below(8),
        };
        let fcsr = if shape.flen == 0 { 0 } else { frm << 5 | rng.below(32) };
        match class {
            Class::Integer(class) => {
                let sources = row.integers(d);
                x[sources[i as usize % sources.len()] as usize] = integer(rng, Some(class));
            }
            Class::Float(class) => {
                let sources = row.floats(d);
                f[sources[i as usize % sources.len()] as usize] = FLOATS[class].1(rng, format);
            }
            Class::Address(_) | Class::Nothing => {}
        }
        if shape.flen == 32 {
            f.iter_mut().for_each(|f| *f &= 0xffff_ffff);
        }
        let mut case =
            Case { name: piece.name.clone(), pc: piece.pc, x, f, fcsr, mstatus, satp: 0, watch: SCRATCH };
        let address = match class {
            Class::Address(class) => ADDRESSES[class].1,
            _ => ADDRESSES[i as usize % ADDRESSES.len()].1,
        };
        aim(&mut case, rng, piece, address, shape.registers);
        case
    }
}

/// Makes addresses lead where they should.
fn aim(case: &mut Case, rng: &mut Rng, piece: &Piece, class: Address, registers: u32) {
    let mut to = |r: u8, addr: u64| case.x[r as usize] = addr.into();
    let mnemonic = piece.row.mnemonic();
    // Not into what comes before the instruction.
    let land = |rng: &mut Rng| match landing(rng) {
        ahead @ 0.. => piece.at.wrapping_add_signed(ahead),
        back => piece.pc.wrapping_add_signed(back),
    };
    match piece.row.base().mnemonic {
        "mret" | "sret" => {
            to(5, land(rng));
            // To any mode there is.
            let (mpp, spp) = (rng.pick(&[0u64, 1, 3]), rng.below(2));
            let rest = rng.next() & (1 << 1 | 1 << 5 | 1 << 7 | 1 << 17 | 7 << 18);
            let mie = if mnemonic == "mret" { 1 << 3 & rng.next() } else { 0 };
            to(6, mpp << 11 | spp << 8 | FS | rest | mie);
        }
        "jalr" => {
            let odd = u64::from(rng.one_in(4));
            let target = land(rng) | odd;
            to(piece.d.rs1, target.wrapping_add_signed(-i64::from(piece.d.imm)));
        }
        _ if piece.row.is_access() => {
            let size = piece.row.size();
            let anywhere = SCRATCH + 64 + rng.below(SCRATCH_SIZE - 256);
            let addr = match class {
                Address::Aligned => anywhere / size * size,
                Address::Misaligned if size > 1 => anywhere / size * size + 1 + rng.below(size - 1),
                Address::Misaligned => anywhere,
                Address::PageEnd => SCRATCH + 0x1000 - size + rng.below(2 * size),
                Address::Nowhere => NOWHERE + rng.below(64),
            };
            if class != Address::Nowhere {
                case.watch = addr & !7;
            }
            case.x[piece.d.rs1 as usize] = u128::from(addr.wrapping_add_signed(-i64::from(piece.d.imm)));
        }
        _ => {}
    }
    case.x[0] = 0;
    case.x[registers as usize..].fill(0);
}
