//! What an ordinary user gets through the helper executable.

use super::command::{Traced, arguments, available};
use gotrace::capture::Observation;
use gotrace::capture::linux::bpf::{self, Options};
use gotrace::environment::Grant;
use gotrace::trace::Pid;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Runs the inner test of this file as an ordinary user, with a helper that has the rights.
#[test]
fn an_ordinary_user_gets_samples_through_the_helper() {
    if !available() || !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root can install the helper");
    }
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open.clone()).unwrap();
    let grant = Grant {
        source: env!("CARGO_BIN_EXE_gotrace-helper").into(),
        destination: folder.path().join("libexec/gotrace-helper"),
        group: None,
    };
    grant.apply().unwrap();
    let test = folder.path().join("live_bpf");
    // Copied by another process: a child that a test beside this one forks would keep the copy
    // open for writing, and so from being run.
    let mut copy = Command::new("cp");
    let copy = copy.arg(std::env::current_exe().unwrap()).arg(&test);
    assert!(copy.status().unwrap().success());
    std::fs::set_permissions(&test, open).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&test)
        .args([
            "--ignored",
            "--exact",
            "rights::inner_ordinary_user",
            "--nocapture",
        ])
        .env("GOTRACE_TEST_HELPER", &grant.destination)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{complaint}");
    assert!(text.contains("1 passed"), "{text}");
    grant.undo().unwrap();
    assert!(!grant.destination.exists());
}

/// What is true of a traced command when gotrace runs as an ordinary user.
#[test]
#[ignore = "called by an_ordinary_user_gets_samples_through_the_helper, as another user"]
fn inner_ordinary_user() {
    let helper = std::env::var_os("GOTRACE_TEST_HELPER").unwrap();
    assert!(!nix::unistd::geteuid().is_root());
    let options = Options {
        rate_hz: 999,
        helper: Some(helper.clone().into()),
        ..Options::default()
    };
    // The environment arrives whole: nothing is taken out, as the loader does for programs that
    // have capabilities.
    let variables = [("LD_LIBRARY_PATH", "/nonexistent"), ("TMPDIR", "/tmp")];
    let command = "env | sort; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let output = |file: &str| format!("{{ {command}; }} > {file}");
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let traced = folder.path().join("traced");
    let plain = folder.path().join("plain");
    let script = output(traced.to_str().unwrap());
    let run = Traced {
        options: options.clone(),
        environment: variables
            .map(|(name, value)| (name, OsStr::new(value)))
            .into(),
        ..Traced::new(&["sh", "-c", &script])
    }
    .run();
    let status = Command::new("sh")
        .args(["-c", &output(plain.to_str().unwrap())])
        .current_dir("/")
        .envs(variables)
        .env_remove("PWD")
        .status()
        .unwrap();
    assert!(status.success());
    let without_shell = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .filter(|l| !l.starts_with("PWD=") && !l.starts_with("OLDPWD="));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_shell(&traced), without_shell(&plain));
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    assert!(run.samples().len() > 50, "{} samples", run.samples().len());
    assert_eq!(arguments(run.executions()[0])[0], "sh");
    let mapped = |o: &Observation| matches!(o, Observation::Mapped { path, .. } if path.ends_with(b"dash") || path.ends_with(b"bash"));
    assert!(run.observations.iter().any(mapped));

    // Somebody else's process is not watched.
    let mut backend = bpf::open(options).unwrap();
    let (sender, _receiver) = crossbeam_channel::unbounded();
    let error = backend.start(Pid(1), sender).unwrap_err();
    assert!(error.to_string().contains("not belong"), "{error}");
}
