//! Loads and stores of register pairs (unprivileged spec, Zilsd): 64 bits in two registers, the first one even. That
//! of `x0` is written by nobody and stored as zeros.

use crate::row::instructions;

// A floating-point register is what holds 64 bits on the way.
instructions! { rv32: Zilsd, Rv32; |m|
    "ld" I "............  ..... 011    ....0 0000011" (rd, imm(rs1)) with old  => { let v = m.load_float(D, rs1 + imm)?; old.set([m.float_bits(S, v), m.float_high(v)]) };
    "sd" S "....... ....0 ..... 011    ..... 0100011" (rs2, imm(rs1)) with new => { let [low, high] = new.both(); m.store_float(D, rs1 + imm, m.float_pair(low, high))? };
}
