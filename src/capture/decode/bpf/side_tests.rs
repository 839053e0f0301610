//! Side-band records, built field by field as `perf_event_open(2)` lays them out.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::Side;
use crate::capture::Monotonic;
use crate::trace::Pid;

const EXEC: u32 = 4;
const READ: u32 = 1;
const WRITE: u32 = 2;

fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(misc.to_le_bytes());
    bytes.extend(u16::try_from(8 + body.len() + 8).unwrap().to_le_bytes());
    bytes.extend(body);
    bytes.extend(99_u64.to_le_bytes());
    bytes
}

fn mapping(misc: u16, file: &[u8; 24], protection: u32, path: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(7_u32.to_le_bytes());
    body.extend(8_u32.to_le_bytes());
    for number in [0x40_0000_u64, 0x1000, 0x2000] {
        body.extend(number.to_le_bytes());
    }
    body.extend(file);
    body.extend(protection.to_le_bytes());
    body.extend(2_u32.to_le_bytes());
    body.extend(path);
    body.resize(body.len().next_multiple_of(8), 0);
    record(10, misc, &body)
}

fn mapped<'a>(path: &'a [u8], build_id: &'a [u8]) -> Side<'a> {
    Side::Mapped {
        time: Monotonic(99),
        pid: Pid(7),
        start: 0x40_0000,
        end: 0x40_1000,
        offset: 0x2000,
        path,
        build_id,
        executable: true,
    }
}

#[test]
fn a_mapping_has_a_range_and_a_file() {
    let bytes = mapping(0, &[0x55; 24], EXEC | READ, b"/bin/true\0");
    assert_eq!(Side::parse(&bytes), Some(mapped(b"/bin/true", &[])));
    let bytes = mapping(0, &[0; 24], EXEC, b"//anon\0");
    assert_eq!(Side::parse(&bytes), Some(mapped(b"//anon", &[])));
}

#[test]
fn a_mapping_may_have_a_build_id_instead_of_device_and_inode() {
    let mut file = [0; 24];
    file[0] = 20;
    file[4..].copy_from_slice(b"01234567890123456789");
    let bytes = mapping(1 << 14, &file, EXEC, b"/x\0");
    assert_eq!(
        Side::parse(&bytes),
        Some(mapped(b"/x", b"01234567890123456789"))
    );
    file[0] = 16;
    let bytes = mapping(1 << 14, &file, EXEC, b"/x\0");
    assert_eq!(
        Side::parse(&bytes),
        Some(mapped(b"/x", b"0123456789012345"))
    );
    file[0] = 21; // more than there is room for
    let bytes = mapping(1 << 14, &file, EXEC, b"/x\0");
    assert_eq!(Side::parse(&bytes), None);
}

#[test]
fn data_is_of_no_use_but_what_is_read_of_a_file() {
    let parsed = |protection, path| Side::parse(&mapping(0, &[0; 24], protection, path)).is_some();
    assert!(!parsed(READ | WRITE, b"/x\0") && !parsed(WRITE, b"/x\0"));
    assert!(!parsed(READ, b"//anon\0") && !parsed(READ, b"[stack]\0"));
    let read = mapping(0, &[0; 24], READ, b"/x\0");
    let Some(Side::Mapped {
        executable, path, ..
    }) = Side::parse(&read)
    else {
        panic!("no mapping");
    };
    assert_eq!((executable, path), (false, &b"/x"[..]));
}

#[test]
fn a_mapping_beyond_the_address_space_is_none() {
    let mut bytes = mapping(0, &[0; 24], EXEC, b"/x\0");
    bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(Side::parse(&bytes), None);
}

#[test]
fn a_name_counts_when_an_exec_gave_it() {
    let mut body = 7_u32.to_le_bytes().to_vec();
    body.extend(8_u32.to_le_bytes());
    body.extend(b"compile\0");
    let replaced = Side::Replaced {
        time: Monotonic(99),
        pid: Pid(7),
    };
    assert_eq!(Side::parse(&record(3, 1 << 13, &body)), Some(replaced));
    assert_eq!(
        Side::parse(&record(3, 0, &body)),
        None,
        "a thread named itself"
    );
}

#[test]
fn losses_are_counted() {
    let body: Vec<u8> = [5_u64, 17].iter().flat_map(|n| n.to_le_bytes()).collect();
    let lost = Side::Lost {
        time: Monotonic(99),
        count: 17,
    };
    assert_eq!(Side::parse(&record(2, 0, &body)), Some(lost));
}

#[test]
fn other_records_are_of_no_use() {
    for kind in [0, 1, 4, 7, 9, 11, u32::MAX] {
        assert_eq!(Side::parse(&record(kind, 0, &[0; 64])), None, "{kind}");
    }
}

#[test]
fn a_record_that_is_cut_is_none() {
    let body: Vec<u8> = [5_u64, 17].iter().flat_map(|n| n.to_le_bytes()).collect();
    let lost = record(2, 0, &body);
    for length in 0..lost.len() {
        assert_eq!(Side::parse(&lost[..length]), None, "{length}");
    }
    // The fields before the path.
    let mapping = mapping(0, &[0; 24], EXEC, b"");
    for length in 0..mapping.len() {
        assert_eq!(Side::parse(&mapping[..length]), None, "{length}");
    }
    assert!(Side::parse(&mapping).is_some());
    let exec = record(3, 1 << 13, &[]);
    assert_eq!(Side::parse(&exec), None);
}
