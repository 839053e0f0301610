//! Samples to cells.

use super::grow::Growth;
use super::{Cells, Images, Key, Kind, Place, once, short};
use crate::analyze::{Analysis, PhaseIndex};
use crate::trace::file::SampleBlock;
use crate::trace::{Nanos, Sample, SampleKind};

/// Rows that are handed on at once.
const BATCH: usize = 4_096;

/// What a sample adds to which cell.
#[derive(Clone, Copy)]
struct Row {
    key: Key,
    span: (Nanos, Nanos),
    time: Nanos,
}

/// All samples of a trace, and what finds out where they belong.
pub(super) struct Samples<'a, 't> {
    pub(super) analysis: &'a Analysis<'t>,
    pub(super) phases: &'a PhaseIndex,
    pub(super) growth: &'a mut Growth<'t>,
    pub(super) images: &'a mut Images<'t>,
}

impl Samples<'_, '_> {
    /// Adds them to cells; returns how many blocks could not be read. Finding a sample's path and finding its cell are
    /// both waiting for memory: the one is done while the other is.
    pub(super) fn add_to(&mut self, cells: &mut Cells) -> u64 {
        let trace = self.analysis.trace;
        let mut unreadable_blocks = 0;
        trace.walk_found_samples(
            |block, hand_on| match block {
                Ok(block) => self.find(&block, hand_on),
                Err(_) => unreadable_blocks += 1,
            },
            |rows: Vec<Row>| {
                for row in rows {
                    cells.add(row.key, row.span, once(row.time));
                }
            },
        );
        unreadable_blocks
    }

    /// Hands on what the samples of a block add, in their order.
    fn find(&mut self, block: &SampleBlock, hand_on: &mut dyn FnMut(Vec<Row>)) {
        let mut rows = Vec::with_capacity(BATCH);
        for sample in block.iter() {
            rows.extend(self.row(&sample));
            if rows.len() == BATCH {
                hand_on(std::mem::replace(&mut rows, Vec::with_capacity(BATCH)));
            }
        }
        hand_on(rows);
    }

    /// gotrace's own programs have none.
    fn row(&mut self, sample: &Sample) -> Option<Row> {
        self.analysis.roles.get(sample.process)?;
        let (kind, from, place) = match sample.kind {
            SampleKind::OnCpu => {
                let place = Place {
                    phase: short(self.phases.position(sample)),
                    beside: short(self.phases.position_beside(sample)),
                    image: self.images.of_stack(sample.stack),
                };
                (Kind::Running, sample.time, place)
            }
            SampleKind::OffCpu => {
                let from = sample.time.since(sample.weight);
                (Kind::Waiting, from, Place::default())
            }
        };
        let path = self.growth.of_stack(sample.stack);
        Some(Row {
            key: (kind, sample.process, path, place),
            span: (from, sample.time),
            time: sample.weight,
        })
    }
}
