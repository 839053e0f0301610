//! For what is built, and which module.

use super::go::{fitting, runs_natively};
use super::{Check, Findings, Source};
use crate::environment::survey::{GoCommand, Survey};

pub(super) fn check(go: &GoCommand, survey: &Survey, out: &mut Findings) {
    target(go, survey, out);
    modules(survey, out);
}

fn target(go: &GoCommand, survey: &Survey, out: &mut Findings) {
    let machine = &survey.machine;
    let (os, arch) = (survey.go_env("GOOS"), survey.go_env("GOARCH"));
    let host = survey.go_env("GOHOSTARCH");
    let (by_os, by_arch) = (Source::of("GOOS", survey), Source::of("GOARCH", survey));
    let host_os = survey.go_env("GOHOSTOS");
    if os == host_os && arch == host {
        if host != machine.arch && by_arch == Source::Default && !runs_natively(go, &machine.arch) {
            out.warning(
                Check::Target,
                format!(
                    "programs are built for {arch}, and this machine is {}",
                    machine.arch
                ),
            )
            .because(format!(
                "GOHOSTARCH={host} is the go command's own architecture, and the default of GOARCH"
            ))
            .remedy(fitting(go, survey));
        } else {
            out.ok(Check::Target, format!("{os}/{arch}"));
        }
        return;
    }
    if no_such(survey, out) {
        return;
    }
    for (name, value, source) in [("GOOS", os, by_os), ("GOARCH", arch, by_arch)] {
        if source == Source::Kept {
            out.warning(
                Check::Target,
                format!("each build is for {os}/{arch}, whatever the environment looks like"),
            )
            .because(source.evidence(name, value, survey))
            .remedy(source.undo(name));
            return;
        }
    }
    let set = [("GOOS", os, by_os), ("GOARCH", arch, by_arch)];
    let set: Vec<String> = set
        .into_iter()
        .filter(|(.., source)| *source == Source::Environment)
        .map(|(name, value, source)| source.evidence(name, value, survey))
        .collect();
    let runs = os == host_os
        && (arch == machine.arch || survey.translators.iter().any(|one| one.guest == arch));
    let run = if runs {
        ""
    } else {
        "; what it builds does not run here"
    };
    out.note(
        Check::Target,
        format!("a cross build, for {os}/{arch} on {host_os}/{host}{run}"),
    )
    .because(set.join("; "));
}

/// What other tools call what Go calls otherwise.
const OTHER_NAMES: [(&str, &str); 10] = [
    ("x86_64", "amd64"),
    ("x64", "amd64"),
    ("aarch64", "arm64"),
    ("armv7", "arm"),
    ("armhf", "arm"),
    ("i386", "386"),
    ("i686", "386"),
    ("x86", "386"),
    ("macos", "darwin"),
    ("osx", "darwin"),
];

/// Whether Go builds for no such pair, and it was said so.
fn no_such(survey: &Survey, out: &mut Findings) -> bool {
    let pair = format!("{}/{}", survey.go_env("GOOS"), survey.go_env("GOARCH"));
    let Some(known) = survey.known.as_ref().map(|known| &known.platforms) else {
        return false;
    };
    if known.is_empty() || known.contains(&pair) {
        return false;
    }
    // The one of the two that no pair has; where both have their pairs, the one that is set.
    let is_known = |name: &str| {
        known.iter().any(|pair| {
            let (os, arch) = pair.split_once('/').unwrap_or_default();
            name == os || name == arch
        })
    };
    let set = |name: &&str| Source::of(name, survey) != Source::Default;
    let mut names = ["GOARCH", "GOOS"].into_iter();
    let guilty = names
        .clone()
        .find(|name| !is_known(survey.go_env(name)))
        .or_else(|| names.find(set));
    let guilty = guilty.unwrap_or("GOARCH");
    let value = survey.go_env(guilty);
    let source = Source::of(guilty, survey);
    let meant = value.to_ascii_lowercase();
    let meant = OTHER_NAMES.iter().find(|(other, _)| *other == meant);
    let remedy = match (meant, source) {
        (Some((_, meant)), Source::Kept) => format!("go env -w {guilty}={meant}"),
        (Some((_, meant)), _) => format!("export {guilty}={meant}"),
        (None, source) => source.undo(guilty),
    };
    out.error(
        Check::Target,
        format!("Go builds for no such target as {pair}: builds fail"),
    )
    .because(source.evidence(guilty, value, survey))
    .remedy(remedy);
    true
}

fn modules(survey: &Survey, out: &mut Findings) {
    let mode = survey.go_env("GO111MODULE");
    let source = Source::of("GO111MODULE", survey);
    if mode == "off" {
        out.warning(
            Check::Modules,
            "modules are off: packages are looked for in GOPATH, and go.mod is ignored",
        )
        .because(source.evidence("GO111MODULE", mode, survey))
        .remedy(source.undo("GO111MODULE"));
        return;
    }
    let Some(module) = &survey.settings.module else {
        out.note(Check::Modules, "this folder is in no module: only packages of the standard library, and files by name, are built here");
        return;
    };
    if !module.exists {
        let source = Source::of("GOWORK", survey);
        let file = module.file.display().to_string();
        out.error(
            Check::Modules,
            format!("{file} is not there: go commands fail"),
        )
        .because(source.evidence("GOWORK", &file, survey))
        .remedy(source.undo("GOWORK"));
        return;
    }
    if let Some(why) = &module.refusal {
        out.error(
            Check::Modules,
            format!("{} cannot be read: go commands fail", module.file.display()),
        )
        .because(why)
        .remedy(format!("mend {}", module.file.display()));
        return;
    }
    let vendored = survey
        .go_env("GOFLAGS")
        .split_whitespace()
        .any(|flag| flag.ends_with("-mod=vendor"));
    if vendored && !module.vendor {
        let source = Source::of("GOFLAGS", survey);
        out.error(
            Check::Modules,
            "GOFLAGS ask for -mod=vendor, and there is no folder vendor",
        )
        .because(source.evidence("GOFLAGS", survey.go_env("GOFLAGS"), survey))
        .remedy("go mod vendor");
        return;
    }
    let vendor = if module.vendor {
        ", with a folder vendor"
    } else {
        ""
    };
    out.ok(
        Check::Modules,
        format!("{} (go {}){vendor}", module.file.display(), module.go),
    );
}
