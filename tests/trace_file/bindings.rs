//! Bindings, and the records of dynamic linking, in the file.

use gotrace::trace::file::Writer;
use gotrace::trace::{
    Avma, BindHow, BindKind, Binding, ClockAnchor, Image, ImageId, Load, Nanos, Process, ProcessId,
    Record, StringId, Tid, Trace,
};
use proptest::prelude::*;
use std::path::Path;

const PROCESSES: u32 = 3;
const IMAGES: u32 = 5;
const STRINGS: u32 = 12;

/// A trace with some processes, images and strings, and these bindings.
fn write(path: &Path, bindings: &[Binding]) {
    let mut writer = Writer::create(path, ClockAnchor::default()).unwrap();
    for number in 1..STRINGS {
        let string = writer.string(format!("/lib/lib{number}.so").as_bytes());
        if number <= IMAGES {
            writer.image(&Image {
                path: string,
                ..Image::default()
            });
        }
    }
    for id in 0..PROCESSES {
        let process = Process {
            id: ProcessId(id),
            ..Process::default()
        };
        writer.record(Record::ProcessStarted(process)).unwrap();
    }
    for binding in bindings {
        writer.binding(*binding).unwrap();
    }
    writer.finish().unwrap();
}

fn read(trace: &Trace) -> Vec<Binding> {
    let blocks = trace.bindings().map(Result::unwrap);
    blocks
        .flat_map(|block| block.iter().collect::<Vec<_>>())
        .collect()
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), (0..3_u64).prop_map(|n| 0x7f00_0000_0000 + n)]
}

prop_compose! {
    fn binding()(
        time in prop_oneof![any::<u64>(), 0..100_u64],
        process in 0..PROCESSES,
        tid in prop_oneof![any::<u32>(), 1..3_u32],
        importer in 0..IMAGES,
        provider in proptest::option::of(0..IMAGES),
        symbol in 0..STRINGS,
        address in address(),
        slot in proptest::option::of(address()),
        how in 0..4_usize,
        data in any::<bool>(),
    ) -> Binding {
        Binding {
            time: Nanos(time),
            process: ProcessId(process),
            tid: Tid(tid),
            importer: ImageId(importer),
            provider: provider.map(ImageId),
            symbol: StringId(symbol),
            address: Avma(address),
            slot: slot.map(Avma),
            how: [BindHow::Eager, BindHow::Lazy, BindHow::Dlsym, BindHow::Derived][how],
            kind: if data { BindKind::Data } else { BindKind::Call },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bindings_come_back(bindings in proptest::collection::vec(binding(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bindings.gotrace");
        write(&path, &bindings);
        let trace = Trace::open(&path).unwrap();
        prop_assert_eq!(&trace.integrity, &gotrace::trace::file::Integrity::default());
        prop_assert_eq!(trace.binding_count(), bindings.len() as u64);
        prop_assert_eq!(read(&trace), bindings);
    }

    #[test]
    fn a_damaged_byte_costs_a_block_and_no_more(
        bindings in proptest::collection::vec(binding(), 1..60),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bindings.gotrace");
        write(&path, &bindings);
        let mut bytes = std::fs::read(&path).unwrap();
        // Behind the header, whose loss is another test's.
        let at = 32 + at.index(bytes.len() - 32);
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, &bytes).unwrap();
        let trace = Trace::open(&path).unwrap();
        let found = read(&trace);
        prop_assert!(found.is_empty() || found == bindings);
        if found.is_empty() && trace.integrity.damaged_blocks == 1 {
            let lost = trace.integrity.lost_bindings;
            // All of them, or the damage was to a table, and they name what is gone.
            prop_assert!(lost == 0 || lost == bindings.len() as u64);
        }
    }
}

#[test]
fn what_names_a_process_or_an_image_that_is_not_there_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bindings.gotrace");
    let mut writer = Writer::create(&path, ClockAnchor::default()).unwrap();
    writer.image(&Image::default());
    let process = Process::default();
    writer.record(Record::ProcessStarted(process)).unwrap();
    for (process, image) in [(0, 0), (9, 0), (0, 9)] {
        let load = Load {
            process: ProcessId(process),
            image: ImageId(image),
            ..Load::default()
        };
        writer.record(Record::Load(load)).unwrap();
    }
    writer
        .binding(Binding {
            provider: Some(ImageId(9)),
            ..Binding::default()
        })
        .unwrap();
    writer.finish().unwrap();
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.loads, [Load::default()]);
    assert_eq!(trace.integrity.undefined, 2);
    assert_eq!(
        (trace.integrity.lost_bindings, trace.binding_count()),
        (1, 0)
    );
}

/// `SplitMix64`, for jitter.
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) % below
}

/// Programs as a build with cgo runs them: each of the four, over and over, binds its own symbols of
/// its own libraries (217 to 289 of them), in the same order each time, with libraries at other
/// places each time, a microsecond or so apart.
fn build(runs: u32) -> (Vec<String>, u32, Vec<Binding>) {
    let mut seed = 3;
    let libraries: u32 = 6;
    let programs: u32 = 4;
    let mut names = Vec::new();
    let mut plans: Vec<Vec<(u32, u32, u32, u64)>> = Vec::new();
    for program in 0..programs {
        let mut plan = Vec::new();
        for nth in 0..217 + 24 * program {
            let own = random(&mut seed, 4) == 0;
            let name = if own {
                format!("_ZN4llvm{program}5Value{nth}replaceAllUsesWithEPS0_")
            } else {
                format!("function_{}", random(&mut seed, 700))
            };
            let symbol = names.iter().position(|known| *known == name);
            let symbol = symbol.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            });
            let provider = programs + random(&mut seed, u64::from(libraries)) as u32;
            let importer = if own { program } else { provider };
            let offset = 0x1_0000 + random(&mut seed, 1 << 21);
            plan.push((importer, provider, symbol as u32 + 1, offset));
        }
        plans.push(plan);
    }
    let mut bindings = Vec::new();
    let mut time = 0;
    for run in 0..runs {
        let program = run % programs;
        let bases: Vec<u64> = (0..programs + libraries)
            .map(|_| 0x7f00_0000_0000 + (random(&mut seed, 1 << 28) << 12))
            .collect();
        time += 5_000_000;
        for &(importer, provider, symbol, offset) in &plans[program as usize] {
            time += 300 + random(&mut seed, 2_000);
            bindings.push(Binding {
                time: Nanos(time),
                process: ProcessId(run),
                tid: Tid(4_000 + run),
                importer: ImageId(importer),
                provider: Some(ImageId(provider)),
                symbol: StringId(symbol),
                address: Avma(bases[provider as usize] + offset),
                slot: None,
                how: BindHow::Eager,
                kind: BindKind::Call,
            });
        }
    }
    (names, programs + libraries, bindings)
}

#[test]
fn a_bind_takes_twelve_bytes_at_most_with_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bindings.gotrace");
    // Four programs, each once: nothing repeats. And a build of some packages with cgo.
    for runs in [4, 40, 400] {
        let (names, images, bindings) = build(runs);
        let size = |bindings: &[Binding]| {
            let mut writer = Writer::create(&path, ClockAnchor::default()).unwrap();
            for image in 0..images {
                let build_id = image.to_le_bytes().to_vec();
                writer.image(&Image {
                    build_id,
                    ..Image::default()
                });
            }
            for id in 0..runs {
                let process = Process {
                    id: ProcessId(id),
                    ..Process::default()
                };
                writer.record(Record::ProcessStarted(process)).unwrap();
            }
            writer.flush().unwrap();
            for (at, bind) in bindings.iter().enumerate() {
                writer.string(names[bind.symbol.index() - 1].as_bytes());
                writer.binding(*bind).unwrap();
                // As many as gather in the second after which a block is written.
                if at % 9_000 == 8_999 {
                    writer.flush().unwrap();
                }
            }
            writer.finish().unwrap();
            std::fs::metadata(&path).unwrap().len()
        };
        let empty = size(&[]);
        let bytes = size(&bindings) - empty;
        let trace = Trace::open(&path).unwrap();
        let (read, told) = (read(&trace), bindings.len() as u64);
        assert_eq!(read.len() as u64, told);
        for (one, other) in read.iter().zip(&bindings) {
            assert_eq!((one.time, one.address), (other.time, other.address));
        }
        println!(
            "{runs} runs: {:.2} bytes a bind",
            bytes as f64 / told as f64
        );
        assert!(bytes <= 12 * told, "{bytes} bytes for {told} binds");
    }
}
