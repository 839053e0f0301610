//! Mappings of one process in, places of addresses out.

use crate::trace::{Avma, FramePlace, ImageId, ImageOffset};
use std::collections::BTreeMap;

/// Where code is mapped, by its first address.
#[derive(Clone, Debug, Default)]
pub(super) struct Space(BTreeMap<u64, Range>);

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
    /// What of the file `start` shows.
    pub(super) offset: u64,
    pub(super) image: ImageId,
}

impl Space {
    /// Adds a mapping; what was there before is there no more.
    pub(super) fn map(&mut self, new: Range) {
        let below = self.0.range(..new.end).rev();
        let hit: Vec<Range> = below
            .map(|(_, range)| *range)
            .take_while(|range| range.end > new.start)
            .collect();
        for old in hit {
            self.0.remove(&old.start);
            if old.start < new.start {
                let end = new.start;
                self.0.insert(old.start, Range { end, ..old });
            }
            if old.end > new.end {
                let shift = new.end.saturating_sub(old.start);
                let rest = Range {
                    start: new.end,
                    offset: old.offset.saturating_add(shift),
                    ..old
                };
                self.0.insert(rest.start, rest);
            }
        }
        self.0.insert(new.start, new);
    }

    /// Number of mappings.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Everything that is mapped.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> + '_ {
        self.0.values().copied()
    }

    /// Where an address lies, by the address to look it up by.
    pub(super) fn place(&self, address: u64, lookup: u64) -> FramePlace {
        let below = self.0.range(..=lookup).next_back();
        match below
            .map(|(_, range)| range)
            .filter(|range| range.end > lookup)
        {
            Some(range) => {
                let offset = address.wrapping_sub(range.start).wrapping_add(range.offset);
                FramePlace::Image(range.image, ImageOffset(offset))
            }
            None => FramePlace::Unmapped(Avma(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn range(start: u64, end: u64, offset: u64, image: u32) -> Range {
        Range {
            start,
            end,
            offset,
            image: ImageId(image),
        }
    }

    #[test]
    fn a_new_mapping_cuts_those_before_it() {
        let mut space = Space::default();
        space.map(range(100, 200, 0, 1));
        space.map(range(300, 400, 0, 2));
        space.map(range(140, 160, 7, 3));
        space.map(range(180, 320, 0, 4));
        let all: Vec<Range> = space.ranges().collect();
        assert_eq!(
            all,
            [
                range(100, 140, 0, 1),
                range(140, 160, 7, 3),
                range(160, 180, 60, 1),
                range(180, 320, 0, 4),
                range(320, 400, 20, 2),
            ]
        );
        let image = |image, offset| FramePlace::Image(ImageId(image), ImageOffset(offset));
        assert_eq!(space.place(165, 165), image(1, 65));
        assert_eq!(space.place(150, 150), image(3, 17));
        // A call that ends a mapping returns behind it.
        assert_eq!(space.place(400, 399), image(2, 100));
        assert_eq!(space.place(400, 400), FramePlace::Unmapped(Avma(400)));
        assert_eq!(space.place(99, 99), FramePlace::Unmapped(Avma(99)));
    }
}
