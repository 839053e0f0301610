//! What dynamic loaders did: batches of events in, records and bindings out.
//!
//! Loaders number the images of their process. Here they become the images of the trace, the same
//! ones that other backends saw mapped: by real path and build id.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::images::{self, OpenImages, Stamp, stamp};
use super::interpreters::Interpreters;
use super::processes::Processes;
use super::sink::Sink;
use crate::capture::Executed;
use crate::capture::linking::{Batch, Bound, Event, ImageNumber, Loaded, Searched, What};
use crate::trace::{
    Avma, Binding, Image, ImageId, ImageKind, Interpreter, Linking, Load, Loss, Nanos, Pid,
    ProcessId, Record, Search, Unload,
};

/// Events that wait at most until another backend has told of their process.
const MOST_LATE: usize = 1 << 18;
/// Loads that are remembered at most for what is worked out at the end.
const MOST_LOADS: usize = 1 << 20;
/// Images that are known at most by the numbers that their processes give them.
const MOST_NUMBERS: usize = 1 << 20;
/// Files that are known at most by their paths.
const MOST_FILES: usize = 1 << 16;

/// Dynamic linking on its way into the trace.
#[derive(Debug, Default)]
pub(super) struct Loaders {
    late: VecDeque<Batch>,
    late_events: usize,
    /// By program, process (a fork without a program of its own has its parent's program, and
    /// loads on its own) and number.
    images: FxHashMap<(ProcessId, Pid, ImageNumber), (ImageId, u32)>,
    files: FxHashMap<Vec<u8>, (Stamp, ImageId)>,
    loads: Vec<Load>,
    /// None where loaders are not watched.
    interpreters: Option<Interpreters>,
    /// Events of processes that nobody told of, and binds of images whose load was not told of.
    lost: Lost,
}

#[derive(Debug, Default)]
struct Lost {
    strangers: u64,
    imageless: u64,
    loads: u64,
    from: Option<Nanos>,
    to: Nanos,
}

impl Loaders {
    /// Where a backend tells of loaders, it is noted which of them say nothing.
    pub(super) fn new(watched: bool) -> Self {
        Self {
            interpreters: watched.then(Interpreters::default),
            ..Self::default()
        }
    }

    /// A program begins.
    pub(super) fn began(&mut self, process: ProcessId, executed: &Executed, sink: &mut Sink) {
        if let Some(interpreters) = &mut self.interpreters {
            interpreters.began(process, executed, sink);
        }
    }

    /// A program ends.
    pub(super) fn ended(&mut self, process: ProcessId, at: Nanos) {
        if let Some(interpreters) = &mut self.interpreters {
            interpreters.ended(process, at);
        }
    }

    /// Records programs that ended before `settled`, and of which no loader told anything.
    pub(super) fn settle_silent(&mut self, settled: Nanos, sink: &mut Sink) {
        if let Some(interpreters) = &mut self.interpreters {
            interpreters.settle(settled, sink);
        }
    }

    /// Takes what a loader did. It waits until [`Self::settle`]: another backend tells of processes,
    /// and may be some moments behind.
    pub(super) fn add(&mut self, batch: Batch) {
        self.late_events += batch.events.len();
        self.late.push_back(batch);
    }

    /// Records the batches that are older than `settled`, and those that there is no room for.
    pub(super) fn settle(
        &mut self,
        settled: Nanos,
        sink: &mut Sink,
        processes: &Processes,
        held: &mut OpenImages,
    ) {
        while let Some(batch) = self.late.front() {
            let last = batch.events.last().map(|event| sink.at(event.time));
            let due = last.is_none_or(|time| time <= settled);
            if !due && self.late_events <= MOST_LATE {
                break;
            }
            let Some(batch) = self.late.pop_front() else {
                break;
            };
            self.late_events -= batch.events.len();
            for event in &batch.events {
                self.event(batch.pid, event, sink, processes, held);
            }
        }
    }

    /// What was lost on the way becomes records; returns the loads, in the order of recording.
    pub(super) fn finish(self, sink: &mut Sink) -> Vec<Load> {
        let lost = &self.lost;
        for (what, count, why) in [
            (
                "loads and binds",
                lost.strangers,
                "of processes that were not seen",
            ),
            (
                "binds",
                lost.imageless,
                "of images whose load was not recorded",
            ),
            (
                "derived binds",
                lost.loads,
                "more images were loaded than are remembered",
            ),
        ] {
            if count > 0 {
                let loss = Loss {
                    from: lost.from.unwrap_or_default(),
                    to: lost.to,
                    what: sink.string(what.as_bytes()),
                    count,
                    why: sink.string(why.as_bytes()),
                };
                sink.record(Record::Loss(loss));
            }
        }
        if let Some(interpreters) = self.interpreters {
            interpreters.finish(sink);
        }
        self.loads
    }

    fn event(
        &mut self,
        pid: Pid,
        event: &Event,
        sink: &mut Sink,
        processes: &Processes,
        held: &mut OpenImages,
    ) {
        let time = sink.at(event.time);
        let Some((process, program)) = processes.row_at(pid, time) else {
            self.lost.see(time).strangers += 1;
            return;
        };
        if let Some(interpreters) = &mut self.interpreters {
            interpreters.told(process);
        }
        let at = Place {
            time,
            process,
            pid,
            program,
            event,
        };
        match &event.what {
            What::Loaded(loaded) => {
                self.make_room(processes);
                self.loaded(&at, loaded, sink, held);
            }
            What::Unloaded(number) => self.unloaded(&at, *number, sink),
            What::Bound(bound) => self.bound(&at, bound, sink),
            What::Relocated { to, cause, cpu_ns } => sink.record(Record::Linking(Linking {
                from: time,
                to: sink.at(*to),
                process,
                tid: event.tid,
                cause: *cause,
                cpu: cpu_ns.map(Nanos),
            })),
            What::Searched(searched) => self.searched(&at, searched, sink),
            What::Asks {
                interpreter,
                unwatched,
            } => {
                let interpreter = Interpreter {
                    process,
                    path: sink.string(interpreter),
                    unwatched: sink.string(unwatched.as_bytes()),
                };
                sink.record(Record::Interpreter(interpreter));
            }
        }
    }

    /// Forgets the images of programs that have ended where there are too many, and if that does not
    /// help, all: binds of what is still loaded are counted as lost then.
    fn make_room(&mut self, processes: &Processes) {
        if self.images.len() >= MOST_NUMBERS {
            self.images
                .retain(|(process, ..), _| processes.is_open(*process));
            if self.images.len() > MOST_NUMBERS / 2 {
                self.images.clear();
            }
        }
        if self.files.len() >= MOST_FILES {
            self.files.clear();
        }
    }

    fn loaded(&mut self, at: &Place<'_>, loaded: &Loaded, sink: &mut Sink, held: &mut OpenImages) {
        let image = self.image(loaded, sink, held);
        self.images.insert(
            (at.process, at.pid, loaded.number),
            (image, loaded.namespace),
        );
        let load = Load {
            time: at.time,
            process: at.process,
            tid: at.event.tid,
            image,
            cause: loaded.cause,
            namespace: loaded.namespace,
            address: loaded.address.map(Avma),
            slide: loaded.slide,
            origin: loaded.origin,
            paged_in: loaded.paged_in,
            translated: loaded.translated.map(|(from, to)| (Avma(from), Avma(to))),
        };
        if self.loads.len() < MOST_LOADS {
            self.loads.push(load);
        } else {
            self.lost.see(at.time).loads += 1;
        }
        sink.record(Record::Load(load));
    }

    fn unloaded(&mut self, at: &Place<'_>, number: ImageNumber, sink: &mut Sink) {
        let Some((image, namespace)) = self.find(at, number) else {
            return;
        };
        self.images.remove(&(at.process, at.pid, number));
        sink.record(Record::Unload(Unload {
            time: at.time,
            process: at.process,
            tid: at.event.tid,
            image,
            namespace,
        }));
    }

    fn bound(&mut self, at: &Place<'_>, bound: &Bound, sink: &mut Sink) {
        let importer = self.find(at, bound.importer);
        let provider = match bound.provider {
            Some(number) => self.find(at, number).map(Some),
            None => Some(None),
        };
        let (Some((importer, _)), Some(provider)) = (importer, provider) else {
            self.lost.see(at.time).imageless += 1;
            return;
        };
        let symbol = sink.string(&bound.symbol);
        sink.binding(Binding {
            time: at.time,
            process: at.process,
            tid: at.event.tid,
            importer,
            provider: provider.map(|(image, _)| image),
            symbol,
            address: Avma(bound.address),
            slot: bound.slot.map(Avma),
            how: bound.how,
            kind: bound.kind,
        });
    }

    fn searched(&self, at: &Place<'_>, searched: &Searched, sink: &mut Sink) {
        let importer = searched.importer.and_then(|number| self.find(at, number));
        let search = Search {
            time: at.time,
            process: at.process,
            path: sink.string(&searched.path),
            rule: sink.string(searched.rule.as_bytes()),
            importer: importer.map(|(image, _)| image),
            outcome: searched.outcome,
            count: searched.count,
        };
        sink.record(Record::Search(search));
    }

    /// The image that a process calls by a number; a fork has those of its parent, too.
    fn find(&self, at: &Place<'_>, number: ImageNumber) -> Option<(ImageId, u32)> {
        let own = self.images.get(&(at.process, at.pid, number));
        let parents = || self.images.get(&(at.process, at.program, number));
        own.or_else(parents).copied()
    }

    /// The image of the trace: the one that a mapping of the same file has.
    fn image(&mut self, loaded: &Loaded, sink: &mut Sink, held: &mut OpenImages) -> ImageId {
        let path = Path::new(OsStr::from_bytes(&loaded.path));
        if loaded.kind != ImageKind::File || !path.is_absolute() {
            return intern(sink, &loaded.path, loaded.build_id.clone(), loaded.kind);
        }
        let stamp = stamp(path);
        if let Some((known, image)) = self.files.get(&loaded.path)
            && *known == stamp
        {
            return *image;
        }
        // Loaders know files by the names that they were asked for, the kernel by their own.
        let real = fs::canonicalize(path);
        let real = real.as_ref().map_or(path, |real| real);
        let real = real.as_os_str().as_bytes();
        let build_id = if loaded.build_id.is_empty() {
            images::build_id(real)
        } else {
            loaded.build_id.clone()
        };
        let image = intern(sink, real, build_id, loaded.kind);
        held.mapped(image, real);
        self.files.insert(loaded.path.clone(), (stamp, image));
        image
    }
}

impl Lost {
    fn see(&mut self, time: Nanos) -> &mut Self {
        self.from.get_or_insert(time);
        self.to = self.to.max(time);
        self
    }
}

/// Where an event belongs.
struct Place<'a> {
    time: Nanos,
    process: ProcessId,
    pid: Pid,
    /// The process that the program runs in: for a fork without one of its own, its parent.
    program: Pid,
    event: &'a Event,
}

fn intern(sink: &mut Sink, path: &[u8], build_id: Vec<u8>, kind: ImageKind) -> ImageId {
    let path = sink.string(path);
    sink.writer.image(&Image {
        path,
        build_id,
        kind,
        ..Image::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Usage;

    #[test]
    fn images_without_end_take_no_memory_without_end() {
        let mut processes = Processes::default();
        let mut program = |pid| {
            let begun = processes.executed(Nanos(1), Pid(pid), Usage::default());
            begun.expect("a row").row
        };
        let (ended, open) = (program(1), program(2));
        processes.exited(Pid(1), Usage::default(), true);
        let mut loaders = Loaders::default();
        let add = |loaders: &mut Loaders, process: ProcessId, count: usize| {
            for number in (0..).map(ImageNumber).take(count) {
                let image = (ImageId(0), 0);
                loaders
                    .images
                    .insert((process, Pid(process.0), number), image);
            }
        };
        add(&mut loaders, ended, MOST_NUMBERS - 5);
        add(&mut loaders, open, 4);
        loaders.make_room(&processes);
        assert_eq!(loaders.images.len(), MOST_NUMBERS - 1);
        add(&mut loaders, open, 5);
        loaders.make_room(&processes);
        assert_eq!(loaders.images.len(), 5);
        // A program that opens images for ever.
        add(&mut loaders, open, MOST_NUMBERS);
        loaders.make_room(&processes);
        assert_eq!(loaders.images.len(), 0);
    }
}
