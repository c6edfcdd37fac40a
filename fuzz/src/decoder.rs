//! Any bits as instructions, at every width.

use hartwright_isa::{Decoded, Decoder, Ext, ExtSet, cpu::MODELS};
use std::sync::OnceLock;

/// One of all extensions for each width, and one for each model.
fn decoders() -> &'static [Decoder] {
    static DECODERS: OnceLock<Vec<Decoder>> = OnceLock::new();
    DECODERS.get_or_init(|| {
        let all = [32, 64, 128].map(|xlen| Decoder::new(ExtSet::of(Ext::ALL), xlen));
        let models = MODELS.iter().map(|model| Decoder::new(model.extensions, model.xlen));
        all.into_iter().chain(models).collect()
    })
}

/// Where the instruction after would lie at the start again.
const PC: u64 = u64::MAX - 1;

pub(crate) fn run(data: &[u8]) {
    for bytes in data.chunks(4) {
        let raw = bytes.iter().rev().fold(0, |raw, byte| raw << 8 | u32::from(*byte));
        for decoder in decoders() {
            if let Some(decoded) = decoder.decode(raw, PC) {
                show(&decoded);
            }
        }
    }
}

fn show(decoded: &Decoded) {
    assert!(!decoded.to_string().is_empty(), "an instruction has a name");
    let _ = (decoded.next(), decoded.ends_block(), decoded.uses_float(), decoded.insn());
}
