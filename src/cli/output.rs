//! Where text and files go: standard output or a file, notes on standard error, colour or not.
//!
//! Everything that a command prints passes here. A pipe that its reader closed surfaces as an
//! [`io::ErrorKind::BrokenPipe`] error, which `exit` turns into a quiet end.

use crate::render::text::Page;
use crate::trace::file::MAGIC;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Read as _, StdoutLock, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Size of the buffer before standard output or a file.
const BUFFER_BYTES: usize = 64 * 1024;
/// Columns of what has no width: no line is longer.
const UNBOUNDED: usize = 1 << 20;

/// A buffered destination, to be ended with [`Output::finish`].
///
/// A plain file is written beside its final name and takes that name in the end, so that a
/// command that fails leaves what was there before.
#[derive(Debug)]
pub(super) struct Output {
    destination: Destination,
    /// Bytes that it was given so far.
    written: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Destination {
    Stdout(BufWriter<StdoutLock<'static>>),
    /// Written in place: a device, a pipe, or a file behind a link.
    InPlace(BufWriter<File>, PathBuf),
    Replacing(BufWriter<File>, Replacement),
}

/// A file that is being made beside the one whose place it will take. Dropped early, it goes.
#[derive(Debug)]
struct Replacement {
    partial: PathBuf,
    path: PathBuf,
    done: bool,
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.done {
            drop(fs::remove_file(&self.partial));
        }
    }
}

/// An output that was asked for, and could not be made or written; its exit code is one and the same,
/// whatever was in the way. Where writing failed, it stands within the [`io::Error`] of the same
/// kind, so that whoever is handed a writer names what it could not write to.
#[derive(Debug, thiserror::Error)]
#[error("{to}: {what}")]
pub(super) struct NotWritten {
    to: String,
    what: String,
    source: Option<io::Error>,
}

impl NotWritten {
    /// For what could be there already, and must not be replaced.
    pub(super) fn because(path: &Path, what: impl Into<String>) -> Self {
        Self {
            to: path.display().to_string(),
            what: what.into(),
            source: None,
        }
    }

    /// For what a call to the system refused: `cannot create`.
    pub(super) fn failed(path: &Path, what: &str, source: io::Error) -> Self {
        Self {
            source: Some(source),
            ..Self::because(path, what)
        }
    }
}

/// Makes the folder that several files are to be written into, and those above it.
///
/// # Errors
///
/// When that cannot be done.
pub(super) fn folder(path: &Path) -> Result<(), NotWritten> {
    fs::create_dir_all(path).map_err(|error| NotWritten::failed(path, CANNOT_CREATE, error))
}

const CANNOT_CREATE: &str = "cannot create";

impl Output {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        let stdout = io::stdout().lock();
        let stdout = BufWriter::with_capacity(BUFFER_BYTES, stdout);
        Self::of(Destination::Stdout(stdout))
    }

    fn of(destination: Destination) -> Self {
        Self {
            destination,
            written: Arc::default(),
        }
    }

    /// The operand of `-o`: a file, or standard output for `-` and for none at all.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, or is a trace: recordings are not made again by asking anew.
    pub(super) fn to(path: Option<&Path>) -> anyhow::Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => Ok(Self::file(path)?),
            _ => Ok(Self::stdout()),
        }
    }

    fn file(path: &Path) -> Result<Self, NotWritten> {
        let cannot = |error| NotWritten::failed(path, CANNOT_CREATE, error);
        let plain = match fs::symlink_metadata(path) {
            Ok(found) => found.is_file(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if is_trace(path) {
            let why = "will not be replaced: it is a gotrace trace";
            return Err(NotWritten::because(path, why));
        }
        if let (true, Some(name)) = (plain, path.file_name()) {
            let partial = path.with_file_name(partial_name(name));
            match File::create_new(&partial) {
                Ok(file) => {
                    if let Ok(found) = fs::metadata(path) {
                        file.set_permissions(found.permissions()).map_err(cannot)?;
                    }
                    let replacement = Replacement {
                        partial,
                        path: path.to_owned(),
                        done: false,
                    };
                    let file = BufWriter::with_capacity(BUFFER_BYTES, file);
                    return Ok(Self::of(Destination::Replacing(file, replacement)));
                }
                // The folder takes no new file, but the file that is there may be writable.
                Err(error) if !path.exists() => return Err(cannot(error)),
                Err(_) => {}
            }
        }
        let file = File::create(path).map_err(cannot)?;
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self::of(Destination::InPlace(file, path.to_owned())))
    }

    /// The file's name; none of standard output.
    pub(super) fn file_name(&self) -> Option<String> {
        let path = match &self.destination {
            Destination::Stdout(_) => return None,
            Destination::InPlace(_, path) => path,
            Destination::Replacing(_, replacement) => &replacement.path,
        };
        Some(path.file_name()?.to_string_lossy().into_owned())
    }

    /// How many bytes it was given, now and later.
    pub(super) fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }

    /// How to draw text for it.
    pub(super) fn page(&self) -> Page {
        match &self.destination {
            Destination::Stdout(stdout) => page_of(stdout.get_ref()),
            Destination::InPlace(..) | Destination::Replacing(..) => page(None),
        }
    }

    /// Writes out what is buffered and puts a file into its place.
    ///
    /// # Errors
    ///
    /// When that cannot be done; a closed pipe is [`io::ErrorKind::BrokenPipe`].
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.flush()?;
        if let Destination::Replacing(_, replacement) = &mut self.destination {
            let (partial, path) = (&replacement.partial, &replacement.path);
            fs::rename(partial, path)
                .map_err(|error| NotWritten::failed(path, "cannot put into place", error))?;
            replacement.done = true;
        }
        Ok(())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.destination {
            Destination::Stdout(stdout) => stdout,
            Destination::InPlace(file, _) | Destination::Replacing(file, _) => file,
        }
    }

    fn not_written(&self, source: io::Error) -> io::Error {
        let to = match &self.destination {
            Destination::Stdout(_) => "standard output".to_owned(),
            Destination::InPlace(_, path) => path.display().to_string(),
            Destination::Replacing(_, replacement) => replacement.path.display().to_string(),
        };
        let kind = source.kind();
        let (what, source) = ("cannot write".to_owned(), Some(source));
        io::Error::new(kind, NotWritten { to, what, source })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer().write(bytes);
        if let Ok(count) = written {
            self.written.fetch_add(count as u64, Ordering::Relaxed);
        }
        written.map_err(|error| self.not_written(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writer().flush();
        flushed.map_err(|error| self.not_written(error))
    }
}

/// Whether a plain file begins as a trace does.
fn is_trace(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    fs::metadata(path).is_ok_and(|found| found.is_file())
        && File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok())
        && start == MAGIC
}

/// Prints a line for the user beside the output: `gotrace: <message>` on standard error.
///
/// A closed standard error is ignored: the note was for whoever was there to read it.
pub(super) fn note(message: &str) {
    drop(writeln!(io::stderr(), "gotrace: {message}"));
}

/// Prints text that is more than a line, on standard error.
pub(super) fn text(text: &[u8]) {
    drop(io::stderr().write_all(text));
}

/// Prints what would help after an error: `hint: <message>` on standard error.
pub(super) fn hint(message: &str) {
    drop(writeln!(io::stderr(), "hint: {message}"));
}

/// Name of the file that is written before it becomes `name`; apart for each gotrace process.
fn partial_name(name: &OsStr) -> OsString {
    let mut partial = OsString::from(".gotrace-partial-");
    partial.push(std::process::id().to_string());
    partial.push("-");
    // A name may be as long as the file system allows, and the prefix must fit too.
    if name.len() <= 200 {
        partial.push(name);
    }
    partial
}

/// How to draw text on standard output, which is a terminal.
pub(super) fn page_of_terminal() -> Page {
    page_of(&io::stdout())
}

/// How to draw text for standard error.
pub(super) fn error_page() -> Page {
    page_of(&io::stderr())
}

fn page_of<S: IsTerminal + AsFd>(stream: &S) -> Page {
    let columns = terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
    page(stream.is_terminal().then(|| columns.unwrap_or(80)))
}

/// The page for a terminal of so many columns, or for what is none.
///
/// Only a terminal gets colours, and not when `NO_COLOR` is set (<https://no-color.org>) or it is
/// dumb; only a terminal has a width to fit into, unless `COLUMNS` gives one, for a program that
/// reads names wants them whole.
fn page(terminal: Option<usize>) -> Page {
    page_for(terminal, |name| std::env::var_os(name).unwrap_or_default())
}

fn page_for(terminal: Option<usize>, variable: impl Fn(&str) -> OsString) -> Page {
    let text = |name| variable(name).to_string_lossy().into_owned();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(text);
    let locale = locale.into_iter().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    Page {
        columns: terminal
            .or_else(|| text("COLUMNS").parse().ok())
            .unwrap_or(UNBOUNDED),
        colour: terminal.is_some() && colour_wanted(&variable),
        unicode: terminal.is_none() || locale.contains("utf-8") || locale.contains("utf8"),
    }
}

fn colour_wanted(variable: impl Fn(&str) -> OsString) -> bool {
    variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_only_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.svg");
        fs::write(&path, "before").unwrap();

        let mut output = Output::to(Some(&path)).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(fs::read(&path).unwrap(), b"before");

        let mut output = Output::to(Some(&path)).unwrap();
        output.write_all(b"whole").unwrap();
        assert!(!output.page().colour);
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link_and_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut output = Output::to(Some(&link)).unwrap();
        output.write_all(b"through").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"through");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let error = Output::to(Some(folder.path())).unwrap_err();
        assert!(error.to_string().ends_with(": cannot create"), "{error}");
        let error = Output::to(Some(&folder.path().join("no/such"))).unwrap_err();
        assert!(error.to_string().ends_with("no/such: cannot create"));
    }

    #[test]
    fn a_trace_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gotrace");
        fs::write(&path, [&MAGIC[..], b"and more"].concat()).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [&path, &link] {
            let error = Output::to(Some(path)).unwrap_err().to_string();
            assert!(error.ends_with("it is a gotrace trace"), "{error}");
        }
        fs::write(&path, &MAGIC[1..]).unwrap();
        assert!(Output::to(Some(&path)).is_ok());
    }

    #[test]
    fn a_pipe_is_as_wide_as_columns_says_and_a_terminal_as_it_is() {
        let locale = |name: &str| match name {
            "COLUMNS" => "72".into(),
            "LANG" => "C".into(),
            _ => OsString::new(),
        };
        let pipe = page_for(None, locale);
        assert_eq!((pipe.columns, pipe.unicode, pipe.colour), (72, true, false));
        let terminal = page_for(Some(132), locale);
        assert_eq!((terminal.columns, terminal.unicode), (132, false));
        assert!(terminal.colour);
        assert!(page_for(None, |_| OsString::new()).columns > 1_000);
    }

    #[test]
    fn colour_follows_no_color_and_dumb_terminals() {
        let with = |name: &'static str, value: &'static str| {
            colour_wanted(move |asked| if asked == name { value } else { "" }.into())
        };
        assert!(with("TERM", "xterm"));
        assert!(with("NO_COLOR", ""));
        assert!(!with("NO_COLOR", "1"));
        assert!(!with("TERM", "dumb"));
    }
}
