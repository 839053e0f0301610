//! What the `bpf` backend gets from the kernel, made into observations.
//!
//! ```text
//! ring buffer of gotrace.bpf.c ──► record ─┐
//!                                          ├──► merge, by time ──► Observation
//! perf side-band (mappings, names) ► side ─┘
//! ```

mod bytes;
mod executable;
mod guest;
mod merge;
mod processes;
mod ranges;
mod record;
mod side;
#[cfg(test)]
mod synthetic;

pub use executable::Files;
pub use guest::GuestImage;
pub use merge::Merge;
pub use record::{Called, Event, ExeKey, Malformed, Record, TRIAL};
pub use side::Side;
