//! The shim that has no more to do than to have others run in the place of tools: its bytes in, an executable in the spool
//! out. It is `probes/shim`, and needs no library, whose start and end would be most of what it costs.

use crate::capture::system::handed;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What it leaves the rest to, beside it: `probes/shim` has this name, too.
const FULL: &str = "full";

/// Writes it to `name`, and has it find the one that knows the rest.
///
/// # Errors
///
/// There is none for this system, or it cannot be run there; then the name is free.
pub(super) fn install(name: &Path, full: &Path) -> io::Result<()> {
    put(handed::SHIM.ok_or(io::ErrorKind::Unsupported)?, name)?;
    symlink(full, name.with_file_name(FULL)).inspect_err(|_| drop(fs::remove_file(name)))
}

/// Writes an executable that everybody may run, if it can be run there.
fn put(executable: &[u8], name: &Path) -> io::Result<()> {
    // The folder may be another user's, who could have put a link there, or put it there meanwhile.
    let mut file = File::create_new(name)?;
    let mut fill = || {
        file.write_all(executable)?;
        file.set_permissions(Permissions::from_mode(0o755))?;
        File::open(of_descriptor(&file))
    };
    let written = fill();
    drop(file);
    let outcome = written.and_then(|written| try_out(&of_descriptor(&written)));
    if outcome.is_err() {
        drop(fs::remove_file(name));
    }
    outcome
}

fn of_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Without arguments there is nothing to do for it, which it says by its exit code.
fn try_out(executable: &Path) -> io::Result<()> {
    let mut attempts = 0;
    loop {
        match Command::new(executable).stdin(Stdio::null()).status() {
            Ok(ended) if ended.code() == Some(2) => return Ok(()),
            Ok(_) => return Err(io::Error::other("it does not run")),
            // What another thread forks just now has it open to write, until it executes something.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && attempts < 100 => {
                attempts += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::super::shim::{MARK, Options, words};
    use super::super::wire::{Inbox, Message};
    use super::*;
    use crate::capture::StandIn;
    use crate::capture::stand_in::NUMBERS;
    use crate::trace::Pid;
    use nix::poll::{PollFd, PollFlags, poll};
    use nix::sys::resource::{Resource, getrlimit};
    use std::ffi::CString;
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixListener;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Output;
    use std::sync::Arc;

    /// Writes an executable, by another process: what this one has open to write, children that other tests fork meanwhile
    /// have open, too, and then it cannot be executed.
    fn executable(path: &Path, contents: &[u8]) -> PathBuf {
        let written = path.with_extension("written");
        fs::write(&written, contents).expect("written");
        fs::set_permissions(&written, Permissions::from_mode(0o755)).expect("set");
        let mut copy = Command::new("cp");
        let copied = copy.arg("-p").args([&written, path]).status();
        assert!(copied.expect("runs").success());
        path.to_owned()
    }

    #[test]
    fn it_is_taken_where_the_recorder_asks_for_no_more_than_it_does() {
        for letters in 0..16 {
            let options = Options {
                profile: letters & 1 != 0,
                hold: letters & 2 != 0,
                stand_ins: letters & 4 != 0,
                tells: letters & 8 != 0,
            };
            let words = words(Path::new("/s"), Path::new("/spool"), 0, options);
            let is_known = words.last().map(CString::as_c_str) == Some(c"0s");
            assert_eq!(options.is_ordinary(), is_known, "{options:?}");
        }
    }

    /// That of each processor, with what runs it here, and room for other files.
    struct Shims {
        folder: tempfile::TempDir,
        each: Vec<Vec<PathBuf>>,
    }

    impl Shims {
        fn new() -> Self {
            const ARM64: &[u8] =
                include_bytes!("../../../probes/prebuilt/linux-arm64/gotrace-shim");
            let folder = tempfile::tempdir().expect("folder");
            let own = handed::SHIM.expect("there is one for this processor");
            let mut each = vec![vec![executable(&folder.path().join("own"), own)]];
            let emulator = PathBuf::from("/usr/bin/qemu-aarch64-static");
            if emulator.exists() {
                let arm64 = executable(&folder.path().join("arm64"), ARM64);
                each.push(vec![emulator, arm64]);
            } else {
                println!("skipped: {} is missing", emulator.display());
            }
            Self { folder, each }
        }

        fn at(&self, name: &str) -> String {
            let path = self.folder.path().join(name);
            path.to_str().expect("text").to_owned()
        }
    }

    /// Runs one and hears what it tells of a tool, which is answered with a stand-in. How it ended, and what it said.
    fn run(shim: &[PathBuf], tool: &[&str], stand_in: Option<&StandIn>) -> (Output, Vec<Message>) {
        let spool = tempfile::tempdir().expect("folder");
        let socket = UnixListener::bind(spool.path().join("shims")).expect("bound");
        let mut command = Command::new(&shim[0]);
        command.args(&shim[1..]).arg(MARK).arg(spool.path());
        command.arg("0s").args(tool);
        command
            .env("TOOLEXEC_IMPORTPATH", "a/b")
            .current_dir("/usr");
        let mut running = command.stdout(Stdio::piped()).spawn().expect("runs");
        let mut told = Vec::new();
        let heard = hear(&socket, stand_in, &mut told);
        if heard.is_err() {
            drop(running.kill());
        }
        let output = running.wait_with_output().expect("ends");
        heard.expect("it tells of the tool, and ends");
        (output, told)
    }

    fn hear(
        socket: &UnixListener,
        stand_in: Option<&StandIn>,
        told: &mut Vec<Message>,
    ) -> io::Result<()> {
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, 10_000_u16)? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (mut stream, _) = socket.accept()?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let (mut inbox, mut bytes) = (Inbox::default(), [0; 4096]);
        loop {
            let count = match stream.read(&mut bytes) {
                // With a limit of time the system does not go on by itself after a child's end.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => return Ok(()),
                count => count?,
            };
            inbox.add(&bytes[..count]);
            while let Some(message) = inbox.next() {
                told.push(message.ok_or(io::ErrorKind::InvalidData)?);
                if told.len() == 1 {
                    handed::send(&stream, stand_in)?;
                }
            }
        }
    }

    #[test]
    fn it_tells_of_a_tool_and_ends_as_that_ends() {
        let shims = Shims::new();
        let (compile, importcfg) = (shims.at("compile"), shims.at("importcfg"));
        symlink("/bin/sh", &compile).expect("made");
        let config = "packagefile fmt=/x\n".repeat(2_000);
        fs::write(&importcfg, &config).expect("written");
        let tool = [&*compile, "-c", "pwd; exit 3", "-importcfg", &importcfg];
        for shim in &shims.each {
            let (output, told) = run(shim, &tool, None);
            assert_eq!(output.status.code(), Some(3));
            assert_eq!(output.stdout, b"/usr\n");
            let [begin, end] = &told[..] else {
                panic!("{told:?}");
            };
            let Message::Begin { shim: pid, .. } = begin else {
                panic!("{told:?}");
            };
            let words = tool.map(|word| format!("{word}\0"));
            let expected = Message::Begin {
                shim: *pid,
                go: Pid(std::process::id()),
                package: b"a/b".to_vec(),
                cwd: b"/usr".to_vec(),
                argv: words.concat().into_bytes(),
                importcfg: config.clone().into_bytes(),
            };
            assert_eq!(*begin, expected);
            let Message::End {
                pid: ended,
                start,
                end,
                status,
                usage,
                ..
            } = end
            else {
                panic!("{told:?}");
            };
            assert!(ended.0 > pid.0 && start < end, "{told:?}");
            assert_eq!(*status, 3 << 8);
            // A shell takes some hundred KiB.
            assert!(usage.max_rss_bytes > 100_000, "{told:?}");
        }
    }

    #[test]
    fn another_runs_in_a_tools_place_with_the_descriptor_that_it_looks_for() {
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("known");
        let number = NUMBERS.iter().find(|number| u64::from(**number) < limit);
        let number = number.expect("there is room for more descriptors");
        for shim in &Shims::new().each {
            let stand_in = StandIn {
                program: "/bin/sh".into(),
                descriptor: Arc::new(File::open("/dev/null").expect("open").into()),
                in_place: None,
            };
            let script = format!("readlink /proc/self/fd/{number}; echo $0; kill -USR1 $$");
            let look = ["/bin/false", "-c", &script, "tool"];
            let (output, told) = run(shim, &look, Some(&stand_in));
            assert_eq!(output.stdout, b"/dev/null\ntool\n");
            assert_eq!(output.status.signal(), Some(libc::SIGUSR1));
            let [
                Message::Begin { .. },
                Message::Started { pid, .. },
                Message::End {
                    pid: ended, status, ..
                },
            ] = &told[..]
            else {
                panic!("{told:?}");
            };
            assert_eq!((pid, *status), (ended, libc::SIGUSR1));
            // Where that cannot run, the tool does, and finds nothing.
            let missing = StandIn {
                program: "/none".into(),
                ..stand_in
            };
            let script =
                "for n in 1000 240 60; do test -e /proc/self/fd/$n && exit 4; done; exit 3";
            let (output, told) = run(shim, &["/bin/sh", "-c", script], Some(&missing));
            assert_eq!((output.status.code(), told.len()), (Some(3), 3));
        }
    }

    #[test]
    fn it_leaves_the_rest_to_the_full_one() {
        let folder = tempfile::tempdir().expect("folder");
        let name = folder.path().join("gotrace");
        put(handed::SHIM.expect("there is one"), &name).expect("runs");
        let full = folder.path().join(FULL);
        executable(&full, b"#!/bin/sh\necho \"$@\"\n");
        let socket = UnixListener::bind(folder.path().join("shims"));
        let spool = folder.path().to_str().expect("text");
        let ask = |words: &[&str]| {
            let words = [&[MARK, spool], words].concat();
            let output = Command::new(&name).args(&words).output().expect("runs");
            (output.stdout, format!("{}\n", words.join(" ")).into_bytes())
        };
        for words in [
            &["0hs", "/bin/true"][..],
            &["0ps", "/bin/true"],
            &["0t", "/bin/true"],
            &["1s", "/bin/wrap", "/bin/true"],
            &["0s", "true"],
            &["0s", "/bin/true", "-V=full"],
            &["0s", "/none"],
            &["0s"],
            &["", "/bin/true"],
        ] {
            let (said, expected) = ask(words);
            assert_eq!(said, expected, "{words:?}");
        }
        // A recorder that is gone.
        drop(socket);
        let (said, expected) = ask(&["0s", "/bin/true"]);
        assert_eq!(said, expected);
        // Nor is there another one: the tool itself is what is left.
        fs::remove_file(&full).expect("removed");
        let words = [MARK, spool, "0s", "/bin/sh", "-c", "exit 5"];
        let ended = Command::new(&name).args(words).status().expect("runs");
        assert_eq!(ended.code(), Some(5));
        // A name that is there already is nobody's to write to, wherever it leads.
        let victim = folder.path().join("victim");
        fs::write(&victim, "mine").expect("written");
        symlink(&victim, folder.path().join("link")).expect("made");
        assert!(put(b"", &folder.path().join("link")).is_err());
        assert_eq!(fs::read(&victim).expect("there"), b"mine");
        // Where nothing can be executed there is none.
        assert!(put(b"", &folder.path().join("none")).is_err());
        assert!(!folder.path().join("none").exists());
    }
}
