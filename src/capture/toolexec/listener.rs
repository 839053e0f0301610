//! Listens to shims: bytes of many sockets in, observations of tools and go commands out.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::wire::{Inbox, Message};
use super::{Held, Waiting, Wanted, shim};
use crate::capture::alive::{self, Alive};
use crate::capture::decode::arguments;
use crate::capture::progress::Progress;
use crate::capture::stand_in;
use crate::capture::system::{handed, watch::ExitWatch};
use crate::capture::{Executed, Monotonic, Observation, ToolRun, plain_file, sys};
use crate::environment::translator;
use crate::trace::{Pid, Usage};

/// The largest profile of a tool that is read.
const LARGEST_PROFILE: u64 = 64 << 20;

/// A shim that is connected, and the tool that it said begins.
#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    inbox: Inbox,
    tool: Option<Tool>,
    open: bool,
}

#[derive(Clone, Debug)]
struct Tool {
    shim: Pid,
    go: Pid,
    package: Vec<u8>,
    cwd: Vec<u8>,
    argv: Vec<u8>,
    importcfg: Vec<u8>,
    /// It was given a copy to run in its place, which has not begun.
    waits_for_copy: bool,
}

/// A process above a shim that is watched for its end.
#[derive(Debug)]
struct Watched {
    pid: Pid,
    end: ExitWatch,
    usage: Usage,
}

/// The listening thread's state.
#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    stopped: PipeReader,
    spool: PathBuf,
    /// Whose shims are listened to.
    users: Vec<u32>,
    root: Pid,
    out: Sender<Observation>,
    progress: Arc<Progress>,
    /// What others want of tools.
    wanted: Wanted,
    connections: Vec<Connection>,
    watched: Vec<Watched>,
}

impl Listener {
    pub(super) fn new(
        socket: UnixListener,
        stopped: PipeReader,
        (spool, users): (PathBuf, Vec<u32>),
        root: Pid,
        out: Sender<Observation>,
        progress: Arc<Progress>,
        wanted: Wanted,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            stopped,
            spool,
            users,
            root,
            out,
            progress,
            wanted,
            connections: Vec::new(),
            watched: Vec::new(),
        })
    }

    /// Listens until the session says that the command has ended.
    pub(super) fn run(mut self) {
        while self.wait() {
            self.accept();
            self.hear();
            self.look_after_watched();
        }
        // What was said before the end is still to be heard.
        self.accept();
        self.hear();
        self.look_after_watched();
        self.report_unfinished();
    }

    /// Waits for something to do; false when it is time to stop.
    fn wait(&mut self) -> bool {
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.stopped.as_fd(), self.socket.as_fd()];
        fds.extend(self.connections.iter().map(|c| c.stream.as_fd()));
        fds.extend(self.watched.iter().map(|watched| watched.end.as_fd()));
        let mut fds: Vec<PollFd<'_>> = fds
            .into_iter()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => fds.first().is_none_or(|stop| stop.any() != Some(true)),
            Err(nix::errno::Errno::EINTR) => true,
            Err(_) => false,
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.socket.accept() {
            let known = sys::peer(&stream).is_some_and(|user| self.users.contains(&user));
            if known && stream.set_nonblocking(true).is_ok() {
                self.connections.push(Connection {
                    stream,
                    inbox: Inbox::default(),
                    tool: None,
                    open: true,
                });
            }
        }
    }

    fn hear(&mut self) {
        let mut connections = std::mem::take(&mut self.connections);
        for connection in &mut connections {
            connection.read();
            while let Some(message) = connection.inbox.next() {
                match message {
                    Some(message) => self.heard(connection, message),
                    None => connection.open = false,
                }
            }
        }
        for connection in &connections {
            if !connection.open
                && let Some(tool) = &connection.tool
            {
                self.never_ended(tool);
            }
        }
        connections.retain(|connection| connection.open);
        self.connections = connections;
    }

    /// Tells a shim what to run in a tool's place, where it waits for that; whether there is a copy.
    fn answer(&self, connection: &Connection, tool: &[u8]) -> bool {
        let Some(stand_ins) = &self.wanted.stand_ins else {
            return false;
        };
        let stand_in = stand_ins.of(Path::new(OsStr::from_bytes(tool)));
        // A shim that is gone needs no answer.
        drop(handed::send(&connection.stream, stand_in.as_ref()));
        stand_in.is_some()
    }

    /// Tells of a tool that has ended, and of what it leaves behind.
    fn ended(
        &mut self,
        (pid, start): (Pid, Monotonic),
        mut tool: Tool,
        with_end: impl FnOnce(ToolRun) -> ToolRun,
    ) {
        self.progress.ended(tool.shim);
        if tool.waits_for_copy {
            let words = arguments::split(&tool.argv);
            let path = words.first().copied().unwrap_or_default();
            self.say(stand_in::without_room(path));
        }
        let profile = shim::profile_file(&self.spool, tool.shim);
        let contents = std::mem::take(&mut tool.importcfg);
        let run = with_end(tool.run(pid, start));
        let end = run.end;
        self.say(Observation::ToolRun(Box::new(run)));
        if !contents.is_empty() {
            self.say(Observation::ImportCfg {
                pid,
                time: start,
                contents,
            });
        }
        if let Ok(contents) = plain_file::read(&profile, LARGEST_PROFILE) {
            drop(fs::remove_file(&profile));
            self.say(Observation::ToolProfile {
                pid,
                time: end,
                contents,
            });
        }
    }

    fn heard(&mut self, connection: &mut Connection, message: Message) {
        match message {
            Message::Seen { go } => self.meet(go),
            Message::Begin {
                shim,
                go,
                package,
                cwd,
                argv,
                importcfg,
            } => {
                self.meet(go);
                self.say(Observation::ToolBegins { shim, go });
                let words = arguments::split(&argv);
                let name = words
                    .first()
                    .map_or(&b""[..], |name| arguments::base_name(name));
                if name == b"compile" {
                    let package = String::from_utf8_lossy(&package).into_owned();
                    self.progress.began(shim, package);
                }
                let path = words.first().copied().unwrap_or_default();
                let waits_for_copy = self.answer(connection, path);
                connection.tool = Some(Tool {
                    shim,
                    go,
                    package,
                    cwd,
                    argv,
                    importcfg,
                    waits_for_copy,
                });
            }
            Message::Held { pid, start } => {
                let waiting = connection.stream.try_clone().map(Waiting);
                match waiting {
                    Ok(waiting) => self.hand_over(connection, (pid, start), Some(waiting)),
                    Err(_) => connection.open = false,
                }
            }
            Message::Started { pid, start } => {
                if let Some(tool) = &mut connection.tool {
                    tool.waits_for_copy = false;
                }
                self.hand_over(connection, (pid, start), None);
            }
            Message::End {
                pid,
                start,
                end,
                status,
                usage,
                shim_usage,
            } => {
                let Some(tool) = connection.tool.take() else {
                    return;
                };
                self.ended((pid, start), tool, |run| ToolRun {
                    end,
                    wait_status: status,
                    usage,
                    shim_usage,
                    ..run
                });
            }
        }
    }

    /// Hands a tool to whoever wants it; where that cannot be, one that waits goes on.
    fn hand_over(
        &self,
        connection: &Connection,
        (pid, start): (Pid, Monotonic),
        waiting: Option<Waiting>,
    ) {
        let Some(tool) = connection.tool.clone() else {
            return;
        };
        // Root is to watch tools of the build, and not whatever somebody has a number of.
        let is_its_child = Alive::of(pid).is_some_and(|found| found.parent == tool.shim);
        if let Some(wants_held) = self.wanted.held.as_ref().filter(|_| is_its_child) {
            let run = tool.run(pid, start);
            // Where nobody takes it any more, it is dropped, and so let go.
            drop(wants_held.send(Held {
                shim: run.shim,
                package: run.package,
                executed: run.executed,
                waiting,
            }));
        }
    }

    /// Learns of a go command: makes it and those above it, up to the root, known.
    fn meet(&mut self, go: Pid) {
        let own = Pid(std::process::id());
        let mut chain = Vec::new();
        let mut pid = go;
        // An orphan's chain does not lead to the root, but to who adopted it.
        while pid != self.root && pid != own && pid.0 > 1 {
            if self.watched.iter().any(|watched| watched.pid == pid) {
                break;
            }
            let Some(found) = Alive::of(pid) else {
                break;
            };
            let parent = found.parent;
            chain.push((pid, found));
            pid = parent;
        }
        for (pid, found) in chain.into_iter().rev() {
            let Ok(end) = ExitWatch::of(pid) else {
                continue;
            };
            let Alive {
                parent,
                start: time,
                usage,
                ..
            } = found;
            self.say(Observation::Forked { time, pid, parent });
            self.say(Observation::Executed(alive::program(pid, time)));
            self.watched.push(Watched {
                pid,
                end,
                usage: usage.unwrap_or_default(),
            });
        }
    }

    /// Sees which of the watched have ended, and what they used until then.
    fn look_after_watched(&mut self) {
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain_mut(|process| {
            if let Some(usage) = Alive::of(process.pid).and_then(|found| found.usage) {
                process.usage = usage;
            }
            let ended = is_readable(process.end.as_fd());
            if ended {
                self.say(Observation::Gone {
                    time: sys::now(),
                    pid: process.pid,
                    usage: process.usage,
                });
            }
            !ended
        });
        self.watched = watched;
    }

    /// A shim was killed before its tool's end, or its tool lives on.
    fn never_ended(&self, tool: &Tool) {
        self.progress.ended(tool.shim);
        let words = arguments::split(&tool.argv);
        let name = words
            .first()
            .map_or(&b""[..], |name| arguments::base_name(name));
        self.say(Observation::Unseen {
            time: sys::now(),
            what: format!(
                "the end of {} of {}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(&tool.package)
            ),
            why: "its shim was gone before it, or it outlived the command".to_owned(),
        });
    }

    fn report_unfinished(&self) {
        for tool in self.connections.iter().filter_map(|c| c.tool.as_ref()) {
            self.never_ended(tool);
        }
    }

    fn say(&self, observation: Observation) {
        // Without a recorder the command goes on, and there is nobody to tell.
        drop(self.out.send(observation));
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) == Ok(1)
}

impl Connection {
    fn read(&mut self) {
        let mut piece = [0; 65_536];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    self.open = false;
                    return;
                }
                Ok(count) => self.inbox.add(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.open = false;
                    return;
                }
            }
        }
    }
}

impl Tool {
    fn run(self, pid: Pid, start: Monotonic) -> ToolRun {
        let words = arguments::split(&self.argv);
        let exe = words.first().copied().unwrap_or_default().to_vec();
        let path = Path::new(OsStr::from_bytes(&exe));
        let arch = alive::arch(path);
        let translator = translator::of_executable(path).into_bytes();
        ToolRun {
            shim: self.shim,
            go: self.go,
            package: self.package,
            executed: Executed {
                time: start,
                pid,
                exe,
                cwd: self.cwd,
                argv: self.argv,
                arch,
                translator,
                ..Executed::default()
            },
            ..ToolRun::default()
        }
    }
}
