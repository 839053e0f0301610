//! Judgement of facts that are made by hand, of Linux and of macOS.

use super::*;
use crate::environment::Refusal;
use crate::environment::settings::KnownSettings;
use crate::environment::survey::{
    Ancestor, Apple, CCompiler, Cache, Executable, FileBytes, Folder, Format, GoCommand, Head,
    InstalledTranslator, Integrity, Machine, Module, ProfileLine, Program, Survey, Tool,
    ToolFolder, Watching,
};
use crate::environment::toolchain::Toolchain;
use std::path::PathBuf;

/// A machine on which nothing is wrong, and what `go env` says on it.
fn healthy(os: &str, format: &Format, arch: &str) -> Survey {
    let executable = |path: &str| Executable {
        path: PathBuf::from(path),
        head: Head {
            format: format.clone(),
            archs: vec![arch.to_owned()],
        },
    };
    let go_os = if os == "macos" { "darwin" } else { os };
    let tools = format!("/usr/local/go/pkg/tool/{go_os}_{arch}");
    let variables = [
        ("GOVERSION", "go1.27.3"),
        ("GOROOT", "/usr/local/go"),
        ("GOTOOLDIR", &tools),
        ("GOOS", go_os),
        ("GOARCH", arch),
        ("GOHOSTOS", go_os),
        ("GOHOSTARCH", arch),
        ("GOPATH", "/home/me/go"),
        ("GOCACHE", "/home/me/cache"),
        ("GOTOOLCHAIN", "auto"),
        ("CGO_ENABLED", "1"),
        ("CC", "cc"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let folder = |path: &str| Folder {
        path: PathBuf::from(path),
        exists: true,
        free_bytes: Some(1 << 40),
        ..Folder::default()
    };
    Survey {
        machine: Machine {
            os: os.to_owned(),
            arch: arch.to_owned(),
            own_arch: arch.to_owned(),
            cores: 8,
            ..Machine::default()
        },
        go: vec![GoCommand {
            path: PathBuf::from("/usr/local/go/bin/go"),
            executable: executable("/usr/local/go/bin/go"),
            goroot: Some(PathBuf::from("/usr/local/go")),
            version: "go1.27.3".to_owned(),
            translator: String::new(),
        }],
        path: ["/usr/local/go/bin", "/home/me/go/bin", "/usr/bin"]
            .map(PathBuf::from)
            .to_vec(),
        toolchain: Some(Ok(Toolchain {
            path: PathBuf::from("/usr/local/go/bin/go"),
            variables: variables.into_iter().collect(),
            arch: "",
            translator: String::new(),
        })),
        tools: ToolFolder {
            tools: ["asm", "cgo", "compile", "link"]
                .map(|name| Tool {
                    name: name.to_owned(),
                    executable: executable(&format!("{tools}/{name}")),
                })
                .to_vec(),
            path: PathBuf::from(&tools),
            version: "go1.27.3".to_owned(),
        },
        compiler: CCompiler {
            command: "cc".to_owned(),
            program: "cc".to_owned(),
            found: Some(PathBuf::from("/usr/bin/cc")),
            ..CCompiler::default()
        },
        cache: Cache {
            folder: folder("/home/me/cache"),
            ..Cache::default()
        },
        temporary: folder("/tmp"),
        ..Survey::default()
    }
}

fn linux() -> Survey {
    let mut survey = healthy("linux", &Format::Elf, "amd64");
    survey.settings.module = Some(Module {
        file: PathBuf::from("/home/me/m/go.mod"),
        go: "1.25".to_owned(),
        exists: true,
        ..Module::default()
    });
    survey
}

fn mac() -> Survey {
    let mut survey = healthy("macos", &Format::MachO, "arm64");
    survey.settings.module = linux().settings.module;
    survey.apple = Some(Apple {
        rosetta: true,
        developer_tools: Some(PathBuf::from("/Library/Developer/CommandLineTools")),
        sdk: Some(PathBuf::from(
            "/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk",
        )),
        missing_sdk: None,
        integrity: Some(Integrity {
            debugging: true,
            dtrace: true,
        }),
    });
    survey
}

/// A Mac whose go command is for amd64, as an installer for Intel leaves it.
fn mac_with_amd64_go() -> Survey {
    let mut survey = healthy("macos", &Format::MachO, "amd64");
    survey.machine.arch = "arm64".to_owned();
    survey.machine.own_arch = "arm64".to_owned();
    survey.apple = mac().apple;
    survey.settings.module = linux().settings.module;
    survey
}

fn set(survey: &mut Survey, name: &str, value: &str) {
    survey.environment.insert(name.to_owned(), value.to_owned());
    asked(survey, name, value);
}

fn asked(survey: &mut Survey, name: &str, value: &str) {
    if let Some(Ok(toolchain)) = &mut survey.toolchain {
        toolchain
            .variables
            .insert(name.to_owned(), value.to_owned());
    }
}

/// What is not as it should be: `level check: remedy`.
fn wrong(survey: &Survey) -> Vec<String> {
    let findings = Diagnosis::of(survey).findings;
    let wrong = findings.iter().filter(|finding| finding.level > Level::Ok);
    wrong
        .map(|finding| {
            format!(
                "{} {}: {}",
                finding.level.name(),
                finding.check.id(),
                finding.remedy
            )
        })
        .collect()
}

/// The one thing that is wrong.
fn only(survey: &Survey) -> Finding {
    let findings = Diagnosis::of(survey).findings;
    let mut wrong = findings
        .into_iter()
        .filter(|finding| finding.level > Level::Ok);
    let first = wrong.next().unwrap_or_else(|| panic!("nothing is wrong"));
    assert_eq!(wrong.next(), None, "after {first:?}");
    first
}

#[test]
fn nothing_is_wrong_with_what_is_healthy() {
    assert!(wrong(&linux()).is_empty(), "{:?}", wrong(&linux()));
    assert!(wrong(&mac()).is_empty(), "{:?}", wrong(&mac()));
    // What was not looked at is not judged.
    let unknown = Survey {
        toolchain: None,
        go: linux().go,
        temporary: linux().temporary,
        ..Survey::default()
    };
    assert!(wrong(&unknown).is_empty(), "{:?}", wrong(&unknown));
}

#[test]
fn an_amd64_go_on_apple_silicon_is_translated_or_does_not_run() {
    let mut survey = mac_with_amd64_go();
    let told = wrong(&survey);
    let fetch = "curl -fLO https://go.dev/dl/go1.27.3.darwin-arm64.tar.gz";
    assert_eq!(
        told,
        [
            format!("warning go: {fetch}"),
            format!("warning target: {fetch}")
        ]
    );
    // A fitting one lies further down the PATH.
    let mut second = mac().go.remove(0);
    second.path = PathBuf::from("/opt/home brew/bin/go");
    second.executable.path = second.path.clone();
    survey.go.push(second);
    let told = wrong(&survey);
    assert_eq!(
        told[0],
        "warning go: export PATH='/opt/home brew/bin':\"$PATH\""
    );
    assert!(told[1].starts_with("note go: "), "{told:?}");

    let mut without = mac_with_amd64_go();
    if let Some(apple) = &mut without.apple {
        apple.rosetta = false;
    }
    let findings = Diagnosis::of(&without).findings;
    let go = findings
        .iter()
        .find(|finding| finding.check == Check::GoCommand)
        .expect("judged");
    assert_eq!(go.level, Level::Error);
    assert!(go.text.contains("Bad CPU type in executable"), "{go:?}");
}

#[test]
fn the_process_that_began_with_translation_is_named() {
    let mut survey = mac();
    let rosetta = || Some("Rosetta 2".to_owned());
    let ancestor = |pid, name: &str, translator| Ancestor {
        pid,
        name: name.to_owned(),
        translator,
    };
    survey.machine.ancestors = vec![
        ancestor(501, "-zsh", rosetta()),
        ancestor(500, "Terminal", rosetta()),
        ancestor(1, "launchd", None),
    ];
    let native = only(&survey);
    assert_eq!(
        (native.check, native.level),
        (Check::Translation, Level::Warning)
    );
    assert!(
        native
            .evidence
            .contains("Terminal (pid 500) is translated, and launchd (pid 1)"),
        "{native:?}"
    );
    assert_eq!(native.remedy, "arch -arm64 \"$SHELL\" -l");
    survey.machine.translator = rosetta();
    assert!(
        only(&survey)
            .text
            .contains("gotrace is translated, by Rosetta 2")
    );
    // Translation further up that ended is nobody's business.
    survey.machine.translator = None;
    survey.machine.ancestors = vec![ancestor(9, "sh", None), ancestor(8, "old", rosetta())];
    assert!(wrong(&survey).is_empty());
    // A native shell started a gotrace for amd64.
    survey.machine.translator = rosetta();
    survey.machine.own_arch = "amd64".to_owned();
    assert_eq!(only(&survey).remedy, "install the gotrace for arm64");
}

#[test]
fn libraries_of_the_other_homebrew_are_found_on_the_link_line() {
    let mut survey = mac();
    survey.homebrew = vec![PathBuf::from("/usr/local")];
    assert!(wrong(&survey).is_empty(), "it is there, and nobody uses it");
    set(&mut survey, "CGO_LDFLAGS", "-L/usr/local/lib -lz");
    let found = only(&survey);
    assert_eq!(
        (found.check, found.level, &*found.remedy),
        (Check::Homebrew, Level::Warning, "unset CGO_LDFLAGS")
    );
    survey.homebrew = vec![PathBuf::from("/opt/homebrew")];
    set(&mut survey, "CGO_LDFLAGS", "-L/opt/homebrew/lib -lz");
    assert!(wrong(&survey).is_empty(), "both are for arm64");
    set(&mut survey, "GOARCH", "amd64");
    assert!(
        wrong(&survey)
            .iter()
            .any(|one| one.starts_with("warning homebrew"))
    );
}

#[test]
fn without_command_line_tools_cc_is_a_stub() {
    let mut survey = mac();
    if let Some(apple) = &mut survey.apple {
        (apple.developer_tools, apple.sdk) = (None, None);
    }
    let found = only(&survey);
    assert_eq!(
        (found.check, found.level, &*found.remedy),
        (Check::Sdk, Level::Error, "xcode-select --install")
    );
    set(&mut survey, "CGO_ENABLED", "0");
    assert_eq!(wrong(&survey), ["note cgo: ", "note sdk: "]);
}

#[test]
fn tools_must_be_what_their_folder_says() {
    let mut survey = linux();
    survey.tools.tools[1].executable.head.archs = vec!["arm64".to_owned()];
    let found = only(&survey);
    assert_eq!(
        (found.check, &*found.evidence),
        (Check::Tools, "cgo is for arm64")
    );
    survey.tools.tools.remove(2);
    assert!(only(&survey).text.contains("lacks compile"));
    // Where GOROOT is set, that is why.
    set(&mut survey, "GOROOT", "/empty");
    let found = only(&survey);
    assert_eq!(
        (found.check, found.level, &*found.remedy),
        (Check::Goroot, Level::Error, "unset GOROOT")
    );
}

#[test]
fn goroot_of_another_release_breaks_builds() {
    let mut survey = linux();
    set(&mut survey, "GOROOT", "/usr/local/go");
    assert_eq!(
        only(&survey).level,
        Level::Note,
        "it is right, and need not be set"
    );
    set(&mut survey, "GOROOT", "/old/go");
    asked(&mut survey, "GOVERSION", "go1.25.5");
    survey.tools.version = "go1.25.5".to_owned();
    survey.profile = vec![ProfileLine {
        file: PathBuf::from("/home/me/.zshrc"),
        line: 12,
        variable: "GOROOT".to_owned(),
        value: "/old/go".to_owned(),
    }];
    let told = wrong(&survey);
    assert_eq!(
        told,
        [
            "error goroot: unset GOROOT",
            "warning profile: sed -i.bak '12s/^/# /' /home/me/.zshrc"
        ]
    );
    let findings = Diagnosis::of(&survey).findings;
    let found = findings
        .iter()
        .find(|finding| finding.level == Level::Error)
        .expect("one");
    assert!(
        found.evidence.ends_with("set in /home/me/.zshrc:12"),
        "{found:?}"
    );
}

#[test]
fn settings_that_go_env_keeps_are_told_from_the_environment() {
    let mut survey = linux();
    survey.settings.file = PathBuf::from("/home/me/.config/go/env");
    survey.settings.kept = vec![("GOARCH".to_owned(), "arm64".to_owned())];
    asked(&mut survey, "GOARCH", "arm64");
    asked(&mut survey, "CGO_ENABLED", "0");
    let told = wrong(&survey);
    assert_eq!(
        told,
        [
            "warning target: go env -u GOARCH",
            "note variables: ",
            "note cgo: "
        ]
    );
    survey.settings.kept.clear();
    set(&mut survey, "GOARCH", "arm64");
    let told = wrong(&survey);
    assert_eq!(
        told,
        ["note target: ", "note cgo: "],
        "somebody may want a cross build"
    );
    survey.settings.refused_flags = Some("unknown flag -nosuch".to_owned());
    survey.settings.kept = vec![("GOFLAGS".to_owned(), "-nosuch".to_owned())];
    assert!(wrong(&survey).contains(&"error goflags: go env -u GOFLAGS".to_owned()));
}

#[test]
fn unknown_keys_are_named_and_the_others_kept() {
    let mut survey = linux();
    survey.known = Some(KnownSettings {
        platforms: ["linux/amd64"].map(str::to_owned).into(),
        debug_keys: ["gctrace", "asyncpreemptoff", "cpu.*"]
            .map(str::to_owned)
            .into(),
        runtime_variables: ["GOMAXPROCS", "GOGC"].map(str::to_owned).into(),
        go_variables: ["CGO_ENABLED", "GOVERSION", "GOOS", "GOROOT"]
            .map(str::to_owned)
            .into(),
    });
    set(&mut survey, "GODEBUG", "gctrace=1,mmapheap=1,cpu.avx2=off");
    let found = only(&survey);
    assert_eq!(
        (found.check, found.level, &*found.remedy),
        (
            Check::GoDebug,
            Level::Warning,
            "export GODEBUG=gctrace=1,cpu.avx2=off"
        )
    );
    assert!(found.text.contains("mmapheap"));
    set(&mut survey, "GODEBUG", "gctrace=1");
    assert_eq!(only(&survey).level, Level::Note);
    survey.environment.clear();
    set(&mut survey, "GOMAXPROC", "4");
    assert_eq!(only(&survey).remedy, "export GOMAXPROCS=4; unset GOMAXPROC");
    survey.environment.clear();
    set(&mut survey, "CGO_ENALBED", "1");
    assert_eq!(
        only(&survey).remedy,
        "export CGO_ENABLED=1; unset CGO_ENALBED"
    );
    survey.environment.clear();
    // A letter of a short name is another program's; two in the wrong order are not.
    set(&mut survey, "GOCC", "gccgo");
    set(&mut survey, "GOPS", "1");
    assert!(wrong(&survey).is_empty());
    set(&mut survey, "GOSO", "linux");
    assert_eq!(only(&survey).remedy, "export GOOS=linux; unset GOSO");
    survey.environment.clear();
    // Images of containers have such variables.
    set(&mut survey, "GO_VERSION", "1.27.3");
    set(&mut survey, "GOLANG_VERSION", "1.27.3");
    assert!(wrong(&survey).is_empty());
}

#[test]
fn cgo_needs_a_compiler_for_the_target() {
    let mut survey = linux();
    survey.compiler.target = Some("x86_64-linux-gnu".to_owned());
    assert!(wrong(&survey).is_empty());
    set(&mut survey, "GOARCH", "386");
    assert!(
        wrong(&survey).iter().all(|one| !one.contains("cc:")),
        "gcc compiles for both"
    );
    set(&mut survey, "GOARCH", "arm64");
    set(&mut survey, "CGO_ENABLED", "1");
    assert!(wrong(&survey).contains(&"error cc: export CC=aarch64-linux-gnu-gcc".to_owned()));
    let for_system = |os: &str, arch: &str| {
        let mut survey = linux();
        survey.compiler.target = Some("x86_64-linux-gnu".to_owned());
        set(&mut survey, "GOOS", os);
        set(&mut survey, "GOARCH", arch);
        set(&mut survey, "CGO_ENABLED", "1");
        let mut found = Diagnosis::of(&survey).findings.into_iter();
        found.find(|one| one.check == Check::CCompiler).unwrap()
    };
    for (os, arch, remedy) in [
        ("darwin", "arm64", "zig cc -target aarch64-macos"),
        ("darwin", "amd64", "zig cc -target x86_64-macos"),
        ("windows", "amd64", "x86_64-w64-mingw32-gcc"),
        ("windows", "arm64", "zig cc -target aarch64-windows-gnu"),
        ("linux", "arm64", "=aarch64-linux-gnu-gcc"),
        ("freebsd", "amd64", "CGO_ENABLED=0"),
    ] {
        let found = for_system(os, arch);
        assert_eq!(found.level, Level::Error, "{os}: {}", found.text);
        assert!(found.remedy.contains(remedy), "{os}: {}", found.remedy);
    }
    assert_eq!(for_system("linux", "386").level, Level::Ok);
    let mut survey = linux();
    survey.compiler.found = None;
    assert_eq!(only(&survey).remedy, "sudo apt-get install cc");
    set(&mut survey, "CC", "nosuch");
    assert_eq!(only(&survey).remedy, "unset CC");
    let mut survey = linux();
    survey.compiler.found = None;
    asked(&mut survey, "CGO_ENABLED", "0");
    let found = only(&survey);
    assert_eq!((found.check, found.level), (Check::Cgo, Level::Note));
    // Apple's compiler is told what to compile for.
    let mut survey = mac();
    survey.compiler.target = Some("arm64-apple-darwin25.0.0".to_owned());
    set(&mut survey, "GOARCH", "amd64");
    set(&mut survey, "CGO_ENABLED", "1");
    assert!(wrong(&survey).iter().all(|one| !one.contains("cc:")));
}

#[test]
fn releases_that_are_switched_to_are_said() {
    let mut survey = linux();
    asked(&mut survey, "GOVERSION", "go1.27.3 X:synctest");
    assert!(wrong(&survey).is_empty());
    asked(&mut survey, "GOVERSION", "go1.25.5");
    assert!(
        only(&survey)
            .text
            .contains("go1.27.3 on PATH hands over to go1.25.5")
    );
    if let Some(module) = &mut survey.settings.module {
        module.go = "1.99".to_owned();
    }
    set(&mut survey, "GOTOOLCHAIN", "local");
    let found = only(&survey);
    assert_eq!(
        (found.check, found.level, &*found.remedy),
        (Check::Release, Level::Error, "unset GOTOOLCHAIN")
    );
    survey.settings.unfetched = Some("go: download go1.99".to_owned());
    assert_eq!(only(&survey).level, Level::Note);
    set(&mut survey, "GOPROXY", "off");
    assert_eq!(only(&survey).remedy, "unset GOPROXY");
}

#[test]
fn folders_that_cannot_be_used_are_errors() {
    let mut survey = linux();
    survey.cache.folder.refusal = Some("/home/me/cache/55: Permission denied".to_owned());
    assert_eq!(
        only(&survey).remedy,
        "sudo chown -R \"$(id -u):$(id -g)\" /home/me/cache"
    );
    survey.cache.folder.refusal = None;
    survey.cache.foreign = Some((PathBuf::from("/home/me/cache/00/x-d"), 0));
    assert_eq!(only(&survey).level, Level::Warning);
    survey.cache.foreign = None;
    survey.cache.folder.free_bytes = Some(1 << 20);
    assert_eq!(only(&survey).remedy, "go clean -cache");
    let mut survey = linux();
    survey.cache.program = Some(("cacher".to_owned(), None));
    assert_eq!(
        (only(&survey).check, only(&survey).level),
        (Check::CacheProgram, Level::Error)
    );
    survey.cache.program = Some(("cacher".to_owned(), Some(PathBuf::from("/bin/cacher"))));
    assert_eq!(only(&survey).level, Level::Note);
    let mut survey = linux();
    survey.temporary.without_programs = true;
    assert_eq!(
        (only(&survey).check, only(&survey).level),
        (Check::Temporary, Level::Warning)
    );
    survey.temporary.exists = false;
    set(&mut survey, "TMPDIR", "/tmp");
    assert_eq!(only(&survey).remedy, "mkdir -p /tmp");
}

#[test]
fn translators_that_are_gone_are_found() {
    let mut survey = linux();
    let qemu = InstalledTranslator {
        name: "qemu-aarch64".to_owned(),
        guest: "arm64".to_owned(),
        path: PathBuf::from("/gone"),
        entered: true,
        gone: true,
    };
    survey.translators = vec![qemu.clone()];
    assert_eq!(
        (only(&survey).check, only(&survey).level),
        (Check::Translators, Level::Warning)
    );
    survey.translators = vec![InstalledTranslator {
        gone: false,
        ..qemu
    }];
    assert!(wrong(&survey).is_empty());
}

#[test]
fn what_forbids_watching_is_a_note() {
    let mut survey = linux();
    survey.watching = vec![Watching {
        backend: "bpf".to_owned(),
        gives: "all".to_owned(),
        refusal: Some(Refusal {
            reason: "not permitted".to_owned(),
            evidence: "no rights".to_owned(),
            remedy: "sudo gotrace setup".to_owned(),
        }),
    }];
    let found = only(&survey);
    assert_eq!(
        (found.level, &*found.evidence, &*found.remedy),
        (Level::Note, "no rights", "sudo gotrace setup")
    );
}

fn program(name: &str) -> Program {
    Program {
        name: name.to_owned(),
        found: Some(PathBuf::from("/usr/bin").join(name)),
        executable: Executable {
            path: PathBuf::from("/usr/bin").join(name),
            head: Head {
                format: Format::Elf,
                archs: vec!["amd64".to_owned()],
            },
        },
        bytes: FileBytes(Vec::new()),
        ..Program::default()
    }
}

#[test]
fn commands_that_do_not_run_are_errors_that_say_why() {
    let judged = |program: Program| {
        let mut survey = linux();
        survey.program = Some(program);
        only(&survey)
    };
    let mut survey = linux();
    survey.program = Some(program("make"));
    assert!(wrong(&survey).is_empty());
    let gone = Program {
        found: None,
        ..program("mkae")
    };
    assert_eq!(judged(gone).remedy, "type -a mkae");
    let word = Program {
        found: None,
        ..program("cd")
    };
    assert!(judged(word).text.contains("word of the shell"));
    let forbidden = Program {
        found: None,
        not_executable: Some(PathBuf::from("/usr/bin/x")),
        ..program("x")
    };
    assert_eq!(judged(forbidden).remedy, "chmod +x /usr/bin/x");
    let script = Program {
        no_interpreter: Some("python2".to_owned()),
        ..program("old")
    };
    assert!(judged(script).text.contains("python2"));
    let loader = Program {
        no_loader: Some("/lib/ld-musl-x86_64.so.1".to_owned()),
        ..program("alpine")
    };
    assert!(judged(loader).evidence.contains("ld-musl"));
    let mut other = program("arm");
    other.executable.head.archs = vec!["arm64".to_owned()];
    assert!(judged(other.clone()).text.contains("Exec format error"));
    other.translator = "qemu-aarch64".to_owned();
    assert_eq!(judged(other.clone()).level, Level::Warning);
    other.executable.head.format = Format::MachO;
    assert!(judged(other).text.contains("a program for macOS"));
    let mut plain = program("notes");
    plain.executable.head.format = Format::Other;
    assert_eq!(
        judged(plain.clone()).remedy,
        "gotrace run -- sh /usr/bin/notes"
    );
    plain.executable.head.format = Format::Windows;
    assert!(judged(plain).text.contains("a program for Windows"));
    let unknown = Program {
        executable: Executable {
            head: Head {
                archs: Vec::new(),
                ..program("of").executable.head
            },
            ..Executable::default()
        },
        ..program("of")
    };
    assert!(judged(unknown.clone()).evidence.contains("does not know"));
    let translated = Program {
        translator: "qemu-hexagon".to_owned(),
        ..unknown
    };
    assert_eq!(judged(translated).level, Level::Warning);
    let folder = Program {
        found: None,
        is_folder: true,
        ..program("/etc")
    };
    assert_eq!(judged(folder).text, "/etc is a folder");
}

#[test]
fn an_older_go_that_comes_first_is_told() {
    let mut survey = linux();
    let mut newer = survey.go[0].clone();
    newer.path = PathBuf::from("/home/me/sdk/go1.28.0/bin/go");
    newer.executable.path.clone_from(&newer.path);
    newer.version = "go1.28.0".to_owned();
    survey.go.push(newer);
    let found = only(&survey);
    assert_eq!(
        (found.check, found.level, &*found.remedy),
        (
            Check::GoCommand,
            Level::Note,
            "export PATH=\"/home/me/sdk/go1.28.0/bin:$PATH\""
        )
    );
    survey.go.swap(0, 1);
    assert_eq!(wrong(&survey)[0], "note go: ", "the newer one runs");
}

#[test]
fn targets_that_go_lacks_are_errors_with_the_right_name() {
    let mut survey = linux();
    survey.known = Some(KnownSettings {
        platforms: ["linux/amd64", "linux/arm64", "darwin/arm64"]
            .map(str::to_owned)
            .into(),
        ..KnownSettings::default()
    });
    for (name, value, remedy) in [
        ("GOARCH", "x86_64", "export GOARCH=amd64"),
        ("GOARCH", "aarch64", "export GOARCH=arm64"),
        ("GOOS", "macOS", "export GOOS=darwin"),
        ("GOOS", "nosuch", "unset GOOS"),
    ] {
        let mut survey = survey.clone();
        set(&mut survey, name, value);
        let wrong = wrong(&survey);
        let expected = format!("error target: {remedy}");
        assert!(wrong.contains(&expected), "{name}={value}: {wrong:?}");
    }
}

#[test]
fn words_for_a_shell_are_quoted_where_they_must_be() {
    assert_eq!(quoted("/usr/local/go"), "/usr/local/go");
    assert_eq!(quoted("it's"), r"'it'\''s'");
    assert_eq!(quoted(""), "''");
}

#[test]
fn checks_have_names_of_their_own() {
    let ids: std::collections::BTreeSet<&str> = Check::ALL.iter().map(|check| check.id()).collect();
    assert_eq!(ids.len(), Check::ALL.len());
    assert!(Check::ALL.is_sorted_by_key(|check| check.section()));
    assert!(
        Check::ALL
            .iter()
            .all(|check| check.question().ends_with('?'))
    );
}
