//! Which rows of a register table are refused, by their fields and hooks; and that what is left of them has effect.
#![forbid(unsafe_code)]

use hartwright_device::{
    Access, Field, Register, regs,
    soundness::{Hook, Mistake, hidden, mistake},
};

use Access::{RC, RO, RW, W1C, W1S, WO};
use Hook::{Clear, Get, Read, Set, Then, Write};

/// A row of 8 bits with these fields, which has a value of its own unless its hooks are all there is.
fn row(fields: &[Field], reset: u64, hooks: &[Hook]) -> Register {
    let fields: Vec<(&'static str, Field)> = fields.iter().map(|field| ("FIELD", *field)).collect();
    let fields: &'static [(&'static str, Field)] = fields.leak();
    let stored = !hooks.contains(&Get) && !hooks.contains(&Set);
    Register {
        name: "row",
        offset: 0,
        width: 1,
        count: 1,
        stride: 0,
        reset,
        plain: hooks.iter().all(|hook| *hook == Then),
        stored,
        fields,
        readable: regs::readable(fields),
        writable: regs::writable(fields),
        read_clears: regs::mask(fields, RC),
        doc: "",
    }
}

fn one(access: Access) -> Field {
    Field::new(0, 0, access)
}

#[test]
fn what_would_be_without_effect_is_refused_by_name() {
    let (a, b) = (Field::new(3, 0, RW), Field::new(4, 3, RO));
    let named = one(RW).told("", &[("two", 2)]);
    for (fields, reset, hooks, expected) in [
        (&[][..], 0, &[][..], Some(Mistake::NoFields)),
        (&[Field::new(8, 0, RW)], 0, &[], Some(Mistake::FieldBeyond)),
        (&[a, b], 0, &[], Some(Mistake::FieldsShareBits)),
        (&[named], 0, &[], Some(Mistake::NameBeyond)),
        (&[a], 0x10, &[], Some(Mistake::ResetInNoField)),
        (&[a], 1, &[Get, Set], Some(Mistake::ResetOfNothing)),
        (&[a], 0, &[Read, Get, Set], Some(Mistake::TwoReads)),
        (&[a], 0, &[Write, Get, Set], Some(Mistake::TwoWrites)),
        (&[one(WO)], 0, &[Read], Some(Mistake::NeverRead)),
        (&[one(WO)], 0, &[Get, Set], Some(Mistake::NeverRead)),
        (&[one(RO)], 0, &[Write], Some(Mistake::NeverWritten)),
        (&[one(RO)], 0, &[Get, Set], Some(Mistake::NeverWritten)),
        (&[a], 0, &[Set], Some(Mistake::ReadsZero)),
        (&[a], 0, &[Get], Some(Mistake::WritesLost)),
        (&[one(RC)], 0, &[Get], Some(Mistake::NobodyClears)),
        (&[one(RC)], 0, &[Clear], Some(Mistake::NothingToClear)),
        (&[one(RO)], 0, &[Get, Clear], Some(Mistake::NothingToClear)),
        (&[one(RO)], 0, &[Then], Some(Mistake::NothingChanges)),
        (&[a], 0xf, &[Write, Then], None),
        (&[one(RC)], 0, &[Then], None),
        (&[one(RC)], 0, &[Get, Clear], None),
        (&[one(W1C)], 0, &[Get, Set], None),
        (&[one(RO)], 1, &[Read], None),
        (&[a], 0, &[Get, Write], None),
    ] {
        let row = row(fields, reset, hooks);
        assert_eq!(mistake(&row, hooks), expected, "{fields:?} {hooks:?}");
    }
}

/// Every set of hooks with every access: what is let through is heard of by each of its hooks.
#[test]
fn whatever_compiles_has_effect() {
    let hooks = [Read, Write, Get, Set, Clear, Then];
    let (mut refused, mut passed) = (0, 0);
    for access in [RW, RO, WO, W1C, W1S, RC] {
        let (reads, writes) = (access != WO, !matches!(access, RO | RC));
        for set in 0..1 << hooks.len() {
            let named: Vec<Hook> = (0..hooks.len()).filter(|n| set >> n & 1 != 0).map(|n| hooks[n]).collect();
            if mistake(&row(&[one(access)], 0, &named), &named).is_some() {
                refused += 1;
                continue;
            }
            passed += 1;
            let has = |hook| named.contains(&hook);
            let live = has(Get) || has(Set);
            for hook in &named {
                let heard = match hook {
                    Read => reads && !live,
                    Get => reads,
                    Write | Set => writes,
                    Clear => access == RC && has(Get),
                    Then => writes || access == RC,
                };
                assert!(heard, "{access:?} {named:?}: {hook:?} is never heard of");
            }
            assert!(!(reads && live) || has(Get), "{access:?} {named:?}: it reads as zero");
            assert!(!(writes && live) || has(Set) || has(Write), "{access:?} {named:?}: writes are lost");
            assert!(access != RC || !live || has(Clear), "{access:?} {named:?}: reading clears nothing");
        }
    }
    assert!(refused > 200 && passed > 40, "{refused} {passed}");
}

#[test]
fn a_register_behind_another_is_found() {
    let at = |offset, access, count| Register { offset, count, stride: 1, ..row(&[one(access)], 0, &[]) };
    for (rows, guarded, expected) in [
        (vec![at(0, RW, 1), at(1, RW, 1)], [false; 2], None),
        (vec![at(0, RW, 1), at(0, RW, 1)], [false; 2], Some(1)),
        (vec![at(0, RW, 1), at(0, RW, 1)], [true, false], None),
        (vec![at(0, RO, 1), at(0, WO, 1)], [false; 2], None),
        (vec![at(0, RW, 1), at(0, WO, 1)], [false; 2], Some(1)),
        (vec![at(0, RW, 4), at(0, RW, 1)], [false; 2], None),
    ] {
        assert_eq!(hidden(&rows, &guarded), expected, "{rows:?}");
    }
}
