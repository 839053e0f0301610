//! `gotrace toolchain prepare`: a copy of a toolchain, signed anew, and verified before it appears.

use crate::analyze::toolchain::{Prepared, PreparedProgram, resigned, signature};
use crate::binary::macho::signature::GET_TASK_ALLOW;
use crate::cli::exit::hinted;
use crate::cli::output::Output;
use crate::environment::goroot::{CopyError, Format, Goroot, Preparation, SignedFile};
use crate::environment::invoker::invoker;
use crate::export::json;
use crate::render::text::toolchain as text;
use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Copies a toolchain for macOS and signs its programs ad hoc, so that they can be watched.
///
/// They are then not hardened. Code stays byte for byte what it was; the original is not touched. Works
/// on Linux, too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The toolchain: a GOROOT
    #[arg(long, value_name = "GOROOT")]
    from: PathBuf,
    /// The copy: a folder that is not there yet, or is empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// What the programs are to be allowed; several times for several
    #[arg(long, value_name = "NAME")]
    entitlement: Vec<Entitlement>,
    /// Write JSON (docs/json-schema.md)
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Entitlement {
    /// Debuggers and recorders may take the task port of the processes
    GetTaskAllow,
}

impl Entitlement {
    fn key(self) -> String {
        match self {
            Self::GetTaskAllow => GET_TASK_ALLOW.to_owned(),
        }
    }
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let goroot = Goroot::read(&self.from);
        let is_macho = |format: &Format| matches!(format, Format::MachO(_));
        let has_some = goroot.programs.iter().any(|one| is_macho(&one.format));
        if !has_some && Goroot::is_one(&goroot.root) {
            return Err(hinted(
                anyhow!(
                    "{}: nothing is to be signed: expected Mach-O programs, found {}",
                    goroot.root.display(),
                    kinds(&goroot)
                ),
                "only a Mac asks for signatures: use this toolchain as it is",
            ));
        }
        let owner = invoker(|name| std::env::var_os(name)).map(|who| (who.uid, who.gid));
        let mut keys: Vec<String> = self.entitlement.iter().map(|one| one.key()).collect();
        keys.sort();
        keys.dedup();
        let mut copy = Preparation::begin(&self.from, &self.to, owner).map_err(with_hint)?;
        let files = copy.copy(&keys).map_err(with_hint)?;
        let programs = files.iter().map(|file| verify(file, &goroot));
        let prepared = Prepared {
            programs: programs.collect::<anyhow::Result<_>>()?,
            version: goroot.version.clone(),
            from: goroot.root.display().to_string(),
            to: copy.destination().display().to_string(),
            files: copy.files(),
        };
        copy.finish().map_err(with_hint)?;
        let mut out = Output::stdout();
        if self.json {
            json::prepared(&prepared, &mut out)?;
        } else {
            let page = out.page();
            text::prepared(&prepared, &page, &mut out)?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn with_hint(error: CopyError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => hinted(error, hint),
        None => error.into(),
    }
}

/// What the programs of a toolchain are that has none for macOS.
fn kinds(goroot: &Goroot) -> &'static str {
    let formats = || goroot.programs.iter().map(|program| &program.format);
    if formats().any(|format| matches!(format, Format::Elf { .. })) {
        "ELF"
    } else if formats().any(|format| matches!(format, Format::Unread(_))) {
        "what cannot be read"
    } else {
        "no executables"
    }
}

/// Reads a program back from the disk, and holds it against the original.
fn verify(file: &SignedFile, goroot: &Goroot) -> anyhow::Result<PreparedProgram> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))
    };
    let (original, signed) = (read(&file.original)?, read(&file.signed)?);
    let named = || format!("{}: was not signed right", file.original.display());
    let found = resigned(&original, &signed).with_context(named)?;
    let mut before = goroot.programs.iter();
    let before = before.find(|program| program.path == file.path);
    Ok(PreparedProgram {
        path: file.path.display().to_string(),
        arch: found.arch,
        before: before.map(signature).unwrap_or_default(),
        after: found.signature,
        pages: found.pages,
    })
}
