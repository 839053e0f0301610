//! A small trace with every kind of block and record in it, and all that a trace says as text.

use gotrace::trace::file::Writer;
use gotrace::trace::{
    Action, Arch, Avma, BindHow, BindKind, Binding, BlindSpot, CallEdge, CallEvent, CallTreeRow,
    ClockAnchor, Counter, Ending, Exec, Exit, ExitStatus, Finding, Frame, FramePlace, FrameRole,
    FrameSymbol, Function, Goid, Host, Image, ImageId, ImageKind, ImageNeeds, ImageOffset, Import,
    ImportKind, Imports, Interpreter, LinkCause, Linking, Load, LoadOrigin, Location, Loss,
    Mapping, Nanos, Offer, Pid, Probe, ProbeDropped, ProbeId, Process, ProcessId, ProcessorCounts,
    ProfileSample, Record, RelocationCounts, Sample, SampleKind, SamplePlace, Search,
    SearchOutcome, Segment, Setting, Severity, StackId, StackOwner, StringId, Thread, Tid,
    Toolchain, Trace, Unload, Unmapping, Unnamed, Usage,
};
use std::fmt::Debug;
use std::path::Path;

/// Writes the trace: in three flushes, so that there are several blocks of most kinds.
pub(crate) fn write(path: &Path) {
    write_with(path, |writer, image| {
        calls(writer, image);
        linking(writer, image);
        counts(writer, image);
        tree(writer);
    });
}

/// What it was before there were trees of calls that were added up: a fixture.
pub(crate) fn write_without_trees(path: &Path) {
    write_with(path, |writer, image| {
        calls(writer, image);
        linking(writer, image);
        counts(writer, image);
    });
}

/// What it was before there were unmappings and counts of processors: a fixture.
pub(crate) fn write_without_counts(path: &Path) {
    write_with(path, |writer, image| {
        calls(writer, image);
        linking(writer, image);
    });
}

/// What it was before there were calls and bindings: the fixture.
pub(crate) fn write_without_calls(path: &Path) {
    write_with(path, |_, _| ());
}

fn write_with(path: &Path, calls: impl Fn(&mut Writer, ImageId)) {
    let anchor = ClockAnchor {
        monotonic_ns: 1_000,
        unix_ns: 1_700_000_000_000_000_000,
    };
    let mut writer = Writer::create(path, anchor).unwrap();
    circumstances(&mut writer);
    let image = code(&mut writer);
    writer.flush().unwrap();
    let stacks = stacks(&mut writer, image);
    for number in 0..3 {
        program(&mut writer, number, image, stacks);
    }
    writer.flush().unwrap();
    build(&mut writer, stacks[0]);
    program(&mut writer, 3, image, stacks);
    ending(&mut writer);
    calls(&mut writer, image);
    writer.finish().unwrap();
}

/// One watched function, entered once, and given up.
fn calls(writer: &mut Writer, image: ImageId) {
    let probe = Probe {
        image,
        function: writer.string(b"main.f"),
        ..Probe::default()
    };
    let dropped = ProbeDropped {
        probe: ProbeId(0),
        at: Nanos(90),
        hits: 1,
        unrecorded: 0,
        why: StringId::EMPTY,
    };
    let finding = Finding {
        check: writer.string(b"godebug"),
        severity: Severity::Warning,
        text: writer.string(b"no such key"),
        evidence: StringId::EMPTY,
        remedy: writer.string(b"unset GODEBUG"),
    };
    writer.record(Record::Finding(finding)).unwrap();
    writer.record(Record::Probe(probe)).unwrap();
    writer.record(Record::ProbeDropped(dropped)).unwrap();
    let entry = CallEvent {
        time: Nanos(85),
        process: ProcessId(1),
        tid: Tid(7),
        stack: StackOwner::Goroutine(Goid(1)),
        probe: ProbeId(0),
        edge: CallEdge::Entry,
        depth: 64,
        argument: None,
    };
    writer.call(entry).unwrap();
}

/// Calls that were added up: one, and two that it made, of which one was still open.
fn tree(writer: &mut Writer) {
    let row = |level, calls, open, total| CallTreeRow {
        process: ProcessId(1),
        level,
        probe: ProbeId(0),
        calls,
        open,
        total: Nanos(total),
    };
    let rows = [row(0, 1, 0, 9), row(1, 2, 1, 5)];
    writer.call_tree(&rows, Nanos(80), Nanos(89)).unwrap();
}

/// An image that went, and what the processor counted of a program.
fn counts(writer: &mut Writer, image: ImageId) {
    let unmapping = Unmapping {
        time: Nanos(95),
        process: ProcessId(1),
        image,
        start: Avma(0x40_0000),
    };
    let counts = ProcessorCounts {
        instructions: 12,
        cycles: 13,
        performance_core_instructions: 14,
        performance_core_cycles: 15,
        energy_nj: 16,
    };
    writer.record(Record::Unmapping(unmapping)).unwrap();
    let record = Record::ProcessorCounts(ProcessId(1), counts);
    writer.record(record).unwrap();
}

/// A library that came and went, with a call and a weak symbol bound between.
fn linking(writer: &mut Writer, importer: ImageId) {
    let path = writer.string(b"/lib/libz.so.1");
    let image = writer.image(&Image {
        path,
        ..Image::default()
    });
    let (process, tid) = (ProcessId(1), Tid(7));
    let symbol = writer.string(b"inflate");
    let load = Load {
        time: Nanos(86),
        process,
        tid,
        image,
        cause: LinkCause::Dlopen,
        namespace: 1,
        address: Some(Avma(0x7000)),
        slide: Some(0x7000),
        origin: LoadOrigin::SharedCache,
        paged_in: true,
        translated: Some((Avma(0x9000), Avma(0xa000))),
    };
    let unload = Unload {
        time: Nanos(90),
        process,
        tid,
        image,
        namespace: 1,
    };
    let linking = Linking {
        from: Nanos(87),
        to: Nanos(89),
        process,
        tid,
        cause: LinkCause::Dlopen,
        cpu: Some(Nanos(1)),
    };
    let search = Search {
        time: Nanos(85),
        process,
        path,
        rule: writer.string(b"runpath"),
        importer: Some(importer),
        outcome: SearchOutcome::Refused,
        count: 2,
    };
    let interpreter = Interpreter {
        process,
        path: writer.string(b"/lib/ld.so"),
        unwatched: StringId::EMPTY,
    };
    for record in [
        Record::Interpreter(interpreter),
        Record::Search(search),
        Record::Load(load),
        Record::Linking(linking),
        Record::Unload(unload),
    ] {
        writer.record(record).unwrap();
    }
    needs(writer, image);
    let bind = Binding {
        time: Nanos(88),
        process,
        tid,
        importer,
        provider: Some(image),
        symbol,
        address: Avma(0x7123),
        slot: Some(Avma(0x40_4000)),
        how: BindHow::Lazy,
        kind: BindKind::Call,
    };
    let missing = Binding {
        provider: None,
        address: Avma(0),
        slot: None,
        ..bind
    };
    writer.binding(bind).unwrap();
    writer.binding(missing).unwrap();
}

/// What the library's file asks for.
fn needs(writer: &mut Writer, image: ImageId) {
    let library = writer.string(b"libc.so.6");
    let needs = ImageNeeds {
        image,
        segments: vec![Segment {
            offset: ImageOffset(0x40),
            stated: 0x1000,
            length: 0x20,
            in_file: 0x18,
            executable: true,
        }],
        own_name: writer.string(b"libown.so.1"),
        libraries: vec![library],
        bind_now: true,
        symbolic: true,
        relocations: RelocationCounts {
            relative: 1,
            jump_slot: 2,
            data: 3,
            copy: 4,
            other: 5,
        },
        imports: vec![Import {
            symbol: writer.string(b"malloc"),
            version: writer.string(b"V_1"),
            library,
            slot: 0x2000,
            stub: Some(0x1800),
            kind: ImportKind::Copy,
            weak: true,
            places: 3,
        }],
        left_out: 7,
        offers: vec![Offer {
            symbol: writer.string(b"malloc"),
            version: writer.string(b"V_1"),
            number: 2,
            hidden: true,
            unique: true,
            protected: true,
            stub: true,
        }],
        unread: StringId::EMPTY,
    };
    writer.record(Record::ImageNeeds(needs)).unwrap();
}

fn circumstances(writer: &mut Writer) {
    let host = Host {
        os: writer.string(b"Linux 6.1"),
        distribution: writer.string(b"Debian 12"),
        cpu: writer.string(b"a processor"),
        arch: Arch::Arm64,
        cores: 4,
        memory_bytes: 8 << 30,
        gotrace: writer.string(b"0.1.0"),
    };
    let toolchain = Toolchain {
        path: writer.string(b"/go/bin/go"),
        version: writer.string(b"go1.27.3"),
        arch: Arch::Amd64,
        translator: writer.string(b"qemu"),
        goroot: writer.string(b"/go"),
    };
    let setting = Setting {
        key: writer.string(b"rate_hz"),
        value: writer.string(b"199"),
        source: writer.string(b"default"),
    };
    writer.record(Record::Host(host)).unwrap();
    writer.record(Record::Toolchain(toolchain)).unwrap();
    writer.record(Record::Setting(setting)).unwrap();
}

fn code(writer: &mut Writer) -> ImageId {
    let path = writer.string(b"/go/pkg/tool/compile");
    let kernel = Image {
        kind: ImageKind::Kernel,
        ..Image::default()
    };
    writer.image(&kernel);
    writer.image(&Image {
        path,
        build_id: vec![0, 0xff, 7],
        arch: Arch::Amd64,
        kind: ImageKind::File,
    })
}

/// Two stacks, the second one with every kind of place in it; names of its frames.
fn stacks(writer: &mut Writer, image: ImageId) -> [StackId; 2] {
    let place = |place, role| Frame { place, role };
    let frames = [
        place(FramePlace::Kernel(Avma(u64::MAX)), FrameRole::Executing),
        place(
            FramePlace::Image(image, ImageOffset(0x40)),
            FrameRole::Return,
        ),
        place(FramePlace::Unmapped(Avma(0x7fff_0000)), FrameRole::Return),
        place(FramePlace::Truncated, FrameRole::Return),
        place(
            FramePlace::Image(image, ImageOffset(0x20)),
            FrameRole::Executing,
        ),
    ]
    .map(|frame| writer.frame(frame));
    let file = writer.string(b"main.go");
    let functions = [&b"main.inner"[..], b"main.outer"].map(|name| {
        let name = writer.string(name);
        writer.function(Function { name, file })
    });
    let location = |at: usize, line| Location {
        function: functions[at],
        line,
    };
    for (frame, names) in [
        (frames[0], Err(Unnamed::Kernel)),
        (frames[1], Ok(vec![location(0, 9), location(1, 21)])),
        (frames[4], Ok(vec![location(1, 3)])),
    ] {
        writer.symbol(FrameSymbol { frame, names }).unwrap();
    }
    [writer.stack(&frames[4..]), writer.stack(&frames[..4])]
}

/// A program that ran, with a thread, a mapping, and some samples.
fn program(writer: &mut Writer, number: u32, image: ImageId, stacks: [StackId; 2]) {
    let start = Nanos(u64::from(number) * 1_000_000);
    let id = ProcessId(number);
    let exe = writer.string(b"/go/pkg/tool/compile");
    let package = writer.string(format!("example.com/p{number}").as_bytes());
    let name = writer.string(b"compile");
    let process = Process {
        id,
        pid: Pid(100 + number),
        parent: number.checked_sub(1).map(ProcessId),
        predecessor: (number == 2).then_some(ProcessId(1)),
        start,
        exec_at: Nanos(start.0 + 1),
        exec: Exec {
            argv: vec![name, package, writer.string(b"\xff\n"), StringId::EMPTY],
            argv_truncated: number == 1,
            cwd: writer.string(b"/src"),
            exe,
            package,
            arch: Arch::X86,
            translator: writer.string(b"qemu"),
        },
        exit: None,
        counts: None,
        own: number == 3,
    };
    writer.record(Record::ProcessStarted(process)).unwrap();
    let mapping = Mapping {
        time: Nanos(start.0 + 2),
        process: id,
        image,
        start: Avma(0x40_0000),
        end: Avma(0x48_0000),
        offset: ImageOffset(0x1000),
    };
    writer.record(Record::Mapping(mapping)).unwrap();
    for nth in 0..5_u32 {
        let sample = Sample {
            time: Nanos(start.0 + 10 + u64::from(nth) * 100),
            process: id,
            tid: Tid(100 + number + nth % 2),
            goroutine: (nth % 2 == 0).then_some(Goid(17 + u64::from(number))),
            stack: stacks[usize::from(nth == 3)],
            weight: Nanos(5_000_000 + u64::from(nth)),
            kind: if nth == 4 {
                SampleKind::OffCpu
            } else {
                SampleKind::OnCpu
            },
            place: if nth == 3 {
                SamplePlace::Kernel
            } else {
                SamplePlace::User
            },
        };
        writer.sample(sample).unwrap();
    }
    let thread = Thread {
        process: id,
        tid: Tid(100 + number),
        start,
        end: (number != 3).then_some(Nanos(start.0 + 900)),
        name,
        cpu: Nanos(700),
        runqueue: Nanos(30),
    };
    writer.record(Record::Thread(thread)).unwrap();
    let status = [
        ExitStatus::Code(-2),
        ExitStatus::Replaced,
        ExitStatus::Signal(9),
        ExitStatus::Unknown,
    ][number as usize];
    writer
        .record(Record::ProcessEnded(id, exit(start, status)))
        .unwrap();
}

fn exit(start: Nanos, status: ExitStatus) -> Exit {
    Exit {
        at: Nanos(start.0 + 1_000),
        status,
        usage: Usage {
            user: Nanos(1),
            system: Nanos(2),
            runqueue: Nanos(3),
            max_rss_bytes: 4,
            minor_faults: 5,
            major_faults: 6,
            read_bytes: 7,
            written_bytes: 8,
            voluntary_switches: 9,
            involuntary_switches: 10,
            forks_folded: 11,
        },
    }
}

fn build(writer: &mut Writer, stack: StackId) {
    let package = writer.string(b"example.com/p1");
    let action = Action {
        graph: 1,
        go: Some(ProcessId(0)),
        number: 7,
        mode: writer.string(b"build"),
        package,
        target: writer.string(b"p1.a"),
        objdir: writer.string(b"$WORK/b007"),
        failed: true,
        deps: vec![1, 0, 900],
        ready: Some(Nanos(5)),
        start: Some(Nanos(6)),
        done: None,
        need_build: true,
        action_id: writer.string(b"abc/def"),
        build_id: writer.string(b"def/ghi"),
        commands: vec![writer.string(b"compile -p example.com/p1")],
    };
    let imports = Imports {
        process: ProcessId(1),
        packages: vec![writer.string(b"fmt"), package],
    };
    let profile = ProfileSample {
        process: ProcessId(1),
        stack,
        weight: Nanos(10_000_000),
    };
    writer.record(Record::Action(action)).unwrap();
    writer.record(Record::Imports(imports)).unwrap();
    writer.record(Record::Profile(profile)).unwrap();
}

fn ending(writer: &mut Writer) {
    let [what, why, name] =
        [&b"samples"[..], b"ring buffer full", b"load"].map(|string| writer.string(string));
    let loss = Loss {
        from: Nanos(50),
        to: Nanos(60),
        what,
        count: 3,
        why,
    };
    let spot = BlindSpot {
        time: Nanos(70),
        what,
        why,
    };
    let counter = Counter {
        time: Nanos(80),
        name,
        value: -150,
    };
    let ending = Ending {
        command_end: Nanos(4_000_000),
        status: Some(ExitStatus::Code(1)),
        own_cpu: Nanos(123),
        own_max_rss_bytes: 456,
        kernel_cpu: Some(Nanos(7)),
    };
    for record in [
        Record::Loss(loss),
        Record::BlindSpot(spot),
        Record::Counter(counter),
        Record::Ending(ending),
    ] {
        writer.record(record).unwrap();
    }
}

/// All that a trace says but what was wrong with its file, a line each.
pub(crate) fn told(trace: &Trace) -> Vec<String> {
    fn rows<T: Debug>(lines: &mut Vec<String>, name: &str, rows: &[T]) {
        lines.extend(rows.iter().map(|row| format!("{name} {row:?}")));
    }
    let mut lines = vec![
        format!("{:?}", trace.anchor),
        format!("{:?} {:?}", trace.host, trace.ending),
    ];
    let texts = (0..trace.strings.len()).map(|id| trace.text(StringId(id as u32)).into_owned());
    rows(&mut lines, "string", &texts.collect::<Vec<_>>());
    rows(&mut lines, "toolchain", &trace.toolchains);
    rows(&mut lines, "setting", &trace.settings);
    rows(&mut lines, "process", &trace.processes);
    rows(&mut lines, "thread", &trace.threads);
    rows(&mut lines, "image", &trace.images);
    rows(&mut lines, "mapping", &trace.mappings);
    rows(&mut lines, "unmapping", &trace.unmappings);
    rows(&mut lines, "frame", &trace.frames);
    rows(&mut lines, "function", &trace.functions);
    rows(&mut lines, "symbol", &trace.symbols);
    rows(&mut lines, "profile", &trace.profiles);
    rows(&mut lines, "action", &trace.actions);
    rows(&mut lines, "imports", &trace.imports);
    rows(&mut lines, "counter", &trace.counters);
    rows(&mut lines, "loss", &trace.losses);
    rows(&mut lines, "blind spot", &trace.blind_spots);
    rows(&mut lines, "finding", &trace.findings);
    rows(&mut lines, "probe", &trace.probes);
    rows(&mut lines, "dropped probe", &trace.dropped_probes);
    rows(&mut lines, "interpreter", &trace.interpreters);
    rows(&mut lines, "load", &trace.loads);
    rows(&mut lines, "unload", &trace.unloads);
    rows(&mut lines, "linking", &trace.linkings);
    rows(&mut lines, "search", &trace.searches);
    rows(&mut lines, "needs", &trace.needs);
    let blocks = trace.bindings().map(Result::unwrap);
    let binds = blocks.flat_map(|block| block.iter().collect::<Vec<_>>());
    rows(&mut lines, "binding", &binds.collect::<Vec<_>>());
    let blocks = trace.calls().map(Result::unwrap);
    let calls = blocks.flat_map(|block| block.iter().collect::<Vec<_>>());
    rows(&mut lines, "call", &calls.collect::<Vec<_>>());
    let blocks = trace.call_trees().map(Result::unwrap);
    let trees = blocks.flat_map(|block| block.iter().collect::<Vec<_>>());
    rows(&mut lines, "call tree", &trees.collect::<Vec<_>>());
    rows(&mut lines, "sample", &samples(trace));
    lines
}

/// Every sample, with the frames of its stack.
pub(crate) fn samples(trace: &Trace) -> Vec<String> {
    trace
        .samples()
        .flat_map(|block| block.unwrap().iter().collect::<Vec<_>>())
        .map(|sample| {
            let frames = trace.stacks.frames(sample.stack);
            let frames: Vec<_> = frames.map(|id| trace.frames[id.index()]).collect();
            format!("{sample:?} {frames:?}")
        })
        .collect()
}
