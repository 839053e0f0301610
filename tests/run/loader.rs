//! ld.so in other parts than that of a program's interpreter: in another root, called by name, asked for
//! a list (ldd), beside another audit library (`--bindings`).

use super::linking::{available, file_name, interpreter_by_readelf, loaded_names};
use super::traced::{Place, program, stderr};
use gotrace::analyze::bindings::{Bindings, ProgramRow};
use gotrace::analyze::scope::{Fit, promised};
use gotrace::analyze::{Analysis, Filter};
use gotrace::trace::{ImageId, ProcessId, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_program_keeps_the_audit_library_that_it_has() {
    if !available() {
        return;
    }
    let place = Place::new();
    let source = place.path("work").join("own.c");
    // It says on its standard error that it was asked.
    let text = "#include <unistd.h>\nunsigned la_version(unsigned v) { write(2, \"own\\n\", 4); return v; }\n";
    std::fs::write(&source, text).unwrap();
    let library = place.path("own.so");
    let mut gcc = place.command("gcc");
    gcc.args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    assert!(gcc.status().unwrap().success());
    let mut run = place.run(&["--quiet", "--bindings", "--backend", "audit"], &["true"]);
    let output = run.env("LD_AUDIT", &library).output().unwrap();
    // Once in gotrace itself, and once in the program.
    assert_eq!(stderr(&output), "own\nown\n");
    let trace = place.trace();
    assert!(!trace.loads.is_empty());
}

/// A folder with a program in it and what that needs, by ldd.
fn root_with(place: &Place, program: &str) -> PathBuf {
    let root = place.path("root");
    let ldd = Command::new("ldd").arg(program).output().unwrap();
    let needed = String::from_utf8(ldd.stdout).unwrap();
    let needed = needed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    for path in needed.chain([program]) {
        let to = root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(path, to).unwrap();
    }
    root
}

/// ld.so says on the standard error of a program that its library for `LD_AUDIT` is not there.
#[test]
fn in_another_root_nothing_is_said_and_that_nothing_was_seen_is_told() {
    if !available() || !nix::unistd::geteuid().is_root() {
        println!("skipped: only root changes its root");
        return;
    }
    let place = Place::new();
    let root = root_with(&place, "/bin/echo");
    let root = root.to_str().unwrap();
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let script = "chroot \"$0\" /bin/echo inside; /bin/echo outside";
    let output = place
        .run(&flags, &["sh", "-c", script, root])
        .output()
        .unwrap();
    assert_eq!(stderr(&output), "");
    assert_eq!(output.stdout, b"inside\noutside\n");
    let trace = place.trace();
    let [unseen] = &trace.blind_spots[..] else {
        panic!("{:?}", trace.blind_spots);
    };
    let what = trace.text(unseen.what);
    assert!(
        what.contains("chroot (pid ") && what.ends_with("starts"),
        "{what}"
    );
    assert!(trace.text(unseen.why).contains("run gotrace inside"));
    // chroot itself, and what is not below it, are seen.
    for name in ["chroot", "echo"] {
        assert!(
            !loaded_names(&trace, program(&trace, name).id).is_empty(),
            "{name}"
        );
    }

    let mut refused = place.run(&flags, &["chroot", root, "/bin/echo", "inside"]);
    let output = refused.output().unwrap();
    let said = stderr(&output);
    assert_eq!(
        (output.status.code(), &*output.stdout),
        (Some(125), &b""[..])
    );
    assert!(
        said.contains("what chroot starts is in another root"),
        "{said}"
    );
    assert!(said.contains("hint: run gotrace inside"), "{said}");
}

/// ld.so reads the variable as it goes: what stands behind gotrace's library is still to be loaded when
/// that one begins.
#[test]
fn what_leaves_the_root_keeps_the_audit_library_that_it_has() {
    if !available() || !nix::unistd::geteuid().is_root() {
        println!("skipped: only root changes its root");
        return;
    }
    let place = Place::new();
    let root = root_with(&place, "/bin/echo");
    let text = "unsigned la_version(unsigned v) {\n\
                long n = 4; __asm__ volatile(\"syscall\" : \"+a\"((long){1}) : \"D\"(2L), \"S\"(\"own\\n\"), \"d\"(n) : \"rcx\", \"r11\", \"memory\");\n\
                return v; }\n";
    let source = place.path("own.c");
    std::fs::write(&source, text).unwrap();
    // Its name is longer than that of gotrace's library.
    let library = place.path(&"long".repeat(30)).join("own.so");
    std::fs::create_dir(library.parent().unwrap()).unwrap();
    let mut gcc = place.command("gcc");
    gcc.args(["-shared", "-fPIC", "-nostdlib", "-o"]);
    gcc.arg(&library).arg(&source);
    if !gcc.output().unwrap().status.success() {
        println!("skipped: it is written for amd64");
        return;
    }
    let inside = root.join(library.strip_prefix("/").unwrap());
    std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
    std::fs::copy(&library, &inside).unwrap();
    let script = "LD_AUDIT=$LD_AUDIT:$1 chroot \"$0\" /bin/echo inside";
    let words = [
        "sh",
        "-c",
        script,
        root.to_str().unwrap(),
        library.to_str().unwrap(),
    ];
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let output = place.run(&flags, &words).output().unwrap();
    // Once in chroot, and once in what it starts.
    assert_eq!(stderr(&output), "own\nown\n");
    assert_eq!(output.stdout, b"inside\n");
}

/// Names of files that a program loads, by ldd; the kernel's image has none.
fn by_ldd(program: &str) -> BTreeSet<String> {
    let ldd = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(ldd.stdout).unwrap();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    let real = |path| std::fs::canonicalize(path).unwrap();
    paths.map(|path| file_name(&real(path))).collect()
}

/// The libraries that a program of a trace loaded, as [`by_ldd`] has them.
fn libraries(trace: &Trace, process: ProcessId, program: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<_> = loaded_names(trace, process).into_iter().collect();
    assert!(names.remove(program), "{names:?}");
    names.remove("[vdso]");
    names
}

fn bindings(trace: &Trace) -> Bindings {
    Analysis::of(trace).bindings(&Filter::default(), false)
}

#[test]
fn a_program_that_ld_so_is_called_to_start_is_that_program() {
    if !available() {
        return;
    }
    let place = Place::new();
    let source = place.path("work").join("main.c");
    let text = "#include <stdio.h>\nint main(void) { return puts(\"here\") < 0; }\n";
    std::fs::write(&source, text).unwrap();
    let mut gcc = place.command("gcc");
    gcc.args(["-o", "main", "main.c"]);
    assert!(gcc.status().unwrap().success());
    let main = place.path("work").join("main");
    let loader = interpreter_by_readelf(main.to_str().unwrap());
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    for name in ["./main", main.to_str().unwrap()] {
        let output = place.run(&flags, &[&*loader, name]).output().unwrap();
        assert_eq!(
            (stderr(&output), &*output.stdout),
            (String::new(), &b"here\n"[..])
        );
        let trace = place.trace();
        let process = trace.processes.first().unwrap().id;
        let expected = by_ldd(main.to_str().unwrap());
        assert_eq!(libraries(&trace, process, "main"), expected);
        let bindings = bindings(&trace);
        assert_eq!(bindings.findings, []);
        let puts = bindings.symbols.iter().find(|row| &*row.symbol == "puts");
        assert_eq!(puts.unwrap().counts.seen(), 1);
        // No program asks for it that nobody audits.
        let mut symbols = bindings.symbols.iter();
        assert!(symbols.all(|row| &*row.symbol != "_dl_audit_preinit"));
    }
}

#[test]
fn what_ldd_lists_is_loaded_and_nothing_of_it_is_bound() {
    if !available() {
        return;
    }
    let place = Place::new();
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let output = place.run(&flags, &["ldd", "/bin/ls"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let bindings = bindings(&trace);
    // The shell that ldd is written for has a getenv of its own.
    let mut findings = bindings.findings.iter();
    assert!(findings.all(|row| row.fit == Fit::Interposed));
    let lists = |row: &&ProgramRow| loaded_names(&trace, row.process).contains(&"ls".to_owned());
    let listed: Vec<_> = bindings.programs.iter().filter(lists).collect();
    // ldd asks ld.so whether it can, and for the list.
    assert!(!listed.is_empty());
    for row in &listed {
        assert_eq!(row.counts.total(), 0, "{row:?}");
    }
    let expected = by_ldd("/bin/ls");
    let mut listed = listed.iter();
    assert!(listed.any(|row| libraries(&trace, row.process, "ls") == expected));
}

/// Importer and provider of `stdout`, and how often.
type Stdout = BTreeMap<(String, String), u64>;

/// What `LD_DEBUG` says of `stdout`; namespaces are left out.
fn stdout_by_ld_debug(place: &Place, program: &Path) -> Stdout {
    let mut command = place.command(program);
    let output = command.env("LD_DEBUG", "bindings").output().unwrap();
    let mut found = Stdout::new();
    for line in stderr(&output)
        .lines()
        .filter(|line| line.contains("`stdout'"))
    {
        // `1234: binding file A [0] to B [0]: normal symbol `stdout' [VERSION]`
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "binding", "file", importer, _, "to", provider, ..] = words[..] else {
            panic!("{line}");
        };
        let [importer, provider] = [importer, provider].map(|path| file_name(Path::new(path)));
        *found.entry((importer, provider)).or_default() += 1;
    }
    found
}

/// A second C library keeps to its own `stdout`, not to the copy that the program has of the first's.
#[test]
fn each_namespace_binds_data_of_its_own_c_library() {
    if !available() {
        return;
    }
    let place = Place::new();
    let library = "#include <stdio.h>\nvoid say(void) { fputs(\"x\", stdout); }\n";
    let main = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n\
                int main(void) { fputs(\"x\", stdout); return !dlmopen(LM_ID_NEWLM, \"./libsay.so\", RTLD_NOW); }\n";
    for (name, text, flags) in [
        ("libsay.so", library, &["-shared", "-fPIC"][..]),
        ("main", main, &["-no-pie"]),
    ] {
        let source = place.path("work").join(name).with_extension("c");
        std::fs::write(&source, text).unwrap();
        let mut gcc = place.command("gcc");
        gcc.args(flags).args(["-o", name]).arg(&source);
        assert!(gcc.status().unwrap().success());
    }
    let program = place.path("work").join("main");
    let expected = stdout_by_ld_debug(&place, &program);
    assert_eq!(expected.values().sum::<u64>(), 4, "{expected:?}");
    let flags = ["--quiet", "--bindings", "--backend", "audit"];
    let output = place.run(&flags, &[&program]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let trace = place.trace();
    let name = |image: ImageId| {
        let path = trace.images[image.index()].path;
        file_name(Path::new(&*trace.text(path)))
    };
    let mut found = Stdout::new();
    for promise in promised(&trace).iter().flat_map(|set| &set.promises) {
        if trace.text(promise.import.symbol) == "stdout" {
            let link = (name(promise.importer), name(promise.provider().unwrap()));
            *found.entry(link).or_default() += 1;
        }
    }
    assert_eq!(found, expected);
}
