//! The environment itself: what it has of its machine, and what it does at each of `exec`'s occasions.

use crate::{
    begin::{begin, power_on},
    call::Call,
    place::{self, Entry, Place, State},
};
use hartwright_device::{CharPort, Power};
use hartwright_exec::{Environment, Inspect};
use hartwright_hart::Port;
use hartwright_isa::csr::MHARTID;
use std::sync::Arc;

/// The supervisor binary interface of one machine.
pub struct Sbi {
    device_tree: u64,
    pub(crate) console: CharPort,
    pub(crate) power: Power,
    places: Vec<Place>,
}

/// The hart that begins by itself; the others wait to be started.
const BOOT: usize = 0;

impl Sbi {
    /// For a machine of `harts` harts, numbered from 0 as their `mhartid`. The first begins where reset puts it, in
    /// S-mode, and finds the address of the device tree in `a1`. The debug console is `console`, and who wants the
    /// machine off or reset is heard by `power`.
    pub fn new(harts: usize, device_tree: u64, console: CharPort, power: Power) -> Arc<Self> {
        let places = (0..harts).map(|_| Place::default()).collect();
        Arc::new(Sbi { device_tree, console, power, places })
    }

    /// Every hart, by number.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }
}

/// The hart's number.
fn number(hart: &dyn Inspect) -> usize {
    hart.csr(MHARTID).unwrap_or(0) as usize
}

impl Environment for Sbi {
    fn connect(&self, ports: &[Arc<Port>]) {
        assert_eq!(ports.len(), self.places.len(), "the environment is made for as many harts");
        self.places.iter().zip(ports).for_each(|(place, port)| place.connect(port));
    }

    fn reset(&self, hart: &mut dyn Inspect) {
        let number = number(hart);
        power_on(hart);
        let boots = number == BOOT;
        self.places[number].reset(if boots { State::Started } else { State::Stopped });
        if boots {
            let pc = hart.pc();
            begin(hart, Entry { pc, opaque: self.device_tree });
        }
    }

    fn call(&self, hart: &mut dyn Inspect) {
        let number = number(hart);
        Call { sbi: self, hart, number }.answer();
    }

    fn heed(&self, hart: &mut dyn Inspect) -> bool {
        let number = number(hart);
        place::heed(&self.places, number, hart, begin)
    }

    fn rest(&self, hart: &mut dyn Inspect) {
        place::rest(&self.places, number(hart));
    }
}
