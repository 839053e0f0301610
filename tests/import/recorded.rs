//! Real recordings, held to what `perf script` read of them: `tests/data/import/README.md`.

use crate::script::{self, Frame};
use crate::{imported, losses, samples};
use gotrace::trace::{Arch, ExitStatus, FramePlace, FrameRole, SampleKind, SamplePlace, Trace};

/// The clock's first reading, and the pids of the program, of its child that called exec, and of that
/// which did not: from `perf script --show-task-events`.
const RECORDINGS: [(&str, u64, [u32; 3]); 3] = [
    ("file", 24_417_821_487_653, [3_891, 3_892, 3_893]),
    ("pipe", 24_418_341_062_186, [3_907, 3_912, 3_913]),
    ("packed", 24_418_912_593_039, [3_918, 3_919, 3_923]),
];

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/data/import/{name}")).unwrap()
}

fn frames(trace: &Trace, stack: gotrace::trace::StackId) -> Vec<(u64, String, FrameRole)> {
    let frames = trace
        .stacks
        .frames(stack)
        .map(|id| trace.frames[id.index()]);
    let shown = frames.map(|frame| match frame.place {
        FramePlace::Image(image, offset) => {
            let path = trace.images[image.index()].path;
            (offset.0, trace.text(path).into_owned(), frame.role)
        }
        other => panic!("{other:?}"),
    });
    shown.collect()
}

#[test]
fn samples_are_those_that_perf_reads() {
    for (name, begin, [main, exec, fork]) in RECORDINGS {
        let trace = imported(&data(&format!("{name}.data"))).unwrap();
        let text = String::from_utf8(data(&format!("{name}.script"))).unwrap();
        let expected = script::read(&text);
        let found = samples(&trace);
        assert!(found.len() >= 30 && found.len() == expected.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.time.0 + begin, expected.time, "{name}");
            assert_eq!(found.weight.0, expected.period, "{name}");
            assert_eq!(found.tid.0, expected.tid, "{name}");
            // A fork that calls no exec is its parent.
            let pid = if expected.pid == fork {
                main
            } else {
                expected.pid
            };
            assert_eq!(trace.process(found.process).unwrap().pid.0, pid, "{name}");
            assert_eq!(found.kind, SampleKind::OnCpu);
            let in_kernel = expected.frames[0].file.starts_with("[kernel");
            assert_eq!(found.place == SamplePlace::Kernel, in_kernel, "{name}");
            let frames = frames(&trace, found.stack);
            let places: Vec<(u64, &str)> =
                frames.iter().map(|(at, file, _)| (*at, &**file)).collect();
            let of = |frame: &&Frame| (frame.offset, frame.file.clone());
            let expected: Vec<(u64, String)> = expected.user().iter().map(of).collect();
            let expected: Vec<(u64, &str)> =
                expected.iter().map(|(at, file)| (*at, &**file)).collect();
            assert_eq!(places, expected, "{name}");
            let roles: Vec<FrameRole> = frames.iter().map(|(.., role)| *role).collect();
            assert_eq!(roles[0], FrameRole::Executing);
            assert!(roles[1..].iter().all(|role| *role == FrameRole::Return));
        }
        for pid in [main, exec, fork] {
            assert!(
                expected.iter().any(|sample| sample.pid == pid),
                "{name}: none of {pid}"
            );
        }
    }
}

#[test]
fn programs_are_those_of_the_execs() {
    // From `perf script --show-task-events`, too: exec, fork, exec and exit of the file.
    let times = [821_487_653, 907_310_076, 912_027_565, 968_027_127];
    let exit = 1_067_062_511;
    for (name, _, [main, exec, _]) in RECORDINGS {
        let trace = imported(&data(&format!("{name}.data"))).unwrap();
        let [first, second] = &trace.processes[..] else {
            panic!("{name}: {:?}", trace.processes);
        };
        assert_eq!([first.pid.0, second.pid.0], [main, exec]);
        assert_eq!([first.parent, second.parent], [None, Some(first.id)]);
        for process in [first, second] {
            assert_eq!(trace.text(process.exec.exe), "/tmp/spin/spin");
            assert_eq!(trace.text(process.exec.argv[0]), "spin");
            assert_eq!(process.predecessor, None);
        }
        let [first_exit, second_exit] = [first, second].map(|process| process.exit.unwrap());
        assert_eq!(first_exit.status, ExitStatus::Unknown);
        assert_eq!(first_exit.usage.forks_folded, 1);
        assert_eq!(second_exit.usage.forks_folded, 0);
        let all = samples(&trace);
        let sum = |id| {
            all.iter()
                .filter(|one| one.process == id)
                .map(|one| one.weight)
                .sum()
        };
        assert_eq!(first_exit.usage.cpu(), sum(first.id));
        assert_eq!(second_exit.usage.cpu(), sum(second.id));
        assert_eq!(trace.threads.len(), 3, "{name}");
        if name == "file" {
            let since = |time: u64| time - times[0];
            assert_eq!(second.start.0, since(times[1]));
            assert_eq!(second.exec_at.0, since(times[2]));
            assert_eq!(second_exit.at.0, since(times[3]));
            assert_eq!(first_exit.at.0, since(exit));
            assert_eq!(trace.command_end().0, since(exit));
        }
    }
}

#[test]
fn images_have_their_build_ids() {
    // From `readelf -n` of the program, and `perf buildid-list` of the others.
    let known = [
        ("/tmp/spin/spin", "7bffca5edb23baba26c94c52599b70a6a27d9b9c"),
        (
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "93ac61ec5a8eb1396f9fbd350e3169a558528a40",
        ),
    ];
    for (name, ..) in RECORDINGS {
        let trace = imported(&data(&format!("{name}.data"))).unwrap();
        for (path, id) in known {
            let mut images = trace.images.iter();
            let image = images.find(|image| trace.text(image.path) == path).unwrap();
            let hexadecimal = image.build_id.iter().map(|byte| format!("{byte:02x}"));
            assert_eq!(hexadecimal.collect::<String>(), id, "{name}: {path}");
        }
    }
}

#[test]
fn what_perf_says_of_the_machine_is_kept() {
    for (name, begin, _) in RECORDINGS {
        let trace = imported(&data(&format!("{name}.data"))).unwrap();
        assert_eq!(trace.text(trace.host.os), "linux 6.18.44-fc-v595");
        assert_eq!(trace.text(trace.host.cpu), "AMD EPYC");
        assert_eq!((trace.host.arch, trace.host.cores), (Arch::Amd64, 2));
        assert_eq!(trace.host.memory_bytes, 24_684_096 << 10);
        assert_eq!(trace.imported().unwrap(), "perf.data");
        assert_eq!(trace.anchor.monotonic_ns, begin);
        assert!(losses(&trace).is_empty(), "{:?}", losses(&trace));
        // 2026-11-29, where perf noted the wall clock beside its own.
        let day = trace.anchor.unix_ns / 86_400_000_000_000;
        assert_eq!(day, if name == "packed" { 20_786 } else { 0 }, "{name}");
        let said = |what: &str| {
            let mut spots = trace.blind_spots.iter();
            spots.any(|spot| trace.text(spot.what).contains(what))
        };
        assert!(said("actions"), "{name}");
        assert_eq!(said("wall-clock"), name != "packed");
    }
}
