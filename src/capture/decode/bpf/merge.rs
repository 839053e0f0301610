//! Brings the records of the ring buffer and of the side-band into one order, and makes
//! observations of them.
//!
//! The two come by different ways, so they are kept until everything older has surely arrived,
//! then taken by time: a sample never meets a mapping that is not known yet.

use super::executable::{self, Files, path_of, program};
use super::guest::GuestImage;
use super::processes::{Pending, Processes, ThreadEnd, Walked};
use super::record::{self, CalledWith, Ended, Event, Record, Stack};
use super::side::Side;
use crate::capture::calls::{Called, Pool, RawArgument};
use crate::capture::decode::arguments;
use crate::capture::decode::guest::{Guest, Invocation};
use crate::capture::{Executed, Monotonic, Observation, Sampled};
use crate::trace::{Arch, ImageKind, Nanos, Pid, SampleKind, SamplePlace};
use rustc_hash::FxHashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How long the arguments of an exec are waited for. They follow at once, so that what has not
/// come by then was lost.
const ARGV_PATIENCE: u64 = 1_000_000_000;

/// Arguments that are still coming.
#[derive(Debug)]
struct Assembling {
    executed: Executed,
    argv_bytes: u64,
    /// Another file than the one asked for was loaded.
    indirect: bool,
    /// What a translator runs.
    guest: Option<Arc<GuestImage>>,
}

/// Merges records into observations.
#[derive(Debug, Default)]
pub struct Merge {
    root: Pid,
    root_ended: bool,
    period: Nanos,
    pending: Vec<(u64, Pending)>,
    /// Apart from `pending`: there may be a thousand times as many.
    calls: Vec<Called>,
    pool: Pool,
    assembling: FxHashMap<Pid, Assembling>,
    /// What linkers that run now will have written.
    linking: FxHashMap<Pid, PathBuf>,
    /// What translators will run, whose exec comes next.
    guests: FxHashMap<Pid, Arc<GuestImage>>,
    processes: Processes,
}

impl Merge {
    /// For the tree of `root`, with samples that stand for `period` each.
    #[must_use]
    pub fn new(root: Pid, period: Nanos, start: Monotonic) -> Self {
        Self {
            root,
            period,
            processes: Processes::new(start),
            ..Self::default()
        }
    }

    /// Tells of the program that a translator will run, before the record of its exec.
    pub fn guest(&mut self, pid: Pid, image: Arc<GuestImage>) {
        self.guests.insert(pid, image);
    }

    /// Takes a record of the ring buffer, in the order of the ring.
    pub fn record(&mut self, record: &Record<'_>, files: &mut dyn Files) {
        let Record { time, pid, tid, .. } = *record;
        let pending = match record.event {
            Event::Argv {
                bytes,
                unreadable,
                offset,
            } => {
                return match unreadable {
                    true => self.finish_argv(pid, true),
                    false => self.argv(pid, offset, bytes, files),
                };
            }
            Event::Executed(ref event) => {
                self.finish_argv(pid, true);
                let guest = self.guests.remove(&pid);
                let executed = executed(time, pid, event, files);
                let argv_bytes = event.argv_bytes;
                self.assembling.insert(
                    pid,
                    Assembling {
                        executed,
                        argv_bytes,
                        indirect: event.asked.is_some(),
                        guest: guest.filter(|_| event.asked.is_some()),
                    },
                );
                if argv_bytes == 0 {
                    self.finish_argv(pid, event.hidden);
                }
                if event.path_cut {
                    self.pending.push((time.0, path_cut(time, pid)));
                }
                return;
            }
            Event::Forked { parent } => Pending::Forked { pid, parent },
            Event::Ended(ref ended) => {
                self.root_ended |= pid == self.root && ended.wait_status.is_some();
                Pending::Ended(Box::new(thread_end(record, ended)))
            }
            Event::Sampled(ref stack) => {
                let mut walked = walked(record, stack);
                walked.sampled.weight = self.period;
                if stack.gone {
                    Pending::Gone(Box::new(walked))
                } else {
                    Pending::Sampled(Box::new(walked))
                }
            }
            Event::Last(ref stack) => Pending::Last(Box::new(walked(record, stack))),
            Event::Away(ref stack) => Pending::Away(Box::new(walked(record, stack))),
            Event::Back { away } => Pending::Back { pid, tid, away },
            Event::Called(ref event) if event.probe == record::TRIAL => return,
            Event::Called(ref event) => return self.calls.push(called(record, event)),
        };
        self.pending.push((time.0, pending));
    }

    /// Takes a record of the side-band.
    pub fn side(&mut self, side: &Side<'_>) {
        let (time, pending) = match *side {
            Side::Replaced { time, pid } => (time, Pending::Replaced { pid }),
            Side::Lost { time, count } => (time, Pending::Lost { count }),
            Side::Mapped {
                time,
                pid,
                start,
                end,
                offset,
                path,
                build_id,
                executable,
            } => {
                let kind = match path {
                    b"[vdso]" | b"[vsyscall]" => ImageKind::Kernel,
                    path if path.starts_with(b"/") && !path.starts_with(b"//anon") => {
                        ImageKind::File
                    }
                    _ => ImageKind::Anonymous,
                };
                let path = if path == b"//anon" { &[] } else { path };
                let observation = Observation::Mapped {
                    time,
                    pid,
                    start,
                    end,
                    offset,
                    path: path.to_vec(),
                    build_id: build_id.to_vec(),
                    kind,
                };
                let observation = Box::new(observation);
                let pending = match executable {
                    true => Pending::Mapped { pid, observation },
                    false => Pending::Read { pid, observation },
                };
                (time, pending)
            }
        };
        self.pending.push((time.0, pending));
    }

    /// The executable that a Go linker is to write, while that runs.
    #[must_use]
    pub fn output_of_link(&self, pid: Pid) -> Option<&Path> {
        self.linking.get(&pid).map(PathBuf::as_path)
    }

    /// The executable that a Go linker has written, of which this is the end; once.
    pub fn linked(&mut self, pid: Pid) -> Option<PathBuf> {
        self.linking.remove(&pid)
    }

    /// Gives everything up to `horizon`, before which no record can still be under way.
    pub fn take_until(&mut self, horizon: Monotonic, out: &mut dyn FnMut(Observation)) {
        let stale: Vec<Pid> = self
            .assembling
            .iter()
            .filter(|(_, a)| a.executed.time.0.saturating_add(ARGV_PATIENCE) <= horizon.0)
            .map(|(pid, _)| *pid)
            .collect();
        for pid in stale {
            self.finish_argv(pid, true);
        }
        let incomplete = self.assembling.values().map(|a| a.executed.time.0).min();
        let horizon = incomplete.map_or(horizon.0, |first| horizon.0.min(first.saturating_sub(1)));
        self.pending.sort_by_key(|(time, _)| *time);
        let ready = self.pending.partition_point(|(time, _)| *time <= horizon);
        let rest = self.pending.split_off(ready);
        self.calls.sort_by_key(|called| called.time);
        for (time, pending) in std::mem::replace(&mut self.pending, rest) {
            // What happened before a program began or ended belongs to the one that was there.
            if pending.changes_programs() {
                self.give_calls(time, out);
            }
            self.processes.take(Monotonic(time), pending, out);
        }
        self.give_calls(horizon, out);
    }

    /// Gives the calls up to a time.
    fn give_calls(&mut self, until: u64, out: &mut dyn FnMut(Observation)) {
        let ready = (self.calls).partition_point(|called| called.time.0 <= until);
        let calls = self.calls.drain(..ready);
        self.pool
            .give(calls, &mut |batch| out(Observation::Called(batch)));
    }

    /// Gives all that is left.
    pub fn finish(&mut self, out: &mut dyn FnMut(Observation)) {
        let incomplete: Vec<Pid> = self.assembling.keys().copied().collect();
        for pid in incomplete {
            self.finish_argv(pid, true);
        }
        self.take_until(Monotonic(u64::MAX), out);
    }

    /// Whether the end of the root of the tree has been told.
    #[must_use]
    pub fn root_ended(&self) -> bool {
        self.root_ended
    }

    /// Takes a piece of the arguments, which must follow the one before it.
    fn argv(&mut self, pid: Pid, offset: u64, bytes: &[u8], files: &mut dyn Files) {
        let Some(assembling) = self.assembling.get_mut(&pid) else {
            return;
        };
        let executed = &mut assembling.executed;
        let expected = u64::try_from(executed.argv.len()).unwrap_or(u64::MAX);
        if offset != expected {
            return self.finish_argv(pid, true);
        }
        executed.argv.extend_from_slice(bytes);
        if u64::try_from(executed.argv.len()).is_ok_and(|have| have >= assembling.argv_bytes) {
            if !executed.translator.is_empty() {
                let indirect = assembling.indirect;
                tell_guest(executed, indirect, files);
            }
            executed.import_cfg = import_cfg(executed, files);
            self.finish_argv(pid, false);
        }
    }

    /// The arguments of an exec are complete, or will never be.
    fn finish_argv(&mut self, pid: Pid, truncated: bool) {
        let assembling = self.assembling.remove(&pid);
        if let Some(Assembling {
            mut executed,
            guest,
            ..
        }) = assembling
        {
            executed.argv_truncated = truncated;
            if let Some(output) = link_output(&executed) {
                self.linking.insert(pid, output);
            }
            let (time, pid) = (executed.time, executed.pid);
            let mapped = guest.as_ref().map(|guest| guest.mapped(time, pid));
            let executed = Box::new(executed);
            self.pending
                .push((time.0, Pending::Executed { executed, guest }));
            // A translator maps them so that they cannot be executed.
            self.pending
                .extend(mapped.into_iter().flatten().map(|observation| {
                    let observation = Box::new(observation);
                    (time.0, Pending::Mapped { pid, observation })
                }));
        }
    }
}

fn walked(record: &Record<'_>, stack: &Stack<'_>) -> Walked {
    let addresses: Vec<u64> = stack.addresses().collect();
    // No program has code at address 0: it is that of one that the kernel is starting.
    let in_kernel = stack.kernel || addresses.first() == Some(&0);
    let sampled = Sampled {
        time: record.time,
        pid: record.pid,
        tid: record.tid,
        goroutine: stack.goroutine,
        weight: Nanos::ZERO,
        kind: SampleKind::OnCpu,
        place: match (in_kernel, stack.guest) {
            (true, _) => SamplePlace::Kernel,
            (false, None) => SamplePlace::User,
            (false, Some(guest)) if guest.in_block => SamplePlace::TranslatedCode,
            (false, Some(_)) => SamplePlace::Translator,
        },
        stack: addresses,
        truncated: stack.cut,
    };
    let link = stack.guest.map(|guest| guest.link).unwrap_or_default();
    Walked { sampled, link }
}

fn executed(
    time: Monotonic,
    pid: Pid,
    event: &super::record::Executed<'_>,
    files: &mut dyn Files,
) -> Executed {
    let cwd = if event.hidden {
        Vec::new()
    } else {
        path_of(event.cwd)
    };
    let program = program(path_of(event.exe), &event.magic, &cwd, event.asked, files);
    Executed {
        time,
        pid,
        argv: Vec::new(),
        argv_truncated: false,
        exe: program.exe,
        cwd,
        arch: program.arch,
        translator: program.translator,
        usage_before: event.before.usage(0),
        import_cfg: None,
    }
}

/// Makes the arguments of a translator those of the program that it runs, and finds that program
/// where the translator was called by its name.
fn tell_guest(executed: &mut Executed, indirect: bool, files: &mut dyn Files) {
    let interpreter = arguments::split(&executed.argv).first().copied();
    let interpreter = interpreter.unwrap_or_default();
    let how = if indirect {
        // Debian's qemu knows by this name of its, too, what it was given.
        let keeps_argv0 = files.keeps_argv0(interpreter);
        let keeps_argv0 = keeps_argv0.unwrap_or_else(|| interpreter.ends_with(b"-binfmt-P"));
        Invocation::Binfmt { keeps_argv0 }
    } else {
        Invocation::ByName
    };
    let translator = String::from_utf8_lossy(&executed.translator);
    let Some(guest) = Guest::of(&translator, &executed.argv, how) else {
        return;
    };
    if !indirect {
        executed.exe = executable::absolute(&executed.cwd, &guest.program);
        let head = files.head(&executed.exe).unwrap_or_default();
        match executable::arch_of(&head) {
            Arch::Unknown => {}
            arch => executed.arch = arch,
        }
    }
    executed.argv = guest.argv;
}

/// Reads what `-importcfg` names at once: `$WORK` is removed when the go command ends.
fn import_cfg(executed: &Executed, files: &mut dyn Files) -> Option<Result<Vec<u8>, String>> {
    let argv = arguments::split(&executed.argv);
    arguments::import_cfg(&argv).map(|path| files.whole(&executed.cwd, path))
}

fn called(record: &Record<'_>, event: &record::Called<'_>) -> Called {
    Called {
        time: record.time,
        pid: record.pid,
        tid: record.tid,
        stack: event.stack,
        probe: event.probe,
        edge: event.edge,
        depth: event.depth,
        argument: event.argument.map(|argument| match argument {
            CalledWith::Integer(value) => RawArgument::Integer(value),
            CalledWith::Text(bytes) => RawArgument::Text(bytes.into()),
        }),
    }
}

/// What Go's linker is asked to write: `link -o FILE`.
fn link_output(executed: &Executed) -> Option<PathBuf> {
    let argv = arguments::split(&executed.argv);
    let link = arguments::base_name(&executed.exe) == b"link";
    let output = arguments::flag(&argv, "o").filter(|_| link)?;
    let cwd = Path::new(OsStr::from_bytes(&executed.cwd));
    Some(cwd.join(OsStr::from_bytes(output)))
}

fn path_cut(time: Monotonic, pid: Pid) -> Pending {
    Pending::Unseen(Box::new(Observation::Unseen {
        time,
        what: format!("the beginning of a path of process {}", pid.0),
        why: "it is deeper or longer than is followed in the kernel".to_owned(),
    }))
}

fn thread_end(record: &Record<'_>, ended: &Ended<'_>) -> ThreadEnd {
    ThreadEnd {
        pid: record.pid,
        usage: ended.usage,
        max_rss: ended.max_rss,
        wait_status: ended.wait_status,
        observation: Observation::ThreadEnded {
            time: record.time,
            pid: record.pid,
            tid: record.tid,
            start: ended.start,
            name: ended.name.to_vec(),
            usage: ended.usage.usage(0),
        },
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
