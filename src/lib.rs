//! Where does a Go build's time go? The library behind the `gotrace` command.
//!
//! Data flows one way, and `tests/tidy.rs` holds the rooms to it:
//!
//! ```text
//! world ─► capture ─► trace ─► symbolize ─► analyze ─► render   (for eyes)
//!           import ─────┘         ▲            │  └───► export   (for machines)
//!                               binary ◄── environment
//! ```
//!
//! - [`capture`] follows a command and makes a trace of it;
//! - [`import`] makes a trace of what another tool recorded;
//! - [`trace`] is the waist: the model, and the file that holds it;
//! - [`binary`] turns bytes of executables into facts, [`environment`] the machine;
//! - [`symbolize`] gives addresses their names, each failure with its reason;
//! - [`analyze`] computes: build graph, critical path, costs, call trees;
//! - [`render`] draws for eyes, [`export`] writes for machines;
//! - [`cli`] alone prints, exits, and reads arguments and environment.

pub mod analyze;
pub mod binary;
pub mod capture;
pub mod cli;
pub mod environment;
pub mod export;
pub mod import;
pub mod render;
pub mod symbolize;
pub mod trace;
