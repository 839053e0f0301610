//! Long work on a terminal: what is said while it lasts, that it is gone afterwards, and who is not told.
//!
//! Work lasts as long as a test wants: it waits for a pipe that the test reads, or writes, when it has
//! seen enough.

use crate::pty::{rest, start, until};
use gotrace::export::tables::{self, Table};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const TRACE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/samples/traces/emulated/native.gotrace"
);

/// What takes the line away: nothing is drawn, and the cursor goes back.
const CLEARED: &str = "\x1b[2m\x1b[0m\x1b8";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        Self(folder)
    }

    fn pipe(&self) -> PathBuf {
        self.0.path().join("pipe")
    }

    fn gotrace(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
        command.args(words).env("HOME", self.0.path());
        command
    }

    /// Runs a command on a terminal that is read from what is returned.
    fn on_terminal(&self, command: &Command) -> (Child, File) {
        let mut leader = Command::new("setsid");
        leader.env("HOME", self.0.path());
        start(leader, command)
    }

    /// Writes the records of a trace into the pipe.
    fn export(&self, flags: &[&str]) -> Command {
        let mut command = self.gotrace(&["export", "--format", "jsonl", TRACE]);
        command.args(flags).arg("-o").arg(self.pipe());
        command
    }
}

/// How many threads a process has.
fn threads(child: &Child) -> usize {
    let tasks = Path::new("/proc").join(child.id().to_string()).join("task");
    fs::read_dir(tasks).unwrap().count()
}

/// The whole of what comes through a pipe.
fn all(pipe: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_being_written_is_told_and_what_is_written_is_whole() {
    let place = Place::new();
    let expected = place
        .gotrace(&["export", "--format", "jsonl", TRACE])
        .output()
        .unwrap();
    // More than a pipe holds, and the buffer before it.
    assert!(expected.stdout.len() > 256 << 10);
    let (mut child, mut terminal) = place.on_terminal(&place.export(&[]));
    let mut pipe = File::open(place.pipe()).unwrap();
    let seen = until(&mut terminal, "KiB");
    assert!(seen.contains("writing pipe, "), "{seen:?}");
    assert_eq!(all(&mut pipe), expected.stdout);
    let seen = rest(&mut terminal);
    assert!(child.wait().unwrap().success(), "{seen}");
    assert!(seen.contains(CLEARED), "{seen:?}");
    let after = &seen[seen.rfind('\x1b').unwrap()..];
    assert!(!after.contains("writing"), "{seen:?}");
}

#[test]
fn of_several_files_it_is_told_which_one_is_written() {
    let place = Place::new();
    let folder = place.0.path().join("tables");
    fs::create_dir(&folder).unwrap();
    // More than a pipe holds, and the buffer before it.
    let pipe = folder.join("frames.csv");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut export = place.gotrace(&["export", "--format", "csv", TRACE, "-o"]);
    let (mut child, mut terminal) = place.on_terminal(export.arg(&folder));
    let mut pipe = File::open(pipe).unwrap();
    let tables = tables::ALL.map(Table::name);
    let number = 1 + tables.iter().position(|name| *name == "frames").unwrap();
    let words = format!("writing frames.csv, {number} of {}, ", tables.len());
    until(&mut terminal, &words);
    assert!(all(&mut pipe).len() > 128 << 10);
    let seen = rest(&mut terminal);
    assert!(child.wait().unwrap().success(), "{seen}");
}

#[test]
fn nobody_draws_for_the_quiet_and_where_there_is_no_terminal() {
    let place = Place::new();
    // The one thread more is that which draws.
    for (flags, count) in [(&[][..], 2), (&["--quiet"][..], 1)] {
        let (mut child, mut terminal) = place.on_terminal(&place.export(flags));
        let mut pipe = File::open(place.pipe()).unwrap();
        pipe.read_exact(&mut [0]).unwrap();
        assert_eq!(threads(&child), count, "{flags:?}");
        all(&mut pipe);
        let seen = rest(&mut terminal);
        assert!(child.wait().unwrap().success(), "{seen}");
        assert!(count == 2 || !seen.contains('\x1b'), "{seen:?}");
    }
    let mut export = place.export(&[]);
    let export = export.stdin(Stdio::null()).stdout(Stdio::null());
    let child = export.stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = File::open(place.pipe()).unwrap();
    pipe.read_exact(&mut [0]).unwrap();
    assert_eq!(threads(&child), 1);
    all(&mut pipe);
    let output = child.wait_with_output().unwrap();
    assert!(!output.stderr.contains(&0x1b), "{output:?}");
}

#[test]
fn standard_output_that_is_a_terminal_is_drawn_on_by_nobody() {
    let place = Place::new();
    let words = ["export", "--format", "csv", "--table", "images", TRACE];
    let piped = place.gotrace(&words).output().unwrap().stdout;
    let (mut child, mut terminal) = place.on_terminal(&place.gotrace(&words));
    let seen = rest(&mut terminal);
    assert!(child.wait().unwrap().success(), "{seen}");
    let piped = String::from_utf8(piped).unwrap().replace('\n', "\r\n");
    assert!(seen.contains(&piped), "{seen:?}");
}

#[test]
fn what_is_imported_is_told_until_it_has_come() {
    let place = Place::new();
    let mut import = place.gotrace(&["import"]);
    import
        .arg(place.pipe())
        .arg("-o")
        .arg(place.0.path().join("x.gotrace"));
    let (mut child, mut terminal) = place.on_terminal(&import);
    let seen = until(&mut terminal, "importing ");
    assert!(!seen.contains("imported"), "{seen:?}");
    fs::write(place.pipe(), "main;work 12\n").unwrap();
    let seen = rest(&mut terminal);
    assert!(child.wait().unwrap().success(), "{seen}");
    let cleared = seen.rfind(CLEARED).unwrap();
    assert!(cleared < seen.find("imported 1 stack").unwrap(), "{seen:?}");
}
