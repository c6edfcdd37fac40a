//! An assembler for x86-64 (Intel SDM, volume 2): one function a form, `op reg, rm`.

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rm {
    /// A register.
    Reg(u8),
    /// `[base + disp]`.
    Mem(u8, i32),
    /// `gs:[base + disp]`.
    Window(u8, i32),
    /// `[index * 4 + disp]`.
    Table(u8, i32),
    /// `gs:[index * 4 + disp]`.
    WindowTable(u8, i32),
    /// `[base + index + disp]`.
    Sum(u8, u8, i32),
    /// `[base + (index << shift) + disp]`.
    Scaled(u8, u8, u8, i32),
    /// At this offset of the [region](crate::region) that the code itself is in.
    Here(usize),
}

pub(crate) const RAX: u8 = 0;
pub(crate) const RCX: u8 = 1;
pub(crate) const RDX: u8 = 2;
pub(crate) const RBX: u8 = 3;
pub(crate) const RSP: u8 = 4;
pub(crate) const RBP: u8 = 5;
pub(crate) const RSI: u8 = 6;
pub(crate) const RDI: u8 = 7;
pub(crate) const R14: u8 = 14;

/// Conditions of `jcc`, `setcc` and `cmovcc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cc {
    B = 2,
    Ae = 3,
    E = 4,
    Ne = 5,
    Be = 6,
    A = 7,
    S = 8,
    P = 10,
    Np = 11,
    L = 12,
    Ge = 13,
    G = 15,
}

/// Group 1 by number: `op rm, imm`, and `op reg, rm` by `8 * n + 3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alu {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// The prefix that a VEX-encoded instruction carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pp {
    None = 0,
    P66 = 1,
    F3 = 2,
    F2 = 3,
}

/// The opcode map of a VEX-encoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    M0f = 1,
    M0f38 = 2,
    M0f3a = 3,
}

/// The first bytes of an instruction: prefixes, opcode, ModR/M and SIB are eight at most.
#[derive(Clone, Copy, Default)]
struct Head {
    bytes: u64,
    len: u32,
}

impl Head {
    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.bytes |= u64::from(byte) << (8 * self.len);
        self.len += 1;
    }

    #[inline(always)]
    fn with(mut self, byte: u8) -> Head {
        self.byte(byte);
        self
    }
}

/// Machine code being written, from an offset of the region on.
#[derive(Default)]
pub(crate) struct Asm {
    pub(crate) code: Vec<u8>,
    base: usize,
}

impl Asm {
    /// Begins anew at offset `base`.
    pub(crate) fn begin(&mut self, base: usize) {
        self.code.clear();
        self.base = base;
    }

    /// The offset of what comes next.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.base + self.code.len()
    }

    #[inline]
    pub(crate) fn byte(&mut self, b: u8) {
        self.code.push(b);
    }
    #[inline]
    fn word(&mut self, v: i32) {
        self.code.extend_from_slice(&v.to_le_bytes());
    }

    /// Goes on at a multiple of `to`, past what does nothing.
    pub(crate) fn align(&mut self, to: usize) {
        let mut left = self.at().next_multiple_of(to) - self.at();
        while left > 0 {
            // As the manual recommends, volume 2, NOP.
            let nop: &[u8] = match left {
                1 => &[0x90],
                2 => &[0x66, 0x90],
                3 => &[0x0f, 0x1f, 0x00],
                4..7 => &[0x0f, 0x1f, 0x40, 0x00],
                _ => &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
            };
            self.code.extend_from_slice(nop);
            left -= nop.len();
        }
    }

    /// Replaces one byte.
    pub(crate) fn patch_byte(&mut self, at: usize, v: u8) {
        self.code[at - self.base] = v;
    }

    /// Makes the jump whose distance lies at `at` go to `to`.
    pub(crate) fn patch(&mut self, at: usize, to: usize) {
        let place = at - self.base;
        self.code[place..place + 4].copy_from_slice(&distance(at, to).to_le_bytes());
    }

    /// Writes the first bytes of an instruction.
    #[inline]
    fn head(&mut self, head: Head) {
        let end = self.code.len() + head.len as usize;
        self.code.extend_from_slice(&head.bytes.to_le_bytes());
        self.code.truncate(end);
    }

    /// Writes `head`, and the operands after it; so many bytes of an immediate follow.
    #[inline]
    fn modrm(&mut self, mut head: Head, reg: u8, rm: Rm, immediate: usize) {
        let reg = (reg & 7) << 3;
        let (base, index, scale, disp) = match rm {
            Rm::Reg(r) => return self.head(head.with(0xc0 | reg | r & 7)),
            Rm::Here(to) => {
                self.head(head.with(5 | reg));
                let next = self.at() + 4 + immediate;
                return self.word((to as i64 - next as i64) as i32);
            }
            Rm::Table(index, disp) | Rm::WindowTable(index, disp) => {
                // With no displacement's mode, `rbp` for a base means none, and 32 bits follow.
                self.head(head.with(reg | 4).with(2 << 6 | (index & 7) << 3 | RBP));
                return self.word(disp);
            }
            Rm::Mem(base, disp) | Rm::Window(base, disp) => (base, RSP, 0, disp),
            Rm::Sum(base, index, disp) => (base, index, 0, disp),
            Rm::Scaled(base, index, shift, disp) => (base, index, shift, disp),
        };
        let sib = index != RSP || base & 7 == RSP;
        let mode = match disp {
            0 if base & 7 != RBP => 0,
            _ if disp as i8 as i32 == disp => 0x40,
            _ => 0x80,
        };
        head.byte(mode | reg | if sib { 4 } else { base & 7 });
        if sib {
            head.byte(scale << 6 | (index & 7) << 3 | base & 7);
        }
        self.head(head);
        match mode {
            0 => {}
            0x40 => self.byte(disp as u8),
            _ => self.word(disp),
        }
    }

    /// The bits of REX for the registers of `rm`: X and B.
    fn extension(rm: Rm) -> (u8, u8) {
        match rm {
            Rm::Reg(r) => (0, r >> 3),
            Rm::Mem(base, _) | Rm::Window(base, _) => (0, base >> 3),
            Rm::Sum(base, index, _) | Rm::Scaled(base, index, ..) => (index >> 3, base >> 3),
            Rm::Table(index, _) | Rm::WindowTable(index, _) => (index >> 3, 0),
            Rm::Here(_) => (0, 0),
        }
    }

    /// What comes before the opcode. `bytes`: registers are meant as bytes, of which `spl` to `dil` need a prefix.
    #[inline]
    fn rex(w: bool, reg: u8, rm: Rm, bytes: (bool, bool)) -> Head {
        let mut head = Head::default();
        Self::segment(&mut head, rm);
        let (x, b) = Self::extension(rm);
        let plain = |is_byte: bool, r: u8| is_byte && r >= 4;
        let wanted = plain(bytes.0, reg) || matches!(rm, Rm::Reg(r) if plain(bytes.1, r));
        let rex = u8::from(w) << 3 | (reg >> 3) << 2 | x << 1 | b;
        if rex != 0 || wanted {
            head.byte(0x40 | rex);
        }
        head
    }

    /// The prefix of the segment that `rm` is in, which comes before all others.
    fn segment(head: &mut Head, rm: Rm) {
        if let Rm::Window(..) | Rm::WindowTable(..) = rm {
            head.byte(0x65);
        }
    }

    /// One-byte opcode.
    #[inline]
    pub(crate) fn op(&mut self, w: bool, op: u8, reg: u8, rm: Rm) {
        self.modrm(Self::rex(w, reg, rm, (false, false)).with(op), reg, rm, 0);
    }

    /// One-byte opcode and an immediate byte.
    pub(crate) fn op_imm8(&mut self, w: bool, op: u8, reg: u8, rm: Rm, imm: u8) {
        self.modrm(Self::rex(w, reg, rm, (false, false)).with(op), reg, rm, 1);
        self.byte(imm);
    }

    /// One-byte opcode and an immediate of 32 bits.
    pub(crate) fn op_imm32(&mut self, w: bool, op: u8, reg: u8, rm: Rm, imm: i32) {
        self.modrm(Self::rex(w, reg, rm, (false, false)).with(op), reg, rm, 4);
        self.word(imm);
    }

    /// One-byte opcode on bytes, and an immediate one.
    pub(crate) fn op8_imm8(&mut self, op: u8, reg: u8, rm: Rm, imm: u8) {
        self.modrm(Self::rex(false, 0, rm, (false, true)).with(op), reg, rm, 1);
        self.byte(imm);
    }

    /// Stores the low `size` bytes of a register.
    pub(crate) fn store_sized(&mut self, size: u8, rm: Rm, reg: u8) {
        if size == 2 {
            self.byte(0x66);
        }
        let op = if size == 1 { 0x88 } else { 0x89 };
        self.modrm(Self::rex(size == 8, reg, rm, (size == 1, false)).with(op), reg, rm, 0);
    }

    /// Two-byte opcode, `0f op`.
    pub(crate) fn op0f(&mut self, w: bool, op: u8, reg: u8, rm: Rm) {
        self.modrm(Self::rex(w, reg, rm, (false, false)).with(0x0f).with(op), reg, rm, 0);
    }

    /// The same, where `rm` is a byte.
    pub(crate) fn op0f_byte(&mut self, w: bool, op: u8, reg: u8, rm: Rm) {
        self.modrm(Self::rex(w, reg, rm, (false, true)).with(0x0f).with(op), reg, rm, 0);
    }

    /// `bswap`.
    pub(crate) fn bswap(&mut self, w: bool, reg: u8) {
        self.head(Self::rex(w, 0, Rm::Reg(reg), (false, false)).with(0x0f).with(0xc8 | reg & 7));
    }

    /// `f3 0f op`: `popcnt`, `lzcnt`, `tzcnt`.
    pub(crate) fn op_f3(&mut self, w: bool, op: u8, reg: u8, rm: Rm) {
        self.byte(0xf3);
        self.op0f(w, op, reg, rm);
    }

    /// `op reg, v, rm` with a VEX prefix.
    #[allow(clippy::too_many_arguments, reason = "they are the parts of the encoding")]
    pub(crate) fn vex(&mut self, map: Map, pp: Pp, w: bool, op: u8, reg: u8, v: u8, rm: Rm) {
        self.vex_before(map, pp, w, op, reg, v, rm, 0);
    }

    /// The same, with an immediate byte.
    #[allow(clippy::too_many_arguments, reason = "they are the parts of the encoding")]
    pub(crate) fn vex_imm8(&mut self, map: Map, pp: Pp, w: bool, op: u8, reg: u8, v: u8, rm: Rm, imm: u8) {
        self.vex_before(map, pp, w, op, reg, v, rm, 1);
        self.byte(imm);
    }

    #[allow(clippy::too_many_arguments, reason = "they are the parts of the encoding")]
    fn vex_before(&mut self, map: Map, pp: Pp, w: bool, op: u8, reg: u8, v: u8, rm: Rm, immediate: usize) {
        let mut head = Head::default();
        Self::segment(&mut head, rm);
        let (x, b) = Self::extension(rm);
        head.byte(0xc4);
        head.byte((!((reg >> 3) << 2 | x << 1 | b) & 7) << 5 | map as u8);
        head.byte(u8::from(w) << 7 | (!v & 15) << 3 | pp as u8);
        self.modrm(head.with(op), reg, rm, immediate);
    }

    pub(crate) fn mov(&mut self, reg: u8, rm: Rm) {
        if rm != Rm::Reg(reg) {
            self.op(true, 0x8b, reg, rm);
        }
    }
    pub(crate) fn store(&mut self, rm: Rm, reg: u8) {
        self.op(true, 0x89, reg, rm);
    }
    pub(crate) fn lea(&mut self, w: bool, reg: u8, rm: Rm) {
        self.op(w, 0x8d, reg, rm);
    }

    /// A constant. Flags are kept.
    pub(crate) fn imm(&mut self, reg: u8, c: u64) {
        if c as u32 as u64 == c {
            self.head(Self::rex(false, 0, Rm::Reg(reg), (false, false)).with(0xb8 | reg & 7));
            self.word(c as i32);
        } else if c as i32 as u64 == c {
            self.op_imm32(true, 0xc7, 0, Rm::Reg(reg), c as i32);
        } else {
            self.head(Self::rex(true, 0, Rm::Reg(reg), (false, false)).with(0xb8 | reg & 7));
            self.code.extend_from_slice(&c.to_le_bytes());
        }
    }

    pub(crate) fn alu(&mut self, w: bool, op: Alu, reg: u8, rm: Rm) {
        self.op(w, (op as u8) << 3 | 3, reg, rm);
    }
    pub(crate) fn alu_imm(&mut self, w: bool, op: Alu, rm: Rm, c: i32) {
        if c as i8 as i32 == c {
            self.op_imm8(w, 0x83, op as u8, rm, c as u8);
        } else {
            self.op_imm32(w, 0x81, op as u8, rm, c);
        }
    }
    pub(crate) fn setcc(&mut self, c: Cc, reg: u8) {
        self.op0f_byte(false, 0x90 | c as u8, 0, Rm::Reg(reg));
    }
    pub(crate) fn cmov(&mut self, w: bool, c: Cc, reg: u8, rm: Rm) {
        self.op0f(w, 0x40 | c as u8, reg, rm);
    }

    pub(crate) fn push(&mut self, reg: u8) {
        self.head(Self::rex(false, 0, Rm::Reg(reg), (false, false)).with(0x50 | reg & 7));
    }
    pub(crate) fn pop(&mut self, reg: u8) {
        self.head(Self::rex(false, 0, Rm::Reg(reg), (false, false)).with(0x58 | reg & 7));
    }
    pub(crate) fn ret(&mut self) {
        self.byte(0xc3);
    }
    /// `jmp rm`.
    pub(crate) fn jmp_rm(&mut self, rm: Rm) {
        self.op(false, 0xff, 4, rm);
    }
    /// `call reg`.
    pub(crate) fn call_reg(&mut self, reg: u8) {
        self.op(false, 0xff, 2, Rm::Reg(reg));
    }
    /// Does nothing, in one byte.
    pub(crate) fn nop(&mut self) {
        self.byte(0x90);
    }
    /// A call of `to`, in the region.
    pub(crate) fn call(&mut self, to: usize) {
        self.byte(0xe8);
        let distance = distance(self.at(), to);
        self.word(distance);
    }
    /// A jump to somewhere that is not known yet; returns where its distance lies.
    pub(crate) fn jmp(&mut self) -> usize {
        self.byte(0xe9);
        self.word(0);
        self.at() - 4
    }
    pub(crate) fn jmp_to(&mut self, to: usize) {
        let from = self.jmp();
        self.patch(from, to);
    }
    /// See [`jmp`](Self::jmp).
    pub(crate) fn jcc(&mut self, c: Cc) -> usize {
        self.head(Head::default().with(0x0f).with(0x80 | c as u8));
        self.word(0);
        self.at() - 4
    }
    pub(crate) fn jcc_to(&mut self, c: Cc, to: usize) {
        let from = self.jcc(c);
        self.patch(from, to);
    }
}

/// What a jump holds at `at` that goes to `to`.
pub(crate) fn distance(at: usize, to: usize) -> i32 {
    (to as i64 - at as i64 - 4) as i32
}

/// Where the jump goes that holds these bytes at `at`.
pub(crate) fn target(at: usize, bytes: &[u8]) -> usize {
    let distance = bytes.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
    (at as i64 + 4 + i64::from(distance)) as usize
}
