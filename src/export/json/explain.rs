//! What `explain --json` writes.

use super::object;
use crate::analyze::explain::{Diagnosis, Level, Log, Missing, Note, Remedy, Witness};
use crate::binary::linkable::Arch;
use crate::environment::link::Input;
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `explain --json` writes.
pub const EXPLAIN_SCHEMA: &str = "gotrace.explain/1";

#[derive(Serialize)]
struct Head {
    schema: &'static str,
    line_count: usize,
    link_count: usize,
    error_count: usize,
    warning_count: usize,
    left_out_count: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    level: &'static str,
    cause: &'static str,
    lines: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    symbols: Vec<Symbol<'a>>,
    files: Vec<File<'a>>,
    notes: Vec<Fact<'a>>,
    remedies: Vec<Fact<'a>>,
}

#[derive(Serialize)]
struct Symbol<'a> {
    symbol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    users: &'a [String],
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    archs: Vec<String>,
    has: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spelled: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<&'a str>,
}

/// A note or a remedy: what kind, and what goes with it.
#[derive(Default, Serialize)]
struct Fact<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
}

/// Writes the object of `explain --json`.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn explain(log: &Log, diagnoses: &[Diagnosis], out: &mut impl Write) -> io::Result<()> {
    let count = |level| diagnoses.iter().filter(|one| one.level == level).count();
    let head = Head {
        schema: EXPLAIN_SCHEMA,
        line_count: log.lines,
        link_count: log.links.len(),
        error_count: count(Level::Error),
        warning_count: count(Level::Warning),
        left_out_count: log.left_out,
    };
    object(&head, diagnoses.iter().map(row), out)
}

fn row(diagnosis: &Diagnosis) -> Row<'_> {
    Row {
        level: diagnosis.level.name(),
        cause: diagnosis.cause.id(),
        lines: &diagnosis.lines,
        package: diagnosis.package.as_deref(),
        arch: diagnosis.arch.as_ref().map(Arch::to_string),
        subject: diagnosis.subject.as_deref(),
        symbols: diagnosis.symbols.iter().map(symbol).collect(),
        files: diagnosis.witnesses.iter().map(file).collect(),
        notes: diagnosis.notes.iter().map(note).collect(),
        remedies: diagnosis.remedies.iter().map(remedy).collect(),
    }
}

fn symbol(missing: &Missing) -> Symbol<'_> {
    Symbol {
        symbol: &missing.symbol,
        source: missing.source.as_deref(),
        users: &missing.users,
    }
}

fn file(witness: &Witness) -> File<'_> {
    let names = |archs: &[Arch]| archs.iter().map(Arch::to_string).collect();
    File {
        path: witness.path.display().to_string(),
        kind: witness.kind.map(crate::binary::linkable::Kind::name),
        archs: names(&witness.archs),
        has: names(&witness.has),
        spelled: witness.spelled.as_deref(),
        input: witness.input.as_ref().map(|input| match input {
            Input::File(path) => path.display().to_string(),
            Input::Library(name) => format!("-l{name}"),
            Input::Framework(name) => format!("-framework {name}"),
        }),
        unread: witness.unread.as_deref(),
    }
}

fn fact(kind: &'static str, value: Option<String>) -> Fact<'static> {
    Fact {
        kind,
        value,
        ..Fact::default()
    }
}

fn note(note: &Note) -> Fact<'_> {
    match note {
        Note::NoFolder(folder) => fact("folder-absent", Some(folder.display().to_string())),
        Note::NoLinkLine => fact("no-link-line", None),
        Note::NoSdk => fact("no-sdk", None),
        Note::ByName(flag) => fact("by-name", Some((*flag).to_owned())),
        Note::TakenFirst(flag) => fact("taken-first", Some(flag.clone())),
        Note::ByMessage => fact("by-message", None),
        Note::Message(text) => fact("message", Some(text.clone())),
        Note::At(place) => fact("at", Some(place.clone())),
        Note::Constraint(file, line) => Fact {
            reason: Some(line),
            ..fact("constraint", Some(file.clone()))
        },
        Note::ByItsName(file) => fact("by-its-name", Some(file.clone())),
        Note::WithheldSince(version) => fact("withheld", Some(version.clone())),
        Note::SymbolsLikely => fact("symbols-likely", None),
        Note::Homebrew => fact("homebrew", None),
        Note::LookedThrough(files, left) => Fact {
            count: Some(*files),
            value: (*left > 0).then(|| format!("{left} left out")),
            ..fact("looked-through", None)
        },
        Note::Broken(rule, follows) => Fact {
            reason: Some(follows),
            ..fact("rule-broken", Some(rule.clone()))
        },
        Note::Tried(path, why) => Fact {
            reason: Some(why),
            ..fact("tried", Some(path.clone()))
        },
        Note::RosettaSignals => fact("rosetta-signals", None),
        Note::OtherAbi => fact("other-abi", None),
        Note::Begins(text) => fact("begins", Some(text.clone())),
        Note::RequiredBy(name) => fact("required-by", Some(name.clone())),
        Note::Version(wanted, found) => Fact {
            reason: Some(found),
            ..fact("version", Some(wanted.clone()))
        },
        Note::SearchedAnyway(folder) => fact("searched-anyway", Some(folder.display().to_string())),
        Note::NotFound(library) => fact("not-found", Some(library.clone())),
        Note::MemoryKills(count) => Fact {
            count: usize::try_from(*count).ok(),
            ..fact("memory-kills", None)
        },
        Note::Senders => fact("senders", None),
        Note::OtherMachine(system, arch) => Fact {
            arch: Some(arch.to_string()),
            ..fact("other-machine", Some(system.clone()))
        },
    }
}

fn remedy(remedy: &Remedy) -> Fact<'_> {
    match remedy {
        Remedy::Flags(flags) => fact("add-flags", Some(flags.clone())),
        Remedy::CompilerFlags(flags) => fact("add-compiler-flags", Some(flags.clone())),
        Remedy::Compiler { command, package } => Fact {
            package: *package,
            ..fact("compiler", Some(command.clone()))
        },
        Remedy::WithCgo => fact("with-cgo", None),
        Remedy::WithoutCgo => fact("without-cgo", None),
        Remedy::BuildForSystem(os, arch) => Fact {
            arch: Some(arch.to_string()),
            ..fact("build-for-system", Some((*os).to_owned()))
        },
        Remedy::BuildFor(arch) => Fact {
            arch: Some(arch.to_string()),
            ..fact("build-for", None)
        },
        Remedy::Obtain {
            library,
            arch,
            command,
        } => Fact {
            arch: Some(arch.to_string()),
            command: command.as_deref(),
            ..fact("obtain", Some(library.clone()))
        },
        Remedy::MoveBehind(library) => fact("move-behind", Some(library.clone())),
        Remedy::ExternC(name) => fact("extern-c", Some(name.clone())),
        Remedy::Install { library, package } => Fact {
            package: *package,
            ..fact("install", Some(library.clone()))
        },
        Remedy::OtherVersion(library) => fact("other-version", Some(library.clone())),
        Remedy::WriteBody(symbol) => fact("write-body", Some(symbol.clone())),
        Remedy::Run(command) => Fact {
            command: Some(command),
            ..fact("run", None)
        },
        Remedy::Set { variable, value } => fact("set", Some(format!("{variable}={value}"))),
        Remedy::ShowLinkLine => Fact {
            command: Some("go build -ldflags=-v"),
            ..fact("show-link-line", None)
        },
        Remedy::NativeToolchain => fact("native-toolchain", None),
        Remedy::FewerAtOnce => Fact {
            command: Some("go build -p 1"),
            ..fact("fewer-at-once", None)
        },
        Remedy::GiveSdk(library) => fact("give-sdk", Some(library.clone())),
        Remedy::SearchFirst { folder, before } => Fact {
            before: Some(before.display().to_string()),
            ..fact("search-first", Some(folder.display().to_string()))
        },
        Remedy::Inspect(file) => fact("inspect", Some(file.clone())),
    }
}
