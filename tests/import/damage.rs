//! Recordings that are cut, damaged or made to harm.

use crate::made::{CLOCK, Event, SAMPLE, comm, file, record, sample};
use crate::{imported, losses, samples};

fn refused(bytes: &[u8]) -> String {
    imported(bytes).unwrap_err().to_string()
}

const fn user(address: u64) -> [u64; 2] {
    [(-512_i64).cast_unsigned(), address]
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_place() {
    assert_eq!(
        refused(b""),
        "expected perf.data or folded stacks, found an empty file"
    );
    assert!(refused(b"2ELIFREP\0\0\0").starts_with("offset 0: "));
    assert!(refused(b"PERFILE2").ends_with("found the end"));
    assert!(refused(b"PERFILE2\x20\0\0\0\0\0\0\0").starts_with("offset 0x8: "));
    let whole = file(&[CLOCK], SAMPLE, &[]);
    assert_eq!(
        refused(&whole[..100]),
        "offset 0x8: expected a header of 104 bytes, found the end at 0x64"
    );
    assert!(refused(&whole[..120]).starts_with("offset 0x70: expected an event"));
    let none = "offset 0x68: expected events that were recorded, found none";
    assert_eq!(refused(&file(&[], SAMPLE, &[])), none);
    let pipe = [
        &b"PERFILE2"[..],
        &16_u64.to_le_bytes(),
        &record(64, 0, b"1234"),
    ]
    .concat();
    assert!(refused(&pipe).starts_with("offset 0x10: expected an event"));
    let perf = gotrace::import::Foreign::open(b"main 3\n", Some(gotrace::import::Format::Perf));
    assert_eq!(
        perf.unwrap_err().to_string(),
        "offset 0: expected PERFILE2, as perf.data begins, found 6d 61 69 6e 20 33 0a"
    );
}

#[test]
fn events_without_time_are_refused_by_name() {
    let without_time = SAMPLE & !4;
    assert!(refused(&file(&[CLOCK], without_time, &[])).starts_with("event cpu-clock: "));
    let misses: Event = (0, 3, 1_000, true, 1);
    assert!(refused(&file(&[misses], SAMPLE, &[])).contains("found events 0:0x3: record with"));
    // Cycles by count: how long they took depends on the processor's frequency.
    let cycles: Event = (0, 0, 1_000_000, false, 1);
    assert!(refused(&file(&[cycles], SAMPLE, &[])).contains("found events cycles: "));
}

#[test]
fn a_cut_recording_is_imported_up_to_there() {
    let records = [
        comm(10, "a", true, 100),
        sample(1, 10, 200, &user(1)),
        sample(1, 10, 300, &user(2)),
    ];
    let whole = file(&[CLOCK], SAMPLE, &records);
    let cut = imported(&whole[..whole.len() - 3]).unwrap();
    assert_eq!(samples(&cut).len(), 1);
    let last = records[2].len() as u64 - 3;
    let lost = losses(&cut);
    assert_eq!(
        (&*lost[0].0, lost[0].1),
        ("bytes at the end of perf.data", last)
    );
    let at = whole.len() - records[2].len();
    assert!(lost[0].2.contains(&format!("offset {at:#x}")), "{lost:?}");
    let spots = cut.blind_spots.iter();
    assert!(
        spots
            .map(|spot| cut.text(spot.what))
            .any(|what| what.contains("the end of"))
    );
    // A recorder that is killed leaves a length of zero.
    let mut killed = whole;
    killed[48..56].fill(0);
    assert_eq!(samples(&imported(&killed).unwrap()).len(), 2);
}

#[test]
fn records_that_are_too_short_are_counted() {
    let fine = sample(1, 10, 200, &user(1));
    let mut too_many_callers = sample(1, 10, 300, &user(2));
    let at = too_many_callers.len() - 24;
    too_many_callers[at..at + 8].fill(0xff);
    let trace = imported(&file(
        &[CLOCK],
        SAMPLE,
        &[
            fine,
            record(9, 2, &[1; 20]),
            too_many_callers,
            record(3, 0, b"abc"),
        ],
    ))
    .unwrap();
    assert_eq!(samples(&trace).len(), 1);
    let lost = losses(&trace);
    assert_eq!((&*lost[0].0, lost[0].1), ("records of perf.data", 3));
}

#[test]
fn what_is_packed_wrongly_ends_the_recording() {
    let fine = sample(1, 10, 200, &user(1));
    let garbage = record(81, 0, b"no zstd, by far");
    let trace = imported(&file(&[CLOCK], SAMPLE, &[fine.clone(), garbage])).unwrap();
    assert_eq!(samples(&trace).len(), 1);
    assert!(
        losses(&trace)[0].2.contains("cannot be unpacked"),
        "{:?}",
        losses(&trace)
    );
    // 70 MB of zeros in 6 KB: no record of perf is that large.
    let bomb = zstd::bulk::compress(&vec![0; 70 << 20], 19).unwrap();
    let trace = imported(&file(&[CLOCK], SAMPLE, &[fine, record(81, 0, &bomb)])).unwrap();
    let lost = losses(&trace);
    assert_eq!(samples(&trace).len(), 1);
    assert!(!lost.is_empty(), "{lost:?}");
}

#[test]
fn numbers_beyond_the_file_do_no_harm() {
    let whole = file(&[CLOCK], SAMPLE, &[sample(1, 10, 200, &user(1))]);
    for place in (8..104).step_by(8) {
        for value in [u64::MAX, u64::MAX - 7, 1 << 63, 1, 0] {
            let mut bytes = whole.clone();
            bytes[place..place + 8].copy_from_slice(&value.to_le_bytes());
            drop(imported(&bytes));
        }
    }
    for name in ["file", "pipe", "packed"] {
        let bytes = std::fs::read(format!("tests/data/import/{name}.data")).unwrap();
        for length in (0..bytes.len()).step_by(97) {
            drop(imported(&bytes[..length]));
        }
    }
}
