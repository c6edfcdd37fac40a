//! Environment calls, trap returns and fences of the base (unprivileged spec, I; privileged spec, 3.3 and 10.2).

use crate::row::instructions;

instructions! { all: I | E, Any; |m|
    "ecall"      N "000000000000  00000 000    00000 1110011" ()                         => m.system(System::Ecall)?;
    "ebreak"     N "000000000001  00000 000    00000 1110011" ()                         => m.system(System::Ebreak)?;
    "sret"       N "000100000010  00000 000    00000 1110011" ()                         => m.system(System::Sret)?;
    "mret"       N "001100000010  00000 000    00000 1110011" ()                         => m.system(System::Mret)?;
    "wfi"        N "000100000101  00000 000    00000 1110011" ()                         => m.system(System::Wfi)?;
    "sfence.vma" R "0001001 ..... ..... 000    00000 1110011" (rs1, rs2) with addr, asid => m.fence_vma(addr, asid)?;
}
