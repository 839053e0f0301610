//! Toolchains for macOS whose functions tell of their calls: how they are made, and what they tell. Nothing of a Mac is
//! needed for it.
//!
//! ```text
//! program ──► copy: Instrumented ──────────────► DIR/bin/go, ...                  ──► records
//!                 └─ functions: ToldProgram ──► DIR/pkg/gotrace/functions.json ──► Toolchain ──► Told: what they mean
//! ```
//!
//! `docs/trampolines.md` says how such a copy runs.

mod copy;
mod functions;
mod told;
mod toolchain;

pub use copy::{Instrumented, NotInstrumented};
pub use functions::{BadFunctions, SCHEMA, ToldProgram, programs};
pub use told::Told;
pub use toolchain::{NoToolchain, Toolchain};

use super::probes::Mode;

/// What maps the ring in programs that are instrumented, from a toolchain's folder.
pub const LIBRARY_PATH: &str = "pkg/gotrace/libgotrace-ring.dylib";
/// What the numbers in records mean, from a toolchain's folder.
pub const FUNCTIONS_PATH: &str = "pkg/gotrace/functions.json";
/// The variable that names the file which is the ring, for what maps it.
pub const RING_VARIABLE: &str = "GOTRACE_RING";

/// A function that tells of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldFunction {
    /// Name, as Go developers write it.
    pub name: String,
    /// Source file, or empty.
    pub file: String,
    /// Which of its edges.
    pub mode: Mode,
    /// The set that asks for it; none where the user does.
    pub set: Option<String>,
    /// Where in the program's file an entry is seen.
    pub entry: u64,
    /// At how many places it is left.
    pub exits: u32,
}
