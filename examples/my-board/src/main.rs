//! The program: hartwright with the machine `my-board` and its devices.
#![forbid(unsafe_code)]

// A crate that nothing names is not linked in, and then neither are its devices and machines.
use my_board as _;

fn main() -> std::process::ExitCode {
    hartwright::main_with_defaults(&["-machine", "my-board", "-nographic"])
}
