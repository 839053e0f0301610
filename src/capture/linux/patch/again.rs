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
use rustc_hash::{FxHashMap, FxHashSet};
use std::fs;
use std::path::Path;

/// How often it is looked. What lives no longer than two looks is not met.
const INTERVAL_NS: u64 = 100_000_000;
/// And where no more is watched than the sets that are by default: a look takes some 100 us for each program.
const INTERVAL_OF_SETS_NS: u64 = 500_000_000;

/// What was met so far.
#[derive(Debug, Default)]
pub(super) struct Again {
    looked: Monotonic,
    /// Without a ring at the last look: a program that begins maps it at once.
    suspected: FxHashSet<Pid>,
    told: FxHashSet<Pid>,
    /// With a ring at the last look, and as what.
    with_ring: FxHashMap<Pid, Auxv>,
}

/// What the kernel has told a program of itself: among it two addresses that are drawn anew each time a process executes
/// one (`AT_RANDOM`, `AT_SYSINFO_EHDR`). Reading it takes a few microseconds, where the mappings of a program of Go take 150.
type Auxv = Vec<u8>;

impl Again {
    /// Looks at processes that tell of their calls, and at their children, where it is time to. `original_of` tells of
    /// which program a file is the copy, or that programs tell which run from it.
    pub(super) fn look(
        &mut self,
        now: Monotonic,
        is_asked_for: bool,
        processes: impl Iterator<Item = Pid>,
        original_of: impl Fn(&Path) -> Option<Vec<u8>>,
    ) -> Vec<Observation> {
        let interval = match is_asked_for {
            true => INTERVAL_NS,
            false => INTERVAL_OF_SETS_NS,
        };
        if now.0.saturating_sub(self.looked.0) < interval {
            return Vec::new();
        }
        self.looked = now;
        let mut suspected = FxHashSet::default();
        let known = std::mem::take(&mut self.with_ring);
        let mut met = Vec::new();
        let with_children =
            processes.flat_map(|pid| [pid].into_iter().chain(process::children(pid)));
        for pid in with_children {
            if self.told.contains(&pid) {
                continue;
            }
            let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let Some(original) = original_of(&exe) else {
                continue;
            };
            let auxv = process::auxv(pid).unwrap_or_default();
            let is_known = known.get(&pid).is_some_and(|known| *known == auxv);
            if is_known || has_ring(pid) {
                self.with_ring.insert(pid, auxv);
                continue;
            }
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
        let told = again.look(now, true, [Pid(pid)].into_iter(), original);
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
        // Where nothing is asked for, less often.
        let mut again = Again::default();
        let mut look = |ms: u64| {
            let original = |_: &Path| Some(Vec::new());
            let now = Monotonic(ms * 1_000_000);
            again.look(now, false, [Pid(child.id())].into_iter(), original)
        };
        assert_eq!([1_000, 1_400, 1_600].map(|ms| look(ms).len()), [0, 0, 1]);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn what_had_one_is_told_when_it_has_executed_something_else() {
        let mut child = Command::new("sh")
            .args(["-c", "read line; exec cat"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid(child.id());
        let auxv = || process::auxv(pid).unwrap();
        let mut again = Again::default();
        // Nothing that is left of this process's own image is in the shell's.
        while fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "sh\n" {
            std::thread::yield_now();
        }
        let before = auxv();
        again.with_ring.insert(pid, before.clone());
        for ms in [1_000, 1_200, 1_400] {
            assert!(told(&mut again, ms, pid.0).is_empty());
        }
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, b"\n").unwrap();
        while auxv() == before {
            std::thread::yield_now();
        }
        assert!(told(&mut again, 1_600, pid.0).is_empty());
        assert_eq!(told(&mut again, 1_800, pid.0).len(), 1);
        drop(input);
        child.wait().unwrap();
    }

    #[test]
    fn what_has_one_is_not() {
        let ring = in_memory(2, BRIEF).unwrap();
        assert!(has_ring(Pid(std::process::id())));
        drop(ring);
    }
}
