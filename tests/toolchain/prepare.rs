//! `gotrace toolchain prepare`: the copy is whole and sound, or there is none.

use crate::folders::{gotrace, hardened, names, official, scratch, text, toolchain, write};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn prepare(from: &Path, to: &Path) -> Output {
    let words = ["prepare", "--entitlement", "get-task-allow", "--from"].map(Path::new);
    let arguments: Vec<&Path> = words
        .into_iter()
        .chain([from, Path::new("--to"), to])
        .collect();
    gotrace(&arguments, &[])
}

/// What stays when a copy fails: the toolchain, and what else was there before.
fn assert_refused(from: &Path, to: &Path, code: i32, said: &str) {
    let before = names(to.parent().unwrap());
    let output = prepare(from, to);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(said), "{errors}");
    assert!(output.stdout.is_empty());
    assert_eq!(names(to.parent().unwrap()), before);
}

/// A toolchain of hardened programs, and the folder that it is in.
fn small() -> Option<(tempfile::TempDir, PathBuf)> {
    let program = hardened()?;
    let folder = scratch();
    let root = folder.path().join("go");
    toolchain(&root, &program, "darwin_arm64", "go1.27.3");
    Some((folder, root))
}

/// What `signature.py` reads of the first slice of a file.
pub(crate) fn signature(path: &Path) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/macho/signature.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .arg(path)
        .output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    read[0].clone()
}

/// The programs of a whole official toolchain, read by another reader, and by the go command.
#[test]
fn an_official_toolchain_is_signed_anew() {
    let Some(from) = official("arm64") else {
        return;
    };
    let folder = scratch();
    let to = folder.path().join("traceable");
    let output = prepare(&from, &to);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("10 of them signed"), "{said}");
    let tools = "pkg/tool/darwin_arm64";
    let mut programs = Vec::new();
    for part in ["bin", tools] {
        programs.extend(
            names(&from.join(part))
                .iter()
                .map(|name| Path::new(part).join(name)),
        );
    }
    assert_eq!(programs.len(), 10);
    for program in &programs {
        let (old, new) = (signature(&from.join(program)), signature(&to.join(program)));
        assert_eq!(new["wrong"], serde_json::json!([]), "{}", program.display());
        assert_eq!(new["code"], old["code"]);
        assert_eq!(new["identifier"], old["identifier"]);
        assert_eq!(new["page"], old["page"]);
        assert_eq!(
            (&old["flags"], &new["flags"]),
            (&0x1_0000.into(), &2.into())
        );
        let allowed = serde_json::json!({ "com.apple.security.get-task-allow": true });
        assert_eq!(new["entitlements"], allowed);
        let mode = fs::metadata(to.join(program)).unwrap().mode() & 0o777;
        assert_eq!(mode & 0o111, (mode & 0o444) >> 2, "{mode:o}");
        let times = [&from, &to].map(|root| fs::metadata(root.join(program)).unwrap().mtime());
        assert_eq!(times[0], times[1]);
    }
    let object = "src/runtime/race/race_darwin_arm64.syso";
    assert!(fs::read(from.join(object)).unwrap() == fs::read(to.join(object)).unwrap());
    assert_eq!(names(folder.path()), ["traceable"]);
    let ids = |root: &Path| {
        let compile = root.join(tools).join("compile");
        let id = Command::new("go")
            .args(["tool", "buildid"])
            .arg(&compile)
            .output();
        let version = Command::new("go").arg("version").arg(&compile).output();
        let versions = text(&version.ok()?.stdout);
        let version = versions.split(": ").last().map(str::to_owned);
        Some((text(&id.ok()?.stdout), version))
    };
    match ids(&to) {
        Some(ids_of_copy) => {
            assert_eq!(Some(&ids_of_copy), ids(&from).as_ref());
            assert!(ids_of_copy.0.len() > 80 && ids_of_copy.1.as_deref() == Some("go1.27.3\n"));
        }
        None => println!("skipped: no go on PATH"),
    }
    // What was prepared can be prepared again.
    let again = prepare(&to, &folder.path().join("again"));
    assert!(again.status.success(), "{}", text(&again.stderr));
    let same = programs.iter().all(|program| {
        let bytes = |root: &str| fs::read(folder.path().join(root).join(program)).unwrap();
        bytes("traceable") == bytes("again")
    });
    assert!(same);
}

#[test]
fn links_lead_to_the_same_place_in_the_copy() {
    let Some((folder, from)) = small() else {
        return;
    };
    symlink("../pkg/tool/darwin_arm64/link", from.join("bin/linker")).unwrap();
    symlink(from.join("src/fmt"), from.join("src/runtime/absolute")).unwrap();
    symlink("../../go/VERSION", from.join("src/around")).unwrap();
    let to = folder.path().join("copy");
    let output = prepare(&from, &to);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let link = |path: &str| fs::read_link(to.join(path)).unwrap();
    assert_eq!(
        link("bin/linker"),
        Path::new("../pkg/tool/darwin_arm64/link")
    );
    assert_eq!(link("src/runtime/absolute"), Path::new("../../src/fmt"));
    assert_eq!(link("src/around"), Path::new("../VERSION"));
    fs::remove_dir_all(&from).unwrap();
    assert_eq!(names(&to.join("src/runtime/absolute")), ["print.go"]);
    assert!(
        fs::read_to_string(to.join("src/around"))
            .unwrap()
            .starts_with("go1.27.3")
    );
}

#[test]
fn a_link_out_of_the_toolchain_is_refused() {
    let Some((folder, from)) = small() else {
        return;
    };
    let to = folder.path().join("copy");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for target in [
        outside.as_path(),
        Path::new("../../outside"),
        Path::new("nowhere"),
    ] {
        let link = from.join("src/out");
        symlink(target, &link).unwrap();
        let said = format!(
            "{}: expected a link that stays in the toolchain, found one to {}",
            link.display(),
            target.display()
        );
        assert_refused(&from, &to, 3, &said);
        fs::remove_file(link).unwrap();
    }
    let pipe = from.join("src/pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert_refused(
        &from,
        &to,
        3,
        "src/pipe: expected a file, a folder or a link",
    );
}

#[test]
fn nothing_is_replaced() {
    let Some((folder, from)) = small() else {
        return;
    };
    let full = folder.path().join("full");
    write(&full.join("mine"), b"mine");
    assert_refused(&from, &full, 4, "full: will not be replaced");
    assert_eq!(fs::read(full.join("mine")).unwrap(), b"mine");
    let dangling = folder.path().join("dangling");
    symlink("/nowhere", &dangling).unwrap();
    assert_refused(&from, &dangling, 4, "dangling: will not be replaced");
    assert_refused(
        &from,
        &from.join("copy"),
        4,
        "a copy cannot lie in what is copied",
    );
    let nowhere = prepare(&from, &folder.path().join("no/copy"));
    assert_eq!(nowhere.status.code(), Some(4));
    assert!(text(&nowhere.stderr).contains("/no: cannot make a folder in it"));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(prepare(&from, &empty).status.success());
    assert!(empty.join("bin/go").is_file());
}

#[test]
fn what_a_killed_run_left_is_taken_away() {
    let Some((folder, from)) = small() else {
        return;
    };
    let to = folder.path().join("copy");
    let partial = folder.path().join(".copy.gotrace-partial");
    write(&partial.join("tree/bin/go"), b"half");
    // Whatever is there without a lock is no partial copy.
    assert_refused(&from, &to, 4, "expected a partial copy of your own");
    assert_eq!(fs::read(partial.join("tree/bin/go")).unwrap(), b"half");
    write(&partial.join("lock"), b"");
    let lock = File::open(partial.join("lock")).unwrap();
    lock.lock().unwrap();
    assert_refused(&from, &to, 4, "another gotrace is making this copy");
    assert_eq!(fs::read(partial.join("tree/bin/go")).unwrap(), b"half");
    drop(lock);
    let output = prepare(&from, &to);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(folder.path()), ["copy", "go"]);
    assert_ne!(fs::read(to.join("bin/go")).unwrap(), b"half");
}

#[test]
fn a_disk_that_is_full_leaves_nothing_behind() {
    let Some((folder, from)) = small() else {
        return;
    };
    let to = folder.path().join("copy");
    // No file may be longer than 1 MiB; the signal that says so is ignored, as is usual for
    // a write that fails because the disk is full.
    let script =
        "trap '' XFSZ; ulimit -f 1024; exec \"$0\" toolchain prepare --from \"$1\" --to \"$2\"";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_gotrace")])
        .args([&from, &to])
        .output()
        .unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert!(
        errors.contains(": cannot be written: File too large"),
        "{errors}"
    );
    assert_eq!(names(folder.path()), ["go"]);
}

#[test]
fn modes_let_the_copy_be_run_and_removed() {
    let Some((folder, from)) = small() else {
        return;
    };
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    // As the module cache has them, and a wheel.
    mode(&from.join("bin/go"), 0o444);
    mode(&from.join("src/fmt/print.go"), 0o4444);
    mode(&from.join("src/fmt"), 0o555);
    mode(&from.join("pkg/tool/darwin_arm64/link"), 0o640);
    let to = folder.path().join("copy");
    assert!(prepare(&from, &to).status.success());
    mode(&from.join("src/fmt"), 0o755);
    let found = |path: &str| fs::metadata(to.join(path)).unwrap().mode() & 0o7777;
    assert_eq!(format!("{:o}", found("bin/go")), "755");
    assert_eq!(format!("{:o}", found("src/fmt/print.go")), "644");
    assert_eq!(format!("{:o}", found("src/fmt")), "755");
    assert_eq!(format!("{:o}", found("pkg/tool/darwin_arm64/link")), "750");
    let times = [&from, &to].map(|root| fs::metadata(root.join("src/fmt/print.go")).unwrap());
    let [one, other] = times.map(|found| (found.mtime(), found.mtime_nsec()));
    assert_eq!(one, other);
}

/// Under sudo the copy is the user's who called it.
#[test]
fn the_copy_belongs_to_who_asked_for_it() {
    let Some((folder, from)) = small() else {
        return;
    };
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: not root");
        return;
    }
    symlink("go", from.join("bin/gofmt")).unwrap();
    let to = folder.path().join("copy");
    let words = ["prepare", "--from"].map(Path::new);
    let arguments: Vec<&Path> = words
        .into_iter()
        .chain([from.as_path(), Path::new("--to"), &to])
        .collect();
    let output = gotrace(&arguments, &[("SUDO_UID", Path::new("65534"))]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for path in ["", "bin", "bin/go", "bin/gofmt", "src/fmt/print.go"] {
        let owner = fs::symlink_metadata(to.join(path)).unwrap().uid();
        assert_eq!(owner, 65534, "{path}");
    }
}

#[test]
fn what_cannot_be_signed_is_named() {
    let Some((folder, from)) = small() else {
        return;
    };
    let to = folder.path().join("copy");
    let link = from.join("pkg/tool/darwin_arm64/link");
    let mut damaged = fs::read(&link).unwrap();
    damaged.extend(b"more");
    fs::write(&link, damaged).unwrap();
    let said = format!("{}: cannot be signed: end of __LINKEDIT", link.display());
    assert_refused(&from, &to, 3, &said);
    // A file that only looks like one is copied as it is.
    fs::write(&link, b"\xcf\xfa\xed\xfe").unwrap();
    assert!(prepare(&from, &to).status.success());
    assert_eq!(
        fs::read(to.join("pkg/tool/darwin_arm64/link")).unwrap(),
        b"\xcf\xfa\xed\xfe"
    );
}

#[test]
fn there_is_nothing_to_sign_for_linux() {
    let folder = scratch();
    let from = folder.path().join("go");
    toolchain(
        &from,
        &fs::read("/bin/sh").unwrap(),
        "linux_amd64",
        "go1.27.3",
    );
    let said = "nothing is to be signed: expected Mach-O programs, found ELF";
    assert_refused(&from, &folder.path().join("copy"), 3, said);
    let none = folder.path().join("none");
    fs::create_dir(&none).unwrap();
    assert_refused(
        &none,
        &folder.path().join("copy"),
        3,
        "none: no Go toolchain",
    );
}
