//! What a figure is about, and what it measures: the same on both sides, or the two are not
//! compared.

use crate::analyze::Name;
use crate::analyze::build::ActionKind;

/// What a figure is about. Order is that of reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The whole command.
    Whole,
    /// Programs that work for the package of this import path; empty for those that work for none.
    Package(Name),
    /// Programs of this kind, by [`crate::analyze::Tool::name`].
    Tool(Name),
    /// A phase of a tool.
    Phase {
        /// What it is a part of: `compile`.
        track: Name,
        /// Its name: `typecheck`.
        phase: Name,
    },
    /// Signals that Go's runtime sends itself, by name: `SIGURG`, `SIGPROF`.
    Signal(Name),
    /// A step of the build.
    Action {
        /// What it does.
        kind: ActionKind,
        /// For which package.
        package: Name,
    },
    /// A function, inlined ones too, of a kind of program.
    Function {
        /// Of which kind: `main.main` is another function in each tool.
        tool: Name,
        /// Its name without its architecture, see [`crate::analyze::portable()`].
        name: Name,
    },
}

/// What a figure measures. Nanoseconds where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// From its start to its end.
    Wall,
    /// CPU time: as the system counted it for the whole command, packages and tools; of samples
    /// for phases.
    Cpu,
    /// CPU time / wall time: cores kept busy on average. A ratio.
    Parallelism,
    /// The longest chain of dependent actions: with any number of cores, the build takes that.
    LongestChain,
    /// Samples in which a function was the innermost one.
    Own,
    /// Samples in which a function was anywhere on the stack.
    Total,
    /// Samples in programs before their `main` began.
    StartUp,
    /// Samples in programs since.
    SteadyState,
    /// Samples in programs of which no stack tells whether it had.
    Unplaced,
    /// Samples in the code of a translator itself.
    Translator,
    /// Time in calls of a function that are not within another call of it.
    CallTime,
    /// How many: programs of a tool, occurrences of a phase, signals, calls of a function. A number.
    Count,
}

/// A figure's place in a [`super::Run`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is about.
    pub subject: Subject,
    /// What it measures.
    pub measure: Measure,
}

impl Subject {
    /// One word for what kind of thing it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Package(_) => "package",
            Self::Tool(_) => "tool",
            Self::Phase { .. } => "phase",
            Self::Signal(_) => "signal",
            Self::Action { .. } => "action",
            Self::Function { .. } => "function",
        }
    }

    /// What it is called among its kind: `compile typecheck`; empty for the whole command.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::Whole => Name::default(),
            Self::Package(name) if name.is_empty() => Name::from("(no package)"),
            Self::Package(name) | Self::Tool(name) | Self::Signal(name) => name.clone(),
            Self::Phase { track, phase } => Name::from(format!("{track} {phase}")),
            Self::Action { kind, package } => Name::from(format!("{} {package}", kind.name())),
            Self::Function { tool, name } => Name::from(format!("{tool}: {name}")),
        }
    }
}

impl Measure {
    /// A few words for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Cpu => "CPU",
            Self::Parallelism => "parallelism",
            Self::LongestChain => "longest chain",
            Self::Own => "self",
            Self::Total => "total",
            Self::StartUp => "start-up",
            Self::SteadyState => "steady state",
            Self::Unplaced => "start-up or steady state",
            Self::Translator => "translator",
            Self::CallTime => "time in calls",
            Self::Count => "count",
        }
    }

    /// Whether it is a length of time, in nanoseconds.
    #[must_use]
    pub const fn is_time(self) -> bool {
        !matches!(self, Self::Parallelism | Self::Count)
    }
}

impl Key {
    /// Whether a change of it gets a verdict. These are one family of tests; all else is shown
    /// with its interval.
    #[must_use]
    pub const fn is_judged(&self) -> bool {
        match self.subject {
            Subject::Whole => matches!(
                self.measure,
                Measure::Wall | Measure::Cpu | Measure::LongestChain
            ),
            Subject::Package(_) | Subject::Tool(_) | Subject::Phase { .. } => {
                matches!(self.measure, Measure::Cpu)
            }
            Subject::Signal(_) | Subject::Action { .. } | Subject::Function { .. } => false,
        }
    }
}
