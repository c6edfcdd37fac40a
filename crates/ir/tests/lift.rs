//! What the builder makes of meanings, as text.
#![forbid(unsafe_code)]

use hartwright_ir::{Amo, Bin, Builder, End, Fmt, Fp, Mem, Op, Order, Reader, System, Value};

type Read = fn(&Builder) -> Result<(), ()>;

/// Instructions of 4 bytes from 0x1000 on.
fn lift(insns: &[Read]) -> (Builder, End) {
    let builder = Builder::new(true, true);
    let mut end = End::Next;
    for (i, read) in insns.iter().enumerate() {
        end = builder.insn(0x1000 + 4 * i as u64, 4, None, read);
    }
    (builder, end)
}

#[track_caller]
fn check(insns: &[Read], expect: &str) {
    let (builder, _) = lift(insns);
    let mut block = builder.finish();
    assert_eq!(block.verify(), Ok(()));
    block.sweep(&mut Vec::new());
    assert_eq!(block.to_string(), expect);
}

#[test]
fn what_is_known_is_folded() {
    check(
        &[
            |m| {
                m.set_x(10, m.constant(0x1000));
                Ok(())
            },
            |m| {
                m.set_x(10, m.x(10) + m.constant(0x234));
                Ok(())
            },
            |m| {
                m.set_x(11, m.load(Mem::I32, m.x(10) + m.constant(4))?);
                Ok(())
            },
            |m| {
                m.set_x(0, m.x(5) + m.x(6));
                Ok(())
            },
        ],
        "0x1000:\n0x1004:\n    x10 = 0x1234\n0x1008:\n    %5 = load.i32 0(0x1238)\n    x11 = %5\n0x100c:\n",
    );
}

#[test]
fn an_offset_becomes_part_of_its_access() {
    check(
        &[
            |m| m.store(Mem::I8, m.x(8) + m.constant(-16), m.x(9)),
            |m| {
                m.set_x(1, m.load(Mem::U16, m.x(2) + m.x(3))?);
                Ok(())
            },
        ],
        "0x1000:\n    store.i8 x9, -16(x8)\n0x1004:\n    %3 = add x2, x3\n    %4 = load.u16 0(%3)\n    x1 = %4\n",
    );
}

#[test]
fn a_write_that_nobody_sees_is_dropped_and_one_before_an_access_is_not() {
    check(
        &[
            |m| {
                m.set_x(5, m.x(6) + m.x(7));
                Ok(())
            },
            |m| {
                m.set_x(5, m.x(6).bin32(Bin::Sub, m.constant(1)));
                Ok(())
            },
            |m| m.store(Mem::I64, m.x(2), m.x(8)),
            |m| {
                m.set_x(5, m.x(9));
                Ok(())
            },
        ],
        "0x1000:\n0x1004:\n    %4 = add.w x6, 0xffffffff\n    x5 = %4 later\n0x1008:\n    store.i64 x8, 0(x2)\n0x100c:\n    x5 = x9\n",
    );
}

#[test]
fn a_jump_through_the_link_register_keeps_where_it_goes() {
    check(
        &[|m| {
            let to = m.landing(m.x(1))?;
            m.set_x(1, m.constant(0x1004));
            m.jump(to)
        }],
        "0x1000:\n    %1 = copy x1\n    x1 = 0x1004\n    jump %1\n",
    );
}

#[test]
fn what_has_no_operation_is_a_step_and_ends_the_block() {
    let (builder, end) = lift(&[
        |m| {
            m.set_x(5, m.x(6) + m.x(7));
            Ok(())
        },
        |m| m.system(System::Ecall),
    ]);
    assert_eq!(end, End::Left);
    let block = builder.finish();
    assert_eq!(block.ops.last(), Some(&Op::Step(0x1004)));
    // A rounding mode of the instruction's own, and half precision.
    for (fmt, rm) in [(Fmt::D, 0), (Fmt::H, 7)] {
        let builder = Builder::new(true, true);
        let ended = builder.insn(0, 4, None, |m| {
            let sum = m.fp(Fp::Add, fmt, rm, [m.f(1), m.f(2), m.f(2)])?;
            m.set_f(3, sum);
            Ok::<(), ()>(())
        });
        assert_eq!((ended, builder.is_step()), (End::Left, true));
    }
}

#[test]
fn known_branches_are_none() {
    let (builder, end) = lift(&[
        |m| {
            m.set_x(5, m.constant(1));
            Ok(())
        },
        |m| m.jump_if(m.x(5).bin(Bin::Eq, m.constant(0)), 0x2000),
        |m| m.jump_if(m.x(5).bin(Bin::Ne, m.constant(0)), 0x3000),
    ]);
    assert_eq!(end, End::Goes(0x3000));
    assert!(!builder.finish().ops.iter().any(|op| matches!(op, Op::JumpIf(..))));
}

#[test]
fn what_has_no_operation_can_be_called_and_what_was_known_is_not_after_it() {
    let builder = Builder::new(true, false);
    let insns: [Read; 3] = [
        |m| {
            m.set_x(5, m.constant(7));
            Ok(())
        },
        |m| {
            let old = m.amo(Amo::Add, Mem::I64, Order { aq: false, rl: false }, m.x(6), m.x(5))?;
            m.set_x(5, old);
            Ok(())
        },
        |m| {
            m.set_x(7, m.x(5) + m.constant(1));
            Ok(())
        },
    ];
    for (number, read) in (0u32..).zip(insns) {
        assert_eq!(builder.insn(0x1000 + 4 * u64::from(number), 4, Some(number), read), End::Next);
    }
    let block = builder.finish();
    assert_eq!(block.verify(), Ok(()));
    let expect = "0x1000:\n    x5 = 0x7\n0x1004:\n    call 1\n0x1008:\n    %5 = add x5, 0x1\n    x7 = %5\n";
    assert_eq!(block.to_string(), expect);
}
