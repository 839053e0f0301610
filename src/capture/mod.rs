//! World to trace: launches the command, runs the backends, records what they observe.
//!
//! ```text
//! backend threads ──Observation──► recorder thread ──Record──► trace::file::Writer
//! ```
//!
//! A [`Backend`] delivers [`Observation`]s in the order in which they happened within each
//! process. The recorder alone knows the tables of processes and mappings; it turns
//! observations into the records of a trace. Nothing here formats for a viewer.

mod backend;
pub mod decode;
#[cfg(target_os = "linux")]
pub mod linux;
mod observation;

pub use backend::{Backend, Error, Request};
pub use observation::{Executed, Monotonic, Observation, Sampled, ToolRun};

/// What the executable `gotrace-helper` does: hands the descriptors of BPF programs to the
/// gotrace that started it, see `linux::bpf`.
///
/// # Errors
///
/// When there is nobody to answer, or nothing to help with on this system.
pub fn serve_descriptors() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    return linux::bpf::serve();
    #[cfg(not(target_os = "linux"))]
    Err(std::io::ErrorKind::Unsupported.into())
}
