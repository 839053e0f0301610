//! Bytes that mean harm: files that are cut short, files with bytes changed at random, and each
//! error that the readers have.

use crate::files::bytes;
use gotrace::analyze::Inspection;
use gotrace::analyze::inspect::Wanted;
use gotrace::binary::Error;
use gotrace::binary::macho::{SliceOf, Slices};

const ALL: Wanted = Wanted {
    bindings: true,
    findings: true,
};

/// A stripped file, of which what follows the load commands does not fill megabytes.
fn small() -> Option<Vec<u8>> {
    bytes("stripped")
}

/// The next number of a sequence that is the same in each run (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn files_that_are_cut_do_no_harm() {
    let Some(file) = small() else {
        return;
    };
    let size = u32::from_le_bytes(file[20..24].try_into().unwrap());
    let commands = 32 + usize::try_from(size).unwrap();
    // Lengths in what the header says, and some in what it points to.
    let lengths = (0..3000)
        .step_by(7)
        .chain((3000..file.len()).step_by(100_003));
    for length in lengths {
        let found = Inspection::of(&file[..length], ALL);
        if length < commands {
            assert!(found.is_err(), "{length}");
        }
    }
}

#[test]
fn files_that_are_changed_do_no_harm() {
    let Some(file) = small() else {
        return;
    };
    let mut state = 0x9e37_79b9_7f4a_7c15;
    // Hashing pages is what takes time: these are without.
    let wanted = Wanted {
        bindings: true,
        findings: false,
    };
    for _ in 0..300 {
        let mut changed = file.clone();
        for _ in 0..4 {
            let at = usize::try_from(next(&mut state) % 2600).unwrap();
            changed[at] = next(&mut state).to_le_bytes()[0];
        }
        let _outcome = Inspection::of(&changed, wanted);
    }
    for _ in 0..10 {
        let mut changed = file.clone();
        for _ in 0..2000 {
            let at = next(&mut state) % file.len() as u64;
            changed[usize::try_from(at).unwrap()] = next(&mut state).to_le_bytes()[0];
        }
        let _outcome = Inspection::of(&changed, ALL);
    }
}

/// A fat file: cpu type, offset and bytes of each slice.
pub(crate) fn fat(slices: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xcafe_babe_u32.to_be_bytes());
    file.extend(u32::try_from(slices.len()).unwrap().to_be_bytes());
    for (cpu, offset, data) in slices {
        let size = u32::try_from(data.len()).unwrap();
        for word in [*cpu, 0, *offset, size, 12] {
            file.extend(word.to_be_bytes());
        }
    }
    for (_, offset, data) in slices {
        let offset = usize::try_from(*offset).unwrap();
        file.resize(offset.max(file.len()), 0);
        file.splice(
            offset..(offset + data.len()).min(file.len()),
            data.iter().copied(),
        );
    }
    file
}

#[test]
fn fat_files_have_slices() {
    let (Some(arm64), Some(amd64)) = (bytes("arm64"), bytes("amd64")) else {
        return;
    };
    let second = 0x4000 + u32::try_from(arm64.len()).unwrap().next_multiple_of(0x4000);
    let file = fat(&[(0x0100_000c, 0x4000, &arm64), (0x0100_0007, second, &amd64)]);
    let found = Inspection::of(&file, ALL).unwrap();
    assert_eq!(found.format, "fat Mach-O");
    let archs: Vec<&str> = found
        .slices
        .iter()
        .map(|slice| slice.arch.as_str())
        .collect();
    assert_eq!(archs, ["arm64", "amd64"]);
    for slice in &found.slices {
        assert_eq!(slice.findings.as_deref(), Some(&[][..]), "{}", slice.arch);
        assert!(slice.imports.len() > 20);
    }
    // What is wrong is told by its place in the whole file.
    let mut changed = file;
    let place = 0x4000 + 0x10_0000;
    changed[place] ^= 1;
    let found = Inspection::of(&changed, ALL).unwrap();
    let findings = found.slices[0].findings.as_ref().unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].offset.0, place as u64);
}

#[test]
fn errors_name_the_place() {
    let word = |value: u32| value.to_le_bytes();
    let thin = |count: u32, size: u32, commands: &[u8]| {
        let head = [0xfeed_facf, 0x0100_000c, 0, 2, count, size, 0, 0];
        let head: Vec<u8> = head.iter().flat_map(|&value| word(value)).collect();
        [&head, commands].concat()
    };
    let error = |data: &[u8]| match Inspection::of(data, ALL) {
        Err(error) => error.to_string(),
        Ok(found) => panic!("{found:?}"),
    };
    assert_eq!(
        error(b"MZ\x90\0"),
        "neither an ELF nor a Mach-O file: it begins with [4d, 5a, 90, 00]"
    );
    // A Java class of version 61.
    let class = [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61];
    assert!(error(&class).starts_with("neither"));
    assert_eq!(
        error(&[0xce, 0xfa, 0xed, 0xfe, 7, 0, 0, 0, 3]),
        "Mach-O file at 0x0: expected 64 bits, little-endian, found 32 bits, for 386"
    );
    // Of a watch.
    assert_eq!(
        error(&[0xce, 0xfa, 0xed, 0xfe, 0xc, 0, 0, 2, 1, 0, 0, 0]),
        "Mach-O file at 0x0: expected 64 bits, little-endian, found 32 bits, for arm64_32"
    );
    assert_eq!(
        error(&thin(1, 16, &[0; 8])),
        "load commands at 0x20: expected 16 bytes, found 8"
    );
    assert_eq!(
        error(&thin(1, 16, &[0; 16])),
        "size of a load command at 0x24: expected a multiple of 4 from 8 to 16, found 0"
    );
    let registers = [5, 16, 1, 0].map(word).concat();
    assert_eq!(
        error(&thin(1, 16, &registers)),
        "registers of the first thread: expected 4 (amd64) or 6 (arm64), found 0x1"
    );
    let many_sections = [word(0x19), word(72)].concat();
    let mut segment = [many_sections, vec![0; 64]].concat();
    segment[64..68].copy_from_slice(&word(2));
    assert_eq!(
        error(&thin(1, 72, &segment)),
        "number of sections at 0x60: expected 0 at most, found 2"
    );
    let overlapping = fat(&[(7, 48, &[0; 8]), (12, 52, &[0; 8])]);
    assert_eq!(
        error(&overlapping),
        "offset of a slice at 0x24: expected one behind 0x38, the end of another slice, found 0x34"
    );
    let mut beyond = fat(&[(7, 48, &[0; 8])]);
    beyond.truncate(50);
    assert_eq!(error(&beyond), "slice at 0x30: expected 8 bytes, found 2");
    // In a fat file a slice that is not read is said to be so.
    let found = Inspection::of(&fat(&[(7, 48, &[0xce, 0xfa, 0xed, 0xfe])]), ALL).unwrap();
    assert_eq!(found.slices[0].arch, "386");
    assert!(found.slices[0].unread.is_some() && found.slices[0].findings.is_none());
    assert!(matches!(
        Slices::of(b"!<arch>\nno member"),
        Err(Error::Table { offset: 0, .. })
    ));
}

#[test]
fn archives_have_members() {
    let mut archive = b"!<arch>\n".to_vec();
    let data = b"no object";
    archive.extend(
        format!(
            "{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            "a.o/",
            0,
            0,
            0,
            644,
            data.len()
        )
        .bytes(),
    );
    archive.extend(data);
    let slices = Slices::of(&archive).unwrap();
    assert_eq!(slices.format, "archive");
    assert_eq!(
        slices.slices[0].of,
        SliceOf::Archive("a.o".to_owned(), None)
    );
    assert_eq!(
        (slices.slices[0].offset.0, slices.slices[0].data),
        (68, &data[..])
    );
}
