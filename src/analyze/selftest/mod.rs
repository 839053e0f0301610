//! Judges a selftest: what small programs say that they did, and traces of them, in; whether the traces
//! hold just that out.
//!
//! The programs are those of `samples/selftest`. What they print ([`Said`]), what the loader tells of
//! itself ([`Linked`]) are what a trace is compared with: none of
//! it comes from a recording.

mod judge;
mod linked;
mod said;

pub use judge::{
    attached, build, calls, held, linking, samples, tools, translated, tree, waiting, whole,
};
pub use linked::Linked;
pub use said::{Called, Said};

use crate::environment::Refusal;

macro_rules! trials {
    ($($trial:ident, $id:literal, $linux:literal, $macos:literal, $question:literal;)+) => {
        /// What a selftest tries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Trial {
            $(#[doc = $question] $trial,)+
        }

        impl Trial {
            /// All of them, in their order.
            pub const ALL: &[Self] = &[$(Self::$trial),+];

            /// What it is called: letters.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$trial => $id),+ }
            }

            /// What it asks.
            #[must_use]
            pub const fn question(self) -> &'static str {
                match self { $(Self::$trial => $question),+ }
            }

            /// The backend that it tries on a system (`linux`, `macos`); empty where there is none that
            /// could.
            #[must_use]
            pub fn backend(self, os: &str) -> &'static str {
                let (linux, macos) = match self { $(Self::$trial => ($linux, $macos)),+ };
                match os { "linux" => linux, "macos" => macos, _ => "" }
            }
        }
    };
}

trials! {
    Tools, "tools", "toolexec", "toolexec", "Is each tool of a build recorded, and is the program the one that was to be built?";
    Build, "build", "bpf", "", "Is each tool recorded without a shim, with the phases of compilers?";
    Tree, "tree", "bpf", "", "Is every process recorded, with its parent and how it ended?";
    Samples, "samples", "bpf", "mach", "Are stacks named, their goroutines told, and as much CPU time sampled as the kernel counts?";
    Waiting, "waiting", "bpf", "", "Is the time of a waiting thread recorded, with its stack?";
    Calls, "calls", "bpf", "dtrace", "Is each call of a watched function recorded, with its goroutine, its argument and its end?";
    Copies, "copies", "patch", "patch", "Is each call recorded without rights, by a copy of the program?";
    Hold, "hold", "", "dtrace", "Does dtrace take hold of a program that is suspended before its first instruction, or of one that it starts itself?";
    Attach, "attach", "bpf", "", "Is each call recorded of a program that runs already?";
    Bindings, "bindings", "audit", "dyldlog", "Are loads and binds those that the loader itself tells of, or that the file asks for?";
    Translated, "translated", "bpf", "mach", "Are stacks named in a program for another architecture, and is it told that it is translated?";
}

/// A fact of a trace beside what it ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Of what.
    pub what: &'static str,
    /// What it ought to be.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// They agree.
    pub fits: bool,
}

impl Comparison {
    /// Of two values that ought to be the same.
    #[must_use]
    pub fn of<T: PartialEq + ToString>(what: &'static str, expected: T, found: T) -> Self {
        let fits = expected == found;
        let [expected, found] = [expected, found].map(|value| match value.to_string() {
            text if text.is_empty() => "nothing".to_owned(),
            text => text,
        });
        Self {
            what,
            expected,
            found,
            fits,
        }
    }
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All that was compared agrees.
    Passed,
    /// Something does not, or what was to be compared did not come about: why.
    Failed(String),
    /// It cannot be done on this machine.
    NotHere(Refusal),
}

impl Standing {
    /// One or two words for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotHere(_) => "not here",
        }
    }
}

/// How many trials ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that was compared agrees.
    pub passed: usize,
    /// Something does not.
    pub failed: usize,
    /// They cannot be made here.
    pub not_here: usize,
}

impl Counts {
    /// Counts.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            *match outcome.standing {
                Standing::Passed => &mut counts.passed,
                Standing::Failed(_) => &mut counts.failed,
                Standing::NotHere(_) => &mut counts.not_here,
            } += 1;
        }
        counts
    }
}

/// A trial that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub trial: Trial,
    /// How it ended.
    pub standing: Standing,
    /// The command lines that were run, in their order.
    pub commands: Vec<String>,
    /// What was compared.
    pub comparisons: Vec<Comparison>,
    /// What gotrace said meanwhile, and the programs.
    pub told: String,
}

impl Outcome {
    /// Of what was compared.
    #[must_use]
    pub fn of(trial: Trial, comparisons: Vec<Comparison>) -> Self {
        let wrong = comparisons.iter().filter(|one| !one.fits);
        let wrong: Vec<String> = wrong
            .map(|one| {
                format!(
                    "{}: expected {}, found {}",
                    one.what, one.expected, one.found
                )
            })
            .collect();
        Self {
            trial,
            standing: match wrong.is_empty() {
                true if comparisons.is_empty() => {
                    Standing::Failed("nothing was compared".to_owned())
                }
                true => Standing::Passed,
                false => Standing::Failed(wrong.join("; ")),
            },
            commands: Vec::new(),
            comparisons,
            told: String::new(),
        }
    }

    /// Of a trial of which nothing can be compared.
    #[must_use]
    pub const fn without(trial: Trial, standing: Standing) -> Self {
        Self {
            trial,
            standing,
            commands: Vec::new(),
            comparisons: Vec::new(),
            told: String::new(),
        }
    }
}
