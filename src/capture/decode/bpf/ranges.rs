//! The executable ranges of one process, to tell return addresses from what only looks like one.

/// Disjoint address ranges, ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `start..end`; what it covers of older ranges is theirs no longer.
    pub(super) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let first = self.0.partition_point(|&(_, old_end)| old_end <= start);
        let last = self.0.partition_point(|&(old_start, _)| old_start < end);
        let mut parts = Vec::with_capacity(3);
        if let Some(&(old_start, _)) = self.0.get(first)
            && old_start < start
        {
            parts.push((old_start, start));
        }
        parts.push((start, end));
        if let Some(&(_, old_end)) = last.checked_sub(1).and_then(|last| self.0.get(last))
            && old_end > end
        {
            parts.push((end, old_end));
        }
        self.0.splice(first..last.max(first), parts);
    }

    pub(super) fn contains(&self, address: u64) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= address);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|&(_, end)| address < end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    #[test]
    fn an_address_belongs_to_a_range_up_to_its_end() {
        let mut ranges = Ranges::default();
        ranges.insert(0x2000, 0x3000);
        ranges.insert(0x1000, 0x1800);
        for (address, inside) in [
            (0xfff, false),
            (0x1000, true),
            (0x17ff, true),
            (0x1800, false),
            (0x2000, true),
            (0x2fff, true),
            (0x3000, false),
        ] {
            assert_eq!(ranges.contains(address), inside, "{address:#x}");
        }
    }

    #[test]
    fn a_new_range_takes_the_place_of_what_it_covers() {
        let mut ranges = Ranges::default();
        ranges.insert(0x1000, 0x5000);
        ranges.insert(0x2000, 0x3000);
        assert_eq!(
            ranges.0,
            [(0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0x5000)]
        );
        ranges.insert(0x1800, 0x4000);
        assert_eq!(
            ranges.0,
            [(0x1000, 0x1800), (0x1800, 0x4000), (0x4000, 0x5000)]
        );
        ranges.insert(0, 0x9000);
        assert_eq!(ranges.0, [(0, 0x9000)]);
        ranges.insert(5, 5);
        assert_eq!(ranges.0, [(0, 0x9000)]);
    }

    #[test]
    fn nothing_is_left_of_a_range_that_begins_or_ends_with_the_new_one() {
        let with = |start, end| {
            let mut ranges = Ranges(vec![(0x1000, 0x5000)]);
            ranges.insert(start, end);
            ranges.0
        };
        assert_eq!(with(0x1000, 0x2000), [(0x1000, 0x2000), (0x2000, 0x5000)]);
        assert_eq!(with(0x4000, 0x5000), [(0x1000, 0x4000), (0x4000, 0x5000)]);
        assert_eq!(with(0x1000, 0x5000), [(0x1000, 0x5000)]);
        assert_eq!(with(0x5000, 0x6000), [(0x1000, 0x5000), (0x5000, 0x6000)]);
        assert_eq!(with(0, 0x1000), [(0, 0x1000), (0x1000, 0x5000)]);
    }
}
