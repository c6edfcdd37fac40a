//! A program that links no object type in must be told so, not run without devices.

use hartwright_objects::{Error, Registry};

#[test]
fn an_empty_registry_is_an_error() {
    let error = Registry::linked().unwrap_err();
    assert_eq!(error, Error::EmptyRegistry);
    assert_eq!(
        error.to_string(),
        "no object type is registered: the program names no crate that has one (`use hartwright_devices as _;` keeps it linked)"
    );
}
