//! One file that many processes write to, taken apart into the lines of each.
//!
//! A process opens the file with `O_APPEND`, and writes `dyld[PID]: ` by one call and what follows by
//! others: dyld's printf hands over whatever fills its buffer, 32 bytes (`MYBUFSIZE` of libplatform's
//! `src/simple/string_io.c`). Between two calls other processes write. So there may be several lines
//! that have begun and not ended, and a piece of text belongs to one of them. Which one is not said
//! anywhere; here all ways to share the pieces out are followed, and the one is taken in which every
//! line has a form that dyld prints and follows from the line before it: targets are numbered, slots
//! lie in the segments that were printed, a process ends a line before it begins the next. Where two
//! ways are as good, the line that began first is continued first, and that is counted. Much
//! cannot be told of processes that write all the time, and of two that run the same program: who can
//! gives each a file of its own.

use super::line::Wrote;
use super::line::{Line, Table, could_begin};
use memchr::memmem;
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::Hasher as _;

/// The size of a piece.
const PIECE: usize = 32;
/// What is longer between two line ends is no text of dyld.
const LONGEST: usize = 256 << 10;
/// A text that is longer is not looked at piece by piece.
const LONGEST_SHARED: usize = 1024;
/// Of a line that has begun beside others, so much is kept.
const LONGEST_OPEN: usize = 16 << 10;
/// Ways that are followed at a time.
const MOST_WAYS: usize = 24;
/// Lines that have begun and not ended, at most.
const MOST_OPEN: usize = 32;
/// Lines after which one way is chosen, whatever is still open.
const MOST_WAITING: usize = 48;
/// Processes that are remembered.
const MOST_PROCESSES: usize = 1024;
/// Ranges of memory, and names, that are remembered of a process.
const MOST_RANGES: usize = 4096;

/// Costs of what speaks against a way.
const NO_LINE: u32 = 16;
const OUT_OF_PLACE: u32 = 8;
const UNLIKELY: u32 = 2;
const CHANGE: u32 = 1;

/// What could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Untold {
    /// Lines that could be of one process or another.
    pub(super) ambiguous: u64,
    /// Lines of no process.
    pub(super) strays: u64,
    /// Lines that were begun and not ended.
    pub(super) unfinished: u64,
    /// Stretches without a line's end, too long for a line.
    pub(super) too_long: u64,
}

/// A line that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    pid: u32,
    text: Vec<u8>,
}

impl Open {
    fn add(&mut self, piece: &[u8], most: usize) {
        let room = most.saturating_sub(self.text.len()).min(piece.len());
        self.text
            .extend_from_slice(piece.get(..room).unwrap_or_default());
    }
}

/// What the last line of a process lets expect of its next.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    /// The image that is being fixed up (as a hash of its name).
    importer: Option<u64>,
    /// The number of its next target, while they are printed.
    target: Option<u64>,
    /// Segments may follow.
    segments: bool,
    /// The path that is being looked at or loaded (as a hash).
    path: Option<u64>,
    /// Where the last segment ended.
    segment_end: Option<u64>,
    /// A library is being searched.
    searching: bool,
}

/// A process.
#[derive(Debug, Default)]
struct Known {
    expected: Expected,
    ranges: Vec<(u64, u64)>,
    /// Names of images that can have something to bind (as hashes).
    names: Vec<u64>,
    last_line: u64,
}

/// One way to share out what was read.
#[derive(Clone, Debug, Default)]
struct Way {
    cost: u32,
    open: Vec<Open>,
    ended: Vec<(u32, Vec<u8>)>,
    expected: Vec<(u32, Expected)>,
    /// Whose the last piece is.
    last: Option<u32>,
}

/// Takes each line with its process.
pub(super) type Out<'o> = &'o mut dyn FnMut(u32, &Line<'_>);

/// Takes the file apart, in pieces of any size.
#[derive(Debug)]
pub(super) struct Demux {
    /// What has come since the last line's end.
    rest: Vec<u8>,
    /// The rest is thrown away up to the next line's end.
    skipping: bool,
    /// At least one.
    ways: Vec<Way>,
    known: FxHashMap<u32, Known>,
    /// Whose last lines may go on without a prefix, the latest last.
    going_on: Vec<u32>,
    lines: u64,
    untold: Untold,
}

impl Default for Demux {
    fn default() -> Self {
        Self {
            rest: Vec::new(),
            skipping: false,
            ways: vec![Way::default()],
            known: FxHashMap::default(),
            going_on: Vec::new(),
            lines: 0,
            untold: Untold::default(),
        }
    }
}

impl Demux {
    /// Reads on; each line that is whole goes to `out` with its process.
    pub(super) fn feed(&mut self, mut bytes: &[u8], out: Out<'_>) {
        while let Some(at) = memchr::memchr(b'\n', bytes) {
            let (line, behind) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
            bytes = behind.get(1..).unwrap_or_default();
            if self.skipping {
                self.skipping = false;
            } else if self.rest.is_empty() {
                self.ended_line(line, out);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.ended_line(&whole, out);
            }
        }
        if self.skipping {
            return;
        }
        if self.rest.len().saturating_add(bytes.len()) > LONGEST {
            self.rest.clear();
            self.skipping = true;
            self.untold.too_long = self.untold.too_long.saturating_add(1);
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    /// The file ends here. A line that is cut in the middle says nothing.
    pub(super) fn finish(&mut self, out: Out<'_>) -> Untold {
        if !std::mem::take(&mut self.rest).is_empty() {
            self.untold.unfinished = self.untold.unfinished.saturating_add(1);
        }
        self.choose(out);
        let open = self.ways.drain(..).flat_map(|way| way.open).count();
        self.untold.unfinished = self.untold.unfinished.saturating_add(open as u64);
        self.ways.push(Way::default());
        self.untold
    }

    /// A line of the file, which may have the prefixes and the texts of several processes.
    fn ended_line(&mut self, line: &[u8], out: Out<'_>) {
        let mut rest = line;
        loop {
            match prefix(rest) {
                Some((before, pid, behind)) => {
                    if !before.is_empty() {
                        self.text(before, false, out);
                    }
                    self.begin(pid, out);
                    rest = behind;
                }
                None => {
                    self.text(rest, true, out);
                    break;
                }
            }
        }
        self.settle(out);
    }

    /// A process begins a line.
    fn begin(&mut self, pid: u32, out: Out<'_>) {
        let known = &self.known;
        for way in &mut self.ways {
            if let Some(at) = way.open.iter().position(|open| open.pid == pid) {
                // It has ended its last one, then: in another way, or without a line's end.
                let open = way.open.remove(at);
                if open.text.is_empty() {
                    way.cost = way.cost.saturating_add(NO_LINE);
                } else {
                    way.end(known, pid, open.text);
                }
            }
            let text = Vec::new();
            way.open.push(Open { pid, text });
            way.last = None;
        }
        if self.ways.iter().any(|way| way.open.len() > MOST_OPEN) {
            self.choose(out);
            let open = self.ways.iter_mut().flat_map(|way| way.open.drain(..));
            self.untold.unfinished = self.untold.unfinished.saturating_add(open.count() as u64);
        }
    }

    /// Text of one process or of several; at its end is a line's end, or the next prefix.
    fn text(&mut self, text: &[u8], ends: bool, out: Out<'_>) {
        let goes_on = ends && text.starts_with(b"  ");
        let goes_on = goes_on && matches!(Line::read(text), Line::More { .. });
        let goes_on = self.going_on.last().copied().filter(|_| goes_on);
        match self.ways.as_mut_slice() {
            [way] if way.open.is_empty() => {
                match goes_on {
                    Some(pid) => self.tell(pid, text, out),
                    None => self.untold.strays = self.untold.strays.saturating_add(1),
                }
                return;
            }
            // The common case.
            [way] if way.open.len() == 1 => {
                let Some(mut open) = way.open.pop() else {
                    return;
                };
                open.add(text, LONGEST);
                if !ends {
                    way.open.push(open);
                } else if way.ended.is_empty() {
                    self.tell(open.pid, &open.text, out);
                } else {
                    way.end(&self.known, open.pid, open.text);
                }
                return;
            }
            _ => {}
        }
        let whole = text.len() > LONGEST_SHARED;
        let size = if whole { text.len().max(1) } else { PIECE };
        let mut pieces = text.chunks(size).peekable();
        if text.is_empty() {
            self.share(&[], ends, (true, None));
        }
        let mut first = true;
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            let continued = goes_on.filter(|_| first && last);
            self.share(piece, ends && last, (first, continued));
            first = false;
        }
    }

    /// Gives a piece to every line that it could be of.
    fn share(&mut self, piece: &[u8], ends: bool, (first, goes_on): (bool, Option<u32>)) {
        let mut ways = Vec::with_capacity(MOST_WAYS.saturating_mul(2));
        for way in &self.ways {
            if way.open.is_empty() {
                let mut way = way.clone();
                way.cost = way.cost.saturating_add(NO_LINE);
                ways.push(way);
                continue;
            }
            if let Some(pid) = goes_on {
                let mut way = way.clone();
                way.ended.push((pid, piece.to_vec()));
                ways.push(way);
            }
            for at in 0..way.open.len() {
                ways.extend(way.with(&self.known, at, piece, (first, ends)));
            }
        }
        // In the order of the lines' beginnings where costs are equal.
        ways.sort_by_key(|way| way.cost);
        ways.truncate(MOST_WAYS);
        self.ways = ways;
    }

    /// Where all ways lead to the same place, the best one is it.
    fn settle(&mut self, out: Out<'_>) {
        let Some((first, others)) = self.ways.split_first() else {
            return;
        };
        let agreed = others.iter().all(|way| way.open == first.open);
        let waiting = first.ended.len() >= MOST_WAITING;
        if agreed && first.open.len() <= 1 || waiting {
            self.choose(out);
        }
    }

    fn choose(&mut self, out: Out<'_>) {
        self.ways.sort_by_key(|way| way.cost);
        let mut ways = std::mem::take(&mut self.ways).into_iter();
        let best = ways.next().unwrap_or_default();
        let as_good = ways.find(|way| way.cost == best.cost && way.ended != best.ended);
        if let Some(other) = as_good {
            let pairs = best.ended.iter().zip(&other.ended);
            let different = pairs.filter(|(one, other)| one != other).count();
            self.untold.ambiguous = self.untold.ambiguous.saturating_add(different as u64);
        }
        for (pid, text) in &best.ended {
            self.tell(*pid, text, out);
        }
        self.ways = vec![Way {
            open: best.open,
            ..Way::default()
        }];
    }

    /// Hands a line on, and learns from it.
    fn tell(&mut self, pid: u32, text: &[u8], out: Out<'_>) {
        self.lines = self.lines.saturating_add(1);
        let line = Line::read(text);
        self.going_on.retain(|other| *other != pid);
        if line.goes_on() && self.going_on.len() < MOST_OPEN {
            self.going_on.push(pid);
        }
        if self.known.len() >= MOST_PROCESSES && !self.known.contains_key(&pid) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.last_line);
            if let Some(oldest) = oldest.map(|(pid, _)| *pid) {
                self.known.remove(&oldest);
            }
        }
        let known = self.known.entry(pid).or_default();
        known.last_line = self.lines;
        known.expected = known.expected.after(&line);
        match line {
            Line::KernelMapped { path } => {
                known.ranges.clear();
                known.names = vec![hash(leaf(path))];
            }
            Line::Mapping { path, .. } if known.names.len() < MOST_RANGES => {
                known.names.push(hash(leaf(path)));
            }
            Line::Segment { start, end, .. } if known.ranges.len() < MOST_RANGES => {
                known.ranges.push((start, end));
            }
            _ => {}
        }
        out(pid, &line);
    }
}

impl Way {
    /// This way, with a piece more in one of its lines.
    fn with(
        &self,
        known: &FxHashMap<u32, Known>,
        at: usize,
        piece: &[u8],
        (first, ends): (bool, bool),
    ) -> Option<Self> {
        let mut way = self.clone();
        let open = way.open.get_mut(at)?;
        let pid = open.pid;
        open.add(piece, LONGEST_OPEN);
        if !first && way.last != Some(pid) {
            way.cost = way.cost.saturating_add(CHANGE);
        }
        way.last = Some(pid);
        if ends {
            let open = way.open.remove(at);
            way.end(known, pid, open.text);
        } else if open.text.len() <= LONGEST_SHARED && !could_begin(&open.text) {
            way.cost = way.cost.saturating_add(NO_LINE);
        }
        Some(way)
    }

    /// A line ends.
    fn end(&mut self, known: &FxHashMap<u32, Known>, pid: u32, text: Vec<u8>) {
        let line = Line::read(&text);
        let known = known.get(&pid);
        let here = self.expected.iter().rev().find(|(of, _)| *of == pid);
        let expected = here.map_or_else(
            || known.map_or_else(Expected::default, |known| known.expected),
            |(_, expected)| *expected,
        );
        self.cost = self.cost.saturating_add(expected.cost(&line, known));
        self.expected.push((pid, expected.after(&line)));
        self.ended.push((pid, text));
    }
}

impl Expected {
    fn after(self, line: &Line<'_>) -> Self {
        match line {
            Line::Target {
                importer, number, ..
            } => Self {
                importer: Some(hash(importer)),
                target: Some(number.saturating_add(1)),
                ..Self::default()
            },
            Line::Fixup { .. } => Self {
                importer: self.importer,
                ..Self::default()
            },
            Line::Initializer { .. } => Self::default(),
            Line::KernelMapped { path } | Line::Mapping { path, .. } | Line::Cached { path } => {
                Self {
                    segments: true,
                    segment_end: None,
                    path: Some(hash(path)),
                    ..self
                }
            }
            Line::PageIn { .. } => Self {
                segments: true,
                ..self
            },
            Line::Segment { end, .. } => Self {
                segment_end: Some(*end),
                ..self
            },
            Line::Library { path, .. } => Self {
                segments: false,
                path: Some(hash(path)),
                ..self
            },
            Line::Find { .. } => Self {
                searching: true,
                ..Self::default()
            },
            Line::Possible { path } => Self {
                path: Some(hash(path)),
                ..self
            },
            _ => self,
        }
    }

    /// What speaks against a line at this place.
    fn cost(self, line: &Line<'_>, known: Option<&Known>) -> u32 {
        let unless = |right, cost| if right { 0 } else { cost };
        let same = |path: &[u8]| self.path.is_none_or(|of| of == hash(path));
        match line {
            Line::Unknown => NO_LINE,
            Line::Target {
                importer,
                number,
                table,
                ..
            } => {
                let importer = hash(importer);
                let same = self.importer == Some(importer);
                let names = known.map_or(&[][..], |known| &known.names);
                let here = names.is_empty() || names.contains(&importer);
                match self.target {
                    Some(next) if same && next == *number => 0,
                    Some(_) if *number == 0 && *table != Table::Weak => UNLIKELY,
                    _ if *number == 0 => unless(here, UNLIKELY),
                    _ => OUT_OF_PLACE,
                }
            }
            Line::Fixup { slot, wrote, .. } => {
                let inside = |(start, end): &(u64, u64)| (*start..*end).contains(slot);
                let ranges = known.map_or(&[][..], |known| &known.ranges);
                let inside = ranges.is_empty() || ranges.iter().any(inside);
                let own = match wrote {
                    Wrote::Target(_, importer, _) | Wrote::Skipped(importer, _) => {
                        self.importer == Some(hash(importer))
                    }
                    _ => true,
                };
                unless(inside && own, OUT_OF_PLACE)
            }
            Line::Segment { start, .. } if self.segments => {
                unless(self.segment_end.is_none_or(|end| end == *start), UNLIKELY)
            }
            Line::Segment { .. } => OUT_OF_PLACE,
            Line::KernelMapped { path } => unless(same(path), OUT_OF_PLACE),
            Line::Library { path, .. } => unless(!self.segments || same(path), OUT_OF_PLACE),
            Line::Mapping { path, .. } | Line::Cached { path } => {
                unless(self.target.is_none() && same(path), UNLIKELY)
            }
            Line::Found { path, .. } | Line::Missed { path, .. } if self.searching => {
                unless(same(path), UNLIKELY)
            }
            Line::Possible { .. } | Line::NotFound => unless(self.searching, OUT_OF_PLACE),
            Line::Found { .. } | Line::Missed { .. } => OUT_OF_PLACE,
            _ => 0,
        }
    }
}

/// The last name of a path.
pub(super) fn leaf(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name);
    hasher.finish()
}

/// The first prefix in a text: what is before it, its process, what is behind it.
fn prefix(text: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    const BEGINNING: &[u8] = b"dyld[";
    const END: &[u8] = b"]: ";
    for at in memmem::find_iter(text, BEGINNING) {
        let (before, from) = text.split_at_checked(at)?;
        let from = from.strip_prefix(BEGINNING)?;
        let digits = from.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, behind) = from.split_at_checked(digits)?;
        let pid = str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok());
        if let (Some(pid), Some(behind)) = (pid, behind.strip_prefix(END)) {
            return Some((before, pid, behind));
        }
    }
    None
}

#[cfg(test)]
#[path = "demux_tests.rs"]
mod tests;
