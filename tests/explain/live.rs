//! `gotrace explain -- COMMAND` on this machine: a cgo build that fails, and what goes through.

use std::path::Path;
use std::process::{Command, Output};

fn explain(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("explain")
        .args(arguments)
        .current_dir(folder)
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOFLAGS")
        .env("CGO_ENABLED", "1")
        .output()
        .unwrap()
}

const MODULE: &str = "module example.com/squeeze\n\ngo 1.21\n";
const PROGRAM: &str = "package main\n\n// unsigned long compressBound(unsigned long);\nimport \"C\"\n\nfunc main() { println(C.compressBound(100)) }\n";

/// The flag that is missing is the one with which the build succeeds.
#[test]
fn a_build_without_lz_is_explained_and_mended() {
    let here = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let zlib = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
    ];
    let zlib = zlib
        .iter()
        .any(|folder| Path::new(folder).join("libz.so").exists());
    if !here("gcc") || !zlib || Command::new("go").arg("version").output().is_err() {
        println!("skipped: no go, gcc or libz.so: scripts/setup");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("go.mod"), MODULE).unwrap();
    std::fs::write(folder.path().join("main.go"), PROGRAM).unwrap();
    let build = ["--json", "--", "go", "build", "-o", "out", "."];
    let failed = explain(&build, folder.path());
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert!(
        said.contains("undefined reference to `compressBound'"),
        "{said}"
    );
    let json: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    let row = &json["rows"][0];
    assert_eq!(row["cause"], "not-linked", "{json:#}");
    assert_eq!(row["package"], "example.com/squeeze");
    assert_eq!(row["symbols"][0]["symbol"], "compressBound");
    assert_eq!(row["symbols"][0]["users"][0], "C.compressBound");
    let file = row["files"][0]["path"].as_str().unwrap();
    assert!(file.ends_with("/libz.so"), "{file}");
    let flags = row["remedies"][0]["value"].as_str().unwrap();
    assert_eq!(flags, "-lz");

    let mended = Command::new("go")
        .args(["build", "-o", "out", "."])
        .current_dir(folder.path())
        .env("GOTOOLCHAIN", "local")
        .env("CGO_LDFLAGS", flags)
        .status()
        .unwrap();
    assert!(mended.success());
}

#[test]
fn output_and_exit_codes_go_through() {
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str| explain(&["--", "sh", "-c", script], folder.path());
    let fine = run("printf 'a\\nb'; printf 'c' >&2");
    assert_eq!(fine.status.code(), Some(0));
    assert_eq!(fine.stdout, b"a\nb");
    assert_eq!(fine.stderr, b"c");
    assert_eq!(run("exit 7").status.code(), Some(7));
    assert_eq!(run("kill -9 $$").status.code(), Some(137));
    let warned = run("echo 'x: exec format error'");
    assert_eq!(
        warned.status.code(),
        Some(1),
        "an error that the command did not end with"
    );
    // Nobody but the system says that it was killed.
    let killed = run("kill -9 $$");
    let said = String::from_utf8(killed.stderr).unwrap();
    assert!(said.starts_with("error[killed]"), "{said}");
    assert!(!said.contains("most likely"), "{said}");
    assert!(
        !said.contains("  log "),
        "no line of the log says so: {said}"
    );
    let missing = explain(&["--", "/no/such/command"], folder.path());
    assert_eq!(missing.status.code(), Some(127));
    let file = explain(&["--log", "/no/such/log"], folder.path());
    assert_eq!(file.status.code(), Some(3));
}

#[test]
fn folders_that_are_not_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--root", "--sdk"] {
        let found = explain(&[option, "/nowhere", "--log", "/dev/null"], folder.path());
        assert_eq!(found.status.code(), Some(2), "{option}");
        let said = String::from_utf8(found.stderr).unwrap();
        assert!(
            said.contains(&format!("{option} /nowhere: no such folder")),
            "{said}"
        );
    }
}

/// What may never end is not waited for, and a pipe is read.
#[test]
fn a_log_is_a_file_or_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let device = explain(&["--log", "/dev/zero"], folder.path());
    assert_eq!(device.status.code(), Some(3));
    let said = String::from_utf8(device.stderr).unwrap();
    assert!(said.contains("found a device"), "{said}");

    let log = folder.path().join("log");
    nix::unistd::mkfifo(&log, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let writer = {
        let log = log.clone();
        std::thread::spawn(move || {
            // More than is looked at, whose end has the error.
            let mut text = vec![b'x'; 65 << 20];
            text.extend_from_slice(b"\nx: exec format error\n");
            std::fs::write(log, text).unwrap();
        })
    };
    let piped = explain(&["--log", log.to_str().unwrap()], folder.path());
    writer.join().unwrap();
    assert_eq!(piped.status.code(), Some(1));
    let said = String::from_utf8(piped.stderr).unwrap();
    // 1 MiB, and the lines at the end.
    assert!(said.contains("1048598 bytes before them"), "{said}");
}

/// What a command prints on standard output is not mixed with the object.
#[test]
fn json_is_alone_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo out; echo './a: exec format error' >&2; exit 3";
    let found = explain(&["--json", "--", "sh", "-c", script], folder.path());
    assert_eq!(found.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(json["rows"][0]["cause"], "wrong-format");
    let said = String::from_utf8(found.stderr).unwrap();
    // Two streams, each passed on as it comes: which is first is nobody's promise.
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, ["./a: exec format error", "out"]);
}

/// A program by gcc that calls `gone` of `lib/libgone.so.1`, without being told where that is.
fn with_library(folder: &Path) -> bool {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    std::fs::create_dir(folder.join("lib")).unwrap();
    write("gone.c", "int gone(void) { return 0; }\n");
    write("old.c", "int other(void) { return 0; }\n");
    write(
        "m.c",
        "int gone(void);\nint main(void) { return gone(); }\n",
    );
    let library = "gcc -shared -fPIC -Wl,-soname,libgone.so.1 -o lib/libgone.so.1";
    let script = format!(
        "{library} gone.c && gcc -o m m.c lib/libgone.so.1 -Wl,-z,now && \
         {} old.c",
        library.replace("lib/libgone", "old/libgone")
    );
    std::fs::create_dir(folder.join("old")).unwrap();
    let made = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder)
        .status();
    let made = made.is_ok_and(|made| made.success());
    if !made || !cfg!(target_os = "linux") {
        println!("skipped: no gcc for this system");
    }
    made && cfg!(target_os = "linux")
}

fn row(found: &Output) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_slice(&found.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&found.stderr)));
    assert_eq!(json["rows"].as_array().unwrap().len(), 1, "{json:#}");
    json["rows"][0].clone()
}

/// The folder that is named is the one with which the program starts.
#[test]
fn a_library_that_lies_beside_the_program_need_not_be_installed() {
    let folder = tempfile::tempdir().unwrap();
    if !with_library(folder.path()) {
        return;
    }
    let row = row(&explain(&["--json", "--", "./m"], folder.path()));
    assert_eq!(row["cause"], "library-not-loaded", "{row:#}");
    let lib = folder.path().join("lib").display().to_string();
    assert_eq!(row["remedies"][0]["value"], format!("-Wl,-rpath,{lib}"));
    let set = row["remedies"][1]["value"].as_str().unwrap();
    assert_eq!(row["remedies"][1]["kind"], "set");
    let (variable, value) = set.split_once('=').unwrap();
    let mut mended = Command::new(folder.path().join("m"));
    assert!(mended.env(variable, value).status().unwrap().success());
}

/// What is found lacks the symbol, and it alone of what is needed is none of the system's.
#[test]
fn the_library_that_was_to_have_a_symbol_is_named() {
    let folder = tempfile::tempdir().unwrap();
    if !with_library(folder.path()) {
        return;
    }
    let old = folder.path().join("old").display().to_string();
    let command = format!("LD_LIBRARY_PATH={old} ./m");
    let mut explain = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    explain.args(["explain", "--json", "--", "sh", "-c", &command]);
    let found = explain
        .current_dir(folder.path())
        .env("LD_LIBRARY_PATH", &old)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(
        said.contains("symbol lookup error: ./m: undefined symbol: gone"),
        "{said}"
    );
    let row = row(&found);
    assert_eq!(row["cause"], "symbol-not-bound", "{row:#}");
    let library = format!("{old}/libgone.so.1");
    assert_eq!(row["subject"], library, "{row:#}");
    assert_eq!(row["files"][0]["path"], library);
    assert_eq!(row["files"][0]["has"], serde_json::json!([]));
    assert_eq!(row["remedies"][0]["kind"], "other-version");
}

#[test]
fn commands_that_are_no_programs_are_explained() {
    use std::os::unix::fs::PermissionsExt as _;
    if !cfg!(target_os = "linux") {
        println!("skipped: what a Mac runs is another matter");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let mac = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/explain/mac/opt/homebrew/lib/libfrob.dylib");
    write("mac", &std::fs::read(mac).unwrap());
    write("script", b"echo without a first line\n");
    write("exe", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0");
    // For a processor that no emulator is there for (EM_S390).
    let mut own = std::fs::read(env!("CARGO_BIN_EXE_gotrace")).unwrap();
    own[18] = 9;
    write("other", &own);
    for (name, note, remedy) in [
        ("mac", "other-machine", "build-for-system"),
        ("exe", "other-machine", "build-for-system"),
        ("script", "begins", "run"),
        ("other", "other-machine", "build-for"),
    ] {
        let found = explain(&["--json", "--", &format!("./{name}")], folder.path());
        assert_eq!(found.status.code(), Some(126), "{name}");
        let row = row(&found);
        assert_eq!(row["cause"], "wrong-format", "{row:#}");
        assert_eq!(row["notes"][0]["kind"], note, "{row:#}");
        assert_eq!(row["remedies"][0]["kind"], remedy, "{row:#}");
    }
}

/// A library of zig's, which its linker signed: with a byte of its code changed, the kernel kills
/// whoever reads that page.
#[test]
fn a_killed_program_is_held_to_the_rules_of_macos() {
    let folder = tempfile::tempdir().unwrap();
    let library = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/explain/mac/opt/homebrew/lib/libfrob.dylib");
    let mut bytes = std::fs::read(library).unwrap();
    bytes[0x1420] ^= 1;
    std::fs::write(folder.path().join("frob"), bytes).unwrap();
    std::fs::write(folder.path().join("log"), "zsh: killed     ./frob -x\n").unwrap();
    let found = explain(&["--log", "log"], folder.path());
    assert_eq!(found.status.code(), Some(1));
    let said = String::from_utf8(found.stdout).unwrap();
    assert!(
        said.starts_with("error[killed-signature] the kernel killed ./frob for"),
        "{said}"
    );
    assert!(said.contains("  files     ./frob: for arm64\n"), "{said}");
    let rule =
        "it breaks the rule page-hash: the kernel kills the process when the page is first read";
    assert!(said.contains(rule), "{said}");
    assert!(said.contains("codesign --force --sign - ./frob"), "{said}");
}

#[test]
fn what_is_no_error_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), "ok\texample.com/a\t0.1s\n").unwrap();
    let found = explain(&["--log", "log"], folder.path());
    assert_eq!(found.status.code(), Some(0));
    assert_eq!(found.stdout, b"nothing to explain in 1 line\n");
}

/// Programs by gcc that need versions of `libv.so.1`, and `g` of `libw.so`, and libraries that lack them.
fn with_old_libraries(folder: &Path) -> bool {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    for name in ["lib", "old", "bad"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    write("old.c", "int f(void) { return 1; }\n");
    write(
        "new.c",
        "int f(void) { return 1; }\nint g(void) { return 2; }\n",
    );
    write("old.map", "V_1 { global: f; };\n");
    write("new.map", "V_1 { global: f; };\nV_2 { global: g; } V_1;\n");
    write("m.c", "int g(void);\nint main(void) { return g(); }\n");
    write("bad/libv.so.1", "");
    let script = "set -e
        for age in old new; do
            to=lib; [ $age = old ] && to=old
            gcc -shared -fPIC -Wl,-soname,libv.so.1,--version-script=$age.map -o $to/libv.so.1 $age.c
            gcc -shared -fPIC -Wl,-soname,libw.so -o $to/libw.so $age.c
        done
        gcc -o v m.c lib/libv.so.1
        gcc -o w m.c lib/libw.so -Wl,-z,now,--enable-new-dtags,-rpath,lib";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .status();
    let made = cfg!(target_os = "linux") && made.is_ok_and(|made| made.success());
    if !made {
        println!("skipped: no gcc for this system");
    }
    made
}

/// The one diagnosis of a program that looks for libraries in a folder first.
fn of_program(name: &str, libraries: &str, folder: &Path) -> serde_json::Value {
    let found = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(["explain", "--json", "--", name])
        .current_dir(folder)
        .env("LD_LIBRARY_PATH", libraries)
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(json["rows"].as_array().unwrap().len(), 1, "{json:#}");
    json["rows"][0].clone()
}

#[test]
fn libraries_that_lack_a_version_or_are_none_are_named() {
    let folder = tempfile::tempdir().unwrap();
    if !with_old_libraries(folder.path()) {
        return;
    }
    let old = of_program("./v", "old", folder.path());
    assert_eq!(old["cause"], "version-absent", "{old:#}");
    assert_eq!(old["subject"], "old/libv.so.1");
    assert_eq!(old["notes"][1]["value"], "V_2", "{old:#}");
    assert_eq!(old["notes"][1]["reason"], "V_1");
    let bad = of_program("./v", "bad", folder.path());
    assert_eq!(bad["cause"], "library-broken", "{bad:#}");
    assert_eq!(bad["subject"], "bad/libv.so.1");
    // A file of that name in the working folder is none that was looked at.
    std::fs::write(folder.path().join("libv.so.1"), "not this").unwrap();
    let none = of_program("./v", "/nowhere", folder.path());
    assert_eq!(none["cause"], "library-not-loaded", "{none:#}");
    assert!(!none.to_string().contains("not this"), "{none:#}");
}

/// `LD_LIBRARY_PATH` comes before `DT_RUNPATH`, and what it names without a slash is in the working folder.
#[test]
fn the_library_that_was_loaded_is_the_one_to_blame() {
    let folder = tempfile::tempdir().unwrap();
    if !with_old_libraries(folder.path()) {
        return;
    }
    let row = of_program("./w", "old", folder.path());
    assert_eq!(row["cause"], "symbol-not-bound", "{row:#}");
    assert_eq!(row["subject"], "old/libw.so", "{row:#}");
    // gotrace does not see the setting of a shell, and what lies in `lib` has the symbol.
    let script = ["--json", "--", "sh", "-c", "LD_LIBRARY_PATH=old ./w"];
    let found = explain(&script, folder.path());
    let json: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    let row = &json["rows"][0];
    assert_eq!(row["subject"], serde_json::Value::Null, "{row:#}");
    assert_eq!(
        row["remedies"][0]["command"], "LD_DEBUG=libs ./w",
        "{row:#}"
    );
}
