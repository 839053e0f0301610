//! The shim: the go command's `-toolexec`. Runs one tool and tells the recorder.
//!
//! It is an executable of its own, `gotrace-shim`, for one runs before every tool: the system takes a millisecond more to
//! begin gotrace itself. Where there is none beside gotrace that is of the same build, gotrace does what it does.
//!
//! ```text
//! gotrace-shim __shim SPOOL OPTIONS [user's toolexec ARGUMENT...] TOOL ARGUMENT...
//! ```
//!
//! OPTIONS is the number of words of the user's own toolexec, then `p` for CPU profiles, `h` where the
//! recorder wants tools before they run, `s` where it may have others to run in their place, and `t` where it wants to be
//! told of each once it is there. The shim writes nothing to the tool's standard output and error, ends as the tool ends, and does
//! without a recorder that is gone.

use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::socket::{UnixAddr, connect, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::ordinary;
use super::wire::Message;
use crate::capture::StandIn;
use crate::capture::decode::arguments;
use crate::capture::dyldlog;
use crate::capture::launch::{self, Environment};
use crate::capture::standstill;
use crate::capture::sys::{self, Change};
use crate::capture::system::{handed, process};
use crate::trace::Pid;

/// The first argument of a shim.
pub const MARK: &str = "__shim";
/// The first argument of one that is to say which build it is of, [`BUILD`] in hexadecimal digits.
pub const WHICH: &str = "__build";

/// A hash (FNV-1a, 64 bits) of what says how shims and recorders understand each other.
pub const BUILD: u64 = {
    let parts: [&[u8]; 4] = [
        include_bytes!("shim.rs"),
        include_bytes!("wire.rs"),
        include_bytes!("../linux/handed.rs"),
        include_bytes!("../macos/handed.rs"),
    ];
    let (mut hash, mut part) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            hash = (hash ^ parts[part][at] as u64).wrapping_mul(0x100_0000_01b3);
            at += 1;
        }
        part += 1;
    }
    hash
};

/// A tool that could not be run. To be said on standard error, where the go command would say
/// so itself if it ran the tool.
#[derive(Debug, thiserror::Error)]
#[error("{}", program.display())]
pub struct NotRun {
    /// What was to be run.
    pub program: PathBuf,
    /// The exit code that tells it, 126 or 127.
    pub code: u8,
    /// Why it did not run.
    #[source]
    pub error: io::Error,
}

/// Runs the tool that the arguments after [`MARK`] name, and ends as it does: the result is its
/// exit code.
///
/// # Errors
///
/// The tool could not be run.
pub fn run(words: Vec<OsString>) -> Result<u8, NotRun> {
    let Some(order) = Order::read(words) else {
        return Ok(2);
    };
    let mut recorder = Recorder::reach(&order.spool);
    if order.asks_version() {
        recorder.tell(&Message::Seen { go: parent() });
        drop(recorder);
        return Err(order.refused(order.replace()));
    }
    recorder.tell(&order.begin());
    match order.run(&mut recorder) {
        Ok(ran) => {
            recorder.tell(&ran.message);
            drop(recorder);
            match ran.status & 0x7f {
                0 => Ok(((ran.status >> 8) & 0xff).to_le_bytes()[0]),
                signal => sys::die_of(signal),
            }
        }
        Err(error) => Err(order.refused(error)),
    }
}

/// What the arguments ask for.
struct Order {
    spool: PathBuf,
    options: Options,
    /// The user's own toolexec, then the tool and its arguments.
    chain: Vec<OsString>,
    tool_at: usize,
}

/// How tools are to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// With CPU profiles of their own.
    pub(super) profile: bool,
    /// Only when the recorder lets them go.
    pub(super) hold: bool,
    /// What the recorder has for them in their place.
    pub(super) stand_ins: bool,
    /// The recorder is told of each once it is there, whatever runs.
    pub(super) tells: bool,
}

impl Options {
    /// Whether no more is asked for than that others may run in the place of tools.
    pub(super) const fn is_ordinary(self) -> bool {
        self.stand_ins && !self.profile && !self.hold && !self.tells
    }
}

struct Ran {
    status: i32,
    message: Message,
}

impl Order {
    fn read(words: Vec<OsString>) -> Option<Self> {
        let mut words = words.into_iter();
        let spool = PathBuf::from(words.next()?);
        let options = words.next()?.into_string().ok()?;
        let letters = options.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let tool_at = options.strip_suffix(letters)?.parse().ok()?;
        let options = Options {
            profile: letters.contains('p'),
            hold: letters.contains('h'),
            stand_ins: letters.contains('s'),
            tells: letters.contains('t'),
        };
        let chain: Vec<OsString> = words.collect();
        (chain.len() > tool_at).then_some(Self {
            spool,
            options,
            chain,
            tool_at,
        })
    }

    fn tool(&self) -> impl Iterator<Item = &OsStr> {
        self.chain
            .iter()
            .skip(self.tool_at)
            .map(OsString::as_os_str)
    }

    /// The go command makes the answer a part of its cache keys: it must be the tool's own, to
    /// the last byte.
    fn asks_version(&self) -> bool {
        self.tool().skip(1).eq([OsStr::new("-V=full")])
    }

    fn begin(&self) -> Message {
        let argv: Vec<&[u8]> = self.tool().map(OsStr::as_bytes).collect();
        let importcfg =
            arguments::import_cfg(&argv).and_then(|file| fs::read(OsStr::from_bytes(file)).ok());
        let cwd = std::env::current_dir().unwrap_or_default();
        let package = std::env::var_os("TOOLEXEC_IMPORTPATH").unwrap_or_default();
        Message::Begin {
            shim: Pid(std::process::id()),
            go: parent(),
            package: package.into_vec(),
            cwd: cwd.into_os_string().into_vec(),
            argv: argv
                .iter()
                .flat_map(|word| [word, &b"\0"[..]])
                .flatten()
                .copied()
                .collect(),
            importcfg: importcfg.unwrap_or_default(),
        }
    }

    /// The command line, with a profile where one is asked for and the tool can make one.
    fn command(&self) -> Vec<OsString> {
        let mut command = self.chain.clone();
        let tool = self.tool().next().unwrap_or_default().as_bytes();
        if self.options.profile && matches!(arguments::base_name(tool), b"compile" | b"link") {
            let file = profile_file(&self.spool, Pid(std::process::id()));
            let mut flag = OsString::from("-cpuprofile=");
            flag.push(file);
            command.insert(self.tool_at + 1, flag);
        }
        command
    }

    fn run(&self, recorder: &mut Recorder) -> io::Result<Ran> {
        let mut environment = Environment::inherited();
        let log = dyldlog::log_of_tool(&self.spool, Pid(std::process::id()));
        for (name, value) in log.iter().flat_map(|log| dyldlog::variables(log)) {
            if let Some(name) = name.to_str() {
                environment.set(name, &value);
            }
        }
        let mut program = launch::program(&self.command(), &environment, None)?;
        // What kills the shim would have killed the tool.
        program.dies_with_parent = true;
        program.starts_stopped = self.options.hold;
        // What the user has run tools by finds the tool that it expects.
        if self.options.stand_ins && self.tool_at == 0 {
            launch::put_in_place(&mut program, recorder.stand_in());
        }
        let mask = sys::block_signals(&[]);
        sys::settle_dispositions();
        let start = sys::now();
        let held = sys::fork_held(&program, &mask)?;
        let pid = held.pid;
        sys::leave_signals_to(pid);
        if program.stands_in.is_some() || self.options.tells {
            recorder.tell(&Message::Started { pid, start });
        }
        let mut hold = || {
            if self.options.hold {
                recorder.tell(&Message::Held { pid, start });
                recorder.wait();
            }
        };
        if !process::STARTS_STOPPED {
            hold();
        }
        if let Err(error) = held.release() {
            sys::wait(pid, true)?;
            return Err(error);
        }
        if process::STARTS_STOPPED && self.options.hold {
            standstill::reached(pid);
            hold();
            standstill::leave(pid);
        }
        loop {
            if let Some(Change::Ended(status, usage)) = sys::wait(pid, true)? {
                let message = Message::End {
                    pid,
                    start,
                    end: sys::now(),
                    status,
                    usage,
                    shim_usage: sys::own_usage(),
                };
                return Ok(Ran { status, message });
            }
        }
    }

    fn replace(&self) -> io::Error {
        match launch::program(&self.chain, &Environment::inherited(), None) {
            Ok(program) => sys::replace(&program, &sys::block_signals(&[])),
            Err(error) => error,
        }
    }

    fn refused(&self, error: io::Error) -> NotRun {
        NotRun {
            program: self.chain.first().map(PathBuf::from).unwrap_or_default(),
            code: launch::exit_code(&error),
            error,
        }
    }
}

/// Has a name lead to the executable that is to run tools. Where all that is asked of it is to have others run in their
/// place, that is one which does no more, and leaves the rest to the other one.
///
/// # Errors
///
/// It is not known which executable this is, or the name cannot be made.
pub(in crate::capture) fn install(name: &Path, is_ordinary: bool) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let small = own.with_file_name("gotrace-shim");
    let full = if is_beside(&own, &small) { small } else { own };
    if is_ordinary && ordinary::install(name, &full).is_ok() {
        return Ok(());
    }
    symlink(full, name)
}

/// Whether an executable is one that whoever owns gotrace's has put beside it, and of the same build.
fn is_beside(own: &Path, small: &Path) -> bool {
    let (Ok(own), Ok(file)) = (fs::metadata(own), fs::symlink_metadata(small)) else {
        return false;
    };
    // In a folder like `/tmp` everybody can put files beside those of others. Whoever can write gotrace's own executable
    // is trusted: under a umask of 002 that is its group.
    let shared = match file.gid() == own.gid() {
        true => 0o022,
        false => 0o002,
    };
    let is_trusted = file.mode() & 0o022 & !(own.mode() & shared) == 0;
    let is_owned = file.is_file() && file.uid() == own.uid() && is_trusted;
    let says = || {
        let mut command = Command::new(small);
        command.arg(WHICH).stdin(Stdio::null());
        command.output().ok().map(|output| output.stdout)
    };
    is_owned && says() == Some(format!("{BUILD:016x}\n").into_bytes())
}

/// Where the profile of a shim's tool is.
pub(super) fn profile_file(spool: &Path, shim: Pid) -> PathBuf {
    spool.join(format!("profile-{shim}"))
}

fn parent() -> Pid {
    Pid(std::os::unix::process::parent_id())
}

/// How long a tool waits for the recorder: somewhat longer than the recorder for what it waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// The way to the recorder, if there is still one.
struct Recorder(Option<UnixStream>);

impl Recorder {
    fn reach(spool: &Path) -> Self {
        Self(reach(&spool.join(super::SOCKET)).ok())
    }

    /// Waits until the recorder answers, is gone, or there is no more patience.
    fn wait(&mut self) {
        if let Some(stream) = &mut self.0 {
            let set = stream.set_read_timeout(Some(PATIENCE));
            // Whatever comes, or does not: the tool goes on.
            drop(set.and_then(|()| stream.read(&mut [0])));
        }
    }

    /// What the recorder has to run in the place of the tool of which it was told last.
    fn stand_in(&mut self) -> Option<StandIn> {
        let stream = self.0.as_ref()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        handed::receive(stream)
    }

    /// Says something, or falls silent for good where nobody listens.
    fn tell(&mut self, message: &Message) {
        let told = self
            .0
            .as_mut()
            .map(|stream| stream.write_all(&message.encode()));
        if let Some(Err(_)) = told {
            self.0 = None;
        }
    }
}

/// Connects, with patience for a moment only: a recorder that is stopped must not hold a build.
fn reach(path: &Path) -> nix::Result<UnixStream> {
    let stream = sys::stream_socket()?;
    setsockopt(&stream, sockopt::SendTimeout, &TimeVal::seconds(1))?;
    connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(UnixStream::from(stream))
}

/// The words that make the go command run `executable` as its shim, before the user's own.
pub(super) fn words(
    executable: &Path,
    spool: &Path,
    user: usize,
    options: Options,
) -> Vec<CString> {
    let letters = [
        (options.profile, "p"),
        (options.hold, "h"),
        (options.stand_ins, "s"),
        (options.tells, "t"),
    ];
    let letters = letters.map(|(on, letter)| if on { letter } else { "" });
    [
        executable.as_os_str().as_bytes(),
        MARK.as_bytes(),
        spool.as_os_str().as_bytes(),
        format!("{user}{}", letters.concat()).as_bytes(),
    ]
    .into_iter()
    .filter_map(|word| CString::new(word).ok())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn order(words: &[&str]) -> Option<Order> {
        Order::read(words.iter().map(OsString::from).collect())
    }

    #[test]
    fn the_users_toolexec_stands_before_the_tool() {
        let order = order(&["/s", "2ph", "wrap", "-x", "/t/compile", "-V=full"]).expect("whole");
        assert!(order.tool().eq(["/t/compile", "-V=full"].map(OsStr::new)));
        assert!(order.asks_version() && order.options.profile && order.options.hold);
        let command = order.command();
        assert_eq!(
            command[..3],
            ["wrap", "-x", "/t/compile"].map(OsString::from)
        );
        assert!(
            command[3]
                .to_string_lossy()
                .starts_with("-cpuprofile=/s/profile-")
        );
    }

    #[test]
    fn only_a_lone_version_flag_asks_for_the_version() {
        let asks = |words: &[&str]| order(words).expect("whole").asks_version();
        assert!(!asks(&["/s", "0", "/t/compile", "-V=full", "x"]));
        assert!(!asks(&["/s", "0", "/t/compile"]));
    }

    #[test]
    fn only_an_owners_shim_of_this_build_is_taken() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, says: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(
                &path,
                format!("#!/bin/sh\n[ $1 = __build ] && echo {says}\n"),
            )
            .expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            path
        };
        let (own, right) = (write("gotrace", "", 0o755), format!("{BUILD:016x}"));
        assert!(is_beside(&own, &write("right", &right, 0o755)));
        assert!(!is_beside(&own, &write("other", "0123456789abcdef", 0o755)));
        assert!(!is_beside(&own, &write("anybodys", &right, 0o777)));
        let groups = write("groups", &right, 0o775);
        assert!(!is_beside(&own, &groups));
        let own_groups = write("gotrace-of-group", "", 0o775);
        assert!(is_beside(&own_groups, &groups));
        assert!(!is_beside(&own_groups, &write("anybodys", &right, 0o777)));
        assert!(!is_beside(&own, &write("none", &right, 0o644)));
        assert!(!is_beside(&own, &folder.path().join("missing")));
        if nix::unistd::geteuid().is_root() {
            let foreign = write("foreign", &right, 0o755);
            std::os::unix::fs::chown(&foreign, Some(12_345), None).expect("given away");
            assert!(!is_beside(&own, &foreign));
            std::os::unix::fs::chown(&groups, None, Some(12_345)).expect("given away");
            assert!(!is_beside(&own_groups, &groups));
        }
    }

    #[test]
    fn an_order_without_a_tool_is_none() {
        assert!(order(&["/s", "1", "wrap"]).is_none());
        assert!(order(&["/s", "x", "tool"]).is_none());
        assert!(order(&["/s", "", "tool"]).is_none());
        assert!(order(&[]).is_none());
    }
}
