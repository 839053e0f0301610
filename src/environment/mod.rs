//! Facts of this machine: toolchains, rights, kernel. Gathers, and does not judge.

mod grant;
pub mod linux;
mod refusal;
mod sys;

pub use grant::{Grant, GrantError, HELPER};
pub use refusal::Refusal;
