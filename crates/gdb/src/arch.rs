//! Registers as gdb numbers them (gdb's `riscv-tdep.h`: `RISCV_ZERO_REGNUM` and so on).

use gdbstub::arch;
use std::num::NonZeroUsize;

/// The number of f0.
pub(crate) const FLOATS: usize = 33;
/// The number of CSR 0.
pub(crate) const CSRS: usize = 65;
/// The number of the privilege mode.
pub(crate) const PRIVILEGE: usize = CSRS + 0x1000;

/// One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    X(u8),
    Pc,
    F(u8),
    Csr(u16),
    Privilege,
}

impl arch::RegId for Register {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        let register = match id {
            0..32 => Register::X(id as u8),
            32 => Register::Pc,
            FLOATS..CSRS => Register::F((id - FLOATS) as u8),
            CSRS..PRIVILEGE => Register::Csr((id - CSRS) as u16),
            PRIVILEGE => Register::Privilege,
            _ => return None,
        };
        Some((register, None))
    }
}

/// What `g` and `G` transfer: x0 to x31 and the program counter, each of a register's width.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Core {
    /// Bytes of a register.
    pub(crate) size: usize,
    /// In gdb's order.
    pub(crate) values: Vec<u64>,
}

/// How many registers are in [`Core`].
pub(crate) const CORE: usize = 33;

impl arch::Registers for Core {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.values.get(CORE - 1).copied().unwrap_or(0)
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        for value in &self.values {
            value.to_le_bytes().iter().take(self.size).for_each(|byte| write_byte(Some(*byte)));
        }
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.size = bytes.len() / CORE;
        if !matches!(self.size, 4 | 8) {
            return Err(());
        }
        self.values = bytes.chunks_exact(self.size).take(CORE).map(number).collect();
        Ok(())
    }
}

/// A little-endian number of up to eight bytes.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// RISC-V to `gdbstub`.
pub(crate) enum Riscv {}

impl arch::Arch for Riscv {
    type Usize = u64;
    type Registers = Core;
    type BreakpointKind = usize;
    type RegId = Register;
}
