//! Single bits (unprivileged spec, Zbs).

use crate::row::instructions;

instructions! { all: Zbs, Any; |m|
    "bclr"  R "0100100 ..... ..... 001    ..... 0110011" (rd, rs1, rs2) with one   => rd.set(rs1 & !(one << rs2));
    "bext"  R "0100100 ..... ..... 101    ..... 0110011" (rd, rs1, rs2) with one   => rd.set((rs1 >> rs2) & one);
    "binv"  R "0110100 ..... ..... 001    ..... 0110011" (rd, rs1, rs2) with one   => rd.set(rs1 ^ (one << rs2));
    "bset"  R "0010100 ..... ..... 001    ..... 0110011" (rd, rs1, rs2) with one   => rd.set(rs1 | (one << rs2));
}

instructions! { rv32: Zbs, Rv32; |m|
    "bclri" H "0100100 ..... ..... 001    ..... 0010011" (rd, rs1, shamt) with one => rd.set(rs1 & !(one << shamt));
    "bexti" H "0100100 ..... ..... 101    ..... 0010011" (rd, rs1, shamt) with one => rd.set((rs1 >> shamt) & one);
    "binvi" H "0110100 ..... ..... 001    ..... 0010011" (rd, rs1, shamt) with one => rd.set(rs1 ^ (one << shamt));
    "bseti" H "0010100 ..... ..... 001    ..... 0010011" (rd, rs1, shamt) with one => rd.set(rs1 | (one << shamt));
}

instructions! { rv64: Zbs, Rv64; |m|
    "bclri" H "010010 ...... ..... 001    ..... 0010011" (rd, rs1, shamt) with one => rd.set(rs1 & !(one << shamt));
    "bexti" H "010010 ...... ..... 101    ..... 0010011" (rd, rs1, shamt) with one => rd.set((rs1 >> shamt) & one);
    "binvi" H "011010 ...... ..... 001    ..... 0010011" (rd, rs1, shamt) with one => rd.set(rs1 ^ (one << shamt));
    "bseti" H "001010 ...... ..... 001    ..... 0010011" (rd, rs1, shamt) with one => rd.set(rs1 | (one << shamt));
}
