//! What is worked out of relocations and load order, against what `ld.so` says of itself
//! (`LD_DEBUG`).

use gotrace::analyze::scope::{Fit, Found, promised};
use gotrace::binary::elf::Elf;
use gotrace::symbolize;
use gotrace::trace::{
    BindHow, BindKind, Binding, Image, ImageId, ImageKind, ImageNeeds, Import, ImportKind,
    LinkCause, Linking, Load, Offer, ProcessId, StringId, Trace,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Importer, symbol, version (or nothing), provider.
type Bind = (String, String, String, String);

/// What the loader looks up for itself, without a relocation.
const ALLOCATOR: [&str; 4] = ["calloc", "free", "malloc", "realloc"];

/// What one program's loader said.
#[derive(Debug, Default)]
struct Log {
    /// As its loader calls it.
    program: String,
    /// Names of images in the order in which they were mapped.
    loads: Vec<(String, LinkCause)>,
    binds: Vec<Bind>,
}

impl Log {
    fn parse(text: &str) -> Self {
        let mut log = Self::default();
        let mut cause = LinkCause::Start;
        for line in text.lines() {
            let Some((_, line)) = line.split_once(':') else {
                continue;
            };
            let line = line.trim();
            if let Some(program) = line.strip_prefix("initialize program: ") {
                program.clone_into(&mut log.program);
                cause = LinkCause::Dlopen;
            } else if let Some(line) = line.strip_prefix("file=") {
                if let Some((name, _)) = line.split_once(" [0];  generating link map") {
                    log.loads.push((name.to_owned(), cause));
                }
            } else if let Some(line) = line.strip_prefix("binding file ") {
                let (importer, rest) = line.split_once(" [0] to ").unwrap();
                let (provider, rest) = rest.split_once(" [0]: ").unwrap();
                // A normal or a protected one.
                let (_, rest) = rest.split_once(" symbol `").unwrap();
                let (symbol, version) = rest.split_once('\'').unwrap();
                let version = version.trim().trim_matches(['[', ']']);
                log.binds.push((
                    importer.to_owned(),
                    symbol.to_owned(),
                    version.to_owned(),
                    provider.to_owned(),
                ));
            }
        }
        log
    }

    /// The path by which binds call an image that was loaded by this name.
    fn path_of(&self, name: &str) -> Option<&str> {
        let mut paths = self.binds.iter().flat_map(|bind| [&*bind.0, &*bind.3]);
        paths.find(|path| *path == name || path.rsplit('/').next() == Some(name))
    }
}

/// Runs a command and gives the logs of its programs.
fn logs(command: &mut Command) -> Vec<Log> {
    let folder = tempfile::tempdir().unwrap();
    let output = command
        .env("LD_DEBUG", "files,bindings")
        .env("LD_DEBUG_OUTPUT", folder.path().join("log"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let files = std::fs::read_dir(folder.path()).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = |path: &PathBuf| Log::parse(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
    let logs = files.iter().map(read);
    logs.filter(|log| !log.program.is_empty()).collect()
}

/// A program or library by the name that its loader calls it by, from a folder.
fn program(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    if name.contains('/') {
        return path;
    }
    let folders = std::env::var_os("PATH").unwrap();
    let mut paths = std::env::split_paths(&folders).map(|folder| folder.join(name));
    paths.find(|path| path.is_file()).unwrap()
}

/// A trace of these programs, as a recorder would have made it that saw loads and calls.
struct Recorded {
    trace: Trace,
    strings: BTreeMap<Vec<u8>, StringId>,
    images: BTreeMap<String, ImageId>,
}

impl Recorded {
    fn of(folder: &Path, logs: &[Log]) -> Self {
        let mut recorded = Self {
            trace: Trace::default(),
            strings: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        for (process, log) in (0..).map(ProcessId).zip(logs) {
            recorded.trace.linkings.push(Linking {
                process,
                ..Linking::default()
            });
            let own = (log.program.clone(), LinkCause::Start);
            for (name, cause) in [own].iter().chain(&log.loads) {
                recorded.load(folder, process, log, name, *cause);
            }
            // The loader itself was there before all of them.
            let paths = log.binds.iter().flat_map(|bind| [&bind.0, &bind.3]);
            let loader = paths.into_iter().find(|path| path.contains("/ld-linux"));
            recorded.load(folder, process, log, loader.unwrap(), LinkCause::Start);
        }
        symbolize::fill(&mut recorded.trace);
        recorded
    }

    fn string(&mut self, text: &str) -> StringId {
        let strings = &mut self.trace.strings;
        let known = self.strings.entry(text.as_bytes().to_vec());
        *known
            .or_insert_with_key(|bytes| strings.find(bytes).unwrap_or_else(|| strings.push(bytes)))
    }

    fn load(&mut self, folder: &Path, process: ProcessId, log: &Log, name: &str, cause: LinkCause) {
        let Some(path) = log.path_of(name) else {
            return;
        };
        let file = program(folder, path);
        let path_id = self.string(&file.to_string_lossy());
        let build_id = std::fs::read(&file).unwrap();
        let build_id = Elf::parse(&build_id).unwrap().build_id().unwrap().to_vec();
        let images = &mut self.trace.images;
        let image = *self.images.entry(path.to_owned()).or_insert_with(|| {
            images.push(Image {
                path: path_id,
                build_id,
                ..Image::default()
            });
            ImageId(u32::try_from(images.len()).unwrap() - 1)
        });
        let load = Load {
            process,
            image,
            cause,
            ..Load::default()
        };
        // The loader's place in time is among the first.
        match path.contains("/ld-linux") {
            true => {
                let before = self.trace.loads.iter();
                let before = before.filter(|load| load.process != process).count();
                self.trace.loads.insert(before + 1, load);
            }
            false => self.trace.loads.push(load),
        }
    }

    fn path(&self, image: ImageId) -> String {
        let mut images = self.images.iter();
        images.find(|(_, id)| **id == image).unwrap().0.clone()
    }

    /// Adds the binds of calls that were seen, and returns whatever else the logs have.
    fn see_calls(&mut self, logs: &[Log]) {
        let mut binds = Vec::new();
        for (process, log) in (0..).map(ProcessId).zip(logs) {
            for (importer, symbol, _, provider) in &log.binds {
                let importer_id = self.images.get(importer).copied();
                let (Some(importer), Some(&provider)) = (importer_id, self.images.get(provider))
                else {
                    continue;
                };
                let symbol = self.string(symbol);
                let mut needs = self.trace.needs.iter();
                let needs = needs.find(|needs| needs.image == importer).unwrap();
                let mut imports = needs.imports.iter();
                let calls = imports.any(|one| one.kind == ImportKind::Call && one.symbol == symbol);
                // Pointers to a function may lead to the program's stub, calls do not.
                let mut needs = self.trace.needs.iter();
                let needs = needs.find(|needs| needs.image == provider).unwrap();
                let mut offers = needs.offers.iter();
                let defined = offers.any(|offer| offer.symbol == symbol && !offer.stub);
                if calls && defined {
                    binds.push(Binding {
                        process,
                        importer,
                        provider: Some(provider),
                        symbol,
                        how: BindHow::Lazy,
                        kind: BindKind::Call,
                        ..Binding::default()
                    });
                }
            }
        }
        self.trace.push_bindings(&binds);
    }
}

/// What is worked out or seen, program by program, beside what the loader said.
fn compare(folder: &Path, logs: &[Log]) -> Recorded {
    let mut recorded = Recorded::of(folder, logs);
    for needs in &recorded.trace.needs {
        let why = recorded.trace.text(needs.unread);
        assert_eq!(why, "", "{}", recorded.path(needs.image));
    }
    recorded.see_calls(logs);
    for one in promised(&recorded.trace) {
        let [process] = one.processes[..] else {
            panic!("{:?}", one.processes);
        };
        let log = &logs[process.index()];
        let text = |id| recorded.trace.text(id).into_owned();
        let mut found: BTreeSet<Bind> = BTreeSet::new();
        let mut promises: BTreeSet<(String, String)> = BTreeSet::new();
        for promise in &one.promises {
            let importer = recorded.path(promise.importer);
            let import = promise.import;
            promises.insert((importer.clone(), text(import.symbol)));
            assert_ne!(
                promise.fit,
                Fit::Elsewhere,
                "{promise:?} {}",
                text(import.symbol)
            );
            if promise.is_bound() {
                let provider = recorded.path(promise.provider().unwrap());
                found.insert((
                    importer,
                    text(import.symbol),
                    text(import.version),
                    provider,
                ));
            }
        }
        // What the loader looks up for itself it says of the program, which may ask for the same.
        let (own, mut found): (BTreeSet<Bind>, BTreeSet<Bind>) = found
            .into_iter()
            .partition(|bind| bind.0.contains("/ld-linux") && ALLOCATOR.contains(&&*bind.1));
        assert_eq!(own.len(), ALLOCATOR.len(), "{}", log.program);
        for (_, symbol, version, provider) in own {
            let bind = (log.program.clone(), symbol, version, provider);
            assert!(log.binds.contains(&bind), "{bind:?} is not said");
            found.insert(bind);
        }
        let of_files = |bind: &&Bind| promises.contains(&(bind.0.clone(), bind.1.clone()));
        let allocates = |bind: &&Bind| bind.0 == log.program && ALLOCATOR.contains(&&*bind.1);
        let said = log.binds.iter();
        let known = said.filter(|bind| of_files(bind) || allocates(bind));
        let known: BTreeSet<Bind> = known.cloned().collect();
        // Programs ask for functions by name, and the loader for those of the kernel's image.
        let said = log.binds.iter();
        let by_name = said.filter(|bind| !known.contains(bind));
        let by_name: Vec<&Bind> = by_name.collect();
        assert!(by_name.iter().all(|bind| bind.0 == bind.3), "{by_name:?}");
        assert!(by_name.len() < 10, "{by_name:?}");
        let missing: Vec<_> = known.difference(&found).collect();
        assert!(
            missing.is_empty(),
            "{}: not found: {missing:?}",
            log.program
        );
        let extra: Vec<_> = found.difference(&known).collect();
        assert!(extra.is_empty(), "{}: too many: {extra:?}", log.program);
        assert!(known.len() > 30, "{}", log.program);
    }
    recorded
}

/// The programs that gcc runs: `gcc`, `cc1`, `as`, `collect2` and `ld`, with fixed and any
/// addresses, copied data, libraries opened while they run.
#[test]
fn binds_of_compilers_are_those_that_the_loader_tells() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.c"), "int main(void) { return 0; }\n").unwrap();
    let mut gcc = Command::new("gcc");
    gcc.current_dir(folder.path()).args(["a.c", "-o", "a"]);
    let logs = logs(&mut gcc);
    let names = logs
        .iter()
        .map(|log| log.program.rsplit('/').next().unwrap());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    assert_eq!(names, ["as", "cc1", "collect2", "gcc", "ld"]);
    let opened = logs.iter().flat_map(|log| &log.loads);
    assert!(opened.into_iter().any(|load| load.1 == LinkCause::Dlopen));
    let recorded = compare(folder.path(), &logs);
    let derived = promised(&recorded.trace)
        .into_iter()
        .flat_map(|one| one.promises);
    let derived = derived
        .filter(|promise| promise.fit == Fit::Derived)
        .count();
    assert!(derived > 100, "{derived}");
}

/// A program for which every rule of the loader matters; `build` makes it in an empty folder.
const HARD: &str = r#"
set -e
lib() { name=$1; shift; gcc -shared -fPIC -O1 -Wl,-soname,lib$name.so -Wl,--build-id -o lib$name.so $name.c "$@"; }
cat > a.c <<'E'
int counter = 1;
__attribute__((weak)) int f(void) { return 1; }
int g(void) { return counter; }
int h(void) { return 2; }
__asm__(".data\n.globl once\n.type once, @gnu_unique_object\n.size once, 4\nonce: .long 1\n.text");
E
lib a
# A strong definition that comes later does not win.
echo 'int f(void) { return 3; } int g(void) { return 4; }' > b.c
lib b
# Comes before all others.
echo 'int puts(const char *s) { return 5; } int f_hook(void) { return 6; }' > p.c
lib p
# Keeps to its own, by flag or by visibility.
echo 'int f(void) { return 7; } int (*table[])(void) = { f };' > s.c
lib s -Wl,-Bsymbolic
cat > v.c <<'E'
__attribute__((visibility("protected"))) int h(void) { return 8; }
extern int g(void);
int (*vtable[])(void) = { h, g };
E
lib v
# Versions: who is linked with the old one keeps it, who names none gets the first.
echo 'int both(void) { return 9; }' > ver.c
echo 'ONE { global: both; local: *; };' > one.map
lib ver -Wl,--version-script=one.map
echo 'extern int both(void); int old(void) { return both(); }' > w.c
lib w ./libver.so
cat > ver.c <<'E'
__asm__(".symver b1, both@ONE\n.symver b2, both@@TWO");
int b1(void) { return 9; }
int b2(void) { return 10; }
E
echo 'ONE { global: both; local: *; }; TWO { global: both; } ONE;' > two.map
lib ver -Wl,--version-script=two.map
echo 'extern int both(void); int none(void) { return both(); } int (*ntable[])(void) = { both };' > n.c
lib n
# Opened while the program runs: its own group comes last, and what is unique is there already.
echo 'int only_e(void) { return 11; } int f(void) { return 12; }' > e.c
lib e
cat > d.c <<'E'
extern int only_e(void), f(void), nobody(void) __attribute__((weak));
__asm__(".data\n.globl once\n.type once, @gnu_unique_object\n.size once, 4\nonce: .long 1\n.text");
extern int once;
void *dtable[] = { only_e, f, &once, nobody };
int opened(void) { return only_e() + f(); }
E
lib d ./libe.so -Wl,-rpath,.
cat > prog.c <<'E'
#include <dlfcn.h>
#include <stdio.h>
extern int counter, f(void), g(void), old(void), none(void), both(void), once;
extern int (*table[])(void), (*vtable[])(void);
int main(void) {
  int (*volatile address)(void) = g;
  int sum = counter + f() + g() + old() + none() + both() + address() + table[0]() + vtable[0]();
  int (*opened)(void) = (int (*)(void))dlsym(dlopen("./libd.so", RTLD_NOW), "opened");
  puts("");
  return opened && sum ? 0 : 1;
}
E
gcc -O1 -no-pie -fno-pic -Wl,-z,lazy -Wl,--build-id -Wl,-rpath,. -o prog prog.c ./liba.so ./libb.so ./libs.so ./libv.so ./libw.so ./libver.so ./libn.so
"#;

#[test]
fn binds_are_derived_by_every_rule_of_the_loader() {
    let folder = tempfile::tempdir().unwrap();
    let mut build = Command::new("sh");
    let built = build
        .current_dir(folder.path())
        .args(["-c", HARD])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let mut run = Command::new(folder.path().join("prog"));
    run.current_dir(folder.path())
        .env("LD_PRELOAD", "./libp.so");
    let recorded = compare(folder.path(), &logs(&mut run));
    let promised = promised(&recorded.trace);
    let [one] = &promised[..] else {
        panic!("{promised:?}");
    };
    let text = |id| recorded.trace.text(id).into_owned();
    let ends = |image| recorded.path(image).rsplit('/').next().unwrap().to_owned();
    let bound = |importer: &str, symbol: &str, kind: ImportKind| {
        let fits = |promise: &&gotrace::analyze::scope::Promise<'_>| {
            let import = promise.import;
            ends(promise.importer) == importer
                && text(import.symbol) == symbol
                && import.kind == kind
        };
        let found = one.promises.iter().find(fits).unwrap();
        (found.provider().map(ends).unwrap_or_default(), found.fit)
    };
    use ImportKind::{Call, Copy, Data};
    for (importer, symbol, kind, provider, fit) in [
        ("prog", "f", Call, "liba.so", Fit::Seen),
        ("prog", "counter", Copy, "liba.so", Fit::Derived),
        ("prog", "puts", Call, "libp.so", Fit::Interposed),
        ("prog", "g", Call, "liba.so", Fit::Seen),
        ("liba.so", "counter", Data, "prog", Fit::Derived),
        // The program's stub stands for the function, for whoever takes its address.
        ("libv.so", "g", Data, "prog", Fit::Derived),
        ("libv.so", "h", Data, "libv.so", Fit::Derived),
        ("libd.so", "once", Data, "liba.so", Fit::Derived),
        ("libd.so", "only_e", Data, "libe.so", Fit::Derived),
        ("libd.so", "nobody", Data, "", Fit::MissingWeak),
    ] {
        assert_eq!(
            bound(importer, symbol, kind),
            (provider.to_owned(), fit),
            "{importer} {symbol}"
        );
    }
    // Data is never nowhere in a program that runs.
    let nowhere = one
        .promises
        .iter()
        .filter(|one| one.expected == Found::Nowhere);
    assert_eq!(nowhere.count(), 0);
}

/// Images that ask for one symbol each, or define it.
struct Small(Trace, StringId);

impl Small {
    fn new() -> Self {
        let mut trace = Trace::default();
        let symbol = trace.strings.push(b"f");
        trace.linkings.push(Linking::default());
        Self(trace, symbol)
    }

    /// Adds an image that is called `name`, needs libraries, and is loaded.
    fn image(&mut self, name: &str, needed: &[&str], cause: LinkCause, namespace: u32) -> ImageId {
        let Self(trace, symbol) = self;
        let image = ImageId(u32::try_from(trace.images.len()).unwrap());
        let mut string = |text: &str| {
            let known = trace.strings.find(text.as_bytes());
            known.unwrap_or_else(|| trace.strings.push(text.as_bytes()))
        };
        let (own_name, libraries) = (
            string(name),
            needed.iter().map(|name| string(name)).collect(),
        );
        trace.images.push(Image {
            path: own_name,
            ..Image::default()
        });
        trace.loads.push(Load {
            image,
            cause,
            namespace,
            ..Load::default()
        });
        trace.needs.push(ImageNeeds {
            image,
            own_name,
            libraries,
            imports: vec![Import {
                symbol: *symbol,
                kind: ImportKind::Data,
                places: 1,
                ..Import::default()
            }],
            ..ImageNeeds::default()
        });
        image
    }

    fn needs(&mut self, image: ImageId) -> &mut ImageNeeds {
        &mut self.0.needs[image.index()]
    }

    fn define(&mut self, image: ImageId) {
        let symbol = self.1;
        self.needs(image).offers.push(Offer {
            symbol,
            ..Offer::default()
        });
    }

    /// A program, and two libraries that it needs, which ask for nothing.
    fn program_with_two_libraries(&mut self) -> [ImageId; 3] {
        let program = self.image("program", &["liba.so", "libb.so"], LinkCause::Start, 0);
        let libraries = ["liba.so", "libb.so"].map(|name| {
            let library = self.image(name, &[], LinkCause::Start, 0);
            self.needs(library).imports.clear();
            library
        });
        [program, libraries[0], libraries[1]]
    }

    /// Which image each image's import comes to.
    fn found(&self) -> Vec<Found> {
        let [one] = &promised(&self.0)[..] else {
            panic!("one program");
        };
        one.promises
            .iter()
            .map(|promise| promise.expected)
            .collect()
    }
}

#[test]
fn a_symbolic_library_looks_into_itself_first() {
    let mut small = Small::new();
    let program = small.image("program", &["libs.so"], LinkCause::Start, 0);
    let library = small.image("libs.so", &[], LinkCause::Start, 0);
    small.define(program);
    small.define(library);
    assert_eq!(small.found(), [Found::In(program), Found::In(program)]);
    small.needs(library).symbolic = true;
    assert_eq!(small.found(), [Found::In(program), Found::In(library)]);
}

#[test]
fn namespaces_do_not_see_each_other() {
    let mut small = Small::new();
    let program = small.image("program", &[], LinkCause::Start, 0);
    small.image("liba.so", &["libb.so"], LinkCause::Dlopen, 1);
    let other = small.image("libb.so", &[], LinkCause::Dlopen, 1);
    small.define(program);
    small.define(other);
    assert_eq!(
        small.found(),
        [Found::In(program), Found::In(other), Found::In(other)]
    );
}

/// ld.so enters itself into a namespace of `dlmopen` where a library asks for it, and does not tell
/// (`_dl_map_object_from_fd`, elf/dl-load.c of glibc).
#[test]
fn the_loader_is_in_namespaces_that_ask_for_it() {
    let mut small = Small::new();
    let program = small.image("program", &[], LinkCause::Start, 0);
    let loader = small.image("ld-linux-x86-64.so.2", &[], LinkCause::Start, 0);
    small.image("libc.so.6", &["ld-linux-x86-64.so.2"], LinkCause::Dlopen, 1);
    small.image("libalone.so", &[], LinkCause::Dlopen, 2);
    small.define(loader);
    small.needs(program).imports.clear();
    small.needs(loader).imports.clear();
    assert_eq!(small.found(), [Found::In(loader), Found::Nowhere]);
}

/// Nothing tells of `RTLD_GLOBAL`; what an earlier library defines is taken before nothing is.
#[test]
fn what_is_nowhere_else_is_in_what_was_opened_before() {
    let mut small = Small::new();
    let program = small.image("program", &[], LinkCause::Start, 0);
    let first = small.image("liba.so", &[], LinkCause::Dlopen, 0);
    small.image("libb.so", &[], LinkCause::Dlopen, 0);
    small.define(first);
    small.needs(program).imports[0].weak = true;
    assert_eq!(
        small.found(),
        [Found::MissingWeak, Found::In(first), Found::In(first)]
    );
}

#[test]
fn what_did_not_happen_is_told_from_what_may_still() {
    let mut small = Small::new();
    let program = small.image("program", &["liba.so"], LinkCause::Start, 0);
    let library = small.image("liba.so", &[], LinkCause::Start, 0);
    let other = small.image("libb.so", &[], LinkCause::Start, 0);
    small.define(library);
    small.needs(library).imports.clear();
    small.needs(other).imports.clear();
    small.needs(program).imports[0].kind = ImportKind::Call;
    let fit = |small: &Small| promised(&small.0)[0].promises[0].fit;
    assert_eq!(fit(&small), Fit::NeverCalled);
    small.needs(program).bind_now = true;
    assert_eq!(fit(&small), Fit::NotBound);
    let bind = |provider| Binding {
        importer: program,
        provider: Some(provider),
        symbol: small.1,
        ..Binding::default()
    };
    let (elsewhere, right) = (bind(other), bind(library));
    small.0.push_bindings(&[elsewhere]);
    assert_eq!(fit(&small), Fit::Elsewhere);
    // What most programs saw.
    small.0.push_bindings(&[right, right]);
    assert_eq!(fit(&small), Fit::Seen);
    assert_eq!(promised(&small.0)[0].promises[0].binds, 3);
    // A program whose loader did not come to binding: ldd, or one that ended before.
    let linkings = std::mem::take(&mut small.0.linkings);
    assert_eq!(fit(&small), Fit::Seen);
    small.needs(program).imports[0].kind = ImportKind::Data;
    assert_eq!(fit(&small), Fit::NotReached);
    small.0.linkings = linkings;
    assert_eq!(fit(&small), Fit::Derived);
    small.needs(program).imports[0].kind = ImportKind::Call;
    // The kernel's image is nobody's provider.
    small.0.images[library.index()].kind = ImageKind::Kernel;
    assert_eq!(promised(&small.0)[0].promises[0].expected, Found::Nowhere);
}

/// Files of macOS say which library has what; some libraries hand on what others define.
#[test]
fn what_names_its_library_is_not_searched_for() {
    let mut small = Small::new();
    let system = "/usr/lib/libSystem.B.dylib";
    let program = small.image(
        "/tmp/program",
        &[system, "@rpath/libm.dylib"],
        LinkCause::Start,
        0,
    );
    let library = small.image(system, &[], LinkCause::Start, 0);
    let other = small.image(
        "/usr/lib/system/libsystem_c.dylib",
        &[],
        LinkCause::Start,
        0,
    );
    for image in [library, other] {
        small.needs(image).imports.clear();
    }
    small.define(program);
    let name = small.needs(library).own_name;
    small.needs(program).imports[0].library = name;
    small.needs(program).bind_now = true;
    let one = |small: &Small| {
        let promise = promised(&small.0)[0].promises[0];
        (promise.expected, promise.fit)
    };
    assert_eq!(one(&small), (Found::In(library), Fit::Derived));
    let symbol = small.1;
    small.0.push_bindings(&[Binding {
        importer: program,
        provider: Some(other),
        symbol,
        ..Binding::default()
    }]);
    assert_eq!(one(&small), (Found::In(library), Fit::Seen));
    let name = small.needs(program).libraries[1];
    small.needs(program).imports[0].library = name;
    assert_eq!(one(&small), (Found::Nowhere, Fit::Interposed));
}

/// A file that could not be read may define whatever is asked for.
#[test]
fn what_a_file_defines_that_was_not_read_is_not_known() {
    let mut small = Small::new();
    let [program, unread, library] = small.program_with_two_libraries();
    let symbol = small.1;
    small.needs(unread).unread = symbol;
    let import = &mut small.needs(program).imports[0];
    import.kind = ImportKind::Call;
    import.weak = true;
    let one = |small: &Small| {
        let promise = promised(&small.0)[0].promises[0];
        (promise.expected, promise.fit)
    };
    assert_eq!(one(&small), (Found::Unknown, Fit::NeverCalled));
    small.needs(program).bind_now = true;
    assert_eq!(one(&small), (Found::Unknown, Fit::Unknown));
    small.0.push_bindings(&[Binding {
        importer: program,
        provider: Some(unread),
        symbol,
        ..Binding::default()
    }]);
    assert_eq!(one(&small), (Found::Unknown, Fit::Seen));
    // Another library has it as well, and comes later.
    small.define(library);
    assert_eq!(one(&small), (Found::Unknown, Fit::Seen));
}

/// ld.so looks functions of `malloc` up by name for itself, and tells of it: they are bound once.
#[test]
fn what_the_loader_asks_for_is_seen() {
    let mut small = Small::new();
    let program = small.image("program", &["libc.so.6"], LinkCause::Start, 0);
    let loader = small.image("ld-linux-x86-64.so.2", &[], LinkCause::Start, 0);
    let library = small.image("libc.so.6", &[], LinkCause::Start, 0);
    small.define(library);
    for image in [program, library] {
        small.needs(image).imports.clear();
    }
    let symbol = small.1;
    let one = |small: &Small| {
        let promise = promised(&small.0)[0].promises[0];
        (promise.expected, promise.fit, promise.binds)
    };
    assert_eq!(one(&small), (Found::In(library), Fit::Derived, 0));
    small.0.push_bindings(&[Binding {
        importer: loader,
        provider: Some(library),
        symbol,
        how: BindHow::Dlsym,
        ..Binding::default()
    }]);
    assert_eq!(one(&small), (Found::In(library), Fit::Seen, 1));
}

/// Of data nobody tells to which it was bound, and the first that defines it counts.
#[test]
fn data_may_be_in_a_file_that_was_not_read() {
    let mut small = Small::new();
    let [program, unread, library] = small.program_with_two_libraries();
    small.define(library);
    let one = |small: &Small| {
        let promise = promised(&small.0)[0].promises[0];
        (promise.importer, promise.expected, promise.fit)
    };
    let derived = (program, Found::In(library), Fit::Derived);
    assert_eq!(one(&small), derived);
    small.needs(unread).unread = small.1;
    assert_eq!(one(&small), (program, Found::Unknown, Fit::Unknown));
}

/// `frexp` is in libm and in libc, and a program that asks libm for it finds libc's first.
#[test]
fn within_the_c_library_nothing_is_interposed() {
    let mut small = Small::new();
    let program = small.image("program", &["libc.so.6", "libm.so.6"], LinkCause::Start, 0);
    let libraries = ["libc.so.6", "libm.so.6"].map(|name| {
        let library = small.image(name, &[], LinkCause::Start, 0);
        small.needs(library).imports.clear();
        small.define(library);
        library
    });
    let asked = small.needs(program).libraries[1];
    small.needs(program).imports[0].library = asked;
    let fit = |small: &Small| promised(&small.0)[0].promises[0].fit;
    assert_eq!(fit(&small), Fit::Derived);
    // An allocator that is preloaded is another matter.
    let other = small.0.strings.push(b"/lib/liballocator.so");
    small.0.images[libraries[0].index()].path = other;
    assert_eq!(fit(&small), Fit::Interposed);
}

/// `program_invocation_short_name` is `__progname`, and a program that copies the one has both.
#[test]
fn a_copied_variable_has_all_its_names() {
    let mut small = Small::new();
    let program = small.image("program", &["libc.so.6", "liba.so"], LinkCause::Start, 0);
    let libc = small.image("libc.so.6", &[], LinkCause::Start, 0);
    let library = small.image("liba.so", &["libc.so.6"], LinkCause::Start, 0);
    let version = small.0.strings.push(b"GLIBC_2.2.5");
    let first_name = small.0.strings.push(b"first");
    let asked = small.needs(program).libraries[0];
    small.needs(libc).imports.clear();
    let copy = &mut small.needs(program).imports[0];
    (copy.symbol, copy.kind) = (first_name, ImportKind::Copy);
    for image in [program, library] {
        let import = &mut small.needs(image).imports[0];
        (import.version, import.library) = (version, asked);
    }
    for image in [program, libc] {
        small.define(image);
        small.needs(image).offers[0].version = version;
    }
    let fit = |small: &Small| {
        let promises = &promised(&small.0)[0].promises;
        let of_library = promises.iter().find(|one| one.importer == library);
        let one = of_library.unwrap();
        assert_eq!(one.expected, Found::In(program));
        one.fit
    };
    assert_eq!(fit(&small), Fit::Derived);
    // What the program defines itself has no version.
    small.needs(program).offers[0].version = StringId::EMPTY;
    assert_eq!(fit(&small), Fit::Interposed);
}
