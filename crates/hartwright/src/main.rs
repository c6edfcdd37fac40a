//! The program `hartwright`, also known as `hartwright-system-riscv64` and `qemu-system-riscv64`, and for 32 bits
//! as the same with `riscv32`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hartwright::main()
}
