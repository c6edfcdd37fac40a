//! sPI: interrupts from hart to hart (chapter 7).

use crate::{
    call::{Answer, Call, Extension, Function},
    place::raise_software_interrupt,
};

#[rustfmt::skip]
pub(super) const IPI: Extension = Extension {
    id: 0x73_5049,
    name: "IPI",
    functions: &[
        Function { id: 0, name: "sbi_send_ipi", run: send_ipi },
    ],
};

fn send_ipi(call: &mut Call<'_>) -> Answer {
    let targets = call.targets(call.argument(0), call.argument(1))?;
    send(call, &targets)
}

pub(super) fn send(call: &mut Call<'_>, targets: &[usize]) -> Answer {
    for &target in targets {
        if target == call.number {
            raise_software_interrupt(call.hart);
        } else {
            call.sbi.places()[target].interrupt();
        }
    }
    Ok(0)
}
