//! Programs that did not start or were killed, and what the go command itself misses.

use super::inquiry::Here;
use super::log::{Log, Problem, What};
use super::undefined::for_other_arch;
use super::{Answers, Cause, Diagnosis, Level, Note, Program, Remedy, Witness, spelling};
use crate::analyze::doctor::quoted;
use crate::binary::linkable::{Arch, Format, Kind};
use crate::environment::link::Needed;

/// Judges what is no matter of link lines.
pub(super) fn judge(log: &Log, answers: &Answers, here: &Here) -> Vec<Diagnosis> {
    let problems = log.problems.iter();
    let judge = Judge { log, answers, here };
    problems.filter_map(|problem| judge.one(problem)).collect()
}

struct Judge<'a> {
    log: &'a Log,
    answers: &'a Answers,
    here: &'a Here,
}

impl Judge<'_> {
    fn one(&self, problem: &Problem) -> Option<Diagnosis> {
        let new = |cause| Diagnosis::new(Level::Error, cause, problem);
        Some(match &problem.what {
            What::GoUndefined {
                symbol,
                user,
                other_abi,
            } => Diagnosis {
                symbols: vec![super::Missing {
                    symbol: symbol.clone(),
                    source: spelling::in_source(symbol),
                    users: vec![user.clone()],
                }],
                notes: other_abi.then_some(Note::OtherAbi).into_iter().collect(),
                remedies: vec![Remedy::WriteBody(symbol.clone())],
                ..new(Cause::GoBodyMissing)
            },
            What::NotLoaded {
                library,
                user,
                tried,
            } => self.not_loaded(new(Cause::NotLoaded), library, user.as_deref(), tried),
            What::NotBound {
                symbol,
                user,
                file,
                library,
            } => {
                let diagnosis = Diagnosis {
                    symbols: vec![super::Missing {
                        symbol: symbol.clone(),
                        source: spelling::in_source(symbol),
                        users: user.iter().cloned().collect(),
                    }],
                    subject: library.clone(),
                    ..new(Cause::NotBound)
                };
                self.not_bound(diagnosis, symbol, file.as_deref())
            }
            What::NoVersion {
                library,
                version,
                user,
            } => self.other_version(new(Cause::VersionAbsent), library, version, user),
            What::Killed {
                program,
                signature,
                macos,
            } => self.killed(problem, program.as_deref(), *signature, *macos),
            What::BadCpu(program) => self.wrong_cpu(new(Cause::WrongCpu), program.as_deref()),
            What::BadFormat(program) => {
                self.wrong_format(new(Cause::WrongFormat), program.as_deref())
            }
            What::Translator(message) => Diagnosis {
                notes: vec![Note::Message(message.clone()), Note::RosettaSignals],
                remedies: vec![
                    Remedy::NativeToolchain,
                    Remedy::Run("GODEBUG=asyncpreemptoff=1 go build ./...".to_owned()),
                ],
                ..new(Cause::Translator)
            },
            What::Undefined { .. }
            | What::WrongFile { .. }
            | What::NoLibrary(_)
            | What::NoCompiler(_)
            | What::NoPkgConfig { .. }
            | What::NoPackage { .. }
            | What::NoHeader { .. }
            | What::OtherTarget { .. }
            | What::NoFiles { .. }
            | What::NotOnLine { .. } => {
                return None;
            }
        })
    }

    fn program(&self, path: Option<&str>) -> Option<&Program> {
        let path = path?;
        self.answers
            .programs
            .iter()
            .find(|program| program.path == path && program.read)
    }

    fn witness(program: &Program) -> Witness {
        Witness::named(&program.path, program.archs.clone(), None)
    }

    fn not_loaded(
        &self,
        mut diagnosis: Diagnosis,
        library: &str,
        user: Option<&str>,
        tried: &[(String, String)],
    ) -> Diagnosis {
        diagnosis.subject = Some(library.to_owned());
        let tried = tried.iter();
        diagnosis.notes = tried
            .clone()
            .map(|(path, why)| Note::Tried(path.clone(), why.clone()))
            .collect();
        let read = tried
            .clone()
            .filter_map(|(path, _)| self.program(Some(path)));
        diagnosis.witnesses = read.map(Self::witness).collect();
        // `(have 'arm64', need 'x86_64')`
        let word = |text: &str, mark: &str| {
            let rest = text.split_once(mark)?.1;
            rest.split('\'').next().map(str::to_owned)
        };
        let other = tried.clone().find_map(|(path, why)| {
            let have = word(why, "have '")?;
            Some((path, have, word(why, "need '")?))
        });
        if let Some((path, have, need)) = other {
            let have: Vec<Arch> = have.split(',').map(Arch::parse).collect();
            let need = Arch::parse(&need);
            let (remedies, notes) = for_other_arch(path, &have, Some(&need));
            diagnosis.cause = Cause::WrongSlice;
            diagnosis.arch = Some(need);
            diagnosis.remedies = remedies;
            diagnosis.notes.extend(notes);
            if diagnosis.witnesses.is_empty() {
                diagnosis.witnesses.push(Self::witness(&Program {
                    path: path.clone(),
                    archs: have,
                    ..Program::default()
                }));
            }
            return diagnosis;
        }
        let name = library.rsplit('/').next().unwrap_or(library);
        // ld.so opened it, and it is no library.
        let of_linux = tried.clone().all(|(path, _)| path == library);
        if of_linux
            && tried
                .clone()
                .any(|(_, why)| !why.starts_with("cannot open"))
        {
            diagnosis.cause = Cause::LibraryBroken;
            diagnosis.remedies.push(Remedy::Install {
                library: name.to_owned(),
                package: None,
            });
            return diagnosis;
        }
        let signed = tried
            .clone()
            .find(|(_, why)| why.contains("code signature"));
        if let Some((path, _)) = signed {
            diagnosis
                .remedies
                .push(Remedy::Run(format!("codesign --force --sign - {path}")));
        } else if let Some(rest) = library.strip_prefix("@rpath/") {
            let program = user.unwrap_or("PROGRAM");
            diagnosis
                .remedies
                .push(Remedy::Flags(format!("-Wl,-rpath,FOLDER_OF_{rest}")));
            diagnosis.remedies.push(Remedy::Inspect(program.to_owned()));
        } else {
            diagnosis
                .remedies
                .extend(self.have_found(name, &mut diagnosis.witnesses));
        }
        diagnosis
    }

    /// How a loader finds a library, which may be there.
    fn have_found(&self, name: &str, witnesses: &mut Vec<Witness>) -> Vec<Remedy> {
        let mut found = self.answers.libraries.iter();
        let found = found.find(|(known, _)| known == name);
        let Some((folders, first)) = found.and_then(|(_, all)| Some((all, all.first()?))) else {
            return vec![Remedy::Install {
                library: name.to_owned(),
                package: None,
            }];
        };
        witnesses.extend(folders.iter().map(|folder| {
            let path = folder.path.join(name).display().to_string();
            Witness::named(&path, Vec::new(), None)
        }));
        if first.of_system {
            return vec![Remedy::Run("sudo ldconfig".to_owned())];
        }
        let folder = first.path.display();
        vec![
            Remedy::Flags(format!("-Wl,-rpath,{folder}")),
            Remedy::Set {
                variable: "LD_LIBRARY_PATH",
                value: folder.to_string(),
            },
        ]
    }

    /// A library that was made before the version that is asked for.
    fn other_version(
        &self,
        mut diagnosis: Diagnosis,
        library: &str,
        version: &str,
        user: &str,
    ) -> Diagnosis {
        let known = self.answers.versions.iter();
        let there = known.clone().find(|(path, _)| path == library);
        let there = there.map(|(_, versions)| versions.join(", "));
        diagnosis.subject = Some(library.to_owned());
        diagnosis.notes = vec![Note::RequiredBy(user.to_owned())];
        diagnosis
            .notes
            .extend(there.map(|there| Note::Version(version.to_owned(), there)));
        diagnosis.remedies = vec![Remedy::OtherVersion(library.to_owned())];
        if version.starts_with("GLIBC_") {
            diagnosis.remedies.push(Remedy::WithoutCgo);
        }
        diagnosis
    }

    /// Which library was to have a symbol: the one that is named, that of its version, or the one that may
    /// be, beside those of the system.
    fn not_bound(&self, mut diagnosis: Diagnosis, symbol: &str, file: Option<&str>) -> Diagnosis {
        let needs = self.answers.needs.iter();
        let needs = needs
            .clone()
            .find(|needs| Some(needs.file.as_str()) == file && needs.symbol == symbol);
        if let Some(needs) = needs {
            let own = |one: &&Needed| !one.of_system;
            let suspects: Vec<&Needed> = match &needs.by_version {
                Some(library) => needs
                    .libraries
                    .iter()
                    .filter(|one| one.name == *library)
                    .collect(),
                None => needs.libraries.iter().filter(own).collect(),
            };
            let named = |one: &&Needed| match &one.path {
                Some(path) => path.display().to_string(),
                None => one.name.clone(),
            };
            // One that has the symbol is not the one that was loaded.
            if let [one] = suspects.as_slice()
                && !one.has
            {
                diagnosis.subject = diagnosis.subject.or_else(|| Some(named(one)));
            }
            let there = suspects
                .iter()
                .filter_map(|one| Some((one, one.path.as_ref()?)));
            diagnosis.witnesses = there
                .map(|(one, path)| Witness {
                    kind: Some(Kind::Shared),
                    archs: vec![self.here.arch.clone()],
                    has: one
                        .has
                        .then(|| self.here.arch.clone())
                        .into_iter()
                        .collect(),
                    ..Witness::named(&path.display().to_string(), Vec::new(), None)
                })
                .collect();
            let missing = suspects.iter().filter(|one| one.path.is_none());
            diagnosis.notes = missing
                .map(|one| Note::NotFound(one.name.clone()))
                .collect();
        }
        let user = diagnosis.symbols.first().and_then(|one| one.users.first());
        diagnosis.remedies = match (&diagnosis.subject, user) {
            (Some(library), _) => vec![Remedy::OtherVersion(library.clone())],
            // What is loaded says the loader itself.
            (None, Some(user)) if needs.is_some() => {
                let program = user.split(" (").next().unwrap_or(user);
                vec![Remedy::Run(format!("LD_DEBUG=libs {}", quoted(program)))]
            }
            (None, _) => Vec::new(),
        };
        diagnosis
    }

    fn killed(
        &self,
        problem: &Problem,
        path: Option<&str>,
        signature: bool,
        macos: Option<bool>,
    ) -> Diagnosis {
        let macos = macos.unwrap_or(self.here.format == Format::MachO);
        let program = self.program(path);
        let broken = program.is_some_and(|program| !program.broken.is_empty());
        let cause = if signature || broken || (macos && self.tells_of_signature()) {
            Cause::KilledSignature
        } else if self.log.out_of_memory.is_some() || self.answers.memory_kills > 0 {
            Cause::KilledMemory
        } else {
            Cause::Killed
        };
        let mut diagnosis = Diagnosis {
            subject: path.map(str::to_owned),
            witnesses: program.map(Self::witness).into_iter().collect(),
            ..Diagnosis::new(Level::Error, cause, problem)
        };
        match cause {
            Cause::KilledMemory => {
                let line = self.log.out_of_memory.clone();
                diagnosis.notes.extend(line.map(Note::Message));
                let kills = Some(self.answers.memory_kills).filter(|&kills| kills > 0);
                diagnosis.notes.extend(kills.map(Note::MemoryKills));
                diagnosis.remedies.push(Remedy::FewerAtOnce);
                return diagnosis;
            }
            Cause::Killed => {
                diagnosis.notes.push(Note::Senders);
                diagnosis.remedies.push(match (macos, path) {
                    (true, Some(path)) => Remedy::Inspect(path.to_owned()),
                    (true, None) => Remedy::Run(
                        "log show --last 10m | grep -i \"code sign\\|jetsam\"".to_owned(),
                    ),
                    (false, _) => Remedy::Run("sudo dmesg | grep -i \"killed process\"".to_owned()),
                });
                return diagnosis;
            }
            _ => {}
        }
        if let Some(program) = program {
            let broken = program.broken.iter().cloned();
            diagnosis
                .notes
                .extend(broken.map(|(rule, follows)| Note::Broken(rule, follows)));
        }
        let named = path.unwrap_or("PROGRAM");
        diagnosis
            .remedies
            .push(Remedy::Run(format!("codesign --force --sign - {named}")));
        if program.is_none() {
            diagnosis.remedies.push(Remedy::Inspect(named.to_owned()));
        }
        diagnosis
    }

    /// Whether any message is about a signature.
    fn tells_of_signature(&self) -> bool {
        let mut problems = self.log.problems.iter();
        problems.any(|problem| {
            matches!(
                problem.what,
                What::Killed {
                    signature: true,
                    ..
                }
            )
        })
    }

    fn wrong_cpu(&self, mut diagnosis: Diagnosis, path: Option<&str>) -> Diagnosis {
        diagnosis.subject = path.map(str::to_owned);
        let program = self.program(path);
        diagnosis.witnesses = program.map(Self::witness).into_iter().collect();
        let archs = program.map_or(&[][..], |program| &program.archs);
        // An Apple Silicon machine runs amd64 by Rosetta, an Intel one never runs arm64.
        if !archs.contains(&Arch::Arm64) || archs.is_empty() {
            diagnosis
                .remedies
                .push(Remedy::Run("softwareupdate --install-rosetta".to_owned()));
        }
        let own = match archs.first() {
            Some(Arch::Amd64) => Some(Arch::Arm64),
            Some(Arch::Arm64 | Arch::Arm64e) => Some(Arch::Amd64),
            _ => None,
        };
        diagnosis.remedies.extend(own.map(Remedy::BuildFor));
        diagnosis
    }

    fn wrong_format(&self, mut diagnosis: Diagnosis, path: Option<&str>) -> Diagnosis {
        diagnosis.subject = path.map(str::to_owned);
        // What the go command runs, and did not build.
        let of_toolchain = path.is_some_and(|path| path.contains("/pkg/tool/"));
        let program = self.program(path);
        let build = match program.and_then(|program| program.format) {
            _ if of_toolchain => Remedy::NativeToolchain,
            Some(format) if format != self.here.format => {
                Remedy::BuildForSystem(self.here.system(), self.here.arch.clone())
            }
            _ => Remedy::BuildFor(self.here.arch.clone()),
        };
        let Some(program) = program else {
            diagnosis.remedies.push(build);
            return diagnosis;
        };
        diagnosis.witnesses = vec![Self::witness(program)];
        if program.is_for_windows() {
            let note = Note::OtherMachine("Windows".to_owned(), self.here.arch.clone());
            diagnosis.notes.push(note);
            let build = Remedy::BuildForSystem(self.here.system(), self.here.arch.clone());
            diagnosis.remedies.push(build);
            return diagnosis;
        }
        if let Some(begins) = &program.begins {
            diagnosis.notes.push(Note::Begins(begins.clone()));
            if program.is_text {
                let path = quoted(&program.path);
                diagnosis.remedies.push(Remedy::Run(format!("sh {path}")));
            }
            return diagnosis;
        }
        let format = match program.format {
            Some(Format::MachO) => "macOS",
            _ => "Linux",
        };
        let note = Note::OtherMachine(format.to_owned(), self.here.arch.clone());
        diagnosis.notes.push(note);
        diagnosis.remedies.push(build);
        let emulator = match program.archs.first() {
            _ if program.format != Some(Format::Elf) || self.here.format != Format::Elf => None,
            Some(Arch::Arm64) => Some("qemu-aarch64"),
            Some(Arch::Amd64) => Some("qemu-x86_64"),
            _ => None,
        };
        diagnosis
            .remedies
            .extend(emulator.map(|name| Remedy::Install {
                library: name.to_owned(),
                package: Some("qemu-user-binfmt"),
            }));
        diagnosis
    }
}
