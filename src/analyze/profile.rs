//! Where CPU time (or waiting) went, by function, image, package and tool.

use super::{Analysis, Filter, Name, Tool};
use crate::trace::{Nanos, Unnamed};

/// A number of samples and the time that they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Time.
    pub time: Nanos,
    /// Samples.
    pub samples: u64,
}

impl Weight {
    /// This weight's part of the `whole`'s time, 0 to 1.
    #[must_use]
    pub fn share(self, whole: Self) -> f64 {
        if whole.time == Nanos::ZERO {
            0.0
        } else {
            self.time.0 as f64 / whole.time.0 as f64
        }
    }
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.time += other.time;
        self.samples = self.samples.saturating_add(other.samples);
    }
}

/// A function's part in the samples. Inlined functions count as functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// Name.
    pub name: Name,
    /// Source file, or empty.
    pub file: Name,
    /// Samples in which it was the innermost function.
    pub own: Weight,
    /// Samples in which it was anywhere on the stack, each counted once.
    pub total: Weight,
}

/// Samples of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<K> {
    /// What it is about.
    pub key: K,
    /// Samples whose innermost frame (image), or whose program (package, tool) it is.
    pub own: Weight,
}

/// How many stacks reach their root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Samples of programs that are `compile`, those with truncated stacks included.
    pub samples: u64,
    /// Those whose outermost function is a root of Go stacks (`runtime.goexit`,
    /// `runtime.mstart`, `runtime.rt0_go`, ...).
    pub reached: u64,
}

/// Where the time of the samples that pass a filter went.
///
/// The `own` weights of `functions` and the weights of `unnamed` together are `total`; so are
/// those of `images`, of `packages` and of `tools`, each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// All samples.
    pub total: Weight,
    /// By function, by own time, largest first.
    pub functions: Vec<FunctionRow>,
    /// By the path of the image that the innermost frame lies in; `[kernel]`, `[unmapped]` and
    /// `[truncated]` stand for frames in none.
    pub images: Vec<Row<Name>>,
    /// By the package that the program worked for.
    pub packages: Vec<Row<Option<Name>>>,
    /// By tool.
    pub tools: Vec<Row<Tool>>,
    /// Samples whose innermost frame has no name, by reason.
    pub unnamed: Vec<Row<Unnamed>>,
    /// Samples whose stack could not be followed to its root.
    pub truncated: Weight,
    /// How many stacks of compilers reach their root.
    pub roots: Roots,
    /// The stacks came from the tools' own profiles.
    pub from_profiles: bool,
    /// Blocks of samples that could not be read.
    pub unreadable_blocks: u64,
}

impl Profile {
    /// Reads all samples once.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, filter: &Filter) -> Self {
        let _ = (analysis, filter);
        Self::default()
    }
}
