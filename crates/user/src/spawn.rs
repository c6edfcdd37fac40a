//! New threads and processes: `clone`.
//!
//! A thread is a host thread. A process is a fork of ours, in which only the forking thread lives on; so before it
//! forks it has the others stand outside guest code, and holds all locks of the process itself.

use crate::{
    errno::{Answer, Failure, answer, refuse},
    frame::AltStack,
    host,
    signals::{self, ALL},
    stop::lock,
    thread::{self, Registers, Thread},
};
use libc::*;
use std::{
    sync::{atomic::Ordering, mpsc},
    thread::Builder,
};

/// The arguments of `clone`.
pub(crate) struct Wanted {
    /// `CLONE_` flags and the signal.
    pub(crate) flags: i32,
    /// The stack pointer, if not the same.
    pub(crate) stack: u64,
    /// Where `CLONE_PARENT_SETTID` puts the number.
    pub(crate) parent_tid: u64,
    /// `tp`, with `CLONE_SETTLS`.
    pub(crate) tls: u64,
    /// Where `CLONE_CHILD_SETTID` puts it and `CLONE_CHILD_CLEARTID` clears it.
    pub(crate) child_tid: u64,
}

impl Wanted {
    fn has(&self, flag: i32) -> bool {
        self.flags & flag != 0
    }

    /// The registers of the new one, which begins after the `ecall`.
    fn registers(&self, mut of: Registers) -> Registers {
        of.x[10] = 0;
        if self.stack != 0 {
            of.x[2] = self.stack;
        }
        if self.has(CLONE_SETTLS) {
            of.x[4] = self.tls;
        }
        of
    }
}

/// Bytes of a host thread's stack.
const STACK: usize = 1 << 20;

/// Makes a thread; gives its number.
pub(crate) fn thread(parent: &Thread<'_>, wanted: &Wanted) -> Answer {
    let process = parent.process.clone();
    let mut registers = wanted.registers(Registers::of(parent.hart()));
    registers.pc = registers.pc.wrapping_add(4);
    let (parent_tid, child_tid) = (wanted.parent_tid, wanted.child_tid);
    let (tells_parent, tells_child) = (wanted.has(CLONE_PARENT_SETTID), wanted.has(CLONE_CHILD_SETTID));
    let clear_tid = if wanted.has(CLONE_CHILD_CLEARTID) { child_tid } else { 0 };
    let (mask, (tell, told)) = (parent.mask.get(), mpsc::channel());
    let run = move || {
        // SAFETY: it asks for a number.
        let tid = unsafe { gettid() };
        // Linux, too, makes the thread if these cannot be written.
        if tells_parent {
            let _ = process.memory.write(parent_tid, &tid.to_le_bytes());
        }
        if tells_child {
            let _ = process.memory.write(child_tid, &tid.to_le_bytes());
        }
        thread::run(process, registers, mask, clear_tid, || {
            // The parent waits for it.
            let _ = tell.send(tid);
        });
    };
    // The new thread has no seat for signals at first.
    host::set_mask(ALL);
    let spawned = Builder::new().stack_size(STACK).spawn(run);
    let answer = match spawned.map(|_| told.recv()) {
        Ok(Ok(tid)) => Ok(tid as u64),
        _ => refuse(EAGAIN),
    };
    parent.open();
    answer
}

/// Makes a process; gives its number, or 0 in it.
pub(crate) fn process(thread: &Thread<'_>, wanted: &Wanted) -> Answer {
    let process = &thread.process;
    host::set_mask(ALL);
    if thread.seat.pending.load(Ordering::Relaxed) != 0 {
        return Err(Failure::NotBegun);
    }
    let sp = thread.hart().x(2);
    let vfork = wanted.has(CLONE_VFORK).then(|| Pipe::new(sp)).transpose();
    let vfork = vfork.inspect_err(|_| thread.open())?;
    let forked = process.threads.stopped(|| {
        let held =
            (process.threads.hold(), process.actions.hold(), process.memory.change(), lock(&process.brk));
        // SAFETY: no other thread is in guest code, and what locks others hold in calls is held here.
        let pid = unsafe { fork() };
        drop(held);
        pid
    });
    let forked = if forked < 0 {
        answer(-i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(EAGAIN)))
    } else {
        Ok(forked as u64)
    };
    match forked {
        Ok(0) => {
            process.threads.alone(thread.seat.clone());
            // One that this process had itself is its parent's business only.
            drop(thread.vfork.replace(vfork.map(Pipe::in_child)));
            let hart = thread.hart();
            wanted.registers(Registers::of(hart)).give(hart);
            // SAFETY: it asks for a number.
            let tid = unsafe { gettid() };
            if wanted.has(CLONE_CHILD_SETTID) {
                let _ = process.memory.write(wanted.child_tid, &tid.to_le_bytes());
            }
            thread.clear_tid.set(if wanted.has(CLONE_CHILD_CLEARTID) { wanted.child_tid } else { 0 });
            if wanted.has(CLONE_VM) {
                thread.alt.set(AltStack::NONE);
            }
        }
        Ok(pid) => {
            if wanted.has(CLONE_PARENT_SETTID) {
                let _ = process.memory.write(wanted.parent_tid, &(pid as u32).to_le_bytes());
            }
            if let Some(pipe) = vfork {
                pipe.wait(thread);
            }
        }
        Err(_) => {}
    }
    thread.open();
    forked
}

/// How the parent of a `vfork` learns that the child has its own program, or has ended: a pipe whose writing end
/// closes then.
///
/// The child has memory of its own, where Linux has it share its parent's. What a child is to tell by that, it leaves
/// in the frames of the functions that called `vfork`: `posix_spawn` why it failed, for one. So a child that ends
/// without a program of its own sends that part of the stack through the pipe.
pub(crate) struct Pipe {
    reading: i32,
    writing: i32,
    /// The stack pointer of the parent.
    sp: u64,
}

/// Bytes of the parent's stack that a child gives back: as much as a pipe holds at least, so that writing never waits.
const GIVEN_BACK: u64 = 4096;

impl Pipe {
    fn new(sp: u64) -> Result<Self, Failure> {
        /// Above the numbers that programs expect for what they open.
        const HIGH: i32 = 900;
        let mut ends = [0; 2];
        // SAFETY: the two numbers live here.
        unsafe { host::call(SYS_pipe2, &[ends.as_mut_ptr() as u64, O_CLOEXEC as u64]) }?;
        // SAFETY: the descriptors were just made; one that cannot be copied stays where it is.
        let [reading, writing] = ends.map(|fd| unsafe {
            match fcntl(fd, F_DUPFD_CLOEXEC, HIGH) {
                -1 => fd,
                high => {
                    close(fd);
                    high
                }
            }
        });
        Ok(Pipe { reading, writing, sp })
    }

    /// Closes the child's reading end.
    fn in_child(mut self) -> Self {
        // SAFETY: it is the child's copy of a descriptor of ours.
        unsafe { close(self.reading) };
        self.reading = -1;
        self
    }

    /// The end that keeps the parent waiting.
    pub(crate) fn writing(&self) -> i32 {
        self.writing
    }

    /// Sends the parent's part of the stack back, when the child ends.
    pub(crate) fn give_back(self, thread: &Thread<'_>) {
        let memory = &thread.process.memory;
        let end = memory.maps().at(self.sp).map_or(self.sp, |(_, map)| map.end.min(self.sp + GIVEN_BACK));
        let mut frames = vec![0; (end - self.sp) as usize];
        if memory.read(self.sp, &mut frames).is_ok() {
            host::write(self.writing, &frames);
        }
    }

    /// Waits until the child has a program of its own or has ended, and takes what it gives back.
    fn wait(mut self, thread: &Thread<'_>) {
        let mut frames = vec![];
        let mut part = [0u8; GIVEN_BACK as usize];
        // SAFETY: the descriptors are ours; all signals are blocked, so none interrupts.
        unsafe {
            close(self.writing);
            self.writing = -1;
            loop {
                let got = read(self.reading, part.as_mut_ptr().cast(), part.len());
                match got {
                    1.. => frames.extend(&part[..got as usize]),
                    -1 if std::io::Error::last_os_error().raw_os_error() == Some(EINTR) => {}
                    _ => break,
                }
            }
        }
        // Whoever unmapped its stack meanwhile has nothing to be told.
        let _ = thread.process.memory.write(self.sp, &frames);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for end in [self.reading, self.writing] {
            if end >= 0 {
                // SAFETY: it is ours.
                unsafe { close(end) };
            }
        }
    }
}

/// Ends the calling guest thread: who waits for it is woken.
pub(crate) fn end(thread: &Thread<'_>) {
    host::set_mask(ALL);
    if let Some(pipe) = thread.vfork.take() {
        pipe.give_back(thread);
    }
    let at = thread.clear_tid.get();
    if at != 0 && thread.process.memory.write(at, &0u32.to_le_bytes()).is_ok() {
        let args = [thread.at(at), FUTEX_WAKE as u64, 1];
        // SAFETY: the word is the guest's, and was just written.
        let _ = unsafe { host::call(SYS_futex, &args) };
    }
    thread.process.threads.remove(&thread.seat);
    signals::rise();
}
