//! What `gotrace explain` says: what is wrong, how that is known, what helps.

use super::{Page, Tone};
use crate::analyze::explain::{Cause, Diagnosis, Level, Log, Missing, Note, Remedy, Witness};
use crate::binary::linkable::Arch;
use std::io;

/// Columns before a value.
const LABEL: usize = 10;
/// Symbols that are named; the rest is counted.
const MOST_SYMBOLS: usize = 6;

/// Writes the diagnoses of a log.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    log: &Log,
    diagnoses: &[Diagnosis],
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for (at, diagnosis) in diagnoses.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        one(diagnosis, page, out)?;
    }
    if diagnoses.is_empty() {
        match log.lines {
            0 => writeln!(out, "nothing to explain: there is no output")?,
            1 => writeln!(out, "nothing to explain in 1 line")?,
            lines => writeln!(out, "nothing to explain in {lines} lines")?,
        }
    }
    if log.left_out > 0 {
        writeln!(out, "{} more messages were not looked at", log.left_out)?;
    }
    Ok(())
}

fn one(diagnosis: &Diagnosis, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let tone = match diagnosis.level {
        Level::Error => Tone::Critical,
        Level::Warning => Tone::Warning,
    };
    let mark = format!("{}[{}]", diagnosis.level.name(), diagnosis.cause.id());
    let headline = page.paint(&page.safe(&headline(diagnosis)), Tone::Strong);
    writeln!(out, "{} {headline}", page.paint(&mark, tone))?;
    let mut rows = Rows { page, out };
    rows.row("package", diagnosis.package.clone())?;
    if !diagnosis.symbols.is_empty() {
        rows.rows("symbols", symbols(&diagnosis.symbols))?;
        rows.row("needed by", users(&diagnosis.symbols))?;
    }
    let witnesses = diagnosis.witnesses.iter();
    rows.rows("files", witnesses.map(|one| witness(one, diagnosis)))?;
    rows.rows("known", diagnosis.notes.iter().map(note))?;
    rows.rows("remedy", diagnosis.remedies.iter().map(remedy))?;
    let lines: Vec<String> = diagnosis.lines.iter().map(usize::to_string).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let word = if lines.len() == 1 { "line" } else { "lines" };
    rows.row("log", Some(format!("{word} {}", lines.join(", "))))
}

struct Rows<'a> {
    page: &'a Page,
    out: &'a mut dyn io::Write,
}

impl Rows<'_> {
    fn row(&mut self, label: &str, value: Option<String>) -> io::Result<()> {
        self.rows(label, value)
    }

    /// A row for each value, the label at the first.
    fn rows(&mut self, label: &str, values: impl IntoIterator<Item = String>) -> io::Result<()> {
        let mut label = label;
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            let label_text = self.page.paint(&format!("  {label:LABEL$}"), Tone::Dim);
            writeln!(self.out, "{label_text}{}", self.page.safe(&value))?;
            label = "";
        }
        Ok(())
    }
}

fn count(symbols: &[Missing], verb: &str) -> String {
    match symbols {
        [one] => format!("{} {verb}", shown(one)),
        many => format!("{} symbols {}", many.len(), plural(verb)),
    }
}

fn plural(verb: &str) -> &str {
    match verb {
        "is" => "are",
        "has" => "have",
        other => other,
    }
}

/// A symbol as the source calls it, where that is known.
fn shown(missing: &Missing) -> &str {
    missing.source.as_deref().unwrap_or(&missing.symbol)
}

/// What is wrong, in one sentence.
fn headline(diagnosis: &Diagnosis) -> String {
    let subject = diagnosis.subject.as_deref().unwrap_or("a program");
    let symbols = &diagnosis.symbols;
    let arch = diagnosis.arch.as_ref();
    let for_arch = arch.map_or_else(String::new, |arch| format!(" for {arch}"));
    let first = diagnosis.witnesses.first();
    let file = first.map_or_else(String::new, |one| one.path.display().to_string());
    match diagnosis.cause {
        Cause::NotLinked => format!("{} in no library of the link line", count(symbols, "is")),
        Cause::WrongSlice if symbols.is_empty() => {
            let has = first.map_or_else(String::new, |one| only_for(&one.archs));
            format!("{subject} {has}, and is needed{for_arch}")
        }
        Cause::WrongSlice => {
            let has = first.map_or_else(String::new, |one| only_for(&one.archs));
            let known = first.is_some_and(|one| !one.has.is_empty());
            let from = if known { "in" } else { "to come from" };
            format!(
                "{} {from} {file}, which {has}, and the link is{for_arch}",
                count(symbols, "is")
            )
        }
        Cause::SymbolAbsent if is_shadowed(diagnosis) => {
            let behind = diagnosis.witnesses.get(1);
            let behind = behind.map_or_else(String::new, |one| one.path.display().to_string());
            format!(
                "{} in {behind}, and the linker takes {file}",
                count(symbols, "is")
            )
        }
        Cause::SymbolAbsent => match first.filter(|one| !one.has.is_empty()) {
            Some(one) => format!(
                "{file} has a slice{for_arch} without {}, which is in that for {}",
                symbols.first().map_or("it", shown),
                list(&one.has)
            ),
            None => format!(
                "{} in none of the libraries of the link line, which are there{for_arch}",
                count(symbols, "is")
            ),
        },
        Cause::Order => format!(
            "{} in {file}, which comes before what needs it",
            count(symbols, "is")
        ),
        Cause::Hidden => format!(
            "{} in {file}, which keeps it to itself",
            count(symbols, "is")
        ),
        Cause::Spelling => format!(
            "{} in {file} by another spelling: one side is declared as C, the other one as C++",
            count(symbols, "is")
        ),
        Cause::Present => format!(
            "{} in {file} now: the log is of other files",
            count(symbols, "is")
        ),
        Cause::Unknown => format!("{} in nothing that was looked at", count(symbols, "is")),
        Cause::LibraryMissing => match symbols.len() {
            0 => format!("{subject} was not found{for_arch}"),
            1 => format!("{subject} was not found{for_arch}, and so a symbol is missing"),
            count => {
                format!("{subject} was not found{for_arch}, and so {count} symbols are missing")
            }
        },
        Cause::GoBodyMissing => format!(
            "{} declared in Go and written nowhere",
            count(symbols, "is")
        ),
        _ => headline_without_link(diagnosis, subject),
    }
}

/// Likewise, where nothing was linked, or a program was run.
fn headline_without_link(diagnosis: &Diagnosis, subject: &str) -> String {
    let arch = diagnosis.arch.as_ref();
    match diagnosis.cause {
        Cause::CompilerMissing => format!("the C compiler {subject} is not installed"),
        Cause::OtherTarget => {
            let compiler = diagnosis.subject.as_deref().unwrap_or_default();
            let compiler = format!("the C compiler {compiler}");
            let needed =
                arch.map_or_else(String::new, |arch| format!(", and the build is for {arch}"));
            format!("{} is one for another target{needed}", compiler.trim_end())
        }
        Cause::PkgConfigMissing => {
            format!("{subject} is not installed, which tells the flags of libraries")
        }
        Cause::PackageMissing => format!("pkg-config does not find {subject}.pc"),
        Cause::PackageVersion => format!("pkg-config finds another version of {subject}"),
        Cause::HeaderMissing => format!("the C compiler does not find {subject}"),
        Cause::CgoOff => format!("{subject} needs cgo, which is off"),
        Cause::FilesExcluded => format!("every Go file of {subject} is for another target"),
        Cause::NotLoaded => format!("the loader did not find {subject}"),
        Cause::LibraryBroken => format!("the loader found {subject}, and cannot load it"),
        Cause::VersionAbsent => format!("{subject} lacks a version that is asked for"),
        Cause::NotBound => {
            let symbols = count(&diagnosis.symbols, "is");
            match &diagnosis.subject {
                Some(library) => format!("{symbols} not in {library}, which was loaded for it"),
                None => format!("{symbols} in no library that was loaded"),
            }
        }
        Cause::KilledSignature => format!("the kernel killed {subject} for its code signature"),
        Cause::KilledMemory => {
            format!("the kernel killed {subject} for want of memory")
        }
        Cause::Killed => format!("{subject} was killed (SIGKILL), and nothing here tells by whom"),
        Cause::WrongCpu => {
            format!("{subject} is for another processor, and nothing here translates it")
        }
        Cause::WrongFormat => format!("{subject} is no program of this machine"),
        _ => "Rosetta failed while it ran a program".to_owned(),
    }
}

fn is_shadowed(diagnosis: &Diagnosis) -> bool {
    let mut notes = diagnosis.notes.iter();
    notes.any(|note| matches!(note, Note::TakenFirst(_)))
}

fn only_for(archs: &[Arch]) -> String {
    match archs {
        [] => "is for another architecture".to_owned(),
        [one] => format!("is for {one} alone"),
        many => format!("is for {}", list(many)),
    }
}

fn list(archs: &[Arch]) -> String {
    let names: Vec<String> = archs.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn symbols(symbols: &[Missing]) -> Vec<String> {
    let shown = symbols
        .iter()
        .take(MOST_SYMBOLS)
        .map(|one| match &one.source {
            Some(source) => format!("{} ({source})", one.symbol),
            None => one.symbol.clone(),
        });
    let mut rows: Vec<String> = shown.collect();
    if let Some(more @ 1..) = symbols.len().checked_sub(MOST_SYMBOLS) {
        rows.push(format!("and {more} more"));
    }
    rows
}

fn users(symbols: &[Missing]) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for user in symbols.iter().flat_map(|one| &one.users) {
        if !names.contains(&user.as_str()) {
            names.push(user);
        }
    }
    let more = names.len().saturating_sub(MOST_SYMBOLS);
    names.truncate(MOST_SYMBOLS);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (!names.is_empty()).then(|| names.join(", ") + &rest)
}

fn witness(one: &Witness, diagnosis: &Diagnosis) -> String {
    let mut said = Vec::new();
    if let Some(kind) = one.kind {
        said.push(match one.archs.as_slice() {
            [] => kind.name().to_owned(),
            archs => format!("{} for {}", kind.name(), list(archs)),
        });
    } else if !one.archs.is_empty() {
        said.push(format!("for {}", list(&one.archs)));
    }
    if let Some(why) = &one.unread {
        said.push(format!("not read: {why}"));
    } else if one.kind.is_some() && !diagnosis.symbols.is_empty() && is_asked(one, diagnosis) {
        let it = if diagnosis.symbols.len() == 1 {
            "it"
        } else {
            "them"
        };
        said.push(match (one.has.as_slice(), &one.spelled) {
            ([], Some(name)) => format!("has {name}"),
            ([], None) => format!("does not have {it}"),
            (has, _) if has.len() == one.archs.len() => format!("has {it}"),
            (has, _) => format!("has {it} for {}", list(has)),
        });
    }
    let path = one.path.display();
    if said.is_empty() {
        return path.to_string();
    }
    format!("{path}: {}", said.join(", "))
}

/// Files that were looked for as a library were not asked for its symbols.
fn is_asked(one: &Witness, diagnosis: &Diagnosis) -> bool {
    diagnosis.cause != Cause::LibraryMissing || !one.has.is_empty()
}

fn note(note: &Note) -> String {
    match note {
        Note::NoFolder(folder) => format!("{} is on the link line and does not exist", folder.display()),
        Note::NoLinkLine => "the log has no link line: only the folders of the system were searched".to_owned(),
        Note::NoSdk => "no SDK of macOS is here: its libraries were not looked into".to_owned(),
        Note::ByName(flag) => format!("by its name it is of {flag}, of which there is no file here"),
        Note::ByMessage => {
            "the linker passed the file over, and it is not here: that it has the symbols is likely, and not known"
                .to_owned()
        }
        Note::TakenFirst(flag) => format!("{flag} finds both, and the linker takes the first"),
        Note::Message(text) => text.clone(),
        Note::At(place) => format!("included at {place}"),
        Note::Constraint(file, line) => format!("{file}: {line}"),
        Note::ByItsName(file) => format!("{file}: its name may say for what it is"),
        Note::WithheldSince(version) => {
            format!("the library hides it ($ld$hide) from what is linked for macOS {version}, and for no other version")
        }
        Note::SymbolsLikely => "that the symbols are of this library is likely, and not known".to_owned(),
        Note::Homebrew => {
            "Homebrew's libraries are for one architecture: arm64 in /opt/homebrew, amd64 in /usr/local".to_owned()
        }
        Note::LookedThrough(files, 0) => format!("{files} libraries beside the link line were searched"),
        Note::LookedThrough(files, left) => {
            format!("{files} libraries beside the link line were searched, and {left} were not: too many bytes")
        }
        Note::Broken(rule, follows) => format!("it breaks the rule {rule}: {follows}"),
        Note::Tried(path, why) => format!("{path}: {why}"),
        Note::RosettaSignals => {
            "signals, which Go's runtime sends itself, make Rosetta lose its place (golang/go#68485)".to_owned()
        }
        Note::OtherAbi => "it is there for Go's other calling convention: assembly cannot be called by name from everywhere".to_owned(),
        Note::Begins(text) => format!("it begins with \"{text}\", which is no program"),
        Note::RequiredBy(name) => format!("{name} requires it"),
        Note::Version(wanted, found) => format!("{wanted} is asked for, and {found} is there"),
        Note::SearchedAnyway(folder) => format!(
            "compilers for this machine look in {} without being told: this one is for another target, or the header came later",
            folder.display()
        ),
        Note::NotFound(library) => format!("where the loader found {library} is not known: in no folder of the program's, of LD_LIBRARY_PATH here, or of the system"),
        Note::MemoryKills(1) => "the kernel killed a process for want of memory while the command ran".to_owned(),
        Note::MemoryKills(count) => format!("the kernel killed {count} processes for want of memory while the command ran"),
        Note::Senders => {
            "the kernel does so for want of memory, a container at its limit, a time-out, or somebody with kill -9".to_owned()
        }
        Note::OtherMachine(system, arch) => format!("it is a program for {system}; this machine is {arch}"),
    }
}

fn remedy(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Flags(flags) => {
            format!("add {flags}: \"#cgo LDFLAGS: {flags}\" in the package, or CGO_LDFLAGS=\"{flags}\" for one build")
        }
        Remedy::CompilerFlags(flags) => format!(
            "add {flags}: \"#cgo CFLAGS: {flags}\" in the package, or CGO_CFLAGS=\"{flags}\" for one build"
        ),
        Remedy::Compiler { command, package } => {
            let debian = package.map_or_else(String::new, |name| format!(", of Debian's package {name}"));
            format!("take one that does: CC=\"{command}\"{debian}")
        }
        Remedy::WithCgo => {
            "turn it on: CGO_ENABLED=1, and for another target a C compiler that compiles for it: CC=... (gotrace doctor says why it is off)"
                .to_owned()
        }
        Remedy::WithoutCgo => "or build without C, where all packages can do without: CGO_ENABLED=0".to_owned(),
        Remedy::BuildFor(arch) => format!("build for {arch} instead: GOARCH={arch}"),
        Remedy::BuildForSystem(os, arch) => {
            format!("build for this system instead: GOOS={os} GOARCH={arch}")
        }
        Remedy::Obtain {
            library,
            arch,
            command,
        } => match command {
            Some(command) => format!("get {library} for {arch}: {command}"),
            None => format!("get {library} for {arch}, and name its folder with -L before the others"),
        },
        Remedy::MoveBehind(library) => format!("put {library} behind what needs it: linkers read archives once"),
        Remedy::ExternC(name) => format!("declare {name} with extern \"C\" where C++ sees it"),
        Remedy::Install { library, package } => match package {
            Some(package) => format!("install what has {library}: apt-get install {package} (Debian's name)"),
            None => format!("install what has {library}"),
        },
        Remedy::OtherVersion(library) => format!("use a version of {library} that has it, or a header that fits the library"),
        Remedy::WriteBody(symbol) => {
            format!("write {symbol} in assembly for this GOARCH, or take its declaration away (see build tags)")
        }
        Remedy::Run(command) => command.clone(),
        Remedy::Set { variable, value } => format!("set it for one run: {variable}={value}"),
        Remedy::ShowLinkLine => "have the link line in the log: go build -ldflags=-v".to_owned(),
        Remedy::NativeToolchain => {
            "use a Go toolchain for this machine's own processor: gotrace doctor shows which one runs".to_owned()
        }
        Remedy::FewerAtOnce => "build less at once: go build -p 1, or give the machine more memory".to_owned(),
        Remedy::GiveSdk(library) => format!(
            "{library} is in the SDK of macOS: CGO_LDFLAGS=\"-L$SDKROOT/usr/lib\", with the SDK's folder in SDKROOT"
        ),
        Remedy::SearchFirst { folder, before } => {
            let (folder, before) = (folder.display(), before.display());
            format!("put -L{folder} before -L{before}, or take -L{before} away")
        }
        Remedy::Inspect(file) => format!("gotrace inspect --check {file}"),
    }
}
