//! Profiles and call trees worked out by hand.

use crate::builder::{Builder, compile, ms};
use gotrace::{
    analyze::{
        Analysis, Filter, Naming, Source,
        call_tree::{Grouping, NodeKind, Options},
        profile::{Profile, Roots},
    },
    trace::{
        FramePlace, Nanos, ProcessId, ProfileSample, Sample, SampleKind, SamplePlace, StackId, Tid,
        Unnamed,
    },
};

/// A go command (0), a compiler of `m/a` (1) and one of `m/b` (2) with 100 ms of samples:
///
/// | process | stack, outermost first | ms |
/// |---|---|---|
/// | 1 | goexit, main, walk (with `visit` inlined) | 30 |
/// | 1 | goexit, main, walk (with `visit` inlined), walk | 20 |
/// | 2 | the same as the last, by another id | 5 |
/// | 2 | cut, main | 10 |
/// | 2 | goexit, main, unmapped | 15 |
/// | 0 | goexit, main, walk | 8 |
/// | 0 | no stack at all | 12 |
fn sampled() -> Builder {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build", (0, 200), 20);
    let first = b.process(Some(go), &compile(1, "m/a"), (0, 100), 50);
    let second = b.process(Some(go), &compile(2, "m/b"), (100, 200), 30);
    let image = b.image("/go/pkg/tool/linux_amd64/compile");
    let goexit = b.named(image, &["runtime.goexit"]);
    let main = b.named(image, &["main.main"]);
    let walk = b.named(image, &["visit", "walk"]);
    let plain = b.named(image, &["walk"]);
    let (cut, unmapped) = (b.cut(), b.unmapped());
    let inlined = b.stack(&[goexit, main, walk]);
    let recursive = b.stack(&[goexit, main, walk, plain]);
    let again = b.stack(&[goexit, main, walk, plain]);
    let truncated = b.stack(&[cut, main]);
    let nowhere = b.stack(&[goexit, main, unmapped]);
    let in_go = b.stack(&[goexit, main, plain]);
    for (process, stack, time, weight) in [
        (first, inlined, 10, 30),
        (first, recursive, 40, 20),
        (second, again, 110, 5),
        (second, truncated, 120, 10),
        (second, nowhere, 130, 15),
        (go, in_go, 150, 8),
        (go, StackId::EMPTY, 160, 12),
    ] {
        b.sample(process, stack, time, weight);
    }
    b
}

#[test]
fn frames_are_counted_with_and_without_names() {
    let mut b = sampled();
    b.end(200);
    let naming = Naming::of(&Analysis::of(&b.trace));
    // Stack by stack of the table: 3 + 4 + 4 + 2 + 3 + 3 frames, and one for no stack at all.
    assert_eq!((naming.samples, naming.frames), (7, 20));
    // The innermost is unknown of two: unmapped, and no stack. Two are cut.
    assert_eq!((naming.named_samples, naming.whole_stacks), (5, 5));
    let unnamed: Vec<_> = naming.unnamed.iter().collect();
    assert_eq!(
        unnamed,
        [(&Unnamed::Unmapped, &1), (&Unnamed::Truncated, &2)]
    );
    assert_eq!(naming.named_frames(), 17);
    assert_eq!(naming.share(), Some(0.85));
    let none = Builder::default();
    assert_eq!(Naming::of(&Analysis::of(&none.trace)).share(), None);
}

fn functions(profile: &Profile) -> Vec<(&str, Nanos, Nanos)> {
    let rows = profile.functions.iter();
    rows.map(|row| (&*row.name, row.own.time, row.total.time))
        .collect()
}

#[test]
fn functions_count_once_however_often_they_are_on_a_stack() {
    let b = sampled();
    let analysis = Analysis::of(&b.trace);
    let profile = analysis.profile(&Filter::default());
    assert_eq!((profile.total.time, profile.total.samples), (ms(100), 7));
    assert_eq!(
        functions(&profile),
        [
            ("walk", ms(20 + 5 + 8), ms(30 + 20 + 5 + 8)),
            ("visit", ms(30), ms(30 + 20 + 5)),
            ("main.main", ms(10), ms(30 + 20 + 5 + 10 + 15 + 8)),
            ("runtime.goexit", ms(0), ms(30 + 20 + 5 + 15 + 8)),
        ]
    );
    let unnamed: Vec<_> = profile
        .unnamed
        .iter()
        .map(|row| (row.key, row.own.time))
        .collect();
    assert_eq!(
        unnamed,
        [(Unnamed::Unmapped, ms(15)), (Unnamed::Truncated, ms(12))]
    );
    assert_eq!(profile.truncated.time, ms(10 + 12));
    // Compilers have 5 samples; the one that was cut does not reach a root.
    assert_eq!(
        profile.roots,
        Roots {
            samples: 5,
            reached: 4
        }
    );
    let images: Vec<_> = profile
        .images
        .iter()
        .map(|row| (&*row.key, row.own.time))
        .collect();
    assert_eq!(
        images,
        [
            ("/go/pkg/tool/linux_amd64/compile", ms(30 + 20 + 5 + 10 + 8)),
            ("[unmapped]", ms(15)),
            ("[truncated]", ms(12)),
        ]
    );
    let packages: Vec<_> = profile
        .packages
        .iter()
        .map(|row| (row.key.as_deref(), row.own.time))
        .collect();
    assert_eq!(
        packages,
        [(Some("m/a"), ms(50)), (Some("m/b"), ms(30)), (None, ms(20))]
    );
    let tools: Vec<_> = profile
        .tools
        .iter()
        .map(|row| (row.key.name(), row.own.time))
        .collect();
    assert_eq!(tools, [("compile", ms(80)), ("go", ms(20))]);
}

#[test]
fn filters_choose_samples() {
    let b = sampled();
    let analysis = Analysis::of(&b.trace);
    let total = |filter: Filter| analysis.profile(&filter).total.time;
    let tool = Filter {
        tool: Some("go".into()),
        ..Filter::default()
    };
    assert_eq!(total(tool), ms(20));
    let package = Filter {
        package: Some("m/b".into()),
        ..Filter::default()
    };
    assert_eq!(total(package), ms(30));
    let process = Filter {
        pid: Some(b.trace.processes[1].pid),
        ..Filter::default()
    };
    assert_eq!(total(process), ms(50));
    // 40 and 110 lie within, 10 and 120 and later do not.
    let range = Filter {
        from: Some(ms(40)),
        to: Some(ms(120)),
        ..Filter::default()
    };
    assert_eq!(total(range), ms(25));
    let waiting = Filter {
        kind: SampleKind::OffCpu,
        ..Filter::default()
    };
    assert_eq!(total(waiting), ms(0));
}

#[test]
fn a_wait_is_cut_to_the_range() {
    let mut b = sampled();
    b.trace.push_samples(&[Sample {
        time: ms(100),
        process: ProcessId(0),
        tid: Tid(1),
        goroutine: None,
        stack: StackId::EMPTY,
        weight: ms(60),
        kind: SampleKind::OffCpu,
        place: SamplePlace::User,
    }]);
    let analysis = Analysis::of(&b.trace);
    // It waited from 40 to 100.
    for (from, to, expected) in [
        (0, 200, 60),
        (50, 70, 20),
        (90, 200, 10),
        (0, 45, 5),
        (0, 40, 0),
    ] {
        let filter = Filter {
            kind: SampleKind::OffCpu,
            from: Some(ms(from)),
            to: Some(ms(to)),
            ..Filter::default()
        };
        let profile = analysis.profile(&filter);
        assert_eq!(profile.total.time, ms(expected), "{from} to {to}");
    }
}

#[test]
fn profiles_of_tools_stand_in_for_samples() {
    let mut b = Builder::default();
    let process = b.process(None, &compile(1, "p"), (0, 100), 50);
    let image = b.image("/compile");
    let frame = b.named(image, &["main.main"]);
    let stack = b.stack(&[frame]);
    let weight = ms(10);
    b.trace.profiles = vec![
        ProfileSample {
            process,
            stack,
            weight
        };
        3
    ];
    {
        let analysis = Analysis::of(&b.trace);
        let profile = analysis.profile(&Filter::default());
        assert!(profile.from_profiles);
        assert_eq!((profile.total.time, profile.total.samples), (ms(30), 3));
        let samples = Filter {
            source: Source::Samples,
            ..Filter::default()
        };
        assert_eq!(analysis.profile(&samples).total.samples, 0);
        // They have no time.
        let range = Filter {
            from: Some(ms(1)),
            ..Filter::default()
        };
        assert_eq!(analysis.profile(&range).total.samples, 0);
    }
    b.sample(process, stack, 5, 7);
    let analysis = Analysis::of(&b.trace);
    assert_eq!(analysis.profile(&Filter::default()).total.time, ms(7));
    let profiles = Filter {
        source: Source::Profiles,
        ..Filter::default()
    };
    assert_eq!(analysis.profile(&profiles).total.time, ms(30));
}

fn folded(b: &Builder, options: &Options) -> Vec<String> {
    let analysis = Analysis::of(&b.trace);
    let tree = analysis.call_tree(options);
    let line = |(path, weight): (Vec<_>, gotrace::analyze::profile::Weight)| {
        let path: Vec<&str> = path
            .iter()
            .map(|name: &&gotrace::analyze::Name| &***name)
            .collect();
        format!("{} {}", path.join(";"), weight.time.0 / 1_000_000)
    };
    tree.folded().map(line).collect()
}

#[test]
fn equal_stacks_are_one_path_whatever_their_ids() {
    let b = sampled();
    assert_eq!(
        folded(&b, &Options::default()),
        [
            " 12",
            "[truncated];main.main 10",
            "runtime.goexit;main.main;[unmapped] 15",
            // Not inlined here, but the same path of names.
            "runtime.goexit;main.main;walk 8",
            "runtime.goexit;main.main;walk;visit 30",
            "runtime.goexit;main.main;walk;visit;walk 25",
        ]
    );
}

#[test]
fn groups_stand_below_their_stacks() {
    let b = sampled();
    let grouped = |grouping| {
        let options = Options {
            grouping,
            ..Options::default()
        };
        folded(&b, &options)
    };
    assert_eq!(
        grouped(Grouping::Package),
        [
            "[no package] 12",
            "[no package];runtime.goexit;main.main;walk 8",
            "m/a;runtime.goexit;main.main;walk;visit 30",
            "m/a;runtime.goexit;main.main;walk;visit;walk 20",
            "m/b;[truncated];main.main 10",
            "m/b;runtime.goexit;main.main;[unmapped] 15",
            "m/b;runtime.goexit;main.main;walk;visit;walk 5",
        ]
    );
    assert_eq!(
        grouped(Grouping::Tool)[0],
        "compile;[truncated];main.main 10"
    );
    assert_eq!(
        grouped(Grouping::Process)[0],
        "compile (1001);runtime.goexit;main.main;walk;visit 30"
    );
}

#[test]
fn totals_hold_what_is_above() {
    let b = sampled();
    let analysis = Analysis::of(&b.trace);
    let tree = analysis.call_tree(&Options::default());
    assert_eq!(tree.total().time, ms(100));
    let node = |name: &str| {
        let mut nodes = tree.nodes.iter();
        nodes.find(|node| tree.name(node) == name).unwrap()
    };
    assert_eq!(node("runtime.goexit").total.time, ms(78));
    assert_eq!(node("walk").kind, NodeKind::Function);
    assert_eq!(node("visit").kind, NodeKind::Inlined);
    assert_eq!(node("[unmapped]").kind, NodeKind::Unnamed);
    assert_eq!(node("visit").total.time, ms(55));
    for (index, node) in tree.nodes.iter().enumerate().skip(1) {
        assert!((node.parent as usize) < index);
    }
}

#[test]
fn frames_without_a_name_say_why() {
    let mut b = Builder::default();
    let process = b.process(None, "/bin/x", (0, 10), 1);
    let image = b.image("/usr/lib/libfoo.so.1");
    let place = FramePlace::Image(image, gotrace::trace::ImageOffset(7));
    let stripped = b.frame(place, Err(Unnamed::Stripped));
    let kernel = b.frame(
        FramePlace::Kernel(gotrace::trace::Avma(1)),
        Err(Unnamed::Kernel),
    );
    let empty = b.frame(place, Ok(&[]));
    for frame in [stripped, kernel, empty] {
        let stack = b.stack(&[frame]);
        b.sample(process, stack, 1, 1);
    }
    assert_eq!(
        folded(&b, &Options::default()),
        [
            "[kernel] 1",
            "[no symbol: libfoo.so.1] 1",
            "[stripped: libfoo.so.1] 1"
        ]
    );
}

#[test]
fn what_is_once_a_function_of_its_own_is_not_shown_as_inlined() {
    for swapped in [false, true] {
        let mut b = Builder::default();
        let process = b.process(None, "/bin/x", (0, 10), 1);
        let image = b.image("/bin/x");
        let inlined = b.named(image, &["leaf", "main"]);
        let (main, leaf) = (b.named(image, &["main"]), b.named(image, &["leaf"]));
        let mut stacks = [vec![inlined], vec![main, leaf]];
        if swapped {
            stacks.reverse();
        }
        for frames in stacks {
            let stack = b.stack(&frames);
            b.sample(process, stack, 1, 1);
        }
        let analysis = Analysis::of(&b.trace);
        let tree = analysis.call_tree(&Options::default());
        let kinds: Vec<NodeKind> = tree.nodes.iter().map(|node| node.kind).collect();
        assert_eq!(
            kinds,
            [NodeKind::Root, NodeKind::Function, NodeKind::Function]
        );
    }
}

#[test]
fn one_place_says_what_stands_for_a_frame_without_a_name() {
    let mut b = Builder::default();
    let image = b.image("/usr/lib/libfoo.so.1");
    let anonymous = b.image("");
    let offset = gotrace::trace::ImageOffset(7);
    let address = gotrace::trace::Avma(1);
    for (place, why, expected) in [
        // Where a frame lies tells more than that nobody looked.
        (
            FramePlace::Kernel(address),
            Unnamed::NotLookedUp,
            "[kernel]",
        ),
        (FramePlace::Truncated, Unnamed::NotLookedUp, "[truncated]"),
        (FramePlace::Unmapped(address), Unnamed::Jit, "[JIT]"),
        (
            FramePlace::Image(image, offset),
            Unnamed::FileGone,
            "[file gone: libfoo.so.1]",
        ),
        (FramePlace::Image(anonymous, offset), Unnamed::Jit, "[JIT]"),
    ] {
        let frame = b.frame(place, Err(why));
        let name = gotrace::analyze::frame::unnamed(&b.trace, frame, why);
        assert_eq!(String::from_utf8_lossy(&name), expected);
    }
}
