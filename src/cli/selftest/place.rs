//! One trial: builds the program, has gotrace record it, and compares.

use super::bench::{Hindrance, Tried};
use crate::analyze::Analysis;
use crate::analyze::selftest::{self, Comparison, Linked, Said, Trial};
use crate::capture::selftest::{Ran, Workshop};
use crate::environment::Refusal;
use crate::environment::survey::Survey;
use crate::trace::Trace;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Milliseconds that programs work, or wait.
const TIME: &str = "1000";
/// How long a program is watched that runs already.
const ATTACHED: &str = "1s";
/// How long it may take a program to end whose standard input was closed.
const LAST_MOMENTS: Duration = Duration::from_secs(5);
/// What is linked dynamically on every Linux with glibc, and prints its number as our programs do.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "echo pid $$"];
/// Name of the program that is built.
const PROGRAM: &str = "./program";
/// The watched function.
const PROBE: &str = "./program:main.work";

/// Where a trial is made, and with what.
pub(super) struct Place {
    pub(super) workshop: Workshop,
    pub(super) go: Option<PathBuf>,
    /// The machine's architecture, in Go's words.
    pub(super) arch: &'static str,
    pub(super) backend: &'static str,
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

impl Place {
    fn go(&self) -> Result<&Path, Hindrance> {
        self.go.as_deref().ok_or_else(|| {
            Hindrance::NotHere(Refusal {
                reason: "there is no go command to build programs with".to_owned(),
                evidence: "none is on PATH".to_owned(),
                remedy: "install Go (https://go.dev/dl), or add its folder to PATH".to_owned(),
            })
        })
    }

    fn trace(&self) -> PathBuf {
        self.workshop.path().join("trace.gotrace")
    }

    /// Records a command: what ran, and the trace, which is whole.
    fn record(
        &self,
        flags: &[&str],
        command: &[OsString],
        mut ran: Vec<Ran>,
    ) -> Result<(Trace, Said, Vec<Comparison>, Vec<Ran>), Hindrance> {
        let mut arguments = words(&[
            "run",
            "--quiet",
            "--backend",
            self.backend,
            "-o",
            "trace.gotrace",
        ]);
        arguments.extend(words(flags));
        arguments.push("--".into());
        arguments.extend_from_slice(command);
        ran.push(self.workshop.gotrace(&arguments)?);
        self.recorded(ran)
    }

    /// Opens the trace of what ran last.
    fn recorded(
        &self,
        ran: Vec<Ran>,
    ) -> Result<(Trace, Said, Vec<Comparison>, Vec<Ran>), Hindrance> {
        let last = ran.last();
        if let Some(failed) = last.filter(|last| !last.succeeded()) {
            return Err(Hindrance::Broken(failed.end(), ran));
        }
        let said = Said::parse(last.map_or("", |last| &last.said));
        match Trace::open(&self.trace()) {
            Ok(trace) => {
                let whole = selftest::whole(&trace);
                Ok((trace, said, whole, ran))
            }
            Err(error) => Err(Hindrance::Broken(error.to_string(), ran)),
        }
    }

    /// Builds the program for an architecture.
    fn built(&self, arch: &str) -> Result<Ran, Hindrance> {
        let ran = self.workshop.build(self.go()?, PROGRAM, arch)?;
        if ran.succeeded() {
            Ok(ran)
        } else {
            Err(Hindrance::Broken(
                format!("the program cannot be built: {}", ran.end()),
                vec![ran],
            ))
        }
    }

    /// Builds the program, records it with these arguments, and compares.
    fn program(
        &self,
        flags: &[&str],
        arguments: &[&str],
        compare: impl FnOnce(&Trace, &Said) -> Vec<Comparison>,
    ) -> Tried {
        let built = self.built(self.arch)?;
        let command = words(&[&[PROGRAM], arguments].concat());
        let (trace, said, mut comparisons, ran) = self.record(flags, &command, vec![built])?;
        comparisons.extend(compare(&trace, &said));
        Ok((comparisons, ran))
    }

    /// Records a build by a copy of the toolchain whose functions tell of their calls.
    pub(super) fn prepared(&self) -> Tried {
        const COPY: &str = "prepared";
        let asked = [
            self.go()?.as_os_str(),
            OsStr::new("env"),
            OsStr::new("GOROOT"),
        ];
        let asked = asked.map(OsStr::to_owned);
        let asked = self.workshop.run(&asked, &[])?;
        let root = asked.said.trim_end().to_owned();
        let prepare = ["toolchain", "prepare", "--from", &root, "--to", COPY];
        let prepare = [&prepare[..], &["--instrument", "go-build"]].concat();
        let prepared = self.workshop.gotrace(&words(&prepare))?;
        if !prepared.succeeded() {
            let why = format!("the toolchain cannot be prepared: {}", prepared.end());
            return Err(Hindrance::Broken(why, vec![asked, prepared]));
        }
        let go = self.workshop.path().join(COPY).join("bin/go");
        self.build_by(&go, Trial::Build, vec![asked, prepared])
    }

    /// Records a build of packages that no cache has, and runs what was built.
    pub(super) fn build(&self, trial: Trial) -> Tried {
        self.build_by(self.go()?, trial, Vec::new())
    }

    fn build_by(&self, go: &Path, trial: Trial, before: Vec<Ran>) -> Tried {
        let number = format!("{:?}-{}", std::time::SystemTime::now(), std::process::id());
        let number: String = number.chars().filter(char::is_ascii_digit).collect();
        self.workshop.number(&number)?;
        let command = Workshop::build_command(go, PROGRAM);
        let (trace, _, mut comparisons, mut ran) = self.record(&[], &command, before)?;
        let analysis = Analysis::of(&trace);
        comparisons.extend(match trial {
            Trial::Build => selftest::build(&analysis),
            _ => selftest::tools(&analysis),
        });
        let program = self.workshop.run(&words(&[PROGRAM, "build"]), &[])?;
        let said = Said::parse(&program.said).build.unwrap_or_default();
        comparisons.push(Comparison::of(
            "number that the program was built with",
            number,
            said,
        ));
        ran.push(program);
        Ok((comparisons, ran))
    }

    pub(super) fn tree(&self) -> Tried {
        self.program(&[], &["tree", "5"], selftest::tree)
    }

    pub(super) fn samples(&self) -> Tried {
        self.program(&[], &["spin", TIME], |trace, said| {
            selftest::samples(trace, said, false)
        })
    }

    pub(super) fn waiting(&self) -> Tried {
        self.program(&["--off-cpu"], &["wait", TIME], selftest::waiting)
    }

    pub(super) fn calls(&self) -> Tried {
        self.program(
            &["--args", "--probe", PROBE],
            &["calls", "1000", "4"],
            selftest::calls,
        )
    }

    /// Watches a program that was started before.
    pub(super) fn attach(&self) -> Tried {
        let built = self.built(self.arch)?;
        let program = self.workshop.start(&words(&[PROGRAM, "call-until"]))?;
        let pid = program.pid().to_string();
        let attach = [
            "attach",
            &pid,
            "--quiet",
            "--args",
            "--for",
            ATTACHED,
            "--probe",
            PROBE,
            "-o",
            "trace.gotrace",
        ];
        let attached = self.workshop.gotrace(&words(&attach));
        let program = program.end(LAST_MOMENTS);
        let said = Said::parse(&program.said);
        let (trace, _, mut comparisons, ran) = self.recorded(vec![built, program, attached?])?;
        comparisons.extend(selftest::attached(&trace, &said));
        Ok((comparisons, ran))
    }

    /// Records what a program loads and binds that the loader is asked about, too, or the file.
    pub(super) fn bindings(&self) -> Tried {
        if std::env::consts::OS == "macos" {
            let built = self.built(self.arch)?;
            let program = self.workshop.path().join(PROGRAM);
            let expected = Linked::asked(&std::fs::read(program)?);
            return self.linking(&words(&[PROGRAM, "end"]), expected, vec![built]);
        }
        let command = words(&SHELL);
        let asked = self
            .workshop
            .run(&command, &[("LD_DEBUG", "files,bindings")])?;
        let expected = Linked::told(&asked.told);
        let asked = Ran {
            // Thousands of lines, of which the comparison has all that matters.
            told: String::new(),
            ..asked
        };
        self.linking(&command, expected, vec![asked])
    }

    fn linking(&self, command: &[OsString], expected: Linked, ran: Vec<Ran>) -> Tried {
        // Libraries of macOS are in no files.
        let expected = expected.resolved(|path| match std::fs::canonicalize(path) {
            Ok(real) => real.to_string_lossy().into_owned(),
            Err(_) => path.to_owned(),
        });
        let (trace, said, mut comparisons, ran) = self.record(&[], command, ran)?;
        comparisons.extend(selftest::linking(&Analysis::of(&trace), &said, &expected));
        Ok((comparisons, ran))
    }

    /// Records a program for an architecture that a translator of this machine runs.
    pub(super) fn translated(&self, survey: &Survey) -> Tried {
        let (guest, by) = translator(survey).ok_or_else(|| {
            Hindrance::NotHere(Refusal {
                reason: "no translator is installed".to_owned(),
                evidence: "neither Rosetta 2 nor qemu-user was found".to_owned(),
                remedy: match std::env::consts::OS {
                    "macos" => "softwareupdate --install-rosetta".to_owned(),
                    _ => "install qemu-user-static".to_owned(),
                },
            })
        })?;
        let built = self.built(&guest)?;
        let mut command: Vec<OsString> = by.map(PathBuf::into_os_string).into_iter().collect();
        command.extend(words(&[PROGRAM, "spin", TIME]));
        let (trace, said, mut comparisons, ran) = self.record(&[], &command, vec![built])?;
        comparisons.extend(selftest::translated(&trace, &said, &guest));
        comparisons.extend(selftest::samples(&trace, &said, true));
        Ok((comparisons, ran))
    }
}

/// The architecture that can be translated here, and the program that has to be named for it.
fn translator(survey: &Survey) -> Option<(String, Option<PathBuf>)> {
    let rosetta = survey.apple.as_ref().is_some_and(|apple| apple.rosetta);
    if rosetta && survey.machine.arch == "arm64" {
        return Some(("amd64".to_owned(), None));
    }
    let mut known = survey.translators.iter();
    let found =
        known.find(|one| !one.gone && !one.guest.is_empty() && one.name.starts_with("qemu"))?;
    // What the kernel starts by itself may expect arguments that only the kernel gives.
    Some((
        found.guest.clone(),
        (!found.entered).then(|| found.path.clone()),
    ))
}
