//! The frame of a signal on the guest's stack: Linux's `struct rt_sigframe` for riscv64.

use crate::{
    errno::{Answer, Failure},
    signals::{Action, INFO, bit},
    thread::Thread,
};
use hartwright_isa::csr;

/// Bytes of a frame: `siginfo`, then `ucontext`.
const FRAME: usize = INFO + 960;
/// Offsets in a frame. `ucontext` is flags, link, stack, mask, room for a larger mask, registers.
const STACK: usize = INFO + 16;
const MASK: usize = INFO + 40;
const PC: usize = INFO + 176;
const FLOATS: usize = PC + 32 * 8;
const FCSR: usize = FLOATS + 32 * 8;

/// An alternative stack: Linux's `stack_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AltStack {
    /// Its lowest address.
    pub(crate) base: u64,
    /// `SS_` flags.
    pub(crate) flags: i32,
    /// Bytes.
    pub(crate) size: u64,
}

impl AltStack {
    /// None.
    pub(crate) const NONE: AltStack = AltStack { base: 0, flags: libc::SS_DISABLE, size: 0 };

    /// Whether `sp` lies on it.
    pub(crate) fn holds(&self, sp: u64) -> bool {
        self.flags & libc::SS_DISABLE == 0 && sp > self.base && sp - self.base <= self.size
    }

    /// As the kernel lays it out, with the flag that says that `sp` is on it.
    pub(crate) fn bytes(&self, sp: u64) -> [u8; 24] {
        let on = if self.holds(sp) { libc::SS_ONSTACK } else { 0 };
        let mut bytes = [0; 24];
        bytes[0..8].copy_from_slice(&self.base.to_le_bytes());
        bytes[8..12].copy_from_slice(&(self.flags | on).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes
    }

    /// From the kernel's layout.
    pub(crate) fn from_bytes(bytes: &[u8; 24]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        AltStack { base: word(0), flags: word(8) as i32, size: word(16) }
    }
}

/// Has the thread enter the handler of `signal` next.
pub(crate) fn enter(thread: &Thread, signal: i32, action: Action, info: &[u8; INFO]) -> Result<(), Failure> {
    let hart = thread.hart();
    let sp = hart.x(2);
    let alt = thread.alt.get();
    let top = if action.has(libc::SA_ONSTACK) && alt.flags & libc::SS_DISABLE == 0 && !alt.holds(sp) {
        alt.base + alt.size
    } else {
        sp
    };
    let at = top.wrapping_sub(FRAME as u64) & !15;
    if alt.holds(sp) && !alt.holds(at) {
        return Err(Failure::Errno(libc::EFAULT));
    }
    let mut frame = [0; FRAME];
    frame[..INFO].copy_from_slice(info);
    frame[STACK..STACK + 24].copy_from_slice(&alt.bytes(sp));
    let mut put = |at: usize, value: u64| frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(MASK, thread.mask.get());
    put(PC, hart.pc());
    (1..32u8).for_each(|r| put(PC + 8 * usize::from(r), hart.x(r)));
    (0..32u8).for_each(|r| put(FLOATS + 8 * usize::from(r), hart.f(r)));
    put(FCSR, hart.read_csr(csr::FCSR).unwrap_or(0));
    thread.process.memory.write(at, &frame)?;

    hart.set_x(1, thread.process.trampoline);
    hart.set_x(2, at);
    hart.set_x(10, signal as u64);
    hart.set_x(11, at);
    hart.set_x(12, at + INFO as u64);
    hart.set_pc(action.handler & !1);
    let own = if action.has(libc::SA_NODEFER) { 0 } else { bit(signal) };
    thread.mask.set(thread.mask.get() | action.mask | own);
    if alt.flags & SS_AUTODISARM != 0 {
        thread.alt.set(AltStack::NONE);
    }
    Ok(())
}

/// The alternative stack is forgotten while a handler runs on it.
pub(crate) const SS_AUTODISARM: i32 = i32::MIN;

/// Goes back to what a handler interrupted: `rt_sigreturn`.
pub(crate) fn leave(thread: &Thread) -> Answer {
    let hart = thread.hart();
    let frame: [u8; FRAME] = thread.process.memory.read_array(hart.x(2))?;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| frame[at + i]));
    hart.set_pc(word(PC) & !1);
    (1..32u8).for_each(|r| hart.set_x(r, word(PC + 8 * usize::from(r))));
    (0..32u8).for_each(|r| hart.set_f(r, word(FLOATS + 8 * usize::from(r))));
    hart.write_csr(csr::FCSR, word(FCSR) & 0xff);
    thread.set_mask(word(MASK));
    let mut alt = AltStack::from_bytes(&std::array::from_fn(|i| frame[STACK + i]));
    alt.flags &= !libc::SS_ONSTACK;
    if alt.flags & libc::SS_DISABLE == 0 || thread.alt.get() == AltStack::NONE {
        thread.alt.set(alt);
    }
    Err(Failure::Gone)
}
