//! `gotrace toolchain prepare --instrument`: copies of whole official toolchains, of both architectures.

use crate::folders::{gotrace, official, scratch, text};
use crate::prepare::signature;
use gotrace::binary::macho::{MachO, Slices};
use gotrace::binary::trampoline::image_of;
use gotrace::capture::instrumented::{Told, Toolchain};
use gotrace::capture::probes::{ProbeSet, Watch};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn prepare(from: &Path, to: &Path, asked: &[&str]) -> Output {
    let mut arguments = vec![
        Path::new("prepare"),
        Path::new("--from"),
        from,
        Path::new("--to"),
        to,
    ];
    for words in asked {
        arguments.extend([Path::new("--instrument"), Path::new(words)]);
    }
    gotrace(&arguments, &[])
}

#[test]
fn official_toolchains_are_instrumented() {
    for arch in ["arm64", "amd64"] {
        let Some(from) = official(arch) else { return };
        let folder = scratch();
        let to = folder.path().join("instrumented");
        let output = prepare(&from, &to, &["go-build", "link:cmd/link/internal/ld.*"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        assert!(
            said.contains("but for jumps to what tells of calls"),
            "{said}"
        );
        let tools = format!("pkg/tool/darwin_{arch}");
        let read: serde_json::Value =
            serde_json::from_slice(&fs::read(to.join("pkg/gotrace/functions.json")).unwrap())
                .unwrap();
        let rows = read["rows"].as_array().unwrap();
        let count = |path: &str| {
            let mut rows = rows.iter();
            let row = rows.find(|row| row["path"] == path);
            row.map_or(0, |row| row["functions"].as_array().unwrap().len())
        };
        hold_meanings(&to, rows);
        // Phases of the compiler; of the linker all that the package has.
        assert!(count(&format!("{tools}/compile")) > 5, "{said}");
        assert!(count(&format!("{tools}/link")) > 500, "{said}");
        for path in [
            "bin/go",
            "bin/gofmt",
            &format!("{tools}/compile"),
            &format!("{tools}/link"),
        ] {
            let program = to.join(path);
            let found = signature(&program);
            assert_eq!(found["wrong"], serde_json::json!([]), "{path}");
            assert_eq!(
                found["identifier"],
                signature(&from.join(path))["identifier"]
            );
            let checked = Command::new(env!("CARGO_BIN_EXE_gotrace"))
                .args(["inspect", "--check"])
                .arg(&program)
                .output()
                .unwrap();
            assert!(
                checked.status.success(),
                "{path}: {}",
                text(&checked.stdout)
            );
            let instrumented = fs::read(&program).unwrap();
            let library = b"@executable_path/../".as_slice();
            let loads = memchr(&instrumented[..4096], library);
            assert_eq!(loads, count(path) > 0, "{path}");
        }
        let library = to.join("pkg/gotrace/libgotrace-ring.dylib");
        assert_eq!(signature(&library)["wrong"], serde_json::json!([]));
        let again = prepare(&to, &folder.path().join("again"), &["link:main.main"]);
        let errors = text(&again.stderr);
        assert_eq!(again.status.code(), Some(3), "{errors}");
        assert!(errors.contains("it has trampolines already"), "{errors}");
    }
}

/// What a run makes of the toolchain: as many functions as its file has, those of the compiler's set with their phases, and
/// for each copy the number that its own memory has.
fn hold_meanings(root: &Path, rows: &[serde_json::Value]) {
    let toolchain = Toolchain::read(root).unwrap();
    let watch = Watch {
        named: vec!["compile:cmd/compile/internal/ssa.Compile".parse().unwrap()],
        sets: ProbeSet::embedded().unwrap(),
        ..Watch::default()
    };
    let told = Told::of(&toolchain, &watch);
    let functions = rows
        .iter()
        .map(|row| row["functions"].as_array().unwrap().len());
    assert_eq!(told.probed.len(), functions.sum::<usize>());
    let phases = told
        .probed
        .iter()
        .filter(|probed| probed.path.ends_with(b"/compile"));
    let phases: Vec<_> = phases.filter_map(|probed| probed.phase.as_ref()).collect();
    assert!(
        phases.iter().any(|phase| phase.track == "compile"),
        "{phases:?}"
    );
    let [(what, why)] = told.unseen.as_slice() else {
        panic!("{:?}", told.unseen)
    };
    assert_eq!(what, "calls of compile:cmd/compile/internal/ssa.Compile");
    assert!(
        why.contains("prepare --instrument 'compile:cmd/compile/internal/ssa.Compile'"),
        "{why}"
    );
    for program in &toolchain.programs {
        let data = fs::read(root.join(&program.path)).unwrap();
        let slices = Slices::of(&data).unwrap();
        let image = MachO::parse(&slices.slices[0]).unwrap();
        assert_eq!(image_of(&image), Some(program.image));
        assert_eq!(
            told.images[&program.image].traits.len(),
            program.functions.len()
        );
        // The instruction of a place is a jump now: e9 of amd64, b of arm64.
        for function in &program.functions {
            let at = usize::try_from(function.entry).unwrap();
            assert!(
                data[at] == 0xe9 || data[at + 3] >> 2 == 5,
                "{} {at:#x}",
                function.name
            );
        }
    }
}

fn memchr(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn what_is_not_there_is_told_and_nothing_stays() {
    let Some(from) = official("arm64") else {
        return;
    };
    let folder = scratch();
    let to = folder.path().join("copy");
    for (words, code, said) in [
        (
            "no-such-set",
            2,
            "no set of functions has that name; there are go-build",
        ),
        (":main.main", 2, "expected IMAGE:FUNCTION[:entry|call]"),
        (
            "preprofile:main.nothing",
            3,
            "no function is called main.nothing",
        ),
        (
            "nothing:main.main",
            3,
            "no function would tell of its calls",
        ),
    ] {
        let output = prepare(&from, &to, &[words]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(said), "{errors}");
        assert!(!to.exists() && fs::read_dir(folder.path()).unwrap().next().is_none());
    }
}
