//! What is known of each process while its records go by: in, records in the order of their time;
//! out, observations.

use super::guest::{self, Guest, GuestImage};
use super::ranges::Ranges;
use super::record::{Link, RawUsage};
use crate::capture::{Executed, Monotonic, Observation, Sampled};
use crate::trace::{ImageKind, Nanos, Pid, SampleKind, SamplePlace, Tid};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What happened, as far as it needs to be known to what came before.
#[derive(Debug)]
pub(super) enum Pending {
    Forked {
        pid: Pid,
        parent: Pid,
    },
    Executed {
        executed: Box<Executed>,
        /// What it runs, where it is a translator.
        guest: Option<Arc<GuestImage>>,
    },
    Ended(Box<ThreadEnd>),
    Sampled(Box<Walked>),
    Gone(Box<Walked>),
    Last(Box<Walked>),
    Away(Box<Walked>),
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
    /// A file was mapped to be read.
    Read {
        pid: Pid,
        observation: Box<Observation>,
    },
    Lost {
        count: u64,
    },
    Unseen(Box<Observation>),
}

impl Pending {
    /// Whether another program is meant by its pid from here on.
    pub(super) fn changes_programs(&self) -> bool {
        match self {
            Self::Forked { .. } | Self::Executed { .. } => true,
            Self::Ended(end) => end.wait_status.is_some(),
            _ => false,
        }
    }
}

/// A sample with its stack as it was walked.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) sampled: Sampled,
    pub(super) link: Link,
}

/// A thread ended, and perhaps its process with it.
#[derive(Debug)]
pub(super) struct ThreadEnd {
    pub(super) pid: Pid,
    pub(super) usage: RawUsage,
    pub(super) max_rss: u64,
    pub(super) wait_status: Option<i32>,
    pub(super) observation: Observation,
}

/// What is kept of one process.
#[derive(Clone, Debug, Default)]
struct Process {
    /// Where it has code; shared with the process that it was forked from.
    ranges: Arc<Ranges>,
    /// Those of them that are of no file, where a translator puts what it makes.
    made: Arc<Ranges>,
    /// The program, where a translator runs it.
    translated: Option<Arc<[u8]>>,
    /// What is known of that.
    guest: Option<Guest>,
    /// Use of its ended threads.
    ended: RawUsage,
    /// Mappings of a program that is being loaded, until it is known which.
    loading: Option<Vec<Observation>>,
}

/// The processes of the tree.
#[derive(Debug, Default)]
pub(super) struct Processes {
    by_pid: FxHashMap<Pid, Process>,
    /// Where threads left the processor.
    away: FxHashMap<Tid, Box<Walked>>,
    /// Where threads began to end.
    last: FxHashMap<Tid, Sampled>,
    last_loss: Monotonic,
}

impl Processes {
    pub(super) fn new(start: Monotonic) -> Self {
        Self {
            last_loss: start,
            ..Self::default()
        }
    }

    /// Takes what happened next, and tells what it means.
    pub(super) fn take(
        &mut self,
        time: Monotonic,
        pending: Pending,
        out: &mut dyn FnMut(Observation),
    ) {
        match pending {
            Pending::Forked { pid, parent } => self.forked(time, pid, parent, out),
            Pending::Executed { executed, guest } => {
                self.executed(*executed, guest.map(Guest::new), out);
            }
            Pending::Replaced { pid } => {
                self.by_pid.entry(pid).or_default().loading = Some(Vec::new());
            }
            Pending::Mapped { pid, observation } => self.mapped(pid, *observation, out),
            Pending::Read { pid, observation } => {
                // A translator reads the code of what it runs.
                if let Some(process) = self.by_pid.get_mut(&pid)
                    && process.translated.is_some()
                    && process.loading.is_none()
                {
                    if let Some(guest) = &mut process.guest {
                        guest.sees(&observation);
                    }
                    self.mapped(pid, *observation, out);
                }
            }
            Pending::Ended(end) => self.end(time, *end, out),
            Pending::Sampled(walked) => out(Observation::Sampled(self.cut(*walked))),
            Pending::Last(walked) => {
                let sampled = self.cut(*walked);
                self.last.insert(sampled.tid, sampled);
            }
            Pending::Gone(walked) => self.gone(walked.sampled, out),
            Pending::Away(walked) => {
                self.away.insert(walked.sampled.tid, walked);
            }
            Pending::Back { pid, tid, away } => {
                if let Some(walked) = self.away.remove(&tid)
                    && walked.sampled.pid == pid
                {
                    let mut sampled = self.cut(*walked);
                    sampled.time = time;
                    sampled.weight = away;
                    sampled.kind = SampleKind::OffCpu;
                    out(Observation::Sampled(sampled));
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

    fn forked(&mut self, time: Monotonic, pid: Pid, parent: Pid, out: &mut dyn FnMut(Observation)) {
        let parent_process = self.by_pid.get(&parent).cloned().unwrap_or_default();
        let process = Process {
            ranges: parent_process.ranges,
            made: parent_process.made,
            translated: parent_process.translated,
            guest: parent_process.guest,
            ..Process::default()
        };
        self.by_pid.insert(pid, process);
        out(Observation::Forked { time, pid, parent });
    }

    fn executed(
        &mut self,
        executed: Executed,
        guest: Option<Guest>,
        out: &mut dyn FnMut(Observation),
    ) {
        let process = self.by_pid.entry(executed.pid).or_default();
        process.ranges = Arc::default();
        process.made = Arc::default();
        let is_translated = !executed.translator.is_empty();
        process.translated = is_translated.then(|| executed.exe.clone().into());
        process.guest = guest;
        let loaded = process.loading.take().unwrap_or_default();
        let executed_at = executed.time;
        out(Observation::Executed(executed));
        for mut mapped in loaded {
            map(process, &mapped);
            if let Observation::Mapped { time, .. } = &mut mapped {
                *time = executed_at;
            }
            name_made_code(process, &mut mapped);
            out(mapped);
        }
    }

    fn mapped(&mut self, pid: Pid, mut mapped: Observation, out: &mut dyn FnMut(Observation)) {
        let process = self.by_pid.entry(pid).or_default();
        if let Some(loading) = &mut process.loading {
            loading.push(mapped);
        } else {
            map(process, &mapped);
            name_made_code(process, &mut mapped);
            out(mapped);
        }
    }

    /// A thread that is ending was seen running when its memory was gone already.
    fn gone(&self, mut sampled: Sampled, out: &mut dyn FnMut(Observation)) {
        if let Some(last) = self.last.get(&sampled.tid)
            && last.pid == sampled.pid
        {
            sampled.goroutine = last.goroutine;
            sampled.stack.clone_from(&last.stack);
            sampled.truncated = last.truncated;
        }
        out(Observation::Sampled(sampled));
    }

    fn end(&mut self, time: Monotonic, end: ThreadEnd, out: &mut dyn FnMut(Observation)) {
        let process = self.by_pid.entry(end.pid).or_default();
        process.ended.add(&end.usage);
        if let Observation::ThreadEnded { tid, .. } = &end.observation {
            self.last.remove(tid);
            self.away.remove(tid);
        }
        out(end.observation);
        if let Some(wait_status) = end.wait_status {
            let usage = process.ended.usage(end.max_rss);
            self.by_pid.remove(&end.pid);
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
    fn cut(&self, walked: Walked) -> Sampled {
        let Walked { mut sampled, link } = walked;
        let process = self.by_pid.get(&sampled.pid);
        let guest = process.and_then(|process| process.guest.as_ref());
        guest::drop_stale_link(&mut sampled.stack, link, guest);
        let Some(process) = process else {
            return sampled;
        };
        if process.ranges.is_empty() || process.loading.is_some() {
            return sampled;
        }
        if process.translated.is_some() {
            place(process, &mut sampled);
        }
        let mut addresses = sampled.stack.iter().skip(1);
        if let Some(at) = addresses.position(|address| !process.ranges.contains(*address)) {
            sampled.stack.truncate(at.saturating_add(1));
            sampled.truncated = true;
        }
        sampled
    }
}

fn map(process: &mut Process, observation: &Observation) {
    if let Observation::Mapped {
        start, end, kind, ..
    } = observation
    {
        Arc::make_mut(&mut process.ranges).insert(*start, *end);
        if *kind == ImageKind::Anonymous {
            Arc::make_mut(&mut process.made).insert(*start, *end);
        }
    }
}

/// Code that a translator makes has the name of the program that it makes it from.
fn name_made_code(process: &Process, mapped: &mut Observation) {
    if let (Some(program), Observation::Mapped { path, kind, .. }) = (&process.translated, mapped)
        && *kind == ImageKind::Anonymous
    {
        *path = program.to_vec();
    }
}

/// Tells the translator from what it made: the first address is where the processor was. Where the
/// guest's own addresses follow, that of translated code says nothing more.
fn place(process: &Process, sampled: &mut Sampled) {
    let Some(&host) = sampled.stack.first() else {
        return;
    };
    let guest = sampled.stack.get(1).map(|address| address.wrapping_sub(1));
    if guest.is_some_and(|guest| !process.ranges.contains(guest)) {
        // Of a program whose place is not known, or a misunderstanding.
        sampled.stack.truncate(1);
        sampled.truncated = true;
    }
    let in_made = process.made.contains(host) || sampled.place == SamplePlace::TranslatedCode;
    if sampled.place != SamplePlace::Kernel {
        sampled.place = if in_made {
            SamplePlace::TranslatedCode
        } else {
            SamplePlace::Translator
        };
    }
    if in_made && sampled.stack.len() > 1 {
        sampled.stack.remove(0);
        if let Some(leaf) = sampled.stack.first_mut() {
            *leaf = leaf.wrapping_sub(1); // was written as a return address
        }
    }
}
