//! Timelines of the small build and of programs made by hand, against where things must lie.

use crate::build::{gotrace, record};
use gotrace::analyze::Analysis;
use gotrace::analyze::timeline::Bars;
use gotrace::render::text::{Page, timeline};
use gotrace::trace::{Exec, Exit, ExitStatus, Load, Nanos, Pid, Process, ProcessId, Trace, Usage};

/// A chart of 100 columns for 1000 ms, beside a gutter of 7: a column is 10 ms. Each column of
/// cores is eighths of four cores. A sample of 10 ms tells of those before it: one core from 90 to
/// 190 ms and from 390 to 490, two from 290 to 390 (`build.rs` has two samples for each 10 ms).
#[test]
fn a_column_is_a_hundredth_of_the_build() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let gutter = " ".repeat(7);
    let bar =
        |label: &str, columns: usize| format!("[{label}{}]", "━".repeat(columns - 2 - label.len()));
    let gap = |columns: usize| " ".repeat(columns);
    let axis = ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s"].join(&gap(15));
    let cores = [
        gap(9),
        "▂".repeat(10),
        gap(10),
        "▄".repeat(10),
        "▂".repeat(10),
    ]
    .concat();
    let actions = [gap(10), bar("m/a", 20), bar("m/b", 40), bar("m/cmd", 25)].concat();
    let legend = "━ on the critical path";
    assert_eq!(
        gotrace(&["timeline"], &trace, 107),
        format!("{gutter}{axis}\n4 cpu  {cores}\n{gutter}{actions}\n{gutter}{legend}\n")
    );
    // The go command lives all the time, beside what it starts.
    let go = format!("[go{}]", "─".repeat(96));
    assert_eq!(
        gotrace(&["timeline", "--bars", "processes"], &trace, 107),
        format!(
            "{gutter}{axis}\n4 cpu  {cores}\n{gutter}{go}\n{gutter}{actions}\n{gutter}{legend}\n"
        )
    );
}

#[test]
fn no_line_is_wider_than_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    for columns in [30, 48, 80, 133, 200] {
        for line in gotrace(&["timeline"], &trace, columns).lines() {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
    }
}

/// Programs that ran: name, start and end in milliseconds; `None` for an end that was not seen.
fn programs(all: &[(&str, u64, Option<u64>)]) -> Trace {
    let mut trace = Trace::default();
    trace.host.cores = 1;
    for (id, &(name, start, end)) in (0..).zip(all) {
        let word = trace.strings.push(name.as_bytes());
        let start = Nanos(start * 1_000_000);
        trace.processes.push(Process {
            id: ProcessId(id),
            pid: Pid(100 + id),
            parent: (id > 0).then_some(ProcessId(0)),
            start,
            exec_at: start,
            exec: Exec {
                argv: vec![word],
                ..Exec::default()
            },
            exit: end.map(|end| Exit {
                at: Nanos(end * 1_000_000),
                status: ExitStatus::Code(0),
                usage: Usage::default(),
            }),
            ..Process::default()
        });
    }
    trace
}

fn drawn(trace: &Trace, page: &Page) -> Vec<String> {
    let mut out = Vec::new();
    timeline::write(&Analysis::of(trace), Bars::Actions, page, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A page for a chart of so many columns.
fn ascii(columns: usize) -> Page {
    Page {
        columns: columns + 7,
        colour: false,
        unicode: false,
    }
}

#[test]
fn what_overlaps_lies_in_lanes_below_and_what_is_short_is_still_seen() {
    let trace = programs(&[
        ("a/long/name", 0, Some(400)),
        ("second", 100, Some(101)),
        ("third", 200, Some(300)),
        ("last", 300, None),
    ]);
    let lines = drawn(&trace, &ascii(40));
    // 10 ms a column. `last` goes to the end of the trace, at 400; of a name, the file's.
    assert_eq!(
        lines[2..],
        [
            format!("       [name{}]", "-".repeat(34)),
            format!(
                "       {}|{}[third---][last----]",
                " ".repeat(10),
                " ".repeat(9)
            ),
            "       = on the critical path".to_owned(),
        ]
    );
}

#[test]
fn loads_are_counted_where_they_fall() {
    let mut trace = programs(&[("first", 0, Some(400)), ("second", 100, Some(400))]);
    // 10 ms a column: three images in the first, eight in that of 100 ms, one in the last.
    let at = [(0, 0, 3), (1, 100, 8), (1, 399, 1)];
    for (process, time, count) in at {
        let load = Load {
            process: ProcessId(process),
            time: Nanos(time * 1_000_000),
            ..Load::default()
        };
        trace.loads.extend([load; 8].iter().take(count));
    }
    let lines = drawn(&trace, &ascii(40));
    let line = format!("loads  :{}#{}.", " ".repeat(9), " ".repeat(28));
    assert_eq!(
        lines[2..4],
        [line, "       12 images loaded, 0 binds".to_owned()]
    );
}

#[test]
fn lanes_beyond_the_screen_are_counted() {
    let all = [("p", 0, Some(1_000)); 40];
    let lines = drawn(&programs(&all), &ascii(40));
    // An axis, the cores, 32 lanes, the words, the legend.
    assert_eq!(lines.len(), 2 + 32 + 2);
    assert_eq!(lines[34].trim(), "8 lanes more: -o FILE.svg shows all");
}

#[test]
fn colour_marks_what_is_critical() {
    let folder = tempfile::tempdir().unwrap();
    let trace = Trace::open(&record(folder.path(), true)).unwrap();
    let page = Page {
        colour: true,
        ..ascii(100)
    };
    let mut out = Vec::new();
    timeline::write(&Analysis::of(&trace), Bars::Actions, &page, &mut out).unwrap();
    let printed = String::from_utf8(out).unwrap();
    let lane = printed.lines().nth(2).unwrap();
    assert!(lane.contains("\x1b[1;31m[m/a="), "{lane:?}");
}

#[test]
fn a_trace_of_nothing_says_so() {
    assert_eq!(
        drawn(&Trace::default(), &Page::default()),
        ["nothing ran that could be seen"]
    );
}

/// A shape of the picture: the lines of its tooltip, x, width, y, class.
type Shape = (Vec<String>, f64, f64, f64, String);

fn shapes(svg: &str) -> Vec<Shape> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let groups = document.descendants().filter(|node| node.has_tag_name("g"));
    let shape = |group: roxmltree::Node<'_, '_>| {
        let child = |name| group.children().find(|node| node.has_tag_name(name));
        let rect = child("rect").unwrap();
        let number = |key| rect.attribute(key).unwrap().parse::<f64>().unwrap();
        let tooltip = child("title").unwrap().text().unwrap();
        (
            tooltip.lines().map(str::to_owned).collect(),
            number("x"),
            number("width"),
            number("y"),
            rect.attribute("class").unwrap().to_owned(),
        )
    };
    groups.map(shape).collect()
}

/// 1172 units of width for 1000 ms, from 14 on.
#[test]
fn the_picture_has_the_path_above_the_lanes() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let svg = gotrace(&["timeline", "-o", "-"], &trace, 80);
    let shapes = shapes(&svg);
    let x = |ms: u32| 14.0 + 1.172 * f64::from(ms);
    let near = |a: f64, b: f64| (a - b).abs() < 0.01;
    let wanted = [
        ("go: load", 0, 60),
        ("waiting for a slot: compile m/a", 60, 100),
        ("compile m/a", 100, 300),
        ("compile m/b", 300, 700),
        ("link m/cmd", 700, 950),
        ("go itself", 950, 1_000),
        // The lane.
        ("compile m/a", 100, 300),
        ("compile m/b", 300, 700),
        ("link m/cmd", 700, 950),
    ];
    assert_eq!(shapes.len(), wanted.len());
    for (shape, (name, from, to)) in shapes.iter().zip(wanted) {
        assert_eq!(shape.0[0], name);
        assert!(near(shape.1, x(from)), "{name}: {shape:?}");
        assert!(near(shape.1 + shape.2, x(to)), "{name}: {shape:?}");
    }
    let (path, lane) = shapes.split_at(6);
    assert!(path.windows(2).all(|two| near(two[0].3, two[1].3)));
    assert!(
        lane.iter()
            .all(|bar| near(bar.3, lane[0].3) && bar.3 > path[0].3)
    );
    assert!(lane.iter().all(|bar| bar.4.ends_with(" critical")));
    assert_eq!(path[1].4, "waiting");
    assert_eq!(
        lane[0].0[1..],
        [
            "200 ms, from 100 ms to 300 ms",
            "210 ms CPU",
            "ready 40.0 ms before it began",
            "unlocks 1 action, gates 2",
            "on the critical path",
        ]
    );
    let words = "critical path: 85 % running, 4.0 % waiting for a slot, 11 % go itself";
    assert!(svg.contains(words));
}

/// The chart has 300 bins of 3.33 ms, each shorter than a sample's 10 ms; yet no more cores than the
/// machine's four are in use, so that 72 units of height stand for four.
#[test]
fn the_line_is_as_high_as_actions_are_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let svg = gotrace(&["timeline", "-o", "-"], &trace, 80);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let line = document
        .descendants()
        .find(|node| node.attribute("class") == Some("under-way"));
    let path = line.unwrap().attribute("d").unwrap();
    let mut numbers = path
        .split(['M', 'L', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| word.parse::<f64>().unwrap());
    let mut points = Vec::new();
    while let (Some(x), Some(y)) = (numbers.next(), numbers.next()) {
        points.push((x, y));
    }
    let bottom = points[0].1;
    // From 100 to 950 ms, one action was under way: a quarter of the height, and none before.
    let height_at = |ms: f64| {
        let x = 14.0 + 1.172 * ms;
        let at = points.iter().rfind(|point| point.0 <= x).unwrap();
        bottom - at.1
    };
    for (ms, height) in [(50.0, 0.0), (150.0, 18.0), (500.0, 18.0), (975.0, 0.0)] {
        assert!((height_at(ms) - height).abs() < 0.11, "{ms} ms");
    }
}
