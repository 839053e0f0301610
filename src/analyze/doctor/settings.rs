//! GOFLAGS, GODEBUG, what `go env -w` keeps, PATH, profiles.

use super::{Check, Findings, More, Source, quoted};
use crate::environment::go_flags;
use crate::environment::survey::Survey;
use std::path::{Path, PathBuf};

/// Flags that make every build slower, and how.
const COSTLY: [(&str, &str); 6] = [
    ("a", "every build compiles every package anew"),
    ("race", "programs run, and build, several times as long"),
    ("msan", "programs run several times as long"),
    ("asan", "programs run several times as long"),
    ("p=1", "one package is built at a time"),
    ("cover", "every package is built anew for coverage"),
];

/// Flags that no build has, and that are yet no error in `GOFLAGS`, for `go env` has them.
const OF_GO_ENV: [&str; 2] = ["-w", "-u"];

pub(super) fn check(survey: &Survey, out: &mut Findings) {
    flags(survey, out);
    debug(survey, out);
    variables(survey, out);
    path(survey, out);
    profile(survey, out);
}

fn flags(survey: &Survey, out: &mut Findings) {
    let source = Source::of("GOFLAGS", survey);
    let text = match (survey.variable("GOFLAGS"), survey.settings.kept("GOFLAGS")) {
        ("", kept) => kept,
        (set, _) => set,
    };
    let evidence = source.evidence("GOFLAGS", text, survey);
    if let Some(why) = &survey.settings.refused_flags {
        out.error(
            Check::GoFlags,
            format!("the go command refuses GOFLAGS: {why}"),
        )
        .because(evidence)
        .remedy(source.undo("GOFLAGS"));
        return;
    }
    if source == Source::Default {
        out.ok(Check::GoFlags, "none are set");
        return;
    }
    if let Some((program, None)) = &survey.settings.before_tools {
        out.error(
            Check::GoFlags,
            format!("-toolexec names {program}, which is not there: builds fail"),
        )
        .because(evidence)
        .remedy(source.undo("GOFLAGS"));
        return;
    }
    let words = go_flags::split(text.as_bytes()).unwrap_or_default();
    let words: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    if let Some(at) = words
        .iter()
        .position(|word| OF_GO_ENV.contains(&word.as_str()))
    {
        taken_apart(&words, at, source, out).because(evidence);
        return;
    }
    let mut costly = Vec::new();
    for word in &words {
        let flag = word.trim_start_matches('-');
        let flag = flag.strip_suffix("=true").unwrap_or(flag);
        if let Some((_, how)) = COSTLY.iter().find(|(known, _)| *known == flag) {
            costly.push(format!("{word}: {how}"));
        }
    }
    match costly.as_slice() {
        [] => {
            out.note(Check::GoFlags, format!("every go command has {text}, too"))
                .because(evidence);
        }
        costly => {
            out.warning(
                Check::GoFlags,
                format!("GOFLAGS cost time: {}", costly.join("; ")),
            )
            .because(evidence)
            .remedy(source.undo("GOFLAGS"));
        }
    }
}

/// A flag that `go env` alone has; mostly one of the linker's, of flags without quotes.
fn taken_apart<'a>(words: &[String], at: usize, source: Source, out: &'a mut Findings) -> More<'a> {
    let flag = &words[at];
    let first = words[..at].iter().rposition(|word| word.contains("flags="));
    let (text, remedy) = match first {
        Some(first) => {
            let mut meant = words.to_vec();
            let one: String = meant.splice(first..=at, []).collect::<Vec<_>>().join(" ");
            meant.insert(first, format!("'{one}'"));
            let meant = quoted(&meant.join(" "));
            let remedy = match source {
                Source::Kept => format!("go env -w GOFLAGS={meant}"),
                _ => format!("export GOFLAGS={meant}"),
            };
            let text = format!(
                "GOFLAGS are taken apart at spaces: {flag} is no part of {}, and builds ignore it",
                words[first]
            );
            (text, remedy)
        }
        None => (
            format!("{flag} of GOFLAGS is a flag of go env alone: builds ignore it"),
            source.undo("GOFLAGS"),
        ),
    };
    out.warning(Check::GoFlags, text).remedy(remedy)
}

fn debug(survey: &Survey, out: &mut Findings) {
    let text = survey.variable("GODEBUG");
    if text.is_empty() {
        out.ok(Check::GoDebug, "none is set");
        return;
    }
    let evidence = Source::Environment.evidence("GODEBUG", text, survey);
    let Some(known) = &survey.known else {
        out.note(
            Check::GoDebug,
            "keys are not checked: the toolchain's source is not there",
        )
        .because(evidence);
        return;
    };
    let items: Vec<&str> = text.split(',').collect();
    let refused: Vec<(&str, String)> = items
        .iter()
        .filter_map(|item| Some((*item, known.refusal("GODEBUG", item)?)))
        .collect();
    if refused.is_empty() {
        out.note(
            Check::GoDebug,
            format!("{text} is for the go command and its tools, too"),
        )
        .because(evidence);
        return;
    }
    let kept: Vec<&str> = items
        .into_iter()
        .filter(|item| refused.iter().all(|(bad, _)| bad != item))
        .collect();
    let remedy = match kept.as_slice() {
        [] => "unset GODEBUG".to_owned(),
        kept => format!("export GODEBUG={}", quoted(&kept.join(","))),
    };
    let version = survey.go_env("GOVERSION");
    for (item, why) in refused {
        let evidence = match item.contains('=') {
            true => format!("{evidence}; the source of {version} has no such key"),
            false => evidence.clone(),
        };
        out.warning(Check::GoDebug, format!("{why}: it has no effect"))
            .because(evidence)
            .remedy(remedy.clone());
    }
}

fn variables(survey: &Survey, out: &mut Findings) {
    let before = out.0.len();
    if let Some(known) = &survey.known {
        for (name, value) in &survey.environment {
            // GO_VERSION and such are nobody's mistake.
            let ours =
                name.starts_with("CGO") || name.starts_with("GO") && !name.starts_with("GO_");
            if let Some(meant) = known.meant(name).filter(|_| ours) {
                out.warning(
                    Check::Variables,
                    format!("Go knows no variable {name}; {meant} may be meant"),
                )
                .because(format!("{name}={value} in the environment"))
                .remedy(format!("export {meant}={}; unset {name}", quoted(value)));
            }
        }
        for name in ["GOMAXPROCS", "GOGC"] {
            let value = survey.variable(name);
            let refusal = Some(value)
                .filter(|value| !value.is_empty())
                .and_then(|value| known.refusal(name, value));
            if let Some(why) = refusal {
                out.warning(Check::Variables, format!("{why}: it has no effect"))
                    .because(Source::Environment.evidence(name, value, survey))
                    .remedy(format!("unset {name}"));
            }
        }
    }
    let kept = &survey.settings.kept;
    let overridden = |name: &str| !survey.variable(name).is_empty();
    if !kept.is_empty() {
        let all: Vec<String> = kept
            .iter()
            .map(|(name, value)| {
                let note = if overridden(name) {
                    ", which the environment overrides"
                } else {
                    ""
                };
                format!("{name}={value}{note}")
            })
            .collect();
        out.note(
            Check::Variables,
            format!("go env -w keeps {}", all.join("; ")),
        )
        .because(survey.settings.file.display().to_string());
    }
    if out.0.len() == before {
        out.ok(
            Check::Variables,
            "go env -w keeps none, and none is misspelt",
        );
    }
}

fn path(survey: &Survey, out: &mut Findings) {
    let before = out.0.len();
    let relative: Vec<String> = survey
        .path
        .iter()
        .filter(|folder| !folder.is_absolute())
        .map(|folder| format!("\"{}\"", folder.display()))
        .collect();
    if !relative.is_empty() {
        out.note(Check::Path, "PATH has folders that depend on the working folder: programs of Go refuse to run what is found there").because(relative.join(", "));
    }
    let gopath = survey.go_env("GOPATH");
    if gopath.is_empty() {
        return;
    }
    let root = survey.go_env("GOROOT");
    let folders = survey.go_path();
    if folders.iter().any(|folder| folder == Path::new(root)) {
        let source = Source::of("GOPATH", survey);
        out.warning(
            Check::Path,
            "GOPATH is GOROOT: what is fetched lies among Go's own files",
        )
        .because(source.evidence("GOPATH", gopath, survey))
        .remedy(source.undo("GOPATH"));
    }
    let (bin, name) = match survey.variable("GOBIN") {
        "" => match survey.settings.kept("GOBIN") {
            "" => (
                folders.first().cloned().unwrap_or_default().join("bin"),
                "$(go env GOPATH)/bin",
            ),
            kept => (PathBuf::from(kept), "$(go env GOBIN)"),
        },
        set => (PathBuf::from(set), "$(go env GOBIN)"),
    };
    let source = Source::of("GOBIN", survey);
    if !bin.is_absolute() && source != Source::Default {
        out.warning(
            Check::Path,
            "GOBIN is no absolute path: go install refuses to install anything",
        )
        .because(source.evidence("GOBIN", &bin.display().to_string(), survey))
        .remedy(source.undo("GOBIN"));
    } else if !survey.path.contains(&bin) {
        out.note(
            Check::Path,
            format!(
                "go install puts programs into {}, which is not on PATH",
                bin.display()
            ),
        )
        .remedy(format!("export PATH=\"$PATH:{name}\""));
    }
    if out.0.len() == before {
        out.ok(
            Check::Path,
            format!("GOPATH is {gopath}, and {} is on PATH", bin.display()),
        );
    }
}

fn profile(survey: &Survey, out: &mut Findings) {
    if survey.profile.is_empty() {
        out.ok(Check::Profile, "no shell profile sets a variable of Go");
        return;
    }
    let root = survey.go.first().and_then(|go| go.goroot.clone());
    let mut lines = Vec::new();
    for line in &survey.profile {
        let place = format!("{}:{}", line.file.display(), line.line);
        let other_root = line.variable == "GOROOT"
            && !line.value.contains(['$', '~', '`'])
            && root
                .as_ref()
                .is_some_and(|root| root != Path::new(&line.value));
        if other_root {
            let file = line.file.display().to_string();
            out.warning(
                Check::Profile,
                format!(
                    "a profile sets GOROOT to {}, which is not that of the go command on PATH",
                    line.value
                ),
            )
            .because(place)
            .remedy(format!(
                "sed -i.bak '{}s/^/# /' {}",
                line.line,
                quoted(&file)
            ));
        } else {
            lines.push(format!("{}={} ({place})", line.variable, line.value));
        }
    }
    if !lines.is_empty() {
        out.note(
            Check::Profile,
            format!("shell profiles set {}", lines.join(", ")),
        );
    }
}
