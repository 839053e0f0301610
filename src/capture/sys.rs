//! Calls to the operating system that need `unsafe`: fork and exec, wait, signals, clocks.
//! In: values that own their memory. Out: values, errors as `io::Error`.
#![expect(
    unsafe_code,
    reason = "fork, exec and wait4 have no safe wrapper; each block says why it is sound"
)]

pub(super) mod pages;
pub(super) mod ring;

use std::ffi::{CStr, CString, OsString, c_char, c_int};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use crate::trace::{ClockAnchor, Nanos, Pid, Usage};

use super::Monotonic;
use super::held_child::{HeldChild, RUN, RUN_IN_PLACE};
use super::slice::Preference;
use super::stand_in::StandIn;
use super::system::Start;
use super::system::handed::HandedDown;

/// Signals whose action gotrace changes for itself, and whether they were ignored when it was
/// started: what is ignored stays so in the command.
static IGNORED: [(c_int, AtomicBool); 3] = [
    (libc::SIGPIPE, AtomicBool::new(false)),
    (libc::SIGCHLD, AtomicBool::new(false)),
    (libc::SIGXFSZ, AtomicBool::new(false)),
];
static CLOSED_AT_START: AtomicU8 = AtomicU8::new(0);

/// Runs before Rust's own start-up, which ignores SIGPIPE and opens `/dev/null` on closed
/// standard descriptors: what the command shall inherit is what was there before.
extern "C" fn record_inheritance() {
    for (signal, ignored) in &IGNORED {
        ignored.store(is_ignored(*signal), Ordering::Relaxed);
    }
    let mut closed = 0;
    for fd in 0..3 {
        // SAFETY: F_GETFD takes no pointer and is defined for any descriptor number.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            closed |= 1 << fd;
        }
    }
    CLOSED_AT_START.store(closed, Ordering::Relaxed);
}

#[used]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static RECORD_INHERITANCE: extern "C" fn() = record_inheritance;

fn is_ignored(signal: c_int) -> bool {
    let mut old = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only reads the old one into memory that is large enough.
    if unsafe { libc::sigaction(signal, ptr::null(), old.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: zeroed memory is a valid sigaction, and the call has filled it.
    unsafe { old.assume_init() }.sa_sigaction == libc::SIG_IGN
}

fn set_disposition(signal: c_int, handler: libc::sighandler_t) {
    // SAFETY: sigaction is plain data, and all zeroes is a valid value of it.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is initialised and outlives the call; the old action is not asked for.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

/// Who a command runs as, when that is not who gotrace runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// User.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
    /// Supplementary groups.
    pub(super) groups: Vec<u32>,
}

/// A program to start, with everything that the child needs already in place.
#[derive(Debug)]
pub(super) struct Program {
    /// Paths to try, one after the other.
    pub(super) paths: Vec<CString>,
    /// Arguments, the name first.
    pub(super) argv: Vec<CString>,
    /// Environment entries, as they lie in memory.
    pub(super) environment: Vec<CString>,
    /// Who to become.
    pub(super) identity: Option<Identity>,
    /// The child dies when its parent does.
    pub(super) dies_with_parent: bool,
    /// Which slice of the file to take.
    pub(super) slice: Option<Preference>,
    /// It stops before its first instruction, until it is sent SIGCONT: macOS alone can have that.
    pub(super) starts_stopped: bool,
    /// What is to run in its place, and the path of that.
    pub(super) stands_in: Option<(StandIn, CString)>,
}

/// Forks a child that waits until it is released, and then runs `program`.
///
/// `mask` is the signal mask that the program gets.
pub(super) fn fork_held(program: &Program, mask: &libc::sigset_t) -> io::Result<HeldChild> {
    let (wait, go) = pipe()?;
    let (failure, report) = pipe()?;
    let pointers = Pointers::of(program)?;
    // SAFETY: the child calls only async-signal-safe functions on memory prepared above.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // Its own copies of gotrace's ends: with them it would never hear that gotrace's are
            // closed.
            for end in [&go, &failure] {
                // SAFETY: takes no pointer; nothing reads or writes this descriptor after.
                unsafe { libc::close(end.as_raw_fd()) };
            }
            become_program(program, pointers, mask, &wait, &report)
        }
        pid => Ok(HeldChild::new(
            Pid(pid.unsigned_abs()),
            program.stands_in.as_ref().map(|(stand_in, _)| stand_in),
            (go, failure),
        )),
    }
}

/// What exec takes: arrays of pointers that end with a null pointer.
struct Pointers {
    argv: Vec<*const c_char>,
    /// `/bin/sh PATH ARGUMENT...`, for a file without `#!`; slot 1 is filled in the child.
    shell: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    start: Start,
}

impl Pointers {
    fn of(program: &Program) -> io::Result<Self> {
        let array = |strings: &[CString]| -> Vec<*const c_char> {
            let ends = std::iter::once(ptr::null());
            strings.iter().map(|s| s.as_ptr()).chain(ends).collect()
        };
        let argv = array(&program.argv);
        let mut shell = vec![SHELL.as_ptr(), ptr::null()];
        shell.extend(argv.iter().skip(1));
        Ok(Self {
            argv,
            shell,
            environment: array(&program.environment),
            start: Start::of(program)?,
        })
    }
}

const SHELL: &CStr = c"/bin/sh";

/// The child's side: from here on only async-signal-safe calls, and no allocation.
fn become_program(
    program: &Program,
    mut pointers: Pointers,
    mask: &libc::sigset_t,
    wait: &OwnedFd,
    report: &OwnedFd,
) -> ! {
    let mut byte = 0_u8;
    loop {
        // SAFETY: reads one byte into a local of one byte.
        match unsafe { libc::read(wait.as_raw_fd(), (&raw mut byte).cast(), 1) } {
            1 => break,
            -1 if errno() == libc::EINTR => {}
            // gotrace has ended before the command began: there is nobody to run it for.
            _ => leave(125),
        }
    }
    let outcome = prepare(program, mask).and_then(|left| exec(program, left, byte, &mut pointers));
    let errno = outcome.err().unwrap_or(libc::ENOENT);
    // SAFETY: writes four bytes from a local of four bytes.
    unsafe { libc::write(report.as_raw_fd(), (&raw const errno).cast(), 4) };
    leave(127)
}

fn leave(code: c_int) -> ! {
    // SAFETY: _exit ends the process at once and runs nothing of ours.
    unsafe { libc::_exit(code) }
}

/// Takes on the identity and the signals that the program shall have, and leaves what a stand-in looks for.
fn prepare(program: &Program, mask: &libc::sigset_t) -> Result<HandedDown, c_int> {
    if let Some(identity) = &program.identity {
        let count = identity.groups.len();
        // SAFETY: the pointer and the length are those of one slice.
        done(unsafe { libc::setgroups(count as _, identity.groups.as_ptr()) })?;
        // SAFETY: takes no pointer.
        done(unsafe { libc::setgid(identity.gid) })?;
        // SAFETY: takes no pointer.
        done(unsafe { libc::setuid(identity.uid) })?;
    }
    if program.dies_with_parent {
        die_with_parent();
    }
    let left = HandedDown::of(program.stands_in.as_ref().map(|(copy, _)| copy));
    for (signal, ignored) in &IGNORED {
        let action = if ignored.load(Ordering::Relaxed) {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        set_disposition(*signal, action);
    }
    let closed = CLOSED_AT_START.load(Ordering::Relaxed);
    for fd in (0..3).filter(|fd| closed & (1 << fd) != 0) {
        // SAFETY: the descriptor is the /dev/null that Rust's start-up opened there.
        unsafe { libc::close(fd) };
    }
    // SAFETY: `mask` is an initialised set; the old mask is not asked for.
    done(unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, ptr::null_mut()) })?;
    Ok(left)
}

/// Tries each path, as `execvp` does: goes on where a file is not there, remembers where one
/// may not be run, and gives a file without a known format to the shell. Before all of them its stand-in: whatever keeps
/// that from running, the program itself runs; as it does when that is to be put over it.
fn exec(
    program: &Program,
    mut left: HandedDown,
    told: u8,
    pointers: &mut Pointers,
) -> Result<(), c_int> {
    if let Some((_, copy)) = program.stands_in.as_ref().filter(|_| told == RUN) {
        let environment = pointers.environment.as_ptr();
        pointers
            .start
            .exec(copy, pointers.argv.as_ptr(), environment);
    }
    if told != RUN_IN_PLACE {
        left.take_back();
    }
    let mut denied = false;
    for path in &program.paths {
        let environment = pointers.environment.as_ptr();
        let argv = pointers.argv.as_ptr();
        match pointers.start.exec(path, argv, environment) {
            libc::ENOEXEC => {
                if let Some(slot) = pointers.shell.get_mut(1) {
                    *slot = path.as_ptr();
                }
                let shell = pointers.shell.as_ptr();
                return Err(pointers.start.exec(SHELL, shell, environment));
            }
            libc::EACCES => denied = true,
            libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::ELOOP => {}
            other => return Err(other),
        }
    }
    Err(if denied { libc::EACCES } else { libc::ENOENT })
}

fn done(result: c_int) -> Result<(), c_int> {
    if result == 0 { Ok(()) } else { Err(errno()) }
}

fn errno() -> c_int {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
}

/// Makes a socket that every user may connect to. Its mode is what it is made with: to change it
/// later by its path would be to follow whatever is there by then.
pub(super) fn bind_for_everybody(path: &Path) -> io::Result<UnixListener> {
    // SAFETY: takes no pointer. Only the main thread makes files at this time.
    let before = unsafe { libc::umask(0) };
    let bound = UnixListener::bind(path);
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    bound
}

/// Who is at the other end of a socket, where the system tells.
pub(super) fn peer(stream: &UnixStream) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
        getsockopt(stream, PeerCredentials)
            .ok()
            .map(|peer| peer.uid())
    }
    #[cfg(not(target_os = "linux"))]
    {
        nix::unistd::getpeereid(stream)
            .ok()
            .map(|(uid, _)| uid.as_raw())
    }
}

/// A stream socket that programs which are started do not inherit.
pub(super) fn stream_socket() -> nix::Result<OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    #[cfg(target_os = "linux")]
    let flags = SockFlag::SOCK_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = SockFlag::empty();
    let made = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    #[cfg(not(target_os = "linux"))]
    {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        fcntl(&made, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok(made)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    // Standard descriptors that were closed at the start are /dev/null now, so neither end
    // is one of them.
    Ok((reader.into(), writer.into()))
}

/// Opens a file for reading if `check` likes it, which is asked before it is opened, for a device may
/// act on that. On Linux, what was checked is what is opened, whoever changes the path meanwhile.
pub(super) fn open_if(
    path: &Path,
    check: &dyn Fn(&Metadata) -> io::Result<()>,
) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    {
        let found = options.custom_flags(libc::O_PATH).open(path)?;
        check(&found.metadata()?)?;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        options.open(format!("/proc/self/fd/{}", found.as_raw_fd()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        check(&std::fs::metadata(path)?)?;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = options.open(path)?;
        check(&file.metadata()?)?;
        Ok(file)
    }
}

/// Whether an executable has capabilities of its own, which whoever runs it gets.
pub(super) fn has_capabilities(path: &Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = CString::new(path.as_os_str().as_bytes());
        // SAFETY: both strings end with a zero byte, and no value is asked for.
        path.is_ok_and(|path| unsafe {
            let name = c"security.capability".as_ptr();
            libc::getxattr(path.as_ptr(), name, ptr::null_mut(), 0) > 0
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}

/// Makes children waitable even where gotrace was started with SIGCHLD ignored, and a trace that
/// may grow no more (`ulimit -f`) an error instead of gotrace's death.
pub(super) fn settle_dispositions() {
    set_disposition(libc::SIGCHLD, told_of_children());
    set_disposition(libc::SIGXFSZ, libc::SIG_IGN);
}

#[cfg(target_os = "linux")]
const fn told_of_children() -> libc::sighandler_t {
    libc::SIG_DFL
}

/// xnu forgets a signal whose action is to ignore it even where it is blocked.
#[cfg(target_os = "macos")]
fn told_of_children() -> libc::sighandler_t {
    extern "C" fn nothing(_: c_int) {}
    let nothing: extern "C" fn(c_int) = nothing;
    nothing as libc::sighandler_t
}

/// Blocks `signals` in this thread, and in those that it starts; returns the mask before.
pub(super) fn block_signals(signals: &[c_int]) -> libc::sigset_t {
    change_mask(libc::SIG_BLOCK, &signal_set(signals))
}

/// Sets the mask of this thread to one that [`block_signals`] returned.
pub(super) fn restore_signals(mask: &libc::sigset_t) {
    change_mask(libc::SIG_SETMASK, mask);
}

fn change_mask(how: c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut old = signal_set(&[]);
    // SAFETY: both sets are initialised locals.
    unsafe { libc::pthread_sigmask(how, set, &raw mut old) };
    old
}

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: initialises the set that it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: initialised by the call above.
    let mut set = unsafe { set.assume_init() };
    for &signal in signals {
        // SAFETY: the set is initialised; an invalid number is refused by the call.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// A blocked signal that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    /// Which.
    pub(super) signal: c_int,
    /// Who sent it.
    pub(super) sender: Sender,
}

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// The kernel; or a terminal, which sends to all processes of its foreground.
    System,
    /// A process, to this one.
    #[cfg_attr(
        target_os = "macos",
        expect(dead_code, reason = "sigwait does not tell")
    )]
    Process(Pid),
    /// A process, and the system does not tell which.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "siginfo tells"))]
    Unknown,
}

#[cfg(target_os = "macos")]
pub(super) use super::macos::signals::next_signal;

/// Takes the next of `signals`, which must be blocked; `None` when `timeout_ms` is over.
#[cfg(target_os = "linux")]
pub(super) fn next_signal(signals: &[c_int], timeout_ms: Option<u32>) -> Option<Arrived> {
    let set = signal_set(signals);
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let millis = timeout_ms.unwrap_or(3_600_000);
    let timeout = libc::timespec {
        tv_sec: libc::time_t::from(millis / 1_000),
        tv_nsec: libc::c_long::from(millis % 1_000) * 1_000_000,
    };
    // SAFETY: set, info and timeout are locals that outlive the call.
    let signal =
        unsafe { libc::sigtimedwait(&raw const set, info.as_mut_ptr(), &raw const timeout) };
    if signal <= 0 {
        return None;
    }
    // SAFETY: zeroed memory is a valid siginfo_t, and the call has filled it.
    let info = unsafe { info.assume_init() };
    let by_kill = matches!(
        info.si_code,
        libc::SI_USER | libc::SI_TKILL | libc::SI_QUEUE
    );
    let sender = if by_kill {
        // SAFETY: the sender is part of what a signal sent by kill carries.
        Sender::Process(Pid(unsafe { info.si_pid() }.unsigned_abs()))
    } else {
        Sender::System
    };
    Some(Arrived { signal, sender })
}

/// Sends a signal to a process.
pub(super) fn send(pid: Pid, signal: c_int) {
    // SAFETY: takes no pointer; a process that is gone is an error that changes nothing.
    unsafe { libc::kill(pid.0.cast_signed(), signal) };
}

/// Stops this process with `signal`, whose action must be the default; returns when it goes on.
pub(super) fn stop_self() {
    // SAFETY: SIGSTOP stops the whole process; no handler runs.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Dies of `signal`, without a core.
pub(super) fn die_of(signal: c_int) -> ! {
    forbid_cores();
    set_disposition(signal, libc::SIG_DFL);
    let set = signal_set(&[signal]);
    // SAFETY: takes no pointer.
    unsafe { libc::raise(signal) };
    change_mask(libc::SIG_UNBLOCK, &set);
    // Only a signal whose default is not to kill comes here.
    leave(128 + signal)
}

fn forbid_cores() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is a local that outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    // A core_pattern that is a pipe does not heed the limit.
    #[cfg(target_os = "linux")]
    // SAFETY: takes no pointer.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0)
    };
}

fn die_with_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: takes no pointer.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)
    };
}

/// Has what a command starts killed when the calling thread ends, where the system can.
pub(super) fn die_with_us(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    let ask = || {
        die_with_parent();
        Ok(())
    };
    // SAFETY: prctl is a system call, which may be made between fork and exec.
    unsafe { command.pre_exec(ask) };
}

/// Makes orphaned descendants children of gotrace, so that they can be named and waited for.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // SAFETY: takes no pointer.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)
    };
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It ended: its status as `wait` reports it, and what it and its waited-for children used.
    Ended(c_int, Usage),
    /// It was stopped by this signal.
    Stopped(c_int),
}

/// Waits for a change of `pid`; without `block`, returns `None` when there is none.
pub(super) fn wait(pid: Pid, block: bool) -> io::Result<Option<Change>> {
    let flags = libc::WUNTRACED | if block { 0 } else { libc::WNOHANG };
    Ok(wait4(pid.0.cast_signed(), flags)?.map(|(_, change)| change))
}

fn wait4(pid: c_int, flags: c_int) -> io::Result<Option<(Pid, Change)>> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: status and usage are locals that outlive the call.
        match unsafe { libc::wait4(pid, &raw mut status, flags, usage.as_mut_ptr()) } {
            -1 if errno() == libc::EINTR => {}
            -1 => return Err(io::Error::last_os_error()),
            0 => return Ok(None),
            found if libc::WIFSTOPPED(status) => {
                let change = Change::Stopped(libc::WSTOPSIG(status));
                return Ok(Some((Pid(found.unsigned_abs()), change)));
            }
            found => {
                // SAFETY: zeroed memory is a valid rusage, and the call has filled it.
                let usage = usage_of(&unsafe { usage.assume_init() });
                let change = Change::Ended(status, usage);
                return Ok(Some((Pid(found.unsigned_abs()), change)));
            }
        }
    }
}

/// Whether a child has ended; it stays to be waited for.
pub(super) fn has_ended(pid: Pid) -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
    // SAFETY: `info` is a local that outlives the call.
    if unsafe { libc::waitid(libc::P_PID, pid.0, info.as_mut_ptr(), flags) } != 0 {
        return true;
    }
    // SAFETY: zeroed memory is a valid siginfo_t, and the call may have filled it.
    unsafe { info.assume_init() }.si_signo != 0
}

/// What this process has used itself.
pub(super) fn own_usage() -> Usage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a local that outlives the call.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: zeroed memory is a valid rusage.
    usage_of(&unsafe { usage.assume_init() })
}

fn usage_of(usage: &libc::rusage) -> Usage {
    let nanos = |t: libc::timeval| {
        let seconds = Nanos(t.tv_sec.unsigned_abs().saturating_mul(1_000_000_000));
        let micros = Nanos::from_micros(u64::try_from(t.tv_usec).unwrap_or_default());
        seconds + micros
    };
    let rss_unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Usage {
        user: nanos(usage.ru_utime),
        system: nanos(usage.ru_stime),
        max_rss_bytes: usage.ru_maxrss.unsigned_abs().saturating_mul(rss_unit),
        minor_faults: usage.ru_minflt.unsigned_abs(),
        major_faults: usage.ru_majflt.unsigned_abs(),
        // Blocks of 512 bytes, getrusage(2).
        read_bytes: usage.ru_inblock.unsigned_abs().saturating_mul(512),
        written_bytes: usage.ru_oublock.unsigned_abs().saturating_mul(512),
        voluntary_switches: usage.ru_nvcsw.unsigned_abs(),
        involuntary_switches: usage.ru_nivcsw.unsigned_abs(),
        ..Usage::default()
    }
}

/// The environment of this process as it lies in memory, malformed and repeated entries too.
pub(super) fn raw_environment() -> Vec<CString> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut entries = Vec::new();
    // SAFETY: reads the pointer that the C library keeps; nothing in gotrace changes it.
    let mut at = unsafe { environ };
    if at.is_null() {
        return entries;
    }
    loop {
        // SAFETY: `at` is within the array, whose last element is null.
        let entry = unsafe { *at };
        if entry.is_null() {
            return entries;
        }
        // SAFETY: each element is a zero-terminated string.
        entries.push(unsafe { CStr::from_ptr(entry) }.to_owned());
        // SAFETY: the element was not the last.
        at = unsafe { at.add(1) };
    }
}

/// The monotonic clock.
pub(super) fn now() -> Monotonic {
    Monotonic(clock(libc::CLOCK_MONOTONIC))
}

/// Bytes of a page of memory.
#[cfg(target_os = "linux")]
pub(super) fn page_bytes() -> i64 {
    // SAFETY: takes no pointer.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}

/// Both clocks at once.
pub(super) fn anchor() -> ClockAnchor {
    ClockAnchor {
        monotonic_ns: clock(libc::CLOCK_MONOTONIC),
        unix_ns: clock(libc::CLOCK_REALTIME),
    }
}

/// One of the system's clocks, in nanoseconds.
pub(super) fn clock(which: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a local that outlives the call.
    unsafe { libc::clock_gettime(which, &raw mut time) };
    let seconds = time.tv_sec.unsigned_abs().saturating_mul(1_000_000_000);
    seconds.saturating_add(time.tv_nsec.unsigned_abs())
}

static FORWARD_TO: AtomicI32 = AtomicI32::new(0);

extern "C" fn forward(signal: c_int) {
    let pid = FORWARD_TO.load(Ordering::Relaxed);
    if pid > 0 {
        // SAFETY: kill is async-signal-safe and takes no pointer.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Lets the child alone decide what becomes of signals: those of a terminal, which reach it
/// without help, are ignored here, and those sent to this process are passed on to it.
pub(super) fn leave_signals_to(pid: Pid) {
    FORWARD_TO.store(pid.0.cast_signed(), Ordering::Relaxed);
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        set_disposition(signal, libc::SIG_IGN);
    }
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2] {
        let handler: extern "C" fn(c_int) = forward;
        set_disposition(signal, handler as libc::sighandler_t);
    }
}

/// Replaces this process by `program`; returns only on failure.
pub(super) fn replace(program: &Program, mask: &libc::sigset_t) -> io::Error {
    let mut pointers = match Pointers::of(program) {
        Ok(pointers) => pointers,
        Err(error) => return error,
    };
    let outcome = prepare(program, mask).and_then(|left| exec(program, left, RUN, &mut pointers));
    io::Error::from_raw_os_error(outcome.err().unwrap_or(libc::ENOENT))
}

/// A descriptor of a process that becomes readable when the process ends.
#[cfg(target_os = "linux")]
pub(super) fn pidfd(pid: Pid) -> io::Result<OwnedFd> {
    use std::os::fd::{FromRawFd as _, RawFd};
    // SAFETY: takes no pointer; the flags argument is zero.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.0, 0) };
    match RawFd::try_from(fd) {
        // SAFETY: the call has just made the descriptor, and nobody else has it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How much the clock that counts suspended time, too, is ahead of the monotonic one.
#[cfg(target_os = "linux")]
pub(super) fn suspended() -> Nanos {
    Nanos(clock(libc::CLOCK_BOOTTIME).saturating_sub(clock(libc::CLOCK_MONOTONIC)))
}

/// Something that happened to a file of a watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// It was made.
    Created(OsString),
    /// A writer is done with it.
    Written(OsString),
    /// The system had no room for more events: some are not here.
    #[cfg_attr(
        target_os = "macos",
        expect(dead_code, reason = "kqueues merge events")
    )]
    Overflow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_is_not_let_go_ends() {
        let program = Program {
            paths: vec![c"/bin/true".to_owned()],
            argv: vec![c"true".to_owned()],
            environment: Vec::new(),
            identity: None,
            dies_with_parent: false,
            slice: None,
            starts_stopped: false,
            stands_in: None,
        };
        let mask = block_signals(&[]);
        let child = fork_held(&program, &mask).expect("forked");
        let pid = child.pid;
        drop(child);
        let Ok(Some(Change::Ended(status, _))) = wait(pid, true) else {
            panic!("it has not ended");
        };
        assert_eq!(status, 125 << 8);
    }
}
