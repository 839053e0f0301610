//! Memory shared with the kernel, and system calls without a safe wrapper. In: descriptors; out:
//! values and owned memory.
#![expect(
    unsafe_code,
    reason = "mmap, perf_event_open and reads of memory that the kernel writes"
)]

pub(super) mod forked;
pub(super) mod handed_down;
pub(super) mod ring;
pub(super) mod stopped;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use perf_event_open_sys::bindings::{
    PERF_COUNT_SW_CPU_CLOCK, PERF_COUNT_SW_DUMMY, PERF_FLAG_FD_CLOEXEC, PERF_SAMPLE_TIME,
    PERF_TYPE_SOFTWARE, perf_event_attr,
};
use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZero;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::capture::sys::pages::Pages;
use crate::capture::sys::{self, Program};

/// Descriptors in one packet at most (`SCM_MAX_FD` of the kernel).
const MAX_DESCRIPTORS: usize = 253;

/// How a process becomes a program. Only on macOS is there something to prepare.
#[derive(Debug)]
pub(in crate::capture) struct Start;

impl Start {
    #[expect(clippy::unnecessary_wraps, reason = "what macOS prepares may fail")]
    pub(in crate::capture) fn of(_program: &Program) -> io::Result<Self> {
        Ok(Self)
    }

    /// Becomes the program at `path`; returns why not. The arrays end with a null pointer.
    pub(in crate::capture) fn exec(
        &self,
        path: &CStr,
        argv: *const *const c_char,
        environment: *const *const c_char,
    ) -> c_int {
        // SAFETY: path and arrays are zero-terminated and live until the process is replaced.
        unsafe { libc::execve(path.as_ptr(), argv, environment) };
        let error = io::Error::last_os_error();
        error.raw_os_error().unwrap_or_default()
    }
}

impl Pages {
    /// Bytes that the kernel does not change until we say that we have read them.
    fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        let at = self.within(offset, length)?;
        // SAFETY: within the mapping; the callers' protocols (positions read with acquire, and
        // published with release when done) keep the kernel from writing here meanwhile.
        Some(unsafe { std::slice::from_raw_parts(at.as_ptr(), length) })
    }
}

/// A file that is read where it lies. The kernel lets nobody write to a program that runs; one
/// that is cut short while it is read here would end this process, so that nothing else is read
/// this way.
#[derive(Debug)]
pub(super) struct FileView(Pages);

impl FileView {
    /// Maps a whole file.
    pub(super) fn map(file: &File) -> io::Result<Self> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Pages::map(file.as_fd(), length, 0, false).map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.bytes(0, self.0.length).unwrap_or_default()
    }
}

pub(super) fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// The reading side of a BPF ring buffer (kernel/bpf/ringbuf.c).
///
/// ```text
/// page 0     consumer position, ours to write
/// page 1     producer position
/// page 2...  data, mapped twice in a row, so that no record is ever broken at the end
/// ```
///
/// A record is `u32 length | busy << 31 | discarded << 30`, `u32`, then its bytes, padded to 8.
#[derive(Debug)]
pub(super) struct RingBuffer {
    fd: OwnedFd,
    consumer: Pages,
    producer: Pages,
    data: usize,
    mask: u64,
}

const RECORD_BUSY: u32 = 1 << 31;
const RECORD_DISCARDED: u32 = 1 << 30;
const RECORD_HEADER: usize = 8;

impl RingBuffer {
    /// Maps a ring buffer whose data are `size` bytes, a power of two.
    pub(super) fn map(fd: OwnedFd, size: usize) -> io::Result<Self> {
        if !size.is_power_of_two() {
            return Err(io::Error::other("ring size is no power of two"));
        }
        let page = page_size();
        Ok(Self {
            consumer: Pages::map(fd.as_fd(), page, 0, true)?,
            producer: Pages::map(fd.as_fd(), page + 2 * size, page, false)?,
            fd,
            data: page,
            mask: size as u64 - 1,
        })
    }

    /// Hands every record that is complete to `each` and frees its room.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        let mut at = self.consumer.atomic(0).load(Ordering::Relaxed);
        let end = self.producer.atomic(0).load(Ordering::Acquire);
        while at < end {
            let offset = self.data + (at & self.mask) as usize;
            let Some(state) = self.state(offset) else {
                break;
            };
            if state & RECORD_BUSY != 0 {
                break;
            }
            let length = (state & !(RECORD_BUSY | RECORD_DISCARDED)) as usize;
            if state & RECORD_DISCARDED == 0
                && let Some(bytes) = self.producer.bytes(offset + RECORD_HEADER, length)
            {
                each(bytes);
            }
            at += (RECORD_HEADER + length.next_multiple_of(8)) as u64;
            self.consumer.atomic(0).store(at, Ordering::Release);
        }
    }

    /// The first word of a record; the kernel clears its busy bit when the record is complete.
    fn state(&self, offset: usize) -> Option<u32> {
        let word = self.producer.bytes(offset, 4)?;
        // SAFETY: records begin at multiples of 8 inside the mapping, which outlives the use;
        // the kernel changes this word atomically.
        let state = unsafe { AtomicU32::from_ptr(word.as_ptr().cast_mut().cast()) };
        Some(state.load(Ordering::Acquire))
    }
}

impl AsFd for RingBuffer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The reading side of a perf buffer (`perf_event_open(2)`, "MMAP layout").
#[derive(Debug)]
pub(super) struct PerfBuffer {
    _fd: OwnedFd,
    pages: Pages,
    data: usize,
    mask: u64,
    broken: Vec<u8>,
}

/// Where `data_head` and `data_tail` lie in the first page.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

impl PerfBuffer {
    /// Maps the buffer of an event, `size` bytes of data, a power of two.
    pub(super) fn map(fd: OwnedFd, size: usize) -> io::Result<Self> {
        let page = page_size();
        Ok(Self {
            pages: Pages::map(fd.as_fd(), page + size, 0, true)?,
            _fd: fd,
            data: page,
            mask: size as u64 - 1,
            broken: Vec::new(),
        })
    }

    /// Hands every record to `each` and frees its room.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&[u8])) {
        let mut at = self.pages.atomic(DATA_TAIL).load(Ordering::Relaxed);
        let end = self.pages.atomic(DATA_HEAD).load(Ordering::Acquire);
        while at < end {
            let offset = (at & self.mask) as usize;
            // A record's size is in bytes 6 and 7; records are multiples of 8, so that their
            // headers are never broken.
            let size = match self.pages.bytes(self.data + offset + 6, 2) {
                Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
                _ => 0,
            };
            if size < 8 {
                at = end;
                break;
            }
            let capacity = self.mask as usize + 1;
            let whole = size.min(capacity - offset);
            if let Some(first) = self.pages.bytes(self.data + offset, whole) {
                if whole == size {
                    each(first);
                } else if let Some(second) = self.pages.bytes(self.data, size - whole) {
                    self.broken.clear();
                    self.broken.extend_from_slice(first);
                    self.broken.extend_from_slice(second);
                    each(&self.broken);
                }
            }
            at += size as u64;
        }
        self.pages.atomic(DATA_TAIL).store(at, Ordering::Release);
    }
}

/// A table of numbers shared with BPF programs: an array map with `BPF_F_MMAPABLE`.
#[derive(Debug)]
pub(super) struct SharedWords {
    pages: Pages,
}

impl SharedWords {
    /// Maps the first `words` numbers of a map.
    pub(super) fn map(fd: BorrowedFd<'_>, words: usize) -> io::Result<Self> {
        let length = (words * 8).next_multiple_of(page_size());
        Ok(Self {
            pages: Pages::map(fd, length, 0, true)?,
        })
    }

    pub(super) fn get(&self, index: usize) -> u64 {
        if index * 8 + 8 > self.pages.length {
            return 0;
        }
        self.pages.atomic(index * 8).load(Ordering::Acquire)
    }

    /// What was written before is seen by whoever sees this.
    pub(super) fn set(&self, index: usize, value: u64) {
        if index * 8 + 8 <= self.pages.length {
            self.pages.atomic(index * 8).store(value, Ordering::Release);
        }
    }
}

/// Bytes of one entry of a lane: `struct lane_entry` of probes/linux/records.h.
pub(super) const LANE_ENTRY_BYTES: usize = 32;
/// `struct lane` before its entries, and where in it the numbers lie that are written and read.
const LANE_BYTES: usize = 128;
const LANE_HEAD: usize = 0;
const LANE_TAIL: usize = 64;

/// What a lane with so many entries takes.
pub(super) const fn lane_bytes(entries: usize) -> usize {
    LANE_BYTES + entries * LANE_ENTRY_BYTES
}

/// The reading side of the lanes of probes: an array map with `BPF_F_MMAPABLE`, one element for
/// each processor, drawn in probes/linux/records.h.
#[derive(Debug)]
pub(super) struct Lanes {
    pages: Pages,
    count: usize,
    entries: usize,
}

impl Lanes {
    /// Maps `count` lanes of `entries`, a power of two, each.
    pub(super) fn map(fd: BorrowedFd<'_>, count: usize, entries: usize) -> io::Result<Self> {
        if !entries.is_power_of_two() {
            return Err(io::Error::other("entries of a lane are no power of two"));
        }
        let length = (count * lane_bytes(entries)).next_multiple_of(page_size());
        Ok(Self {
            pages: Pages::map(fd, length, 0, true)?,
            count,
            entries,
        })
    }

    /// Hands every entry that is complete to `each`, lane by lane, and frees its room.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&[u8; LANE_ENTRY_BYTES])) {
        for lane in 0..self.count {
            let lane = lane * lane_bytes(self.entries);
            let tail = self.pages.atomic(lane + LANE_TAIL);
            let head = self.pages.atomic(lane + LANE_HEAD).load(Ordering::Acquire);
            for number in tail.load(Ordering::Relaxed)..head {
                let index = (number & (self.entries as u64 - 1)) as usize;
                let at = lane + lane_bytes(index);
                let entry = self.pages.bytes(at, LANE_ENTRY_BYTES);
                if let Some(entry) = entry.and_then(<[u8]>::as_array) {
                    each(entry);
                }
            }
            tail.store(head, Ordering::Release);
        }
    }
}

fn open_event(attr: &mut perf_event_attr, pid: i32, cpu: u32) -> io::Result<OwnedFd> {
    attr.size = size_of::<perf_event_attr>() as u32;
    // SAFETY: `attr` is a valid structure with its size set; the kernel only reads it (and
    // writes back its size).
    let fd = unsafe {
        perf_event_open_sys::perf_event_open(
            attr,
            pid,
            cpu as c_int,
            -1,
            u64::from(PERF_FLAG_FD_CLOEXEC),
        )
    };
    owned(fd)
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A clock that ticks every `period` nanoseconds on one processor while it is not idle.
pub(super) fn clock_event(cpu: u32, period: NonZero<u64>) -> io::Result<OwnedFd> {
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_SOFTWARE,
        config: u64::from(PERF_COUNT_SW_CPU_CLOCK),
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_1.sample_period = period.get();
    attr.set_disabled(1);
    attr.set_exclude_idle(1);
    open_event(&mut attr, -1, cpu)
}

/// Reports mappings (the executable ones, or all) and new programs of a process and of all that it
/// will fork, as far as they run on one processor, stamped with `CLOCK_MONOTONIC`.
pub(super) fn side_event(pid: u32, cpu: u32, all: bool) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_SOFTWARE,
        config: u64::from(PERF_COUNT_SW_DUMMY),
        sample_type: u64::from(PERF_SAMPLE_TIME),
        clockid: libc::CLOCK_MONOTONIC,
        ..perf_event_attr::default()
    };
    attr.set_use_clockid(1);
    attr.set_sample_id_all(1);
    attr.set_inherit(1);
    attr.set_mmap(1);
    attr.set_mmap2(1);
    attr.set_mmap_data(u64::from(all));
    attr.set_comm(1);
    attr.set_comm_exec(1);
    attr.set_exclude_kernel(1);
    attr.set_exclude_hv(1);
    attr.set_watermark(1);
    attr.__bindgen_anon_2.wakeup_watermark = u32::MAX;
    // Since Linux 5.12; before, mappings come without build id.
    attr.set_build_id(1);
    open_event(&mut attr, pid, cpu).or_else(|_| {
        attr.set_build_id(0);
        open_event(&mut attr, pid, cpu)
    })
}

/// Starts an event that was opened stopped.
#[cfg_attr(
    not(feature = "bpf"),
    expect(dead_code, reason = "only the loader starts events")
)]
pub(super) fn enable(event: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: ENABLE takes no pointer; the descriptor is open.
    match unsafe { perf_event_open_sys::ioctls::ENABLE(event.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds, the clock of everything here.
pub(super) fn monotonic() -> u64 {
    sys::clock(libc::CLOCK_MONOTONIC)
}

/// `CLOCK_REALTIME` in nanoseconds, the time of the day.
pub(super) fn realtime() -> u64 {
    sys::clock(libc::CLOCK_REALTIME)
}

/// How long to wait for a packet at most.
pub(super) fn set_patience(socket: BorrowedFd<'_>, seconds: i64) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
    use nix::sys::time::TimeVal;
    Ok(setsockopt(
        &socket,
        ReceiveTimeout,
        &TimeVal::new(seconds, 0),
    )?)
}

/// Sends one packet with descriptors.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    packet: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let rights: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let packet = [IoSlice::new(packet)];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &packet,
        rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

/// Receives one packet and the descriptors that come with it; a packet of no bytes is the end.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    packet: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut slices = [IoSliceMut::new(packet)];
    let message = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = part {
            for fd in raw {
                descriptors.push(owned(fd)?);
            }
        }
    }
    Ok((message.bytes, descriptors))
}

/// `bpf_attr.link_create` of linux/bpf.h:
///
/// ```text
/// 0 u32 program  4 u32 target  8 u32 attach type  12 u32 flags
/// uprobe_multi: 16 path  24 offsets  32 reference counters  40 cookies  48 u32 count
///               52 u32 flags  56 u32 pid
/// perf_event:   16 u64 cookie
/// ```
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    path_or_cookie: u64,
    offsets: u64,
    reference_counters: u64,
    cookies: u64,
    count: u32,
    multi_flags: u32,
    pid: u32,
    padding: u32,
}

const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PERF_EVENT: u32 = 41;
const BPF_TRACE_UPROBE_MULTI: u32 = 48;

impl LinkCreate {
    /// The file that the pointers lead to must be a path that ends with a zero byte, and lists of
    /// `count` numbers, that live until this returns.
    fn call(&self) -> io::Result<OwnedFd> {
        let attributes = ptr::from_ref(self);
        // SAFETY: the kernel reads the structure, and through it memory that callers keep alive.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_LINK_CREATE,
                attributes,
                size_of::<Self>(),
            )
        };
        let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

fn program_number(program: BorrowedFd<'_>) -> u32 {
    program.as_raw_fd().cast_unsigned()
}

/// A path by which the kernel finds just the file that is open here.
fn path_of_open(file: &File) -> io::Result<CString> {
    CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(io::Error::other)
}

/// Attaches a program to many places of a file at once: offset in the file and cookie of each.
/// Linux 6.6 and later.
pub(super) fn attach_many(
    program: BorrowedFd<'_>,
    file: &File,
    places: &[(u64, u64)],
) -> io::Result<OwnedFd> {
    let path = path_of_open(file)?;
    let offsets: Vec<u64> = places.iter().map(|place| place.0).collect();
    let cookies: Vec<u64> = places.iter().map(|place| place.1).collect();
    LinkCreate {
        program: program_number(program),
        attach_type: BPF_TRACE_UPROBE_MULTI,
        path_or_cookie: path.as_ptr() as u64,
        offsets: offsets.as_ptr() as u64,
        cookies: cookies.as_ptr() as u64,
        count: u32::try_from(places.len()).map_err(io::Error::other)?,
        ..LinkCreate::default()
    }
    .call()
}

/// Attaches a program to one place of a file: by way of a perf event of the type that
/// `/sys/bus/event_source/devices/uprobe/type` tells. The link keeps the event.
pub(super) fn attach_one(
    program: BorrowedFd<'_>,
    event_type: u32,
    file: &File,
    (offset, cookie): (u64, u64),
) -> io::Result<OwnedFd> {
    let path = path_of_open(file)?;
    let mut attr = perf_event_attr {
        type_: event_type,
        ..perf_event_attr::default()
    };
    attr.__bindgen_anon_3.config1 = path.as_ptr() as u64;
    attr.__bindgen_anon_4.config2 = offset;
    let event = open_event(&mut attr, -1, 0)?;
    LinkCreate {
        program: program_number(program),
        target: event.as_raw_fd().cast_unsigned(),
        attach_type: BPF_PERF_EVENT,
        path_or_cookie: cookie,
        ..LinkCreate::default()
    }
    .call()
}

/// Code to try probes on: [`Self::site`] is passed `count` times by [`Self::pass`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Trial {
    /// An instruction that the kernel emulates.
    Emulated,
    /// One that it executes out of line with a single step.
    SingleStepped,
}

#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn emulated(count: u64, g: *const u64) {
    std::arch::naked_asm!(
        "push r14",
        "mov r14, rsi",
        "2: push rbp",
        "pop rbp",
        "dec rdi",
        "jnz 2b",
        "pop r14",
        "ret",
    )
}

#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn single_stepped(count: u64, g: *const u64) {
    std::arch::naked_asm!(
        "push r14",
        "mov r14, rsi",
        "2: test rdi, rdi",
        "dec rdi",
        "jnz 2b",
        "pop r14",
        "ret",
    )
}

/// Bytes before the instruction at `2:`.
#[cfg(target_arch = "x86_64")]
const TRIAL_OFFSET: u64 = 5;

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn emulated(count: u64, g: *const u64) {
    std::arch::naked_asm!(
        "str x28, [sp, #-16]!",
        "mov x28, x1",
        "2: nop",
        "subs x0, x0, #1",
        "b.ne 2b",
        "ldr x28, [sp], #16",
        "ret",
    )
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn single_stepped(count: u64, g: *const u64) {
    std::arch::naked_asm!(
        "str x28, [sp, #-16]!",
        "mov x28, x1",
        "2: mov x9, x0",
        "subs x0, x0, #1",
        "b.ne 2b",
        "ldr x28, [sp], #16",
        "ret",
    )
}

#[cfg(target_arch = "aarch64")]
const TRIAL_OFFSET: u64 = 8;

impl Trial {
    const fn code(self) -> extern "C" fn(u64, *const u64) {
        match self {
            Self::Emulated => emulated,
            Self::SingleStepped => single_stepped,
        }
    }

    /// The address of the instruction to probe.
    pub(super) fn site(self) -> u64 {
        self.code() as usize as u64 + TRIAL_OFFSET
    }

    /// Passes the site, with the register that Go keeps g in pointing to memory that can be read.
    pub(super) fn pass(self, count: NonZero<u64>) {
        let g = [0_u64; 64];
        self.code()(count.get(), g.as_ptr());
    }
}
