//! Where a command writes: what is in the way there is named, ends with one exit code, and is left as
//! it was. And a trace is read from a file, not from a stream.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A trace with samples, actions and calls.
const TRACE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/samples/traces/emulated/native.gotrace"
);

/// Commands that write a file, `OUT`; `TRACE` is one to read, `FOLDED` are folded stacks.
const FILES: [&str; 17] = [
    "export --format perfetto -o OUT TRACE",
    "export --format chrome -o OUT TRACE",
    "export --format firefox -o OUT TRACE",
    "export --format pprof -o OUT TRACE",
    "export --format speedscope -o OUT TRACE",
    "export --format folded -o OUT TRACE",
    "export --format jsonl -o OUT TRACE",
    "export --format csv --table samples -o OUT TRACE",
    "dump -o OUT TRACE",
    "flamegraph -o OUT TRACE",
    "timeline -o OUT TRACE",
    "report -o OUT TRACE",
    "compare --slopes OUT TRACE TRACE",
    "compare --distributions OUT TRACE TRACE",
    "explain --log FOLDED -o OUT",
    "gen completions bash -o OUT",
    "selftest -o OUT --only tools",
];

/// Commands that write a trace.
const TRACES: [&str; 2] = ["import -o OUT FOLDED", "recover TRACE -o OUT"];

/// Commands that write a folder.
const FOLDERS: [&str; 4] = [
    "gen man OUT",
    "export --format csv -o OUT TRACE",
    "repeat -n 1 --warm-up 0 -o OUT -- true",
    #[cfg(feature = "parquet")]
    "export --format parquet -o OUT TRACE",
    #[cfg(not(feature = "parquet"))]
    "gen man OUT",
];

/// A folder of one test.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("folded"), "main;work 12\n").unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The words of a command, with paths in them.
    fn words(&self, line: &str, out: &Path) -> Vec<String> {
        let words = line.split(' ').map(|word| match word {
            "OUT" => out.display().to_string(),
            "TRACE" => TRACE.to_owned(),
            "FOLDED" => self.path("folded").display().to_string(),
            word => word.to_owned(),
        });
        words.collect()
    }

    fn run(&self, line: &str, out: &Path) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
        command.args(self.words(line, out)).stdin(Stdio::null());
        command.env("HOME", self.path("home")).output().unwrap()
    }

    /// As [`Self::run`], where no file may have a byte: that is how a full disk looks, and takes no
    /// rights. A process that does not want to be told by signal is told by the call.
    fn run_on_full_disk(&self, line: &str, out: &Path) -> Output {
        let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_gotrace")]);
        shell.args(self.words(line, out)).stdin(Stdio::null());
        shell.env("HOME", self.path("home")).output().unwrap()
    }

    /// Names in the folder, but those that were there from the start.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .filter(|name| name != "folded" && name != "home")
            .collect();
        names.sort();
        names
    }
}

fn assert_refused(line: &str, output: &Output, out: &Path, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    let named = said.lines().any(|line| {
        let rest = line.strip_prefix(&format!("gotrace: {}", out.display()));
        rest.is_some_and(|rest| rest.contains(why))
    });
    assert!(named, "{line}: expected {why:?}: {said}");
    assert_eq!(output.status.code(), Some(4), "{line}: {said}");
}

#[test]
fn what_is_in_the_way_of_a_file_is_named_and_kept() {
    let place = Place::new();
    for line in FILES.into_iter().chain(TRACES) {
        let missing = place.path("no/such");
        let why = ": cannot create: No such file or directory";
        assert_refused(line, &place.run(line, &missing), &missing, why);

        let folder = place.path("folder");
        fs::create_dir(&folder).unwrap();
        let why = match line.starts_with("recover") {
            true => ": will not be replaced: it is there already and is no gotrace trace",
            false => ": cannot create: Is a directory",
        };
        assert_refused(line, &place.run(line, &folder), &folder, why);
        fs::remove_dir(&folder).unwrap();
        assert_eq!(place.left(), [""; 0], "{line}");
    }
    for line in FILES {
        let trace = place.path("x.gotrace");
        fs::copy(TRACE, &trace).unwrap();
        let why = ": will not be replaced: it is a gotrace trace";
        assert_refused(line, &place.run(line, &trace), &trace, why);
        assert_eq!(fs::read(&trace).unwrap(), fs::read(TRACE).unwrap());
    }
    for line in TRACES {
        let other = place.path("other");
        fs::write(&other, "dear to somebody").unwrap();
        let why = ": will not be replaced: it is there already and is no gotrace trace";
        assert_refused(line, &place.run(line, &other), &other, why);
        assert_eq!(fs::read(&other).unwrap(), b"dear to somebody");
    }
}

#[test]
fn what_is_in_the_way_of_a_folder_is_named_and_kept() {
    let place = Place::new();
    for line in FOLDERS {
        let file = place.path("file");
        fs::write(&file, "dear to somebody").unwrap();
        let why = ": cannot create: ";
        assert_refused(line, &place.run(line, &file), &file, why);
        let below = file.join("below");
        assert_refused(line, &place.run(line, &below), &below, why);
        assert_eq!(fs::read(&file).unwrap(), b"dear to somebody");
    }
}

#[test]
fn a_full_disk_leaves_what_was_there_and_no_piece_of_what_was_not() {
    let place = Place::new();
    // To try each way of recording takes files of its own.
    let lines = FILES.into_iter().chain(TRACES);
    for line in lines.filter(|line| !line.starts_with("selftest")) {
        let out = place.path("out");
        assert_refused(line, &place.run_on_full_disk(line, &out), &out, ": ");
        assert!(
            !place.left().iter().any(|name| name.contains("partial")),
            "{line}"
        );
        if FILES.contains(&line) {
            assert_eq!(place.left(), [""; 0], "{line}");
            fs::write(&out, "before").unwrap();
            assert_refused(line, &place.run_on_full_disk(line, &out), &out, ": ");
            assert_eq!(fs::read(&out).unwrap(), b"before", "{line}");
        }
        drop(fs::remove_file(&out));
    }
    for line in FOLDERS
        .into_iter()
        .filter(|line| !line.starts_with("repeat"))
    {
        let out = place.path("folder");
        assert_refused(
            line,
            &place.run_on_full_disk(line, &out),
            &out,
            ": cannot write",
        );
        assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "{line}");
        fs::remove_dir(&out).unwrap();
    }
}

#[test]
fn an_error_that_nobody_can_be_told_ends_with_its_code_all_the_same() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let status = command.args(["show", "/no/such"]).stderr(full).status();
    assert_eq!(status.unwrap().code(), Some(3));
}

#[test]
fn a_trace_is_no_stream_and_what_helps_is_said() {
    let place = Place::new();
    let pipe = place.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for line in [
        "show OUT",
        "report OUT",
        "export --format jsonl OUT",
        "compare OUT TRACE",
        "flamegraph OUT",
    ] {
        let output = place.run(line, Path::new("-"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.starts_with("gotrace: -: a trace is read from its end"),
            "{line}: {said}"
        );
        assert!(
            said.contains("\nhint: write it to a file first"),
            "{line}: {said}"
        );
        assert_eq!(output.status.code(), Some(2), "{line}");

        let output = place.run(line, &pipe);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("pipe: cannot open: not a plain file"),
            "{line}: {said}"
        );
        assert!(
            said.contains("\nhint: a trace is read from its end"),
            "{line}: {said}"
        );
        assert_eq!(output.status.code(), Some(3), "{line}");
    }
    // What is read from its beginning can come from a stream.
    let mut import = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    import
        .args(["import", "-", "-o"])
        .arg(place.path("x.gotrace"));
    let mut import = import
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    import
        .stdin
        .take()
        .unwrap()
        .write_all(b"main;work 12\n")
        .unwrap();
    assert!(import.wait().unwrap().success());
}
