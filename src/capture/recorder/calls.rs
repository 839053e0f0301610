//! Watched functions, their entries and exits: observations in, records out.

use super::images;
use super::processes::Processes;
use super::sink::Sink;
use crate::capture::calls::{Batch, RawArgument};
use crate::capture::observation::Probed;
use crate::trace::{
    Argument, CallEvent, Image, ImageKind, ImageOffset, Nanos, PhaseMark, Pid, Probe, ProbeId,
    ProcessId, Record,
};

/// What watching functions has cost.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By probe: cost of an entry and of an exit.
    costs: Vec<(Nanos, Nanos)>,
    /// By the calibrated costs: what the command has paid for its hits.
    pub(super) tax: Nanos,
    last: Option<(Pid, ProcessId)>,
}

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
        self.costs.resize(probed.probe.index(), Default::default());
        self.costs.push((probed.entry_cost, probed.exit_cost));
        let phase = probed.phase.as_ref().map(|phase| PhaseMark {
            track: sink.string(phase.track.as_bytes()),
            phase: sink.string(phase.name.as_bytes()),
            lasts: phase.lasts,
            beside: phase.beside,
        });
        let probe = Probe {
            id: probed.probe,
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

    /// Functions were entered and left.
    pub(super) fn called(&mut self, sink: &mut Sink, processes: &Processes, batch: &Batch) {
        // Which program a pid means does not change within a batch.
        self.last = None;
        for called in batch.calls() {
            self.tax += self.cost(called.probe, called.edge == crate::trace::CallEdge::Entry);
            let Some(process) = self.process(processes, called.pid) else {
                continue;
            };
            let argument = called.argument.as_ref().map(|argument| match argument {
                RawArgument::Integer(value) => Argument::Integer(*value),
                RawArgument::Text(text) => Argument::Text(sink.redacted(text)),
            });
            sink.call(CallEvent {
                time: sink.at(called.time),
                process,
                tid: called.tid,
                stack: called.stack,
                probe: called.probe,
                edge: called.edge,
                depth: called.depth,
                argument,
            });
        }
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

    fn cost(&self, probe: ProbeId, entry: bool) -> Nanos {
        let (of_entry, of_exit) = self.costs.get(probe.index()).copied().unwrap_or_default();
        if entry { of_entry } else { of_exit }
    }
}
