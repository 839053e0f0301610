//! A trace whose recorder was killed in, a sealed copy of all that it holds out.
//!
//! Whole blocks are copied as they are stored, so that nothing is lost by reading and writing
//! anew, not even what only a later gotrace knows. Damaged ones are left out.

use super::disk::{Block, Disk};
use super::layout::Kind;
use super::sink::{Contents, Sink};
use super::{Error, Integrity, tables};
use crate::trace::{FrameId, FrameSymbol, Nanos, Trace};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The most rows that go into one block.
const BLOCK_ROWS: usize = 1 << 14;

/// What a recovery kept and left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Blocks that were copied.
    pub blocks: u64,
    /// What was wrong with the trace.
    pub found: Integrity,
}

/// Makes a sealed copy of the trace at `path`, with what `name` adds to its strings, functions
/// and symbols.
///
/// # Errors
///
/// When the trace cannot be opened, when `sealed` names the same file, or a file that is no
/// trace, and when it cannot be written. The copy is then not there, or not whole; the trace
/// itself is never touched.
pub fn recover(
    path: &Path,
    sealed: &Path,
    name: impl FnOnce(&mut Trace),
) -> Result<Recovered, Error> {
    let mut trace = Trace::open(path)?;
    if is_same_file(path, sealed) {
        return Err(Error::SameFile {
            path: sealed.to_owned(),
        });
    }
    let before = Before {
        strings: trace.strings.len(),
        functions: trace.functions.len(),
        unnamed: trace.symbols.iter().map(Result::is_err).collect(),
    };
    name(&mut trace);
    let (disk, _header) = Disk::open(path)?;
    let mut sink = Sink::create(sealed, trace.anchor)?;
    let mut blocks = 0_u64;
    for block in disk.blocks()?.blocks {
        if let Some(stored) = sound(&disk, &block)? {
            sink.put_stored(block.header, &stored)?;
            blocks = blocks.saturating_add(1);
        }
    }
    before.put_names(&trace, &mut sink)?;
    sink.seal()?;
    Ok(Recovered {
        blocks,
        found: trace.integrity.clone(),
    })
}

/// The contents of a block as they are stored, `None` for a damaged one.
fn sound(disk: &Disk, block: &Block) -> Result<Option<Vec<u8>>, Error> {
    match disk.stored(block) {
        Ok(stored) if block.header.unpack(&stored).is_ok() => Ok(Some(stored)),
        Ok(_) | Err(Error::DamagedBlock { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// What a trace held before names were added.
struct Before {
    strings: usize,
    functions: usize,
    /// For each frame, whether it had no name.
    unnamed: Vec<bool>,
}

impl Before {
    fn put_names(&self, trace: &Trace, sink: &mut Sink) -> Result<(), Error> {
        let id = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let strings: Vec<&[u8]> = (self.strings..trace.strings.len())
            .map(|index| trace.strings.get(crate::trace::StringId(id(index))))
            .collect();
        for (first, rows) in chunks(self.strings, &strings) {
            let contents = tables::put_strings(id(first), rows.iter().copied());
            put(sink, Kind::Strings, rows.len(), contents)?;
        }
        let functions = trace.functions.get(self.functions..).unwrap_or_default();
        for (first, rows) in chunks(self.functions, functions) {
            let contents = tables::put_functions(id(first), rows);
            put(sink, Kind::Functions, rows.len(), contents)?;
        }
        let symbols = (0..).map(FrameId).zip(&trace.symbols);
        let new = symbols.filter(|(frame, names)| {
            names.is_ok()
                && self
                    .unnamed
                    .get(frame.index())
                    .is_none_or(|&unnamed| unnamed)
        });
        let new: Vec<FrameSymbol> = new
            .map(|(frame, names)| FrameSymbol {
                frame,
                names: names.clone(),
            })
            .collect();
        for (_, rows) in chunks(0, &new) {
            let contents = tables::put_symbols(rows, &trace.frames);
            put(sink, Kind::Symbols, rows.len(), contents)?;
        }
        Ok(())
    }
}

fn chunks<T>(first: usize, rows: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    let firsts =
        (0..).map(move |chunk: usize| first.saturating_add(chunk.saturating_mul(BLOCK_ROWS)));
    firsts.zip(rows.chunks(BLOCK_ROWS))
}

fn put(sink: &mut Sink, kind: Kind, rows: usize, bytes: Vec<u8>) -> Result<(), Error> {
    sink.put(&Contents {
        kind: kind as u8,
        rows: u32::try_from(rows).unwrap_or(u32::MAX),
        span: (Nanos::ZERO, Nanos::ZERO),
        bytes,
    })
}
