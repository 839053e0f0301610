//! Hardware, translation, containers.

use super::{Check, Findings, quoted, release};
use crate::environment::survey::{Ancestor, Survey};

pub(super) fn check(survey: &Survey, out: &mut Findings) {
    let machine = &survey.machine;
    let cores = match machine.cores {
        1 => "1 core".to_owned(),
        cores => format!("{cores} cores"),
    };
    out.ok(
        Check::Hardware,
        format!("{}, {}, {cores}", machine.arch, machine.described),
    );
    translation(survey, out);
    translators(survey, out);
    container(survey, out);
}

/// The one that began with translation, and its parent, if gotrace or its parent is translated.
fn origin(ancestors: &[Ancestor]) -> Option<(&Ancestor, Option<&Ancestor>)> {
    let translated = ancestors.iter().take_while(|one| one.translator.is_some());
    let first = translated.count().checked_sub(1)?;
    Some((ancestors.get(first)?, ancestors.get(first + 1)))
}

fn translation(survey: &Survey, out: &mut Findings) {
    let machine = &survey.machine;
    let mac = machine.os == "macos";
    let origin = origin(&machine.ancestors);
    let evidence = origin.map(|(first, parent)| {
        let began = format!("{} (pid {}) is translated", first.name, first.pid);
        match parent {
            Some(parent) => format!(
                "{began}, and {} (pid {}), which started it, is not",
                parent.name, parent.pid
            ),
            None => format!("{began}, and nobody is known to have started it"),
        }
    });
    // Within a container all is translated, and the host's processes are not seen.
    let native_shell = if mac {
        r#"arch -arm64 "$SHELL" -l"#
    } else {
        "run gotrace on the host, where it sees into translated programs, too"
    };
    match (&machine.translator, evidence) {
        (None, None) => {
            out.ok(
                Check::Translation,
                "none: gotrace and what started it run natively",
            );
        }
        (Some(by), Some(evidence)) => {
            let what = if mac {
                "and so are the universal programs that it starts (clang, git, sh)"
            } else {
                "and so is whatever it starts"
            };
            out.warning(
                Check::Translation,
                format!("gotrace is translated, by {by}, {what}"),
            )
            .because(evidence)
            .remedy(native_shell);
        }
        (Some(by), None) => {
            out.warning(
                Check::Translation,
                format!(
                    "gotrace itself is for {} and translated, by {by}; what started it is not",
                    machine.own_arch
                ),
            )
            .because(format!(
                "built for {}, on {}",
                machine.own_arch, machine.arch
            ))
            .remedy(format!("install the gotrace for {}", machine.arch));
        }
        (None, Some(evidence)) if mac => {
            out.warning(Check::Translation, "gotrace is native, and started from a translated shell: universal programs (clang, git, sh) are run as amd64")
                .because(evidence)
                .remedy(native_shell);
        }
        (None, Some(evidence)) => {
            out.note(
                Check::Translation,
                "gotrace is native, and was started by a translated program",
            )
            .because(evidence);
        }
    }
}

fn translators(survey: &Survey, out: &mut Findings) {
    let machine = &survey.machine;
    for translator in survey.translators.iter().filter(|one| one.gone) {
        let package = match translator.name.starts_with("qemu-") {
            true => "sudo apt-get install --reinstall qemu-user-static".to_owned(),
            false => format!("install {} again", translator.name),
        };
        let path = translator.path.display();
        out.warning(
            Check::Translators,
            format!(
                "{} programs fail with \"No such file or directory\": their translator is gone",
                translator.guest
            ),
        )
        .because(format!(
            "binfmt_misc has {path} for them, which is not there"
        ))
        .remedy(package);
    }
    let there = survey.translators.iter().filter(|one| !one.gone);
    let mut named: Vec<String> = there
        .map(|one| {
            let how = if one.entered {
                "started by the kernel"
            } else {
                "started by hand"
            };
            format!(
                "{} for {} programs, {how} ({})",
                one.name,
                one.guest,
                one.path.display()
            )
        })
        .collect();
    let silicon = machine.os == "macos" && machine.arch == "arm64";
    match (&survey.apple, silicon) {
        (Some(apple), true) if apple.rosetta => {
            named.push("Rosetta 2 for amd64 programs".to_owned());
        }
        (Some(_), true) => {
            out.note(Check::Translators, "Rosetta 2 is not installed: amd64 programs fail with \"Bad CPU type in executable\"")
                .because("/usr/libexec/rosetta/runtime is not there")
                .remedy("softwareupdate --install-rosetta");
        }
        _ => {}
    }
    match named.as_slice() {
        [] if survey.translators.is_empty() && !silicon => {
            out.ok(
                Check::Translators,
                format!("none: only programs for {} run", machine.arch),
            );
        }
        [] => {}
        named => {
            out.ok(Check::Translators, named.join("; "));
        }
    }
}

fn container(survey: &Survey, out: &mut Findings) {
    let isolation = &survey.isolation;
    match (&isolation.container, &isolation.pid_namespace) {
        (None, None) => {
            out.ok(Check::Container, "none");
        }
        (Some(container), _) => {
            let lost = match survey.go_env("GOCACHE") {
                "" => String::new(),
                cache => {
                    format!("; unless {cache} is a volume, each new one builds everything anew")
                }
            };
            out.note(Check::Container, format!("this is a container{lost}"))
                .because(container.clone());
        }
        (None, Some(namespace)) => {
            out.note(
                Check::Container,
                "processes have numbers of their own here, as in a container",
            )
            .because(format!("/proc/self/ns/pid is {namespace}"));
        }
    }
    let Some(millicores) = isolation.quota_millicores else {
        return;
    };
    // Since 1.25 Go's runtime looks at the quota itself.
    let version = survey.go_env("GOVERSION");
    let unaware = release::is_before(version, "1.25") && survey.variable("GOMAXPROCS").is_empty();
    if unaware && u64::from(isolation.processors) * 1_000 > millicores {
        let cores = millicores.div_ceil(1_000);
        out.note(
            Check::Container,
            format!(
                "the control group may use {}.{:02} cores, and {version} runs {} compilers at once",
                millicores / 1_000,
                millicores % 1_000 / 10,
                isolation.processors
            ),
        )
        .because("/sys/fs/cgroup/cpu.max; Go heeds it since 1.25")
        .remedy(format!("export GOMAXPROCS={}", quoted(&cores.to_string())));
    }
}
