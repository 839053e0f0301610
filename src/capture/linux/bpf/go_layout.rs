//! Where a Go executable keeps what a stack walk needs. In: its bytes; out: [`Layout`].

use crate::binary::Svma;
use crate::binary::elf::{Elf, Machine};
use crate::binary::go::{BuildInfo, Pclntab, Version};
use std::ops::Range;

/// The functions that a stack walk knows, in the order of `struct layout` of records.h; the entry
/// point has a name of its own on each system, and is found by its address.
const FUNCTIONS: [&str; RANGES] = [
    "runtime.goexit",
    "runtime.mstart",
    "runtime.rt0_go",
    "",
    "runtime.sigtramp",
    "runtime.systemstack_switch",
    "runtime.morestack",
    "runtime.mcall",
];
const ENTRY_POINT: usize = 3;
const RANGES: usize = 8;

/// Where the thread-local g is when the executable is not linked with others' thread-local
/// variables: the runtime sets it up itself (`runtime.settls`), just below the thread pointer.
const OWN_TLS: i32 = -8;

/// What the stack walk is told of an executable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Of g, from the thread pointer.
    pub(super) tls_offset: i32,
    /// Offsets in the runtime's structures; `None` where they are not known: then there are no
    /// goroutine ids, and stacks end where the runtime changes them.
    pub(super) fields: Option<Fields>,
    /// First executable address.
    pub(super) text: u64,
    /// Of `FUNCTIONS`.
    pub(super) ranges: [Range<u64>; RANGES],
}

/// Offsets of fields of `g` and `m`, `runtime/runtime2.go`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) g_m: u16,
    pub(super) g_sched_sp: u16,
    pub(super) g_sched_pc: u16,
    pub(super) g_sched_bp: u16,
    pub(super) g_goid: u16,
    pub(super) m_g0: u16,
    pub(super) m_curg: u16,
}

impl Layout {
    /// Reads an executable; `None` when it is no Go program.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let elf = Elf::parse(bytes).ok()?;
        let table = Pclntab::of(&elf).ok()?;
        let version = BuildInfo::of(&elf).ok().and_then(|info| info.version());
        let tls_offset = tls_offset(&elf);
        let executable = elf.memory().loads().iter().filter(|load| load.executable);
        let mut layout = Self {
            tls_offset: tls_offset.unwrap_or_default(),
            fields: tls_offset.and(version).and_then(Fields::of),
            text: executable.map(|load| load.address.0).min()?,
            ranges: Default::default(),
        };
        for function in table.named(&FUNCTIONS) {
            let name = function.linker_name().unwrap_or_default();
            let index = FUNCTIONS.iter().position(|known| known.as_bytes() == name);
            // Where there are two, one calls the other: the one that does the work is longer.
            let range = function.entry().0..function.end().0;
            if let Some(known) = index.and_then(|index| layout.ranges.get_mut(index))
                && length(&range) > length(known)
            {
                *known = range;
            }
        }
        if let Ok(Some(entry)) = table.find(Svma(elf.entry.0)) {
            layout.ranges[ENTRY_POINT] = entry.entry().0..entry.end().0;
        }
        Some(layout)
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

impl Fields {
    /// The offsets of a release, compared with what the programs of each print; newer releases
    /// are not guessed at.
    fn of(version: Version) -> Option<Self> {
        let minor = match version {
            Version { major: 1, minor } if (21..=27).contains(&minor) => minor,
            _ => return None,
        };
        // Before 1.25, gobuf had a field more, before bp, and m a field of g's length more.
        let old = minor < 25;
        Some(Self {
            g_m: 48,
            g_sched_sp: 56,
            g_sched_pc: 64,
            g_sched_bp: if old { 104 } else { 96 },
            g_goid: if matches!(minor, 23 | 24) { 160 } else { 152 },
            m_g0: 0,
            m_curg: if old { 192 } else { 184 },
        })
    }
}

/// Where g lies from the thread pointer; on arm64 it has a register instead.
///
/// The block of the executable ends at the thread pointer, rounded up to its alignment (the
/// "variant II" of thread-local storage, which amd64 has).
fn tls_offset(elf: &Elf<'_>) -> Option<i32> {
    if elf.machine != Machine::Amd64 {
        return Some(0);
    }
    let Some(tls) = elf.tls else {
        return Some(OWN_TLS);
    };
    let block = tls.size.checked_next_multiple_of(tls.align.max(1))?;
    let symbols = elf.symbols();
    let g = symbols.iter().find(|symbol| symbol.name == b"runtime.tlsg");
    match g {
        Some(g) => {
            i32::try_from(i64::try_from(g.address.0).ok()? - i64::try_from(block).ok()?).ok()
        }
        // Stripped, and nobody else has thread-local variables.
        None if block == 8 => Some(OWN_TLS),
        None => None,
    }
}
