//! What macOS tells of a process: the bytes that `proc_pidinfo` and `sysctl` fill in, values out.
//!
//! The layouts are those of xnu, `bsd/sys/proc_info.h` and `bsd/kern/kern_sysctl.c`; they have been
//! the same since macOS 10.5, and are little-endian on both architectures.

use std::num::{NonZeroU32, NonZeroU128};

use crate::trace::{Nanos, Pid};

/// `struct proc_bsdinfo`, for `PROC_PIDTBSDINFO`.
///
/// ```text
/// 0x00 flags  0x04 status  0x08 xstatus  0x0c pid  0x10 ppid  0x14 uid ...  0x30 comm[16]  0x40 name[32]
/// 0x60 nfiles 0x64 pgid    0x68 pjobc ...  0x78 start, seconds (u64)  0x80 start, microseconds (u64)
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Which process.
    pub pid: Pid,
    /// Who forked it, or adopted it.
    pub parent: Pid,
    /// What it is called: 31 bytes of it at most.
    pub name: Vec<u8>,
    /// Whether it is stopped, or has ended.
    pub state: State,
    /// Rosetta 2 translates the program that it runs.
    pub translated: bool,
    /// When it was forked, since 1970-01-01 UTC.
    pub started_unix: Nanos,
}

/// What a process does, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It runs, or waits for something.
    #[default]
    Alive,
    /// A signal has stopped it.
    Stopped,
    /// It has ended, and was not waited for yet.
    Ended,
}

/// Bytes of `struct proc_bsdinfo`.
pub const PROCESS_INFO_BYTES: usize = 136;

/// `PROC_FLAG_ROSETTA`, `bsd/sys/proc_info_private.h`.
const ROSETTA: u32 = 0x0200_0000;
/// `SSTOP` and `SZOMB`, `bsd/sys/proc.h`.
const STOPPED: u32 = 4;
const ZOMBIE: u32 = 5;

impl ProcessInfo {
    /// Reads what the kernel filled in; `None` where that is less than the whole.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let text = |at: usize, length: usize| Some(until_zero(bytes.get(at..)?.get(..length)?));
        let seconds = long(0x78)?;
        let name = text(0x40, 32)?;
        Some(Self {
            pid: Pid(word(0x0c)?),
            parent: Pid(word(0x10)?),
            // A program that never set its name has that of its file only.
            name: if name.is_empty() {
                text(0x30, 16)?
            } else {
                name
            }
            .to_vec(),
            state: match word(0x04)? {
                STOPPED => State::Stopped,
                ZOMBIE => State::Ended,
                _ => State::Alive,
            },
            translated: word(0x00)? & ROSETTA != 0,
            started_unix: Nanos(
                seconds
                    .saturating_mul(1_000_000_000)
                    .saturating_add(long(0x80)?.saturating_mul(1_000)),
            ),
        })
    }
}

/// `struct proc_taskinfo`, for `PROC_PIDTASKINFO`: 0x00 virtual size, 0x08 resident size, 0x10 user,
/// 0x18 system (u64 each), then counters. Times are in ticks of `mach_absolute_time`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskInfo {
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// CPU time in user mode, that of ended threads included.
    pub user: Nanos,
    /// CPU time in the kernel.
    pub system: Nanos,
}

/// Bytes of `struct proc_taskinfo`.
pub const TASK_INFO_BYTES: usize = 96;

/// How long a tick of `mach_absolute_time` is: 1/1 ns on Intel and for translated processes, 125/3
/// ns on Apple Silicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timebase {
    numerator: u32,
    denominator: NonZeroU32,
}

impl Timebase {
    /// As `mach_timebase_info` has it; `None` for a denominator of 0.
    #[must_use]
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        Some(Self {
            numerator,
            denominator: NonZeroU32::new(denominator)?,
        })
    }

    /// Ticks as time.
    #[must_use]
    pub fn nanos(self, ticks: u64) -> Nanos {
        let product = u128::from(ticks).saturating_mul(self.numerator.into());
        let nanos = product / NonZeroU128::from(self.denominator);
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl TaskInfo {
    /// Reads what the kernel filled in; `None` where that is less than the whole.
    #[must_use]
    pub fn read(bytes: &[u8], timebase: Timebase) -> Option<Self> {
        let bytes = bytes.get(..TASK_INFO_BYTES)?;
        let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        Some(Self {
            resident_bytes: long(0x08)?,
            user: timebase.nanos(long(0x10)?),
            system: timebase.nanos(long(0x18)?),
        })
    }
}

/// What a process was started with, from `sysctl` `KERN_PROCARGS2`.
///
/// ```text
/// argc (i32) | path of the executable, 0 | 0 ... to the next word | argument, 0 | ... | environment ...
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessArguments {
    /// The path that was given to exec.
    pub path: Vec<u8>,
    /// Arguments, each ended by a zero byte.
    pub argv: Vec<u8>,
}

impl ProcessArguments {
    /// Reads the buffer; `None` where it holds fewer arguments than it says.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let count = usize::try_from(i32::from_le_bytes(*count)).ok()?;
        let path = until_zero(rest);
        let rest = rest.get(path.len()..)?;
        let padding = rest.iter().take_while(|&&byte| byte == 0).count();
        let rest = rest.get(padding..)?;
        let mut ends = (1..).zip(rest).filter(|&(_, &byte)| byte == 0);
        let length = match count.checked_sub(1) {
            Some(last) => ends.nth(last)?.0,
            None => 0,
        };
        Some(Self {
            path: path.to_vec(),
            argv: rest.get(..length)?.to_vec(),
        })
    }
}

/// The working directory, from `PROC_PIDVNODEPATHINFO`: `struct proc_vnodepathinfo` begins with that of
/// the current directory, whose path, of 1,024 bytes, lies behind 152 bytes of what the file system
/// says of it.
#[must_use]
pub fn working_directory(bytes: &[u8]) -> Option<&[u8]> {
    Some(until_zero(bytes.get(152..)?.get(..1_024)?))
}

/// Bytes of `struct proc_vnodepathinfo`.
pub const WORKING_DIRECTORY_BYTES: usize = 2 * (152 + 1_024);

fn until_zero(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().position(|&byte| byte == 0);
    bytes.get(..length.unwrap_or(bytes.len())).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The structure, filled in field by field as `bsd/sys/proc_info.h` declares it.
    fn info(flags: u32, status: u32, comm: &str, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        // flags, status, xstatus, pid, ppid
        for word in [flags, status, 0, 4711, 812] {
            bytes.extend(u32::to_le_bytes(word));
        }
        // uid, gid, ruid, rgid, svuid, svgid, rfu_1
        for word in [501_u32, 20, 501, 20, 501, 20, 0] {
            bytes.extend(u32::to_le_bytes(word));
        }
        bytes.extend(format!("{comm:\0<16}").as_bytes());
        bytes.extend(format!("{name:\0<32}").as_bytes());
        // nfiles, pgid, pjobc, e_tdev, e_tpgid, nice
        for word in [3_u32, 4711, 1, 0x1000_0002, 4711, 0] {
            bytes.extend(u32::to_le_bytes(word));
        }
        for long in [1_790_000_000_u64, 250_001] {
            bytes.extend(u64::to_le_bytes(long));
        }
        bytes
    }

    #[test]
    fn a_process_is_read_as_the_header_declares_it() {
        let bytes = info(0x0200_0010, 2, "compile", "");
        assert_eq!(bytes.len(), PROCESS_INFO_BYTES);
        let expected = ProcessInfo {
            pid: Pid(4711),
            parent: Pid(812),
            name: b"compile".to_vec(),
            state: State::Alive,
            translated: true,
            started_unix: Nanos(1_790_000_000_250_001_000),
        };
        assert_eq!(ProcessInfo::read(&bytes), Some(expected));
        let native = ProcessInfo::read(&info(0x10, 4, "go", "go build")).expect("whole");
        assert!(!native.translated);
        assert_eq!(
            (native.state, &*native.name),
            (State::Stopped, &b"go build"[..])
        );
        let ended = ProcessInfo::read(&info(0, 5, "go", "")).expect("whole");
        assert_eq!(ended.state, State::Ended);
    }

    #[test]
    fn half_a_process_is_none() {
        let bytes = info(0, 2, "go", "");
        for length in 0..bytes.len() {
            assert_eq!(ProcessInfo::read(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn ticks_of_a_task_are_times() {
        let mut bytes: Vec<u8> = [1_u64 << 40, 3 << 20, 24_000_000, 12]
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect();
        bytes.resize(TASK_INFO_BYTES, 0);
        // 24 million ticks a second: Apple Silicon.
        let silicon = Timebase::new(125, 3).expect("no zero");
        let expected = TaskInfo {
            resident_bytes: 3_145_728,
            user: Nanos(1_000_000_000),
            system: Nanos(500),
        };
        assert_eq!(TaskInfo::read(&bytes, silicon), Some(expected));
        assert_eq!(TaskInfo::read(&bytes[..95], silicon), None);
        assert_eq!(silicon.nanos(u64::MAX), Nanos(u64::MAX));
        assert_eq!(Timebase::new(1, 0), None);
    }

    #[test]
    fn arguments_end_where_the_environment_begins() {
        let bytes = b"\x03\0\0\0/usr/local/go/bin/go\0\0\0\0\0\0go\0build\0\0PATH=/bin\0HOME=/\0";
        let found = ProcessArguments::read(bytes).expect("whole");
        assert_eq!(found.path, b"/usr/local/go/bin/go");
        // The third argument is an empty one.
        assert_eq!(found.argv, b"go\0build\0\0");
        let none = ProcessArguments::read(b"\0\0\0\0/x\0\0").expect("whole");
        assert_eq!((&*none.path, &*none.argv), (&b"/x"[..], &b""[..]));
    }

    #[test]
    fn hostile_arguments_are_none() {
        let cases: [&[u8]; 6] = [
            b"",
            b"\x01\0\0",
            b"\x01\0\0\0/x",
            b"\x02\0\0\0/x\0a\0",
            b"\xff\xff\xff\xff/x\0a\0",
            b"\xff\xff\xff\x7f/x\0a\0",
        ];
        for bytes in cases {
            assert_eq!(ProcessArguments::read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_working_directory_is_the_first_path() {
        let mut bytes = vec![0x55; 152];
        bytes.extend(b"/Volumes/gopher/src\0");
        bytes.resize(WORKING_DIRECTORY_BYTES, 0x55);
        assert_eq!(working_directory(&bytes), Some(&b"/Volumes/gopher/src"[..]));
        assert_eq!(working_directory(&bytes[..1_000]), None);
        // A path without an end goes as far as its field.
        let full = vec![b'/'; WORKING_DIRECTORY_BYTES];
        assert_eq!(working_directory(&full).map(<[u8]>::len), Some(1_024));
    }
}
