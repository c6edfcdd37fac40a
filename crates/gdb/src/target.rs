//! The machine as `gdbstub` drives it.

use crate::{
    arch::{CORE, Core, Register, Riscv, number},
    describe::Description,
    points::{Points, add, remove},
};
use gdbstub::{
    common::{Signal, Tid},
    target::{
        Target, TargetError, TargetResult,
        ext::{
            base::{
                BaseOps,
                multithread::{
                    MultiThreadBase, MultiThreadResume, MultiThreadResumeOps, MultiThreadSchedulerLocking,
                    MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
                },
                single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps},
            },
            breakpoints::{
                Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps,
                SwBreakpoint, SwBreakpointOps, WatchKind,
            },
            monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps},
            target_description_xml_override::{
                TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
            },
            thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps},
        },
    },
};
use hartwright_exec::Inspect;
use hartwright_hart::Privilege;
use hartwright_mem::PAGE;
use hartwright_monitor::{Control, Go, Session, read_physical, write_physical};
use std::sync::Arc;

/// Nothing ends a session by error.
pub(crate) type Never = std::convert::Infallible;

/// What QEMU answers when memory or a register is not there.
const FAULT: u8 = 0x14;

/// Bytes of an access to a device: most have registers of 32 bits.
const UNIT: usize = 4;

/// The machine, and what a debugger has set up in it.
pub(crate) struct Machine {
    pub(crate) control: Arc<Control>,
    pub(crate) points: Points,
    /// Whether addresses are physical (`Qqemu.PhyMemMode`).
    pub(crate) physical: bool,
    /// What each hart does next.
    plan: Vec<Go>,
    /// Which harts the debugger named in its last request to go on.
    named: Vec<bool>,
    description: Description,
    session: Session,
}

impl Machine {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        let description = control.harts.with(0, |hart| Description::of(hart));
        Machine {
            points: Points::default(),
            physical: false,
            plan: vec![],
            named: vec![],
            // A hart that does not answer has no registers.
            description: description.unwrap_or_default(),
            session: Session::new(control.clone()),
            control,
        }
    }

    /// Forgets what a debugger has set up.
    pub(crate) fn forget(&mut self) {
        self.points = Points::default();
        self.physical = false;
        self.set_points();
    }

    fn set_points(&self) {
        self.control.harts.set_breakpoints(&self.points.breakpoints());
    }

    /// Looks into the hart of a thread.
    fn with<R: Send + 'static>(
        &self,
        tid: Tid,
        look: impl FnOnce(&mut dyn Inspect) -> Option<R> + Send + 'static,
    ) -> TargetResult<R, Self> {
        self.control.harts.with(tid.get() - 1, look).flatten().ok_or(TargetError::Errno(FAULT))
    }

    fn set(&mut self, tid: Tid, go: Go) {
        if let (Some(next), Some(named)) =
            (self.plan.get_mut(tid.get() - 1), self.named.get_mut(tid.get() - 1))
        {
            (*next, *named) = (go, true);
        }
    }
}

/// The thread of a hart.
pub(crate) fn thread(hart: usize) -> Tid {
    Tid::MIN.saturating_add(hart)
}

impl Target for Machine {
    type Arch = Riscv;
    type Error = Never;

    fn base_ops(&mut self) -> BaseOps<'_, Riscv, Never> {
        BaseOps::MultiThread(self)
    }

    fn guard_rail_implicit_sw_breakpoints(&self) -> bool {
        true
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Machine {
    fn read_registers(&mut self, core: &mut Core, tid: Tid) -> TargetResult<(), Self> {
        *core = self.with(tid, |hart| {
            let size = hart.xlen().min(64) as usize / 8;
            let values = (0..32).map(|r| hart.x(r) as u64).chain([hart.pc()]).collect();
            Some(Core { size, values })
        })?;
        Ok(())
    }

    fn write_registers(&mut self, core: &Core, tid: Tid) -> TargetResult<(), Self> {
        let values = core.values.clone();
        self.with(tid, move |hart| {
            let (pc, xs) = values.split_last().filter(|_| values.len() == CORE)?;
            (0..32).zip(xs).for_each(|(r, value)| set_x(hart, r, *value));
            hart.set_pc(*pc);
            Some(())
        })
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, addr: u64, data: &mut [u8], tid: Tid) -> TargetResult<usize, Self> {
        let (len, space) = (data.len(), self.control.space.clone());
        let physical = self.physical;
        let bytes = self.with(tid, move |hart| {
            let mut bytes = vec![0; len];
            let done = pages(hart, addr, len, physical, |at, range| {
                read_physical(&space, at, &mut bytes[range], UNIT)
            });
            bytes.truncate(done);
            Some(bytes)
        })?;
        if bytes.is_empty() && len > 0 {
            return Err(TargetError::Errno(FAULT));
        }
        data[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_addrs(&mut self, addr: u64, data: &[u8], tid: Tid) -> TargetResult<(), Self> {
        let (bytes, space) = (data.to_vec(), self.control.space.clone());
        let physical = self.physical;
        self.with(tid, move |hart| {
            let done = pages(hart, addr, bytes.len(), physical, |at, range| {
                write_physical(&space, at, &bytes[range], UNIT)
            });
            (done == bytes.len()).then_some(())
        })
    }

    fn list_active_threads(&mut self, each: &mut dyn FnMut(Tid)) -> Result<(), Never> {
        (0..self.control.harts.len()).for_each(|hart| each(thread(hart)));
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

/// Goes through `len` bytes at `addr` page by page; `touch` gets where a part lies and says how many bytes of it
/// there are. Gives how many there are in all.
pub(crate) fn pages(
    hart: &dyn Inspect,
    addr: u64,
    len: usize,
    physical: bool,
    mut touch: impl FnMut(u64, std::ops::Range<usize>) -> usize,
) -> usize {
    let mut done = 0;
    while done < len {
        let here = addr.wrapping_add(done as u64);
        let n = (PAGE - here % PAGE).min((len - done) as u64) as usize;
        let at = if physical { Some(here) } else { hart.translate(here) };
        let touched = at.map_or(0, |at| touch(at, done..done + n));
        done += touched;
        if touched < n {
            break;
        }
    }
    done
}

/// Writes the bits of an integer register that gdb sees, 64 at most. Those above them extend the sign if what it sees
/// changes, and else stay: gdb writes all registers to change one.
fn set_x(hart: &mut dyn Inspect, r: u8, value: u64) {
    if hart.x(r) as u64 != value {
        hart.set_x(r, i128::from(value as i64) as u128);
    }
}

impl SingleRegisterAccess<Tid> for Machine {
    fn read_register(&mut self, tid: Tid, register: Register, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let (size, value) = self.with(tid, move |hart| {
            let value = match register {
                Register::X(r) => hart.x(r) as u64,
                Register::Pc => hart.pc(),
                Register::F(r) => hart.f(r),
                Register::Csr(number) => hart.csr(number)?,
                Register::Privilege => hart.privilege() as u64,
            };
            let float = matches!(register, Register::F(_));
            Some((if float { 8 } else { hart.xlen().min(64) as usize / 8 }, value))
        })?;
        let bytes = &value.to_le_bytes()[..size];
        buf.get_mut(..size).ok_or(TargetError::NonFatal)?.copy_from_slice(bytes);
        Ok(size)
    }

    fn write_register(&mut self, tid: Tid, register: Register, bytes: &[u8]) -> TargetResult<(), Self> {
        let value = number(bytes);
        self.with(tid, move |hart| {
            match register {
                Register::X(r) => set_x(hart, r, value),
                Register::Pc => hart.set_pc(value),
                Register::F(r) => hart.set_f(r, value),
                Register::Csr(number) => hart.set_csr(number, value).then_some(())?,
                Register::Privilege => hart.set_privilege(Privilege::from_bits(value)?),
            }
            Some(())
        })
    }
}

impl MultiThreadResume for Machine {
    fn resume(&mut self) -> Result<(), Never> {
        // A machine that was switched off stays so; an interrupt by the user ends the wait.
        let _ = self.control.go(&self.plan);
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Never> {
        self.plan = vec![Go::Run; self.control.harts.len()];
        self.named = vec![false; self.control.harts.len()];
        Ok(())
    }

    fn set_resume_action_continue(&mut self, tid: Tid, _: Option<Signal>) -> Result<(), Never> {
        self.set(tid, Go::Run);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Machine {
    fn set_resume_action_step(&mut self, tid: Tid, _: Option<Signal>) -> Result<(), Never> {
        self.set(tid, Go::Step);
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Machine {
    /// Who is not named stays where it is.
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Never> {
        let named = std::mem::take(&mut self.named);
        self.plan.iter_mut().zip(named).filter(|(_, named)| !named).for_each(|(go, _)| *go = Go::Stay);
        Ok(())
    }
}

impl ThreadExtraInfo for Machine {
    fn thread_extra_info(&self, tid: Tid, buf: &mut [u8]) -> Result<usize, Never> {
        let hart = tid.get() - 1;
        let waits = self.control.harts.with(hart, |hart| hart.waits());
        let text = format!("CPU#{hart} [{}]", if waits == Some(true) { "halted " } else { "running" });
        let n = text.len().min(buf.len());
        buf[..n].copy_from_slice(&text.as_bytes()[..n]);
        Ok(n)
    }
}

impl Breakpoints for Machine {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }
    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }
    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Machine {
    fn add_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        add(&mut self.points.soft, addr);
        self.set_points();
        Ok(true)
    }
    fn remove_sw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        let known = remove(&mut self.points.soft, &addr);
        self.set_points();
        Ok(known)
    }
}

impl HwBreakpoint for Machine {
    fn add_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        add(&mut self.points.hard, addr);
        self.set_points();
        Ok(true)
    }
    fn remove_hw_breakpoint(&mut self, addr: u64, _: usize) -> TargetResult<bool, Self> {
        let known = remove(&mut self.points.hard, &addr);
        self.set_points();
        Ok(known)
    }
}

impl HwWatchpoint for Machine {
    fn add_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        add(&mut self.points.watch, (addr, len, kind));
        self.set_points();
        Ok(true)
    }
    fn remove_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let known = remove(&mut self.points.watch, &(addr, len, kind));
        self.set_points();
        Ok(known)
    }
}

impl MonitorCmd for Machine {
    fn handle_monitor_cmd(&mut self, line: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Never> {
        let answer = self.session.run(&String::from_utf8_lossy(line));
        // A packet's worth at a time.
        for part in answer.as_bytes().chunks(1024) {
            out.write_raw(part);
            out.flush();
        }
        Ok(())
    }
}

impl TargetDescriptionXmlOverride for Machine {
    fn target_description_xml(
        &self,
        name: &[u8],
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let text = self.description.document(name).ok_or(TargetError::NonFatal)?.as_bytes();
        let rest = text.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let n = rest.len().min(length).min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}
