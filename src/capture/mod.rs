//! World to trace: launches the command, runs the backends, records what they observe.
//!
//! ```text
//! backend threads ──Observation──► recorder thread ──Record──► trace::file::Writer
//! ```
//!
//! A [`Backend`] delivers [`Observation`]s in the order in which they happened within each
//! process. The recorder alone knows the tables of processes and mappings; it turns
//! observations into the records of a trace. Nothing here formats for a viewer.

mod alive;
pub mod attach;
mod backend;
pub mod calls;
mod change;
mod conclusion;
pub mod decode;
mod dtrace;
pub mod dyld_variables;
mod dyldlog;
mod graphs;
mod held_child;
pub mod instrumented;
mod launch;
mod library;
pub mod linking;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "macos")]
mod macos;
pub mod native;
mod observation;
mod outputs;
mod own_children;
pub mod own_path;
mod plain_file;
mod preamble;
pub mod probes;
mod progress;
mod recorder;
mod redact;
pub mod repeat;
mod ring;
mod run_folder;
pub mod running;
mod selection;
pub mod selftest;
pub mod session;
pub mod slice;
mod spool;
mod stand_in;
mod standstill;
mod supervise;
mod sys;
pub mod toolexec;
mod translated;
pub mod unwatched;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

use crate::environment::Refusal;
use crate::environment::invoker::Invoker;
use std::path::PathBuf;

pub use backend::{Backend, Error, Request};
pub use change::{Change, NotAChange};
pub use dtrace::{Way as WayOfDtrace, trial as try_dtrace};
pub use launch::Environment;
pub use observation::{Executed, Monotonic, Observation, Probed, Sampled, Teller, ToolRun};
pub use preamble::Found;
pub use progress::Progress;
pub use redact::Redaction;
pub use selection::{Name, Selection};
pub use stand_in::StandIn;
pub use supervise::Signals;

/// A text without what looks like a secret.
#[must_use]
pub fn redacted(text: &str) -> String {
    let known = Redaction::default();
    String::from_utf8_lossy(&known.line(text.as_bytes())).into_owned()
}

/// An error with its causes, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Samples a second of the backend that takes them here, when nothing else is asked for.
#[cfg(target_os = "linux")]
pub(crate) const DEFAULT_RATE_HZ: u32 = linux::bpf::DEFAULT_RATE_HZ;
#[cfg(target_os = "macos")]
pub(crate) const DEFAULT_RATE_HZ: u32 = macos::mach::DEFAULT_RATE_HZ;

/// Whether the backend `bpf` works here.
fn bpf_availability() -> Result<(), Refusal> {
    #[cfg(target_os = "linux")]
    {
        linux::bpf::availability()
    }
    #[cfg(not(target_os = "linux"))]
    {
        Err(no_bpf())
    }
}

/// Whether the backend `bpf` can put probes on whatever is asked for.
fn bpf_probes_all() -> bool {
    #[cfg(target_os = "linux")]
    {
        linux::bpf::probes_all()
    }
    #[cfg(not(target_os = "linux"))]
    {
        false
    }
}

/// Opens the backend `bpf`; `expected` are executables that the command is likely to run. Of copies it watches what
/// these do not tell of.
fn open_bpf(
    request: Request,
    (watch, copies): (probes::Watch, Option<Copies>),
    expected: Vec<PathBuf>,
    (cache, invoker): (Option<PathBuf>, Option<Invoker>),
) -> Result<Box<dyn Backend>, Refusal> {
    #[cfg(target_os = "linux")]
    {
        linux::bpf::open(linux::bpf::Options {
            rate_hz: request.rate_hz.unwrap_or(DEFAULT_RATE_HZ),
            off_cpu: request.off_cpu,
            expected,
            watch,
            copies,
            calibration: linux::qemu::Calibration { cache, invoker },
            ..linux::bpf::Options::default()
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (request, watch, copies, expected, cache, invoker);
        Err(no_bpf())
    }
}

/// Opens the backend `bpf` for a program that runs already.
fn attach_bpf(
    options: &session::Options,
    running: &running::Running,
) -> Result<Box<dyn Backend>, Refusal> {
    #[cfg(target_os = "linux")]
    {
        linux::bpf::open(linux::bpf::Options {
            rate_hz: options.request.rate_hz.unwrap_or(0),
            off_cpu: options.request.off_cpu,
            expected: vec![running.exe.clone()],
            watch: options.watch.clone(),
            running: Some(linux::bpf::RunningProcess::of(running)),
            ..linux::bpf::Options::default()
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (options, running);
        Err(no_bpf())
    }
}

impl Name {
    /// The backend that records image loads and binds on this system.
    pub(crate) const OF_BINDINGS: Self = if cfg!(target_os = "macos") {
        Self::Dyldlog
    } else {
        Self::Audit
    };
}

/// Whether the backend `patch` makes copies, and has them run in the place of tools; else the tools are copies.
const MAKES_COPIES: bool = cfg!(target_os = "linux");

/// Whether the backend `patch` works here.
fn patch_availability() -> Result<(), Refusal> {
    #[cfg(target_os = "linux")]
    {
        linux::patch::availability()
    }
    // It depends on what the command runs.
    #[cfg(target_os = "macos")]
    {
        Ok(())
    }
}

/// Whether the backend `patch` has copies of these toolchains, or makes them.
fn patch_reaches(goroots: &[PathBuf]) -> Result<(), Refusal> {
    #[cfg(target_os = "linux")]
    let _ = goroots;
    #[cfg(target_os = "macos")]
    instrumented::Toolchain::first_of(goroots).map_err(|why| why.refusal())?;
    Ok(())
}

/// What the backend `patch` is to do.
#[cfg_attr(
    target_os = "macos",
    expect(dead_code, reason = "it has nobody run copies")
)]
struct PatchRequest {
    watch: probes::Watch,
    /// The kernel's probes watch what copies do not tell of.
    beside_kernel: bool,
    /// All is watched without copies, too: where there would be none, the backend is of no use.
    is_spare: bool,
    /// Programs of which copies are to be there before the command runs.
    expected: Vec<PathBuf>,
    /// Where copies are kept.
    caches: Option<PathBuf>,
    /// The command runs as another user than gotrace.
    others: bool,
    /// What a go command that is the command is to take for its `GOROOT`.
    goroot: Option<PathBuf>,
    /// When the command runs from its own file.
    own_path: own_path::OwnPath,
    /// Tools that run by their stand-ins; where there are none, all that have begun.
    started: crossbeam_channel::Receiver<toolexec::Held>,
}

/// What it is to know on macOS, where toolchains are prepared beforehand.
#[cfg_attr(
    target_os = "linux",
    expect(dead_code, reason = "copies are made when they are needed")
)]
struct PreparedRequest<'a> {
    /// Toolchains that the command may run, the likeliest first.
    goroots: Vec<PathBuf>,
    /// The run's own folder.
    folder: &'a std::path::Path,
    /// Whom the command runs as, where that is another user.
    owner: Option<(u32, u32)>,
}

/// Who knows what copies tell of.
#[cfg(target_os = "linux")]
type Copies = std::sync::Arc<dyn linux::parts::Parts>;
/// Elsewhere there are none.
#[cfg(not(target_os = "linux"))]
type Copies = std::convert::Infallible;

/// A backend, and who knows what runs in the place of tools, and what that tells of; where nothing does, nobody.
type Opened = (
    Box<dyn Backend>,
    Option<(std::sync::Arc<dyn stand_in::StandIns>, Copies)>,
);

/// Opens the backend `patch`.
fn open_patch(request: PatchRequest, prepared: &PreparedRequest<'_>) -> Result<Opened, Refusal> {
    #[cfg(target_os = "linux")]
    {
        let backend = linux::patch::Patch::new(linux::patch::Options {
            watch: request.watch,
            beside_kernel: request.beside_kernel,
            is_spare: request.is_spare,
            expected: request.expected,
            caches: request.caches,
            others: request.others,
            goroot: request.goroot,
            own_path: request.own_path,
            started: request.started,
        })?;
        let _ = prepared;
        let known = (backend.stand_ins(), backend.parts());
        Ok((Box::new(backend), Some(known)))
    }
    #[cfg(target_os = "macos")]
    {
        let backend = macos::patch::Patch::new(macos::patch::Options {
            watch: request.watch,
            goroots: &prepared.goroots,
            folder: prepared.folder,
            owner: prepared.owner,
            started: request.started,
        })?;
        Ok((Box::new(backend), None))
    }
}

/// Whether the backend `audit` works here.
fn audit_availability() -> Result<(), Refusal> {
    #[cfg(target_os = "linux")]
    {
        linux::audit::availability()
    }
    #[cfg(not(target_os = "linux"))]
    {
        Err(no_audit())
    }
}

/// Opens the backend `audit` for a command that would have `users` as `LD_AUDIT`.
fn open_audit(
    command: &[std::ffi::OsString],
    spool: &spool::Spool,
    invoker: Option<&Invoker>,
    users: Option<&std::ffi::OsStr>,
    follows_tree: bool,
) -> Result<Box<dyn Backend>, Refusal> {
    #[cfg(target_os = "linux")]
    {
        linux::audit::reaches(command)?;
        linux::audit::availability()?;
        let backend = linux::audit::Audit::new(linux::audit::Options {
            folder: spool.path(),
            secret: spool.secret(),
            invoker,
            users,
            follows_tree,
        })?;
        Ok(Box::new(backend))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (
            command,
            spool.path(),
            spool.secret(),
            invoker,
            users,
            follows_tree,
        );
        Err(no_audit())
    }
}

#[cfg(not(target_os = "linux"))]
fn no_audit() -> Refusal {
    Refusal {
        reason: "LD_AUDIT is a part of Linux's glibc".to_owned(),
        evidence: format!("this is {}", std::env::consts::OS),
        remedy: "use --bindings, which takes the backend dyldlog here".to_owned(),
    }
}

/// Whether the backend `dyldlog` works here.
fn dyldlog_availability() -> Result<(), Refusal> {
    if cfg!(target_os = "macos") {
        return Ok(());
    }
    Err(Refusal {
        reason: "dyld is the loader of macOS".to_owned(),
        evidence: format!("this is {}", std::env::consts::OS),
        remedy: "use --bindings, which takes the backend audit here".to_owned(),
    })
}

/// Whether the backend `mach` works here.
fn mach_availability() -> Result<(), Refusal> {
    #[cfg(target_os = "macos")]
    return Ok(());
    #[cfg(not(target_os = "macos"))]
    Err(no_mach())
}

/// What the backend `mach` is to know.
#[cfg_attr(
    not(target_os = "macos"),
    expect(dead_code, reason = "it is refused before it is asked anything")
)]
struct MachRequest<'a> {
    /// The program that the command is, where one was found.
    program: Option<PathBuf>,
    /// A folder in which the library may stay.
    cache: Option<PathBuf>,
    /// A name that nobody can guess.
    secret: &'a str,
    /// What the command would have as `DYLD_INSERT_LIBRARIES`.
    users: Option<&'a std::ffi::OsStr>,
    /// Samples a second and thread.
    rate_hz: Option<u32>,
}

/// Opens the backend `mach`.
fn open_mach(request: &MachRequest<'_>) -> Result<Box<dyn Backend>, Refusal> {
    #[cfg(target_os = "macos")]
    {
        Ok(Box::new(macos::mach::Mach::new(request)?))
    }
    #[cfg(not(target_os = "macos"))]
    {
        let _ = request;
        Err(no_mach())
    }
}

#[cfg(not(target_os = "macos"))]
fn no_mach() -> Refusal {
    Refusal {
        reason: "tasks of Mach are a part of macOS".to_owned(),
        evidence: format!("this is {}", std::env::consts::OS),
        remedy: "use the backend bpf, which takes samples here".to_owned(),
    }
}

#[cfg(not(target_os = "linux"))]
fn no_bpf() -> Refusal {
    Refusal {
        reason: "BPF is a part of Linux".to_owned(),
        evidence: format!("this is {}", std::env::consts::OS),
        remedy: "use --backend toolexec".to_owned(),
    }
}

/// What the executable `gotrace-helper` does: hands the descriptors of BPF programs to the
/// gotrace that started it, see `linux::bpf`.
///
/// # Errors
///
/// When there is nobody to answer, or nothing to help with on this system.
pub fn serve_descriptors() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    return linux::bpf::serve();
    #[cfg(not(target_os = "linux"))]
    Err(std::io::ErrorKind::Unsupported.into())
}
