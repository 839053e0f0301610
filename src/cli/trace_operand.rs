//! The TRACE operand: the path that was given, or else the newest trace that gotrace recorded.

use super::exit::Usage;
use super::status::Work;
use super::{exit, output};
use crate::render::units;
use crate::symbolize;
use crate::trace::Trace;
use crate::trace::file::{self, Integrity};
use anyhow::{Context as _, bail};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Extension of trace files.
pub(super) const EXTENSION: &str = "gotrace";

/// The TRACE operand of commands that read a trace.
#[derive(Debug, clap::Args)]
pub(super) struct TraceOperand {
    /// Trace file; without it the newest recorded trace, which is then named on stderr
    #[arg(value_name = "TRACE")]
    trace: Option<PathBuf>,
    /// Say nothing but errors and what is missing: no status line
    #[arg(short, long)]
    pub(super) quiet: bool,
}

impl TraceOperand {
    /// Opens the trace, as [`open`] does.
    ///
    /// # Errors
    ///
    /// As [`Self::path`], and when it cannot be read as a trace.
    pub(super) fn open(&self) -> anyhow::Result<Trace> {
        open(&self.path()?, &Work::begin(self.quiet, ""))
    }

    /// The path of the trace. A path that was not given is named on standard error.
    ///
    /// # Errors
    ///
    /// When none was given and none can be found.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(given) = &self.trace {
            return Ok(given.clone());
        }
        let folder = folder().context("no TRACE given, and neither HOME nor XDG_STATE_HOME set")?;
        let Some(path) = newest(&folder)? else {
            bail!(
                "{}: no trace there, and none given; `gotrace run -- go build ./...` records one",
                folder.display()
            );
        };
        if !self.quiet {
            output::note(&format!("reading {}", path.display()));
        }
        Ok(path)
    }
}

/// Opens a trace, as a part of some work. What is wrong with it is said on standard error; names that
/// its recorder did not come to store are looked up on this machine.
///
/// # Errors
///
/// When it cannot be read as a trace.
pub(super) fn open(path: &Path, work: &Work) -> anyhow::Result<Trace> {
    let name = path.file_name().unwrap_or(path.as_os_str()).display();
    work.goes_on(&format!("reading {name}"));
    if path == Path::new("-") {
        let why = "-: a trace is read from its end, which standard input does not have";
        let error = Usage(format!("{why}: expected a file"));
        return Err(exit::hinted(
            error,
            "write it to a file first: cat > x.gotrace",
        ));
    }
    if path.is_dir() {
        bail!(
            "{}: a folder, expected a trace; gotrace compare, and flamegraph and report with --base, take folders",
            path.display()
        );
    }
    let mut trace = Trace::open(path).map_err(|error| match error {
        file::Error::NotATrace { .. } => exit::hinted(
            error,
            "gotrace import makes a trace of a perf.data, or of folded stacks",
        ),
        file::Error::Io { .. } if is_pipe(path) => exit::hinted(
            error,
            "a trace is read from its end, which a pipe does not have: write it to a file first",
        ),
        error => error.into(),
    })?;
    if trace.ending.is_none() {
        work.goes_on(&format!("naming functions of {name}"));
        symbolize::fill(&mut trace);
    }
    if let Some(damage) = damage(&trace.integrity) {
        output::note(&format!("{}: {damage}", path.display()));
    }
    Ok(trace)
}

fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// What is wrong with a trace file, in words; `None` for nothing.
pub(super) fn damage(found: &Integrity) -> Option<String> {
    let mut words = Vec::new();
    if found.unsealed {
        let why = "its end is missing: about a second where its recorder was killed, more where \
                   the file was cut";
        words.push(why.to_owned());
    }
    if found.damaged_header {
        words.push("its header is damaged: wall-clock times are not known".into());
    }
    let counts = [
        (found.damaged_blocks, "damaged block", "damaged blocks"),
        (found.missing_rows, "missing record", "missing records"),
        (found.lost_samples, "lost sample", "lost samples"),
        (found.lost_calls, "lost call", "lost calls"),
        (found.lost_bindings, "lost binding", "lost bindings"),
        (
            found.undefined,
            "record that names nothing",
            "records that name nothing",
        ),
        (
            found.unknown_blocks,
            "block of a later gotrace",
            "blocks of a later gotrace",
        ),
        (
            found.unknown_records,
            "record of a later gotrace",
            "records of a later gotrace",
        ),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    words.extend(counts.map(|(count, one, many)| units::counted(count, one, many)));
    (!words.is_empty()).then(|| words.join(", "))
}

/// The folder where traces go when no `-o` says otherwise; `None` without a home.
pub(super) fn folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name);
    folder_of(
        std::env::consts::OS,
        variable("XDG_STATE_HOME"),
        variable("HOME"),
    )
}

/// As the XDG base directory specification has it, a relative `XDG_STATE_HOME` does not count.
pub(super) fn folder_of(
    os: &str,
    state: Option<OsString>,
    home: Option<OsString>,
) -> Option<PathBuf> {
    users_folder(os, state, home, ".local/state")
}

/// The folder that gotrace has of the user's: in that which a variable names, else in the one which
/// stands for it below home; on macOS all of an application is in one.
pub(super) fn users_folder(
    os: &str,
    named: Option<OsString>,
    home: Option<OsString>,
    below_home: &str,
) -> Option<PathBuf> {
    let absolute =
        |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    if os == "macos" {
        return Some(absolute(home)?.join("Library/Application Support/gotrace"));
    }
    let folder = absolute(named).or_else(|| Some(absolute(home)?.join(below_home)))?;
    Some(folder.join("gotrace"))
}

/// The trace in `folder` that was written last; of several at one time, the last by name.
fn newest(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let cannot = || format!("{}: cannot read", folder.display());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cannot),
    };
    let mut last = None;
    for entry in entries {
        let path = entry.with_context(cannot)?.path();
        if path.extension() != Some(OsStr::new(EXTENSION)) {
            continue;
        }
        // A file that went away since it was listed is not the newest.
        let Ok(found) = fs::metadata(&path) else {
            continue;
        };
        if found.is_file() {
            last = last.max(Some((found.modified().with_context(cannot)?, path)));
        }
    }
    Ok(last.map(|(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_newest_trace_is_found_by_its_time() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(&folder.path().join("none")).unwrap(), None);
        assert_eq!(newest(folder.path()).unwrap(), None);
        let now = SystemTime::now();
        for (name, age) in [
            ("b.gotrace", 10),
            ("a.gotrace", 5),
            ("c.svg", 1),
            ("aa.gotrace", 5),
        ] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        fs::create_dir(folder.path().join("d.gotrace")).unwrap();
        let found = newest(folder.path()).unwrap().unwrap();
        assert_eq!(found, folder.path().join("aa.gotrace"));
    }

    #[test]
    fn the_folder_follows_the_system() {
        let of = |os, state: &str, home: &str| {
            let path = |path: &str| (!path.is_empty()).then(|| path.into());
            folder_of(os, path(state), path(home)).map(|path| path.display().to_string())
        };
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(of("linux", "/s", "/h"), some("/s/gotrace"));
        assert_eq!(
            of("linux", "relative", "/h"),
            some("/h/.local/state/gotrace")
        );
        assert_eq!(of("linux", "", ""), None);
        assert_eq!(
            of("macos", "/s", "/h"),
            some("/h/Library/Application Support/gotrace")
        );
    }
}
