//! The build cache: which packages a run found there, and which it built.
//!
//! What a build takes depends first of all on that, so runs are comparable only where they differ in
//! it by what they were to build. A package whose action has another name (the go command's hash of
//! all that goes into it) on the other side had to be built there; one whose action has the same name was found
//! on one side and not on the other, which is the cache's doing.

use super::difference::{Difference, NOT_RECORDED, Value};
use super::facts::Fact;
use super::run::Run;
use crate::analyze::build::{ActionKind, Origin, Outcome};
use crate::analyze::{Analysis, Name};
use std::collections::BTreeSet;

/// Packages that a run compiled and packages that it did not have to, as the go command's graphs
/// tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// Import paths of those that were built.
    pub built: BTreeSet<Name>,
    /// Import paths of those that were in the cache, and that the run did not build before.
    pub found: BTreeSet<Name>,
}

/// Packages that are named in a difference.
const NAMED: usize = 3;

impl Cache {
    /// `None` where no graph tells: command lines do not show what was in the cache.
    pub(super) fn of(analysis: &Analysis<'_>) -> Option<Self> {
        let mut cache = Self::default();
        let builds = analysis.builds.builds.iter();
        let told = builds.filter(|build| build.origin != Origin::Processes);
        for action in told.flat_map(|build| &build.actions) {
            let set = match (action.kind, action.outcome) {
                (ActionKind::Compile, Outcome::Built | Outcome::Failed) => &mut cache.built,
                (ActionKind::Compile, Outcome::Cached) => &mut cache.found,
                _ => continue,
            };
            set.insert(action.package.clone());
        }
        // Of several go commands, a later one finds what an earlier one built.
        cache.found.retain(|package| !cache.built.contains(package));
        let any = !cache.built.is_empty() || !cache.found.is_empty();
        any.then_some(cache)
    }

    /// `cold` where nothing was found, else `warm`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.found.is_empty() {
            "cold"
        } else {
            "warm"
        }
    }

    /// Packages that this run built, and the other one found.
    fn built_and_found_by<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Name> {
        self.built.intersection(&other.found)
    }

    fn differs_from(&self, other: &Self) -> bool {
        let mut either = self.built_and_found_by(other);
        either.next().is_some() || other.built_and_found_by(self).next().is_some()
    }
}

/// How the caches of two sides differ beyond what was to be built; `None` where they do not, or no
/// graph tells of a side.
pub(super) fn difference(base: &[&Run], new: &[&Run]) -> Option<Difference> {
    let (first_base, first_new) = (first(base)?, first(new)?);
    let only_base = unexplained(first_base, first_new);
    let only_new = unexplained(first_new, first_base);
    let word = |run: &Run| run.cache.as_ref().map(Cache::state);
    let mixed = |side: &[&Run], first: &Run| {
        let caches = side.iter().filter_map(|run| run.cache.as_ref());
        let mut others = caches.filter(|cache| {
            first
                .cache
                .as_ref()
                .is_some_and(|it| it.differs_from(cache))
        });
        others.next().is_some()
    };
    let same = only_base.is_empty()
        && only_new.is_empty()
        && word(first_base) == word(first_new)
        && !mixed(base, first_base)
        && !mixed(new, first_new);
    (!same).then(|| Difference {
        fact: Fact::Cache,
        base: values(base, first_base, &only_base, "new"),
        new: values(new, first_new, &only_new, "base"),
        binds: true,
    })
}

/// The run that stands for its side: the one that has what packages were made of.
fn first<'r>(side: &[&'r Run]) -> Option<&'r Run> {
    side.iter().copied().find(|run| run.cache.is_some())
}

/// Packages that `run` built and `other` found, although they were to be made of the same.
fn unexplained(run: &Run, other: &Run) -> Vec<Name> {
    let (Some(cache), Some(others)) = (&run.cache, &other.cache) else {
        return Vec::new();
    };
    let explained = |package: &Name| match (run.inputs.get(package), other.inputs.get(package)) {
        (Some(one), Some(another)) => one.action != another.action,
        _ => false,
    };
    let built = cache
        .built_and_found_by(others)
        .filter(|package| !explained(package));
    built.cloned().collect()
}

/// What to say of each run of a side: how it differs from the first one, or that one from the other
/// side.
fn values(side: &[&Run], first: &Run, only: &[Name], other: &str) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for run in side {
        let text = match (&run.cache, &first.cache) {
            (Some(cache), Some(firsts)) if cache.differs_from(firsts) => {
                let built: Vec<Name> = cache.built_and_found_by(firsts).cloned().collect();
                let found: Vec<Name> = firsts.built_and_found_by(cache).cloned().collect();
                let run = format!("run {}", first.name);
                let found = packages("found", &found, &format!("{run} built"));
                cache.state().to_owned()
                    + &packages("built", &built, &format!("{run} found"))
                    + &found
            }
            (Some(cache), _) => {
                cache.state().to_owned() + &packages("built", only, &format!("{other} found"))
            }
            (None, _) => NOT_RECORDED.to_owned(),
        };
        Value::add(&mut values, &Name::from(text), &run.name);
    }
    values
}

/// `, built 12 packages that new found (a, b, c and 9 more)`; nothing of none.
fn packages(verb: &str, names: &[Name], that: &str) -> String {
    let (packages, more) = match names.len() {
        0 => return String::new(),
        1 => ("package".to_owned(), 0),
        count => (format!("{count} packages"), count.saturating_sub(NAMED)),
    };
    let named: Vec<&str> = names.iter().take(NAMED).map(|name| &**name).collect();
    let named = named.join(", ");
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(", {verb} {packages} that {that} ({named}{more})")
}
