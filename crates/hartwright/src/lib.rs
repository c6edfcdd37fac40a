//! A RISC-V machine in a program, and all that a crate with a machine or devices of its own needs.
//!
//! Such a crate depends on this one alone. It is a program of its own: the built-in machines and devices, and QEMU's
//! command line, come with [`main`]; `hartwright new NAME` writes one to begin with.
//!
//! A device is a table of registers and what happens at some of them:
//!
//! ```
//! use hartwright::{Object, device::*, registers, testing::Bench};
//!
//! registers! { Lamp size 0x1000, widths [4] else fault:
//!     0x0 control: u32 { ON[0], LEVEL[7:4] } = 0x30     then sync;
//!     0x4 status:  u32 { BURNT[0] W1C };
//! }
//!
//! /// A lamp.
//! #[derive(Object)]
//! #[object(name = "lamp", parent = "sys-bus-device", family = dyn Device)]
//! struct Lamp {
//!     /// The highest level, beyond which it burns out.
//!     #[property(default = 9)]
//!     rating: u32,
//!     light: Line,
//!     state: State,
//! }
//!
//! #[derive(Default)]
//! struct State {
//!     regs: Regs,
//! }
//!
//! impl Lamp {
//!     fn sync(&mut self) {
//!         let Regs { control: c, ref mut status } = self.state.regs;
//!         *status |= status::BURNT.when::<u32>(control::LEVEL.get(c) > self.rating);
//!         self.light.set(control::ON.is_set(c) && *status == 0);
//!     }
//! }
//!
//! impl Device for Lamp {
//!     fn realize(&mut self, wiring: Wiring) -> Result<(), Error> {
//!         self.light = wiring.line(0);
//!         Ok(())
//!     }
//!     fn reset(&mut self) {
//!         self.state = State::default();
//!         self.sync();
//!     }
//!     fn outputs(&self) -> Vec<Output> {
//!         vec![Output::interrupt("light")]
//!     }
//!     fn compatible(&self) -> &'static [&'static str] {
//!         &["demo,lamp"]
//!     }
//! }
//!
//! let lamp = Bench::<Lamp>::with(&[("rating", "10")]);
//! assert_eq!(lamp.read(0x0, 4), Ok(0x30));
//! lamp.write(0x0, 4, 0xa1)?;
//! assert!(lamp.line("light"));
//! lamp.write(0x0, 4, 0xb1)?;
//! assert_eq!((lamp.line("light"), lamp.read(0x4, 4)), (false, Ok(1)));
//! lamp.conforms();
//! # Ok::<(), BusError>(())
//! ```
//!
//! A machine is what lies where, with a line each:
//!
//! ```
//! use hartwright::{board, machine::{MachineSpec, Options}, testing::Machine};
//!
//! board!("tiny", "RAM, a UART, and a way to end", tiny, firmware = &HELLO);
//!
//! fn tiny(m: &mut MachineSpec, options: &Options) {
//!     m.harts(options, 1..=1);
//!     m.rom("rom", 0x1000, 0xf000);
//!     m.device("test", "riscv.sifive.test", 0x10_0000, 0x1000);
//!     m.device("uart", "ns16550a", 0x1000_0000, 0x100).chardev("serial0");
//!     m.ram("ram", 0x8000_0000, options.ram.unwrap_or(1 << 20));
//! }
//!
//! /// Says `!` (0x21) on the UART and ends: lui a0, 0x10000; li a1, 0x21; sb a1, (a0); lui a0, 0x100; lui a1, 5;
//! /// addi a1, a1, 0x555; sw a1, (a0); j .
//! static HELLO: [u8; 32] = *b"\x37\x05\x00\x10\x93\x05\x10\x02\x23\x00\xb5\x00\x37\x05\x10\x00\
//!                             \xb7\x55\x00\x00\x93\x85\x55\x55\x23\x20\xb5\x00\x6f\x00\x00\x00";
//!
//! let mut machine = Machine::start(&["-machine", "tiny"])?;
//! machine.expect("!");
//! assert_eq!(machine.exit_code(), 0);
//! # Ok::<(), String>(())
//! ```
//!
//! **A crate that nothing names is not linked in**, and then neither are its devices and machines. A program names the
//! crates whose types it wants, with `use my_devices as _;` if with nothing else. Who asks for a type that is not there
//! is told so.
#![forbid(unsafe_code)]

// The derives name this crate from outside, also in its own examples.
extern crate self as hartwright;

pub mod testing;

use std::{ffi::OsString, process::ExitCode};

pub use hartwright_device::{registers, serde};
pub use hartwright_machine::board;
pub use hartwright_objects::{Choice, Object};

/// What a device is, what it is wired to, and where it says that a guest did wrong.
pub mod device {
    pub use hartwright_device::{
        Access, Alarm, BlockError, BlockInfo, BlockOp, BlockPort, BlockReply, BlockRequest, Bus, BusError,
        Card, CharPort, Clock, Comparator, Device, Dma, Entropy, Error, Field, Line, Locked, Mtime, NewCard,
        OWN, Otherwise, Output, Outward, Power, Prop, Register, Registers, Request, Saved, Sink, Table,
        Target, Wiring, conforms, log, regs,
    };
}

/// What a device on a virtio bus is: a [`VirtioCard`](virtio::VirtioCard) answers requests, and everything about rings
/// and registers is done for it.
pub mod virtio {
    pub use hartwright_virtio::{Chain, Io, VirtioCard, features};
}

/// Types with names and properties: what `#[derive(Object)]` writes, and what reads it.
pub mod objects {
    pub use hartwright_objects::*;
}

/// What a machine is: a [`MachineSpec`](machine::MachineSpec) that a function fills, made known by
/// [`board!`](crate::board).
pub mod machine {
    pub use hartwright_machine::{
        BOARDS, Board, Boot, Card, Cpu, Device, End, MachineSpec, Memory, Options, Problem, Rows, Said,
    };
}

/// The whole program, with the words of the command line: what `fn main` returns.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     hartwright::main()
/// }
/// ```
pub fn main() -> ExitCode {
    main_with_defaults(&[])
}

/// The whole program, as if `defaults` stood before the words of the command line. Of most options the last counts, so
/// the user can still choose another machine.
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     hartwright::main_with_defaults(&["-machine", "my-board", "-nographic"])
/// }
/// ```
pub fn main_with_defaults(defaults: &[&str]) -> ExitCode {
    hartwright_emu::main_with(defaults, std::env::args_os())
}

/// The whole program with other words; the first is what it is called.
///
/// ```
/// let code = hartwright::run(["my-program", "-version"].map(Into::into));
/// assert_eq!(code, std::process::ExitCode::SUCCESS);
/// ```
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    hartwright_emu::main_with(&[], words)
}
