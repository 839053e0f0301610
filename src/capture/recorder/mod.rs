//! Observations in, records of a trace out. The recorder's thread alone owns the trace file.

mod builds;
mod calls;
mod context;
mod discovered;
mod held;
mod images;
mod interpreters;
mod linking;
mod made_code;
mod processes;
mod sink;
mod space;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::trace::file::{self, Writer};
use crate::trace::{
    BlindSpot, ClockAnchor, Counter, Exec, Exit, ExitStatus, Frame, FrameId, FramePlace, FrameRole,
    Image, ImageId, ImageKind, Load, Loss, MadeFrom, Mapping, Nanos, Pid, ProbeDropped, Process,
    ProfileSample, Record, Sample, Setting, Thread, Unmapping, Usage,
};

use super::decode::{arguments, pprof};
use super::observation::{Executed, Sampled, ToolRun};
use super::preamble::Preamble;
use super::progress::Progress;
use super::{Observation, Redaction};
use builds::Builds;
pub(super) use builds::Built;
use calls::Calls;
pub(super) use context::Context;
use discovered::Discovered;
use images::OpenImages;
use linking::Loaders;
use made_code::MadeCode;
use processes::{Begun, Processes};
use sink::Sink;

/// How often the trace file and the counters are looked after.
const TICK: Duration = Duration::from_millis(250);

/// Where programs leave maps of the code that they make.
const MAPS: &str = "/tmp";

/// No backend tells of a process later than this.
const LATEST: Nanos = Nanos(500_000_000);

/// The counter by which the backend `bpf` says what its programs cost.
const KERNEL_COUNTER: &str = "bpf_sampling_ns";

/// What a recorder is to know before it begins.
#[derive(Debug)]
pub(super) struct Plan {
    /// The file, just begun.
    pub(super) writer: Writer,
    /// The clocks that the file was begun with.
    pub(super) anchor: ClockAnchor,
    /// The traced command.
    pub(super) root: Pid,
    /// A backend sees every process; else the root's use of the machine holds that of all that
    /// were not seen.
    pub(super) follows_tree: bool,
    /// A backend tells what dynamic loaders do.
    pub(super) watches_loaders: bool,
    /// Copies and the kernel's probes tell of calls.
    pub(super) calls_of_two: bool,
    /// Folders whose executables may be gone before the end.
    pub(super) temporary: Vec<PathBuf>,
    /// Who the command runs as.
    pub(super) user: u32,
    /// What is taken out of texts before they are written.
    pub(super) redaction: Redaction,
    /// Where to say how far it is.
    pub(super) progress: Arc<Progress>,
}

/// What a recorder leaves: everything is in the trace file or on its way to it.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) writer: Writer,
    pub(super) failure: Option<file::Error>,
    pub(super) files: Vec<(ImageId, File)>,
    /// What dynamic loaders loaded, in the order of recording.
    pub(super) loads: Vec<Load>,
    /// What code was made from that programs made.
    pub(super) origins: Vec<(FrameId, MadeFrom)>,
    /// Files that go commands built and left.
    pub(super) built: Vec<Built>,
    /// CPU time of shims, which is gotrace's own.
    pub(super) shim_cpu: Nanos,
    /// CPU time that the kernel spent in a backend's programs.
    pub(super) kernel_cpu: Option<Nanos>,
}

/// Makes a trace of observations.
#[derive(Debug)]
pub(super) struct Recorder {
    sink: Sink,
    processes: Processes,
    builds: Builds,
    calls: Calls,
    images: OpenImages,
    loaders: Loaders,
    discovered: Discovered,
    made: MadeCode,
    root: Pid,
    follows_tree: bool,
    /// What rows other than the root's have used, where the root's holds all else.
    elsewhere: Usage,
    shim_cpu: Nanos,
    kernel_cpu: Option<Nanos>,
    frames: Vec<FrameId>,
    /// Profiles of tools, and action graphs, whose processes another backend tells of: it may be
    /// some moments behind.
    late: Vec<(Pid, Nanos, Vec<u8>)>,
    late_graphs: Vec<(Nanos, Vec<u8>)>,
    progress: Arc<Progress>,
}

impl Recorder {
    pub(super) fn new(plan: Plan) -> Self {
        let began = SystemTime::UNIX_EPOCH + Duration::from_nanos(plan.anchor.unix_ns);
        let owners = vec![plan.user, 0];
        let mut calls = Calls::default();
        if plan.follows_tree {
            calls.awaits(plan.root, Nanos::ZERO);
        }
        if plan.calls_of_two {
            calls.of_two();
        }
        Self {
            sink: Sink::new(plan.writer, plan.anchor, plan.redaction),
            processes: Processes::default(),
            builds: Builds::default(),
            calls,
            images: OpenImages::below(plan.temporary),
            loaders: Loaders::new(plan.watches_loaders),
            discovered: Discovered::default(),
            made: MadeCode::new(MAPS.into(), owners, began),
            root: plan.root,
            follows_tree: plan.follows_tree,
            elsewhere: Usage::default(),
            shim_cpu: Nanos::ZERO,
            kernel_cpu: None,
            frames: Vec::new(),
            late: Vec::new(),
            late_graphs: Vec::new(),
            progress: plan.progress,
        }
    }

    /// Says what the trace is.
    pub(super) fn begin(&mut self, preamble: &Preamble<'_>) {
        preamble.tell(&mut Context(&mut self.sink));
    }

    /// Records until every sender is gone.
    pub(super) fn run(mut self, observations: &Receiver<Observation>) -> Recorded {
        let mut counted = Instant::now();
        let mut events = 0;
        loop {
            match observations.recv_timeout(TICK) {
                Ok(observation) => {
                    self.observe(observation);
                    events += 1;
                    if events < 4_096 && !observations.is_empty() {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.progress.add_events(std::mem::take(&mut events));
            self.sink.flush_if_due();
            if counted.elapsed() >= Duration::from_secs(1) {
                counted = Instant::now();
                self.count_memory();
                self.take_late(false);
            }
        }
        self.progress.add_events(events);
        self.take_late(true);
        let calls = [self.calls.never_begun(), self.calls.finish(&mut self.sink)];
        for lost in calls.into_iter().flatten() {
            self.noted(lost);
        }
        self.builds.finish(&mut self.sink);
        let loads = self.loaders.finish(&mut self.sink);
        let tax = self.calls.tax;
        if tax > Nanos::ZERO {
            self.kernel_cpu = Some(self.kernel_cpu.unwrap_or_default() + tax);
        }
        Recorded {
            writer: self.sink.writer,
            failure: self.sink.failure,
            files: self.images.into_files(),
            loads,
            origins: self.made.origins(),
            built: self.builds.into_built(),
            shim_cpu: self.shim_cpu,
            kernel_cpu: self.kernel_cpu,
        }
    }

    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Forked { time, pid, parent } => {
                if !self.discovered.runs(pid) {
                    self.processes.forked(self.sink.at(time), pid, parent);
                }
            }
            Observation::Executed(executed) => {
                if self.follows_tree {
                    self.executed(&executed, b"");
                } else if !self.discovered.is(&executed) {
                    self.discovered.add(&executed);
                    self.executed(&executed, b"");
                }
            }
            Observation::Discovered {
                parent,
                package,
                executed,
            } => self.found_running(parent, &package, &executed),
            Observation::ToolBegins { shim, go } => self.discovered.shim(shim, go),
            Observation::ThreadEnded { .. } => self.thread_ended(observation),
            Observation::Exited {
                time,
                pid,
                wait_status,
                usage,
                whole,
            } => {
                let status = exit_status(wait_status);
                self.exited(self.sink.at(time), pid, status, (usage, whole));
            }
            Observation::Gone { time, pid, usage } => {
                self.exited(self.sink.at(time), pid, ExitStatus::Unknown, (usage, true));
            }
            Observation::Mapped { .. } => self.mapped(observation),
            Observation::Unmapped { .. } => self.unmapped(&observation),
            Observation::Sampled(sampled) => self.sampled(&sampled),
            Observation::Probed(probed) => self.calls.probed(&mut self.sink, &probed),
            Observation::Called(batch) => {
                self.calls.called(&mut self.sink, &self.processes, &batch);
            }
            Observation::CalledUntil { by, time } => self.calls.told(&mut self.sink, by, time),
            Observation::CallsAdded(tree) => {
                self.calls.added(&mut self.sink, &self.processes, *tree);
            }
            Observation::Linked(batch) => {
                self.loaders.add(batch);
                // Where every exec is seen, a batch may come before that of its process.
                let wait = self.follows_tree;
                self.settle_loaders(if wait { Nanos::ZERO } else { Nanos(u64::MAX) });
            }
            Observation::ToolRun(run) => self.tool_run(&run),
            Observation::ImportCfg { pid, contents, .. } => {
                // Where every exec is seen, it was read then.
                if let Some(row) = self.processes.row(pid).filter(|_| !self.follows_tree) {
                    self.builds.import_cfg(&mut self.sink, row, &contents);
                }
            }
            Observation::ActionGraph { time, contents, .. } => {
                let time = self.sink.at(time);
                if self.follows_tree {
                    self.late_graphs.push((time, contents));
                } else {
                    self.builds.action_graph(&mut self.sink, time, contents);
                }
            }
            Observation::ToolProfile {
                pid,
                time,
                contents,
            } => {
                let time = self.sink.at(time);
                if self.follows_tree {
                    self.late.push((pid, time, contents));
                } else {
                    self.tool_profile(pid, time, &contents);
                }
            }
            other => self.noted(other),
        }
    }

    /// What becomes a record as it is.
    fn noted(&mut self, observation: Observation) {
        let sink = &mut self.sink;
        let record = match observation {
            Observation::Lost {
                from,
                to,
                what,
                count,
                why,
            } => {
                self.progress.add_lost(count);
                Record::Loss(Loss {
                    from: sink.at(from),
                    to: sink.at(to),
                    what: sink.string(what.as_bytes()),
                    count,
                    why: sink.string(why.as_bytes()),
                })
            }
            Observation::Unseen { time, what, why } => Record::BlindSpot(BlindSpot {
                time: sink.at(time),
                what: sink.redacted(what.as_bytes()),
                why: sink.string(why.as_bytes()),
            }),
            Observation::Counted { time, name, value } => {
                if name == KERNEL_COUNTER {
                    self.kernel_cpu = u64::try_from(value).ok().map(Nanos);
                }
                Record::Counter(Counter {
                    time: sink.at(time),
                    name: sink.string(name.as_bytes()),
                    value,
                })
            }
            Observation::ProbeDropped {
                time,
                probe,
                hits,
                unrecorded,
                why,
            } => Record::ProbeDropped(ProbeDropped {
                probe: match self.calls.number(probe) {
                    Some(probe) => probe,
                    None => return,
                },
                at: sink.at(time),
                hits,
                unrecorded,
                why: sink.string(why.as_bytes()),
            }),
            Observation::ProcessorCounted { time, pid, counts } => {
                match self.processes.row_at(pid, sink.at(time)) {
                    Some((row, _)) => Record::ProcessorCounts(row, counts),
                    None => return,
                }
            }
            Observation::Configured { key, value } => Record::Setting(Setting {
                key: sink.string(key.as_bytes()),
                value: sink.string(value.as_bytes()),
                source: sink.string(b"backend"),
            }),
            _ => return,
        };
        sink.record(record);
    }

    fn executed(&mut self, executed: &Executed, package: &[u8]) {
        let time = self.sink.at(executed.time);
        self.made.replaced(executed.pid);
        let begun = self
            .processes
            .executed(time, executed.pid, executed.usage_before);
        let Some(begun) = begun else { return };
        if let Some((old, usage)) = begun.replaced {
            let exit = Exit {
                at: time,
                status: ExitStatus::Replaced,
                usage,
            };
            self.builds.ended(old, time);
            self.loaders.ended(old, time);
            self.progress.ended(executed.pid);
            self.sink.record(Record::ProcessEnded(old, exit));
        }
        let argv = arguments::split(&executed.argv);
        self.program(&begun, executed, &argv, package);
        self.calls
            .begun(&mut self.sink, &self.processes, executed.pid, time);
        if let Some(import_cfg) = &executed.import_cfg {
            match import_cfg {
                Ok(contents) => self.builds.import_cfg(&mut self.sink, begun.row, contents),
                Err(why) => self.builds.import_cfg_missed(why),
            }
            let import_path = arguments::flag(&argv, "p").filter(|_| argv.len() > 2);
            if let Some(import_path) = import_path {
                let import_path = String::from_utf8_lossy(import_path).into_owned();
                self.progress.began(executed.pid, import_path);
            }
        }
    }

    /// Writes the row of a program.
    fn program(&mut self, begun: &Begun, executed: &Executed, argv: &[&[u8]], package: &[u8]) {
        let time = self.sink.at(executed.time);
        let cwd = &executed.cwd;
        self.builds.began(begun.row, begun.parent, argv, cwd, time);
        self.progress.add_process();
        let own = argv
            .get(1)
            .is_some_and(|word| *word == super::toolexec::shim::MARK.as_bytes())
            && arguments::base_name(&executed.exe).starts_with(b"gotrace");
        if own {
            self.processes.mark_own(begun.row);
        } else {
            self.loaders.began(begun.row, executed, &mut self.sink);
        }
        let sink = &mut self.sink;
        let kept = sink.redaction.arguments(argv);
        let exec = Exec {
            argv: kept.iter().map(|word| sink.string(word)).collect(),
            argv_truncated: executed.argv_truncated,
            cwd: sink.string(&executed.cwd),
            exe: sink.string(&executed.exe),
            package: sink.string(package),
            arch: executed.arch,
            translator: sink.string(&executed.translator),
        };
        sink.record(Record::ProcessStarted(Process {
            id: begun.row,
            pid: executed.pid,
            parent: begun.parent,
            predecessor: begun.replaced.map(|(old, _)| old),
            start: begun.start,
            exec_at: time,
            exec,
            exit: None,
            counts: None,
            own,
        }));
    }

    fn exited(&mut self, at: Nanos, pid: Pid, status: ExitStatus, used: (Usage, bool)) {
        let (usage, whole) = used;
        self.progress.ended(pid);
        self.discovered.ended(pid);
        if let Some(live) = self.processes.live(pid) {
            self.made.ends(pid, &live.space);
        }
        let Some((row, mut usage)) = self.processes.exited(pid, usage, whole) else {
            return;
        };
        if !self.follows_tree {
            if pid == self.root {
                usage.user = usage.user - self.elsewhere.user;
                usage.system = usage.system - self.elsewhere.system;
            } else {
                self.elsewhere.add(&usage);
            }
        }
        self.builds.ended(row, at);
        self.loaders.ended(row, at);
        self.sink
            .record(Record::ProcessEnded(row, Exit { at, status, usage }));
    }

    /// A program was found that may be known already: the command's own, go commands and what is
    /// above them, and where every exec is seen, all.
    fn found_running(&mut self, parent: Pid, package: &[u8], executed: &Executed) {
        let pid = executed.pid;
        if self.follows_tree {
            let since = self.sink.at(executed.time);
            let runs_since = self.processes.runs_since(pid);
            if runs_since.is_none_or(|began| began < since) {
                self.calls.awaits(pid, since);
            }
            return;
        }
        if self.discovered.is(executed) {
            return;
        }
        if !self.processes.runs(pid) {
            let parent = self.discovered.go_command(parent);
            let time = self.sink.at(executed.time);
            self.processes.forked(time, pid, parent);
        }
        self.discovered.add(executed);
        self.executed(executed, package);
    }

    fn thread_ended(&mut self, observation: Observation) {
        let Observation::ThreadEnded {
            time,
            pid,
            tid,
            start,
            name,
            usage,
        } = observation
        else {
            return;
        };
        self.processes.thread_ended(pid, &usage);
        if let Some(process) = self.processes.row(pid) {
            let thread = Thread {
                process,
                tid,
                start: self.sink.at(start),
                end: Some(self.sink.at(time)),
                name: self.sink.string(&name),
                cpu: usage.cpu(),
                runqueue: usage.runqueue,
            };
            self.sink.record(Record::Thread(thread));
        }
    }

    fn mapped(&mut self, observation: Observation) {
        let Observation::Mapped {
            time,
            pid,
            start,
            end,
            offset,
            path,
            mut build_id,
            kind,
        } = observation
        else {
            return;
        };
        if build_id.is_empty() && kind == ImageKind::File {
            build_id = images::build_id(&path);
        }
        let path_id = self.sink.string(&path);
        let image = self.sink.writer.image(&Image {
            path: path_id,
            build_id,
            kind,
            ..Image::default()
        });
        self.images.mapped(image, &path);
        if kind == ImageKind::Anonymous {
            self.made.mapped(image);
        }
        let Some(live) = self.processes.live(pid) else {
            return;
        };
        live.space.map(start, end, offset, image);
        if let Some(process) = live.row {
            let mapping = Mapping {
                time: self.sink.at(time),
                process,
                image,
                start: crate::trace::Avma(start),
                end: crate::trace::Avma(end),
                offset: crate::trace::ImageOffset(offset),
            };
            self.sink.record(Record::Mapping(mapping));
        }
    }

    fn unmapped(&mut self, observation: &Observation) {
        let &Observation::Unmapped {
            time,
            pid,
            start,
            end,
        } = observation
        else {
            return;
        };
        let Some(live) = self.processes.live(pid) else {
            return;
        };
        let image = live.space.begins(start);
        live.space.unmap(start, end);
        if let (Some(process), Some(image)) = (live.row, image) {
            self.sink.record(Record::Unmapping(Unmapping {
                time: self.sink.at(time),
                process,
                image,
                start: crate::trace::Avma(start),
            }));
        }
    }

    fn sampled(&mut self, sampled: &Sampled) {
        let Some(process) = self.processes.row(sampled.pid) else {
            return;
        };
        let mut frames = std::mem::take(&mut self.frames);
        frames.clear();
        let writer = &mut self.sink.writer;
        let live = self.processes.live(sampled.pid);
        for (depth, &address) in sampled.stack.iter().enumerate() {
            let role = if depth == 0 {
                FrameRole::Executing
            } else {
                FrameRole::Return
            };
            let place = match &live {
                Some(live) => live.space.place(address, role.lookup(address)),
                None => FramePlace::Unmapped(crate::trace::Avma(address)),
            };
            let frame = writer.frame(Frame { place, role });
            self.made
                .seen(sampled.pid, role.lookup(address), frame, place);
            frames.push(frame);
        }
        if sampled.truncated {
            frames.push(writer.frame(Frame {
                place: FramePlace::Truncated,
                role: FrameRole::Return,
            }));
        }
        let stack = writer.stack(&frames);
        self.frames = frames;
        let time = self.sink.at(sampled.time);
        self.sink.sample(Sample {
            time,
            process,
            tid: sampled.tid,
            goroutine: sampled.goroutine,
            stack,
            weight: sampled.weight,
            kind: sampled.kind,
            place: sampled.place,
        });
    }

    fn tool_run(&mut self, run: &ToolRun) {
        self.shim_cpu += run.shim_usage.cpu();
        self.elsewhere.add(&run.shim_usage);
        let pid = run.executed.pid;
        self.discovered.tool_ran(run);
        if self.discovered.runs(pid) {
            let status = exit_status(run.wait_status);
            let end = self.sink.at(run.end);
            self.exited(end, pid, status, (run.usage, true));
            return;
        }
        if self.follows_tree || self.processes.runs(pid) {
            return;
        }
        let parent = self.processes.row(run.go);
        let time = self.sink.at(run.executed.time);
        let Some(row) = self.processes.add(time, pid, parent) else {
            return;
        };
        let begun = Begun {
            row,
            parent,
            replaced: None,
            start: time,
        };
        let argv = arguments::split(&run.executed.argv);
        self.program(&begun, &run.executed, &argv, &run.package);
        let exit = Exit {
            at: self.sink.at(run.end),
            status: exit_status(run.wait_status),
            usage: run.usage,
        };
        self.elsewhere.add(&run.usage);
        self.builds.ended(row, exit.at);
        self.sink.record(Record::ProcessEnded(row, exit));
    }

    /// Records the profiles of processes that are known to have ended, and graphs of which all
    /// processes must be known; at the end, all.
    fn take_late(&mut self, all: bool) {
        let settled = self.sink.at(super::sys::now()) - LATEST;
        self.settle_loaders(if all { Nanos(u64::MAX) } else { settled });
        self.loaders.settle_silent(settled, &mut self.sink);
        for (time, contents) in std::mem::take(&mut self.late_graphs) {
            if all || time <= settled {
                self.builds.action_graph(&mut self.sink, time, contents);
            } else {
                self.late_graphs.push((time, contents));
            }
        }
        for (pid, time, contents) in std::mem::take(&mut self.late) {
            if all || self.processes.has_ended(pid) {
                self.tool_profile(pid, time, &contents);
            } else {
                self.late.push((pid, time, contents));
            }
        }
    }

    /// Records what loaders did until then.
    fn settle_loaders(&mut self, until: Nanos) {
        let (sink, processes) = (&mut self.sink, &self.processes);
        self.loaders
            .settle(until, sink, processes, &mut self.images);
    }

    fn tool_profile(&mut self, pid: Pid, time: Nanos, contents: &[u8]) {
        let process = self.processes.row(pid);
        let process = process.ok_or_else(|| format!("process {pid} was not seen"));
        let read = process.and_then(|process| {
            let profile = pprof::profile(contents);
            Ok((process, profile.map_err(|error| error.to_string())?))
        });
        let (process, profile) = match read {
            Ok(read) => read,
            Err(why) => {
                let what = self.sink.string(b"a tool's own CPU profile");
                let why = self.sink.string(why.as_bytes());
                self.sink
                    .record(Record::BlindSpot(BlindSpot { time, what, why }));
                return;
            }
        };
        let writer = &mut self.sink.writer;
        let mut images = Vec::new();
        for path in &profile.files {
            let path = writer.string(path.as_bytes());
            images.push(writer.image(&Image {
                path,
                ..Image::default()
            }));
        }
        for stack in &profile.stacks {
            let frames: Vec<FrameId> = stack
                .places
                .iter()
                .map(|place| {
                    let place = match *place {
                        pprof::Place::File(file, offset) => match images.get(file) {
                            Some(&image) => {
                                FramePlace::Image(image, crate::trace::ImageOffset(offset))
                            }
                            None => FramePlace::Unmapped(crate::trace::Avma(offset)),
                        },
                        pprof::Place::Address(address) => {
                            FramePlace::Unmapped(crate::trace::Avma(address))
                        }
                    };
                    // The profile's addresses lie inside their calls already.
                    let role = FrameRole::Executing;
                    self.sink.writer.frame(Frame { place, role })
                })
                .collect();
            let sample = ProfileSample {
                process,
                stack: self.sink.writer.stack(&frames),
                weight: Nanos(stack.nanos),
            };
            self.sink.record(Record::Profile(sample));
        }
    }

    /// gotrace's own memory.
    fn count_memory(&mut self) {
        if let Some(bytes) = super::system::process::own_rss() {
            let name = self.sink.string(b"gotrace_rss_bytes");
            let time = self.sink.at(super::sys::now());
            let value = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.sink
                .record(Record::Counter(Counter { time, name, value }));
        }
    }
}

/// From the status that `wait` gives: an exit code in bits 8 to 15, or a signal in 0 to 6.
pub(super) const fn exit_status(wait_status: i32) -> ExitStatus {
    match wait_status & 0x7f {
        0 => ExitStatus::Code((wait_status >> 8) & 0xff),
        signal => ExitStatus::Signal(signal),
    }
}

#[cfg(test)]
mod tests;
