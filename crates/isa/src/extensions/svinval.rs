//! Fine-grained address-translation cache invalidation (privileged spec, Svinval).

use crate::row::instructions;

instructions! { all: Svinval, Any; |m|
    "sinval.vma"      R "0001011 ..... ..... 000    00000 1110011" (rs1, rs2) with addr, asid => m.fence_vma(addr, asid)?;
    "sfence.w.inval"  N "000110000000  00000 000    00000 1110011" ()                         => m.system(System::SfenceWInval)?;
    "sfence.inval.ir" N "000110000001  00000 000    00000 1110011" ()                         => m.system(System::SfenceInvalIr)?;
}
