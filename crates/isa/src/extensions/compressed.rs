//! 16-bit instructions (unprivileged spec, C): each is a 32-bit one, its operands packed.

use crate::{
    Ext,
    row::{Compressed, Operands, Widths, pattern},
};

compressed! {
    //            15..............0
    "c.addi4spn" "000 ........ ... 00"    Any  []  "addi"   |c| (c.p(2), SP, 0, c.addi4spn()) if c.addi4spn() != 0;
    "c.fld"      "001 ... ... .. ... 00"  Any  [D] "fld"    |c| (c.p(2), c.p(7), 0, c.double());
    "c.lw"       "010 ... ... .. ... 00"  Any  []  "lw"     |c| (c.p(2), c.p(7), 0, c.word());
    "c.ld"       "011 ... ... .. ... 00"  Rv64 []  "ld"     |c| (c.p(2), c.p(7), 0, c.double());
    "c.fsd"      "101 ... ... .. ... 00"  Any  [D] "fsd"    |c| (0, c.p(7), c.p(2), c.double());
    "c.sw"       "110 ... ... .. ... 00"  Any  []  "sw"     |c| (0, c.p(7), c.p(2), c.word());
    "c.sd"       "111 ... ... .. ... 00"  Rv64 []  "sd"     |c| (0, c.p(7), c.p(2), c.double());

    "c.addi"     "000 . ..... ..... 01"   Any  []  "addi"   |c| (c.x(7), c.x(7), 0, c.imm());
    "c.addiw"    "001 . ..... ..... 01"   Rv64 []  "addiw"  |c| (c.x(7), c.x(7), 0, c.imm()) if c.x(7) != 0;
    "c.li"       "010 . ..... ..... 01"   Any  []  "addi"   |c| (c.x(7), 0, 0, c.imm());
    "c.addi16sp" "011 . 00010 ..... 01"   Any  []  "addi"   |c| (SP, SP, 0, c.addi16sp()) if c.addi16sp() != 0;
    "c.lui"      "011 . ..... ..... 01"   Any  []  "lui"    |c| (c.x(7), 0, 0, c.imm() << 12) if c.imm() != 0;
    "c.srli"     "100 . 00 ... ..... 01"  Rv64 []  "srli"   |c| (c.p(7), c.p(7), 0, c.imm() & 0x3f);
    "c.srai"     "100 . 01 ... ..... 01"  Rv64 []  "srai"   |c| (c.p(7), c.p(7), 0, c.imm() & 0x3f);
    "c.andi"     "100 . 10 ... ..... 01"  Any  []  "andi"   |c| (c.p(7), c.p(7), 0, c.imm());
    "c.sub"      "100 0 11 ... 00 ... 01" Any  []  "sub"    |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.xor"      "100 0 11 ... 01 ... 01" Any  []  "xor"    |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.or"       "100 0 11 ... 10 ... 01" Any  []  "or"     |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.and"      "100 0 11 ... 11 ... 01" Any  []  "and"    |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.subw"     "100 1 11 ... 00 ... 01" Rv64 []  "subw"   |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.addw"     "100 1 11 ... 01 ... 01" Rv64 []  "addw"   |c| (c.p(7), c.p(7), c.p(2), 0);
    "c.j"        "101 ........... 01"     Any  []  "jal"    |c| (0, 0, 0, c.jump());
    "c.beqz"     "110 ... ... ..... 01"   Any  []  "beq"    |c| (0, c.p(7), 0, c.branch());
    "c.bnez"     "111 ... ... ..... 01"   Any  []  "bne"    |c| (0, c.p(7), 0, c.branch());

    "c.slli"     "000 . ..... ..... 10"   Rv64 []  "slli"   |c| (c.x(7), c.x(7), 0, c.imm() & 0x3f);
    "c.fldsp"    "001 . ..... ..... 10"   Any  [D] "fld"    |c| (c.x(7), SP, 0, c.load_double_sp());
    "c.lwsp"     "010 . ..... ..... 10"   Any  []  "lw"     |c| (c.x(7), SP, 0, c.load_word_sp()) if c.x(7) != 0;
    "c.ldsp"     "011 . ..... ..... 10"   Rv64 []  "ld"     |c| (c.x(7), SP, 0, c.load_double_sp()) if c.x(7) != 0;
    "c.jr"       "100 0 ..... 00000 10"   Any  []  "jalr"   |c| (0, c.x(7), 0, 0) if c.x(7) != 0;
    "c.mv"       "100 0 ..... ..... 10"   Any  []  "add"    |c| (c.x(7), 0, c.x(2), 0);
    "c.ebreak"   "100 1 00000 00000 10"   Any  []  "ebreak" |c| (0, 0, 0, 1);
    "c.jalr"     "100 1 ..... 00000 10"   Any  []  "jalr"   |c| (RA, c.x(7), 0, 0);
    "c.add"      "100 1 ..... ..... 10"   Any  []  "add"    |c| (c.x(7), c.x(7), c.x(2), 0);
    "c.fsdsp"    "101 ...... ..... 10"    Any  [D] "fsd"    |c| (0, SP, c.x(2), c.store_double_sp());
    "c.swsp"     "110 ...... ..... 10"    Any  []  "sw"     |c| (0, SP, c.x(2), c.store_word_sp());
    "c.sdsp"     "111 ...... ..... 10"    Rv64 []  "sd"     |c| (0, SP, c.x(2), c.store_double_sp());
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
    fn word(self) -> i32 {
        self.bits(12, 10, 3) | self.bits(6, 6, 2) | self.bits(5, 5, 6)
    }
    fn double(self) -> i32 {
        self.bits(12, 10, 3) | self.bits(6, 5, 6)
    }
    fn load_word_sp(self) -> i32 {
        self.bits(12, 12, 5) | self.bits(6, 4, 2) | self.bits(3, 2, 6)
    }
    fn load_double_sp(self) -> i32 {
        self.bits(12, 12, 5) | self.bits(6, 5, 3) | self.bits(4, 2, 6)
    }
    fn store_word_sp(self) -> i32 {
        self.bits(12, 9, 2) | self.bits(8, 7, 6)
    }
    fn store_double_sp(self) -> i32 {
        self.bits(12, 10, 3) | self.bits(9, 7, 6)
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
