//! RFENCE: fences of other harts (chapter 8).
//!
//! There are no ASIDs, so those functions that name one do what those do that name none. There is no hypervisor
//! extension, and so none of the fences for guests.

use crate::{
    call::{Answer, Call, Error, Extension, Function},
    place::{self, Fence, Flush, MOST_PAGES},
};
use hartwright_mem::PAGE;

#[rustfmt::skip]
pub(super) const RFENCE: Extension = Extension {
    id: 0x5246_4e43,
    name: "RFENCE",
    functions: &[
        Function { id: 0, name: "sbi_remote_fence_i",             run: remote_fence_i },
        Function { id: 1, name: "sbi_remote_sfence_vma",          run: remote_sfence_vma },
        Function { id: 2, name: "sbi_remote_sfence_vma_asid",     run: remote_sfence_vma },
        Function { id: 3, name: "sbi_remote_hfence_gvma_vmid",    run: no_hypervisor },
        Function { id: 4, name: "sbi_remote_hfence_gvma",         run: no_hypervisor },
        Function { id: 5, name: "sbi_remote_hfence_vvma_asid",    run: no_hypervisor },
        Function { id: 6, name: "sbi_remote_hfence_vvma",         run: no_hypervisor },
    ],
};

fn remote_fence_i(call: &mut Call<'_>) -> Answer {
    let targets = call.targets(call.argument(0), call.argument(1))?;
    fence(call, &targets, &INSTRUCTIONS)
}

fn remote_sfence_vma(call: &mut Call<'_>) -> Answer {
    let targets = call.targets(call.argument(0), call.argument(1))?;
    let flush = range(call.argument(2), call.argument(3))?;
    fence(call, &targets, &Fence { refetch: false, flush })
}

fn no_hypervisor(_: &mut Call<'_>) -> Answer {
    Err(Error::NotSupported.into())
}

/// What `sbi_remote_fence_i` asks for.
pub(super) const INSTRUCTIONS: Fence = Fence { refetch: true, flush: Flush::Nothing };

/// The translations of `size` bytes from `start`; all if both are 0 or `size` has all bits set.
pub(super) fn range(start: u64, size: u64) -> Result<Flush, Error> {
    if size == u64::MAX || start == 0 && size == 0 {
        return Ok(Flush::All);
    }
    let Some(more) = size.checked_sub(1) else { return Ok(Flush::Nothing) };
    let first = start & !(PAGE - 1);
    let last = start.checked_add(more).ok_or(Error::InvalidAddress)?;
    let pages = (last - first) / PAGE + 1;
    if pages > MOST_PAGES {
        return Ok(Flush::All);
    }
    Ok(Flush::Pages((0..pages).map(|page| first + page * PAGE).collect()))
}

/// Has all of them fence; the call ends when they have, or will have before anything else.
pub(super) fn fence(call: &mut Call<'_>, targets: &[usize], fence: &Fence) -> Answer {
    // What the caller wrote before is seen by whoever fences.
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    let places = call.sbi.places();
    targets.iter().for_each(|&target| place::fence(places, call.number, target, fence));
    Ok(0)
}
