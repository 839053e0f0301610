//! The `bpf` backend on the running kernel, against independent counts.
#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "the command is forked by hand, so that it waits before its exec"
)]

use gotrace::capture::linux::bpf::{self, Options};
use gotrace::capture::{Executed, Observation, Sampled};
use gotrace::trace::{Pid, Usage};
use std::ffi::CString;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
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
