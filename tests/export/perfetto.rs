//! Perfetto's own descriptors decode the file, and its content is checked against the trace.

use super::fixture::{self, MONOTONIC_NS, SAMPLES, ms};
use super::text_format::Message;
use gotrace::analyze::Analysis;
use gotrace::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// Decodes the export of a trace; `None`, and why on standard error, where that cannot be done.
pub(crate) fn decoded(trace: &Trace) -> Option<Message> {
    let descriptor =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/consumers/perfetto-0.59.1.descriptor");
    if !descriptor.exists() {
        println!("skipped: no Perfetto descriptors; scripts/fetch-consumers fetches them");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("perfetto-trace");
    let mut file = File::create(&path).unwrap();
    gotrace::export::perfetto::write(&Analysis::of(trace), &mut file).unwrap();
    let output = Command::new("protoc")
        .arg(format!("--descriptor_set_in={}", descriptor.display()))
        .arg("--decode=perfetto.protos.Trace")
        .stdin(File::open(&path).unwrap())
        .stderr(Stdio::piped())
        .output();
    let Ok(output) = output else {
        println!("skipped: no protoc; apt-get install protobuf-compiler");
        return None;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let message = Message::parse(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(message.unknown(), Vec::<String>::new(), "unknown fields");
    Some(message)
}

/// A slice as a viewer puts it together.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) track: u64,
    pub(crate) name: String,
    categories: Vec<String>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    leaving: Vec<u64>,
    arriving: Vec<u64>,
    callstack: Option<u64>,
    notes: BTreeMap<String, Message>,
}

/// What a reader makes of the packets: times since the trace's start.
#[derive(Default)]
pub(crate) struct Read {
    /// Tracks by number: name and parent.
    pub(crate) tracks: BTreeMap<u64, (String, Option<u64>)>,
    slices: Vec<Slice>,
    instants: Vec<(String, u64)>,
    /// Values by name of the counter's track.
    counters: BTreeMap<String, Vec<(u64, String)>>,
    /// Stacks by interned number, outermost name first.
    stacks: BTreeMap<u64, Vec<String>>,
}

fn time(packet: &Message) -> u64 {
    assert_eq!(
        packet.number("timestamp_clock_id"),
        Some(3),
        "CLOCK_MONOTONIC"
    );
    packet.number("timestamp").unwrap() - MONOTONIC_NS
}

pub(crate) fn read(trace: &Message) -> Read {
    let mut read = Read::default();
    let mut open: BTreeMap<u64, Vec<Slice>> = BTreeMap::new();
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    let mut interned = Interned::default();
    for packet in trace.messages("packet") {
        if let Some(data) = packet.message("interned_data") {
            assert_eq!(packet.number("sequence_flags"), Some(2));
            interned.add(data);
            read.stacks.clone_from(&interned.stacks);
        }
        if let Some(track) = packet.message("track_descriptor") {
            let name = track.text("name").unwrap_or_default();
            let parent = track.number("parent_uuid");
            let new = read
                .tracks
                .insert(track.number("uuid").unwrap(), (name, parent));
            assert!(new.is_none(), "one descriptor for each track");
            assert!(parent.is_none_or(|parent| read.tracks.contains_key(&parent)));
        }
        let Some(event) = packet.message("track_event") else {
            continue;
        };
        let track = event.number("track_uuid").unwrap();
        assert!(read.tracks.contains_key(&track), "declared before use");
        let now = time(packet);
        match event.word("type").unwrap() {
            "TYPE_SLICE_BEGIN" => {
                let before = last.insert(track, now).unwrap_or(0);
                assert!(before <= now, "slices of a track come in order");
                open.entry(track)
                    .or_default()
                    .push(begun(event, track, now));
            }
            "TYPE_SLICE_END" => {
                let before = last.insert(track, now).unwrap();
                assert!(before <= now, "slices of a track come in order");
                let slice = open.get_mut(&track).unwrap().pop().unwrap();
                read.slices.push(Slice { end: now, ..slice });
            }
            "TYPE_INSTANT" => read.instants.push((event.text("name").unwrap(), now)),
            "TYPE_COUNTER" => {
                let value = event.word("counter_value");
                let value = value.or_else(|| event.word("double_counter_value"));
                let name = read.tracks[&track].0.clone();
                let values = read.counters.entry(name).or_default();
                values.push((now, value.unwrap().to_owned()));
            }
            other => panic!("{other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "every slice ends");
    read
}

fn begun(event: &Message, track: u64, start: u64) -> Slice {
    let notes = event.messages("debug_annotations");
    Slice {
        track,
        name: event.text("name").unwrap(),
        categories: event.texts("categories").collect(),
        start,
        end: start,
        leaving: event.numbers("flow_ids").collect(),
        arriving: event.numbers("terminating_flow_ids").collect(),
        callstack: event.number("callstack_iid"),
        notes: notes
            .map(|note| (note.text("name").unwrap(), note.clone()))
            .collect(),
    }
}

/// Interned data of the one sequence that has any.
#[derive(Default)]
struct Interned {
    names: BTreeMap<u64, String>,
    frames: BTreeMap<u64, String>,
    mappings: BTreeSet<u64>,
    paths: BTreeSet<u64>,
    stacks: BTreeMap<u64, Vec<String>>,
}

impl Interned {
    fn add(&mut self, data: &Message) {
        let string = |entry: &Message| {
            let bytes = entry.bytes("str").unwrap();
            (
                entry.number("iid").unwrap(),
                String::from_utf8(bytes).unwrap(),
            )
        };
        self.names
            .extend(data.messages("function_names").map(string));
        let paths = data.messages("mapping_paths").map(string);
        self.paths.extend(paths.map(|(iid, _)| iid));
        for mapping in data.messages("mappings") {
            let path = mapping.number("path_string_ids").unwrap();
            assert!(self.paths.contains(&path));
            assert!(self.mappings.insert(mapping.number("iid").unwrap()));
        }
        for frame in data.messages("frames") {
            assert!(self.mappings.contains(&frame.number("mapping_id").unwrap()));
            let name = &self.names[&frame.number("function_name_id").unwrap()];
            let new = self
                .frames
                .insert(frame.number("iid").unwrap(), name.clone());
            assert!(new.is_none(), "each frame once");
        }
        for stack in data.messages("callstacks") {
            let names = stack
                .numbers("frame_ids")
                .map(|id| self.frames[&id].clone());
            let new = self
                .stacks
                .insert(stack.number("iid").unwrap(), names.collect());
            assert!(new.is_none(), "each stack once");
        }
    }
}

pub(crate) fn with_category<'r>(read: &'r Read, category: &str) -> Vec<&'r Slice> {
    let has = |slice: &&Slice| slice.categories.iter().any(|c| c == category);
    read.slices.iter().filter(has).collect()
}

fn spans(slices: &[&Slice]) -> BTreeSet<(String, u64, u64)> {
    let span = |slice: &&Slice| {
        (
            slice.name.clone(),
            slice.start / 1_000_000,
            slice.end / 1_000_000,
        )
    };
    slices.iter().map(span).collect()
}

fn expected<const N: usize>(of: [(&str, u64, u64); N]) -> BTreeSet<(String, u64, u64)> {
    of.into_iter()
        .map(|(name, start, end)| (name.to_owned(), start, end))
        .collect()
}

#[test]
fn actions_are_slices_with_their_dependencies_as_flows() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let actions = with_category(&read, "action");
    let on_lanes: Vec<_> = actions
        .iter()
        .filter(|slice| read.tracks[&slice.track].0 == "actions")
        .copied()
        .collect();
    assert_eq!(
        spans(&on_lanes),
        expected([
            ("compile fmt", 50, 60),
            ("compile m/a", 100, 300),
            ("compile m/b", 300, 700),
            ("link m/cmd", 700, 950),
        ])
    );
    let waits: Vec<_> = with_category(&read, "wait")
        .into_iter()
        .filter(|slice| read.tracks[&slice.track].0 == "ready, waiting for a slot")
        .collect();
    assert_eq!(spans(&waits), expected([("compile m/a", 60, 100)]));

    let mut arrows = BTreeSet::new();
    for from in &on_lanes {
        for to in &on_lanes {
            for flow in &from.leaving {
                if to.arriving.contains(flow) {
                    arrows.insert((from.name.as_str(), to.name.as_str()));
                }
            }
        }
    }
    let needed = [
        ("compile fmt", "compile m/a"),
        ("compile fmt", "compile m/b"),
        ("compile m/a", "compile m/b"),
        ("compile m/b", "link m/cmd"),
    ];
    assert_eq!(arrows, BTreeSet::from(needed));
    let ends: Vec<_> = on_lanes.iter().flat_map(|slice| &slice.leaving).collect();
    assert_eq!(ends.len(), needed.len(), "each flow has an end");

    let critical: Vec<_> = on_lanes
        .iter()
        .filter(|slice| slice.categories.iter().any(|c| c == "critical_path"))
        .map(|slice| slice.name.as_str())
        .collect();
    assert!(critical.contains(&"compile m/b") && critical.contains(&"link m/cmd"));

    let fmt = on_lanes
        .iter()
        .find(|slice| slice.name == "compile fmt")
        .unwrap();
    assert_eq!(fmt.notes["cached"].word("bool_value"), Some("true"));
}

#[test]
fn an_action_is_annotated_with_its_arguments_byte_for_byte() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let compile_b = with_category(&read, "action")
        .into_iter()
        .find(|slice| slice.name == "compile m/b" && read.tracks[&slice.track].0 == "actions")
        .unwrap();
    assert_eq!(
        compile_b.notes["tool"].text("string_value").unwrap(),
        "compile"
    );
    assert_eq!(
        compile_b.notes["package"].text("string_value").unwrap(),
        "m/b"
    );
    assert_eq!(
        compile_b.notes["cpu_ns"].number("uint_value"),
        Some(ms(370).0)
    );
    let argv: Vec<_> = compile_b.notes["argv"]
        .messages("array_values")
        .map(|value| value.text("string_value").unwrap())
        .collect();
    assert_eq!(argv[5], String::from_utf8_lossy(fixture::HOSTILE));
    assert_eq!(argv[6].len(), fixture::LONG);
    let kept = compile_b.notes["bytes_hex"]
        .message("dict_entries")
        .unwrap();
    let hexadecimal: String = fixture::HOSTILE
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(kept.text("name").unwrap(), "argv.5");
    assert_eq!(kept.text("string_value").unwrap(), hexadecimal);
}

/// Slices of a category, with the names of their tracks and of those above.
fn on_tracks(read: &Read, category: &str) -> BTreeSet<(String, String, u64, u64)> {
    let place = |slice: &&Slice| {
        let (name, parent) = &read.tracks[&slice.track];
        let parent = parent.map_or("", |parent| read.tracks[&parent].0.as_str());
        format!("{parent}/{name}")
    };
    let slices = with_category(read, category);
    let spans = slices.iter().map(|slice| {
        let millis = |time| time / 1_000_000;
        (
            place(slice),
            slice.name.clone(),
            millis(slice.start),
            millis(slice.end),
        )
    });
    spans.collect()
}

#[test]
fn goroutines_have_lanes_of_their_calls_and_states() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let rows = |rows: &[(&str, &str, u64, u64)]| -> BTreeSet<_> {
        let owned = |&(place, name, start, end): &(&str, &str, u64, u64)| {
            (place.to_owned(), name.to_owned(), start, end)
        };
        rows.iter().map(owned).collect()
    };
    let compile = "cmd/compile/internal/ssa.Compile";
    assert_eq!(
        on_tracks(&read, "call"),
        rows(&[
            ("/goroutine 5", compile, 110, 130),
            ("/goroutine 5", compile, 135, 150),
            ("/goroutine 6", "main.outer", 160, 170),
            ("/goroutine 6", compile, 165, 170),
            // Open when the program ended.
            ("/goroutine 6", "main.outer", 180, 300),
        ])
    );
    assert_eq!(
        on_tracks(&read, "goroutine"),
        rows(&[
            ("goroutine 5/state", "running", 105, 140),
            ("goroutine 5/state", "waiting", 140, 300),
        ])
    );
    // What marked it was given up at 200.
    assert_eq!(
        on_tracks(&read, "phase"),
        rows(&[("/phases", "ssa", 110, 200)])
    );
}

#[test]
fn the_critical_path_fills_the_whole_time() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let mut pieces: Vec<_> = with_category(&read, "critical_path")
        .into_iter()
        .filter(|slice| read.tracks[&slice.track].0 == "critical path")
        .map(|slice| (slice.start, slice.end))
        .collect();
    pieces.sort_unstable();
    assert_eq!(pieces.first().unwrap().0, 0);
    assert_eq!(pieces.last().unwrap().1, ms(1_000).0);
    assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0));
}

#[test]
fn processes_and_their_programs_are_tracks() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let descriptors = || {
        message
            .messages("packet")
            .filter_map(|p| p.message("track_descriptor"))
    };
    let pids: Vec<_> = descriptors()
        .filter_map(|track| track.message("process"))
        .map(|process| process.number("pid").unwrap())
        .collect();
    assert_eq!(
        pids,
        [100, 101, 102, 104, 105],
        "one each, and not gotrace's own"
    );
    let threads: BTreeSet<_> = descriptors()
        .filter_map(|track| track.message("thread"))
        .map(|thread| (thread.number("pid").unwrap(), thread.number("tid").unwrap()))
        .collect();
    assert_eq!(threads.len(), pids.len());
    let read = read(&message);
    assert_eq!(
        spans(&with_category(&read, "process")),
        expected([
            ("go", 0, 1_000),
            ("compile m/a", 100, 300),
            ("compile m/b", 300, 700),
            ("link m/cmd", 700, 950),
            ("shell m/cmd", 720, 730),
            ("cc m/cmd", 730, 900),
        ])
    );
}

#[test]
fn samples_have_their_stacks_and_weights() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let mut found = BTreeSet::new();
    let mut counted = 0;
    for packet in message.messages("packet") {
        let Some(sample) = packet.message("perf_sample") else {
            continue;
        };
        time(packet);
        let stack = sample
            .number("callstack_iid")
            .map(|iid| read.stacks[&iid].clone());
        let total = sample.number("timebase_count").unwrap();
        let weight = (total - counted) / 1_000_000;
        counted = total;
        found.insert((
            sample.number("pid").unwrap(),
            stack.unwrap_or_default(),
            weight,
        ));
    }
    let wanted = |running: bool| SAMPLES.iter().filter(move |sample| sample.3 == running);
    let names = |stack: &[&str]| {
        stack
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let on_cpu: BTreeSet<_> = wanted(true)
        .map(|&(pid, stack, weight, _)| (u64::from(pid), names(stack), weight))
        .collect();
    assert_eq!(found, on_cpu);

    let off_cpu = with_category(&read, "off_cpu");
    assert_eq!(off_cpu.len(), wanted(false).count());
    assert_eq!(spans(&off_cpu), expected([("off CPU", 540, 690)]));
    let stack = &read.stacks[&off_cpu[0].callstack.unwrap()];
    assert_eq!(*stack, names(wanted(false).next().unwrap().1));
}

#[test]
fn counters_losses_and_blind_spots_are_there() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let value = |time: u64, value: &str| (ms(time).0, value.to_owned());
    assert_eq!(
        read.counters["gotrace_rss_bytes"],
        [value(0, "10485760"), value(500, "12582912")]
    );
    assert_eq!(
        read.counters["actions under way"],
        [
            value(50, "1"),
            value(60, "0"),
            value(100, "1"),
            value(300, "1"),
            value(700, "1"),
            value(950, "0"),
        ]
    );
    assert_eq!(
        read.counters["actions waiting for a slot"],
        [value(60, "1"), value(100, "0")]
    );
    assert!(read.counters["cores in use"].len() > 100);
    let instants: Vec<_> = read
        .instants
        .iter()
        .map(|(name, time)| (name.as_str(), *time))
        .collect();
    assert_eq!(
        instants,
        [
            ("recorded by gotrace", 0),
            ("lost: samples", ms(400).0),
            ("not seen: an action graph", ms(500).0),
            ("gcc", ms(731).0),
            ("libc.so.6", ms(731).0),
            ("libz.so.1", ms(800).0),
        ]
    );
    let clocks = message
        .messages("packet")
        .find_map(|p| p.message("clock_snapshot"));
    let clocks = clocks.unwrap();
    assert_eq!(
        clocks.word("primary_trace_clock"),
        Some("BUILTIN_CLOCK_MONOTONIC")
    );
    let readings: Vec<_> = clocks
        .messages("clocks")
        .map(|clock| {
            (
                clock.number("clock_id").unwrap(),
                clock.number("timestamp").unwrap(),
            )
        })
        .collect();
    assert_eq!(
        readings,
        [(3, MONOTONIC_NS), (1, 1_700_000_000_000_000_000)]
    );
}

#[test]
fn loaders_have_a_track_in_each_process() {
    let Some(message) = decoded(&fixture::trace()) else {
        return;
    };
    let read = read(&message);
    let linking: Vec<&Slice> = read
        .slices
        .iter()
        .filter(|slice| slice.categories == ["linking"])
        .collect();
    let wanted = expected([
        ("relocation", 732, 734),
        ("relocation for dlopen", 801, 802),
    ]);
    assert_eq!(spans(&linking), wanted);
    for slice in linking {
        let (name, parent) = &read.tracks[&slice.track];
        assert_eq!(name, "dynamic linking");
        assert!(parent.is_some());
        assert!(slice.notes.contains_key("binds"));
    }
}
