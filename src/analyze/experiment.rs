//! What settings do: groups of runs in, each against the baseline out.
//!
//! The first group is the baseline, the second the baseline once more: what those two differ by is
//! the machine's noise. Wall time and CPU time of all groups but the first are one family of tests
//! ([`benjamini_hochberg`]); of names there are intervals alone.

use super::compare::{FALSE_DISCOVERIES, Verdict};
use super::statistics::{
    Interval, benjamini_hochberg, difference_interval, median, rank_test, ratio_interval,
    smallest_group,
};
use super::{Analysis, Naming};
use crate::trace::Nanos;

/// What one run took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Wall time of the command.
    pub wall: Nanos,
    /// CPU time of all its programs.
    pub cpu: Nanos,
    /// How many of the sampled frames have a name.
    pub naming: Naming,
}

impl Figures {
    /// Those of a trace. Reads all samples once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        Self {
            wall: analysis.builds.critical_path.wall(),
            cpu: analysis.costs().total.cpu(),
            naming: Naming::of(analysis),
        }
    }
}

/// What the runs of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing was changed.
    Baseline,
    /// Nothing was changed here either.
    Again,
    /// A setting was.
    Setting,
}

/// Runs under one setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its runs whose command did not fail.
    pub runs: Vec<Figures>,
    /// How many runs failed: what those took is in no figure.
    pub failed: usize,
}

/// A figure of a group, and what it is against the baseline's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// Its value in each run: nanoseconds, or a part from 0 to 1.
    pub values: Vec<f64>,
    /// The middle one.
    pub median: Option<f64>,
    /// With 95 % interval: times the baseline's median, or for parts less that.
    pub change: Option<Interval>,
    /// How surprising the values are if nothing changed, 0 to 1.
    pub p: Option<f64>,
    /// What to make of it.
    pub verdict: Option<Verdict>,
}

/// A group against the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How many runs it has whose command did not fail.
    pub runs: usize,
    /// How many failed.
    pub failed: usize,
    /// Wall time of the command.
    pub wall: Effect,
    /// CPU time of all its programs.
    pub cpu: Effect,
    /// Part of the sampled frames that have a name; without a verdict.
    pub named: Effect,
    /// Counts over all its runs.
    pub naming: Naming,
}

/// All groups against the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Experiment {
    /// One row a group, in their order.
    pub rows: Vec<Row>,
    /// Figures that were judged together.
    pub family: usize,
    /// Runs of each group that it takes to tell that a single one of those differs.
    pub runs_needed: Option<usize>,
}

impl Experiment {
    /// Compares and judges.
    #[must_use]
    pub fn of(groups: &[Group]) -> Self {
        let wall = |run: &Figures| Some(run.wall.0 as f64);
        let cpu = |run: &Figures| Some(run.cpu.0 as f64);
        let named = |run: &Figures| run.naming.share();
        let base = groups.first().map_or(&[][..], |group| &group.runs);
        let mut rows: Vec<Row> = groups
            .iter()
            .map(|group| {
                let base = (group.kind != Kind::Baseline).then_some(base);
                let mut naming = Naming::default();
                group.runs.iter().for_each(|run| naming += &run.naming);
                Row {
                    name: group.name.clone(),
                    kind: group.kind,
                    runs: group.runs.len(),
                    failed: group.failed,
                    wall: Effect::of(base, &group.runs, wall, ratio_interval),
                    cpu: Effect::of(base, &group.runs, cpu, ratio_interval),
                    named: Effect::of(base, &group.runs, named, difference_interval),
                    naming,
                }
            })
            .collect();
        let fewest = groups.iter().map(|group| group.runs.len()).min();
        let (family, runs_needed) = judge(&mut rows, fewest.unwrap_or(0));
        Self {
            rows,
            family,
            runs_needed,
        }
    }

    /// Whether the baseline differs from itself: then other verdicts are of no worth.
    #[must_use]
    pub fn is_noisy(&self) -> bool {
        let again = self.rows.iter().filter(|row| row.kind == Kind::Again);
        let mut effects = again.flat_map(|row| [&row.wall, &row.cpu]);
        effects.any(|effect| effect.verdict.as_ref().is_some_and(Verdict::is_change))
    }
}

impl Effect {
    fn of(
        base: Option<&[Figures]>,
        runs: &[Figures],
        figure: impl Fn(&Figures) -> Option<f64>,
        interval: impl Fn(&[f64], &[f64]) -> Option<Interval>,
    ) -> Self {
        let values: Vec<f64> = runs.iter().filter_map(&figure).collect();
        let median = median(&values);
        let base: Option<Vec<f64>> = base.map(|runs| runs.iter().filter_map(&figure).collect());
        Self {
            change: base.as_ref().and_then(|base| interval(base, &values)),
            p: base.as_ref().map(|base| rank_test(base, &values)),
            median,
            values,
            verdict: None,
        }
    }

    fn judge(&mut self, base: Option<f64>, found: bool, need: Option<usize>) {
        let (base, new) = (base.unwrap_or(0.0), self.median.unwrap_or(0.0));
        self.verdict = Some(match (found, need) {
            (true, _) if new > base => Verdict::Slower,
            (true, _) if new < base => Verdict::Faster,
            (false, Some(need)) => Verdict::TooFewRuns { need },
            _ => Verdict::WithinNoise,
        });
    }
}

/// Judges wall and CPU time of all rows but the baseline's as one family. Returns its size, and how
/// many runs of each group it needs.
fn judge(rows: &mut [Row], fewest: usize) -> (usize, Option<usize>) {
    let Some((base, others)) = rows.split_first_mut() else {
        return (0, None);
    };
    let effects = |rows: &[Row]| -> Vec<f64> {
        let effects = rows.iter().flat_map(|row| [row.wall.p, row.cpu.p]);
        effects.map(|p| p.unwrap_or(1.0)).collect()
    };
    let p = effects(others);
    let found = benjamini_hochberg(&p, FALSE_DISCOVERIES);
    let needed = smallest_group(p.len(), FALSE_DISCOVERIES);
    let missing = needed.filter(|needed| fewest < *needed);
    for (row, found) in others.iter_mut().zip(found.chunks(2)) {
        if let [wall, cpu] = *found {
            row.wall.judge(base.wall.median, wall, missing);
            row.cpu.judge(base.cpu.median, cpu, missing);
        }
    }
    (p.len(), needed)
}
