//! Go's arm64 compiler under qemu: how much of its time in translated code has a goroutine's whole
//! stack, with names.

use super::command::{Run, Traced, go};
use super::qemu::Qemu;
use gotrace::capture::linux::bpf::Options;
use gotrace::capture::{Observation, Sampled};
use gotrace::trace::SamplePlace;
use object::{Object as _, ObjectSymbol as _, SymbolKind};
use std::ffi::OsStr;
use std::fs;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the native go command prints.
fn printed(go: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(go);
    let command = command.args(arguments).env("GOARCH", "arm64");
    let command = command.env("CGO_ENABLED", "0").env("GOFLAGS", "");
    let output = command.env("GOTOOLCHAIN", "local").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The arm64 compiler of the native Go's version, copied to a folder; says why there is none.
fn compiler(go: &Path, folder: &Path) -> Option<PathBuf> {
    let version = printed(go, &["env", "GOVERSION"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let goroot = root.join(format!(".tools/{}-arm64", version.replacen("go", "go-", 1)));
    let compile = goroot.join("pkg/tool/linux_arm64/compile");
    if !compile.exists() {
        println!("skipped: no arm64 Go toolchain of {version}; scripts/emulate");
        return None;
    }
    let copy = folder.join("compile");
    fs::copy(compile, &copy).unwrap();
    Some(copy)
}

/// Compiles a package of the standard library that is Go alone.
fn recorded(go: &Path, compile: &Path, package: &str, folder: &Path) -> Run {
    let packages = "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}";
    let config = folder.join("importcfg");
    let exports = printed(go, &["list", "-export", "-deps", "-f", packages, package]);
    fs::write(&config, exports + "\n").unwrap();
    let files = "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}";
    let files = printed(go, &["list", "-f", files, package]);
    let (config, output) = (config.to_str().unwrap(), folder.join("package.a"));
    let mut argv = vec![compile.to_str().unwrap()];
    argv.extend(["-std", "-complete", "-p", package]);
    argv.extend(["-importcfg", config, "-o", output.to_str().unwrap()]);
    argv.extend(files.lines());
    let options = Options {
        rate_hz: 999,
        expected: vec![compile.to_owned()],
        ..Options::default()
    };
    Traced {
        options,
        environment: vec![("GODEBUG", OsStr::new("asyncpreemptoff=1"))],
        ..Traced::new(&argv)
    }
    .run()
}

/// The functions of a program, in the order of their addresses, as its symbol table has them.
struct Symbols(Vec<(Range<u64>, String)>);

impl Symbols {
    /// Of a program that is loaded to where its file says.
    fn of(program: &Path) -> Self {
        let bytes = fs::read(program).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        assert_eq!(elf.kind(), object::ObjectKind::Executable);
        let text = elf
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text);
        let mut symbols: Vec<_> = text
            .map(|symbol| {
                let (start, name) = (symbol.address(), symbol.name().unwrap());
                (start..start + symbol.size(), name.to_owned())
            })
            .collect();
        symbols.sort_by_key(|(range, _)| range.start);
        Self(symbols)
    }

    fn name(&self, address: u64) -> Option<&str> {
        let after = self.0.partition_point(|(range, _)| range.start <= address);
        let (range, name) = self.0.get(after.checked_sub(1)?)?;
        range.contains(&address).then_some(name)
    }

    /// Whether a stack has a name for each of its frames, and ends where goroutines begin.
    fn reach_a_goroutines_root(&self, sampled: &Sampled) -> bool {
        let callers = sampled.stack.iter().skip(1).map(|address| address - 1);
        let names = sampled.stack.iter().take(1).copied().chain(callers);
        let names: Option<Vec<&str>> = names.map(|address| self.name(address)).collect();
        let root = names.and_then(|names| names.last().copied());
        let at_root = root.is_some_and(|name| name.starts_with("runtime.goexit"));
        at_root && sampled.goroutine.is_some() && !sampled.truncated
    }
}

/// Where files have code in the process, that of a path alone, and what of them lies there.
fn mappings(run: &Run, of: &[u8]) -> Vec<(Range<u64>, u64)> {
    let mapped = |observation: &Observation| match observation {
        Observation::Mapped {
            path,
            start,
            end,
            offset,
            ..
        } if path == of => Some((*start..*end, *offset)),
        _ => None,
    };
    run.observations.iter().filter_map(mapped).collect()
}

fn stacks_of_compile_are_whole(qemu: Option<Qemu>, package: &str) {
    let (Some(qemu), Some(go)) = (qemu, go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Some(compile) = compiler(&go, folder.path()) else {
        return;
    };
    qemu.takes(&compile);
    let run = recorded(&go, &compile, package, folder.path());
    assert_eq!(run.wait_status, 0);
    assert!(run.losses().is_empty(), "{:?}", run.losses());

    let symbols = Symbols::of(&compile);
    let samples = run.samples();
    let in_place = |place| samples.iter().filter(move |sampled| sampled.place == place);
    let translated = in_place(SamplePlace::TranslatedCode).count();
    assert!(translated >= 200, "{translated} of {}", samples.len());
    let whole = in_place(SamplePlace::TranslatedCode)
        .filter(|sampled| symbols.reach_a_goroutines_root(sampled))
        .count();
    println!(
        "{whole} of {translated} in translated code, of {}",
        samples.len()
    );
    assert!(whole * 100 >= translated * 95, "{whole} of {translated}");

    // Nothing was left out of what was counted: what is said to be the translator's lies in the
    // translator's own code, as its file has it, or in what the kernel lends it.
    let own = mappings(&run, qemu.path.as_os_str().as_bytes());
    let code = qemu.code();
    let lent = mappings(&run, b"[vdso]");
    assert!(!own.is_empty());
    let mut translator = in_place(SamplePlace::Translator);
    assert!(translator.clone().count() > 0);
    let elsewhere = translator.find(|sampled| {
        let at = sampled.stack[0];
        let in_file = own.iter().any(|(range, offset)| {
            range.contains(&at) && code.contains(&(at - range.start + offset))
        });
        !in_file && !lent.iter().any(|(range, _)| range.contains(&at))
    });
    assert_eq!(elsewhere, None);
    assert_eq!(in_place(SamplePlace::User).count(), 0);
}

#[test]
fn translated_code_of_compile_is_named_down_to_goroutines() {
    stacks_of_compile_are_whole(Qemu::installed(), "fmt");
}

#[test]
fn so_it_is_under_a_newer_qemu() {
    stacks_of_compile_are_whole(Qemu::of_backports(), "strconv");
}
