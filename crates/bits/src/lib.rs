//! To be written: see ARCHITECTURE.md.
