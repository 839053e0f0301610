//! cgo, the C compiler, Apple's SDK, Homebrew.

use super::{Check, Findings, Source, release};
use crate::environment::go_flags;
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
    if let Some((name, value)) = open_quote(survey).filter(|_| on) {
        let source = Source::of(name, survey);
        out.error(
            Check::CCompiler,
            format!("a quote in {name} is not closed: builds fail"),
        )
        .because(source.evidence(name, value, survey))
        .remedy(source.undo(name));
        return;
    }
    let Some(found) = &compiler.found else {
        return missing(on, survey, out);
    };
    if let Some(why) = compiler.refusal.as_ref().filter(|_| on) {
        out.error(
            Check::CCompiler,
            format!("{command} refuses its flags: packages with parts in C fail to build"),
        )
        .because(format!("{}; {why}", source.evidence("CC", command, survey)))
        .remedy(source.undo("CC"));
        return;
    }
    let target = compiler.target.as_deref().unwrap_or_default();
    if let Some((is_for, wanted)) = other_target(target, survey).filter(|_| on) {
        out.error(Check::CCompiler, format!("{command} compiles for {is_for}, and the build is for {wanted}: packages with parts in C fail to build"))
            .because(format!("{} -dumpmachine: {target}", found.display()))
            .remedy(for_target(survey));
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

fn missing(on: bool, survey: &Survey, out: &mut Findings) {
    let compiler = &survey.compiler;
    let (command, program) = (&compiler.command, &compiler.program);
    if !on {
        out.ok(
            Check::CCompiler,
            format!("{command} is not on PATH, and not needed: cgo is off"),
        );
        return;
    }
    let source = Source::of("CC", survey);
    let remedy = match (source, survey.machine.os.as_str()) {
        (Source::Default, _) if is_cross(survey) => for_target(survey),
        (Source::Default, "macos") => "xcode-select --install".to_owned(),
        (Source::Default, _) => format!("sudo apt-get install {command}"),
        (source, _) => source.undo("CC"),
    };
    let evidence = match source {
        Source::Default => format!("CGO_ENABLED=1, and no folder of PATH has {command}"),
        source => source.evidence("CC", command, survey),
    };
    let what = match compiler.is_folder {
        true => "a folder",
        false => "not there",
    };
    out.error(Check::CCompiler, format!("{program} is {what}: packages with parts in C (net, os/user, runtime/cgo) fail to build")).because(evidence).remedy(remedy);
}

/// The system or the processor that a compiler is for, and the one that the build is for, where it is known
/// that these differ.
fn other_target<'a>(triple: &str, survey: &'a Survey) -> Option<(&'static str, &'a str)> {
    let (os, wanted) = (os_of(triple), survey.go_env("GOOS"));
    let same = os.is_empty() || os == wanted || (os, wanted) == ("darwin", "ios");
    if !same {
        return Some((os, wanted));
    }
    // Apple's compilers are told the target, and those of x86 compile for both.
    if wanted == "darwin" && survey.machine.os == "macos" {
        return None;
    }
    let (arch, wanted) = (arch_of(triple), survey.go_env("GOARCH"));
    let both = ["386", "amd64"];
    let fits =
        arch.is_empty() || arch == wanted || (both.contains(&arch) && both.contains(&wanted));
    let judged = [both[0], both[1], "arm64"].contains(&wanted);
    (judged && !fits).then_some((arch, wanted))
}

/// A variable with the command of a compiler, or its flags, that ends within a quote; and its value.
fn open_quote(survey: &Survey) -> Option<(&'static str, &str)> {
    const QUOTED: [&str; 8] = [
        "CC",
        "CXX",
        "FC",
        "CGO_CFLAGS",
        "CGO_CPPFLAGS",
        "CGO_CXXFLAGS",
        "CGO_FFLAGS",
        "CGO_LDFLAGS",
    ];
    let values = QUOTED.into_iter().map(|name| {
        let value = match survey.variable(name) {
            "" => survey.settings.kept(name),
            set => set,
        };
        (name, value)
    });
    let mut values = values.filter(|(_, value)| go_flags::split(value.as_bytes()).is_err());
    values.next()
}

/// The command that chooses a compiler for the target: of a package that distributions have, else zig, which
/// compiles for all of these and has no libraries of Apple's beside libSystem.
fn for_target(survey: &Survey) -> String {
    let (os, arch) = (survey.go_env("GOOS"), survey.go_env("GOARCH"));
    let on_linux = survey.machine.os == "linux";
    let processor = match arch {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "x86",
        _ => return "export CGO_ENABLED=0".to_owned(),
    };
    match (os, arch) {
        ("linux", "amd64" | "arm64") if on_linux => {
            format!("export CC={processor}-linux-gnu-gcc")
        }
        ("windows", "amd64") if on_linux => {
            "sudo apt-get install gcc-mingw-w64-x86-64; export CC=x86_64-w64-mingw32-gcc".to_owned()
        }
        ("windows", "386") if on_linux => {
            "sudo apt-get install gcc-mingw-w64-i686; export CC=i686-w64-mingw32-gcc".to_owned()
        }
        ("linux" | "windows", _) => format!("export CC=\"zig cc -target {processor}-{os}-gnu\""),
        ("darwin", _) => format!(
            "export CC=\"zig cc -target {processor}-macos\" # frameworks need Apple's SDK, too"
        ),
        _ => "export CGO_ENABLED=0".to_owned(),
    }
}

/// The system of a target triple, in Go's words; empty for others.
fn os_of(triple: &str) -> &'static str {
    const SYSTEMS: [(&str, &str); 10] = [
        ("android", "android"),
        ("linux", "linux"),
        ("darwin", "darwin"),
        ("macos", "darwin"),
        ("mingw", "windows"),
        ("windows", "windows"),
        ("cygwin", "windows"),
        ("freebsd", "freebsd"),
        ("netbsd", "netbsd"),
        ("openbsd", "openbsd"),
    ];
    let parts = || triple.split('-').skip(1);
    let found = SYSTEMS
        .iter()
        .find(|(known, _)| parts().any(|part| part.starts_with(known)));
    found.map_or("", |(_, os)| os)
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
