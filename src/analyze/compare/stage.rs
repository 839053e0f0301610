//! How far a program had come when it was sampled: coming up, or at its own work.
//!
//! A program comes up until its `main` begins (Go's `main.main`, C's `main`): the kernel maps it, the
//! dynamic loader fixes it up, a translator starts and translates what runs first, Go's runtime
//! initialises itself and the packages. No event tells when that is over, but most stacks do tell on
//! which side of it they are.

use crate::trace::{Nanos, StackId, Trace};

/// What a stack tells of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing: it is cut, or of a thread that may run at any time.
    #[default]
    Unknown,
    /// The loader, the runtime's beginning or a package's initialisation is on it.
    ComingUp,
    /// It is of a goroutine of the program's own, which `main` began, or a package's
    /// initialisation; or of the garbage collector, which has work once there is a heap.
    Goroutine,
    /// `main` is on it.
    Main,
}

/// Time of a program's samples before and after its `main` began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    reached: Stage,
    start_up: Nanos,
    /// Since the first goroutine: start-up if the program turns out to be still coming up.
    pending: Nanos,
    steady: Nanos,
}

impl Progress {
    /// Adds a sample; they come in the order of time.
    pub(super) fn add(&mut self, stage: Stage, time: Nanos) {
        match (self.reached, stage) {
            (Stage::Main, _) => self.steady += time,
            (_, Stage::Main) => {
                self.steady += std::mem::take(&mut self.pending) + time;
                self.reached = Stage::Main;
            }
            (_, Stage::ComingUp) => {
                self.start_up += std::mem::take(&mut self.pending) + time;
                self.reached = Stage::ComingUp;
            }
            (Stage::Goroutine, _) | (_, Stage::Goroutine) => {
                self.pending += time;
                self.reached = Stage::Goroutine;
            }
            (Stage::Unknown | Stage::ComingUp, Stage::Unknown) => self.start_up += time,
        }
    }

    /// Before and after; `None` where no stack told anything.
    pub(super) fn split(&self) -> Option<(Nanos, Nanos)> {
        let told = self.reached != Stage::Unknown;
        told.then(|| (self.start_up, self.steady + self.pending))
    }

    /// All samples.
    pub(super) fn total(&self) -> Nanos {
        self.start_up + self.pending + self.steady
    }
}

/// What a function on a stack means for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// `main.main` of Go.
    GoMain,
    /// `main` of C: a program of its own, or what the C library calls of a Go program.
    CMain,
    /// Where the kernel or the loader begins.
    Loader,
    /// Where Go's runtime begins, or its first goroutine, which initialises and then calls main.
    Runtime,
    /// Outermost function of each goroutine.
    Goexit,
    /// A worker of the garbage collector.
    Collector,
    /// Another function of the runtime.
    OfRuntime,
    /// Any other.
    Other,
}

impl Mark {
    fn of(name: &[u8]) -> Self {
        let name = name.strip_suffix(b".abi0").unwrap_or(name);
        match name {
            b"main.main" => Self::GoMain,
            b"main" => Self::CMain,
            b"_start" | b"_dl_start" | b"_dl_start_user" | b"start" => Self::Loader,
            b"runtime.rt0_go" | b"runtime.main" => Self::Runtime,
            b"runtime.goexit" => Self::Goexit,
            b"runtime.gcBgMarkWorker" => Self::Collector,
            _ if name.starts_with(b"_rt0_") => Self::Runtime,
            _ if name.starts_with(b"runtime.") => Self::OfRuntime,
            _ => Self::Other,
        }
    }
}

/// What a stack tells, from its root up to some frame.
#[derive(Clone, Copy, Default)]
enum Path {
    /// There is no frame yet.
    #[default]
    Root,
    /// Only [`Mark::Goexit`]: the next function is the goroutine's own.
    Goroutine,
    /// C's `main` is the innermost function.
    CMain,
    At(Stage),
}

impl Path {
    /// With one more function, `None` for a frame without a name.
    fn then(self, mark: Option<Mark>) -> Self {
        let Some(mark) = mark else {
            return match self {
                Self::Root | Self::Goroutine => Self::At(Stage::Unknown),
                path => Self::At(path.stage()),
            };
        };
        match (self, mark) {
            // The C library's `main` of a Go program begins the runtime.
            (Self::CMain, Mark::Runtime) => Self::At(Stage::ComingUp),
            (Self::At(Stage::Main) | Self::CMain, _) => Self::At(Stage::Main),
            (_, Mark::GoMain) => Self::At(Stage::Main),
            (Self::Root | Self::At(Stage::Unknown | Stage::ComingUp), Mark::CMain) => Self::CMain,
            (_, Mark::Runtime) | (Self::Root, Mark::Loader) => Self::At(Stage::ComingUp),
            (Self::Root, Mark::Goexit) => Self::Goroutine,
            (Self::Goroutine, Mark::Other | Mark::CMain | Mark::Loader)
            | (Self::At(Stage::Unknown) | Self::Goroutine, Mark::Collector) => {
                Self::At(Stage::Goroutine)
            }
            (Self::Root | Self::Goroutine, _) => Self::At(Stage::Unknown),
            (Self::At(stage), _) => Self::At(stage),
        }
    }

    const fn stage(self) -> Stage {
        match self {
            Self::Root | Self::Goroutine => Stage::Unknown,
            Self::CMain => Stage::Main,
            Self::At(stage) => stage,
        }
    }
}

/// What each stack of a trace tells.
pub(super) fn of_stacks(trace: &Trace) -> Vec<Stage> {
    let names = trace.functions.iter();
    let marks: Vec<Mark> = names
        .map(|function| Mark::of(trace.strings.get(function.name)))
        .collect();
    let mut paths: Vec<Path> = Vec::with_capacity(trace.stacks.len());
    for id in (0..).map(StackId).take(trace.stacks.len()) {
        // Callers stand before their callees in the table.
        let path = trace
            .stacks
            .node(id)
            .map_or_else(Path::default, |(callers, frame)| {
                let callers = paths.get(callers.index()).copied().unwrap_or_default();
                match trace.symbol(frame) {
                    Ok(names @ [_, ..]) => names.iter().rev().fold(callers, |path, location| {
                        path.then(marks.get(location.function.index()).copied())
                    }),
                    _ => callers.then(None),
                }
            });
        paths.push(path);
    }
    paths.into_iter().map(Path::stage).collect()
}
