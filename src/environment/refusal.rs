//! Why something cannot be done here.

use std::fmt;

/// Why a capability is not to be had on this machine, how that is known, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why not, in a few words: `not permitted to load BPF programs`.
    pub reason: String,
    /// What was tried or read, and what came back: `bpf(BPF_PROG_LOAD): EPERM`.
    pub evidence: String,
    /// What the user can do: a command where there is one, else a sentence; empty if nothing.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.evidence)
    }
}
