//! Which counter a program of a Mac has read, and when that was by the recorder's own: readings and clocks in, readings of
//! this process's counter out.
//!
//! Copies for arm64 read `CNTVCT_EL0`, those for amd64 the time stamp counter. Neither is the same for all processes of a
//! Mac: newer ones have `CNTVCT_EL0` count timer ticks, 24 MHz mostly, or nanoseconds, by the SDK that a program was linked
//! for (UTM #6942, wolfpld/tracy #1239), and nobody has looked yet at what Rosetta 2 has a program read as its time stamp
//! counter. So nothing is taken for granted. The first reading of each chunk is held against this process's counter, and
//! as nanoseconds and as timer ticks against both clocks of the kernel that count from when the Mac was switched on, with
//! the time that it slept and without. It was written moments before it is looked at: what makes it that is what it is. A
//! reading that fits to nothing has no time, which is told.

use super::darwin_process::Timebase;
use rustc_hash::FxHashSet;

/// So long at most a reading waits until it is looked at.
const OLDEST_NS: i64 = 600_000_000_000;
/// Clocks that are read one after the other.
const SLACK_NS: i64 = 10_000;
/// Clocks that are no farther apart than this are one: a Mac sleeps longer.
const SAME_NS: i64 = 1_000_000;
/// Over so long the pace of this process's counter is measured; then it is known.
const BASELINE_NS: u64 = 1_000_000_000;

/// Clocks of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// This process's counter.
    pub ticks: u64,
    /// Nanoseconds since the Mac was switched on, without those in which it slept (`CLOCK_UPTIME_RAW`).
    pub awake: u64,
    /// And with them (`CLOCK_MONOTONIC_RAW`).
    pub on: u64,
    /// How far apart the readings were at most, in nanoseconds.
    pub apart: u64,
}

/// What a reading is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// This process's counter.
    Own,
    /// The clock that stops while the Mac sleeps,
    Awake(Unit),
    /// and the one that does not.
    On(Unit),
    /// Nothing that is known.
    Unknown,
}

/// What a clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nanoseconds.
    Nanosecond,
    /// Ticks of the machine's timer.
    Tick,
}

impl Source {
    /// What it is called in a trace.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Awake(Unit::Nanosecond) => "awake-ns",
            Self::Awake(Unit::Tick) => "awake-ticks",
            Self::On(Unit::Nanosecond) => "on-ns",
            Self::On(Unit::Tick) => "on-ticks",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of the readings of one chunk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readings {
    source: Option<Source>,
    last: u64,
}

/// What is known of counters.
#[derive(Clone, Debug)]
pub struct Counters {
    /// How long a tick of the machine's timer is, where that is known.
    timer: Option<Timebase>,
    from: Clocks,
    now: Clocks,
    /// Of this process's counter.
    ns_per_tick: f64,
    apart: u64,
    met: FxHashSet<Source>,
    untimed: u64,
}

impl Counters {
    /// From two moments on, some hundred microseconds apart.
    #[must_use]
    pub fn new(timer: Option<Timebase>, [from, now]: [Clocks; 2]) -> Self {
        let mut counters = Self {
            timer,
            from,
            now: from,
            ns_per_tick: 0.0,
            apart: 0,
            met: FxHashSet::default(),
            untimed: 0,
        };
        counters.follow(now);
        counters
    }

    /// The clocks as they are now.
    pub fn follow(&mut self, now: Clocks) {
        let known = self.now.awake.saturating_sub(self.from.awake);
        let (ticks, time) = (
            now.ticks.saturating_sub(self.from.ticks),
            now.awake.saturating_sub(self.from.awake),
        );
        if known < BASELINE_NS && ticks > 0 && time > 0 {
            #[expect(
                clippy::cast_precision_loss,
                reason = "of some seconds, so that it is exact"
            )]
            let pace = time as f64 / ticks as f64;
            self.ns_per_tick = pace;
        }
        self.apart = self.apart.max(now.apart);
        self.now = now;
    }

    /// What this process's counter read when the program of a chunk had this reading of its own. `now` tells the clocks:
    /// asked once for each chunk.
    pub fn own(
        &mut self,
        of: &mut Readings,
        reading: u64,
        now: impl FnOnce() -> Clocks,
    ) -> Option<u64> {
        let source = match of.source {
            Some(source) => source,
            None => {
                self.follow(now());
                let source = self.source_of(reading);
                self.met.insert(source);
                *of.source.insert(source)
            }
        };
        if source == Source::Own {
            return Some(reading);
        }
        let age = self
            .age(source, reading)
            .filter(|age| age.abs() <= OLDEST_NS);
        let Some(own) = age.and_then(|age| self.ticks_before(age)) else {
            self.untimed = self.untimed.saturating_add(1);
            return None;
        };
        // In the order in which they were written, however the clocks were read.
        of.last = of.last.max(own);
        Some(of.last)
    }

    /// What a reading is one of that was written moments ago.
    fn source_of(&self, reading: u64) -> Source {
        let units = [Unit::Nanosecond, Unit::Tick];
        let clocks = units.map(|unit| [Source::Awake(unit), Source::On(unit)]);
        let all = [Source::Own]
            .into_iter()
            .chain(clocks.into_iter().flatten());
        let fitting = all.filter_map(|source| {
            let age = self.age(source, reading)?;
            (-SLACK_NS..=OLDEST_NS)
                .contains(&age)
                .then_some((source, age.max(0)))
        });
        let fitting: Vec<(Source, i64)> = fitting.collect();
        let youngest = fitting
            .iter()
            .map(|(_, age)| *age)
            .min()
            .unwrap_or_default();
        let mut fitting = fitting.into_iter();
        let first = fitting.find(|(_, age)| *age <= youngest.saturating_add(SAME_NS));
        first.map_or(Source::Unknown, |(source, _)| source)
    }

    /// How many nanoseconds ago a reading was written, if it is one of this.
    fn age(&self, source: Source, reading: u64) -> Option<i64> {
        let nanos = |unit| match unit {
            Unit::Nanosecond => Some(reading),
            Unit::Tick => Some(self.timer?.nanos(reading).0),
        };
        let (now, then) = match source {
            Source::Awake(unit) => (self.now.awake, nanos(unit)?),
            Source::On(unit) => (self.now.on, nanos(unit)?),
            Source::Own => {
                let ticks = i128::from(self.now.ticks).saturating_sub(reading.into());
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    reason = "what is not of some minutes is none anyway"
                )]
                let age = (ticks as f64 * self.ns_per_tick) as i64;
                return (self.ns_per_tick > 0.0).then_some(age);
            }
            Source::Unknown => return None,
        };
        i64::try_from(i128::from(now).saturating_sub(then.into())).ok()
    }

    /// What this process's counter read so many nanoseconds ago.
    fn ticks_before(&self, age: i64) -> Option<u64> {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "of some minutes at most, so that it is exact"
        )]
        let ticks = (self.ns_per_tick > 0.0).then(|| (age as f64 / self.ns_per_tick) as i64)?;
        // Nobody reads a zero: it is none that is there.
        Some(
            self.now
                .ticks
                .saturating_add_signed(0_i64.saturating_sub(ticks))
                .max(1),
        )
    }

    /// What programs have read so far: names, in order.
    #[must_use]
    pub fn met(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.met.iter().map(|source| source.name()).collect();
        names.sort_unstable();
        names
    }

    /// How exactly times are known of programs that have another counter than this process, in nanoseconds, where there
    /// were any: how far apart clocks were read, and a tick.
    #[must_use]
    pub fn error(&self) -> Option<u64> {
        let mut others = self.met.iter();
        let is_other = |source: &Source| !matches!(source, Source::Own | Source::Unknown);
        let tick = self.timer.map_or(0, |timer| timer.nanos(1).0);
        others
            .any(is_other)
            .then(|| self.apart.saturating_add(tick).saturating_add(1))
    }

    /// How many records have no time since this was asked last.
    pub fn take_untimed(&mut self) -> u64 {
        std::mem::take(&mut self.untimed)
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "of small numbers, written here"
)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// Switched on for nine days, of which it slept two.
    const AWAKE: u64 = 7 * 86_400 * SECOND;
    const ASLEEP: u64 = 2 * 86_400 * SECOND;

    fn timer() -> Timebase {
        Timebase::new(125, 3).unwrap()
    }

    /// So long after the beginning, of a process whose counter has ticks of so many 24ths of a microsecond.
    fn clocks(ns: u64, ticks_of: u64) -> Clocks {
        let on = AWAKE + ASLEEP + ns;
        Clocks {
            ticks: on * ticks_of / 1_000,
            awake: AWAKE + ns,
            on,
            apart: 80,
        }
    }

    fn counters(ticks_of: u64) -> Counters {
        let mut counters = Counters::new(
            Some(timer()),
            [clocks(0, ticks_of), clocks(300_000, ticks_of)],
        );
        counters.follow(clocks(SECOND, ticks_of));
        counters
    }

    /// What a reading of 20 ms ago is taken for, and how many nanoseconds ago its time lies.
    fn told(ticks_of: u64, reading: impl Fn(Clocks) -> u64) -> (&'static str, Option<u64>) {
        let mut counters = counters(ticks_of);
        let written = clocks(SECOND + 480_000_000, 24);
        let now = clocks(SECOND + 500_000_000, ticks_of);
        let mut readings = Readings::default();
        let own = counters.own(&mut readings, reading(written), || now);
        let ago = own.map(|own| (now.ticks - own) * 1_000 / ticks_of);
        (readings.source.unwrap().name(), ago)
    }

    #[test]
    fn a_reading_is_told_by_what_makes_it_one_of_moments_ago() {
        // Ticks of this process: 24 MHz, and nanoseconds.
        for ticks_of in [24, 1_000] {
            let is_own = ticks_of == 24;
            for (reading, name) in [
                (
                    (|then: Clocks| then.on * 3 / 125) as fn(Clocks) -> u64,
                    if is_own { "own" } else { "on-ticks" },
                ),
                (|then| then.on, if is_own { "on-ns" } else { "own" }),
                (|then| then.awake, "awake-ns"),
                (|then| then.awake * 3 / 125, "awake-ticks"),
            ] {
                let (found, ago) = told(ticks_of, reading);
                assert_eq!(found, name, "{ticks_of}");
                // 20 ms, as exactly as ticks are.
                assert!(ago.unwrap().abs_diff(20_000_000) <= 100, "{found} {ago:?}");
            }
        }
    }

    #[test]
    fn what_fits_to_nothing_has_no_time_and_is_counted() {
        for reading in [0, 1, SECOND, u64::MAX, AWAKE * 3, (AWAKE + ASLEEP) / 1_000] {
            let mut counters = counters(24);
            let mut readings = Readings::default();
            let now = clocks(SECOND + 500_000_000, 24);
            assert_eq!(
                counters.own(&mut readings, reading, || now),
                None,
                "{reading}"
            );
            // Nobody asks again.
            assert_eq!(
                counters.own(&mut readings, now.ticks, || unreachable!()),
                None
            );
            assert_eq!((counters.take_untimed(), counters.take_untimed()), (2, 0));
            assert_eq!((counters.met(), counters.error()), (vec!["unknown"], None));
        }
        // Where the timer's pace is not known, nothing is taken for its ticks.
        let mut counters = Counters::new(None, [clocks(0, 1_000), clocks(300_000, 1_000)]);
        let now = clocks(SECOND, 1_000);
        let reading = now.on * 3 / 125;
        assert_eq!(
            counters.own(&mut Readings::default(), reading, || now),
            None
        );
    }

    #[test]
    fn readings_of_a_chunk_stay_in_their_order() {
        let mut counters = counters(24);
        let mut readings = Readings::default();
        let now = clocks(2 * SECOND, 24);
        let mut last = 0;
        for ns in (0..1_000).step_by(7) {
            let own = counters
                .own(&mut readings, now.awake - 5_000 + ns, || now)
                .unwrap();
            assert!(own >= last);
            last = own;
        }
        // The clock that stops has stopped meanwhile: this process's counter has not.
        let mut slept = clocks(3 * SECOND, 24);
        slept.ticks += 3_600 * 24_000_000;
        counters.follow(slept);
        let own = counters
            .own(&mut readings, slept.awake - 24_000, || now)
            .unwrap();
        assert!(
            (slept.ticks - own).abs_diff(576) <= 3,
            "{}",
            slept.ticks - own
        );
        assert_eq!(counters.met(), ["awake-ns"]);
        // Clocks that were read 80 ns apart, a tick of 41 ns, and what is cut off.
        assert_eq!(counters.error(), Some(122));
    }
}
