//! cgo, the C compiler, Apple's SDK, Homebrew.

use super::{Check, Findings, Source, release};
use crate::environment::survey::Survey;

pub(super) fn check(survey: &Survey, out: &mut Findings) {
    let on = survey.go_env("CGO_ENABLED") == "1";
    if survey.asked().is_some() {
        cgo(on, survey, out);
        compiler(on, survey, out);
    }
    sdk(on, survey, out);
    homebrew(survey, out);
}

fn is_cross(survey: &Survey) -> bool {
    survey.go_env("GOOS") != survey.go_env("GOHOSTOS")
        || survey.go_env("GOARCH") != survey.go_env("GOHOSTARCH")
}

/// The order is that of the go command (`cmd/go/internal/cfg`).
fn cgo(on: bool, survey: &Survey, out: &mut Findings) {
    let source = Source::of("CGO_ENABLED", survey);
    let value = survey.go_env("CGO_ENABLED");
    let missing = survey.compiler.found.is_none();
    let command = &survey.compiler.command;
    if source != Source::Default {
        let evidence = source.evidence("CGO_ENABLED", value, survey);
        if on {
            out.ok(Check::Cgo, format!("on: {evidence}"));
        } else {
            out.note(Check::Cgo, "off, as is set: files that import \"C\" are left out, and packages of nothing else fail to build")
                .because(evidence);
        }
    } else if is_cross(survey) && !on {
        out.note(
            Check::Cgo,
            "off: the default of a cross build; packages are built without their parts in C",
        )
        .because(format!(
            "{}/{} on {}/{}",
            survey.go_env("GOOS"),
            survey.go_env("GOARCH"),
            survey.go_env("GOHOSTOS"),
            survey.go_env("GOHOSTARCH")
        ));
    } else if !on && missing && !release::is_before(survey.go_env("GOVERSION"), "1.20") {
        out.note(Check::Cgo, format!("off: there is no {command}; packages are built without their parts in C")).because("CGO_ENABLED is not set; since 1.20 it is off where the default C compiler is not on PATH");
    } else if on {
        out.ok(Check::Cgo, "on: the default of a native build");
    } else {
        out.ok(
            Check::Cgo,
            format!(
                "off: the default of {} for {}/{}",
                survey.go_env("GOVERSION"),
                survey.go_env("GOOS"),
                survey.go_env("GOARCH")
            ),
        );
    }
}

fn compiler(on: bool, survey: &Survey, out: &mut Findings) {
    let compiler = &survey.compiler;
    let command = &compiler.command;
    let source = Source::of("CC", survey);
    let Some(found) = &compiler.found else {
        if !on {
            out.ok(
                Check::CCompiler,
                format!("{command} is not on PATH, and not needed: cgo is off"),
            );
            return;
        }
        let program = &compiler.program;
        let remedy = match (source, survey.machine.os.as_str()) {
            (Source::Default, "macos") => "xcode-select --install".to_owned(),
            (Source::Default, _) => format!("sudo apt-get install {command}"),
            (source, _) => source.undo("CC"),
        };
        let evidence = match source {
            Source::Default => format!("CGO_ENABLED=1, and no folder of PATH has {command}"),
            source => source.evidence("CC", command, survey),
        };
        out.error(Check::CCompiler, format!("{program} is not there: packages with parts in C (net, os/user, runtime/cgo) fail to build")).because(evidence).remedy(remedy);
        return;
    };
    let target = compiler.target.as_deref().unwrap_or_default();
    let (arch, wanted) = (arch_of(target), survey.go_env("GOARCH"));
    // Apple's compilers are told the target, and those of x86 compile for both.
    let told = survey.go_env("GOOS") == "darwin" && survey.machine.os == "macos";
    let both = ["386", "amd64"];
    let fits = arch.is_empty()
        || arch == wanted
        || (both.contains(&arch) && both.contains(&wanted))
        || told;
    let judged = ["386", "amd64", "arm64"].contains(&wanted);
    if on && !fits && judged {
        out.error(Check::CCompiler, format!("{command} compiles for {arch}, and the build is for {wanted}: packages with parts in C fail to build"))
            .because(format!("{} -dumpmachine: {target}", found.display()))
            .remedy(match wanted {
                "arm64" if survey.machine.os == "linux" => "export CC=aarch64-linux-gnu-gcc".to_owned(),
                "amd64" if survey.machine.os == "linux" => "export CC=x86_64-linux-gnu-gcc".to_owned(),
                _ => "export CGO_ENABLED=0".to_owned(),
            });
        return;
    }
    let compiles = if target.is_empty() {
        String::new()
    } else {
        format!(", for {target}")
    };
    let needed = if on { "" } else { "; not needed: cgo is off" };
    out.ok(
        Check::CCompiler,
        format!("{command}: {}{compiles}{needed}", found.display()),
    );
}

/// The architecture of a target triple, in Go's words; empty for others.
fn arch_of(triple: &str) -> &'static str {
    match triple.split('-').next().unwrap_or_default() {
        "x86_64" | "amd64" => "amd64",
        "aarch64" | "arm64" => "arm64",
        "i386" | "i486" | "i586" | "i686" => "386",
        _ => "",
    }
}

fn sdk(on: bool, survey: &Survey, out: &mut Findings) {
    let Some(apple) = &survey.apple else { return };
    if let Some(missing) = &apple.missing_sdk {
        out.error(
            Check::Sdk,
            format!("SDKROOT names {}, which is not there", missing.display()),
        )
        .because(Source::Environment.evidence("SDKROOT", &missing.display().to_string(), survey))
        .remedy("unset SDKROOT");
        return;
    }
    match (&apple.developer_tools, &apple.sdk) {
        (Some(_), Some(sdk)) => {
            out.ok(Check::Sdk, sdk.display().to_string());
        }
        (Some(tools), None) => {
            out.note(
                Check::Sdk,
                "no SDK for macOS is found among the developer tools",
            )
            .because(tools.display().to_string())
            .remedy("xcrun --show-sdk-path");
        }
        (None, _) if on => {
            out.error(Check::Sdk, "the command line tools are not installed: /usr/bin/cc only asks to install them, and packages with parts in C fail to build").because("xcode-select -p fails").remedy("xcode-select --install");
        }
        (None, _) => {
            out.note(
                Check::Sdk,
                "the command line tools are not installed, and not needed: cgo is off",
            )
            .because("xcode-select -p fails");
        }
    }
}

/// Variables that lead compilers and linkers to libraries.
const SEARCHED: [&str; 5] = [
    "CGO_LDFLAGS",
    "CGO_CFLAGS",
    "CGO_CPPFLAGS",
    "CGO_CXXFLAGS",
    "PKG_CONFIG_PATH",
];

fn homebrew(survey: &Survey, out: &mut Findings) {
    let prefixes: Vec<String> = survey
        .homebrew
        .iter()
        .map(|prefix| prefix.display().to_string())
        .collect();
    if prefixes.is_empty() {
        return;
    }
    let before = out.0.len();
    let target = survey.go_env("GOARCH");
    for prefix in &prefixes {
        // Homebrew builds for one architecture, and its prefix says for which.
        let arch = match prefix.as_str() {
            "/opt/homebrew" => "arm64",
            "/usr/local" => "amd64",
            _ => continue,
        };
        let within = format!("{prefix}/");
        for name in SEARCHED {
            let value = survey.variable(name);
            if value.contains(&within) && !target.is_empty() && target != arch {
                out.warning(Check::Homebrew, format!("libraries in {prefix} are for {arch}, and the build is for {target}: the linker ignores them, and symbols are undefined"))
                    .because(Source::Environment.evidence(name, value, survey))
                    .remedy(format!("unset {name}"));
            }
        }
    }
    if prefixes.len() > 1 && survey.machine.arch == "arm64" {
        out.note(
            Check::Homebrew,
            format!(
                "there are two, with programs and libraries of two architectures: {}",
                prefixes.join(", ")
            ),
        );
    }
    if out.0.len() == before {
        out.ok(Check::Homebrew, prefixes.join(", "));
    }
}
