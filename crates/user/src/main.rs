//! The program `hartwright-riscv64`, also known as `qemu-riscv64`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hartwright_user::main_with(std::env::args_os().collect())
}
