//! Pages of `gotrace report`, walked through in a real browser (`browser.py`).

use crate::build::{record, record_slower, run};
use gotrace::analyze::Analysis;
use gotrace::render::report;
use gotrace::trace::{
    Avma, BindHow, BindKind, Binding, Exec, Exit, ExitStatus, Image, ImageId, Nanos, Pid, Process,
    ProcessId, ProfileSample, Sample, SampleKind, SamplePlace, Setting, StackId, StringId, Tid,
    Trace, Usage,
};
use std::path::Path;
use std::process::Command;

/// Walks through a page; says why not, where there is no browser.
fn walk(how: &str, page: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let playwright = root.join(".tools/consumers/playwright-1.65.2");
    if !playwright.exists() {
        println!("skipped: no playwright; scripts/fetch-consumers fetches it");
        return;
    }
    if !Path::new("/usr/bin/chromium").exists() {
        println!("skipped: no chromium; apt-get install chromium");
        return;
    }
    let output = Command::new("python3")
        .arg("-B")
        .arg(root.join("tests/show/browser.py"))
        .arg(how)
        .args([page, page.parent().unwrap()])
        .env("PYTHONPATH", playwright)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}

#[test]
fn the_small_build_is_walked_through() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let page = folder.path().join("page.html");
    let (code, _, said) = run(&["report", "-o", page.to_str().unwrap()], &trace, 80);
    assert_eq!(code, Some(0), "{said}");
    walk("small", &page);
}

#[test]
fn two_runs_are_walked_through() {
    let folder = tempfile::tempdir().unwrap();
    let [base, new] = ["base.gotrace", "new.gotrace"].map(|name| folder.path().join(name));
    record_slower(&base, 0);
    record_slower(&new, 100);
    let page = folder.path().join("page.html");
    let words = ["report", "-o", page.to_str().unwrap(), "--base"];
    let words = [&words[..], &[base.to_str().unwrap()]].concat();
    let (code, _, said) = run(&words, &new, 80);
    assert_eq!(code, Some(0), "{said}");
    walk("pair", &page);
}

/// The page of a trace in memory.
fn write(trace: &Trace, page: &Path) {
    let mut file = std::fs::File::create(page).unwrap();
    report::write(&Analysis::of(trace), report::Options::default(), &mut file).unwrap();
}

/// Three counts of one stack, and no time at all.
#[test]
fn imported_stacks_are_walked_through() {
    let mut trace = Trace::default();
    for (key, value) in [
        ("imported", "folded stacks"),
        ("imported.count_ns", "1000000"),
    ] {
        let setting = Setting {
            key: trace.strings.push(key.as_bytes()),
            value: trace.strings.push(value.as_bytes()),
            source: StringId::EMPTY,
        };
        trace.settings.push(setting);
    }
    trace.processes.push(Process::default());
    trace.profiles.push(ProfileSample {
        process: ProcessId(0),
        stack: StackId::EMPTY,
        weight: Nanos(3_000_000),
    });
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write(&trace, &page);
    walk("imported", &page);
}

/// A program ended after 400 ms of CPU time; what it started went on.
#[test]
fn a_program_that_went_on_is_walked_through() {
    let mut trace = Trace::default();
    trace.processes.push(Process {
        pid: Pid(1),
        exit: Some(Exit {
            at: Nanos(800_000_000),
            status: ExitStatus::Code(0),
            usage: Usage {
                user: Nanos(400_000_000),
                ..Usage::default()
            },
        }),
        ..Process::default()
    });
    trace.processes.push(Process {
        id: ProcessId(1),
        pid: Pid(2),
        parent: Some(ProcessId(0)),
        ..Process::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write(&trace, &page);
    walk("open_end", &page);
}

/// Two programs had `malloc` bound, one of them later `free`.
#[test]
fn bindings_of_what_is_selected_are_walked_through() {
    let mut trace = Trace::default();
    let libc = trace.strings.push(b"/lib/libc.so.6");
    let [malloc, free] = ["malloc", "free"].map(|name| trace.strings.push(name.as_bytes()));
    trace.images.push(Image {
        path: libc,
        ..Image::default()
    });
    for (number, name) in [(0, "/usr/bin/as"), (1, "/usr/bin/ld")] {
        let exe = trace.strings.push(name.as_bytes());
        trace.processes.push(Process {
            id: ProcessId(number),
            pid: Pid(number + 7),
            exec: Exec {
                exe,
                argv: vec![exe],
                ..Exec::default()
            },
            exit: Some(Exit {
                at: Nanos(100_000_000),
                status: ExitStatus::Code(0),
                usage: Usage::default(),
            }),
            ..Process::default()
        });
    }
    for (process, symbol, at) in [
        (0, "malloc", 10),
        (1, "malloc", 10),
        (1, "malloc", 10),
        (1, "free", 80),
    ] {
        let symbol = if symbol == "malloc" { malloc } else { free };
        trace.push_bindings(&[Binding {
            time: Nanos(at * 1_000_000),
            process: ProcessId(process),
            tid: Tid(1),
            importer: ImageId(0),
            provider: Some(ImageId(0)),
            symbol,
            address: Avma(1),
            slot: None,
            how: BindHow::Eager,
            kind: BindKind::Call,
        }]);
    }
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write(&trace, &page);
    walk("bound", &page);
}

/// As many bars as a page holds.
#[test]
fn three_hundred_thousand_bars_are_walked_through() {
    let mut trace = Trace::default();
    trace.processes.push(Process {
        pid: Pid(1),
        exit: Some(Exit {
            at: Nanos(12_000_000),
            status: ExitStatus::Code(0),
            usage: Usage::default(),
        }),
        ..Process::default()
    });
    let samples: Vec<Sample> = (1..=2_999)
        .flat_map(|number| (1..=100).map(move |tid| (number, tid)))
        .map(|(number, tid)| Sample {
            time: Nanos(4_000 * number),
            process: ProcessId(0),
            tid: Tid(tid),
            goroutine: None,
            stack: StackId::EMPTY,
            weight: Nanos(1_000),
            kind: SampleKind::OnCpu,
            place: SamplePlace::User,
        })
        .collect();
    trace.push_samples(&samples);
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write(&trace, &page);
    walk("many", &page);
}
