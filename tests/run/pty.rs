//! A terminal of a test's own: a command is started on it, and what it shows is read.

use nix::pty::openpty;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

/// Runs a command as the leader of a session whose terminal is a new one.
/// `leader` is a setsid(1) with the environment of the command.
pub(crate) fn start(mut leader: Command, run: &Command) -> (Child, File) {
    let terminal = openpty(None, None).unwrap();
    leader.args(["--ctty"]).arg(run.get_program());
    leader.args(run.get_args()).env("TERM", "xterm");
    let end = |fd: &OwnedFd| fd.try_clone().unwrap();
    leader
        .stdin(end(&terminal.slave))
        .stdout(end(&terminal.slave));
    leader.stderr(terminal.slave);
    (leader.spawn().unwrap(), File::from(terminal.master))
}

/// Reads until the text has come.
pub(crate) fn until(terminal: &mut File, text: &str) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 4_096];
    while !String::from_utf8_lossy(&seen).contains(text) {
        match terminal.read(&mut piece) {
            Ok(count) if count > 0 => seen.extend_from_slice(&piece[..count]),
            // The terminal's other end is closed.
            _ => panic!("{text:?} never came: {}", String::from_utf8_lossy(&seen)),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// Reads to the end.
pub(crate) fn rest(terminal: &mut File) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 4_096];
    while let Ok(count) = terminal.read(&mut piece) {
        if count == 0 {
            break;
        }
        seen.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}
