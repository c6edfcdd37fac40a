//! What a hart does, as text, for who asked (`-d`). It costs one test a block when nobody did.

use hartwright_hart::{Cause, Hart};
use hartwright_ir::Width;
use hartwright_isa::{Decoded, FLOAT_NAMES, INT_NAMES, csr};
use std::{
    collections::HashSet,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
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
    /// Blocks whose instructions were shown.
    shown: Mutex<HashSet<u64>>,
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

    /// Sets who writes the text.
    pub fn set_writer(&self, writer: impl Fn(&str) + Send + Sync + 'static) {
        *self.0.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(writer));
    }

    /// Sets who names addresses.
    pub fn set_symbols(&self, symbols: impl Fn(u64) -> Option<String> + Send + Sync + 'static) {
        *self.0.symbols.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(symbols));
    }

    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.0.mask.load(Ordering::Relaxed) != 0
    }

    #[inline(always)]
    pub(crate) fn has(&self, what: Tracing) -> bool {
        self.0.mask.load(Ordering::Relaxed) & what.0 != 0
    }

    #[cold]
    pub(crate) fn block<'d, W: Width>(&self, hart: &Hart<W>, steps: impl Iterator<Item = &'d Decoded>) {
        let pc = hart.pc();
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
