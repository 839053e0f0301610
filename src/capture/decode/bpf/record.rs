//! One record of the ring buffer: bytes in, [`Record`] out.
//!
//! The layouts are those of `probes/linux/records.h`. All numbers are little-endian, every record
//! begins with the same header, and a record may be longer than what is read of it here:
//!
//! ```text
//! header   u16 kind, u16 flags, u32 length, u32 tgid, u32 tid, u64 time
//! usage    u64 runtime, utime, stime, run_delay, min_flt, maj_flt, nvcsw, nivcsw,
//!              read_bytes, write_bytes
//! 1 fork   header, u32 parent, u32 0
//! 2 exec   header, usage before, u64 dev, ino, size, u64 dev, ino, size of the file that it
//!          translates or 0, u64 argv_bytes, u8 magic[20],
//!          u16 exe_bytes, cwd_bytes, asked_bytes, 0, u32 0, exe, cwd, asked
//! 3 argv   header, u64 offset, total, bytes
//! 4 end    header, u64 start, usage, u64 max_rss, u32 wait_status, u32 0, u8 name[16]
//! 5 sample header, u64 goid, u32 frames, u32 0, u64 address[frames]
//! 6 away   as sample
//! 7 back   header, u64 away
//! 8 last   as sample
//! 9 call   header, u64 owner, u32 probe, u32 depth, then with flag 32: u64 first argument,
//!          with flag 64: its first bytes
//! ```

use super::bytes::{Bytes, until_zero};
use super::executable::absolute;
use crate::capture::Monotonic;
use crate::environment::translator::Translator;
use crate::trace::{CallEdge, Goid, Nanos, Pid, ProbeId, StackOwner, Tid, Usage};

const EXEC_INDIRECT: u16 = 1;
const EXEC_PATH_CUT: u16 = 2;
const EXEC_HIDDEN: u16 = 4;
const ARGV_UNREADABLE: u16 = 1;
const END_OF_PROCESS: u16 = 1;
const SAMPLE_KERNEL: u16 = 1;
const SAMPLE_CUT: u16 = 2;
const SAMPLE_GOROUTINE: u16 = 4;
const SAMPLE_GONE: u16 = 8;
const SAMPLE_GUEST: u16 = 32;
const SAMPLE_BLOCK: u16 = 64;
const SAMPLE_LINK: u16 = 128;
const SAMPLE_LINKED: u16 = 256;
const CALL_INTEGER: u16 = 32;
const CALL_TEXT: u16 = 64;
const CALL_FORKED: u16 = 128;

/// Where the number of a probe ends in a word that has flags above it: `COOKIE_PROBE_BITS`.
const PROBE_MASK: u32 = (1 << 24) - 1;

/// The number of no probe: of hits that are made to see what they cost.
pub const TRIAL: ProbeId = ProbeId(PROBE_MASK);

/// Why a record could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends before its fields do.
    #[error("record of kind {kind}: {length} bytes are too few")]
    Short {
        /// Kind, 0 when not even that could be read.
        kind: u16,
        /// Bytes there are.
        length: usize,
    },
    /// A kind that is not known.
    #[error("record of unknown kind {0}")]
    Kind(u16),
}

/// How the kernel tells files apart: device, inode and size, in the kernel's own numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExeKey {
    /// Device number: major << 20 | minor.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
}

/// What a thread or process used, as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawUsage {
    runtime: u64,
    utime: u64,
    stime: u64,
    run_delay: u64,
    min_flt: u64,
    maj_flt: u64,
    nvcsw: u64,
    nivcsw: u64,
    read_bytes: u64,
    write_bytes: u64,
}

/// One record, borrowed from the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When.
    pub time: Monotonic,
    /// Which process: for a fork, the new one.
    pub pid: Pid,
    /// Which thread.
    pub tid: Tid,
    /// What.
    pub event: Event<'a>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A process was forked.
    Forked {
        /// By whom.
        parent: Pid,
    },
    /// A process runs another program.
    Executed(Executed<'a>),
    /// A piece of the arguments of the last [`Event::Executed`] of the same process.
    Argv {
        /// Where the piece lies in all arguments.
        offset: u64,
        /// The piece; empty when it could not be read.
        bytes: &'a [u8],
        /// It could not be read, and no more will come.
        unreadable: bool,
    },
    /// A thread ended.
    Ended(Ended<'a>),
    /// A thread was seen running.
    Sampled(Stack<'a>),
    /// A thread leaves the processor.
    Away(Stack<'a>),
    /// A thread begins to end; it may be sampled once more while the kernel takes its memory away.
    Last(Stack<'a>),
    /// A thread is back on the processor.
    Back {
        /// How long it was away.
        away: Nanos,
    },
    /// A probed place was passed.
    Called(Called<'a>),
}

/// A process runs another program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed<'a> {
    /// What the process had used before.
    pub before: RawUsage,
    /// Which file was loaded.
    pub key: ExeKey,
    /// Which file it was loaded for by `binfmt_misc`, when the entry has the kernel open it.
    pub guest: Option<ExeKey>,
    /// Size of all arguments.
    pub argv_bytes: u64,
    /// First bytes of the file that was loaded.
    pub magic: [u8; 20],
    /// Its path: components from the innermost outwards, each ended by a zero byte.
    pub exe: &'a [u8],
    /// Working directory, likewise.
    pub cwd: &'a [u8],
    /// Path that exec was called with, when another file was loaded for it.
    pub asked: Option<&'a [u8]>,
    /// `exe` or `cwd` has more components.
    pub path_cut: bool,
    /// It runs for another user: its arguments and its working directory are not shown.
    pub hidden: bool,
}

/// A thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<'a> {
    /// When it began.
    pub start: Monotonic,
    /// What it used.
    pub usage: RawUsage,
    /// Largest resident set of the process, in bytes.
    pub max_rss: u64,
    /// How the process ended, when this was its last thread.
    pub wait_status: Option<i32>,
    /// Name.
    pub name: &'a [u8],
}

/// A stack of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack<'a> {
    /// Goroutine.
    pub goroutine: Option<Goid>,
    /// The thread was in the kernel.
    pub kernel: bool,
    /// The root was not reached.
    pub cut: bool,
    /// The memory of the program was gone: its last stack stands for this one.
    pub gone: bool,
    /// Whose stack it is, where a translator runs the program.
    pub guest: Option<GuestStack>,
    addresses: &'a [u8],
}

/// The first address is where the translator was, the others are the guest's: where it was, as a
/// return address, then its callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuestStack {
    /// The first address lies in a block of translated code, and the second is that block's.
    pub in_block: bool,
    /// What the third address is.
    pub link: Link,
}

/// Whether the guest's link register is in a stack: the caller of a function that has no frame, but
/// it may be stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// It is not.
    #[default]
    None,
    /// It is.
    Unproven,
    /// It is, and the call before it leads to where the guest is, as far as distance can tell.
    Called,
}

/// A probed place was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called<'a> {
    /// The number in the probe's cookie.
    pub probe: ProbeId,
    /// Entered or left.
    pub edge: CallEdge,
    /// On whose stack.
    pub stack: StackOwner,
    /// Bytes from the stack's high end.
    pub depth: u32,
    /// First argument.
    pub argument: Option<CalledWith<'a>>,
}

/// The first argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalledWith<'a> {
    /// One machine word.
    Integer(u64),
    /// The first bytes of a string.
    Text(&'a [u8]),
}

impl Executed<'_> {
    /// Path of the file that was loaded.
    #[must_use]
    pub fn exe_path(&self) -> Vec<u8> {
        super::executable::path_of(self.exe)
    }

    /// Path of the file that it translates, when `exe` is a translator that the kernel loaded.
    #[must_use]
    pub fn translated_file(&self, exe: &[u8]) -> Option<Vec<u8>> {
        let asked = self.asked?;
        let is_translator = self.guest.is_some() || Translator::at(exe).is_some();
        is_translator.then(|| absolute(&super::executable::path_of(self.cwd), asked))
    }
}

impl Stack<'_> {
    /// Addresses, innermost first.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        self.addresses
            .as_chunks()
            .0
            .iter()
            .map(|b| u64::from_le_bytes(*b))
    }
}

impl RawUsage {
    fn parse(b: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            runtime: b.u64()?,
            utime: b.u64()?,
            stime: b.u64()?,
            run_delay: b.u64()?,
            min_flt: b.u64()?,
            maj_flt: b.u64()?,
            nvcsw: b.u64()?,
            nivcsw: b.u64()?,
            read_bytes: b.u64()?,
            write_bytes: b.u64()?,
        })
    }

    /// Adds what another thread used.
    pub fn add(&mut self, other: &Self) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.runtime, other.runtime);
        sum(&mut self.utime, other.utime);
        sum(&mut self.stime, other.stime);
        sum(&mut self.run_delay, other.run_delay);
        sum(&mut self.min_flt, other.min_flt);
        sum(&mut self.maj_flt, other.maj_flt);
        sum(&mut self.nvcsw, other.nvcsw);
        sum(&mut self.nivcsw, other.nivcsw);
        sum(&mut self.read_bytes, other.read_bytes);
        sum(&mut self.write_bytes, other.write_bytes);
    }

    /// Divides the exact run time into user and system time as the kernel does for `getrusage`
    /// (`cputime_adjust` in kernel/sched/cputime.c): in the ratio of the ticks that hit each.
    #[must_use]
    pub fn usage(&self, max_rss: u64) -> Usage {
        let ticks = u128::from(self.utime).saturating_add(u128::from(self.stime));
        let system = if self.stime == 0 {
            0
        } else {
            u128::from(self.runtime)
                .saturating_mul(u128::from(self.stime))
                .checked_div(ticks)
                .and_then(|system| u64::try_from(system).ok())
                .unwrap_or(self.runtime)
        };
        Usage {
            user: Nanos(self.runtime.saturating_sub(system)),
            system: Nanos(system),
            runqueue: Nanos(self.run_delay),
            max_rss_bytes: max_rss,
            minor_faults: self.min_flt,
            major_faults: self.maj_flt,
            read_bytes: self.read_bytes,
            written_bytes: self.write_bytes,
            voluntary_switches: self.nvcsw,
            involuntary_switches: self.nivcsw,
            forks_folded: 0,
        }
    }
}

impl<'a> Record<'a> {
    /// Reads one record.
    ///
    /// # Errors
    ///
    /// When it is too short for what it claims to be, or of an unknown kind.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Bytes(bytes);
        let short = |kind| Malformed::Short {
            kind,
            length: bytes.len(),
        };
        let kind = rest.u16().ok_or(short(0))?;
        let head = |rest: &mut Bytes<'a>| {
            let flags = rest.u16()?;
            let _length = rest.u32()?;
            Some((flags, rest.u32()?, rest.u32()?, rest.u64()?))
        };
        let (flags, tgid, tid, time) = head(&mut rest).ok_or(short(kind))?;
        let event = match kind {
            1 => forked(&mut rest),
            2 => executed(&mut rest, flags),
            3 => argv(&mut rest, flags),
            4 => ended(&mut rest, flags),
            5 => stack(&mut rest, flags).map(Event::Sampled),
            6 => stack(&mut rest, flags).map(Event::Away),
            7 => back(&mut rest),
            8 => stack(&mut rest, flags).map(Event::Last),
            9 => called(&mut rest, flags).map(Event::Called),
            _ => return Err(Malformed::Kind(kind)),
        };
        Ok(Self {
            time: Monotonic(time),
            pid: Pid(tgid),
            tid: Tid(tid),
            event: event.ok_or(short(kind))?,
        })
    }
}

impl Record<'static> {
    /// Reads an entry of a lane:
    ///
    /// ```text
    /// 0 u64 time  8 u64 owner  16 u32 tgid  20 u32 tid  24 u32 probe, 8 bits of flags above it
    /// 28 u32 depth
    /// ```
    #[must_use]
    pub fn of_lane(entry: &[u8; 32]) -> Self {
        let (longs, words) = entry.split_at(16);
        let (mut longs, mut words) = (Bytes(longs), Bytes(words));
        // Both are as long as what is taken.
        let mut long = || longs.u64().unwrap_or_default();
        let mut word = || words.u32().unwrap_or_default();
        let (time, owner) = (long(), long());
        let (pid, tid, probe, depth) = (Pid(word()), Tid(word()), word(), word());
        let [_, _, _, flags] = probe.to_le_bytes();
        let (edge, stack) = edge_and_stack(flags.into(), owner);
        Self {
            time: Monotonic(time),
            pid,
            tid,
            event: Event::Called(Called {
                probe: ProbeId(probe & PROBE_MASK),
                edge,
                stack,
                depth,
                argument: None,
            }),
        }
    }
}

fn forked<'a>(b: &mut Bytes<'a>) -> Option<Event<'a>> {
    Some(Event::Forked {
        parent: Pid(b.u32()?),
    })
}

fn executed<'a>(b: &mut Bytes<'a>, flags: u16) -> Option<Event<'a>> {
    let before = RawUsage::parse(b)?;
    let key = ExeKey {
        dev: b.u64()?,
        ino: b.u64()?,
        size: b.u64()?,
    };
    let guest = ExeKey {
        dev: b.u64()?,
        ino: b.u64()?,
        size: b.u64()?,
    };
    let argv_bytes = b.u64()?;
    let magic = b.array()?;
    let (exe, cwd, asked) = (b.u16()?, b.u16()?, b.u16()?);
    b.take(6)?;
    Some(Event::Executed(Executed {
        before,
        key,
        guest: (guest != ExeKey::default()).then_some(guest),
        argv_bytes,
        magic,
        exe: b.take(exe.into())?,
        cwd: b.take(cwd.into())?,
        asked: match b.take(asked.into())? {
            path if flags & EXEC_INDIRECT != 0 => Some(until_zero(path)),
            _ => None,
        },
        path_cut: flags & EXEC_PATH_CUT != 0,
        hidden: flags & EXEC_HIDDEN != 0,
    }))
}

fn argv<'a>(b: &mut Bytes<'a>, flags: u16) -> Option<Event<'a>> {
    let offset = b.u64()?;
    let _total = b.u64()?;
    Some(Event::Argv {
        offset,
        bytes: b.0,
        unreadable: flags & ARGV_UNREADABLE != 0,
    })
}

fn ended<'a>(b: &mut Bytes<'a>, flags: u16) -> Option<Event<'a>> {
    let start = Monotonic(b.u64()?);
    let usage = RawUsage::parse(b)?;
    let max_rss = b.u64()?;
    let status = b.u32()?;
    let _pad = b.u32()?;
    Some(Event::Ended(Ended {
        start,
        usage,
        max_rss,
        wait_status: (flags & END_OF_PROCESS != 0).then_some(status.cast_signed()),
        name: until_zero(b.take(16)?),
    }))
}

fn stack<'a>(b: &mut Bytes<'a>, flags: u16) -> Option<Stack<'a>> {
    let goid = b.u64()?;
    let frames = usize::try_from(b.u32()?).ok()?;
    let _pad = b.u32()?;
    Some(Stack {
        goroutine: (flags & SAMPLE_GOROUTINE != 0 && goid != 0).then_some(Goid(goid)),
        kernel: flags & SAMPLE_KERNEL != 0,
        cut: flags & SAMPLE_CUT != 0,
        gone: flags & SAMPLE_GONE != 0,
        guest: (flags & SAMPLE_GUEST != 0).then_some(GuestStack {
            in_block: flags & SAMPLE_BLOCK != 0,
            link: match (flags & SAMPLE_LINK != 0, flags & SAMPLE_LINKED != 0) {
                (false, _) => Link::None,
                (true, false) => Link::Unproven,
                (true, true) => Link::Called,
            },
        }),
        addresses: b.take(frames.checked_mul(8)?)?,
    })
}

fn back<'a>(b: &mut Bytes<'a>) -> Option<Event<'a>> {
    Some(Event::Back {
        away: Nanos(b.u64()?),
    })
}

fn called<'a>(b: &mut Bytes<'a>, flags: u16) -> Option<Called<'a>> {
    let owner = b.u64()?;
    let probe = ProbeId(b.u32()?);
    let depth = b.u32()?;
    let (edge, stack) = edge_and_stack(flags, owner);
    Some(Called {
        probe,
        edge,
        stack,
        depth,
        argument: if flags & CALL_INTEGER != 0 {
            Some(CalledWith::Integer(b.u64()?))
        } else {
            (flags & CALL_TEXT != 0).then_some(CalledWith::Text(b.0))
        },
    })
}

/// What the flags of a hit say.
fn edge_and_stack(flags: u16, owner: u64) -> (CallEdge, StackOwner) {
    let edge = match flags & 3 {
        0 => CallEdge::Entry,
        1 => CallEdge::Exit,
        _ => CallEdge::TailJump,
    };
    let goid = (owner != 0).then_some(Goid(owner));
    let stack = match (flags & CALL_FORKED != 0, flags >> 2 & 7) {
        (true, _) => StackOwner::Forked,
        (false, 1) => StackOwner::Goroutine(Goid(owner)),
        (false, 2) => StackOwner::Unnumbered(owner),
        (false, 3) => StackOwner::System(goid),
        (false, 4) => StackOwner::Signal,
        (false, _) => StackOwner::Foreign,
    };
    (edge, stack)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
