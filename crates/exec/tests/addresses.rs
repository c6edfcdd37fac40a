//! What a guest addresses that it has not: no access reaches the host, whatever the address, and each is refused as by
//! the interpreter.

#![forbid(unsafe_code)]

mod common;

use common::{FINISHER, Machine, RAM, Rng, TRANSLATOR, li, model, op};
use hartwright_exec::Engine;
use hartwright_isa::csr;

const SIZE: u64 = 4 << 20;
/// Where the addresses are, and how many.
const TABLE: u64 = RAM + 0x10_0000;
const COUNT: u64 = 100_000;
/// What is left: how many exceptions there were, and a sum over what each said.
const LEFT: u64 = RAM + 0x8000;
const HANDLER: u64 = RAM + 0x4000;

/// Accesses by `x10`, and by `x11`, which is not far.
fn accesses() -> Vec<u32> {
    let mut words = vec![];
    let one = |name: &str, base: u32, offset: i64| {
        let store = matches!(name, "sb" | "sh" | "sw" | "sd" | "fsd" | "fsw");
        if store { op(name, 0, base, 12, offset) } else { op(name, 12, base, 0, offset) }
    };
    for (name, offset) in
        [("ld", 0), ("lbu", 0), ("sd", 0), ("lw", 2040), ("sb", 2047), ("fld", -2048), ("fsw", -2044)]
    {
        words.push(one(name, 10, offset));
    }
    words.push(op("addi", 11, 10, 0, 2032));
    words.extend([one("ld", 11, 2040), one("sh", 11, 2046), one("lhu", 11, -2048), one("fsd", 11, 0)]);
    words.extend([op("addi", 11, 11, 0, -2048), op("addi", 11, 11, 0, -2048), one("sw", 11, -2048)]);
    words
}

/// How many of the accesses were refused that the addresses give, and a sum over `mepc`, `mcause` and `mtval` of each.
fn refused(machine: &Machine, by_pages: bool, addresses: &[u64]) -> [u64; 2] {
    let bytes: Vec<u8> = addresses.iter().flat_map(|address| address.to_le_bytes()).collect();
    machine.space.write_bytes(TABLE, &bytes).unwrap();
    let csrw = |number: u16, x| op("csrrw", 0, x, 0, number.into());
    let csrr = |x, number: u16| op("csrrs", x, 0, 0, number.into());

    let mut words = li(5, HANDLER);
    words.extend([
        csrw(csr::MTVEC, 5),
        op("lui", 5, 0, 0, 0x6000),
        op("csrrs", 0, 5, 0, csr::MSTATUS.into()),
    ]);
    if by_pages {
        // An entry for everything: M-mode's accesses are then looked at one by one.
        words.extend([op("addi", 5, 0, 0, -1), csrw(csr::PMPADDR0, 5)]);
        words.extend([op("addi", 5, 0, 0, 0x1f), csrw(csr::PMPCFG0, 5)]);
    }
    words.extend(li(8, TABLE));
    words.extend(li(9, TABLE + bytes.len() as u64));
    let begin = 4 * words.len() as i64;
    words.push(op("ld", 10, 8, 0, 0));
    words.extend(accesses());
    words.push(op("addi", 8, 8, 0, 8));
    words.push(op("bne", 0, 8, 9, begin - 4 * words.len() as i64));
    words.extend(li(5, LEFT));
    words.extend([op("sd", 0, 5, 20, 0), op("sd", 0, 5, 21, 8)]);
    words.extend([op("lui", 31, 0, 0, FINISHER as i64), op("sw", 0, 31, 0, 0), op("jal", 0, 0, 0, 0)]);

    // x20 counts, x21 adds up.
    let mut handler =
        vec![op("addi", 20, 20, 0, 1), csrr(5, csr::MEPC), csrr(6, csr::MCAUSE), csrr(7, csr::MTVAL)];
    for x in [5, 6, 7] {
        handler.extend([op("add", 21, 21, x, 0), op("slli", 28, 21, 0, 13), op("srli", 29, 21, 0, 7)]);
        handler.extend([op("xor", 21, 21, 28, 0), op("xor", 21, 21, 29, 0)]);
    }
    handler.extend([op("addi", 5, 5, 0, 4), csrw(csr::MEPC, 5), 0x3020_0073]);
    machine.put(HANDLER, &handler);
    machine.put(RAM, &words);
    machine.run();
    let mut left = [0; 16];
    machine.space.read_bytes(LEFT, &mut left).unwrap();
    [0, 8].map(|i| u64::from_le_bytes(left[i..i + 8].try_into().unwrap()))
}

/// Addresses where nothing is: of every size, and those from which the host's own are not far if they are added to
/// what the host has the guest's memory at.
fn wild(machine: &Machine) -> Vec<u64> {
    let mut rng = Rng(64);
    let local = 0u8;
    let boxed = Box::new(0u8);
    let host = [
        &raw const local as u64,
        &raw const *boxed as u64,
        wild as *const () as u64,
        machine.space.ram().address(),
        machine.space.ram().version_address(0).unwrap(),
        std::ptr::from_ref(machine) as u64,
    ];
    let bases = [machine.space.ram().address() - RAM, machine.space.ram().address(), 0];
    let mut addresses = vec![];
    while addresses.len() < COUNT as usize {
        let address = match rng.below(4) {
            0 => rng.integer(),
            1 => rng.next() >> rng.below(64),
            2 => rng
                .pick(&host)
                .wrapping_sub(rng.pick(&bases))
                .wrapping_add(rng.below(1 << 20))
                .wrapping_sub(1 << 19),
            _ => rng
                .pick(&[RAM, RAM + SIZE, 0, 1 << 31, 1 << 32, 1 << 36, 1 << 47, 1 << 63])
                .wrapping_add(rng.below(1 << 14))
                .wrapping_sub(1 << 13),
        };
        // What all accesses together reach: no memory, and no device.
        let (low, high) = (address.wrapping_sub(0x2000), address.wrapping_add(0x2000));
        let apart = |from: u64, to: u64| high < from || low >= to;
        if low < high && apart(RAM, RAM + SIZE) && apart(0x1000, 0x2000) && apart(FINISHER, FINISHER + 0x1000)
        {
            addresses.push(address);
        }
    }
    addresses
}

/// Addresses around the ends of memory, of ROM and of everything: some accesses are refused and some are not.
fn edges() -> Vec<u64> {
    let mut rng = Rng(65);
    let ends = [RAM, RAM + SIZE, 0x1000, 0x2000, 0, u64::MAX - 0xfff];
    let near = |rng: &mut Rng| rng.pick(&ends).wrapping_add(rng.below(0x3000)).wrapping_sub(0x1800) & !7;
    // The program itself begins where memory does.
    (0..20_000).map(|_| near(&mut rng)).filter(|at| at.wrapping_sub(RAM - 0x1000) > 0x6000).collect()
}

fn machine(engine: Engine) -> Machine {
    Machine::run_by(engine, SIZE, model("max"))
}

#[test]
fn every_access_to_nowhere_is_refused() {
    let every = COUNT * accesses().iter().filter(|word| !matches!(**word & 0x7f, 0x13)).count() as u64;
    for by_pages in [false, true] {
        let translated = machine(TRANSLATOR);
        let addresses = wild(&translated);
        let found = refused(&translated, by_pages, &addresses);
        assert_eq!(found[0], every, "by pages: {by_pages}");
        let expect = refused(&machine(Engine::Interpreter), by_pages, &addresses);
        assert_eq!(found, expect, "by pages: {by_pages}");
    }
}

#[test]
fn what_is_refused_at_the_edges_is_what_the_interpreter_refuses() {
    let addresses = edges();
    for by_pages in [false, true] {
        let expect = refused(&machine(Engine::Interpreter), by_pages, &addresses);
        assert!(expect[0] > 10_000, "{expect:?}");
        assert_eq!(refused(&machine(TRANSLATOR), by_pages, &addresses), expect, "by pages: {by_pages}");
    }
}
