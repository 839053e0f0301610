//! What `toolchain list --json`, `prepare --json` and `verify --json` write.

use super::object;
use crate::analyze::toolchain::{
    Check, Prepared, PreparedProgram, Standing, Tracing, architectures, signature, signatures,
};
use crate::environment::goroot::{Format, Listed, Place, Program, Runs, SliceOfProgram};
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `toolchain list --json` writes.
pub const TOOLCHAINS_SCHEMA: &str = "gotrace.toolchain-list/1";
/// Name and version of what `toolchain prepare --json` writes.
pub const PREPARED_SCHEMA: &str = "gotrace.toolchain-prepare/1";
/// Name and version of what `toolchain prepare --instrument` writes beside the programs.
pub const INSTRUMENTED_SCHEMA: &str = "gotrace.toolchain-functions/1";
/// Name and version of what `toolchain verify --json` writes.
pub const PAIR_SCHEMA: &str = "gotrace.toolchain-verify/1";

#[derive(Serialize)]
struct ListHead<'a> {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gotoolchain: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    toolchain: String,
    version: &'a str,
    arch: String,
    format: &'static str,
    runs: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translator: Option<&'a str>,
    found_by: Vec<&'static str>,
    go_commands: Vec<String>,
    runs_as_go: bool,
    signature: String,
    traceable: &'static str,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    programs: Vec<ProgramRow<'a>>,
}

#[derive(Serialize)]
struct ProgramRow<'a> {
    path: String,
    arch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<&'a str>,
    signature: String,
    slices: Vec<Slice<'a>>,
}

#[derive(Serialize)]
struct Slice<'a> {
    arch: &'a str,
    signed: bool,
    flags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    entitlements: &'a [String],
}

/// Writes the object of `toolchain list --json`; `wanted` is the version that `GOTOOLCHAIN` names.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn toolchains(
    listed: &[(&Listed, Tracing)],
    wanted: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = ListHead {
        schema: TOOLCHAINS_SCHEMA,
        gotoolchain: wanted,
    };
    let rows = listed.iter().map(|(one, tracing)| row(one, tracing));
    object(&head, rows, out)
}

fn row<'a>(one: &'a Listed, tracing: &'a Tracing) -> Row<'a> {
    let goroot = &one.goroot;
    let commands = one.places.iter().filter_map(|place| match place {
        Place::Path { go, first } => Some((go.display().to_string(), *first)),
        _ => None,
    });
    let commands: Vec<(String, bool)> = commands.collect();
    let mut found_by: Vec<&str> = one.places.iter().map(place).collect();
    found_by.dedup();
    Row {
        toolchain: goroot.root.display().to_string(),
        version: &goroot.version,
        arch: architectures(goroot),
        format: goroot.go().map_or("", format),
        runs: match one.runs {
            Runs::Natively => "natively",
            Runs::Translated(_) => "translated",
            Runs::NotHere => "not_here",
        },
        translator: match &one.runs {
            Runs::Translated(by) => Some(by),
            Runs::Natively | Runs::NotHere => None,
        },
        found_by,
        runs_as_go: commands.iter().any(|(_, first)| *first),
        go_commands: commands.into_iter().map(|(go, _)| go).collect(),
        signature: signatures(goroot),
        traceable: tracing.verdict.name(),
        why: &tracing.why,
        remedy: tracing.remedy.as_deref(),
        programs: goroot.programs.iter().map(program).collect(),
    }
}

const fn place(place: &Place) -> &'static str {
    match place {
        Place::Path { .. } => "path",
        Place::Goroot => "goroot",
        Place::Toolchain => "gotoolchain",
        Place::Official => "usr_local_go",
        Place::Sdk => "sdk",
        Place::ModuleCache => "module_cache",
        Place::Homebrew => "homebrew",
        Place::Package => "package",
    }
}

const fn format(program: &Program) -> &'static str {
    match program.format {
        Format::MachO(_) => "Mach-O",
        Format::Elf { .. } => "ELF",
        Format::Other => "other",
        Format::Unread(_) => "unread",
    }
}

fn program(program: &Program) -> ProgramRow<'_> {
    ProgramRow {
        path: program.path.display().to_string(),
        arch: program.archs().join("+"),
        unread: match &program.format {
            Format::Unread(why) => Some(why),
            _ => None,
        },
        signature: signature(program),
        slices: match &program.format {
            Format::MachO(slices) => slices.iter().map(slice).collect(),
            _ => Vec::new(),
        },
    }
}

fn slice(slice: &SliceOfProgram) -> Slice<'_> {
    let signed = slice.signature.as_ref();
    Slice {
        arch: &slice.arch,
        signed: signed.is_some(),
        flags: signed
            .map(|signed| signed.flags.names())
            .unwrap_or_default(),
        team: signed.and_then(|signed| signed.team.as_deref()),
        entitlements: signed.map_or(&[], |signed| &signed.entitlements),
    }
}

#[derive(Serialize)]
struct PreparedHead<'a> {
    schema: &'static str,
    version: &'a str,
    from: &'a str,
    to: &'a str,
    file_count: usize,
    signed_count: usize,
}

#[derive(Serialize)]
struct PreparedRow<'a> {
    path: &'a str,
    arch: &'a str,
    before: &'a str,
    after: &'a [String],
    page_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_count: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_alone: Vec<LeftAlone<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unmatched: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
}

#[derive(Serialize)]
struct LeftAlone<'a> {
    function: &'a str,
    why: &'a str,
}

impl<'a> PreparedRow<'a> {
    fn of(program: &'a PreparedProgram) -> Self {
        let instrumented = program.instrumented.as_ref();
        let left_alone = instrumented.map_or(&[][..], |made| &made.left_alone);
        let left_alone = left_alone
            .iter()
            .map(|(function, why)| LeftAlone { function, why });
        Self {
            path: &program.path,
            arch: &program.arch,
            before: &program.before,
            after: &program.after,
            page_count: program.pages,
            function_count: instrumented.map(|made| made.functions),
            left_alone: left_alone.collect(),
            unmatched: instrumented.map_or(&[], |made| &made.unmatched),
            refused: instrumented.and_then(|made| made.refused.as_deref()),
        }
    }
}

/// Writes the object of `toolchain prepare --json`: a row for each program that was signed.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn prepared(prepared: &Prepared, out: &mut impl Write) -> io::Result<()> {
    let head = PreparedHead {
        schema: PREPARED_SCHEMA,
        version: &prepared.version,
        from: &prepared.from,
        to: &prepared.to,
        file_count: prepared.files,
        signed_count: prepared.programs.len(),
    };
    let rows = prepared.programs.iter().map(PreparedRow::of);
    object(&head, rows, out)
}

#[derive(Serialize)]
struct InstrumentedHead {
    schema: &'static str,
}

/// A program whose functions tell of their calls.
#[derive(Clone, Debug, Serialize)]
pub struct InstrumentedRow<'a> {
    /// From the toolchain's folder.
    pub path: String,
    /// What chunks of its records say that they are of, in hexadecimal.
    pub image: String,
    /// In the order of their numbers.
    pub functions: Vec<ToldRow<'a>>,
}

/// A function that tells of its calls.
#[derive(Clone, Debug, Serialize)]
pub struct ToldRow<'a> {
    /// What its records have.
    pub number: usize,
    /// Name, as Go developers write it.
    pub name: &'a str,
    /// Source file, or empty.
    pub file: &'a str,
    /// `entry` or `call`.
    pub edges: &'static str,
    /// The set that asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<&'a str>,
    /// Where in the program's file an entry is seen.
    pub entry_offset: u64,
    /// At how many places it is left.
    pub exit_count: u32,
}

/// Writes what the numbers in records of instrumented programs mean.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn instrumented(programs: &[InstrumentedRow<'_>], out: &mut impl Write) -> io::Result<()> {
    let head = InstrumentedHead {
        schema: INSTRUMENTED_SCHEMA,
    };
    object(&head, programs.iter(), out)
}

#[derive(Serialize)]
struct PairHead<'a> {
    schema: &'static str,
    base: &'a str,
    new: &'a str,
    comparable: bool,
    error_count: usize,
    warning_count: usize,
}

#[derive(Serialize)]
struct CheckRow<'a> {
    check: &'static str,
    standing: &'static str,
    subject: &'a str,
    expected: &'a str,
    found: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'a str,
}

/// Writes the object of `toolchain verify --json`: a row for each check.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn pair(names: [&str; 2], checks: &[Check], out: &mut impl Write) -> io::Result<()> {
    let count = |standing| checks.iter().filter(|one| one.standing == standing).count();
    let [base, new] = names;
    let head = PairHead {
        schema: PAIR_SCHEMA,
        base,
        new,
        comparable: count(Standing::Error) == 0,
        error_count: count(Standing::Error),
        warning_count: count(Standing::Warning),
    };
    let rows = checks.iter().map(|check| CheckRow {
        check: check.name,
        standing: check.standing.name(),
        subject: &check.subject,
        expected: &check.expected,
        found: &check.found,
        remedy: &check.remedy,
    });
    object(&head, rows, out)
}
