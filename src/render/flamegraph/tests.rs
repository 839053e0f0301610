//! Pictures of call trees made by hand, read back with an XML parser of its own.

use super::*;
use crate::analyze::Name;
use crate::analyze::call_tree::Node;
use crate::analyze::profile::Weight;
use crate::trace::{Exec, Function, Process};

/// A node as kind, name, parent and own milliseconds.
pub(super) type Row = (NodeKind, &'static str, u32, u64);

/// A tree of nodes; names stand for themselves.
pub(super) fn calls(rows: &[(NodeKind, &str, u32, u64)]) -> CallTree {
    let mut tree = CallTree {
        nodes: vec![Node {
            kind: NodeKind::Root,
            parent: 0,
            name: 0,
            own: Weight::default(),
            total: Weight::default(),
        }],
        names: vec![Name::default()],
        ..CallTree::default()
    };
    for &(kind, name, parent, own) in rows {
        let known = tree.names.iter().position(|other| &**other == name);
        let index = known.unwrap_or_else(|| {
            tree.names.push(Name::from(name));
            tree.names.len() - 1
        });
        let own = Weight {
            time: Nanos(own * 1_000_000),
            samples: u64::from(own > 0),
        };
        let mut at = parent as usize;
        tree.nodes.push(Node {
            kind,
            parent,
            name: u32::try_from(index).unwrap(),
            own,
            total: own,
        });
        loop {
            tree.nodes[at].total += own;
            if at == 0 {
                break;
            }
            at = tree.nodes[at].parent as usize;
        }
    }
    tree
}

pub(super) fn trace() -> Trace {
    let mut trace = Trace::default();
    for (name, file) in [
        (
            "cmd/compile/internal/ssa.Compile",
            "cmd/compile/internal/ssa/compile.go",
        ),
        ("runtime.gcDrain", "runtime/mgcmark.go"),
        ("deflate", "deflate.c"),
    ] {
        let name = trace.strings.push(name.as_bytes());
        let file = trace.strings.push(file.as_bytes());
        trace.functions.push(Function { name, file });
    }
    let argv = ["go", "build", "a<b>;\"c\""]
        .map(|word| trace.strings.push(word.as_bytes()))
        .to_vec();
    trace.processes.push(Process {
        exec: Exec {
            argv,
            ..Exec::default()
        },
        ..Process::default()
    });
    trace
}

pub(super) const HOSTILE: &str = "</script>]]>\"'&\x1b[2J\u{202e};f 12";

fn hostile_calls() -> CallTree {
    use NodeKind::{Function, Group, Inlined, Unnamed};
    calls(&[
        (Group, "compile", 0, 0),
        (Function, "cmd/compile/internal/ssa.Compile", 1, 30),
        (Inlined, "runtime.gcDrain", 2, 20),
        (Function, HOSTILE, 2, 7),
        (Group, "link", 0, 0),
        (Unnamed, "[stripped: libz.so]", 5, 5),
        (Function, "deflate", 6, 38),
    ])
}

fn svg(calls: &CallTree, options: &Options) -> String {
    let mut out = Vec::new();
    Picture::of(&Analysis::of(&trace()), calls, options)
        .write(options, &mut out)
        .unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn parse(svg: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    roxmltree::Document::parse_with_options(svg, options).unwrap()
}

/// Titles of frames with their weight in nanoseconds, vertical position and colour.
pub(super) fn frames(document: &roxmltree::Document<'_>) -> Vec<(String, u64, f64, String)> {
    let container = document
        .descendants()
        .find(|node| node.attribute("id") == Some("frames"))
        .unwrap();
    let groups = container.children().filter(|node| node.has_tag_name("g"));
    groups
        .map(|group| {
            let child = |name: &str| {
                let mut children = group.children();
                children
                    .find(|node| node.tag_name().name() == name)
                    .unwrap()
            };
            let rect = child("rect");
            let width = rect
                .attributes()
                .find(|attribute| attribute.name() == "w")
                .unwrap();
            (
                child("title").text().unwrap().to_owned(),
                width.value().parse().unwrap(),
                rect.attribute("y").unwrap().parse().unwrap(),
                rect.attribute("fill").unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn each_level_weighs_what_the_trace_does() {
    let calls = hostile_calls();
    let svg = svg(&calls, &Options::default());
    let document = parse(&svg);
    let frames = frames(&document);
    let root = frames
        .iter()
        .find(|frame| frame.0.starts_with("all "))
        .unwrap();
    assert_eq!(root.0, "all (100 ms, 100%)");
    assert_eq!(root.1, calls.total().time.0);
    let groups: u64 = frames
        .iter()
        .filter(|frame| frame.2 == root.2 - 17.0)
        .map(|frame| frame.1)
        .sum();
    assert_eq!(groups, 100_000_000);
    assert!(
        frames
            .iter()
            .any(|frame| frame.0 == "compile (57 ms, 57.00%)")
    );
    assert!(
        frames
            .iter()
            .any(|frame| frame.0 == "deflate (38 ms, 38.00%)")
    );
}

/// Frames that are too narrow are not drawn, and all others lie where they lay, as inferno itself leaves them out.
#[test]
fn what_is_too_narrow_leaves_its_room() {
    use NodeKind::Function;
    let calls = calls(&[
        (Function, "a", 0, 50),
        (Function, "b", 1, 5),
        (Function, "c", 2, 3),
        (Function, "d", 1, 4),
        (Function, "e", 4, 20),
        (Function, "f", 5, 1),
        (Function, "g", 0, 17),
    ]);
    let drawn = |min_width: f64| {
        let options = Options {
            min_width,
            ..Options::default()
        };
        let svg = svg(&calls, &options);
        frames(&parse(&svg))
            .into_iter()
            .map(|(title, weight, _, colour)| (title, weight, colour))
            .collect::<std::collections::BTreeSet<_>>()
    };
    let mut wide = drawn(0.0);
    wide.retain(|(_, weight, _)| *weight >= 10_000_000);
    assert_eq!(drawn(10.0), wide);
    let names: Vec<&str> = wide.iter().map(|frame| &frame.0[..1]).collect();
    assert_eq!(names, ["a", "a", "d", "e", "g"], "all is one of them");
}

/// Above frames that are left out, stacks meet that were too narrow each by itself.
#[test]
fn narrow_stacks_that_meet_again_are_drawn() {
    use NodeKind::Function;
    let names: Vec<String> = (0..100).map(|depth| format!("f{depth}")).collect();
    let mut rows = vec![(Function, "rest", 0, 80)];
    for (branch, name) in ["x", "y", "z"].into_iter().enumerate() {
        let mut parent = 0;
        for (depth, common) in names.iter().enumerate() {
            let own = if depth == 99 { 4 } else { 0 };
            if branch > 0 && depth < 60 {
                parent = u32::try_from(depth + 2).unwrap();
                continue;
            }
            let name = if depth == 60 { name } else { common };
            rows.push((Function, name, parent, own));
            parent = u32::try_from(rows.len()).unwrap();
        }
    }
    let options = Options {
        min_width: 10.0,
        ..Options::default()
    };
    let svg = svg(&calls(&rows), &options);
    let all = frames(&parse(&svg));
    let innermost = all.iter().find(|frame| frame.0.starts_with("f99 "));
    assert_eq!(innermost.map(|frame| frame.1), Some(12_000_000));
}

#[test]
fn hostile_names_stay_names() {
    let svg = svg(&hostile_calls(), &Options::default());
    let document = parse(&svg);
    let scripts = document
        .descendants()
        .filter(|node| node.has_tag_name("script"));
    assert_eq!(scripts.count(), 1);
    let name = "</script>]]>\"'&\\x1b[2J\\u{202e},f\u{a0}12 (7 ms, 7.00%)";
    assert!(frames(&document).iter().any(|frame| frame.0 == name));
    assert!(!svg.contains(['\x1b', '\u{202e}']));
    let title = document
        .descendants()
        .find(|node| node.attribute("id") == Some("title"))
        .unwrap();
    assert_eq!(
        title.text(),
        Some("CPU time of go build a<b>,\"c\": 100 ms in 5 samples")
    );
}

#[test]
fn colours_follow_the_origin_and_the_legend_names_them() {
    let svg = svg(&hostile_calls(), &Options::default());
    let document = parse(&svg);
    let frames = frames(&document);
    let colour = |start: &str| {
        let frame = frames.iter().find(|frame| frame.0.starts_with(start));
        frame.unwrap().3.clone()
    };
    let rgb = |colour: crate::render::palette::Rgb| {
        format!("rgb({},{},{})", colour.0, colour.1, colour.2)
    };
    assert_eq!(
        colour("runtime.gcDrain"),
        rgb(Origin::Collector.shade("runtime.gcDrain"))
    );
    assert_eq!(colour("deflate"), rgb(Origin::C.shade("deflate")));
    assert_eq!(colour("[stripped"), rgb(Origin::Unnamed.colour()));
    assert_eq!(colour("link"), rgb(Origin::Group.colour()));
    let legend: Vec<_> = document
        .descendants()
        .find(|node| node.attribute("class") == Some("legend"))
        .unwrap()
        .descendants()
        .filter_map(|node| node.has_tag_name("text").then(|| node.text()).flatten())
        .collect();
    assert_eq!(
        legend,
        [
            "Go toolchain 30 %",
            "garbage collector 20 %",
            "C 45 %",
            "unnamed 5.0 %"
        ]
    );
}

#[test]
fn reversed_pictures_begin_with_the_innermost_function() {
    let options = Options {
        reversed: true,
        inverted: true,
        ..Options::default()
    };
    let svg = svg(&hostile_calls(), &options);
    let document = parse(&svg);
    let frames = frames(&document);
    let y = |start: &str| {
        let frame = frames.iter().find(|frame| frame.0.starts_with(start));
        frame.unwrap().2
    };
    // The root is at the top, then the tool, then what ran, then its callers.
    assert!(y("all ") < y("link "));
    assert!(y("link ") < y("deflate "));
    assert!(y("deflate ") < y("[stripped"));
    assert_eq!(y("deflate "), y("runtime.gcDrain "));
}

#[test]
fn of_deep_stacks_the_middle_is_one_frame() {
    // f0 calls f1, that calls f2, ... up to f99, where all time goes.
    let names: Vec<String> = (0..100).map(|at| format!("f{at}")).collect();
    let rows: Vec<_> = (0_u32..)
        .zip(&names)
        .map(|(at, name)| {
            (
                NodeKind::Function,
                name.as_str(),
                at,
                5 * u64::from(at == 99),
            )
        })
        .collect();
    let deep = calls(&rows);
    let drawn = |most_frames| {
        let options = Options {
            most_frames,
            ..Options::default()
        };
        let svg = svg(&deep, &options);
        let mut frames = frames(&parse(&svg));
        frames.sort_by(|one, other| other.2.total_cmp(&one.2));
        assert!(frames.iter().all(|frame| frame.1 == 5_000_000));
        let titles = frames.iter().map(|frame| frame.0.rsplit_once(" ("));
        let names = titles.map(|title| title.unwrap().0.to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(drawn(None).len(), 101);
    assert_eq!(drawn(Some(100)).len(), 101);
    // Half of 7 above, one for those left out, the rest below.
    assert_eq!(
        drawn(Some(7)),
        ["all", "f0", "f1", "f2", LEFT_OUT, "f97", "f98", "f99"]
    );
}

#[test]
fn siblings_with_a_common_beginning_are_not_torn_apart() {
    use NodeKind::Function;
    // Sorted by name, `a.f` would stand between `a` itself and `a;b`.
    let calls = calls(&[
        (Function, "a", 0, 1),
        (Function, "b", 1, 2),
        (Function, "a.f", 0, 4),
    ]);
    let svg = svg(&calls, &Options::default());
    let document = parse(&svg);
    let frames = frames(&document);
    let named_a = frames.iter().filter(|frame| frame.0.starts_with("a ("));
    assert_eq!(
        named_a.map(|frame| frame.1).collect::<Vec<_>>(),
        [3_000_000]
    );
    assert_eq!(frames.len(), 4);
}

#[test]
fn nothing_to_draw_is_said() {
    let trace = trace();
    let analysis = Analysis::of(&trace);
    let error = draw(&analysis, &Options::default(), &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::NoSamples));
}
