//! Start-up against steady state, and what translation is: of runs whose stacks are set by hand.

use crate::builder::{Builder, compile};
use crate::compare::{compare, millis, run_of};
use gotrace::analyze::Name;
use gotrace::analyze::compare::{Key, Measure, Run, Subject};
use gotrace::trace::{Arch, SamplePlace};

/// A compile whose samples are `stacks`, outermost function first, 10 ms each.
fn sampled(translated: bool, stacks: &[(&[&str], SamplePlace)]) -> Run {
    let mut builder = Builder::default();
    let go = builder.process(None, "/go/bin/go build ./...", (0, 1_000), 10);
    let one = builder.process(Some(go), &compile(2, "m/a"), (10, 900), 500);
    if translated {
        let translator = builder.text("qemu-aarch64");
        for process in &mut builder.trace.processes {
            process.exec.translator = translator;
            process.exec.arch = Arch::Arm64;
        }
    }
    let image = builder.image("/go/pkg/tool/compile");
    for (at, (names, place)) in (0..).zip(stacks) {
        let mut frame = |name: &&str| match *name {
            "" => builder.cut(),
            name => builder.named(image, &[name]),
        };
        let frames: Vec<_> = names.iter().map(&mut frame).collect();
        let stack = builder.stack(&frames);
        builder.sample_at(one, stack, 10 + at * 10, 10, *place);
    }
    builder.end(1_000);
    run_of(&builder.trace)
}

#[test]
fn start_up_ends_where_main_is_first_seen() {
    let (user, code, within) = (
        SamplePlace::User,
        SamplePlace::TranslatedCode,
        SamplePlace::Translator,
    );
    let native = sampled(
        false,
        &[
            (&["runtime.rt0_go", "runtime.schedinit"], user),
            (
                &[
                    "runtime.main",
                    "main.main",
                    "cmd/compile/internal/amd64.ssaGenValue",
                ],
                user,
            ),
            (&["runtime.gcBgMarkWorker"], user),
        ],
    );
    let translated = sampled(
        true,
        &[
            (&["cpu_exec", "tb_gen_code"], within),
            (&["cpu_exec", "tb_gen_code"], within),
            (&["runtime.rt0_go", "runtime.schedinit"], code),
            (
                &[
                    "runtime.main",
                    "main.main",
                    "cmd/compile/internal/arm64.ssaGenValue",
                ],
                code,
            ),
            (&["cpu_exec", "tb_gen_code"], within),
        ],
    );
    let compile = Subject::Tool(Name::from("compile"));
    let parts = |run: &Run| {
        [Measure::StartUp, Measure::SteadyState, Measure::Translator]
            .map(|measure| run.figure(compile.clone(), measure))
    };
    assert_eq!(parts(&native), [10, 20, 0].map(millis));
    assert_eq!(parts(&translated), [30, 20, 30].map(millis));
    let comparison = compare(&[native], &[translated]);
    assert!(comparison.crosses_translators());
    let translation = &comparison.new.translation;
    assert_eq!(translation.translator, Some(Name::from("qemu-aarch64")));
    assert_eq!((translation.share, translation.arch), (1.0, Arch::Arm64));
    // The code generators of two architectures are one function.
    let name = Name::from("cmd/compile/internal/arch.ssaGenValue");
    let tool = Name::from("compile");
    let function = Subject::Function { tool, name };
    let row = comparison.row(&function, Measure::Own).unwrap();
    assert_eq!(
        (row.base_median(), row.new_median()),
        (millis(10), millis(10))
    );
    assert_eq!(row.verdict, None);
}

/// Start-up, steady state and neither of a compiler with these stacks, in units of 10 ms; `None`
/// where there is no such figure.
fn parts(stacks: &[&[&str]]) -> [Option<u64>; 3] {
    let stacks: Vec<_> = stacks
        .iter()
        .map(|&names| (names, SamplePlace::User))
        .collect();
    let run = sampled(false, &stacks);
    let compile = Subject::Tool(Name::from("compile"));
    [Measure::StartUp, Measure::SteadyState, Measure::Unplaced].map(|measure| {
        let subject = compile.clone();
        let time = run.figures.get(&Key { subject, measure })?;
        Some((time / millis(10)) as u64)
    })
}

#[test]
fn start_up_is_told_from_steady_state_by_what_stacks_are_of() {
    let init: &[&str] = &[
        "runtime.goexit",
        "runtime.main",
        "runtime.doInit1",
        "m/x.init.0",
    ];
    let schedinit: &[&str] = &["runtime.rt0_go", "runtime.schedinit"];
    let main: &[&str] = &["runtime.goexit", "runtime.main", "main.main", "m/x.Run"];
    let worker: &[&str] = &["runtime.goexit", "m/x.Run.func1", "m/x.work"];
    let collector: &[&str] = &[
        "runtime.goexit",
        "runtime.gcBgMarkStartWorkers.gowrap1",
        "runtime.gcBgMarkWorker",
    ];
    let sweeper: &[&str] = &[
        "runtime.goexit",
        "runtime.gcenable.gowrap1",
        "runtime.bgsweep",
    ];
    let scheduler: &[&str] = &["runtime.mstart", "runtime.mcall", "runtime.schedule"];
    let plugin: &[&str] = &[
        "runtime.goexit",
        "runtime.main",
        "main.main",
        "runtime.doInit1",
    ];
    let c_main: &[&str] = &["_start", "__libc_start_main", "main", "work"];
    // What the C library calls of a Go program on arm64.
    let cgo: &[&str] = &["_start", "__libc_start_main", "main", "runtime.rt0_go"];
    let cut: &[&str] = &["", "m/x.work"];
    let all = |start_up, steady| [Some(start_up), Some(steady), Some(0)];
    for (stacks, expected) in [
        // All work is off the main goroutine, which only waits, as in cmd/go.
        (&[worker, worker, sweeper, cut][..], all(0, 4)),
        (&[schedinit, init, scheduler, main, scheduler], all(3, 2)),
        // A goroutine that a package's initialisation began runs while others initialise.
        (
            &[schedinit, worker, scheduler, init, worker, worker],
            all(4, 2),
        ),
        // The collector has work once there is a heap: that of main, unless it was still coming up.
        (&[collector, main], all(0, 2)),
        (&[collector, init, collector], all(2, 1)),
        // A sweeper sleeps from the beginning on, and tells nothing.
        (&[sweeper, main], all(1, 1)),
        // It ended before its main was seen.
        (&[schedinit, scheduler], all(2, 0)),
        // A plugin's initialisation is the work of main.
        (&[init, main, plugin, init], all(1, 3)),
        (&[&["_start", "_dl_relocate"], c_main, cut], all(1, 2)),
        (&[cgo, init, main], all(2, 1)),
        // Nothing tells anything.
        (&[cut, cut, scheduler], [None, None, Some(3)]),
        (&[], [None; 3]),
    ] {
        assert_eq!(parts(stacks), expected, "{stacks:?}");
    }
}
