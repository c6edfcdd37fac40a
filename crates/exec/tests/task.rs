//! A hart in U-mode whose exceptions come back to who runs it, and that asks a protection instead of page tables.
#![forbid(unsafe_code)]

use hartwright_exec::{Core, Exit, Task, Trace};
use hartwright_hart::{Access, Cause, Config, Hart, Protection, Trap};
use hartwright_isa::cpu::CpuModel;
use hartwright_mem::AddressSpace;
use hartwright_wire::{Clock, Entropy, Mtime};
use std::{sync::Arc, time::Instant};

/// The first page is code, the second data; nothing else is there.
struct Pages;

impl Protection for Pages {
    fn check(&self, addr: u64, access: Access) -> Result<(), Cause> {
        let allowed = match addr >> 12 {
            0 => access != Access::Store,
            1 => access != Access::Fetch,
            _ => false,
        };
        if allowed { Ok(()) } else { Err(Cause::page_fault(access)) }
    }
}

/// A hart at address 0 of `code`.
fn core(code: &[u32]) -> Core<u64> {
    let mut builder = AddressSpace::build();
    builder.ram("process", 0, 0x4000).unwrap();
    let space = builder.finish().unwrap();
    let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    space.write_bytes(0, &bytes).unwrap();
    let model = CpuModel { pmp_entries: 0, ..CpuModel::find("rv64").unwrap().clone() };
    let mtime = Mtime::new(Clock::without_alarms(Instant::now()), 10_000_000);
    let hart = Hart::new(Config { model, id: 0, reset_pc: 0, space, mtime, entropy: Entropy::default() });
    hart.protect(Arc::new(Pages));
    Core::new(hart)
}

const ECALL: u32 = 0x0000_0073;

#[test]
fn an_exception_comes_back_and_the_hart_stands_where_it_was_raised() {
    // addi a0, zero, 7; ecall; addi a0, a0, 1; ebreak
    let core = core(&[0x0070_0513, ECALL, 0x0015_0513, 0x0010_0073]);
    let mut task = Task::new(&core, Trace::default());
    assert_eq!(task.run(), Exit::Trap(Trap::new(Cause::EcallFromU, 0)));
    assert_eq!((task.hart().pc(), task.hart().x(10)), (4, 7));
    task.hart().set_pc(8);
    assert_eq!(task.run(), Exit::Trap(Trap::new(Cause::Breakpoint, 12)));
    assert_eq!((task.hart().pc(), task.hart().x(10)), (12, 8));
}

#[test]
fn what_the_protection_forbids_is_a_page_fault_with_its_address() {
    // lui a0, 1; sw zero, 8(a0); lw a1, 8(zero); sw zero, 8(zero)
    let core = core(&[0x0000_1537, 0x0005_2423, 0x0080_2583, 0x0000_2423]);
    let mut task = Task::new(&core, Trace::default());
    assert_eq!(task.run(), Exit::Trap(Trap::new(Cause::StorePageFault, 8)));
    assert_eq!(task.hart().pc(), 12);
    for (pc, fault) in [(0x1000, 0x1000), (0x2000, 0x2000), (1 << 40, 1 << 40)] {
        task.hart().set_pc(pc);
        assert_eq!(task.run(), Exit::Trap(Trap::new(Cause::InstructionPageFault, fault)));
    }
}

#[test]
fn whoever_rings_is_heard_between_two_blocks() {
    // jal zero, 0
    let core = core(&[0x0000_006f]);
    let mut task = Task::new(&core, Trace::default());
    let port = core.hart.port().clone();
    let ringer = std::thread::spawn(move || port.ring());
    assert_eq!(task.run(), Exit::Rung);
    ringer.join().unwrap();
}
