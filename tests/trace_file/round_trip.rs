//! What is written comes back.

use gotrace::trace::file::Writer;
use gotrace::trace::{
    Arch, Avma, ClockAnchor, Exec, Exit, ExitStatus, Frame, FramePlace, FrameRole, FrameSymbol,
    Function, Goid, Image, ImageKind, ImageOffset, Location, Nanos, Pid, Process, ProcessId,
    Record, Sample, SampleKind, SamplePlace, StackId, Tid, Trace, Usage,
};

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one trace, written and then read field by field"
)]
fn a_small_trace_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    let anchor = ClockAnchor {
        monotonic_ns: 11,
        unix_ns: 22,
    };
    let mut writer = Writer::create(&path, anchor).unwrap();
    let exe = writer.string(b"/usr/bin/go");
    assert_eq!(writer.string(b"/usr/bin/go"), exe);
    let image = writer.image(&Image {
        path: exe,
        build_id: vec![1, 2, 3],
        arch: Arch::Amd64,
        kind: ImageKind::File,
    });
    assert_eq!(writer.image_path(image), b"/usr/bin/go");
    let inner = writer.frame(Frame {
        place: FramePlace::Image(image, ImageOffset(0x1234)),
        role: FrameRole::Executing,
    });
    let outer = writer.frame(Frame {
        place: FramePlace::Unmapped(Avma(u64::MAX)),
        role: FrameRole::Return,
    });
    let stack = writer.stack(&[inner, outer]);
    assert_eq!(writer.stack(&[inner, outer]), stack);
    assert_eq!(writer.stack(&[]), StackId::EMPTY);
    let argv = vec![exe, writer.string(b"build"), writer.string(b"\xff\n")];
    let process = Process {
        pid: Pid(77),
        start: Nanos(5),
        exec_at: Nanos(6),
        exec: Exec {
            argv,
            exe,
            arch: Arch::Amd64,
            ..Exec::default()
        },
        ..Process::default()
    };
    let exit = Exit {
        at: Nanos(99),
        status: ExitStatus::Code(-3),
        usage: Usage {
            user: Nanos(7),
            forks_folded: 2,
            ..Usage::default()
        },
    };
    writer
        .record(Record::ProcessStarted(process.clone()))
        .unwrap();
    writer.flush().unwrap();
    writer
        .record(Record::ProcessEnded(ProcessId(0), exit))
        .unwrap();
    let sample = Sample {
        time: Nanos(50),
        process: ProcessId(0),
        tid: Tid(78),
        goroutine: Some(Goid(u64::MAX)),
        stack,
        weight: Nanos(10),
        kind: SampleKind::OffCpu,
        place: SamplePlace::TranslatorRuntime,
    };
    writer.sample(sample).unwrap();
    let name = writer.string(b"main.main");
    let function = writer.function(Function { name, file: exe });
    let names = Ok(vec![Location { function, line: 12 }]);
    writer
        .symbol(FrameSymbol {
            frame: inner,
            names,
        })
        .unwrap();
    writer.finish().unwrap();

    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.integrity, gotrace::trace::file::Integrity::default());
    assert_eq!(trace.anchor, anchor);
    assert_eq!(trace.strings.get(exe), b"/usr/bin/go");
    assert_eq!(trace.images[0].build_id, [1, 2, 3]);
    assert_eq!(trace.frames.len(), 2);
    assert_eq!(
        trace.stacks.frames(stack).collect::<Vec<_>>(),
        [inner, outer]
    );
    let expected = Process {
        exit: Some(exit),
        ..process
    };
    assert_eq!(trace.processes, [expected]);
    assert_eq!(trace.symbol(inner).unwrap()[0].line, 12);
    let samples: Vec<Sample> = trace
        .samples()
        .flat_map(|b| b.unwrap().iter().collect::<Vec<_>>())
        .collect();
    assert_eq!(samples, [sample]);
}
