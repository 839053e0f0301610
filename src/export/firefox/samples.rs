//! Samples of running threads in; how many each thread has, and columns of them, out.

use super::millis;
use super::places::Places;
use crate::export::samples;
use crate::export::stacks::UsedStacks;
use crate::trace::{Nanos, ProcessId, SampleKind, StackId, Tid, Trace};
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::Serialize;
use std::convert::Infallible;
use std::io::{self, Write};

/// Samples that are held at once. Samples of a thread are written as columns, one after the other,
/// and a trace has those of all threads in turn.
const MOST_HELD: u64 = 1 << 17;

/// A thread of a program.
pub(super) type ThreadKey = (ProcessId, Tid);

/// What a first walk finds.
pub(super) struct Counted {
    /// Samples of each thread, and the time that they stand for.
    pub(super) threads: IndexMap<ThreadKey, (u64, Nanos), FxBuildHasher>,
    /// The stacks that they have.
    pub(super) used: UsedStacks,
    pub(super) unreadable_blocks: u64,
}

impl Counted {
    pub(super) fn of(trace: &Trace) -> Self {
        let mut threads: IndexMap<_, (u64, Nanos), _> = IndexMap::default();
        let mut used = UsedStacks::of(trace);
        let Ok(unreadable_blocks) = walk::<Infallible>(trace, |key, row| {
            let (count, time) = threads.entry(key).or_default();
            *count += 1;
            *time += row.weight;
            used.mark(trace, row.stack);
            Ok(())
        });
        Self {
            threads,
            used,
            unreadable_blocks,
        }
    }
}

/// A sample of a thread.
#[derive(Clone, Copy)]
struct Row {
    time: Nanos,
    weight: Nanos,
    stack: StackId,
}

/// Hands over all samples of running threads; returns how many blocks could not be read.
fn walk<E>(trace: &Trace, mut each: impl FnMut(ThreadKey, Row) -> Result<(), E>) -> Result<u64, E> {
    samples::walk(trace, |process, sample| {
        let row = Row {
            time: sample.time,
            weight: sample.weight,
            stack: sample.stack,
        };
        match sample.kind {
            SampleKind::OnCpu => each((process.id, sample.tid), row),
            SampleKind::OffCpu => Ok(()),
        }
    })
}

/// Samples of threads that stand one after the other.
pub(super) struct Held<'t> {
    trace: &'t Trace,
    rows: FxHashMap<ThreadKey, Vec<Row>>,
}

impl<'t> Held<'t> {
    /// How many of the first threads, of so many samples each, are held at once: at least one.
    pub(super) fn batch(counts: impl Iterator<Item = u64>) -> usize {
        let sums = counts.scan(0_u64, |sum, count| {
            *sum = sum.saturating_add(count);
            Some(*sum)
        });
        sums.take_while(|sum| *sum <= MOST_HELD).count().max(1)
    }

    /// The samples of threads. Those of a thread that has too many are left in the trace.
    pub(super) fn of(trace: &'t Trace, counts: impl Iterator<Item = (ThreadKey, u64)>) -> Self {
        let mut samples = 0;
        let held = counts.filter(|(_, count)| *count <= MOST_HELD);
        let held = held.inspect(|(_, count)| samples += count);
        let mut rows: FxHashMap<_, Vec<Row>> = held.map(|(key, _)| (key, Vec::new())).collect();
        if samples > 0 {
            let Ok(_) = walk::<Infallible>(trace, |key, row| {
                if let Some(rows) = rows.get_mut(&key) {
                    rows.push(row);
                }
                Ok(())
            });
        }
        Self { trace, rows }
    }

    fn walk(&self, key: ThreadKey, mut each: impl FnMut(Row) -> io::Result<()>) -> io::Result<()> {
        match self.rows.get(&key) {
            Some(rows) => rows.iter().try_for_each(|row| each(*row)),
            None => walk(self.trace, |of, row| match of == key {
                true => each(row),
                false => Ok(()),
            })
            .map(drop),
        }
    }

    /// Writes the table of a thread's samples.
    pub(super) fn write(
        &self,
        (key, count): (Option<ThreadKey>, u64),
        places: &Places<'_>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.column(key, "stack", |row| places.stack(row.stack), out)?;
        // Viewers look for times by halves.
        let mut latest = Nanos::ZERO;
        let time = |row: Row| {
            latest = latest.max(row.time);
            millis(latest)
        };
        self.column(key, "time", time, out)?;
        self.column(key, "weight", |row| millis(row.weight), out)?;
        self.column(key, "threadCPUDelta", |row| row.weight.0, out)?;
        write!(out, "\n\"weightType\":\"tracing-ms\",\"length\":{count}")
    }

    fn column<T: Serialize>(
        &self,
        key: Option<ThreadKey>,
        name: &str,
        mut cell: impl FnMut(Row) -> T,
        out: &mut impl Write,
    ) -> io::Result<()> {
        write!(out, "\n\"{name}\":[")?;
        let mut first = true;
        if let Some(key) = key {
            self.walk(key, |row| {
                out.write_all(if first { b"" } else { b"," })?;
                first = false;
                serde_json::to_writer(&mut *out, &cell(row))?;
                Ok(())
            })?;
        }
        out.write_all(b"],")
    }
}
