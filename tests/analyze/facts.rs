//! Circumstances of runs: what they are taken from, and which of them forbid a comparison.

use crate::compare::{USUAL, compare, run_with, trace};
use gotrace::analyze::compare::{Fact, Run};
use gotrace::analyze::{Analysis, Name};
use gotrace::render::change::{fact, sides};
use gotrace::trace::{Arch, StringId};

/// A run of programs of this architecture, by this translator.
fn run_by(name: &str, arch: Arch, translator: &str) -> Run {
    let mut builder = trace(&USUAL);
    builder.trace.host.arch = Arch::Amd64;
    let translator = builder.text(translator);
    for process in &mut builder.trace.processes {
        (process.exec.arch, process.exec.translator) = (arch, translator);
    }
    Run::of(&Analysis::of(&builder.trace), name)
}

#[test]
fn a_side_that_mixes_native_and_translated_runs_is_none() {
    let native = |name| run_by(name, Arch::Amd64, "");
    let translated = |name| run_by(name, Arch::Arm64, "qemu-aarch64");
    // That is what the two are compared for.
    let comparison = compare(
        &[native("1"), native("2")],
        &[translated("1"), translated("2")],
    );
    assert_eq!(comparison.complaints().count(), 0);
    let told: Vec<String> = comparison.differences.iter().map(fact).collect();
    assert_eq!(
        told,
        [
            "the programs' architectures differ: base amd64, new arm64",
            "the translators differ: base none, new qemu-aarch64",
        ]
    );
    let mixed = [native("1"), translated("2"), native("3")];
    let comparison = compare(&mixed, &[native("1"), native("2")]);
    let first = "base native and translated by qemu-aarch64 (no Go toolchain), \
                 new native (no Go toolchain amd64)";
    assert_eq!(sides(&comparison), first);
    let told: Vec<String> = comparison.complaints().map(fact).collect();
    assert_eq!(
        told,
        [
            "the programs' architectures differ within base: \
             base amd64 in runs 1, 3 and arm64 in run 2, new amd64",
            "the translators differ within base: \
             base none in runs 1, 3 and qemu-aarch64 in run 2, new none",
        ]
    );
    // Nothing says who ran them, but the machine cannot: `binfmt_misc` is not mounted everywhere.
    let unnamed = run_by("1", Arch::Arm64, "");
    assert_eq!(
        unnamed.translation.translator,
        Some(Name::from("an unknown translator"))
    );
    assert_eq!(unnamed.translation.share, 1.0);
    let old = run_by("1", Arch::X86, "");
    assert_eq!(old.translation.translator, None);
    // gotrace itself is translated, so that the machine is not what it seems to be.
    let mut builder = trace(&USUAL);
    builder.trace.host.arch = Arch::Amd64;
    let rosetta = builder.text("rosetta");
    for (at, process) in builder.trace.processes.iter_mut().enumerate() {
        let exec = &mut process.exec;
        (exec.arch, exec.translator) = match at {
            0 => (Arch::Amd64, rosetta),
            _ => (Arch::Arm64, StringId::EMPTY),
        };
    }
    let run = Run::of(&Analysis::of(&builder.trace), "1");
    assert_eq!(run.translation.translator, Some(Name::from("rosetta")));
    // go's 10 of 360 ms.
    assert!((run.translation.share - 10.0 / 360.0).abs() < 1e-12);
}

#[test]
fn a_processor_that_was_slowed_is_told() {
    let run = |after: Option<&str>| {
        let settings = [
            ("host.throttles", "7"),
            ("host.throttles_after", after.unwrap_or("7")),
        ];
        run_with(&settings[..usize::from(after.is_some()) + 1], "", "")
    };
    for (after, expected) in [
        (None, None),
        (Some("7"), Some("no")),
        (Some("9"), Some("yes")),
    ] {
        let fact = run(after).facts.0.get(&Fact::Throttled).cloned();
        assert_eq!(fact.as_deref(), expected);
    }
    let comparison = compare(&[run(Some("7"))], &[run(Some("9"))]);
    assert_eq!(comparison.complaints().count(), 0);
    assert_eq!(comparison.differences[0].fact, Fact::Throttled);
}
