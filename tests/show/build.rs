//! A small build on file: everything in it is a round number.
//!
//! ```text
//! ms     0    60  100       300             700         950 1000
//! go     ├─────────────────────────────────────────────────┤   100 ms of CPU
//! m/a            ·  ├────────┤                                  210 ms; ready at 60
//! m/b                         ├───────────────┤                 500 ms
//! m/cmd                                        ├──────────┤     190 ms, a link
//! ```

use gotrace::trace::file::Writer;
use gotrace::trace::{
    Action, Arch, BlindSpot, CallTreeRow, ClockAnchor, Ending, Exec, Exit, ExitStatus, Frame,
    FramePlace, FrameRole, FrameSymbol, Function, Host, Image, ImageOffset, Location, Loss, Nanos,
    Pid, Probe, ProbeId, Process, ProcessId, Record, Sample, SampleKind, SamplePlace, Setting, Tid,
    Toolchain, Usage,
};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

const fn ms(millis: u64) -> Nanos {
    Nanos(millis * 1_000_000)
}

/// A program: command line, life, CPU and peak memory in MiB.
type Program = (&'static [&'static str], [u64; 2], u64, u64);

const COMPILE: &str = "/go/pkg/tool/linux_amd64/compile";
const PROGRAMS: [Program; 4] = [
    (&["/go/bin/go", "build", "./..."], [0, 1_000], 100, 32),
    (
        &[COMPILE, "-p", "m/a", "-o", "/tmp/go-build1/b003/_pkg_.a"],
        [100, 300],
        210,
        64,
    ),
    (
        &[COMPILE, "-p", "m/b", "-o", "/tmp/go-build1/b002/_pkg_.a"],
        [300, 700],
        500,
        128,
    ),
    (
        &[
            "/go/pkg/tool/linux_amd64/link",
            "-o",
            "/tmp/go-build1/b001/exe/a.out",
        ],
        [700, 950],
        190,
        256,
    ),
];

/// Number, mode, package, dependencies; ready, start and done.
type Step = (u32, &'static str, &'static str, &'static [u32], [u64; 3]);

const STEPS: [Step; 3] = [
    (0, "link", "m/cmd", &[1], [700, 700, 950]),
    (1, "build", "m/b", &[2], [300, 300, 700]),
    (2, "build", "m/a", &[], [60, 100, 300]),
];

/// Records the build; `ended` says whether its recorder lived to its end. Seven samples are lost.
pub(crate) fn record(folder: &Path, ended: bool) -> PathBuf {
    let path = folder.join("build.gotrace");
    let mut writer = Writer::create(&path, ClockAnchor::default()).unwrap();
    lose(&mut writer);
    write(writer, ended);
    path
}

/// Records the build, and nothing is lost.
pub(crate) fn record_all(folder: &Path) -> PathBuf {
    let path = folder.join("all.gotrace");
    write(Writer::create(&path, ClockAnchor::default()).unwrap(), true);
    path
}

/// Records the build with other samples than [`SAMPLED`], and nothing is lost.
pub(crate) fn record_samples(path: &Path, sampled: &[(u32, usize, u64)]) {
    let writer = Writer::create(path, ClockAnchor::default()).unwrap();
    write_as(writer, true, 0, sampled);
}

/// Records the build under a setting, and nothing is lost.
pub(crate) fn record_under(path: &Path, key: &str, value: &str) {
    let mut writer = Writer::create(path, ClockAnchor::default()).unwrap();
    let setting = Setting {
        key: writer.string(key.as_bytes()),
        value: writer.string(value.as_bytes()),
        source: writer.string(b"environment"),
    };
    writer.record(Record::Setting(setting)).unwrap();
    write(writer, true);
}

/// A watched function: name, and in how many places its exits are seen.
pub(crate) type Watched = (&'static str, u32);

/// Records the build with functions that were watched, whose calls were added up in such trees, and nothing is lost.
pub(crate) fn record_trees(path: &Path, watched: &[Watched], trees: &[CallTreeRow]) {
    let mut writer = Writer::create(path, ClockAnchor::default()).unwrap();
    let setting = Setting {
        key: writer.string(b"call_mode"),
        value: writer.string(b"aggregate"),
        source: writer.string(b"flag"),
    };
    writer.record(Record::Setting(setting)).unwrap();
    let spot = BlindSpot {
        time: ms(0),
        what: writer.string(b"calls of 12 functions in /bin/m (runtime.x, ...)"),
        why: writer.string(b"they are the runtime's"),
    };
    writer.record(Record::BlindSpot(spot)).unwrap();
    let image = Image {
        path: writer.string(COMPILE.as_bytes()),
        ..Image::default()
    };
    let image = writer.image(&image);
    for (id, (name, exits)) in (0..).zip(watched) {
        let probe = Probe {
            id: ProbeId(id),
            image,
            function: writer.string(name.as_bytes()),
            exits: *exits,
            entry_cost: Nanos(17),
            exit_cost: Nanos(17),
            ..Probe::default()
        };
        writer.record(Record::Probe(probe)).unwrap();
    }
    writer.call_tree(trees, ms(100), ms(700)).unwrap();
    write(writer, true);
}

/// Records the build as one of several: `m/b` uses so many milliseconds of CPU more.
pub(crate) fn record_slower(path: &Path, slower: u64) {
    static RECORDED: AtomicU64 = AtomicU64::new(1_800_000_000_000_000_000);
    let anchor = ClockAnchor {
        monotonic_ns: 1,
        unix_ns: RECORDED.fetch_add(1, Ordering::Relaxed),
    };
    let writer = Writer::create(path, anchor).unwrap();
    write_as(writer, true, slower, &SAMPLED);
}

fn write(writer: Writer, ended: bool) {
    write_as(writer, ended, 0, &SAMPLED);
}

fn write_as(mut writer: Writer, ended: bool, slower: u64, sampled: &[(u32, usize, u64)]) {
    machine(&mut writer);
    for (id, program) in (0..).zip(PROGRAMS) {
        start(&mut writer, id, program);
    }
    for step in STEPS {
        act(&mut writer, step);
    }
    sample(&mut writer, sampled);
    for (id, (_, [_, end], cpu, memory)) in (0..).zip(PROGRAMS) {
        let slower = if id == 2 { slower } else { 0 };
        let exit = Exit {
            at: ms(end),
            status: ExitStatus::Code(0),
            usage: Usage {
                user: ms(cpu + slower),
                max_rss_bytes: memory << 20,
                ..Usage::default()
            },
        };
        let record = Record::ProcessEnded(ProcessId(id), exit);
        writer.record(record).unwrap();
    }
    if ended {
        let ending = Ending {
            command_end: ms(1_000),
            status: Some(ExitStatus::Code(0)),
            own_cpu: ms(8),
            own_max_rss_bytes: 24 << 20,
            kernel_cpu: Some(ms(4)),
        };
        writer.record(Record::Ending(ending)).unwrap();
    }
    writer.finish().unwrap();
}

fn machine(writer: &mut Writer) {
    let host = Host {
        arch: Arch::Amd64,
        cores: 4,
        ..Host::default()
    };
    writer.record(Record::Host(host)).unwrap();
    let toolchain = Toolchain {
        path: writer.string(b"/go/bin/go"),
        version: writer.string(b"go1.27.3"),
        arch: Arch::Amd64,
        ..Toolchain::default()
    };
    writer.record(Record::Toolchain(toolchain)).unwrap();
}

fn lose(writer: &mut Writer) {
    let loss = Loss {
        from: ms(400),
        to: ms(420),
        what: writer.string(b"samples"),
        count: 7,
        why: writer.string(b"the ring buffer was full"),
    };
    writer.record(Record::Loss(loss)).unwrap();
}

fn start(writer: &mut Writer, id: u32, (argv, [start, _], ..): Program) {
    let argv: Vec<_> = argv
        .iter()
        .map(|word| writer.string(word.as_bytes()))
        .collect();
    let process = Process {
        id: ProcessId(id),
        pid: Pid(100 + id),
        parent: (id > 0).then_some(ProcessId(0)),
        start: ms(start),
        exec_at: ms(start),
        exec: Exec {
            exe: argv[0],
            argv,
            arch: Arch::Amd64,
            ..Exec::default()
        },
        ..Process::default()
    };
    writer.record(Record::ProcessStarted(process)).unwrap();
}

fn act(writer: &mut Writer, (number, mode, package, deps, [ready, start, done]): Step) {
    let action = Action {
        go: Some(ProcessId(0)),
        number,
        mode: writer.string(mode.as_bytes()),
        package: writer.string(package.as_bytes()),
        objdir: writer.string(format!("/tmp/go-build1/b{:03}/", number + 1).as_bytes()),
        deps: deps.to_vec(),
        ready: Some(ms(ready)),
        start: Some(ms(start)),
        done: Some(ms(done)),
        need_build: true,
        ..Action::default()
    };
    writer.record(Record::Action(action)).unwrap();
}

/// The function that each stack of [`SAMPLED`] ends in, and its callers from the root.
pub(crate) const FUNCTIONS: [&str; 4] = [
    "runtime.goexit",
    "main.main",
    "cmd/compile/internal/ssa.Compile",
    "runtime.memmove",
];
/// Process, depth of the stack, and number of samples of 10 ms: 40 in all.
pub(crate) const SAMPLED: [(u32, usize, u64); 3] = [(1, 3, 10), (2, 3, 20), (2, 4, 10)];

fn sample(writer: &mut Writer, sampled: &[(u32, usize, u64)]) {
    let path = writer.string(COMPILE.as_bytes());
    let image = writer.image(&Image {
        path,
        arch: Arch::Amd64,
        ..Image::default()
    });
    let frames: Vec<_> = (1_u64..)
        .zip(FUNCTIONS)
        .map(|(at, name)| {
            let frame = writer.frame(Frame {
                place: FramePlace::Image(image, ImageOffset(at * 0x1000)),
                role: FrameRole::Executing,
            });
            let name = writer.string(name.as_bytes());
            let function = writer.function(Function {
                name,
                ..Function::default()
            });
            let location = Location { function, line: 1 };
            let symbol = FrameSymbol {
                frame,
                names: Ok(vec![location]),
            };
            writer.symbol(symbol).unwrap();
            frame
        })
        .collect();
    for &(process, depth, count) in sampled {
        let innermost_first: Vec<_> = frames[..depth].iter().rev().copied().collect();
        let stack = writer.stack(&innermost_first);
        for number in 0..count {
            let begin = PROGRAMS[process as usize].1[0];
            let sample = Sample {
                time: ms(begin + 10 * number),
                process: ProcessId(process),
                tid: Tid(100 + process),
                goroutine: None,
                stack,
                weight: ms(10),
                kind: SampleKind::OnCpu,
                place: SamplePlace::User,
            };
            writer.sample(sample).unwrap();
        }
    }
}

/// What `gotrace WORDS TRACE` prints on a pipe that is taken to be so wide.
pub(crate) fn gotrace(words: &[&str], trace: &Path, columns: usize) -> String {
    let (code, printed, complaint) = run(words, trace, columns);
    assert_eq!(code, Some(0), "{words:?}: {complaint}");
    printed
}

/// The exit code of `gotrace WORDS TRACE`, its standard output, and its standard error.
pub(crate) fn run(words: &[&str], trace: &Path, columns: usize) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(words)
        .arg(trace)
        .env("COLUMNS", columns.to_string())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}
