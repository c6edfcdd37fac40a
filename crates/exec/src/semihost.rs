//! Calls that a program makes to the host, past its machine: recognised at `ebreak`, answered elsewhere.

use crate::Inspect;
use hartwright_hart::{Hart, Port};
use hartwright_ir::Width;
use hartwright_mem::PAGE;
use std::sync::Arc;

/// Answers semihosting calls (RISC-V Semihosting 1.0).
///
/// What is given a hart is called on the hart's own thread, between two instructions. A call that must wait says so,
/// and is made again when it may go on: meanwhile its hart can be paused, looked at and reset.
pub trait Semihost: Send + Sync {
    /// Hears of all harts' bells, in order, before any hart runs.
    fn connect(&self, ports: &[Arc<Port>]);

    /// Whether U-mode may call too.
    fn userspace(&self) -> bool;

    /// Answers the call of which the `ebreak` is at the program counter of hart `number`, and leaves the hart behind
    /// it. `false`: not yet; the hart still stands at the `ebreak`.
    fn call(&self, number: usize, hart: &mut dyn Inspect) -> bool;

    /// Whether the call that hart `number` waits in should be made again now; asked again when its bell rang.
    fn ready(&self, number: usize) -> bool;

    /// Forgets what hart `number` was doing.
    fn reset(&self, number: usize);
}

/// The instruction at the program counter of a call, with those around it, all of 32 bits (RISC-V Semihosting 1.0,
/// "Semihosting Breakpoint Instruction Sequence").
const SEQUENCE: [u32; 3] = [0x01f0_1013, 0x0010_0073, 0x4070_5013];

/// Whether the `ebreak` at the hart's program counter is the middle of such a sequence, which lies in one page: so it
/// is mapped as a whole, since the hart has just fetched the middle.
#[cold]
pub(crate) fn calls_host<W: Width>(hart: &Hart<W>) -> bool {
    const BEFORE: u64 = 4;
    let first = hart.pc().wrapping_sub(BEFORE);
    if first % PAGE > PAGE - 4 * SEQUENCE.len() as u64 {
        return false;
    }
    let Ok(at) = hart.fetch_place(hart.pc(), 4) else { return false };
    let word = |n: u64| hart.ram().load::<u32>((at - BEFORE) + 4 * n);
    (0..).zip(SEQUENCE).all(|(n, expected)| word(n) == Some(expected))
}
