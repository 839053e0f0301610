//! Facts of this machine: toolchains, rights, kernel. Gathers, and does not judge.

mod refusal;

pub use refusal::Refusal;
