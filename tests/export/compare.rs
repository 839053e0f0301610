//! Comparisons of the fixture's build: JSON read by Python and held to `docs/json-schema.md`; text
//! and Markdown kept in golden files.

use super::fixture::{self, ms};
use super::json::{Read, assert_golden, assert_same, documented};
use gotrace::analyze::Analysis;
use gotrace::analyze::compare::{
    Comparison, Gate, Gates, Key, Measure, Options, Outcome, Run, Subject,
};
use gotrace::export::json;
use gotrace::render::comparison::{distributions, slopes};
use gotrace::render::markdown;
use gotrace::render::text::{Page, compare as text};
use gotrace::trace::{Nanos, Trace};
use std::collections::BTreeSet;

/// The fixture's build; `slow` milliseconds more for `m/b`, and a little more or less for all.
fn run(number: u64, slow: u64, edit: impl Fn(&mut Trace)) -> Run {
    let mut trace = fixture::trace();
    trace.losses.clear();
    trace.blind_spots.clear();
    trace.dropped_probes.clear();
    // No gcc that was killed, and no translator.
    trace.processes[6].exec.translator = trace.toolchains[0].translator;
    trace.toolchains.truncate(1);
    for process in &mut trace.processes {
        if let Some(exit) = &mut process.exit {
            exit.usage.user += Nanos(ms(number * 7 % 5).0);
        }
    }
    let slowed = trace.processes[2].exit.as_mut().unwrap();
    slowed.usage.user += ms(slow);
    trace.ending.as_mut().unwrap().command_end = ms(1_000 + slow + number * 3 % 7);
    for (action, content) in trace.actions.iter_mut().zip([b"/out", b"/b_b", b"/a_a"]) {
        let id = |bytes: &[u8]| [b"id".as_slice(), bytes].concat();
        action.build_id = trace.strings.push(&id(content));
        action.action_id = trace
            .strings
            .push(&id(&slow.to_le_bytes().map(|b| b % 26 + b'a')));
        action.commands = vec![trace.strings.push(b"/go/pkg/tool/linux_amd64/compile x.go")];
    }
    trace.anchor.unix_ns += 1_000 * slow + number;
    edit(&mut trace);
    Run::of(&Analysis::of(&trace), &format!("{number:02}"))
}

fn group(count: u64, slow: u64) -> Vec<Run> {
    (0..count).map(|number| run(number, slow, |_| {})).collect()
}

/// Nine runs against nine, of which `m/b` takes 40 % longer; new has a package more.
fn slower() -> Comparison {
    let mut noise = group(5, 0);
    for run in &mut noise {
        run.recording.as_mut().unwrap().monotonic_ns += 1;
    }
    let options = Options { noise };
    let mut new = group(9, 150);
    for run in &mut new {
        let key = Key {
            subject: Subject::Package("m/`new`|@x".into()),
            measure: Measure::Cpu,
        };
        run.figures.insert(key, 12e6);
    }
    Comparison::of(&group(9, 0), &new, &options)
}

/// One run, of which samples were lost, against one that was translated and failed.
fn single() -> Comparison {
    let lossy = run(0, 0, |trace| {
        let lossy = fixture::trace();
        trace.losses = lossy.losses;
        trace.blind_spots = lossy.blind_spots;
        trace.dropped_probes = lossy.dropped_probes;
    });
    let translated = run(0, 150, |trace| {
        let translator = trace.strings.push(b"qemu-aarch64");
        trace.probes[0].function = trace.strings.push(b"runtime.sighandler");
        for process in &mut trace.processes {
            process.exec.translator = translator;
        }
        trace.processes[1].exec.argv.truncate(1);
        trace.ending.as_mut().unwrap().status = Some(gotrace::trace::ExitStatus::Code(1));
    });
    Comparison::of(&[lossy], &[translated], &Options::default())
}

fn gates(comparison: &Comparison) -> Outcome {
    let over = Gate::whole(0.05);
    let on = |pattern: &str| Gate {
        kind: "package".into(),
        pattern: pattern.into(),
        limit: 0.1,
    };
    Gates(vec![over, on("m/..."), on("m/none")]).judge(comparison)
}

fn printed(comparison: &Comparison, top: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let gates = gates(comparison);
    let rows = comparison.leading(top).into_iter();
    json::compare(comparison, true, Some(&gates), rows, &mut out).unwrap();
    out
}

#[test]
fn every_key_of_compare_is_documented_and_every_documented_key_is_printed() {
    let mut read = Read::default();
    for comparison in [slower(), single()] {
        if read.add(&printed(&comparison, usize::MAX)).is_none() {
            return;
        }
    }
    let keys: BTreeSet<_> = read
        .keys
        .into_iter()
        .map(|(_, key)| match key.strip_prefix("rows.") {
            Some(key) => ("row".to_owned(), key.to_owned()),
            None => ("object".to_owned(), key),
        })
        .collect();
    assert_same(&keys, &documented("compare\n"));
}

#[test]
fn sides_that_cannot_be_compared_have_no_rows() {
    let mut out = Vec::new();
    json::compare(&single(), false, None, std::iter::empty(), &mut out).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(written["comparable"], false);
    assert_eq!(written["rows"], serde_json::json!([]));
}

fn as_text(comparison: &Comparison) -> String {
    let page = Page::default();
    let mut out = Vec::new();
    text::head(comparison, &page, &mut out).unwrap();
    text::overview(comparison, 4, &page, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn as_markdown(comparison: &Comparison) -> String {
    let mut out = Vec::new();
    markdown::write(comparison, Some(&gates(comparison)), 3, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn markdown_says_that_sides_cannot_be_compared() {
    let mut out = Vec::new();
    let why = "the Go versions differ: base go1.26, new m@v2";
    markdown::refusal(&single(), why, &mut out).unwrap();
    let written = String::from_utf8(out).unwrap();
    assert!(written.starts_with("### Not comparable\n"), "{written}");
    let last = written.lines().last().unwrap();
    assert_eq!(
        last,
        "**not comparable because the Go versions differ: base go1.26, new m@<!-- -->v2: nothing was judged**"
    );
    assert!(!written.contains("| wall |"), "{written}");
}

/// What changes here changes for everyone who reads it: `UPDATE=1` writes the files anew.
#[test]
fn a_comparison_is_printed_as_it_was() {
    for (name, comparison) in [("slower", slower()), ("single", single())] {
        let json = String::from_utf8(printed(&comparison, 2)).unwrap();
        assert_golden(&format!("compare-{name}.json"), &json);
        assert_golden(&format!("compare-{name}.txt"), &as_text(&comparison));
        assert_golden(&format!("compare-{name}.md"), &as_markdown(&comparison));
    }
}

#[test]
fn a_comparison_is_drawn_as_it_was() {
    let comparison = slower();
    let mut drawn = Vec::new();
    slopes::draw(&comparison, slopes::NAMED, &mut drawn).unwrap();
    assert_golden(
        "compare-slower-slopes.svg",
        std::str::from_utf8(&drawn).unwrap(),
    );
    let mut drawn = Vec::new();
    let rows = distributions::rows(&comparison, None);
    distributions::draw(&comparison, &rows[..3], &mut drawn).unwrap();
    assert_golden(
        "compare-slower-distributions.svg",
        std::str::from_utf8(&drawn).unwrap(),
    );
}

#[test]
fn names_of_strangers_stay_in_their_cells() {
    let hostile = |trace: &mut Trace| {
        let name = trace.strings.push(b"m/`x`|<b>\x1b[2J\n|");
        trace.processes[1].exec.package = name;
    };
    let runs: Vec<Run> = (0..9).map(|number| run(number, 0, hostile)).collect();
    let comparison = Comparison::of(&runs, &runs, &Options::default());
    let markdown = as_markdown(&comparison);
    let row = markdown.lines().find(|line| line.contains("``")).unwrap();
    // Seven bars make six cells; those of the name are escaped.
    assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");
    assert!(!markdown.contains('\x1b') && !as_text(&comparison).contains('\x1b'));
}
