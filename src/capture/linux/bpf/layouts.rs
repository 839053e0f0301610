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
//! word 15..21  ranges of sigtramp, systemstack_switch, morestack
//! ```

use crate::capture::decode::bpf::ExeKey;
use crate::capture::linux::sys::SharedWords;
use rustc_hash::FxHashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// `LAYOUTS`, `LAYOUT_TRIES` and the size of an entry.
const ENTRIES: u64 = 1024;
const TRIES: u64 = 8;
const WORDS: usize = 21;

const STATE: usize = 3;
const GO: u64 = 1;
const OTHER: u64 = 2;

/// The table, and what is in it.
#[derive(Debug)]
pub(super) struct Layouts {
    table: SharedWords,
    known: FxHashSet<ExeKey>,
}

/// What an entry says of a Go executable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Layout {
    tls_offset: i32,
    g_m: u16,
    g_sched_sp: u16,
    g_sched_pc: u16,
    g_sched_bp: u16,
    g_goid: u16,
    m_g0: u16,
    m_curg: u16,
    text: u64,
    /// `goexit`, `mstart`, `rt0_go`, entry point, `sigtramp`, `systemstack_switch`, `morestack`.
    ranges: [(u64, u64); 7],
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
            let device = metadata.dev();
            let key = ExeKey {
                dev: u64::from(libc::major(device)) << 20 | u64::from(libc::minor(device)),
                ino: metadata.ino(),
                size: metadata.size(),
            };
            self.learn(key, path.as_os_str().as_bytes());
        }
    }

    /// Enters a file that runs, when it is not yet there.
    pub(super) fn learn(&mut self, key: ExeKey, path: &[u8]) {
        if !self.known.insert(key) {
            return;
        }
        let Some(entry) = self.free_entry(key) else {
            return;
        };
        let layout = File::open(Path::new(OsStr::from_bytes(path)))
            .ok()
            .and_then(|file| elf::layout_of(&file));
        self.write(entry, key, layout.as_ref());
    }

    fn free_entry(&self, key: ExeKey) -> Option<usize> {
        let slot = (key.dev.wrapping_mul(31))
            .wrapping_add(key.ino.wrapping_mul(7))
            .wrapping_add(key.size) as u32;
        (0..TRIES)
            .map(|i| ((u64::from(slot) + i) % ENTRIES) as usize * WORDS)
            .find(|entry| self.table.get(entry + STATE) & 0xffff_ffff == 0)
    }

    fn write(&self, entry: usize, key: ExeKey, layout: Option<&Layout>) {
        let set = |word: usize, value: u64| self.table.set(entry + word, value);
        set(0, key.dev);
        set(1, key.ino);
        set(2, key.size);
        let Some(layout) = layout else {
            return set(STATE, OTHER);
        };
        set(
            4,
            quarters([
                layout.g_m,
                layout.g_sched_sp,
                layout.g_sched_pc,
                layout.g_sched_bp,
            ]),
        );
        set(5, quarters([layout.g_goid, layout.m_g0, layout.m_curg, 0]));
        set(6, layout.text);
        for (index, (start, end)) in layout.ranges.into_iter().enumerate() {
            set(7 + 2 * index, start);
            set(8 + 2 * index, end);
        }
        set(
            STATE,
            GO | u64::from(layout.tls_offset.cast_unsigned()) << 32,
        );
    }
}

fn quarters(parts: [u16; 4]) -> u64 {
    let [a, b, c, d] = parts.map(u64::from);
    a | b << 16 | c << 32 | d << 48
}

mod elf {
    use super::Layout;
    use object::read::elf::{ElfFile64, ProgramHeader as _};
    use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, ReadCache, elf};
    use std::fs::File;

    const NAMES: [&str; 5] = [
        "goexit",
        "mstart",
        "rt0_go",
        "sigtramp",
        "systemstack_switch",
    ];

    pub(super) fn layout_of(file: &File) -> Option<Layout> {
        let cache = ReadCache::new(file);
        let elf = ElfFile64::<Endianness, _>::parse(&cache).ok()?;
        let info = elf.section_by_name(".go.buildinfo")?;
        let info = info.data().ok()?;
        let version = info.get(33..33 + usize::from(*info.get(32)?))?;
        let minor = version.strip_prefix(b"go1.")?;
        let minor: u32 = std::str::from_utf8(minor)
            .unwrap_or_default()
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()?;
        let endian = elf.endian();
        let headers = elf.elf_program_headers();
        let text = headers
            .iter()
            .filter(|h| h.p_type(endian) == elf::PT_LOAD && h.p_flags(endian).contains(elf::PF_X))
            .map(|h| h.p_vaddr(endian))
            .min()?;
        let tls = headers
            .iter()
            .find(|h| h.p_type(endian) == elf::PT_TLS)
            .map_or(8, |h| {
                h.p_memsz(endian).next_multiple_of(h.p_align(endian).max(1))
            });
        let mut layout = fields(minor);
        layout.text = text;
        layout.tls_offset = -8;
        for symbol in elf.symbols() {
            let Ok(name) = symbol.name() else { continue };
            if name == "runtime.tlsg" {
                layout.tls_offset = symbol.address() as i32 - tls as i32;
            }
            let name = name.strip_prefix("runtime.").unwrap_or(name);
            let name = name.split_once(".abi").map_or(name, |(name, _)| name);
            if let Some(index) = NAMES.iter().position(|known| *known == name) {
                let start = symbol.address();
                if symbol.size() > 0
                    && layout.ranges[index].1 - layout.ranges[index].0 < symbol.size()
                {
                    layout.ranges[index] = (start, start + symbol.size());
                }
            }
        }
        Some(layout)
    }

    fn fields(minor: u32) -> Layout {
        let old = minor < 25;
        Layout {
            g_m: 48,
            g_sched_sp: 56,
            g_sched_pc: 64,
            g_sched_bp: if old { 104 } else { 96 },
            g_goid: if minor == 23 || minor == 24 { 160 } else { 152 },
            m_g0: 0,
            m_curg: if old { 192 } else { 184 },
            ..Layout::default()
        }
    }
}
