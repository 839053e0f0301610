//! `gotrace view` on a terminal: what a user sees there, and that the terminal is given back as it was.

use crate::build::record;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{self, Signal};
use nix::sys::termios::{self, LocalFlags, Termios};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

/// What leaves the alternate screen, and what shows the cursor again (ECMA-48 and xterm's private modes).
const LEAVES: &str = "\x1b[?1049l";
const SHOWS_CURSOR: &str = "\x1b[?25h";

/// A terminal with `gotrace view` on it, and a model of what it shows.
struct OnTerminal {
    child: Child,
    master: File,
    slave: OwnedFd,
    before: Termios,
    screen: vt100::Parser,
    written: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl OnTerminal {
    fn start(columns: u16, lines: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trace = record(folder.path(), true);
        let size = Winsize {
            ws_row: lines,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = openpty(Some(&size), None).unwrap();
        let end = || terminal.slave.try_clone().unwrap();
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_gotrace"), "view"])
            .arg(&trace)
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("NO_COLOR")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let before = termios::tcgetattr(&terminal.slave).unwrap();
        Self {
            child,
            master: File::from(terminal.master),
            slave: terminal.slave,
            before,
            screen: vt100::Parser::new(lines.try_into().unwrap(), columns.try_into().unwrap(), 0),
            written: Vec::new(),
            _folder: folder,
        }
    }

    /// Reads until the screen shows these words, and returns all of it.
    fn until(&mut self, words: &str) -> String {
        let mut piece = [0; 4_096];
        loop {
            let screen = self.screen.screen().contents();
            if screen.contains(words) {
                return screen;
            }
            let count = self.master.read(&mut piece).unwrap_or(0);
            assert!(count > 0, "{words:?} never came: {screen}");
            self.written.extend_from_slice(&piece[..count]);
            self.screen.process(&piece[..count]);
        }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    fn mode(&self) -> Termios {
        termios::tcgetattr(&self.slave).unwrap()
    }

    /// Waits for the end, and checks that the terminal is as it was.
    fn end(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        assert_eq!(self.mode(), self.before);
        drop(self.slave);
        let mut piece = [0; 4_096];
        while let Ok(count @ 1..) = self.master.read(&mut piece) {
            self.written.extend_from_slice(&piece[..count]);
            self.screen.process(&piece[..count]);
        }
        let written = String::from_utf8_lossy(&self.written);
        assert!(written.contains(LEAVES) && written.contains(SHOWS_CURSOR));
        assert!(!self.screen.screen().alternate_screen());
        assert!(!self.screen.screen().hide_cursor());
        status
    }
}

#[test]
fn a_user_opens_moves_searches_and_quits() {
    let mut terminal = OnTerminal::start(80, 24);
    let screen = terminal.until("lost: 7 samples");
    assert!(
        screen.contains("2 packages") && screen.contains("m/b"),
        "{screen}"
    );
    assert!(terminal.screen.screen().alternate_screen());
    assert!(!terminal.mode().local_flags.contains(LocalFlags::ICANON));
    terminal.press("\r");
    terminal.until("processes of m/b: 1 row");
    terminal.press("s");
    terminal.until("stacks of pid 102");
    terminal.press("/memmove\r");
    let screen = terminal.until("runtime.memmove");
    assert!(screen.contains("100.0 ms"), "{screen}");
    // The cursor is where the search led: what lies around that function is asked for.
    terminal.press("\r");
    let screen = terminal.until("callers and callees of runtime.memmove");
    assert!(
        screen.contains("cmd/compile/internal/ssa.Compile"),
        "{screen}"
    );
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn a_signal_gives_the_terminal_back_and_ends_it() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut terminal = OnTerminal::start(80, 24);
        terminal.until("packages: 4 rows");
        let pid = i32::try_from(terminal.child.id()).unwrap();
        signal::kill(Pid::from_raw(pid), signal).unwrap();
        assert_eq!(terminal.end().signal(), Some(signal as i32));
    }
}

#[test]
fn ctrl_c_ends_it_as_an_interrupt_does() {
    let mut terminal = OnTerminal::start(40, 10);
    terminal.until("packages: 4 rows");
    terminal.press("\x03");
    assert_eq!(terminal.end().signal(), Some(Signal::SIGINT as i32));
}

#[test]
fn a_stop_that_no_shell_would_end_gives_the_terminal_back_and_takes_it_again() {
    let mut terminal = OnTerminal::start(80, 24);
    terminal.until("packages: 4 rows");
    // The leader of a session is in no shell's job: the kernel does not stop it.
    terminal.press("\x1a?");
    terminal.until("another view");
    let written = String::from_utf8_lossy(&terminal.written).into_owned();
    assert_eq!(written.matches(LEAVES).count(), 1);
    assert!(terminal.screen.screen().alternate_screen());
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
}

#[test]
fn what_is_no_terminal_is_refused_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("view")
        .arg(record(folder.path(), true))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("gotrace show prints tables"), "{said}");
}
