//! The legacy extensions, which are one function each (chapter 5). Their masks of harts are bits in memory, at a virtual
//! address; at 0 is the mask of all harts.

use super::{dbcn, ipi, rfence, srst, time};
use crate::{
    call::{Answer, Call, End, Error, Extension, Function},
    place::Fence,
};
use hartwright_hart::status::SSIP;
use hartwright_isa::csr::SIP;

macro_rules! legacy {
    ($($row:ident = $id:literal $name:literal $run:expr;)*) => { $(
        pub(super) const $row: Extension =
            Extension { id: $id, name: $name, functions: &[Function { id: 0, name: $name, run: $run }] };
    )* };
}
legacy! {
    SET_TIMER              = 0 "sbi_set_timer"              time::set_timer;
    CONSOLE_PUTCHAR        = 1 "sbi_console_putchar"        |call| dbcn::put(&call.sbi.console, call.argument(0) as u8);
    CONSOLE_GETCHAR        = 2 "sbi_console_getchar"        getchar;
    CLEAR_IPI              = 3 "sbi_clear_ipi"              clear_ipi;
    SEND_IPI               = 4 "sbi_send_ipi"               send_ipi;
    REMOTE_FENCE_I         = 5 "sbi_remote_fence_i"         |call| fence(call, &rfence::INSTRUCTIONS);
    REMOTE_SFENCE_VMA      = 6 "sbi_remote_sfence_vma"      sfence_vma;
    REMOTE_SFENCE_VMA_ASID = 7 "sbi_remote_sfence_vma_asid" sfence_vma;
    SHUTDOWN               = 8 "sbi_shutdown"               |call| srst::shutdown(call, 0);
}

fn getchar(call: &mut Call<'_>) -> Answer {
    call.sbi.console.read().map(u64::from).ok_or(End::Error(Error::Failed))
}

/// Gives whether the interrupt was pending.
fn clear_ipi(call: &mut Call<'_>) -> Answer {
    let pending = call.hart.csr(SIP).unwrap_or(0);
    call.hart.set_csr(SIP, pending & !SSIP);
    Ok((pending & SSIP != 0).into())
}

/// The harts named by the mask at the address that is argument 0.
fn targets(call: &Call<'_>) -> Result<Vec<usize>, Error> {
    let at = call.argument(0);
    if at == 0 {
        return call.targets(0, u64::MAX);
    }
    let mut mask = [0; 8];
    if call.hart.read(at, &mut mask) < mask.len() {
        return Err(Error::InvalidAddress);
    }
    call.targets(u64::from_le_bytes(mask), 0)
}

fn send_ipi(call: &mut Call<'_>) -> Answer {
    let targets = targets(call)?;
    ipi::send(call, &targets)
}

fn sfence_vma(call: &mut Call<'_>) -> Answer {
    let flush = rfence::range(call.argument(1), call.argument(2))?;
    fence(call, &Fence { refetch: false, flush })
}

fn fence(call: &mut Call<'_>, fence: &Fence) -> Answer {
    let targets = targets(call)?;
    rfence::fence(call, &targets, fence)
}
