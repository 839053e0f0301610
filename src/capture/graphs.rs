//! The `actiongraph` backend: each go command writes its action graph, and each is kept.
//!
//! One GOFLAGS serves every go command of a build, so all write to the same path. As soon as one
//! has made the file, it is renamed: what the writer holds open follows the new name, and the
//! next go command makes a file of its own. A file that the user asked for by
//! `-debug-actiongraph` is read where it is, and left alone.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::PipeReader;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::backend::{self, Running};
use super::plain_file;
use super::spool::Spool;
use super::sys::{self, FileEvent};
use super::system::watch::FolderWatch;
use super::{Backend, Error, Observation};
use crate::trace::Pid;

/// The name that go commands write to.
const SHARED: &str = "graph.json";

/// Files kept on disk: one that a second go command opened before it was renamed is written to
/// for as long as that one runs.
const KEPT: u64 = 32;

/// The largest graph that is read: a thousand times that of a large build.
const LARGEST: u64 = 1 << 30;

/// The backend.
#[derive(Debug)]
pub(super) struct ActionGraphs {
    file: GraphFile,
    running: Option<Running>,
}

/// Where go commands write their graphs to.
#[derive(Clone, Debug)]
struct GraphFile {
    folder: PathBuf,
    name: OsString,
    /// It was asked for by the user, who wants to find it there.
    users: bool,
}

impl ActionGraphs {
    /// Asks every go command for its graph.
    pub(super) fn asked_for(spool: &Spool) -> Self {
        Self::of(GraphFile {
            folder: spool.graphs(),
            name: SHARED.into(),
            users: false,
        })
    }

    /// Reads what the user asked for: a path without a file's name cannot be written to.
    pub(super) fn of_user(path: &Path) -> Option<Self> {
        let file = GraphFile {
            folder: path.parent()?.to_owned(),
            name: path.file_name()?.to_owned(),
            users: true,
        };
        Some(Self::of(file))
    }

    const fn of(file: GraphFile) -> Self {
        Self {
            file,
            running: None,
        }
    }

    fn read_as_written(&mut self, out: Sender<Observation>) -> Result<(), Error> {
        let target = self.file.folder.display().to_string();
        let watch = FolderWatch::new(&self.file.folder);
        let watch = watch.map_err(|source| Error::Os {
            call: "watch",
            target: target.clone(),
            source,
        })?;
        let mut reader = Reader {
            file: self.file.clone(),
            renamed: 0,
            out,
        };
        let run = move |stopped| reader.run(watch, &stopped);
        self.running = Some(backend::spawn("gotrace-graphs", &target, run)?);
        Ok(())
    }
}

impl Backend for ActionGraphs {
    fn name(&self) -> &'static str {
        "actiongraph"
    }

    fn go_flags(&self) -> Vec<OsString> {
        if self.file.users {
            return Vec::new();
        }
        let mut flag = OsString::from("-debug-actiongraph=");
        flag.push(self.file.folder.join(&self.file.name));
        vec![flag]
    }

    fn start(&mut self, _root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        // No build fails for want of a graph. Where the user's file cannot be made, the go command
        // is the one to say so.
        if let Err(error) = self.read_as_written(out.clone()) {
            let unseen = Observation::Unseen {
                time: sys::now(),
                what: "action graphs of go commands".to_owned(),
                why: super::chain(&error),
            };
            drop(out.send(unseen));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        backend::join(self.running.take(), "the thread that reads action graphs")
    }
}

struct Reader {
    file: GraphFile,
    /// Files that were renamed so far; the last one has this number.
    renamed: u64,
    out: Sender<Observation>,
}

impl Reader {
    fn run(&mut self, mut watch: FolderWatch, stopped: &PipeReader) {
        loop {
            let mut fds = [
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
                PollFd::new(watch.as_fd(), PollFlags::POLLIN),
            ];
            let waited = poll(&mut fds, PollTimeout::NONE);
            let failed = waited.is_err_and(|error| error != nix::errno::Errno::EINTR);
            let stop = failed || fds[0].any() == Some(true);
            let events = match stop {
                true => watch.last_events(),
                false => watch.events(),
            };
            for event in events {
                self.handle(&event);
            }
            if stop {
                return;
            }
        }
    }

    fn handle(&mut self, event: &FileEvent) {
        let GraphFile {
            folder,
            name: wanted,
            users,
        } = &self.file;
        match event {
            FileEvent::Written(name) if *users && name == wanted => self.read(&folder.join(name)),
            FileEvent::Created(_) | FileEvent::Written(_) if *users => {}
            FileEvent::Created(name) if name == wanted => self.rename(),
            FileEvent::Created(_) => {}
            // The event names the file as it was called when it was closed: before the rename
            // that its creation led to, or after.
            FileEvent::Written(name) if name == wanted => self.read(&self.numbered(self.renamed)),
            FileEvent::Written(name) => self.read(&folder.join(name)),
            FileEvent::Overflow => self.say(Observation::Unseen {
                time: sys::now(),
                what: "action graphs of go commands".to_owned(),
                why: "too many files were written at once (inotify queue full)".to_owned(),
            }),
        }
    }

    fn rename(&mut self) {
        let next = self.renamed + 1;
        let written = self.file.folder.join(&self.file.name);
        if fs::rename(written, self.numbered(next)).is_ok() {
            self.renamed = next;
            if let Some(old) = next.checked_sub(KEPT) {
                // It may be gone already, and is in nobody's way if it is not.
                drop(fs::remove_file(self.numbered(old)));
            }
        }
    }

    fn numbered(&self, number: u64) -> PathBuf {
        let name = format!("{number}.json");
        self.file.folder.join(OsStr::new(&name))
    }

    fn read(&self, path: &Path) {
        match plain_file::read(path, LARGEST) {
            Ok(contents) if contents.is_empty() => {}
            Ok(contents) => self.say(Observation::ActionGraph {
                time: sys::now(),
                pid: None,
                contents,
            }),
            Err(error) => self.say(Observation::Unseen {
                time: sys::now(),
                what: "an action graph of a go command".to_owned(),
                why: format!("it was written and could not be read: {error}"),
            }),
        }
    }

    fn say(&self, observation: Observation) {
        // Without a recorder there is nobody to tell.
        drop(self.out.send(observation));
    }
}
