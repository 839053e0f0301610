//! Watched functions, their entries and exits: observations in, records out.

use super::held::Held;
use super::images;
use super::processes::Processes;
use super::sink::Sink;
use crate::capture::calls::{Batch, CallTree, Called, OF_COPIES, RawArgument};
use crate::capture::observation::{Probed, Teller};
use crate::capture::{Monotonic, Observation, sys};
use crate::trace::{
    Argument, CallEdge, CallEvent, Image, ImageKind, ImageOffset, Nanos, PhaseMark, Pid, Probe,
    ProbeId, ProcessId, Record,
};
use rustc_hash::FxHashMap;

/// What watching functions has cost.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The numbers that functions have in the trace, by those that backends give them: the kernel's probes, and copies.
    numbers: [Vec<Option<ProbeId>>; 2],
    /// By these.
    watched: Vec<Watched>,
    /// Where two backends tell of calls: those that wait for the other one.
    held: Option<Held>,
    /// By the calibrated costs: what the command has paid for its hits.
    pub(super) tax: Nanos,
    last: Option<(Pid, ProcessId)>,
    /// Processes that were told to become programs since these times, by whom does not see when they have.
    awaited: FxHashMap<Pid, Nanos>,
    /// Their calls.
    early: FxHashMap<Pid, Vec<Called>>,
    /// And trees of them.
    early_trees: FxHashMap<Pid, Vec<CallTree>>,
    early_count: usize,
    /// Calls of processes that nobody has told of.
    strangers: u64,
}

/// What counts of a function for the cost of its calls.
#[derive(Clone, Copy, Debug, Default)]
struct Watched {
    entry_cost: Nanos,
    exit_cost: Nanos,
    /// Its calls are recorded one by one whatever is added up.
    marks: bool,
}

/// Calls at most that wait for their programs to be told of.
const EARLY: usize = 1 << 20;

impl Calls {
    /// A function is watched.
    pub(super) fn probed(&mut self, sink: &mut Sink, probed: &Probed) {
        let mut build_id = probed.build_id.clone();
        if build_id.is_empty() {
            build_id = images::build_id(&probed.path);
        }
        let path = sink.string(&probed.path);
        let image = sink.writer.image(&Image {
            path,
            build_id,
            kind: ImageKind::File,
            ..Image::default()
        });
        let id = ProbeId(u32::try_from(self.watched.len()).unwrap_or(u32::MAX));
        let (side, at) = place(probed.probe);
        if let Some(numbers) = self.numbers.get_mut(side) {
            numbers.resize(numbers.len().max(at + 1), None);
            numbers[at] = Some(id);
        }
        self.watched.push(Watched {
            entry_cost: probed.entry_cost,
            exit_cost: probed.exit_cost,
            marks: probed.phase.is_some(),
        });
        let phase = probed.phase.as_ref().map(|phase| PhaseMark {
            track: sink.string(phase.track.as_bytes()),
            phase: sink.string(phase.name.as_bytes()),
            lasts: phase.lasts,
            beside: phase.beside,
        });
        let probe = Probe {
            id,
            image,
            function: sink.string(&probed.function),
            file: sink.string(&probed.file),
            entry: ImageOffset(probed.entry),
            instruction: sink.string(probed.instruction.as_bytes()),
            entry_cost: probed.entry_cost,
            exits: probed.exits,
            exit_cost: probed.exit_cost,
            set: sink.string(probed.set.as_bytes()),
            phase,
            argument: probed.argument,
        };
        sink.record(Record::Probe(probe));
    }

    /// A process is about to become a program, since then; another backend tells when it has.
    pub(super) fn awaits(&mut self, pid: Pid, since: Nanos) {
        self.awaited.insert(pid, since);
    }

    /// A process became a program: whatever it called meanwhile is its.
    pub(super) fn begun(&mut self, sink: &mut Sink, processes: &Processes, pid: Pid, at: Nanos) {
        if self.awaited.get(&pid).is_none_or(|since| *since > at) {
            return;
        }
        self.awaited.remove(&pid);
        let early = self.early.remove(&pid).unwrap_or_default();
        self.early_count = self.early_count.saturating_sub(early.len());
        self.last = None;
        for called in &early {
            self.call(sink, processes, called);
        }
        for tree in self.early_trees.remove(&pid).unwrap_or_default() {
            self.early_count = self.early_count.saturating_sub(tree.rows.len());
            self.tree(sink, processes, tree);
        }
    }

    /// That there are calls whose programs were never told of.
    pub(super) fn never_begun(&self) -> Option<Observation> {
        let count = self.strangers.saturating_add(self.early_count as u64);
        (count > 0).then(|| Observation::Lost {
            from: Monotonic::default(),
            to: sys::now(),
            what: "calls",
            count,
            why: "their programs were not seen to begin".to_owned(),
        })
    }

    /// Functions were entered and left.
    pub(super) fn called(&mut self, sink: &mut Sink, processes: &Processes, batch: &Batch) {
        // Which program a pid means does not change within a batch.
        self.last = None;
        for called in batch.calls() {
            if !self.awaited.is_empty() && self.awaited.contains_key(&called.pid) {
                self.early_count += 1;
                if self.early_count <= EARLY {
                    let early = self.early.entry(called.pid).or_default();
                    early.push(called.clone());
                }
            } else {
                self.call(sink, processes, called);
            }
        }
    }

    /// Functions were called, and the calls added up.
    pub(super) fn added(&mut self, sink: &mut Sink, processes: &Processes, tree: CallTree) {
        if !self.awaited.contains_key(&tree.pid) {
            self.tree(sink, processes, tree);
            return;
        }
        self.early_count += tree.rows.len();
        if self.early_count <= EARLY {
            self.early_trees.entry(tree.pid).or_default().push(tree);
        }
    }

    fn tree(&mut self, sink: &mut Sink, processes: &Processes, mut tree: CallTree) {
        let (from, to) = (sink.at(tree.from), sink.at(tree.to));
        // It may come when its process has ended, or runs another program by now.
        let process = processes.row_at(tree.pid, from);
        let process = process.map(|(process, _)| process);
        for row in &mut tree.rows {
            // A function is told of before it is called.
            row.probe = self.number(row.probe).unwrap_or_default();
            row.process = process.unwrap_or_default();
            let watched = self.watched(row.probe);
            // What is recorded one by one, too, is counted there.
            if !watched.marks {
                let exits = row.calls.saturating_sub(row.open);
                self.tax += Nanos(watched.entry_cost.0.saturating_mul(row.calls));
                self.tax += Nanos(watched.exit_cost.0.saturating_mul(exits));
            }
        }
        if process.is_some() {
            sink.call_tree(&tree.rows, from, to);
        }
    }

    fn call(&mut self, sink: &mut Sink, processes: &Processes, called: &Called) {
        let Some(probe) = self.number(called.probe) else {
            return;
        };
        let watched = self.watched(probe);
        self.tax += match called.edge {
            CallEdge::Entry => watched.entry_cost,
            CallEdge::Exit | CallEdge::TailJump => watched.exit_cost,
        };
        let Some(process) = self.process(processes, called.pid) else {
            self.strangers = self.strangers.saturating_add(1);
            return;
        };
        let argument = called.argument.as_ref().map(|argument| match argument {
            RawArgument::Integer(value) => Argument::Integer(*value),
            RawArgument::Text(text) => Argument::Text(sink.redacted(text)),
        });
        let event = CallEvent {
            time: sink.at(called.time),
            process,
            tid: called.tid,
            stack: called.stack,
            probe,
            edge: called.edge,
            depth: called.depth,
            argument,
        };
        match &mut self.held {
            Some(held) => held.add(event, &mut |event| sink.call(event)),
            None => sink.call(event),
        }
    }

    /// Copies and the kernel's probes tell of calls.
    pub(super) fn of_two(&mut self) {
        self.held = Some(Held::default());
    }

    /// A backend has told all calls up to a moment.
    pub(super) fn told(&mut self, sink: &mut Sink, by: Teller, until: Monotonic) {
        if let Some(held) = &mut self.held {
            let until = sink.at(until);
            held.told(by, until, &mut |event| sink.call(event));
        }
    }

    /// No more calls come. Tells whether the two backends' were too many to be put in order.
    pub(super) fn finish(&mut self, sink: &mut Sink) -> Option<Observation> {
        let held = self.held.take()?;
        held.finish(&mut |event| sink.call(event))
            .then(|| Observation::Unseen {
                time: sys::now(),
                what: "which of the kernel's calls was in which of a copy's".to_owned(),
                why: "more of them waited for each other than there is memory for".to_owned(),
            })
    }

    /// The number that a function has in the trace.
    pub(super) fn number(&self, probe: ProbeId) -> Option<ProbeId> {
        let (side, at) = place(probe);
        self.numbers.get(side)?.get(at).copied().flatten()
    }

    fn process(&mut self, processes: &Processes, pid: Pid) -> Option<ProcessId> {
        match self.last {
            Some((last, process)) if last == pid => Some(process),
            _ => {
                let process = processes.row(pid)?;
                self.last = Some((pid, process));
                Some(process)
            }
        }
    }

    /// What an entry and an exit cost.
    fn watched(&self, probe: ProbeId) -> Watched {
        let watched = self.watched.get(probe.index());
        watched.copied().unwrap_or_default()
    }
}

/// Which backend has numbered a function, and how many it had numbered before.
fn place(probe: ProbeId) -> (usize, usize) {
    match probe.0.checked_sub(OF_COPIES) {
        Some(at) => (1, at as usize),
        None => (0, probe.index()),
    }
}
