//! Assembly text: operands as binutils writes them, and the pseudo-instructions people read.

use crate::{FLOAT_NAMES, INT_NAMES, csr, decode::Decoded, extensions::zfa};

/// Mnemonic and operands of an instruction.
pub(crate) fn assembly(d: &Decoded) -> (&'static str, String) {
    let x = |r: u8| INT_NAMES[r as usize & 31];
    let Decoded { rd, rs1, rs2, imm, .. } = *d;
    let target = || format!("{:#x}", d.pc.wrapping_add_signed(imm.into()));
    // The assembly programmer's manual, "pseudo instructions": the operands that are fixed go.
    match (d.insn().mnemonic, rd, rs1, rs2, imm) {
        ("addi", 0, 0, _, 0) => ("nop", String::new()),
        ("addi", _, 0, ..) => ("li", format!("{},{imm}", x(rd))),
        ("addi", _, _, _, 0) => ("mv", format!("{},{}", x(rd), x(rs1))),
        ("add", _, 0, ..) => ("mv", format!("{},{}", x(rd), x(rs2))),
        ("addiw", _, _, _, 0) => ("sext.w", format!("{},{}", x(rd), x(rs1))),
        ("xori", _, _, _, -1) => ("not", format!("{},{}", x(rd), x(rs1))),
        ("sub", _, 0, ..) => ("neg", format!("{},{}", x(rd), x(rs2))),
        ("subw", _, 0, ..) => ("negw", format!("{},{}", x(rd), x(rs2))),
        ("sltiu", _, _, _, 1) => ("seqz", format!("{},{}", x(rd), x(rs1))),
        ("sltu", _, 0, ..) => ("snez", format!("{},{}", x(rd), x(rs2))),
        ("add.uw", _, _, 0, _) => ("zext.w", format!("{},{}", x(rd), x(rs1))),
        ("beq", _, _, 0, _) => ("beqz", format!("{},{}", x(rs1), target())),
        ("bne", _, _, 0, _) => ("bnez", format!("{},{}", x(rs1), target())),
        ("bge", _, 0, ..) => ("blez", format!("{},{}", x(rs2), target())),
        ("bge", _, _, 0, _) => ("bgez", format!("{},{}", x(rs1), target())),
        ("blt", _, _, 0, _) => ("bltz", format!("{},{}", x(rs1), target())),
        ("blt", _, 0, ..) => ("bgtz", format!("{},{}", x(rs2), target())),
        ("jal", 0, ..) => ("j", target()),
        ("jalr", 0, 1, _, 0) => ("ret", String::new()),
        ("jalr", 0, _, _, 0) => ("jr", x(rs1).to_owned()),
        ("csrrs", _, 0, ..) => ("csrr", format!("{},{}", x(rd), csr_name(imm))),
        ("csrrw", 0, ..) => ("csrw", format!("{},{}", csr_name(imm), x(rs1))),
        ("csrrs", 0, ..) => ("csrs", format!("{},{}", csr_name(imm), x(rs1))),
        ("csrrc", 0, ..) => ("csrc", format!("{},{}", csr_name(imm), x(rs1))),
        ("csrrwi", 0, ..) => ("csrwi", format!("{},{rs1}", csr_name(imm))),
        ("csrrsi", 0, ..) => ("csrsi", format!("{},{rs1}", csr_name(imm))),
        ("csrrci", 0, ..) => ("csrci", format!("{},{rs1}", csr_name(imm))),
        (mnemonic, ..) => (mnemonic, operands(d)),
    }
}

fn operands(d: &Decoded) -> String {
    let show = |name: &str| match name {
        "rd" => INT_NAMES[d.rd as usize & 31].into(),
        "rs1" => INT_NAMES[d.rs1 as usize & 31].into(),
        "rs2" => INT_NAMES[d.rs2 as usize & 31].into(),
        "fd" => FLOAT_NAMES[d.rd as usize & 31].into(),
        "fs1" => FLOAT_NAMES[d.rs1 as usize & 31].into(),
        "fs2" => FLOAT_NAMES[d.rs2 as usize & 31].into(),
        "fs3" => FLOAT_NAMES[d.rs3 as usize & 31].into(),
        "target" => format!("{:#x}", d.pc.wrapping_add_signed(d.imm.into())),
        "hi" => format!("{:#x}", d.imm as u32 >> 12),
        "shamt" => format!("{:#x}", d.imm),
        "uimm" => d.rs1.to_string(),
        "bs" => format!("{:#x}", d.raw >> 30),
        "rnum" => format!("{:#x}", d.raw >> 20 & 15),
        "fli" => zfa::constant_name(d.rs1).into(),
        "csr" => csr_name(d.imm),
        "pred" => fence_set(d.raw >> 24),
        "succ" => fence_set(d.raw >> 20),
        _ => d.imm.to_string(),
    };
    let list = d.insn().syntax.iter().map(|&(name, base)| match (name, base) {
        (name, "") => show(name),
        ("zero", base) => format!("({})", show(base)),
        (name, base) => format!("{}({})", show(name), show(base)),
    });
    list.collect::<Vec<_>>().join(",")
}

fn csr_name(number: i32) -> String {
    csr::name(number as u16).map_or_else(|| format!("{number:#x}"), Into::into)
}

fn fence_set(bits: u32) -> String {
    "iorw".chars().zip([8, 4, 2, 1]).filter(|(_, bit)| bits & bit != 0).map(|(letter, _)| letter).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Decoder, Ext, ExtSet};

    #[track_caller]
    fn check(raw: u32, text: &str) {
        let d = Decoder::new(ExtSet::of(Ext::ALL), 64).decode(raw, 0x1000).expect("decodes");
        assert_eq!(d.to_string().split_whitespace().collect::<Vec<_>>().join(" "), text);
    }

    #[test]
    fn assembly_reads_as_binutils_writes_it() {
        check(0x873e, "mv a4,a5");
        check(0xfff5_8513, "addi a0,a1,-1");
        check(0x0045_a503, "lw a0,4(a1)");
        check(0xfe05_0ee3, "beqz a0,0xffc");
        check(0x8082, "ret");
        check(0x1000_a52f, "lr.w a0,(ra)");
        check(0x08b5_252f, "amoswap.w a0,a1,(a0)");
        check(0x3005_1073, "csrw mstatus,a0");
        check(0x0330_000f, "fence rw,rw");
        check(0x0100_000f, "pause");
        check(0x12b5_0073, "sfence.vma a0,a1");
        check(0x0000_1537, "lui a0,0x1");
        check(0x0014_5513, "srli a0,s0,0x1");
        check(0x02a5_f553, "fadd.d fa0,fa1,fa0");
    }
}
