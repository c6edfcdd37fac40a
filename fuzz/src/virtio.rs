//! Any driver of every virtio card that is linked in.

use crate::stage::registry;
use hartwright_virtio::any_guest;

/// The first byte chooses the card, by which a new one changes what an input is for.
pub(crate) fn run(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let cards: Vec<_> = registry().classes().filter(|class| class.bus == Some("virtio-bus")).collect();
    if let Some(card) = cards.get(usize::from(first) % cards.len().max(1)) {
        any_guest(card.name, rest);
    }
}
