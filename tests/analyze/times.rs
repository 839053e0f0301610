//! Costs, timelines and summaries worked out by hand.

use crate::builder::{Builder, WORK, compile, ms};
use gotrace::{
    analyze::{
        Analysis, Timeline,
        timeline::{BarOf, Bars, CpuSource, Options},
    },
    trace::{Arch, BlindSpot, Ending, ExitStatus, Loss, Nanos, ProcessId, StackId, Toolchain},
};

/// go lives from 0 to 1000 and uses 100; gcc from 100 to 600 uses 20, and waits for cc1, from
/// 150 to 550, using 350, and 30 more in the queue; a shim of gotrace's own uses 40.
fn family() -> Builder {
    let mut b = Builder::default();
    let go = b.process(None, "/go/bin/go build", (0, 1000), 100);
    let gcc = format!("/usr/bin/gcc -o {WORK}/b001/_x001.o");
    let gcc = b.process(Some(go), &gcc, (100, 600), 20);
    let cc1 = b.process(
        Some(gcc),
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
        (150, 550),
        350,
    );
    b.edit(cc1).exit.as_mut().unwrap().usage.runqueue = ms(30);
    let shim = b.process(Some(go), "/usr/bin/gotrace shim", (600, 900), 40);
    b.edit(shim).own = true;
    b.process(Some(shim), &compile(1, "m/a"), (610, 890), 200);
    b.edit(cc1).exit.as_mut().unwrap().usage.forks_folded = 2;
    b.end(1000);
    b
}

#[test]
fn costs_count_time_once_and_cpu_in_full() {
    let b = family();
    let costs = Analysis::of(&b.trace).costs();
    assert_eq!(costs.total.cpu(), ms(100 + 20 + 350 + 200));
    assert_eq!(costs.total.wall, ms(1000));
    assert_eq!(costs.total.processes, 4);
    assert_eq!(costs.total.usage.forks_folded, 2);
    let packages: Vec<_> = costs
        .packages
        .iter()
        .map(|row| (row.key.as_deref(), row.cost.cpu(), row.cost.wall))
        .collect();
    // gcc and cc1 work for m/a too: 100..600 and 610..890.
    assert_eq!(
        packages,
        [(Some("m/a"), ms(570), ms(780)), (None, ms(100), ms(1000))]
    );
    let share: f64 = costs.packages.iter().map(|row| row.share).sum();
    assert!((share - 1.0).abs() < 1e-9);
    let tools: Vec<_> = costs.tools.iter().map(|row| row.key.name()).collect();
    assert_eq!(tools, ["cc1", "compile", "go", "cc"]);
    let waiting = |id: u32| {
        let mut rows = costs.processes.iter();
        let row = rows.find(|row| row.key == ProcessId(id)).unwrap();
        row.cost.waiting
    };
    // 1000 − children (100..600, 610..890) − CPU 100; 500 − 400 − 20; 400 − 350 − 30; 280 − 200.
    assert_eq!(waiting(0), ms(1000 - 500 - 280 - 100));
    assert_eq!(waiting(1), ms(80));
    assert_eq!(waiting(2), ms(20));
    assert_eq!(waiting(4), ms(80));
    // All of m/a's programs are one action, for there is no graph.
    assert_eq!(costs.actions.len(), 1);
    assert_eq!(costs.actions[0].cost.cpu(), ms(570));
}

fn spans(timeline: &Timeline) -> Vec<Vec<(u64, u64)>> {
    let millis = |time: Nanos| time.0 / 1_000_000;
    let lanes = timeline.lanes.iter();
    lanes
        .map(|lane| {
            let bars = lane.bars.iter();
            bars.map(|bar| (millis(bar.start), millis(bar.end)))
                .collect()
        })
        .collect()
}

#[test]
fn bars_take_the_first_free_lane() {
    let mut b = Builder::default();
    b.process(None, "/go/bin/go build", (0, 100), 10);
    for (number, times) in [
        (1, (0, 40)),
        (2, (10, 30)),
        (3, (30, 60)),
        (4, (40, 50)),
        (5, (45, 55)),
    ] {
        let objdir = b.text(&format!("{WORK}/b{number:03}/"));
        let package = format!("p{number}");
        let command = b.text("compile");
        let action = b.action(number, ("build", &package), &[], (0, times.0, times.1));
        (action.objdir, action.go, action.commands) = (objdir, Some(ProcessId(0)), vec![command]);
    }
    // Nothing was to be done: no bar.
    b.action(6, ("build", "cached"), &[], (0, 5, 6)).go = Some(ProcessId(0));
    b.end(100);
    let analysis = Analysis::of(&b.trace);
    let timeline = analysis.timeline(Options {
        bars: Bars::Actions,
        bins: 10,
        ..Options::default()
    });
    assert_eq!(
        spans(&timeline),
        [
            vec![(0, 40), (40, 50)],
            vec![(10, 30), (30, 60)],
            vec![(45, 55)]
        ]
    );
    // p3 ended last, and has no dependency.
    let critical: Vec<&str> = timeline
        .lanes
        .iter()
        .flat_map(|lane| &lane.bars)
        .filter(|bar| bar.critical)
        .map(|bar| &*bar.label)
        .collect();
    assert_eq!(critical, ["p3"]);
    // Bins of 10 ms: p1 alone; p1 and p2 twice; p1 and p3; p3 with p4, p5 half of the time; ...
    let expected = [1.0, 2.0, 2.0, 2.0, 2.5, 1.5, 0.0, 0.0, 0.0, 0.0];
    for (found, expected) in timeline.concurrency.iter().zip(expected) {
        assert!(
            (found - expected).abs() < 1e-9,
            "{:?}",
            timeline.concurrency
        );
    }
    assert_eq!(timeline.cpu_source, CpuSource::Spread);
    // 10 ms of CPU over 100 ms.
    assert!(timeline.cpu.iter().all(|cpu| (cpu - 0.1).abs() < 1e-9));
}

#[test]
fn programs_have_lanes_too() {
    let mut b = family();
    b.edit(ProcessId(4)).exit = None;
    b.sample(ProcessId(2), StackId::EMPTY, 270, 50);
    b.sample(ProcessId(3), StackId::EMPTY, 650, 50);
    let analysis = Analysis::of(&b.trace);
    let timeline = analysis.timeline(Options {
        bars: Bars::Processes,
        bins: 4,
        ..Options::default()
    });
    assert_eq!(
        spans(&timeline),
        [
            vec![(0, 1000)],
            vec![(100, 600), (610, 1000)],
            vec![(150, 550)]
        ]
    );
    let open = &timeline.lanes[1].bars[1];
    assert!(open.open);
    assert_eq!(
        (open.of, &*open.label),
        (BarOf::Process(ProcessId(4)), "m/a")
    );
    // From 220 to 270 ms: 30 ms in the first quarter of a second, 20 ms in the second. gotrace's
    // own samples do not count.
    assert_eq!(timeline.cpu_source, CpuSource::Samples);
    let wanted = [0.12, 0.08, 0.0, 0.0];
    let near = |(cpu, wanted): (&f64, f64)| (cpu - wanted).abs() < 1e-9;
    assert!(
        timeline.cpu.iter().zip(wanted).all(near),
        "{:?}",
        timeline.cpu
    );
}

#[test]
fn a_summary_says_what_was_lost() {
    let mut b = family();
    let (samples, full, mappings) = (b.text("samples"), b.text("ring full"), b.text("mappings"));
    let overwritten = b.text("overwritten");
    for (what, why, count) in [(samples, full, 3), (mappings, full, 1), (samples, full, 4)] {
        let (from, to) = (ms(1), ms(2));
        b.trace.losses.push(Loss {
            from,
            to,
            what,
            count,
            why,
        });
    }
    let graph = b.text("action graph");
    b.trace.blind_spots.push(BlindSpot {
        time: ms(5),
        what: graph,
        why: overwritten,
    });
    b.trace.integrity.damaged_blocks = 2;
    b.edit(ProcessId(1)).exec.argv_truncated = true;
    b.trace.ending = Some(Ending {
        command_end: ms(1000),
        status: Some(ExitStatus::Code(1)),
        own_cpu: ms(50),
        own_max_rss_bytes: 7,
        kernel_cpu: Some(ms(17)),
    });
    let toolchain = Toolchain {
        version: b.text("go1.27.3"),
        arch: Arch::Amd64,
        translator: b.text("qemu-x86_64"),
        ..Toolchain::default()
    };
    b.trace.toolchains.push(toolchain);
    let summary = Analysis::of(&b.trace).summary(3);
    assert_eq!(&*summary.command, "/go/bin/go build");
    assert_eq!(summary.status, Some(ExitStatus::Code(1)));
    assert_eq!((summary.wall, summary.total.cpu()), (ms(1000), ms(670)));
    assert!((summary.parallelism - 0.67).abs() < 1e-9);
    assert_eq!((summary.builds, summary.built, summary.cached), (1, 1, 0));
    assert_eq!(
        summary.toolchains[0].translator.as_deref(),
        Some("qemu-x86_64")
    );
    let gaps: Vec<_> = summary
        .gaps
        .iter()
        .map(|gap| (&*gap.what, gap.count))
        .collect();
    assert_eq!(
        gaps,
        [
            ("samples", Some(7)),
            ("mappings", Some(1)),
            ("action graph", None),
            ("blocks of the file", Some(2)),
            ("arguments of processes", Some(1)),
            ("the action graph of go build", None),
        ]
    );
    let tax = summary.tax.unwrap();
    assert!((tax.share.unwrap() - 0.1).abs() < 1e-9);
    // The compile action ran from 100 to 890: load before it, the go command after it.
    let labels: Vec<_> = summary
        .critical_segments
        .iter()
        .map(|named| (&*named.label, named.segment.length()))
        .collect();
    assert_eq!(
        labels,
        [
            ("compile m/a", ms(790)),
            ("go itself", ms(110)),
            ("go: load", ms(100))
        ]
    );
    assert_eq!(summary.packages.len(), 1);
    assert_eq!(summary.limits.unwrap().what_if[0].saved, ms(790));
}

#[test]
fn a_trace_whose_recorder_was_killed_says_so() {
    let mut b = family();
    b.trace.ending = None;
    b.edit(ProcessId(0)).exit = None;
    let summary = Analysis::of(&b.trace).summary(3);
    assert_eq!(summary.tax, None);
    assert_eq!(&*summary.gaps[0].what, "the end of the recording");
    // To the last thing that was seen.
    assert_eq!(summary.wall, ms(900));
}

#[test]
fn threads_that_run_side_by_side_hide_waiting() {
    // Two threads run from 0 to 30 ms, and both wait from then to 100 ms: 70 ms. Sums tell of no
    // more than 100 − 60. With 60 ms each, they may have waited for 40 ms, or not at all.
    for (cpu, least) in [(60, 40), (120, 0)] {
        let mut b = Builder::default();
        b.process(None, "/bin/x", (0, 100), cpu);
        b.end(100);
        let costs = Analysis::of(&b.trace).costs();
        assert_eq!(costs.processes[0].cost.waiting, ms(least));
    }
}
