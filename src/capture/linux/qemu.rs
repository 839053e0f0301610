//! Learns where a qemu keeps the registers of the programs that it runs: in, its executable; out,
//! [`Offsets`], from the cache or by running a small program under it.
//!
//! The cache is a folder with a file for each build id, in the form of [`Offsets::to_text`].

use crate::binary::elf::Elf;
use crate::capture::decode::memory::ReadMemory;
use crate::capture::decode::qemu::{self, FLAG, HostRegisters, Offsets, Running, WAITING_CALL};
use crate::capture::own_children::OwnChild;
use crate::capture::plain_file;
use crate::environment::invoker::Invoker;
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// So much of the executable is read for its build id.
const HEAD: u64 = 16 << 10;
/// How long the program is looked at, and how long it is left alone in between. It takes qemu some
/// 10 ms to begin.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(1);
/// So many looks must agree.
const AGREEING: usize = 3;
/// A file of the cache is smaller.
const LARGEST: u64 = 4096;

/// Whose qemu it is.
#[derive(Clone, Debug, Default)]
pub struct Calibration {
    /// Where offsets are kept; nowhere when `None`.
    pub cache: Option<PathBuf>,
    /// Who the program runs as, when that is not gotrace's own user.
    pub invoker: Option<Invoker>,
}

impl Calibration {
    /// The offsets of the qemu at a path.
    ///
    /// # Errors
    ///
    /// Why they are not known.
    pub(super) fn offsets(&self, path: &Path) -> Result<Offsets, String> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err("guest stacks are read on amd64 machines alone".to_owned());
        }
        let kept = self.kept(path);
        let known = kept.as_ref().and_then(|kept| {
            let text = plain_file::read(kept, LARGEST).ok()?;
            Offsets::parse(str::from_utf8(&text).ok()?)
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let offsets = self.calibrate(path)?;
        if let Some(kept) = kept {
            // The next recording finds out again.
            drop(keep(&kept, &offsets.to_text()));
        }
        Ok(offsets)
    }

    /// The file for this qemu; none for one without build id.
    fn kept(&self, path: &Path) -> Option<PathBuf> {
        let head = plain_file::head(path, HEAD).ok()?;
        let id = Elf::parse(&head).ok()?.build_id()?.to_vec();
        let name: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.cache.as_ref()?;
        (!name.is_empty()).then(|| folder.join(name))
    }

    fn calibrate(&self, path: &Path) -> Result<Offsets, String> {
        let program = Program::write().map_err(|error| format!("no program to try: {error}"))?;
        let mut command = Command::new(path);
        command.arg(&program.0).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        if let Some(invoker) = &self.invoker {
            invoker.become_this(&mut command);
        }
        let child = OwnChild::spawn(&mut command);
        let child = child.map_err(|error| format!("{}: {error}", path.display()))?;
        Tried::of(child)
            .and_then(Tried::offsets)
            .map_err(|error| match error {
                NotFound::Os(error) => format!("it could not be looked into: {error}"),
                NotFound::Ended => "it did not run the program that was to be tried".to_owned(),
                NotFound::Nowhere(what) => format!("{what} could not be found in it"),
            })
    }
}

/// Writes a new file and the folders above it.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut new = OpenOptions::new();
    let mut file = new.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// The program to be tried, as a file; removed when it is no longer needed.
struct Program(PathBuf);

impl Program {
    fn write() -> io::Result<Self> {
        let name = format!("gotrace-guest-{}", std::process::id());
        let mut new = OpenOptions::new();
        new.write(true).create_new(true).mode(0o755);
        for number in 0..100 {
            let path = std::env::temp_dir().join(format!("{name}-{number}"));
            match new.open(&path) {
                Ok(mut file) => {
                    let program = Self(path);
                    file.write_all(&qemu::program())?;
                    return Ok(program);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Whoever cleans the folder of temporary files has been faster.
        drop(fs::remove_file(&self.0));
    }
}

/// Why offsets were not found.
enum NotFound {
    Os(io::Error),
    Ended,
    Nowhere(&'static str),
}

impl From<io::Error> for NotFound {
    fn from(error: io::Error) -> Self {
        Self::Os(error)
    }
}

impl From<Errno> for NotFound {
    fn from(error: Errno) -> Self {
        Self::Os(error.into())
    }
}

/// A qemu that runs the program.
struct Tried {
    child: OwnChild,
    memory: Memory,
}

struct Memory(File);

impl ReadMemory for Memory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.0.read_exact_at(into, address).is_ok()
    }
}

impl Tried {
    fn of(child: OwnChild) -> Result<Self, NotFound> {
        let path = format!("/proc/{}/mem", child.pid());
        let memory = OpenOptions::new().read(true).write(true).open(path)?;
        let memory = Memory(memory);
        Ok(Self { child, memory })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.pid().0.cast_signed())
    }

    fn offsets(self) -> Result<Offsets, NotFound> {
        ptrace::seize(self.pid(), ptrace::Options::PTRACE_O_EXITKILL)?;
        let running = self.look(|host, seen: &mut Vec<Running>| {
            let found = Running::of(&self.memory, host)?;
            seen.retain(|other| other.agrees_with(&found));
            seen.push(found);
            (seen.len() >= AGREEING).then(|| seen.pop())?
        });
        let running = running?.ok_or(NotFound::Nowhere("the registers of its program"))?;
        self.memory.0.write_all_at(&1_u64.to_le_bytes(), FLAG)?;
        let waiting = self.look(|host, _| {
            let waits = host.call == WAITING_CALL;
            waits.then(|| running.waiting(&self.memory, host))
        });
        waiting?
            .ok_or(NotFound::Nowhere("its program's system call"))?
            .map_err(NotFound::Nowhere)
    }

    /// Stops it again and again, until `see` has seen enough.
    fn look<T>(
        &self,
        mut see: impl FnMut(HostRegisters, &mut Vec<Running>) -> Option<T>,
    ) -> Result<Option<T>, NotFound> {
        let mut seen = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if !self.stopped(begun)? {
                break;
            }
            let found = see(registers(self.pid())?, &mut seen);
            ptrace::cont(self.pid(), None)?;
            if found.is_some() {
                return Ok(found);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }

    /// Stops it; false where it does not stop in time. Waits in pieces, for nobody else empties the
    /// buffers of the recording meanwhile.
    fn stopped(&self, begun: Instant) -> Result<bool, NotFound> {
        ptrace::interrupt(self.pid())?;
        let how = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
        loop {
            match waitpid(self.pid(), Some(how))? {
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Err(NotFound::Ended),
                WaitStatus::StillAlive if begun.elapsed() >= PATIENCE => return Ok(false),
                WaitStatus::StillAlive => std::thread::sleep(PAUSE / 10),
                _ => return Ok(true),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn registers(pid: Pid) -> Result<HostRegisters, Errno> {
    let all = ptrace::getregs(pid)?;
    Ok(HostRegisters {
        pc: all.rip,
        bp: all.rbp,
        thread: all.fs_base,
        call: all.orig_rax,
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn registers(_pid: Pid) -> Result<HostRegisters, Errno> {
    Err(Errno::ENOTSUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_qemu_says_so() {
        let folder = tempfile::tempdir().expect("folder");
        let none = Calibration {
            cache: Some(folder.path().to_owned()),
            invoker: None,
        };
        // Ends at once, and never ends.
        let error = none.offsets(Path::new("/bin/true")).expect_err("no qemu");
        assert!(!error.is_empty());
        let error = none.offsets(Path::new("/nowhere/qemu-aarch64"));
        assert!(
            error
                .expect_err("no file")
                .starts_with("/nowhere/qemu-aarch64: ")
        );
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0);
    }

    #[test]
    fn what_was_found_is_kept_by_build_id() {
        let folder = tempfile::tempdir().expect("folder");
        let calibration = Calibration {
            cache: Some(folder.path().join("new/folder")),
            invoker: None,
        };
        // Any executable with a build id.
        let own = std::env::current_exe().expect("this one");
        let path = calibration.kept(&own).expect("a build id");
        let offsets = Offsets {
            cpu: -232,
            state: 0x330,
            registers: 64,
            pc: 320,
            block_pc: 0,
            block_code: 32,
            block_bytes: 192,
        };
        keep(&path, &offsets.to_text()).expect("kept");
        assert_eq!(calibration.offsets(&own), Ok(offsets));
        assert!(keep(&path, "").is_err(), "nothing is written over");
    }

    #[test]
    fn a_qemu_that_is_tried_ends_with_the_thread_that_tries_it() {
        let start = || {
            let child = OwnChild::spawn(Command::new("sleep").arg("60")).expect("started");
            let pid = child.pid();
            std::mem::forget(child);
            pid
        };
        let pid = std::thread::spawn(start).join().expect("thread");
        // Nobody but this thread waits for it.
        let raw = nix::unistd::Pid::from_raw(pid.0.cast_signed());
        let ended = nix::sys::wait::waitpid(raw, None).expect("waited");
        let killed = nix::sys::signal::Signal::SIGKILL;
        let expected = nix::sys::wait::WaitStatus::Signaled(raw, killed, false);
        assert_eq!(ended, expected);
    }
}
