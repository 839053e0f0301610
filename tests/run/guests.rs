//! Programs for other machines under `--bindings`, against what their source asks for.

use super::traced::{Place, stderr};
use gotrace::analyze::bindings::Difference;
use gotrace::analyze::scope::promised;
use gotrace::analyze::{Analysis, Filter};
use gotrace::capture::Name;
use gotrace::trace::{ImageId, Trace};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What programs are made for: a compiler, a C library and its loader, and who runs them.
pub(super) struct Machine {
    pub(super) name: &'static str,
    compiler: &'static [&'static str],
    libraries: &'static str,
    loader: &'static str,
    runner: &'static [&'static str],
}

const AMD64: Machine = Machine {
    name: "amd64",
    compiler: &["gcc"],
    libraries: "/lib/x86_64-linux-gnu",
    loader: "/lib64/ld-linux-x86-64.so.2",
    runner: &[],
};
pub(super) const I386: Machine = Machine {
    name: "i386",
    compiler: &["gcc", "-m32"],
    libraries: "/lib32",
    loader: "/lib/ld-linux.so.2",
    runner: &[],
};
pub(super) const ARM64: Machine = Machine {
    name: "arm64",
    compiler: &["clang", "--target=aarch64-linux-gnu", "-fuse-ld=lld"],
    libraries: "/usr/aarch64-linux-gnu/lib",
    loader: "/lib/ld-linux-aarch64.so.1",
    runner: &["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"],
};

/// Where a program begins, which calls `run`: there are no start files for other machines here.
const START: &str = "
#if defined __aarch64__
__asm__(\".globl _start\\n_start: bl run\\n\");
#elif defined __x86_64__
__asm__(\".globl _start\\n_start: and $-16,%rsp\\n call run\\n\");
#else
__asm__(\".globl _start\\n_start: and $-16,%esp\\n call run\\n\");
#endif
";

impl Machine {
    /// Makes a program of a source without headers; says what is missing if it cannot.
    pub(super) fn compile(
        &self,
        place: &Place,
        source: &str,
        libraries: &[&str],
    ) -> Option<PathBuf> {
        let folder = place.path("work").join(self.name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("program.c");
        std::fs::write(&file, format!("{source}{START}")).unwrap();
        let made = folder.join("program");
        let (compiler, flags) = self.compiler.split_first().unwrap();
        let mut compile = place.command(compiler);
        compile
            .args(flags)
            .args(["-O1", "-fno-builtin", "-fPIC", "-pie"])
            .args(["-nostdlib", "-nostartfiles", "-o"])
            .arg(&made)
            .arg(&file)
            .arg(format!("-Wl,-dynamic-linker,{}", self.loader));
        let libraries = libraries.iter();
        compile.args(libraries.map(|name| Path::new(self.libraries).join(name)));
        let done = compile.output().is_ok_and(|output| output.status.success());
        if !done {
            println!(
                "skipped: no compiler or no libc for {}: scripts/setup --for test --for ci",
                self.name
            );
        }
        done.then_some(made)
    }

    /// Runs a program under `gotrace run --bindings`.
    pub(super) fn run(&self, place: &Place, program: &Path) -> (std::process::Output, Trace) {
        let mut words: Vec<&str> = self.runner.to_vec();
        words.push(program.to_str().unwrap());
        let flags = ["--quiet", "--bindings", "--backend", "audit"];
        let output = place.run(&flags, &words).output().unwrap();
        (output, place.trace())
    }
}

/// What it asks for is told by reading it: five functions and two variables of libc, one of libm.
const ASKS: &str = "
extern void *stderr;
extern char **environ;
int fprintf(void *, const char *, ...);
unsigned long strlen(const char *);
char *strdup(const char *);
void free(void *);
void exit(int);
double cos(double);
#ifdef MORE
int abs(int);
#else
#define abs(number) (number)
#endif
void run(void) {
    char *copy = strdup(\"a\");
    fprintf(stderr, \"%d %f\\n\", abs((int)strlen(copy)) + (environ != 0), cos(0));
    free(copy);
    exit(0);
}
";

/// What the program is bound to, seen or derived: symbol and library.
fn bound(trace: &Trace) -> Vec<[String; 2]> {
    let file = |image: ImageId| {
        let path = trace.text(trace.images[image.index()].path).into_owned();
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let mut bound = Vec::new();
    for set in promised(trace) {
        let own = set.promises.iter();
        for promise in own.filter(|one| one.is_bound() && file(one.importer) == "program") {
            let symbol = trace.text(promise.import.symbol).into_owned();
            bound.push([symbol, promise.provider().map(file).unwrap_or_default()]);
        }
    }
    bound.sort();
    bound
}

#[test]
fn a_translated_program_binds_what_a_native_one_does() {
    let refusal = Name::Audit.availability().err();
    if let Some(refusal) = refusal {
        println!("skipped: {refusal}; {}", refusal.remedy);
        return;
    }
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: the native program is one for amd64");
        return;
    }
    let libraries = ["libc.so.6", "libm.so.6"];
    let mut traces = Vec::new();
    for (machine, source) in [
        (AMD64, ASKS.to_owned()),
        (ARM64, ASKS.to_owned()),
        (ARM64, format!("#define MORE\n{ASKS}")),
    ] {
        let place = Place::new();
        let Some(program) = machine.compile(&place, &source, &libraries) else {
            return;
        };
        let (output, trace) = machine.run(&place, &program);
        assert_eq!(stderr(&output), "2 1.000000\n", "{}", machine.name);
        traces.push((place, trace));
    }
    let analyses: Vec<Analysis<'_>> = traces
        .iter()
        .map(|(_, trace)| Analysis::of(trace))
        .collect();
    let filter = Filter::default();
    let difference = |base: usize, new: usize| {
        let sides = [base, new].map(|side| (&analyses[side], &filter));
        Difference::of(sides[0], sides[1], false)
    };
    let mut expected = [
        "environ", "exit", "fprintf", "free", "stderr", "strdup", "strlen",
    ]
    .map(|symbol| [symbol, "libc.so.6"].map(str::to_owned))
    .to_vec();
    expected.insert(0, ["cos", "libm.so.6"].map(str::to_owned));
    for (_, trace) in &traces[..2] {
        assert_eq!(bound(trace), expected);
    }
    let same = difference(0, 1);
    assert!(same.translation && same.derived);
    assert_eq!((same.gone, same.came), (Vec::new(), Vec::new()));
    let more = difference(0, 2);
    let [came] = &more.came[..] else {
        panic!("{:?}", more.came);
    };
    assert_eq!((&*came.importer, &*came.symbol), ("program", "abs"));
    assert_eq!(more.gone, Vec::new());

    let [native, translated] = [0, 1].map(|side| traces[side].0.path("trace"));
    let mut bindings = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    bindings
        .arg("bindings")
        .arg("--base")
        .args([native, translated]);
    let output = bindings.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let first = said.lines().next().unwrap_or_default();
    let expected = format!(
        "both have the same {} binds; as expected of a native and a translated run",
        same.common
    );
    assert_eq!(first, expected);
}
