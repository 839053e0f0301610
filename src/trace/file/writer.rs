//! Writes a trace: interns what repeats, gathers blocks, and puts them to disk in time.

use super::Error;
use super::bindings::BindingBlock;
use super::blocks::Columns;
use super::call_trees::CallTreeBlock;
use super::calls::CallBlock;
use super::intern::{HeldTables, StackIds, StringIds};
use super::layout::Kind;
use super::records::RecordRows;
use super::samples::SampleBlock;
use super::sink::{Contents, Sink};
use super::tables;
use crate::trace::{
    Arch, Binding, CallEvent, CallTreeRow, ClockAnchor, Frame, FrameId, FramePlace, FrameRole,
    FrameSymbol, Function, FunctionId, Image, ImageId, Loss, Nanos, ProcessId, Record, Sample,
    StackId, StringId,
};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What has gathered is written after this time,
const DUE: Duration = Duration::from_secs(1);
/// or when it takes this much memory.
const GATHER: usize = 1 << 20;
/// While the file cannot be written, samples are given up beyond this much memory,
const SAMPLE_LIMIT: usize = 8 << 20;
/// As what a call, a row of a call tree or a binding is counted, so that a whole block gathers: it takes four times as much.
const CALL_BYTES: usize = 16;
/// Rows of a tree that are added before it is looked whether they are to be written.
const ROWS_AT_ONCE: usize = 1 << 12;
/// records beyond this,
const RECORD_LIMIT: usize = 12 << 20;
/// and new rows of tables beyond this.
const TABLE_LIMIT: usize = 16 << 20;
/// The most rows that go into one block.
const BLOCK_ROWS: usize = 1 << 16;
/// The most names of frames that are lost with one damaged row of frames.
const SYMBOL_ROWS: usize = 1 << 14;
/// The most bytes of strings or records that are begun to be put into one block.
const BLOCK_BYTES: usize = 1 << 20;
/// The longest string that is kept whole: no argument and no path of Linux is longer.
const LONGEST_STRING: usize = 4 << 20;
/// Stacks are interned anew when there are as many as this: with one more of the deepest they just
/// fit a table of 2¹⁷ places. A cold build of `cmd/gofmt` sampled at 999 Hz has 61,000.
const STACK_BOUND: usize = 108 << 10;

/// The one owner of a trace file that is being made.
///
/// Tables (strings, images, frames, stacks, functions) are interned: equal values get the same
/// id, but for stacks, whose table starts anew when it has grown large, so that memory stays
/// bounded. A table's new rows reach the file before the first record that uses them.
///
/// When the file cannot be written (a full disk), the first call that notices returns the error;
/// later ones gather on and try again once a second. What no longer fits into memory is given
/// up, counted, and stands in the trace as [`Loss`] when writing works again.
#[derive(Debug)]
pub struct Writer {
    sink: Sink,
    strings: StringIds,
    next_string: u32,
    tables: HeldTables,
    paths: Vec<Box<[u8]>>,
    anchor: ClockAnchor,
    has_loads: bool,
    first_mapped: FxHashMap<ImageId, (Nanos, Arch)>,
    /// Of programs that still run.
    running: FxHashMap<ProcessId, Arch>,
    stacks: StackIds,
    gathered: Gathered,
    tried: Instant,
    failing: bool,
    lost: Lost,
    last_time: Nanos,
}

/// What waits to be written, besides the rows of [`HeldTables`].
#[derive(Debug, Default)]
struct Gathered {
    first_string: u32,
    strings: Vec<Box<[u8]>>,
    first_stack: u32,
    stacks: Vec<(StackId, FrameId)>,
    symbols: Vec<FrameSymbol>,
    records: Vec<RecordRows>,
    samples: Vec<SampleBlock>,
    calls: Vec<CallBlock>,
    call_trees: Vec<CallTreeBlock>,
    bindings: Vec<BindingBlock>,
    /// About how much memory all of it takes.
    bytes: usize,
}

/// What was given up, and since when.
#[derive(Debug, Default)]
struct Lost {
    since: Option<Nanos>,
    samples: u64,
    calls: u64,
    bindings: u64,
    records: u64,
    rows: u64,
    cut: u64,
}

impl Lost {
    const fn total(&self) -> u64 {
        self.samples
            .saturating_add(self.calls)
            .saturating_add(self.bindings)
            .saturating_add(self.records)
            .saturating_add(self.rows)
            .saturating_add(self.cut)
    }
}

impl Writer {
    /// Starts a new trace file at `path` with mode 0600, replacing one only if it is a trace.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, or one is there that is no gotrace trace.
    pub fn create(path: &Path, anchor: ClockAnchor) -> Result<Self, Error> {
        let mut strings = StringIds::default();
        let (_empty, _new) = strings.of(&[], StringId::EMPTY.0);
        Ok(Self {
            sink: Sink::create(path, anchor)?,
            strings,
            next_string: 1,
            tables: HeldTables::default(),
            paths: Vec::new(),
            anchor,
            has_loads: false,
            first_mapped: FxHashMap::default(),
            running: FxHashMap::default(),
            stacks: StackIds::new(STACK_BOUND),
            gathered: Gathered {
                first_string: 1,
                first_stack: 1,
                ..Gathered::default()
            },
            tried: Instant::now(),
            failing: false,
            lost: Lost::default(),
            last_time: Nanos::ZERO,
        })
    }

    /// The file that is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.sink.path()
    }

    /// How many samples, records and rows had to be given up because the file cannot be written.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.lost.total()
    }

    /// Interns a string.
    pub fn string(&mut self, bytes: &[u8]) -> StringId {
        if bytes.is_empty() {
            return StringId::EMPTY;
        }
        let bytes = match bytes.get(..LONGEST_STRING) {
            Some(begin) if bytes.len() > LONGEST_STRING => {
                self.lost.cut = self.lost.cut.saturating_add(1);
                begin
            }
            _ => bytes,
        };
        if self.is_full() {
            return self.strings.known(bytes).unwrap_or_else(|| {
                self.lose_row();
                StringId::EMPTY
            });
        }
        let (id, new) = self.strings.of(bytes, self.next_string);
        if new {
            self.next_string = self.next_string.saturating_add(1);
            self.gathered.strings.push(bytes.into());
            self.gather(bytes.len().saturating_add(16));
        }
        id
    }

    /// Interns an image.
    pub fn image(&mut self, image: &Image) -> ImageId {
        let (id, new) = self.tables.image(image);
        if new {
            let path = self.strings.recent(image.path).unwrap_or_default();
            self.paths.push(path.into());
            self.gather(size_of::<Image>().saturating_add(image.build_id.len()));
        }
        id
    }

    /// Interns a frame.
    pub fn frame(&mut self, frame: Frame) -> FrameId {
        if self.is_full() {
            if let Some(known) = self.tables.frames.known(&frame) {
                return FrameId(known);
            }
            self.lose_row();
            let lost = Frame {
                place: FramePlace::Truncated,
                role: FrameRole::Executing,
            };
            return self.tables.frame(lost).0;
        }
        let (id, new) = self.tables.frame(frame);
        if new {
            self.gather(size_of::<Frame>());
        }
        id
    }

    /// Interns the stack with these frames, innermost first.
    pub fn stack(&mut self, frames: &[FrameId]) -> StackId {
        self.stacks.bound();
        let mut stack = StackId::EMPTY;
        for &frame in frames.iter().rev() {
            if let Some(known) = self.stacks.known(stack, frame) {
                stack = known;
                continue;
            }
            if self.is_full() {
                self.lose_row();
                break;
            }
            let Some(added) = self.stacks.add(stack, frame) else {
                self.lose_row();
                break;
            };
            self.gathered.stacks.push((stack, frame));
            self.gather(size_of::<(StackId, FrameId)>());
            stack = added;
        }
        stack
    }

    /// Interns a function.
    pub fn function(&mut self, function: Function) -> FunctionId {
        if self.is_full() && self.tables.functions.known(&function).is_none() {
            self.lose_row();
            return self.tables.function(Function::default()).0;
        }
        let (id, new) = self.tables.function(function);
        if new {
            self.gather(size_of::<Function>());
        }
        id
    }

    /// All frames so far, in the order of their ids: what `symbolize` has to name.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        self.tables.frames.rows()
    }

    /// All images so far, in the order of their ids.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        self.tables.images.rows()
    }

    /// The path of an image, if its string was interned shortly before the image was.
    #[must_use]
    pub fn image_path(&self, image: ImageId) -> &[u8] {
        self.paths.get(image.index()).map_or(&[], |path| path)
    }

    /// Whether some loader was seen to load an image.
    #[must_use]
    pub const fn has_loads(&self) -> bool {
        self.has_loads
    }

    /// When an image was first mapped, by the wall clock, in nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn first_mapped_unix_ns(&self, image: ImageId) -> Option<u64> {
        let (time, _) = self.first_mapped.get(&image)?;
        Some(self.anchor.unix_ns(*time))
    }

    /// The architecture of the program that mapped an image first.
    #[must_use]
    pub fn first_mapped_by(&self, image: ImageId) -> Arch {
        let first = self.first_mapped.get(&image);
        first.map_or(Arch::Unknown, |(_, arch)| *arch)
    }

    /// Adds the name of a frame.
    ///
    /// # Errors
    ///
    /// When a block that was due cannot be written. The record stays queued: nothing is lost
    /// until the memory bound is reached, and then it is counted.
    pub fn symbol(&mut self, symbol: FrameSymbol) -> Result<(), Error> {
        if self.gathered.bytes > TABLE_LIMIT {
            self.lose_row();
            return Ok(());
        }
        let names = symbol.names.as_ref().map_or(0, Vec::len);
        self.gather(size_of::<FrameSymbol>().saturating_add(names.saturating_mul(8)));
        self.gathered.symbols.push(symbol);
        self.flush_if_full()
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the writer takes what it writes"
    )]
    pub fn record(&mut self, record: Record) -> Result<(), Error> {
        if self.gathered.bytes > RECORD_LIMIT {
            self.lost.records = self.lost.records.saturating_add(1);
            self.lost.since.get_or_insert(self.last_time);
            return Ok(());
        }
        self.note(&record);
        self.push_record(&record);
        self.flush_if_full()
    }

    /// Keeps of a record what is asked when the command has ended.
    fn note(&mut self, record: &Record) {
        match record {
            Record::Load(_) => self.has_loads = true,
            Record::ProcessStarted(process) => {
                self.running.insert(process.id, process.exec.arch);
            }
            Record::ProcessEnded(process, _) => {
                self.running.remove(process);
            }
            Record::Mapping(mapping) => {
                let arch = self.running.get(&mapping.process);
                let this = (mapping.time, arch.copied().unwrap_or_default());
                let first = self.first_mapped.entry(mapping.image).or_insert(this);
                if mapping.time < first.0 {
                    *first = this;
                }
            }
            _ => {}
        }
    }

    fn push_record(&mut self, record: &Record) {
        let records = &mut self.gathered.records;
        if records.last().is_none_or(|rows| rows.len() > BLOCK_BYTES) {
            records.push(RecordRows::default());
        }
        if let Some(rows) = records.last_mut() {
            let before = rows.len();
            rows.push(record);
            let bytes = rows.len().saturating_sub(before);
            self.last_time = self.last_time.max(rows.span().1);
            self.gather(bytes);
        }
    }

    /// Adds a sample.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn sample(&mut self, sample: Sample) -> Result<(), Error> {
        self.last_time = self.last_time.max(sample.time);
        if self.gathered.bytes > SAMPLE_LIMIT {
            self.lost.samples = self.lost.samples.saturating_add(1);
            self.lost.since.get_or_insert(sample.time);
            return Ok(());
        }
        open_block(&mut self.gathered.samples).push(sample);
        self.gather(size_of::<Sample>());
        self.flush_if_full()
    }

    /// Adds a function entry or exit. They come in the order of their time.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn call(&mut self, event: CallEvent) -> Result<(), Error> {
        self.last_time = self.last_time.max(event.time);
        if self.gathered.bytes > SAMPLE_LIMIT {
            self.lost.calls = self.lost.calls.saturating_add(1);
            self.lost.since.get_or_insert(event.time);
            return Ok(());
        }
        open_block(&mut self.gathered.calls).push(event);
        self.gather(CALL_BYTES);
        self.flush_if_full()
    }

    /// Adds the call tree of a program, or several: rows in preorder, the first of level 0 and each at
    /// most one level below the one before, made of events of this time.
    ///
    /// A tree that is too large for one block goes on in the next, below callers that have no calls there.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn call_tree(&mut self, rows: &[CallTreeRow], from: Nanos, to: Nanos) -> Result<(), Error> {
        self.last_time = self.last_time.max(to);
        let mut written = Ok(());
        let mut rest = rows;
        while !rest.is_empty() {
            if self.gathered.bytes > SAMPLE_LIMIT {
                let calls = rest.iter().map(|row| row.calls);
                self.lost.calls = calls.fold(self.lost.calls, u64::saturating_add);
                self.lost.since.get_or_insert(from);
                break;
            }
            let block = open_block(&mut self.gathered.call_trees);
            let again = match block.is_empty() {
                true => callers(rows, rows.len().saturating_sub(rest.len())),
                false => Vec::new(),
            };
            block.extend(&again, (from, to));
            let room = BLOCK_ROWS.saturating_sub(block.len()).max(1);
            let (now, later) = rest.split_at(room.min(ROWS_AT_ONCE).min(rest.len()));
            block.extend(now, (from, to));
            rest = later;
            let added = again.len().saturating_add(now.len());
            self.gather(added.saturating_mul(CALL_BYTES));
            // What comes after an error waits like all else.
            written = written.and(self.flush_if_full());
        }
        written
    }

    /// Adds a binding.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn binding(&mut self, binding: Binding) -> Result<(), Error> {
        self.last_time = self.last_time.max(binding.time);
        if self.gathered.bytes > SAMPLE_LIMIT {
            self.lost.bindings = self.lost.bindings.saturating_add(1);
            self.lost.since.get_or_insert(binding.time);
            return Ok(());
        }
        open_block(&mut self.gathered.bindings).push(binding);
        self.gather(CALL_BYTES);
        self.flush_if_full()
    }

    /// Writes what has been gathered for a second or more. To be called at least twice a second.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn flush_if_due(&mut self) -> Result<(), Error> {
        if self.tried.elapsed() < DUE {
            return Ok(());
        }
        self.flush()
    }

    /// Writes everything that is gathered, whether due or not.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.tried = Instant::now();
        match self.write_all() {
            Ok(()) => {
                self.failing = false;
                Ok(())
            }
            Err(_) if self.failing => Ok(()),
            Err(error) => {
                self.failing = true;
                Err(error)
            }
        }
    }

    /// Writes what is gathered and the index that seals the file.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn finish(mut self) -> Result<(), Error> {
        self.write_all()?;
        self.sink.seal()
    }

    fn flush_if_full(&mut self) -> Result<(), Error> {
        let retry = !self.failing || self.tried.elapsed() >= DUE;
        if self.gathered.bytes >= GATHER && retry {
            self.flush()
        } else {
            Ok(())
        }
    }

    const fn gather(&mut self, bytes: usize) {
        self.gathered.bytes = self.gathered.bytes.saturating_add(bytes);
    }

    const fn is_full(&self) -> bool {
        self.gathered.bytes > TABLE_LIMIT
    }

    fn lose_row(&mut self) {
        self.lost.rows = self.lost.rows.saturating_add(1);
        self.lost.since.get_or_insert(self.last_time);
    }

    fn write_all(&mut self) -> Result<(), Error> {
        self.write_gathered()?;
        if self.lost.total() > 0 {
            self.record_loss();
            self.write_gathered()?;
        }
        Ok(())
    }

    /// Writes tables first: a row stands in the file before what names it.
    fn write_gathered(&mut self) -> Result<(), Error> {
        self.write_strings()?;
        self.write_held()?;
        let Self {
            sink,
            gathered,
            tables: held,
            ..
        } = self;
        while !gathered.stacks.is_empty() {
            let rows = gathered.stacks.len().min(BLOCK_ROWS);
            let nodes = gathered.stacks.get(..rows).unwrap_or_default();
            let bytes = tables::put_stacks(gathered.first_stack, nodes);
            sink.put(&table(Kind::Stacks, rows, bytes))?;
            gathered.stacks.drain(..rows);
            gathered.first_stack = gathered.first_stack.saturating_add(row_count(rows));
        }
        gathered.symbols.sort_by_key(|symbol| symbol.frame);
        while !gathered.symbols.is_empty() {
            let rows = gathered.symbols.len().min(SYMBOL_ROWS);
            let symbols = gathered.symbols.get(..rows).unwrap_or_default();
            let contents = tables::put_symbols(symbols, held.frames.rows());
            sink.put(&table(Kind::Symbols, rows, contents))?;
            gathered.symbols.drain(..rows);
        }
        while let Some(rows) = gathered.records.first() {
            sink.put(&Contents {
                kind: Kind::Records as u8,
                rows: rows.rows(),
                span: rows.span(),
                bytes: rows.contents().to_vec(),
            })?;
            gathered.records.remove(0);
        }
        put_blocks(sink, &mut gathered.samples)?;
        put_blocks(sink, &mut gathered.calls)?;
        put_blocks(sink, &mut gathered.call_trees)?;
        put_blocks(sink, &mut gathered.bindings)?;
        gathered.bytes = 0;
        Ok(())
    }

    fn write_strings(&mut self) -> Result<(), Error> {
        let Self { sink, gathered, .. } = self;
        while !gathered.strings.is_empty() {
            let mut bytes = 0_usize;
            let rows = gathered
                .strings
                .iter()
                .take(BLOCK_ROWS)
                .take_while(|string| {
                    let begin = bytes < BLOCK_BYTES;
                    bytes = bytes.saturating_add(string.len());
                    begin
                })
                .count();
            let strings = gathered.strings.iter().take(rows).map(|string| &**string);
            let contents = tables::put_strings(gathered.first_string, strings);
            sink.put(&table(Kind::Strings, rows, contents))?;
            gathered.strings.drain(..rows);
            gathered.first_string = gathered.first_string.saturating_add(row_count(rows));
        }
        Ok(())
    }

    fn write_held(&mut self) -> Result<(), Error> {
        let Self {
            sink, tables: held, ..
        } = self;
        while let Some((first, rows)) = held.images.unwritten(BLOCK_ROWS) {
            let count = rows.len();
            sink.put(&table(Kind::Images, count, tables::put_images(first, rows)))?;
            held.images.wrote(count);
        }
        while let Some((first, rows)) = held.frames.unwritten(BLOCK_ROWS) {
            let count = rows.len();
            sink.put(&table(Kind::Frames, count, tables::put_frames(first, rows)))?;
            held.frames.wrote(count);
        }
        while let Some((first, rows)) = held.functions.unwritten(BLOCK_ROWS) {
            let count = rows.len();
            sink.put(&table(
                Kind::Functions,
                count,
                tables::put_functions(first, rows),
            ))?;
            held.functions.wrote(count);
        }
        Ok(())
    }

    /// Puts down what was given up while the file could not be written.
    fn record_loss(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        let from = lost.since.unwrap_or(self.last_time);
        let full = "the trace file could not be written";
        for (what, count, why) in [
            ("samples", lost.samples, full),
            ("calls", lost.calls, full),
            ("bindings", lost.bindings, full),
            ("records", lost.records, full),
            ("names and stacks", lost.rows, full),
            ("ends of strings", lost.cut, "longer than 4 MiB"),
        ] {
            if count > 0 {
                let (what, why) = (self.string(what.as_bytes()), self.string(why.as_bytes()));
                let to = self.last_time;
                self.push_record(&Record::Loss(Loss {
                    from,
                    to,
                    what,
                    count,
                    why,
                }));
            }
        }
    }
}

/// The callers of a row of a tree, the outermost one first, as rows that only lead to it.
fn callers(rows: &[CallTreeRow], at: usize) -> Vec<CallTreeRow> {
    let (before, from) = rows.split_at(at);
    let mut level = from.first().map_or(0, |row| row.level);
    let mut callers = Vec::new();
    for row in before.iter().rev() {
        if row.level < level {
            level = row.level;
            callers.push(CallTreeRow {
                calls: 0,
                open: 0,
                total: Nanos::ZERO,
                ..*row
            });
        }
    }
    callers.reverse();
    callers
}

/// The block that takes the next row.
fn open_block<B: Columns>(blocks: &mut Vec<B>) -> &mut B {
    if blocks.last().is_none_or(|block| block.rows() >= BLOCK_ROWS) {
        blocks.push(B::default());
    }
    let last = blocks.len().saturating_sub(1);
    #[expect(
        clippy::indexing_slicing,
        reason = "there is one now, if there was none"
    )]
    &mut blocks[last]
}

/// Writes blocks of columns; those that are written are gone from `blocks`.
fn put_blocks<B: Columns>(sink: &mut Sink, blocks: &mut Vec<B>) -> Result<(), Error> {
    while let Some(block) = blocks.first() {
        if block.rows() > 0 {
            sink.put(&Contents {
                kind: B::KIND as u8,
                rows: row_count(block.rows()),
                span: block.span(),
                bytes: block.encode(),
            })?;
        }
        blocks.remove(0);
    }
    Ok(())
}

/// A number of rows as blocks tell it; no block comes near the limit.
fn row_count(rows: usize) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

fn table(kind: Kind, rows: usize, bytes: Vec<u8>) -> Contents {
    Contents {
        kind: kind as u8,
        rows: row_count(rows),
        span: (Nanos::ZERO, Nanos::ZERO),
        bytes,
    }
}
