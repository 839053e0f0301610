//! Stretches of running and waiting, against samples laid out by hand.

use gotrace::analyze::Analysis;
use gotrace::analyze::activity::{Actor, Stretch, walk};
use gotrace::trace::{
    Goid, Nanos, Pid, Process, ProcessId, Sample, SampleKind, SamplePlace, StackId, Tid, Trace,
};

/// A sample of process 0, which began at 5: time, thread, goroutine, weight.
fn sample(time: u64, tid: u32, goid: Option<u64>, weight: u64, kind: SampleKind) -> Sample {
    Sample {
        time: Nanos(time),
        process: ProcessId(0),
        tid: Tid(tid),
        goroutine: goid.map(Goid),
        stack: StackId::EMPTY,
        weight: Nanos(weight),
        kind,
        place: SamplePlace::User,
    }
}

fn stretches(samples: &[Sample]) -> Vec<(Actor, u64, u64, SampleKind, u32)> {
    let mut trace = Trace::default();
    trace.processes.push(Process {
        id: ProcessId(0),
        pid: Pid(9),
        start: Nanos(5),
        ..Process::default()
    });
    trace.push_samples(samples);
    let mut found = Vec::new();
    let unread = walk(&Analysis::of(&trace), |stretch: &Stretch| {
        let (begin, end) = (stretch.begin.0, stretch.end.0);
        found.push((stretch.actor, begin, end, stretch.kind, stretch.samples));
    });
    assert_eq!(unread, 0);
    found
}

/// Every 10: at 10 and 20 it ran on, from the process' start; at 40 one tick is missing; from 40 to 90 it
/// waited; and the sample at 95 cannot reach back into that.
#[test]
fn a_thread_runs_on_between_samples_that_leave_no_gap() {
    use SampleKind::{OffCpu, OnCpu};
    let samples = [
        sample(10, 1, None, 10, OnCpu),
        sample(20, 1, None, 10, OnCpu),
        sample(40, 1, None, 10, OnCpu),
        sample(90, 1, None, 50, OffCpu),
        sample(95, 1, None, 10, OnCpu),
    ];
    let thread = Actor::Thread(Tid(1));
    assert_eq!(
        stretches(&samples),
        [
            (thread, 5, 20, OnCpu, 2),
            (thread, 30, 40, OnCpu, 1),
            (thread, 40, 90, OffCpu, 1),
            (thread, 90, 95, OnCpu, 1),
        ]
    );
}

#[test]
fn a_goroutine_goes_on_when_it_changes_threads() {
    use SampleKind::{OffCpu, OnCpu};
    let samples = [
        sample(20, 1, Some(7), 10, OnCpu),
        sample(30, 2, Some(7), 10, OnCpu),
        sample(60, 2, Some(7), 30, OffCpu),
    ];
    let found = stretches(&samples);
    let of = |actor| {
        found
            .iter()
            .filter(move |stretch| stretch.0 == actor)
            .collect::<Vec<_>>()
    };
    let goroutine = Actor::Goroutine(Goid(7));
    assert_eq!(of(goroutine), [&(goroutine, 10, 30, OnCpu, 2)]);
    let second = Actor::Thread(Tid(2));
    assert_eq!(
        of(second),
        [&(second, 20, 30, OnCpu, 1), &(second, 30, 60, OffCpu, 1)]
    );
    assert_eq!(of(Actor::Thread(Tid(1))).len(), 1);
}
