//! Programs that execute themselves again: processes in, those out that have no ring.
//! How many copies were started and were refused it, the ring tells by itself.
//!
//! A copy finds its ring at a descriptor that it closes, so that what it starts inherits nothing. What then executes
//! `/proc/self/exe` runs the copy, or the original where that has its copy put over itself, and nobody has left a ring for
//! it. It can be seen by what it has mapped.

use crate::capture::linux::process;
use crate::capture::linux::sys::ring::RING_NAME;
use crate::capture::{Monotonic, Observation};
use crate::trace::Pid;
use rustc_hash::FxHashSet;
use std::fs;
use std::path::Path;

/// How often it is looked. What lives no longer than two looks is not met.
const INTERVAL_NS: u64 = 100_000_000;

/// What was met so far.
#[derive(Debug, Default)]
pub(super) struct Again {
    looked: Monotonic,
    /// Without a ring at the last look: a program that begins maps it at once.
    suspected: FxHashSet<Pid>,
    told: FxHashSet<Pid>,
}

impl Again {
    /// Looks at processes that tell of their calls, and at their children, where it is time to. `original_of` tells of
    /// which program a file is the copy, or that programs tell which run from it.
    pub(super) fn look(
        &mut self,
        now: Monotonic,
        processes: impl Iterator<Item = Pid>,
        original_of: impl Fn(&Path) -> Option<Vec<u8>>,
    ) -> Vec<Observation> {
        if now.0.saturating_sub(self.looked.0) < INTERVAL_NS {
            return Vec::new();
        }
        self.looked = now;
        let mut suspected = FxHashSet::default();
        let mut met = Vec::new();
        let with_children =
            processes.flat_map(|pid| [pid].into_iter().chain(process::children(pid)));
        for pid in with_children {
            if self.told.contains(&pid) {
                continue;
            }
            let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let original = original_of(&exe);
            let Some(original) = original.filter(|_| !has_ring(pid)) else {
                continue;
            };
            if self.suspected.contains(&pid) {
                self.told.insert(pid);
                let original = String::from_utf8_lossy(&original).into_owned();
                met.push(Observation::Unseen {
                    time: now,
                    what: format!("calls in process {pid}, which runs {original}"),
                    why: "it has no memory for its records: it was executed again by itself, or something refuses that"
                        .to_owned(),
                });
            } else {
                suspected.insert(pid);
            }
        }
        self.suspected = suspected;
        met
    }
}

/// Whether the ring is mapped; true, too, of a process that is gone.
fn has_ring(pid: Pid) -> bool {
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.is_empty() || memchr::memmem::find(&maps, RING_NAME.to_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::BRIEF;
    use super::*;
    use crate::capture::linux::sys::ring::in_memory;
    use std::process::{Command, Stdio};

    fn told(again: &mut Again, ms: u64, pid: u32) -> Vec<String> {
        let original = |_: &Path| Some(b"/bin/original".to_vec());
        let now = Monotonic(ms * 1_000_000);
        let told = again.look(now, [Pid(pid)].into_iter(), original);
        let words = told.into_iter().map(|observation| match observation {
            Observation::Unseen { what, .. } => what,
            other => panic!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn what_has_no_ring_at_two_looks_is_told_once() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut again = Again::default();
        assert!(told(&mut again, 1_000, child.id()).is_empty());
        assert!(told(&mut again, 1_050, child.id()).is_empty());
        let words = told(&mut again, 1_200, child.id());
        assert_eq!(words.len(), 1);
        assert!(words[0].ends_with("which runs /bin/original"), "{words:?}");
        assert!(told(&mut again, 2_000, child.id()).is_empty());
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_has_one_is_not() {
        let ring = in_memory(2, BRIEF).unwrap();
        assert!(has_ring(Pid(std::process::id())));
        drop(ring);
    }
}
