//! The reset code: what a hart finds where it begins.
//!
//! It hands over as OpenSBI's `docs/firmware/fw_dynamic.md` and Linux's boot protocol ask: hart id in a0, device
//! tree in a1, `struct fw_dynamic_info` in a2, then a jump to the firmware.

/// What the reset code hands over, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// Where it jumps: the firmware, or the kernel when there is none.
    pub entry: u64,
    /// Where the device tree lies.
    pub device_tree: u64,
    /// Where the firmware shall jump in turn; 0 if it knows itself, or has nothing to start.
    pub next: u64,
    /// Whether harts have registers of 32 bits.
    pub narrow: bool,
    /// Whether harts have CSRs (Zicsr); those that have none take themselves for hart 0.
    pub csrs: bool,
}

/// `fw_dynamic_info.magic`: "OSBI".
const MAGIC: u64 = 0x4942_534f;
/// The version that has `boot_hart`.
const VERSION: u64 = 2;
/// `next_mode`: S-mode, as privileged specification 1.13, table 1 numbers it.
const S_MODE: u64 = 1;

impl Reset {
    /// The most bytes of the code and its data.
    pub const LEN: u64 = 88;

    /// The code and its data, to be put at the reset address, which is a multiple of 8.
    pub fn code(&self) -> Vec<u8> {
        // Where in these bytes each datum lies; the code before them has six instructions.
        const ENTRY: u32 = 24;
        const DEVICE_TREE: u32 = 32;
        const INFO: u32 = 40;
        let load = if self.narrow { lw } else { ld };
        let code = [
            auipc(T0, 0),
            addi(A2, T0, INFO),
            if self.csrs { csrr(A0, MHARTID) } else { addi(A0, 0, 0) },
            load(A1, DEVICE_TREE, T0),
            load(T0, ENTRY, T0),
            jr(T0),
        ];
        // The info's fields are as wide as a register. Its last two: no options, and hart 0 shall be the one that boots.
        let info = [MAGIC, VERSION, self.next, S_MODE, 0, 0];
        let field = if self.narrow { 4 } else { 8 };
        let code = code.iter().flat_map(|word| word.to_le_bytes());
        let data = [self.entry, self.device_tree].into_iter().flat_map(u64::to_le_bytes);
        code.chain(data)
            .chain(info.iter().flat_map(|word| word.to_le_bytes().into_iter().take(field)))
            .collect()
    }
}

const T0: u32 = 5;
const A0: u32 = 10;
const A1: u32 = 11;
const A2: u32 = 12;
/// Privileged specification, table 5.
const MHARTID: u32 = 0xf14;

// Unprivileged specification, 2.3 and the opcode tables of chapter 35.

fn auipc(rd: u32, imm20: u32) -> u32 {
    imm20 << 12 | rd << 7 | 0b001_0111
}

fn i_type(imm12: u32, rs1: u32, funct3: u32, rd: u32, opcode: u32) -> u32 {
    imm12 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode
}

fn addi(rd: u32, rs1: u32, imm12: u32) -> u32 {
    i_type(imm12, rs1, 0b000, rd, 0b001_0011)
}

fn ld(rd: u32, imm12: u32, rs1: u32) -> u32 {
    i_type(imm12, rs1, 0b011, rd, 0b000_0011)
}

fn lw(rd: u32, imm12: u32, rs1: u32) -> u32 {
    i_type(imm12, rs1, 0b010, rd, 0b000_0011)
}

/// `csrrs rd, csr, x0`.
fn csrr(rd: u32, csr: u32) -> u32 {
    i_type(csr, 0, 0b010, rd, 0b111_0011)
}

/// `jalr x0, 0(rs1)`.
fn jr(rs1: u32) -> u32 {
    i_type(0, rs1, 0b000, 0, 0b110_0111)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reset_code_is_what_the_assembler_makes_of_it() {
        let wide = Reset {
            entry: 0x8000_0000,
            device_tree: 0x87e0_0000,
            next: 0x8020_0000,
            narrow: false,
            csrs: true,
        };
        let code = wide.code();
        assert_eq!(code.len() as u64, Reset::LEN);
        let words: Vec<u32> = code.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        assert_eq!(
            words,
            [
                0x0000_0297, // auipc t0, 0
                0x0282_8613, // addi a2, t0, 40
                0xf140_2573, // csrr a0, mhartid
                0x0202_b583, // ld a1, 32(t0)
                0x0182_b283, // ld t0, 24(t0)
                0x0002_8067, // jr t0
                0x8000_0000,
                0, // the firmware
                0x87e0_0000,
                0, // the device tree
                0x4942_534f,
                0, // magic
                2,
                0, // version
                0x8020_0000,
                0, // next_addr
                1,
                0, // next_mode
                0,
                0, // options
                0,
                0, // boot_hart
            ]
        );
    }
    #[test]
    fn at_32_bits_it_is_what_qemu_has_there() {
        let reset = Reset { entry: 0x8000_0000, device_tree: 0x87e0_0000, next: 0, narrow: true, csrs: true };
        let code = reset.code();
        let words: Vec<u32> = code.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        assert_eq!(
            words[..6],
            [0x0000_0297, 0x0282_8613, 0xf140_2573, 0x0202_a583, 0x0182_a283, 0x0002_8067]
        );
        assert_eq!(words[6..], [0x8000_0000, 0, 0x87e0_0000, 0, 0x4942_534f, 2, 0, 1, 0, 0]);
        assert_eq!(Reset { csrs: false, ..reset }.code()[8..12], 0x0000_0513u32.to_le_bytes());
    }
}
