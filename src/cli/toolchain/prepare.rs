//! `gotrace toolchain prepare`: a copy of a toolchain, signed anew, and verified before it appears.

use crate::analyze::toolchain::{
    InstrumentedProgram, Prepared, PreparedProgram, resigned, signature,
};
use crate::binary::macho::signature::GET_TASK_ALLOW;
use crate::capture::chain;
use crate::capture::instrumented::{FUNCTIONS_PATH, Instrumented, LIBRARY_PATH, NotInstrumented};
use crate::capture::probes::{Mode, Watch};
use crate::cli::exit::hinted;
use crate::cli::output::Output;
use crate::cli::probing;
use crate::environment::goroot::{CopyError, Format, Goroot, Preparation, SignedFile};
use crate::environment::invoker::invoker;
use crate::export::json;
use crate::render::text::toolchain as text;
use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

/// What maps the ring in programs that are instrumented: one file for arm64 and amd64, signed ad hoc.
const LIBRARY: &[u8] = include_bytes!("../../../probes/prebuilt/macos/libgotrace-ring.dylib");

/// Copies a toolchain for macOS and signs its programs ad hoc, so that they can be watched.
///
/// They are then not hardened. Code stays byte for byte what it was; the original is not touched. Works
/// on Linux, too. With --instrument chosen functions of the copy tell of their calls, by jumps in their code
/// (docs/trampolines.md).
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
    /// Have functions of the programs tell of their calls: a set of functions, or IMAGE:FUNCTION-GLOB[:entry|call];
    /// several times for several
    #[arg(long, value_name = "FUNCTIONS")]
    instrument: Vec<String>,
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
        let watch = probing::asked(&self.instrument)?;
        let mut copies = Copies::of(&watch, &goroot.root);
        let mut copy = Preparation::begin(&self.from, &self.to, owner).map_err(with_hint)?;
        let files = copy.copy(&keys, &mut |path, data| copies.rewrite(path, data));
        let files = files.map_err(with_hint)?;
        if !watch.is_empty() {
            copies.hold_some()?;
            copy.add(Path::new(LIBRARY_PATH), LIBRARY)
                .map_err(with_hint)?;
            copy.add(Path::new(FUNCTIONS_PATH), &copies.functions()?)
                .map_err(with_hint)?;
        }
        let programs = files.iter().map(|file| verify(file, &goroot, &copies));
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

/// Programs of which functions are asked for.
struct Copies<'w> {
    watch: &'w Watch,
    root: &'w Path,
    made: BTreeMap<PathBuf, Result<Instrumented, NotInstrumented>>,
}

impl<'w> Copies<'w> {
    const fn of(watch: &'w Watch, root: &'w Path) -> Self {
        Self {
            watch,
            root,
            made: BTreeMap::new(),
        }
    }

    /// The bytes of a program's copy, without those that need not stay.
    fn rewrite(&mut self, path: &Path, data: &[u8]) -> Option<Vec<u8>> {
        let full = self.root.join(path);
        let made = Instrumented::of(
            data,
            full.as_os_str().as_bytes(),
            self.watch,
            &library_of(path),
        );
        let made = made.transpose()?.map(|mut made| {
            let bytes = std::mem::take(&mut made.bytes);
            (made, bytes)
        });
        let (made, bytes) = match made {
            Ok((made, bytes)) => (Ok(made), Some(bytes)),
            Err(why) => (Err(why), None),
        };
        self.made.insert(path.to_owned(), made);
        bytes
    }

    /// Fails where no function of any program would tell of its calls.
    fn hold_some(&self) -> anyhow::Result<()> {
        let made = || self.made.values().flatten();
        if made().any(|made| !made.functions.is_empty()) {
            return Ok(());
        }
        let mut unmatched = made().flat_map(|made| &made.unmatched);
        let unmatched = unmatched.next();
        let mut refused = self.made.values().filter_map(|made| made.as_ref().err());
        let why = match (unmatched, refused.next()) {
            (Some(unmatched), _) => unmatched.words("the toolchain"),
            (None, Some(refused)) => chain(refused),
            (None, None) if self.made.is_empty() => "it has no program of that name".to_owned(),
            (None, None) => "those that are asked for have to be left alone".to_owned(),
        };
        Err(hinted(
            anyhow!("no function would tell of its calls: {why}"),
            "`gotrace probes sets` lists sets; one function is IMAGE:FUNCTION, compile:main.main for example",
        ))
    }

    /// What the numbers in records mean, as a file.
    fn functions(&self) -> anyhow::Result<Vec<u8>> {
        let programs = self.made.iter().filter_map(|(path, made)| {
            let made = made.as_ref().ok()?;
            let functions = (0..)
                .zip(&made.functions)
                .map(|(number, told)| json::ToldRow {
                    number,
                    name: &told.name,
                    file: &told.file,
                    edges: match told.mode {
                        Mode::Entry => "entry",
                        Mode::Call => "call",
                    },
                    set: told.set.as_deref(),
                    entry_offset: told.entry,
                    exit_count: told.exits,
                });
            (!made.functions.is_empty()).then(|| json::InstrumentedRow {
                path: path.display().to_string(),
                image: format!("{:016x}", made.image),
                functions: functions.collect(),
            })
        });
        let programs: Vec<json::InstrumentedRow<'_>> = programs.collect();
        let mut written = Vec::new();
        json::instrumented(&programs, &mut written)?;
        Ok(written)
    }

    /// What has become of a program, where functions of it were asked for.
    fn outcome(&self, path: &Path) -> Option<InstrumentedProgram> {
        Some(match self.made.get(path)? {
            Ok(made) => InstrumentedProgram {
                functions: made.functions.len(),
                left_alone: made.left_alone.clone(),
                unmatched: made
                    .unmatched
                    .iter()
                    .map(|unmatched| unmatched.words(&path.display().to_string()))
                    .collect(),
                refused: None,
            },
            Err(why) => InstrumentedProgram {
                refused: Some(chain(why)),
                ..InstrumentedProgram::default()
            },
        })
    }
}

/// Where dyld finds the library from the folder of a program.
fn library_of(program: &Path) -> String {
    let up = program.components().skip(1).map(|_| Component::ParentDir);
    let path: PathBuf = up.collect();
    format!("@executable_path/{}", path.join(LIBRARY_PATH).display())
}

/// Reads a program back from the disk, and holds it against the original.
fn verify(
    file: &SignedFile,
    goroot: &Goroot,
    copies: &Copies<'_>,
) -> anyhow::Result<PreparedProgram> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))
    };
    let (original, signed) = (read(&file.original)?, read(&file.signed)?);
    let named = || format!("{}: was not signed right", file.original.display());
    let made = copies
        .made
        .get(&file.path)
        .and_then(|made| made.as_ref().ok());
    let places = made.map_or(&[][..], |made| &made.places);
    let found = resigned(&original, &signed, places).with_context(named)?;
    let mut before = goroot.programs.iter();
    let before = before.find(|program| program.path == file.path);
    Ok(PreparedProgram {
        path: file.path.display().to_string(),
        arch: found.arch,
        before: before.map(signature).unwrap_or_default(),
        after: found.signature,
        pages: found.pages,
        instrumented: copies.outcome(&file.path),
    })
}
