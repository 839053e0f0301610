//! A program that runs from its own file and tells of its calls all the same: what its copy has of its own is put over
//! it before it begins.
//!
//! ```text
//! child, which waits   seized
//! exec of the original it stands still; nothing of the program has run
//!                      it opens the copy, maps what is beside, and then the code     all of it, or none
//! begins               where the copy would; nobody traces it any more
//! ```
//!
//! The code is mapped by one call to the system, which is the last that can fail: what was done before it is not seen by
//! a program that runs as it is, and is taken back.

use super::remote::{self, Remote};
use super::sums::FileKey;
use crate::binary::trampoline::{Graft, Piece};
use crate::capture::own_path::{Grafted, Otherwise};
use crate::capture::stand_in::NUMBERS;
use crate::capture::{chain, sys};
use crate::environment::Refusal;
use crate::trace::Pid;
use nix::sys::stat::fstat;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What is to be put over a program.
#[derive(Clone, Debug)]
pub(in crate::capture) struct InPlace {
    pub(super) graft: Option<Graft>,
    /// The program's file, of which the copy was made,
    pub(super) original: FileKey,
    /// and the copy's.
    pub(super) copy: (PathBuf, FileKey),
    /// What is left at one of the numbers where a copy looks.
    pub(super) ring: Arc<OwnedFd>,
    /// What becomes of it where that does not work.
    pub(super) otherwise: Otherwise,
    pub(super) fate: Arc<Fate>,
}

/// What became of a program that was to run from its own file and tell of its calls.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Its process; 0 where it runs otherwise.
    pid: AtomicU32,
    tells: AtomicBool,
    is_told: AtomicBool,
}

impl Fate {
    /// Whether it tells of its calls, in this process or before it begins.
    pub(super) fn is_of(&self, pid: Pid) -> bool {
        self.pid.load(Ordering::Relaxed) == pid.0
    }

    /// Whether it tells of its calls.
    pub(super) fn tells(&self) -> bool {
        self.tells.load(Ordering::Relaxed)
    }

    /// Whether it does not, and that is told.
    pub(super) fn is_told(&self) -> bool {
        self.is_told.load(Ordering::Relaxed)
    }
}

/// A child that waits before its exec, and is traced by this thread.
#[derive(Debug)]
#[must_use = "it stays stopped until it is run"]
pub(in crate::capture) struct Seized {
    graft: Graft,
    of: InPlace,
    pid: Pid,
}

impl InPlace {
    /// What becomes of the program where that does not work.
    pub(in crate::capture) const fn otherwise(&self) -> Otherwise {
        self.otherwise
    }

    /// Takes hold of a child that was forked and waits.
    ///
    /// # Errors
    ///
    /// Why the system does not allow that; the child is as it was.
    pub(in crate::capture) fn seize(self, child: Pid) -> Result<Seized, Refusal> {
        let as_it_is = self.otherwise == Otherwise::AsItIs;
        self.fate.is_told.store(as_it_is, Ordering::Relaxed);
        let graft = self.graft.ok_or_else(|| Refusal {
            reason: "only a program for amd64 that has its code in one place, and is no static PIE, can run from its own file and tell of its calls"
                .to_owned(),
            evidence: format!("its copy is {}", self.copy.0.display()),
            remedy: COPY.to_owned(),
        })?;
        remote::seize(child).map_err(|error| {
            let scope = fs::read_to_string(SCOPE).unwrap_or_default();
            refused(&error, scope.trim())
        })?;
        self.fate.is_told.store(false, Ordering::Relaxed);
        self.fate.pid.store(child.0, Ordering::Relaxed);
        Ok(Seized {
            graft,
            of: self,
            pid: child,
        })
    }
}

/// What works without.
const COPY: &str = "--own-path never has it run from a copy";

/// Who may trace whom: `Documentation/admin-guide/LSM/Yama.rst`. Not all kernels have it.
const SCOPE: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// Why the system does not let gotrace trace its child, where [`SCOPE`] says this.
fn refused(error: &io::Error, scope: &str) -> Refusal {
    let remedy = match scope {
        // Its own children anybody may trace.
        "" | "0" | "1" => "a sandbox, or whoever traces gotrace itself, keeps it from that",
        "2" => "root may, or all where that is lower",
        _ => "nobody may until the machine starts anew",
    };
    let scope = match scope {
        "" | "0" | "1" => String::new(),
        scope => format!(", and {SCOPE} is {scope}"),
    };
    Refusal {
        reason: "the system does not let gotrace trace the program that it starts".to_owned(),
        evidence: format!("ptrace: {error}{scope}"),
        remedy: format!("{remedy}; {COPY}"),
    }
}

impl Seized {
    /// Waits until the child, which was let go, runs the program; puts over it what makes it tell, and lets it begin.
    pub(in crate::capture) fn run(self) -> Grafted {
        let grafted = self.graft();
        let fate = &self.of.fate;
        match grafted {
            Grafted::Whole => fate.tells.store(true, Ordering::Relaxed),
            Grafted::Ended => {}
            Grafted::Not(_) => {
                fate.pid.store(0, Ordering::Relaxed);
                fate.is_told.store(true, Ordering::Relaxed);
            }
        }
        grafted
    }

    fn graft(&self) -> Grafted {
        let pid = self.pid;
        if let Err(error) = remote::become_program(pid) {
            return gave_up(pid, &error);
        }
        let mut remote = Remote::new(pid);
        let put = remote
            .settle()
            .map_err(Failed::Os)
            .and_then(|()| self.put(&mut remote));
        let begin = match &put {
            Ok(begin) => *begin,
            Err(_) => {
                self.take_ring_back(&mut remote);
                None
            }
        };
        if let Err(error) = remote.leave(begin) {
            return gave_up(pid, &error);
        }
        match put {
            Ok(_) => Grafted::Whole,
            Err(why) => Grafted::Not(format!("it runs as it is: {}; {COPY}", chain(&why))),
        }
    }
}

/// What cannot be put back must not go on: nothing of the program has run.
fn gave_up(pid: Pid, error: &io::Error) -> Grafted {
    if error.raw_os_error() == Some(libc::ESRCH) {
        return Grafted::Ended;
    }
    sys::send(pid, libc::SIGKILL);
    Grafted::Not(format!(
        "it was killed, for it could not be let go: {error}"
    ))
}

/// Why a program runs as it is.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("what it has in memory cannot be looked at or changed")]
    Os(#[source] io::Error),
    #[error("{call} failed in it")]
    Call {
        call: &'static str,
        source: io::Error,
    },
    #[error("another file runs than its copy was made of")]
    OtherFile,
    #[error("its copy is not there any more")]
    OtherCopy,
    #[error("it has rights that it would lose when it is traced")]
    Secure,
    #[error("its code is not where it was expected")]
    OtherCode,
    #[error("the memory behind it is taken")]
    NoRoom,
    #[error("{call} gave another address")]
    Elsewhere { call: &'static str },
}

/// What was done to a process, to be taken back.
#[derive(Debug, Default)]
struct Done {
    /// The descriptor of the copy.
    copy: Option<u64>,
    /// Where its heap ended.
    heap_end: Option<u64>,
    /// Memory that was mapped: an address, and bytes.
    mapped: Vec<(u64, u64)>,
    /// Where its loader thought that it begins.
    entry: Option<u64>,
}

impl Seized {
    /// Puts the copy's pieces over the process; where it is to begin, if that is another place than by itself.
    fn put(&self, remote: &mut Remote) -> Result<Option<u64>, Failed> {
        let slide = self.check(remote)?;
        let mut done = Done::default();
        let put = self.put_pieces(remote, slide, &mut done);
        if put.is_err() {
            done.take_back(remote);
        } else if let Some(copy) = done.copy {
            // What is mapped stays.
            drop(remote.call(libc::SYS_close, [copy, 0, 0, 0, 0, 0]));
        }
        put
    }

    /// Whether the process is what it is taken for; how far from where it was linked it lies.
    fn check(&self, remote: &Remote) -> Result<u64, Failed> {
        let pid = self.pid;
        let exe = fs::metadata(format!("/proc/{pid}/exe")).map_err(Failed::Os)?;
        if FileKey::of(&exe) != self.of.original {
            return Err(Failed::OtherFile);
        }
        if remote.is_secure().map_err(Failed::Os)? {
            return Err(Failed::Secure);
        }
        let entry = remote.entry().map_err(Failed::Os)?;
        let [begin, _] = self.graft.entries;
        let slide = entry.wrapping_sub(begin);
        let begins_itself = remote.begins_at().map_err(Failed::Os)? == entry;
        if begins_itself == self.graft.has_loader {
            return Err(Failed::OtherCode);
        }
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(Failed::Os)?;
        let code = self.graft.code;
        let begin = code.address.wrapping_add(slide);
        let end = begin.saturating_add(code.length);
        let maps: Vec<Range> = maps.lines().filter_map(Range::of).collect();
        let expected = Range {
            begin,
            end,
            is_code: true,
            offset: code.offset,
        };
        if !maps.contains(&expected) {
            return Err(Failed::OtherCode);
        }
        let (begin, end) = self.room(slide);
        if maps
            .iter()
            .any(|range| range.begin < end && begin < range.end)
        {
            return Err(Failed::NoRoom);
        }
        Ok(slide)
    }

    /// Where what is beside is to be.
    fn room(&self, slide: u64) -> (u64, u64) {
        let (begin, end) = self.graft.room();
        (begin.wrapping_add(slide), end.wrapping_add(slide))
    }

    fn put_pieces(
        &self,
        remote: &mut Remote,
        slide: u64,
        done: &mut Done,
    ) -> Result<Option<u64>, Failed> {
        let (path, key) = &self.of.copy;
        let mut path = path.as_os_str().as_bytes().to_vec();
        path.push(0);
        let path = remote.lend(&path).map_err(Failed::Os)?;
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC).unsigned_abs().into();
        let here = i64::from(libc::AT_FDCWD).cast_unsigned();
        let copy = call(
            remote,
            "openat",
            libc::SYS_openat,
            [here, path, flags, 0, 0, 0],
        )?;
        done.copy = Some(copy);
        let opened = fs::metadata(format!("/proc/{}/fd/{copy}", self.pid)).map_err(Failed::Os)?;
        if FileKey::of(&opened) != *key {
            return Err(Failed::OtherCopy);
        }
        // The kernel puts the heap behind what it knows of the program, where it puts it near that. It is to grow behind
        // what is added.
        let (_, end) = self.room(slide);
        let begin = self.graft.code.address.wrapping_add(slide);
        let heap_end = call(remote, "brk", libc::SYS_brk, [0; 6])?;
        if (begin..end).contains(&heap_end) {
            done.heap_end = Some(heap_end);
            if call(remote, "brk", libc::SYS_brk, [end, 0, 0, 0, 0, 0])? != end {
                return Err(Failed::Elsewhere { call: "brk" });
            }
        }
        let map = |remote: &mut Remote, piece: Piece, protection: i32| {
            let address = piece.address.wrapping_add(slide);
            let protection = protection.unsigned_abs().into();
            let flags = (libc::MAP_PRIVATE | libc::MAP_FIXED).unsigned_abs().into();
            let arguments = [address, piece.length, protection, flags, copy, piece.offset];
            match call(remote, "mmap", libc::SYS_mmap, arguments)? == address {
                true => Ok((address, piece.length)),
                false => Err(Failed::Elsewhere { call: "mmap" }),
            }
        };
        let [memory, beside] = self.graft.beside;
        let code = libc::PROT_READ | libc::PROT_EXEC;
        for (piece, protection) in [(memory, libc::PROT_READ | libc::PROT_WRITE), (beside, code)] {
            let mapped = map(remote, piece, protection)?;
            done.mapped.push(mapped);
        }
        let [before, after] = self.graft.entries.map(|entry| entry.wrapping_add(slide));
        if self.graft.has_loader {
            done.entry = Some(before);
            remote.move_entry(after).map_err(Failed::Os)?;
        }
        map(remote, self.graft.code, code)?;
        Ok((!self.graft.has_loader).then_some(after))
    }

    /// Nobody is to inherit what nothing looks for.
    fn take_ring_back(&self, remote: &mut Remote) {
        let Ok(ring) = fstat(&self.of.ring) else {
            return;
        };
        for number in NUMBERS {
            let found = fs::metadata(format!("/proc/{}/fd/{number}", self.pid));
            if found.is_ok_and(|found| (found.dev(), found.ino()) == (ring.st_dev, ring.st_ino)) {
                let number = u64::from(number);
                drop(remote.call(libc::SYS_close, [number, 0, 0, 0, 0, 0]));
            }
        }
    }
}

impl Done {
    /// Whatever cannot be taken back is not seen by a program that looks for nothing there.
    fn take_back(self, remote: &mut Remote) {
        if let Some(entry) = self.entry {
            drop(remote.move_entry(entry));
        }
        for (address, length) in self.mapped {
            drop(remote.call(libc::SYS_munmap, [address, length, 0, 0, 0, 0]));
        }
        if let Some(end) = self.heap_end {
            drop(remote.call(libc::SYS_brk, [end, 0, 0, 0, 0, 0]));
        }
        if let Some(copy) = self.copy {
            drop(remote.call(libc::SYS_close, [copy, 0, 0, 0, 0, 0]));
        }
    }
}

fn call(
    remote: &mut Remote,
    call: &'static str,
    number: i64,
    arguments: [u64; 6],
) -> Result<u64, Failed> {
    let result = remote.call(number, arguments);
    result.map_err(|source| Failed::Call { call, source })
}

/// A line of `/proc/PID/maps`: `proc_pid_maps(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    begin: u64,
    end: u64,
    is_code: bool,
    offset: u64,
}

impl Range {
    fn of(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let hexadecimal = |word| u64::from_str_radix(word, 16).ok();
        let (begin, end) = words.next()?.split_once('-')?;
        Some(Self {
            begin: hexadecimal(begin)?,
            end: hexadecimal(end)?,
            is_code: words.next()? == "r-xp",
            offset: hexadecimal(words.next()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_gotrace_from_tracing_is_said() {
        let error = io::Error::from_raw_os_error(libc::EPERM);
        for (scope, said, remedy) in [
            (
                "",
                "(ptrace: Operation not permitted (os error 1))",
                "a sandbox",
            ),
            (
                "1",
                "(ptrace: Operation not permitted (os error 1))",
                "a sandbox",
            ),
            ("2", "yama/ptrace_scope is 2)", "root may"),
            ("3", "yama/ptrace_scope is 3)", "starts anew"),
        ] {
            let refusal = refused(&error, scope);
            assert!(refusal.to_string().ends_with(said), "{refusal}");
            assert!(refusal.remedy.contains(remedy), "{}", refusal.remedy);
            assert!(refusal.remedy.contains("--own-path never"));
        }
    }

    /// Lines as the kernel of a machine has written them.
    #[test]
    fn lines_of_maps_are_read() {
        let code = "00401000-004b2000 r-xp 00001000 fe:00 5501 /home/a b/program (deleted)";
        let expected = Range {
            begin: 0x40_1000,
            end: 0x4b_2000,
            is_code: true,
            offset: 0x1000,
        };
        assert_eq!(Range::of(code), Some(expected));
        let heap = "2c5f1000-2c614000 rw-p 00000000 00:00 0                          [heap]";
        let found = Range::of(heap).unwrap();
        assert_eq!((found.begin, found.is_code), (0x2c5f_1000, false));
        assert_eq!(Range::of(""), None);
        assert_eq!(Range::of("00401000 r-xp"), None);
    }
}
