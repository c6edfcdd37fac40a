//! CSR instructions (unprivileged spec, Zicsr). Whether one reads or writes is told by its register numbers.

use crate::row::instructions;

instructions! { all: Zicsr, Any; |m|
    "csrrw"  Z "............  ..... 001    ..... 1110011" (rd, csr, rs1)           => rd.set(m.csr(csr, CsrOp::Write, rs1, !rd.is_zero(), true)?);
    "csrrs"  Z "............  ..... 010    ..... 1110011" (rd, csr, rs1) with src  => rd.set(m.csr(csr, CsrOp::Set, rs1, true, src)?);
    "csrrc"  Z "............  ..... 011    ..... 1110011" (rd, csr, rs1) with src  => rd.set(m.csr(csr, CsrOp::Clear, rs1, true, src)?);
    "csrrwi" Z "............  ..... 101    ..... 1110011" (rd, csr, uimm)          => rd.set(m.csr(csr, CsrOp::Write, uimm, !rd.is_zero(), true)?);
    "csrrsi" Z "............  ..... 110    ..... 1110011" (rd, csr, uimm) with src => rd.set(m.csr(csr, CsrOp::Set, uimm, true, src)?);
    "csrrci" Z "............  ..... 111    ..... 1110011" (rd, csr, uimm) with src => rd.set(m.csr(csr, CsrOp::Clear, uimm, true, src)?);
}
