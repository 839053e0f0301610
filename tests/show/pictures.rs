//! Pictures that `compare` draws, read with an XML parser.

use crate::compare::{compare, groups};
use std::path::Path;

/// How many elements of a class a picture has, in groups that are explained by such a text.
fn count(picture: &Path, explained: &str, element: &str, class: &str) -> usize {
    let svg = std::fs::read_to_string(picture).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let groups = document.descendants().filter(|node| {
        let title = node.children().find(|child| child.has_tag_name("title"));
        title.is_some_and(|title| title.text().unwrap_or_default().starts_with(explained))
    });
    let elements = groups.flat_map(|group| group.descendants());
    let elements = elements.filter(|node| node.has_tag_name(element));
    elements
        .filter(|node| node.attribute("class") == Some(class))
        .count()
}

/// Titles of panels: figures, in their order.
fn panels(picture: &Path) -> Vec<String> {
    let svg = std::fs::read_to_string(picture).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let titles = document
        .descendants()
        .filter(|node| node.attribute("class") == Some("strong"));
    titles.map(|node| node.text().unwrap().to_owned()).collect()
}

#[test]
fn slopes_and_distributions_are_drawn_beside_the_tables() {
    let (folder, [base, _, slow]) = groups();
    let (slopes, dots) = (
        folder.path().join("slopes.svg"),
        folder.path().join("dots.svg"),
    );
    let words = [
        "--slopes",
        slopes.to_str().unwrap(),
        "--distributions",
        dots.to_str().unwrap(),
        &base,
        &slow,
    ];
    let (code, printed, said) = compare(&words);
    assert_eq!((code, &*said), (Some(0), ""));
    assert!(printed.contains("packages by CPU time: 1 slower, 3 within noise"));
    assert_eq!(
        count(&slopes, "package m/b\nbase 502 ms", "line", "slower"),
        1
    );
    assert_eq!(count(&slopes, "package m/a\n", "line", "same"), 1);
    // The whole command twice, four packages, three tools; m/b first of those.
    let panels = panels(&dots);
    assert_eq!(panels.len(), 9);
    assert_eq!(panels[..3], ["wall", "CPU", "CPU of package m/b"]);
    // Ten runs of base and ten of new in each panel.
    let svg = std::fs::read_to_string(&dots).unwrap();
    assert_eq!(svg.matches("<circle").count(), 9 * 20 + 1);
}

#[test]
fn packages_and_tools_can_be_picked() {
    let (folder, [base, _, slow]) = groups();
    let picture = folder.path().join("dots.svg");
    let path = picture.to_str().unwrap();
    let picked = |picks: &[&str]| {
        let picks = picks.iter().flat_map(|pick| ["--pick", pick]);
        let words = ["--distributions", path].into_iter().chain(picks);
        let words: Vec<&str> = words.chain([&*base, &*slow]).collect();
        compare(&words)
    };
    let (code, ..) = picked(&["package=m/...", "tool=link"]);
    assert_eq!(code, Some(0));
    let mut found = panels(&picture).split_off(2);
    found.sort();
    let of = |what: &str| format!("CPU of {what}");
    assert_eq!(
        found,
        ["package m/a", "package m/b", "package m/cmd", "tool link"].map(of)
    );
    for (pick, expected) in [
        ("tool=vet", "--pick tool=vet: neither side has it"),
        ("function=f", "function: expected package, tool or phase"),
        ("link", "expected KIND=NAME"),
    ] {
        let (code, _, said) = picked(&[pick]);
        assert_eq!(code, Some(2), "{pick}");
        assert!(said.contains(expected), "{pick}: {said}");
    }
}

#[test]
fn what_cannot_be_compared_or_written_is_not_drawn() {
    let (folder, [base, _, slow]) = groups();
    let picture = folder.path().join("slopes.svg");
    let (code, printed, said) = compare(&["--slopes", "-", &base, &slow]);
    assert_eq!((code, &*printed), (Some(2), ""));
    assert!(said.contains("name a file"), "{said}");
    let (code, ..) = compare(&["--names", "3", &base, &slow]);
    assert_eq!(code, Some(2));
    let other = crate::build::record_all(folder.path());
    let words = ["--slopes", picture.to_str().unwrap(), &base, "/dev/null"];
    let (code, ..) = compare(&words);
    assert_eq!(code, Some(3));
    assert!(!picture.exists());
    let words = [
        "--slopes",
        picture.to_str().unwrap(),
        &base,
        other.to_str().unwrap(),
    ];
    let (code, ..) = compare(&words);
    assert_eq!((code, picture.exists()), (Some(0), true));
}
