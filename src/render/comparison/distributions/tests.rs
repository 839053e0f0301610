//! Distribution plots of figures set by hand.

use super::super::made::{Figures, comparison, number, parse, texts};
use super::*;

fn svg(figures: &[Figures<'_>], noise: &[f64]) -> Vec<u8> {
    let comparison = comparison(figures, noise);
    let mut out = Vec::new();
    draw(&comparison, &rows(&comparison, None), &mut out).unwrap();
    out
}

/// Middles of the dots below the head, by class.
fn dots(document: &roxmltree::Document<'_>, class: &str) -> Vec<(f64, f64)> {
    let dots = document
        .descendants()
        .filter(|node| node.has_tag_name("circle") && node.attribute("class") == Some(class));
    let dots = dots.map(|node| (number(node, "cx"), number(node, "cy")));
    dots.filter(|(_, y)| *y > HEAD).collect()
}

/// Left and right ends of the bars below the head, by class.
fn bars(document: &roxmltree::Document<'_>, class: &str) -> Vec<(f64, f64)> {
    let bars = document.descendants().filter(|node| {
        node.has_tag_name("rect")
            && node.attribute("class") == Some(class)
            && number(*node, "y") > HEAD
    });
    bars.map(|node| (number(node, "x"), number(node, "x") + number(node, "width")))
        .collect()
}

/// Where a value stands on a scale from one value to another, with 6 % of it at either side.
fn place(value: f64, low: f64, high: f64) -> f64 {
    let around = (high - low) * 0.06;
    LEFT + (value - low + around) / (high - low + 2.0 * around) * (RIGHT - LEFT)
}

fn near(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() < 0.11,
        "{found}, expected {expected}"
    );
}

#[test]
fn every_run_is_a_dot_and_medians_have_their_interval() {
    let base = [100.0, 103.0, 110.0];
    let new = [120.0, 121.0, 128.0, 200.0];
    let svg = svg(&[("", &base, &new)], &[]);
    let document = parse(&svg);
    let dots = dots(&document, "same run");
    let expected = base
        .iter()
        .chain(&new)
        .map(|value| place(*value, 100.0, 200.0));
    assert_eq!(dots.len(), 7);
    for (found, expected) in dots.iter().zip(expected) {
        near(found.0, expected);
    }
    // A median of three resampled can be each of them, with 7/27 for either end.
    let intervals = bars(&document, "same interval");
    near(intervals[0].0, place(100.0, 100.0, 200.0));
    near(intervals[0].1, place(110.0, 100.0, 200.0));
    // Of four, the middle two are both 120 in 13 of 256 resamples: those with three of it or more.
    near(intervals[1].0, place(120.0, 100.0, 200.0));
    near(intervals[1].1, place(200.0, 100.0, 200.0));
    let medians: Vec<f64> = document
        .descendants()
        .filter(|node| node.has_tag_name("line") && node.attribute("class") == Some("same median"))
        .filter(|node| number(*node, "y1") > HEAD)
        .map(|node| number(node, "x1"))
        .collect();
    near(medians[0], place(103.0, 100.0, 200.0));
    near(medians[1], place(124.5, 100.0, 200.0));
    let words: Vec<String> = texts(&document).into_iter().map(|text| text.0).collect();
    for expected in ["CPU", "base", "3 runs", "new", "4 runs", "120 ms", "200 ms"] {
        assert!(
            words.iter().any(|word| word == expected),
            "{expected}: {words:?}"
        );
    }
}

#[test]
fn one_run_and_equal_runs_are_drawn() {
    for (base, new) in [
        (&[100.0][..], &[100.0][..]),
        (&[0.0], &[0.0]),
        (&[5.0; 30], &[5.0; 30]),
    ] {
        let svg = svg(&[("", base, new)], &[]);
        let document = parse(&svg);
        let dots = dots(&document, "same run");
        assert_eq!(dots.len(), base.len() + new.len());
        let x = dots[0].0;
        assert!((LEFT..=RIGHT).contains(&x));
        assert!(dots.iter().all(|dot| (dot.0 - x).abs() < 1e-9));
        let mut heights: Vec<f64> = dots.iter().map(|dot| dot.1).collect();
        heights.sort_by(f64::total_cmp);
        heights.dedup();
        assert_eq!(heights.len(), dots.len());
        assert_eq!(
            bars(&document, "same interval").len(),
            if base.len() > 1 { 2 } else { 0 }
        );
    }
}

#[test]
fn a_figure_of_one_side_and_the_noise_floor_are_shown() {
    let figures: [Figures<'_>; 2] = [
        ("", &[100.0, 100.0], &[110.0, 112.0]),
        ("m/new", &[], &[50.0, 51.0]),
    ];
    let svg = svg(&figures, &[100.0, 104.0]);
    let document = parse(&svg);
    let words: Vec<String> = texts(&document).into_iter().map(|text| text.0).collect();
    for expected in ["CPU of package m/new", "only in new", "not there"] {
        assert!(
            words.iter().any(|word| word == expected),
            "{expected}: {words:?}"
        );
    }
    // From 100/1.04, which is beyond the scale, to 104.
    let band = bars(&document, "band");
    assert_eq!(band.len(), 1);
    near(band[0].0, LEFT);
    near(band[0].1, place(104.0, 100.0, 112.0));
}

#[test]
fn those_with_a_verdict_come_first_then_those_that_differ_most() {
    let ten: Vec<f64> = (0..10).map(|at| 100.0 + f64::from(at)).collect();
    let more: Vec<f64> = ten.iter().map(|value| value + 20.0).collect();
    let wild: Vec<f64> = (0..10)
        .map(|at| if at < 4 { 900.0 } else { 10.0 + f64::from(at) })
        .collect();
    let figures: [Figures<'_>; 3] = [
        ("m/wild", &ten, &wild),
        ("m/slow", &ten, &more),
        ("m/same", &ten, &ten),
    ];
    let comparison = comparison(&figures, &[]);
    let names = |rows: Vec<&Row>| -> Vec<String> {
        rows.iter()
            .map(|row| row.key.subject.name().to_string())
            .collect()
    };
    assert_eq!(
        names(rows(&comparison, None)),
        ["m/slow", "m/wild", "m/same"]
    );
    let picked = |key: &Key| key.subject.name().ends_with('e');
    assert_eq!(names(rows(&comparison, Some(&picked))), ["m/same"]);
    let mut out = Vec::new();
    draw(&comparison, &rows(&comparison, None), &mut out).unwrap();
    let document = parse(&out);
    assert_eq!(dots(&document, "slower run").len(), 10);
    let slower = texts(&document).into_iter().map(|text| text.0);
    let slower: Vec<_> = slower.filter(|text| text.contains('▲')).collect();
    assert_eq!(slower.len(), 1);
    assert!(slower[0].ends_with("slower ▲"), "{slower:?}");
}

#[test]
fn dots_stand_beside_each_other() {
    assert_eq!(swarm(&[0.0, 1.0, 2.0, 10.0, 11.0], 5.0), [0, 1, -1, 0, 1]);
    assert_eq!(swarm(&[0.0, 5.0, 10.0], 5.0), [0, 0, 0]);
    assert_eq!(swarm(&[3.0; 5], 5.0), [0, 1, -1, 2, -2]);
    assert!(swarm(&[], 5.0).is_empty());
}

#[test]
fn nothing_is_said_and_hostile_names_are_text() {
    let none = svg(&[], &[]);
    let document = parse(&none);
    assert!(
        texts(&document)
            .iter()
            .any(|text| text.0 == "no figure on either side")
    );
    let hostile = svg(&[("</text><script/>\u{202e}&", &[1.0], &[2.0])], &[]);
    let document = parse(&hostile);
    assert!(
        !document
            .descendants()
            .any(|node| node.has_tag_name("script"))
    );
}
