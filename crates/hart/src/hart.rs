//! The hart itself: what it holds, and how it is reset.

use crate::{
    counters::Counters,
    near::{Near, NearPages},
    open::Open,
    pmp::Pmp,
    port::Port,
    status::{MSTATUS_MPRV, MSTATUS_SUM},
    tlb::{Fetched, Slot, Tlb, View},
    trap::{Cause, Privilege, Trap},
    triggers::Triggers,
};
use hartwright_ir::Width;
use hartwright_isa::{Ext, cpu::CpuModel};
use hartwright_mem::{Access, AddressSpace, Ram};
use hartwright_wire::{Comparator, Entropy, Line, Mtime};
use std::{
    cell::{Cell, OnceCell, RefCell},
    mem::offset_of,
    sync::Arc,
};

/// How many of the low bits of [`Hart::rules`] say how code runs.
const MODE_BITS: u32 = 4;

/// What a hart is made of and connected to.
#[derive(Clone)]
pub struct Config {
    /// Which kind of hart.
    pub model: CpuModel,
    /// `mhartid`.
    pub id: u64,
    /// Where it begins after a reset.
    pub reset_pc: u64,
    /// What it addresses.
    pub space: Arc<AddressSpace>,
    /// Its `time`.
    pub mtime: Arc<Mtime>,
    /// What polling its `seed` gives (Zkr).
    pub entropy: Entropy,
}

/// Says which pages may be accessed how, where no page tables do: in user mode the emulator is the kernel.
///
/// What it allows is kept at hand until the hart's [`flush`](Hart::flush).
pub trait Protection: Send + Sync {
    /// Whether the page of `addr` may be accessed; if not, the exception that the access raises.
    fn check(&self, addr: u64, access: Access) -> Result<(), Cause>;
}

/// One hart with integer registers of width `W`. Addresses and CSRs have 64 bits, or 32 if registers have no more.
pub struct Hart<W> {
    config: Config,
    port: Arc<Port>,
    pub(crate) x: [Cell<W>; 32],
    pub(crate) f: [Cell<u64>; 32],
    pub(crate) pc: Cell<u64>,
    privilege: Cell<Privilege>,
    pub(crate) csrs: Csrs,
    pub(crate) counters: Counters,
    pub(crate) triggers: Triggers,
    pub(crate) pmp: Pmp,
    pub(crate) open: Cell<Open>,
    pub(crate) tlb: Tlb,
    pub(crate) near: Near,
    /// Whose rules loads and stores go by; follows from privilege and `mstatus`.
    pub(crate) view: Cell<View>,
    rules: Cell<u64>,
    pub(crate) reservation: Reservation,
    /// Instructions retired since reset.
    pub(crate) instret: Cell<u64>,
    /// Traps taken since reset, exceptions and interrupts.
    pub(crate) trapped: Cell<u64>,
    /// Whether a floating-point register or flag was written since `mstatus.FS` was last set.
    pub(crate) float_dirty: Cell<bool>,
    pub(crate) watched: RefCell<Vec<Watch>>,
    pub(crate) watch_hit: Cell<Option<u64>>,
    /// Drives `mip.STIP`, with Sstc or [`set_timer`](Self::set_timer).
    pub(crate) stimecmp: Arc<Comparator>,
    /// Whether `stimecmp` drives `mip.STIP` although the guest has no such register.
    pub(crate) timer: Cell<bool>,
    /// Who stands for the page tables, if somebody does.
    pub(crate) protection: OnceCell<Arc<dyn Protection>>,
    /// Who hears of translations by the page tables, if somebody does.
    pub(crate) observer: OnceCell<Box<Observer>>,
}

/// Hears of translations that page tables made or refused: what was wanted, and the physical address and the size of
/// the page around it in bytes, or the trap. Translations at hand are not made anew.
pub type Observer = dyn Fn(u64, Access, Privilege, Result<(u64, u64), Trap>);

/// A word that `lr` reserved.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Reservation {
    /// Its offset into RAM.
    pub(crate) at: Cell<u64>,
    /// Its bytes; 0 if none is reserved.
    pub(crate) size: Cell<u64>,
    /// What it held, in the low bits.
    pub(crate) value: Cell<u64>,
}

impl Reservation {
    /// Its parts, in order.
    pub(crate) fn parts(&self) -> [&Cell<u64>; 3] {
        [&self.at, &self.size, &self.value]
    }
}

/// Addresses that a debugger watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) addr: u64,
    pub(crate) len: u64,
    pub(crate) loads: bool,
    pub(crate) stores: bool,
}

/// CSRs that are plain storage; `csr` knows their rules.
#[derive(Default)]
pub(crate) struct Csrs {
    pub(crate) fflags: Cell<u8>,
    pub(crate) frm: Cell<u8>,
    pub(crate) mstatus: Cell<u64>,
    pub(crate) medeleg: Cell<u64>,
    pub(crate) mideleg: Cell<u64>,
    pub(crate) mie: Cell<u64>,
    /// The bits of `mip` that software writes.
    pub(crate) mip: Cell<u64>,
    pub(crate) mtvec: Cell<u64>,
    pub(crate) mcounteren: Cell<u64>,
    pub(crate) mcountinhibit: Cell<u64>,
    pub(crate) mscratch: Cell<u64>,
    pub(crate) mepc: Cell<u64>,
    pub(crate) mcause: Cell<u64>,
    pub(crate) mtval: Cell<u64>,
    pub(crate) menvcfg: Cell<u64>,
    pub(crate) mseccfg: Cell<u64>,
    pub(crate) mstateen: [Cell<u64>; 4],
    pub(crate) stvec: Cell<u64>,
    pub(crate) scounteren: Cell<u64>,
    pub(crate) sscratch: Cell<u64>,
    /// The high halves of `mscratch` and `sscratch`, with 128 bits.
    pub(crate) scratch_high: [Cell<u64>; 2],
    pub(crate) sepc: Cell<u64>,
    pub(crate) scause: Cell<u64>,
    pub(crate) stval: Cell<u64>,
    pub(crate) senvcfg: Cell<u64>,
    pub(crate) satp: Cell<u64>,
}

/// Where translated code finds the parts of a [`Hart<u64>`](Hart): offsets in bytes.
pub mod layout {
    use super::{Cell, Hart, Near, NearPages, Reservation, Slot, offset_of};

    /// Integer registers.
    pub const X: usize = offset_of!(Hart<u64>, x);
    /// Floating-point registers.
    pub const F: usize = offset_of!(Hart<u64>, f);
    /// The program counter.
    pub const PC: usize = offset_of!(Hart<u64>, pc);
    /// A byte: 1 if a floating-point register was written.
    pub const FLOAT_DIRTY: usize = offset_of!(Hart<u64>, float_dirty);
    /// What `lr` reserved: its offset into RAM, its bytes or 0, and what it held in the low bits; 8 bytes each.
    pub const RESERVATION: usize = offset_of!(Hart<u64>, reservation);
    /// What is at hand for loads and for stores.
    pub const NEAR: [usize; 2] = [
        offset_of!(Hart<u64>, near) + offset_of!(Near, loads),
        offset_of!(Hart<u64>, near) + offset_of!(Near, stores),
    ];
    /// Tags, addends and addresses of versions in them.
    pub const TAGS: usize = offset_of!(NearPages, tags);
    /// See [`TAGS`].
    pub const ADDENDS: usize = offset_of!(NearPages, addends);
    /// See [`TAGS`].
    pub const VERSIONS: usize = offset_of!(NearPages, versions);

    /// The host's address of the slots behind them, 16 bytes each: a tag, and what to add to get an offset into RAM.
    pub const SLOTS: usize = offset_of!(NearPages, slots);
    /// What tags of those have in their low bits.
    pub const NUMBER: usize = offset_of!(NearPages, number);

    const _: () = assert!(offset_of!(Slot, tag) == 0 && offset_of!(Slot, addend) == 8);
    const _: () = assert!(size_of::<Slot>() == 16);
    const _: () = assert!(offset_of!(Reservation, size) == 8 && offset_of!(Reservation, value) == 16);
    const _: () = assert!(size_of::<Cell<bool>>() == 1 && size_of::<Cell<u64>>() == 8);
}

impl<W: Width> Hart<W> {
    /// A hart, reset.
    pub fn new(config: Config) -> Self {
        /// `mip.STIP`.
        const STIP: u32 = 5;
        let port = Arc::new(Port::default());
        let stip = Line::new(port.clone(), STIP);
        let hart = Hart {
            x: std::array::from_fn(|_| Cell::default()),
            f: std::array::from_fn(|_| Cell::default()),
            pc: Cell::new(0),
            privilege: Cell::new(Privilege::Machine),
            csrs: Csrs::default(),
            counters: Counters::default(),
            triggers: Triggers::default(),
            pmp: Pmp::new(config.model.pmp_entries),
            open: Cell::new(Open::NOTHING),
            tlb: Tlb::default(),
            near: Near::default(),
            view: Cell::new(View::Machine),
            rules: Cell::new(0),
            reservation: Reservation::default(),
            instret: Cell::new(0),
            trapped: Cell::new(0),
            float_dirty: Cell::new(false),
            watched: RefCell::default(),
            watch_hit: Cell::new(None),
            protection: OnceCell::new(),
            observer: OnceCell::new(),
            stimecmp: config.mtime.comparator(stip),
            timer: Cell::new(false),
            port,
            config,
        };
        hart.reset();
        hart
    }

    /// Puts the hart where power-on puts it (privileged spec, 3.4). What the specification leaves open is zero.
    pub fn reset(&self) {
        self.x.iter().for_each(|x| x.set(W::default()));
        self.f.iter().for_each(|f| f.set(0));
        self.pmp.reset();
        self.reset_csrs();
        self.reservation.size.set(0);
        self.timer.set(false);
        self.instret.set(0);
        self.trapped.set(0);
        self.set_pc(self.config.reset_pc);
        self.set_privilege(Privilege::Machine);
        self.flush();
        self.port.look();
    }

    /// Has `protection` asked instead of page tables, in every mode and from now on; addresses are then physical.
    pub fn protect(&self, protection: Arc<dyn Protection>) {
        // Who came first stays: one who comes second is the same process's.
        let _ = self.protection.set(protection);
        self.flush();
    }

    /// Has `observer` hear of translations by page tables from now on; there is one for a hart's life.
    pub fn observe(&self, observer: Box<Observer>) {
        let _ = self.observer.set(observer);
    }

    /// What it is made of.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its interrupt pins and bell, for other threads.
    pub fn port(&self) -> &Arc<Port> {
        &self.port
    }

    /// Whether it implements `ext`.
    #[inline(always)]
    pub fn has(&self, ext: Ext) -> bool {
        self.config.model.extensions.has(ext)
    }

    /// Integer register `r`, 0 to 31.
    #[inline(always)]
    pub fn x(&self, r: u8) -> W {
        self.x[r as usize & 31].get()
    }

    /// Writes integer register `r`; `x0` stays zero.
    #[inline(always)]
    pub fn set_x(&self, r: u8, v: W) {
        if r != 0 {
            self.x[r as usize & 31].set(v);
        }
    }

    /// Floating-point register `r`, 0 to 31.
    #[inline(always)]
    pub fn f(&self, r: u8) -> u64 {
        self.f[r as usize & 31].get()
    }

    /// Writes floating-point register `r`.
    #[inline(always)]
    pub fn set_f(&self, r: u8, v: u64) {
        self.f[r as usize & 31].set(v);
        self.float_dirty.set(true);
    }

    /// The address of the next instruction. While a block runs, that of its first.
    #[inline(always)]
    pub fn pc(&self) -> u64 {
        self.pc.get()
    }

    /// Sets the address of the next instruction; of 32 bits where registers have no more.
    #[inline(always)]
    pub fn set_pc(&self, pc: u64) {
        self.pc.set(Self::address(pc));
    }

    /// As many bits as an address has: those of a register, and at most 64.
    #[inline(always)]
    pub(crate) fn address(addr: u64) -> u64 {
        W::from_u64(addr).to_u64()
    }

    /// The privilege mode.
    #[inline(always)]
    pub fn privilege(&self) -> Privilege {
        self.privilege.get()
    }

    /// Sets the privilege mode.
    pub fn set_privilege(&self, mode: Privilege) {
        self.privilege.set(mode);
        self.counters_follow_mode();
        self.settle();
    }

    /// Instructions retired since reset; inside a block, those of the whole block are counted already.
    #[inline(always)]
    pub fn instret(&self) -> u64 {
        self.instret.get()
    }

    /// Counts retired instructions; wrapping, so that a block left early can take back what it did not do.
    #[inline(always)]
    pub fn retire(&self, count: u64) {
        self.instret.set(self.instret.get().wrapping_add(count));
    }

    /// Traps taken since reset.
    pub fn traps(&self) -> u64 {
        self.trapped.get()
    }

    /// The machine's memory.
    #[inline(always)]
    pub fn ram(&self) -> &Ram {
        self.config.space.ram()
    }

    /// Which rules fetched code runs under: two harts' blocks, or one's at different times, are alike only if
    /// these are. Of their bits, those below [`MODES`](Self::MODES) say how code runs: privilege in the lowest two,
    /// [`FLOAT_ON`](Self::FLOAT_ON) and [`DIRECT`](Self::DIRECT). Above is what [`flush`](Self::flush) counts.
    #[inline(always)]
    pub fn rules(&self) -> u64 {
        self.rules.get()
    }

    /// So many ways for code to run there are in [`rules`](Self::rules).
    pub const MODES: u64 = 1 << MODE_BITS;
    /// Of [`rules`](Self::rules): floating point is on.
    pub const FLOAT_ON: u64 = 1 << 2;
    /// Of [`rules`](Self::rules): loads and stores have physical addresses, and nobody has to hear of those within
    /// the memory's [`Window`](hartwright_mem::Window) or can refuse them.
    pub const DIRECT: u64 = 1 << 3;

    /// Forgets all translations.
    pub fn flush(&self) {
        self.tlb.flush(self.csrs.satp.get());
        self.near.clear();
        self.settle();
    }

    /// Forgets the translations of loads and stores.
    pub fn flush_data(&self) {
        self.tlb.flush_data(self.csrs.satp.get());
        self.near.clear();
        self.settle();
    }

    /// Forgets the translations of the address space `asid`, but for those that all spaces have.
    pub fn flush_space(&self, asid: u64) {
        let is_one = |satp: u64| Self::asid(satp) == asid & Self::asid(u64::MAX);
        if self.tlb.flush_spaces(self.csrs.satp.get(), is_one) {
            self.near.clear();
            self.settle();
        }
    }

    /// The address-space identifier in `satp` (privileged spec, 10.1.11).
    fn asid(satp: u64) -> u64 {
        if W::BITS == 32 { satp >> 22 & 0x1ff } else { satp >> 44 & 0xffff }
    }

    /// Forgets the translation of one virtual address in every address space.
    pub fn flush_page(&self, addr: u64) {
        match self.tlb.flush_page(addr) {
            Err(()) => self.flush(),
            Ok(Fetched(fetched)) => {
                self.near.clear();
                if fetched {
                    self.forget_fetches();
                }
            }
        }
    }

    /// Has every block looked up anew.
    pub fn forget_fetches(&self) {
        self.tlb.renew_epochs();
        self.settle();
    }

    /// Goes by the page tables of `satp`, which was `old`, and by what is known of them.
    pub(crate) fn enter_space(&self, old: u64) {
        let satp = self.csrs.satp.get();
        if Self::asid(old) == Self::asid(satp) {
            // Identifiers are not made use of.
            self.tlb.flush_spaces(satp, |known| Self::asid(known) == Self::asid(satp));
        }
        self.tlb.enter(satp);
        self.near.clear();
        self.settle();
    }

    /// Recomputes what follows from privilege and `mstatus`.
    pub(crate) fn settle(&self) {
        let float = if self.float_on() { Self::FLOAT_ON } else { 0 };
        let epoch = self.tlb.epoch(self.fetch_view());
        let status = self.csrs.mstatus.get();
        let mode = match self.privilege.get() {
            Privilege::Machine if status & MSTATUS_MPRV != 0 => {
                Privilege::from_bits(status >> crate::status::MPP_SHIFT).unwrap_or(Privilege::User)
            }
            mode => mode,
        };
        let view = match mode {
            Privilege::User => View::User,
            Privilege::Supervisor if status & MSTATUS_SUM != 0 => View::SupervisorUser,
            Privilege::Supervisor => View::Supervisor,
            Privilege::Machine => View::Machine,
        };
        self.view.set(view);
        let privilege = self.privilege.get();
        let machine = privilege == Privilege::Machine && view == View::Machine;
        let direct = if machine && self.is_open() { Self::DIRECT } else { 0 };
        self.rules.set(epoch << MODE_BITS | direct | float | privilege as u64);
        let (tlb, near) = (&self.tlb, &self.near);
        near.follow(self.privilege.get(), view, |access| tlb.slots(view, access));
    }

    /// Whether M-mode's loads and stores within the memory's window concern nobody else.
    fn is_open(&self) -> bool {
        self.pmp.is_idle()
            && !self.triggers_on_data()
            && self.protection.get().is_none()
            && self.watched.borrow().is_empty()
            && self.ram().window().is_some()
    }

    /// Has loads, stores or both of `len` bytes at virtual address `addr` noticed; see
    /// [`take_watch_hit`](Self::take_watch_hit).
    pub fn watch(&self, addr: u64, len: u64, loads: bool, stores: bool) {
        self.watched.borrow_mut().push(Watch { addr, len, loads, stores });
        self.flush();
    }

    /// Ends all watching.
    pub fn unwatch(&self) {
        self.watched.borrow_mut().clear();
        self.flush();
    }

    /// Whether anything is watched.
    pub fn watches(&self) -> bool {
        !self.watched.borrow().is_empty()
    }

    /// The watched address that was touched last, once.
    pub fn take_watch_hit(&self) -> Option<u64> {
        self.watch_hit.take()
    }

    /// Notes an access that a debugger asked about.
    pub(crate) fn note_watch(&self, addr: u64, size: u64, access: Access) {
        for watch in self.watched.borrow().iter() {
            let asked = match access {
                Access::Fetch => false,
                Access::Load => watch.loads,
                Access::Store => watch.stores,
            };
            let touches = addr.wrapping_sub(watch.addr) < watch.len || watch.addr.wrapping_sub(addr) < size;
            if asked && touches {
                self.watch_hit.set(Some(watch.addr));
                self.port.look();
            }
        }
    }
}
