//! What tests of devices share: ends for their lines, and devices with properties.

use hartwright_device::{Line, Sink};
use hartwright_objects::{Given, Object};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// The far ends of a device's lines.
#[derive(Clone)]
pub(crate) struct Ends(Arc<Levels>);

struct Levels(Mutex<Vec<bool>>);

impl Sink for Levels {
    fn set(&self, pin: u32, level: bool) {
        self.0.lock().unwrap()[pin as usize] = level;
    }
}

impl Ends {
    /// `n` lines and their ends.
    pub(crate) fn new(n: u32) -> (Self, Vec<Line>) {
        let levels = Arc::new(Levels(Mutex::new(vec![false; n as usize])));
        let lines = (0..n).map(|pin| Line::new(levels.clone(), pin)).collect();
        (Ends(levels), lines)
    }

    /// The numbers of the lines that are high.
    pub(crate) fn high(&self) -> Vec<usize> {
        let levels = self.0.0.lock().unwrap();
        levels.iter().enumerate().filter(|(_, level)| **level).map(|(i, _)| i).collect()
    }

    /// Waits until the lines are as they should be; a test that waits long has failed.
    pub(crate) fn wait(&self, so: impl Fn(&[usize]) -> bool) {
        let start = Instant::now();
        while !so(&self.high()) {
            assert!(start.elapsed() < Duration::from_secs(20), "the lines that are high: {:?}", self.high());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A device with these properties.
pub(crate) fn given<D: Object + Default>(properties: &[(&str, Given)]) -> D {
    let mut device = D::default();
    for (name, value) in properties {
        device.give(name, value).unwrap();
    }
    device
}
