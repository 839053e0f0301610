//! What gotrace can see: its backends, signatures that forbid, the command.

use super::{Check, Findings, quoted};
use crate::analyze::Inspection;
use crate::analyze::inspect::{Level as RuleLevel, SliceFacts, Wanted};
use crate::environment::survey::{Format, Program, Survey};
use std::path::Path;

/// Words that shells know themselves, and that name no file.
const OF_SHELLS: [&str; 20] = [
    ".", "alias", "cd", "eval", "exit", "export", "for", "if", "read", "set", "source", "time",
    "trap", "type", "ulimit", "umask", "unset", "until", "wait", "while",
];
/// The entitlement by which other processes of the user may look into a program.
const MAY_BE_TRACED: &str = "com.apple.security.get-task-allow";
/// The one by which `DYLD_*` variables reach it.
const HEEDS_DYLD: &str = "com.apple.security.cs.allow-dyld-environment-variables";

pub(super) fn check(survey: &Survey, out: &mut Findings) {
    for way in &survey.watching {
        match &way.refusal {
            None => {
                out.ok(
                    Check::Backends,
                    format!("{} works: {}", way.backend, way.gives),
                );
            }
            Some(refusal) => {
                out.note(
                    Check::Backends,
                    format!(
                        "{} does not work: {}; without it there is no recording of {}",
                        way.backend, refusal.reason, way.gives
                    ),
                )
                .because(refusal.evidence.clone())
                .remedy(refusal.remedy.clone());
            }
        }
    }
    config(survey, out);
    integrity(survey, out);
    signatures(survey, out);
    if let Some(program) = &survey.program {
        command(program, survey, out);
    }
}

fn config(survey: &Survey, out: &mut Findings) {
    let Some(files) = &survey.settings_files else {
        return;
    };
    if files.is_empty() {
        out.ok(Check::Config, "no gotrace.toml is in force");
    }
    for file in files {
        let path = file.path.display();
        let whose = match file.of_repository {
            true => "the repository's",
            false => "yours",
        };
        match (&file.wrong, file.stated.as_slice()) {
            (Some(wrong), _) => {
                out.error(
                    Check::Config,
                    format!(
                        "{path}, {whose}, is refused, and nothing is recorded until it is put right"
                    ),
                )
                .because(wrong.clone())
                .remedy("gotrace run --no-config reads none");
            }
            (None, []) => {
                out.ok(Check::Config, format!("{path}, {whose}: sets nothing"));
            }
            (None, stated) => {
                let stated = stated.join(", ");
                out.ok(Check::Config, format!("{path}, {whose}: {stated}"));
            }
        }
    }
}

fn integrity(survey: &Survey, out: &mut Findings) {
    let Some(apple) = &survey.apple else {
        return;
    };
    let Some(integrity) = apple.integrity else {
        out.note(
            Check::Integrity,
            "whether System Integrity Protection is on could not be found out",
        )
        .because("csrutil status says nothing that is known")
        .remedy("csrutil status");
        return;
    };
    let (what, evidence) = match (integrity.debugging, integrity.dtrace) {
        (true, true) => {
            out.ok(
                Check::Integrity,
                "on: programs of macOS itself are not watched, and dtrace sees nothing of the kernel; programs that you build need no more",
            );
            return;
        }
        (true, false) => ("off for dtrace", "DTrace Restrictions: disabled"),
        (false, true) => ("off for debuggers", "Debugging Restrictions: disabled"),
        (false, false) => ("off", "status: disabled"),
    };
    out.note(
        Check::Integrity,
        format!("System Integrity Protection is {what}: gotrace does not need that for programs that you build"),
    )
    .because(format!("csrutil status: {evidence}"))
    .remedy("csrutil enable, in a terminal of macOS Recovery");
}

/// Whether a slice's signature keeps others from looking into the process.
fn forbids(slice: &SliceFacts) -> bool {
    slice.signature.as_ref().is_some_and(|signature| {
        let hardened = signature.flags.iter().any(|flag| flag == "hardened");
        let allowed = |wanted: &str| {
            signature
                .entitlements
                .iter()
                .any(|one| one.contains(wanted))
        };
        hardened && !allowed(MAY_BE_TRACED) && !allowed(HEEDS_DYLD)
    })
}

fn slices(bytes: &[u8]) -> Vec<SliceFacts> {
    let inspected = Inspection::of(bytes, Wanted::default());
    inspected
        .map(|inspection| inspection.slices)
        .unwrap_or_default()
}

fn signatures(survey: &Survey, out: &mut Findings) {
    if survey.signed.is_empty() {
        return;
    }
    let hardened: Vec<String> = survey
        .signed
        .iter()
        .filter(|(_, bytes)| slices(&bytes.0).iter().any(forbids))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if hardened.is_empty() {
        out.ok(Check::Signatures, "the toolchain lets others look into it");
        return;
    }
    let root = quoted(survey.go_env("GOROOT"));
    out.note(Check::Signatures, "the toolchain is signed so that nobody may look into it: its tools are recorded, and no stacks in them")
        .because(format!("hardened, without entitlements: {}", hardened.join(", ")))
        .remedy(format!("gotrace toolchain prepare --from {root} --to \"$HOME/go-traceable\""));
}

fn command(program: &Program, survey: &Survey, out: &mut Findings) {
    let Some(found) = &program.found else {
        return not_found(program, survey, out);
    };
    let executable = &program.executable;
    let path = executable.path.display().to_string();
    if let Some(interpreter) = &program.no_interpreter {
        out.error(
            Check::Command,
            format!(
                "{} cannot run: {interpreter}, which its first line names, is not there",
                found.display()
            ),
        )
        .remedy(format!(
            "head -n 1 {}",
            quoted(&found.display().to_string())
        ));
        return;
    }
    let mac = survey.machine.os == "macos";
    match (&executable.head.format, mac) {
        (Format::Other | Format::Script(_), _) => {
            out.error(
                Check::Command,
                format!(
                    "{path} is no program that this system runs; a shell would take it for a script"
                ),
            )
            .because("it begins neither as an executable nor with #!")
            .remedy(format!("gotrace run -- sh {}", quoted(&path)));
            return;
        }
        (Format::MachO, false) | (Format::Elf, true) | (Format::Windows, _) => {
            let of = match executable.head.format {
                Format::Windows => "Windows",
                Format::MachO => "macOS",
                _ => "Linux",
            };
            out.error(
                Check::Command,
                format!("{path} is a program for {of}: it fails with \"Exec format error\""),
            )
            .remedy(format!("gotrace inspect {}", quoted(&path)));
            return;
        }
        _ => {}
    }
    if let Some(loader) = &program.no_loader {
        out.error(Check::Command, format!("{path} cannot run: its dynamic loader is not there, and the error names the program itself (\"No such file or directory\")"))
            .because(format!("it asks for {loader}"))
            .remedy(format!("gotrace inspect {}", quoted(&path)));
        return;
    }
    if !translation(program, survey, out) {
        return;
    }
    let archs = executable.head.archs.join(", ");
    let described = format!("{} is {path} ({archs})", program.name);
    let slices = slices(&program.bytes.0);
    if mac && slices.iter().any(forbids) {
        out.note(Check::Command, format!("{described}: hardened, so that nobody may look into it; go commands below it are recorded all the same"));
    } else {
        let script = program.script.as_ref().map_or_else(String::new, |script| {
            format!(", running the script {}", script.display())
        });
        out.ok(
            Check::Command,
            format!("{described}{script}: {}", seen(program, survey, &slices)),
        );
    }
    if executable.head.format == Format::MachO {
        rules(&path, program, out);
    }
}

/// Rules of macOS that the file breaks: it is killed when it starts, or crashes.
fn rules(path: &str, program: &Program, out: &mut Findings) {
    let wanted = Wanted {
        bindings: false,
        findings: true,
    };
    let Ok(inspection) = Inspection::of(&program.bytes.0, wanted) else {
        return;
    };
    let mut findings = inspection
        .slices
        .iter()
        .filter_map(|slice| slice.findings.as_ref())
        .flatten();
    if let Some(worst) = findings.find(|finding| finding.rule.level() == RuleLevel::Error) {
        out.error(
            Check::Command,
            format!(
                "{path} breaks a rule of macOS: {}",
                worst.rule.consequence()
            ),
        )
        .because(format!(
            "{} at {:#x}: expected {}, found {}",
            worst.rule.id(),
            worst.offset.0,
            worst.expected,
            worst.found
        ))
        .remedy(format!("gotrace inspect --check {}", quoted(path)));
    }
}

/// Whether it runs at all, natively or translated.
fn translation(program: &Program, survey: &Survey, out: &mut Findings) -> bool {
    let executable = &program.executable;
    let arch = &survey.machine.arch;
    let native = executable.head.is_for(arch) || (arch == "amd64" && executable.head.is_for("386"));
    // The check of the go command says so, and more.
    if native || program.is_go() {
        return true;
    }
    let path = executable.path.display();
    let archs = executable.head.archs.join(", ");
    let rosetta = survey.apple.as_ref().is_some_and(|apple| apple.rosetta);
    let by = if rosetta {
        "Rosetta 2"
    } else {
        &program.translator
    };
    let archs = if archs.is_empty() {
        "a processor that Go does not know".to_owned()
    } else {
        archs
    };
    let evidence = format!("it is for {archs}, and the machine is {arch}");
    if by.is_empty() {
        let why = if survey.apple.is_some() {
            "Bad CPU type in executable"
        } else {
            "Exec format error"
        };
        out.error(Check::Command, format!("{path} cannot run here: {why}"))
            .because(evidence)
            .remedy(format!("gotrace inspect {}", quoted(&path.to_string())));
        return false;
    }
    out.warning(
        Check::Command,
        format!("{path} is translated, by {by}, and runs several times as long"),
    )
    .because(evidence);
    true
}

fn not_found(program: &Program, survey: &Survey, out: &mut Findings) {
    let name = quoted(&program.name);
    if let Some(path) = &program.not_executable {
        let path = path.display().to_string();
        out.error(
            Check::Command,
            format!("{path} is there, and may not be executed"),
        )
        .remedy(format!("chmod +x {}", quoted(&path)));
    } else if program.is_folder {
        out.error(Check::Command, format!("{name} is a folder"));
    } else if OF_SHELLS.contains(&program.name.as_str()) {
        out.error(
            Check::Command,
            format!("{name} is a word of the shell, and no program"),
        )
        .remedy(format!("gotrace run -- sh -c '{} ...'", program.name));
    } else if Path::new(&program.name).components().count() > 1 {
        out.error(Check::Command, format!("{name} is not there"));
    } else {
        let path: Vec<String> = survey
            .path
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        out.error(
            Check::Command,
            format!(
                "no program on PATH is called {name}; aliases and functions of a shell are none"
            ),
        )
        .because(format!("PATH={}", path.join(":")))
        .remedy(format!("type -a {name}"));
    }
}

/// What would be recorded.
fn seen(program: &Program, survey: &Survey, slices: &[SliceFacts]) -> String {
    let works = |name: &str| {
        survey
            .watching
            .iter()
            .any(|way| way.backend == name && way.refusal.is_none())
    };
    let go = slices.iter().any(|slice| slice.go.is_some());
    match (works("bpf"), program.is_go()) {
        (true, true) => "it and its tools are recorded, with stacks".to_owned(),
        (true, false) if go => format!(
            "it and what it starts are recorded, with stacks; it is a Go program, whose functions can be watched (gotrace probes list {})",
            quoted(&program.name)
        ),
        (true, false) => "it and what it starts are recorded, with stacks".to_owned(),
        (false, true) => "its tools are recorded, without stacks".to_owned(),
        (false, false) => {
            "it is recorded, and the tools of go commands below it, without stacks".to_owned()
        }
    }
}
