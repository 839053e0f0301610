//! A series of runs that is made for a test, and the traces that it leaves.

use crate::traced::Place;
use gotrace::trace::Trace;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

impl Place {
    /// `gotrace repeat FLAGS -o series -- COMMAND`, with a folder for temporary files of its own.
    pub(crate) fn repeat(&self, flags: &[&str], command: &[impl AsRef<OsStr>]) -> Command {
        let mut repeat = self.command(env!("CARGO_BIN_EXE_gotrace"));
        std::fs::create_dir_all(self.path("tmp")).unwrap();
        repeat.env("TMPDIR", self.path("tmp"));
        repeat.args(["repeat", "-o"]).arg(self.path("series"));
        repeat.args(flags).arg("--").args(command);
        repeat
    }

    /// Every file of the series, by its path in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(&self.path("series"), &mut files);
        let folder = self.path("series");
        let relative = |path: &PathBuf| path.strip_prefix(&folder).unwrap().display().to_string();
        let mut names: Vec<String> = files.iter().map(relative).collect();
        names.sort();
        names
    }

    /// What was left in the folder for temporary files.
    pub(crate) fn temporary(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// A sealed trace of the series.
    pub(crate) fn run_of(&self, name: &str) -> Trace {
        let trace = Trace::open(&self.path("series").join(name)).unwrap();
        assert!(!trace.integrity.unsealed, "{name}: not sealed");
        trace
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

/// The settings of a trace.
pub(crate) fn settings(trace: &Trace) -> BTreeMap<String, String> {
    let settings = trace.settings.iter();
    settings
        .map(|one| {
            let (key, value) = (trace.text(one.key), trace.text(one.value));
            (key.into_owned(), value.into_owned())
        })
        .collect()
}

/// A script that counts its runs in the file `count`, and does more from the third on.
pub(crate) fn counting(more: &str) -> [String; 3] {
    let script = format!("echo >>count; n=$(wc -l <count); echo run $n; [ $n -lt 3 ] || {more}");
    ["sh".to_owned(), "-c".to_owned(), script]
}
