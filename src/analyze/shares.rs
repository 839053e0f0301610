//! The time of relocations of a program in, the parts of its images out, by how many relocations each
//! has. No loader tells how long an image took, so that the parts are estimates.

use crate::trace::{ImageId, ImageNeeds, Nanos};

/// How many relocations without a symbol take as long as one with a symbol. `LD_DEBUG=statistics` of
/// seven programs (gcc, cc1, as, ld, python3, git, bpftrace; glibc 2.36 on amd64), all bound at start, is
/// fitted best by 7 with bpftrace, whose half a million of them wait for pages, and by 10 without.
const LOOKUP: u64 = 10;

/// How much work an image is for the loader when it is loaded, in relocations without a symbol. Calls
/// that are bound when they are first made are no lookups at that time.
#[must_use]
pub const fn work(needs: &ImageNeeds) -> u64 {
    let counts = &needs.relocations;
    let data = counts.data.saturating_add(counts.copy);
    let (lookups, additions) = match needs.bind_now {
        true => (data.saturating_add(counts.jump_slot), counts.relative),
        false => (data, counts.relative.saturating_add(counts.jump_slot)),
    };
    lookups
        .saturating_mul(LOOKUP)
        .saturating_add(additions)
        .saturating_add(counts.other)
}

/// Shares a time out by work. The parts add up to the time exactly, unless no image has any work:
/// then there are none.
#[must_use]
pub fn share(time: Nanos, work: &[(ImageId, u64)]) -> Vec<(ImageId, Nanos)> {
    let all: u128 = work.iter().map(|(_, work)| u128::from(*work)).sum();
    if all == 0 {
        return Vec::new();
    }
    // What is left of a division goes to whoever comes next, so that nothing is lost.
    let (mut before, mut given) = (0_u128, 0_u64);
    let part = |&(image, work): &(ImageId, u64)| {
        before += u128::from(work);
        let until = u128::from(time.0) * before / all;
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        let part = until - given;
        given = until;
        (image, Nanos(part))
    };
    work.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::RelocationCounts;

    #[test]
    fn parts_add_up_to_the_whole() {
        let work = [(ImageId(1), 1), (ImageId(2), 1), (ImageId(3), 1)];
        let parts = share(Nanos(100), &work);
        let sum: u64 = parts.iter().map(|(_, part)| part.0).sum();
        assert_eq!(sum, 100);
        assert!(parts.iter().all(|(_, part)| matches!(part.0, 33 | 34)));
        assert_eq!(share(Nanos(100), &[(ImageId(1), 0)]), []);
        let all = [(ImageId(1), 0), (ImageId(2), u64::MAX)];
        let parts = share(Nanos(u64::MAX), &all);
        assert_eq!(
            parts,
            [(ImageId(1), Nanos(0)), (ImageId(2), Nanos(u64::MAX))]
        );
    }

    #[test]
    fn calls_that_are_bound_later_are_no_lookups_yet() {
        let mut needs = ImageNeeds {
            relocations: RelocationCounts {
                relative: 1000,
                jump_slot: 10,
                data: 5,
                copy: 1,
                other: 2,
            },
            ..ImageNeeds::default()
        };
        assert_eq!(work(&needs), 6 * LOOKUP + 1010 + 2);
        needs.bind_now = true;
        assert_eq!(work(&needs), 16 * LOOKUP + 1000 + 2);
    }
}
