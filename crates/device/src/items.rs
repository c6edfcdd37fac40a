//! What an emulator keeps ready for its firmware: numbers with bytes, and files by name.

use std::collections::BTreeMap;

/// What firmware may ask for through a device such as fw_cfg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// By number; what the device makes itself (a signature, the list of files) is not among it.
    pub numbered: BTreeMap<u16, Vec<u8>>,
    /// By name.
    pub files: BTreeMap<String, Vec<u8>>,
}
