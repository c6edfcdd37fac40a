//! TIME: the supervisor's timer (chapter 6).

use crate::call::{Answer, Call, Extension, Function};

#[rustfmt::skip]
pub(super) const TIME: Extension = Extension {
    id: 0x5449_4d45,
    name: "TIME",
    functions: &[
        Function { id: 0, name: "sbi_set_timer", run: set_timer },
    ],
};

/// The interrupt is pending when the time has come, and no more once a later one is set.
pub(super) fn set_timer(call: &mut Call<'_>) -> Answer {
    let at = call.argument(0);
    call.hart.set_timer(at);
    Ok(0)
}
