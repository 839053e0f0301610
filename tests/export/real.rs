//! A real build: what each format adds up to is what the others, and `show --json`, say.

use super::firefox::firefox_of;
use super::perfetto::{decoded, read, with_category};
use super::pprof::cpu_of;
use super::speedscope::speedscope_of;
use super::viewers::{chrome_of, folded_of};
use gotrace::analyze::{Analysis, By, Filter};
use gotrace::export::{json, jsonl};
use gotrace::trace::Trace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The go command to test with: `GOTRACE_GO`, else that on `PATH`.
pub(crate) fn go() -> Option<PathBuf> {
    let named = std::env::var_os("GOTRACE_GO").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("go"));
    named.or_else(|| found.into_iter().find(|go| go.is_file()))
}

/// A build of the sample `hello`, recorded by `backend`: its own package is compiled and linked.
/// The standard library was built before; decoding the samples of that takes minutes.
fn built(go: &Path, backend: &str) -> Trace {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let build = |program: &mut Command, flags: &[&str]| {
        let output = program
            .args(["build", "-o"])
            .arg(folder.path().join("hello"))
            .args(flags)
            .arg(".")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/hello"))
            .env("HOME", folder.path())
            .env(
                "GOCACHE",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("gocache"),
            )
            .env("GOTOOLCHAIN", "local")
            .env_remove("GOFLAGS")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
    };
    build(&mut Command::new(go), &[]);
    let mut traced = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    traced
        .args(["run", "--quiet", "--off-cpu", "--backend", backend, "-o"])
        .arg(&path)
        .arg("--")
        .arg(go);
    // No two of these builds are the same one to the build cache.
    let unlike = format!("-gcflags=-trimpath={}", folder.path().display());
    build(&mut traced, &[&unlike]);
    Trace::open(&path).unwrap()
}

fn shown(trace: &Trace, by: By) -> Value {
    let mut out = Vec::new();
    let filter = Filter::default();
    json::show(&Analysis::of(trace), by, &filter, None, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn sum<'v>(rows: impl IntoIterator<Item = &'v Value>, key: &str) -> u64 {
    let values = rows.into_iter().map(|row| row[key].as_u64());
    values.map(Option::unwrap_or_default).sum()
}

fn dumped(trace: &Trace) -> Vec<Value> {
    let mut out = Vec::new();
    jsonl::write(trace, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How often, and how long in all: of processes and of actions that were begun.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    processes: (usize, u64),
    actions: (usize, u64),
    on_cpu_ns: u64,
}

fn of_show(trace: &Trace) -> Sums {
    let rows = |by| shown(trace, by)["rows"].as_array().unwrap().clone();
    let (processes, mut actions) = (rows(By::Process), rows(By::Action));
    actions.retain(|action| action["outcome"] != "not reached");
    Sums {
        processes: (
            processes.len(),
            sum(&processes, "end_ns") - sum(&processes, "start_ns"),
        ),
        actions: (actions.len(), sum(&actions, "wall_ns")),
        on_cpu_ns: shown(trace, By::Function)["samples"]["weight_ns"]
            .as_u64()
            .unwrap(),
    }
}

fn of_chrome(trace: &Trace) -> Option<Sums> {
    let mut sums = Sums::default();
    let lines = chrome_of(trace)?;
    for slice in &lines["slice"] {
        let number = |at: usize| slice[at].parse::<u64>().unwrap();
        let sum = match slice[0].split(',').next().unwrap() {
            "process" => &mut sums.processes,
            "action" => &mut sums.actions,
            _ => continue,
        };
        sum.0 += 1;
        sum.1 += number(5) - number(4);
    }
    for sample in lines.get("sample").into_iter().flatten() {
        if sample[0] == "on-cpu" {
            sums.on_cpu_ns += sample[2].parse::<u64>().unwrap();
        }
    }
    Some(sums)
}

/// The sum of the weights of samples, each line's field at a position.
fn weight(lines: Option<BTreeMap<String, Vec<Vec<String>>>>, at: usize) -> Option<u64> {
    let samples = lines?.remove("sample").unwrap_or_default();
    Some(
        samples
            .iter()
            .map(|sample| sample[at].parse::<u64>().unwrap())
            .sum(),
    )
}

fn of_perfetto(trace: &Trace) -> Option<Sums> {
    let message = decoded(trace)?;
    let read = read(&message);
    let of = |category: &str, track: &str| {
        let slices = with_category(&read, category);
        let slices: Vec<_> = slices
            .iter()
            .filter(|slice| read.tracks[&slice.track].0 == track)
            .collect();
        let sum = slices.iter().map(|slice| slice.end - slice.start).sum();
        (slices.len(), sum)
    };
    let samples = message.messages("packet");
    let samples = samples.filter_map(|packet| packet.message("perf_sample"));
    let counted = samples.filter_map(|sample| sample.number("timebase_count"));
    Some(Sums {
        processes: of("process", "programs"),
        actions: of("action", "actions"),
        on_cpu_ns: counted.last().unwrap_or_default(),
    })
}

#[test]
fn all_formats_say_the_same_of_a_real_build() {
    let Some(go) = go() else {
        println!("skipped: no go on PATH, and no GOTRACE_GO");
        return;
    };
    for backend in ["auto", "toolexec"] {
        all_say_the_same(&built(&go, backend));
    }
}

fn all_say_the_same(trace: &Trace) {
    let known = of_show(trace);
    assert!(known.processes.0 > 1 && known.actions.0 > 1, "{known:?}");

    let lines = dumped(trace);
    let of = |record: &'static str| lines.iter().filter(move |line| line["record"] == record);
    let processes: Vec<_> = of("process").filter(|line| line["own"] == false).collect();
    assert_eq!(processes.len(), known.processes.0);
    let cpu = sum(processes.iter().copied(), "user_ns") + sum(processes, "system_ns");
    for by in By::ALL {
        assert_eq!(shown(trace, by)["cpu_ns"], cpu, "{}", by.name());
    }
    let own: BTreeSet<u64> = of("process")
        .filter(|line| line["own"] == true)
        .filter_map(|line| line["process"].as_u64())
        .collect();
    let on_cpu: Vec<_> = of("sample")
        .filter(|sample| sample["kind"] == "on_cpu")
        .filter(|sample| !own.contains(&sample["process"].as_u64().unwrap()))
        .collect();
    assert_eq!(sum(on_cpu, "weight_ns"), known.on_cpu_ns);
    assert_eq!(
        of("sample").count() as u64,
        trace.sample_count(),
        "each sample has a line"
    );

    let folded = folded_of(trace);
    let folded = folded.lines().filter_map(|line| line.rsplit_once(' '));
    let folded: u64 = folded.map(|(_, count)| count.parse::<u64>().unwrap()).sum();
    assert_eq!(folded, known.on_cpu_ns);
    for (format, on_cpu) in [
        ("pprof", cpu_of(trace)),
        ("firefox", weight(firefox_of(trace), 2)),
        ("speedscope", weight(speedscope_of(trace), 1)),
    ] {
        if let Some(on_cpu) = on_cpu {
            assert_eq!(on_cpu, known.on_cpu_ns, "{format}");
        }
    }
    for (format, sums) in [
        ("chrome", of_chrome(trace)),
        ("perfetto", of_perfetto(trace)),
    ] {
        if let Some(sums) = sums {
            assert_eq!(sums, known, "{format}");
        }
    }
}
