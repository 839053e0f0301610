//! The process tree: who ran what, how it ended, what it used.

use super::command::{Traced, arguments, available, compile_c, go, trace};
use gotrace::capture::Observation;
use gotrace::capture::linux::bpf::Options;
use gotrace::trace::{Arch, Pid, Usage};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

/// Process number and path of each exec that strace saw succeed, from its `-ff` files, one a
/// process.
fn strace_execs(folder: &Path) -> Vec<(Pid, String)> {
    let mut execs = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let pid = Pid(path.extension().unwrap().to_str().unwrap().parse().unwrap());
        let log = std::fs::read_to_string(path).unwrap();
        let succeeded = |line: &&str| line.starts_with("execve(") && line.ends_with("= 0");
        for line in log.lines().filter(succeeded) {
            execs.push((pid, line.split('"').nth(1).unwrap().to_owned()));
        }
    }
    execs
}

/// A command under strace, under gotrace: both see the same run.
fn assert_same_execs(command: &[&OsStr], environment: Vec<(&str, &OsStr)>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("strace");
    let strace = [
        "strace",
        "-ff",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=execve",
    ];
    let mut argv: Vec<&OsStr> = strace.iter().map(OsStr::new).collect();
    argv.extend([OsStr::new("-o"), log.as_os_str()]);
    argv.extend(command);
    let run = Traced {
        environment,
        directory: folder.path(),
        ..Traced::new(&argv)
    }
    .run();
    assert_eq!(run.wait_status, 0);
    assert!(run.losses().is_empty(), "{:?}", run.losses());
    let ours: Vec<(Pid, String)> = run.executions()[1..]
        .iter()
        .map(|e| (e.pid, String::from_utf8_lossy(&e.exe).into_owned()))
        .collect();
    // strace has the path as it was given: it may lead through symbolic links.
    let mut theirs = strace_execs(folder.path());
    for (_, path) in &mut theirs {
        let real = std::fs::canonicalize(&*path).ok();
        *path = real.map_or(path.clone(), |real| real.to_string_lossy().into_owned());
    }
    let sorted = |list: &[(Pid, String)]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
    ours.len()
}

#[test]
fn execs_of_a_shell_are_those_that_strace_counts() {
    if !available() {
        return;
    }
    // Two of the three programs that env looks for are not where it looks first.
    let script = "for i in 1 2 3 4 5; do env PATH=/nonexistent:/bin true; (true; env true); done; \
                  seq 40 | xargs -P 8 -n 1 env PATH=/nonexistent:/bin:/usr/bin true; \
                  nonexistent-program 2> /dev/null; exec true";
    let count = assert_same_execs(
        &[OsStr::new("sh"), OsStr::new("-c"), OsStr::new(script)],
        Vec::new(),
    );
    assert_eq!(count, 1 + 5 * 4 + 2 + 40 * 2 + 1);
}

#[test]
fn execs_of_a_build_are_those_that_strace_counts() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let source = folder.path().join("main.go");
    std::fs::write(&source, "package main\n\nfunc main() { println(1) }\n").unwrap();
    let output = folder.path().join("main");
    let count = assert_same_execs(
        &[
            go.as_os_str(),
            OsStr::new("build"),
            OsStr::new("-o"),
            output.as_os_str(),
            source.as_os_str(),
        ],
        vec![
            ("GOCACHE", cache.as_os_str()),
            ("GOTOOLCHAIN", OsStr::new("local")),
        ],
    );
    assert!(count > 20, "{count}");
    assert!(output.exists());
}

#[test]
fn an_exec_has_its_arguments_executable_directory_and_architecture() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A name that is no UTF-8, with a space, a quote and a line break, at the end of a long path.
    let mut deep = folder.path().to_owned();
    for _ in 0..10 {
        deep.push("x".repeat(100));
    }
    deep.push(OsStr::from_bytes(b"a \"b\"\n\xff"));
    std::fs::create_dir_all(&deep).unwrap();
    let program = deep.join(OsStr::from_bytes(b"tr\xe9 e"));
    std::fs::copy("/bin/true", &program).unwrap();
    let odd = OsStr::from_bytes(b"\xff\xfe \"'\n");
    let run = Traced {
        directory: &deep,
        ..Traced::new(&[program.as_os_str(), odd, OsStr::new("")])
    }
    .run();
    let [executed] = run.executions()[..] else {
        panic!("{:?}", run.executions());
    };
    assert_eq!(executed.exe, program.as_os_str().as_bytes());
    assert_eq!(executed.cwd, deep.as_os_str().as_bytes());
    let argv = [program.as_os_str().as_bytes(), odd.as_bytes(), b""];
    assert_eq!(executed.argv, [argv.join(&0), vec![0]].concat());
    assert!(!executed.argv_truncated);
    let arch = if cfg!(target_arch = "x86_64") {
        Arch::Amd64
    } else {
        Arch::Arm64
    };
    assert_eq!((executed.arch, &executed.translator[..]), (arch, &b""[..]));
    assert!(run.losses().is_empty(), "{:?}", run.losses());
}

#[test]
fn long_arguments_arrive_whole() {
    if !available() {
        return;
    }
    for lengths in [vec![100_000], vec![131_000; 10], vec![1; 50_000]] {
        let mut argv = vec!["true".to_owned()];
        argv.extend((0_u32..).zip(lengths).map(|(i, length)| {
            let letter = char::from_u32(u32::from(b'a') + i % 26).unwrap();
            letter.to_string().repeat(length)
        }));
        let run = trace(&argv);
        let [executed] = run.executions()[..] else {
            panic!("{} execs", run.executions().len());
        };
        assert!(arguments(executed) == argv, "{} bytes", executed.argv.len());
        assert!(!executed.argv_truncated);
        assert!(run.losses().is_empty(), "{:?}", run.losses());
    }
}

#[test]
fn what_does_not_fit_is_told_as_lost() {
    if !available() {
        return;
    }
    let argv = ["true", &"x".repeat(40_000)];
    let run = Traced {
        options: Options {
            ring_bytes: 4096,
            ..Options::default()
        },
        ..Traced::new(&argv)
    }
    .run();
    let [executed] = run.executions()[..] else {
        panic!("{} execs", run.executions().len());
    };
    assert!(executed.argv_truncated);
    let [
        Observation::Lost {
            what, count, why, ..
        },
    ] = run.losses()[..]
    else {
        panic!("{:?}", run.losses());
    };
    assert_eq!((*what, *count), ("arguments", 1));
    assert_eq!(why, "the ring buffer was full");
}

#[test]
fn processes_end_as_wait_says() {
    if !available() {
        return;
    }
    for (script, status) in [
        ("exit 7", 7 << 8),
        ("kill -9 $$", 9),
        ("kill -TERM $$", 15),
        ("ulimit -c 0; kill -SEGV $$", 11),
    ] {
        let run = trace(&["sh", "-c", script]);
        assert_eq!(
            run.exit_of(run.root).wait_status,
            run.wait_status,
            "{script}"
        );
        assert_eq!(run.wait_status, status, "{script}");
    }
    let run = trace(&["sh", "-c", "sh -c 'exit 3'; sh -c 'kill -9 $$'; true"]);
    let mut statuses: Vec<i32> = run.exits().iter().map(|e| e.wait_status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [0, 9, 3 << 8]);
}

#[test]
fn what_processes_used_is_what_wait4_says() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let memory = compile_c("memory.c", folder.path());
    let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let script = format!("{work}; sh -c '{work}'; {}", memory.display());
    let run = trace(&["sh", "-c", &script]);
    assert_eq!(run.wait_status, 0);
    let mut sum = Usage::default();
    for exit in run.exits() {
        sum.user += exit.usage.user;
        sum.system += exit.usage.system;
        sum.minor_faults += exit.usage.minor_faults;
        sum.voluntary_switches += exit.usage.voluntary_switches;
        sum.max_rss_bytes = sum.max_rss_bytes.max(exit.usage.max_rss_bytes);
    }
    // The kernel adds a process to its parent a little before it leaves the processor for good.
    let (ours, theirs) = (Duration::from_nanos(sum.cpu().0), run.cpu());
    assert!(
        ours + Duration::from_millis(1) >= theirs,
        "{ours:?}, wait4 says {theirs:?}"
    );
    assert!(
        ours <= theirs + theirs / 20,
        "{ours:?}, wait4 says {theirs:?}"
    );
    assert_eq!(sum.minor_faults, run.rusage.ru_minflt.cast_unsigned());
    let theirs = run.rusage.ru_maxrss.cast_unsigned() * 1024;
    let apart = sum.max_rss_bytes.abs_diff(theirs);
    // Counters of each processor are added up only now and then.
    assert!(
        apart < 1 << 20,
        "{} bytes, wait4 says {theirs}",
        sum.max_rss_bytes
    );
    // More than this test's own process has: a child starts as its copy, which wait4 counts.
    assert!(theirs > 256 << 20);
}

#[test]
fn a_thread_that_calls_exec_becomes_its_process() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compile_c("threads.c", folder.path());
    let run = trace(&[program]);
    assert_eq!(run.wait_status, 0);
    let executions = run.executions();
    assert_eq!(executions.len(), 2);
    assert_eq!(arguments(executions[1]), ["true", "from a thread"]);
    assert!(executions.iter().all(|e| e.pid == run.root));
    assert!(
        !run.observations
            .iter()
            .any(|o| matches!(o, Observation::Forked { .. }))
    );
    let ended =
        |o: &&Observation| matches!(o, Observation::ThreadEnded { pid, .. } if *pid == run.root);
    assert_eq!(run.observations.iter().filter(ended).count(), 5);
    let [exit] = run.exits()[..] else {
        panic!("{:?}", run.exits());
    };
    assert_eq!((exit.pid, exit.wait_status), (run.root, 0));
    assert!(run.losses().is_empty(), "{:?}", run.losses());
}

#[test]
fn a_child_of_vfork_is_a_process_of_its_own() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compile_c("vfork.c", folder.path());
    let run = trace(&[program]);
    assert_eq!(run.wait_status, 0);
    let forked: Vec<Pid> = run
        .observations
        .iter()
        .filter_map(|o| match o {
            Observation::Forked { pid, parent, .. } if *parent == run.root => Some(*pid),
            _ => None,
        })
        .collect();
    assert_eq!(forked.len(), 2);
    let executed: Vec<Pid> = run.executions().iter().map(|e| e.pid).collect();
    assert_eq!(executed, [run.root, forked[0]]);
    assert_eq!(run.exit_of(forked[0]).wait_status, 0);
    assert_eq!(run.exit_of(forked[1]).wait_status, 9 << 8);
}

#[test]
fn a_process_number_that_is_used_again_is_another_process() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compile_c("reuse.c", folder.path());
    let run = trace(&[program]);
    if run.wait_status == 3 << 8 {
        return println!("skipped: only root may choose the number of a process");
    }
    assert_eq!(run.wait_status, 0);
    let pids: BTreeSet<Pid> = run.exits().iter().map(|e| e.pid).collect();
    assert_eq!(pids.len(), 2);
    let child = *pids.iter().find(|pid| **pid != run.root).unwrap();
    let story: Vec<String> = run
        .observations
        .iter()
        .filter_map(|o| match o {
            Observation::Forked { pid, .. } if *pid == child => Some("forked".to_owned()),
            Observation::Executed(e) if e.pid == child => Some(arguments(e).remove(0)),
            Observation::Exited {
                pid, wait_status, ..
            } if *pid == child => Some(format!("ended {wait_status}")),
            _ => None,
        })
        .collect();
    let expected = ["forked", "true", "ended 0", "forked", "false", "ended 256"];
    assert_eq!(story, expected);
}

#[test]
fn a_process_that_outlives_the_command_has_no_end() {
    if !available() {
        return;
    }
    let run = trace(&["sh", "-c", "sleep 60 &"]);
    let executions = run.executions();
    let sleep = executions.iter().find(|e| arguments(e)[0] == "sleep");
    let forked = run.observations.iter().find_map(|o| match o {
        Observation::Forked { pid, .. } => Some(*pid),
        _ => None,
    });
    let forked = forked.unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(forked.0.cast_signed()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    if let Some(sleep) = sleep {
        assert_eq!(sleep.pid, forked);
    }
    let ended: Vec<Pid> = run.exits().iter().map(|e| e.pid).collect();
    assert_eq!(ended, [run.root]);
}
