//! Programs that did not start or were killed, and what the go command itself misses.

use super::inquiry::Here;
use super::log::{Log, Problem, What};
use super::undefined::for_other_arch;
use super::{Cause, Diagnosis, Level, Note, Program, Remedy, Witness, spelling};
use crate::binary::linkable::{Arch, Format};

/// Judges what is no matter of link lines.
pub(super) fn judge(log: &Log, programs: &[Program], here: &Here) -> Vec<Diagnosis> {
    let problems = log.problems.iter();
    let judge = Judge { programs, here };
    problems.filter_map(|problem| judge.one(problem)).collect()
}

struct Judge<'a> {
    programs: &'a [Program],
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
                library,
            } => Diagnosis {
                symbols: vec![super::Missing {
                    symbol: symbol.clone(),
                    source: spelling::in_source(symbol),
                    users: user.iter().cloned().collect(),
                }],
                subject: library.clone(),
                remedies: library
                    .clone()
                    .map(Remedy::OtherVersion)
                    .into_iter()
                    .collect(),
                ..new(Cause::NotBound)
            },
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
        self.programs
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
            diagnosis.remedies.push(Remedy::Install {
                library: name.to_owned(),
                package: None,
            });
        }
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
        let unsigned = program.is_some_and(|one| one.format == Some(Format::MachO));
        let cause = if signature || broken || (macos && unsigned) || (macos && program.is_none()) {
            Cause::KilledSignature
        } else {
            Cause::KilledMemory
        };
        let mut diagnosis = Diagnosis {
            subject: path.map(str::to_owned),
            witnesses: program.map(Self::witness).into_iter().collect(),
            ..Diagnosis::new(Level::Error, cause, problem)
        };
        if cause == Cause::KilledMemory {
            diagnosis.remedies.push(Remedy::FewerAtOnce);
            return diagnosis;
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
        let Some(program) = self.program(path) else {
            diagnosis
                .remedies
                .push(Remedy::BuildFor(self.here.arch.clone()));
            return diagnosis;
        };
        diagnosis.witnesses = vec![Self::witness(program)];
        if let Some(begins) = &program.begins {
            diagnosis.notes.push(Note::Begins(begins.clone()));
            return diagnosis;
        }
        let format = match program.format {
            Some(Format::MachO) => "macOS",
            _ => "Linux",
        };
        let note = Note::OtherMachine(format.to_owned(), self.here.arch.clone());
        diagnosis.notes.push(note);
        diagnosis
            .remedies
            .push(Remedy::BuildFor(self.here.arch.clone()));
        diagnosis
    }
}
