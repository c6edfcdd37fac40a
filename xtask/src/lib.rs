//! The project's own chores: fetching guests, running every test, installing, measuring.
#![forbid(unsafe_code)]
#![expect(missing_docs, reason = "written next")]
