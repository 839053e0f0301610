//! Copies of programs where something is missing, refused, or other than usual: all of what was announced is recorded,
//! or nothing, with why; and the program does what it does without gotrace.
#![expect(
    unsafe_code,
    reason = "what refuses a call to the kernel is put on before gotrace runs"
)]

use super::probes::{build, json};
use super::traced::{Place, go, stderr, warm_cache};
use gotrace::capture::Name;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The go command, where copies work; says why they do not.
fn ready() -> Option<PathBuf> {
    if let Err(refusal) = Name::Patch.availability() {
        println!("skipped: {refusal}; {}", refusal.remedy);
        return None;
    }
    go()
}

const WATCHED: [&str; 4] = ["--backend", "patch", "--probe", "program:main.*"];

/// `gotrace run` behind the words of another program, which changes what it may.
pub(super) fn run_behind(
    words: &[&str],
    place: &Place,
    flags: &[&str],
    command: &[impl AsRef<OsStr>],
) -> Output {
    let run = place.run(flags, command);
    let mut behind = place.command(words[0]);
    behind.args(&words[1..]).arg(run.get_program());
    behind.args(run.get_args()).output().unwrap()
}

/// `sh`, which sets a limit and runs the rest.
pub(super) fn limited(limit: &str) -> [String; 4] {
    let script = format!("ulimit {limit} && exec \"$@\"");
    ["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]
}

pub(super) fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// Entries that were recorded, and what was not seen.
fn recorded(place: &Place) -> (u64, String) {
    let calls = json(place, &["calls"]);
    assert_eq!(calls["recording"]["lost_calls"], 0);
    let blind = calls["recording"]["blind_spots"].to_string();
    (calls["entries"].as_u64().unwrap(), blind)
}

/// A copy looks for its ring at three numbers. The user's limit leaves two of them, one, or none.
#[test]
fn a_limit_of_descriptors_leaves_all_calls_or_none() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let alone = place.command(&program).output().unwrap();
    let mut entries = BTreeSet::new();
    for limit in ["-n 1001", "-n 1000", "-n 240"] {
        let output = run_behind(&words(&limited(limit)), &place, &WATCHED, &[&program]);
        assert_eq!(output.stdout, alone.stdout, "{limit}: {}", stderr(&output));
        entries.insert(recorded(&place).0);
    }
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(*entries.first().unwrap() > 1000, "{entries:?}");
    let output = run_behind(&words(&limited("-n 60")), &place, &WATCHED, &[&program]);
    assert_eq!(output.stdout, alone.stdout, "{}", stderr(&output));
    let (none, blind) = recorded(&place);
    assert_eq!(none, 0);
    assert!(blind.contains("descriptors 1000, 240 and 60"), "{blind}");
}

/// The same of a tool that a go command starts, which is told by what its shim does not say.
#[test]
fn a_tool_without_room_for_its_descriptor_runs_as_it_is() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    std::fs::write(place.path("work/go.mod"), "module x\n\ngo 1.21\n").unwrap();
    let source = "package x\n\nfunc F() int { return 1 }\n";
    std::fs::write(place.path("work/x.go"), source).unwrap();
    let limit = limited("-n 60");
    let flags = [
        "--backend",
        "patch",
        "--probe",
        "compile:cmd/compile/internal/gc.Main",
    ];
    let output = run_behind(
        &words(&limit),
        &place,
        &flags,
        &[go.to_str().unwrap(), "build"],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let (none, blind) = recorded(&place);
    assert_eq!(none, 0);
    assert!(blind.contains("compile\""), "{blind}");
    assert!(blind.contains("descriptors 1000, 240 and 60"), "{blind}");
}

/// What a limit leaves to a program, its copy would not have: it runs as it is.
#[test]
fn a_limit_of_address_space_is_left_to_the_program() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let alone = place.command(&program).output().unwrap();
    let limit = limited("-v 2000000");
    let refused = run_behind(&words(&limit), &place, &WATCHED, &[&program]);
    assert_eq!(refused.status.code(), Some(125));
    assert!(refused.stdout.is_empty());
    assert!(
        stderr(&refused).contains("RLIMIT_AS is 2048000000 bytes"),
        "{}",
        stderr(&refused)
    );
    let without = run_behind(&words(&limit), &place, &[], &[&program]);
    assert_eq!(without.stdout, alone.stdout, "{}", stderr(&without));
}

#[test]
fn no_new_privileges_are_needed() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let output = place.run(&WATCHED, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = recorded(&place);
    let behind = ["setpriv", "--no-new-privs"];
    let output = run_behind(&behind, &place, &WATCHED, &[&program]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(recorded(&place), expected);
}

/// One instruction of a filter of system calls: code, jumps, operand (`linux/filter.h`).
const fn instruction(code: u16, jumps: (u8, u8), operand: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: jumps.0,
        jf: jumps.1,
        k: operand,
    }
}

const LOAD: u16 = 0x20;
const EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM.cast_unsigned();

/// Has the kernel refuse a call, and say that it is not permitted, to what is started and all that this starts.
pub(super) fn refuse(command: &mut Command, call: libc::c_long) {
    let call = u32::try_from(call).unwrap();
    let filter = [
        instruction(LOAD, (0, 0), 0),
        instruction(EQUAL, (0, 1), call),
        instruction(RETURN, (0, 0), REFUSE),
        instruction(RETURN, (0, 0), ALLOW),
    ];
    put_on(command, filter);
}

/// The same of mappings that are shared and put at an address of the caller's choice, as that of the ring is.
fn refuse_fixed_mappings(command: &mut Command) {
    /// Where the lower half of the fourth argument lies in what a filter looks at (`struct seccomp_data`).
    const FLAGS: u32 = 16 + 3 * 8;
    let flags = (libc::MAP_SHARED | libc::MAP_FIXED).cast_unsigned();
    let filter = [
        instruction(LOAD, (0, 0), 0),
        instruction(EQUAL, (0, 3), u32::try_from(libc::SYS_mmap).unwrap()),
        instruction(LOAD, (0, 0), FLAGS),
        instruction(EQUAL, (0, 1), flags),
        instruction(RETURN, (0, 0), REFUSE),
        instruction(RETURN, (0, 0), ALLOW),
    ];
    put_on(command, filter);
}

/// Puts a filter of system calls on what is started.
fn put_on<const N: usize>(command: &mut Command, filter: [libc::sock_filter; N]) {
    let put_on = move || {
        let program = libc::sock_fprog {
            len: u16::try_from(N).unwrap(),
            filter: filter.as_ptr().cast_mut(),
        };
        // SAFETY: takes no pointer.
        let alone = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the kernel reads the instructions of the array, which lives on.
        let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
        if (alone, filtered) == (0, 0) {
            return Ok(());
        }
        Err(std::io::Error::last_os_error())
    };
    // SAFETY: what runs in the child calls prctl alone.
    unsafe { command.pre_exec(put_on) };
}

/// In a sandbox that has no anonymous files there is no ring.
#[test]
fn a_sandbox_that_refuses_the_ring_is_said() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let alone = place.command(&program).output().unwrap();
    let mut run = place.run(&WATCHED, &[&program]);
    refuse(&mut run, libc::SYS_memfd_create);
    let refused = run.output().unwrap();
    assert_eq!(refused.status.code(), Some(125));
    let said = stderr(&refused);
    assert!(
        said.contains("no memory for records (Operation not permitted"),
        "{said}"
    );
    let mut run = place.run(&[], &[&program]);
    refuse(&mut run, libc::SYS_memfd_create);
    let without = run.output().unwrap();
    assert_eq!(without.stdout, alone.stdout, "{}", stderr(&without));
}

/// A sandbox in which no copy can map the ring: programs run, and it is said of how many nothing is known.
#[test]
fn a_sandbox_that_keeps_copies_from_the_ring_is_said() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let alone = place.command(&program).output().unwrap();
    let mut run = place.run(&WATCHED, &[&program]);
    refuse_fixed_mappings(&mut run);
    let output = run.output().unwrap();
    assert_eq!(output.stdout, alone.stdout, "{}", stderr(&output));
    let (none, blind) = recorded(&place);
    assert_eq!(none, 0);
    let expected = "calls in 1 of 1 programs that were given copies";
    assert!(blind.contains(expected), "{blind}");
    // Of what maps it nothing is said.
    let output = place.run(&WATCHED, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let (entries, blind) = recorded(&place);
    assert!(entries > 0 && !blind.contains("given copies"), "{blind}");
}

/// A folder from which nothing can be run, and one of somebody else.
#[test]
fn folders_that_are_no_good_for_copies_are_said() {
    let Some(go) = ready() else { return };
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can mount, and give a folder away");
        return;
    }
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let alone = place.command(&program).output().unwrap();
    let folder = place.path("caches");
    std::fs::create_dir_all(folder.join("gotrace/copies")).unwrap();
    let prepared = |prepare: &str, flags: &[&str]| {
        let script = format!("{prepare} && XDG_CACHE_HOME=$0 exec \"$@\"");
        let words = ["unshare", "--mount", "sh", "-c", &script];
        let words: Vec<&str> = words.into_iter().chain(folder.to_str()).collect();
        run_behind(&words, &place, flags, &[&program])
    };
    for (prepare, expected) in [
        ("mount -t tmpfs -o noexec none \"$0\"", "noexec"),
        (
            "chown 65534 \"$0/gotrace/copies\"",
            "expected a file of user 0, found one of 65534",
        ),
    ] {
        let refused = prepared(prepare, &WATCHED);
        assert_eq!(refused.status.code(), Some(125));
        assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
        assert!(refused.stdout.is_empty());
        let without = prepared(prepare, &[]);
        assert_eq!(without.stdout, alone.stdout, "{}", stderr(&without));
    }
}

/// Each makes the copy, or finds that of another: they count the same, and one copy is left, and nothing half made.
#[test]
fn runs_at_the_same_time_share_one_copy() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = build(&go, &place, "live_bpf/calls.go");
    let caches = place.path("caches");
    let alone = place.command(&program).output().unwrap();
    let runs: Vec<_> = (0..12)
        .map(|number| {
            let trace = place.path(&format!("trace-{number}"));
            let mut run = place.command(env!("CARGO_BIN_EXE_gotrace"));
            run.arg("run").args(WATCHED).arg("-o").arg(&trace);
            run.arg("--").arg(&program).env("XDG_CACHE_HOME", &caches);
            run.stdout(Stdio::piped()).stderr(Stdio::piped());
            (trace, run.spawn().unwrap())
        })
        .collect();
    let mut counted = BTreeSet::new();
    for (trace, run) in runs {
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.stdout, alone.stdout, "{}", stderr(&output));
        std::fs::rename(trace, place.path("trace")).unwrap();
        counted.insert(recorded(&place));
    }
    assert_eq!(counted.len(), 1, "{counted:?}");
    let kept = std::fs::read_dir(caches.join("gotrace/copies")).unwrap();
    let kept: Vec<PathBuf> = kept.map(|entry| entry.unwrap().path()).collect();
    let copies = kept
        .iter()
        .filter(|folder| folder.join("program").is_file());
    let names = kept.iter().filter_map(|folder| folder.file_name());
    let half_made = names.filter(|name| name.as_encoded_bytes().starts_with(b"."));
    assert_eq!((copies.count(), half_made.count()), (1, 0), "{kept:?}");
}

/// What `go build` makes of a source of the tests.
fn built(go: &Path, place: &Place, arguments: &[&str], name: &str, source: &str) -> PathBuf {
    let program = place.path(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/run")
        .join(source);
    let mut command = place.command(go);
    command.env("GOCACHE", warm_cache()).arg("build");
    let command = command.args(arguments).arg("-o").args([&program, &source]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    program
}

/// How often a function was entered, of a program that prints with all its functions told of what it prints alone.
fn entries(place: &Place, command: &[&OsStr], debug: &str, function: &str) -> u64 {
    let mut alone = place.command(command[0]);
    let alone = alone.args(&command[1..]).env("GODEBUG", debug);
    let alone = alone.output().unwrap();
    assert!(alone.status.success(), "{}", stderr(&alone));
    let mut traced = place.run(&["--backend", "patch", "--probe", "program:*"], command);
    let traced = traced.env("GODEBUG", debug).output().unwrap();
    assert!(traced.status.success(), "{}", stderr(&traced));
    assert_eq!(traced.stdout, alone.stdout);
    let calls = json(place, &["calls"]);
    assert_eq!(calls["orphan_exits"], 0);
    let mut rows = calls["rows"].as_array().unwrap().iter();
    let row = rows.find(|row| row["function"] == function);
    let row = row.unwrap_or_else(|| panic!("no {function}"));
    row["count"].as_u64().unwrap()
}

/// A host tells of its own functions; what it loads has none that tell.
#[test]
fn a_host_of_plugins_tells_of_its_calls() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let plugin = ["-buildmode=plugin"];
    let plugin = built(&go, &place, &plugin, "plugin.so", "plugin/plugin.go");
    let host = built(&go, &place, &[], "program", "host.go");
    let command = [host.as_os_str(), plugin.as_os_str()];
    assert_eq!(entries(&place, &command, "", "main.call"), 100);
}

/// What FIPS 140 mode checks of its own code is as it was.
#[test]
fn a_program_that_checks_its_own_code_runs() {
    let Some(go) = ready() else { return };
    let place = Place::new();
    let program = built(&go, &place, &[], "program", "fips.go");
    for (debug, says) in [("", "false"), ("fips140=on", "true")] {
        let mut alone = place.command(&program);
        let alone = alone.env("GODEBUG", debug).output().unwrap();
        let printed = String::from_utf8(alone.stdout).unwrap();
        assert!(printed.ends_with(&format!("{says}\n")), "{printed}");
        let command = [program.as_os_str()];
        assert_eq!(entries(&place, &command, debug, "main.digest"), 10);
    }
}
