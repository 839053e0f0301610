//! `gotrace toolchain verify`: each check fails where what it is for is broken, and only there.

use crate::folders::{built, gotrace, scratch, text, toolchain, write};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Two sides as `scripts/dual-sdk` makes them, of programs for both architectures.
struct Pair(tempfile::TempDir);

impl Pair {
    fn new() -> Option<Self> {
        let pair = Self(scratch());
        for (name, arch) in [("native", "amd64"), ("translated", "arm64")] {
            let side = pair.0.path().join(name);
            let program = built("linux", arch)?;
            toolchain(
                &side.join("go"),
                &program,
                &format!("linux_{arch}"),
                "go1.27.3",
            );
            pair.settings(name, "");
        }
        Some(pair)
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn settings(&self, side: &str, more: &str) {
        let folder = self.at(side).display().to_string();
        let text = format!(
            "export GOENV=off\nexport GOTOOLCHAIN=local\nexport GOPATH='{folder}/gopath'\n\
             export GOCACHE='{folder}/cache'\nexport GOOS=linux\nexport GOARCH=amd64\n\
             export CGO_ENABLED=0\n{more}"
        );
        write(&self.at(side).join("env"), text.as_bytes());
    }

    fn verify(&self) -> (i32, Value) {
        let (base, new) = (self.at("native"), self.at("translated"));
        let words = [Path::new("verify"), Path::new("--json"), &base, &new];
        let output = gotrace(&words, &[]);
        let object = serde_json::from_slice(&output.stdout);
        let object = object.unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (output.status.code().unwrap(), object)
    }

    /// The checks that do not come out fine, but for whether the programs run on this machine.
    fn complaints(&self) -> Vec<(String, String, Value)> {
        let (code, object) = self.verify();
        let rows = object["rows"].as_array().unwrap().iter();
        let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let wrong = rows.filter(|row| row["standing"] != "ok" && row["check"] != "architecture");
        let found: Vec<_> = wrong
            .map(|row| (word(row, "check"), word(row, "standing"), row.clone()))
            .collect();
        let errors = found
            .iter()
            .filter(|(_, standing, _)| standing == "error")
            .count();
        assert_eq!(code, i32::from(errors > 0));
        assert_eq!(object["error_count"], errors);
        assert_eq!(object["comparable"], errors == 0);
        found
    }

    /// That one check complains, and says this.
    fn assert_only(&self, check: &str, standing: &str, said: [&str; 3]) {
        let found = self.complaints();
        let [(name, how, row)] = found.as_slice() else {
            panic!("{check}: {found:#?}");
        };
        assert_eq!((name.as_str(), how.as_str()), (check, standing));
        for (key, said) in ["subject", "expected", "found"].into_iter().zip(said) {
            let text = row[key].as_str().unwrap();
            assert!(text.contains(said), "{key}: {text}, not {said}");
        }
        assert!(!row["remedy"].as_str().unwrap().is_empty(), "{row}");
    }
}

#[test]
fn a_pair_that_is_one_passes() {
    let Some(pair) = Pair::new() else {
        return;
    };
    assert_eq!(pair.complaints(), []);
    let (base, new) = (pair.at("native"), pair.at("translated"));
    let output = gotrace(&[Path::new("verify"), &base, &new], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(" can be compared"));
}

/// The hash of a library is what anybody computes with `sha256sum`.
#[test]
fn the_hash_is_that_of_sha256sum() {
    let Some(pair) = Pair::new() else {
        return;
    };
    let script = "find VERSION go.env src -type f | LC_ALL=C sort | xargs sha256sum | sha256sum";
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(pair.at("native/go"))
        .output()
        .unwrap();
    let hash = text(&output.stdout);
    let hash = hash.split(' ').next().unwrap();
    let (_, object) = pair.verify();
    let rows = object["rows"].as_array().unwrap();
    let library = rows
        .iter()
        .find(|row| row["check"] == "standard-library")
        .unwrap();
    assert_eq!(library["found"], format!("5 files, sha256 {hash}"));
}

#[test]
fn another_release_is_told_by_its_version_alone() {
    let Some(pair) = Pair::new() else {
        return;
    };
    write(&pair.at("translated/go/VERSION"), b"go1.27.2\n");
    write(
        &pair.at("translated/go/src/fmt/print.go"),
        b"package fmt // other\n",
    );
    pair.assert_only("version", "error", ["go/VERSION", "go1.27.3", "go1.27.2"]);
}

#[test]
fn each_file_of_the_library_that_differs_is_named() {
    let Some(pair) = Pair::new() else {
        return;
    };
    let print = pair.at("translated/go/src/fmt/print.go");
    write(&print, b"package fmt // other\n");
    pair.assert_only(
        "standard-library",
        "error",
        ["src/fmt/print.go", "sha256 ", "sha256 "],
    );
    fs::remove_file(&print).unwrap();
    let gone = ["src/fmt/print.go", "sha256 ", "no such file"];
    pair.assert_only("standard-library", "error", gone);
    write(&print, b"package fmt\n");
    write(&pair.at("translated/go/go.env"), b"GOTOOLCHAIN=local\n");
    pair.assert_only(
        "standard-library",
        "error",
        ["go/go.env", "sha256 ", "sha256 "],
    );
    for number in 0..12 {
        write(&pair.at(&format!("native/go/src/more/{number}.go")), b"");
    }
    let found = pair.complaints();
    assert_eq!(found.len(), 11);
    assert_eq!(found[10].2["found"], "3 more");
}

#[test]
fn programs_are_there_and_of_one_architecture() {
    let Some(pair) = Pair::new() else {
        return;
    };
    let link = pair.at("translated/go/pkg/tool/linux_arm64/link");
    let whole = fs::read(&link).unwrap();
    fs::remove_file(&link).unwrap();
    let missing = ["go", "3 programs, among them tool link", "2 programs"];
    pair.assert_only("programs", "error", missing);
    fs::write(&link, built("linux", "amd64").unwrap()).unwrap();
    pair.assert_only("tools", "error", ["linux_arm64/link", "arm64", "amd64"]);
    fs::write(&link, whole).unwrap();
    for program in [
        "bin/go",
        "pkg/tool/linux_arm64/link",
        "pkg/tool/linux_arm64/compile",
    ] {
        let program = pair.at("translated/go").join(program);
        fs::write(program, built("darwin", "arm64").unwrap()).unwrap();
    }
    let found = pair.complaints();
    assert_eq!(found[0].0, "system", "{found:?}");
    assert_eq!(
        (&found[0].2["expected"], &found[0].2["found"]),
        (&"ELF".into(), &"Mach-O".into())
    );
}

#[test]
fn sides_have_folders_of_their_own() {
    let Some(pair) = Pair::new() else {
        return;
    };
    // A link to the other's folder is the other's folder.
    fs::create_dir(pair.at("native/cache")).unwrap();
    std::os::unix::fs::symlink(pair.at("native/cache"), pair.at("translated/link")).unwrap();
    let link = pair.at("translated/link").display().to_string();
    pair.settings("translated", &format!("GOCACHE={link}\n"));
    let shared = ["GOCACHE", "a folder apart from", "native/cache"];
    pair.assert_only("GOCACHE", "error", shared);
    let gopath = pair.at("native/gopath").display().to_string();
    let modules = pair.at("translated/mod").display().to_string();
    pair.settings(
        "translated",
        &format!("GOPATH={gopath}\nGOMODCACHE={modules}\n"),
    );
    pair.assert_only(
        "GOPATH",
        "error",
        ["GOPATH", "a folder apart", "native/gopath"],
    );
    let root = pair.at("native/go").display().to_string();
    pair.settings("translated", &format!("GOROOT={root}\n"));
    pair.assert_only(
        "GOROOT",
        "error",
        ["translated/env", "no GOROOT, or ", "native/go"],
    );
}

#[test]
fn settings_agree() {
    let Some(pair) = Pair::new() else {
        return;
    };
    for (line, check, standing) in [
        ("GOFLAGS=-race", "GOFLAGS", "error"),
        ("GOARCH=arm64", "GOARCH", "error"),
        ("CGO_ENABLED=1", "CGO_ENABLED", "error"),
        ("GOTOOLCHAIN=auto", "GOTOOLCHAIN", "warning"),
        ("GOTOOLCHAIN=go1.26.1", "GOTOOLCHAIN", "error"),
        ("GOEXPERIMENT=x", "GOEXPERIMENT", "error"),
    ] {
        pair.settings("translated", &format!("{line}\n"));
        let value = line.split_once('=').unwrap().1;
        pair.assert_only(check, standing, ["", "", value]);
        let (_, _, row) = &pair.complaints()[0];
        assert!(!row["remedy"].as_str().unwrap().contains("unset"), "{row}");
    }
}

/// Of a GOROOT alone, the settings are those of whoever asks.
#[test]
fn toolchains_without_settings_share_everything() {
    let Some(pair) = Pair::new() else {
        return;
    };
    let (base, new) = (pair.at("native/go"), pair.at("translated/go"));
    let home = [("HOME", Path::new("/home/me"))];
    let output = gotrace(&[Path::new("verify"), &base, &new], &home);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for line in [
        "error[GOCACHE] ",
        "error[GOPATH] ",
        "note[GOMODCACHE] ",
        "warning[GOARCH] ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("/go.env"), "{said}");
    assert!(said.contains("cannot be compared: 2 of "), "{said}");
    let none = gotrace(&[Path::new("verify"), &base, Path::new("/nowhere")], &home);
    assert_eq!(none.status.code(), Some(3));
    assert!(text(&none.stderr).contains("/nowhere: no Go toolchain"));
}
