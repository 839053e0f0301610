//! Where a new trace goes: the path that was asked for, or a new file in the folder of traces.

use super::output::{self, NotWritten};
use super::trace_operand::{self, EXTENSION};
use crate::capture::Environment;
use crate::environment::invoker::Invoker;
use crate::trace::ClockAnchor;
use crate::trace::file::{self, Writer};
use anyhow::anyhow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Why there is no trace file.
#[derive(Debug)]
pub(super) enum Failure {
    /// The path that was asked for holds something that must not be replaced.
    Refused(anyhow::Error),
    /// No file can be made anywhere.
    NoPlace(anyhow::Error),
}

/// What is recorded, and for whom.
#[derive(Debug)]
pub(super) struct Of<'a> {
    /// The command line.
    pub(super) command: &'a [OsString],
    /// Where the user's folders are.
    pub(super) environment: &'a Environment,
    /// Who called sudo.
    pub(super) invoker: Option<&'a Invoker>,
    /// The time that its name is to tell, in nanoseconds since 1970-01-01 UTC.
    pub(super) unix_ns: u64,
}

/// Makes the trace file: where it was asked for, else in the folder of traces, and where that
/// cannot be written, in the folder of temporary files.
pub(super) fn create(
    asked: Option<&Path>,
    of: &Of<'_>,
    anchor: ClockAnchor,
) -> Result<Writer, Failure> {
    let name = file_name(of.command, of.unix_ns);
    let environment = of.environment;
    let first = match asked {
        Some(path) => Writer::create(path, anchor).map_err(anyhow::Error::new),
        None => in_folder(environment, of.invoker, &name, anchor),
    };
    let error = match first {
        Ok(writer) => return Ok(belongs(writer, of.invoker)),
        Err(error) => error,
    };
    if asked.is_some()
        && !matches!(
            error.downcast_ref::<file::Error>(),
            Some(file::Error::Io { .. })
        )
    {
        return Err(Failure::Refused(error));
    }
    let temporary = environment.temporary_folder();
    match new_file(&temporary, &name, anchor) {
        Ok(writer) => {
            let instead = writer.path().display();
            output::note(&format!("{error:#}; recording into {instead} instead"));
            Ok(belongs(writer, of.invoker))
        }
        Err(_) => Err(Failure::NoPlace(error)),
    }
}

/// Makes the trace file where it was asked for, and nowhere else: for what can be done again.
///
/// # Errors
///
/// When it cannot be made there.
pub(super) fn at(
    path: &Path,
    invoker: Option<&Invoker>,
    anchor: ClockAnchor,
) -> Result<Writer, file::Error> {
    Ok(belongs(Writer::create(path, anchor)?, invoker))
}

/// Makes a folder for the traces of a series of runs: where it was asked for, else a new one in
/// the folder of traces. Refuses one that holds anything, for runs of another series do not belong
/// to this one.
pub(super) fn create_folder(asked: Option<&Path>, of: &Of<'_>) -> anyhow::Result<PathBuf> {
    if let Some(path) = asked {
        make_folder(path, of.invoker)?;
        let cannot = |error| NotWritten::failed(path, "cannot create", error);
        let mut entries = fs::read_dir(path).map_err(cannot)?;
        if let Some(entry) = entries.next() {
            let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
            let name = name.display();
            let why = format!("holds {name}: expected an empty folder, or none");
            return Err(NotWritten::because(path, why).into());
        }
        return Ok(path.to_owned());
    }
    let above = state_folder(of.environment)?;
    make_folder(&above, of.invoker)?;
    let name = file_name(of.command, of.unix_ns);
    let mut path = PathBuf::new();
    for number in 1..1_000 {
        let mut name = name.clone();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        path = above.join(name);
        if fs::symlink_metadata(&path).is_err() {
            make_folder(&path, of.invoker)?;
            return Ok(path);
        }
    }
    Err(anyhow!("{}: exists already", path.display()))
}

/// Makes the trace file of one run of a series, in a folder that is there or can be made.
pub(super) fn create_in_series(
    path: &Path,
    invoker: Option<&Invoker>,
    anchor: ClockAnchor,
) -> anyhow::Result<Writer> {
    if let Some(folder) = path.parent() {
        make_folder(folder, invoker)?;
    }
    Ok(at(path, invoker, anchor)?)
}

/// The trace is that of the user who called sudo.
fn belongs(writer: Writer, invoker: Option<&Invoker>) -> Writer {
    if let Some(invoker) = invoker {
        // What cannot be given away can still be read by root.
        drop(std::os::unix::fs::lchown(
            writer.path(),
            Some(invoker.uid),
            Some(invoker.gid),
        ));
    }
    writer
}

fn in_folder(
    environment: &Environment,
    invoker: Option<&Invoker>,
    name: &OsStr,
    anchor: ClockAnchor,
) -> anyhow::Result<Writer> {
    let folder = state_folder(environment)?;
    make_folder(&folder, invoker)?;
    new_file(&folder, name, anchor)
}

/// The folder of traces.
fn state_folder(environment: &Environment) -> anyhow::Result<PathBuf> {
    let variable = |name| environment.get(name).map(OsStr::to_owned);
    let folder = trace_operand::folder_of(
        std::env::consts::OS,
        variable("XDG_STATE_HOME"),
        variable("HOME"),
    );
    folder.ok_or_else(|| anyhow!("neither HOME nor XDG_STATE_HOME is set"))
}

/// Makes a folder and those above it that are missing, for the user who called sudo. The error names
/// the folder that was asked for.
fn make_folder(folder: &Path, invoker: Option<&Invoker>) -> Result<(), NotWritten> {
    make_folders(folder, invoker)
        .map_err(|error| NotWritten::failed(folder, "cannot create", error))
}

fn make_folders(folder: &Path, invoker: Option<&Invoker>) -> io::Result<()> {
    // Above a relative path of one name is the working directory, as an empty path.
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folders(above, invoker)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        outcome => outcome?,
    }
    match invoker {
        Some(invoker) => std::os::unix::fs::lchown(folder, Some(invoker.uid), Some(invoker.gid)),
        None => Ok(()),
    }
}

/// A file that was not there before, for no trace takes another one's place unasked.
fn new_file(folder: &Path, name: &OsStr, anchor: ClockAnchor) -> anyhow::Result<Writer> {
    let mut path = PathBuf::new();
    for number in 1..1_000 {
        let mut name = name.to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        name.push(".");
        name.push(EXTENSION);
        path = folder.join(name);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(Writer::create(&path, anchor)?);
        }
    }
    Err(anyhow!("{}: exists already", path.display()))
}

/// `2026-11-23T17-40-00Z-go-build`: when, and what.
fn file_name(command: &[OsString], unix_ns: u64) -> OsString {
    let mut name = timestamp(unix_ns / 1_000_000_000).into_bytes();
    let words = command.iter().take(2).enumerate();
    for (at, word) in words {
        let base = Path::new(word).file_name().unwrap_or_default();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+');
        // A first argument is a part of the name only where it is a subcommand.
        if at == 1 && !word.as_bytes().iter().all(u8::is_ascii_lowercase) {
            break;
        }
        let bytes = base.as_bytes().iter().take(40).copied();
        let bytes: Vec<u8> = bytes.filter(plain).collect();
        // The program that `experiment --build` builds is {}.
        if !bytes.is_empty() {
            name.push(b'-');
            name.extend(bytes);
        }
    }
    OsString::from_vec(name)
}

/// Seconds since 1970 as a UTC time that may stand in a file's name.
///
/// The date is counted in eras of 400 years, which all have 146,097 days, from 0000-03-01 on, so
/// that the day that a leap year adds is the last of its year.
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}-{minute:02}-{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_date_prints() {
        // From `date -u -d @SECONDS +%FT%H-%M-%SZ`.
        for (seconds, text) in [
            (0, "1970-01-01T00-00-00Z"),
            (951_782_399, "2000-02-28T23-59-59Z"),
            (951_868_799, "2000-02-29T23-59-59Z"),
            (1_735_689_599, "2024-12-31T23-59-59Z"),
            (4_107_542_400, "2100-03-01T00-00-00Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn names_are_of_the_command_and_its_subcommand() {
        let name = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            file_name(&words, 0).into_string().unwrap()
        };
        assert_eq!(
            name(&["/usr/bin/go", "build", "./..."]),
            "1970-01-01T00-00-00Z-go-build"
        );
        assert_eq!(name(&["ma ke", "-j2"]), "1970-01-01T00-00-00Z-make");
        assert_eq!(name(&["sh", "a/b"]), "1970-01-01T00-00-00Z-sh");
        assert_eq!(name(&["{}", "-n"]), "1970-01-01T00-00-00Z");
    }
}
