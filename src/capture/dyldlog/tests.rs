//! The backend with programs that write what dyld would.

use super::*;
use crate::capture::Executed;
use crate::capture::linking::{ImageNumber, What};
use crate::capture::progress::Progress;
use crate::capture::recorder::{Plan, Recorder};
use crate::trace::file::Writer;
use crate::trace::{LoadOrigin, SearchOutcome, Trace};
use std::process::{Command, Stdio};
use std::sync::Arc;

const NATIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dyld/go-native.log");
const TRANSLATED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/dyld/translated.log"
);

/// Runs a program that writes what dyld would, with its own number; its output is not to have any.
fn print(log: &str, pid_in_log: &str, variables: Vec<(OsString, OsString)>) -> Pid {
    // A third is written, and may be read, before the rest. Beside the log nothing is written: whatever
    // lies in its folder is read for one.
    let script = format!(
        "said=$(sed 's/dyld.{pid_in_log}./dyld['$$']/g' {log}; echo x)
         said=${{said%x}}
         printf %s \"$said\" | head -c 700 >>\"$DYLD_PRINT_TO_FILE\"
         printf %s \"$said\" | tail -c +701 >>\"$DYLD_PRINT_TO_FILE\""
    );
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(variables)
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let pid = Pid(child.id());
    assert!(child.wait().expect("ends").success());
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("piped");
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said, "", "nothing is printed to the standard error");
    pid
}

#[test]
fn the_variables_print_to_the_file_and_not_the_environment() {
    let variables = variables(Path::new("/spool/dyld/command"));
    let file = (
        OsString::from("DYLD_PRINT_TO_FILE"),
        OsString::from("/spool/dyld/command"),
    );
    assert!(variables.contains(&file));
    let names = variables.iter().map(|(name, _)| name.to_string_lossy());
    let names: Vec<_> = names.collect();
    assert!(names.iter().any(|name| name == "DYLD_PRINT_BINDINGS"));
    assert!(
        !names
            .iter()
            .any(|name| name.ends_with("_ENV") || name.contains("STDERR"))
    );
}

/// What comes of a native program, and of a translated tool with a log of its own.
fn recorded() -> (Vec<Observation>, Pid, Pid) {
    let spool = Spool::create(Path::new("/tmp"), None).expect("made");
    assert_eq!(log_of_tool(spool.path(), Pid(7)), None);
    let mut backend = DyldLogs::new(&spool).expect("made");
    let (out, observations) = crossbeam_channel::unbounded();
    backend.start(Pid(1), out).expect("starts");
    let program = print(NATIVE, "501", backend.environment());
    let log = log_of_tool(spool.path(), Pid(7)).expect("kept");
    let tool = print(TRANSLATED, "9077", variables(&log));
    backend.finish().expect("ends");
    (observations.iter().collect(), program, tool)
}

fn of(observations: &[Observation], pid: Pid) -> Vec<What> {
    let events = observations.iter().filter_map(|one| match one {
        Observation::Linked(batch) if batch.pid == pid => Some(&batch.events),
        _ => None,
    });
    events.flatten().map(|event| event.what.clone()).collect()
}

#[test]
fn what_a_program_prints_becomes_loads_and_binds() {
    let (observations, program, _) = recorded();
    let native = of(&observations, program);
    let loads = native.iter().filter_map(|what| match what {
        What::Loaded(loaded) => Some((
            loaded.number,
            loaded.path.as_slice(),
            loaded.origin,
            loaded.address,
        )),
        _ => None,
    });
    let cache = LoadOrigin::SharedCache;
    assert_eq!(
        loads.collect::<Vec<_>>(),
        [
            (
                ImageNumber(0),
                &b"/opt/me/bin/hello"[..],
                LoadOrigin::File,
                Some(0x1_04a0_0000)
            ),
            (
                ImageNumber(1),
                b"/usr/lib/libSystem.B.dylib",
                cache,
                Some(0x1_9f2c_8000)
            ),
            (
                ImageNumber(2),
                b"/usr/lib/system/libsystem_kernel.dylib",
                cache,
                Some(0x1_9f10_0000)
            ),
        ]
    );
    let binds = native.iter().filter_map(|what| match what {
        What::Bound(bound) => Some((&*bound.symbol, bound.importer, bound.provider, bound.slot)),
        _ => None,
    });
    let (hello, kernel) = (ImageNumber(0), Some(ImageNumber(2)));
    assert_eq!(
        binds.collect::<Vec<_>>(),
        [
            (&b"_open"[..], hello, kernel, Some(0x1_04ad_7fe0)),
            (b"___error", hello, kernel, Some(0x1_04ad_7fe8)),
            (b"___error", hello, kernel, Some(0x1_04ad_8010)),
            (b"_not_on_this_system", hello, None, Some(0x1_04ad_7ff0)),
        ]
    );
}

#[test]
fn searches_marks_and_what_is_missing_are_told() {
    let (observations, _, tool) = recorded();
    let translated = of(&observations, tool);
    let searches = translated.iter().filter_map(|what| match what {
        What::Searched(searched) => Some(searched.outcome),
        _ => None,
    });
    let searches: Vec<_> = searches.collect();
    use SearchOutcome::{Found, Missed, Refused};
    assert_eq!(
        searches,
        [Missed, Found, Refused, Refused, Found, Found, Missed]
    );
    let marks = translated.iter().filter_map(|what| match what {
        What::Loaded(loaded) => Some((loaded.paged_in, loaded.translated.is_some())),
        _ => None,
    });
    // The tool itself is linked by the kernel; libplug has translated code.
    let marks: Vec<_> = marks.take(3).collect();
    assert_eq!(marks, [(true, false), (false, true), (false, false)]);
    let looked_up = translated.iter().any(|what| {
        matches!(what, What::Bound(bound) if bound.how == crate::trace::BindHow::Dlsym && *bound.symbol == *b"plug_now")
    });
    assert!(looked_up);
    let not_for_timing = observations.iter().any(|one| {
        matches!(one, Observation::Configured { key, .. } if key == crate::trace::NOT_FOR_TIMING)
    });
    assert!(not_for_timing);
    // The last line of the second log is cut.
    let lost = observations.iter().filter_map(|one| match one {
        Observation::Lost { what, count, .. } => Some((*what, *count)),
        _ => None,
    });
    assert_eq!(lost.collect::<Vec<_>>(), [("lines of dyld", 1)]);
}

#[test]
fn what_is_no_log_is_left_alone() {
    let spool = Spool::create(Path::new("/tmp"), None).expect("made");
    let mut backend = DyldLogs::new(&spool).expect("made");
    let folder = spool.path().join(FOLDER);
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).expect("made");
    nix::unistd::mkfifo(&folder.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    fs::create_dir(folder.join("folder")).expect("made");
    let (out, observations) = crossbeam_channel::unbounded();
    backend.start(Pid(1), out).expect("starts");
    backend.finish().expect("ends");
    let observations: Vec<_> = observations.iter().collect();
    assert_eq!(observations.len(), 1, "{observations:?}");
}

#[test]
fn a_trace_holds_what_a_program_printed() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.gotrace");
    let spool = Spool::create(Path::new("/tmp"), None).expect("made");
    let mut backend = DyldLogs::new(&spool).expect("made");
    let (out, observations) = crossbeam_channel::unbounded();
    let anchor = sys::anchor();
    let before = sys::now();
    let program = print(NATIVE, "501", backend.environment());
    for observation in [
        Observation::Forked {
            time: before,
            pid: program,
            parent: Pid(1),
        },
        Observation::Executed(Executed {
            time: before,
            pid: program,
            argv: b"hello\0".to_vec(),
            exe: b"/opt/me/bin/hello".to_vec(),
            ..Executed::default()
        }),
    ] {
        out.send(observation).expect("room");
    }
    backend.start(program, out).expect("starts");
    backend.finish().expect("ends");
    let recorder = Recorder::new(Plan {
        writer: Writer::create(&path, anchor).expect("made"),
        anchor,
        root: program,
        follows_tree: false,
        watches_loaders: true,
        calls_of_two: false,
        temporary: Vec::new(),
        user: 0,
        redaction: crate::capture::Redaction::default(),
        progress: Arc::new(Progress::default()),
    });
    let recorded = recorder.run(&observations);
    Writer::finish(recorded.writer).expect("sealed");
    let trace = Trace::open(&path).expect("whole");
    assert_eq!(trace.processes.len(), 1);
    assert_eq!(trace.loads.len(), 3);
    assert_eq!(trace.binding_count(), 4);
    let blocks = trace.bindings().map(|block| block.expect("sound"));
    let first = blocks
        .flat_map(|block| block.iter().collect::<Vec<_>>())
        .next();
    let first = first.expect("four");
    let image = |id: crate::trace::ImageId| trace.text(trace.images[id.index()].path).into_owned();
    assert_eq!(trace.text(first.symbol), "_open");
    assert_eq!(image(first.importer), "/opt/me/bin/hello");
    let provider = first.provider.map(image);
    assert_eq!(
        provider.as_deref(),
        Some("/usr/lib/system/libsystem_kernel.dylib")
    );
    assert_eq!(first.slot.map(|slot| slot.0), Some(0x1_04ad_7fe0));
    assert!(trace.losses.is_empty(), "{:?}", trace.losses);
}

/// A log is as long as it likes: what it says does not gather.
#[test]
fn what_a_large_log_says_is_handed_over_in_parts() {
    const IMAGES: usize = 800;
    const TARGETS: usize = 100;
    let folder = tempfile::tempdir().expect("folder");
    let mut text = String::from("dyld[8]: Kernel mapped /opt/me/bin/app\n");
    for image in 0..IMAGES {
        for number in 0..TARGETS {
            text += &format!(
                "dyld[8]: <lib{image}.dylib/bind#{number}> -> 0x30000 <libz.dylib/_symbol>)\n"
            );
        }
    }
    assert!(text.len() as u64 > AT_ONCE);
    fs::write(folder.path().join(COMMON), text).expect("written");
    // As many programs as a long build has, which say no more than that they begin.
    let programs = (0..2 * MOST_STORIES).map(|pid| format!("dyld[{pid}]: Kernel mapped /bin/x\n"));
    let programs: String = programs.collect();
    fs::write(folder.path().join("tool-7"), programs).expect("written");
    let (out, observations) = crossbeam_channel::unbounded();
    let mut reader = Reader {
        folder: folder.path().to_owned(),
        logs: FxHashMap::default(),
        out,
    };
    for _ in 0..3 {
        reader.look();
    }
    let remembered = reader.logs.values().map(|log| log.stories.0.len());
    assert!(remembered.max() <= Some(MOST_STORIES));
    reader.finish();
    drop(reader);
    let batches = observations.iter().filter_map(|one| match one {
        Observation::Linked(batch) => Some(batch),
        _ => None,
    });
    let (mut binds, mut programs) = (0, 0);
    for batch in batches {
        assert!(batch.events.len() <= BATCH, "{}", batch.events.len());
        for event in &batch.events {
            binds += usize::from(matches!(event.what, What::Bound(_)));
            programs += usize::from(matches!(event.what, What::Asks { .. }));
        }
    }
    assert_eq!((binds, programs), (IMAGES * TARGETS, 2 * MOST_STORIES + 1));
}
