//! Environments that are broken on purpose. Each time the go command itself, or another program,
//! is asked whether it is broken; then `gotrace doctor` must have found that, and nothing else.

use gotrace::environment::settings::KnownSettings;
use gotrace::trace::{Severity, Trace};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A finding: check, level, remedy.
type Told = (String, String, String);

/// The go command of this machine's PATH.
fn go() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = gotrace::environment::toolchain::find_on_path(OsStr::new("go"), &path);
    if found.is_none() {
        println!("skipped: no go command on PATH");
    }
    found
}

/// A folder with a module and a home of its own, and an environment in which nothing is wrong.
struct Sickbed {
    folder: tempfile::TempDir,
    go: PathBuf,
    variables: Vec<(String, String)>,
}

impl Sickbed {
    fn new() -> Option<Self> {
        let go = go()?;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        for name in ["home", "tmp", "m", "home/go/bin"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(
            folder.path().join("m/go.mod"),
            "module example.com/m\n\ngo 1.21\n",
        )
        .unwrap();
        fs::write(
            folder.path().join("m/m.go"),
            "package main\n\nfunc main() {}\n",
        )
        .unwrap();
        let bin = go.parent().unwrap().display().to_string();
        let variables = [
            ("HOME", format!("{root}/home")),
            ("TMPDIR", format!("{root}/tmp")),
            ("PATH", format!("{bin}:{root}/home/go/bin:/usr/bin:/bin")),
            ("GOTOOLCHAIN", "local".to_owned()),
            // One for all tests, for the standard library is in it.
            (
                "GOCACHE",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/doctor-cache").to_owned(),
            ),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        Some(Self {
            folder,
            go,
            variables,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.path("m"));
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.envs(variables).output().unwrap()
    }

    /// What the go command says, where it fails.
    fn go_fails(&self, arguments: &[&str]) -> String {
        let output = self.run(&self.go, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "go {arguments:?} works: {said}");
        said
    }

    fn doctor(&self, arguments: &[&str]) -> (Vec<Told>, Option<i32>) {
        let arguments = [&["doctor", "--json"], arguments].concat();
        let output = self.run(Path::new(env!("CARGO_BIN_EXE_gotrace")), &arguments);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let text =
            |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = json["rows"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["level"] == "warning" || row["level"] == "error");
        let told = rows.map(|row| (text(row, "check"), text(row, "level"), text(row, "remedy")));
        (told.collect(), output.status.code())
    }

    /// The one thing that is wrong.
    fn only(&self, check: &str, level: &str) -> String {
        let (told, code) = self.doctor(&[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&*told[0].0, &*told[0].1), (check, level), "{told:?}");
        assert_eq!(code, Some(i32::from(level == "error")));
        let (_, strict) = self.doctor(&["--strict"]);
        assert_eq!(strict, Some(1));
        told[0].2.clone()
    }

    /// A link to a file of this module.
    fn link(&self, to: &Path, name: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        symlink(to, self.path(name)).unwrap();
    }
}

#[test]
fn nothing_is_wrong_with_a_plain_environment() {
    let Some(bed) = Sickbed::new() else { return };
    let (told, code) = bed.doctor(&["--strict", "--", "go", "build", "."]);
    assert_eq!((told, code), (Vec::new(), Some(0)));
    let built = bed.run(&bed.go, &["build", "-o", "m", "."]);
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
}

/// CI, too, must be healthy.
#[test]
fn this_machine_has_no_error() {
    let doctor = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(["doctor", "--quiet"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(go().is_none() || doctor.status.success(), "{said}");
}

#[test]
fn a_goroot_that_breaks_builds_is_an_error() {
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GOROOT", "/nonexistent");
    assert!(bed.go_fails(&["build", "."]).contains("cannot find GOROOT"));
    assert_eq!(bed.only("goroot", "error"), "unset GOROOT");
    let empty = bed.path("tmp").display().to_string();
    let bed = bed.set("GOROOT", &empty);
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("goroot", "error"), "unset GOROOT");
}

#[test]
fn flags_that_the_go_command_refuses_are_an_error() {
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GOFLAGS", "-nosuchflag");
    assert!(bed.go_fails(&["build", "."]).contains("-nosuchflag"));
    assert_eq!(bed.only("goflags", "error"), "unset GOFLAGS");
    // Kept by `go env -w`, where no shell shows them.
    let bed = bed.set("GOFLAGS", "");
    fs::create_dir_all(bed.path("home/.config/go")).unwrap();
    fs::write(bed.path("home/.config/go/env"), "GOFLAGS=-nosuchflag\n").unwrap();
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("goflags", "error"), "go env -u GOFLAGS");
    let bed = bed.set("GOFLAGS", "-v");
    assert!(bed.run(&bed.go, &["build", "."]).status.success());
    assert_eq!(bed.doctor(&[]).0, Vec::new());
}

/// `-w` is the linker's here and `go env`'s there: to write a variable.
#[test]
fn flags_without_quotes_are_warned_of() {
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GOFLAGS", "-ldflags=-s -w");
    assert!(bed.run(&bed.go, &["build", "."]).status.success());
    let remedy = bed.only("goflags", "warning");
    let linked = "go env GOFLAGS; go build -x -a . 2>&1 | grep 'link '";
    let mended = bed.run(
        Path::new("/bin/sh"),
        &["-c", &format!("{remedy}; {linked}")],
    );
    let said = String::from_utf8(mended.stdout).unwrap();
    assert!(said.starts_with("'-ldflags=-s -w'\n"), "{said}");
    assert!(said.contains(" -s -w "), "{said}");
    let bed = bed.set("GOFLAGS", "'-ldflags=-s -w'");
    assert_eq!(bed.doctor(&[]).0, Vec::new());

    let bed = bed.set("GOFLAGS", "-toolexec=/nonexistent");
    assert!(bed.go_fails(&["build", "."]).contains("/nonexistent"));
    assert_eq!(bed.only("goflags", "error"), "unset GOFLAGS");
}

/// Values that the go command, or the runtime below it, stops at.
#[test]
fn values_that_the_go_command_refuses_are_errors_with_a_remedy() {
    for (name, value, check) in [
        ("GOMEMLIMIT", "lots", "variables"),
        ("GOEXPERIMENT", "nosuch", "variables"),
        ("GO111MODULE", "rubbish", "modules"),
        ("GOTOOLCHAIN", "rubbish", "release"),
        ("GOTOOLCHAIN", "go1.99.99+path", "release"),
        ("GOCACHE", "relative", "cache"),
    ] {
        let Some(bed) = Sickbed::new() else { return };
        let bed = bed.set(name, value);
        bed.go_fails(&["build", "."]);
        assert_eq!(bed.only(check, "error"), format!("unset {name}"));
        let said = bed.run(
            Path::new(env!("CARGO_BIN_EXE_gotrace")),
            &["doctor", "--quiet"],
        );
        let said = String::from_utf8_lossy(&said.stdout);
        assert!(!said.contains("goroutine"), "{said}");
        assert!(said.contains(&format!("{name}={value}")), "{said}");
    }
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GOARCH", "arm64").set("GOARM64", "v99");
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("target", "error"), "unset GOARM64");
}

#[test]
fn a_module_that_cannot_be_read_is_an_error() {
    let Some(bed) = Sickbed::new() else { return };
    let file = bed.path("m/go.mod");
    fs::write(&file, "module example.com/m\n\ngo 1.21\nrubbish here\n").unwrap();
    assert!(bed.go_fails(&["build", "."]).contains("rubbish"));
    assert!(bed.only("modules", "error").starts_with("mend "));
}

#[test]
fn keys_of_godebug_that_do_not_exist_are_warned_of() {
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GODEBUG", "asyncpreemptoff=1,nosuchkey=1");
    // The runtime says nothing at all of it, which is why somebody must.
    assert!(bed.run(&bed.go, &["version"]).stderr.is_empty());
    assert_eq!(
        bed.only("godebug", "warning"),
        "export GODEBUG=asyncpreemptoff=1"
    );
    let bed = bed.set("GODEBUG", "asyncpreemptoff=1");
    assert_eq!(bed.doctor(&[]).0, Vec::new());
}

/// The names of variables in the go command's own help.
fn documented(bed: &Sickbed) -> Vec<String> {
    let help = bed.run(&bed.go, &["help", "environment"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let names = help
        .lines()
        .filter_map(|line| line.strip_prefix('\t'))
        .filter(|line| !line.starts_with('\t'))
        .flat_map(|line| line.split(", "))
        .filter(|name| name.starts_with("GO") || name.starts_with("CGO_"));
    names.map(str::to_owned).collect()
}

#[test]
fn misspelt_variables_are_named_and_others_are_not() {
    let Some(bed) = Sickbed::new() else { return };
    let names = documented(&bed);
    assert!(names.len() > 40, "{names:?}");
    let root = bed.run(&bed.go, &["env", "GOROOT"]).stdout;
    let root = String::from_utf8(root).unwrap();
    let known = KnownSettings::of(Path::new(root.trim())).unwrap();
    // Whatever the go command or the runtime has a word for, and what other programs have.
    let others = "GOTRACEBACK GOGC GOMEMLIMIT GOMAXPROCS GORACE GOTRACE_HOME GOLANG_VERSION GO_VERSION \
        GOOGLE_CLOUD_PROJECT GOPACKAGESDRIVER GOROOT_FINAL GOROOT_BOOTSTRAP GOPLS GOCC GOEXEC";
    for name in names
        .iter()
        .map(String::as_str)
        .chain(others.split_whitespace())
    {
        assert_eq!(known.meant(name), None, "{name}");
    }
    let wrong = [
        ("GOFLGAS", "GOFLAGS"),
        ("CGO_ENALBED", "CGO_ENABLED"),
        ("CGO_CFLAG", "CGO_CFLAGS"),
        ("GOARHC", "GOARCH"),
        ("GOROTO", "GOROOT"),
        ("GOAMD46", "GOAMD64"),
        ("CGO_LDFLAG", "CGO_LDFLAGS"),
        ("CGOENABLED", "CGO_ENABLED"),
        ("GOMAXPROC", "GOMAXPROCS"),
    ];
    for (wrong, meant) in wrong {
        let Some(bed) = Sickbed::new() else { return };
        let bed = bed.set(wrong, "1");
        let expected = format!("export {meant}=1; unset {wrong}");
        assert_eq!(bed.only("variables", "warning"), expected);
    }
}

#[test]
fn what_only_another_system_has_is_not_told() {
    let Some(bed) = Sickbed::new() else { return };
    let output = bed.run(Path::new(env!("CARGO_BIN_EXE_gotrace")), &["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("audit"), "{said}");
    assert!(!said.contains("dyldlog"), "{said}");
}

#[test]
fn targets_that_go_does_not_have_are_errors() {
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GOARCH", "x86_64");
    let said = bed.go_fails(&["build", "."]);
    assert!(said.contains("unsupported GOOS/GOARCH pair"), "{said}");
    assert_eq!(bed.only("target", "error"), "export GOARCH=amd64");
    let bed = bed.set("GOARCH", "").set("GOOS", "nosuch");
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("target", "error"), "unset GOOS");
    // Each is known, and both are no pair.
    let bed = bed.set("GOOS", "windows").set("GOARCH", "s390x");
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("target", "error"), "unset GOARCH");
    // Every target that the go command lists is one.
    let list = bed.set("GOOS", "").set("GOARCH", "");
    let list = list.run(&list.go, &["tool", "dist", "list"]).stdout;
    let list: std::collections::BTreeSet<String> = String::from_utf8(list)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let root = Command::new(go().unwrap()).args(["env", "GOROOT"]).output();
    let root = String::from_utf8(root.unwrap().stdout).unwrap();
    let known = gotrace::environment::settings::KnownSettings::of(Path::new(root.trim())).unwrap();
    // `List` has some beside them that are broken, and not listed.
    assert!(
        list.len() > 30 && list.is_subset(&known.platforms),
        "{list:?}"
    );
}

#[test]
fn places_that_the_go_command_refuses_are_found() {
    let Some(bed) = Sickbed::new() else { return };
    let bed = bed.set("GOBIN", "bin");
    let said = bed.go_fails(&["install", "."]);
    assert!(said.contains("GOBIN must be an absolute path"), "{said}");
    assert_eq!(bed.only("path", "warning"), "unset GOBIN");
    let bed = bed.set("GOBIN", "").set("GOWORK", "/nonexistent/go.work");
    let said = bed.go_fails(&["build", "."]);
    assert!(said.contains("go.work"), "{said}");
    assert_eq!(bed.only("modules", "error"), "unset GOWORK");
}

#[test]
fn caches_that_cannot_be_used_are_errors() {
    let Some(bed) = Sickbed::new() else { return };
    fs::write(bed.path("tmp/file"), "").unwrap();
    let within = bed.path("tmp/file/cache").display().to_string();
    let bed = bed.set("GOCACHE", &within);
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("cache", "error"), "unset GOCACHE");
    let bed = bed.set("GOCACHE", "off");
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("cache", "error"), "unset GOCACHE");
}

#[test]
fn a_missing_compiler_is_an_error_where_cgo_is_on() {
    let Some(bed) = Sickbed::new() else { return };
    fs::write(
        bed.path("m/m.go"),
        "package main\n\nimport \"C\"\n\nfunc main() {}\n",
    )
    .unwrap();
    let bed = bed.set("CC", "nosuchcompiler").set("CGO_ENABLED", "1");
    assert!(bed.go_fails(&["build", "."]).contains("nosuchcompiler"));
    assert_eq!(bed.only("cc", "error"), "unset CC");
    let bed = bed.set("CGO_ENABLED", "0");
    assert_eq!(bed.doctor(&[]).0, Vec::new());
    for (name, value) in [
        ("CC", "/tmp"),
        ("CC", "\"gcc"),
        ("CC", "gcc -nosuchflag"),
        ("CGO_CFLAGS", "\"-O2"),
    ] {
        let Some(bed) = Sickbed::new() else { return };
        let program = "package main\n\nimport \"C\"\n\nfunc main() {}\n";
        fs::write(bed.path("m/m.go"), program).unwrap();
        let bed = bed.set(name, value).set("CGO_ENABLED", "1");
        bed.go_fails(&["build", "."]);
        assert_eq!(bed.only("cc", "error"), format!("unset {name}"), "{value}");
    }
}

#[test]
fn temporary_folders_that_are_not_there_are_an_error() {
    let Some(bed) = Sickbed::new() else { return };
    let gone = bed.path("gone").display().to_string();
    let bed = bed.set("TMPDIR", &gone);
    bed.go_fails(&["build", "."]);
    assert_eq!(bed.only("temporary", "error"), format!("mkdir -p {gone}"));
    // The remedy is one.
    fs::create_dir(&gone).unwrap();
    assert!(bed.run(&bed.go, &["build", "."]).status.success());
    assert_eq!(bed.doctor(&[]).0, Vec::new());
}

#[test]
fn a_module_that_needs_a_later_release_is_an_error() {
    let Some(bed) = Sickbed::new() else { return };
    fs::write(bed.path("m/go.mod"), "module example.com/m\n\ngo 1.99\n").unwrap();
    assert!(bed.go_fails(&["build", "."]).contains("1.99"));
    assert_eq!(bed.only("release", "error"), "unset GOTOOLCHAIN");
}

/// Another release of `scripts/go-toolchains`, where one is there.
fn other_release(than: &Path) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools");
    let folders = fs::read_dir(tools)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    let version = |go: &Path| {
        Command::new(go)
            .arg("version")
            .env("GOTOOLCHAIN", "local")
            .output()
            .ok()
            .map(|output| output.stdout)
    };
    let native = |name: &Path| {
        name.to_string_lossy().contains("/go-1.") && !name.to_string_lossy().ends_with("-arm64")
    };
    let mut others = folders
        .filter(|folder| native(folder))
        .map(|folder| folder.join("bin/go"));
    others.find(|go| go.is_file() && version(go) != version(than))
}

#[test]
fn a_second_go_that_is_switched_to_is_said() {
    let Some(bed) = Sickbed::new() else { return };
    let Some(other) = other_release(&bed.go) else {
        return println!("no second toolchain: scripts/setup --go all fetches them");
    };
    let said = bed.run(&other, &["env", "GOVERSION"]);
    let version = String::from_utf8(said.stdout).unwrap().trim().to_owned();
    bed.link(&other, &format!("home/go/bin/{version}"));
    let bed = bed.set("GOTOOLCHAIN", &format!("{version}+path"));
    let runs = bed.run(&bed.go, &["env", "GOVERSION"]);
    assert_eq!(
        String::from_utf8_lossy(&runs.stdout).trim(),
        version,
        "the oracle"
    );
    let doctor = bed.run(Path::new(env!("CARGO_BIN_EXE_gotrace")), &["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains(&format!("hands over to {version}")), "{said}");
    assert_eq!(doctor.status.code(), Some(0), "{said}");
    // And a GOROOT of that release breaks builds by the first.
    let root = other
        .canonicalize()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .display()
        .to_string();
    let bed = bed.set("GOTOOLCHAIN", "local").set("GOROOT", &root);
    assert!(
        bed.go_fails(&["build", "-a", "."])
            .contains("does not match go tool version")
    );
    assert_eq!(bed.only("goroot", "error"), "unset GOROOT");
}

#[test]
fn every_go_on_path_is_shown_once() {
    let Some(bed) = Sickbed::new() else { return };
    // A link to the same one is no other; a script of that name is.
    bed.link(&bed.go, "links/go");
    let script = bed.path("script/go");
    fs::create_dir_all(script.parent().unwrap()).unwrap();
    fs::write(&script, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let path = &bed
        .variables
        .iter()
        .find(|(name, _)| name == "PATH")
        .unwrap()
        .1;
    let path = format!(
        "{path}:{}:{}",
        bed.path("links").display(),
        bed.path("script").display()
    );
    let bed = bed.set("PATH", &path);
    let doctor = bed.run(Path::new(env!("CARGO_BIN_EXE_gotrace")), &["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout);
    let line = said
        .lines()
        .find(|line| line.contains("on PATH, and does not run"))
        .unwrap_or_default();
    assert!(
        line.contains("1 more is") && line.contains(&script.display().to_string()),
        "{said}"
    );
}

#[test]
fn commands_are_resolved_as_exec_does() {
    let Some(bed) = Sickbed::new() else { return };
    let told = |command: &str| {
        let (told, _) = bed.doctor(&["--", command]);
        told.into_iter()
            .map(|(check, level, _)| format!("{level} {check}"))
            .collect::<Vec<_>>()
    };
    for (command, exit) in [("nosuchcommand", 127), ("./go.mod", 126)] {
        // As env(1) has it.
        assert_eq!(
            bed.run(Path::new("/usr/bin/env"), &[command]).status.code(),
            Some(exit)
        );
        assert_eq!(told(command), ["error command"], "{command}");
    }
    assert!(told("sh").is_empty() && told("/bin/ls").is_empty());
    let script = bed.path("m/old");
    fs::write(&script, "#!/usr/bin/env nosuchinterpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!bed.run(&script, &[]).status.success());
    assert_eq!(told("./old"), ["error command"]);
}

#[test]
fn what_is_wrong_is_kept_in_the_trace_without_secrets() {
    let Some(bed) = Sickbed::new() else { return };
    // Put together, so that nobody takes this file for one that has a secret.
    let secret = ["ghp_", "0123456789abcdefghijABCDEFGHIJ012345"].concat();
    let flags = format!("-race -ldflags=-X=main.Token={secret}");
    let bed = bed.set("GODEBUG", "nosuchkey=1").set("GOFLAGS", &flags);
    let file = bed.path("t.gotrace").display().to_string();
    let gotrace = Path::new(env!("CARGO_BIN_EXE_gotrace"));
    let arguments = ["run", "--backend", "toolexec", "-o", &file, "--", "true"];
    let output = bed.run(gotrace, &arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: GOFLAGS cost time: -race"), "{said}");
    assert!(said.contains("(1 more: gotrace doctor)"), "{said}");
    let trace = Trace::open(Path::new(&file)).unwrap();
    let kept = |check: &str, severity: Severity| {
        let findings = trace.findings.iter();
        findings
            .filter(|one| trace.text(one.check) == check && one.severity == severity)
            .count()
    };
    assert_eq!(kept("godebug", Severity::Warning), 1);
    assert_eq!(kept("goflags", Severity::Warning), 1);
    let evidence: Vec<_> = trace
        .findings
        .iter()
        .map(|one| trace.text(one.evidence))
        .collect();
    assert!(
        evidence.iter().any(|one| one.contains("-X=main.Token=")),
        "{evidence:?}"
    );
    assert!(
        !evidence.iter().any(|one| one.contains(&secret)),
        "{evidence:?}"
    );
    let doctor = bed.run(gotrace, &["doctor"]);
    assert!(!String::from_utf8_lossy(&doctor.stdout).contains(&secret));
}
