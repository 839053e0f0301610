//! What the library for `LD_AUDIT` writes (`probes/audit`): a shared buffer in, what the dynamic
//! linker did out.
//!
//! ```text
//! buffer ──ring──► Event (what a hook of rtld-audit(7) was told) ──story──► linking::Event
//! ```
//!
//! The buffer belongs to a process of the build, which may write into it what it likes, and may
//! end in the middle of a word.

// One description of the buffer serves both programs.
mod event;
#[path = "../../../../probes/audit/src/layout.rs"]
pub mod layout;
mod ring;
#[path = "../../../../probes/audit/src/roots.rs"]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "what is added are places in one slice"
)]
pub mod roots;
mod story;
#[cfg(test)]
mod story_tests;
#[cfg(test)]
mod tests;

pub use event::{Event, How, What};
pub use ring::{Buffer, Drained, Header, Malformed, Ring};
pub use story::Story;
