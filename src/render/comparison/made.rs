//! Comparisons made by hand, and pictures read back with an XML parser.

use crate::analyze::Name;
use crate::analyze::compare::{Comparison, Key, Measure, Options, Run, Subject};
use crate::trace::ExitStatus;
use std::collections::BTreeMap;

/// CPU times in milliseconds of a package, or of the whole command where the name is empty, in
/// the runs of base and of new.
pub(super) type Figures<'a> = (&'a str, &'a [f64], &'a [f64]);

/// A comparison of runs with these figures. A run has a figure where the list is so long.
pub(super) fn comparison(figures: &[Figures<'_>], noise: &[f64]) -> Comparison {
    let side = |of: fn(&Figures<'_>) -> Vec<f64>| -> Vec<Run> {
        let count = figures.iter().map(|it| of(it).len()).max().unwrap_or(0);
        let runs = (0..count).map(|at| {
            let there = figures
                .iter()
                .filter_map(|it| Some((it.0, *of(it).get(at)?)));
            run(&there.collect::<Vec<_>>())
        });
        runs.collect()
    };
    let options = Options {
        noise: noise.iter().map(|millis| run(&[("", *millis)])).collect(),
    };
    let (base, new) = (side(|it| it.1.to_vec()), side(|it| it.2.to_vec()));
    Comparison::of(&base, &new, &options)
}

fn run(figures: &[(&str, f64)]) -> Run {
    let key = |name: &str| Key {
        subject: match name {
            "" => Subject::Whole,
            name => Subject::Package(Name::from(name)),
        },
        measure: Measure::Cpu,
    };
    let figures = figures
        .iter()
        .map(|(name, millis)| (key(name), millis * 1e6));
    Run {
        command: Name::from("go build ./..."),
        status: Some(ExitStatus::Code(0)),
        figures: figures.collect::<BTreeMap<_, _>>(),
        ..Run::default()
    }
}

/// A picture, parsed.
pub(super) fn parse(svg: &[u8]) -> roxmltree::Document<'_> {
    roxmltree::Document::parse(std::str::from_utf8(svg).unwrap()).unwrap()
}

/// All texts with their place and class.
pub(super) fn texts<'a>(document: &'a roxmltree::Document<'_>) -> Vec<(String, f64, f64, &'a str)> {
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| {
            let text = node.text().unwrap_or_default().to_owned();
            let class = node.attribute("class").unwrap();
            (text, number(node, "x"), number(node, "y"), class)
        })
        .collect()
}

pub(super) fn number(node: roxmltree::Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}
