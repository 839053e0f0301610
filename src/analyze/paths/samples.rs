//! Samples to cells.

use super::cells::{Cells, Owners, Spent};
use super::grow::Growth;
use super::{Images, Kind, Place, once, short};
use crate::analyze::{Analysis, PhaseIndex};
use crate::trace::file::SampleBlock;
use crate::trace::{Sample, SampleKind};

/// Rows that are handed on at once.
const BATCH: usize = 4_096;

/// What a sample adds to which cell.
type Row = ((u32, u32), Spent);

/// All samples of a trace, and what finds out where they belong.
pub(super) struct Samples<'a, 't> {
    pub(super) analysis: &'a Analysis<'t>,
    pub(super) phases: &'a PhaseIndex,
    pub(super) growth: &'a mut Growth<'t>,
    pub(super) images: &'a mut Images<'t>,
    pub(super) owners: &'a mut Owners,
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
                for (of, spent) in rows {
                    cells.add(of, spent);
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
        let owner = self.owners.id((kind, sample.process, place));
        Some(((owner, path), once((from, sample.time), sample.weight)))
    }
}
