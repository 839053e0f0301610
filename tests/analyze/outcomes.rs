//! What became of actions, worked out by hand from what cmd/go does.

use crate::builder::{Builder, LINK, WORK, compile};
use gotrace::{
    analyze::{
        Analysis,
        build::{Outcome, SegmentKind},
    },
    trace::{ExitStatus, ProcessId},
};

/// `go test` of p, from 0 to 400 ms: the graph as cmd/go 1.27 writes it, with no command of the
/// test run, and nothing marked as failed.
fn go_test(with_link: bool) -> Builder {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go test ./...", (0, 400), 10);
    b.process(Some(go), &compile(1, "p"), (10, 90), 70);
    b.action(1, ("build", "p"), &[], (5, 5, 100));
    b.action(2, ("build", "p.test"), &[1], (100, 100, 150));
    b.action(3, ("link", "p.test"), &[2], (150, 150, 250));
    b.action(4, ("vet", "p"), &[1], (100, 150, 200));
    b.action(5, ("test barrier", ""), &[3, 4], (250, 250, 250));
    b.action(6, ("test run", "p"), &[5], (250, 250, 350));
    b.action(7, ("test print", "p"), &[6], (350, 350, 351));
    for number in 1..=4 {
        let objdir = b.text(&format!("{WORK}/b{number:03}/"));
        let command = b.text("a command");
        let action = &mut b.trace.actions[number - 1];
        action.objdir = objdir;
        if number != 3 || with_link {
            action.commands = vec![command];
        }
    }
    b.end(400);
    b
}

fn outcomes(b: &Builder) -> Vec<Outcome> {
    let analysis = Analysis::of(&b.trace);
    let actions = analysis.builds.builds[0].actions.iter();
    actions.map(|action| action.outcome).collect()
}

#[test]
fn a_test_whose_program_is_not_seen_ran_if_it_was_linked() {
    let linked = go_test(true);
    assert_eq!(outcomes(&linked)[5], Outcome::Built);
    let analysis = Analysis::of(&linked.trace);
    assert_eq!(analysis.builds.builds[0].tests.len(), 1);

    let cached = go_test(false);
    assert_eq!(outcomes(&cached)[5], Outcome::Cached);
    let analysis = Analysis::of(&cached.trace);
    assert_eq!(analysis.builds.builds[0].tests, []);
}

#[test]
fn what_needs_a_failed_action_is_blocked_and_not_cached() {
    let mut b = go_test(true);
    b.edit(ProcessId(1)).exit.as_mut().unwrap().status = ExitStatus::Code(2);
    for (number, action) in (1..).zip(&mut b.trace.actions) {
        // cmd/go comes to all of them when the compile is done, and runs none.
        if number > 1 {
            action.commands.clear();
        }
    }
    assert_eq!(
        outcomes(&b),
        [
            Outcome::Failed,
            Outcome::Blocked,
            Outcome::Blocked,
            Outcome::Blocked,
            // Nothing but an order of things.
            Outcome::Built,
            Outcome::Blocked,
            // It prints "[build failed]".
            Outcome::Built,
        ]
    );
    let analysis = Analysis::of(&b.trace);
    let build = &analysis.builds.builds[0];
    assert_eq!(build.tests, []);
    let summary = analysis.summary(5);
    assert_eq!((summary.built, summary.cached), (0, 0));
}

#[test]
fn a_failed_action_ends_the_path_where_nothing_was_begun_behind_it() {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build ./...", (0, 300), 10);
    let failing = b.process(Some(go), &compile(1, "p"), (10, 190), 70);
    b.edit(failing).exit.as_mut().unwrap().status = ExitStatus::Code(1);
    b.action(1, ("build", "p"), &[], (0, 0, 200));
    b.action(2, ("build", "q"), &[1], (200, 200, 210));
    b.action(3, ("go build", ""), &[2], (210, 210, 220));
    for number in 1..=2 {
        let objdir = b.text(&format!("{WORK}/b{number:03}/"));
        b.trace.actions[number - 1].objdir = objdir;
    }
    b.end(300);
    assert_eq!(
        outcomes(&b),
        [Outcome::Failed, Outcome::Blocked, Outcome::Blocked]
    );
    let analysis = Analysis::of(&b.trace);
    let kinds: Vec<_> = analysis.builds.builds[0]
        .critical_path
        .segments
        .iter()
        .map(|segment| (segment.kind, segment.end.0 / 1_000_000))
        .collect();
    let failed = SegmentKind::Running(gotrace::analyze::build::ActionIndex(0));
    assert_eq!(kinds, [(failed, 200), (SegmentKind::GoItself, 300)]);
}

#[test]
fn flags_that_failed_are_split_by_what_ran() {
    // As a go command would write it that marked failures when it was done.
    let mut b = Builder::default();
    b.process(None, "/go/bin/go build ./...", (0, 300), 10);
    b.action(1, ("build", "p"), &[], (0, 0, 200)).failed = true;
    b.action(2, ("link", "q"), &[1], (200, 200, 200)).failed = true;
    for action in &mut b.trace.actions {
        action.go = Some(ProcessId(0));
    }
    assert_eq!(outcomes(&b), [Outcome::Failed, Outcome::Blocked]);
}

#[test]
fn a_failed_try_of_a_flag_fails_no_action() {
    let mut b = go_test(true);
    let line = format!("gcc -o {WORK}/b001/x.o -Wunknown");
    let tried = b.process(Some(ProcessId(0)), &line, (6, 8), 1);
    b.edit(tried).exit.as_mut().unwrap().status = ExitStatus::Code(1);
    let analysis = Analysis::of(&b.trace);
    let compiled = &analysis.builds.builds[0].actions[0];
    assert_eq!(compiled.processes, [ProcessId(1), tried]);
    assert_eq!(compiled.outcome, Outcome::Built);
}

#[test]
fn a_failed_vet_blocks_the_test_but_no_other_vet() {
    let mut b = go_test(true);
    let line = format!("/go/pkg/tool/linux_amd64/vet {WORK}/b004/vet.cfg");
    let vet = b.process(Some(ProcessId(0)), &line, (150, 199), 1);
    b.edit(vet).exit.as_mut().unwrap().status = ExitStatus::Code(1);
    let line = format!("{LINK} -o {WORK}/b003/exe/a.out");
    b.process(Some(ProcessId(0)), &line, (151, 249), 1);
    b.action(8, ("vet", "q"), &[4], (200, 200, 200));
    b.trace.actions[7].go = Some(ProcessId(0));
    let outcomes = outcomes(&b);
    assert_eq!(outcomes[2], Outcome::Built);
    assert_eq!(outcomes[3], Outcome::Failed);
    assert_eq!(outcomes[5], Outcome::Blocked);
    assert_eq!(outcomes[7], Outcome::Cached);
}
