//! A trace whose recorder was killed in, a sealed copy of all that it holds out.
//!
//! Whole blocks are copied as they are stored, so that nothing is lost by reading and writing
//! anew, not even what only a later gotrace knows. Damaged ones are left out.

use super::bytes::Bytes;
use super::disk::{Block, Disk};
use super::layout::Kind;
use super::records::RecordRows;
use super::sink::{Contents, Sink};
use super::{Error, Integrity, tables};
use crate::trace::{BlindSpot, FrameId, FrameSymbol, Nanos, Record, StackId, StringId, Trace};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
/// and symbols, and a [`BlindSpot`] for what was wrong with it.
///
/// The copy takes its name when it is whole: what was there before stays until then.
///
/// # Errors
///
/// When the trace cannot be opened, when `sealed` names the same file, or a file that is no
/// trace, and when it cannot be written. The trace itself is never touched.
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
    let spots = blind_spots(&mut trace);
    Sink::check_target(sealed)?;
    let partial = Partial::beside(sealed);
    let mut sink = Sink::create(&partial.0, trace.anchor)?;
    let (disk, _header) = Disk::open(path)?;
    let mut blocks = 0_u64;
    let mut ends = Ends::default();
    for block in disk.blocks()?.blocks {
        if let Some(stored) = sound(&disk, &block, &mut ends)? {
            sink.put_stored(block.header, &stored)?;
            blocks = blocks.saturating_add(1);
        }
    }
    ends.pad(&trace, before.functions, &mut sink)?;
    before.put_names(&trace, &mut sink)?;
    put_records(&spots, &mut sink)?;
    sink.seal()?;
    drop(sink);
    fs::rename(&partial.0, sealed).map_err(|source| Error::Io {
        path: sealed.to_owned(),
        action: "put into place",
        source,
    })?;
    Ok(Recovered {
        blocks,
        found: trace.integrity.clone(),
    })
}

/// The copy while it is being made. What is left of it, when it fails, goes.
struct Partial(PathBuf);

impl Partial {
    fn beside(sealed: &Path) -> Self {
        let mut name = sealed.as_os_str().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        Self(name.into())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // When it has been renamed, there is nothing left.
        drop(fs::remove_file(&self.0));
    }
}

/// What the copy says of the trace that it was made of.
fn blind_spots(trace: &mut Trace) -> Vec<Record> {
    let Integrity {
        unsealed,
        damaged_header,
        cut_bytes,
        damaged_blocks,
        missing_rows,
        lost_samples,
        lost_calls,
        lost_bindings,
        undefined,
        ..
    } = trace.integrity;
    let end = trace.end();
    let counts = [
        (cut_bytes, "bytes after the last whole block"),
        (damaged_blocks, "damaged blocks"),
        (missing_rows, "rows of damaged blocks"),
        (lost_samples, "samples of damaged blocks"),
        (lost_calls, "calls of damaged blocks"),
        (lost_bindings, "bindings of damaged blocks"),
        (undefined, "records that name something that is lost"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let mut said: Vec<(String, &str)> = counts
        .map(|(count, what)| (format!("{count} {what}"), "the trace was damaged"))
        .collect();
    if unsealed {
        let why = "its recorder was killed, or the file was cut";
        said.push(("the end of the trace".to_owned(), why));
    }
    if damaged_header {
        let why = "the header of the trace was damaged";
        said.push(("the time of day".to_owned(), why));
    }
    said.into_iter()
        .map(|(what, why)| {
            Record::BlindSpot(BlindSpot {
                time: end,
                what: trace.strings.push(what.as_bytes()),
                why: trace.strings.push(why.as_bytes()),
            })
        })
        .collect()
}

fn put_records(records: &[Record], sink: &mut Sink) -> Result<(), Error> {
    let mut rows = RecordRows::default();
    for record in records {
        rows.push(record);
    }
    match rows.rows() {
        0 => Ok(()),
        count => sink.put(&Contents {
            kind: Kind::Records as u8,
            rows: count,
            span: rows.span(),
            bytes: rows.contents().to_vec(),
        }),
    }
}

/// The contents of a block as they are stored, `None` for a damaged one.
fn sound(disk: &Disk, block: &Block, ends: &mut Ends) -> Result<Option<Vec<u8>>, Error> {
    let stored = match disk.stored(block) {
        Ok(stored) => stored,
        Err(Error::DamagedBlock { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(contents) = block.header.unpack(&stored) else {
        return Ok(None);
    };
    ends.see(block, &contents);
    Ok(Some(stored))
}

/// The ids after the last ones of the tables, as far as sound blocks have them.
#[derive(Debug)]
struct Ends([usize; 6]);

impl Default for Ends {
    fn default() -> Self {
        // Stack 0, the empty one, is in no block.
        Self([0, 0, 0, 0, 1, 0])
    }
}

impl Ends {
    fn see(&mut self, block: &Block, contents: &[u8]) {
        let first = Bytes::new(contents).u32().unwrap_or_default();
        let end = first.saturating_add(block.header.rows) as usize;
        if let Some(last) = self.0.get_mut(usize::from(block.header.kind)) {
            *last = end.max(*last);
        }
    }

    /// Where the last block of a table was damaged, writes its last row, which says nothing: so
    /// that the ids of rows that are lost still have rows.
    fn pad(&self, trace: &Trace, functions: usize, sink: &mut Sink) -> Result<(), Error> {
        let row = |kind: Kind, length: usize| -> Option<(u32, usize)> {
            let end = self.0.get(kind as usize)?;
            let last = length.checked_sub(1).filter(|_| *end < length)?;
            Some((u32::try_from(last).ok()?, last))
        };
        if let Some((first, at)) = row(Kind::Images, trace.images.len()) {
            let rows = trace.images.get(at..).unwrap_or_default();
            put(sink, Kind::Images, 1, tables::put_images(first, rows))?;
        }
        if let Some((first, at)) = row(Kind::Frames, trace.frames.len()) {
            let rows = trace.frames.get(at..).unwrap_or_default();
            put(sink, Kind::Frames, 1, tables::put_frames(first, rows))?;
        }
        if let Some((first, _)) = row(Kind::Stacks, trace.stacks.len()) {
            let rows: Vec<_> = trace.stacks.node(StackId(first)).into_iter().collect();
            put(sink, Kind::Stacks, 1, tables::put_stacks(first, &rows))?;
        }
        if let Some((first, at)) = row(Kind::Functions, functions) {
            let rows = trace.functions.get(at..functions).unwrap_or_default();
            put(sink, Kind::Functions, 1, tables::put_functions(first, rows))?;
        }
        Ok(())
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
            .map(|index| trace.strings.get(StringId(id(index))))
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
