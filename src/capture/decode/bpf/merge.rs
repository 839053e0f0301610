//! Brings the records of the ring buffer and of the side-band into one order, and makes
//! observations of them.
//!
//! The two come by different ways, so they are kept until everything older has surely arrived,
//! then taken by time: a sample never meets a mapping that is not known yet.

use super::executable::{Files, path_of, program};
use super::ranges::Ranges;
use super::record::{Ended, Event, RawUsage, Record, Stack};
use super::side::Side;
use crate::capture::{Executed, Monotonic, Observation, Sampled};
use crate::trace::{ImageKind, Nanos, Pid, SampleKind, SamplePlace, Tid};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// How long the arguments of an exec are waited for. They follow at once, so that what has not
/// come by then was lost.
const ARGV_PATIENCE: u64 = 1_000_000_000;

/// What is kept of one process.
#[derive(Clone, Debug, Default)]
struct Process {
    /// Where it has code; shared with the process that it was forked from.
    ranges: Arc<Ranges>,
    /// Use of its ended threads.
    ended: RawUsage,
    /// Mappings of a program that is being loaded, until it is known which.
    loading: Option<Vec<Observation>>,
}

/// Arguments that are still coming.
#[derive(Debug)]
struct Assembling {
    executed: Executed,
    argv_bytes: u64,
}

#[derive(Debug)]
enum Pending {
    Forked {
        pid: Pid,
        parent: Pid,
    },
    Executed(Box<Executed>),
    Ended(Box<ThreadEnd>),
    Sampled(Box<Sampled>),
    Gone(Box<Sampled>),
    Last(Box<Sampled>),
    Away(Box<Sampled>),
    Back {
        pid: Pid,
        tid: Tid,
        away: Nanos,
    },
    Replaced {
        pid: Pid,
    },
    Mapped {
        pid: Pid,
        observation: Box<Observation>,
    },
    Lost {
        count: u64,
    },
    Unseen(Box<Observation>),
}

#[derive(Debug)]
struct ThreadEnd {
    pid: Pid,
    usage: RawUsage,
    max_rss: u64,
    wait_status: Option<i32>,
    observation: Observation,
}

/// Merges records into observations.
#[derive(Debug, Default)]
pub struct Merge {
    root: Pid,
    root_ended: bool,
    period: Nanos,
    pending: Vec<(u64, Pending)>,
    assembling: FxHashMap<Pid, Assembling>,
    processes: FxHashMap<Pid, Process>,
    away: FxHashMap<Tid, Box<Sampled>>,
    last: FxHashMap<Tid, Box<Sampled>>,
    last_loss: Monotonic,
}

impl Merge {
    /// For the tree of `root`, with samples that stand for `period` each.
    #[must_use]
    pub fn new(root: Pid, period: Nanos, start: Monotonic) -> Self {
        Self {
            root,
            period,
            last_loss: start,
            ..Self::default()
        }
    }

    /// Takes a record of the ring buffer, in the order of the ring.
    pub fn record(&mut self, record: &Record<'_>, files: &mut dyn Files) {
        let Record { time, pid, tid, .. } = *record;
        let pending = match record.event {
            Event::Argv {
                bytes,
                unreadable,
                offset,
            } => return self.argv(pid, offset, bytes, unreadable),
            Event::Executed(ref event) => {
                self.finish_argv(pid, true);
                let executed = executed(time, pid, event, files);
                let argv_bytes = event.argv_bytes;
                self.assembling.insert(
                    pid,
                    Assembling {
                        executed,
                        argv_bytes,
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
                let mut sampled = sampled(record, stack);
                sampled.weight = self.period;
                if stack.gone {
                    Pending::Gone(Box::new(sampled))
                } else {
                    Pending::Sampled(Box::new(sampled))
                }
            }
            Event::Last(ref stack) => Pending::Last(Box::new(sampled(record, stack))),
            Event::Away(ref stack) => Pending::Away(Box::new(sampled(record, stack))),
            Event::Back { away } => Pending::Back { pid, tid, away },
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
                (time, Pending::Mapped { pid, observation })
            }
        };
        self.pending.push((time.0, pending));
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
        for (time, pending) in std::mem::replace(&mut self.pending, rest) {
            self.give(Monotonic(time), pending, out);
        }
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

    fn argv(&mut self, pid: Pid, offset: u64, bytes: &[u8], unreadable: bool) {
        let Some(assembling) = self.assembling.get_mut(&pid) else {
            return;
        };
        let argv = &mut assembling.executed.argv;
        let expected = u64::try_from(argv.len()).unwrap_or(u64::MAX);
        if unreadable || offset != expected {
            return self.finish_argv(pid, true);
        }
        argv.extend_from_slice(bytes);
        if u64::try_from(argv.len()).is_ok_and(|have| have >= assembling.argv_bytes) {
            self.finish_argv(pid, false);
        }
    }

    /// The arguments of an exec are complete, or will never be.
    fn finish_argv(&mut self, pid: Pid, truncated: bool) {
        if let Some(Assembling { mut executed, .. }) = self.assembling.remove(&pid) {
            executed.argv_truncated = truncated;
            let time = executed.time.0;
            self.pending
                .push((time, Pending::Executed(Box::new(executed))));
        }
    }

    fn give(&mut self, time: Monotonic, pending: Pending, out: &mut dyn FnMut(Observation)) {
        match pending {
            Pending::Forked { pid, parent } => {
                let ranges = self.processes.get(&parent).map(|p| Arc::clone(&p.ranges));
                let ranges = ranges.unwrap_or_default();
                self.processes.insert(
                    pid,
                    Process {
                        ranges,
                        ..Process::default()
                    },
                );
                out(Observation::Forked { time, pid, parent });
            }
            Pending::Executed(executed) => {
                let process = self.processes.entry(executed.pid).or_default();
                process.ranges = Arc::default();
                let loaded = process.loading.take().unwrap_or_default();
                out(Observation::Executed(*executed));
                for mut mapped in loaded {
                    map(process, &mapped);
                    if let Observation::Mapped {
                        time: mapped_at, ..
                    } = &mut mapped
                    {
                        *mapped_at = time;
                    }
                    out(mapped);
                }
            }
            Pending::Replaced { pid } => {
                self.processes.entry(pid).or_default().loading = Some(Vec::new());
            }
            Pending::Mapped { pid, observation } => {
                let process = self.processes.entry(pid).or_default();
                if let Some(loading) = &mut process.loading {
                    loading.push(*observation);
                } else {
                    map(process, &observation);
                    out(*observation);
                }
            }
            Pending::Ended(end) => self.give_end(time, *end, out),
            Pending::Sampled(mut sampled) => {
                self.cut(&mut sampled);
                out(Observation::Sampled(*sampled));
            }
            Pending::Last(mut sampled) => {
                self.cut(&mut sampled);
                self.last.insert(sampled.tid, sampled);
            }
            Pending::Gone(mut sampled) => {
                if let Some(last) = self.last.get(&sampled.tid)
                    && last.pid == sampled.pid
                {
                    sampled.goroutine = last.goroutine;
                    sampled.stack.clone_from(&last.stack);
                    sampled.truncated = last.truncated;
                }
                out(Observation::Sampled(*sampled));
            }
            Pending::Away(sampled) => {
                self.away.insert(sampled.tid, sampled);
            }
            Pending::Back { pid, tid, away } => {
                if let Some(mut sampled) = self.away.remove(&tid)
                    && sampled.pid == pid
                {
                    self.cut(&mut sampled);
                    sampled.time = time;
                    sampled.weight = away;
                    sampled.kind = SampleKind::OffCpu;
                    out(Observation::Sampled(*sampled));
                }
            }
            Pending::Unseen(observation) => out(*observation),
            Pending::Lost { count } => {
                let from = std::mem::replace(&mut self.last_loss, time);
                out(Observation::Lost {
                    from,
                    to: time,
                    what: "mappings",
                    count,
                    why: "the side-band buffer was full".to_owned(),
                });
            }
        }
    }

    fn give_end(&mut self, time: Monotonic, end: ThreadEnd, out: &mut dyn FnMut(Observation)) {
        let process = self.processes.entry(end.pid).or_default();
        process.ended.add(&end.usage);
        if let Observation::ThreadEnded { tid, .. } = &end.observation {
            self.last.remove(tid);
            self.away.remove(tid);
        }
        out(end.observation);
        if let Some(wait_status) = end.wait_status {
            let usage = process.ended.usage(end.max_rss);
            self.processes.remove(&end.pid);
            out(Observation::Exited {
                time,
                pid: end.pid,
                wait_status,
                usage,
                whole: true,
            });
        }
    }

    /// Ends a stack before the first return address that lies in no code: where programs keep no
    /// frame pointers, the walk follows other values.
    fn cut(&self, sampled: &mut Sampled) {
        let Some(process) = self.processes.get(&sampled.pid) else {
            return;
        };
        if process.ranges.is_empty() || process.loading.is_some() {
            return;
        }
        let mut addresses = sampled.stack.iter().skip(1);
        if let Some(at) = addresses.position(|address| !process.ranges.contains(*address)) {
            sampled.stack.truncate(at.saturating_add(1));
            sampled.truncated = true;
        }
    }
}

fn map(process: &mut Process, observation: &Observation) {
    if let Observation::Mapped { start, end, .. } = observation {
        Arc::make_mut(&mut process.ranges).insert(*start, *end);
    }
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
    }
}

fn path_cut(time: Monotonic, pid: Pid) -> Pending {
    Pending::Unseen(Box::new(Observation::Unseen {
        time,
        what: format!("the beginning of a path of process {}", pid.0),
        why: "it is deeper or longer than is followed in the kernel".to_owned(),
    }))
}

fn sampled(record: &Record<'_>, stack: &Stack<'_>) -> Sampled {
    Sampled {
        time: record.time,
        pid: record.pid,
        tid: record.tid,
        goroutine: stack.goroutine,
        weight: Nanos::ZERO,
        kind: SampleKind::OnCpu,
        place: if stack.kernel {
            SamplePlace::Kernel
        } else {
            SamplePlace::User
        },
        stack: stack.addresses().collect(),
        truncated: stack.cut,
    }
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
