//! A small build in memory, its values set by hand, with names that no format likes.

use gotrace::trace::{
    Action, Arch, Argument, ArgumentKind, Avma, BlindSpot, CallEdge, CallEvent, CallTreeRow,
    ClockAnchor, Counter, Ending, Exec, Exit, ExitStatus, Finding, Frame, FrameId, FramePlace,
    FrameRole, Function, FunctionId, Goid, Image, ImageId, ImageKind, ImageOffset, Imports,
    Location, Loss, Mapping, Nanos, PhaseLasts, PhaseMark, Pid, Probe, ProbeDropped, ProbeId,
    Process, ProcessId, ProcessorCounts, ProfileSample, Sample, SampleKind, SamplePlace, Setting,
    Severity, StackId, StackOwner, StringId, Thread, Tid, Toolchain, Trace, Unmapping, Unnamed,
    Usage,
};

/// `CLOCK_MONOTONIC` where the trace starts.
pub(crate) const MONOTONIC_NS: u64 = 5_000_000_000;
/// Quotes, backslash, line break, control character, brackets, and bytes that are no UTF-8.
pub(crate) const HOSTILE: &[u8] = b"a\"b'\\\n\x01;{}<>&\xff\xfe\xc3(";
/// Length of the longest argument.
pub(crate) const LONG: usize = 100_000;
/// The name of a generic Go function, with what folded stacks use as separators.
pub(crate) const GENERIC: &str = "m/b.Sum[go.shape.struct { A int; B string }]";

pub(crate) const fn ms(millis: u64) -> Nanos {
    Nanos(millis * 1_000_000)
}

fn text(trace: &mut Trace, bytes: impl AsRef<[u8]>) -> StringId {
    match bytes.as_ref() {
        b"" => StringId::EMPTY,
        bytes => trace
            .strings
            .find(bytes)
            .unwrap_or_else(|| trace.strings.push(bytes)),
    }
}

fn texts(trace: &mut Trace, all: &[&[u8]]) -> Vec<StringId> {
    all.iter().map(|bytes| text(trace, bytes)).collect()
}

/// `go build ./...`: `m/a`, then `m/b`, then the link of `m/cmd`, which calls gcc by a shell;
/// `fmt` was cached. All times are milliseconds.
pub(crate) fn trace() -> Trace {
    let mut trace = without_binds();
    super::linking::add(&mut trace);
    trace
}

/// The same before anything of dynamic linking was told of.
pub(crate) fn without_binds() -> Trace {
    let mut trace = Trace::default();
    trace.anchor = ClockAnchor {
        monotonic_ns: MONOTONIC_NS,
        unix_ns: 1_700_000_000_000_000_000,
    };
    context(&mut trace);
    processes(&mut trace);
    actions(&mut trace);
    stacks(&mut trace);
    samples(&mut trace);
    trace
}

fn context(trace: &mut Trace) {
    trace.host.os = text(trace, "linux 6.1.0");
    trace.host.distribution = text(trace, "a distribution");
    trace.host.cpu = text(trace, "a processor");
    trace.host.arch = Arch::Amd64;
    trace.host.cores = 2;
    trace.host.memory_bytes = 8 << 30;
    trace.host.gotrace = text(trace, "0.1.0");
    let toolchain = Toolchain {
        path: text(trace, "/go/bin/go"),
        version: text(trace, "go1.27.3"),
        arch: Arch::Amd64,
        translator: StringId::EMPTY,
        goroot: text(trace, "/go"),
    };
    let translated = Toolchain {
        translator: text(trace, "qemu-aarch64"),
        arch: Arch::Arm64,
        ..toolchain.clone()
    };
    trace.toolchains.extend([toolchain, translated]);
    let setting = Setting {
        key: text(trace, "backend"),
        value: text(trace, "bpf"),
        source: text(trace, "default"),
    };
    trace.settings.push(setting);
    let loss = Loss {
        from: ms(400),
        to: ms(420),
        what: text(trace, "samples"),
        count: 7,
        why: text(trace, "the ring buffer was full"),
    };
    trace.losses.push(loss);
    for (severity, words) in [
        (Severity::Note, "this is a container"),
        (Severity::Warning, "no key of GODEBUG is called nosuchkey"),
    ] {
        let finding = Finding {
            check: text(trace, "godebug"),
            severity,
            text: text(trace, words),
            evidence: text(trace, "GODEBUG=nosuchkey=1"),
            remedy: text(trace, "unset GODEBUG"),
        };
        trace.findings.push(finding);
    }
    let spot = BlindSpot {
        time: ms(500),
        what: text(trace, "an action graph"),
        why: text(trace, "it was overwritten"),
    };
    trace.blind_spots.push(spot);
    let name = text(trace, "gotrace_rss_bytes");
    for (time, value) in [(0, 10 << 20), (500, 12 << 20)] {
        trace.counters.push(Counter {
            time: ms(time),
            name,
            value,
        });
    }
    trace.ending = Some(Ending {
        command_end: ms(1_000),
        status: Some(ExitStatus::Code(0)),
        own_cpu: ms(12),
        own_max_rss_bytes: 12 << 20,
        kernel_cpu: Some(ms(3)),
    });
}

/// What the processor counted of the go command.
pub(crate) const COUNTS: ProcessorCounts = ProcessorCounts {
    instructions: 9_000_000_000,
    cycles: 6_000_000_000,
    performance_core_instructions: 7_000_000_000,
    performance_core_cycles: 4_500_000_000,
    energy_nj: 12_500_000,
};

struct Program<'a> {
    pid: u32,
    parent: Option<u32>,
    life: (u64, u64),
    cpu: (u64, u64),
    status: ExitStatus,
    argv: Vec<&'a [u8]>,
}

fn program(pid: u32, life: (u64, u64), cpu: (u64, u64), argv: Vec<&[u8]>) -> Program<'_> {
    Program {
        pid,
        parent: Some(0),
        life,
        cpu,
        status: ExitStatus::Code(0),
        argv,
    }
}

fn add(trace: &mut Trace, program: &Program<'_>) -> ProcessId {
    let id = ProcessId(u32::try_from(trace.processes.len()).unwrap());
    let argv = texts(trace, &program.argv);
    let exec = Exec {
        exe: argv[0],
        argv,
        cwd: text(trace, "/src/m"),
        arch: Arch::Amd64,
        ..Exec::default()
    };
    trace.processes.push(Process {
        id,
        pid: Pid(program.pid),
        parent: program.parent.map(ProcessId),
        start: ms(program.life.0),
        exec_at: ms(program.life.0),
        exec,
        exit: Some(Exit {
            at: ms(program.life.1),
            status: program.status,
            usage: Usage {
                user: ms(program.cpu.0),
                system: ms(program.cpu.1),
                max_rss_bytes: 64 << 20,
                ..Usage::default()
            },
        }),
        counts: (program.pid == 100).then_some(COUNTS),
        ..Process::default()
    });
    let name = text(trace, "main thread");
    trace.threads.push(Thread {
        process: id,
        tid: Tid(program.pid),
        start: ms(program.life.0),
        end: Some(ms(program.life.1)),
        name,
        cpu: ms(program.cpu.0 + program.cpu.1),
        runqueue: Nanos::ZERO,
    });
    id
}

fn processes(trace: &mut Trace) {
    let compile: &[u8] = b"/go/pkg/tool/linux_amd64/compile";
    let long = vec![b'x'; LONG];
    let (out_a, out_b): (&[u8], &[u8]) = (
        b"/tmp/go-build1/b003/_pkg_.a",
        b"/tmp/go-build1/b002/_pkg_.a",
    );
    let link: &[u8] = b"/go/pkg/tool/linux_amd64/link";
    let a_out: &[u8] = b"/tmp/go-build1/b001/exe/a.out";
    let programs = [
        Program {
            parent: None,
            ..program(
                100,
                (0, 1_000),
                (50, 10),
                vec![b"/go/bin/go", b"build", b"./..."],
            )
        },
        program(
            101,
            (100, 300),
            (180, 10),
            vec![compile, b"-p", b"m/a", b"-o", out_a],
        ),
        program(
            102,
            (300, 700),
            (350, 20),
            vec![compile, b"-p", b"m/b", b"-o", out_b, HOSTILE, &long],
        ),
        program(103, (90, 100), (5, 5), vec![b"/bin/gotrace", b"toolexec"]),
        program(104, (700, 950), (100, 20), vec![link, b"-o", a_out]),
        Program {
            parent: Some(4),
            status: ExitStatus::Replaced,
            ..program(
                105,
                (720, 730),
                (1, 1),
                vec![b"/bin/sh", b"-c", b"exec gcc"],
            )
        },
        Program {
            parent: Some(4),
            status: ExitStatus::Signal(9),
            ..program(
                105,
                (730, 900),
                (90, 30),
                vec![b"/usr/bin/gcc", b"-o", b"a.out"],
            )
        },
    ];
    for program in &programs {
        add(trace, program);
    }
    trace.processes[3].own = true;
    trace.processes[6].predecessor = Some(ProcessId(5));
    trace.processes[6].exec.translator = text(trace, "qemu-aarch64");
    trace.processes[6].exec.package = text(trace, "m/cmd");
    let imports = Imports {
        process: ProcessId(2),
        packages: texts(trace, &[b"m/a", b"fmt"]),
    };
    trace.imports.push(imports);
}

fn actions(trace: &mut Trace) {
    let mut add = |number: u32, mode: &str, package: &str, deps: &[u32], times: [u64; 3]| {
        let [ready, start, done] = times;
        let action = Action {
            go: Some(ProcessId(0)),
            number,
            mode: text(trace, mode),
            package: text(trace, package),
            objdir: text(trace, format!("/tmp/go-build1/b00{}/", number + 1)),
            deps: deps.to_vec(),
            ready: Some(ms(ready)),
            start: Some(ms(start)),
            done: Some(ms(done)),
            need_build: package != "fmt",
            ..Action::default()
        };
        trace.actions.push(action);
    };
    add(0, "link", "m/cmd", &[1], [700, 700, 950]);
    add(1, "build", "m/b", &[2, 3], [300, 300, 700]);
    add(2, "build", "m/a", &[3], [60, 100, 300]);
    add(3, "build", "fmt", &[], [50, 50, 60]);
}

/// The link made a test binary, which ran for 40 ms.
pub(crate) fn add_test_run(trace: &mut Trace) {
    let action = Action {
        go: Some(ProcessId(0)),
        number: 4,
        mode: text(trace, "test run"),
        package: text(trace, "m/cmd"),
        deps: vec![0],
        ready: Some(ms(950)),
        start: Some(ms(950)),
        done: Some(ms(990)),
        need_build: true,
        ..Action::default()
    };
    trace.actions.push(action);
}

fn stacks(trace: &mut Trace) {
    let image = Image {
        path: text(trace, "/go/pkg/tool/linux_amd64/compile"),
        build_id: vec![0xab, 0xcd],
        arch: Arch::Amd64,
        kind: ImageKind::File,
    };
    trace.images.push(image);
    trace.mappings.push(Mapping {
        time: ms(101),
        process: ProcessId(1),
        image: ImageId(0),
        start: Avma(0x40_0000),
        end: Avma(0x80_0000),
        offset: ImageOffset(0x1000),
    });
    trace.unmappings.push(Unmapping {
        time: ms(290),
        process: ProcessId(1),
        image: ImageId(0),
        start: Avma(0x40_0000),
    });
    for (name, file) in [
        ("runtime.goexit", "/go/src/runtime/asm_amd64.s"),
        ("main.main", "/go/src/cmd/compile/main.go"),
        (GENERIC, "/src/m/b/sum.go"),
        ("m/b.add", "/src/m/b/sum.go"),
    ] {
        let function = Function {
            name: text(trace, name),
            file: text(trace, file),
        };
        trace.functions.push(function);
    }
    let at = |function, line| Location {
        function: FunctionId(function),
        line,
    };
    let image = |offset| FramePlace::Image(ImageId(0), ImageOffset(offset));
    let frames = [
        (image(0x1010), Ok(vec![at(0, 1)])),
        (image(0x2020), Ok(vec![at(1, 20)])),
        // `add` was inlined into the generic function.
        (image(0x3030), Ok(vec![at(3, 4), at(2, 9)])),
        (image(0x4040), Err(Unnamed::NoSymbol)),
        (
            FramePlace::Kernel(Avma(0xffff_ffff_8100_0000)),
            Err(Unnamed::Kernel),
        ),
        (FramePlace::Truncated, Err(Unnamed::Truncated)),
    ];
    for (place, symbol) in frames {
        let role = match place {
            FramePlace::Image(_, ImageOffset(0x2020)) => FrameRole::Return,
            _ => FrameRole::Executing,
        };
        trace.frames.push(Frame { place, role });
        trace.symbols.push(symbol);
    }
    let mut push = |callers, frame| trace.stacks.push(StackId(callers), FrameId(frame)).unwrap();
    assert_eq!(push(0, 0), StackId(1)); // goexit
    push(1, 1); // 2: goexit, main
    push(2, 2); // 3: goexit, main, Sum, add
    push(2, 3); // 4: goexit, main, [no symbol]
    push(3, 4); // 5: goexit, main, Sum, add, [kernel]
    push(0, 5); // 6: [truncated]
    push(6, 2); // 7: [truncated], Sum, add
}

/// What samples must look like in every format: process, stack with the outermost name first,
/// milliseconds, and whether it ran.
pub(crate) const SAMPLES: [(u32, &[&str], u64, bool); 7] = [
    (100, &[], 10, true),
    (101, &["runtime.goexit", "main.main"], 10, true),
    (
        102,
        &["runtime.goexit", "main.main", GENERIC, "m/b.add"],
        10,
        true,
    ),
    (
        102,
        &["runtime.goexit", "main.main", "[no symbol: compile]"],
        10,
        true,
    ),
    (
        102,
        &[
            "runtime.goexit",
            "main.main",
            GENERIC,
            "m/b.add",
            "[kernel]",
        ],
        10,
        true,
    ),
    (102, &["[truncated]", GENERIC, "m/b.add"], 20, true),
    (100, &["runtime.goexit", "main.main"], 150, false),
];

fn samples(trace: &mut Trace) {
    let sample = |time, process, pid, stack, weight| Sample {
        time: ms(time),
        process: ProcessId(process),
        tid: Tid(pid),
        goroutine: Some(Goid(1)),
        stack: StackId(stack),
        weight: ms(weight),
        kind: SampleKind::OnCpu,
        place: SamplePlace::User,
    };
    trace.push_samples(&[
        sample(20, 0, 100, 0, 10),
        sample(110, 1, 101, 2, 10),
        sample(310, 2, 102, 3, 10),
    ]);
    trace.push_samples(&[
        sample(320, 2, 102, 4, 10),
        Sample {
            place: SamplePlace::Kernel,
            goroutine: None,
            ..sample(330, 2, 102, 5, 10)
        },
        sample(350, 2, 102, 7, 20),
        Sample {
            kind: SampleKind::OffCpu,
            ..sample(690, 0, 100, 2, 150)
        },
        // gotrace's own shim is in no total of any view.
        sample(95, 3, 103, 2, 10),
    ]);
    trace.profiles.push(ProfileSample {
        process: ProcessId(1),
        stack: StackId(3),
        weight: ms(40),
    });
    calls(trace);
}

/// A probe of each kind, and calls in the compile: `ssa.Compile` on goroutine 5, which runs, then
/// waits; on goroutine 6 one whose frame was taken away, and one that never returned.
fn calls(trace: &mut Trace) {
    probes(trace);
    let why = "9.0 % of the command's CPU time, the limit is 4 %";
    let why = trace.strings.push(why.as_bytes());
    trace.dropped_probes.push(ProbeDropped {
        probe: ProbeId(1),
        at: ms(200),
        hits: 12,
        unrecorded: 3,
        why,
    });
    let argument = Argument::Text(trace.strings.push(b"main.main"));
    let at = |millis: u64, probe: u32| CallEvent {
        time: ms(millis),
        process: ProcessId(1),
        tid: Tid(101),
        stack: StackOwner::Goroutine(Goid(5)),
        probe: ProbeId(probe),
        edge: CallEdge::Entry,
        depth: 720,
        argument: None,
    };
    let exit = |millis, probe| CallEvent {
        edge: CallEdge::Exit,
        ..at(millis, probe)
    };
    let state = |millis, probe| CallEvent {
        stack: StackOwner::System(Some(Goid(5))),
        ..at(millis, probe)
    };
    let on_six = |event, depth| CallEvent {
        stack: StackOwner::Goroutine(Goid(6)),
        depth,
        ..event
    };
    trace.push_calls(&[
        state(105, 2),
        at(110, 1),
        CallEvent {
            argument: Some(argument),
            ..at(110, 0)
        },
        CallEvent {
            tid: Tid(102),
            ..exit(130, 0)
        },
        CallEvent {
            argument: Some(Argument::Integer(u64::MAX)),
            ..at(135, 0)
        },
        state(140, 3),
        exit(150, 0),
        on_six(at(160, 4), 100),
        on_six(at(165, 0), 200),
        on_six(exit(170, 4), 100),
        on_six(at(180, 4), 100),
    ]);
    let row = |level, probe, calls, micros| CallTreeRow {
        process: ProcessId(2),
        level,
        probe: ProbeId(probe),
        calls,
        open: 0,
        total: Nanos::from_micros(micros),
    };
    let open = CallTreeRow {
        open: 1,
        ..row(0, 4, 2, 9_000)
    };
    trace.push_call_trees(&[open, row(1, 0, 30, 6_000), row(2, 4, 60, 1_500)]);
}

fn probes(trace: &mut Trace) {
    let mut string = |text: &str| trace.strings.push(text.as_bytes());
    let probe = Probe {
        function: string("cmd/compile/internal/ssa.Compile"),
        file: string("cmd/compile/internal/ssa/compile.go"),
        instruction: string("push rbp"),
        entry: ImageOffset(0x1234),
        entry_cost: Nanos(1_000),
        ..Probe::default()
    };
    let named = Probe {
        exits: 2,
        exit_cost: Nanos(30_000),
        argument: ArgumentKind::Text,
        ..probe.clone()
    };
    let mut marking = |id: u32, set: &str, track: &str, phase: &str| Probe {
        id: ProbeId(id),
        set: string(set),
        phase: Some(PhaseMark {
            track: string(track),
            phase: string(phase),
            lasts: PhaseLasts::UntilNext,
            beside: track == "goroutine",
        }),
        ..probe.clone()
    };
    let marks = marking(1, "go-build", "compile", "ssa");
    let mut runs = marking(2, "sched", "goroutine", "running");
    let mut waits = marking(3, "sched", "goroutine", "waiting");
    runs.function = string("runtime.gogo");
    waits.function = string("runtime.park_m");
    let outer = Probe {
        id: ProbeId(4),
        function: string("main.outer"),
        exits: 1,
        ..probe
    };
    trace.probes = vec![named, marks, runs, waits, outer];
}
