//! Slope charts of figures set by hand.

use super::super::made::{Figures, comparison, number, parse, texts};
use super::*;

fn svg(figures: &[Figures<'_>], named: usize) -> Vec<u8> {
    let mut out = Vec::new();
    draw(&comparison(figures, &[]), named, &mut out).unwrap();
    out
}

/// The line of what is explained by a text that begins so.
fn line(document: &roxmltree::Document<'_>, start: &str) -> ([f64; 4], String) {
    let groups = document.descendants().filter(|node| node.has_tag_name("g"));
    let mut groups = groups.filter(|group| {
        let title = group.first_element_child().unwrap();
        title.text().unwrap().starts_with(start)
    });
    let group = groups.next().unwrap();
    let mut lines = group.children().filter(|node| node.has_tag_name("line"));
    let line = lines.next().unwrap();
    let class = line.attribute("class").unwrap().to_owned();
    (
        ["x1", "y1", "x2", "y2"].map(|name| number(line, name)),
        class,
    )
}

const TEN: [f64; 10] = [
    100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0, 108.0, 109.0,
];

fn times(factor: f64) -> Vec<f64> {
    TEN.map(|value| value * factor).to_vec()
}

#[test]
fn equal_ratios_are_equal_slopes_and_verdicts_have_colour_and_sign() {
    let (half, double, fourfold) = (times(0.5), times(2.0), times(4.0));
    let figures: [Figures<'_>; 4] = [
        ("m/a", &TEN, &double),
        ("m/b", &double, &fourfold),
        ("m/c", &TEN, &half),
        ("m/d", &TEN, &TEN),
    ];
    let svg = svg(&figures, 40);
    let document = parse(&svg);
    let slope = |name: &str| {
        let ([x1, y1, x2, y2], class) = line(&document, &format!("package {name}\n"));
        assert_eq!((x1, x2), (LEFT, RIGHT));
        (y2 - y1, class)
    };
    let (a, class) = slope("m/a");
    assert_eq!(class, "slower");
    // Half to four times the base is three doublings, which fill the chart but for a fan's end.
    assert!(a < -LEAST / 3.3 && a > -LEAST / 3.0, "{a}");
    assert!((slope("m/b").0 - a).abs() < 0.2);
    let (c, class) = slope("m/c");
    assert_eq!(class, "faster");
    assert!((c + a).abs() < 0.2);
    assert_eq!(slope("m/d"), (0.0, "same".to_owned()));
    let signs = texts(&document)
        .into_iter()
        .filter(|text| text.2 > HEAD - 1.0);
    let signs: Vec<_> = signs
        .filter(|text| "▲▼".contains(&text.0) && !text.0.is_empty())
        .collect();
    let found: Vec<_> = signs.iter().map(|text| (&*text.0, text.3)).collect();
    assert_eq!(found, [("▲", "slower"), ("▲", "slower"), ("▼", "faster")]);
}

#[test]
fn what_is_on_one_side_only_is_a_stub_and_zero_stands_below() {
    let figures: [Figures<'_>; 4] = [
        ("m/gone", &[100.0], &[]),
        ("m/new", &[], &[200.0]),
        ("m/zero", &[0.0], &[100.0]),
        ("m/nothing", &[0.0], &[0.0]),
    ];
    let svg = svg(&figures, 40);
    let document = parse(&svg);
    let of = |name: &str| line(&document, &format!("package {name}\n"));
    let ([x1, y1, x2, y2], class) = of("m/gone");
    assert_eq!(
        ([x1, x2], class.as_str()),
        ([LEFT, LEFT + STUB], "one-sided")
    );
    assert_eq!((y1, y2), (HEAD + LEAST, HEAD + LEAST));
    let ([x1, y1, x2, y2], class) = of("m/new");
    assert_eq!(
        ([x1, x2], class.as_str()),
        ([RIGHT - STUB, RIGHT], "one-sided")
    );
    assert_eq!((y1, y2), (HEAD, HEAD));
    let ([_, y1, _, y2], _) = of("m/zero");
    assert_eq!((y1, y2), (HEAD + LEAST + BELOW, HEAD + LEAST));
    let ([_, y1, _, y2], _) = of("m/nothing");
    assert_eq!((y1, y2), (HEAD + LEAST + BELOW, HEAD + LEAST + BELOW));
    let foot = "with one run a side, a change cannot be told from noise";
    assert!(texts(&document).iter().any(|text| text.0.starts_with(foot)));
}

#[test]
fn changes_beyond_noise_have_a_fan_and_all_repeats_an_interval() {
    let double = times(2.0);
    let figures: [Figures<'_>; 2] = [("m/a", &TEN, &double), ("m/b", &TEN, &TEN)];
    let svg = svg(&figures, 40);
    let document = parse(&svg);
    let fans: Vec<_> = document
        .descendants()
        .filter(|node| node.has_tag_name("polygon"))
        .collect();
    assert_eq!(fans.len(), 1);
    assert_eq!(fans[0].attribute("class"), Some("slower interval"));
    let corners: Vec<f64> = fans[0]
        .attribute("points")
        .unwrap()
        .split([',', ' '])
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!([corners[0], corners[2], corners[4]], [LEFT, RIGHT, RIGHT]);
    // Medians are 104.5 and 209: one doubling of the scale.
    let ([_, from, _, to], _) = line(&document, "package m/a\n");
    let value = |y: f64| 104.5 * ((from - y) / (from - to)).exp2();
    let (low, high) = (value(corners[3]), value(corners[5]));
    // Medians of resamples are within 3 of 104.5 and 6 of 209, with more than 95 %.
    assert!(low > 200.0 && low < 208.0, "{low}");
    assert!(high > 210.0 && high < 218.0, "{high}");
    let ends = texts(&document).into_iter().map(|text| text.0);
    let ends: Vec<_> = ends.filter(|text| text.starts_with('[')).collect();
    assert_eq!(ends.len(), 2);
    assert!(
        ends[0].starts_with("[×1.9") && ends[0].contains(", ×2.0"),
        "{ends:?}"
    );
}

#[test]
fn of_many_packages_those_that_differ_most_are_named_apart() {
    let names: Vec<String> = (0..1200)
        .map(|at| format!("example.com/m/package{at:04}"))
        .collect();
    let values: Vec<[f64; 1]> = (0..1200).map(|at| [100.0 + f64::from(at) / 1e4]).collect();
    let new: Vec<[f64; 1]> = values
        .iter()
        .enumerate()
        .map(|(at, base)| [base[0] + at as f64 / 1e5])
        .collect();
    let figures: Vec<Figures<'_>> = names
        .iter()
        .zip(values.iter().zip(&new))
        .map(|(name, (base, new))| (name.as_str(), &base[..], &new[..]))
        .collect();
    let svg = svg(&figures, 200);
    let document = parse(&svg);
    let texts = texts(&document);
    let mut heights: Vec<f64> = texts
        .iter()
        .filter(|text| text.0.contains("package") && text.1 > RIGHT)
        .map(|text| text.2)
        .collect();
    heights.sort_by(f64::total_cmp);
    assert_eq!(heights.len(), 200);
    assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > 13.8));
    let said = |words: &str| texts.iter().any(|text| text.0 == words);
    assert!(said("200 packages that differ less are not drawn"));
    assert!(said(
        "800 packages that differ less are faint lines without a name"
    ));
    assert!(texts.iter().any(|text| text.0.ends_with("package1199")));
    assert!(!texts.iter().any(|text| text.0.ends_with("package0999")));
}

#[test]
fn hostile_and_long_names_stay_within_their_place() {
    let long = "example.com/".to_owned() + &"deep/".repeat(60) + "end";
    let figures: [Figures<'_>; 2] = [
        (
            "</text><script>alert(1)</script>\"&\u{1b}\u{202e}",
            &[1.0],
            &[2.0],
        ),
        (&long, &[5.0], &[5.0]),
    ];
    let svg = svg(&figures, 40);
    let document = parse(&svg);
    assert!(
        !document
            .descendants()
            .any(|node| node.has_tag_name("script"))
    );
    for (text, x, _, class) in texts(&document) {
        let width = text.chars().count() as f64 * CHARACTER;
        let (left, right) = if class.contains("end") {
            (x - width, x)
        } else {
            (x, x + width)
        };
        assert!(left >= 0.0 && right <= WIDTH, "{text}");
    }
    assert!(
        texts(&document)
            .iter()
            .any(|text| text.0.ends_with("deep/end"))
    );
}

#[test]
fn nothing_is_said() {
    let svg = svg(&[], 40);
    let document = parse(&svg);
    assert!(
        texts(&document)
            .iter()
            .any(|text| text.0 == "no package on either side")
    );
}
