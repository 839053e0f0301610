//! `gotrace explain`: why a build failed, and what would help.

use super::exit::Usage;
use super::input;
use super::output::{self, Output};
use super::status::Work;
use super::trace_operand;
use crate::analyze::explain::{self, Answers, Diagnosis, Here, Level, Log, Program};
use crate::binary::linkable::{Arch, Format};
use crate::environment::host;
use crate::environment::link::{
    self, Disk, Files as _, GoFiles, folders_with_header, folders_with_library,
    folders_with_package, survey,
};
use crate::environment::toolchain::find_on_path;
use crate::export::json;
use crate::render::text::explain as text;
use anyhow::Context as _;
use nix::errno::Errno;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// So many bytes of what a command prints, or of a log, are looked at: its end, where errors are.
const MOST_LOG: usize = 64 << 20;
/// A log of more bytes is refused: it may never end.
const LONGEST_LOG: u64 = 1 << 30;
/// The signal by which a kernel kills for want of memory, or for a broken signature.
const SIGKILL: i32 = 9;
/// The exit code for a command that is not there, as env(1) has it.
const NOT_FOUND: u8 = 127;
/// Likewise for one that cannot be run.
const NOT_RUN: u8 = 126;

/// Says why a build or a program failed, and what would help.
///
/// Undefined symbols, libraries for another architecture, killed programs. Runs a command, whose output goes through unchanged, and then says on standard error what went
/// wrong; or reads a log from a file or from standard input. The link line in the log is followed
/// to its files: which library has what for which architecture, and which flag is missing.
///
/// The exit code is that of the command if it failed; else 1 where an error was explained.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gotrace explain [OPTIONS] [--] COMMAND [ARGUMENT]...\n       gotrace explain [OPTIONS] --log FILE\n       COMMAND 2>&1 | gotrace explain [OPTIONS]"
)]
pub(super) struct Args {
    /// Read this log (file or pipe, up to 1 GiB, of which the last 64 MiB are looked at) instead of running a
    /// command; - is standard input, the default without a command
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    log: Option<PathBuf>,
    /// Take link lines that the log does not show from this trace of the same build (backend bpf)
    #[arg(long, value_name = "TRACE")]
    trace: Option<PathBuf>,
    /// Look for the files that the log names below this folder, as if it were /
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// The SDK of macOS to look into [default: the one on the link line, SDKROOT, the installed one]
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
    /// Write JSON (docs/json-schema.md), on standard output; what a command prints there goes to standard error
    #[arg(long)]
    json: bool,
    /// Write here [default: standard output, and standard error with a command, but for JSON]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The command, and its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        for (option, folder) in [("--root", &self.root), ("--sdk", &self.sdk)] {
            if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
                let words = format!("{option} {}: no such folder", folder.display());
                return Err(Usage(words).into());
            }
        }
        let Some((program, arguments)) = self.command.split_first() else {
            let log = self.read(&self.read_log()?)?;
            let diagnoses = self.diagnose(&log, 0);
            self.write(&log, &diagnoses)?;
            return Ok(ExitCode::from(u8::from(has_errors(&diagnoses))));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        // With JSON, standard output is for that alone.
        let out: &mut (dyn Write + Send) = match self.json && self.output.is_none() {
            true => &mut io::stderr(),
            false => &mut io::stdout(),
        };
        let killed_before = host::memory_kills();
        let (status, said) = match watch(&mut command, out) {
            Ok(ended) => ended,
            Err(error) => return self.not_started(program, &error),
        };
        let mut log = self.read(&said)?;
        if status.signal() == Some(SIGKILL) {
            log.command_was_killed(&program.to_string_lossy());
        }
        let killed = host::memory_kills().zip(killed_before);
        let killed = killed.map_or(0, |(now, before)| now.saturating_sub(before));
        let diagnoses = self.diagnose(&log, killed);
        if !diagnoses.is_empty() || !status.success() || self.output.is_some() {
            self.write(&log, &diagnoses)?;
        }
        Ok(ExitCode::from(match status.code() {
            Some(0) => u8::from(has_errors(&diagnoses)),
            Some(code) => code.to_le_bytes()[0],
            None => status
                .signal()
                .map_or(1, |signal| 128_u8.saturating_add(signal.to_le_bytes()[0])),
        }))
    }

    /// A command that the system did not run.
    fn not_started(&self, program: &OsStr, error: &io::Error) -> anyhow::Result<ExitCode> {
        output::note(&format!("{}: cannot run: {error}", program.display()));
        if error.kind() == io::ErrorKind::NotFound {
            return Ok(ExitCode::from(NOT_FOUND));
        }
        if error.raw_os_error() == Some(Errno::ENOEXEC as i32) {
            let path = find_on_path(program, &std::env::var_os("PATH").unwrap_or_default());
            let mut log = Log::default();
            log.command_is_no_program(
                &path
                    .as_deref()
                    .unwrap_or(Path::new(program))
                    .to_string_lossy(),
            );
            self.write(&log, &self.diagnose(&log, 0))?;
        }
        Ok(ExitCode::from(NOT_RUN))
    }

    fn read(&self, said: &[u8]) -> anyhow::Result<Log> {
        let mut log = Log::read(said);
        if let Some(path) = &self.trace
            && log.add_recorded(&trace_operand::open(path, &Work::begin(false, ""))?) == 0
        {
            output::note(&format!(
                "{}: no link that failed is in it; the backend bpf alone sees what Go's linker runs",
                path.display()
            ));
        }
        Ok(log)
    }

    fn read_log(&self) -> anyhow::Result<Vec<u8>> {
        match &self.log {
            Some(path) if path != Path::new("-") => {
                let named = path.display().to_string();
                let log = input::open(path).with_context(|| format!("{named}: cannot read"))?;
                end_of(log, &named)
            }
            None if io::stdin().is_terminal() => Err(Usage(
                "no command and no log: expected `gotrace explain -- COMMAND`, `--log FILE`, or a log on standard input"
                    .to_owned(),
            )
            .into()),
            _ => end_of(io::stdin().lock(), "standard input"),
        }
    }

    /// Follows what the log names to its files, and judges; so many programs were killed meanwhile for want
    /// of memory.
    fn diagnose(&self, log: &Log, memory_kills: u64) -> Vec<Diagnosis> {
        let here = Here {
            arch: Arch::parse(host::ARCH),
            format: match std::env::consts::OS {
                "macos" => Format::MachO,
                _ => Format::Elf,
            },
        };
        let disk = Disk {
            root: self.root.clone(),
            folder: match self.root {
                Some(_) => PathBuf::from("/"),
                None => std::env::current_dir().unwrap_or_default(),
            },
        };
        let named = std::env::var_os("SDKROOT").filter(|_| self.root.is_none());
        let sdk = self.sdk.clone().or(named.map(PathBuf::from));
        let inquiries = explain::inquiries(log, &here);
        let surveys = inquiries.iter();
        let programs = log.programs().into_iter().map(|path| {
            let data = disk.read(Path::new(path)).ok();
            Program::of(path, data.as_deref())
        });
        let headers = log.headers().map(|header| {
            let folders = folders_with_header(header, here.format, &here.arch, &disk);
            (header.to_owned(), folders)
        });
        let folders = log
            .folders()
            .map(|folder| (folder.to_owned(), GoFiles::of(Path::new(folder), &disk)));
        let packages = log
            .packages()
            .map(|name| (name.to_owned(), folders_with_package(name, &disk)));
        let libraries = log.not_loaded().map(|(library, user)| {
            let beside = beside(log, &disk.folder, Path::new(user));
            let name = library.rsplit('/').next().unwrap_or(library).to_owned();
            let folders = folders_with_library(&name, beside, &here.arch, &disk);
            (name, folders)
        });
        let search = std::env::var_os("LD_LIBRARY_PATH").filter(|_| self.root.is_none());
        let search: Vec<PathBuf> = std::env::split_paths(&search.unwrap_or_default()).collect();
        let needs = log
            .not_bound()
            .filter_map(|(file, symbol)| link::needs(file, symbol, &search, &here.arch, &disk));
        let versions = log
            .other_versions()
            .filter_map(|library| Some((library.to_owned(), link::versions(library, &disk)?)));
        let answers = Answers {
            surveys: surveys
                .map(|inquiry| survey(&inquiry.question(sdk.as_deref()), &disk))
                .collect(),
            programs: programs.collect(),
            headers: headers.collect(),
            folders: folders.collect(),
            packages: packages.collect(),
            libraries: libraries.collect(),
            needs: needs.collect(),
            versions: versions.collect(),
            memory_kills,
        };
        explain::diagnose(log, &inquiries, &answers, &here)
    }

    fn write(&self, log: &Log, diagnoses: &[Diagnosis]) -> anyhow::Result<()> {
        if !self.command.is_empty() && self.output.is_none() && !self.json {
            // Standard output is the command's.
            let mut said = Vec::new();
            text::write(log, diagnoses, &output::error_page(), &mut said)?;
            output::text(&said);
            return Ok(());
        }
        let mut output = Output::to(self.output.as_deref())?;
        if self.json {
            json::explain(log, diagnoses, &mut output)?;
        } else {
            let page = output.page();
            text::write(log, diagnoses, &page, &mut output)?;
        }
        output.finish()
    }
}

/// The end of a log; what is left out of it is said.
fn end_of(log: impl io::Read, named: &str) -> anyhow::Result<Vec<u8>> {
    let read = input::end(log, MOST_LOG, LONGEST_LOG);
    let (end, left_out) = read.with_context(|| format!("{named}: cannot read"))?;
    if left_out > 0 {
        output::note(&format!(
            "{named}: the last 64 MiB are looked at, {left_out} bytes before them are not"
        ));
    }
    Ok(end)
}

fn has_errors(diagnoses: &[Diagnosis]) -> bool {
    diagnoses.iter().any(|one| one.level == Level::Error)
}

/// Where a library that a program needs may lie: beside it, and in the folders of link lines.
fn beside(log: &Log, folder: &Path, user: &Path) -> Vec<PathBuf> {
    let own = folder.join(user.parent().unwrap_or(Path::new("")));
    let lines = log.links.iter().flat_map(|link| &link.line.folders);
    [
        own.clone(),
        own.join("lib"),
        own.join("../lib"),
        folder.to_owned(),
    ]
    .into_iter()
    .chain(lines.map(|one| folder.join(one)))
    .collect()
}

/// Runs a command, passes on what it prints, and keeps the end of it.
fn watch(command: &mut Command, to: &mut (dyn Write + Send)) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let log = Mutex::new(Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| pass(out, to, &log));
        scope.spawn(|| pass(err, io::stderr(), &log));
    });
    let status = child.wait()?;
    Ok((
        status,
        log.into_inner().unwrap_or_else(PoisonError::into_inner),
    ))
}

/// Passes bytes on as they come, and adds whole lines to the log, so that two streams do not mix
/// within a line.
fn pass(from: Option<impl io::Read>, mut to: impl Write, log: &Mutex<Vec<u8>>) {
    let Some(mut from) = from else {
        return;
    };
    let mut buffer = vec![0; 64 << 10];
    let mut line = Vec::new();
    let keep = |bytes: &[u8]| {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        if let Some(beyond @ 1..) = log.len().checked_sub(MOST_LOG) {
            log.drain(..beyond);
        }
    };
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        // Whoever no longer reads does not end the command.
        drop(to.write_all(bytes).and_then(|()| to.flush()));
        line.extend_from_slice(bytes);
        if let Some(end) = line.iter().rposition(|&byte| byte == b'\n') {
            let rest = line.split_off(end + 1);
            keep(&line);
            line = rest;
        }
    }
    if !line.is_empty() {
        line.push(b'\n');
        keep(&line);
    }
}
