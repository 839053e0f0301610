//! What `dtrace` prints for the scripts of `probes/macos/`: bytes in, events and complaints out.
//!
//! ```text
//! standard output ─► line: what happened ─► order: when it happened ─► Event
//! standard error  ─► message: why not, or what was lost
//! ```
//!
//! The kernel has a buffer for each processor, and `dtrace` empties one after the other: lines of different
//! processors come in blocks, and are put in order again by their times.

pub mod line;
pub mod message;
pub mod order;
