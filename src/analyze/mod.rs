//! Pure functions over a trace: build graph, critical path, costs, call trees. No I/O.
//!
//! A [`Trace`] comes in; plain values go out, for `render` to draw and `export` to write:
//!
//! - [`Roles`] says for each process what tool it is and which package it works for;
//! - [`build`] holds the build graph of each go command: actions, critical path, what-if;
//! - [`cost`] adds up CPU, wall and waiting per package, tool, action and process;
//! - [`profile`] ranks functions and images by samples; [`call_tree`] merges stacks; [`frame`]
//!   says what stands for a frame without a name;
//! - [`paths`] merges stacks and keeps who spent what in each, and when, to be merged anew in parts;
//! - [`stack_difference`] lays the stacks of two sides over each other;
//! - [`bindings`] counts loads and binds, and says what dynamic linking cost;
//! - [`calls`] pairs the entries and exits of watched functions;
//! - [`Phases`] says what the calls of marking functions tell of the tools' phases,
//!   [`GoroutineStates`] what they tell of goroutines; [`GoroutineRows`] has all of a goroutine;
//! - [`activity`] says when threads and goroutines ran and waited, as far as samples tell;
//! - [`portable()`] is the name of a function without its architecture;
//! - [`scope`] says which definition each import comes to, [`shares`] what the images of a program cost its
//!   loader, [`slides`] where they lay;
//! - [`lanes`] puts spans side by side; [`timeline`] fills lanes, and counts concurrency and CPU over time;
//! - [`Life`] says when one program ran and waited;
//! - [`Limits`] says what limited the longest build, and what would help;
//! - [`compare`] reduces runs to figures and lays two groups of them side by side;
//! - [`experiment`] compares several groups with a baseline; [`Naming`] counts frames with names;
//! - [`statistics`] tells changes from noise;
//! - [`summary`] gathers what is shown after a run;
//! - [`toolchain`] says which Go toolchains can be watched, and whether two can be compared;
//! - [`inspect`] says what a binary is, and which rules of a Mac it breaks;
//! - [`selftest`] compares recordings of small programs with what those say that they did;
//! - [`doctor`] says what is wrong with a machine's Go, and what would help;
//! - [`explain`] says why a build or a program failed.
//!
//! [`Analysis`] computes the first two once and hands them to the others. Processes that are
//! gotrace's own ([`crate::trace::Process::own`]) stand in no row and no total.

pub mod activity;
mod argv;
pub mod bindings;
pub mod build;
mod by;
mod by_stack;
mod c_library;
pub mod call_tree;
pub mod calls;
mod children;
pub mod compare;
pub mod cost;
pub mod doctor;
pub mod experiment;
pub mod explain;
mod filter;
pub mod frame;
mod goroutine_rows;
mod goroutines;
mod images;
pub mod inspect;
pub mod lanes;
mod life;
mod limits;
mod machine;
mod name;
mod naming;
pub mod paths;
mod phases;
mod portable;
pub mod profile;
mod role;
pub mod scope;
pub mod selftest;
pub mod shares;
pub mod slides;
pub mod stack_difference;
pub mod statistics;
pub mod summary;
pub mod timeline;
mod tool;
pub mod toolchain;

pub use bindings::Bindings;
pub use build::{Build, Builds};
pub use by::By;
pub use call_tree::CallTree;
pub use compare::{Comparison, Run};
pub use cost::Costs;
pub use doctor::Diagnosis;
pub use filter::{Filter, Source};
pub use goroutine_rows::{CallBar, GoroutineRow, GoroutineRows};
pub use goroutines::{GoroutineState, GoroutineStates};
pub use images::{ImageRow, Images};
pub use inspect::Inspection;
pub use life::Life;
pub use limits::Limits;
pub use name::Name;
pub use naming::Naming;
pub use paths::Paths;
pub use phases::{PhaseIndex, PhaseRow, PhaseSpan, Phases};
pub use portable::portable;
pub use profile::Profile;
pub use role::{Role, Roles};
pub use stack_difference::StackDifference;
pub use summary::{Gap, Summary};
pub use timeline::Timeline;
pub use tool::Tool;

use crate::trace::{Nanos, Pid, Process, SampleKind, StringId, Trace};
use build::BuildAction;

/// A trace with the roles of its processes and the graphs of its builds.
#[derive(Debug)]
pub struct Analysis<'t> {
    /// What is analyzed.
    pub trace: &'t Trace,
    /// [`Trace::end`], which walks all processes, computed once.
    pub end: Nanos,
    /// What each process is, and for which package it works.
    pub roles: Roles,
    /// The builds of the go commands, in the order of their start.
    pub builds: Builds,
}

impl<'t> Analysis<'t> {
    /// Whether functions were watched because the user named them, and not for a set.
    #[must_use]
    pub fn has_named_functions(&self) -> bool {
        let mut probes = self.trace.probes.iter();
        probes.any(|probe| probe.set == StringId::EMPTY)
    }

    /// Whether stacks of waiting threads were recorded. Reads samples up to the first.
    #[must_use]
    pub fn has_waiting_samples(&self) -> bool {
        let mut blocks = self.trace.samples().flatten();
        blocks.any(|block| block.iter().any(|sample| sample.kind == SampleKind::OffCpu))
    }

    /// Computes roles and build graphs. Linear in processes, actions and dependencies.
    #[must_use]
    pub fn of(trace: &'t Trace) -> Self {
        let roles = Roles::of(trace);
        let builds = Builds::of(trace, &roles);
        Self {
            trace,
            end: trace.end(),
            roles,
            builds,
        }
    }

    /// Whether a program of the command ran under this pid.
    #[must_use]
    pub fn ran_as(&self, pid: Pid) -> bool {
        let mut programs = self
            .roles
            .iter()
            .filter_map(|(id, _)| self.trace.process(id));
        programs.any(|process| process.pid == pid)
    }

    /// The program of an action that ran longest while the action did: what it is shown by. One
    /// whose end was not seen counts up to the action's end.
    #[must_use]
    pub fn main_process(&self, action: &BuildAction) -> Option<&'t Process> {
        let processes = action.processes.iter();
        processes
            .filter_map(|&id| self.trace.process(id))
            .max_by_key(|process| {
                let ran = process.end_or(action.end).since(process.start);
                (ran, std::cmp::Reverse(process.id))
            })
    }

    /// What each package, tool, action and process cost.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.costs_of(&Filter::default())
    }

    /// The same of the programs that pass `filter`.
    #[must_use]
    pub fn costs_of(&self, filter: &Filter) -> Costs {
        Costs::of(self, filter)
    }

    /// Functions and images by the samples that pass `filter`. Reads all samples once.
    #[must_use]
    pub fn profile(&self, filter: &Filter) -> Profile {
        Profile::of(self, filter)
    }

    /// Images by the samples that end in them ([`Profile::images`]), and by where all of them lay.
    #[must_use]
    pub fn images(&self, sampled: &[profile::Row<Name>]) -> Images {
        Images::of(self.trace, sampled)
    }

    /// Dynamic linking in the programs that pass `filter`; with `lazy` only binds at first calls. Reads all
    /// binds, twice where files were read.
    #[must_use]
    pub fn bindings(&self, filter: &Filter, lazy: bool) -> Bindings {
        Bindings::of(self, filter, lazy)
    }

    /// Phases of tools, where calls mark them. Reads all calls and all samples once.
    #[must_use]
    pub fn phases(&self) -> Phases {
        self.phases_of(&Filter::default())
    }

    /// The same of the programs that pass `filter`.
    #[must_use]
    pub fn phases_of(&self, filter: &Filter) -> Phases {
        Phases::of(self, filter)
    }

    /// The merged stacks of the samples that pass `filter`. Reads all samples once.
    #[must_use]
    pub fn call_tree(&self, options: &call_tree::Options) -> CallTree {
        CallTree::of(self, options)
    }

    /// Lanes, concurrency and CPU over time. Reads all samples once.
    #[must_use]
    pub fn timeline(&self, options: timeline::Options) -> Timeline {
        Timeline::of(self, options)
    }

    /// What limited the longest build, where there was one. Reads all samples once.
    #[must_use]
    pub fn limits(&self) -> Option<Limits> {
        Limits::of(self)
    }

    /// What was lost, not seen, or is wrong with the file; `unreadable_blocks` is how many blocks
    /// of samples could not be read. Equal ones are counted together.
    #[must_use]
    pub fn gaps(&self, unreadable_blocks: u64) -> Vec<Gap> {
        summary::gaps(self, unreadable_blocks)
    }

    /// The same with the blocks of samples that cannot be read. Reads all samples once.
    #[must_use]
    pub fn all_gaps(&self) -> Vec<Gap> {
        self.gaps(filter::walk(self.trace, |_| {}))
    }

    /// What is shown after a run, with at most `top` rows in each ranking.
    #[must_use]
    pub fn summary(&self, top: usize) -> Summary {
        Summary::of(self, top)
    }
}
