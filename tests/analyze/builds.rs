//! Build graphs worked out by hand.

use crate::builder::{Builder, COMPILE, LINK, WORK, compile, ms};
use gotrace::{
    analyze::{
        Analysis, Build,
        build::{
            ActionIndex, ActionKind, BuildAction, Load, Origin, Outcome, SegmentKind, Simulation,
        },
    },
    trace::{ExitStatus, Nanos, Trace},
};

/// A go command from 0 to 1100 ms on two slots:
///
/// ```text
/// slot 1  -- a 100..300 -- b 300..900 ------------------- link 900..1050 --
/// slot 2  -- d 100..200 -- c 300..500 -- e 500..600
/// ```
///
/// b, c and e need a; e is ready at 300 and waits for slot 2; link needs b, c and e.
fn two_slots() -> Builder {
    let mut b = Builder::default();
    b.trace.host.cores = 2;
    let go = b.process(None, "/go/bin/go build ./...", (0, 1100), 50);
    for (number, package, life, cpu) in [
        (1, "m/a", (110, 290), 150),
        (2, "m/b", (310, 890), 500),
        (3, "m/c", (310, 490), 170),
        (4, "m/d", (110, 190), 70),
        (5, "m/e", (510, 590), 60),
    ] {
        b.process(Some(go), &compile(number, package), life, cpu);
    }
    let line = format!("{LINK} -o {WORK}/b006/exe/a.out -importcfg {WORK}/b006/importcfg.link");
    b.process(Some(go), &line, (910, 1040), 120);
    b.end(1100);
    b
}

fn two_slots_with_graph() -> Builder {
    let mut b = two_slots();
    for (number, package, deps, times) in [
        (1, "m/a", &[][..], (100, 100, 300)),
        (2, "m/b", &[1], (300, 300, 900)),
        (3, "m/c", &[1], (300, 300, 500)),
        (4, "m/d", &[], (100, 100, 200)),
        (5, "m/e", &[1], (300, 500, 600)),
    ] {
        let objdir = b.text(&format!("{WORK}/b{number:03}/"));
        b.action(number, ("build", package), deps, times).objdir = objdir;
    }
    let objdir = b.text(&format!("{WORK}/b006/"));
    b.action(6, ("link", "m"), &[2, 3, 5], (900, 900, 1050))
        .objdir = objdir;
    b
}

fn action<'b>(build: &'b Build, kind: ActionKind, package: &str) -> (ActionIndex, &'b BuildAction) {
    let mut found = build
        .indexed()
        .filter(|(_, action)| action.kind == kind && &*action.package == package);
    let only = found.next().unwrap();
    assert!(found.next().is_none());
    only
}

fn compiled<'b>(build: &'b Build, package: &str) -> &'b BuildAction {
    action(build, ActionKind::Compile, package).1
}

#[test]
fn a_graph_with_times() {
    let b = two_slots_with_graph();
    let analysis = Analysis::of(&b.trace);
    let [build] = &analysis.builds.builds[..] else {
        panic!("one build");
    };
    assert_eq!(build.origin, Origin::ActionGraph);
    assert_eq!(&*build.command, "go build ./...");
    assert_eq!((build.start, build.end), (ms(0), ms(1100)));
    assert_eq!(build.slots, 2);
    let path = &build.critical_path;
    let index = |package| action(build, ActionKind::Compile, package).0;
    let link = action(build, ActionKind::Link, "m").0;
    let segments: Vec<_> = path
        .segments
        .iter()
        .map(|s| (s.kind, s.start.0 / 1_000_000, s.end.0 / 1_000_000))
        .collect();
    assert_eq!(
        segments,
        [
            (SegmentKind::Load, 0, 100),
            (SegmentKind::Running(index("m/a")), 100, 300),
            (SegmentKind::Running(index("m/b")), 300, 900),
            (SegmentKind::Running(link), 900, 1050),
            (SegmentKind::GoItself, 1050, 1100),
        ]
    );
    assert_eq!(
        (path.running, path.waiting, path.go),
        (ms(950), ms(0), ms(150))
    );
    assert_eq!(build.longest_chain.length, ms(200 + 600 + 150));
    assert_eq!(
        build.longest_chain.actions,
        [index("m/a"), index("m/b"), link]
    );
    let gating = |package| {
        let action = compiled(build, package);
        (action.unlocks, action.gates)
    };
    // a releases b, c, e; b releases the link.
    assert_eq!(gating("m/a"), (3, 4));
    assert_eq!(gating("m/b"), (1, 1));
    assert_eq!(gating("m/c"), (0, 0));
    let parallelism = build.parallelism;
    assert_eq!(parallelism.slot_wait, ms(200));
    assert_eq!(parallelism.peak, 2);
    assert_eq!(parallelism.idle, ms(100 + 50));
    // 200 + 600 + 200 + 100 + 100 + 150 = 1350; CPU 50 + 150 + 500 + 170 + 70 + 60 + 120 = 1120.
    assert!((parallelism.actions_per_wall - 1350.0 / 1100.0).abs() < 1e-9);
    assert_eq!(parallelism.cpu, ms(1120));
    assert!((parallelism.cpu_per_wall - 1120.0 / 1100.0).abs() < 1e-9);
    assert_eq!(compiled(build, "m/b").cpu, ms(500));
    assert_eq!(build.load.wall, ms(100));
    assert_eq!(build.load.waiting, ms(100));
}

#[test]
fn what_if_a_package_cost_nothing() {
    let b = two_slots_with_graph();
    let analysis = Analysis::of(&b.trace);
    let simulation = Simulation::of(&analysis.builds.builds[0]);
    // a 0..200 and d 0..100; b 200..800, c 200..400, e 400..500; link 800..950.
    assert_eq!(simulation.span(), ms(950));
    // Without b: c 200..400, e 200..300; link 400..550. Saves 400 of 1100.
    let without = simulation.without("m/b").unwrap();
    assert_eq!(
        (without.saved, without.wall, without.running),
        (ms(400), ms(700), ms(600))
    );
    // Without a: b, d 0..; d ends at 100, c 100..300; e 300..400; link 600..750.
    assert_eq!(simulation.without("m/a").unwrap().saved, ms(200));
    assert_eq!(simulation.without("m/c").unwrap().saved, ms(0));
    assert_eq!(simulation.without("other"), None);
    let best: Vec<_> = simulation
        .best(10)
        .iter()
        .map(|w| w.package.to_string())
        .collect();
    assert_eq!(best, ["m/b", "m/a", "m"]);
}

#[test]
fn a_build_without_a_graph() {
    let mut b = two_slots();
    for (process, packages) in [
        (2, &["m/a", "fmt"][..]),
        (3, &["m/a"]),
        (5, &["m/a"]),
        (6, &["m/a", "m/b", "m/c", "m/e", "fmt"]),
    ] {
        b.imports(gotrace::trace::ProcessId(process), packages);
    }
    let analysis = Analysis::of(&b.trace);
    let [build] = &analysis.builds.builds[..] else {
        panic!("one build");
    };
    assert_eq!(build.origin, Origin::Processes);
    assert_eq!(build.actions.len(), 6);
    let index = |package| action(build, ActionKind::Compile, package).0;
    assert_eq!(compiled(build, "m/b").deps, [index("m/a")]);
    assert_eq!(compiled(build, "m/a").deps, []);
    let e = compiled(build, "m/e");
    // a ended at 290, e began at 510.
    assert_eq!((e.ready, e.waited()), (ms(290), ms(220)));
    let link = action(build, ActionKind::Link, "").1;
    assert_eq!(link.deps.len(), 4);
    // Load 110, a 180, wait 20, b 580, wait 20, link 130, end 60.
    let path = &build.critical_path;
    assert_eq!(
        (path.running, path.waiting, path.go),
        (ms(890), ms(40), ms(170))
    );
    assert_eq!(build.longest_chain.length, ms(180 + 580 + 130));
}

#[test]
fn a_graph_without_times_knows_cached_and_unreached_actions() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build ./...", (0, 500), 10);
    b.process(Some(go), &compile(2, "m/b"), (100, 400), 250);
    b.edit(go).exit = None;
    for (number, package, deps) in [(1, "m/a", &[][..]), (2, "m/b", &[1]), (3, "m/c", &[2])] {
        let objdir = b.text(&format!("{WORK}/b{number:03}/"));
        let action = b.action(number, ("build", package), deps, (0, 0, 0));
        (action.objdir, action.ready, action.start, action.done) = (objdir, None, None, None);
    }
    let analysis = Analysis::of(&b.trace);
    let build = &analysis.builds.builds[0];
    assert_eq!(build.origin, Origin::UntimedGraph);
    let outcome = |package| compiled(build, package).outcome;
    assert_eq!(outcome("m/a"), Outcome::Cached);
    assert_eq!(outcome("m/b"), Outcome::Built);
    assert_eq!(outcome("m/c"), Outcome::NotReached);
    assert_eq!(compiled(build, "m/b").running(), ms(300));
    // m/a was cached, so m/b waited for the go command to load packages, and for no slot.
    assert_eq!(compiled(build, "m/b").waited(), ms(0));
    assert_eq!(build.load.wall, ms(100));
    assert_eq!(build.parallelism.slot_wait, ms(0));
    let path = &build.critical_path;
    assert_eq!((path.waiting, path.go), (ms(0), ms(100)));
    // The trace ends with the last thing that was seen.
    assert_eq!(build.end, ms(400));
    assert_eq!(build.critical_path.running, ms(300));
}

#[test]
fn waiting_for_a_slot_lies_on_the_path() {
    let mut b = Builder::default();
    b.process(None, "/go/bin/go build -p 1 ./...", (0, 300), 10);
    b.action(1, ("build", "x"), &[], (0, 0, 100));
    b.action(2, ("build", "y"), &[], (0, 100, 300));
    let objdir = b.text("");
    b.trace.actions[0].objdir = objdir;
    b.trace.actions[0].go = Some(gotrace::trace::ProcessId(0));
    b.trace.actions[1].go = Some(gotrace::trace::ProcessId(0));
    let analysis = Analysis::of(&b.trace);
    let build = &analysis.builds.builds[0];
    assert_eq!(build.slots, 1);
    let path = &build.critical_path;
    assert_eq!(
        (path.running, path.waiting, path.go),
        (ms(200), ms(100), ms(0))
    );
    assert_eq!(build.longest_chain.length, ms(200));
}

/// make from 0 to 2000 runs two builds one after the other, and a third beside the second.
#[test]
fn builds_of_one_make_make_one_path() {
    let mut b = Builder::default();
    let make = b.process(None, "/usr/bin/make all", (0, 2000), 5);
    for (at, life, inner) in [
        (1, (100, 900), (200, 800)),
        (2, (1000, 1900), (1100, 1800)),
        (3, (1200, 1500), (1250, 1450)),
    ] {
        let go = b.process(Some(make), "/go/bin/go build", life, 1);
        let line = compile(1, "p").replace(WORK, &format!("/tmp/go-build{at}"));
        b.process(Some(go), &line, inner, 100);
    }
    b.end(2000);
    let analysis = Analysis::of(&b.trace);
    assert_eq!(analysis.builds.builds.len(), 3);
    let path = &analysis.builds.critical_path;
    let kinds: Vec<_> = path
        .segments
        .iter()
        .map(|s| (s.build, s.kind, s.length().0 / 1_000_000))
        .collect();
    let run = SegmentKind::Running(ActionIndex(0));
    assert_eq!(
        kinds,
        [
            (0, SegmentKind::Outside, 100),
            (0, SegmentKind::Load, 100),
            (0, run, 600),
            (0, SegmentKind::GoItself, 100),
            (0, SegmentKind::Outside, 100),
            (1, SegmentKind::Load, 100),
            (1, run, 700),
            (1, SegmentKind::GoItself, 100),
            (0, SegmentKind::Outside, 100),
        ]
    );
    assert_eq!(path.wall(), ms(2000));
    assert_eq!(path.outside, ms(300));
}

/// Without rights go commands are known to 10 ms: the second seems to begin before the first ends.
#[test]
fn builds_that_seem_to_overlap_for_a_moment_follow_one_another() {
    let mut b = Builder::default();
    let make = b.process(None, "/usr/bin/make all", (0, 2000), 5);
    for (at, life, inner) in [(1, (0, 1008), (100, 900)), (2, (1000, 2000), (1100, 1900))] {
        let go = b.process(Some(make), "/go/bin/go build", life, 1);
        let line = compile(1, "p").replace(WORK, &format!("/tmp/go-build{at}"));
        b.process(Some(go), &line, inner, 100);
    }
    b.end(2000);
    let analysis = Analysis::of(&b.trace);
    let path = &analysis.builds.critical_path;
    assert_eq!((path.running, path.outside), (ms(1600), ms(0)));
    assert_eq!((path.go, path.wall()), (ms(400), ms(2000)));
}

#[test]
fn go_generate_nests_builds() {
    let mut b = Builder::default();
    let generate = b.process(None, "/go/bin/go generate ./...", (0, 1000), 1);
    let shell = b.process(Some(generate), "/bin/sh -c x", (100, 900), 2);
    let go = b.process(Some(shell), "/go/bin/go run gen.go", (200, 800), 4);
    b.process(Some(go), &compile(1, "main"), (300, 400), 8);
    b.process(Some(go), "/tmp/go-build1/b001/exe/gen", (500, 700), 16);
    b.end(1000);
    let analysis = Analysis::of(&b.trace);
    let [outer, inner] = &analysis.builds.builds[..] else {
        panic!("two builds");
    };
    assert!(!outer.nested && inner.nested);
    let only = &outer.actions[0];
    assert_eq!((only.kind, only.running()), (ActionKind::Generate, ms(800)));
    // The nested go command belongs to the action, what it built to its own build.
    assert_eq!(only.processes.len(), 2);
    assert_eq!((only.cpu, outer.parallelism.cpu), (ms(6), ms(31)));
    assert_eq!(inner.parallelism.cpu, ms(28));
    let kinds: Vec<_> = inner.actions.iter().map(|action| action.kind).collect();
    assert_eq!(kinds, [ActionKind::Compile, ActionKind::Run]);
    // The path goes on through what was built within the action.
    let segments: Vec<_> = analysis
        .builds
        .critical_path
        .segments
        .iter()
        .map(|s| (s.build, s.kind, s.end.0 / 1_000_000))
        .collect();
    let generating = SegmentKind::Running(ActionIndex(0));
    let running = SegmentKind::Running(ActionIndex(1));
    assert_eq!(
        segments,
        [
            (0, SegmentKind::Load, 100),
            (0, generating, 200),
            // Nothing tells that what ran needed what was compiled.
            (1, SegmentKind::Load, 500),
            (1, running, 700),
            (1, SegmentKind::GoItself, 800),
            (0, generating, 900),
            (0, SegmentKind::GoItself, 1000),
        ]
    );
    // The build's own path is about its own actions.
    let own = &outer.critical_path;
    assert!(own.segments.iter().all(|segment| segment.build == 0));
    assert_eq!(own.running, ms(800));
}

#[test]
fn a_go_command_that_builds_nothing_is_a_part_of_the_action_that_ran_it() {
    let mut b = Builder::default();
    let generate = b.process(None, "/go/bin/go generate ./...", (0, 1000), 1);
    let shell = b.process(Some(generate), "/bin/sh -c x", (100, 900), 2);
    b.process(Some(shell), "/go/bin/go env GOROOT", (200, 800), 4);
    b.end(1000);
    let analysis = Analysis::of(&b.trace);
    let segments = &analysis.builds.critical_path.segments;
    let segments: Vec<_> = segments.iter().map(|s| (s.build, s.kind)).collect();
    let generating = SegmentKind::Running(ActionIndex(0));
    assert_eq!(
        segments,
        [
            (0, SegmentKind::Load),
            (0, generating),
            (0, SegmentKind::GoItself)
        ]
    );
}

#[test]
fn tests_are_split_into_compile_link_and_run() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go test ./a", (0, 1000), 1);
    b.process(Some(go), &compile(1, "m/a"), (100, 300), 8);
    b.process(
        Some(go),
        "/tmp/go-build1/b003/a.test -test.timeout=10m0s",
        (610, 790),
        150,
    );
    for (number, what, deps, times, folder) in [
        (1, ("build", "m/a"), &[][..], (100, 100, 300), "b001"),
        (2, ("build", "m/a_test"), &[1], (300, 300, 350), "b002"),
        (3, ("build", "m/a.test"), &[1, 2], (350, 350, 400), "b003"),
        (4, ("build", "fmt"), &[], (100, 100, 110), "b004"),
        (
            5,
            ("link", "m/a.test"),
            &[1, 2, 3, 4],
            (400, 400, 600),
            "b003",
        ),
        (6, ("test run", "m/a"), &[5], (600, 600, 800), "b003"),
        (7, ("test print", "m/a"), &[6], (800, 800, 801), "b003"),
        (8, ("test run", "m/none"), &[4], (800, 800, 801), "b005"),
    ] {
        let objdir = b.text(&format!("{WORK}/{folder}/"));
        b.action(number, what, deps, times).objdir = objdir;
    }
    let analysis = Analysis::of(&b.trace);
    let [test] = &analysis.builds.builds[0].tests[..] else {
        panic!("one test");
    };
    assert_eq!(&*test.package, "m/a");
    assert_eq!(
        (test.compile, test.link, test.run),
        (ms(300), ms(200), ms(200))
    );
    assert_eq!(test.run_cpu, ms(150));
}

#[test]
fn a_shared_folder_is_split_by_tool_output_and_time() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build", (0, 1000), 1);
    let dir = format!("{WORK}/b002");
    let cgo = format!("/go/pkg/tool/linux_amd64/cgo -objdir {dir}/ -importpath p");
    let cgo = b.process(Some(go), &cgo, (100, 200), 5);
    let probe = b.process(Some(cgo), "/usr/bin/gcc -E -dM", (110, 150), 3);
    let gcc = |output: u32| format!("/usr/bin/gcc -I {dir}/ -o {dir}/_x00{output}.o -c f.c");
    let first = b.process(Some(go), &gcc(1), (210, 300), 7);
    let second = b.process(Some(go), &gcc(2), (210, 320), 9);
    let go_compile = b.process(Some(go), &compile(2, "p"), (400, 500), 11);
    let objdir = b.text(&format!("{dir}/"));
    b.action(1, ("cgo run", "p"), &[], (90, 90, 205)).objdir = objdir;
    for output in [1, 2] {
        let command = b.text(&gcc(output));
        let action = b.action(1 + output, ("cgo compile f.c", "p"), &[1], (205, 205, 330));
        (action.objdir, action.commands) = (objdir, vec![command]);
    }
    b.action(4, ("build", "p"), &[2, 3], (330, 330, 510)).objdir = objdir;
    let analysis = Analysis::of(&b.trace);
    let processes: Vec<_> = analysis.builds.builds[0]
        .actions
        .iter()
        .map(|action| action.processes.clone())
        .collect();
    assert_eq!(
        processes,
        [
            vec![cgo, probe],
            vec![first],
            vec![second],
            vec![go_compile]
        ]
    );
}

#[test]
fn the_load_phase_of_a_download() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go mod download", (0, 1000), 300);
    b.process(Some(go), "/usr/bin/git ls-remote", (100, 300), 20);
    b.process(Some(go), "/usr/bin/git fetch", (200, 400), 20);
    let image = b.image("/go/bin/go");
    // Each go command makes the values of that package's variables, whether it fetches or not.
    let functions = [
        "runtime.main",
        "runtime.doInit1",
        "cmd/go/internal/modfetch.init",
    ];
    let start = functions.map(|name| b.named(image, &[name]));
    let start = b.stack(&start);
    b.sample(go, start, 5, 40);
    let fetch = b.named(image, &["net/http.(*Client).Do"]);
    let main = b.named(image, &["main.main"]);
    let stack = b.stack(&[main, fetch]);
    for time in [10, 20, 500] {
        b.sample(go, stack, time, 50);
    }
    let other = b.stack(&[main]);
    b.sample(go, other, 600, 60);
    b.end(1000);
    let analysis = Analysis::of(&b.trace);
    let loads = Load::of_all(&analysis);
    assert_eq!(
        loads,
        [Load {
            wall: ms(1000),
            children: ms(300),
            cpu: Some(ms(250)),
            waiting: ms(450),
            fetch_samples: 3,
        }]
    );
}

#[test]
fn a_switched_toolchain_is_one_command() {
    let mut b = Builder::default();
    let old = b.process(None, "/go1/bin/go build", (0, 50), 1);
    b.edit(old).exit.as_mut().unwrap().status = ExitStatus::Replaced;
    let new = b.process(None, "/go2/bin/go build", (50, 500), 1);
    b.edit(new).predecessor = Some(old);
    b.process(Some(new), &compile(1, "p"), (100, 400), 9);
    let analysis = Analysis::of(&b.trace);
    let [build] = &analysis.builds.builds[..] else {
        panic!("one build");
    };
    assert_eq!(
        (build.go, build.start, build.end),
        (Some(new), ms(0), ms(500))
    );
    assert_eq!(build.load.wall, ms(100));
}

#[test]
fn a_damaged_graph_is_still_walked() {
    let mut b = Builder::default();
    b.action(1, ("build", "a"), &[2, 99], (0, 0, 10));
    b.action(2, ("build", "b"), &[1], (0, 5, 20));
    b.action(3, ("build", "c"), &[2], (20, 30, 25));
    b.action(3, ("build", "d"), &[3], (0, 0, 40));
    let analysis = Analysis::of(&b.trace);
    let build = &analysis.builds.builds[0];
    assert!(
        build
            .actions
            .iter()
            .all(|a| a.ready <= a.start && a.start <= a.end)
    );
    assert_eq!(build.critical_path.wall(), build.wall());
    assert!(Simulation::of(build).span() <= ms(80));
}

#[test]
fn an_empty_trace_has_no_builds() {
    let trace = Trace::default();
    let analysis = Analysis::of(&trace);
    assert_eq!(analysis.builds.builds, []);
    assert_eq!(analysis.builds.main(), None);
    assert_eq!(analysis.summary(5).wall, Nanos::ZERO);
}

#[test]
fn ten_thousand_packages() {
    // Package n needs n−1, n−2, ... n−30: 300,000 dependencies. A quadratic algorithm would
    // take hundreds of millions of steps and be noticed.
    let mut b = Builder::default();
    b.trace.host.cores = 8;
    let go = b.process(None, "/go/bin/go build", (0, 200_000), 1);
    for n in 1_u32..=10_000 {
        let at = u64::from(n) * 10;
        let line = compile(n, &format!("m/p{n}"));
        b.process(Some(go), &line, (at, at + 10), 9);
        let objdir = b.text(&format!("{WORK}/b{n:03}/"));
        let deps: Vec<u32> = (1..=30).filter_map(|back| n.checked_sub(back)).collect();
        b.action(n, ("build", &format!("m/p{n}")), &deps, (at, at, at + 10))
            .objdir = objdir;
    }
    let analysis = Analysis::of(&b.trace);
    let build = &analysis.builds.builds[0];
    assert_eq!(build.longest_chain.actions.len(), 10_000);
    assert_eq!(build.longest_chain.length, ms(100_000));
    assert_eq!(compiled(build, "m/p1").gates, 9_999);
    let simulation = Simulation::of(build);
    assert_eq!(simulation.without("m/p5000").unwrap().saved, ms(10));
    assert_eq!(analysis.costs().packages.len(), 10_001);
}

#[test]
fn tools_that_only_tell_their_version_are_no_action() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go env", (0, 100), 1);
    b.process(Some(go), &format!("{COMPILE} -V=full"), (10, 20), 1);
    let analysis = Analysis::of(&b.trace);
    assert_eq!(analysis.builds.builds[0].actions, []);
    assert_eq!(analysis.builds.builds[0].load.children, ms(10));
}

#[test]
fn an_action_is_shown_by_the_program_that_ran_longest_in_it() {
    let mut b = two_slots_with_graph();
    // Began in m/a's folder 30 ms before the action's end, and was not seen to end.
    let line = format!("/go/pkg/tool/linux_amd64/asm -o {WORK}/b001/x.o x.s");
    let go = Some(gotrace::trace::ProcessId(0));
    let asm = b.process(go, &line, (270, 280), 0);
    b.edit(asm).exit = None;
    let analysis = Analysis::of(&b.trace);
    let a = compiled(&analysis.builds.builds[0], "m/a");
    assert!(a.processes.contains(&asm));
    let main = analysis.main_process(a).unwrap().id;
    assert_eq!(main, gotrace::trace::ProcessId(1));
    assert_eq!(
        gotrace::analyze::timeline::main_tool(&analysis, a),
        gotrace::analyze::Tool::Compile
    );
}

#[test]
fn the_p_of_a_go_command_is_its_own_and_not_that_of_a_program() {
    // Three cores: 3 where there is no -p.
    for (line, slots) in [
        ("go build -p 2 ./...", 2),
        ("go build --p=5 ./...", 5),
        ("go -C dir build -v -p=4 .", 4),
        ("go build -p 2 -p 4 .", 4),
        ("go run -p 2 ./srv -p 8080", 2),
        ("go run ./srv -p 8080", 3),
        ("go run -tags x ./srv -p 8080", 3),
        ("go run -race -tags=x -p 2 ./srv -p 8080", 2),
        ("go run -exec -p ./srv", 3),
        ("go run -- ./srv -p 8080", 3),
        ("go test ./... -p 2", 2),
        ("go test ./... -update -p 2 -args -p 8080", 2),
        ("go test ./... --args -p 8080", 3),
        ("go test -- -p 8080", 3),
        ("go test -p", 3),
        ("go", 3),
    ] {
        let mut b = Builder::default();
        b.trace.host.cores = 3;
        b.process(None, line, (0, 300), 10);
        let analysis = Analysis::of(&b.trace);
        assert_eq!(analysis.builds.builds[0].slots, slots, "{line}");
    }
}

#[test]
fn the_p_of_goflags_is_taken_where_the_command_has_none() {
    for (flags, line, slots) in [
        ("-mod=mod -p=2", "go build .", 2),
        ("--p=2 -p=4", "go build .", 4),
        ("-p=2", "go build -p 5 .", 5),
        ("-pgo=off", "go build .", 3),
    ] {
        let mut b = Builder::default();
        b.trace.host.cores = 3;
        b.process(None, line, (0, 300), 10);
        let setting = gotrace::trace::Setting {
            key: b.text("env.GOFLAGS"),
            value: b.text(flags),
            source: gotrace::trace::StringId::EMPTY,
        };
        b.trace.settings.push(setting);
        let analysis = Analysis::of(&b.trace);
        assert_eq!(analysis.builds.builds[0].slots, slots, "{flags} {line}");
    }
}
