//! Facts of this machine: toolchains, rights, kernel. Gathers, and does not judge.

pub mod entitled;
pub mod go_flags;
pub mod goroot;
mod grant;
pub mod head;
pub mod host;
pub mod invoker;
pub mod link;
pub mod linux;
mod macos;
pub mod mappings;
mod refusal;
pub mod settings;
pub mod signing;
pub mod survey;
mod sys;
pub mod toolchain;
pub mod translator;

pub use grant::{Grant, GrantError, HELPER};
pub use refusal::Refusal;
