//! The `bpf` backend: process tree, mappings and stack samples from the kernel.
//!
//! ```text
//! load ──(descriptors)──► drain thread ──► decode::bpf ──Observation──► the session
//!  │                        ├ fills in layouts of executables, for goroutines and stack walks
//!  └ here, or in the helper └ puts probes on executables: arm, attach
//! ```

mod arm;
mod assistant;
mod attach;
mod drain;
mod gate;
mod handover;
mod layouts;
mod load;
mod trial;

use crate::capture::decode::bpf::{ExeKey, Merge};
use crate::capture::linux::parts::Parts;
use crate::capture::linux::qemu::Calibration;
use crate::capture::linux::sys::SharedWords;
use crate::capture::probes::Watch;
use crate::capture::running;
use crate::capture::{Backend, Error, Monotonic, Observation, chain};
use crate::environment::Refusal;
use crate::environment::linux::rights::{self, Loader};
use crate::trace::{Nanos, Pid};
use arm::Armed;
use crossbeam_channel::Sender;
use drain::Drain;
pub use handover::serve;
use layouts::Layouts;
use load::{Descriptors, Target};
use std::io::{self, PipeWriter, Write as _};
use std::num::NonZero;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Samples a second and processor, when nothing else is asked for: about 3,000 in 16 seconds of
/// CPU time, for less than one percent of it.
pub const DEFAULT_RATE_HZ: u32 = 199;

/// Size of the ring buffer when nothing else is asked for: what a busy build leaves in a second.
pub const DEFAULT_RING_BYTES: u32 = 4 << 20;

const NAME: &str = "bpf";

/// What to record.
#[derive(Clone, Debug)]
pub struct Options {
    /// Samples a second and processor; 0 for none.
    pub rate_hz: u32,
    /// Time off the processor, with stacks.
    pub off_cpu: bool,
    /// Executables that will run and that it pays to know before: a toolchain's.
    pub expected: Vec<PathBuf>,
    /// Size of the ring buffer that records come through: a power of two, a page at least.
    pub ring_bytes: u32,
    /// Load by this helper executable, not by whatever has the rights.
    pub helper: Option<PathBuf>,
    /// Functions whose entries and exits are recorded.
    pub watch: Watch,
    /// Copies that run in the place of programs, of which those functions are watched that do not tell of their calls,
    /// as far as any are.
    pub copies: Option<Arc<dyn Parts>>,
    /// The root runs its program already.
    pub running: Option<RunningProcess>,
    /// Attach to one place at a time, as Linux before 6.6 needs it.
    pub one_by_one: bool,
    /// How to look into translators.
    pub calibration: Calibration,
}

/// What the kernel's table of processes holds of one that runs already.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(feature = "bpf"),
    expect(dead_code, reason = "what is here is for the loader")
)]
pub struct RunningProcess {
    key: ExeKey,
    start_code: u64,
    threads: u32,
}

impl RunningProcess {
    /// Of what `/proc` says.
    #[must_use]
    pub fn of(running: &running::Running) -> Self {
        Self {
            key: ExeKey::of(&running.file),
            start_code: running.start_code,
            threads: running.threads,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rate_hz: DEFAULT_RATE_HZ,
            off_cpu: false,
            expected: Vec::new(),
            ring_bytes: DEFAULT_RING_BYTES,
            helper: None,
            watch: Watch::default(),
            copies: None,
            running: None,
            one_by_one: false,
            calibration: Calibration::default(),
        }
    }
}

/// Whether the backend works on this machine, for this user.
///
/// # Errors
///
/// Why it does not, and what would help.
pub fn availability() -> Result<(), Refusal> {
    loader().map(drop)
}

fn loader() -> Result<Loader, Refusal> {
    if cfg!(not(feature = "bpf")) {
        return Err(Refusal {
            reason: "this gotrace cannot load BPF programs".to_owned(),
            evidence: "built without the feature bpf".to_owned(),
            remedy: "cargo install gotrace (with default features)".to_owned(),
        });
    }
    rights::bpf_loader()
}

/// Whether functions of any choice can be watched: by this process, not by the helper.
#[must_use]
pub fn probes_all() -> bool {
    matches!(loader(), Ok(Loader::Ourselves))
}

/// Prepares the backend.
///
/// # Errors
///
/// When it does not work here, see [`availability`].
pub fn open(options: Options) -> Result<Box<dyn Backend>, Refusal> {
    let loader = match &options.helper {
        Some(path) => Loader::Helper(path.clone()),
        None => loader()?,
    };
    if let (Loader::Helper(_), false) = (&loader, options.watch.is_built_in()) {
        return Err(Refusal {
            reason: "functions of one's own choice are watched by root alone".to_owned(),
            evidence: "gotrace-helper sets the probes of built-in sets".to_owned(),
            remedy: "sudo gotrace run ...".to_owned(),
        });
    }
    Ok(Box::new(Bpf {
        loader,
        options,
        running: None,
        announcement: None,
    }))
}

fn period_of(rate_hz: u32) -> Option<NonZero<u64>> {
    NonZero::new(1_000_000_000_u64.checked_div(u64::from(rate_hz))?)
}

struct Bpf {
    loader: Loader,
    options: Options,
    running: Option<Running>,
    announcement: Option<String>,
}

struct Running {
    stop: PipeWriter,
    thread: JoinHandle<io::Result<()>>,
}

impl Bpf {
    fn load(&self, root: Pid) -> Result<Descriptors, Error> {
        let loaded = match &self.loader {
            Loader::Ourselves => {
                let target = Target {
                    root: root.0,
                    user: None,
                    running: self.options.running,
                };
                load::load(target, &self.options).map_err(|error| chain(&error))
            }
            Loader::Helper(path) => {
                handover::request(path, root.0, &self.options).map_err(|error| chain(&error))
            }
        };
        loaded.map_err(|evidence| refused("BPF programs could not be loaded", evidence))
    }
}

impl Bpf {
    /// Watches functions of executables that will run. What cannot be watched is told, and keeps
    /// nothing else from being recorded.
    fn arm(
        &mut self,
        descriptors: &mut Descriptors,
        expected: &[PathBuf],
        out: &mut Vec<Observation>,
    ) -> Option<Armed> {
        let watch = std::mem::take(&mut self.options.watch);
        if watch.is_empty() {
            return None;
        }
        let unseen = |why: String| Observation::Unseen {
            time: now(),
            what: "function calls".to_owned(),
            why,
        };
        let (Some(attacher), Some(generations)) =
            (descriptors.attacher.take(), descriptors.generations.take())
        else {
            // The helper could not try any, and had told why when it was asked for root's rights.
            out.push(unseen("the helper can set no probes here".to_owned()));
            return None;
        };
        let tried = match attacher.costs() {
            Ok(tried) => tried,
            Err(error) => {
                out.push(unseen(format!("no probe can be set here: {error}")));
                return None;
            }
        };
        let generations = match SharedWords::map(generations.as_fd(), arm::GENERATIONS) {
            Ok(generations) => generations,
            Err(error) => {
                out.push(unseen(format!("no probe can be set here: {error}")));
                return None;
            }
        };
        let copies = self.options.copies.clone();
        let mut armed = Armed::new(attacher, generations, tried, (watch, copies));
        armed.expect(expected, &mut |observation| out.push(observation));
        Some(armed)
    }
}

fn refused(reason: &str, evidence: String) -> Error {
    Error::Refused {
        backend: NAME,
        refusal: Refusal {
            reason: reason.to_owned(),
            evidence,
            remedy: "use --backend toolexec".to_owned(),
        },
    }
}

fn os(call: &'static str, target: &str) -> impl FnOnce(io::Error) -> Error {
    let target = target.to_owned();
    move |source| Error::Os {
        call,
        target,
        source,
    }
}

impl Backend for Bpf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn follows_tree(&self) -> bool {
        true
    }

    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        let mut descriptors = self.load(root)?;
        let mut expected = std::mem::take(&mut self.options.expected);
        // Told by the drain thread: nobody listens yet.
        let mut first = Vec::new();
        if let Some(copies) = &self.options.copies {
            let of_them = expected.iter().filter_map(|path| copies.copy(path));
            let of_them: Vec<PathBuf> = of_them.collect();
            expected.extend(of_them);
        }
        let copies = self.options.copies.clone();
        let watch = &self.options.watch;
        let tells_beside = copies.is_some() && !watch.is_empty();
        let beside_copies = tells_beside.then_some(watch.is_asked_for());
        let armed = self.arm(&mut descriptors, &expected, &mut first);
        if let Some(armed) = &armed {
            if let Some(wrong) = armed.wrong_name() {
                return Err(Error::Probes(wrong.to_owned()));
            }
            self.announcement = armed.announcement();
        }
        let period = period_of(self.options.rate_hz);
        let period = Nanos(period.map_or(0, NonZero::get));
        let (stopped, stop) = io::pipe().map_err(os("pipe", "the drain thread"))?;
        let merge = Merge::new(root, period, now());
        let ring_bytes = self.options.ring_bytes as usize;
        let calibration = self.options.calibration.clone();
        let layouts = Layouts::map(descriptors.layouts.as_fd(), calibration);
        let layouts = layouts.map_err(os("mmap", "the table of layouts"))?;
        let mut drain = Drain::new(
            descriptors,
            (layouts, armed, copies),
            (ring_bytes, period, beside_copies),
            stopped,
            merge,
            out,
        )
        .map_err(|error| {
            refused(
                "the memory shared with BPF programs is refused",
                error.to_string(),
            )
        })?;
        drain.expect(&expected);
        let thread = std::thread::Builder::new()
            .name("gotrace-bpf".to_owned())
            .spawn(move || drain.run(first))
            .map_err(os("clone", "the drain thread"))?;
        self.running = Some(Running { stop, thread });
        Ok(())
    }

    fn announcement(&self) -> Option<&str> {
        self.announcement.as_deref()
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some(Running { mut stop, thread }) = self.running.take() else {
            return Ok(());
        };
        // Where the thread has ended already, its own outcome says why.
        let told = stop.write_all(&[0]);
        drop(stop);
        match thread.join() {
            Ok(outcome) => outcome.and(told).map_err(os("poll", "the BPF ring buffer")),
            Err(_) => Err(os("join", "the drain thread")(io::Error::other(
                "it panicked",
            ))),
        }
    }
}

fn now() -> Monotonic {
    Monotonic(super::sys::monotonic())
}
