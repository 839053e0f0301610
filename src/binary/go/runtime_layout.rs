//! Where a Go program keeps its goroutines: what a walk along stacks from outside needs.
//!
//! ```text
//! g, bytes from its start         Go 1.16 to 1.22   1.23, 1.24   1.25 to 1.27
//!   stack.lo, stack.hi                       0, 8         0, 8           0, 8
//!   m                                          48           48             48
//!   sched.sp, sched.pc                     56, 64       56, 64         56, 64
//!   sched.lr, sched.bp                    96, 104      96, 104         88, 96
//!   goid                                      152          160            152
//! m
//!   g0                                          0            0              0
//!   procid                                     72           72             64
//!   gsignal                                    80           80             72
//!   tls                                       136          136            128
//!   curg                                      192          192            184
//! ```
//!
//! They are the same on amd64 and arm64. `g` gained `syscallbp` in Go 1.23, `gobuf` lost `ret`
//! in Go 1.25. Source: `g`, `m` and `gobuf` in `runtime/runtime2.go` of each release;
//! `docs/go-versions.md` says which were proven how.

use super::{BuildInfo, Function, Pclntab, Version, thread_local};
use crate::binary::elf::Elf;
use crate::binary::{Error, Svma};
use std::ops::Range;

const FIRST: Version = Version {
    major: 1,
    minor: 16,
};
const LAST: Version = Version {
    major: 1,
    minor: 27,
};

/// Offsets in bytes from the start of the runtime's structures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoroutineFields {
    /// `g.m`: the thread that runs it.
    pub g_m: u16,
    /// `g.sched.sp`: where it left its stack.
    pub g_sched_sp: u16,
    /// `g.sched.pc`: where it goes on.
    pub g_sched_pc: u16,
    /// `g.sched.bp`: its frame pointer.
    pub g_sched_bp: u16,
    /// `g.goid`: its number, 0 for `g0` and `gsignal`.
    pub g_goid: u16,
    /// `m.g0`: what runs on the thread's own stack.
    pub m_g0: u16,
    /// `m.procid`: the system's number of the thread.
    pub m_procid: u16,
    /// `m.gsignal`: what runs signal handlers.
    pub m_gsignal: u16,
    /// `m.tls`: six words, of which the runtime uses the first one alone.
    pub m_tls: u16,
    /// `m.curg`: the goroutine that the thread runs.
    pub m_curg: u16,
}

/// Functions at which stacks begin or change, each from its first address to the one after its
/// last. Empty where the program does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackEdges {
    /// `runtime.goexit`: what every goroutine returns to.
    pub goexit: Range<u64>,
    /// `runtime.mstart`: where threads begin.
    pub mstart: Range<u64>,
    /// `runtime.rt0_go`: where the first thread begins.
    pub rt0_go: Range<u64>,
    /// What the file states as its entry point.
    pub entry: Range<u64>,
    /// `runtime.sigtramp`: where the kernel enters to deliver a signal.
    pub sigtramp: Range<u64>,
    /// `runtime.systemstack_switch`: what a goroutine that waits for `g0` seems to be in.
    pub systemstack_switch: Range<u64>,
    /// `runtime.morestack`: where a stack is grown.
    pub morestack: Range<u64>,
    /// `runtime.mcall`: where a goroutine gives its thread to the scheduler.
    pub mcall: Range<u64>,
}

/// How to find goroutines, and the ends of their stacks, in a running Go program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeLayout {
    /// The release of Go.
    pub version: Version,
    /// The release is newer than those that the fields are known for; they are those of the
    /// newest one.
    pub assumed: bool,
    /// Offset of `g` from the thread pointer: FS base, `TPIDR_EL0`. On arm64 it is kept there
    /// by programs with cgo alone, and else only in X28. `None` where it is only known when
    /// the program runs (Go in a shared library).
    pub tls_offset: Option<i32>,
    /// Offsets in `g` and `m`.
    pub fields: GoroutineFields,
    /// First executable address.
    pub text: Svma,
    /// Functions at which stacks begin or change.
    pub edges: StackEdges,
}

impl RuntimeLayout {
    /// The newest release whose fields are known.
    pub const LAST: Version = LAST;

    /// Reads it from an executable.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when it is no Go program; [`Error::Unsupported`] when it was made by
    /// a release before Go 1.16; another error when its tables cannot be read.
    pub fn of(elf: &Elf<'_>) -> Result<Self, Error> {
        let version = BuildInfo::of(elf)?.version().ok_or(Error::Missing {
            what: "Go version in the build info",
        })?;
        let fields = GoroutineFields::of(version)?;
        let table = Pclntab::of(elf)?;
        let code = elf.memory().loads().iter().filter(|load| load.executable);
        let text = code.map(|load| load.address).min().unwrap_or_default();
        Ok(Self {
            version,
            assumed: version > LAST,
            tls_offset: thread_local::offset_of_g(elf, &table),
            fields,
            text,
            edges: StackEdges::of(elf, &table),
        })
    }
}

impl GoroutineFields {
    /// The offsets of a release; of one after Go 1.27 those of Go 1.27.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for releases before Go 1.16.
    pub fn of(version: Version) -> Result<Self, Error> {
        if version < FIRST {
            return Err(Error::Unsupported {
                what: "minor version of Go",
                expected: "1.16 or later",
                found: u64::from(version.minor),
            });
        }
        let newest = Self {
            g_m: 48,
            g_sched_sp: 56,
            g_sched_pc: 64,
            g_sched_bp: 96,
            g_goid: 152,
            m_g0: 0,
            m_procid: 64,
            m_gsignal: 72,
            m_tls: 128,
            m_curg: 184,
        };
        let with_ret = Self {
            g_sched_bp: 104,
            m_procid: 72,
            m_gsignal: 80,
            m_tls: 136,
            m_curg: 192,
            ..newest
        };
        Ok(match version.minor {
            _ if version.major > 1 => newest,
            16..=22 => with_ret,
            23 | 24 => Self {
                g_goid: 160,
                ..with_ret
            },
            _ => newest,
        })
    }
}

impl StackEdges {
    fn of(elf: &Elf<'_>, table: &Pclntab<'_>) -> Self {
        const NAMES: [&str; 7] = [
            "runtime.goexit",
            "runtime.mstart",
            "runtime.rt0_go",
            "runtime.sigtramp",
            "runtime.systemstack_switch",
            "runtime.morestack",
            "runtime.mcall",
        ];
        let named = table.named(&NAMES);
        let range = |name: &str| {
            named
                .iter()
                .filter(|function| function.linker_name() == Ok(name.as_bytes()))
                .find(|function| !is_wrapper(function))
                .map_or(0..0, range_of)
        };
        let [
            goexit,
            mstart,
            rt0_go,
            sigtramp,
            systemstack_switch,
            morestack,
            mcall,
        ] = NAMES.map(range);
        Self {
            goexit,
            mstart,
            rt0_go,
            entry: entry(elf, table),
            sigtramp,
            systemstack_switch,
            morestack,
            mcall,
        }
    }
}

/// What the compiler made, to be called as Go functions are, has the name of what was written
/// in assembly.
fn is_wrapper(function: &Function<'_>) -> bool {
    let lines = function.lines(function.entry());
    lines.is_ok_and(|lines| lines.iter().any(|line| line.file == b"<autogenerated>"))
}

fn range_of(function: &Function<'_>) -> Range<u64> {
    function.entry().0..function.end().0
}

/// The function that the program begins with: Go's own, or one that a C library brings, which
/// has a size in the table of symbols if at all.
fn entry(elf: &Elf<'_>, table: &Pclntab<'_>) -> Range<u64> {
    if let Ok(Some(function)) = table.find(elf.entry) {
        return range_of(&function);
    }
    let symbol = elf
        .symbols()
        .iter()
        .find(|symbol| symbol.address == elf.entry && symbol.is_function() && symbol.size > 0);
    // The x86-64 one of glibc has 34 bytes; it ends with the call of `__libc_start_main`.
    let size = symbol.map_or(64, |symbol| symbol.size);
    elf.entry.0..elf.entry.0.saturating_add(size)
}
