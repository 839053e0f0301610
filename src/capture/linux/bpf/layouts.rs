//! Tells the stack walk where executables keep what it needs: g, its fields, roots of stacks.
//!
//! In: executables that ran, as the kernel numbers them, and their paths. Out: entries of the
//! table that gotrace.bpf.c looks up (`struct layout` of records.h):
//!
//! ```text
//! word 0..3    dev, ino, size
//! word 3       u32 state, i32 tls offset of g
//! word 4       u16 g.m, g.sched.sp, g.sched.pc, g.sched.bp
//! word 5       u16 g.goid, m.g0, m.curg; 1 for a translated program without fixed addresses
//! word 6       first executable address
//! word 7       of a translated program: the word that lies there; where it has no fixed addresses,
//!              the offset of that in the file
//! word 8..16   ranges of goexit, mstart, rt0_go, the entry point
//! word 16..24  ranges of sigtramp, systemstack_switch, morestack, mcall
//! ```
//!
//! Of a translator that can be looked into:
//!
//! ```text
//! word 3       u32 state, i32 tls offset of the pointer to the CPU
//! word 4       u16 registers, pc, block_pc, block_code
//! word 5       u32 state, u32 block_bytes
//! ```

use crate::binary::elf::{Elf, Kind, Machine};
use crate::binary::go::{Pclntab, RuntimeLayout, StackEdges};
use crate::capture::decode::bpf::{ExeKey, GuestImage};
use crate::capture::decode::qemu::Offsets;
use crate::capture::linux::qemu::Calibration;
use crate::capture::linux::sys::{FileView, SharedWords};
use crate::capture::plain_file;
use crate::environment::translator::{self, Translator};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

/// `LAYOUTS`, `LAYOUT_TRIES` and the size of an entry.
const ENTRIES: u64 = 1024;
const TRIES: u64 = 8;
const WORDS: usize = 24;

const STATE: usize = 3;
/// Its last quarter is of guests alone.
const FIELDS: usize = 5;
const CODE: usize = 7;
const GO: u64 = 1;
const OTHER: u64 = 2;
const TRANSLATOR: u64 = 3;

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
    guests: FxHashMap<ExeKey, Arc<GuestImage>>,
    calibration: Calibration,
}

impl Layouts {
    pub(super) fn map(fd: BorrowedFd<'_>, calibration: Calibration) -> io::Result<Self> {
        Ok(Self {
            table: SharedWords::map(fd, WORDS * ENTRIES as usize)?,
            known: FxHashSet::default(),
            guests: FxHashMap::default(),
            calibration,
        })
    }

    /// Enters a file that will run. Where the kernel numbers it otherwise than `stat` does (as
    /// overlay file systems do), it is entered again when it runs.
    pub(super) fn expect(&mut self, path: &Path) {
        if let Ok(metadata) = std::fs::metadata(path) {
            let key = ExeKey::of(&metadata);
            if let Some(translator) = translator::interpreter_of(path) {
                self.expect(&translator);
                return drop(self.learn_guest(key, path.as_os_str().as_bytes()));
            }
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
        if Translator::at(path).is_some_and(|known| known.name.starts_with("qemu-")) {
            return self.learn_qemu(key, path);
        }
        let layout = layout_of(path, key.size);
        let Some(entry) = self.free_entry(key) else {
            return layout.map(|_| "too many programs ran".to_owned());
        };
        self.write(entry, key, layout.as_ref());
        layout.as_ref().and_then(blind_spot)
    }

    /// Enters a qemu. Returns why the stacks of its programs will not be seen, if so.
    fn learn_qemu(&self, key: ExeKey, path: &[u8]) -> Option<String> {
        let known = Translator::at(path)?;
        let offsets = match known.guest {
            "arm64" => self.calibration.offsets(Path::new(OsStr::from_bytes(path))),
            other => Err(format!("only arm64 programs are looked into, not {other}")),
        };
        let entry = self.free_entry(key);
        match (offsets, entry) {
            (Ok(offsets), Some(entry)) => {
                self.write_qemu(entry, key, &offsets);
                None
            }
            (Ok(_), None) => Some("too many programs ran".to_owned()),
            (Err(why), _) => Some(why),
        }
    }

    /// Enters a file that a translator runs, and tells what is in it; `None` when it cannot be
    /// read, or is another one by now.
    pub(super) fn learn_guest(&mut self, key: ExeKey, path: &[u8]) -> Option<Arc<GuestImage>> {
        if let Some(known) = self.guests.get(&key) {
            return Some(Arc::clone(known));
        }
        let guest = Guest::of(path, key.size)?;
        let image = Arc::new(guest.image);
        self.guests.insert(key, Arc::clone(&image));
        if self.known.insert(key)
            && let Some(entry) = self.free_entry(key)
        {
            self.table.set(entry + CODE, guest.code);
            self.table.set(entry + FIELDS, u64::from(guest.moves) << 48);
            self.write(entry, key, guest.layout.as_ref());
        }
        Some(image)
    }

    fn write_qemu(&self, entry: usize, key: ExeKey, offsets: &Offsets) {
        let set = |word: usize, value: u64| self.table.set(entry + word, value);
        set(0, key.dev);
        set(1, key.ino);
        set(2, key.size);
        let near = [
            offsets.registers,
            offsets.pc,
            offsets.block_pc,
            offsets.block_code,
        ];
        set(4, quarters(near));
        let block_bytes = u64::from(offsets.block_bytes);
        set(5, u64::from(offsets.state) | block_bytes << 32);
        let cpu = u64::from(offsets.cpu.cast_unsigned());
        set(STATE, TRANSLATOR | cpu << 32);
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
            let moves = self.table.get(entry + FIELDS);
            set(FIELDS, quarters([g.g_goid, g.m_g0, g.m_curg, 0]) | moves);
        }
        set(6, layout.text.0);
        for (index, range) in ranges(&layout.edges).into_iter().enumerate() {
            set(8 + 2 * index, range.start);
            set(9 + 2 * index, range.end);
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

/// What is told of a program that a translator runs.
struct Guest {
    layout: Option<RuntimeLayout>,
    image: GuestImage,
    /// It can be loaded anywhere: the translator chooses.
    moves: bool,
    /// The first word of its code; of one that moves, where in the file that is.
    code: u64,
}

impl Guest {
    /// `None` as in [`layout_of`].
    fn of(path: &[u8], size: u64) -> Option<Self> {
        let file = plain_file::open(Path::new(OsStr::from_bytes(path))).ok()?;
        if file.metadata().ok()?.size() != size {
            return None;
        }
        let view = FileView::map(&file).ok()?;
        let elf = Elf::parse(view.bytes()).ok()?;
        let mut layout = RuntimeLayout::of(&elf).ok();
        if let Some(layout) = &mut layout
            && elf.machine == Machine::Arm64
        {
            layout.tls_offset = Some(0); // g is in a register
        }
        let mut guest = Self {
            layout,
            image: GuestImage {
                path: path.to_vec(),
                build_id: elf.build_id().unwrap_or_default().to_vec(),
                ..GuestImage::default()
            },
            moves: elf.kind != Kind::Executable,
            code: 0,
        };
        guest.image.find_functions(&elf);
        let first = guest.layout.as_ref().map(|layout| layout.text);
        if guest.moves {
            let offset = first.and_then(|first| elf.memory().offset_of(first));
            guest.image.moves = first.zip(offset).map(|(at, offset)| (at.0, offset.0));
            guest.code = offset.map_or(0, |offset| offset.0);
        } else {
            guest.image.find_code(&elf);
            let bytes = first.and_then(|first| elf.memory().bytes_from("code", first).ok());
            let word = bytes.and_then(|bytes| bytes.first_chunk()).copied();
            guest.code = word.map_or(0, u64::from_le_bytes);
        }
        Some(guest)
    }
}

impl GuestImage {
    /// Of a program that is loaded to where its file says.
    fn find_code(&mut self, elf: &Elf<'_>) {
        let loads = elf.memory().loads().iter();
        let loads = loads.filter(|load| load.executable);
        self.code = loads
            .map(|load| {
                let start = load.address.0;
                (start, start.saturating_add(load.file_size), load.offset.0)
            })
            .collect();
    }

    fn find_functions(&mut self, elf: &Elf<'_>) {
        let table = Pclntab::of(elf).ok();
        let functions = table.iter().flat_map(Pclntab::functions);
        self.functions = functions
            .filter_map(|function| Some(function.ok()?.entry().0))
            .collect();
    }
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
