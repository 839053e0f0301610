//! Where images lay: mappings and loads in; for each image of each program its slide, whether every
//! mapped segment agrees, and how slides are spread over the programs (ASLR) out.
//!
//! `slide = actual - stated`, around the end of the address space. The stated address of a mapping
//! is that of the segment which the file has at the mapping's offset.

use crate::trace::{
    Image, ImageId, ImageKind, ImageNeeds, Load, Mapping, ProcessId, Segment, Trace,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Pages that mappings begin at, mostly.
const PAGE: u64 = 1 << 12;
/// And at most: on some arm64 machines.
const LARGE_PAGE: u64 = 1 << 16;

/// An image in a program that does not lie as its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// In which program.
    pub process: ProcessId,
    /// Which image.
    pub image: ImageId,
    /// The mapping that is elsewhere, its first address.
    pub address: u64,
    /// The slide that the loader or the first mapping says.
    pub expected: u64,
    /// The slide that this mapping says; none where the file has no segment at its offset.
    pub found: Option<u64>,
}

/// Where one image lay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Programs that had it.
    pub processes: u64,
    /// The most bytes of code that one program mapped of it.
    pub mapped_bytes: u64,
    /// How many programs had it at each slide. Empty where the file was not read.
    pub slides: BTreeMap<u64, u64>,
    /// Mappings that were checked against its segments.
    pub checked: u64,
}

impl Places {
    /// Adds what another file of the same path has.
    pub(super) fn add(&mut self, other: &Self) {
        self.processes += other.processes;
        self.mapped_bytes = self.mapped_bytes.max(other.mapped_bytes);
        self.checked += other.checked;
        for (slide, count) in &other.slides {
            *self.slides.entry(*slide).or_default() += count;
        }
    }

    /// How many bits of chance there are in the slides that were seen: the entropy of their
    /// distribution. No more than the logarithm of the number of programs can be seen.
    #[must_use]
    pub fn entropy_bits(&self) -> f64 {
        let all: u64 = self.slides.values().sum();
        let part = |count: &u64| *count as f64 / all as f64;
        let parts = self.slides.values().map(part);
        parts.map(|part| part * part.recip().log2()).sum()
    }

    /// How many bits of the slides are not the same in all programs.
    #[must_use]
    pub fn varying_bits(&self) -> u32 {
        let first = self.slides.keys().next().copied().unwrap_or(0);
        let varying = self
            .slides
            .keys()
            .fold(0, |bits, slide| bits | (slide ^ first));
        varying.count_ones()
    }
}

/// Where all images of a trace lay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slides {
    /// By image.
    pub images: BTreeMap<ImageId, Places>,
    /// What does not lie as its file says.
    pub mismatches: Vec<Mismatch>,
}

impl Slides {
    /// Looks at every mapping and load once.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let needs: FxHashMap<ImageId, &ImageNeeds> =
            trace.needs.iter().map(|one| (one.image, one)).collect();
        let mut lain: BTreeMap<(ImageId, ProcessId), Lain<'_>> = BTreeMap::new();
        for mapping in &trace.mappings {
            let lain = lain.entry((mapping.image, mapping.process)).or_default();
            lain.mappings.push(mapping);
        }
        for load in &trace.loads {
            lain.entry((load.image, load.process))
                .or_default()
                .loads
                .push(load);
        }
        let mut slides = Self::default();
        for ((image, process), lain) in lain {
            let kind = trace
                .images
                .get(image.index())
                .map(|image: &Image| image.kind);
            if kind == Some(ImageKind::Anonymous) {
                continue;
            }
            let places = slides.images.entry(image).or_default();
            places.processes += 1;
            let mapped = lain
                .mappings
                .iter()
                .map(|one| one.end.0.saturating_sub(one.start.0));
            places.mapped_bytes = places.mapped_bytes.max(mapped.sum());
            let segments = needs.get(&image).map_or(&[][..], |needs| &needs.segments);
            let expected = lain.check(segments, places, |address, expected, found| {
                slides.mismatches.push(Mismatch {
                    process,
                    image,
                    address,
                    expected,
                    found,
                });
            });
            if let Some(slide) = expected {
                *places.slides.entry(slide).or_default() += 1;
            }
        }
        slides
    }
}

/// All that is known of where an image lay in one program.
#[derive(Default)]
struct Lain<'t> {
    mappings: Vec<&'t Mapping>,
    loads: Vec<&'t Load>,
}

impl Lain<'_> {
    /// Checks each mapping; returns the image's slide in this program, the first one where it was
    /// loaded again.
    fn check(
        &self,
        segments: &[Segment],
        places: &mut Places,
        mut complain: impl FnMut(u64, u64, Option<u64>),
    ) -> Option<u64> {
        let told: Vec<u64> = self.loads.iter().filter_map(|load| load.slide).collect();
        let mut first = told.first().copied();
        if segments.is_empty() {
            return first;
        }
        // Where no loader tells, an image lies where its first segment does, until one of them is
        // mapped again: then it was loaded again.
        let mut lies = first;
        let mut mapped: Vec<usize> = Vec::new();
        for mapping in &self.mappings {
            places.checked += 1;
            let candidates = slides_of(mapping, segments);
            let fits = |slide: u64| told.contains(&slide) || lies == Some(slide);
            let fitting = candidates.iter().find(|(_, slide)| fits(*slide));
            let Some(&(segment, slide)) = fitting.or(candidates.first()) else {
                complain(mapping.start.0, lies.unwrap_or(0), None);
                continue;
            };
            if told.is_empty() && (lies.is_none() || mapped.contains(&segment)) {
                mapped.clear();
                lies = Some(slide);
                first.get_or_insert(slide);
            } else if !fits(slide) {
                complain(mapping.start.0, lies.unwrap_or(0), Some(slide));
            }
            mapped.push(segment);
        }
        first
    }
}

/// The slides that a mapping may have: one for each segment that lies at its offset, with large pages
/// only where none does with small ones. Code is first, for mappings of code are what is recorded.
fn slides_of(mapping: &Mapping, segments: &[Segment]) -> Vec<(usize, u64)> {
    let mut found: Vec<(bool, bool, usize, u64)> = segments
        .iter()
        .enumerate()
        .filter_map(|(number, segment)| {
            // A mapping begins at a page, a segment anywhere in it.
            let begins = |page: u64| segment.offset.0 - segment.offset.0 % page;
            let ends = segment.offset.0.saturating_add(segment.in_file);
            let inside = (begins(LARGE_PAGE)..ends).contains(&mapping.offset.0);
            let into = mapping.offset.0.wrapping_sub(segment.offset.0);
            let stated = segment.stated.wrapping_add(into);
            let slide = mapping.start.0.wrapping_sub(stated);
            let large = mapping.offset.0 < begins(PAGE);
            inside.then_some((large, !segment.executable, number, slide))
        })
        .collect();
    found.sort_unstable();
    let small = found.iter().any(|(large, ..)| !large);
    let found = found.into_iter().filter(|(large, ..)| !(small && *large));
    found.map(|(_, _, number, slide)| (number, slide)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Avma, ImageOffset, Nanos};

    /// Headers, code, and data that is a page further on in memory than in the file.
    const SEGMENTS: [Segment; 3] = [
        segment(0, 0x40_0000, 0x800, false),
        segment(0x1000, 0x40_1000, 0x1800, true),
        segment(0x2800, 0x40_3800, 0x400, false),
    ];

    const fn segment(offset: u64, stated: u64, length: u64, executable: bool) -> Segment {
        Segment {
            offset: ImageOffset(offset),
            stated,
            length,
            in_file: length,
            executable,
        }
    }

    fn slides(mapped: &[(u32, u64, u64)], loaded: &[u64]) -> Slides {
        let mut trace = Trace::default();
        trace.images.push(Image::default());
        trace.needs.push(ImageNeeds {
            segments: SEGMENTS.to_vec(),
            ..ImageNeeds::default()
        });
        for &(process, start, offset) in mapped {
            trace.mappings.push(Mapping {
                process: ProcessId(process),
                start: Avma(start),
                end: Avma(start + 0x1000),
                offset: ImageOffset(offset),
                time: Nanos(0),
                image: ImageId(0),
            });
        }
        for &slide in loaded {
            trace.loads.push(Load {
                slide: Some(slide),
                ..Load::default()
            });
        }
        Slides::of(&trace)
    }

    #[test]
    fn a_slide_is_where_it_is_less_where_it_is_stated() {
        let slides = slides(&[(0, 0x5540_1000, 0x1000), (1, 0x40_1000, 0x1000)], &[]);
        let places = &slides.images[&ImageId(0)];
        assert_eq!(places.slides, BTreeMap::from([(0, 1), (0x5500_0000, 1)]));
        assert_eq!((places.processes, places.checked), (2, 2));
        assert_eq!(places.entropy_bits(), 1.0);
        // 0x55000000 has four bits.
        assert_eq!(places.varying_bits(), 4);
        assert_eq!(slides.mismatches, []);
    }

    #[test]
    fn every_segment_has_its_own_stated_address() {
        // The data's page begins within the code's last one, in the file.
        let mapped = [
            (0, 0x5540_0000, 0),
            (0, 0x5540_1000, 0x1000),
            (0, 0x5540_3000, 0x2000),
        ];
        let slides = slides(&mapped, &[0x5500_0000]);
        assert_eq!(slides.mismatches, []);
        let mapped = [(0, 0x5540_0000, 0), (0, 0x5540_2000, 0x1000)];
        let found = self::slides(&mapped, &[]).mismatches;
        let wrong = Mismatch {
            process: ProcessId(0),
            image: ImageId(0),
            address: 0x5540_2000,
            expected: 0x5500_0000,
            found: Some(0x5500_1000),
        };
        assert_eq!(found, [wrong]);
        // A loader that says otherwise, and an offset that no segment has.
        assert_eq!(self::slides(&mapped[..1], &[0x1000]).mismatches.len(), 1);
        let beyond = self::slides(&[(0, 0x5540_0000, 0x9000)], &[]).mismatches;
        assert_eq!(beyond.len(), 1);
        assert_eq!(beyond[0].found, None);
    }

    #[test]
    fn what_is_mapped_again_was_loaded_again() {
        let mapped = [(0, 0x5540_1000, 0x1000), (0, 0x7740_1000, 0x1000)];
        assert_eq!(slides(&mapped, &[]).mismatches, []);
    }
}
