//! The library in real programs, made to be hard on it, and what is read of their buffers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::buffer::BufferFile;
use super::reader::{Plan, Reader};
use super::{Audit, Options};
use crate::capture::decode::audit::{Drained, Event, Header, How, Ring, What, layout};
use crate::capture::linux::watch::FolderWatch;
use crate::capture::{Backend as _, Observation};
use crate::trace::Pid;

/// Folders of a run, and programs made for it.
struct Run {
    folder: tempfile::TempDir,
    audit: Audit,
}

/// What a process wrote.
struct Told {
    header: Header,
    events: Vec<Event>,
    drained: Drained,
}

impl Told {
    fn binds(&self, symbol: &str, wanted: How) -> usize {
        let is_it = |event: &&Event| match &event.what {
            What::Bound {
                symbol: found, how, ..
            } => **found == *symbol.as_bytes() && *how == wanted,
            _ => false,
        };
        self.events.iter().filter(is_it).count()
    }

    fn count(&self, is_it: impl Fn(&What) -> bool) -> usize {
        self.events
            .iter()
            .filter(|event| is_it(&event.what))
            .count()
    }
}

impl Run {
    fn new() -> Option<Self> {
        if let Err(refusal) = super::availability() {
            println!("skipped: {refusal}; {}", refusal.remedy);
            return None;
        }
        let folder = tempfile::tempdir().expect("folder");
        let audit = Audit::new(Options {
            folder: folder.path(),
            secret: &format!("{:?}", std::thread::current().id()),
            invoker: None,
            users: None,
            follows_tree: false,
        });
        Some(Self {
            audit: audit.expect("unpacked"),
            folder,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles C.
    fn compile(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let (file, made) = (self.path(&format!("{name}.c")), self.path(name));
        fs::write(&file, source).expect("written");
        let output = Command::new("gcc")
            .args(["-O1", "-Wl,-z,lazy", "-D_GNU_SOURCE", "-o"])
            .args([&made, &file])
            .args(flags)
            .output()
            .expect("gcc");
        assert!(output.status.success(), "{output:?}");
        made
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .envs(self.audit.environment());
        command
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let output = self.command(program).args(arguments).output();
        output.expect("started")
    }

    /// What all processes wrote, in the order of their numbers and times.
    fn told(&self) -> Vec<Told> {
        let files = self.audit.files();
        files.iter().map(|file| self.told_in(file)).collect()
    }

    fn told_in(&self, file: &Path) -> Told {
        let mut shared = BufferFile::open(file, &self.audit.owners).expect("opened");
        let header = shared.read(0, true).expect("read").expect("a buffer");
        let mut events = Vec::new();
        let drained = Ring::default().drain(&shared, true, |event| events.push(event));
        Told {
            header,
            events,
            drained,
        }
    }
}

/// A library with `count` functions that call as many of another one.
fn two_libraries(run: &Run, count: usize) -> PathBuf {
    let functions = |text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<String>();
    let inner = functions(&|n| format!("int inner_{n}(void) {{ return {n}; }}\n"));
    run.compile("libinner.so", &inner, &["-shared", "-fPIC"]);
    let outer = functions(&|n| {
        format!("int inner_{n}(void); int outer_{n}(void) {{ return inner_{n}() + 1; }}\n")
    });
    let folder = run.folder.path().display().to_string();
    let flags = [
        "-shared",
        "-fPIC",
        "-fplt",
        &format!("-L{folder}"),
        &format!("-Wl,-rpath,{folder}"),
        "-linner",
    ];
    run.compile("libouter.so", &outer, &flags)
}

const LOOP: &str = r#"
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    for (int i = atoi(argv[2]); i > 0; i--) {
        void *library = dlopen(argv[1], RTLD_NOW);
        if (!library) return 1;
        dlclose(library);
    }
    return 0;
}
"#;

#[test]
fn loads_and_binds_of_a_loop_are_all_told() {
    let Some(run) = Run::new() else { return };
    let library = two_libraries(&run, 100);
    let program = run.compile("loop", LOOP, &[]);
    let output = run.run(&program, &[library.to_str().expect("path"), "20"]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let told = run.told().remove(0);
    assert_eq!(told.drained, Drained::default());
    let of_library =
        |what: &What| matches!(what, What::Opened { path, .. } if path.ends_with(b"outer.so"));
    assert_eq!(told.count(of_library), 20);
    assert_eq!(told.count(|what| matches!(what, What::Closed(_))), 40);
    for number in [0, 50, 99] {
        assert_eq!(told.binds(&format!("inner_{number}"), How::Eager), 20);
    }
    assert_eq!(told.binds("dlopen", How::Lazy), 1);
    // The order is that of ld.so: an image is opened, bound, closed, and its number not used again.
    let mut open = BTreeMap::new();
    for event in &told.events {
        match &event.what {
            What::Opened { image, .. } => assert_eq!(open.insert(*image, ()), None),
            What::Closed(image) => assert_eq!(open.remove(image), Some(())),
            What::Bound {
                importer, provider, ..
            } => {
                assert!(open.contains_key(importer) && open.contains_key(provider));
            }
            _ => {}
        }
    }
    assert_eq!(open.keys().next(), Some(&1));
}

#[test]
fn what_finds_no_room_is_counted() {
    let Some(run) = Run::new() else { return };
    let library = two_libraries(&run, 1_000);
    let program = run.compile("loop", LOOP, &[]);
    let output = run.run(&program, &[library.to_str().expect("path"), "100"]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let told = run.told().remove(0);
    let binds = (0..1_000).map(|n| told.binds(&format!("inner_{n}"), How::Eager));
    let binds: usize = binds.sum();
    let lost = told.drained.lost as usize;
    assert!(
        lost > 30_000 && told.drained.torn == 0,
        "{:?}",
        told.drained
    );
    // Nobody reads while it runs. Each round binds 1,000, and opens and closes two libraries.
    let of_rounds = lost + binds;
    assert!(
        (100_000..101_500).contains(&of_rounds),
        "{binds} and {lost}"
    );
}

#[test]
fn a_fork_writes_into_a_buffer_of_its_own_and_a_vfork_into_that_of_its_parent() {
    let Some(run) = Run::new() else { return };
    let source = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
    pid_t child = fork();
    if (child == 0) { long n = labs(-argc) + strtol("3", 0, 10); _exit(n == 4 ? 0 : 1); }
    int status;
    waitpid(child, &status, 0);
    if (status) return 1;
    child = vfork();
    if (child == 0) { execl("/bin/true", "true", (char *)0); _exit(2); }
    waitpid(child, &status, 0);
    return status;
}
"#;
    let program = run.compile("forks", source, &["-fno-builtin"]);
    let output = run.run(&program, &[]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let told = run.told();
    let parent = told
        .iter()
        .find(|told| told.binds("vfork", How::Lazy) == 1)
        .expect("the parent");
    let child = told.iter().find(|told| told.header.fork_of.is_some());
    let child = child.expect("the fork");
    assert_eq!(child.header.fork_of, Some(parent.header.pid));
    assert_eq!(parent.binds("execl", How::Lazy), 1);
    assert_eq!(
        parent.binds("labs", How::Lazy) + parent.binds("strtol", How::Lazy),
        0
    );
    assert_eq!(child.binds("labs", How::Lazy), 1);
    assert_eq!(child.binds("strtol", How::Lazy), 1);
    // It has the images of its parent, by the same numbers.
    let opened = |told: &Told, wanted: bool| {
        let images = told.events.iter().filter_map(|event| match &event.what {
            What::Opened {
                image,
                slide,
                inherited,
                ..
            } if *inherited == wanted => Some((*image, *slide)),
            _ => None,
        });
        images.collect::<Vec<_>>()
    };
    assert_eq!(opened(child, true), opened(parent, false));
    assert!(told.iter().all(|told| told.drained == Drained::default()));
}

#[test]
fn threads_that_bind_at_once_lose_nothing() {
    let Some(run) = Run::new() else { return };
    let library = two_libraries(&run, 400);
    let source = r#"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
static void *library;
static void *work(void *argument) {
    char name[32];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "outer_%d", i);
        int (*call)(void) = (int (*)(void))dlsym(library, name);
        if (!call || call() != i + 1) return (void *)1;
    }
    return 0;
}
int main(int argc, char **argv) {
    pthread_t threads[16];
    library = dlopen(argv[1], RTLD_LAZY);
    for (int i = 0; i < 16; i++) pthread_create(&threads[i], 0, work, 0);
    int failed = 0;
    for (int i = 0; i < 16; i++) { void *bad; pthread_join(threads[i], &bad); failed |= bad != 0; }
    return failed;
}
"#;
    let program = run.compile("threads", source, &["-pthread"]);
    let output = run.run(&program, &[library.to_str().expect("path")]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let told = run.told().remove(0);
    assert_eq!(told.drained, Drained::default());
    for number in [0, 399] {
        // Every thread asks; those that call before another one has bound bind it, too.
        assert_eq!(told.binds(&format!("outer_{number}"), How::AskedFor), 16);
        let lazy = told.binds(&format!("inner_{number}"), How::Lazy);
        assert!((1..=16).contains(&lazy), "{lazy}");
    }
    let mut threads: Vec<_> = told.events.iter().map(|event| event.tid).collect();
    threads.sort();
    threads.dedup();
    assert_eq!(threads.len(), 17);
}

#[test]
fn a_program_that_is_killed_or_crashes_has_told_what_it_did() {
    let Some(run) = Run::new() else { return };
    let library = two_libraries(&run, 50);
    let killed = LOOP.replace("return 0;\n}", "__builtin_trap();\n}");
    let crash = "__attribute__((constructor)) static void crash(void) { *(volatile int *)8 = 1; }\nint main(void) { return 0; }\n";
    let program = run.compile("crash", crash, &[]);
    let output = run.run(&program, &[]);
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
    let told = run.told().remove(0);
    assert_eq!(told.count(|what| matches!(what, What::Opened { .. })), 4);
    assert_eq!(
        told.count(|what| matches!(what, What::Started | What::Ending)),
        0
    );
    for file in run.audit.files() {
        fs::remove_file(file).expect("removed");
    }
    let program = run.compile("killed", &killed, &[]);
    let mut child = run.command(&program);
    child.arg(&library).arg("100000000");
    let mut child = child.spawn().expect("started");
    // Cells that it has reserved.
    let tail = |file: &PathBuf| {
        let mut tail = [0; 4];
        let opened = fs::File::open(file).ok()?;
        opened
            .read_exact_at(&mut tail, layout::header::TAIL as u64)
            .ok()?;
        Some(u32::from_ne_bytes(tail))
    };
    // It is killed when it has written some thousands of events.
    let grown = |run: &Run| {
        let tails = run.audit.files();
        tails.iter().filter_map(tail).any(|tail| tail > 10_000)
    };
    while !grown(&run) {
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("waited");
    let told = run.told().remove(0);
    assert!(told.binds("inner_1", How::Eager) > 10);
    assert!(told.drained.torn < 4, "{:?}", told.drained);
}

#[test]
fn namespaces_are_told_apart() {
    let Some(run) = Run::new() else { return };
    let library = two_libraries(&run, 3);
    let source = r#"
#include <dlfcn.h>
#include <stddef.h>
int main(int argc, char **argv) {
    return dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW) == NULL;
}
"#;
    let program = run.compile("namespace", source, &[]);
    let output = run.run(&program, &[library.to_str().expect("path")]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let told = run.told().remove(0);
    let namespaces = told.events.iter().filter_map(|event| match &event.what {
        What::Opened {
            path, namespace, ..
        } => Some((
            path.ends_with(b"outer.so") || path.ends_with(b"inner.so"),
            *namespace,
        )),
        _ => None,
    });
    let mut namespaces: Vec<_> = namespaces.collect();
    namespaces.sort();
    namespaces.dedup();
    // The first is that of the program, the next that of the library for LD_AUDIT, which is not
    // told of.
    assert_eq!(namespaces, [(false, 0), (true, 2)]);
    assert_eq!(told.binds("inner_2", How::Eager), 1);
}

#[test]
fn a_limit_of_filesizes_costs_the_recording_not_the_program() {
    let Some(run) = Run::new() else { return };
    let mut shell = run.command(Path::new("/bin/sh"));
    let output = shell
        .args(["-c", "ulimit -f 10; /bin/ls /"])
        .output()
        .expect("started");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    // The shell has a buffer, ls has not, and the file that it made says so by being empty.
    let sizes = run.audit.files().into_iter();
    let sizes = sizes.map(|file| file.metadata().expect("there").len());
    let mut sizes: Vec<u64> = sizes.collect();
    sizes.sort_unstable();
    assert_eq!((sizes.len(), sizes.first()), (2, Some(&0)));
}

/// Nobody has seen it but its own loader, which is not told who runs it.
#[test]
fn a_guest_that_ends_at_once_is_translated_all_the_same() {
    let folder = tempfile::tempdir().expect("folder");
    // No process has such a number.
    let pid = 1 << 30;
    let file = |name: &str, machine: u16| {
        let mut bytes = vec![0; layout::HEADER_BYTES];
        bytes[..8].copy_from_slice(&layout::MAGIC);
        for (place, value) in [
            (layout::header::WORD, &64_u16.to_ne_bytes()[..]),
            (layout::header::MACHINE, &machine.to_ne_bytes()),
            (layout::header::INTERFACE, &2_u32.to_ne_bytes()),
            (layout::header::PID, &u32::to_ne_bytes(pid)),
        ] {
            bytes[place..place + value.len()].copy_from_slice(value);
        }
        fs::write(folder.path().join(name), bytes).expect("written");
    };
    // EM_X86_64 and EM_AARCH64: one of them is this machine's own.
    file(&format!("{pid}-1"), 62);
    file(&format!("{pid}-2"), 183);
    let (out, told) = crossbeam_channel::unbounded();
    let mut reader = Reader::new(Plan {
        folder: folder.path().to_owned(),
        owners: vec![nix::unistd::getuid().as_raw()],
        root: Pid(1),
        follows_tree: false,
        out,
    });
    let (stopped, stop) = std::io::pipe().expect("pipe");
    drop(stop);
    let mut watch = FolderWatch::new(folder.path()).expect("watched");
    reader.run(&mut watch, &stopped);
    drop(reader);
    let (mut translators, mut unseen) = (BTreeMap::new(), Vec::new());
    for observation in told {
        match observation {
            Observation::Discovered { executed, .. } => {
                translators.insert(executed.arch.name(), executed.translator);
            }
            Observation::Unseen { what, .. } => unseen.push(what),
            _ => {}
        }
    }
    let (own, other) = match cfg!(target_arch = "aarch64") {
        true => ("arm64", "amd64"),
        false => ("amd64", "arm64"),
    };
    assert_eq!(translators[own], b"");
    assert_eq!(translators[other], b"unknown");
    assert_eq!(unseen.len(), 1, "{unseen:?}");
    assert!(unseen[0].starts_with("who translates"), "{unseen:?}");
}
