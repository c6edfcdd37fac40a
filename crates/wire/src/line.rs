//! A line has a level, and somebody at its end.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The far end of lines: an interrupt controller, a hart, a GPIO block.
pub trait Sink: Send + Sync {
    /// Tells that input `pin` is now at `level`. May be called from any thread, and must not wait for one.
    fn set(&self, pin: u32, level: bool);
}

/// One wire from a device to a pin of a [`Sink`]; clones are the same wire.
///
/// A line holds its sink: an object at the end of a line lives as long as the line does.
#[derive(Clone, Default)]
pub struct Line(Option<Arc<Wire>>);

struct Wire {
    level: AtomicBool,
    sink: Arc<dyn Sink>,
    pin: u32,
}

impl Line {
    /// A wire to `pin` of `sink`, low at first.
    pub fn new(sink: Arc<dyn Sink>, pin: u32) -> Self {
        Line(Some(Arc::new(Wire { level: AtomicBool::new(false), sink, pin })))
    }

    /// A wire that ends nowhere; it is always low.
    pub fn unconnected() -> Self {
        Line(None)
    }

    /// Drives the wire; the sink hears of changes only.
    pub fn set(&self, level: bool) {
        if let Some(wire) = &self.0
            && wire.level.swap(level, Ordering::AcqRel) != level
        {
            wire.sink.set(wire.pin, level);
        }
    }

    /// The level it is driven to.
    pub fn get(&self) -> bool {
        self.0.as_ref().is_some_and(|wire| wire.level.load(Ordering::Acquire))
    }

    /// The number of the input it ends at, if it ends anywhere.
    pub fn pin(&self) -> Option<u32> {
        self.0.as_ref().map(|wire| wire.pin)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pin() {
            Some(pin) => write!(f, "Line(pin {pin}, {})", if self.get() { "high" } else { "low" }),
            None => f.write_str("Line(unconnected)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(u32, bool)>>);
    impl Sink for Heard {
        fn set(&self, pin: u32, level: bool) {
            self.0.lock().unwrap().push((pin, level));
        }
    }

    #[test]
    fn a_sink_hears_of_changes_only() {
        let heard = Arc::new(Heard::default());
        let line = Line::new(heard.clone(), 7);
        for level in [false, true, true, false] {
            line.set(level);
        }
        assert_eq!(*heard.0.lock().unwrap(), [(7, true), (7, false)]);
    }

    #[test]
    fn a_line_keeps_its_sink_alive() {
        let heard = Arc::new(Heard::default());
        let weak = Arc::downgrade(&heard);
        let line = Line::new(heard, 0);
        assert!(weak.upgrade().is_some());
        drop(line);
        assert!(weak.upgrade().is_none());
    }
}
