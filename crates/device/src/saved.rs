//! A device's state as text, and back: snapshots are made of it.

use serde::{Serialize, de::DeserializeOwned};

/// A state that can be saved; every plain one can.
pub trait Saved {
    /// It as JSON.
    ///
    /// # Errors
    /// It holds something that JSON has no form for, such as a table whose keys are no texts.
    fn save(&self) -> Result<String, String>;

    /// Becomes what was saved.
    ///
    /// # Errors
    /// The text is no such state; nothing changed then.
    fn restore(&mut self, saved: &str) -> Result<(), String>;
}

impl<S: Serialize + DeserializeOwned> Saved for S {
    fn save(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| format!("a state that cannot be saved: {error}"))
    }

    fn restore(&mut self, saved: &str) -> Result<(), String> {
        *self = serde_json::from_str(saved).map_err(|error| format!("not a saved state: {error}"))?;
        Ok(())
    }
}
