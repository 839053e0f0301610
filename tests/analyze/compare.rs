//! Comparisons of built runs: alignment, verdicts, what is withheld, facts, gates, why packages
//! were rebuilt. Values are set by hand.

use crate::builder::{Builder, LINK, WORK, compile, ms};
use gotrace::analyze::compare::{
    Comparison, Fact, Key, Measure, Options, Reason, Row, Run, Subject, Verdict,
};
use gotrace::analyze::{Analysis, Name};
use gotrace::trace::{ExitStatus, Loss, Setting, Trace};

/// `go build`: compiles `m/a`, then `m/b`, and links; CPU times in milliseconds.
pub(crate) struct Made {
    pub(crate) a: u64,
    pub(crate) b: u64,
    pub(crate) link: u64,
}

pub(crate) const USUAL: Made = Made {
    a: 100,
    b: 200,
    link: 50,
};

pub(crate) fn trace(made: &Made) -> Builder {
    let mut builder = Builder::default();
    let wall = 20 + made.a + made.b + made.link;
    let go = builder.process(None, "/go/bin/go build ./...", (0, wall), 10);
    let (a, b) = (10 + made.a, 10 + made.a + made.b);
    builder.process(Some(go), &compile(2, "m/a"), (10, a), made.a);
    builder.process(Some(go), &compile(3, "m/b"), (a, b), made.b);
    let link = format!("{LINK} -o {WORK}/b001/exe/a.out");
    builder.process(Some(go), &link, (b, b + made.link), made.link);
    for (number, folder, what, deps, times) in [
        (0, 1, ("link", "m/cmd"), &[1, 2][..], (b, b, b + made.link)),
        (1, 3, ("build", "m/b"), &[2], (a, a, b)),
        (2, 2, ("build", "m/a"), &[], (10, 10, a)),
    ] {
        let objdir = builder.text(&format!("{WORK}/b00{folder}/"));
        let package = what.1;
        let command = format!("{COMPILE_A} -p {package} /src/{package}/x.go");
        let command = builder.text(&command);
        let action = builder.action(number, what, deps, times);
        action.objdir = objdir;
        action.commands = vec![command];
    }
    builder.end(wall);
    builder
}

const COMPILE_A: &str = "/go/pkg/tool/linux_amd64/compile -o /tmp/go-build1/b002/_pkg_.a -complete";

pub(crate) fn run_of(trace: &Trace) -> Run {
    Run::of(&Analysis::of(trace), "x.gotrace")
}

pub(crate) fn run(made: &Made) -> Run {
    run_of(&trace(made).trace)
}

/// `count` runs whose package `m/b` takes `b` and up to 2 ms more.
pub(crate) fn group(count: u64, b: u64) -> Vec<Run> {
    (0..count)
        .map(|at| {
            run(&Made {
                b: b + at * 7 % 3,
                a: 100 + at * 5 % 4,
                ..USUAL
            })
        })
        .collect()
}

pub(crate) fn compare(base: &[Run], new: &[Run]) -> Comparison {
    Comparison::of(base, new, &Options::default())
}

pub(crate) fn package(name: &str) -> Subject {
    Subject::Package(Name::from(name))
}

pub(crate) fn cpu<'c>(comparison: &'c Comparison, name: &str) -> &'c Row {
    comparison.row(&package(name), Measure::Cpu).unwrap()
}

pub(crate) fn millis(value: u64) -> f64 {
    ms(value).0 as f64
}

#[test]
fn a_run_holds_what_its_trace_adds_up_to() {
    let run = run(&USUAL);
    assert_eq!(run.figure(Subject::Whole, Measure::Wall), millis(370));
    assert_eq!(run.figure(Subject::Whole, Measure::Cpu), millis(360));
    assert_eq!(run.figure(package("m/a"), Measure::Cpu), millis(100));
    assert_eq!(run.figure(package("m/cmd"), Measure::Cpu), millis(50));
    // go itself works for no package.
    assert_eq!(run.figure(package(""), Measure::Cpu), millis(10));
    let tool = |name| Subject::Tool(Name::from(name));
    assert_eq!(run.figure(tool("compile"), Measure::Cpu), millis(300));
    assert_eq!(run.figure(tool("compile"), Measure::Count), 2.0);
    // a, then b, then link.
    assert_eq!(
        run.figure(Subject::Whole, Measure::LongestChain),
        millis(350)
    );
    let parallelism = run.figure(Subject::Whole, Measure::Parallelism);
    assert!((parallelism - 360.0 / 370.0).abs() < 1e-12);
    assert!(run.succeeded());
    assert_eq!(run.facts.0[&Fact::Cache], Name::from("cold"));
    assert_eq!(run.facts.0[&Fact::Command], Name::from("go build ./..."));
}

#[test]
fn a_slower_package_is_told_from_the_rest() {
    let comparison = compare(&group(10, 200), &group(10, 230));
    let b = cpu(&comparison, "m/b");
    assert_eq!(b.verdict, Some(Verdict::Slower));
    assert_eq!(b.difference(), millis(30));
    assert!((b.ratio().unwrap() - 231.0 / 201.0).abs() < 1e-12);
    let interval = b.ratio_interval().unwrap();
    assert!(interval.low > 1.1 && interval.high < 1.2, "{interval:?}");
    assert_eq!(cpu(&comparison, "m/a").verdict, Some(Verdict::WithinNoise));
    let back = compare(&group(10, 230), &group(10, 200));
    assert_eq!(cpu(&back, "m/b").verdict, Some(Verdict::Faster));
    assert_eq!(comparison.complaints().count(), 0);
}

#[test]
fn a_group_compared_with_itself_is_within_noise() {
    for count in [1, 2, 5, 12] {
        let runs = group(count, 200);
        let comparison = compare(&runs, &runs);
        assert!(comparison.family > 5);
        for row in &comparison.rows {
            let expected = row.key.is_judged().then_some(Verdict::WithinNoise);
            assert_eq!(row.verdict, expected, "{:?}", row.key);
        }
    }
}

#[test]
fn few_runs_are_no_verdict() {
    for (base, new) in [(1, 1), (1, 9), (3, 3)] {
        let comparison = compare(&group(base, 200), &group(new, 230));
        let need = comparison.runs_needed.unwrap();
        let expected = Some(Verdict::TooFewRuns { need });
        assert_eq!(cpu(&comparison, "m/b").verdict, expected);
        // 2 / C(2n, n) is to be at most 0.05 / family.
        let divisions = |n: u64| (1..=n).fold(1.0, |all, k| all * (n + k) as f64 / k as f64);
        let enough = |n| 2.0 / divisions(n) <= 0.05 / comparison.family as f64;
        assert!(enough(need as u64) && !enough(need as u64 - 1), "{need}");
        assert_eq!(comparison.is_single(), base == 1);
    }
}

fn set(builder: &mut Builder, key: &str, value: &str) {
    let setting = Setting {
        key: builder.text(key),
        value: builder.text(value),
        source: builder.text("test"),
    };
    builder.trace.settings.push(setting);
}

/// A run with these settings, on this system and processor.
pub(crate) fn run_with(settings: &[(&str, &str)], os: &str, cpu: &str) -> Run {
    let mut builder = trace(&USUAL);
    for (key, value) in settings {
        set(&mut builder, key, value);
    }
    builder.trace.host.os = builder.text(os);
    builder.trace.host.cpu = builder.text(cpu);
    run_of(&builder.trace)
}

#[test]
fn what_must_be_the_same_is_looked_at_first() {
    let usual = [
        ("go.GOOS", "linux"),
        ("go.GOARCH", "amd64"),
        ("go.CGO_ENABLED", "1"),
        ("backend", "bpf,actiongraph"),
        ("rate_hz", "199"),
        ("env.GOMAXPROCS", "2"),
        ("env.GOGC", "100"),
        ("host.power", "mains"),
    ];
    let changed = |key: &str, value: &'static str| {
        let changed = usual.map(|(name, old)| (name, if name == key { value } else { old }));
        run_with(&changed, "linux 6.1.0", "a processor")
    };
    let base = changed("", "");
    let complaints = |new: Run| -> Vec<String> {
        let comparison = compare(std::slice::from_ref(&base), &[new]);
        let complaints = comparison.complaints();
        complaints.map(|it| it.fact.name().to_owned()).collect()
    };
    assert_eq!(complaints(base.clone()), [""; 0]);
    for (key, value, fact) in [
        ("go.GOARCH", "arm64", "target"),
        ("go.CGO_ENABLED", "0", "target"),
        ("rate_hz", "999", "capture"),
        ("backend", "toolexec", "capture"),
        ("env.GOMAXPROCS", "1", "gomaxprocs"),
        ("host.power", "battery", "power"),
    ] {
        assert_eq!(complaints(changed(key, value)), [fact], "{key}");
    }
    // What may be the purpose of the comparison is shown, and does not bind.
    let other = changed("env.GOGC", "off");
    let comparison = compare(std::slice::from_ref(&base), &[other]);
    let shown: Vec<&str> = comparison
        .differences
        .iter()
        .map(|it| it.fact.name())
        .collect();
    assert_eq!(shown, ["GOGC"]);
    for (os, cpu, expected) in [
        ("linux 6.18.0", "a processor", &[][..]),
        ("macos 15.4", "a processor", &["system"]),
        ("linux 6.1.0", "another", &["processor"]),
        // Not recorded is not known to differ.
        ("", "", &[]),
    ] {
        assert_eq!(
            complaints(run_with(&usual, os, cpu)),
            expected,
            "{os} {cpu}"
        );
    }
    // A trace of an older gotrace without any setting.
    assert_eq!(
        complaints(run_with(&[], "linux 6.1.0", "a processor")),
        [""; 0]
    );
}

#[test]
fn a_group_of_several_settings_is_no_group() {
    let one = |procs| run_with(&[("env.GOMAXPROCS", procs)], "", "");
    let comparison = compare(&[one("1"), one("2")], &[one("1"), one("2")]);
    let complaint = comparison.complaints().next().unwrap();
    assert_eq!(complaint.fact, Fact::Gomaxprocs);
    let values: Vec<&str> = complaint.base.iter().map(|it| &*it.text).collect();
    assert_eq!(values, ["1", "2"]);
    // Variables that decide how Go builds may be what sides are compared for, not what runs of one
    // side differ by.
    let one = |name, value| run_with(&[(name, value)], "", "");
    for (name, values, binds) in [
        ("env.GOGC", ["100", "off"], true),
        ("env.CGO_CFLAGS", ["-O1", "-O2"], true),
        ("go.GOAMD64", ["v1", "v3"], true),
        ("go.GOEXPERIMENT", ["", "rangefunc"], true),
        ("env.GOPROXY", ["off", "direct"], false),
    ] {
        let [a, b] = values.map(|value| one(name, value));
        let between = compare(&[a.clone(), a.clone()], &[b.clone(), b.clone()]);
        assert_eq!(between.complaints().count(), 0, "{name}");
        let shown = name.split_once('.').unwrap().1;
        let fact = Fact::Variable(Name::from(shown));
        assert!(
            between.differences.iter().any(|it| it.fact == fact),
            "{name}"
        );
        let mixed = compare(&[a.clone(), b], &[a.clone(), a]);
        assert_eq!(mixed.complaints().count(), usize::from(binds), "{name}");
    }
}

#[test]
fn cold_and_warm_are_told_by_what_was_built() {
    let warm = |built: &str| {
        let mut builder = trace(&USUAL);
        let name = builder.text(built);
        for action in &mut builder.trace.actions {
            let is_build = builder.trace.strings.get(action.mode) == b"build";
            if is_build && action.package != name {
                action.commands.clear();
            }
        }
        builder.trace.processes.retain(|process| process.id.0 != 1);
        for (id, process) in (0..).zip(&mut builder.trace.processes) {
            process.id.0 = id;
        }
        run_of(&builder.trace)
    };
    assert_eq!(warm("m/b").facts.0[&Fact::Cache], Name::from("warm"));
    let comparison = compare(&[run(&USUAL)], &[warm("m/b")]);
    let complaints: Vec<&Fact> = comparison.complaints().map(|it| &it.fact).collect();
    assert_eq!(complaints, [&Fact::Cache]);
}

fn failed(status: ExitStatus) -> Run {
    let mut builder = trace(&Made { b: 900, ..USUAL });
    builder.trace.ending.as_mut().unwrap().status = Some(status);
    run_of(&builder.trace)
}

#[test]
fn runs_that_failed_are_left_out_and_named() {
    let mut base = group(9, 200);
    base.extend([failed(ExitStatus::Code(1)), failed(ExitStatus::Signal(9))]);
    let comparison = compare(&base, &group(9, 200));
    assert_eq!(comparison.base.runs.len(), 9);
    assert_eq!(comparison.base.failed.len(), 2);
    assert_eq!(comparison.complaints().count(), 0);
    assert_eq!(cpu(&comparison, "m/b").difference(), 0.0);
    // Where nothing else is there, they are compared with each other if that is allowed.
    let all = [failed(ExitStatus::Code(1))];
    let comparison = compare(&all, &group(9, 200));
    let complaints: Vec<&Fact> = comparison.complaints().map(|it| &it.fact).collect();
    assert_eq!(complaints, [&Fact::Exit]);
    assert_eq!(comparison.base.runs.len(), 1);
}

#[test]
fn what_was_lost_gets_no_verdict() {
    let losing = |what: &str| {
        let mut builder = trace(&USUAL);
        let loss = Loss {
            from: ms(0),
            to: ms(10),
            what: builder.text(what),
            count: 7,
            why: builder.text("the ring buffer was full"),
        };
        builder.trace.losses.push(loss);
        run_of(&builder.trace)
    };
    let others = group(9, 200);
    let with = |run: Run| compare(&[&others[..], &[run]].concat(), &group(10, 260));
    let withheld = |row: &Row| matches!(row.verdict, Some(Verdict::Withheld { .. }));
    // Packages are made of what the system counted, not of samples.
    let comparison = with(losing("samples"));
    assert_eq!(cpu(&comparison, "m/b").verdict, Some(Verdict::Slower));
    assert!(comparison.base.lost.samples.is_some());
    let comparison = with(losing("exits"));
    assert!(withheld(cpu(&comparison, "m/b")));
    let wall = comparison.row(&Subject::Whole, Measure::Wall).unwrap();
    assert_eq!(wall.verdict, Some(Verdict::Slower));
    // A program that lived on: its CPU time is not known, that of others is.
    let mut builder = trace(&USUAL);
    builder.trace.processes[1].exit = None;
    let comparison = with(run_of(&builder.trace));
    assert!(withheld(cpu(&comparison, "m/a")));
    assert_eq!(cpu(&comparison, "m/b").verdict, Some(Verdict::Slower));
    // Its recorder was killed: such a run did not end well.
    let mut builder = trace(&USUAL);
    builder.trace.ending = None;
    assert_eq!(with(run_of(&builder.trace)).base.failed.len(), 1);
}

/// A run of these packages, each compiled for as many milliseconds.
pub(crate) fn run_of_packages(packages: &[(&str, u64)]) -> Run {
    let mut builder = Builder::default();
    let go = builder.process(None, "/go/bin/go build ./...", (0, 10_000), 10);
    for (number, (package, cpu)) in (2..).zip(packages) {
        builder.process(Some(go), &compile(number, package), (10, 10 + cpu), *cpu);
    }
    builder.end(10_000);
    run_of(&builder.trace)
}

#[test]
fn names_are_whole_import_paths() {
    let base = run_of_packages(&[("a.com/util", 10), ("b.com/util", 20)]);
    let new = run_of_packages(&[("a.com/util", 10), ("b.com/util", 60)]);
    let comparison = compare(&[base], &[new]);
    assert_eq!(cpu(&comparison, "a.com/util").difference(), 0.0);
    assert_eq!(cpu(&comparison, "b.com/util").difference(), millis(40));
}

#[test]
fn a_package_that_was_split_is_on_one_side_only() {
    let of = |packages: &[(&str, u64)]| vec![run_of_packages(packages); 9];
    let comparison = compare(
        &of(&[("m/big", 90)]),
        &of(&[("m/big/a", 40), ("m/big/b", 50)]),
    );
    assert_eq!(cpu(&comparison, "m/big").verdict, Some(Verdict::OnlyInBase));
    assert_eq!(
        cpu(&comparison, "m/big/a").verdict,
        Some(Verdict::OnlyInNew)
    );
    assert_eq!(cpu(&comparison, "m/big/a").ratio(), None);
    let whole = comparison.row(&Subject::Whole, Measure::Cpu).unwrap();
    assert_eq!(whole.verdict, Some(Verdict::WithinNoise));
}

#[test]
fn ten_thousand_packages_are_one_family() {
    let names: Vec<String> = (0..10_000).map(|at| format!("m/p{at:05}")).collect();
    let packages: Vec<(&str, u64)> = names.iter().map(|name| (&**name, 20)).collect();
    let run = run_of_packages(&packages);
    // Eleven runs a side: 2 / C(22, 11) is less than 0.05 / 10,000.
    let group = |slow: u64| -> Vec<Run> {
        let runs = (0..11_u64).map(|number| {
            let mut run = run.clone();
            for (at, name) in (0..).zip(&names) {
                let cpu = 20 + (at * 31 + number * 7) % 5 + if at == 1234 { slow } else { 0 };
                let key = Key {
                    subject: package(name),
                    measure: Measure::Cpu,
                };
                // No two runs take the same time.
                let time = millis(cpu) + (2 * number + slow.min(1)) as f64;
                run.figures.insert(key, time);
            }
            run
        });
        runs.collect()
    };
    let comparison = compare(&group(0), &group(20));
    assert_eq!(comparison.runs_needed, Some(11));
    let changed = comparison.rows.iter();
    let changed = changed.filter(|row| row.verdict.as_ref().is_some_and(Verdict::is_change));
    let changed: Vec<Name> = changed.map(|row| row.key.subject.name()).collect();
    assert_eq!(changed, [Name::from("m/p01234")]);
}

#[test]
fn empty_groups_and_zeros_have_an_answer() {
    let none: [Run; 0] = [];
    assert_eq!(compare(&none, &none).rows.len(), 0);
    let comparison = compare(&none, &group(3, 200));
    assert_eq!(cpu(&comparison, "m/b").verdict, Some(Verdict::OnlyInNew));
    assert!(comparison.is_single());
    let zero = vec![run_of_packages(&[("m/a", 0)]); 9];
    let some = vec![run_of_packages(&[("m/a", 5)]); 9];
    let comparison = compare(&zero, &some);
    let row = cpu(&comparison, "m/a");
    assert_eq!(
        (row.verdict.clone(), row.ratio()),
        (Some(Verdict::Slower), None)
    );
    assert_eq!(
        cpu(&compare(&zero, &zero), "m/a").verdict,
        Some(Verdict::WithinNoise)
    );
    let row = compare(&some, &zero);
    assert_eq!(cpu(&row, "m/a").ratio(), Some(0.0));
}

/// Gives the actions of `m/a` and `m/b` ids, as cmd/go writes them.
fn with_ids(a: [&str; 2], b: [&str; 2], flags: &str) -> Run {
    with_ids_of("", a, b, flags)
}

/// The same, with other words before the compiler.
fn with_ids_of(before: &str, a: [&str; 2], b: [&str; 2], flags: &str) -> Run {
    let mut builder = trace(&USUAL);
    for (at, [action, content]) in [(1, b), (2, a)] {
        let ids = (
            builder.text(action),
            builder.text(&format!("{action}/{content}")),
        );
        let package = builder.text(["", "m/b", "m/a"][at]);
        let package = String::from_utf8_lossy(builder.trace.strings.get(package)).into_owned();
        let command =
            format!("{before} {COMPILE_A} {flags} -p {package} -buildid {action} -c=2 /src/x.go");
        let command = builder.text(&command);
        let action = &mut builder.trace.actions[at];
        (action.action_id, action.build_id) = ids;
        action.commands = vec![command];
    }
    let link = builder.text(&format!("l/{}/{}/out", b[0], b[1]));
    builder.trace.actions[0].build_id = link;
    run_of(&builder.trace)
}

#[test]
fn a_package_is_built_anew_for_a_reason() {
    let base = with_ids(["a1", "A1"], ["b1", "B1"], "");
    let reasons = |new: &Run| -> Vec<(String, Vec<Reason>)> {
        let comparison = compare(std::slice::from_ref(&base), std::slice::from_ref(new));
        let rebuilt = comparison.rebuilt.into_iter();
        rebuilt
            .map(|row| (row.package.to_string(), row.reasons))
            .collect()
    };
    let of = |package: &str, reason: Reason| (package.to_owned(), vec![reason]);
    assert_eq!(reasons(&base), []);
    let a_changed = with_ids(["a2", "A2"], ["b2", "B1"], "");
    let needs_a = of("m/b", Reason::Dependency(Name::from("m/a")));
    assert_eq!(reasons(&a_changed), [of("m/a", Reason::OwnInputs), needs_a]);
    // A comment in a: its inputs are others, its content is not, so b is as it was.
    let comment = with_ids(["a2", "A1"], ["b1", "B1"], "");
    assert_eq!(reasons(&comment), [of("m/a", Reason::OwnInputs)]);
    let flags = with_ids(["a3", "A1"], ["b3", "B1"], "-race");
    let by_flags = [of("m/a", Reason::Flags), of("m/b", Reason::Flags)];
    assert_eq!(reasons(&flags), by_flags);
    // The same compiler, as a backend has the go command start it.
    let shim = "/usr/bin/gotrace toolexec";
    let traced = with_ids_of(shim, ["a5", "A1"], ["b5", "B1"], "");
    let by_nothing_else = [of("m/a", Reason::OwnInputs), of("m/b", Reason::OwnInputs)];
    assert_eq!(reasons(&traced), by_nothing_else);
    let mut toolchain = with_ids(["a4", "A1"], ["b4", "B1"], "");
    toolchain.go = Name::from("go1.28");
    let by_go = [of("m/a", Reason::Toolchain), of("m/b", Reason::Toolchain)];
    assert_eq!(reasons(&toolchain), by_go);
    let mut level = with_ids(["a6", "A1"], ["b6", "B1"], "");
    let variable = Fact::Variable(Name::from("GOAMD64"));
    level.facts.0.insert(variable, Name::from("v3"));
    let by_target = [of("m/a", Reason::Target), of("m/b", Reason::Target)];
    assert_eq!(reasons(&level), by_target);
    let outputs = compare(std::slice::from_ref(&base), &[comment]).outputs;
    assert!(outputs[&Name::from("m/cmd")]);
}

#[test]
fn functions_of_one_name_are_told_apart_by_their_tool() {
    let mut builder = Builder::default();
    let go = builder.process(None, "/go/bin/go build ./...", (0, 100), 10);
    let compiler = builder.process(Some(go), &compile(2, "m/a"), (10, 50), 40);
    let linker = builder.process(Some(go), &format!("{LINK} -o x"), (50, 90), 40);
    let image = builder.image("/go/pkg/tool/compile");
    let main = builder.named(image, &["main.main"]);
    let stack = builder.stack(&[main]);
    builder.sample(compiler, stack, 20, 10);
    builder.sample(linker, stack, 60, 30);
    builder.end(100);
    let run = run_of(&builder.trace);
    for (tool, expected) in [("compile", 10), ("link", 30)] {
        let (tool, name) = (Name::from(tool), Name::from("main.main"));
        let own = run.figure(Subject::Function { tool, name }, Measure::Own);
        assert_eq!(own, millis(expected));
    }
}

#[test]
fn the_noise_floor_is_that_of_the_noise_group() {
    let options = Options {
        noise: group(9, 200),
    };
    let comparison = Comparison::of(&group(1, 200), &group(1, 230), &options);
    let row = cpu(&comparison, "m/b");
    let noise = row.noise.unwrap();
    // 200, 201 or 202 ms.
    assert_eq!((noise.runs, noise.ratio), (9, 1.01));
    assert!(noise.exceeded_by(row.base_median(), row.new_median()));
    assert!(!noise.exceeded_by(millis(200), millis(201)));
}
