//! Folded stacks: what goes in comes out again, and inferno counts the same.

use crate::imported;
use gotrace::analyze::Analysis;
use gotrace::analyze::call_tree::Options;
use gotrace::export;
use gotrace::trace::FramePlace;
use inferno::flamegraph;
use std::collections::BTreeMap;
use std::process::{Command, Output};

const PATH: &str = "tests/data/import/folded.txt";

fn gotrace(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let output = command.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    output
}

/// How often each stack was seen, by the rule of the format: the last word of a line is its count.
fn counts(text: &str) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        *counts.entry(stack).or_default() += count.parse::<u64>().unwrap();
    }
    counts
}

fn folded_again(text: &str) -> String {
    let trace = imported(text.as_bytes()).unwrap();
    let tree = Analysis::of(&trace).call_tree(&Options::default());
    let mut out = Vec::new();
    export::folded::write(&tree, trace.count(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_exported_again_is_what_was_read() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let again = folded_again(&text);
    assert_eq!(counts(&again), counts(&text));
    assert_eq!(counts(&again).len(), again.lines().count());
    // Equal stacks become one; empty lines, and spaces at the end, are none.
    assert_eq!(folded_again("a;b 1\n\na;b 2 \r\nc 0\n"), "a;b 3\n");
}

/// The samples of the whole picture, as its root says: `all (50 samples, 100%)`.
fn total(svg: &str) -> String {
    let at = svg.find("<title>all (").unwrap();
    let words = svg[at..].split_once('(').unwrap().1;
    let number = words.split(|c: char| !c.is_ascii_digit() && c != ',');
    number.into_iter().next().unwrap().replace(',', "")
}

#[test]
fn a_flamegraph_has_the_total_of_infernos() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let mut inferno = Vec::new();
    let mut options = flamegraph::Options::default();
    flamegraph::from_lines(&mut options, text.lines(), &mut inferno).unwrap();
    let inferno = total(&String::from_utf8(inferno).unwrap());
    assert_eq!(inferno, "50");
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("a.gotrace");
    let trace = trace.to_str().unwrap();
    gotrace(&["import", PATH, "-o", trace]);
    let again = gotrace(&["export", "--format", "folded", trace]).stdout;
    assert_eq!(counts(&String::from_utf8(again).unwrap()), counts(&text));
    let svg = String::from_utf8(gotrace(&["flamegraph", trace]).stdout).unwrap();
    assert!(
        svg.contains(&format!("{inferno}.0 ms in 7 imported stacks")),
        "{svg}"
    );
    assert!(!svg.contains("<title>[folded stacks]"));
    // As in inferno's own, annotations are not shown.
    for frame in [
        "do_syscall_64 (20 ms, 40.00%)",
        "operator new(unsigned long) (7 ms, 14.00%)",
        "::run (2 ms, 4.00%)",
    ] {
        assert!(svg.contains(frame), "{frame}");
    }
}

#[test]
fn views_say_where_it_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("a.gotrace");
    let trace = trace.to_str().unwrap();
    let said = gotrace(&["import", "--format", "folded", PATH, "-o", trace]);
    let said = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said, format!("gotrace: imported 7 stacks into {trace}\n"));
    let shown = String::from_utf8(gotrace(&["show", trace]).stdout).unwrap();
    for words in [
        "imported from folded stacks",
        "no actions were recorded",
        "of 7 imported stacks",
        "a count of 1 is shown as 1 ms",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("tax"), "{shown}");
    assert!(!shown.contains("built anything"), "{shown}");
}

#[test]
fn frames_of_the_kernel_are_the_kernels() {
    let trace = imported(b"a;b_[k] 1\nb_[k];c_[j] 2\n").unwrap();
    let kernel = |frame: &gotrace::trace::Frame| matches!(frame.place, FramePlace::Kernel(_));
    assert_eq!(trace.frames.iter().filter(|frame| kernel(frame)).count(), 1);
    assert_eq!(trace.frames.len(), 3);
    assert_eq!(trace.profiles.len(), 2);
    assert_eq!(trace.sample_count(), 0);
}

#[test]
fn lines_that_are_none_are_counted() {
    let trace = imported(b"a;b 1\nnothing\na 2.5\n").unwrap();
    let lost: Vec<(String, u64)> = crate::losses(&trace)
        .into_iter()
        .map(|(what, count, _)| (what, count))
        .collect();
    let expected = [
        ("lines".to_owned(), 1),
        ("fractions of counts".to_owned(), 1),
    ];
    assert_eq!(lost, expected);
    // Where the sum of the largest counts is no number any more, it stays the largest.
    let largest = "a 18446744073709\n";
    assert_eq!(folded_again(&largest.repeat(2)), largest);
}

#[test]
fn a_file_that_is_none_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, "\n<html>\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let output = command.arg("import").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("page.html: line 2: "), "{said}");
}
