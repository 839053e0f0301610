//! What became slower or faster between two groups of runs, and whether that is more than noise.
//!
//! Traces are reduced to [`Run`]s one after the other, so that a group of any size is held in
//! memory as a few figures a run. [`Comparison::of`] lays two groups side by side: the same
//! [`Key`] on both sides makes a [`Row`]. What must be the same for that (Go version, target,
//! cores, ...) is checked first: [`Difference`]s that bind make figures lie.
//!
//! A row's verdict is one of a family: all rows of the whole command, of packages, tools and phases
//! are tested with the rank test of Mann and Whitney and judged together after Benjamini and
//! Hochberg. Actions and functions are shown with intervals and get no verdict. Differences are
//! always new minus base. `docs/compare-method.md` has the method.

mod cache;
mod difference;
mod facts;
mod functions;
mod gate;
mod inputs;
mod key;
mod lost;
mod noise_group;
mod row;
mod run;
mod samples;
mod signals;
mod stage;
mod translation;

pub use cache::Cache;
pub use difference::{Difference, Value, differences};
pub use facts::{Binding, Fact, Facts, NATIVE};
pub use gate::{Breach, Gate, Gates, Outcome, picks};
pub use inputs::{Inputs, Reason, Rebuilt};
pub use key::{Key, Measure, Subject};
pub use lost::{Lost, Missing};
pub use noise_group::NoiseGroup;
pub use row::{Row, Verdict};
pub use run::Run;
pub use translation::Translation;

use super::Name;
use super::statistics::{Noise, benjamini_hochberg, smallest_group, smallest_p, tested_up_to};
use crate::trace::ExitStatus;
use std::collections::{BTreeMap, BTreeSet};

/// Of the rows that are called slower or faster, at most this part is expected to be neither.
pub const FALSE_DISCOVERIES: f64 = 0.05;

/// How to compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Runs of one and the same thing, whose differences are noise.
    pub noise: Vec<Run>,
}

/// One side of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Side {
    /// The command line of its first run.
    pub command: Name,
    /// Go version of its first run, empty where there was none.
    pub go: Name,
    /// Who ran its programs, in its first run.
    pub translation: Translation,
    /// Names of the runs that count, in the order of the values of each row.
    pub runs: Vec<Name>,
    /// Names of runs whose command did not end well: they are left out, unless all are such.
    pub failed: Vec<Name>,
    /// Names of runs that were given before, be it under another name: they count once.
    pub repeated: Vec<Name>,
    /// What was lost, over all runs that count.
    pub lost: Lost,
}

/// Two groups of runs side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// What is compared with.
    pub base: Side,
    /// What is compared.
    pub new: Side,
    /// Names, in new, of runs that are in base, too; empty where both sides are the same runs.
    pub shared: Vec<Name>,
    /// The runs of the noise floor, where such were given.
    pub noise: Option<NoiseGroup>,
    /// Facts that are not the same in all runs.
    pub differences: Vec<Difference>,
    /// Facts that are.
    pub same: Facts,
    /// All figures, by [`Key`].
    pub rows: Vec<Row>,
    /// Rows that were judged together.
    pub family: usize,
    /// Rows that no division of their values could have told to differ, so many are equal.
    pub left_out: usize,
    /// How many runs a side it takes to tell that a single row of these differs.
    pub runs_needed: Option<usize>,
    /// Packages that new built, and why.
    pub rebuilt: Vec<Rebuilt>,
    /// Packages that one side built, and the other had in the cache.
    pub cached: BTreeSet<Name>,
    /// What was linked on both sides, and whether all runs of both agree on its content.
    pub outputs: BTreeMap<Name, bool>,
}

impl Comparison {
    /// Aligns and judges.
    #[must_use]
    pub fn of(base: &[Run], new: &[Run], options: &Options) -> Self {
        let ((base, base_again), (new, new_again)) = (distinct(base), distinct(new));
        let (base_runs, new_runs) = (usable(&base), usable(&new));
        let facts = |runs: &[&Run]| -> Vec<(Name, Facts)> {
            let facts = runs
                .iter()
                .map(|run| (run.name.clone(), run.facts_with_exit()));
            facts.collect()
        };
        let (base_facts, new_facts) = (facts(&base_runs), facts(&new_runs));
        let (mut differences, mut same) = differences(&base_facts, &new_facts);
        if let Some(caches) = cache::difference(&base_runs, &new_runs) {
            differences.retain(|it| it.fact != Fact::Cache);
            same.0.remove(&Fact::Cache);
            differences.push(caches);
            differences.sort_by(|a, b| a.fact.cmp(&b.fact));
        }
        let all = base_runs.iter().chain(&new_runs).copied();
        let never = lost::never_seen(all);
        let mut comparison = Self {
            base: Side::of(&base, &base_runs, base_again, &never),
            new: Side::of(&new, &new_runs, new_again, &never),
            shared: shared(&base_runs, &new_runs),
            differences,
            same,
            outputs: outputs(&base_runs, &new_runs),
            ..Self::default()
        };
        if let (Some(base), Some(new)) = (base_runs.first(), new_runs.first()) {
            comparison.rebuilt = inputs::rebuilt(base, new);
            comparison.cached = inputs::cached(base, new);
        }
        let mut noise = Vec::new();
        if !options.noise.is_empty() {
            let compared = [&base_runs[..], &new_runs].concat();
            let (group, runs) = NoiseGroup::of(&options.noise, &compared, &comparison.differences);
            comparison.noise = Some(group);
            noise = runs;
        }
        comparison.align(&base_runs, &new_runs, &noise);
        comparison.withhold(&base_runs, &new_runs);
        comparison.judge();
        comparison
    }

    /// Why figures of the two cannot be laid side by side: facts that bind and are not the same.
    pub fn complaints(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|fact| fact.binds)
    }

    /// Whether one side was translated, and the other was not or by something else.
    #[must_use]
    pub fn crosses_translators(&self) -> bool {
        self.base.translation.translator != self.new.translation.translator
    }

    /// Whether a side has a single run: then nothing can be told from noise.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.base.runs.len().min(self.new.runs.len()) < 2
    }

    /// A row.
    #[must_use]
    pub fn row(&self, subject: &Subject, measure: Measure) -> Option<&Row> {
        let found = self
            .rows
            .binary_search_by(|row| (&row.key.subject, row.key.measure).cmp(&(subject, measure)));
        self.rows.get(found.ok()?)
    }

    /// The rows of a measure of one kind of subject (see [`Subject::kind`]): those with a verdict
    /// of slower or faster first, then by the size of the difference.
    #[must_use]
    pub fn ranked(&self, kind: &str, measure: Measure) -> Vec<&Row> {
        let rows = self.rows.iter();
        let of_kind = |row: &&Row| row.key.subject.kind() == kind && row.key.measure == measure;
        let mut rows: Vec<&Row> = rows.filter(of_kind).collect();
        rows.sort_by(|a, b| {
            let told = |row: &Row| !row.verdict.as_ref().is_some_and(Verdict::is_change);
            let size = |row: &Row| row.difference().abs();
            let order = told(a).cmp(&told(b));
            order.then_with(|| size(b).total_cmp(&size(a)))
        });
        rows
    }

    /// At most `top` rows of each kind of subject and measure, as [`Self::ranked`] orders them.
    #[must_use]
    pub fn leading(&self, top: usize) -> Vec<&Row> {
        let kinds: BTreeSet<_> = self
            .rows
            .iter()
            .map(|row| (row.key.subject.kind(), row.key.measure))
            .collect();
        let ranked = kinds
            .into_iter()
            .flat_map(|(kind, measure)| self.ranked(kind, measure).into_iter().take(top));
        let mut rows: Vec<&Row> = ranked.collect();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows
    }

    fn align(&mut self, base: &[&Run], new: &[&Run], noise: &[&Run]) {
        let keys: BTreeSet<&Key> = base
            .iter()
            .chain(new)
            .flat_map(|run| run.figures.keys())
            .collect();
        // What is not judged is made of samples or of what had to be done: there may be none. But
        // what a side did not watch is not known.
        let values = |runs: &[&Run], key: &Key| -> Option<Vec<f64>> {
            let there = |run: &&Run| {
                run.figures.contains_key(key) || (!key.is_judged() && run.would_show(key))
            };
            let any = runs.iter().any(there);
            any.then(|| runs.iter().map(|run| run.value(key)).collect())
        };
        let rows = keys.into_iter().map(|key| {
            let floor = values(noise, key).and_then(|values| Noise::of(&values));
            let (base, new) = (values(base, key), values(new, key));
            Row::new(key.clone(), base, new, floor)
        });
        self.rows = rows.collect();
    }

    /// Takes the rows out of the family that are made of what was lost or not seen.
    fn withhold(&mut self, base: &[&Run], new: &[&Run]) {
        let sides = [
            (&self.base.lost, base, Missing::InBase),
            (&self.new.lost, new, Missing::InNew),
        ];
        for row in self.rows.iter_mut().filter(|row| row.key.is_judged()) {
            for (lost, runs, not_watched) in sides {
                let values = match not_watched {
                    Missing::InBase => &row.base,
                    _ => &row.new,
                };
                let mut shown = runs.iter().filter(|run| !run.value(&row.key).is_nan());
                let some_lack = values.iter().any(|value| value.is_nan());
                let unseen = values.is_empty() && !runs.is_empty() && shown.next().is_none();
                if let Some((missing, words)) = lost.of_figure(&row.key) {
                    row.withhold(missing, words.clone());
                } else if unseen {
                    row.withhold(not_watched, Name::from(not_watched.words()));
                } else if some_lack {
                    let lacking = runs.iter().find(|run| run.value(&row.key).is_nan());
                    let name = lacking.map(|run| &*run.name).unwrap_or_default();
                    let words = Name::from(format!("{name} does not have it"));
                    row.withhold(Missing::InSome, words);
                } else if let Some(run) = runs.iter().find(|run| run.went_on(&row.key)) {
                    let words = format!("{}: programs went on after the command", run.name);
                    row.withhold(Missing::Unended, Name::from(words));
                }
            }
        }
    }

    fn judge(&mut self) {
        let (base, new) = (self.base.runs.len(), self.new.runs.len());
        let rows = self.rows.iter_mut();
        let rows = rows.filter(|row| row.key.is_judged() && row.verdict.is_none());
        let rows: Vec<&mut Row> = rows.collect();
        // Chosen by what the values of both sides are together: which of them are base's must not
        // decide what is tested.
        let smallest: Vec<f64> = rows.iter().map(|row| row.smallest_p()).collect();
        let limit = tested_up_to(&smallest, smallest_p(base, new), FALSE_DISCOVERIES);
        let (mut family, mut left_out) = (Vec::new(), Vec::new());
        for (row, smallest) in rows.into_iter().zip(smallest) {
            let tested = smallest <= limit;
            let place = if tested { &mut family } else { &mut left_out };
            place.push(row);
        }
        let p: Vec<f64> = family.iter().map(|row| row.p.unwrap_or(1.0)).collect();
        let found = benjamini_hochberg(&p, FALSE_DISCOVERIES);
        let alone = FALSE_DISCOVERIES / p.len().max(1) as f64;
        for (row, found) in family.into_iter().zip(found) {
            row.judge(found, p.len(), alone);
        }
        self.left_out = left_out.len();
        for row in left_out {
            row.judge(false, p.len(), limit);
        }
        self.runs_needed = smallest_group(p.len(), FALSE_DISCOVERIES);
        self.family = p.len();
    }
}

/// Each recording once, and the names of those that were there before. A run that does not tell
/// which recording it is of is one of its own.
fn distinct(runs: &[Run]) -> (Vec<&Run>, Vec<Name>) {
    let mut seen = BTreeSet::new();
    let is_first = |run: &&Run| run.recording.is_none_or(|recording| seen.insert(recording));
    let (first, again): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(is_first);
    let again = again.iter().map(|run| run.name.clone());
    (first, again.collect())
}

/// Names of the runs of new that are in base, too, unless all are, and all of base are in new.
fn shared(base: &[&Run], new: &[&Run]) -> Vec<Name> {
    let recordings = |runs: &[&Run]| -> BTreeSet<_> {
        let known = runs.iter().filter_map(|run| run.recording);
        known.collect()
    };
    let (of_base, of_new) = (recordings(base), recordings(new));
    let both = new.iter().filter(|run| {
        let known = run.recording;
        known.is_some_and(|recording| of_base.contains(&recording))
    });
    if of_base == of_new {
        return Vec::new();
    }
    both.map(|run| run.name.clone()).collect()
}

/// Runs that ended well; all of them, where none did.
fn usable<'r>(runs: &[&'r Run]) -> Vec<&'r Run> {
    let well: Vec<&Run> = runs.iter().copied().filter(|run| run.succeeded()).collect();
    if well.is_empty() {
        return runs.to_vec();
    }
    well
}

impl Side {
    fn of(all: &[&Run], usable: &[&Run], repeated: Vec<Name>, never: &BTreeSet<Name>) -> Self {
        let first = usable.first().copied().cloned().unwrap_or_default();
        let failed = all.iter().filter(|run| !run.succeeded());
        let mut lost = Lost::default();
        for run in usable {
            lost.add(run, never);
        }
        Self {
            command: first.command,
            go: first.go,
            translation: first.translation,
            runs: usable.iter().map(|run| run.name.clone()).collect(),
            failed: failed.map(|run| run.name.clone()).collect(),
            repeated,
            lost,
        }
    }
}

impl Run {
    /// A figure; zero where it is not there and would have been seen, else NaN.
    fn value(&self, key: &Key) -> f64 {
        let absent = if self.would_show(key) { 0.0 } else { f64::NAN };
        self.figures.get(key).copied().unwrap_or(absent)
    }

    /// Whether programs that it is made of went on after the command.
    fn went_on(&self, key: &Key) -> bool {
        match (&key.subject, key.measure) {
            (Subject::Whole, Measure::Cpu) => !self.unended.is_empty(),
            (subject, _) => self.unended.contains(subject),
        }
    }

    /// Its facts, and how it ended.
    fn facts_with_exit(&self) -> Facts {
        let mut facts = self.facts.clone();
        let exit = match self.status {
            Some(ExitStatus::Code(code)) => format!("exit code {code}"),
            Some(ExitStatus::Signal(signal)) => format!("signal {signal}"),
            Some(ExitStatus::Replaced | ExitStatus::Unknown) | None => "end not seen".to_owned(),
        };
        facts.add(Fact::Exit, exit);
        facts
    }
}

/// Of what was linked on both sides, whether its content is the same in all runs.
fn outputs(base: &[&Run], new: &[&Run]) -> BTreeMap<Name, bool> {
    let (Some(first), Some(_)) = (base.first(), new.first()) else {
        return BTreeMap::new();
    };
    let runs = || base.iter().chain(new);
    let shared = first.outputs.iter().filter(|(package, _)| {
        let mut runs = runs();
        runs.all(|run| run.outputs.contains_key(*package))
    });
    shared
        .map(|(package, content)| {
            let same = runs().all(|run| run.outputs.get(package) == Some(content));
            (package.clone(), same)
        })
        .collect()
}
