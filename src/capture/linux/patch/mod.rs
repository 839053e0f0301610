//! The `patch` backend: functions that tell of their calls themselves, in copies of the programs that they belong to.
//!
//! ```text
//! copies ──► the command's program, and by toolexec the go command's tools: run in their place
//!               │ records
//!               ▼
//!             ring ──► drain thread ──Called──► the recorder
//! ```
//!
//! No rights are needed, the kernel does nothing for a call, and what a program computes is the same. How a copy is
//! made, and of which functions: [`crate::binary::trampoline`].

mod account;
mod again;
mod cache;
mod choice;
mod copies;
pub(in crate::capture) mod guest_clock;
pub(in crate::capture) mod in_place;
mod remote;
mod sums;
mod watched;

use super::parts::Parts;
use super::sys::forked::wipes_on_fork;
use super::sys::ring::in_memory;
use crate::capture::backend::{self, Backend, Error, Running};
use crate::capture::own_path::OwnPath;
use crate::capture::probes::{CallMode, Watch};
use crate::capture::ring::{self, Begun, CHUNKS, Drain};
use crate::capture::stand_in::{StandIn, StandIns, has_room};
use crate::capture::sys::ring::{Patience, SharedRing};
use crate::capture::toolexec::Held;
use crate::capture::{Observation, chain};
use crate::environment::Refusal;
use crate::trace::{Nanos, Pid};
use cache::Cache;
use copies::Copies;
use crossbeam_channel::{Receiver, Sender};
use nix::sys::resource::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sums::Sums;
use watched::Watched;

const NAME: &str = "patch";
/// What telling of an entry and of an exit costs a program, rounded up: 7.1 and 9.5 ns on an AMD EPYC (virtual machine),
/// of which the reading of the counter is most.
const ENTRY_COST: Nanos = Nanos(10);
const EXIT_COST: Nanos = Nanos(11);
/// Either under qemu, which calls a function of its own to read the clock: 210 to 290 ns with 10.0 on that machine.
const GUEST_COST: Nanos = Nanos(300);
/// How long a program waits while the ring is full, where each call is recorded: some milliseconds. More come than can
/// be written down, however long it waits.
const BRIEF: Patience = Patience {
    chunks: CHUNKS,
    sleeps: 50,
    insists: false,
};
/// And where calls are added up, or most are left out: until there is room, but for a second while nobody reads. In these
/// chunks there is room for some ten milliseconds of what two processors write; with all of them records would go
/// through main memory.
const STEADY: Patience = Patience {
    chunks: 128,
    sleeps: 10_000,
    insists: true,
};
/// Below this a limit of address space may be one that a program keeps, and with a ring of 32 MiB no more: one of Go
/// reserves 1.2 GiB before it begins (1.27, by trying).
const ADDRESS_SPACE: u64 = 16 << 30;

/// What the backend is to do.
#[derive(Debug)]
pub(in crate::capture) struct Options {
    /// Functions to watch.
    pub(in crate::capture) watch: Watch,
    /// The kernel's probes watch what copies do not tell of.
    pub(in crate::capture) beside_kernel: bool,
    /// All is watched without copies, too: where there would be none, the backend is of no use.
    pub(in crate::capture) is_spare: bool,
    /// Programs of which copies are to be there before the command runs.
    pub(in crate::capture) expected: Vec<PathBuf>,
    /// Where copies are kept.
    pub(in crate::capture) caches: Option<PathBuf>,
    /// The command runs as another user.
    pub(in crate::capture) others: bool,
    /// `GOROOT` of the go command, where the command is one that does not name it: it would look for it beside the
    /// copy.
    pub(in crate::capture) goroot: Option<PathBuf>,
    /// When the command runs from its own file.
    pub(in crate::capture) own_path: OwnPath,
    /// Tools that run by their stand-ins.
    pub(in crate::capture) started: Receiver<Held>,
}

/// The backend.
#[derive(Debug)]
pub(in crate::capture) struct Patch {
    /// Until there is a thread that empties it.
    ring: Option<SharedRing>,
    copies: Arc<Copies>,
    goroot: Option<PathBuf>,
    /// The command was given its copy to run.
    is_given: AtomicBool,
    own_path: OwnPath,
    started: Receiver<Held>,
    mode: CallMode,
    /// None where nobody named functions.
    announcement: Option<String>,
    running: Option<Running>,
}

/// Whether the backend works here.
///
/// # Errors
///
/// Why it does not.
pub(in crate::capture) fn availability() -> Result<(), Refusal> {
    let refused = |reason: &str, evidence: String| Refusal {
        reason: reason.to_owned(),
        evidence,
        remedy: "as root, --backend bpf watches functions by the kernel".to_owned(),
    };
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        let evidence = format!("this is {}", std::env::consts::ARCH);
        return Err(refused(
            "trampolines are there for amd64 and arm64",
            evidence,
        ));
    }
    let limit = getrlimit(Resource::RLIMIT_AS).map_or(0, |(limit, _)| limit);
    if limit < ADDRESS_SPACE {
        return Err(Refusal {
            reason:
                "a copy needs 33 MiB more of address space than its program, and that is limited"
                    .to_owned(),
            evidence: format!("RLIMIT_AS is {limit} bytes"),
            remedy: "ulimit -v unlimited takes the limit away".to_owned(),
        });
    }
    // Linux lets every program read the counter of arm64, which keeps time by its architecture.
    if cfg!(target_arch = "aarch64") {
        return Ok(());
    }
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = flags
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    let missing = ["constant_tsc", "nonstop_tsc"].into_iter();
    let missing = missing.filter(|flag| !flags.split(' ').any(|has| has == *flag));
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let evidence = format!("/proc/cpuinfo does not have {}", missing.join(" and "));
    Err(refused(
        "the processor's time stamp counter does not keep time",
        evidence,
    ))
}

impl Patch {
    /// Makes copies of what is likely to run.
    ///
    /// # Errors
    ///
    /// Why it does not work here.
    pub(in crate::capture) fn new(options: Options) -> Result<Self, Refusal> {
        availability()?;
        let refused = |reason: &str, error: &io::Error, remedy: &str| Refusal {
            reason: reason.to_owned(),
            evidence: chain(error),
            remedy: remedy.to_owned(),
        };
        wipes_on_fork().map_err(|error| {
            let reason = "the kernel does not empty memory for forked children, which would write as their parents";
            let by_kernel = "with Linux 4.14 or newer; as root, --backend bpf watches functions by the kernel";
            refused(reason, &error, by_kernel)
        })?;
        let no_folder = io::Error::other("neither XDG_CACHE_HOME nor HOME is an absolute path");
        let caches = options.caches.ok_or(no_folder);
        let cache = caches.and_then(|caches| {
            let cache = Cache::open(&caches, options.others)?;
            Ok((cache, Sums::open(&caches)))
        });
        let cache = cache.map_err(|error| {
            let elsewhere = "set XDG_CACHE_HOME to a folder of yours from which programs can run";
            refused("copies of programs cannot be kept", &error, elsewhere)
        })?;
        let mode = options.watch.mode.clone();
        let patience = if mode.is_full() { BRIEF } else { STEADY };
        let (file, ring) = in_memory(CHUNKS, patience).map_err(|error| {
            let more = "raise the limits of memory and of the size of files (ulimit -a)";
            refused("there is no memory for records", &error, more)
        })?;
        let is_named = !options.watch.named.is_empty();
        let copies = Arc::new(Copies::new(
            (options.watch, options.beside_kernel),
            cache,
            file,
        ));
        // The command may be one of the toolchain's.
        let expected = options.expected.iter();
        let expected: BTreeSet<_> = expected
            .filter_map(|path| path.canonicalize().ok())
            .collect();
        std::thread::scope(|scope| {
            for program in &expected {
                scope.spawn(|| copies.copy_of(program));
            }
        });
        if options.is_spare && !copies.are_there() {
            return Err(Refusal {
                reason: "no program that is expected has a copy".to_owned(),
                evidence: copies.why_none(),
                remedy: String::new(),
            });
        }
        let announcement = is_named.then(|| copies.announcement());
        Ok(Self {
            ring: Some(ring),
            copies,
            goroot: options.goroot,
            is_given: AtomicBool::new(false),
            own_path: options.own_path,
            started: options.started,
            mode,
            announcement,
            running: None,
        })
    }

    /// Who knows what runs in the place of tools.
    pub(in crate::capture) fn stand_ins(&self) -> Arc<dyn StandIns> {
        Arc::<Copies>::clone(&self.copies)
    }

    /// Who knows what copies tell of.
    pub(in crate::capture) fn parts(&self) -> Arc<dyn Parts> {
        Arc::<Copies>::clone(&self.copies)
    }
}

impl Backend for Patch {
    fn name(&self) -> &'static str {
        NAME
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let root = self.goroot.iter();
        root.map(|root| ("GOROOT".into(), root.clone().into_os_string()))
            .collect()
    }

    fn stand_in(&self, program: &Path) -> Option<StandIn> {
        let stand_in = self.copies.of_command(program, self.own_path);
        let is_given = stand_in.is_some() && has_room();
        self.is_given.store(is_given, Ordering::Relaxed);
        stand_in
    }

    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        if let Some(words) = self.copies.wrong_name() {
            return Err(Error::Probes(words));
        }
        let Some(ring) = self.ring.take() else {
            return Ok(());
        };
        let shared = (ring, Watched::of(&self.copies));
        let of = Begun {
            root,
            given: u64::from(self.is_given.load(Ordering::Relaxed)),
            mode: &self.mode,
        };
        let drain = Drain::new(shared, self.started.clone(), out, of);
        self.running = Some(backend::spawn(ring::THREAD, NAME, |stopped| {
            drain.run(&stopped)
        })?);
        Ok(())
    }

    fn announcement(&self) -> Option<&str> {
        self.announcement.as_deref()
    }

    fn finish(&mut self) -> Result<(), Error> {
        let ended = backend::join(self.running.take(), "the thread that reads calls");
        self.copies.finish();
        ended
    }
}
