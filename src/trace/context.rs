//! What a trace says of itself: machine, toolchain, settings, loss and blind spots.

use super::{Arch, Nanos, StringId};

/// The machine that the trace was made on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Operating system and version (`linux 6.18.44`).
    pub os: StringId,
    /// Distribution (`Debian GNU/Linux 12 (bookworm)`), or empty.
    pub distribution: StringId,
    /// Name of the CPU.
    pub cpu: StringId,
    /// Architecture of the machine.
    pub arch: Arch,
    /// Cores that the command could use.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Version of gotrace that recorded.
    pub gotrace: StringId,
}

/// A Go toolchain that the command used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// Path of the go command.
    pub path: StringId,
    /// `go1.27.3`.
    pub version: StringId,
    /// Architecture of the go command itself.
    pub arch: Arch,
    /// Name of the translator that runs it, empty if native.
    pub translator: StringId,
    /// `GOROOT`, or empty.
    pub goroot: StringId,
}

/// How the trace was recorded, or a setting of the build that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name (`backend`, `rate_hz`, `env.GOFLAGS`, `added.GOFLAGS`, ...).
    pub key: StringId,
    /// Value, redacted.
    pub value: StringId,
    /// Where it came from (`default`, `command line`, `environment`, `go env`, `FILE:LINE` of a gotrace.toml, ...).
    pub source: StringId,
}

/// The key of the setting that a run has whose times say nothing, because of how it was recorded; its
/// value says why.
pub const NOT_FOR_TIMING: &str = "not_for_timing";

/// The key of the setting that a trace has which another tool recorded; its value says what it was
/// imported from (`perf.data`, `folded stacks`).
pub const IMPORTED: &str = "imported";

/// The key of the setting that tells what one count of imported stacks stands for, in nanoseconds.
pub const COUNT_NS: &str = "imported.count_ns";

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    #[default]
    Note,
    /// Slow, misleading, or of no effect.
    Warning,
    /// What makes builds fail.
    Error,
}

impl Severity {
    /// `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What was found of the machine's Go when the recording began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Which check found it (`godebug`, `go`, ...).
    pub check: StringId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, redacted.
    pub text: StringId,
    /// How that is known, redacted; or empty.
    pub evidence: StringId,
    /// What helps, redacted; or empty.
    pub remedy: StringId,
}

/// Events that were seen and not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When it began.
    pub from: Nanos,
    /// When it was over.
    pub to: Nanos,
    /// What was lost (`samples`, `events`, `mappings`, ...).
    pub what: StringId,
    /// How many.
    pub count: u64,
    /// Why.
    pub why: StringId,
}

/// Something that could not be seen at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindSpot {
    /// When it was noticed.
    pub time: Nanos,
    /// What could not be seen.
    pub what: StringId,
    /// Why.
    pub why: StringId,
}

/// A named value over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// When.
    pub time: Nanos,
    /// Name (`gotrace_rss_bytes`).
    pub name: StringId,
    /// Value.
    pub value: i64,
}

/// What recording cost and how it ended; written last, so a trace without it was cut short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// When the traced command ended.
    pub command_end: Nanos,
    /// How.
    pub status: Option<super::ExitStatus>,
    /// CPU time of gotrace itself while the command ran.
    pub own_cpu: Nanos,
    /// gotrace's largest resident set while the command ran, in bytes.
    pub own_max_rss_bytes: u64,
    /// CPU time that the kernel spent in gotrace's programs, and copies for telling of calls, where it can be told.
    pub kernel_cpu: Option<Nanos>,
}
