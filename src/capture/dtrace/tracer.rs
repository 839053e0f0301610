//! One `dtrace`, which watches one process: started, read, and ended.

use std::io::{self, PipeReader};
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::story::{Story, Told};
use super::target::Target;
use crate::capture::calls::Pool;
use crate::capture::decode::dtrace::line::{Event, Lines, What};
use crate::capture::decode::dtrace::message::{Cause, Message};
use crate::capture::decode::dtrace::order::Order;
use crate::capture::own_children::OwnChild;
use crate::capture::toolexec::Waiting;
use crate::capture::{Monotonic, Observation, sys};
use crate::environment::Refusal;
use crate::trace::Pid;

/// How long a process waits for its probes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a `dtrace` that was told to end has for it.
const LAST_MOMENTS: Duration = Duration::from_secs(5);
/// Time between two rounds of the kernel's buffers, in nanoseconds: `switchrate` of the scripts.
const ROUND: u64 = 20_000_000;
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;
/// The longest line of its standard error that is kept.
const LONGEST: usize = 4_096;
/// What is lost of a process that ran before it was watched.
const BEGINNING: &str = "the beginning of a process";
/// What dyld does in a process.
const LOADER: &str = "images that dyld loads into processes, and its functions,";
/// Why nothing is known of it.
const SILENT: &str = "no probe of dyld's lldb_image_notifier was hit: dtrace does not see it, or it is called otherwise";
/// Why it is not known where the code of an image is that dyld has told of.
const WITHOUT_FILES: &str =
    "they have no file that says where it lies: they are in dyld's shared cache";
/// Lines that are not understood, and are told of nevertheless.
const MOST_UNKNOWN: usize = 3;

/// A process to watch.
#[derive(Debug)]
pub(super) struct Job {
    /// `dtrace`.
    pub(super) program: PathBuf,
    /// What it is to watch.
    pub(super) subject: Subject,
    /// Its executable.
    pub(super) target: Arc<Target>,
    /// Who waits until it is watched.
    pub(super) go: Go,
    /// Memory for calls.
    pub(super) pool: Arc<Pool>,
    /// To the recorder.
    pub(super) out: Sender<Observation>,
}

/// What is watched.
#[derive(Debug)]
pub(super) enum Subject {
    /// A process that is there.
    Process(Pid),
    /// What `dtrace` is to start, as it takes command lines.
    Command(String),
}

/// Who waits until a process is watched, or is found not to be.
#[derive(Debug)]
pub(super) enum Go {
    /// A tool's shim; it goes on when this value is dropped.
    Tool(#[expect(dead_code, reason = "its end is what is waited for")] Option<Waiting>),
    /// The session, which also wants to know whether this machine lets `dtrace` work at all.
    Command(Sender<Result<(), Refusal>>),
}

/// What is known of one `dtrace`.
#[derive(Debug)]
pub(super) struct Tracer {
    job: Job,
    /// Taken when the process may go on.
    waiting: Option<Go>,
    since: Monotonic,
    lines: Lines,
    in_order: Order,
    story: Story,
    /// Of its standard error, a line that has not ended.
    line: Vec<u8>,
    /// It watches the process, or is not waited for any more.
    settled: bool,
    refused: bool,
    loader: OfLoader,
    early: Early,
    faults: u64,
    unknown: usize,
}

/// Whether a process can be watched before its first instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Early {
    #[default]
    Tried,
    /// It cannot: it was let go, and is to be tried again.
    Refused,
    TriedLater,
}

/// Whether what dyld does is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum OfLoader {
    /// It is not asked for, or not any more.
    #[default]
    Unasked,
    Tried,
    /// The script was refused, and is to be tried without it.
    Refused,
}

impl Tracer {
    /// Watches a process to its end, or until the pipe of `stopped` is closed.
    pub(super) fn run(mut job: Job, stopped: &PipeReader) {
        let (nobody, _) = crossbeam_channel::bounded(1);
        let waiting = Some(mem::replace(&mut job.go, Go::Command(nobody)));
        let mut tracer = Self {
            job,
            waiting,
            since: sys::now(),
            lines: Lines::default(),
            in_order: Order::new(ROUND),
            story: Story::default(),
            line: Vec::new(),
            settled: false,
            refused: false,
            loader: OfLoader::default(),
            early: Early::default(),
            faults: 0,
            unknown: 0,
        };
        loop {
            match tracer.start() {
                Ok(Some(child)) => tracer.attend(child, stopped),
                Ok(None) => {}
                Err(error) => tracer.unseen(error.to_string()),
            }
            if !tracer.tries_again() {
                break;
            }
        }
        tracer.finish();
    }

    /// Starts `dtrace`, where there is anything for it to do.
    fn start(&mut self) -> io::Result<Option<OwnChild>> {
        let target = Arc::clone(&self.job.target);
        let with_loader = target.with_loader.as_ref();
        let with_loader =
            with_loader.filter(|_| self.loader != OfLoader::Refused && !target.loader.is_refused());
        self.loader = match with_loader {
            Some(_) => OfLoader::Tried,
            None => OfLoader::Unasked,
        };
        let Some(script) = with_loader.or(target.script.as_ref()) else {
            return Ok(None);
        };
        if !target.translator.is_empty() {
            self.refuse(Cause::Translated, &target.translator);
            return Ok(None);
        }
        let mut command = Command::new(&self.job.program);
        command
            .arg("-Z")
            .args(["-x", "stacksymbols=disabled"])
            .arg("-s")
            .arg(script.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the command; what that does until its end is still to be seen.
            .process_group(0);
        match &self.job.subject {
            Subject::Process(pid) => command.arg("-p").arg(pid.to_string()),
            Subject::Command(line) => command.arg("-c").arg(line),
        };
        OwnChild::spawn(&mut command).map(Some)
    }

    /// It was refused for a reason that may be gone the next time.
    fn tries_again(&mut self) -> bool {
        if self.loader == OfLoader::Refused {
            return true;
        }
        let refused = self.early == Early::Refused;
        if refused {
            self.early = Early::TriedLater;
        }
        refused
    }

    /// Reads what it prints until it ends.
    fn attend(&mut self, mut child: OwnChild, stopped: &PipeReader) {
        let Some((stdout, stderr)) = child.pipes() else {
            return;
        };
        let (mut stdout, mut stderr) = (Some(stdout), Some(stderr));
        let begun = Instant::now();
        self.settled = false;
        let mut end: Option<Instant> = None;
        while stdout.is_some() || stderr.is_some() {
            let left = match (self.settled, end) {
                (false, _) => Some(PATIENCE.saturating_sub(begun.elapsed())),
                (true, Some(told)) => Some(LAST_MOMENTS.saturating_sub(told.elapsed())),
                (true, None) => None,
            };
            // While it takes hold of the process, which it stops for that, it is not told to end.
            let stopped = Some(stopped).filter(|_| self.settled && end.is_none());
            let ready = wait(stdout.as_ref(), stderr.as_ref(), stopped, left);
            if ready.stopped {
                // It prints what it still has, and ends.
                sys::send(child.pid(), libc::SIGINT);
                end = Some(Instant::now());
            }
            let mut chunk = [0; CHUNK];
            if ready.stdout {
                let read = read(&mut stdout, &mut chunk);
                self.printed(read);
            }
            if ready.stderr {
                let read = read(&mut stderr, &mut chunk);
                self.said(read);
            }
            if left.is_some_and(|left| left.is_zero()) {
                if self.settled {
                    // Killed when dropped.
                    return;
                }
                self.lose_patience();
            }
        }
        child.wait();
    }

    fn lose_patience(&mut self) {
        self.lost(
            BEGINNING,
            1,
            format!(
                "dtrace did not arm its probes in {} within {} s",
                self.job.target.path.display(),
                PATIENCE.as_secs()
            ),
        );
        self.let_go(Ok(()));
        self.settled = true;
    }

    /// Takes some of its standard output.
    fn printed(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        self.lines.feed(bytes, &mut |event| events.push(event));
        let mut told = Told::default();
        for event in events {
            self.take(event, &mut told);
        }
        self.tell(told);
    }

    fn take(&mut self, event: Event, told: &mut Told) {
        if let What::Armed { wall } = event.what {
            self.story.armed(event.time, wall, sys::anchor());
            self.settled = true;
            self.let_go(Ok(()));
            return;
        }
        let (story, target) = (&mut self.story, &self.job.target);
        self.in_order
            .add(event, &mut |event| story.add(event, target, told));
    }

    fn tell(&self, told: Told) {
        let out = &self.job.out;
        // Without a recorder the command goes on, and there is nobody to tell.
        let mut give = |batch| drop(out.send(Observation::Called(batch)));
        self.job.pool.give(told.calls.into_iter(), &mut give);
        for observation in told.others {
            drop(out.send(observation));
        }
    }

    /// Takes some of its standard error.
    fn said(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                self.complaint();
            }
        }
    }

    fn complaint(&mut self) {
        let line = mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        match Message::of(line) {
            Message::Refused(Cause::NoDyld) if self.early == Early::Tried => {
                self.early = Early::Refused;
                self.lost(BEGINNING, 1, line.to_owned());
                self.let_go(Ok(()));
            }
            // Said of the whole script, it may be that of dyld's functions alone.
            Message::Refused(Cause::Script | Cause::NoFunction)
                if self.loader == OfLoader::Tried && !self.settled =>
            {
                self.loader = OfLoader::Refused;
                self.job.target.loader.refuse();
                self.unseen_of(LOADER, line.to_owned());
            }
            // Whatever else it says of a script that is not taken.
            Message::Refused(_) if self.loader == OfLoader::Refused => {}
            Message::Refused(cause) => self.refuse(cause, line),
            Message::Dropped { count, .. } => {
                self.lost("calls and samples", count, line.to_owned());
            }
            Message::Fault => self.faults = self.faults.saturating_add(1),
            Message::Ended(_) | Message::Notice => {}
            Message::Unknown if self.unknown < MOST_UNKNOWN => {
                self.unknown += 1;
                self.unseen(line.to_owned());
            }
            Message::Unknown => {}
        }
    }

    /// It does not watch the process: once is enough to say.
    fn refuse(&mut self, cause: Cause, line: &str) {
        if mem::replace(&mut self.refused, true) {
            return;
        }
        let refusal = cause.refusal(line);
        let remedy = match refusal.remedy.as_str() {
            "" => String::new(),
            remedy => format!("; to change that: {remedy}"),
        };
        self.unseen(format!("{refusal}{remedy}"));
        let answer = if cause.is_of_machine() {
            Err(refusal)
        } else {
            Ok(())
        };
        self.let_go(answer);
    }

    fn let_go(&mut self, answer: Result<(), Refusal>) {
        if let Some(Go::Command(session)) = self.waiting.take() {
            // There is room for one answer, and this is the only one.
            drop(session.try_send(answer));
        }
    }

    fn unseen(&self, why: String) {
        self.unseen_of("functions and samples", why);
    }

    fn unseen_of(&self, what: &str, why: String) {
        drop(self.job.out.send(Observation::Unseen {
            time: sys::now(),
            what: format!("{what} of {}", self.job.target.path.display()),
            why,
        }));
    }

    fn lost(&self, what: &'static str, count: u64, why: String) {
        if count > 0 {
            drop(self.job.out.send(Observation::Lost {
                from: self.since,
                to: sys::now(),
                what,
                count,
                why,
            }));
        }
    }

    /// It has ended: tells what waited for older events, and what could not be told.
    fn finish(mut self) {
        if !self.line.is_empty() {
            self.complaint();
        }
        let mut told = Told::default();
        let mut events = Vec::new();
        let lines = mem::take(&mut self.lines);
        let shortfall = lines.finish(&mut |event| events.push(event));
        for event in events {
            self.take(event, &mut told);
        }
        let in_order = mem::replace(&mut self.in_order, Order::new(ROUND));
        let (story, target) = (&mut self.story, &self.job.target);
        let late = in_order.finish(&mut |event| story.add(event, target, &mut told));
        self.tell(told);
        let images = self.story.images();
        let loader = &self.job.target.loader;
        let is_silent = self.story.is_armed() && self.loader == OfLoader::Tried && images.told == 0;
        if is_silent && loader.silent.is_now() {
            self.unseen_of(LOADER, SILENT.to_owned());
        }
        if images.without_file > 0 && loader.without_files.is_now() {
            self.unseen_of("code of some images", WITHOUT_FILES.to_owned());
        }
        let cut = u64::from(shortfall.cut);
        let unread = shortfall.malformed.saturating_add(shortfall.too_long);
        for (what, count, why) in [
            (
                "lines of dtrace",
                unread,
                "they are none of gotrace's scripts",
            ),
            ("lines of dtrace", cut, "dtrace ended within them"),
            (
                "calls",
                self.faults,
                "dtrace could not read the program's memory",
            ),
            ("order of events", late, "dtrace printed them too late"),
            (
                "images",
                images.left_out,
                "dyld told of more at once than the script prints",
            ),
            (
                "frames of stacks",
                self.story.named_frames(),
                "dtrace gave them names in place of addresses",
            ),
        ] {
            self.lost(what, count, why.to_owned());
        }
        self.let_go(Ok(()));
    }
}

/// What can be read.
struct Ready {
    stdout: bool,
    stderr: bool,
    stopped: bool,
}

fn wait(
    stdout: Option<&ChildStdout>,
    stderr: Option<&ChildStderr>,
    stopped: Option<&PipeReader>,
    left: Option<Duration>,
) -> Ready {
    let all = [
        stdout.map(AsFd::as_fd),
        stderr.map(AsFd::as_fd),
        stopped.map(AsFd::as_fd),
    ];
    let mut fds: Vec<PollFd<'_>> = all
        .iter()
        .flatten()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    // A millisecond more than is left, so that nothing is left when nothing came.
    let left = left.map(|left| left.saturating_add(Duration::from_millis(1)));
    let timeout = left.map_or(PollTimeout::NONE, |left| {
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    let polled = poll(&mut fds, timeout).is_ok();
    let mut ready = fds.iter().map(|fd| polled && fd.any() == Some(true));
    let [stdout, stderr, stopped] = all.map(|fd| fd.is_some() && ready.next() == Some(true));
    Ready {
        stdout,
        stderr,
        stopped,
    }
}

/// Reads once; what is at its end is closed.
fn read<'c>(from: &mut Option<impl io::Read>, chunk: &'c mut [u8]) -> &'c [u8] {
    let count = match from.as_mut().map(|from| from.read(chunk)) {
        Some(Ok(count)) => count,
        Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return &[],
        _ => 0,
    };
    if count == 0 {
        *from = None;
    }
    chunk.get(..count).unwrap_or_default()
}
