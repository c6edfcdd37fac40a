//! 16-bit instructions (unprivileged spec, C, Zc and Zcmop): each is a 32-bit one, its operands packed.

use crate::{
    Ext,
    row::{Compressed, Operands, Widths, pattern},
};

compressed! {
    //            15..............0
    "c.addi4spn" "000 ........ ... 00"    Any    [Zca]   "addi"     |c| (c.p(2), SP, 0, c.addi4spn()) if c.addi4spn() != 0;
    "c.fld"      "001 ... ... .. ... 00"  UpTo64 [Zcd]   "fld"      |c| (c.p(2), c.p(7), 0, c.double());
    "c.lw"       "010 ... ... .. ... 00"  Any    [Zca]   "lw"       |c| (c.p(2), c.p(7), 0, c.word());
    "c.ld"       "011 ... ... .. ... 00"  Rv64   [Zca]   "ld"       |c| (c.p(2), c.p(7), 0, c.double());
    "c.fsd"      "101 ... ... .. ... 00"  UpTo64 [Zcd]   "fsd"      |c| (0, c.p(7), c.p(2), c.double());
    "c.sw"       "110 ... ... .. ... 00"  Any    [Zca]   "sw"       |c| (0, c.p(7), c.p(2), c.word());
    "c.sd"       "111 ... ... .. ... 00"  Rv64   [Zca]   "sd"       |c| (0, c.p(7), c.p(2), c.double());

    "c.addi"     "000 . ..... ..... 01"   Any    [Zca]   "addi"     |c| (c.x(7), c.x(7), 0, c.imm());
    "c.jal"      "001 ........... 01"     Rv32   [Zca]   "jal"      |c| (RA, 0, 0, c.jump());
    "c.addiw"    "001 . ..... ..... 01"   Rv64   [Zca]   "addiw"    |c| (c.x(7), c.x(7), 0, c.imm()) if c.x(7) != 0;
    "c.li"       "010 . ..... ..... 01"   Any    [Zca]   "addi"     |c| (c.x(7), 0, 0, c.imm());
    "c.addi16sp" "011 . 00010 ..... 01"   Any    [Zca]   "addi"     |c| (SP, SP, 0, c.addi16sp()) if c.addi16sp() != 0;
    "c.lui"      "011 . ..... ..... 01"   Any    [Zca]   "lui"      |c| (c.x(7), 0, 0, c.imm() << 12) if c.imm() != 0;
    "c.srli"     "100 0 00 ... ..... 01"  Rv32   [Zca]   "srli"     |c| (c.p(7), c.p(7), 0, c.imm());
    "c.srai"     "100 0 01 ... ..... 01"  Rv32   [Zca]   "srai"     |c| (c.p(7), c.p(7), 0, c.imm());
    "c.srli"     "100 . 00 ... ..... 01"  Only64 [Zca]   "srli"     |c| (c.p(7), c.p(7), 0, c.imm() & 0x3f);
    "c.srai"     "100 . 01 ... ..... 01"  Only64 [Zca]   "srai"     |c| (c.p(7), c.p(7), 0, c.imm() & 0x3f);
    "c.andi"     "100 . 10 ... ..... 01"  Any    [Zca]   "andi"     |c| (c.p(7), c.p(7), 0, c.imm());
    "c.sub"      "100 0 11 ... 00 ... 01" Any    [Zca]   "sub"      |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.xor"      "100 0 11 ... 01 ... 01" Any    [Zca]   "xor"      |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.or"       "100 0 11 ... 10 ... 01" Any    [Zca]   "or"       |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.and"      "100 0 11 ... 11 ... 01" Any    [Zca]   "and"      |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.subw"     "100 1 11 ... 00 ... 01" Rv64   [Zca]   "subw"     |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.addw"     "100 1 11 ... 01 ... 01" Rv64   [Zca]   "addw"     |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.j"        "101 ........... 01"     Any    [Zca]   "jal"      |c| (0, 0, 0, c.jump());
    "c.beqz"     "110 ... ... ..... 01"   Any    [Zca]   "beq"      |c| (0, c.p(7), 0, c.branch());
    "c.bnez"     "111 ... ... ..... 01"   Any    [Zca]   "bne"      |c| (0, c.p(7), 0, c.branch());

    "c.slli"     "000 0 ..... ..... 10"   Rv32   [Zca]   "slli"     |c| (c.x(7), c.x(7), 0, c.imm());
    "c.slli"     "000 . ..... ..... 10"   Only64 [Zca]   "slli"     |c| (c.x(7), c.x(7), 0, c.imm() & 0x3f);
    "c.fldsp"    "001 . ..... ..... 10"   UpTo64 [Zcd]   "fld"      |c| (c.x(7), SP, 0, c.load_double_sp());
    "c.lwsp"     "010 . ..... ..... 10"   Any    [Zca]   "lw"       |c| (c.x(7), SP, 0, c.load_word_sp()) if c.x(7) != 0;
    "c.ldsp"     "011 . ..... ..... 10"   Rv64   [Zca]   "ld"       |c| (c.x(7), SP, 0, c.load_double_sp()) if c.x(7) != 0;
    "c.jr"       "100 0 ..... 00000 10"   Any    [Zca]   "jalr"     |c| (0, c.x(7), 0, 0) if c.x(7) != 0;
    "c.mv"       "100 0 ..... ..... 10"   Any    [Zca]   "add"      |c| (c.x(7), 0, c.x(2), 0);
    "c.ebreak"   "100 1 00000 00000 10"   Any    [Zca]   "ebreak"   |c| (0, 0, 0, 1);
    "c.jalr"     "100 1 ..... 00000 10"   Any    [Zca]   "jalr"     |c| (RA, c.x(7), 0, 0);
    "c.add"      "100 1 ..... ..... 10"   Any    [Zca]   "add"      |c| (c.x(7), c.x(7), c.x(2), 0);
    "c.fsdsp"    "101 ...... ..... 10"    UpTo64 [Zcd]   "fsd"      |c| (0, SP, c.x(2), c.store_double_sp());
    "c.swsp"     "110 ...... ..... 10"    Any    [Zca]   "sw"       |c| (0, SP, c.x(2), c.store_word_sp());
    "c.sdsp"     "111 ...... ..... 10"    Rv64   [Zca]   "sd"       |c| (0, SP, c.x(2), c.store_double_sp());

    "c.flw"      "011 ... ... .. ... 00"  Rv32   [Zcf]   "flw"      |c| (c.p(2), c.p(7), 0, c.word());
    "c.fsw"      "111 ... ... .. ... 00"  Rv32   [Zcf]   "fsw"      |c| (0, c.p(7), c.p(2), c.word());
    "c.flwsp"    "011 . ..... ..... 10"   Rv32   [Zcf]   "flw"      |c| (c.x(7), SP, 0, c.load_word_sp());
    "c.fswsp"    "111 ...... ..... 10"    Rv32   [Zcf]   "fsw"      |c| (0, SP, c.x(2), c.store_word_sp());

    "c.lq"       "001 ... ... .. ... 00"  Rv128  [Zca]   "lq"       |c| (c.p(2), c.p(7), 0, c.quad());
    "c.sq"       "101 ... ... .. ... 00"  Rv128  [Zca]   "sq"       |c| (0, c.p(7), c.p(2), c.quad());
    "c.srli"     "100 . 00 ... ..... 01"  Rv128  [Zca]   "srli"     |c| (c.p(7), c.p(7), 0, c.right_shift());
    "c.srai"     "100 . 01 ... ..... 01"  Rv128  [Zca]   "srai"     |c| (c.p(7), c.p(7), 0, c.right_shift());
    "c.slli"     "000 . ..... ..... 10"   Rv128  [Zca]   "slli"     |c| (c.x(7), c.x(7), 0, c.left_shift());
    "c.lqsp"     "001 . ..... ..... 10"   Rv128  [Zca]   "lq"       |c| (c.x(7), SP, 0, c.load_quad_sp()) if c.x(7) != 0;
    "c.sqsp"     "101 ...... ..... 10"    Rv128  [Zca]   "sq"       |c| (0, SP, c.x(2), c.store_quad_sp());

    "c.ld"       "011 ... ... .. ..0 00"  Rv32   [Zclsd] "ld"       |c| (c.p(2), c.p(7), 0, c.double());
    "c.sd"       "111 ... ... .. ..0 00"  Rv32   [Zclsd] "sd"       |c| (0, c.p(7), c.p(2), c.double());
    "c.ldsp"     "011 . ....0 ..... 10"   Rv32   [Zclsd] "ld"       |c| (c.x(7), SP, 0, c.load_double_sp()) if c.x(7) != 0;
    "c.sdsp"     "111 ...... ....0 10"    Rv32   [Zclsd] "sd"       |c| (0, SP, c.x(2), c.store_double_sp());

    "c.lbu"      "100 000 ... .. ... 00"  Any    [Zcb]   "lbu"      |c| (c.p(2), c.p(7), 0, c.byte());
    "c.lhu"      "100 001 ... 0. ... 00"  Any    [Zcb]   "lhu"      |c| (c.p(2), c.p(7), 0, c.half());
    "c.lh"       "100 001 ... 1. ... 00"  Any    [Zcb]   "lh"       |c| (c.p(2), c.p(7), 0, c.half());
    "c.sb"       "100 010 ... .. ... 00"  Any    [Zcb]   "sb"       |c| (0, c.p(7), c.p(2), c.byte());
    "c.sh"       "100 011 ... 0. ... 00"  Any    [Zcb]   "sh"       |c| (0, c.p(7), c.p(2), c.half());
    "c.zext.b"   "100 111 ... 11 000 01"  Any    [Zcb]   "andi"     |c| (c.p(7), c.p(7), 0, 0xff);
    "c.sext.b"   "100 111 ... 11 001 01"  Any    [Zcb]   "sext.b"   |c| (c.p(7), c.p(7), 0, 0);
    "c.zext.h"   "100 111 ... 11 010 01"  Any    [Zcb]   "zext.h"   |c| (c.p(7), c.p(7), 0, 0);
    "c.sext.h"   "100 111 ... 11 011 01"  Any    [Zcb]   "sext.h"   |c| (c.p(7), c.p(7), 0, 0);
    "c.zext.w"   "100 111 ... 11 100 01"  Rv64   [Zcb]   "add.uw"   |c| (c.p(7), c.p(7), 0, 0);
    "c.not"      "100 111 ... 11 101 01"  Any    [Zcb]   "xori"     |c| (c.p(7), c.p(7), 0, -1);
    "c.mul"      "100 111 ... 10 ... 01"  Any    [Zcb]   "mul"      |c| (c.p(7), c.p(7), c.p(2), 0);

    "c.mop"      "011 0 0...1 00000 01"   Any    [Zcmop] "addi"     |c| (0, 0, 0, 0);
    "c.ntl.p1"   "100 1 00000 00010 10"   Any    [Zca]   "ntl.p1"   |c| (0, 0, 2, 0);
    "c.ntl.pall" "100 1 00000 00011 10"   Any    [Zca]   "ntl.pall" |c| (0, 0, 3, 0);
    "c.ntl.s1"   "100 1 00000 00100 10"   Any    [Zca]   "ntl.s1"   |c| (0, 0, 4, 0);
    "c.ntl.all"  "100 1 00000 00101 10"   Any    [Zca]   "ntl.all"  |c| (0, 0, 5, 0);
}

const RA: u8 = 1;
const SP: u8 = 2;

/// The bits of a 16-bit instruction.
#[derive(Clone, Copy)]
struct Half(u32);

impl Half {
    /// A register in five bits from `lo`.
    fn x(self, lo: u32) -> u8 {
        (self.0 >> lo & 31) as u8
    }
    /// One of the eight popular registers, in three bits from `lo`.
    fn p(self, lo: u32) -> u8 {
        8 + (self.0 >> lo & 7) as u8
    }
    /// Bits `hi` to `lo`, moved to `to`.
    fn bits(self, hi: u32, lo: u32, to: u32) -> i32 {
        (self.0 << (31 - hi) >> (31 - hi + lo) << to) as i32
    }
    /// Bit 12, the sign, as all bits from `to` up.
    fn sign(self, to: u32) -> i32 {
        -self.bits(12, 12, 0) << to
    }
    fn imm(self) -> i32 {
        self.sign(5) | self.bits(6, 2, 0)
    }
    fn addi4spn(self) -> i32 {
        self.bits(12, 11, 4) | self.bits(10, 7, 6) | self.bits(6, 6, 2) | self.bits(5, 5, 3)
    }
    fn addi16sp(self) -> i32 {
        self.sign(9) | self.bits(6, 6, 4) | self.bits(5, 5, 6) | self.bits(4, 3, 7) | self.bits(2, 2, 5)
    }
    fn byte(self) -> i32 {
        self.bits(6, 6, 0) | self.bits(5, 5, 1)
    }
    fn half(self) -> i32 {
        self.bits(5, 5, 1)
    }
    fn word(self) -> i32 {
        self.bits(12, 10, 3) | self.bits(6, 6, 2) | self.bits(5, 5, 6)
    }
    fn double(self) -> i32 {
        self.bits(12, 10, 3) | self.bits(6, 5, 6)
    }
    fn quad(self) -> i32 {
        self.bits(12, 11, 4) | self.bits(10, 10, 8) | self.bits(6, 5, 6)
    }
    /// A shift amount with 128 bits: 0 is 64 (unprivileged spec, C, integer register-immediate operations).
    fn left_shift(self) -> i32 {
        match self.imm() & 0x3f {
            0 => 64,
            amount => amount,
        }
    }
    /// The same to the right, where 32 to 63 are 96 to 127.
    fn right_shift(self) -> i32 {
        match self.imm() & 0x7f {
            0 => 64,
            amount => amount,
        }
    }
    fn load_word_sp(self) -> i32 {
        self.bits(12, 12, 5) | self.bits(6, 4, 2) | self.bits(3, 2, 6)
    }
    fn load_double_sp(self) -> i32 {
        self.bits(12, 12, 5) | self.bits(6, 5, 3) | self.bits(4, 2, 6)
    }
    fn load_quad_sp(self) -> i32 {
        self.bits(12, 12, 5) | self.bits(6, 6, 4) | self.bits(5, 2, 6)
    }
    fn store_word_sp(self) -> i32 {
        self.bits(12, 9, 2) | self.bits(8, 7, 6)
    }
    fn store_double_sp(self) -> i32 {
        self.bits(12, 10, 3) | self.bits(9, 7, 6)
    }
    fn store_quad_sp(self) -> i32 {
        self.bits(12, 11, 4) | self.bits(10, 7, 6)
    }
    fn jump(self) -> i32 {
        self.sign(11)
            | self.bits(11, 11, 4)
            | self.bits(10, 9, 8)
            | self.bits(8, 8, 10)
            | self.bits(7, 7, 6)
            | self.bits(6, 6, 7)
            | self.bits(5, 3, 1)
            | self.bits(2, 2, 5)
    }
    fn branch(self) -> i32 {
        self.sign(8) | self.bits(11, 10, 3) | self.bits(6, 5, 6) | self.bits(4, 3, 1) | self.bits(2, 2, 5)
    }
}

macro_rules! compressed {
    ($($name:literal $bits:literal $widths:ident [$($ext:ident)*] $base:literal |$c:ident| ($rd:expr, $rs1:expr, $rs2:expr, $imm:expr) $(if $legal:expr)?;)*) => {
        /// Every 16-bit instruction, in the order of the manual.
        pub(crate) const TABLE: &[Compressed] = &[$(Compressed {
            mnemonic: $name,
            pattern: pattern($bits, 16),
            base: $base,
            #[allow(unused_variables, reason = "some rows have no operands")]
            operands: |raw| {
                let $c = Half(raw);
                $(if !($legal) { return None; })?
                Some(Operands { rd: $rd, rs1: $rs1, rs2: $rs2, imm: $imm })
            },
            needs: &[$(Ext::$ext),*],
            widths: Widths::$widths,
        }),*];
    };
}
use compressed;
