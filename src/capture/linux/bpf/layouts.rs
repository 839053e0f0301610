//! Tells the stack walk where executables keep what it needs: g, its fields, roots of stacks.
//!
//! In: executables that ran, as the kernel numbers them, and their paths. Out: entries of the
//! table that gotrace.bpf.c looks up (`struct layout` of records.h):
//!
//! ```text
//! word 0..3    dev, ino, size
//! word 3       u32 state, i32 tls offset of g
//! word 4       u16 g.m, g.sched.sp, g.sched.pc, g.sched.bp
//! word 5       u16 g.goid, m.g0, m.curg, 0
//! word 6       first executable address
//! word 7..15   ranges of goexit, mstart, rt0_go, the entry point
//! word 15..23  ranges of sigtramp, systemstack_switch, morestack, mcall
//! ```

use crate::binary::elf::Elf;
use crate::binary::go::{RuntimeLayout, StackEdges};
use crate::capture::decode::bpf::ExeKey;
use crate::capture::linux::sys::{FileView, SharedWords};
use crate::capture::plain_file;
use rustc_hash::FxHashSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// `LAYOUTS`, `LAYOUT_TRIES` and the size of an entry.
const ENTRIES: u64 = 1024;
const TRIES: u64 = 8;
const WORDS: usize = 23;

const STATE: usize = 3;
const GO: u64 = 1;
const OTHER: u64 = 2;

impl ExeKey {
    /// How the kernel numbers a file, but for those of overlay file systems.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let device = metadata.dev();
        Self {
            dev: u64::from(libc::major(device)) << 20 | u64::from(libc::minor(device)),
            ino: metadata.ino(),
            size: metadata.size(),
        }
    }
}

/// The table, and what is in it.
#[derive(Debug)]
pub(super) struct Layouts {
    table: SharedWords,
    known: FxHashSet<ExeKey>,
}

impl Layouts {
    pub(super) fn map(fd: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self {
            table: SharedWords::map(fd, WORDS * ENTRIES as usize)?,
            known: FxHashSet::default(),
        })
    }

    /// Enters a file that will run. Where the kernel numbers it otherwise than `stat` does (as
    /// overlay file systems do), it is entered again when it runs.
    pub(super) fn expect(&mut self, path: &Path) {
        if let Ok(metadata) = std::fs::metadata(path) {
            let key = ExeKey::of(&metadata);
            // When it runs, and is seen again, there is somebody to tell.
            if self.learn(key, path.as_os_str().as_bytes()).is_some() {
                self.known.remove(&key);
            }
        }
    }

    /// Enters a file that runs, when it is not yet there. Returns why its goroutines will not be
    /// seen, if so.
    pub(super) fn learn(&mut self, key: ExeKey, path: &[u8]) -> Option<String> {
        if !self.known.insert(key) {
            return None;
        }
        let layout = layout_of(path, key.size);
        let Some(entry) = self.free_entry(key) else {
            return layout.map(|_| "too many programs ran".to_owned());
        };
        self.write(entry, key, layout.as_ref());
        layout.as_ref().and_then(blind_spot)
    }

    fn free_entry(&self, key: ExeKey) -> Option<usize> {
        let slot = (key.dev.wrapping_mul(31))
            .wrapping_add(key.ino.wrapping_mul(7))
            .wrapping_add(key.size) as u32;
        (0..TRIES)
            .map(|i| ((u64::from(slot) + i) % ENTRIES) as usize * WORDS)
            .find(|entry| self.table.get(entry + STATE) & 0xffff_ffff == 0)
    }

    fn write(&self, entry: usize, key: ExeKey, layout: Option<&RuntimeLayout>) {
        let set = |word: usize, value: u64| self.table.set(entry + word, value);
        set(0, key.dev);
        set(1, key.ino);
        set(2, key.size);
        let Some(layout) = layout else {
            return set(STATE, OTHER);
        };
        let mut tls_offset = 0;
        if let (Some(offset), false) = (offset_of_g(layout), layout.assumed) {
            let g = layout.fields;
            tls_offset = offset;
            set(
                4,
                quarters([g.g_m, g.g_sched_sp, g.g_sched_pc, g.g_sched_bp]),
            );
            set(5, quarters([g.g_goid, g.m_g0, g.m_curg, 0]));
        }
        set(6, layout.text.0);
        for (index, range) in ranges(&layout.edges).into_iter().enumerate() {
            set(7 + 2 * index, range.start);
            set(8 + 2 * index, range.end);
        }
        set(STATE, GO | u64::from(tls_offset.cast_unsigned()) << 32);
    }
}

/// On arm64 g is in a register.
fn offset_of_g(layout: &RuntimeLayout) -> Option<i32> {
    layout
        .tls_offset
        .or(cfg!(target_arch = "aarch64").then_some(0))
}

/// Why samples of a program have no goroutines: better none than a wrong one.
fn blind_spot(layout: &RuntimeLayout) -> Option<String> {
    if layout.assumed {
        Some(format!("{} is newer than this gotrace", layout.version))
    } else if offset_of_g(layout).is_none() {
        Some("where it keeps them is known only while it runs".to_owned())
    } else {
        None
    }
}

/// What is told of a file; `None` when it is no Go program that is understood, or another file
/// than the one that ran.
fn layout_of(path: &[u8], size: u64) -> Option<RuntimeLayout> {
    let file = plain_file::open(Path::new(OsStr::from_bytes(path))).ok()?;
    if file.metadata().ok()?.size() != size {
        return None;
    }
    let view = FileView::map(&file).ok()?;
    let elf = Elf::parse(view.bytes()).ok()?;
    RuntimeLayout::of(&elf).ok()
}

fn ranges(edges: &StackEdges) -> [&Range<u64>; 8] {
    [
        &edges.goexit,
        &edges.mstart,
        &edges.rt0_go,
        &edges.entry,
        &edges.sigtramp,
        &edges.systemstack_switch,
        &edges.morestack,
        &edges.mcall,
    ]
}

fn quarters(parts: [u16; 4]) -> u64 {
    let [a, b, c, d] = parts.map(u64::from);
    a | b << 16 | c << 32 | d << 48
}
