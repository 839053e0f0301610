//! Samples in columns, in memory or still in the file.

use super::Error;
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
}

impl From<&[Sample]> for SampleBlock {
    fn from(samples: &[Sample]) -> Self {
        let mut block = Self::default();
        for sample in samples {
            block.time.push(sample.time);
            block.process.push(sample.process);
            block.tid.push(sample.tid);
            block.goroutine.push(sample.goroutine);
            block.stack.push(sample.stack);
            block.weight.push(sample.weight);
            block.kind.push(sample.kind);
            block.place.push(sample.place);
        }
        block
    }
}

/// All sample blocks of a trace.
#[derive(Debug, Default)]
pub struct SampleBlocks {
    blocks: Vec<SampleBlock>,
}

impl SampleBlocks {
    pub(in crate::trace) fn iter(&self) -> impl Iterator<Item = Result<SampleBlock, Error>> + '_ {
        self.blocks.iter().cloned().map(Ok)
    }

    pub(in crate::trace) fn count(&self) -> u64 {
        self.blocks.iter().map(|block| block.len() as u64).sum()
    }

    pub(in crate::trace) fn last_time(&self) -> Nanos {
        self.blocks
            .iter()
            .flat_map(|block| &block.time)
            .max()
            .copied()
            .unwrap_or_default()
    }

    pub(in crate::trace) fn push(&mut self, block: SampleBlock) {
        self.blocks.push(block);
    }
}
