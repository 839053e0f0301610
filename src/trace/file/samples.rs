//! Samples in columns.

use super::blocks::Columns;
use super::bytes::{Bytes, Malformed, difference, follow, narrow};
use super::columns::{put_column, take_column};
use super::layout::Kind;
use super::threads::{Threads, take_threads, thread_at};
use crate::trace::{Goid, Nanos, ProcessId, Sample, SampleKind, SamplePlace, StackId, Tid};

/// A run of samples, a column for each field. All columns have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleBlock {
    time: Vec<Nanos>,
    process: Vec<ProcessId>,
    tid: Vec<Tid>,
    goroutine: Vec<Option<Goid>>,
    stack: Vec<StackId>,
    weight: Vec<Nanos>,
    kind: Vec<SampleKind>,
    place: Vec<SamplePlace>,
}

impl SampleBlock {
    /// The samples of this block, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Sample> + '_ {
        (0..self.time.len()).filter_map(|row| {
            Some(Sample {
                time: *self.time.get(row)?,
                process: *self.process.get(row)?,
                tid: *self.tid.get(row)?,
                goroutine: *self.goroutine.get(row)?,
                stack: *self.stack.get(row)?,
                weight: *self.weight.get(row)?,
                kind: *self.kind.get(row)?,
                place: *self.place.get(row)?,
            })
        })
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    pub(super) fn push(&mut self, sample: Sample) {
        self.time.push(sample.time);
        self.process.push(sample.process);
        self.tid.push(sample.tid);
        self.goroutine.push(sample.goroutine);
        self.stack.push(sample.stack);
        self.weight.push(sample.weight);
        self.kind.push(sample.kind);
        self.place.push(sample.place);
    }

    /// Whether every id has a row in its table.
    pub(super) fn is_defined(&self, processes: usize, stacks: usize) -> bool {
        self.process
            .iter()
            .all(|process| process.index() < processes)
            && self.stack.iter().all(|stack| stack.index() < stacks)
    }
}

impl Columns for SampleBlock {
    const KIND: Kind = Kind::Samples;

    fn rows(&self) -> usize {
        self.len()
    }

    fn span(&self) -> (Nanos, Nanos) {
        let times = || self.time.iter().copied();
        (
            times().min().unwrap_or_default(),
            times().max().unwrap_or_default(),
        )
    }

    /// The contents of a block of samples.
    ///
    /// ```text
    /// number of threads varint │ column: their processes │ column: their tids
    /// column: time, difference from the row before (0 at first)
    /// column: thread, its position in the list above
    /// column: bit 0 waiting; bits 1 to 3 place; bit 4 has a goroutine
    /// column: goroutine, for rows that have one: difference from the thread's last one (0 at first)
    /// column: stack, difference from the highest one so far (0 at first)
    /// column: weight, difference from the last one of the same kind (0 at first)
    /// ```
    fn encode(&self) -> Vec<u8> {
        let mut threads: Threads<u64> = Threads::default();
        let mut columns: [Vec<u64>; 6] = Default::default();
        let [times, indexes, flags, goroutines, stacks, weights] = &mut columns;
        let (mut time, mut top, mut last) = (0, 0, [0; 2]);
        for sample in self.iter() {
            times.push(difference(sample.time.0, time));
            time = sample.time.0;
            let (index, goroutine) = threads.of(sample.process, sample.tid);
            indexes.push(index);
            let flag = flag_of(sample.kind, sample.place);
            flags.push(flag | u64::from(sample.goroutine.is_some()) << 4);
            if let Some(goid) = sample.goroutine {
                goroutines.push(difference(goid.0, *goroutine));
                *goroutine = goid.0;
            }
            stacks.push(difference(u64::from(sample.stack.0), top));
            top = top.max(u64::from(sample.stack.0));
            let [on, off] = &mut last;
            let weight = if flag & 1 == 0 { on } else { off };
            weights.push(difference(sample.weight.0, *weight));
            *weight = sample.weight.0;
        }
        let mut out = Vec::new();
        threads.put(&mut out);
        for column in &columns {
            put_column(&mut out, column);
        }
        out
    }

    fn decode(contents: &[u8], rows: usize) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(contents);
        let (mut column, mut flags) = (Vec::new(), Vec::new());
        let threads = take_threads(&mut bytes, rows)?;
        let mut block = Self::default();

        take_column(&mut bytes, rows, &mut column)?;
        let mut time = 0;
        block.time.extend(column.iter().map(|&step| {
            time = follow(time, step);
            Nanos(time)
        }));

        let mut indexes = Vec::new();
        take_column(&mut bytes, rows, &mut indexes)?;
        block.process.reserve(rows);
        block.tid.reserve(rows);
        for &index in &indexes {
            let (process, tid) = thread_at(&threads, index)?;
            block.process.push(process);
            block.tid.push(tid);
        }

        take_column(&mut bytes, rows, &mut flags)?;
        block.take_flags(&flags)?;
        let with = flags.iter().filter(|&&flag| flag & 0x10 != 0).count();
        take_column(&mut bytes, with, &mut column)?;
        block.take_goroutines(&flags, &indexes, threads.len(), &column)?;

        take_column(&mut bytes, rows, &mut column)?;
        let mut top = 0;
        block.stack.reserve(rows);
        for &step in &column {
            let stack = follow(top, step);
            top = top.max(stack);
            block.stack.push(StackId(narrow(stack)?));
        }

        take_column(&mut bytes, rows, &mut column)?;
        let mut last = [0_u64; 2];
        block
            .weight
            .extend(flags.iter().zip(&column).map(|(&flag, &step)| {
                let [on, off] = &mut last;
                let weight = if flag & 1 == 0 { on } else { off };
                *weight = follow(*weight, step);
                Nanos(*weight)
            }));
        if bytes.is_empty() {
            Ok(block)
        } else {
            Err(Malformed(
                "expected the end of the samples, found more bytes",
            ))
        }
    }
}

impl SampleBlock {
    fn take_flags(&mut self, flags: &[u64]) -> Result<(), Malformed> {
        self.kind.reserve(flags.len());
        self.place.reserve(flags.len());
        for &flag in flags {
            self.kind.push(if flag & 1 == 0 {
                SampleKind::OnCpu
            } else {
                SampleKind::OffCpu
            });
            self.place.push(match flag >> 1 & 7 {
                0 => SamplePlace::User,
                1 => SamplePlace::Kernel,
                2 => SamplePlace::TranslatedCode,
                3 => SamplePlace::Translator,
                4 => SamplePlace::TranslatorRuntime,
                _ => {
                    return Err(Malformed(
                        "expected place 0 to 4 of a sample, found another one",
                    ));
                }
            });
        }
        Ok(())
    }

    fn take_goroutines(
        &mut self,
        flags: &[u64],
        indexes: &[u64],
        threads: usize,
        column: &[u64],
    ) -> Result<(), Malformed> {
        if column.is_empty() {
            self.goroutine.resize(flags.len(), None);
            return Ok(());
        }
        let mut last = vec![0_u64; threads];
        let mut steps = column.iter();
        self.goroutine.reserve(flags.len());
        for (&flag, &index) in flags.iter().zip(indexes) {
            if flag & 0x10 == 0 {
                self.goroutine.push(None);
                continue;
            }
            let goroutine = usize::try_from(index)
                .ok()
                .and_then(|index| last.get_mut(index))
                .ok_or(Malformed(
                    "expected a thread of the block's list, found another one",
                ))?;
            *goroutine = follow(*goroutine, steps.next().copied().unwrap_or_default());
            self.goroutine.push(Some(Goid(*goroutine)));
        }
        Ok(())
    }
}

fn flag_of(kind: SampleKind, place: SamplePlace) -> u64 {
    let waiting = match kind {
        SampleKind::OnCpu => 0,
        SampleKind::OffCpu => 1,
    };
    let place: u64 = match place {
        SamplePlace::User => 0,
        SamplePlace::Kernel => 1,
        SamplePlace::TranslatedCode => 2,
        SamplePlace::Translator => 3,
        SamplePlace::TranslatorRuntime => 4,
    };
    place << 1 | waiting
}

impl From<&[Sample]> for SampleBlock {
    fn from(samples: &[Sample]) -> Self {
        let mut block = Self::default();
        for &sample in samples {
            block.push(sample);
        }
        block
    }
}
