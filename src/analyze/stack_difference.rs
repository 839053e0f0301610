//! Stacks of two sides, merged: each path of functions with what it cost in base and in new.
//!
//! Stacks meet where their names are the same but for the architecture, see [`portable()`]. A side
//! may be many runs of one command: what is shown is their mean, and how far two means lie apart
//! is held against how much they scatter.

use super::profile::Weight;
use super::{Name, portable};
use crate::trace::Nanos;
use rustc_hash::FxHashMap;

/// One of the two sides of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is compared.
    New,
}

impl Side {
    /// The side opposite.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Base => Self::New,
            Self::New => Self::Base,
        }
    }

    /// For titles and messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::New => "new",
        }
    }
}

/// A value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides<T> {
    /// Of base.
    pub base: T,
    /// Of new.
    pub new: T,
}

impl<T> Sides<T> {
    /// That of one side.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::Base => &self.base,
            Side::New => &self.new,
        }
    }

    /// That of one side, to be changed.
    pub const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Base => &mut self.base,
            Side::New => &mut self.new,
        }
    }
}

/// What all runs of a side together spent at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Sum over the runs.
    pub sum: Weight,
    /// Sum of the squares of the times of the runs, in square nanoseconds.
    squares: f64,
}

/// A path of functions.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Position of its caller, which stands before it; the root's is its own.
    pub parent: u32,
    /// Position of its name in [`StackDifference::names`].
    pub name: u32,
    /// What ends here, summed over the runs.
    pub own: Sides<Weight>,
    /// What passes through here.
    pub total: Sides<Spent>,
}

/// A path's mean times in both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// In base, scaled where that was asked for.
    pub base: Nanos,
    /// In new.
    pub new: Nanos,
    /// The two lie so near to each other that chance may be all that is between them.
    pub by_chance: bool,
}

/// Differences of fewer standard errors are left to chance.
const STANDARD_ERRORS: f64 = 2.0;

/// Stacks of two sides, merged by path of portable names.
#[derive(Clone, Debug)]
pub struct StackDifference {
    /// The root stands first, each node before what it calls.
    nodes: Vec<Node>,
    /// Names as they were met first. That of the root is empty.
    names: Vec<Name>,
    runs: Sides<u64>,
    /// Stacks were seen at random moments, and not each of them.
    sampled: bool,
    /// What times of base are multiplied by.
    scale: f64,
    known: FxHashMap<Name, u32>,
    children: FxHashMap<(u32, u32), u32>,
}

impl StackDifference {
    /// Without any stack. `sampled` stacks were seen at random moments, so that chance has a part
    /// in a single run, too.
    #[must_use]
    pub fn new(sampled: bool) -> Self {
        Self {
            nodes: vec![Node {
                parent: 0,
                name: 0,
                own: Sides::default(),
                total: Sides::default(),
            }],
            names: vec![Name::default()],
            runs: Sides::default(),
            sampled,
            scale: 1.0,
            known: FxHashMap::from_iter([(Name::default(), 0)]),
            children: FxHashMap::default(),
        }
    }

    /// The position that a name has from now on. Of names that differ by architecture the first
    /// is kept.
    pub fn name(&mut self, name: &Name) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let portable = match portable(name) {
            std::borrow::Cow::Borrowed(same) if same.len() == name.len() => name.clone(),
            other => Name::from(&*other),
        };
        let position = *self.known.entry(portable).or_insert(next);
        if position == next {
            self.names.push(name.clone());
        }
        position
    }

    /// Adds a run: its stacks, from the outermost frame on, with what ends in each. Names are
    /// positions given by [`Self::name`].
    pub fn add_run(&mut self, side: Side, stacks: impl IntoIterator<Item = (Vec<u32>, Weight)>) {
        *self.runs.of_mut(side) += 1;
        let mut of_run: FxHashMap<u32, Weight> = FxHashMap::default();
        for (stack, weight) in stacks {
            let mut at = 0;
            *of_run.entry(at).or_default() += weight;
            for name in stack {
                at = self.child(at, name);
                *of_run.entry(at).or_default() += weight;
            }
            if let Some(node) = self.nodes.get_mut(at as usize) {
                *node.own.of_mut(side) += weight;
            }
        }
        for (at, weight) in of_run {
            if let Some(node) = self.nodes.get_mut(at as usize) {
                let spent = node.total.of_mut(side);
                spent.sum += weight;
                spent.squares += (weight.time.0 as f64).powi(2);
            }
        }
    }

    fn child(&mut self, parent: u32, name: u32) -> u32 {
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let child = *self.children.entry((parent, name)).or_insert(next);
        if child == next {
            self.nodes.push(Node {
                parent,
                name,
                own: Sides::default(),
                total: Sides::default(),
            });
        }
        child
    }

    /// From now on times of base are those that it would have if its runs had cost as much as
    /// those of new. `false`, and nothing is done, where base cost nothing.
    pub fn normalize(&mut self) -> bool {
        let of_all = |side| self.mean(side, self.root().total.of(side).sum.time);
        let (base, new) = (of_all(Side::Base), of_all(Side::New));
        if base > 0.0 {
            self.scale *= new / base;
        }
        base > 0.0
    }

    /// All paths, the root first, each after its caller.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Names of nodes, as they were met first.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// How many runs were added to each side.
    #[must_use]
    pub const fn runs(&self) -> Sides<u64> {
        self.runs
    }

    /// Whether chance has a part in the times: of samples, and of several runs.
    #[must_use]
    pub fn has_chance(&self) -> bool {
        self.sampled || self.runs.base.max(self.runs.new) > 1
    }

    /// What times of base are multiplied by: 1 but for [`Self::normalize`].
    #[must_use]
    pub const fn scale(&self) -> f64 {
        self.scale
    }

    /// What all stacks cost.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// What passes through a node, a run.
    #[must_use]
    pub fn total(&self, node: &Node) -> Means {
        let mean = |side| self.mean(side, node.total.of(side).sum.time);
        let (base, new) = (mean(Side::Base), mean(Side::New));
        let squares = [Side::Base, Side::New].map(|side| self.variance(side, node.total.of(side)));
        let error = squares.iter().sum::<f64>().sqrt();
        Means {
            base: Nanos(base.round() as u64),
            new: Nanos(new.round() as u64),
            by_chance: (new - base).abs() <= STANDARD_ERRORS * error,
        }
    }

    /// What ends at a node, a run: base and new.
    #[must_use]
    pub fn own(&self, node: &Node) -> Sides<Nanos> {
        let mean = |side| self.mean(side, node.own.of(side).time).round();
        Sides {
            base: Nanos(mean(Side::Base) as u64),
            new: Nanos(mean(Side::New) as u64),
        }
    }

    /// In nanoseconds.
    fn mean(&self, side: Side, sum: Nanos) -> f64 {
        sum.0 as f64 / (*self.runs.of(side)).max(1) as f64 * self.scale_of(side)
    }

    const fn scale_of(&self, side: Side) -> f64 {
        match side {
            Side::Base => self.scale,
            Side::New => 1.0,
        }
    }

    /// Of the mean of a side, in square nanoseconds.
    ///
    /// Of `n` runs with times `t` the mean's is `Σ(t - mean)² / (n - 1) / n`. A count of `s`
    /// samples at random moments has the variance `s` (Poisson), which is all that one run can
    /// tell; the larger of the two is taken, as few runs may look alike by luck.
    fn variance(&self, side: Side, spent: &Spent) -> f64 {
        let runs = *self.runs.of(side) as f64;
        let sum = spent.sum.time.0 as f64;
        let between = if runs < 2.0 {
            0.0
        } else {
            let deviations = (spent.squares - sum * sum / runs).max(0.0);
            deviations / (runs - 1.0) / runs
        };
        let of_count = if self.sampled && spent.sum.samples > 0 {
            let mean = sum / runs;
            mean * mean / spent.sum.samples as f64
        } else {
            0.0
        };
        between.max(of_count) * self.scale_of(side).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(time: u64, samples: u64) -> Weight {
        Weight {
            time: Nanos(time),
            samples,
        }
    }

    /// Adds a run of stacks `a;b;c`.
    fn run(into: &mut StackDifference, side: Side, stacks: &[(&str, u64, u64)]) {
        let stacks: Vec<_> = stacks
            .iter()
            .map(|&(stack, time, samples)| {
                let names = stack.split(';').map(|name| into.name(&Name::from(name)));
                (names.collect(), weight(time, samples))
            })
            .collect();
        into.add_run(side, stacks);
    }

    fn means(of: &StackDifference, name: &str) -> (u64, u64, bool) {
        let node = of.nodes().iter().find(|node| {
            let known = of.names().get(node.name as usize);
            known.is_some_and(|known| &**known == name)
        });
        let means = of.total(node.unwrap());
        (means.base.0, means.new.0, means.by_chance)
    }

    #[test]
    fn means_are_of_runs_and_names_meet_across_architectures() {
        let mut difference = StackDifference::new(false);
        run(
            &mut difference,
            Side::New,
            &[("t;a/arm64.F", 90, 9), ("t;g", 10, 1)],
        );
        run(&mut difference, Side::Base, &[("t;a/amd64.F", 40, 4)]);
        run(&mut difference, Side::Base, &[("t;a/amd64.F;h", 50, 5)]);
        assert_eq!(difference.runs(), Sides { base: 2, new: 1 });
        // Squares of deviations from 45: 25 + 25, so the mean's variance is 25.
        assert_eq!(means(&difference, "a/arm64.F"), (45, 90, false));
        assert_eq!(means(&difference, "h"), (25, 0, true));
        assert_eq!(means(&difference, "g"), (0, 10, false));
        let own = difference.own(&difference.nodes()[2]);
        assert_eq!(
            own,
            Sides {
                base: Nanos(20),
                new: Nanos(90)
            }
        );
        let root = difference.total(difference.root());
        assert_eq!((root.base, root.new), (Nanos(45), Nanos(100)));
    }

    #[test]
    fn one_run_of_samples_scatters_as_counts_do() {
        let sampled = |base: u64, new: u64| {
            let mut difference = StackDifference::new(true);
            run(&mut difference, Side::New, &[("f", new * 10, new)]);
            run(&mut difference, Side::Base, &[("f", base * 10, base)]);
            means(&difference, "f").2
        };
        // 2 √(100 + 128) = 30.2 and 2 √(100 + 131) = 30.4.
        assert!(sampled(100, 128));
        assert!(sampled(100, 130));
        assert!(!sampled(100, 131));
        // What is new is there beyond chance from the fifth sample on.
        assert!(sampled(0, 4));
        assert!(!sampled(0, 5));
        assert!(sampled(7, 7));
    }

    #[test]
    fn normalized_base_costs_what_new_does() {
        let mut difference = StackDifference::new(true);
        run(
            &mut difference,
            Side::Base,
            &[("f", 300, 30), ("g", 100, 10)],
        );
        run(
            &mut difference,
            Side::New,
            &[("f", 300, 30), ("g", 500, 50)],
        );
        assert!(difference.normalize());
        assert_eq!(means(&difference, "f"), (600, 300, false));
        assert_eq!(means(&difference, "g"), (200, 500, false));
        assert_eq!(means(&difference, ""), (800, 800, true));
        let mut empty = StackDifference::new(true);
        run(&mut empty, Side::New, &[("f", 300, 30)]);
        assert!(!empty.normalize());
        assert_eq!(means(&empty, "f"), (0, 300, false));
    }
}
