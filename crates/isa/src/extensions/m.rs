//! Division (unprivileged spec, M; its multiplication is Zmmul).

use crate::row::instructions;

instructions! { all: M, Any; |m|
    "div"    R "0000001 ..... ..... 100    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Div, rs2));
    "divu"   R "0000001 ..... ..... 101    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Divu, rs2));
    "rem"    R "0000001 ..... ..... 110    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Rem, rs2));
    "remu"   R "0000001 ..... ..... 111    ..... 0110011" (rd, rs1, rs2) => rd.set(rs1.bin(Remu, rs2));
}

instructions! { rv64: M, Rv64; |m|
    "divw"   R "0000001 ..... ..... 100    ..... 0111011" (rd, rs1, rs2) => rd.set(rs1.bin32(Div, rs2));
    "divuw"  R "0000001 ..... ..... 101    ..... 0111011" (rd, rs1, rs2) => rd.set(rs1.bin32(Divu, rs2));
    "remw"   R "0000001 ..... ..... 110    ..... 0111011" (rd, rs1, rs2) => rd.set(rs1.bin32(Rem, rs2));
    "remuw"  R "0000001 ..... ..... 111    ..... 0111011" (rd, rs1, rs2) => rd.set(rs1.bin32(Remu, rs2));
}
