//! Goroutine ids on samples, against those that the traced program prints of itself.

use super::command::{Run, Traced, available, go};
use gotrace::capture::linux::bpf::Options;
use gotrace::capture::{Observation, Sampled};
use gotrace::trace::{Goid, ImageKind};
use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that ran, what it printed, and where its functions lay in memory.
struct Ran {
    run: Run,
    ids: BTreeMap<String, Goid>,
    functions: BTreeMap<String, Range<u64>>,
}

impl Ran {
    /// Builds a program of `tests/live_bpf/` and runs it.
    fn new(go: &Path, source: &str, flags: &[&str], folder: &Path) -> Self {
        let program = build(go, source, flags, folder, None);
        let printed = folder.join("printed");
        let script = format!("exec {} > {}", program.display(), printed.display());
        let options = Options {
            rate_hz: 999,
            expected: vec![program.clone()],
            ..Options::default()
        };
        let run = Traced {
            options,
            ..Traced::new(&["sh", "-c", &script])
        }
        .run();
        assert_eq!(run.wait_status, 0);
        let printed = std::fs::read_to_string(printed).unwrap();
        let ids = printed.lines().map(|line| {
            let (name, id) = line.split_once(' ').unwrap();
            (name.to_owned(), Goid(id.parse().unwrap()))
        });
        let ids = ids.collect();
        let functions = functions(&run, &program);
        Self {
            run,
            ids,
            functions,
        }
    }

    /// Whether a stack goes through a function.
    fn passes(&self, sampled: &Sampled, function: &str) -> bool {
        let range = &self.functions[function];
        // A return address may be the one after the function's last instruction.
        let (first, rest) = sampled.stack.split_first().unwrap();
        range.contains(first) || rest.iter().any(|address| range.contains(&(address - 1)))
    }

    /// The functions of a stack, innermost first.
    fn names(&self, sampled: &Sampled) -> Vec<&str> {
        let called = sampled.stack.iter().skip(1).map(|address| address - 1);
        let addresses = sampled.stack.iter().take(1).copied().chain(called);
        let name = |address| {
            let function = self
                .functions
                .iter()
                .find(|(_, range)| range.contains(&address));
            function.map_or("?", |(name, _)| name)
        };
        addresses.map(name).collect()
    }

    /// All samples that go through these functions.
    fn samples(&self, functions: &[&str]) -> Vec<&Sampled> {
        let mut samples = self.run.samples();
        samples.retain(|s| functions.iter().all(|function| self.passes(s, function)));
        samples
    }

    /// Every sample that goes through the functions carries the id that was printed for `name`.
    fn assert_ids(&self, name: &str, functions: &[&str], at_least: usize) {
        let samples = self.samples(functions);
        assert!(
            samples.len() >= at_least,
            "{name}: {} samples",
            samples.len()
        );
        let id = self.ids[name];
        let wrong: Vec<_> = samples
            .iter()
            .filter(|s| s.goroutine != Some(id))
            .map(|s| (s.goroutine, s.place, s.tid, self.names(s)))
            .collect();
        assert!(
            wrong.is_empty(),
            "{name} is {id}: {} of {}: {wrong:#x?}",
            wrong.len(),
            samples.len()
        );
    }
}

/// Builds a program of `tests/live_bpf/`, for this architecture or another.
pub(crate) fn build(
    go: &Path,
    source: &str,
    flags: &[&str],
    folder: &Path,
    arch: Option<&str>,
) -> PathBuf {
    let program = folder.join("program");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live_bpf");
    let output = Command::new(go)
        .arg("build")
        .args(flags)
        .arg("-o")
        .args([program.as_path(), &sources.join(source)])
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .envs(arch.map(|arch| ("GOARCH", arch)))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    program
}

/// Functions of the program by name, at the addresses at which it ran.
pub(crate) fn functions(run: &Run, program: &Path) -> BTreeMap<String, Range<u64>> {
    let mapped = run.observations.iter().find_map(|o| match o {
        Observation::Mapped {
            path,
            start,
            offset,
            kind: ImageKind::File,
            ..
        } if OsStr::from_bytes(path) == program => Some((*start, *offset)),
        _ => None,
    });
    let (start, offset) = mapped.unwrap();
    let bytes = std::fs::read(program).unwrap();
    let elf = object::File::parse(&*bytes).unwrap();
    let stated = elf.segments().find_map(|segment| {
        let (at, size) = segment.file_range();
        let inside = (at..at + size).contains(&offset);
        inside.then(|| segment.address() + offset - at)
    });
    let slide = start.wrapping_sub(stated.unwrap());
    let names = elf
        .symbols()
        .filter(|symbol| symbol.size() > 0)
        .map(|symbol| {
            let start = symbol.address().wrapping_add(slide);
            (
                symbol.name().unwrap().to_owned(),
                start..start + symbol.size(),
            )
        });
    names.collect()
}

#[test]
fn samples_carry_the_ids_that_goroutines_print() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    for mode in ["exe", "pie"] {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["-buildmode", mode];
        let ran = Ran::new(&go, "goroutines.go", &flags, folder.path());
        for name in [
            "main.one",
            "main.two",
            "main.three",
            "main.four",
            "main.signals",
        ] {
            ran.assert_ids(name, &[name], 20);
        }
        ran.assert_ids("main.signals", &["main.signals", "runtime.sigtrampgo"], 5);
        ran.assert_ids("main.three", &["main.three", "main.deep"], 20);
        assert!(ran.run.losses().is_empty(), "{:?}", ran.run.losses());
    }
}

#[test]
fn samples_in_c_code_carry_the_id_of_the_goroutine_that_called_it() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = Ran::new(&go, "cgo.go", &[], folder.path());
    ran.assert_ids("spin_one", &["spin_one"], 20);
    ran.assert_ids("spin_two", &["spin_two"], 20);
    ran.assert_ids("call_back", &["main.callback"], 20);
    assert_eq!(ran.ids["call_back"], ran.ids["callback"]);
    assert!(ran.run.losses().is_empty(), "{:?}", ran.run.losses());
}
