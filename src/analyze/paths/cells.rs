//! Cells as they come: what is spent to sums of it, never many more than may stay.

use super::{Kind, Place};
use crate::analyze::profile::Weight;
use crate::trace::{Nanos, ProcessId};
use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::{BuildHasher as _, Hash, Hasher};

/// Whose time it is, and what it was spent in.
pub(super) type Owner = (Kind, ProcessId, Place);

/// Owners by number. They are few beside the samples of each, whose cells are so found by two words.
#[derive(Default)]
pub(super) struct Owners {
    ids: FxHashMap<Owner, u32>,
    list: Vec<Owner>,
    /// That which was asked for last: of a thread that runs on, the next sample's, too.
    last: u32,
}

impl Owners {
    pub(super) fn id(&mut self, owner: Owner) -> u32 {
        if self.get(self.last) != Some(owner) {
            let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            self.last = *self.ids.entry(owner).or_insert(next);
            if self.last == next {
                self.list.push(owner);
            }
        }
        self.last
    }

    pub(super) fn get(&self, id: u32) -> Option<Owner> {
        self.list.get(id as usize).copied()
    }
}

/// What is added up: what an owner, by its number, spent in a path while a step went on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) owner: u32,
    pub(super) path: u32,
    step: u64,
}

/// As two words: it is hashed for each sample.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.owner) << u32::BITS | u64::from(self.path));
        state.write_u64(self.step);
    }
}

#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub(super) from: Nanos,
    pub(super) to: Nanos,
    pub(super) weight: Weight,
}

impl Spent {
    fn join(&mut self, other: &Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.weight += other.weight;
    }
}

/// Time within which samples are merged, when they first have to be.
const FIRST_STEP: Nanos = Nanos(1_000_000);

/// Sums of what was spent.
///
/// To find one of a million is to wait for memory, so there is little of it: a number is hashed, and what it is of
/// stands in the list.
pub(super) struct Cells {
    most: usize,
    /// In the order in which they came.
    list: Vec<(Key, Spent)>,
    /// Positions in the list.
    places: HashTable<u32>,
    /// The position of the one that was added to last: of a thread that runs on, the next sample's, too.
    last: usize,
    step: Nanos,
    end: Nanos,
}

impl Cells {
    pub(super) fn of_at_most(most: usize) -> Self {
        Self {
            most,
            list: Vec::new(),
            places: HashTable::new(),
            last: 0,
            step: Nanos::ZERO,
            end: Nanos::ZERO,
        }
    }

    pub(super) fn add(&mut self, (owner, path): (u32, u32), spent: Spent) {
        self.end = self.end.max(spent.to);
        let step = spent.to.0 / self.step.0.max(1);
        let key = Key { owner, path, step };
        match self.list.get_mut(self.last) {
            Some((known, sum)) if *known == key => sum.join(&spent),
            _ => {
                let next = self.list.len();
                self.last = place(&mut self.places, &self.list, key, next);
                match self.list.get_mut(self.last) {
                    Some((_, sum)) => sum.join(&spent),
                    None => self.list.push((key, spent)),
                }
                if next > self.most.saturating_mul(2) {
                    self.coarsen();
                }
            }
        }
    }

    /// Doubles the step until there are few enough, or one step is all of the time.
    fn coarsen(&mut self) {
        while self.list.len() > self.most && self.step <= self.end {
            self.step = Nanos(self.step.0.saturating_mul(2)).max(FIRST_STEP);
            self.places.clear();
            let mut kept = 0;
            for at in 0..self.list.len() {
                let (key, spent) = self.list[at];
                let step = spent.to.0 / self.step.0;
                let key = Key { step, ..key };
                let to = place(&mut self.places, &self.list, key, kept);
                if to == kept {
                    self.list[kept] = (key, spent);
                    kept += 1;
                } else {
                    self.list[to].1.join(&spent);
                }
            }
            self.list.truncate(kept);
        }
    }

    /// No more of them come.
    pub(super) fn settle(mut self) -> Settled {
        self.coarsen();
        self.list
            .sort_unstable_by_key(|(key, _)| (key.owner, key.step, key.path));
        Settled {
            list: self.list,
            step: self.step,
        }
    }
}

/// The place of the cell of a key in a list: `next`, where it has none yet.
fn place(places: &mut HashTable<u32>, list: &[(Key, Spent)], key: Key, next: usize) -> usize {
    let hash = |key: Key| FxBuildHasher.hash_one(key);
    let is_it = |at: &u32| list[*at as usize].0 == key;
    let rehash = |at: &u32| hash(list[*at as usize].0);
    let entry = places.entry(hash(key), is_it, rehash);
    *entry
        .or_insert(u32::try_from(next).unwrap_or(u32::MAX))
        .get() as usize
}

/// All cells, those of an owner and a step side by side: only such ones are ever merged when they get other paths.
pub(super) struct Settled {
    list: Vec<(Key, Spent)>,
    pub(super) step: Nanos,
}

impl Settled {
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Key, Spent)> {
        self.list.iter()
    }

    /// Gives each cell its path anew.
    pub(super) fn move_to(&mut self, path: impl Fn(u32) -> u32) {
        let is_beside = |(one, _): &(Key, Spent), (next, _): &(Key, Spent)| {
            (one.owner, one.step) == (next.owner, next.step)
        };
        for beside in self.list.chunk_by_mut(is_beside) {
            for (key, _) in beside.iter_mut() {
                key.path = path(key.path);
            }
            beside.sort_unstable_by_key(|(key, _)| key.path);
        }
        self.list.dedup_by(|(key, spent), (kept, sum)| {
            let is_same = key == kept;
            if is_same {
                sum.join(spent);
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const MS: u64 = FIRST_STEP.0;

    type Rows = BTreeMap<(u32, u32, u64), (u64, u64, u64, u64)>;

    /// What samples of a millisecond each come to, cell by cell, in steps of so many milliseconds.
    fn merged(samples: &[(u32, u32, u64)], step: u64) -> Rows {
        let mut rows = Rows::new();
        for &(owner, path, ms) in samples {
            let key = (owner, path, ms / step.max(1));
            let row = rows.entry(key).or_insert((ms, ms, 0, 0));
            *row = (row.0.min(ms), row.1.max(ms), row.2 + 1, row.3 + 1);
        }
        rows
    }

    fn rows(cells: &Settled) -> Rows {
        let step = cells.step.0.max(MS);
        let row = |(key, spent): &(Key, Spent)| {
            let Weight { time, samples } = spent.weight;
            let (from, to) = (spent.from.0 / MS, spent.to.0 / MS);
            let key = (key.owner, key.path, spent.to.0 / step);
            (key, (from, to, time.0 / MS, samples))
        };
        let rows: Rows = cells.iter().map(row).collect();
        assert_eq!(rows.len(), cells.len(), "a cell twice");
        rows
    }

    proptest! {
        /// As an ordered map has them: all of them in the shortest step with which there are few enough, and then those
        /// of paths that became one.
        #[test]
        fn cells_are_those_of_an_ordered_map(
            samples in proptest::collection::vec((0_u32..3, 0_u32..6, 0_u64..100), 1..200),
            most in 1_usize..60,
        ) {
            let mut cells = Cells::of_at_most(most);
            for &(owner, path, ms) in &samples {
                let time = Nanos(ms * MS);
                let weight = Weight { time: Nanos(MS), samples: 1 };
                cells.add((owner, path), Spent { from: time, to: time, weight });
            }
            let end = samples.iter().map(|sample| sample.2).max().unwrap_or_default();
            let mut step = 0;
            while merged(&samples, step).len() > most && step <= end {
                step = (step * 2).max(1);
            }
            let mut cells = cells.settle();
            prop_assert_eq!(cells.step, Nanos(step * MS));
            prop_assert_eq!(rows(&cells), merged(&samples, step));

            cells.move_to(|path| path / 2);
            let moved: Vec<_> = samples.iter().map(|&(owner, path, ms)| (owner, path / 2, ms)).collect();
            prop_assert_eq!(rows(&cells), merged(&moved, step));
        }
    }
}
