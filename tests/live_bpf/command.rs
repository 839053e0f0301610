//! Runs a command under the backend and keeps what was observed.
#![expect(
    unsafe_code,
    reason = "the command is forked by hand, so that it waits before its exec"
)]

use gotrace::capture::linux::bpf::{self, Options};
use gotrace::capture::{Executed, Observation, Sampled};
use gotrace::trace::{Pid, Usage};
use std::ffi::{CString, OsStr};
use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What is run, and how it is watched.
pub(crate) struct Traced<'a> {
    pub(crate) options: Options,
    pub(crate) argv: Vec<&'a OsStr>,
    pub(crate) directory: &'a Path,
    pub(crate) environment: Vec<(&'a str, &'a OsStr)>,
}

/// What was observed of a command that has ended.
pub(crate) struct Run {
    pub(crate) observations: Vec<Observation>,
    pub(crate) wait_status: i32,
    pub(crate) rusage: libc::rusage,
    pub(crate) root: Pid,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) pid: Pid,
    pub(crate) wait_status: i32,
    pub(crate) usage: Usage,
}

/// Whether the backend works here; says why not.
pub(crate) fn available() -> bool {
    match bpf::availability() {
        Ok(()) => true,
        Err(refusal) => {
            println!("skipped: {refusal}; {}", refusal.remedy);
            false
        }
    }
}

/// A child that waits for a byte, then calls exec.
fn waiting_child(traced: &Traced<'_>) -> (i32, PipeWriter) {
    let (reader, writer): (PipeReader, PipeWriter) = std::io::pipe().unwrap();
    let string = |bytes: &OsStr| CString::new(bytes.as_bytes()).unwrap();
    let argv: Vec<CString> = traced.argv.iter().map(|a| string(a)).collect();
    let mut pointers: Vec<_> = argv.iter().map(|a| a.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let mut variables: Vec<_> = std::env::vars_os().collect();
    for (name, value) in &traced.environment {
        variables.retain(|(old, _)| old != name);
        variables.push(((*name).into(), (*value).to_owned()));
    }
    let variables: Vec<CString> = variables
        .into_iter()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            string(&name)
        })
        .collect();
    let mut variable_pointers: Vec<_> = variables.iter().map(|a| a.as_ptr()).collect();
    variable_pointers.push(std::ptr::null());
    let directory = string(traced.directory.as_os_str());
    // SAFETY: the child calls only async-signal-safe functions on memory prepared above.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let mut byte = 0_u8;
        let (program, argv, variables) = (pointers[0], &pointers, &variable_pointers);
        // SAFETY: the descriptor is open, and the child's own copy.
        unsafe { libc::close(writer.as_raw_fd()) };
        // SAFETY: `byte` is valid for the one byte that is read.
        unsafe { libc::read(reader.as_raw_fd(), (&raw mut byte).cast(), 1) };
        // SAFETY: the path ends with a zero byte.
        unsafe { libc::chdir(directory.as_ptr()) };
        // SAFETY: strings end with a zero byte, lists of them with a null pointer.
        unsafe { libc::execvpe(program, argv.as_ptr(), variables.as_ptr()) };
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(127) };
    }
    (pid, writer)
}

/// Watches a command with the defaults.
pub(crate) fn trace<S: AsRef<OsStr>>(argv: &[S]) -> Run {
    Traced::new(argv).run()
}

impl<'a> Traced<'a> {
    pub(crate) fn new<S: AsRef<OsStr>>(argv: &'a [S]) -> Self {
        Self {
            options: Options::default(),
            argv: argv.iter().map(AsRef::as_ref).collect(),
            directory: Path::new("/"),
            environment: Vec::new(),
        }
    }

    pub(crate) fn run(self) -> Run {
        let mut backend = bpf::open(self.options.clone()).unwrap();
        let (pid, mut go) = waiting_child(&self);
        let root = Pid(pid.cast_unsigned());
        let (sender, receiver) = crossbeam_channel::unbounded();
        backend.start(root, sender).unwrap();
        // Batches of calls lend their memory: what is kept is a copy.
        let kept = |observation| match observation {
            Observation::Called(batch) => Observation::Called(batch.clone()),
            other => other,
        };
        let collector =
            std::thread::spawn(move || receiver.into_iter().map(kept).collect::<Vec<_>>());
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
}

impl Run {
    pub(crate) fn executions(&self) -> Vec<&Executed> {
        fn executed(o: &Observation) -> Option<&Executed> {
            match o {
                Observation::Executed(executed) => Some(executed),
                _ => None,
            }
        }
        self.observations.iter().filter_map(executed).collect()
    }

    pub(crate) fn samples(&self) -> Vec<&Sampled> {
        fn sampled(o: &Observation) -> Option<&Sampled> {
            match o {
                Observation::Sampled(sampled) => Some(sampled),
                _ => None,
            }
        }
        self.observations.iter().filter_map(sampled).collect()
    }

    pub(crate) fn exits(&self) -> Vec<Exit> {
        let exited = |o: &Observation| match o {
            Observation::Exited {
                pid,
                wait_status,
                usage,
                ..
            } => Some(Exit {
                pid: *pid,
                wait_status: *wait_status,
                usage: *usage,
            }),
            _ => None,
        };
        self.observations.iter().filter_map(exited).collect()
    }

    pub(crate) fn exit_of(&self, pid: Pid) -> Exit {
        self.exits().into_iter().find(|e| e.pid == pid).unwrap()
    }

    /// Everything that says that something is missing.
    pub(crate) fn losses(&self) -> Vec<&Observation> {
        let missing =
            |o: &&Observation| matches!(o, Observation::Lost { .. } | Observation::Unseen { .. });
        self.observations.iter().filter(missing).collect()
    }

    /// CPU time of the command and of all that it waited for, as `wait4` counts it.
    pub(crate) fn cpu(&self) -> Duration {
        let time = |t: libc::timeval| {
            Duration::from_secs(t.tv_sec.cast_unsigned())
                + Duration::from_micros(t.tv_usec.cast_unsigned())
        };
        time(self.rusage.ru_utime) + time(self.rusage.ru_stime)
    }
}

/// The arguments of a program, as text.
pub(crate) fn arguments(executed: &Executed) -> Vec<String> {
    let argv = executed.argv.strip_suffix(&[0]).unwrap_or(&executed.argv);
    argv.split(|byte| *byte == 0)
        .map(|a| String::from_utf8_lossy(a).into_owned())
        .collect()
}

/// Compiles a C program of `tests/live_bpf/` into a folder.
pub(crate) fn compile_c(source: &str, folder: &Path) -> PathBuf {
    let program = folder.join(source.trim_end_matches(".c"));
    let output = Command::new("cc")
        .args(["-O1", "-g", "-fno-omit-frame-pointer", "-pthread", "-o"])
        .arg(&program)
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/live_bpf")
                .join(source),
        )
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    program
}

/// The go command to test with: `GOTRACE_GO`, or the one of `PATH`.
pub(crate) fn go() -> Option<PathBuf> {
    if let Some(go) = std::env::var_os("GOTRACE_GO") {
        return Some(go.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("go"))
        .find(|go| go.is_file());
    if found.is_none() {
        println!("skipped: no go on PATH");
    }
    found
}
