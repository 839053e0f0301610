//! Spans on tracks, at most so many in all: short ones beside each other are folded into one that
//! says how many they are and how long they took together.
//!
//! Spans come in the order of time, track by track or in turn. Once there are twice as many as may
//! stay, what counts as short doubles until they are few enough, so memory is bounded however many come.

use crate::trace::Nanos;

/// What lies beside each other in one view of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum View {
    /// Actions in as few lanes as hold them; programs where there are no actions.
    Slots = 0,
    /// A program each, its phases below.
    Processes = 1,
    /// A program each, its threads below.
    Threads = 2,
    /// A program each, its goroutines below.
    Goroutines = 3,
    /// Actions of the trace, and below those of what it is laid beside.
    SideBySide = 4,
}

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanKind {
    /// An action: `of` is its row.
    Action = 0,
    /// A program: `of` is its row.
    Process = 1,
    /// A phase of a program: `of` is the program's row.
    Phase = 2,
    /// A time in which a thread or goroutine ran: `of` is the program's row.
    Running = 3,
    /// A time in which it waited: `of` is the program's row.
    Waiting = 4,
    /// A call of a function that was watched: `of` is the program's row.
    Call = 5,
    /// An action, or a program, of what the trace is laid beside: `of` is none.
    Base = 6,
}

/// On the critical path.
pub(super) const CRITICAL: u8 = 1;
/// Its end was not seen.
pub(super) const OPEN: u8 = 2;

/// A time in which something was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    /// Number of the name that is written on it.
    pub(super) label: u32,
    /// Row of the table of colours.
    pub(super) colour: u8,
    pub(super) kind: SpanKind,
    /// [`CRITICAL`], [`OPEN`].
    pub(super) flags: u8,
    /// Row of what it belongs to.
    pub(super) of: u32,
    /// How many spans it stands for.
    pub(super) count: u32,
    /// How long those took together.
    pub(super) busy: Nanos,
}

impl Span {
    fn is_short(&self, short: Nanos) -> bool {
        self.count > 1 || self.end.since(self.start) < short
    }
}

/// A row of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) view: View,
    /// How many rows of what it belongs to are above it.
    pub(super) depth: u8,
    /// Row of the program that it belongs to.
    pub(super) process: u32,
    /// Number of its name.
    pub(super) label: u32,
    /// Its place among those of its program.
    pub(super) rank: (u32, u32),
    /// By time; they do not overlap.
    pub(super) spans: Vec<Span>,
}

impl Track {
    /// One that lies below that of its program.
    pub(super) fn below(view: View, process: u32, label: u32, rank: (u32, u32)) -> Self {
        Self {
            view,
            depth: 1,
            process,
            label,
            rank,
            spans: Vec::new(),
        }
    }
}

/// All rows of all views.
#[derive(Debug)]
pub(super) struct Tracks {
    /// In the order in which they are drawn.
    pub(super) tracks: Vec<Track>,
    most: usize,
    spans: usize,
    /// Tracks that hold a span: each keeps one, however few may stay.
    filled: usize,
    /// What is shorter is folded; zero as long as nothing has to be.
    pub(super) short: Nanos,
}

/// What is short at first, once something has to be folded.
const SHORTEST: Nanos = Nanos(1_000);

impl Tracks {
    /// None yet, for at most so many spans.
    pub(super) fn of_at_most(most: usize) -> Self {
        Self {
            tracks: Vec::new(),
            most,
            spans: 0,
            filled: 0,
            short: Nanos::ZERO,
        }
    }

    /// Adds a track, and returns its place.
    pub(super) fn open(&mut self, track: Track) -> usize {
        self.tracks.push(track);
        self.tracks.len() - 1
    }

    /// Adds a span behind the others of its track.
    pub(super) fn push(&mut self, track: usize, span: Span) {
        let short = self.short;
        let Some(track) = self.tracks.get_mut(track) else {
            return;
        };
        let is_first = track.spans.is_empty();
        if add(&mut track.spans, span, short) {
            self.spans += 1;
            self.filled += usize::from(is_first);
        }
        if self.spans > self.most.saturating_mul(2) {
            self.fold();
        }
    }

    /// Folds until so many are left as may stay, or nothing more can be folded; returns how many spans
    /// were folded into how many.
    pub(super) fn finish(&mut self) -> (u64, u64) {
        self.fold();
        let spans = self.tracks.iter().flat_map(|track| &track.spans);
        let folded = spans.filter(|span| span.count > 1);
        folded.fold((0, 0), |(spans, into), span| {
            (spans + u64::from(span.count), into + 1)
        })
    }

    /// Orders the tracks of each view: those of a program together, the programs as `place` has them.
    pub(super) fn sort(&mut self, place: impl Fn(u32) -> usize) {
        self.tracks
            .sort_by_key(|track| (track.view, place(track.process), track.rank));
    }

    fn fold(&mut self) {
        while self.spans > self.most.max(self.filled) && self.short < Nanos(u64::MAX) {
            self.short = Nanos(self.short.0.saturating_mul(2)).max(SHORTEST);
            self.spans = 0;
            for track in &mut self.tracks {
                let spans = std::mem::take(&mut track.spans);
                for span in spans {
                    add(&mut track.spans, span, self.short);
                }
                self.spans += track.spans.len();
            }
        }
    }
}

/// Adds a span to a track, or to its last span; says whether there is one more now.
fn add(spans: &mut Vec<Span>, span: Span, short: Nanos) -> bool {
    if let Some(last) = spans.last_mut()
        && last.is_short(short)
        && span.is_short(short)
        && span.start.since(last.end) < short
    {
        last.end = last.end.max(span.end);
        last.flags |= span.flags;
        last.count = last.count.saturating_add(span.count);
        last.busy += span.busy;
        if last.of != span.of {
            last.of = super::columns::NONE;
        }
        return false;
    }
    spans.push(span);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: u64, end: u64) -> Span {
        Span {
            start: Nanos(start),
            end: Nanos(end),
            label: 0,
            colour: 0,
            kind: SpanKind::Phase,
            flags: 0,
            of: 0,
            count: 1,
            busy: Nanos(end - start),
        }
    }

    fn tracks(most: usize, spans: impl IntoIterator<Item = Span>) -> Tracks {
        let mut tracks = Tracks::of_at_most(most);
        let at = tracks.open(Track {
            view: View::Slots,
            depth: 0,
            process: 0,
            label: 0,
            rank: (0, 0),
            spans: Vec::new(),
        });
        for span in spans {
            tracks.push(at, span);
        }
        tracks
    }

    /// In nanoseconds: two of 400 near each other, a long one, one of 900 far behind.
    #[test]
    fn short_spans_near_each_other_are_one_that_knows_how_many() {
        let all = [
            span(0, 400),
            span(1_000, 1_400),
            span(1_400, 9_000),
            span(20_000, 20_900),
        ];
        let mut kept = tracks(4, all);
        assert_eq!(kept.finish(), (0, 0));
        assert_eq!(kept.tracks[0].spans, all);

        let mut folded = tracks(3, all);
        assert_eq!(folded.finish(), (2, 1));
        let both = Span {
            count: 2,
            busy: Nanos(800),
            ..span(0, 1_400)
        };
        assert_eq!(folded.tracks[0].spans, [both, all[2], all[3]]);
    }

    /// A lone span on each track cannot be folded away: nothing counts as short for the sake of it.
    #[test]
    fn what_cannot_be_folded_is_kept_as_it_is() {
        let mut lone = tracks(0, [span(0, 400)]);
        assert_eq!(lone.finish(), (0, 0));
        assert_eq!((lone.short, lone.tracks[0].spans.len()), (Nanos::ZERO, 1));
        // A gap of 600 ns is shorter than 1 µs, with which folding begins.
        let mut two = tracks(0, [span(0, 400), span(1_000, 1_400)]);
        assert_eq!(two.finish(), (2, 1));
        assert_eq!(two.short, Nanos(1_000));
    }

    proptest! {
        /// However many come, so many are left, and nothing of their number and time is lost.
        #[test]
        fn folding_loses_nothing_but_detail(
            lengths in proptest::collection::vec((0_u64..5_000, 1_u64..5_000), 1..200),
            most in 1_usize..50,
        ) {
            let mut at = 0;
            let mut spans = Vec::new();
            for (gap, length) in lengths {
                spans.push(span(at + gap, at + gap + length));
                at += gap + length;
            }
            let mut tracks = tracks(most, spans.clone());
            tracks.finish();
            let left = &tracks.tracks[0].spans;
            prop_assert!(left.len() <= most);
            let count: u32 = left.iter().map(|span| span.count).sum();
            prop_assert_eq!(count as usize, spans.len());
            let busy = |spans: &[Span]| spans.iter().map(|span| span.busy.0).sum::<u64>();
            prop_assert_eq!(busy(left), busy(&spans));
            prop_assert!(left.windows(2).all(|two| two[0].end <= two[1].start));
        }
    }
}
