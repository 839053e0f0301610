//! What was lost of a run or not seen, and which figures are made of it: these are not judged.

use super::key::{Key, Measure, Subject};
use super::run::Run;
use crate::analyze::{Analysis, Name};
use crate::trace::{PhaseMark, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// Why there is no verdict on a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// Base did not watch it.
    InBase,
    /// New did not watch it.
    InNew,
    /// A run does not have it, although it cannot be zero.
    InSome,
    /// The end of a recording.
    Ending,
    /// Events of programs.
    Programs,
    /// Programs that went on after the command.
    Unended,
    /// A go command's graph of actions.
    Graph,
    /// Samples, or calls by their number.
    Samples,
    /// All calls of a program, or of a function.
    Calls,
    /// Calls of functions that were given up, for they cost too much.
    Marks,
}

impl Missing {
    /// A few words for tables.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::InBase => "not watched in base",
            Self::InNew => "not watched in new",
            Self::InSome => "not seen in some runs",
            Self::Ending => "the end was not seen",
            Self::Programs => "programs lost",
            Self::Unended => "programs went on",
            Self::Graph => "action graph lost",
            Self::Samples => "samples lost",
            Self::Calls => "calls not seen",
            Self::Marks => "functions given up",
        }
    }
}

/// What was lost of a run, in words; of a side, what the first such run lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Samples, or some calls: phases and functions are made of them.
    pub samples: Option<Name>,
    /// Programs or functions whose calls were not seen at all, with why: phases are made of them.
    pub calls: BTreeMap<Name, Name>,
    /// Functions that were given up, by the track of phases that they marked.
    pub marks: BTreeMap<Name, Name>,
    /// Events of programs: packages and tools are made of them, phases and functions, too.
    pub programs: Option<Name>,
    /// A graph of actions: the longest chain is made of it.
    pub graph: Option<Name>,
    /// The end: wall time is not known, nor is anything of what came after.
    pub ending: Option<Name>,
}

impl Lost {
    /// What a trace tells that it lacks.
    pub(super) fn of(analysis: &Analysis<'_>, unreadable_blocks: u64) -> Self {
        let trace = analysis.trace;
        let mut lost = Self::default();
        lost.events(trace);
        lost.blind_spots(trace);
        lost.marks(trace);
        let integrity = &trace.integrity;
        if unreadable_blocks > 0 || integrity.lost_samples > 0 || integrity.lost_calls > 0 {
            let words = Name::from("blocks of samples that cannot be read");
            lost.samples.get_or_insert(words);
        }
        if integrity.damaged_blocks > 0 || integrity.cut_bytes > 0 {
            let words = Name::from("blocks of the file that are damaged");
            lost.programs.get_or_insert(words);
        }
        if trace.ending.is_none() {
            let words = Name::from("its recorder was killed, or the file was cut");
            lost.ending = Some(words);
        }
        lost
    }

    fn events(&mut self, trace: &Trace) {
        for loss in &trace.losses {
            let (what, why) = (trace.text(loss.what), trace.text(loss.why));
            let words = Name::from(format!("{} {what}: {why}", loss.count));
            let place = match &*what {
                "samples" => &mut self.samples,
                // Calls mark phases.
                "calls" | "switches" | "mappings" => &mut self.samples,
                _ => &mut self.programs,
            };
            place.get_or_insert(words);
        }
    }

    fn blind_spots(&mut self, trace: &Trace) {
        for spot in &trace.blind_spots {
            let (what, why) = (trace.text(spot.what), trace.text(spot.why));
            let words = Name::from(format!("{what}: {why}"));
            if what == "tools of the go command" {
                self.programs.get_or_insert(words);
            } else if what.contains("action graph") {
                self.graph.get_or_insert(words);
            } else if what.contains("importcfg") && trace.actions.is_empty() {
                // Without a graph, dependencies are those of these files.
                self.graph.get_or_insert(words);
            } else if let Some(program) = of_calls(&what) {
                self.calls.entry(program).or_insert(words);
            }
        }
    }

    fn marks(&mut self, trace: &Trace) {
        for dropped in &trace.dropped_probes {
            let Some(probe) = trace.probe(dropped.probe) else {
                continue;
            };
            let Some(mark) = probe.phase else {
                continue;
            };
            let track = trace.text(mark.track);
            if track != PhaseMark::GOROUTINES {
                let (function, why) = (trace.text(probe.function), trace.text(dropped.why));
                let words = Name::from(format!("{function} was given up: {why}"));
                self.marks.entry(Name::from(&*track)).or_insert(words);
            }
        }
    }

    /// Adds what another run lost, where nothing of the kind was lost before.
    pub(super) fn add(&mut self, run: &Run, common: &BTreeSet<Name>) {
        let told = |words: &Name| Name::from(format!("{}: {words}", run.name));
        let one = &run.lost;
        for (sum, one) in [
            (&mut self.samples, &one.samples),
            (&mut self.programs, &one.programs),
            (&mut self.graph, &one.graph),
            (&mut self.ending, &one.ending),
        ] {
            if let (None, Some(words)) = (&sum, one) {
                *sum = Some(told(words));
            }
        }
        for (program, words) in one.calls.iter().filter(|(it, _)| !common.contains(*it)) {
            let sum = self.calls.entry(program.clone());
            sum.or_insert_with(|| told(words));
        }
        for (track, words) in &one.marks {
            let sum = self.marks.entry(track.clone());
            sum.or_insert_with(|| told(words));
        }
    }

    /// What was lost of that which a figure is made of.
    pub(super) fn of_figure(&self, key: &Key) -> Option<(Missing, &Name)> {
        let graph = (Missing::Graph, self.graph.as_ref());
        let programs = (Missing::Programs, self.programs.as_ref());
        let of = match (&key.subject, key.measure) {
            (Subject::Whole, Measure::Wall) => vec![],
            (Subject::Whole, Measure::LongestChain) => vec![graph],
            (Subject::Phase { track, .. }, _) => vec![
                (Missing::Samples, self.samples.as_ref()),
                (Missing::Calls, self.calls.values().next()),
                (Missing::Marks, self.marks.get(track)),
                programs,
            ],
            _ => vec![programs],
        };
        let ending = (Missing::Ending, self.ending.as_ref());
        let mut of = std::iter::once(ending).chain(of);
        of.find_map(|(missing, words)| Some((missing, words?)))
    }
}

/// Whose calls were not seen, by a name that is the same in each run: `calls in compile`, `calls of
/// main.f in compile`; all of them: `function calls`. Functions that the user named and that were
/// found nowhere mark no phase.
fn of_calls(what: &str) -> Option<Name> {
    let file = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    if what == "function calls" {
        Some(Name::from(what))
    } else if let Some(path) = what.strip_prefix("calls in ") {
        Some(Name::from(format!("calls in {}", file(path))))
    } else {
        let (function, path) = what.strip_prefix("calls of ")?.rsplit_once(" in ")?;
        Some(Name::from(format!("calls of {function} in {}", file(path))))
    }
}

/// Calls that no run of these saw: what is never seen makes no difference between runs.
pub(super) fn never_seen<'r>(runs: impl IntoIterator<Item = &'r Run>) -> BTreeSet<Name> {
    let unseen = runs
        .into_iter()
        .map(|run| -> BTreeSet<Name> { run.lost.calls.keys().cloned().collect() });
    unseen.reduce(|all, one| &all & &one).unwrap_or_default()
}
