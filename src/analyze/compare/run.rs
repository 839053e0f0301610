//! One run as a small value: what two groups of runs are compared by.

use super::cache::Cache;
use super::facts::Facts;
use super::inputs::{self, Inputs};
use super::key::{Key, Measure, Subject};
use super::lost::Lost;
use super::translation::Translation;
use super::{functions, samples, signals};
use crate::analyze::{Analysis, Name, Phases, summary};
use crate::trace::{ClockAnchor, ExitStatus, Nanos, ProcessId, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// One run, reduced to what is compared. Small, whatever the size of its trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// What it is called: the name of its file.
    pub name: Name,
    /// When it was recorded, to the nanosecond, which tells recordings from each other: a copy of a
    /// trace has the same. `None` where the trace does not tell.
    pub recording: Option<ClockAnchor>,
    /// Its command line.
    pub command: Name,
    /// How the command ended, where that was seen.
    pub status: Option<ExitStatus>,
    /// Version of its Go toolchain (`go1.27.3`), empty where there was none.
    pub go: Name,
    /// Who ran its programs.
    pub translation: Translation,
    /// What must be the same for figures to be comparable.
    pub facts: Facts,
    /// Every figure: nanoseconds, but for parallelism and counts. What is not there was not seen.
    pub figures: BTreeMap<Key, f64>,
    /// There are samples, so that a function without any took no time.
    pub sampled: bool,
    /// Functions whose calls were watched, for the user named them: those without a figure were not called.
    pub called: BTreeSet<Name>,
    /// Phases that were watched, by track and name: those without a figure did not occur.
    pub watched: BTreeSet<(Name, Name)>,
    /// Which packages were built and which were not, where that is known.
    pub cache: Option<Cache>,
    /// What was lost.
    pub lost: Lost,
    /// Programs of which no end was seen, by what they worked for: their CPU time is not known.
    pub unended: Vec<Subject>,
    /// Hashes of what was linked, by import path.
    pub outputs: BTreeMap<Name, Name>,
    /// What each package was made of, as far as the go command's graph tells.
    pub inputs: BTreeMap<Name, Inputs>,
}

impl Run {
    /// Reduces a trace. Reads all samples twice, all calls, and all call trees twice.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>, name: &str) -> Self {
        let trace = analysis.trace;
        let mut run = Self {
            name: Name::from(name),
            recording: (trace.anchor.unix_ns > 0).then_some(trace.anchor),
            command: summary::command(analysis),
            status: trace.ending.and_then(|ending| ending.status),
            go: trace.toolchains.first().map_or_else(Name::default, |go| {
                Name::from(trace.strings.get(go.version))
            }),
            translation: Translation::of(trace, &analysis.roles),
            facts: Facts::of(analysis),
            sampled: trace.sample_count() > 0 || !trace.profiles.is_empty(),
            watched: watched(trace),
            cache: Cache::of(analysis),
            outputs: inputs::outputs(trace),
            inputs: inputs::of(trace),
            ..Self::default()
        };
        run.whole(analysis);
        run.costs(analysis);
        run.actions(analysis);
        let phases = analysis.phases();
        run.phases(&phases);
        let sampled = samples::Sampled::of(analysis);
        sampled.add_to(analysis, &mut run);
        functions::add_to(analysis, &sampled, &mut run);
        functions::add_calls(analysis, &mut run);
        signals::add_to(analysis, &mut run);
        run.find_unended(analysis);
        run.lost = Lost::of(analysis, phases.unreadable_blocks);
        run
    }

    /// Without what says why packages were built: of a group, one run that tells it is enough.
    #[must_use]
    pub fn without_inputs(mut self) -> Self {
        self.inputs.clear();
        self
    }

    /// Whether the command ran to its end, and without an error.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == Some(ExitStatus::Code(0))
    }

    /// A figure, zero where there is none.
    #[must_use]
    pub fn figure(&self, subject: Subject, measure: Measure) -> f64 {
        let key = Key { subject, measure };
        self.figures.get(&key).copied().unwrap_or(0.0)
    }

    /// Whether a figure that is not there is zero: it would have been seen. What the whole command
    /// took is never zero.
    #[must_use]
    pub fn would_show(&self, key: &Key) -> bool {
        let lost = &self.lost;
        match (&key.subject, key.measure) {
            (Subject::Whole | Subject::Signal(_), _) => false,
            (
                _,
                Measure::StartUp | Measure::SteadyState | Measure::Unplaced | Measure::Translator,
            ) => false,
            (Subject::Function { name, .. }, Measure::Count | Measure::CallTime) => {
                lost.samples.is_none() && self.called.contains(name)
            }
            (Subject::Function { .. }, _) => self.sampled,
            (Subject::Phase { track, phase }, _) => {
                let intact = lost.samples.is_none() && !lost.marks.contains_key(track);
                intact && self.watched.contains(&(track.clone(), phase.clone()))
            }
            (Subject::Package(_) | Subject::Tool(_) | Subject::Action { .. }, _) => {
                lost.programs.is_none()
            }
        }
    }

    pub(super) fn put(&mut self, subject: Subject, measure: Measure, value: f64) {
        self.figures.insert(Key { subject, measure }, value);
    }

    fn whole(&mut self, analysis: &Analysis<'_>) {
        let builds = &analysis.builds;
        let wall = builds.critical_path.wall();
        self.put(Subject::Whole, Measure::Wall, wall.0 as f64);
        let outer = builds.builds.iter().filter(|build| !build.nested);
        let chains: Nanos = outer.map(|build| build.longest_chain.length).sum();
        if chains > Nanos::ZERO {
            self.put(Subject::Whole, Measure::LongestChain, chains.0 as f64);
        }
    }

    fn costs(&mut self, analysis: &Analysis<'_>) {
        let costs = analysis.costs();
        let cpu = costs.total.cpu();
        self.put(Subject::Whole, Measure::Cpu, cpu.0 as f64);
        let wall = self.figure(Subject::Whole, Measure::Wall);
        if wall > 0.0 {
            self.put(Subject::Whole, Measure::Parallelism, cpu.0 as f64 / wall);
        }
        for row in costs.packages {
            let package = Subject::Package(row.key.unwrap_or_default());
            self.put(package, Measure::Cpu, row.cost.cpu().0 as f64);
        }
        for row in costs.tools {
            let tool = || Subject::Tool(Name::from(row.key.name()));
            // Two kinds of tool may have one name.
            let cpu = self.figure(tool(), Measure::Cpu) + row.cost.cpu().0 as f64;
            let count = self.figure(tool(), Measure::Count) + f64::from(row.cost.processes);
            self.put(tool(), Measure::Cpu, cpu);
            self.put(tool(), Measure::Count, count);
        }
    }

    /// How long each action that had work to do ran. Of several builds of one package in one
    /// command, the sum.
    fn actions(&mut self, analysis: &Analysis<'_>) {
        let builds = analysis.builds.builds.iter();
        for action in builds.flat_map(|build| &build.actions) {
            if action.works() && !action.package.is_empty() {
                let subject = Subject::Action {
                    kind: action.kind,
                    package: action.package.clone(),
                };
                let wall = self.figure(subject.clone(), Measure::Wall);
                self.put(subject, Measure::Wall, wall + action.running().0 as f64);
            }
        }
    }

    fn phases(&mut self, phases: &Phases) {
        for row in &phases.rows {
            let subject = Subject::Phase {
                track: row.track.clone(),
                phase: row.phase.clone(),
            };
            self.put(subject.clone(), Measure::Cpu, row.cpu.time.0 as f64);
            self.put(subject, Measure::Count, row.count as f64);
        }
    }

    /// Programs that were still running when the recording ended.
    fn find_unended(&mut self, analysis: &Analysis<'_>) {
        let trace = analysis.trace;
        let ended = |id: ProcessId| trace.process(id).is_some_and(|one| one.exit.is_some());
        for (_, role) in analysis.roles.iter().filter(|(id, _)| !ended(*id)) {
            let package = role.package.clone().unwrap_or_default();
            let tool = Name::from(role.tool.name());
            for subject in [Subject::Package(package), Subject::Tool(tool)] {
                if !self.unended.contains(&subject) {
                    self.unended.push(subject);
                }
            }
        }
    }
}

/// The phases of all probes that mark one.
fn watched(trace: &Trace) -> BTreeSet<(Name, Name)> {
    let marks = trace.probes.iter().filter_map(|probe| probe.phase);
    let name = |id| Name::from(trace.strings.get(id));
    marks
        .map(|mark| (name(mark.track), name(mark.phase)))
        .collect()
}
