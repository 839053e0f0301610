//! Where an image is in memory: stated against actual addresses.
//!
//! The segments of a file come in, with where it was loaded, or with the stretches of a process's
//! memory that show it; the slide comes out, and whether that one number explains everything. The
//! loader moves a file as a whole: a segment that is elsewhere is not where code looks for it.

use super::{SegmentFacts, SliceFacts};
use crate::binary::{FileOffset, Svma};
use crate::trace::Avma;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The page that a loader moves files by, on amd64 and on most of arm64's Linux.
const PAGE: u64 = 0x1000;
/// The same on Apple's arm64.
const LARGE_PAGE: u64 = 0x4000;

/// Where a user says that a file was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Its first byte is at this address, as crash reports and debuggers tell it.
    At(Avma),
    /// Its addresses are so much higher than stated.
    Slide(u64),
}

/// A stretch of memory that shows a part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// First address.
    pub start: Avma,
    /// How many bytes.
    pub size: u64,
    /// What of the file is at the first address.
    pub offset: FileOffset,
    /// Code may run there.
    pub executable: bool,
}

/// A segment, stated and actual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedSegment {
    /// Name, where the format has names.
    pub name: String,
    /// Where the file says that it is.
    pub stated: Svma,
    /// Where it is; `None` where no memory shows it.
    pub actual: Option<Avma>,
    /// Size in memory.
    pub size: u64,
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// What actual addresses are higher by than stated ones (modulo 2^64); `None` where nothing of
    /// the file is in memory.
    pub slide: Option<u64>,
    /// The address of its first byte.
    pub loaded: Option<Avma>,
    /// Segments, in the order of the file.
    pub segments: Vec<PlacedSegment>,
    /// What contradicts the slide, or cannot be.
    pub problems: Vec<String>,
    /// Memory that shows the file elsewhere: somebody reads it, or it was loaded twice.
    pub elsewhere: Vec<Shown>,
}

impl Placement {
    /// Where the stated address is that an actual one stands for.
    #[must_use]
    pub fn stated(&self, actual: Avma) -> Option<Svma> {
        Some(Svma(actual.0.wrapping_sub(self.slide?)))
    }
}

/// What the bytes of a slice say of its place.
#[derive(Clone, Debug)]
pub struct Stated<'s> {
    segments: Vec<&'s SegmentFacts>,
    page: u64,
    /// It can be loaded where it says, and nowhere else.
    fixed: bool,
}

impl<'s> Stated<'s> {
    /// Takes what matters out of the facts of a slice: `macho` says whether it is Mach-O.
    #[must_use]
    pub fn of(slice: &'s SliceFacts, macho: bool) -> Self {
        let filled = slice.segments.iter().filter(|one| one.size > 0);
        // No access to it: it keeps memory free.
        let filled = filled.filter(|one| one.protection != "---");
        let moves = slice.flags.iter().any(|flag| flag == "PIE") || slice.kind != "executable";
        Self {
            segments: filled.collect(),
            page: if macho && slice.arch.starts_with("arm64") {
                LARGE_PAGE
            } else {
                PAGE
            },
            fixed: !moves,
        }
    }

    /// The stated address of the first byte of the file.
    fn base(&self) -> Option<u64> {
        let with_bytes = self.segments.iter().filter(|one| one.file_size > 0);
        let first = with_bytes.min_by_key(|one| one.offset)?;
        let below = first.address.0.checked_rem(self.page).unwrap_or(0);
        Some(first.address.0.saturating_sub(below))
    }

    /// Where everything is when the file was loaded where a user says.
    #[must_use]
    pub fn loaded(&self, loaded: Loaded) -> Placement {
        let base = self.base().unwrap_or(0);
        let slide = match loaded {
            Loaded::At(address) => address.0.wrapping_sub(base),
            Loaded::Slide(slide) => slide,
        };
        let segments = self.segments.iter().map(|one| PlacedSegment {
            actual: Some(Avma(one.address.0.wrapping_add(slide))),
            ..segment(one)
        });
        let mut problems = self.impossible(slide);
        let beyond = |one: &&&SegmentFacts| {
            let actual = one.address.0.wrapping_add(slide);
            actual.checked_add(one.size).is_none()
        };
        if let Some(one) = self.segments.iter().find(beyond) {
            let name = named(one);
            problems.push(format!("{name} would reach beyond the end of memory"));
        }
        Placement {
            segments: segments.collect(),
            slide: Some(slide),
            loaded: Some(Avma(base.wrapping_add(slide))),
            problems,
            elsewhere: Vec::new(),
        }
    }

    /// What no slide can be.
    fn impossible(&self, slide: u64) -> Vec<String> {
        let mut problems = Vec::new();
        let rest = slide.checked_rem(self.page).unwrap_or(0);
        if rest != 0 {
            problems.push(format!(
                "slide {}: expected a multiple of a page, {:#x}; found {rest:#x} more",
                slide_text(slide),
                self.page
            ));
        }
        if self.fixed && slide != 0 {
            problems.push(format!(
                "slide {}: expected none, for the file is not position-independent (PIE)",
                slide_text(slide)
            ));
        }
        problems
    }

    /// Where everything is by what shows it, and whether one slide explains that.
    #[must_use]
    pub fn shown(&self, shown: &[Shown]) -> Placement {
        let with_bytes: Vec<_> = self
            .segments
            .iter()
            .copied()
            .filter(|one| one.file_size > 0)
            .collect();
        // A page that holds the end of one segment and the start of the next is mapped for both: a
        // segment may be shown twice, and only one of these agrees with the others.
        let candidates: Vec<BTreeSet<u64>> = with_bytes
            .iter()
            .map(|one| self.candidates(one, shown))
            .collect();
        let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
        for slide in candidates.iter().flatten() {
            let votes = votes.entry(*slide).or_default();
            *votes = votes.saturating_add(1);
        }
        let best = votes
            .iter()
            .max_by_key(|(slide, votes)| (**votes, Reverse(**slide)));
        let Some((&slide, _)) = best else {
            return Placement {
                slide: None,
                loaded: None,
                segments: self.segments.iter().map(|one| segment(one)).collect(),
                problems: vec!["nothing of its segments is in memory".to_owned()],
                elsewhere: shown.to_vec(),
            };
        };
        let mut placement = self.loaded(Loaded::Slide(slide));
        for (one, candidates) in with_bytes.iter().zip(&candidates) {
            if candidates.contains(&slide) {
                continue;
            }
            let expected = Avma(one.address.0.wrapping_add(slide));
            let found = candidates.iter().next();
            let actual = found.map(|slide| Avma(one.address.0.wrapping_add(*slide)));
            placement.problems.push(match actual {
                Some(actual) => format!(
                    "{} at {}: expected {:#x} by the slide of the others, found {:#x}",
                    named(one),
                    one.address,
                    expected.0,
                    actual.0
                ),
                None => format!(
                    "{} at {}: expected at {:#x}, found no memory that shows it",
                    named(one),
                    one.address,
                    expected.0
                ),
            });
            let mut placed = placement.segments.iter_mut();
            if let Some(placed) = placed.find(|placed| placed.stated == one.address) {
                placed.actual = actual;
            }
        }
        let explained = |shown: &Shown| {
            let mut segments = with_bytes.iter();
            segments.any(|one| self.slide(one, shown).is_some_and(|found| found == slide))
        };
        placement.elsewhere = shown
            .iter()
            .copied()
            .filter(|one| !explained(one))
            .collect();
        placement
    }

    /// Slides by which memory shows a segment. What may not be run is not its code, but where
    /// nothing may be: a translator runs it.
    fn candidates(&self, segment: &SegmentFacts, shown: &[Shown]) -> BTreeSet<u64> {
        let code = segment.protection.contains('x') && shown.iter().any(|one| one.executable);
        let right = shown.iter().filter(|one| one.executable || !code);
        right.filter_map(|one| self.slide(segment, one)).collect()
    }

    /// The slide by which a stretch of memory shows a segment, or a part of it; `None` where it
    /// shows others.
    fn slide(&self, segment: &SegmentFacts, shown: &Shown) -> Option<u64> {
        // Whole pages are mapped: from the one on that the segment begins in.
        let below = segment.offset.0.checked_rem(self.page).unwrap_or(0);
        let start = segment.offset.0.saturating_sub(below);
        let end = segment.offset.0.saturating_add(segment.file_size);
        let first = start.max(shown.offset.0);
        let last = end.min(shown.offset.0.saturating_add(shown.size));
        if first >= last {
            return None;
        }
        let actual = shown
            .start
            .0
            .wrapping_add(first.wrapping_sub(shown.offset.0));
        let stated = segment
            .address
            .0
            .wrapping_add(first.wrapping_sub(segment.offset.0));
        Some(actual.wrapping_sub(stated))
    }
}

fn segment(one: &SegmentFacts) -> PlacedSegment {
    PlacedSegment {
        name: one.name.clone(),
        stated: one.address,
        actual: None,
        size: one.size,
    }
}

fn named(segment: &SegmentFacts) -> &str {
    if segment.name.is_empty() {
        "segment"
    } else {
        &segment.name
    }
}

/// A slide, with a sign: one of a file that is loaded below its stated address wraps around.
#[must_use]
pub fn slide_text(slide: u64) -> String {
    let signed = slide.cast_signed();
    if signed < 0 {
        format!("-{:#x}", signed.unsigned_abs())
    } else {
        format!("{slide:#x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(name: &str, address: u64, offset: u64, size: u64, protection: &str) -> SegmentFacts {
        SegmentFacts {
            name: name.to_owned(),
            address: Svma(address),
            size,
            offset: FileOffset(offset),
            file_size: if protection == "---" { 0 } else { size },
            protection: protection.to_owned(),
        }
    }

    /// As Go's linker makes it for arm64.
    fn macho() -> SliceFacts {
        SliceFacts {
            arch: "arm64".to_owned(),
            kind: "executable".to_owned(),
            flags: vec!["PIE".to_owned()],
            segments: vec![
                segment("__PAGEZERO", 0, 0, 0x1_0000_0000, "---"),
                segment("__TEXT", 0x1_0000_0000, 0, 0x8000, "r-x"),
                segment("__DATA", 0x1_0000_8000, 0x8000, 0x4000, "rw-"),
                segment("__LINKEDIT", 0x1_0001_0000, 0xc000, 0x4000, "r--"),
            ],
            ..SliceFacts::default()
        }
    }

    fn shown(start: u64, size: u64, offset: u64) -> Shown {
        Shown {
            start: Avma(start),
            size,
            offset: FileOffset(offset),
            executable: matches!(offset, 0 | 0x1000),
        }
    }

    #[test]
    fn one_slide_explains_all_segments() {
        let slice = macho();
        let stated = Stated::of(&slice, true);
        let maps = [
            shown(0x1_04a0_0000, 0x8000, 0),
            shown(0x1_04a0_8000, 0x4000, 0x8000),
            shown(0x1_04a1_0000, 0x4000, 0xc000),
        ];
        let found = stated.shown(&maps);
        assert_eq!(found.slide, Some(0x4a0_0000));
        assert_eq!(found.loaded, Some(Avma(0x1_04a0_0000)));
        assert_eq!(found.problems, Vec::<String>::new());
        assert_eq!(found.elsewhere, []);
        assert_eq!(found.stated(Avma(0x1_04a0_1234)), Some(Svma(0x1_0000_1234)));
        // The same by what a user says, in either way.
        assert_eq!(stated.loaded(Loaded::At(Avma(0x1_04a0_0000))), found);
        assert_eq!(stated.loaded(Loaded::Slide(0x4a0_0000)), found);
    }

    #[test]
    fn a_segment_elsewhere_is_told() {
        let slice = macho();
        let stated = Stated::of(&slice, true);
        let maps = [
            shown(0x1_04a0_0000, 0x8000, 0),
            shown(0x1_04b0_8000, 0x4000, 0x8000),
            shown(0x1_04a1_0000, 0x4000, 0xc000),
        ];
        let found = stated.shown(&maps);
        assert_eq!(found.slide, Some(0x4a0_0000));
        assert_eq!(
            found.problems,
            [
                "__DATA at 0x100008000: expected 0x104a08000 by the slide of the others, found \
                 0x104b08000"
            ]
        );
        assert_eq!(found.segments[1].actual, Some(Avma(0x1_04b0_8000)));
        assert_eq!(found.elsewhere, [maps[1]]);
        let missing = stated.shown(&maps[..1]);
        assert_eq!(missing.problems.len(), 2, "{missing:?}");
        assert!(missing.problems[1].ends_with("found no memory that shows it"));
        let nothing = stated.shown(&[]);
        assert_eq!((nothing.slide, nothing.problems.len()), (None, 1));
    }

    #[test]
    fn what_no_loader_does_is_told() {
        let mut slice = macho();
        let stated = Stated::of(&slice, true);
        let odd = stated.loaded(Loaded::At(Avma(0x1_04a0_1000)));
        assert_eq!(
            odd.problems,
            ["slide 0x4a01000: expected a multiple of a page, 0x4000; found 0x1000 more"]
        );
        let below = stated.loaded(Loaded::At(Avma(0x4000)));
        assert_eq!(slide_text(below.slide.unwrap()), "-0xffffc000");
        assert_eq!(below.problems, Vec::<String>::new());
        let end = stated.loaded(Loaded::At(Avma(0xffff_ffff_ffff_c000)));
        assert_eq!(
            end.problems,
            ["__TEXT would reach beyond the end of memory"]
        );
        slice.flags.clear();
        let fixed = Stated::of(&slice, true).loaded(Loaded::Slide(0x4000));
        assert!(fixed.problems[0].contains("not position-independent"));
    }

    /// Pages that two segments of an ELF file share are mapped for both, and what the loader has
    /// made read-only is a mapping of its own.
    #[test]
    fn shared_pages_and_split_segments_are_explained() {
        let slice = SliceFacts {
            arch: "amd64".to_owned(),
            kind: "library".to_owned(),
            segments: vec![
                segment("", 0, 0, 0x1800, "r--"),
                segment("", 0x2800, 0x1800, 0x2000, "r-x"),
                segment("", 0x5d00, 0x3d00, 0x500, "rw-"),
            ],
            ..SliceFacts::default()
        };
        let base = 0x7f00_0000_0000;
        let maps = [
            Shown {
                executable: false,
                ..shown(base, 0x2000, 0)
            },
            shown(base + 0x2000, 0x3000, 0x1000),
            shown(base + 0x5000, 0x1000, 0x3000),
            shown(base + 0x6000, 0x1000, 0x4000),
            // A profiler reads the file.
            Shown {
                executable: false,
                ..shown(base + 0x100_0000, 0x5000, 0)
            },
        ];
        let found = Stated::of(&slice, false).shown(&maps);
        assert_eq!(found.slide, Some(base));
        assert_eq!(found.problems, Vec::<String>::new());
        assert_eq!(found.elsewhere, [maps[4]]);
    }
}
