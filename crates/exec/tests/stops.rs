//! Where a hart under a debugger stops.
#![forbid(unsafe_code)]

use hartwright_exec::{Breakpoints, Engine, Environment, Event, Harts, Inspect, Pace, Reason, Setup, Trace};
use hartwright_hart::{Config, Port};
use hartwright_isa::{cpu::CpuModel, csr};
use hartwright_mem::{AddressSpace, PAGE};
use hartwright_wire::{Clock, Entropy, Mtime, Sink};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

const RAM: u64 = 0x8000_0000;
const NOP: u32 = 0x13;
const WFI: u32 = 0x1050_0073;

fn hart(program: &[u32]) -> (Harts, Receiver<Event>) {
    hart_with(program, None)
}

fn hart_with(program: &[u32], environment: Option<Arc<dyn Environment>>) -> (Harts, Receiver<Event>) {
    let mut map = AddressSpace::build();
    map.ram("ram", RAM, PAGE).unwrap();
    let space = map.finish().unwrap();
    let bytes: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
    space.write_bytes(RAM, &bytes).unwrap();
    let config = Config {
        model: CpuModel::find("rv64").unwrap().clone(),
        id: 0,
        reset_pc: RAM,
        space,
        mtime: Mtime::new(Clock::new(), 10_000_000),
        entropy: Entropy::default(),
    };
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let listener = Arc::new(move |event| tell.lock().unwrap().send(event).unwrap());
    let setup = Setup {
        harts: vec![config],
        listener,
        trace: Trace::default(),
        environment,
        semihost: None,
        pace: Pace::Together,
        engine: Engine::default(),
    };
    (Harts::new(setup).unwrap(), told)
}

/// Why the hart stopped, and where.
fn stopped(harts: &Harts, told: &Receiver<Event>) -> (Reason, u64) {
    let Event::Stopped { reason, .. } = told.recv_timeout(Duration::from_secs(20)).unwrap();
    (reason, harts.with(0, |hart| hart.pc()).unwrap())
}

#[test]
fn a_hart_let_go_at_a_breakpoint_stops_there_again_and_a_step_gets_past() {
    let (harts, told) = hart(&[NOP, NOP, NOP]);
    harts.set_breakpoints(&Breakpoints { code: vec![RAM + 4], data: vec![] });
    for _ in 0..2 {
        harts.resume();
        assert_eq!(stopped(&harts, &told), (Reason::Breakpoint, RAM + 4));
    }
    harts.step(0);
    assert_eq!(stopped(&harts, &told), (Reason::Step, RAM + 8));
}

#[test]
fn a_step_takes_no_interrupt_and_waits_for_none() {
    let (harts, told) = hart(&[NOP, WFI, NOP]);
    harts.with(0, |hart| {
        // MIE, and MSIE: the interrupt that pends below is due.
        assert!(hart.set_csr(csr::MSTATUS, 1 << 3) && hart.set_csr(csr::MIE, 1 << 3));
    });
    harts.port(0).set(3, true);
    harts.step(0);
    assert_eq!(stopped(&harts, &told), (Reason::Step, RAM + 4));
    harts.port(0).set(3, false);
    for next in [RAM + 8, RAM + 12] {
        harts.step(0);
        assert_eq!(stopped(&harts, &told), (Reason::Step, next));
    }
}

/// Notes whether the hart rests, and takes its time over it.
#[derive(Default)]
struct Slow {
    ran: AtomicBool,
    rests: AtomicBool,
}

impl Environment for Slow {
    fn connect(&self, _: &[Arc<Port>]) {}
    fn reset(&self, _: &mut dyn Inspect) {}
    fn call(&self, _: &mut dyn Inspect) {}
    fn heed(&self, _: &mut dyn Inspect) -> bool {
        self.rests.store(false, Ordering::SeqCst);
        self.ran.store(true, Ordering::SeqCst);
        true
    }
    fn rest(&self, _: &mut dyn Inspect) {
        thread::sleep(Duration::from_millis(50));
        self.rests.store(true, Ordering::SeqCst);
    }
}

#[test]
fn when_harts_are_paused_their_environment_knows() {
    const LOOP: u32 = 0x6f;
    let slow = Arc::new(Slow::default());
    let (harts, _told) = hart_with(&[LOOP], Some(slow.clone()));
    for _ in 0..3 {
        slow.ran.store(false, Ordering::SeqCst);
        harts.resume();
        while !slow.ran.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        harts.pause();
        assert!(slow.rests.load(Ordering::SeqCst));
    }
}

#[test]
fn some_blocks_of_a_loop_without_end_do_end() {
    const COUNT: u32 = 0x0015_0513; // addi a0, a0, 1
    const BACK: u32 = 0xffdf_f06f; // j .-4
    let (harts, _told) = hart(&[COUNT, BACK]);
    harts.run_some(0, 50);
    assert_eq!(harts.with(0, |hart| hart.x(10)), Some(50));
    let (harts, _told) = hart(&[NOP, WFI, NOP]);
    harts.run_some(0, 50);
    assert_eq!(harts.with(0, |hart| (hart.pc(), hart.waits())), Some((RAM + 8, true)));
}
