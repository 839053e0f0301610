//! What is mapped where in a process: addresses in, images and offsets out.

use std::sync::Arc;

use crate::trace::{Avma, FramePlace, ImageId, ImageOffset};

/// An executable range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
    offset: u64,
    image: ImageId,
}

/// The executable ranges of a process, ordered by address. A fork shares its parent's until one
/// of them changes.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressSpace {
    ranges: Arc<Vec<Range>>,
}

impl AddressSpace {
    /// Forgets all: the process runs another program.
    pub(super) fn clear(&mut self) {
        self.ranges = Arc::default();
    }

    /// Maps an image; what was mapped there before is gone, in part or whole.
    pub(super) fn map(&mut self, start: u64, end: u64, offset: u64, image: ImageId) {
        if start >= end {
            return;
        }
        self.unmap(start, end);
        let ranges = Arc::make_mut(&mut self.ranges);
        let after = ranges.partition_point(|range| range.start < start);
        ranges.insert(
            after,
            Range {
                start,
                end,
                offset,
                image,
            },
        );
    }

    /// Nothing is mapped there any more.
    pub(super) fn unmap(&mut self, start: u64, end: u64) {
        let ranges = Arc::make_mut(&mut self.ranges);
        let mut kept = Vec::with_capacity(ranges.len() + 2);
        for old in ranges.drain(..) {
            if old.start < start {
                let end = old.end.min(start);
                kept.push(Range { end, ..old });
            }
            if old.end > end {
                let start = old.start.max(end);
                let offset = old.offset.wrapping_add(start - old.start);
                kept.push(Range {
                    start,
                    offset,
                    ..old
                });
            }
        }
        *ranges = kept;
    }

    /// The image that a range begins with, if one does at this address.
    pub(super) fn begins(&self, start: u64) -> Option<ImageId> {
        let found = self.ranges.iter().find(|range| range.start == start);
        found.map(|range| range.image)
    }

    /// Where an address lies. `lookup` is the address inside the instruction, one less than a
    /// return address: the call may be the last instruction of its range.
    pub(super) fn place(&self, address: u64, lookup: u64) -> FramePlace {
        let after = self.ranges.partition_point(|range| range.start <= lookup);
        let found = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        match found {
            Some(range) if lookup < range.end => {
                let offset = range.offset.wrapping_add(address.wrapping_sub(range.start));
                FramePlace::Image(range.image, ImageOffset(offset))
            }
            _ => FramePlace::Unmapped(Avma(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ImageId = ImageId(1);
    const B: ImageId = ImageId(2);

    fn at(space: &AddressSpace, address: u64) -> FramePlace {
        space.place(address, address)
    }

    #[test]
    fn a_later_mapping_hides_what_it_covers() {
        let mut space = AddressSpace::default();
        space.map(0x1000, 0x5000, 0x400, A);
        space.map(0x2000, 0x3000, 0, B);
        assert_eq!(
            at(&space, 0x1fff),
            FramePlace::Image(A, ImageOffset(0x13ff))
        );
        assert_eq!(at(&space, 0x2010), FramePlace::Image(B, ImageOffset(0x10)));
        assert_eq!(
            at(&space, 0x3000),
            FramePlace::Image(A, ImageOffset(0x2400))
        );
        assert_eq!(at(&space, 0x5000), FramePlace::Unmapped(Avma(0x5000)));
        assert_eq!(at(&space, 0xfff), FramePlace::Unmapped(Avma(0xfff)));
    }

    #[test]
    fn what_is_unmapped_is_gone_and_its_neighbours_are_not() {
        let mut space = AddressSpace::default();
        space.map(0x1000, 0x3000, 0, A);
        space.map(0x3000, 0x5000, 0x400, B);
        assert_eq!(space.begins(0x3000), Some(B));
        assert_eq!(space.begins(0x2000), None, "in the middle of A");
        space.unmap(0x3000, 0x4000);
        assert_eq!(
            at(&space, 0x2fff),
            FramePlace::Image(A, ImageOffset(0x1fff))
        );
        assert_eq!(at(&space, 0x3000), FramePlace::Unmapped(Avma(0x3000)));
        assert_eq!(
            at(&space, 0x4000),
            FramePlace::Image(B, ImageOffset(0x1400))
        );
        space.unmap(0, u64::MAX);
        assert_eq!(at(&space, 0x1000), FramePlace::Unmapped(Avma(0x1000)));
    }

    #[test]
    fn a_return_address_after_the_last_call_belongs_to_that_call() {
        let mut space = AddressSpace::default();
        space.map(0x1000, 0x2000, 0, A);
        let place = space.place(0x2000, 0x1fff);
        assert_eq!(place, FramePlace::Image(A, ImageOffset(0x1000)));
    }

    #[test]
    fn a_fork_keeps_what_its_parent_had() {
        let mut parent = AddressSpace::default();
        parent.map(0x1000, 0x2000, 0, A);
        let child = parent.clone();
        parent.clear();
        parent.map(0x1000, 0x2000, 0, B);
        assert_eq!(at(&child, 0x1000), FramePlace::Image(A, ImageOffset(0)));
        assert_eq!(at(&parent, 0x1000), FramePlace::Image(B, ImageOffset(0)));
    }
}
