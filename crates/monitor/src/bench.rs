//! A machine of two harts and some memory to try the monitor on.

use crate::{Control, Outside, Parts, Stops};
use hartwright_device::{Clock, Entropy, Mtime};
use hartwright_exec::{Engine, Harts, Pace, Setup, Trace};
use hartwright_hart::Config;
use hartwright_isa::cpu::CpuModel;
use hartwright_loader::{Symbol, Symbols};
use hartwright_mem::{AddressSpace, BusError, Mmio, PAGE};
use hartwright_objects::{Abstract, Node};
use std::sync::{Arc, Mutex};

/// What was asked of the program around the machine.
pub(crate) type Asked = Arc<Mutex<Vec<&'static str>>>;

struct Around(Asked);

impl Outside for Around {
    fn reset(&self) {
        self.0.lock().unwrap().push("reset");
    }
    fn quit(&self) {
        self.0.lock().unwrap().push("quit");
    }
    fn power_down(&self) -> Result<(), String> {
        Err("this machine has no power button".into())
    }
    fn disks(&self) -> String {
        String::new()
    }
    fn chardevs(&self) -> Vec<(String, String)> {
        vec![("compat_monitor0".into(), "stdio".into())]
    }
    fn ring_read(&self, id: &str, size: usize) -> Result<Vec<u8>, String> {
        let all = b"a\nb\rc\\d\"e";
        if id == "r" {
            Ok(all[..size.min(all.len())].into())
        } else {
            Err(format!("Device '{id}' not found"))
        }
    }
    fn ring_write(&self, id: &str, bytes: &[u8]) -> Result<(), String> {
        Err(format!("{id} does not take {}", String::from_utf8_lossy(bytes)))
    }
}

/// A device of byte registers, which a wider access does not find.
struct Bytes;

impl Mmio for Bytes {
    fn read(&self, offset: u64, size: u8) -> Result<u64, BusError> {
        Ok(if size == 1 { offset + 0x60 } else { 0 })
    }
    fn write(&self, _: u64, _: u8, _: u64) -> Result<(), BusError> {
        Ok(())
    }
}

/// Where its memory begins, and its harts.
pub(crate) const RAM: u64 = 0x8000_0000;

/// A machine that runs `program`, from the start of its memory.
pub(crate) fn machine(program: &[u32]) -> (Arc<Control>, Asked) {
    let mut map = AddressSpace::build();
    map.ram("ram", RAM, 16 * PAGE).unwrap();
    map.rom("rom", 0x1000, PAGE).unwrap();
    map.mmio("bytes", 0x1000_0000, 8, Arc::new(Bytes)).unwrap();
    let space = map.finish().unwrap();
    let bytes: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
    space.write_bytes(RAM, &bytes).unwrap();
    space.write_bytes(0x1000, &0x0282_8613_0000_0297_u64.to_le_bytes()).unwrap();
    let clock = Clock::new();
    let config = |id| Config {
        model: CpuModel::find("rv64").unwrap().clone(),
        id,
        reset_pc: RAM,
        space: space.clone(),
        mtime: Mtime::new(clock.clone(), 10_000_000),
        entropy: Entropy::default(),
    };
    let stops = Stops::default();
    let setup = Setup {
        harts: vec![config(0), config(1)],
        listener: stops.listener(),
        trace: Trace::default(),
        environment: None,
        semihost: None,
        pace: Pace::Together,
        engine: Engine::default(),
    };
    let root = Node::root(Abstract::container());
    let top = root.add("machine", Abstract::container()).unwrap();
    top.add("uart0", Abstract::container()).unwrap();
    top.add("clint", Abstract::container()).unwrap();
    let asked = Asked::default();
    let main = Symbol { name: "main".into(), address: RAM + 4, size: 8 };
    let parts = Parts {
        harts: Harts::new(setup).unwrap(),
        space,
        clock,
        root,
        symbols: Symbols::new(vec![main]),
        name: Some("guest".into()),
        version: "0.1.0".into(),
        trace: Trace::default(),
        outside: Box::new(Around(asked.clone())),
    };
    (Control::new(parts, stops).unwrap(), asked)
}
