//! The threads of a process: at each look who is there and what they have used in, who ran and who has ended out.

use rustc_hash::FxHashMap;

use super::system::Thread;
use super::thread::ThreadInfo;
use crate::capture::{Monotonic, Observation};
use crate::trace::{Nanos, Pid, Tid, Usage};

/// Threads that were seen.
#[derive(Debug)]
pub struct Threads<T>(FxHashMap<u32, Known<T>>);

/// A thread that was seen. To keep the right to it is to keep its name from going to another one.
#[derive(Debug)]
struct Known<T> {
    thread: T,
    tid: Tid,
    since: Monotonic,
    info: ThreadInfo,
}

impl<T> Default for Threads<T> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

/// A thread that has run since it was looked at last.
#[derive(Debug)]
pub struct Ran<'t, T> {
    /// The thread.
    pub thread: &'t T,
    /// The number that the system knows it by.
    pub tid: Tid,
    /// How much time it has used.
    pub weight: Nanos,
}

impl<T: Thread> Threads<T> {
    /// Looks at all threads of a process; which have run, in the order of the list.
    pub fn look(
        &mut self,
        (now, pid): (Monotonic, Pid),
        threads: Vec<T>,
        out: &mut dyn FnMut(Observation),
    ) -> Vec<Ran<'_, T>> {
        let mut before = std::mem::take(&mut self.0);
        let mut weights = Vec::new();
        for thread in threads {
            let port = thread.port();
            let info = thread.info().and_then(|bytes| ThreadInfo::read(&bytes));
            let (mut known, info) = match (before.remove(&port), info) {
                (Some(known), Some(info)) => (known, info),
                (Some(gone), None) => {
                    out(gone.ended(now, pid));
                    continue;
                }
                (None, info) => match (thread.number(), info) {
                    // The system counts them up from the start of the machine: the lower half tells them apart.
                    (Some(number), Some(info)) => {
                        let known = Known {
                            thread,
                            tid: lower_half(number),
                            since: now,
                            info: ThreadInfo::default(),
                        };
                        (known, info)
                    }
                    _ => continue,
                },
            };
            let weight = Nanos(info.cpu().0.saturating_sub(known.info.cpu().0));
            known.info = info;
            if weight > Nanos::ZERO {
                weights.push((port, weight));
            }
            self.0.insert(port, known);
        }
        for gone in before.into_values() {
            out(gone.ended(now, pid));
        }
        let ran = weights.into_iter().filter_map(|(port, weight)| {
            let known = self.0.get(&port)?;
            Some(Ran {
                thread: &known.thread,
                tid: known.tid,
                weight,
            })
        });
        ran.collect()
    }

    /// All are gone.
    pub fn end(&mut self, now: Monotonic, pid: Pid, out: &mut dyn FnMut(Observation)) {
        for gone in std::mem::take(&mut self.0).into_values() {
            out(gone.ended(now, pid));
        }
    }
}

impl<T> Known<T> {
    fn ended(self, time: Monotonic, pid: Pid) -> Observation {
        Observation::ThreadEnded {
            time,
            pid,
            tid: self.tid,
            start: self.since,
            usage: Usage {
                user: self.info.user,
                system: self.info.system,
                ..Usage::default()
            },
            name: self.info.name,
        }
    }
}

fn lower_half(number: u64) -> Tid {
    let [a, b, c, d, ..] = number.to_le_bytes();
    Tid(u32::from_le_bytes([a, b, c, d]))
}
