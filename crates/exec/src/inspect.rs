//! What a debugger or monitor sees of a hart, whatever its register width.

use crate::{block::Cache, core::Core, environment::Environment, semihost::Semihost, trace};
use hartwright_hart::Privilege;
use hartwright_ir::Width;
use hartwright_isa::{Decoded, cpu::CpuModel};
use hartwright_jit::Code;
use hartwright_mem::AddressSpace;

/// Where a hart stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakpoints {
    /// Before the instructions at these virtual addresses.
    pub code: Vec<u64>,
    /// After an access to these: virtual address, bytes, whether loads and whether stores count.
    pub data: Vec<(u64, u64, bool, bool)>,
}

/// A hart at rest, to be looked at and changed.
pub trait Inspect {
    /// Bits of an integer register.
    fn xlen(&self) -> u32;
    /// What kind of hart it is.
    fn model(&self) -> &CpuModel;
    /// The address of the next instruction.
    fn pc(&self) -> u64;
    /// Sets the address of the next instruction.
    fn set_pc(&mut self, pc: u64);
    /// Integer register `r`, 0 to 31, zero-extended.
    fn x(&self, r: u8) -> u128;
    /// Writes integer register `r`.
    fn set_x(&mut self, r: u8, v: u128);
    /// Floating-point register `r`, 0 to 31.
    fn f(&self, r: u8) -> u64;
    /// Writes floating-point register `r`.
    fn set_f(&mut self, r: u8, v: u64);
    /// CSR `number`; `None` if there is none such. Privilege is not asked.
    fn csr(&self, number: u16) -> Option<u64>;
    /// Writes CSR `number`; `false` if there is none such.
    fn set_csr(&mut self, number: u16, v: u64) -> bool;
    /// The privilege mode.
    fn privilege(&self) -> Privilege;
    /// Sets the privilege mode.
    fn set_privilege(&mut self, mode: Privilege);
    /// The physical address that virtual address `addr` leads to.
    fn translate(&self, addr: u64) -> Option<u64>;
    /// What the hart addresses.
    fn space(&self) -> &AddressSpace;
    /// Whether it waits: for an interrupt, or for the host in a call to it.
    fn waits(&self) -> bool;
    /// Instructions retired since reset.
    fn instret(&self) -> u64;
    /// Instructions so far that code did, and the interpreter after it, and alike (`check=on`).
    fn compared(&self) -> u64;
    /// The instruction of these bits at `pc`, if the hart knows it.
    fn decode(&self, raw: u32, pc: u64) -> Option<Decoded>;
    /// What translated code there is; `None` if the interpreter does everything.
    fn code(&self) -> Option<Code>;
    /// All registers as text, as `info registers` shows them.
    fn registers(&self) -> String;
    /// Replaces all breakpoints and watchpoints.
    fn set_breakpoints(&mut self, breakpoints: &Breakpoints);
    /// Puts the hart where power-on puts it.
    fn reset(&mut self);
    /// Forgets translations: that of virtual address `addr`, or all.
    fn flush(&mut self, addr: Option<u64>);
    /// Has instructions fetched anew, as `fence.i` does.
    fn refetch(&mut self);
    /// From now on, and until reset, a timer that is not the guest's to write drives `mip.STIP`: it is high while
    /// `mtime` is at least `mtime`. Where the guest has `stimecmp`, that is what is set.
    fn set_timer(&mut self, mtime: u64);

    /// Reads memory at virtual address `addr`, page by page; how many bytes could be read.
    fn read(&self, addr: u64, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let here = addr.wrapping_add(done as u64);
            let n = in_page(here).min(bytes.len() - done);
            let Some(physical) = self.translate(here) else { break };
            if self.space().read_bytes(physical, &mut bytes[done..done + n]).is_err() {
                break;
            }
            done += n;
        }
        done
    }

    /// Writes memory at virtual address `addr`, page by page; how many bytes could be written.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let here = addr.wrapping_add(done as u64);
            let n = in_page(here).min(bytes.len() - done);
            let Some(physical) = self.translate(here) else { break };
            if self.space().write_bytes(physical, &bytes[done..done + n]).is_err() {
                break;
            }
            done += n;
        }
        done
    }
}

/// Bytes from `addr` to the end of its page.
fn in_page(addr: u64) -> usize {
    (hartwright_mem::PAGE - addr % hartwright_mem::PAGE) as usize
}

/// What a hart waits for before its next instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Nothing.
    #[default]
    Nothing,
    /// An interrupt (`wfi`).
    Interrupt,
    /// The host, in a call to it.
    Host,
}

/// A core and its blocks, at rest.
pub(crate) struct AtRest<'r, 'c, W> {
    pub(crate) core: &'c Core<W>,
    pub(crate) cache: &'r mut Cache<'c, W>,
    pub(crate) waits: &'r mut Waits,
    pub(crate) environment: Option<&'r dyn Environment>,
    pub(crate) semihost: Option<&'r dyn Semihost>,
    /// The hart's number.
    pub(crate) number: usize,
}

impl<W: Width> AtRest<'_, '_, W> {
    /// Has the environment, if there is one, say where a hart that was reset begins.
    pub(crate) fn begin(&mut self) {
        if let Some(environment) = self.environment {
            environment.reset(self);
        }
    }
}

impl<W: Width> Inspect for AtRest<'_, '_, W> {
    fn xlen(&self) -> u32 {
        W::BITS
    }
    fn model(&self) -> &CpuModel {
        &self.core.hart.config().model
    }
    fn pc(&self) -> u64 {
        self.core.hart.pc()
    }
    fn set_pc(&mut self, pc: u64) {
        *self.waits = Waits::Nothing;
        self.core.hart.set_pc(pc);
    }
    fn x(&self, r: u8) -> u128 {
        self.core.hart.x(r).to_u128()
    }
    fn set_x(&mut self, r: u8, v: u128) {
        self.core.hart.set_x(r, W::from_u128(v));
    }
    fn f(&self, r: u8) -> u64 {
        self.core.hart.f(r)
    }
    fn set_f(&mut self, r: u8, v: u64) {
        self.core.hart.set_f(r, v);
    }
    fn csr(&self, number: u16) -> Option<u64> {
        self.core.hart.read_csr(number)
    }
    fn set_csr(&mut self, number: u16, v: u64) -> bool {
        let known = self.core.hart.read_csr(number).is_some();
        if known {
            self.core.hart.write_csr(number, v);
        }
        known
    }
    fn privilege(&self) -> Privilege {
        self.core.hart.privilege()
    }
    fn set_privilege(&mut self, mode: Privilege) {
        self.core.hart.set_privilege(mode);
    }
    fn translate(&self, addr: u64) -> Option<u64> {
        self.core.hart.look_up(addr)
    }
    fn space(&self) -> &AddressSpace {
        &self.core.hart.config().space
    }
    fn waits(&self) -> bool {
        *self.waits != Waits::Nothing
    }
    fn instret(&self) -> u64 {
        self.core.hart.instret()
    }
    fn compared(&self) -> u64 {
        self.core.compared.get()
    }
    fn decode(&self, raw: u32, pc: u64) -> Option<Decoded> {
        self.cache.decoder().decode(raw, pc)
    }
    fn code(&self) -> Option<Code> {
        self.cache.code()
    }
    fn registers(&self) -> String {
        trace::registers(&self.core.hart)
    }
    fn set_breakpoints(&mut self, breakpoints: &Breakpoints) {
        self.cache.clear();
        self.cache.breakpoints = breakpoints.code.iter().copied().collect();
        self.core.hart.unwatch();
        for &(addr, len, loads, stores) in &breakpoints.data {
            self.core.hart.watch(addr, len, loads, stores);
        }
    }
    fn reset(&mut self) {
        *self.waits = Waits::Nothing;
        if let Some(semihost) = self.semihost {
            semihost.reset(self.number);
        }
        self.core.hart.reset();
        self.cache.clear();
        self.begin();
    }
    fn flush(&mut self, addr: Option<u64>) {
        match addr {
            Some(addr) => self.core.hart.flush_page(addr),
            None => self.core.hart.flush(),
        }
    }
    fn refetch(&mut self) {
        self.cache.refetch(&self.core.hart);
    }
    fn set_timer(&mut self, mtime: u64) {
        self.core.hart.set_timer(mtime);
    }
}
