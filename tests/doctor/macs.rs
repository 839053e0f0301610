//! Six Macs, described by hand, and what `doctor --json` has to find on each: nothing less, nothing more.

use gotrace::analyze::Diagnosis;
use gotrace::environment::Refusal;
use gotrace::environment::survey::{
    Ancestor, Apple, CCompiler, Cache, Executable, FileBytes, Folder, Format, GoCommand, Head,
    Integrity, Machine, Module, Survey, Tool, ToolFolder, Watching,
};
use gotrace::environment::toolchain::Toolchain;
use gotrace::export::json;
use serde_json::Value;
use std::path::{Path, PathBuf};

const TOOLS: &str = "/Library/Developer/CommandLineTools";

/// The folder of tools of the Go for an architecture.
fn tools(go: &str) -> String {
    format!("/usr/local/go/pkg/tool/darwin_{go}")
}

fn executable(path: &str, arch: &str) -> Executable {
    Executable {
        path: PathBuf::from(path),
        head: Head {
            format: Format::MachO,
            archs: vec![arch.to_owned()],
        },
    }
}

fn folder(path: &str) -> Folder {
    Folder {
        path: PathBuf::from(path),
        exists: true,
        free_bytes: Some(1 << 40),
        ..Folder::default()
    }
}

/// What the Go for an architecture says of itself.
fn toolchain(go: &'static str) -> Toolchain {
    let tools = tools(go);
    let variables = [
        ("GOVERSION", "go1.27.3"),
        ("GOROOT", "/usr/local/go"),
        ("GOTOOLDIR", &tools),
        ("GOOS", "darwin"),
        ("GOARCH", go),
        ("GOHOSTOS", "darwin"),
        ("GOHOSTARCH", go),
        ("GOPATH", "/home/me/go"),
        ("GOCACHE", "/home/me/Library/Caches/go-build"),
        ("GOTOOLCHAIN", "auto"),
        ("CGO_ENABLED", "1"),
        ("CC", "clang"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Toolchain {
        path: PathBuf::from("/usr/local/go/bin/go"),
        variables: variables.into_iter().collect(),
        arch: go,
        translator: String::new(),
    }
}

/// What every healthy Mac of this processor has.
fn apple(processor: &str) -> Apple {
    Apple {
        rosetta: processor == "arm64",
        developer_tools: Some(PathBuf::from(TOOLS)),
        sdk: Some(PathBuf::from(TOOLS).join("SDKs/MacOSX.sdk")),
        missing_sdk: None,
        integrity: Some(Integrity {
            debugging: true,
            dtrace: true,
        }),
    }
}

/// A Mac with this processor and this Go, on which nothing is wrong.
fn mac(processor: &str, go: &'static str) -> Survey {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        executable: executable(&format!("{}/{name}", tools(go)), go),
    };
    let mut survey = Survey {
        machine: Machine {
            os: "macos".to_owned(),
            described: "macos 26.1".to_owned(),
            arch: processor.to_owned(),
            own_arch: processor.to_owned(),
            ancestors: vec![
                ancestor(501, "-zsh", false),
                ancestor(500, "Terminal", false),
            ],
            cores: 8,
            ..Machine::default()
        },
        go: vec![GoCommand {
            path: PathBuf::from("/usr/local/go/bin/go"),
            executable: executable("/usr/local/go/bin/go", go),
            goroot: Some(PathBuf::from("/usr/local/go")),
            version: "go1.27.3".to_owned(),
            translator: String::new(),
        }],
        path: ["/usr/local/go/bin", "/home/me/go/bin", "/usr/bin"]
            .map(PathBuf::from)
            .to_vec(),
        toolchain: Some(Ok(toolchain(go))),
        tools: ToolFolder {
            tools: ["asm", "cgo", "compile", "link"].map(tool).to_vec(),
            path: PathBuf::from(tools(go)),
            version: "go1.27.3".to_owned(),
        },
        compiler: CCompiler {
            command: "clang".to_owned(),
            program: "clang".to_owned(),
            found: Some(PathBuf::from("/usr/bin/clang")),
            ..CCompiler::default()
        },
        cache: Cache {
            folder: folder("/home/me/Library/Caches/go-build"),
            ..Cache::default()
        },
        temporary: folder("/var/folders/x/T"),
        apple: Some(apple(processor)),
        ..Survey::default()
    };
    survey.settings.module = Some(Module {
        file: PathBuf::from("/home/me/m/go.mod"),
        go: "1.25".to_owned(),
        exists: true,
        ..Module::default()
    });
    survey
}

fn ancestor(pid: u32, name: &str, translated: bool) -> Ancestor {
    Ancestor {
        pid,
        name: name.to_owned(),
        translator: translated.then(|| "Rosetta 2".to_owned()),
    }
}

/// The rows of `doctor --json` that are not ok: `level check: remedy`.
fn found(survey: &Survey) -> Vec<String> {
    let mut written = Vec::new();
    json::doctor(&Diagnosis::of(survey), &mut written).unwrap();
    let json: Value = serde_json::from_slice(&written).unwrap();
    let rows = json["rows"].as_array().unwrap().iter();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let wrong = rows.filter(|row| row["level"] != "ok");
    wrong
        .map(|row| {
            let [level, check, remedy] = ["level", "check", "remedy"].map(|key| text(row, key));
            format!("{level} {check}: {remedy}")
        })
        .collect()
}

#[test]
fn a_native_one_is_healthy() {
    assert_eq!(found(&mac("arm64", "arm64")), [""; 0]);
}

#[test]
fn a_translated_terminal_is_named() {
    let mut survey = mac("arm64", "arm64");
    survey.machine.translator = Some("Rosetta 2".to_owned());
    survey.machine.ancestors = vec![
        ancestor(501, "-zsh", true),
        ancestor(500, "Terminal", true),
        ancestor(1, "launchd", false),
    ];
    assert_eq!(
        found(&survey),
        ["warning translation: arch -arm64 \"$SHELL\" -l"]
    );
    let mut written = Vec::new();
    json::doctor(&Diagnosis::of(&survey), &mut written).unwrap();
    let json = String::from_utf8(written).unwrap();
    assert!(
        json.contains("Terminal (pid 500) is translated, and launchd (pid 1)"),
        "{json}"
    );
}

/// The toolchain of go.dev, of which the real file is looked at.
#[test]
fn a_hardened_toolchain_wants_a_copy() {
    let name = ".tools/fixtures/go-1.27.3-darwin-arm64/go/pkg/tool/darwin_arm64/compile";
    let compile = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let Ok(bytes) = std::fs::read(&compile) else {
        println!("skipped: no {name}: scripts/fetch-fixtures");
        return;
    };
    let mut survey = mac("arm64", "arm64");
    let path = PathBuf::from("/usr/local/go/pkg/tool/darwin_arm64/compile");
    survey.signed = vec![(path, FileBytes(bytes))];
    assert_eq!(
        found(&survey),
        [
            "note signatures: gotrace toolchain prepare --from /usr/local/go --to \"$HOME/go-traceable\""
        ]
    );
}

#[test]
fn without_integrity_protection_dtrace_sees_more_than_is_needed() {
    let mut survey = mac("arm64", "arm64");
    let switch = |survey: &mut Survey, integrity| {
        survey.apple.as_mut().unwrap().integrity = integrity;
    };
    let on_again = "csrutil enable, in a terminal of macOS Recovery";
    let off = Integrity {
        debugging: false,
        dtrace: false,
    };
    switch(&mut survey, Some(off));
    assert_eq!(found(&survey), [format!("note integrity: {on_again}")]);
    switch(
        &mut survey,
        Some(Integrity {
            debugging: true,
            ..off
        }),
    );
    assert_eq!(found(&survey), [format!("note integrity: {on_again}")]);
    switch(&mut survey, None);
    assert_eq!(found(&survey), ["note integrity: csrutil status"]);
}

/// An amd64 Go and an arm64 Homebrew, with its libraries on the link line.
#[test]
fn homebrews_of_two_architectures_are_told_apart() {
    let mut survey = mac("arm64", "amd64");
    survey.homebrew = ["/opt/homebrew", "/usr/local"].map(PathBuf::from).to_vec();
    let flags = (
        "CGO_LDFLAGS".to_owned(),
        "-L/opt/homebrew/lib -lz".to_owned(),
    );
    if let Some(Ok(toolchain)) = &mut survey.toolchain {
        toolchain.variables.insert(flags.0.clone(), flags.1.clone());
    }
    survey.environment.extend([flags]);
    let native = "curl -fLO https://go.dev/dl/go1.27.3.darwin-arm64.tar.gz";
    assert_eq!(
        found(&survey),
        [
            format!("warning go: {native}"),
            format!("warning target: {native}"),
            "warning homebrew: unset CGO_LDFLAGS".to_owned(),
            "note homebrew: ".to_owned(),
        ]
    );
}

/// An Intel Mac translates nothing; what it lacks of backends is said.
#[test]
fn an_intel_mac_is_healthy_and_an_arm64_go_does_not_run_on_it() {
    let mut survey = mac("amd64", "amd64");
    survey.homebrew = vec![PathBuf::from("/usr/local")];
    assert_eq!(found(&survey), [""; 0]);
    survey.watching = vec![Watching {
        backend: "dtrace".to_owned(),
        gives: "function calls".to_owned(),
        refusal: Some(Refusal {
            reason: "dtrace needs root".to_owned(),
            evidence: "the user's number is 501".to_owned(),
            remedy: "sudo gotrace run ...".to_owned(),
        }),
    }];
    assert_eq!(found(&survey), ["note backends: sudo gotrace run ..."]);
    let mut wrong = mac("amd64", "arm64");
    wrong.apple.as_mut().unwrap().rosetta = false;
    let told = found(&wrong);
    let native = "curl -fLO https://go.dev/dl/go1.27.3.darwin-amd64.tar.gz";
    assert_eq!(
        told.first(),
        Some(&format!("error go: {native}")),
        "{told:?}"
    );
}
