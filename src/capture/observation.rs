//! What backends see, before it becomes a trace: raw, owned, in the words of the system.

use super::calls::{Batch, CallTree};
use super::linking;
use super::probes::Phase;
use crate::trace::{
    Arch, ArgumentKind, Goid, ImageKind, Nanos, Pid, ProbeId, ProcessorCounts, SampleKind,
    SamplePlace, Tid, Usage,
};

/// A reading of `CLOCK_MONOTONIC` in nanoseconds (on macOS, of `mach_absolute_time`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(pub u64);

/// What tells of calls beside something else that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// Probes of the kernel.
    Kernel,
    /// Copies of programs.
    Copies,
}

/// One thing that a backend saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A process (not a thread) was forked.
    Forked {
        /// When.
        time: Monotonic,
        /// The new process.
        pid: Pid,
        /// Who forked it.
        parent: Pid,
    },
    /// A process began to run a program.
    Executed(Executed),
    /// A process was found to run a program some moments after it had begun. Another backend may
    /// tell of it, too.
    Discovered {
        /// Its parent, when it began: a shim for that which started the shim.
        parent: Pid,
        /// The package that the go command runs it for, or empty.
        package: Vec<u8>,
        /// The program.
        executed: Executed,
    },
    /// A shim is about to start a tool.
    ToolBegins {
        /// The shim's process.
        shim: Pid,
        /// The go command that started it.
        go: Pid,
    },
    /// A thread ended.
    ThreadEnded {
        /// When.
        time: Monotonic,
        /// Its process.
        pid: Pid,
        /// Itself.
        tid: Tid,
        /// When it began.
        start: Monotonic,
        /// Name that the system knows it by.
        name: Vec<u8>,
        /// What this thread alone used since it began, across execs of its process.
        usage: Usage,
    },
    /// A process ended: its last thread is gone.
    Exited {
        /// When.
        time: Monotonic,
        /// Which.
        pid: Pid,
        /// As `wait` reports it: exit code in bits 8 to 15, signal in bits 0 to 6.
        wait_status: i32,
        /// What the process used in all since its fork, where the backend knows it as a whole;
        /// else only what has no place in a thread (`max_rss_bytes`, I/O), and the threads'
        /// use is added to it.
        usage: Usage,
        /// `usage` holds the CPU time of the whole process already.
        whole: bool,
    },
    /// A process is gone, and how it ended was not to be had.
    Gone {
        /// When.
        time: Monotonic,
        /// Which.
        pid: Pid,
        /// What the process itself, without its children, was last seen to have used.
        usage: Usage,
    },
    /// An executable range of memory was mapped. The ranges of a program come after its
    /// [`Self::Executed`], which empties the table of ranges of that process.
    Mapped {
        /// When.
        time: Monotonic,
        /// In which process.
        pid: Pid,
        /// First address.
        start: u64,
        /// Address after the last.
        end: u64,
        /// Offset in the file.
        offset: u64,
        /// Path of the file, as the kernel names it; `[vdso]` and the like; empty if anonymous.
        path: Vec<u8>,
        /// Build id, or empty.
        build_id: Vec<u8>,
        /// What it is.
        kind: ImageKind,
    },
    /// A range of memory is mapped no longer.
    Unmapped {
        /// When that was seen.
        time: Monotonic,
        /// In which process.
        pid: Pid,
        /// First address.
        start: u64,
        /// Address after the last.
        end: u64,
    },
    /// What the processor has counted of the program that a process runs, or ran last. Told again, it
    /// is more.
    ProcessorCounted {
        /// When.
        time: Monotonic,
        /// Which process.
        pid: Pid,
        /// Since that program began.
        counts: ProcessorCounts,
    },
    /// A thread was seen running or waiting.
    Sampled(Sampled),
    /// A function is watched from here on.
    Probed(Box<Probed>),
    /// A function is no longer watched.
    ProbeDropped {
        /// When.
        time: Monotonic,
        /// Which.
        probe: ProbeId,
        /// How often it was hit until then.
        hits: u64,
        /// How many of these hits were not recorded.
        unrecorded: u64,
        /// Why.
        why: String,
    },
    /// Functions were entered and left.
    Called(Batch),
    /// All calls of a backend up to a moment have been told, where there is another one that tells of calls.
    CalledUntil {
        /// Whose.
        by: Teller,
        /// Up to when.
        time: Monotonic,
    },
    /// Functions were called, and added up.
    CallsAdded(Box<CallTree>),
    /// What the dynamic loader of a process did.
    Linked(linking::Batch),
    /// A tool was run through the shim.
    ToolRun(Box<ToolRun>),
    /// The contents of the importcfg of a tool, read when the tool began.
    ImportCfg {
        /// The tool's process.
        pid: Pid,
        /// When it was read, to tell which program of that pid it belongs to.
        time: Monotonic,
        /// The file.
        contents: Vec<u8>,
    },
    /// An action graph that a go command wrote.
    ActionGraph {
        /// When it was read.
        time: Monotonic,
        /// Who wrote it, where that could be told.
        pid: Option<Pid>,
        /// The file: JSON.
        contents: Vec<u8>,
    },
    /// A CPU profile that a tool wrote of itself (pprof, gzip or not).
    ToolProfile {
        /// The tool's process.
        pid: Pid,
        /// When the tool ended.
        time: Monotonic,
        /// The file.
        contents: Vec<u8>,
    },
    /// Events were lost.
    Lost {
        /// Since when, at the earliest.
        from: Monotonic,
        /// Until when.
        to: Monotonic,
        /// What.
        what: &'static str,
        /// How many.
        count: u64,
        /// Why.
        why: String,
    },
    /// Something could not be seen at all.
    Unseen {
        /// When that was noticed.
        time: Monotonic,
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// A value over time.
    Counted {
        /// When.
        time: Monotonic,
        /// Of what.
        name: &'static str,
        /// Value.
        value: i64,
    },
    /// How a backend works here (`bpf.sampling`: `cpu-clock`), for the trace's settings.
    Configured {
        /// Name.
        key: String,
        /// Value.
        value: String,
    },
}

/// A process began to run a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// When.
    pub time: Monotonic,
    /// Which process.
    pub pid: Pid,
    /// The arguments as they lie in memory: each ended by a zero byte.
    pub argv: Vec<u8>,
    /// Not all of the arguments are there.
    pub argv_truncated: bool,
    /// Path of the executable, absolute where it could be told.
    pub exe: Vec<u8>,
    /// Working directory.
    pub cwd: Vec<u8>,
    /// Architecture of the program.
    pub arch: Arch,
    /// Translator, or empty.
    pub translator: Vec<u8>,
    /// What the process had used before it ran this program.
    pub usage_before: Usage,
    /// What the file behind `-importcfg` holds, or why it could not be read.
    pub import_cfg: Option<Result<Vec<u8>, String>>,
}

/// A function that is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// Its number.
    pub probe: ProbeId,
    /// The executable's path, as the kernel names it.
    pub path: Vec<u8>,
    /// The executable's GNU build id, or empty.
    pub build_id: Vec<u8>,
    /// The function, as a Go developer writes it.
    pub function: Vec<u8>,
    /// Its source file, or empty.
    pub file: Vec<u8>,
    /// Where in the executable's file an entry is seen.
    pub entry: u64,
    /// The instruction there.
    pub instruction: String,
    /// Calibrated cost of an entry.
    pub entry_cost: Nanos,
    /// Number of places at which exits are seen.
    pub exits: u32,
    /// Calibrated cost of an exit.
    pub exit_cost: Nanos,
    /// The set that it comes from, or empty.
    pub set: String,
    /// What phase it marks: track, phase, how long it lasts, whether beside the tool's own.
    pub phase: Option<Phase>,
    /// How its first argument is recorded.
    pub argument: ArgumentKind,
}

/// A thread was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// When.
    pub time: Monotonic,
    /// In which process.
    pub pid: Pid,
    /// Which thread.
    pub tid: Tid,
    /// Goroutine, where there was one.
    pub goroutine: Option<Goid>,
    /// How much time it stands for.
    pub weight: Nanos,
    /// Running or waiting.
    pub kind: SampleKind,
    /// What kind of code.
    pub place: SamplePlace,
    /// User addresses, innermost first: the executing one, then return addresses.
    pub stack: Vec<u64>,
    /// The stack goes on beyond its last address.
    pub truncated: bool,
}

/// A tool that the go command ran through the shim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolRun {
    /// The shim's process, the tool's parent.
    pub shim: Pid,
    /// The shim's parent: the go command.
    pub go: Pid,
    /// `TOOLEXEC_IMPORTPATH`, or empty.
    pub package: Vec<u8>,
    /// What ran, and when it began.
    pub executed: Executed,
    /// When it ended.
    pub end: Monotonic,
    /// As `wait` reports it.
    pub wait_status: i32,
    /// What it used, its own children included, as `wait4` reports it.
    pub usage: Usage,
    /// What the shim itself used.
    pub shim_usage: Usage,
}
