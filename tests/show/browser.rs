//! Pages of `gotrace report`, walked through in a real browser (`browser.py`).

use crate::build::{record, run};
use gotrace::analyze::Analysis;
use gotrace::render::report;
use gotrace::trace::{
    Exit, ExitStatus, Nanos, Pid, Process, ProcessId, Sample, SampleKind, SamplePlace, StackId,
    Tid, Trace, Usage,
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
    let mut file = std::fs::File::create(&page).unwrap();
    report::write(&Analysis::of(&trace), report::Options::default(), &mut file).unwrap();
    walk("many", &page);
}
