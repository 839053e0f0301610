//! Runs of one and the same thing, by which the noise floor of a comparison is known.

use super::difference::{Difference, differences};
use super::facts::Facts;
use super::run::Run;
use crate::analyze::Name;
use std::collections::BTreeSet;

/// The runs of a noise floor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NoiseGroup {
    /// Names of the runs that count.
    pub runs: Vec<Name>,
    /// Names of runs that are left out, for they are compared themselves.
    pub compared: Vec<Name>,
    /// Names of runs that are left out, for their command did not end well.
    pub failed: Vec<Name>,
    /// Facts that bind and are not the same in these runs, which stand on the side of base, and in
    /// those that are compared.
    pub differences: Vec<Difference>,
}

/// A noise floor is made of pairs of runs.
const LEAST: usize = 2;

impl NoiseGroup {
    /// Chooses those of `given` that count beside the runs that are compared, `of`. What these do
    /// not agree in themselves, which is told apart, need not be as in the noise group.
    pub(super) fn of<'r>(
        given: &'r [Run],
        of: &[&Run],
        known: &[Difference],
    ) -> (Self, Vec<&'r Run>) {
        let mut group = Self::default();
        let mut seen: BTreeSet<_> = of.iter().filter_map(|run| run.recording).collect();
        let mut runs = Vec::new();
        for run in given {
            if !run.recording.is_none_or(|recording| seen.insert(recording)) {
                group.compared.push(run.name.clone());
            } else if run.succeeded() {
                group.runs.push(run.name.clone());
                runs.push(run);
            } else {
                group.failed.push(run.name.clone());
            }
        }
        group.differences = unlike(&runs, of, known);
        (group, runs)
    }

    /// Whether there are enough runs for a floor.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.runs.len() >= LEAST
    }
}

fn unlike(noise: &[&Run], compared: &[&Run], known: &[Difference]) -> Vec<Difference> {
    let facts = |runs: &[&Run]| -> Vec<(Name, Facts)> {
        let facts = runs
            .iter()
            .map(|run| (run.name.clone(), run.facts_with_exit()));
        facts.collect()
    };
    let (noise, compared) = (facts(noise), facts(compared));
    // What must be the same within a side must be here: noise of translated runs tells nothing of
    // native ones.
    let together = [&noise[..], &compared].concat();
    let (together, _) = differences(&together, &[]);
    let binds = |it: &Difference| {
        let bound = together
            .iter()
            .any(|other| other.binds && other.fact == it.fact);
        bound && !known.iter().any(|other| other.fact == it.fact)
    };
    let (apart, _) = differences(&noise, &compared);
    apart.into_iter().filter(binds).collect()
}
