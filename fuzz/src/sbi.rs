//! Calls of S-mode with any registers, on harts in any state, and programs that make them.

use crate::{
    bytes::Bytes,
    harts::{Bare, RAM},
};
use hartwright_device::{CharPort, Power};
use hartwright_exec::{Environment, Inspect};
use hartwright_isa::cpu::CpuModel;
use hartwright_sbi::{EXTENSIONS, Sbi};
use std::sync::{Arc, OnceLock};

/// The harts of the machine.
const HARTS: usize = 2;

/// A machine whose calls are answered, and our end of its console.
struct Bench {
    bare: Bare,
    sbi: Arc<Sbi>,
    console: CharPort,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let console = CharPort::default();
        console.connect(Arc::new(|| ()));
        let sbi = Sbi::new(HARTS, RAM + 0x8000, console.clone(), Power::default());
        let model = CpuModel::find("max").unwrap_or_else(|| panic!("there is a largest model"));
        Bench { bare: Bare::new(HARTS as u64, model, Some(sbi.clone())), sbi, console }
    })
}

/// So many bytes of code, and then a call, a run, or something typed for each byte that says which.
pub(crate) fn run(data: &[u8]) {
    let bench = bench();
    let mut bytes = Bytes(data);
    let code = bytes.byte();
    bench.bare.reset(bytes.take(code.into()));
    while !bytes.is_empty() {
        let what = bytes.byte();
        let hart = usize::from(what & 1);
        match what >> 1 & 7 {
            0..5 => bench.call(hart, &mut bytes),
            5 | 6 => bench.bare.harts.run_some(hart, 16),
            _ => drop(bench.console.feed(bytes.take(4))),
        }
        bench.console.consume_output(usize::MAX);
    }
}

impl Bench {
    /// Makes a call: mostly of a function that is there.
    fn call(&self, hart: usize, bytes: &mut Bytes<'_>) {
        let which = usize::from(bytes.byte());
        let (extension, function) = match EXTENSIONS.get(which % (EXTENSIONS.len() + 1)) {
            Some(row) => (row.id, u64::from(bytes.byte()) % (row.functions.len() as u64 + 1)),
            None => (bytes.number(4), bytes.value(0)),
        };
        let given = bytes.byte() % 7;
        let arguments: Vec<u64> = (0..given).map(|_| bytes.value(RAM)).collect();
        let sbi = self.sbi.clone();
        let called = self.bare.harts.with(hart, move |hart: &mut dyn Inspect| {
            for (r, argument) in (10..).zip(arguments) {
                hart.set_x(r, argument.into());
            }
            hart.set_x(16, function.into());
            hart.set_x(17, extension.into());
            sbi.call(hart);
        });
        assert!(called.is_some(), "the hart's thread lives");
    }
}
