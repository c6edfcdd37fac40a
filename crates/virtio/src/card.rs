//! What a card on a virtio bus is, and the properties that all of them have.

use crate::{Io, features};
use hartwright_device::{Card, Error};
use hartwright_objects::{Object, Value};

/// A virtio device behind a transport.
///
/// The order of calls: properties are set, [`Card::wire`] once, then the rest in any order. [`Io`] is only good for
/// one call.
pub trait VirtioCard: Card {
    /// Its device ID (virtio 1.2, section 5).
    fn id(&self) -> u32;

    /// The features it offers besides those of [`features`]; `legacy` to a driver that knows no others.
    fn features(&self, legacy: bool) -> u64;

    /// How many queues it has; that may depend on properties.
    fn queues(&self) -> usize;

    /// Its configuration space as it is now.
    fn config(&self) -> Vec<u8>;

    /// The driver wrote `bytes` (1, 2 or 4, within [`config`](Self::config)) at `offset` of the configuration space.
    fn configure(&mut self, offset: usize, bytes: &[u8], io: &mut Io<'_>) {
        let _ = bytes;
        io.guest_error(offset as u64, "write to read-only configuration");
    }

    /// The driver is ready (DRIVER_OK).
    fn started(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }

    /// The driver says that there is something in queue `queue`, which is there.
    fn notify(&mut self, queue: usize, io: &mut Io<'_>);

    /// A pin of its own changed.
    fn input(&mut self, pin: u32, level: bool, io: &mut Io<'_>) {
        let _ = (pin, level, io);
    }

    /// Somebody set a property while it is in use.
    fn given(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }

    /// The driver takes back all of queue `queue`: nothing of it may be completed any more.
    fn drop_queue(&mut self, queue: usize) {
        let _ = queue;
    }

    /// Back to the state of power-on.
    fn reset(&mut self);

    /// Its state as text.
    ///
    /// # Errors
    /// As [`Saved::save`](hartwright_device::Saved::save).
    fn save(&self) -> Result<String, String>;

    /// Becomes what was saved.
    ///
    /// # Errors
    /// The text is no such state; nothing changed then.
    fn restore(&mut self, saved: &str) -> Result<(), String>;

    /// Its state was replaced by a saved one: what was on its way begins again.
    fn restored(&mut self, io: &mut Io<'_>) {
        let _ = io;
    }
}

/// What `card` offers, with the features of no particular card.
pub(crate) fn offered(card: &dyn VirtioCard, legacy: bool) -> u64 {
    let on = |property: &str| card.get(property) != Some(Value::Bool(false));
    let common = [
        (features::INDIRECT_DESC, on("indirect_desc")),
        (features::EVENT_IDX, on("event_idx")),
        (features::VERSION_1, !legacy),
        (features::RING_RESET, !legacy && on("queue_reset")),
        (features::NOTIFY_ON_EMPTY, legacy && on("notify_on_empty")),
    ];
    common.iter().filter(|(_, there)| *there).fold(card.features(legacy), |all, (bit, _)| all | bit)
}

/// Refuses what a property asks for and nobody does yet: each of `names` must have its default value.
pub(crate) fn not_yet(object: &dyn Object, names: &[&str]) -> Result<(), Error> {
    let class = object.class();
    let other =
        object.properties().into_iter().find(|(p, value)| names.contains(&p.name) && *value != p.default);
    other.map_or(Ok(()), |(property, value)| {
        let value = match value {
            Value::Bool(on) => if on { "on" } else { "off" }.to_owned(),
            value => value.to_string(),
        };
        let why = format!("{}={value} is not yet in hartwright", property.name);
        Err(Error::Refused { class: class.name.into(), property: property.name.into(), why })
    })
}

/// The properties among the common ones that have one value so far.
pub(crate) const COMMON_NOT_YET: [&str; 2] = ["iommu_platform", "packed"];

/// A struct that is a card's object type, with the properties that all virtio devices have.
macro_rules! virtio_card {
    ($(#[$about:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        #[derive(Object)]
        $(#[$about])*
        pub struct $name {
            $($fields)*
            /// Whether requests may be cut into descriptors anywhere; they may.
            #[property(name = "any_layout", default = true)]
            any_layout: bool,
            /// Whether either side may say at which index it wants to hear of the other.
            #[property(name = "event_idx", default = true)]
            event_idx: bool,
            /// Whether a descriptor may refer to a table of descriptors.
            #[property(name = "indirect_desc", default = true)]
            indirect_desc: bool,
            /// Whether an IOMMU translates its addresses: not yet in hartwright.
            #[property(name = "iommu_platform", default = false)]
            iommu_platform: bool,
            /// Whether a legacy driver may ask for an interrupt when its ring runs empty.
            #[property(name = "notify_on_empty", default = true)]
            notify_on_empty: bool,
            /// Packed rings: not yet in hartwright.
            #[property(name = "packed", default = false)]
            packed: bool,
            /// Whether a queue can be reset alone.
            #[property(name = "queue_reset", default = true)]
            queue_reset: bool,
            /// For saved states of old machines; it has no effect.
            #[property(name = "use-disabled-flag", default = true)]
            use_disabled_flag: bool,
            /// For saved states of old machines; it has no effect.
            #[property(name = "use-started", default = true)]
            use_started: bool,
            /// For old machines; it has no effect.
            #[property(name = "x-disable-legacy-check", default = false)]
            x_disable_legacy_check: bool,
        }
    };
}
pub(crate) use virtio_card;
