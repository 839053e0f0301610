//! `gotrace toolchain list`: what is found where, once, and what it is.

use crate::folders::{built, gotrace, hardened, scratch, text, toolchain, write};
use gotrace::environment::goroot::{Place, Surroundings, search};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// A toolchain that is nothing but its shape.
fn shape(root: &Path) {
    toolchain(root, b"#!/bin/sh\n", "x", "go1.27.3");
}

fn found(around: &Surroundings) -> Vec<(PathBuf, Vec<Place>)> {
    let found = search(around).into_iter();
    found
        .map(|one| (one.root.unwrap_or_default(), one.places))
        .collect()
}

#[test]
fn each_place_is_looked_at_and_each_toolchain_stands_once() {
    let folder = scratch();
    let at = |path: &str| folder.path().canonicalize().unwrap().join(path);
    for root in [
        "usr/local/go",
        "home/sdk/go1.26.1",
        "modules/golang.org/toolchain@v0.0.1-go1.25.5.darwin-arm64",
        "modules/golang.org/toolchain@v0.0.1-go1.24.1.darwin-arm64",
        "opt/homebrew/Cellar/go/1.27.3/libexec",
        "opt/homebrew/Cellar/go@1.25/1.25.9/libexec",
        "usr/lib/go-1.19",
        "elsewhere",
    ] {
        shape(&at(root));
    }
    // No toolchains, although they are called so.
    write(&at("home/sdk/gopath/bin/go"), b"");
    write(&at("opt/homebrew/Cellar/gopls/1/libexec/bin/gopls"), b"");
    fs::create_dir_all(at("opt/homebrew/opt")).unwrap();
    symlink("../Cellar/go/1.27.3", at("opt/homebrew/opt/go")).unwrap();
    let around = Surroundings {
        home: Some(at("home")),
        goroot: Some(at("elsewhere")),
        modules: Some(at("modules")),
        toolchain: Some("go1.25.5".to_owned()),
        system: at(""),
        ..Surroundings::default()
    };
    let toolchain = |version: &str| {
        at(&format!(
            "modules/golang.org/toolchain@v0.0.1-{version}.darwin-arm64"
        ))
    };
    let expected = [
        (at("elsewhere"), vec![Place::Goroot]),
        (at("usr/local/go"), vec![Place::Official]),
        (at("home/sdk/go1.26.1"), vec![Place::Sdk]),
        (toolchain("go1.24.1"), vec![Place::ModuleCache]),
        (
            toolchain("go1.25.5"),
            vec![Place::Toolchain, Place::ModuleCache],
        ),
        (
            at("opt/homebrew/Cellar/go/1.27.3/libexec"),
            vec![Place::Homebrew],
        ),
        (
            at("opt/homebrew/Cellar/go@1.25/1.25.9/libexec"),
            vec![Place::Homebrew],
        ),
        (at("usr/lib/go-1.19"), vec![Place::Package]),
    ];
    assert_eq!(found(&around), expected);
}

#[test]
fn variables_say_where_to_look() {
    let folder = scratch();
    let file = folder.path().join("goenv");
    fs::write(&file, "GOTOOLCHAIN=go1.25.5+auto\nGOPATH=/first:/second\n").unwrap();
    let variable = |name: &str| match name {
        "GOENV" => Some(file.clone().into_os_string()),
        "HOME" => Some("/home/me".into()),
        "PATH" => Some("/bin".into()),
        _ => None,
    };
    let around = Surroundings::of(variable);
    assert_eq!(around.toolchain.as_deref(), Some("go1.25.5"));
    assert_eq!(around.modules.as_deref(), Some(Path::new("/first/pkg/mod")));
    assert_eq!(around.goroot, None);
    let off = |name: &str| match name {
        "GOENV" => Some("off".into()),
        "GOTOOLCHAIN" => Some("local".into()),
        other => variable(other),
    };
    let around = Surroundings::of(off);
    assert_eq!(around.toolchain, None);
    assert_eq!(
        around.modules.as_deref(),
        Some(Path::new("/home/me/go/pkg/mod"))
    );
}

fn rows(variables: &[(&str, &Path)]) -> (Value, String) {
    let output = gotrace(&["list", "--json"].map(Path::new), variables);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (
        serde_json::from_slice(&output.stdout).unwrap(),
        text(&output.stderr),
    )
}

/// From outside: real programs, a script, links, and the one that runs.
#[test]
fn programs_are_read_and_none_is_run() {
    let (Some(mac), Some(linux)) = (hardened(), built("linux", "amd64")) else {
        return;
    };
    let folder = scratch();
    let at = |path: &str| folder.path().join(path);
    toolchain(&at("home/sdk/go1.27.3"), &mac, "darwin_arm64", "go1.27.3");
    toolchain(&at("linux"), &linux, "linux_amd64", "go1.27.3");
    fs::remove_file(at("linux/VERSION")).unwrap();
    let ran = at("ran");
    write(
        &at("shims/go"),
        format!("#!/bin/sh\ntouch {}\n", ran.display()).as_bytes(),
    );
    for program in [at("shims/go"), at("linux/bin/go")] {
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir(at("links")).unwrap();
    symlink(at("linux/bin/go"), at("links/go")).unwrap();
    let paths =
        ["shims", "links", "linux/bin", "nowhere"].map(|path| at(path).display().to_string());
    let path = PathBuf::from(paths.join(":"));
    let home = at("home");
    let variables = [
        ("PATH", path.as_path()),
        ("HOME", home.as_path()),
        ("GOTOOLCHAIN", Path::new("go1.99.9")),
    ];
    let (object, notes) = rows(&variables);
    assert_eq!(object["schema"], "gotrace.toolchain-list/1");
    assert_eq!(object["gotoolchain"], "go1.99.9");
    assert!(
        notes.contains("GOTOOLCHAIN=go1.99.9: not in the module cache"),
        "{notes}"
    );
    let all = object["rows"].as_array().unwrap();
    let row = |toolchain: PathBuf| {
        let named = toolchain.canonicalize().unwrap().display().to_string();
        let row = all.iter().find(|row| row["toolchain"] == named.as_str());
        row.unwrap_or_else(|| panic!("no {named}: {object}"))
    };
    let shim = row(at("shims/go"));
    assert_eq!(
        (&shim["runs_as_go"], &shim["format"]),
        (&json!(true), &json!("other"))
    );
    assert_eq!(shim["traceable"], "unknown");
    let linux = row(at("linux"));
    assert_eq!(linux["found_by"], json!(["path"]));
    let commands = linux["go_commands"].as_array().unwrap();
    assert_eq!(commands.len(), 2, "{linux}");
    assert_eq!(
        (&linux["arch"], &linux["format"]),
        (&json!("amd64"), &json!("ELF"))
    );
    // Without VERSION, the go command's own: here that of the go that built it.
    let version = linux["version"].as_str().unwrap();
    assert!(version.starts_with("go1."), "{version}");
    let mac = row(at("home/sdk/go1.27.3"));
    assert_eq!(mac["found_by"], json!(["sdk"]));
    assert_eq!(
        (&mac["traceable"], &mac["signature"]),
        (&json!("no"), &json!("hardened"))
    );
    let slice = &mac["programs"][0]["slices"][0];
    assert_eq!(slice["team"], "EQHXZ8M8AV");
    assert_eq!(slice["flags"], json!(["hardened"]));
    assert!(!ran.exists(), "it was run");

    let shown = text(&gotrace(&[Path::new("list")], &variables).stdout);
    assert!(shown.contains("3 of 3 programs are hardened"), "{shown}");
    assert!(
        shown.contains("  gotrace toolchain prepare --from "),
        "{shown}"
    );
}

#[test]
fn none_is_said_and_is_no_error() {
    let home = scratch();
    let list = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_gotrace"))
            .args(["toolchain", "list"])
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", home.path())
            .output()
            .unwrap()
    };
    let json: Value = serde_json::from_slice(&list(&["--json"]).stdout).unwrap();
    if json["rows"] != json!([]) {
        println!("skipped: toolchains are installed for all users: {json:#}");
        return;
    }
    let found = list(&[]);
    assert_eq!(
        (found.status.code(), found.stdout.as_slice()),
        (Some(0), &b""[..])
    );
    let said = String::from_utf8(found.stderr).unwrap();
    assert!(said.starts_with("gotrace: no Go toolchain found"), "{said}");
    assert!(said.contains("\nhint: "), "{said}");
}
