//! Processes and threads: who ran, from when to when, and what it used.

use super::{Nanos, Pid, ProcessId, StringId, Tid};

/// One program image, from its exec (or from where the recorder first saw it) to its end.
///
/// A fork that never execs has no row: its use of the machine is added to its parent's
/// [`Usage`] and counted in [`Usage::forks_folded`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Position in the table of processes.
    pub id: ProcessId,
    /// The operating system's number.
    pub pid: Pid,
    /// The program that forked this one; none for the traced command itself.
    pub parent: Option<ProcessId>,
    /// The program that this one replaced by exec in the same process, when that one has a row.
    pub predecessor: Option<ProcessId>,
    /// When it was forked; for a successor, when it was exec'ed.
    pub start: Nanos,
    /// When its program began to run.
    pub exec_at: Nanos,
    /// What it ran.
    pub exec: Exec,
    /// Its end, when the recorder saw it.
    pub exit: Option<Exit>,
    /// What the processor counted of it, where the system tells.
    pub counts: Option<ProcessorCounts>,
    /// gotrace's own (the toolexec shim): in no row and no total of any view.
    pub own: bool,
}

/// What a process ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// Arguments, the program's name first. Not always UTF-8. Already redacted.
    pub argv: Vec<StringId>,
    /// Arguments were left out because the recorder could not read them all.
    pub argv_truncated: bool,
    /// Working directory, or empty when it could not be read.
    pub cwd: StringId,
    /// Path of the executable file, or empty when it could not be read.
    pub exe: StringId,
    /// Import path that the go command named for it (`TOOLEXEC_IMPORTPATH`), or empty.
    pub package: StringId,
    /// Architecture of the program that the user ran.
    pub arch: Arch,
    /// Name of the translator that ran it (`qemu-aarch64`, `rosetta`, ...), empty if native.
    pub translator: StringId,
}

/// How and when a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// When.
    pub at: Nanos,
    /// How.
    pub status: ExitStatus,
    /// What it used, of the whole process, all threads.
    pub usage: Usage,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It went on as another program: see the process whose predecessor it is.
    Replaced,
    /// It ended, and how was not to be had.
    Unknown,
}

impl ExitStatus {
    /// The code that it exited with, if it did.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) | Self::Replaced | Self::Unknown => None,
        }
    }

    /// The signal that killed it, if one did.
    #[must_use]
    pub const fn signal(self) -> Option<i32> {
        match self {
            Self::Signal(signal) => Some(signal),
            Self::Code(_) | Self::Replaced | Self::Unknown => None,
        }
    }
}

/// What a process used of the machine. Zero where the backend could not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in user mode.
    pub user: Nanos,
    /// CPU time in the kernel.
    pub system: Nanos,
    /// Time its threads were ready to run and waited for a core.
    pub runqueue: Nanos,
    /// Largest resident set, in bytes.
    pub max_rss_bytes: u64,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that waited for I/O.
    pub major_faults: u64,
    /// Bytes that it caused to be read from storage.
    pub read_bytes: u64,
    /// Bytes that it caused to be written to storage.
    pub written_bytes: u64,
    /// Times it gave up the CPU to wait.
    pub voluntary_switches: u64,
    /// Times the CPU was taken from it.
    pub involuntary_switches: u64,
    /// Forked children without an exec whose use is included here.
    pub forks_folded: u32,
}

/// What the processor counted of one program, all threads: macOS keeps it for each process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessorCounts {
    /// Instructions that it executed; zero where the processor does not count them.
    pub instructions: u64,
    /// Cycles that these took.
    pub cycles: u64,
    /// Instructions on performance cores; zero where all cores are alike.
    pub performance_core_instructions: u64,
    /// Cycles on performance cores.
    pub performance_core_cycles: u64,
    /// Energy, in nanojoules; zero where it is not measured.
    pub energy_nj: u64,
}

impl ProcessorCounts {
    /// What came to these after `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            instructions: self.instructions.saturating_sub(before.instructions),
            cycles: self.cycles.saturating_sub(before.cycles),
            performance_core_instructions: self
                .performance_core_instructions
                .saturating_sub(before.performance_core_instructions),
            performance_core_cycles: self
                .performance_core_cycles
                .saturating_sub(before.performance_core_cycles),
            energy_nj: self.energy_nj.saturating_sub(before.energy_nj),
        }
    }

    /// Instructions in a cycle.
    #[must_use]
    pub fn instructions_per_cycle(&self) -> Option<f64> {
        ratio(self.instructions, self.cycles)
    }

    /// The part of its cycles that performance cores made, 0 to 1.
    #[must_use]
    pub fn performance_core_share(&self) -> Option<f64> {
        ratio(self.performance_core_cycles, self.cycles)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for the eye")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Usage {
    /// CPU time in user mode and in the kernel.
    #[must_use]
    pub fn cpu(&self) -> Nanos {
        self.user + self.system
    }

    /// Adds what a folded fork or an ended thread used.
    pub fn add(&mut self, other: &Self) {
        self.user += other.user;
        self.system += other.system;
        self.runqueue += other.runqueue;
        self.max_rss_bytes = self.max_rss_bytes.max(other.max_rss_bytes);
        for (count, more) in [
            (&mut self.minor_faults, other.minor_faults),
            (&mut self.major_faults, other.major_faults),
            (&mut self.read_bytes, other.read_bytes),
            (&mut self.written_bytes, other.written_bytes),
            (&mut self.voluntary_switches, other.voluntary_switches),
            (&mut self.involuntary_switches, other.involuntary_switches),
        ] {
            *count = count.saturating_add(more);
        }
        self.forks_folded = self.forks_folded.saturating_add(other.forks_folded);
    }
}

impl Process {
    /// When it ended, or `open_end` when the recorder did not see that.
    #[must_use]
    pub fn end_or(&self, open_end: Nanos) -> Nanos {
        self.exit.map_or(open_end, |exit| exit.at)
    }

    /// CPU time used, zero while it has not ended.
    #[must_use]
    pub fn cpu(&self) -> Nanos {
        self.exit.map_or(Nanos::ZERO, |exit| exit.usage.cpu())
    }
}

/// One thread of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// The program that it belonged to when it ended or was last seen.
    pub process: ProcessId,
    /// The operating system's number.
    pub tid: Tid,
    /// When it started.
    pub start: Nanos,
    /// When it ended, if that was seen.
    pub end: Option<Nanos>,
    /// Name that the system knows it by.
    pub name: StringId,
    /// CPU time it used.
    pub cpu: Nanos,
    /// Time it was ready to run and waited for a core.
    pub runqueue: Nanos,
}

/// Instruction set of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// Not known, or none that Go builds are traced on.
    #[default]
    Unknown,
    /// x86-64.
    Amd64,
    /// `AArch64`.
    Arm64,
    /// 32-bit x86.
    X86,
}

impl Arch {
    /// From a name as Go or `uname` writes it.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "amd64" | "x86_64" => Self::Amd64,
            "arm64" | "aarch64" => Self::Arm64,
            "386" | "x86" => Self::X86,
            _ => Self::Unknown,
        }
    }

    /// This one where it is known, else the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match self {
            Self::Unknown => other,
            known => known,
        }
    }

    /// As Go writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::X86 => "386",
        }
    }
}
