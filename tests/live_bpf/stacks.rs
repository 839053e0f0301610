//! Stacks: how far they reach, and where threads wait.

use super::calls::calls;
use super::command::{Run, Traced, available, compile_c, go};
use gotrace::capture::linux::bpf::Options;
use gotrace::capture::probes::Watch;
use gotrace::capture::{Observation, Sampled};
use gotrace::trace::{Pid, SampleKind};
use object::{Object as _, ObjectSymbol as _};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where stacks of Go programs begin.
const ROOTS: [&str; 4] = [
    "runtime.goexit",
    "runtime.mstart",
    "runtime.rt0_go",
    "_rt0_amd64_linux",
];

/// The functions that a stack of the compiler may begin with: it is linked to fixed addresses.
fn roots(program: &Path) -> Vec<Range<u64>> {
    let bytes = std::fs::read(program).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let roots: Vec<_> = elf
        .symbols()
        .filter(|symbol| {
            let name = symbol.name().unwrap();
            ROOTS.contains(&name.strip_suffix(".abi0").unwrap_or(name))
        })
        .map(|symbol| symbol.address()..symbol.address() + symbol.size())
        .collect();
    assert!(roots.len() >= ROOTS.len(), "{roots:x?}");
    roots
}

fn reaches(sampled: &Sampled, roots: &[Range<u64>]) -> bool {
    let [innermost, called @ ..] = &sampled.stack[..] else {
        return false;
    };
    // A return address may be the one after the function's last instruction.
    let outermost = called.last().map_or(*innermost, |address| address - 1);
    roots.iter().any(|root| root.contains(&outermost))
}

/// Where `go` keeps its tools.
fn tool(go: &Path, name: &str) -> PathBuf {
    let output = Command::new(go)
        .args(["env", "GOTOOLDIR"])
        .output()
        .unwrap();
    let folder = String::from_utf8(output.stdout).unwrap();
    Path::new(folder.trim_end()).join(name)
}

/// The samples of processes while they ran a program, and how many these were.
fn samples_of<'a>(run: &'a Run, program: &Path) -> (Vec<&'a Sampled>, usize) {
    let (mut running, mut samples, mut count) = (BTreeSet::<Pid>::new(), Vec::new(), 0);
    for observation in &run.observations {
        match observation {
            Observation::Executed(e) if OsStr::from_bytes(&e.exe) == program => {
                running.insert(e.pid);
                count += 1;
            }
            Observation::Exited { pid, .. } => {
                running.remove(pid);
            }
            Observation::Sampled(sampled) if running.contains(&sampled.pid) => {
                samples.push(sampled);
            }
            _ => {}
        }
    }
    (samples, count)
}

#[test]
fn samples_of_the_compiler_reach_the_root_of_their_stack() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let run = compiled(&go, Watch::default());
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    samples_reach_a_root(&go, &run);
}

/// A fifth of the samples or more is then taken where a breakpoint stands in place of `push %rbp`.
#[test]
fn samples_within_a_probe_reach_the_root_of_their_stack() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let named = vec!["compile:runtime.mallocgc:entry".parse().unwrap()];
    let run = compiled(
        &go,
        Watch {
            named,
            ..Watch::default()
        },
    );
    let calls: usize = calls(&run).count();
    assert!(calls > 100_000, "{calls}");
    samples_reach_a_root(&go, &run);
}

/// A cold build of a small package and of all that it needs.
fn compiled(go: &Path, watch: Watch) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        rate_hz: 999,
        expected: vec![std::fs::canonicalize(tool(go, "compile")).unwrap()],
        watch,
        ..Options::default()
    };
    let argv = [
        go.as_os_str(),
        OsStr::new("build"),
        OsStr::new("-a"),
        OsStr::new("strconv"),
    ];
    let run = Traced {
        options,
        environment: vec![
            ("GOCACHE", folder.path().as_os_str()),
            ("GOTOOLCHAIN", OsStr::new("local")),
        ],
        ..Traced::new(&argv)
    }
    .run();
    assert_eq!(run.wait_status, 0);
    run
}

fn samples_reach_a_root(go: &Path, run: &Run) {
    let compiler = std::fs::canonicalize(tool(go, "compile")).unwrap();
    let (samples, compilers) = samples_of(run, &compiler);
    assert!(compilers > 10, "{compilers}");
    assert!(samples.len() > 1000, "{}", samples.len());
    let roots = roots(&compiler);
    let rooted = samples.iter().filter(|s| reaches(s, &roots)).count();
    println!("{rooted} of {} samples reach a root", samples.len());
    assert!(
        rooted * 100 >= samples.len() * 99,
        "{rooted} of {}",
        samples.len()
    );
    // What is called complete is, and what is not says so.
    for sampled in samples {
        if !sampled.truncated {
            assert!(reaches(sampled, &roots), "{sampled:x?}");
        }
    }
}

#[test]
fn waiting_is_told_with_its_length_and_its_stack() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compile_c("wait.c", folder.path());
    let options = Options {
        rate_hz: 0,
        off_cpu: true,
        ..Options::default()
    };
    let run = Traced {
        options,
        ..Traced::new(&[program.as_os_str()])
    }
    .run();
    assert_eq!(run.wait_status, 0);
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    let waiting = function(&run, &program, "wait_in_here");
    let mut samples = run.samples();
    assert!(
        samples
            .iter()
            .all(|s| s.kind == SampleKind::OffCpu && s.pid == run.root)
    );
    samples.retain(|s| waiting.contains(&s.stack[0]) && s.stack.len() > 1);
    // Three times 50 ms in the first thread, once 100 ms in another.
    let of_root: Vec<_> = samples.iter().filter(|s| s.tid.0 == run.root.0).collect();
    let others: Vec<_> = samples.iter().filter(|s| s.tid.0 != run.root.0).collect();
    let long = |s: &&&&Sampled| s.weight.0 >= 50_000_000;
    assert_eq!(of_root.iter().filter(long).count(), 3, "{of_root:x?}");
    assert_eq!(
        others.iter().filter(|s| s.weight.0 >= 100_000_000).count(),
        1,
        "{others:x?}"
    );
}

/// Where a function of the program lay, which maps its code once.
fn function(run: &Run, program: &Path, name: &str) -> Range<u64> {
    let mapped = run.observations.iter().find_map(|o| match o {
        Observation::Mapped {
            path,
            start,
            offset,
            ..
        } if OsStr::from_bytes(path) == program => Some(start - offset),
        _ => None,
    });
    let bytes = std::fs::read(program).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let symbol = elf.symbol_by_name(name).unwrap();
    // A C program is position-independent: addresses are offsets in the file.
    let start = mapped.unwrap() + symbol.address();
    start..start + symbol.size()
}
