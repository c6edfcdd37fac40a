//! Any instructions, run: on a bare hart from any state, and as a program on a machine with devices.

use crate::{
    bytes::Bytes,
    stage::{self, machine},
};
use hartwright_device::CharPort;
use hartwright_emu::Built;
use hartwright_exec::{Engine, Environment, Harts, Inspect, Pace, Setup, Trace};
use hartwright_hart::{Config, Privilege};
use hartwright_isa::{
    cpu::{CpuModel, MODELS},
    csr,
};
use hartwright_machine::Outside;
use hartwright_mem::AddressSpace;
use hartwright_wire::{Clock, Entropy, Mtime};
use std::sync::{Arc, OnceLock};

/// Where RAM begins, and harts with it.
pub(crate) const RAM: u64 = 0x8000_0000;
/// Its bytes.
const SIZE: u64 = 1 << 16;
/// Code lies here, and again where traps go at first.
const PLACES: [u64; 2] = [RAM, RAM + 0x1000];
/// The most blocks of one run.
const BLOCKS: u64 = 64;

/// Harts with RAM and nothing else, at rest.
pub(crate) struct Bare {
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) harts: Harts,
}

impl Bare {
    /// So many harts of `model`, whose calls `environment` answers.
    pub(crate) fn new(count: u64, model: &CpuModel, environment: Option<Arc<dyn Environment>>) -> Self {
        let mut map = AddressSpace::build();
        let space = map.ram("ram", RAM, SIZE).and_then(|()| map.finish());
        let space = space.unwrap_or_else(|why| panic!("64 KiB of RAM: {why}"));
        let mtime = Mtime::new(Clock::by_hand(), 10_000_000);
        let config = |id| Config {
            model: model.clone(),
            id,
            reset_pc: RAM,
            space: space.clone(),
            mtime: mtime.clone(),
            entropy: Entropy::default(),
        };
        let harts = Harts::new(Setup {
            harts: (0..count).map(config).collect(),
            listener: Arc::new(|_| ()),
            trace: Trace::default(),
            environment,
            semihost: None,
            pace: Pace::Together,
            engine: Engine::default(),
        });
        Bare { space, harts: harts.unwrap_or_else(|why| panic!("the host has threads: {why}")) }
    }

    /// Zeroes RAM, puts `code` in its places, and resets the harts.
    pub(crate) fn reset(&self, code: &[u8]) {
        let mut image = vec![0; SIZE as usize];
        for place in PLACES {
            let at = (place - RAM) as usize;
            let len = code.len().min(0x1000);
            image[at..at + len].copy_from_slice(&code[..len]);
        }
        self.space.write_bytes(RAM, &image).unwrap_or_else(|why| panic!("RAM can be written: {why:?}"));
        self.harts.reset();
    }
}

/// The first byte chooses the model, the second a privilege mode, the third how many registers are set; for each of
/// these its number and value follow, and then code.
pub(crate) fn instructions(data: &[u8]) {
    static BENCHES: OnceLock<Vec<Bare>> = OnceLock::new();
    let benches = BENCHES.get_or_init(|| MODELS.iter().map(|model| Bare::new(1, model, None)).collect());
    let mut bytes = Bytes(data);
    let bare = &benches[usize::from(bytes.byte()) % benches.len()];
    let mode = [Privilege::Machine, Privilege::Supervisor, Privilege::User][usize::from(bytes.byte() % 3)];
    let settings: Vec<(u16, u64)> =
        (0..bytes.byte() % 32).map(|_| (bytes.number(2) as u16, bytes.value(RAM))).collect();
    let code = bytes.0.to_vec();
    bare.reset(&code);
    bare.harts.with(0, move |hart| {
        prepare(hart);
        hart.set_csr(csr::MTVEC, PLACES[1]);
        hart.set_csr(csr::PMPADDR0, u64::MAX);
        hart.set_csr(csr::PMPCFG0, 0x1f);
        hart.set_csr(csr::MSTATUS, 0x6600);
        for (number, value) in settings {
            set(hart, number, value);
        }
        hart.set_privilege(mode);
    });
    bare.harts.run_some(0, BLOCKS);
    let shown = bare.harts.with(0, |hart| hart.registers());
    assert!(shown.is_some(), "the hart's thread lives");
}

/// Every other register leads into RAM, so that loads and stores do not all fault.
fn prepare(hart: &mut dyn Inspect) {
    for r in 1..32_u8 {
        let value = if r % 2 == 0 { RAM + 0x800 + 64 * u64::from(r) } else { u64::from(r) };
        hart.set_x(r, value.into());
    }
}

/// Sets integer register, floating-point register or CSR `number`.
fn set(hart: &mut dyn Inspect, number: u16, value: u64) {
    let wide = u128::from(value) << 64 | u128::from(value);
    match number >> 12 {
        0..4 => drop(hart.set_csr(number & 0xfff, value)),
        4..8 => hart.set_f(number as u8 % 32, value),
        8..12 => hart.set_x(number as u8 % 32, value.into()),
        _ => hart.set_x(number as u8 % 32, wide),
    }
}

/// `param`, and our end of its serial port.
struct Param {
    built: Built,
    port: CharPort,
}

/// Two harts run the bytes from the start of RAM, in turns, while some of them are typed. In their saved registers
/// they find where the devices are, and in the stack pointer RAM.
pub(crate) fn program(data: &[u8]) {
    static PARAM: OnceLock<Param> = OnceLock::new();
    let param = PARAM.get_or_init(|| {
        let port = CharPort::default();
        port.connect(Arc::new(|| ()));
        let ends = Outside { ports: [("serial0".into(), port.clone())].into(), ..Outside::default() };
        Param { built: machine("-M param -m 256K -smp 2 -nographic", &ends), port }
    });
    let mut bytes = Bytes(data);
    let (turns, typed) = (bytes.byte() % 8, bytes.byte() % 16);
    let typed = bytes.take(typed.into());
    let built = &param.built;
    stage::reset(built);
    let code = &bytes.0[..bytes.0.len().min(0x1000)];
    built.machine.space.write_bytes(RAM, code).unwrap_or_else(|why| panic!("RAM can be written: {why:?}"));
    let bases: Vec<u64> = built.machine.spec.devices.iter().map(|device| *device.base).collect();
    let harts = &built.control.harts;
    for hart in 0..harts.len() {
        let bases = bases.clone();
        harts.with(hart, move |hart| {
            // s2 to s11 (psABI, "Register Convention").
            bases.iter().zip(18..28).for_each(|(base, r)| hart.set_x(r, (*base).into()));
            hart.set_x(2, (RAM + 0x2000).into());
            hart.set_csr(csr::MTVEC, RAM + 0x100);
        });
    }
    for _ in 0..=turns {
        param.port.feed(typed);
        (0..harts.len()).for_each(|hart| harts.run_some(hart, BLOCKS));
        param.port.consume_output(usize::MAX);
    }
    let alive = (0..harts.len()).all(|hart| harts.with(hart, |hart| hart.pc()).is_some());
    assert!(alive, "the harts' threads live");
}
