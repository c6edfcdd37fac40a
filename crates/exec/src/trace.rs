//! What a hart does, as text, for who asked (`-d`). It costs one test a block when nobody did.

use hartwright_hart::{Access, Cause, Hart, Privilege, Trap};
use hartwright_ir::Width;
use hartwright_isa::{Decoded, FLOAT_NAMES, INT_NAMES, csr};
use std::{
    collections::HashSet,
    fmt::Write,
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// What is traced: bits of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracing(pub u32);

impl Tracing {
    /// Each block's instructions when it is first run.
    pub const IN_ASM: Tracing = Tracing(1);
    /// Each block that runs.
    pub const EXEC: Tracing = Tracing(2);
    /// Exceptions and interrupts.
    pub const INT: Tracing = Tracing(4);
    /// The registers before each block.
    pub const CPU: Tracing = Tracing(8);
    /// Translations by page tables, and those that failed.
    pub const MMU: Tracing = Tracing(16);
    /// The operations of each block that is translated.
    pub const OP: Tracing = Tracing(32);
    /// The host's code of each block that is translated.
    pub const OUT_ASM: Tracing = Tracing(64);
    /// What is seen block by block.
    const BLOCKS: Tracing = Tracing(1 | 2 | 8);
    /// What is seen each time a block runs, and so by the interpreter alone.
    pub(crate) const EACH: Tracing = Tracing(2 | 8);
}

/// Where traces go; clones are the same. Shared by all harts of a machine.
#[derive(Clone, Default)]
pub struct Trace(Arc<Shared>);

type Writer = dyn Fn(&str) + Send + Sync;
type Symbols = dyn Fn(u64) -> Option<String> + Send + Sync;

#[derive(Default)]
struct Shared {
    mask: AtomicU32,
    writer: Mutex<Option<Arc<Writer>>>,
    symbols: Mutex<Option<Arc<Symbols>>>,
    /// Where translated code is named.
    map: OnceLock<Box<Writer>>,
    /// Blocks whose instructions were shown.
    shown: Mutex<HashSet<u64>>,
    /// The code that is shown block by block; all of it if there is none.
    filter: RwLock<Vec<RangeInclusive<u64>>>,
}

impl Trace {
    /// Sets what is traced: an or of [`Tracing`] bits.
    pub fn set_mask(&self, mask: u32) {
        self.0.mask.store(mask, Ordering::Relaxed);
    }

    /// What is traced.
    pub fn mask(&self) -> u32 {
        self.0.mask.load(Ordering::Relaxed)
    }

    /// Shows only blocks that begin in one of these ranges of addresses; in none: all.
    pub fn set_filter(&self, filter: Vec<RangeInclusive<u64>>) {
        *self.0.filter.write().unwrap_or_else(PoisonError::into_inner) = filter;
    }

    /// Sets who writes the text.
    pub fn set_writer(&self, writer: impl Fn(&str) + Send + Sync + 'static) {
        *self.0.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(writer));
    }

    /// Sets who hears of translated code: lines as perf reads them, an address of the host, bytes, and a name. The
    /// first who is set stays.
    pub fn set_map(&self, map: impl Fn(&str) + Send + Sync + 'static) {
        let _ = self.0.map.set(Box::new(map));
    }

    /// Names the translated code of the block at `pc`.
    pub(crate) fn map(&self, pc: u64, address: u64, size: usize) {
        if let Some(map) = self.0.map.get() {
            map(&format!("{address:x} {size:x} {}\n", self.symbol(pc).trim_end()));
        }
    }

    /// Sets who names addresses.
    pub fn set_symbols(&self, symbols: impl Fn(u64) -> Option<String> + Send + Sync + 'static) {
        *self.0.symbols.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(symbols));
    }

    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.has(Tracing::BLOCKS)
    }

    #[inline(always)]
    pub(crate) fn has(&self, what: Tracing) -> bool {
        self.0.mask.load(Ordering::Relaxed) & what.0 != 0
    }

    #[cold]
    pub(crate) fn block<'d, W: Width>(&self, hart: &Hart<W>, steps: impl Iterator<Item = &'d Decoded>) {
        let pc = hart.pc();
        let filter = self.0.filter.read().unwrap_or_else(PoisonError::into_inner);
        if !filter.is_empty() && !filter.iter().any(|range| range.contains(&pc)) {
            return;
        }
        drop(filter);
        let mut text = String::new();
        if self.has(Tracing::IN_ASM) && self.0.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(pc)
        {
            let _ = writeln!(text, "----------------\nIN: {}", self.symbol(pc));
            let _ = writeln!(text, "Priv: {}; Virt: 0\n", hart.privilege() as u8);
            for d in steps {
                let digits = usize::from(d.len) * 2;
                let raw = format!("{:0digits$x}", d.raw);
                let _ = writeln!(text, "{:#018x}:  {raw:<16}  {d}", d.pc);
            }
            text.push('\n');
        }
        if self.has(Tracing::CPU) {
            text.push_str(&registers(hart));
        }
        if self.has(Tracing::EXEC) {
            let _ = writeln!(text, "Trace {}: [{pc:016x}] {}", hart.config().id, self.symbol(pc));
        }
        self.write(&text);
    }

    /// Has `hart` tell of its translations.
    pub(crate) fn observe<W: Width>(&self, hart: &Hart<W>) {
        let (trace, id) = (self.clone(), hart.config().id);
        hart.observe(Box::new(move |addr, access, mode, to| {
            if trace.has(Tracing::MMU) {
                trace.translation(id, addr, access, mode, to);
            }
        }));
    }

    fn translation(
        &self,
        hart: u64,
        addr: u64,
        access: Access,
        mode: Privilege,
        to: Result<(u64, u64), Trap>,
    ) {
        let access = match access {
            Access::Fetch => "fetch",
            Access::Load => "load",
            Access::Store => "store",
        };
        let mode = match mode {
            Privilege::User => 'U',
            Privilege::Supervisor => 'S',
            Privilege::Machine => 'M',
        };
        let to = match to {
            Ok((addr, size)) => format!("{addr:#018x}, page of {size:#x} bytes"),
            Err(trap) => Cause::describe(trap.cause as u64).replace('_', " "),
        };
        self.write(&format!("mmu: hart {hart} {mode} {access} {addr:#018x} -> {to}\n"));
    }

    pub(crate) fn interrupt<W: Width>(&self, hart: &Hart<W>, code: u64, interrupt: bool, tval: u64) {
        self.interrupt_at(hart, hart.pc(), code, interrupt, tval);
    }

    pub(crate) fn interrupt_at<W: Width>(
        &self,
        hart: &Hart<W>,
        pc: u64,
        code: u64,
        interrupt: bool,
        tval: u64,
    ) {
        // QEMU's line, word for word: scripts that read `-d int` look for it.
        let what = Cause::describe(if interrupt { 1 << 63 | code } else { code });
        self.write(&format!(
            "riscv_cpu_do_interrupt: hart:{}, async:{}, cause:{code:016x}, epc:{pc:#018x}, tval:{tval:#018x}, desc={}\n",
            hart.config().id,
            u8::from(interrupt),
            what.replace([' ', '/', '-'], "_"),
        ));
    }

    fn symbol(&self, addr: u64) -> String {
        let symbols = self.0.symbols.lock().unwrap_or_else(PoisonError::into_inner).clone();
        symbols.and_then(|symbols| symbols(addr)).unwrap_or_default()
    }

    /// Writes text of others among its own.
    pub fn write(&self, text: &str) {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(writer) = writer
            && !text.is_empty()
        {
            writer(text);
        }
    }
}

/// All registers, as QEMU's `info registers` lays them out.
pub(crate) fn registers<W: Width>(hart: &Hart<W>) -> String {
    const CSRS: &[u16] = &[
        csr::MHARTID,
        csr::MSTATUS,
        csr::MIP,
        csr::MIE,
        csr::MIDELEG,
        csr::MEDELEG,
        csr::MTVEC,
        csr::STVEC,
        csr::MEPC,
        csr::SEPC,
        csr::MCAUSE,
        csr::SCAUSE,
        csr::MTVAL,
        csr::STVAL,
        csr::MSCRATCH,
        csr::SSCRATCH,
        csr::SATP,
    ];
    let digits = W::BITS as usize / 4;
    // Addresses and CSRs have at most 64 bits.
    let narrow = digits.min(16);
    let mut text = format!(" {:<13} {:0narrow$x}\n", "pc", hart.pc());
    for number in CSRS {
        if let (Some(name), Some(value)) = (csr::name(*number), hart.read_csr(*number)) {
            let _ = writeln!(text, " {name:<13} {value:0narrow$x}");
        }
    }
    for (r, name) in (0u8..).zip(INT_NAMES) {
        let end = if r % 4 == 3 { "\n" } else { "" };
        let _ = write!(text, " {:<8} {:0digits$x}{end}", format!("x{r}/{name}"), hart.x(r));
    }
    if hart.float_on() {
        for (r, name) in (0u8..).zip(FLOAT_NAMES) {
            let end = if r % 4 == 3 { "\n" } else { "" };
            let _ = write!(text, " {:<8} {:016x}{end}", format!("f{r}/{name}"), hart.f(r));
        }
    }
    text
}
