//! Every command that reads a trace says what the trace lacks.

use crate::build::{record, record_all, run};

/// Commands that do not print losses among the rest.
const VIEWS: [&[&str]; 12] = [
    &["show", "--by", "package"],
    &["show", "--by", "action"],
    &["show", "--by", "process"],
    &["show", "--by", "tool"],
    &["show", "--by", "function"],
    &["show", "--by", "image"],
    &["show", "--by", "critical-path"],
    &["flamegraph"],
    &["timeline"],
    &["timeline", "-o", "-"],
    &["export", "--format", "folded"],
    &["export", "--format", "perfetto", "-o", "/dev/null"],
];

/// What the views say beside what they print.
fn notes(trace: &std::path::Path) -> Vec<String> {
    let notes = VIEWS.map(|words| {
        let (code, _, note) = run(words, trace, 100);
        assert_eq!(code, Some(0), "{words:?}: {note}");
        note
    });
    notes.to_vec()
}

#[test]
fn losses_are_told_beside_each_view() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    for (words, note) in VIEWS.iter().zip(notes(&trace)) {
        assert_eq!(
            note, "gotrace: lost: 7 samples (gotrace show --by gap says what and why)\n",
            "{words:?}"
        );
    }
    let killed = record(folder.path(), false);
    for (words, note) in VIEWS.iter().zip(notes(&killed)) {
        let last = note.lines().last().unwrap();
        assert!(
            last.starts_with("gotrace: lost: 7 samples; not seen: 1 thing ("),
            "{words:?}: {note}"
        );
    }
}

#[test]
fn all_that_was_lost_or_not_seen_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let killed = record(folder.path(), false);
    let (code, printed, _) = run(&["show", "--by", "gap"], &killed, 100);
    let sentences: Vec<_> = printed.lines().collect();
    assert_eq!((code, sentences.len()), (Some(0), 2), "{printed}");
    assert!(sentences[0].starts_with("lost: 7 samples: "), "{printed}");
    let end = "not seen: the end of the recording: the recorder was killed or the file was cut";
    assert_eq!(sentences[1], end);
    let json = run(
        &["show", "--by", "gap", "--json", "--top", "1"],
        &killed,
        100,
    )
    .1;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["what"], &rows[0]["count"]),
        (&"samples".into(), &7.into())
    );
}

#[test]
fn where_nothing_was_lost_nothing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record_all(folder.path());
    let none = run(&["show", "--by", "gap"], &trace, 100).1;
    assert_eq!(none, "nothing is known to be lost or not seen\n");
    for (words, note) in VIEWS.iter().zip(notes(&trace)) {
        assert_eq!(note, "", "{words:?}");
    }
    for words in [&["show"][..], &["show", "--json"], &["dump"]] {
        assert_eq!(run(words, &trace, 100).2, "", "{words:?}");
    }
}

/// The text elements of a picture.
fn texts(svg: &str) -> Vec<String> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(svg, options).unwrap();
    let texts = document.descendants();
    let texts = texts.filter(|node| node.has_tag_name("text"));
    texts
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
}

#[test]
fn pictures_say_what_they_cannot_show() {
    let folder = tempfile::tempdir().unwrap();
    let lossy = record(folder.path(), true);
    let whole = record_all(folder.path());
    for words in [&["flamegraph"][..], &["timeline", "-o", "-"]] {
        let picture = run(words, &lossy, 100).1;
        let told = texts(&picture);
        let told = told.iter().filter(|text| *text == "lost: 7 samples");
        assert_eq!(told.count(), 1, "{words:?}");
        let picture = run(words, &whole, 100).1;
        assert!(
            texts(&picture).iter().all(|text| !text.contains("lost")),
            "{words:?}"
        );
    }
}
