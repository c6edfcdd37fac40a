//! Breakpoints and watchpoints that the debugger has set.

use gdbstub::target::ext::breakpoints::WatchKind;
use hartwright_exec::Breakpoints;

/// All of them, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Points {
    /// `Z0`: address.
    pub(crate) soft: Vec<u64>,
    /// `Z1`: address.
    pub(crate) hard: Vec<u64>,
    /// `Z2` to `Z4`: address, bytes, kind.
    pub(crate) watch: Vec<(u64, u64, WatchKind)>,
}

impl Points {
    /// For the harts.
    pub(crate) fn breakpoints(&self) -> Breakpoints {
        let data = self
            .watch
            .iter()
            .map(|&(addr, len, kind)| (addr, len, kind != WatchKind::Write, kind != WatchKind::Read));
        Breakpoints { code: [&self.soft[..], &self.hard].concat(), data: data.collect() }
    }

    /// What the watchpoint at `addr` watches for.
    pub(crate) fn kind(&self, addr: u64) -> WatchKind {
        self.watch.iter().find(|(at, ..)| *at == addr).map_or(WatchKind::ReadWrite, |(.., kind)| *kind)
    }
}

/// Puts `point` into a list, once.
pub(crate) fn add<T: PartialEq>(list: &mut Vec<T>, point: T) {
    if !list.contains(&point) {
        list.push(point);
    }
}

/// Takes `point` out of a list; whether it was there.
pub(crate) fn remove<T: PartialEq>(list: &mut Vec<T>, point: &T) -> bool {
    let before = list.len();
    list.retain(|known| known != point);
    list.len() < before
}
