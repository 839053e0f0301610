//! Loads and binds on Linux (`--bindings`), against what ld.so says itself, and without a trace of
//! them in what programs say and make.

use super::guests::{ARM64, I386};
use super::traced::{Place, argv, flags_of, go, path_with, program, sample, stderr, warm_cache};
use gotrace::capture::Name;
use gotrace::trace::{BindHow, ImageId, Interpreter, Nanos, Process, ProcessId, StringId, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Whether ld.so tells what it does here; says why not.
pub(super) fn available() -> bool {
    match Name::Audit.availability() {
        Ok(()) => true,
        Err(refusal) => {
            println!("skipped: {refusal}; {}", refusal.remedy);
            false
        }
    }
}

/// Importer, symbol and provider, by the names of their files.
type Pair = (String, String, String);

/// What an image's relocations are, by readelf: names of symbols of calls, and of all else.
#[derive(Default)]
struct Relocations(BTreeMap<PathBuf, [BTreeSet<String>; 2]>);

impl Relocations {
    /// Whether a symbol is bound for calls alone. What is wanted as data, too, ld.so names for that.
    fn only_calls(&mut self, file: &Path, symbol: &str) -> bool {
        let [calls, others] = self.0.entry(file.to_owned()).or_insert_with(|| {
            let readelf = Command::new("readelf")
                .arg("-rW")
                .arg(file)
                .output()
                .unwrap();
            let mut found = [BTreeSet::new(), BTreeSet::new()];
            for line in String::from_utf8_lossy(&readelf.stdout).lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let [_, _, kind, _, name, ..] = words[..] {
                    let name = name.split('@').next().unwrap_or_default().to_owned();
                    found[usize::from(!kind.contains("JUMP_SLO"))].insert(name);
                }
            }
            found
        });
        // libc asks ld.so for more where there is an audit library; and ld.so looks up in the
        // program's name what it needs itself.
        let of_loader =
            symbol.starts_with("_dl_") || ["calloc", "free", "malloc", "realloc"].contains(&symbol);
        calls.contains(symbol) && !others.contains(symbol) && !of_loader
    }
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The binds of calls of each program, by `LD_DEBUG=bindings`.
fn by_ld_debug(folder: &Path, relocations: &mut Relocations) -> BTreeMap<String, BTreeSet<Pair>> {
    let mut programs = BTreeMap::new();
    for log in std::fs::read_dir(folder).unwrap() {
        let log = std::fs::read(log.unwrap().path()).unwrap();
        let log = String::from_utf8_lossy(&log);
        let mut program = String::new();
        let mut pairs = BTreeSet::new();
        for line in log.lines() {
            // `1234: binding file A [0] to B [0]: normal symbol `S' [VERSION]`
            let Some((_, rest)) = line.split_once("binding file ") else {
                continue;
            };
            let words: Vec<&str> = rest.split_whitespace().collect();
            let [importer, _, "to", provider, _, _, "symbol", symbol, ..] = words[..] else {
                continue;
            };
            // The program itself is named as it was called.
            let [importer, provider] = [importer, provider].map(|name| {
                let path = gotrace::environment::toolchain::find_on_path(
                    name.as_ref(),
                    &std::env::var_os("PATH").unwrap(),
                );
                let path = path.unwrap_or_else(|| name.into());
                std::fs::canonicalize(&path).unwrap_or(path)
            });
            if !importer.to_string_lossy().contains(".so") {
                program = file_name(&importer);
            }
            let symbol = symbol.trim_start_matches('`').trim_end_matches('\'');
            if relocations.only_calls(&importer, symbol) {
                pairs.insert((
                    file_name(&importer),
                    symbol.to_owned(),
                    file_name(&provider),
                ));
            }
        }
        programs.insert(program, pairs);
    }
    programs
}

/// The binds of calls of each program of a trace.
fn by_trace(trace: &Trace, relocations: &mut Relocations) -> BTreeMap<String, BTreeSet<Pair>> {
    let path =
        |image: ImageId| PathBuf::from(trace.text(trace.images[image.index()].path).into_owned());
    let exe = |process: ProcessId| {
        trace
            .text(trace.process(process).unwrap().exec.exe)
            .into_owned()
    };
    let mut programs: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for block in trace.bindings() {
        for bind in block.unwrap().iter() {
            let importer = path(bind.importer);
            let symbol = trace.text(bind.symbol).into_owned();
            if bind.how == BindHow::Dlsym || !relocations.only_calls(&importer, &symbol) {
                continue;
            }
            let program = std::fs::canonicalize(exe(bind.process)).unwrap();
            let provider = path(bind.provider.unwrap());
            programs.entry(file_name(&program)).or_default().insert((
                file_name(&importer),
                symbol,
                file_name(&provider),
            ));
        }
    }
    programs
}

#[test]
fn the_binds_of_gcc_are_those_that_ld_so_names() {
    if !available() {
        return;
    }
    let place = Place::new();
    let work = place.path("work");
    let source = "#include <stdio.h>\n#include <math.h>\nint main(int n, char **v) { printf(\"%f\\n\", cos(n)); }\n";
    std::fs::write(work.join("hello.c"), source).unwrap();
    let build = ["gcc", "-O1", "hello.c", "-o", "hello", "-lm"];
    let logs = place.path("logs");
    std::fs::create_dir(&logs).unwrap();
    let mut gcc = place.command(build[0]);
    gcc.args(&build[1..]).env("LD_DEBUG", "bindings");
    let status = gcc
        .env("LD_DEBUG_OUTPUT", logs.join("ld"))
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::remove_file(work.join("hello")).unwrap();
    let output = place
        .run(&["--bindings", "--backend", "audit"], &build)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    assert!(trace.losses.is_empty() && trace.blind_spots.is_empty());

    let mut relocations = Relocations::default();
    let expected = by_ld_debug(&logs, &mut relocations);
    let found = by_trace(&trace, &mut relocations);
    assert_eq!(expected.len(), 5, "{:?}", expected.keys());
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        found.keys().collect::<Vec<_>>()
    );
    for (program, pairs) in &expected {
        assert!(pairs.len() > 30, "{program}");
        let missing: Vec<_> = pairs.difference(&found[program]).collect();
        let more: Vec<_> = found[program].difference(pairs).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{program}: {missing:?}, {more:?}"
        );
    }
    // Programs that no go command started are in the tree all the same.
    let [gcc, cc1] = ["gcc", "cc1"].map(|name| program(&trace, name));
    assert_eq!(cc1.parent, Some(gcc.id));
    assert!(cc1.start > gcc.start && cc1.exit.is_some());
    assert!(argv(&trace, cc1).contains(&b"hello.c".to_vec()));
    // ld.so relocates each once, after it has mapped all that is needed.
    for process in [gcc, cc1] {
        let times: Vec<_> = trace
            .linkings
            .iter()
            .filter(|one| one.process == process.id)
            .collect();
        let loads = trace.loads.iter().filter(|one| one.process == process.id);
        let last = loads.map(|load| load.time).max().unwrap();
        assert_eq!(times.len(), 1);
        assert!(times[0].from >= last && times[0].to > times[0].from);
    }
}

/// A build cache with the standard library in it, and nothing of `work`: a copy made of links.
fn cache_of_its_own() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut cp = Command::new("cp");
    cp.arg("-al").arg(warm_cache().join(".")).arg(folder.path());
    assert!(cp.status().unwrap().success());
    folder
}

/// Runs a build to its end.
fn build(go: &Path, mut command: Command, cache: &Path) -> Output {
    command.env("GOCACHE", cache).env("PATH", path_with(go));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

#[test]
fn a_build_makes_the_same_bytes_and_shows_what_its_tools_load() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let words = ["go", "build", "-o", "../made", "."];
    let plain = || {
        let mut command = place.command(&go);
        command.args(&words[1..]);
        command
    };
    // Elsewhere, for the standard library alone: the module's path is a part of the key.
    sample("cgo-zlib", &place.path("elsewhere"));
    let mut first = plain();
    first.current_dir(place.path("elsewhere"));
    build(&go, first, &warm_cache());

    sample("cgo-zlib", &place.path("work"));
    build(&go, plain(), cache_of_its_own().path());
    let expected = std::fs::read(place.path("made")).unwrap();
    std::fs::remove_file(place.path("made")).unwrap();
    let flags = ["--quiet", "--bindings", "--backend", "toolexec"];
    let output = build(&go, place.run(&flags, &words), cache_of_its_own().path());
    assert!(
        output.stderr.is_empty() && output.stdout.is_empty(),
        "{}",
        stderr(&output)
    );
    assert!(
        std::fs::read(place.path("made")).unwrap() == expected,
        "other bytes"
    );

    tools_are_told_once_with_what_they_load(&place.trace());

    // The program itself.
    let output = place
        .run(&["--quiet", "--bindings"], &[place.path("made")])
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        stderr(&output)
    );
    let trace = place.trace();
    let process = trace.processes.first().unwrap().id;
    assert!(
        loaded_names(&trace, process)
            .iter()
            .any(|name| name.starts_with("libz.so"))
    );
}

#[test]
fn a_build_elsewhere_without_its_paths_makes_the_same_bytes() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let place = Place::new();
    let words = ["go", "build", "-trimpath", "-o", "../made", "."];
    for folder in ["work", "elsewhere"] {
        sample("cgo-zlib", &place.path(folder));
    }
    let mut plain = place.command(&go);
    plain.args(&words[1..]).current_dir(place.path("elsewhere"));
    build(&go, plain, &warm_cache());
    let expected = std::fs::read(place.path("made")).unwrap();
    std::fs::remove_file(place.path("made")).unwrap();
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let output = build(&go, place.run(&flags, &words), cache_of_its_own().path());
    assert_eq!(stderr(&output), "");
    let made = std::fs::read(place.path("made")).unwrap();
    assert!(made == expected, "other bytes");
    // C was compiled, and not taken out of the cache.
    let cc1 = program(&place.trace(), "cc1").id;
    assert!(!loaded_names(&place.trace(), cc1).is_empty());
}

fn tools_are_told_once_with_what_they_load(trace: &Trace) {
    let setting = |key: &str| {
        let setting = trace.settings.iter().find(|one| trace.text(one.key) == key);
        setting.map(|one| trace.text(one.value).into_owned())
    };
    let added = setting("added.LD_AUDIT").unwrap();
    assert!(added.ends_with("/$LIB/libgotrace-audit.so"), "{added}");
    let loaded = |process: ProcessId| {
        let loads = trace
            .loads
            .iter()
            .filter(move |load| load.process == process);
        loads.map(|load| {
            trace
                .text(trace.images[load.image.index()].path)
                .into_owned()
        })
    };
    for name in ["cgo", "gcc", "cc1", "as", "collect2", "ld"] {
        let process = program(trace, name);
        // Go's own tools are static.
        assert_eq!(loaded(process.id).count() == 0, name == "cgo", "{name}");
        let told = interpreter(trace, process);
        assert_eq!(told.path == StringId::EMPTY, name == "cgo", "{name}");
        assert_eq!(told.unwatched, StringId::EMPTY, "{name}");
    }
    // What a shim says of a tool, and what the tool's ld.so says, are of one program.
    let gcc = program(trace, "gcc");
    let status = gcc.exit.map(|exit| exit.status);
    assert_eq!(status, Some(gotrace::trace::ExitStatus::Code(0)));
    let of_package = trace.processes.iter().filter(|process| {
        let name = argv(trace, process).first().cloned().unwrap_or_default();
        trace.text(process.exec.package) == "example.com/zlib" && name.ends_with(b"cc1")
    });
    assert!(of_package.count() > 1);
    let mut pids: Vec<_> = trace
        .processes
        .iter()
        .map(|one| (one.pid, one.exec_at))
        .collect();
    pids.sort();
    let twice = pids.windows(2).find(|pair| pair[0].0 == pair[1].0);
    assert_eq!(twice, None, "a program is told twice");
}

pub(super) fn loaded_names(trace: &Trace, process: ProcessId) -> Vec<String> {
    let loads = trace.loads.iter().filter(|load| load.process == process);
    let path = |load: &gotrace::trace::Load| trace.images[load.image.index()].path;
    let names = loads.map(|load| file_name(Path::new(&*trace.text(path(load)))));
    names.collect()
}

/// The loader that a file asks for, by readelf; empty where it asks for none.
pub(super) fn interpreter_by_readelf(file: &str) -> String {
    let readelf = Command::new("readelf")
        .args(["-lW", file])
        .output()
        .unwrap();
    let segments = String::from_utf8_lossy(&readelf.stdout).into_owned();
    let path = segments.split_once("Requesting program interpreter: ");
    let path = path.and_then(|(_, rest)| rest.split_once(']'));
    path.map_or_else(String::new, |(path, _)| path.to_owned())
}

/// What the trace has of the loader of a program.
fn interpreter<'t>(trace: &'t Trace, process: &Process) -> &'t Interpreter {
    let mut told = trace.interpreters.iter();
    let told = told.find(|one| one.process == process.id);
    told.unwrap_or_else(|| panic!("nothing of {}", trace.text(process.exec.exe)))
}

#[test]
fn programs_whose_loader_says_nothing_are_told_with_the_reason() {
    if !available() || flags_of(&[Name::Bpf]).is_empty() {
        return;
    }
    let place = Place::new();
    let source = place.path("work").join("main.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    for (name, flags) in [
        ("static", &["-static"][..]),
        ("static-pie", &["-static-pie"]),
        ("dynamic", &[]),
        ("of-group", &[]),
    ] {
        let mut gcc = place.command("gcc");
        gcc.args(flags).arg(&source).args(["-o", name]);
        assert!(gcc.status().unwrap().success(), "{name}");
    }
    // Another group than that of the user, which root alone can give it.
    let of_group = place.path("work").join("of-group");
    let is_root = nix::unistd::geteuid().is_root();
    chown(&of_group, None, is_root.then_some(65_534)).unwrap();
    std::fs::set_permissions(&of_group, PermissionsExt::from_mode(0o2755)).unwrap();
    let script = "./static; ./static-pie; ./dynamic; ./of-group; env -u LD_AUDIT ./dynamic";
    let flags = ["--quiet", "--bindings", "--backend", "bpf,audit"];
    let output = place.run(&flags, &["sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for process in &trace.processes {
        let exe = trace.text(process.exec.exe).into_owned();
        let told = interpreter(&trace, process);
        assert_eq!(trace.text(told.path), interpreter_by_readelf(&exe), "{exe}");
        let why = trace.text(told.unwatched).into_owned();
        found
            .entry(file_name(Path::new(&exe)))
            .or_default()
            .push(why);
    }
    assert_eq!(found["static"], [""]);
    assert_eq!(found["static-pie"], [""]);
    let [watched, alone] = &found["dynamic"][..] else {
        panic!("{found:?}");
    };
    assert!(watched.is_empty() && alone.contains("LD_AUDIT"), "{alone}");
    if is_root {
        assert!(found["of-group"][0].contains("group"), "{found:?}");
    }
}

/// A program that needs nothing but libc, for a machine that gcc here is not for.
const GUEST: &str = "
int puts(const char *); void exit(int);
void run(void) { puts(\"hello\"); exit(0); }
";

#[test]
fn programs_for_other_machines_say_nothing_more_and_tell_what_they_bind() {
    if !available() || !cfg!(target_arch = "x86_64") {
        return;
    }
    for machine in [I386, ARM64] {
        let (place, name) = (Place::new(), machine.name);
        let Some(made) = machine.compile(&place, GUEST, &["libc.so.6"]) else {
            continue;
        };
        let (output, trace) = machine.run(&place, &made);
        assert_eq!(stderr(&output), "", "{name}");
        assert_eq!(output.stdout, b"hello\n", "{name}");
        let mut bound = Vec::new();
        for block in trace.bindings() {
            let block = block.unwrap();
            bound.extend(
                block
                    .iter()
                    .map(|bind| trace.text(bind.symbol).into_owned()),
            );
        }
        for symbol in ["puts", "exit"] {
            assert!(bound.iter().any(|one| one == symbol), "{name}: {bound:?}");
        }
    }
}

/// A program that sleeps while it is relocated: ld.so asks its own code which function to take.
const SLEEPS: &str = "
static int seven(void) { return 7; }
static void nap(void) {
    long time[2] = {0, 200000000}, outcome;
#ifdef __x86_64__
    __asm__ volatile(\"syscall\" : \"=a\"(outcome) : \"a\"(35), \"D\"(time), \"S\"(0)
                     : \"rcx\", \"r11\", \"memory\");
#else
    register long number __asm__(\"x8\") = 101, first __asm__(\"x0\") = (long)time,
                  second __asm__(\"x1\") = 0;
    __asm__ volatile(\"svc 0\" : \"+r\"(first) : \"r\"(number), \"r\"(second) : \"memory\");
#endif
}
static int (*choose(void))(void) { nap(); return seven; }
int function(void) __attribute__((ifunc(\"choose\")));
int main(void) { return function() - 7; }
";

#[test]
fn the_time_of_relocation_is_that_of_the_processor() {
    if !available() {
        return;
    }
    let place = Place::new();
    let source = place.path("work").join("sleeps.c");
    std::fs::write(&source, SLEEPS).unwrap();
    let program = place.path("work").join("sleeps");
    let mut gcc = place.command("gcc");
    gcc.args(["-fPIC", "-pie", "-Wl,-z,now", "-o"]);
    assert!(gcc.arg(&program).arg(&source).status().unwrap().success());
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let trace = place.trace();
    let [linking] = &trace.linkings[..] else {
        panic!("{:?}", trace.linkings);
    };
    let wall = linking.to.since(linking.from);
    assert!(wall >= Nanos(200_000_000), "{wall:?}: it slept");
    let cpu = linking.cpu.unwrap();
    assert!(cpu > Nanos::ZERO && cpu < Nanos(200_000_000), "{cpu:?}");
}

/// What the child of a fork binds before it runs a program of its own, or ends.
#[test]
fn nothing_is_lost_of_forks_where_no_backend_sees_them() {
    if !available() {
        return;
    }
    let place = Place::new();
    // The subshell binds what it writes with; that of `env` is a program.
    let script = "(echo a); env true; echo b";
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let output = place.run(&flags, &["bash", "-c", script]).output().unwrap();
    assert_eq!(output.stdout, b"a\nb\n");
    let trace = place.trace();
    let lost: Vec<_> = trace.losses.iter().map(|one| trace.text(one.why)).collect();
    assert_eq!(lost, Vec::<String>::new());
    // bash, and env with true in its place.
    assert_eq!(trace.processes.len(), 3);
}

/// The child ends while its parent lives on; both call by way of images that the parent has loaded.
#[test]
fn what_children_of_a_fork_bind_is_told_before_their_parent_ends() {
    if !available() {
        return;
    }
    let place = Place::new();
    let source = r#"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    for (int deep = 0; deep < 2; deep++) {
        int child = fork();
        if (child) { int status; waitpid(child, &status, 0); return WEXITSTATUS(status); }
    }
    return atoi(argv[argc - 1]) + (strchr(argv[0], '!') != NULL);
}
"#;
    std::fs::write(place.path("fork.c"), source).unwrap();
    let mut gcc = place.command("gcc");
    gcc.args(["-O0", "-Wl,-z,lazy", "-o"]);
    let program = place.path("forks");
    let made = gcc.arg(&program).arg(place.path("fork.c")).status();
    assert!(made.unwrap().success());
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let program = program.to_str().unwrap();
    let output = place.run(&flags, &[program, "7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let trace = place.trace();
    let lost: Vec<_> = trace.losses.iter().map(|one| trace.text(one.why)).collect();
    assert_eq!(lost, Vec::<String>::new());
    let mut names = Vec::new();
    for block in trace.bindings() {
        let block = block.unwrap();
        let lazy = block.iter().filter(|bind| bind.how == BindHow::Lazy);
        names.extend(lazy.map(|bind| trace.text(bind.symbol).into_owned()));
    }
    for name in ["atoi", "strchr", "waitpid"] {
        let count = names.iter().filter(|found| **found == name).count();
        // Parent and child wait; each of them calls for the first time.
        assert_eq!(count, if name == "waitpid" { 2 } else { 1 }, "{names:?}");
    }
}

#[test]
fn what_programs_loaded_that_ended_a_while_before_gotrace_was_killed_is_there() {
    if !available() || flags_of(&[Name::Bpf]).is_empty() {
        return;
    }
    let place = Place::new();
    let source = place.path("work").join("main.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let mut gcc = place.command("gcc");
    gcc.args(["-static", "-o", "static", "main.c"]);
    assert!(gcc.status().unwrap().success());
    let script = "/bin/true; ./static; sleep 4; echo ready; read line";
    let mut run = place.run(&["--bindings", "--backend", "bpf"], &["sh", "-c", script]);
    run.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = run.stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    child.kill().unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
    let trace = Trace::open(&place.path("trace")).unwrap();
    assert!(trace.integrity.unsealed);
    let dynamic = program(&trace, "true");
    let loaded = loaded_names(&trace, dynamic.id);
    assert!(loaded.contains(&"libc.so.6".to_owned()), "{loaded:?}");
    let told = interpreter(&trace, program(&trace, "static"));
    assert_eq!((told.path, told.unwatched), Default::default());
}

/// ld.so complains of a preloaded library that is not there in each program, traced or not.
#[test]
fn what_ld_so_says_of_other_settings_is_no_reason_to_refuse() {
    if !available() {
        return;
    }
    let place = Place::new();
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let mut run = place.run(&flags, &["env", "-u", "LD_PRELOAD", "echo", "here"]);
    let output = run.env("LD_PRELOAD", "/nonexistent.so").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(output.stdout, b"here\n");
    assert!(place.trace().binding_count() > 0);
}

/// The library is root's, and the buffers are the user's who called sudo.
#[test]
fn under_sudo_the_programs_of_the_caller_tell_what_they_bind() {
    const NOBODY: &str = "65534";
    if !available() || !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can be called by sudo");
        return;
    }
    let place = Place::new();
    let script = ["sh", "-c", "id -u; ls -d /"];
    for backend in [None, Some("audit"), Some("toolexec")] {
        let flags = backend.map(|name| ["--backend", name]);
        let flags: Vec<&str> = ["--quiet", "--bindings"]
            .into_iter()
            .chain(flags.into_iter().flatten())
            .collect();
        let mut run = place.run(&flags, &script);
        let output = run.env("SUDO_UID", NOBODY).output().unwrap();
        assert_eq!(stderr(&output), "", "{flags:?}");
        assert_eq!(output.stdout, format!("{NOBODY}\n/\n").as_bytes());
        let trace = place.trace();
        for name in ["sh", "id", "ls"] {
            let process = program(&trace, name).id;
            let loaded = loaded_names(&trace, process);
            assert!(
                loaded.contains(&"libc.so.6".to_owned()),
                "{name}: {loaded:?}"
            );
            let bound = trace.bindings().map(|block| {
                let block = block.unwrap();
                block.iter().filter(|bind| bind.process == process).count()
            });
            assert!(bound.sum::<usize>() > 10, "{name}");
        }
        assert!(trace.losses.is_empty() && trace.blind_spots.is_empty());
    }
}

#[test]
fn each_run_of_a_series_tells_what_programs_bind() {
    if !available() {
        return;
    }
    let place = Place::new();
    let flags = ["--bindings", "--backend", "audit", "-n", "2", "--warm-up=1"];
    let output = place.repeat(&flags, &["/bin/true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(place.files(), ["1.gotrace", "2.gotrace"]);
    let sets = place.files().into_iter().map(|name| {
        let trace = place.run_of(&name);
        let process = trace.processes.first().unwrap().id;
        (loaded_names(&trace, process), trace.binding_count())
    });
    let sets: Vec<_> = sets.collect();
    assert!(sets[0].0.contains(&"libc.so.6".to_owned()), "{sets:?}");
    // The same program loads and binds the same each time.
    assert!(sets[0].1 > 5 && sets[0] == sets[1], "{sets:?}");
}
