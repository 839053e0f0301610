//! Bars lie where their times are: against values worked out by hand.

use super::*;
use crate::trace::{Exec, Exit, ExitStatus, Image, Load, Pid, Process, ProcessId, Trace, Usage};

/// Two programs in ten seconds: one from 0 s to 10 s, one from 2.5 s to 5 s.
fn trace() -> Trace {
    let mut trace = Trace::default();
    trace.host.cores = 2;
    for (id, name, start, end) in [(0, "make", 0, 10_000), (1, "<gcc>", 2_500, 5_000)] {
        let word = trace.strings.push(name.as_bytes());
        trace.processes.push(Process {
            id: ProcessId(id),
            pid: Pid(100 + id),
            parent: (id > 0).then_some(ProcessId(0)),
            start: Nanos(start * 1_000_000),
            exec_at: Nanos(start * 1_000_000),
            exec: Exec {
                argv: vec![word],
                ..Exec::default()
            },
            exit: Some(Exit {
                at: Nanos(end * 1_000_000),
                status: ExitStatus::Code(0),
                usage: Usage::default(),
            }),
            ..Process::default()
        });
    }
    trace
}

fn drawn(trace: &Trace) -> String {
    let mut out = Vec::new();
    draw(&Analysis::of(trace), Bars::Processes, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn bars_lie_where_their_times_are() {
    let svg = drawn(&trace());
    let document = roxmltree::Document::parse(&svg).unwrap();
    let bar_of = |name: &str| {
        let title = document.descendants().find(|node| {
            node.has_tag_name("title") && node.text().is_some_and(|text| text.contains(name))
        });
        let rect = title.unwrap().next_sibling_element().unwrap();
        let number = |key| rect.attribute(key).unwrap().parse::<f64>().unwrap();
        (number("x"), number("width"), number("y"))
    };
    // 1172 units of width for ten seconds, from 14 on.
    let (x, width, first) = bar_of("make");
    assert_eq!((x, width), (14.0, 1172.0));
    let (x, width, second) = bar_of("<gcc>");
    assert_eq!((x, width), (14.0 + 293.0, 293.0));
    assert_eq!(second - first, LANE, "they overlap: two lanes");
    assert!(document.root_element().attribute("viewBox").is_some());
}

#[test]
fn loads_are_ticks_in_the_bar_of_their_program() {
    let mut trace = trace();
    let path = trace.strings.push(b"/lib/libc.so.6");
    trace.images.push(Image {
        path,
        ..Image::default()
    });
    // Two at one place are one tick; what came after the program's end is none.
    for at in [3_000, 3_000, 4_000, 6_000] {
        trace.loads.push(Load {
            time: Nanos(at * 1_000_000),
            process: ProcessId(1),
            ..Load::default()
        });
    }
    let svg = drawn(&trace);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let ticks = document
        .descendants()
        .filter(|node| node.attribute("class") == Some("load"));
    let begins: Vec<&str> = ticks
        .map(|node| node.attribute("d").unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(begins, ["M365.6", "M482.8"]);
    assert!(svg.contains("4 images loaded, 0 binds"));
}

#[test]
fn a_trace_of_nothing_says_so() {
    let svg = drawn(&Trace::default());
    assert!(roxmltree::Document::parse(&svg).is_ok());
    assert!(svg.contains("nothing ran that could be seen"));
}
