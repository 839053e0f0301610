//! Summaries with something to say about everything, and how many lines they take.

use super::{GAP_LINES, LINES, ROWS, write};
use crate::analyze::build::{Load, Segment, SegmentKind, TestRun, WhatIf};
use crate::analyze::calls::Recorded;
use crate::analyze::cost::{Cost, CostRow};
use crate::analyze::profile::{FunctionRow, Weight};
use crate::analyze::summary::{Gap, NamedSegment, Summary, Tax, Wrong};
use crate::analyze::{Analysis, Limits};
use crate::render::text::{Page, columns};
use crate::trace::{Nanos, Severity, Trace};

/// A summary with something to say about everything.
fn full() -> Summary {
    let time = Nanos(1_000_000);
    let name = || "name".into();
    let load = Load {
        waiting: time,
        fetch_samples: 1,
        ..Load::default()
    };
    let segment = Segment {
        build: 0,
        kind: SegmentKind::Load,
        start: Nanos::ZERO,
        end: time,
    };
    let label = name();
    let mut cost = Cost::default();
    cost.usage.user = time;
    let row = FunctionRow {
        name: name(),
        file: name(),
        own: Weight { time, samples: 1 },
        total: Weight { time, samples: 1 },
    };
    let test = TestRun {
        package: name(),
        compile: time,
        link: time,
        run: time,
        run_cpu: time,
    };
    let what_if = WhatIf {
        package: name(),
        running: time,
        wall: time,
        saved: time,
    };
    let row_of_costs = CostRow {
        key: name(),
        cost,
        share: 0.0,
    };
    let gaps = (0..9).map(|number| Gap {
        what: name(),
        why: format!("{} {number}", name()).into(),
        count: None,
    });
    let wrong = Wrong {
        severity: Severity::Warning,
        text: name(),
    };
    Summary {
        imported: None,
        builds: 1,
        critical_segments: vec![NamedSegment { segment, label }; ROWS],
        tools: vec![row_of_costs.clone()],
        packages: vec![row_of_costs; ROWS],
        functions: vec![row; ROWS],
        limits: Some(Limits {
            what_if: vec![what_if],
            tests: vec![test],
            load,
            ..Limits::default()
        }),
        wrong: vec![wrong; 3],
        calls: Some(Recorded::default()),
        gaps: gaps.collect(),
        tax: Some(Tax {
            own: time,
            kernel: None,
            share: None,
            max_rss_bytes: 1,
        }),
        ..Analysis::of(&Trace::default()).summary(ROWS)
    }
}

fn text(summary: &Summary, page: &Page) -> String {
    let mut out = Vec::new();
    write(summary, page, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn lines(summary: &Summary) -> usize {
    text(summary, &Page::default()).lines().count()
}

#[test]
fn all_there_is_to_say_takes_no_more_lines_than_allowed() {
    assert_eq!(lines(&full()), LINES - 1);
    let mut short = full();
    short.gaps.clear();
    short.wrong.clear();
    short.functions.clear();
    // Long ones take two lines on a narrow page, and then there is room for one of them alone.
    let mut long = full();
    long.gaps[0].why = "a reason of many words ".repeat(9).into();
    let narrow = Page {
        columns: 40,
        ..Page::default()
    };
    let text = text(&long, &narrow);
    assert_eq!(text.lines().count(), LINES - 1);
    assert!(text.lines().all(|line| columns(line) <= 40), "{text}");
    assert!(text.contains("\n8 more: gotrace show --by gap\n"), "{text}");
    // Without three lines about gaps, and with no row below the line about functions.
    assert_eq!(lines(&short), LINES - 1 - GAP_LINES - 1);
}
