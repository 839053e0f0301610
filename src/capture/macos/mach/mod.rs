//! The `mach` backend: stacks and counters of programs that hand over their task.
//!
//! ```text
//! DYLD_INSERT_LIBRARIES ──► a program says hello ──► its task ──► images, once each time that they change
//!                                                             └──► threads, at each tick: decode::mach ──► the recorder
//! ```
//!
//! One thread does it all, so that no table is shared: it waits for a hello until the next tick is due.
//!
//! What a sample costs, in calls of the kernel, none of which tells what another one tells:
//!
//! | for | calls | why |
//! |---|---|---|
//! | each tick | `mach_msg`, `poll` | does a program wait for an answer, is the run over? |
//! | each process and tick | `proc_pid_rusage` | has it used any time at all since the last tick? If not, that is all. Instructions and cycles come with it, before it ends, when nobody can ask any more |
//! | | `task_threads`, `mach_vm_deallocate` | which threads there are: nothing says when one begins |
//! | each thread of it | `thread_info`, `mach_port_deallocate` | has it used any time? If not, that is all; the list came with a right to it |
//! | each process with threads that ran | `task_suspend2`, `task_resume2` | all stacks are of one moment |
//! | each thread that ran | `thread_get_state` | its registers |
//! | | `mach_vm_read_overwrite`, one for each 16 KiB of stack that has frames | the frames |
//! | a thread that is new | `thread_info` | the number that the system knows it by |
//! | a translated thread that ran | `mach_vm_region_recurse`, once for each region that was not seen before | whose code it is |
//! | a thread of Go that ran | `mach_vm_read_overwrite`, up to three times | its goroutine: `g`, `m`, `m.curg` |
//! | each process, ten times a second | `mach_vm_read_overwrite`, `proc_pidinfo` | have its images changed, and has it ended? |
//! | an image that is new | `mach_vm_read_overwrite`, twice | its path, and its header; of the shared cache once for all processes |
//!
//! A process stands still for as long as it takes to read the stacks of those of its threads that ran. When gotrace is
//! killed within that time, the kernel has it go on.
//!
//! A translated process is sent no signal, nothing of it is mapped here, and no code is put into it: Rosetta ends
//! programs for less.

mod library;
mod sampler;

use std::ffi::{CString, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::sys::ports::Port;
use super::sys::task::Task;
use crate::capture::backend::{self, Running};
use crate::capture::decode::preload::PORT_VARIABLE;
use crate::capture::dyld_variables;
use crate::capture::{Backend, Error, MachRequest, Observation, plain_file, sys};
use crate::environment::Refusal;
use crate::environment::entitled::may_take_tasks;
use crate::environment::survey::Integrity;
use crate::trace::Pid;
use sampler::{Asked, Sampler};

const NAME: &str = "mach";
/// Samples a second and thread, where nothing else is asked for.
pub(in crate::capture) const DEFAULT_RATE_HZ: u32 = 199;
const INSERTED: &str = "DYLD_INSERT_LIBRARIES";
/// The largest file of a program that is looked into.
const LARGEST: u64 = 1 << 30;
/// How long a command that stands still waits to be watched.
const PATIENCE: Duration = Duration::from_secs(1);

/// The backend.
#[derive(Debug)]
pub(in crate::capture) struct Mach {
    port: Option<Port>,
    variables: Vec<(OsString, OsString)>,
    /// The command takes no library, and its task is asked for.
    asks: bool,
    period: Option<Duration>,
    /// Where the task goes that was asked for, and where it comes from.
    asked: Sender<Asked>,
    answered: Receiver<Asked>,
    running: Option<Running>,
}

impl Mach {
    /// Registers the port, and unpacks the library.
    ///
    /// # Errors
    ///
    /// When the command can be reached neither by the library nor by its task, or one of these steps fails.
    pub(in crate::capture) fn new(request: &MachRequest<'_>) -> Result<Self, Refusal> {
        let takes = request.program.as_deref().map_or(Ok(()), takes_library);
        let takes = takes.and_then(|()| system_takes_none());
        let asks = takes.is_err() && may_ask();
        if !asks {
            takes?;
        }
        let name = format!("org.gotrace.{}.{}", std::process::id(), request.secret);
        let failed = |reason: &str| {
            let reason = reason.to_owned();
            move |error: io::Error| Refusal {
                reason,
                evidence: error.to_string(),
                remedy: "run without the backend mach".to_owned(),
            }
        };
        let c_name = CString::new(name.as_str()).map_err(io::Error::other);
        let port = c_name.and_then(|name| Port::named(&name));
        let port = port.map_err(failed("no port can be registered for programs to look up"))?;
        let library = library::unpack(request.cache.as_deref());
        let library = library.map_err(failed(
            "the library for DYLD_INSERT_LIBRARIES cannot be unpacked",
        ))?;
        let mut inserted = request.users.map(OsString::from).unwrap_or_default();
        if !inserted.is_empty() {
            inserted.push(":");
        }
        inserted.push(library);
        let mut variables = vec![
            (INSERTED.into(), inserted),
            (PORT_VARIABLE.into(), name.into()),
        ];
        if asks {
            // Such a program may heed them, and be ended for want of a library that is for it.
            variables.clear();
        }
        let (asked, answered) = crossbeam_channel::bounded(1);
        let rate = request.rate_hz.unwrap_or(DEFAULT_RATE_HZ);
        Ok(Self {
            port: Some(port),
            variables,
            asks,
            period: Duration::from_secs(1).checked_div(rate),
            asked,
            answered,
            running: None,
        })
    }
}

fn takes_library(program: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::PermissionsExt as _;
    let set_id =
        std::fs::metadata(program).is_ok_and(|found| found.permissions().mode() & 0o6000 != 0);
    let file = plain_file::read(program, LARGEST).map_err(|error| Refusal {
        reason: format!("{} cannot be read", program.display()),
        evidence: error.to_string(),
        remedy: String::new(),
    })?;
    dyld_variables::takes_library(program, &file, set_id)
}

/// Programs of macOS itself are for arm64e, which the library is not. That they ignore `DYLD_*` saves them: where they
/// can be debugged, they heed it, and each one that a command starts would be ended by dyld.
fn system_takes_none() -> Result<(), Refusal> {
    let evidence = match Integrity::here() {
        Some(Integrity {
            debugging: true, ..
        }) => return Ok(()),
        Some(_) => "csrutil status: Debugging Restrictions are disabled",
        None => "csrutil status does not say what System Integrity Protection is set to",
    };
    Err(Refusal {
        reason: "programs of macOS, such as /bin/sh, may take the library, and be ended for want of one for arm64e"
            .to_owned(),
        evidence: evidence.to_owned(),
        remedy: "csrutil enable, in the recovery system; or run without the backend mach".to_owned(),
    })
}

/// Whether gotrace may ask for tasks that nobody hands over: as root, or by an entitlement of its own.
fn may_ask() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    let own = std::env::current_exe().and_then(|path| plain_file::read(&path, LARGEST));
    may_take_tasks(&own.unwrap_or_default())
}

impl Backend for Mach {
    fn name(&self) -> &'static str {
        NAME
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        self.variables.clone()
    }

    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        const THREAD: &str = "the thread that takes samples";
        drop(out.send(Observation::Unseen {
            time: sys::now(),
            what: "stacks of programs that take no library: hardened, restricted, set-user-id, or a part of macOS"
                .to_owned(),
            why: "macOS lets nobody else into them, and takes DYLD_* away from what they start".to_owned(),
        }));
        let port = self.port.take().ok_or_else(|| Error::Os {
            call: "start",
            target: THREAD.to_owned(),
            source: io::ErrorKind::NotFound.into(),
        })?;
        let mut sampler = Sampler::new(sampler::Plan {
            port,
            root,
            period: self.period,
            tasks: self.answered.clone(),
            out,
        });
        let run = move |stopped| sampler.run(&stopped);
        self.running = Some(backend::spawn("gotrace-mach", THREAD, run)?);
        Ok(())
    }

    fn wants_stop(&self) -> bool {
        self.asks
    }

    fn begun(&mut self, root: Pid) {
        if !self.asks {
            return;
        }
        // Where it is refused, the blind spot of all such programs tells why there are no samples.
        let Ok(task) = Task::of_process(root) else {
            return;
        };
        let (waits, watched) = crossbeam_channel::bounded(0);
        let pid = root;
        if self.asked.try_send(Asked { pid, task, waits }).is_ok() {
            // Its first instruction waits for this, but not for ever.
            let _gone = watched.recv_timeout(PATIENCE);
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        backend::join(self.running.take(), "the thread that takes samples")
    }
}
