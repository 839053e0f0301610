//! The toolchain: which go command, release, root, tools.

use super::{Check, Findings, Level, Source, quoted, release, target};
use crate::environment::survey::{Format, GoCommand, Program, Survey};
use std::path::Path;

/// Tools that every toolchain has and every build needs.
const NEEDED: [&str; 3] = ["asm", "compile", "link"];

/// Variables that choose a target, and what its processors have.
const OF_TARGET: [&str; 10] = [
    "GOOS",
    "GOARCH",
    "GO386",
    "GOAMD64",
    "GOARM",
    "GOARM64",
    "GOMIPS",
    "GOMIPS64",
    "GOPPC64",
    "GORISCV64",
];

pub(super) fn check(survey: &Survey, out: &mut Findings) {
    let Some(go) = survey.go.first() else {
        return none(survey, out);
    };
    command(go, survey, out);
    others(go, survey, out);
    match &survey.toolchain {
        Some(Err(message)) => fails(message, survey, out),
        Some(Ok(_)) => {
            releases(go, survey, out);
            goroot(go, survey, out);
            tools(survey, out);
            target::check(go, survey, out);
        }
        None => {}
    }
}

fn none(survey: &Survey, out: &mut Findings) {
    let needed = survey.program.as_ref().is_none_or(Program::is_go);
    let level = if needed { Level::Error } else { Level::Note };
    let remedy = match survey.elsewhere.first().and_then(|go| go.parent()) {
        Some(folder) => prepend(folder),
        None => "install Go: https://go.dev/dl/".to_owned(),
    };
    let path: Vec<String> = survey
        .path
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    out.add(Check::GoCommand, level, "no go command is on PATH")
        .because(format!("PATH={}", path.join(":")))
        .remedy(remedy);
}

/// The command that makes a folder the first of `PATH`.
fn prepend(folder: &Path) -> String {
    let folder = folder.display().to_string();
    match quoted(&folder) == folder {
        true => format!("export PATH=\"{folder}:$PATH\""),
        false => format!("export PATH={}:\"$PATH\"", quoted(&folder)),
    }
}

fn described(go: &GoCommand) -> String {
    let mut words = vec![go.path.display().to_string()];
    let arch = go.executable.head.archs.join(", ");
    let parts = [go.version.as_str(), arch.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        words.push(format!("({})", parts.join(" ")));
    }
    words.join(" ")
}

/// Programs for 386 are run by amd64 processors themselves. What is not known is no mismatch.
pub(super) fn runs_natively(go: &GoCommand, arch: &str) -> bool {
    arch.is_empty()
        || go.executable.head.is_for(arch)
        || (arch == "amd64" && go.executable.head.is_for("386"))
}

fn command(go: &GoCommand, survey: &Survey, out: &mut Findings) {
    let machine = &survey.machine;
    if let Format::Script(words) = &go.executable.head.format {
        let by = words.join(" ");
        out.note(
            Check::GoCommand,
            format!(
                "{} is a script, which picks the toolchain",
                go.path.display()
            ),
        )
        .because(format!("its first line: #!{by}"));
        return;
    }
    // What is not known is not judged; a translated gotrace says so itself.
    if go.executable.head.archs.is_empty() || runs_natively(go, &machine.arch) {
        let how = if go.executable.head.archs.is_empty() {
            ""
        } else {
            ", native"
        };
        out.ok(Check::GoCommand, format!("{}{how}", described(go)));
        return;
    }
    let arch = &go.executable.head.archs[0];
    let mac = machine.os == "macos";
    let translator = match (&survey.apple, mac) {
        (Some(apple), true) => {
            if apple.rosetta {
                "Rosetta 2"
            } else {
                ""
            }
        }
        _ => go.translator.as_str(),
    };
    let evidence = format!("the file is for {arch}, the machine is {}", machine.arch);
    let remedy = fitting(go, survey);
    if translator.is_empty() {
        let why = if mac {
            "Bad CPU type in executable"
        } else {
            "Exec format error"
        };
        out.error(
            Check::GoCommand,
            format!("{} cannot run here: {why}", described(go)),
        )
        .because(evidence)
        .remedy(remedy);
    } else {
        out.warning(
            Check::GoCommand,
            format!(
                "{} is translated, by {translator}: each build takes several times as long",
                described(go)
            ),
        )
        .because(evidence)
        .remedy(remedy);
    }
}

/// How to come by a go command that fits the machine.
pub(super) fn fitting(go: &GoCommand, survey: &Survey) -> String {
    let arch = &survey.machine.arch;
    let others = survey
        .go
        .iter()
        .filter(|go| go.executable.head.is_for(arch));
    let other = others.max_by_key(|other| {
        (
            other.version == go.version,
            release::numbers(&other.version),
        )
    });
    if let Some(folder) = other.and_then(|go| go.path.parent()) {
        return prepend(folder);
    }
    let os = if survey.machine.os == "macos" {
        "darwin"
    } else {
        &survey.machine.os
    };
    match go.version.as_str() {
        "" => "install Go for this machine: https://go.dev/dl/".to_owned(),
        version => format!("curl -fLO https://go.dev/dl/{version}.{os}-{arch}.tar.gz"),
    }
}

fn others(go: &GoCommand, survey: &Survey, out: &mut Findings) {
    let others: Vec<String> = survey.go.iter().skip(1).map(described).collect();
    if others.is_empty() {
        return;
    }
    let same = survey.go.iter().all(|other| {
        other.version == go.version && other.executable.head.archs == go.executable.head.archs
    });
    let level = if same { Level::Ok } else { Level::Note };
    let (count, run) = match others.len() {
        1 => ("1 more is".to_owned(), "does"),
        count => (format!("{count} more are"), "do"),
    };
    let more = out.add(
        Check::GoCommand,
        level,
        format!("{count} on PATH, and {run} not run: {}", others.join(", ")),
    );
    let newer = survey.go.iter().skip(1).filter(|other| {
        release::is_before(&go.version, &other.version)
            && runs_natively(other, &survey.machine.arch)
    });
    let newest = newer.max_by_key(|other| release::numbers(&other.version));
    if let Some(newest) = newest {
        let folder = newest.path.parent().unwrap_or(&newest.path);
        more.because(format!(
            "{} is older than {}, and comes first",
            go.version, newest.version
        ))
        .remedy(prepend(folder));
    }
}

/// The go command refuses to say anything.
fn fails(message: &str, survey: &Survey, out: &mut Findings) {
    let set = survey.environment.keys().map(String::as_str);
    let kept = survey.settings.kept.iter().map(|(name, _)| name.as_str());
    let mut guilty = set
        .chain(kept)
        .filter(|name| words(message).any(|word| word == *name));
    let guilty = guilty.next();
    let check = match guilty.unwrap_or_default() {
        "GOROOT" => Check::Goroot,
        "GOFLAGS" => Check::GoFlags,
        "GOPATH" => Check::Path,
        "GOCACHE" => Check::Cache,
        "GO111MODULE" | "GOWORK" => Check::Modules,
        "" | "GOTOOLCHAIN" => Check::Release,
        name if OF_TARGET.contains(&name) => Check::Target,
        _ => Check::Variables,
    };
    let value = |name| match survey.variable(name) {
        "" => survey.settings.kept(name),
        value => value,
    };
    let (evidence, remedy) = match guilty {
        Some(name) => {
            let source = Source::of(name, survey);
            (
                source.evidence(name, value(name), survey),
                source.undo(name),
            )
        }
        None => (String::new(), String::new()),
    };
    out.error(check, format!("the go command fails: {message}"))
        .because(evidence)
        .remedy(remedy);
}

/// The names in a text: what is neither letter, digit nor low line is between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
}

/// What asks for a release: GOTOOLCHAIN, and the lines of the module.
fn asked_for(survey: &Survey) -> String {
    let choice = match (
        survey.variable("GOTOOLCHAIN"),
        survey.settings.kept("GOTOOLCHAIN"),
    ) {
        ("", "") => "GOTOOLCHAIN is not set".to_owned(),
        ("", kept) => format!("GOTOOLCHAIN={kept}, kept by go env -w"),
        (set, _) => format!("GOTOOLCHAIN={set}"),
    };
    match &survey.settings.module {
        None => choice,
        Some(module) => {
            let toolchain = match module.toolchain.as_str() {
                "" => String::new(),
                toolchain => format!(", toolchain {toolchain}"),
            };
            format!(
                "{choice}; {}: go {}{toolchain}",
                module.file.display(),
                module.go
            )
        }
    }
}

/// The release that is asked for would be fetched first.
fn unfetched(message: &str, survey: &Survey, out: &mut Findings) {
    let offline = [survey.variable("GOPROXY"), survey.settings.kept("GOPROXY")];
    let offline = offline.into_iter().find(|value| !value.is_empty()) == Some("off");
    let evidence = format!("{}; {message}", asked_for(survey));
    // What is no release, or is looked for on PATH alone, is not fetched.
    if message.contains("invalid GOTOOLCHAIN") || message.contains("in PATH") {
        out.error(
            Check::Release,
            "GOTOOLCHAIN names no toolchain that there is: go commands fail",
        )
        .because(evidence)
        .remedy(Source::of("GOTOOLCHAIN", survey).undo("GOTOOLCHAIN"));
        return;
    }
    if offline {
        let source = Source::of("GOPROXY", survey);
        out.error(Check::Release, "the release that is asked for is not on this machine, and GOPROXY=off forbids to fetch it: go commands fail")
            .because(evidence)
            .remedy(source.undo("GOPROXY"));
    } else {
        out.note(
            Check::Release,
            "the release that is asked for is not on this machine: the first go command fetches it",
        )
        .because(evidence)
        .remedy("go version");
    }
}

fn releases(go: &GoCommand, survey: &Survey, out: &mut Findings) {
    if let Some(message) = &survey.settings.unfetched {
        return unfetched(message, survey, out);
    }
    let version = survey.go_env("GOVERSION");
    // What follows are experiments.
    let release = version.split_whitespace().next().unwrap_or_default();
    let needed = survey.settings.module.as_ref();
    let needed = needed.map_or("", |module| module.go.as_str());
    if release::is_before(version, needed) {
        out.error(
            Check::Release,
            format!("{version} does not build this module, which needs go {needed}"),
        )
        .because(asked_for(survey))
        .remedy(Source::of("GOTOOLCHAIN", survey).undo("GOTOOLCHAIN"));
        return;
    }
    if go.version.is_empty() || release == go.version {
        out.ok(Check::Release, format!("{version}, the one on PATH"));
    } else if survey.variable("GOROOT").is_empty() {
        let root = survey.go_env("GOROOT");
        out.note(
            Check::Release,
            format!("{} on PATH hands over to {version}, in {root}", go.version),
        )
        .because(asked_for(survey));
    }
    // Else another GOROOT has another version, and its check says so.
    let (first, last) = release::TRIED;
    if release::numbers(version).is_some_and(|numbers| !(first..=last).contains(&numbers)) {
        out.note(
            Check::Release,
            format!("gotrace is tried with Go 1.21 to 1.27, not with {version}"),
        );
    }
}

fn goroot(go: &GoCommand, survey: &Survey, out: &mut Findings) {
    let root = survey.go_env("GOROOT");
    let set = survey.variable("GOROOT");
    if set.is_empty() {
        out.ok(Check::Goroot, format!("{root}, the go command's own"));
        return;
    }
    let source = Source::Environment;
    let evidence = source.evidence("GOROOT", set, survey);
    let undo = source.undo("GOROOT");
    let has = |name: &&str| survey.tools.tools.iter().any(|tool| tool.name == **name);
    let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !has(name)).collect();
    let own = go.goroot.as_deref();
    let same = own.is_some_and(|own| Path::new(set) == own) || survey.tools.version == go.version;
    if !missing.is_empty() {
        out.error(
            Check::Goroot,
            format!(
                "GOROOT has no tools: builds fail with \"no such tool\" ({})",
                missing.join(", ")
            ),
        )
        .because(evidence)
        .remedy(undo);
    } else if !same && !go.version.is_empty() && !survey.tools.version.is_empty() {
        out.error(Check::Goroot, format!("GOROOT is that of {}, and the go command is {}: builds fail, for its tools are of another version", survey.tools.version, go.version)).because(evidence).remedy(undo);
    } else {
        out.note(
            Check::Goroot,
            "GOROOT is set, and need not be: when Go is updated it leads to the old one",
        )
        .because(evidence)
        .remedy(undo);
    }
}

fn tools(survey: &Survey, out: &mut Findings) {
    let folder = &survey.tools;
    let named = folder
        .path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let arch = named
        .as_deref()
        .and_then(|name| name.rsplit_once('_'))
        .map_or("", |(_, arch)| arch);
    let has = |name: &&str| folder.tools.iter().any(|tool| tool.name == **name);
    let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !has(name)).collect();
    if !missing.is_empty() {
        // Where GOROOT is set, that is why.
        if survey.variable("GOROOT").is_empty() {
            out.error(
                Check::Tools,
                format!(
                    "{} lacks {}: builds fail with \"no such tool\"",
                    folder.path.display(),
                    missing.join(", ")
                ),
            )
            .remedy("install this toolchain again");
        }
        return;
    }
    let known = folder
        .tools
        .iter()
        .filter(|tool| !tool.executable.head.archs.is_empty());
    let wrong: Vec<String> = known
        .filter(|tool| !tool.executable.head.is_for(arch))
        .map(|tool| {
            format!(
                "{} is for {}",
                tool.name,
                tool.executable.head.archs.join(", ")
            )
        })
        .collect();
    match wrong.as_slice() {
        [] => {
            out.ok(
                Check::Tools,
                format!(
                    "{} in {}, all for {arch}",
                    folder.tools.len(),
                    folder.path.display()
                ),
            );
        }
        wrong => {
            out.error(
                Check::Tools,
                format!(
                    "tools of another architecture lie in {}",
                    folder.path.display()
                ),
            )
            .because(wrong.join(", "))
            .remedy("install this toolchain again");
        }
    }
}
