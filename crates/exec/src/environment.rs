//! What stands in for firmware: a supervisor's calls answered by the emulator.

use crate::Inspect;
use hartwright_hart::Port;
use std::sync::Arc;

/// Answers the calls of S-mode, and says which harts run: what M-mode does elsewhere. No hart enters M-mode by itself.
///
/// Each method that is given a hart is called on the hart's own thread, between two instructions. None may wait for
/// another hart: one whose call needs others is told by [`heed`](Self::heed) not to run until they did their part.
pub trait Environment: Send + Sync {
    /// Hears of all harts' bells and pins, in order, before any hart runs.
    fn connect(&self, ports: &[Arc<Port>]);

    /// Puts a hart, which was just reset, where this environment has it begin.
    fn reset(&self, hart: &mut dyn Inspect);

    /// Answers the call of which the `ecall` is at the hart's program counter.
    fn call(&self, hart: &mut dyn Inspect);

    /// Does what others asked of the hart. Whether it may run now; it is asked again when its bell rang.
    fn heed(&self, hart: &mut dyn Inspect) -> bool;

    /// Notes that the hart runs no instruction before the next [`heed`](Self::heed).
    fn rest(&self, hart: &mut dyn Inspect);
}
