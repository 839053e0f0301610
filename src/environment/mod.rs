//! Facts of this machine: toolchains, rights, kernel. Gathers, and does not judge.

pub mod linux;
mod refusal;

pub use refusal::Refusal;
