//! The flamegraph of the small build, read with an XML parser.

use crate::build::{FUNCTIONS, SAMPLED, gotrace, record, record_samples, run};

/// Titles of frames and their part of the picture in percent.
pub(crate) fn frames(svg: &str) -> Vec<(String, f64)> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(svg, options).unwrap();
    let frames = document
        .descendants()
        .find(|node| node.attribute("id") == Some("frames"));
    let groups = frames.unwrap().children();
    groups
        .filter(|node| node.has_tag_name("g"))
        .map(|group| {
            let child = |name: &str| {
                let mut all = group.children();
                all.find(|node| node.tag_name().name() == name).unwrap()
            };
            let width = child("rect").attribute("width").unwrap();
            let width = width.strip_suffix('%').unwrap().parse().unwrap();
            (child("title").text().unwrap().to_owned(), width)
        })
        .collect()
}

fn width(frames: &[(String, f64)], name: &str) -> f64 {
    let start = format!("{name} (");
    let of_name = frames.iter().filter(|(title, _)| title.starts_with(&start));
    of_name.map(|(_, width)| width).sum()
}

#[test]
fn frames_are_as_wide_as_their_samples() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let all: u64 = SAMPLED.iter().map(|(_, _, count)| count).sum();
    let percent = |count: u64| count as f64 * 100.0 / all as f64;
    for group in ["package", "tool", "process", "none"] {
        let frames = frames(&gotrace(&["flamegraph", "--group", group], &trace, 80));
        assert_eq!(width(&frames, "all"), 100.0);
        for (at, name) in FUNCTIONS.iter().enumerate() {
            let through = SAMPLED.iter().filter(|(_, depth, _)| *depth > at);
            let count = through.map(|(_, _, count)| count).sum();
            assert_eq!(width(&frames, name), percent(count), "{group} {name}");
        }
    }
    let by_package = frames(&gotrace(&["flamegraph", "--group", "package"], &trace, 80));
    assert_eq!(width(&by_package, "m/a"), percent(10));
    assert_eq!(width(&by_package, "m/b"), percent(30));
}

#[test]
fn a_trace_without_samples_is_refused_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("without.gotrace");
    record_samples(&trace, &[]);
    let (code, svg, complaint) = run(&["flamegraph"], &trace, 80);
    assert_eq!((code, &*svg), (Some(3), ""));
    let complaint: Vec<_> = complaint.lines().collect();
    assert_eq!(complaint[0], "gotrace: the trace holds no samples");
    assert!(
        complaint[1].starts_with("hint: gotrace doctor says"),
        "{complaint:?}"
    );
}

#[test]
fn filters_choose_samples() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let title = |words: &[&str]| {
        let words = [&["flamegraph"], words].concat();
        frames(&gotrace(&words, &trace, 80))
            .into_iter()
            .find(|(title, _)| title.starts_with("all ("))
            .unwrap()
            .0
    };
    assert_eq!(title(&[]), "all (400 ms, 100%)");
    assert_eq!(title(&["--package", "m/a"]), "all (100 ms, 100%)");
    assert_eq!(title(&["--tool", "compile"]), "all (400 ms, 100%)");
    // m/b was sampled from 300 ms on, each 10 ms once by each of two stacks for the first 100 ms.
    assert_eq!(title(&["--from", "0.4"]), "all (100 ms, 100%)");
    assert_eq!(
        title(&["--from", "0.3", "--to", "0.35"]),
        "all (100 ms, 100%)"
    );
}
