//! What straight-line code changes of a hart: taken and put back by whoever runs the same code twice.

use crate::hart::Hart;
use hartwright_ir::Width;
use std::cell::Cell;

/// Registers, program counter, floating-point flags and the count of instructions, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<W> {
    x: [W; 32],
    f: [u64; 32],
    pc: u64,
    /// Exceptions of floating point.
    pub fflags: u8,
    /// A floating-point register or flag was written since `mstatus.FS` was last set.
    pub float_dirty: bool,
    /// See [`layout::RESERVATION`](crate::layout::RESERVATION).
    reservation: [u64; 3],
    /// Instructions retired.
    pub instret: u64,
}

impl<W: Width> Hart<W> {
    /// What code may have changed so far.
    pub fn shown(&self) -> Shown<W> {
        Shown {
            x: std::array::from_fn(|r| self.x[r].get()),
            f: std::array::from_fn(|r| self.f[r].get()),
            pc: self.pc.get(),
            fflags: self.csrs.fflags.get(),
            float_dirty: self.float_dirty.get(),
            reservation: self.reservation.parts().map(Cell::get),
            instret: self.instret.get(),
        }
    }

    /// Puts it back.
    pub fn show(&self, shown: &Shown<W>) {
        self.x.iter().zip(shown.x).for_each(|(x, v)| x.set(v));
        self.f.iter().zip(shown.f).for_each(|(f, v)| f.set(v));
        self.pc.set(shown.pc);
        self.csrs.fflags.set(shown.fflags);
        self.float_dirty.set(shown.float_dirty);
        self.reservation.parts().iter().zip(shown.reservation).for_each(|(part, v)| part.set(v));
        self.instret.set(shown.instret);
    }
}

impl<W: Width> Shown<W> {
    /// Each part that is not as in `other`, with its value here and there.
    pub fn differences(&self, other: &Shown<W>) -> Vec<(String, u64, u64)> {
        // As nearly always: names are for who reads of a difference.
        if self == other {
            return vec![];
        }
        let mut parts = vec![
            ("pc".to_owned(), self.pc, other.pc),
            ("instret".to_owned(), self.instret, other.instret),
            ("fflags".to_owned(), self.fflags.into(), other.fflags.into()),
            ("written floating point".to_owned(), self.float_dirty.into(), other.float_dirty.into()),
        ];
        for (name, here, there) in [("place", 0), ("size", 1), ("value", 2)]
            .map(|(name, i)| (name, self.reservation[i], other.reservation[i]))
        {
            parts.push((format!("reservation's {name}"), here, there));
        }
        for r in 0..32 {
            parts.push((format!("x{r}"), self.x[r].to_u64(), other.x[r].to_u64()));
            parts.push((format!("f{r}"), self.f[r], other.f[r]));
        }
        parts.retain(|(_, here, there)| here != there);
        parts
    }
}
