//! The `toolexec` backend: every tool that go commands run, seen by a shim in front of it.
//!
//! ```text
//! go ──► shim ──► tool
//!          └──socket──► listener thread ──Observation──► the recorder
//!                           └──Held──► a backend that wants tools before they run
//! ```

mod listener;
mod ordinary;
pub mod shim;
mod wire;

use std::ffi::OsString;
use std::io::{self, PipeWriter, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Sender;
use nix::sys::socket::{Backlog, listen};

use super::progress::Progress;
use super::spool::Spool;
use super::stand_in::StandIns;
use super::{Backend, Error, Executed, Observation, backend, sys};
use crate::environment::go_flags;
use crate::trace::Pid;
use listener::Listener;

const NAME: &str = "toolexec";

/// The shims' socket, in the spool.
const SOCKET: &str = "shims";

/// A tool that is there and has not run its first instruction.
#[derive(Debug)]
pub(in crate::capture) struct Held {
    /// Its shim.
    pub(in crate::capture) shim: Pid,
    /// The package that the go command runs it for, or empty.
    pub(in crate::capture) package: Vec<u8>,
    /// What runs.
    pub(in crate::capture) executed: Executed,
    /// Whose end is what the tool waits for; none where it runs already.
    pub(in crate::capture) waiting: Option<Waiting>,
}

/// What others want of tools.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// To be told of each: before it runs, or once it is there.
    pub(super) held: Option<Sender<Held>>,
    /// That each waits before it runs until it is let go.
    pub(super) holds: bool,
    /// That others run in their place.
    pub(super) stand_ins: Option<Arc<dyn StandIns>>,
}

/// A shim that waits for an answer, and has it when this value is dropped.
#[derive(Debug)]
pub(in crate::capture) struct Waiting(UnixStream);

impl Drop for Waiting {
    fn drop(&mut self) {
        // One byte finds room; a shim that is gone waits no more.
        drop(self.0.write_all(&[wire::LET_GO]));
    }
}

/// The backend.
#[derive(Debug)]
pub(super) struct Toolexec {
    spool: PathBuf,
    /// What the go command calls.
    executable: PathBuf,
    /// Nothing is asked of it but to have others run in the place of tools.
    is_ordinary: bool,
    users: Vec<u32>,
    flag: OsString,
    progress: Arc<Progress>,
    /// Who wants tools before they run.
    wants_held: Option<Sender<Held>>,
    /// What runs in their place.
    stand_ins: Option<Arc<dyn StandIns>>,
    running: Option<(PipeWriter, JoinHandle<()>)>,
}

impl Toolexec {
    /// Prepares the backend. `user` is the value of the user's own `-toolexec`, which runs
    /// between shim and tool as it would run between the go command and the tool.
    pub(super) fn new(
        spool: &Spool,
        user: Option<&[u8]>,
        profile: bool,
        progress: Arc<Progress>,
        wanted: Wanted,
    ) -> Result<Self, go_flags::Error> {
        let user = user.unwrap_or_default();
        let count = go_flags::split(user)?.len();
        let options = shim::Options {
            profile,
            hold: wanted.holds,
            stand_ins: wanted.stand_ins.is_some(),
            tells: wanted.held.is_some() && !wanted.holds && wanted.stand_ins.is_none(),
        };
        let ours = shim::words(&spool.executable(), spool.path(), count, options);
        let is_ordinary = count == 0 && options.is_ordinary();
        // No word of ours needs quotes, so the user's words keep theirs as they are.
        let mut value = b"-toolexec=".to_vec();
        for word in ours {
            value.extend_from_slice(word.as_bytes());
            value.push(b' ');
        }
        value.extend_from_slice(user);
        Ok(Self {
            spool: spool.path().to_owned(),
            executable: spool.executable(),
            is_ordinary,
            users: spool.users(),
            flag: OsString::from_vec(value.trim_ascii_end().to_vec()),
            progress,
            wants_held: wanted.held,
            stand_ins: wanted.stand_ins,
            running: None,
        })
    }
}

impl Backend for Toolexec {
    fn name(&self) -> &'static str {
        NAME
    }

    fn go_flags(&self) -> Vec<OsString> {
        vec![self.flag.clone()]
    }

    fn start(&mut self, root: Pid, out: Sender<Observation>) -> Result<(), Error> {
        let path = self.spool.join(SOCKET);
        let failed = |call| {
            let target = path.display().to_string();
            move |source: io::Error| Error::Os {
                call,
                target,
                source,
            }
        };
        shim::install(&self.executable, self.is_ordinary).map_err(|source| Error::Os {
            call: "symlink",
            target: self.executable.display().to_string(),
            source,
        })?;
        // Tools may run as other users than gotrace.
        let socket = sys::bind_for_everybody(&path).map_err(failed("bind"))?;
        // Many tools may end in the same moment.
        listen(&socket, Backlog::MAXCONN).map_err(|e| failed("listen")(e.into()))?;
        let (stopped, stop) = io::pipe().map_err(failed("pipe"))?;
        let progress = Arc::clone(&self.progress);
        let place = (self.spool.clone(), self.users.clone());
        let wanted = Wanted {
            held: self.wants_held.take(),
            stand_ins: self.stand_ins.take(),
            ..Wanted::default()
        };
        let listener = Listener::new(socket, stopped, place, root, out, progress, wanted)
            .map_err(failed("ioctl"))?;
        let thread = std::thread::Builder::new()
            .name("gotrace-shims".to_owned())
            .spawn(move || listener.run())
            .map_err(failed("clone"))?;
        self.running = Some((stop, thread));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        backend::join(self.running.take(), "the thread that listens to shims")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_users_own_toolexec_is_chained_with_its_quotes() {
        let spool = Spool::create(Path::new("/tmp"), None).expect("made");
        let user = Some(&b"\"/a b/wrap\" -x"[..]);
        let backend = Toolexec::new(&spool, user, true, Arc::default(), Wanted::default())
            .expect("quoted well");
        let flag = backend.go_flags().remove(0).into_vec();
        let joined = go_flags::join(&[flag]).expect("joinable");
        let fields = go_flags::split(&joined).expect("quoted well");
        let value = go_flags::value(&fields, "toolexec").expect("there");
        let words = go_flags::split(value).expect("quoted well");
        let tail: Vec<_> = words.iter().skip(3).map(Vec::as_slice).collect();
        assert_eq!(tail, [&b"2p"[..], b"/a b/wrap", b"-x"]);
        assert_eq!(words[1], shim::MARK.as_bytes());
    }

    #[test]
    fn shims_tell_of_tools_before_they_run_or_once_they_are_there() {
        let spool = Spool::create(Path::new("/tmp"), None).expect("made");
        let (sender, _held) = crossbeam_channel::bounded(1);
        for (held, holds, letters) in [(false, false, "0"), (true, true, "0h"), (true, false, "0t")]
        {
            let wanted = Wanted {
                held: held.then(|| sender.clone()),
                holds,
                stand_ins: None,
            };
            let backend = Toolexec::new(&spool, None, false, Arc::default(), wanted);
            let flag = backend.expect("no quotes").go_flags().remove(0).into_vec();
            let last = flag.rsplit(|byte| *byte == b' ').next();
            assert_eq!(last, Some(letters.as_bytes()));
        }
    }
}
