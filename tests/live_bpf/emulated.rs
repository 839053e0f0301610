//! Programs of another architecture under qemu: who they are, and their stacks against what they
//! print of themselves.

use super::command::{Run, Traced, arguments, go};
use super::goroutines::{build, functions};
use super::qemu::Qemu;
use gotrace::capture::linux::bpf::Options;
use gotrace::capture::linux::qemu::Calibration;
use gotrace::capture::{Executed, Observation, Sampled};
use gotrace::trace::{Arch, Goid, SamplePlace};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the guest printed: goroutine, and functions innermost first.
type Chains = BTreeMap<String, (Goid, Vec<String>)>;

struct Emulated {
    run: Run,
    program: PathBuf,
    chains: Chains,
    functions: BTreeMap<String, Range<u64>>,
}

impl Emulated {
    fn new(qemu: &Qemu, go: &Path, folder: &Path, word: &str, calibration: Calibration) -> Self {
        let program = build(go, "emulated.go", &[], folder, Some("arm64"));
        Self::of(program, qemu, folder, word, calibration)
    }

    fn of(
        program: PathBuf,
        qemu: &Qemu,
        folder: &Path,
        word: &str,
        calibration: Calibration,
    ) -> Self {
        qemu.takes(&program);
        let printed = folder.join("printed");
        let script = format!(
            "cd {}; exec ./program 'two words' {word} > {} 2>&1",
            folder.display(),
            printed.display()
        );
        let options = Options {
            rate_hz: 499,
            expected: vec![program.clone()],
            calibration,
            ..Options::default()
        };
        let run = Traced {
            options,
            // Without it Go preempts loops by signals, and the stack has more than was printed.
            environment: vec![
                ("GODEBUG", OsStr::new("asyncpreemptoff=1")),
                ("QEMU_LD_PREFIX", OsStr::new(LIBRARIES)),
            ],
            ..Traced::new(&["sh", "-c", &script])
        }
        .run();
        let printed = std::fs::read_to_string(printed).unwrap();
        // What it says when it dies looks otherwise.
        let chains = printed.lines().filter_map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let name = words.next().filter(|name| name.starts_with("main."))?;
            let id = Goid(words.next()?.parse().ok()?);
            Some((name, (id, words.collect())))
        });
        Self {
            chains: chains.collect(),
            functions: functions(&run, &program),
            run,
            program,
        }
    }

    fn executed(&self) -> &Executed {
        let executions = self.run.executions();
        let of_program = executions
            .into_iter()
            .find(|e| OsStr::from_bytes(&e.exe) == self.program);
        of_program.unwrap_or_else(|| panic!("{:?}", self.run.executions()))
    }

    /// The functions of a stack, innermost first.
    fn names(&self, sampled: &Sampled) -> Vec<&str> {
        let name = |(depth, address): (usize, &u64)| {
            let address = address - u64::from(depth > 0);
            let mut functions = self.functions.iter();
            let function = functions.find(|(_, range)| range.contains(&address));
            function.map_or("?", |(name, _)| name.strip_suffix(".abi0").unwrap_or(name))
        };
        sampled.stack.iter().enumerate().map(name).collect()
    }

    fn stacks_are_those_that_were_printed(&self) {
        assert_eq!(self.run.wait_status, 0);
        assert_eq!(self.chains.len(), 2, "{:?}", self.chains);
        for (name, (id, expected)) in &self.chains {
            let samples = self.run.samples().into_iter().filter(|sampled| {
                sampled.place == SamplePlace::TranslatedCode
                    && self.names(sampled).contains(&name.as_str())
                    && self.names(sampled).first() == Some(&"main.before")
            });
            let samples: Vec<_> = samples.collect();
            assert!(samples.len() >= 50, "{name}: {} samples", samples.len());
            let wrong = samples.iter().filter(|sampled| {
                self.names(sampled) != *expected
                    || sampled.goroutine != Some(*id)
                    || sampled.truncated
            });
            let wrong: Vec<_> = wrong.map(|s| (s.goroutine, self.names(s))).collect();
            assert!(
                wrong.is_empty(),
                "{name}: {} of {}, not {expected:?}: {:?}",
                wrong.len(),
                samples.len(),
                wrong.first()
            );
        }
        assert!(self.run.losses().is_empty(), "{:?}", self.run.losses());
    }
}

#[test]
fn stacks_of_an_emulated_program_are_those_that_it_prints() {
    stacks_are_those_that_are_printed(Qemu::installed());
}

#[test]
fn so_they_are_under_a_newer_qemu() {
    stacks_are_those_that_are_printed(Qemu::of_backports());
}

/// Where Debian has arm64 libraries, and the loader of programs that can be loaded anywhere.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

#[test]
fn so_are_those_of_a_program_without_fixed_addresses() {
    let (Some(qemu), Some(newer), Some(go)) = (Qemu::installed(), Qemu::of_backports(), go())
    else {
        return;
    };
    if !Path::new(LIBRARIES).exists() {
        println!("skipped: no arm64 libraries; scripts/emulate --no-toolchain");
        return;
    }
    for qemu in [qemu, newer] {
        let folder = tempfile::tempdir().unwrap();
        let pie = ["-buildmode", "pie"];
        let program = build(&go, "emulated.go", &pie, folder.path(), Some("arm64"));
        let calibration = Calibration::default();
        let ran = Emulated::of(program, &qemu, folder.path(), "spin", calibration);
        ran.stacks_are_those_that_were_printed();
    }
}

fn stacks_are_those_that_are_printed(qemu: Option<Qemu>) {
    let (Some(qemu), Some(go)) = (qemu, go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let calibration = Calibration {
        cache: Some(cache.clone()),
        invoker: None,
    };
    let ran = Emulated::new(&qemu, &go, folder.path(), "spin", calibration);
    let executed = ran.executed();
    assert_eq!(executed.arch, Arch::Arm64);
    assert_eq!(executed.translator, b"qemu-aarch64");
    assert_eq!(arguments(executed), ["./program", "two words", "spin"]);
    let kept = cache.join(qemu.build_id());
    assert!(kept.exists(), "offsets are kept as {}", kept.display());

    ran.stacks_are_those_that_were_printed();
}

#[test]
fn a_guest_that_dies_is_recorded_until_then() {
    let (Some(qemu), Some(go)) = (Qemu::installed(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let ran = Emulated::new(&qemu, &go, folder.path(), "die", Calibration::default());
    assert_ne!(ran.run.wait_status, 0);
    let places = ran.run.samples().into_iter().map(|sampled| sampled.place);
    let translated = places.filter(|place| *place == SamplePlace::TranslatedCode);
    assert!(translated.count() >= 50);
}

#[test]
fn what_cannot_be_looked_into_is_translated_code_of_its_program() {
    let (Some(qemu), Some(go)) = (Qemu::installed(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let calibration = Calibration {
        cache: Some(cache.clone()),
        invoker: None,
    };
    std::fs::write(cache.join(qemu.build_id()), LEADING_NOWHERE).unwrap();
    let ran = Emulated::new(&qemu, &go, folder.path(), "spin", calibration);
    assert_eq!(ran.run.wait_status, 0);
    let samples = ran.run.samples();
    let translated = samples
        .iter()
        .filter(|sampled| sampled.place == SamplePlace::TranslatedCode);
    let translated: Vec<_> = translated.collect();
    assert!(translated.len() >= 50, "{} samples", translated.len());
    assert!(translated.iter().all(|sampled| sampled.stack.len() == 1));
    let made = ran.run.observations.iter().any(|observation| {
        matches!(observation, Observation::Mapped { path, kind, .. }
            if *kind == gotrace::trace::ImageKind::Anonymous && path.ends_with(b"/program"))
    });
    assert!(made, "the code that was made is named after the program");
}

/// Offsets as of no qemu.
const LEADING_NOWHERE: &str = "gotrace qemu offsets 1\ncpu -8\nstate 1\nregisters 8\npc 16\n\
    block_pc 0\nblock_code 8\nblock_bytes 4096\n";

#[test]
fn arguments_are_the_programs_where_its_own_name_is_not_kept() {
    let (Some(qemu), Some(go)) = (Qemu::installed(), go()) else {
        return;
    };
    // Debian's qemu goes by its own name, too: `-binfmt-P` means that the name is kept.
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("qemu-aarch64");
    std::os::unix::fs::symlink(&qemu.path, &link).unwrap();
    let entered = Qemu::entered(&link, "OF");
    let ran = Emulated::new(&entered, &go, folder.path(), "die", Calibration::default());
    let executed = ran.executed();
    assert_eq!(executed.translator, b"qemu-aarch64");
    assert_eq!(arguments(executed), ["./program", "two words", "die"]);
}

/// As qemu's own map of its code tells, and no other way.
#[test]
fn a_perf_map_names_what_cannot_be_looked_into() {
    let (Some(qemu), Some(go)) = (Qemu::of_backports(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let program = build(&go, "emulated.go", &[], folder.path(), Some("arm64"));
    qemu.takes(&program);
    let cache = folder.path().join("cache/gotrace");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join(qemu.build_id()), LEADING_NOWHERE).unwrap();
    let leaves = |map: &str| {
        let trace = folder.path().join("t.gotrace");
        let gotrace = || Command::new(env!("CARGO_BIN_EXE_gotrace"));
        let mut run = gotrace();
        run.args(["run", "--quiet", "--rate", "499", "-o"]);
        run.args([&trace, Path::new("--"), &program]);
        run.args(["two words", "spin"]).env(map, "1");
        run.env("GODEBUG", "asyncpreemptoff=1");
        run.env("XDG_CACHE_HOME", folder.path().join("cache"));
        assert!(run.output().unwrap().status.success());
        let rows = |by: &str| {
            let show = ["show", "--json", "--by", by];
            let shown = gotrace().args(show).arg(&trace).output().unwrap();
            let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
            shown["rows"].as_array().unwrap().clone()
        };
        // Whoever asks qemu for a map removes it.
        let pid = rows("process")[0]["pid"].as_u64().unwrap();
        let left = std::fs::remove_file(format!("/tmp/perf-{pid}.map"));
        assert_eq!(left.is_ok(), map == "QEMU_PERFMAP");
        let rows = rows("function");
        let spinning = rows.iter().find(|row| row["function"] == "main.before");
        spinning.map_or(0, |row| row["own_count"].as_u64().unwrap())
    };
    assert!(leaves("QEMU_PERFMAP") >= 100);
    assert_eq!(leaves("NO_MAP"), 0);
}

/// Named as qemu, it is tried for long: it never runs the program that it is given. What the command
/// runs by it ends as soon as that has begun.
const NO_QEMU: &str = r#"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char tried[4096];
    tried[readlink("/proc/self/exe", tried, sizeof tried - 8)] = 0;
    strcat(tried, ".tried");
    if (strstr(argv[1], "gotrace-guest")) {
        fclose(fopen(tried, "w"));
        for (;;) pause();
    }
    while (access(tried, F_OK)) usleep(1000);
    return 0;
}
"#;

#[test]
fn a_qemu_that_is_being_tried_is_none_of_the_commands() {
    use std::os::unix::fs::PermissionsExt;
    if Qemu::installed().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("qemu.c"), NO_QEMU).unwrap();
    let mut cc = Command::new("cc");
    let cc = cc.arg("-o").args([at("qemu-aarch64"), at("qemu.c")]);
    assert!(cc.status().unwrap().success());
    let fake = Qemu::entered(&at("qemu-aarch64"), "POF");
    std::fs::write(at("program"), gotrace::capture::decode::qemu::program()).unwrap();
    std::fs::set_permissions(at("program"), PermissionsExt::from_mode(0o755)).unwrap();
    fake.takes(&at("program"));

    let gotrace = || Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let mut run = gotrace();
    run.arg("run").arg("-o").arg(at("t.gotrace"));
    let run = run.args(["--", "sh", "-c", "./program; exit 3"]);
    let output = run.current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(at("qemu-aarch64.tried").exists());
    assert!(!errors.contains("still running"), "{errors}");
    let show = ["show", "--json", "--by", "process"];
    let shown = gotrace().args(show).arg(at("t.gotrace")).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let tools = shown["rows"].as_array().unwrap().iter();
    let mut tools: Vec<_> = tools.map(|row| row["tool"].as_str().unwrap()).collect();
    tools.sort_unstable();
    assert_eq!(tools, ["program", "shell"]);
    let running = std::fs::read_dir("/proc").unwrap().flatten();
    let running = running.filter_map(|entry| std::fs::read_link(entry.path().join("exe")).ok());
    let left: Vec<_> = running.filter(|exe| *exe == fake.path).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// C code has anything in the register of g: better no goroutine than a wrong one.
#[test]
fn what_is_no_g_is_no_goroutine() {
    let (Some(qemu), Some(go)) = (Qemu::installed(), go()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live_bpf/clobbered");
    let flags = ["-C", module.to_str().unwrap()];
    let program = build(&go, "clobbered", &flags, folder.path(), Some("arm64"));
    let calibration = Calibration::default();
    let ran = Emulated::of(program, &qemu, folder.path(), "", calibration);
    assert_eq!(ran.run.wait_status, 0);
    let samples = ran.run.samples().into_iter();
    let spinning: Vec<_> = samples
        .filter(|sampled| {
            sampled.place == SamplePlace::TranslatedCode
                && ran.names(sampled).first() == Some(&"main.spin")
        })
        .collect();
    assert!(spinning.len() >= 50, "{}", spinning.len());
    let expected = ["main.spin", "main.main", "runtime.main", "runtime.goexit"];
    for sampled in spinning {
        assert_eq!(ran.names(sampled), expected);
        assert_eq!(sampled.goroutine, None);
    }
}
