//! Build caches of two sides: what was built and found by hand, and what is said of it.

use crate::builder::{Builder, WORK, compile};
use crate::compare::compare;
use gotrace::analyze::Analysis;
use gotrace::analyze::compare::{Comparison, Fact, Run};
use gotrace::render::change::fact;

/// A package: import path, the hash of what goes into it, and whether it was built.
type Package = (&'static str, &'static str, bool);

/// `go build` of these packages; without its action graph if `graph` does not say so.
fn run_named(name: &str, packages: &[Package], graph: bool) -> Run {
    let mut builder = Builder::default();
    let go = builder.process(None, "/go/bin/go build ./...", (0, 1_000), 10);
    for (number, (package, id, built)) in (2..).zip(packages) {
        let begin = u64::from(number) * 10;
        if *built {
            builder.process(Some(go), &compile(number, package), (begin, begin + 5), 5);
        }
        let objdir = builder.text(&format!("{WORK}/b{number:03}/"));
        let command = builder.text(&compile(number, package));
        let action_id = builder.text(id);
        let build_id = builder.text(&format!("{id}/c"));
        if graph {
            let times = (begin, begin, begin + 5);
            let action = builder.action(number, ("build", package), &[], times);
            (action.objdir, action.action_id, action.build_id) = (objdir, action_id, build_id);
            action.commands = if *built { vec![command] } else { Vec::new() };
        }
    }
    builder.end(1_000);
    Run::of(&Analysis::of(&builder.trace), name)
}

fn run(packages: &[Package]) -> Run {
    run_named("1", packages, true)
}

fn complaints(comparison: &Comparison) -> Vec<String> {
    comparison.complaints().map(fact).collect()
}

fn one_to_one(base: &[Package], new: &[Package]) -> Vec<String> {
    complaints(&compare(&[run(base)], &[run(new)]))
}

const FMT: Package = ("fmt", "f1", false);

#[test]
fn what_was_built_on_one_side_for_the_cache_alone_is_no_comparison() {
    let base = [
        FMT,
        ("m/a", "a1", true),
        ("m/b", "b1", true),
        ("os", "o1", false),
    ];
    assert_eq!(one_to_one(&base, &base), [""; 0]);
    // Both are warm, and each found what the other one built.
    let new = [
        FMT,
        ("m/a", "a1", false),
        ("m/b", "b1", false),
        ("os", "o1", true),
    ];
    assert_eq!(
        one_to_one(&base, &new),
        ["the build caches differ: \
          base warm, built 2 packages that new found (m/a, m/b), \
          new warm, built package that base found (os)"]
    );
    // Cold against warm, and no more than three are named.
    let cold = base.map(|(package, id, _)| (package, id, true));
    let warm = base.map(|(package, id, _)| (package, id, false));
    let told = ["the build caches differ: \
                 base cold, built 4 packages that new found (fmt, m/a, m/b and 1 more), new warm"];
    assert_eq!(one_to_one(&cold, &warm), told);
}

#[test]
fn what_had_to_be_built_is_what_is_compared() {
    let before = [FMT, ("m/a", "a1", false), ("m/b", "b1", false)];
    // m/a was edited, so that m/b, which needs it, has other inputs, too.
    let after = [FMT, ("m/a", "a2", true), ("m/b", "b2", true)];
    assert_eq!(one_to_one(&before, &after), [""; 0]);
    assert_eq!(one_to_one(&after, &before), [""; 0]);
    // A new package, and one that is no more.
    let grown = [FMT, ("m/a", "a1", false), ("m/c", "c1", true)];
    assert_eq!(one_to_one(&before, &grown), [""; 0]);
    // m/b was built beside although nothing that goes into it changed.
    let beside = [FMT, ("m/a", "a2", true), ("m/b", "b1", true)];
    assert_eq!(
        one_to_one(&before, &beside),
        ["the build caches differ: base warm, new warm, built package that base found (m/b)"]
    );
    // Everything has other inputs, as with another Go: still one side was cold and the other not.
    let other = [
        ("fmt", "f2", true),
        ("m/a", "a2", true),
        ("m/b", "b2", true),
    ];
    assert_eq!(
        one_to_one(&before, &other),
        ["the build caches differ: base warm, new cold"]
    );
}

#[test]
fn runs_of_a_side_found_the_same() {
    let cold = [("fmt", "f1", true), ("m/a", "a1", true)];
    let half = [("fmt", "f1", false), ("m/a", "a1", true)];
    let run = |name, packages| run_named(name, packages, true);
    let base = [
        run("1", &cold),
        run("2", &half),
        run("3", &cold),
        run("4", &half),
    ];
    let new = [run("1", &cold), run("2", &cold)];
    assert_eq!(
        complaints(&compare(&base, &new)),
        [
            "the build caches differ within base: base cold in runs 1, 3 and \
          warm, found package that run 1 built (fmt) in runs 2, 4, new cold"
        ]
    );
    // Only its first run keeps what packages were made of.
    let new = [run("1", &half), run("2", &half).without_inputs()];
    let base = [run("1", &half), run("2", &half).without_inputs()];
    assert_eq!(complaints(&compare(&base, &new)), [""; 0]);
}

#[test]
fn without_a_graph_nothing_is_known_of_the_cache() {
    let built = [("m/a", "a1", true)];
    let run = run_named("1", &built, false);
    assert_eq!(
        (run.cache.as_ref(), run.facts.0.get(&Fact::Cache)),
        (None, None)
    );
    let found = run_named("1", &[("m/a", "a1", false), FMT], true);
    assert_eq!(complaints(&compare(&[run], &[found])), [""; 0]);
}

#[test]
fn a_package_that_an_earlier_go_command_built_was_not_in_the_cache() {
    let mut builder = Builder::default();
    let script = builder.process(None, "/bin/sh build.sh", (0, 1_000), 10);
    let mut go =
        |begin| builder.process(Some(script), "/go/bin/go build", (begin, begin + 400), 10);
    let goes = [go(0), go(500)];
    // The first command builds m/a; the second one finds it, and builds m/b, which needs it.
    for (graph, number, package, built) in [
        (0, 0, "m/a", true),
        (1, 0, "m/b", true),
        (1, 1, "m/a", false),
    ] {
        let begin = 100 + u64::from(graph) * 500;
        let line = compile(graph + 2, package);
        let go = goes[graph as usize];
        if built {
            builder.process(Some(go), &line, (begin, begin + 50), 50);
        }
        let command = builder.text(&line);
        let objdir = builder.text(&format!("{WORK}/b{:03}/", graph + 2));
        let times = (begin, begin, begin + 50);
        let action = builder.action(number, ("build", package), &[], times);
        (action.graph, action.go, action.objdir) = (graph, Some(go), objdir);
        action.commands = if built { vec![command] } else { Vec::new() };
    }
    builder.end(1_000);
    let run = Run::of(&Analysis::of(&builder.trace), "1");
    let cache = run.cache.unwrap();
    let built: Vec<&str> = cache.built.iter().map(|package| &**package).collect();
    assert_eq!((built, cache.state()), (vec!["m/a", "m/b"], "cold"));
}
