//! The `bpf` backend on the running kernel, against independent counts.
#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "the command is forked by hand, so that it waits before its exec"
)]

use gotrace::capture::linux::bpf::{self, Options};
use gotrace::capture::{Executed, Observation, Sampled};
use gotrace::environment::Grant;
use gotrace::trace::{Pid, Usage};
use std::ffi::CString;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// One traced command.
struct Run {
    observations: Vec<Observation>,
    wait_status: i32,
    rusage: libc::rusage,
    root: Pid,
}

/// Whether the backend works here; says why not.
fn available() -> bool {
    match bpf::availability() {
        Ok(()) => true,
        Err(refusal) => {
            println!("skipped: {refusal}; {}", refusal.remedy);
            false
        }
    }
}

/// A child that waits for a byte, then calls exec.
fn waiting_child(
    command: &[&str],
    directory: &Path,
    environment: &[(&str, &str)],
) -> (i32, PipeWriter) {
    let (reader, writer): (PipeReader, PipeWriter) = std::io::pipe().unwrap();
    let argv: Vec<CString> = command.iter().map(|a| CString::new(*a).unwrap()).collect();
    let mut pointers: Vec<_> = argv.iter().map(|a| a.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let mut variables: Vec<(String, String)> = std::env::vars().collect();
    for (name, value) in environment {
        variables.retain(|(old, _)| old != name);
        variables.push(((*name).to_owned(), (*value).to_owned()));
    }
    let variables: Vec<CString> = variables
        .into_iter()
        .map(|(name, value)| CString::new(format!("{name}={value}")).unwrap())
        .collect();
    let mut variable_pointers: Vec<_> = variables.iter().map(|a| a.as_ptr()).collect();
    variable_pointers.push(std::ptr::null());
    let directory = CString::new(directory.to_str().unwrap()).unwrap();
    // SAFETY: the child calls only async-signal-safe functions on memory prepared above.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let mut byte = 0_u8;
        // SAFETY: as above; `byte` is valid for one byte.
        unsafe {
            libc::close(writer.as_raw_fd());
            libc::read(reader.as_raw_fd(), (&raw mut byte).cast(), 1);
            libc::chdir(directory.as_ptr());
            libc::execvpe(pointers[0], pointers.as_ptr(), variable_pointers.as_ptr());
            libc::_exit(127);
        }
    }
    (pid, writer)
}

fn trace_with(
    options: Options,
    command: &[&str],
    directory: &Path,
    environment: &[(&str, &str)],
) -> Run {
    let mut backend = bpf::open(options).unwrap();
    let (pid, mut go) = waiting_child(command, directory, environment);
    let root = Pid(pid.cast_unsigned());
    let (sender, receiver) = crossbeam_channel::unbounded();
    backend.start(root, sender).unwrap();
    let collector = std::thread::spawn(move || receiver.into_iter().collect::<Vec<_>>());
    go.write_all(&[1]).unwrap();
    let mut wait_status = 0;
    // SAFETY: an all-zero rusage is valid.
    let mut rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid to write to.
    let waited = unsafe { libc::wait4(pid, &raw mut wait_status, 0, &raw mut rusage) };
    assert_eq!(waited, pid);
    backend.finish().unwrap();
    drop(backend);
    Run {
        observations: collector.join().unwrap(),
        wait_status,
        rusage,
        root,
    }
}

fn trace(command: &[&str]) -> Run {
    trace_with(Options::default(), command, Path::new("/"), &[])
}

impl Run {
    fn executions(&self) -> Vec<&Executed> {
        let executed = |o| match o {
            &Observation::Executed(ref executed) => Some(executed),
            _ => None,
        };
        self.observations.iter().filter_map(executed).collect()
    }

    fn samples(&self) -> Vec<&Sampled> {
        let sampled = |o| match o {
            &Observation::Sampled(ref sampled) => Some(sampled),
            _ => None,
        };
        self.observations.iter().filter_map(sampled).collect()
    }

    fn exits(&self) -> Vec<(Pid, i32, Usage)> {
        let exited = |o: &Observation| match o {
            Observation::Exited {
                pid,
                wait_status,
                usage,
                ..
            } => Some((*pid, *wait_status, *usage)),
            _ => None,
        };
        self.observations.iter().filter_map(exited).collect()
    }

    fn losses(&self) -> Vec<&Observation> {
        self.observations
            .iter()
            .filter(|o| matches!(o, Observation::Lost { .. }))
            .collect()
    }

    fn cpu(&self) -> Duration {
        let time = |t: libc::timeval| {
            Duration::from_secs(t.tv_sec.cast_unsigned())
                + Duration::from_micros(t.tv_usec.cast_unsigned())
        };
        time(self.rusage.ru_utime) + time(self.rusage.ru_stime)
    }
}

fn go() -> Option<PathBuf> {
    if let Some(go) = std::env::var_os("GOTRACE_GO") {
        return Some(go.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("go"))
        .find(|go| go.is_file())
}

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
    std::fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
    std::fs::set_permissions(&test, open).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&test)
        .args(["--ignored", "--exact", "inner_ordinary_user", "--nocapture"])
        .env("GOTRACE_TEST_HELPER", &grant.destination)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
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
    let run = trace_with(
        options.clone(),
        &["sh", "-c", &output(traced.to_str().unwrap())],
        Path::new("/"),
        &variables,
    );
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
    assert_eq!(run.executions()[0].argv_strings()[0], "sh");
    let mapped = |o: &Observation| matches!(o, Observation::Mapped { path, .. } if path.ends_with(b"dash") || path.ends_with(b"bash"));
    assert!(run.observations.iter().any(mapped));

    // Somebody else's process is not watched.
    let mut backend = bpf::open(options).unwrap();
    let (sender, _receiver) = crossbeam_channel::unbounded();
    let error = backend.start(Pid(1), sender).unwrap_err();
    assert!(error.to_string().contains("not belong"), "{error}");
}

trait Strings {
    fn argv_strings(&self) -> Vec<String>;
}

impl Strings for Executed {
    fn argv_strings(&self) -> Vec<String> {
        let argv = self.argv.strip_suffix(&[0]).unwrap_or(&self.argv);
        argv.split(|byte| *byte == 0)
            .map(|a| String::from_utf8_lossy(a).into_owned())
            .collect()
    }
}

#[test]
#[ignore = "a look at what there is"]
fn look() {
    let command = std::env::var("LOOK").unwrap();
    let options = Options {
        expected: std::fs::read_dir("/tmp/gobin/1.27.3/go/pkg/tool/linux_amd64")
            .unwrap()
            .map(|e| e.unwrap().path())
            .chain(["/tmp/gobin/1.27.3/go/bin/go".into()])
            .collect(),
        off_cpu: std::env::var("OFFCPU").is_ok(),
        rate_hz: std::env::var("RATE").map_or(999, |r| r.parse().unwrap()),
        ..Options::default()
    };
    let run = trace_with(options, &["sh", "-c", &command], Path::new("/"), &[]);
    println!(
        "{} observations, {} samples, {} execs, {} exits",
        run.observations.len(),
        run.samples().len(),
        run.executions().len(),
        run.exits().len()
    );
    println!(
        "{:?} status {} root {:?} {:?}",
        run.losses(),
        run.wait_status,
        run.root,
        run.observations.last()
    );
    let total: u64 = run.exits().iter().map(|(_, _, u)| u.cpu().0).sum();
    println!("cpu {:?} ours {:?}", run.cpu(), Duration::from_nanos(total));
    if let Ok(path) = std::env::var("DUMP") {
        let mut f = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        for o in &run.observations {
            writeln!(f, "{o:?}").unwrap();
        }
    }
}
