//! Undefined symbols: who has them, and why the linker did not take them from there.

use super::inquiry::About;
use super::log::{What, without_member};
use super::{Cause, Diagnosis, Level, Missing, Note, Remedy, Witness, known, spelling};
use crate::binary::linkable::{Arch, Format, Has, Kind};
use crate::environment::link::{Elsewhere, Found, Input, Resolved};

/// Lines of the log that a diagnosis names.
const MOST_LINES: usize = 20;
/// Libraries that are named where none is to blame more than the others.
const MOST_WITNESSES: usize = 8;
/// Libraries elsewhere that are named beside the best one.
const MOST_PROVIDERS: usize = 3;

/// Judges the symbols of an inquiry. Files that are to blame for some are added to `blamed`.
pub(super) fn judge(about: &About<'_>, blamed: &mut Vec<String>) -> Vec<Diagnosis> {
    let mut found: Vec<(Verdict, Diagnosis)> = Vec::new();
    for (symbol, &number) in about.inquiry.of_symbols.iter().enumerate() {
        let Some(problem) = about.problem(number) else {
            continue;
        };
        let name = about.inquiry.symbols.get(symbol).map_or("", String::as_str);
        let users = match &problem.what {
            What::Undefined { users, .. } => {
                users.iter().map(|user| spelling::user(user)).collect()
            }
            _ => Vec::new(),
        };
        let missing = Missing {
            symbol: name.to_owned(),
            source: spelling::in_source(name),
            users,
        };
        let judge = Judge {
            about,
            symbol,
            name,
        };
        let verdict = match &problem.what {
            What::NotOnLine {
                library: Some(path),
                ..
            } => judge.not_on_line(path),
            _ => judge.verdict(),
        };
        let same = found
            .iter_mut()
            .find(|(known, one)| *known == verdict && one.package == problem.package);
        match same {
            Some((_, diagnosis)) => {
                diagnosis.symbols.push(missing);
                if diagnosis.lines.len() < MOST_LINES {
                    diagnosis.lines.push(problem.at);
                }
            }
            None => {
                let diagnosis = Diagnosis {
                    arch: about.inquiry.arch.clone(),
                    symbols: vec![missing],
                    ..Diagnosis::new(Level::Error, verdict.cause, problem)
                };
                found.push((verdict, diagnosis));
            }
        }
    }
    let finished = found.into_iter().map(|(verdict, mut diagnosis)| {
        if verdict.cause == Cause::WrongSlice {
            blamed.extend(
                verdict
                    .witnesses
                    .iter()
                    .map(|one| one.path.display().to_string()),
            );
        }
        diagnosis.witnesses = verdict.witnesses;
        diagnosis.remedies = verdict.remedies;
        diagnosis.notes = verdict.notes;
        diagnosis.notes.extend(about.shortcomings(verdict.cause));
        diagnosis
    });
    finished.collect()
}

/// What is found of one symbol; symbols of which the same is found are one diagnosis.
#[derive(Debug, PartialEq)]
struct Verdict {
    cause: Cause,
    witnesses: Vec<Witness>,
    remedies: Vec<Remedy>,
    notes: Vec<Note>,
}

impl About<'_> {
    /// What could not be looked at, where that matters.
    fn shortcomings(&self, cause: Cause) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.inquiry.link.is_none() {
            notes.push(Note::NoLinkLine);
        }
        let absent = self.survey.absent.iter().cloned();
        notes.extend(absent.map(Note::NoFolder));
        if matches!(cause, Cause::Unknown | Cause::SymbolAbsent) {
            if self.inquiry.format == Format::MachO && self.survey.sdk.is_none() {
                notes.push(Note::NoSdk);
            }
            let (looked, left) = (self.survey.looked_through, self.survey.left_out);
            if looked + left > 0 {
                notes.push(Note::LookedThrough(looked, left));
            }
        }
        notes
    }
}

struct Judge<'a> {
    about: &'a About<'a>,
    symbol: usize,
    name: &'a str,
}

impl Judge<'_> {
    fn arch(&self) -> Option<&Arch> {
        self.about.inquiry.arch.as_ref()
    }

    fn verdict(&self) -> Verdict {
        self.on_the_line()
            .or_else(|| self.not_linked())
            .or_else(|| self.by_message())
            .or_else(|| self.elsewhere())
            .or_else(|| self.by_name())
            .unwrap_or_else(|| self.nowhere())
    }

    /// The linker itself named the library: one that a library of the line needs.
    fn not_on_line(&self, path: &str) -> Verdict {
        let found = Elsewhere::named(path.into(), &self.about.survey.folders);
        Verdict {
            cause: Cause::NotLinked,
            witnesses: vec![Witness::named(path, Vec::new(), None)],
            remedies: to_link(&found),
            notes: Vec::new(),
        }
    }

    /// Files of the line, with the input that leads to each.
    fn inputs(&self) -> impl Iterator<Item = (&Resolved, &Found)> {
        let inputs = self.about.survey.inputs.iter();
        inputs.flat_map(|input| {
            let files = input.files.iter().chain(&input.hidden);
            files.map(move |found| (input, found))
        })
    }

    fn on_the_line(&self) -> Option<Verdict> {
        let arch = self.arch();
        let defines = |found: &&Found| found.defines(self.symbol, arch);
        for input in &self.about.survey.inputs {
            if let Some(found) = input.files.iter().find(defines) {
                return Some(self.present(input, found));
            }
        }
        for input in &self.about.survey.inputs {
            if let Some(found) = input.hidden.iter().find(defines) {
                return self.shadowed(input, found);
            }
        }
        let has = |found: &Found, wanted: fn(&Has) -> bool| {
            let mut parts = found.parts_for(arch);
            parts.any(|part| part.has(self.symbol).is_some_and(wanted))
        };
        let spelled = |has: &Has| matches!(has, Has::Spelled(_));
        if let Some((input, found)) = self.inputs().find(|(_, found)| has(found, spelled)) {
            let witness = self.witness(found, Some(input));
            let declared = witness.spelled.clone().unwrap_or_default();
            return Some(Verdict {
                cause: Cause::Spelling,
                witnesses: vec![witness],
                remedies: vec![Remedy::ExternC(declared)],
                notes: Vec::new(),
            });
        }
        // Of another architecture.
        let other = |&(_, found): &(&Resolved, &Found)| found.defines(self.symbol, None);
        if let Some((input, found)) = self.inputs().find(other) {
            let witness = self.witness(found, Some(input));
            return Some(self.for_others(found, witness));
        }
        let withheld = |has: &Has| *has == Has::Withheld;
        if let Some((input, found)) = self.inputs().find(|(_, found)| has(found, withheld)) {
            let minimum = self.about.inquiry.line.minimum.clone();
            return Some(Verdict {
                cause: Cause::Hidden,
                witnesses: vec![self.witness(found, Some(input))],
                remedies: vec![Remedy::OtherVersion(file_name(found))],
                notes: minimum.map(Note::WithheldSince).into_iter().collect(),
            });
        }
        let hidden = |has: &Has| *has == Has::Hidden;
        let shared =
            |found: &Found| matches!(&found.content, Ok(content) if content.kind == Kind::Shared);
        let hidden = self
            .inputs()
            .find(|(_, found)| shared(found) && has(found, hidden));
        hidden.map(|(input, found)| Verdict {
            cause: Cause::Hidden,
            witnesses: vec![self.witness(found, Some(input))],
            remedies: vec![Remedy::OtherVersion(file_name(found))],
            notes: Vec::new(),
        })
    }

    /// A file of the line has it for the architecture.
    fn present(&self, input: &Resolved, found: &Found) -> Verdict {
        let archive = matches!(&found.content, Ok(content) if content.kind == Kind::Archive);
        let ordered = archive && self.about.inquiry.format == Format::Elf;
        let remedies = if ordered {
            vec![Remedy::MoveBehind(as_flag(&input.input))]
        } else {
            Vec::new()
        };
        Verdict {
            cause: if ordered {
                Cause::Order
            } else {
                Cause::Present
            },
            witnesses: vec![self.witness(found, Some(input))],
            remedies,
            notes: Vec::new(),
        }
    }

    /// A file that has it comes later in the search than one of the same name that has it not.
    fn shadowed(&self, input: &Resolved, found: &Found) -> Option<Verdict> {
        let taken = input.files.first()?;
        let folder = |found: &Found| found.path.parent().map(std::path::Path::to_owned);
        let wrong = taken.parts_for(self.arch()).next().is_none();
        Some(Verdict {
            cause: if wrong {
                Cause::WrongSlice
            } else {
                Cause::SymbolAbsent
            },
            witnesses: vec![
                self.witness(taken, Some(input)),
                self.witness(found, Some(input)),
            ],
            remedies: vec![Remedy::SearchFirst {
                folder: folder(found)?,
                before: folder(taken)?,
            }],
            notes: vec![Note::TakenFirst(as_flag(&input.input))],
        })
    }

    fn absent(&self, witnesses: Vec<Witness>, path: &std::path::Path) -> Verdict {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut remedies = vec![Remedy::OtherVersion(name.into_owned())];
        let mut has = witnesses.iter().flat_map(|one| &one.has);
        let buildable = has.find(|arch| matches!(arch, Arch::Amd64 | Arch::Arm64));
        remedies.extend(buildable.cloned().map(Remedy::BuildFor));
        Verdict {
            cause: Cause::SymbolAbsent,
            witnesses,
            remedies,
            notes: Vec::new(),
        }
    }

    fn wrong_slice(&self, found: &Found, witness: Witness) -> Verdict {
        let path = found.path.display().to_string();
        let (remedies, notes) = for_other_arch(&path, &witness.archs, self.arch());
        Verdict {
            cause: Cause::WrongSlice,
            witnesses: vec![witness],
            remedies,
            notes,
        }
    }

    /// Libraries that are not on the line and have it for an architecture, the best first.
    fn having(&self, arch: Option<&Arch>) -> Vec<&Elsewhere> {
        let all = self.about.survey.elsewhere.iter();
        let mut having: Vec<&Elsewhere> = all
            .filter(|one| one.found.defines(self.symbol, arch))
            .collect();
        having.sort_by_key(|one| self.distance(one));
        having
    }

    fn not_linked(&self) -> Option<Verdict> {
        let fitting = self.having(self.arch());
        let best = fitting.first()?;
        let witnesses = fitting.iter().take(MOST_PROVIDERS);
        Some(Verdict {
            cause: Cause::NotLinked,
            witnesses: witnesses
                .map(|one| self.witness(&one.found, None))
                .collect(),
            remedies: to_link(best),
            notes: Vec::new(),
        })
    }

    /// A library that is not on the line has it for other architectures.
    fn elsewhere(&self) -> Option<Verdict> {
        let others = self.having(None);
        let found = &others.first()?.found;
        Some(self.for_others(found, self.witness(found, None)))
    }

    /// A file has it for other architectures: it has no slice for this one, or has it not there.
    fn for_others(&self, found: &Found, witness: Witness) -> Verdict {
        if found.parts_for(self.arch()).next().is_some() {
            self.absent(vec![witness], &found.path)
        } else {
            self.wrong_slice(found, witness)
        }
    }

    /// How far a library is from being what the user wants: it can be linked, is known to have the
    /// symbol, is in a folder that is searched, is a shared one, and has many of the symbols.
    fn distance(&self, one: &Elsewhere) -> (bool, bool, bool, bool, usize, usize) {
        let known = known::library(self.name, self.about.inquiry.format);
        let flag = known.and_then(|known| known.flag(self.about.inquiry.format));
        let own = one.input.as_ref().map(as_flag);
        let archive = matches!(&one.found.content, Ok(content) if content.kind == Kind::Archive);
        let count = self.about.inquiry.symbols.len();
        let lacks = (0..count)
            .filter(|&symbol| !one.found.defines(symbol, self.arch()))
            .count();
        (
            one.input.is_none(),
            flag.is_none() || own.as_deref() != flag,
            archive,
            one.folder.is_some(),
            lacks,
            one.found.path.as_os_str().len(),
        )
    }

    /// The linker said that it ignored a file, and the file is not here to be looked into.
    fn by_message(&self) -> Option<Verdict> {
        let link = self.about.inquiry.link;
        let problems = self.about.log.problems.iter();
        let mut ignored = problems
            .filter(|problem| problem.link == link)
            .filter_map(|problem| match &problem.what {
                What::WrongFile {
                    path,
                    found,
                    fatal: false,
                    ..
                } => Some((without_member(path), found)),
                _ => None,
            });
        let (path, archs) = ignored.find(|(path, _)| {
            // A file that was read, and has it for no architecture, is not to blame.
            let mut read = self.inputs().filter(|(_, found)| found.content.is_ok());
            !read.any(|(_, found)| found.path.as_os_str() == *path)
        })?;
        let (remedies, mut notes) = for_other_arch(path, archs, self.arch());
        notes.push(Note::ByMessage);
        Some(Verdict {
            cause: Cause::WrongSlice,
            witnesses: vec![Witness::named(path, archs.clone(), None)],
            remedies,
            notes,
        })
    }

    /// The name tells the library, of which there is no file here.
    fn by_name(&self) -> Option<Verdict> {
        let format = self.about.inquiry.format;
        let source = spelling::in_source(self.name);
        let known = known::library(self.name, format);
        let known = known.or_else(|| known::library(source.as_deref()?, Format::Elf))?;
        let flag = known.flag(format)?;
        let asked = self.about.inquiry.line.inputs.iter().map(as_flag);
        if asked.into_iter().any(|asked| asked == flag) {
            return None;
        }
        let mut remedies = vec![Remedy::Flags(flag.to_owned())];
        if format == Format::Elf && known.package.is_some() {
            remedies.push(Remedy::Install {
                library: flag.to_owned(),
                package: known.package,
            });
        }
        Some(Verdict {
            cause: Cause::NotLinked,
            witnesses: Vec::new(),
            remedies,
            notes: vec![Note::ByName(flag)],
        })
    }

    /// Nobody has it: the libraries that the user put on the line are shown, for one of them was
    /// to have it.
    fn nowhere(&self) -> Verdict {
        let explicit = self.inputs().filter(|(input, _)| {
            !input.implied && matches!(input.input, Input::Library(_) | Input::Framework(_))
        });
        let explicit = explicit.filter(|(_, found)| !is_of_system(found));
        let mut witnesses: Vec<Witness> = Vec::new();
        for (input, found) in explicit.take(MOST_WITNESSES) {
            witnesses.push(self.witness(found, Some(input)));
        }
        let fitting = witnesses.iter().find(|one| {
            self.arch().is_none_or(|arch| one.archs.contains(arch)) && one.unread.is_none()
        });
        if let Some(fitting) = fitting.map(|one| one.path.clone()) {
            return self.absent(witnesses, &fitting);
        }
        let remedies = match self.about.inquiry.link {
            None => vec![Remedy::ShowLinkLine],
            Some(_) => Vec::new(),
        };
        Verdict {
            cause: Cause::Unknown,
            witnesses,
            remedies,
            notes: Vec::new(),
        }
    }

    fn witness(&self, found: &Found, input: Option<&Resolved>) -> Witness {
        let archs = found.archs();
        let has = archs
            .iter()
            .filter(|arch| found.defines(self.symbol, Some(arch)));
        let content = found.content.as_ref();
        let parts = content.map_or(&[][..], |content| &content.parts);
        let spelled = parts.iter().find_map(|part| match part.has(self.symbol) {
            Some(Has::Spelled(name)) => Some(name.clone()),
            _ => None,
        });
        Witness {
            path: found.path.clone(),
            kind: content.ok().map(|content| content.kind),
            has: has.cloned().collect(),
            archs,
            spelled,
            input: input.map(|input| input.input.clone()),
            unread: content.err().cloned(),
        }
    }
}

/// The C library and what comes with compilers: nobody expects a user's symbol there.
fn is_of_system(found: &Found) -> bool {
    const SYSTEM: [&str; 9] = [
        "libc",
        "libm",
        "libpthread",
        "libdl",
        "librt",
        "libresolv",
        "libSystem",
        "libgcc",
        "libgcc_s",
    ];
    let name = file_name(found);
    let name = name.split('.').next().unwrap_or_default();
    SYSTEM.contains(&name)
}

fn file_name(found: &Found) -> String {
    let name = found.path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// An input as it is written on the line.
pub(super) fn as_flag(input: &Input) -> String {
    match input {
        Input::File(path) => path.display().to_string(),
        Input::Library(name) => format!("-l{name}"),
        Input::Framework(name) => format!("-framework {name}"),
    }
}

/// What links a library that is not on the line.
pub(super) fn to_link(one: &Elsewhere) -> Vec<Remedy> {
    let path = one.found.path.display().to_string();
    let Some(input) = &one.input else {
        let library = path.rsplit('/').next().unwrap_or(&path).to_owned();
        // `libz.so` is for linking, `libz.so.1` for running.
        let library = match library.split_once(".so.") {
            Some((name, _)) => format!("{name}.so"),
            None => library,
        };
        let name = library.strip_prefix("lib").unwrap_or(&library);
        let name = name.split('.').next().unwrap_or(name);
        return vec![Remedy::Install {
            package: known::package(name),
            library,
        }];
    };
    let flag = as_flag(input);
    vec![Remedy::Flags(match &one.folder {
        Some(folder) => format!("-L{} {flag}", folder.display()),
        None => flag,
    })]
}

/// What helps where a library is for other architectures.
pub(super) fn for_other_arch(
    path: &str,
    archs: &[Arch],
    wanted: Option<&Arch>,
) -> (Vec<Remedy>, Vec<Note>) {
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let (mut remedies, mut notes) = (Vec::new(), Vec::new());
    let homebrew = ["/opt/homebrew/", "/usr/local/Cellar/", "/usr/local/opt/"];
    let of_homebrew = homebrew.iter().any(|folder| path.starts_with(folder));
    if of_homebrew {
        notes.push(Note::Homebrew);
    }
    if let Some(arch) = wanted {
        let brew = match arch {
            Arch::Amd64 => "arch -x86_64 /usr/local/bin/brew install",
            _ => "/opt/homebrew/bin/brew install",
        };
        remedies.push(Remedy::Obtain {
            library: name,
            arch: arch.clone(),
            command: formula(path).map(|formula| format!("{brew} {formula}")),
        });
    }
    // Programs are built for arm64, and not for arm64e.
    let other = archs
        .iter()
        .find(|arch| matches!(arch, Arch::Amd64 | Arch::Arm64));
    remedies.extend(
        other
            .filter(|arch| Some(*arch) != wanted)
            .cloned()
            .map(Remedy::BuildFor),
    );
    (remedies, notes)
}

/// `zlib` of `/opt/homebrew/opt/zlib/lib/libz.dylib`.
fn formula(path: &str) -> Option<&str> {
    let rest = [
        "/opt/homebrew/opt/",
        "/usr/local/opt/",
        "/opt/homebrew/Cellar/",
        "/usr/local/Cellar/",
    ]
    .iter()
    .find_map(|folder| path.strip_prefix(folder))?;
    rest.split('/').next()
}
