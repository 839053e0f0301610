//! A gotrace that is run for a test: in folders of its own, with backends that work here.

use gotrace::capture::Name;
use gotrace::trace::{Process, Trace};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Folders for one test, gone with this value.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Makes them.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "state", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        // Go commands with a new home start one more of themselves for their telemetry.
        let telemetry = folder.path().join("home/.config/go/telemetry");
        std::fs::create_dir_all(&telemetry).unwrap();
        std::fs::write(telemetry.join("mode"), "off").unwrap();
        Self { folder }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program that runs in the folder `work` with an environment of its own.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("work"))
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CACHE_HOME", caches())
            .env("GOCACHE", self.path("cache"))
            .env("GOENV", self.path("goenv"))
            .env("GOTOOLCHAIN", "local");
        for name in ["GOFLAGS", "SUDO_UID", "XDG_CONFIG_HOME", "MAKEFLAGS"] {
            command.env_remove(name);
        }
        command
    }

    /// `gotrace run FLAGS -o trace -- COMMAND`, in the folder `work`.
    pub(crate) fn run(&self, flags: &[&str], command: &[impl AsRef<OsStr>]) -> Command {
        let mut run = self.command(env!("CARGO_BIN_EXE_gotrace"));
        run.arg("run").args(flags).arg("-o").arg(self.path("trace"));
        run.arg("--").args(command);
        run
    }

    /// The trace that [`Self::run`] wrote.
    pub(crate) fn trace(&self) -> Trace {
        let trace = Trace::open(&self.path("trace")).unwrap();
        assert!(!trace.integrity.unsealed, "not sealed");
        trace
    }
}

/// Where copies of programs are kept, for later tests and test runs: to plan those of a toolchain takes seconds where
/// gotrace is not optimised.
fn caches() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("caches")
}

/// A build cache that later tests and test runs find filled with the standard library. Modules in
/// temporary folders are compiled in any case: their path is a part of the key.
pub(crate) fn warm_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("gocache")
}

/// Flags for each way of watching builds that works here; says which do not.
pub(crate) fn ways_to_see_builds() -> Vec<[&'static str; 2]> {
    flags_of(&[Name::Bpf, Name::Toolexec, Name::Patch])
}

/// Flags for those of these backends that work here; says which do not.
pub(crate) fn flags_of(names: &[Name]) -> Vec<[&'static str; 2]> {
    let works = |name: &&Name| match name.availability() {
        Ok(()) => true,
        Err(refusal) => {
            println!("skipped {name}: {refusal}; {}", refusal.remedy);
            false
        }
    };
    let names = names.iter().filter(works);
    names.map(|name| ["--backend", name.word()]).collect()
}

/// The go command to test with: `GOTRACE_GO`, else that on `PATH`; says when there is none.
pub(crate) fn go() -> Option<PathBuf> {
    let named = std::env::var_os("GOTRACE_GO").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("go"));
    let go = named.or_else(|| found.into_iter().find(|go| go.is_file()));
    if go.is_none() {
        println!("skipped: no go on PATH, and no GOTRACE_GO");
    }
    go
}

/// `PATH` with the folder of this go command in front.
pub(crate) fn path_with(go: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = go.parent().map(Path::to_owned).into_iter();
    std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap()
}

/// The arguments of a program.
pub(crate) fn argv(trace: &Trace, process: &Process) -> Vec<Vec<u8>> {
    let words = process.exec.argv.iter();
    words
        .map(|word| trace.strings.get(*word).to_vec())
        .collect()
}

/// The first program with this name, by its arguments.
pub(crate) fn program<'t>(trace: &'t Trace, name: &str) -> &'t Process {
    let named = |process: &&Process| {
        let words = argv(trace, process);
        let first = words.first().map_or(&b""[..], Vec::as_slice);
        first.rsplit(|&byte| byte == b'/').next() == Some(name.as_bytes())
    };
    trace
        .processes
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("no {name} in the trace"))
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How a program ended, to compare: exit code and signal.
pub(crate) fn end(output: &Output) -> (Option<i32>, Option<i32>) {
    (output.status.code(), output.status.signal())
}

/// Copies a sample's folder.
pub(crate) fn sample(name: &str, to: &Path) {
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("samples")
            .join(name),
        to,
    );
}

/// Writes a module whose packages need each other as those of the sample `diamond` do. Of the standard library its program
/// needs the runtime and little else, so that a cold build of it is a quick one.
pub(crate) fn small_diamond(to: &Path) {
    for (name, text) in [
        ("go.mod", "module example.com/diamond\n\ngo 1.21\n"),
        ("units/units.go", "package units\n\ntype Metres int\n"),
        (
            "terrain/terrain.go",
            "package terrain\n\nimport (\n\t\"unicode/utf8\"\n\n\t\"example.com/diamond/units\"\n)\n\n\
             func Height(place string) units.Metres { return units.Metres(utf8.RuneCountInString(place)) }\n",
        ),
        (
            "weather/weather.go",
            "package weather\n\nimport \"example.com/diamond/units\"\n\n\
             func Cold(height units.Metres) bool { return height > 1000 }\n",
        ),
        (
            "cmd/forecast/main.go",
            "package main\n\nimport (\n\t\"example.com/diamond/terrain\"\n\t\"example.com/diamond/weather\"\n)\n\n\
             func main() { println(weather.Cold(terrain.Height(\"summit\"))) }\n",
        ),
    ] {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
