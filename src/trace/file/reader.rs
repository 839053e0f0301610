//! Opens a trace: loads every table and record, checks every checksum and every id.
//!
//! Damage costs what was damaged and no more. A table block that is lost leaves rows without
//! contents, so that ids after it still mean what they meant; a record or block that names
//! something that is not there is left out and counted in [`Integrity`].

mod assemble;

use super::bindings::BindingBlock;
use super::blocks::{self, Columns};
use super::bytes::Malformed;
use super::call_trees::CallTreeBlock;
use super::calls::CallBlock;
use super::disk::{Block, Disk, Found};
use super::layout::{Kind, MAX_ROWS};
use super::records::{Decoded, Limits};
use super::samples::SampleBlock;
use super::tables::{self, Rows};
use super::{BindingBlocks, CallBlocks, CallTreeBlocks, Error, Integrity, SampleBlocks};
use crate::trace::{
    Frame, FrameId, FramePlace, FrameRole, Function, Image, ImageKind, Record, StackId, StringId,
    Trace, Unnamed,
};
use std::path::Path;
use std::sync::Arc;

impl Trace {
    /// Opens a trace file.
    ///
    /// A file that is damaged or whose recorder was killed opens too, without what was lost:
    /// [`Trace::integrity`] says what.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is empty, is no trace, ends within its header, or was
    /// written by a later gotrace.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (disk, header) = Disk::open(path)?;
        let found = disk.blocks()?;
        let mut loader = Loader::new(&disk, &found);
        if header.damaged {
            loader.trace.integrity.damaged_header = true;
        } else {
            loader.trace.anchor = header.anchor;
        }
        loader.strings()?;
        loader.images()?;
        loader.frames()?;
        loader.stacks()?;
        loader.functions()?;
        loader.symbols()?;
        loader.records()?;
        let samples = loader.samples()?;
        let calls = loader.calls()?;
        let call_trees = loader.call_trees()?;
        let bindings = loader.bindings()?;
        let mut trace = loader.trace;
        let disk = Arc::new(disk);
        trace.samples = SampleBlocks::stored(Arc::clone(&disk), samples);
        trace.calls = CallBlocks::stored(Arc::clone(&disk), calls);
        trace.call_trees = CallTreeBlocks::stored(Arc::clone(&disk), call_trees);
        trace.bindings = BindingBlocks::stored(disk, bindings);
        Ok(trace)
    }
}

/// What a file may make of each of its bytes, and what any file may make beyond that: a small
/// file must neither fill the memory nor keep a reader busy for hours.
///
/// Traces of builds make up to 0.3 rows, 0.05 samples, 1 call or binding and 2.3 bytes of contents of a
/// byte.
struct Budget {
    /// Rows of tables, records, and the functions that a frame stands for.
    rows: u64,
    samples: u64,
    /// Entries, exits, and rows of call trees.
    calls: u64,
    bindings: u64,
    /// Bytes of blocks when they are decompressed.
    contents: u64,
    /// Bytes of strings, which share their beginnings.
    strings: u64,
}

impl Budget {
    const fn of(length: u64) -> Self {
        const fn left(free: u64, per_byte: u64, length: u64) -> u64 {
            free.saturating_add(length.saturating_mul(per_byte))
        }
        Self {
            rows: left(1 << 20, 4, length),
            samples: left(4 << 20, 16, length),
            calls: left(4 << 20, 16, length),
            bindings: left(4 << 20, 16, length),
            contents: left(32 << 20, 32, length),
            strings: left(64 << 20, 64, length),
        }
    }
}

/// Takes from a budget; an error when it is used up.
fn spend(left: &mut u64, amount: u64) -> Result<(), Malformed> {
    *left = left
        .checked_sub(amount)
        .ok_or(Malformed("expected less contents in a file of this size"))?;
    Ok(())
}

struct Loader<'a> {
    disk: &'a Disk,
    found: &'a Found,
    trace: Trace,
    budget: Budget,
    /// The frame of stacks whose rows are lost.
    lost_frame: Option<FrameId>,
}

impl<'a> Loader<'a> {
    fn new(disk: &'a Disk, found: &'a Found) -> Self {
        let integrity = Integrity {
            unsealed: !found.sealed,
            cut_bytes: found.cut,
            damaged_blocks: found.gaps,
            unknown_blocks: found
                .blocks
                .iter()
                .filter(|block| Kind::from_number(block.header.kind).is_none())
                .count() as u64,
            ..Integrity::default()
        };
        Self {
            disk,
            found,
            trace: Trace {
                integrity,
                ..Trace::default()
            },
            budget: Budget::of(disk.length()),
            lost_frame: None,
        }
    }

    /// Decodes every block of a kind and hands the rows over; what is refused is counted as
    /// damaged, and `lost` is told how many rows that were.
    fn each<T>(
        &mut self,
        kind: Kind,
        decode: impl Fn(&Self, &[u8], usize) -> Result<T, Malformed>,
        accept: impl Fn(&mut Self, T) -> Result<(), Malformed>,
        lost: impl Fn(&mut Self, u32),
    ) -> Result<(), Error> {
        let found = self.found;
        for block in found
            .blocks
            .iter()
            .filter(|block| block.header.kind == kind as u8)
        {
            if spend(&mut self.budget.rows, u64::from(block.header.rows)).is_err() {
                self.damaged();
                continue;
            }
            let accepted = self
                .contents(block)?
                .and_then(|contents| decode(self, &contents, block.header.rows as usize))
                .and_then(|rows| accept(self, rows));
            if accepted.is_err() {
                self.damaged();
                if block.header.rows <= MAX_ROWS {
                    lost(self, block.header.rows);
                }
            }
        }
        Ok(())
    }

    /// The contents of a block; the outer error is one of the file system.
    fn contents(&mut self, block: &Block) -> Result<Result<Vec<u8>, Malformed>, Error> {
        if let Err(spent) = spend(&mut self.budget.contents, u64::from(block.header.raw)) {
            return Ok(Err(spent));
        }
        match self.disk.contents(block) {
            Ok(contents) => Ok(Ok(contents)),
            Err(error @ Error::Io { .. }) => Err(error),
            Err(_damaged) => Ok(Err(Malformed("expected what the checksum is of"))),
        }
    }

    const fn damaged(&mut self) {
        let damaged = &mut self.trace.integrity.damaged_blocks;
        *damaged = damaged.saturating_add(1);
    }

    /// Checks where the rows of a block begin, given how many there are already.
    ///
    /// A block that begins later than it should follows rows that were lost with their block; it
    /// says how many.
    fn begin(&mut self, first: u32, have: usize) -> Result<u32, Malformed> {
        let have = u32::try_from(have).unwrap_or(u32::MAX);
        let gap = first.checked_sub(have).ok_or(Malformed(
            "expected rows that are new, found ids that have rows",
        ))?;
        spend(&mut self.budget.rows, u64::from(gap))?;
        Ok(gap)
    }

    const fn missing(&mut self, rows: u32) {
        let missing = &mut self.trace.integrity.missing_rows;
        *missing = missing.saturating_add(rows as u64);
    }

    fn strings(&mut self) -> Result<(), Error> {
        fn lose(loader: &mut Loader<'_>, rows: u32) {
            loader.missing(rows);
            for _ in 0..rows {
                loader.trace.strings.push(&[]);
            }
        }
        self.each(
            Kind::Strings,
            |loader, contents, rows| tables::take_strings(contents, rows, loader.budget.strings),
            |loader, Rows { first, rows }| {
                let gap = loader.begin(first, loader.trace.strings.len())?;
                lose(loader, gap);
                for string in &rows {
                    let left = &mut loader.budget.strings;
                    *left = left.saturating_sub(string.len() as u64);
                    loader.trace.strings.push(string);
                }
                Ok(())
            },
            lose,
        )
    }

    fn images(&mut self) -> Result<(), Error> {
        fn lose(loader: &mut Loader<'_>, rows: u32) {
            loader.missing(rows);
            let lost = Image {
                kind: ImageKind::Anonymous,
                ..Image::default()
            };
            let images = &mut loader.trace.images;
            images.resize(images.len().saturating_add(rows as usize), lost);
        }
        self.each(
            Kind::Images,
            |_, contents, rows| tables::take_images(contents, rows),
            |loader, Rows { first, rows }| {
                let strings = loader.trace.strings.len();
                all(rows.iter().all(|image| image.path.index() < strings))?;
                let gap = loader.begin(first, loader.trace.images.len())?;
                lose(loader, gap);
                loader.trace.images.extend(rows);
                Ok(())
            },
            lose,
        )
    }

    fn frames(&mut self) -> Result<(), Error> {
        fn lose(loader: &mut Loader<'_>, rows: u32) {
            loader.missing(rows);
            let frames = &mut loader.trace.frames;
            frames.resize(frames.len().saturating_add(rows as usize), LOST_FRAME);
        }
        self.each(
            Kind::Frames,
            |_, contents, rows| tables::take_frames(contents, rows),
            |loader, Rows { first, rows }| {
                let images = loader.trace.images.len();
                all(rows.iter().all(|frame| match frame.place {
                    FramePlace::Image(image, _) => image.index() < images,
                    FramePlace::Unmapped(_) | FramePlace::Kernel(_) | FramePlace::Truncated => true,
                }))?;
                let gap = loader.begin(first, loader.trace.frames.len())?;
                lose(loader, gap);
                loader.trace.frames.extend(rows);
                Ok(())
            },
            lose,
        )
    }

    fn stacks(&mut self) -> Result<(), Error> {
        fn lose(loader: &mut Loader<'_>, rows: u32) {
            loader.missing(rows);
            if rows == 0 {
                return;
            }
            let frame = loader.lost_frame();
            for _ in 0..rows {
                loader.trace.stacks.push(StackId::EMPTY, frame);
            }
        }
        self.each(
            Kind::Stacks,
            |_, contents, rows| tables::take_stacks(contents, rows),
            |loader, Rows { first, rows }| {
                let frames = loader.trace.frames.len();
                all(rows.iter().all(|(_, frame)| frame.index() < frames))?;
                let gap = loader.begin(first, loader.trace.stacks.len())?;
                lose(loader, gap);
                for (callers, frame) in rows {
                    loader.trace.stacks.push(callers, frame);
                }
                Ok(())
            },
            lose,
        )
    }

    fn lost_frame(&mut self) -> FrameId {
        *self.lost_frame.get_or_insert_with(|| {
            let frames = &mut self.trace.frames;
            let id = frames.iter().position(|&frame| frame == LOST_FRAME);
            let id = id.unwrap_or(frames.len());
            if id == frames.len() {
                frames.push(LOST_FRAME);
            }
            FrameId(u32::try_from(id).unwrap_or(u32::MAX))
        })
    }

    fn functions(&mut self) -> Result<(), Error> {
        fn lose(loader: &mut Loader<'_>, rows: u32) {
            loader.missing(rows);
            let functions = &mut loader.trace.functions;
            let count = functions.len().saturating_add(rows as usize);
            functions.resize(count, Function::default());
        }
        self.each(
            Kind::Functions,
            |_, contents, rows| tables::take_functions(contents, rows),
            |loader, Rows { first, rows }| {
                let strings = loader.trace.strings.len();
                let known = |id: StringId| id.index() < strings;
                all(rows.iter().all(|row| known(row.name) && known(row.file)))?;
                let gap = loader.begin(first, loader.trace.functions.len())?;
                lose(loader, gap);
                loader.trace.functions.extend(rows);
                Ok(())
            },
            lose,
        )
    }

    fn symbols(&mut self) -> Result<(), Error> {
        let frames = self.trace.frames.len();
        self.trace.symbols = vec![Err(Unnamed::NotLookedUp); frames];
        self.each(
            Kind::Symbols,
            |loader, contents, rows| tables::take_symbols(contents, rows, &loader.trace.frames),
            |loader, rows| {
                let functions = loader.trace.functions.len();
                all(rows.iter().all(|symbol| {
                    let mut names = symbol.names.iter().flatten();
                    symbol.frame.index() < frames && names.all(|at| at.function.index() < functions)
                }))?;
                let names = rows.iter().flat_map(|symbol| &symbol.names);
                let locations: usize = names.map(Vec::len).sum();
                spend(&mut loader.budget.rows, locations as u64)?;
                for symbol in rows {
                    if let Some(names) = loader.trace.symbols.get_mut(symbol.frame.index()) {
                        *names = symbol.names;
                    }
                }
                Ok(())
            },
            Self::missing,
        )
    }

    fn records(&mut self) -> Result<(), Error> {
        let limits = Limits {
            strings: self.trace.strings.len(),
            images: self.trace.images.len(),
            stacks: self.trace.stacks.len(),
        };
        let mut records: Vec<Record> = Vec::new();
        let found = std::cell::RefCell::new(&mut records);
        self.each(
            Kind::Records,
            |_, contents, rows| Decoded::of(contents, rows, limits),
            |loader, decoded| {
                let integrity = &mut loader.trace.integrity;
                integrity.unknown_records =
                    integrity.unknown_records.saturating_add(decoded.unknown);
                integrity.undefined = integrity.undefined.saturating_add(decoded.undefined);
                found.borrow_mut().extend(decoded.records);
                Ok(())
            },
            Self::missing,
        )?;
        assemble::assemble(&mut self.trace, records);
        Ok(())
    }

    /// The blocks of a kind that decode and whose ids all have rows; of those that do not, how many
    /// rows they had. They are most of a file: several threads look at them.
    fn streamed<B: Columns>(
        &mut self,
        budget: impl Fn(&mut Budget) -> &mut u64,
        is_defined: impl Fn(&Trace, &B) -> bool + Sync,
    ) -> Result<(Vec<Block>, u64), Error> {
        let found = self.found.blocks.iter();
        let of_kind = found.filter(|block| block.header.kind == B::KIND as u8);
        let wanted: Vec<(&Block, bool)> = of_kind
            .map(|block| {
                let rows = spend(budget(&mut self.budget), u64::from(block.header.rows));
                let contents = spend(&mut self.budget.contents, u64::from(block.header.raw));
                (block, rows.and(contents).is_ok())
            })
            .collect();
        let (disk, trace) = (self.disk, &self.trace);
        let checked = blocks::of_each(&wanted, |&(block, is_affordable)| {
            if !is_affordable {
                return Ok(false);
            }
            let contents = match disk.contents(block) {
                Ok(contents) => contents,
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(_damaged) => return Ok(false),
            };
            let rows = B::decode(&contents, block.header.rows as usize);
            Ok(rows.is_ok_and(|rows| is_defined(trace, &rows)))
        });
        let (mut sound, mut lost) = (Vec::new(), 0_u64);
        for ((block, _), is_sound) in wanted.iter().zip(checked) {
            if is_sound? {
                sound.push(**block);
            } else {
                self.damaged();
                lost = lost.saturating_add(u64::from(block.header.rows));
            }
        }
        Ok((sound, lost))
    }

    fn samples(&mut self) -> Result<Vec<Block>, Error> {
        let (sound, lost) = self.streamed(
            |budget| &mut budget.samples,
            |trace, block: &SampleBlock| {
                block.is_defined(trace.processes.len(), trace.stacks.len())
            },
        )?;
        self.trace.integrity.lost_samples = lost;
        Ok(sound)
    }

    fn calls(&mut self) -> Result<Vec<Block>, Error> {
        let (sound, lost) = self.streamed(
            |budget| &mut budget.calls,
            |trace, block: &CallBlock| {
                let (processes, probes) = (trace.processes.len(), trace.probes.len());
                block.is_defined(processes, probes, trace.strings.len())
            },
        )?;
        self.trace.integrity.lost_calls = lost;
        Ok(sound)
    }

    fn call_trees(&mut self) -> Result<Vec<Block>, Error> {
        let (sound, lost) = self.streamed(
            |budget| &mut budget.calls,
            |trace, block: &CallTreeBlock| {
                block.is_defined(trace.processes.len(), trace.probes.len())
            },
        )?;
        let all = &mut self.trace.integrity.lost_calls;
        *all = all.saturating_add(lost);
        Ok(sound)
    }

    fn bindings(&mut self) -> Result<Vec<Block>, Error> {
        let (sound, lost) = self.streamed(
            |budget| &mut budget.bindings,
            |trace, block: &BindingBlock| {
                let (processes, images) = (trace.processes.len(), trace.images.len());
                block.is_defined(processes, images, trace.strings.len())
            },
        )?;
        self.trace.integrity.lost_bindings = lost;
        Ok(sound)
    }
}

/// What stands for a frame whose row is lost.
const LOST_FRAME: Frame = Frame {
    place: FramePlace::Truncated,
    role: FrameRole::Executing,
};

const fn all(defined: bool) -> Result<(), Malformed> {
    if defined {
        Ok(())
    } else {
        Err(Malformed(
            "expected ids that have rows, found one that has none",
        ))
    }
}
