//! Files that are cut, flipped, or no traces at all: what is whole is read, the rest is told.

use super::{format, small};
use gotrace::trace::Trace;
use gotrace::trace::file::{Error, Integrity, recover};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

struct Place {
    folder: tempfile::TempDir,
    whole: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("whole.gotrace");
        small::write(&path);
        let whole = std::fs::read(path).unwrap();
        Self { folder, whole }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, bytes: &[u8]) -> Result<Trace, Error> {
        Trace::open(&self.file("damaged.gotrace", bytes))
    }

    fn told(&self) -> Vec<String> {
        small::told(&self.open(&self.whole).unwrap())
    }
}

/// Samples without the frames of their stacks, whose rows may be lost.
fn bare(samples: &[String]) -> HashSet<&str> {
    let end = |sample: &str| sample.find('}').unwrap();
    samples
        .iter()
        .map(|sample| &sample[..end(sample)])
        .collect()
}

#[test]
fn a_file_that_is_cut_anywhere_opens_up_to_its_last_whole_block() {
    let place = Place::new();
    let whole = place.open(&place.whole).unwrap();
    let all_samples = small::samples(&whole);
    let blocks = format::walk(&place.whole);
    for length in 0..place.whole.len() {
        let opened = place.open(&place.whole[..length]);
        match (length, &opened) {
            (0, Err(Error::Empty { .. })) | (1..32, Err(Error::CutHeader { .. })) => continue,
            (32.., Ok(_)) => {}
            _ => panic!("{length} bytes: {opened:?}"),
        }
        let trace = opened.unwrap();
        let kept = blocks.iter().filter(|block| block.end <= length);
        let end = kept.clone().next_back().map_or(32, |block| block.end);
        let expected = Integrity {
            unsealed: true,
            cut_bytes: (length - end) as u64,
            ..Integrity::default()
        };
        assert_eq!(trace.integrity, expected, "{length} bytes");
        let rows = kept.filter(|block| block.kind == 8).map(|block| block.rows);
        let samples = small::samples(&trace);
        assert_eq!(samples.len() as u64, rows.sum::<u64>(), "{length} bytes");
        assert_eq!(samples, all_samples[..samples.len()], "{length} bytes");
        for (cut, process) in trace.processes.iter().zip(&whole.processes) {
            assert_eq!((cut.pid, &cut.exec), (process.pid, &process.exec));
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed_wherever_it_is() {
    let place = Place::new();
    let told = place.told();
    let all = small::samples(&place.open(&place.whole).unwrap());
    for at in 0..place.whole.len() {
        let mut bytes = place.whole.clone();
        bytes[at] ^= 1 << (at % 8);
        let opened = place.open(&bytes);
        let trace = match (at, opened) {
            (0..8, Err(Error::NotATrace { .. }))
            | (8..10, Err(Error::NewerVersion { .. } | Error::BadVersion { .. })) => continue,
            (10.., Ok(trace)) => trace,
            (_, opened) => panic!("byte {at}: {opened:?}"),
        };
        if at < 32 {
            let expected = Integrity {
                damaged_header: true,
                ..Integrity::default()
            };
            assert_eq!(trace.integrity, expected, "byte {at}");
            assert_eq!(small::told(&trace)[1..], told[1..], "byte {at}");
        } else if trace.integrity == Integrity::default() {
            // Headers of blocks are in the index, too: nothing is lost.
            assert_eq!(small::told(&trace), told, "byte {at}");
        }
        let samples = small::samples(&trace);
        assert!(bare(&samples).is_subset(&bare(&all)), "byte {at}");
        let lost = trace.integrity.lost_samples as usize;
        assert!(samples.len() + lost >= all.len(), "byte {at}: lost unseen");
    }
}

/// Steele, Lea and Flood's `SplitMix64`: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

#[test]
fn files_that_are_damaged_at_random_are_told_from_sound_ones() {
    let place = Place::new();
    let told = place.told();
    let all = small::samples(&place.open(&place.whole).unwrap());
    let mut random = Random(7);
    for round in 0..1_500 {
        let mut bytes = place.whole.clone();
        for _ in 0..=random.below(12) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.below(256) as u8,
                2 => bytes.truncate(at.max(1)),
                _ => {
                    let from = random.below(bytes.len());
                    let length = (bytes.len() - from.max(at)).min(64);
                    bytes.copy_within(from..from + length, at);
                }
            }
        }
        let Ok(trace) = place.open(&bytes) else {
            continue;
        };
        if trace.integrity == Integrity::default() {
            assert_eq!(small::told(&trace), told, "round {round}");
        }
        let samples = small::samples(&trace);
        assert!(bare(&samples).is_subset(&bare(&all)), "round {round}");
    }
}

#[test]
fn what_is_no_trace_is_named() {
    let place = Place::new();
    let header = &place.whole[..32];
    let version = |version: u16| [&header[..8], &version.to_le_bytes(), &header[10..]].concat();
    for (bytes, expected) in [
        (
            b"".to_vec(),
            "expected a gotrace trace, found an empty file",
        ),
        (
            b"#!/bin/sh\n".to_vec(),
            "not a gotrace trace: expected it to begin with 89676f7472616365, found 23212f62696e2f73",
        ),
        (
            header[..20].to_vec(),
            "cut short: expected a header of 32 bytes, found 20",
        ),
        (
            version(2),
            "trace format version 2 is newer than version 1, which is the newest that this gotrace reads: use a newer gotrace",
        ),
        (
            version(0),
            "damaged header: expected a format version from 1 to 1, found 0",
        ),
    ] {
        let path = place.file("no trace", &bytes);
        let message = Trace::open(&path).unwrap_err().to_string();
        assert_eq!(message, format!("{}: {expected}", path.display()));
    }
    let missing = place.folder.path().join("missing");
    let message = Trace::open(&missing).unwrap_err().to_string();
    assert_eq!(message, format!("{}: cannot open", missing.display()));
    // Neither is a device, which may never end.
    for no_file in [place.folder.path(), Path::new("/dev/zero")] {
        let error = Trace::open(no_file).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{}: cannot open", no_file.display())
        );
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(why, "not a plain file");
    }
}

fn recovered(place: &Place, bytes: &[u8]) -> (Trace, Integrity) {
    let from = place.file("killed.gotrace", bytes);
    let to = place.folder.path().join("sealed.gotrace");
    let what = recover(&from, &to, |_| {}).unwrap();
    assert_eq!(std::fs::read(&from).unwrap(), bytes, "the trace is touched");
    (Trace::open(&to).unwrap(), what.found)
}

/// What a copy says, and apart from it what it says of the trace that it was made of.
fn told_apart(copy: &Trace) -> (Vec<String>, Vec<String>) {
    let (reasons, own): (Vec<_>, Vec<_>) = copy.blind_spots.iter().partition(|spot| {
        let why = copy.text(spot.why);
        why.contains("the trace was damaged") || why.contains("its recorder was killed")
    });
    let texts: Vec<_> = reasons
        .iter()
        .flat_map(|spot| [spot.what, spot.why])
        .map(|id| format!("string {:?}", copy.text(id)))
        .collect();
    let own: Vec<_> = own
        .iter()
        .map(|spot| format!("blind spot {spot:?}"))
        .collect();
    let mut told = small::told(copy);
    told.retain(|line| {
        !texts.contains(line) && (!line.starts_with("blind spot") || own.contains(line))
    });
    let reasons = reasons.iter().map(|spot| copy.text(spot.what).into_owned());
    (told, reasons.collect())
}

#[test]
fn what_a_cut_file_holds_is_recovered_and_sealed() {
    let place = Place::new();
    for end in format::walk(&place.whole).iter().map(|block| block.end) {
        let cut = &place.whole[..end + 7];
        let (sealed, found) = recovered(&place, cut);
        assert!(found.unsealed && found.cut_bytes > 0, "{end}: {found:?}");
        assert_eq!(sealed.integrity, Integrity::default(), "{end}");
        let (told, reasons) = told_apart(&sealed);
        assert_eq!(told, small::told(&place.open(cut).unwrap()));
        let bytes = format!("{} bytes after the last whole block", found.cut_bytes);
        assert!(reasons.contains(&bytes), "{reasons:?}");
        assert!(reasons.contains(&"the end of the trace".to_owned()));
    }
}

/// The ids that a lost block took with it keep their meaning in the copy, too.
#[test]
fn what_is_left_around_a_damaged_table_is_recovered() {
    let place = Place::new();
    let blocks = format::walk(&place.whole);
    let mut tables = HashSet::new();
    for block in blocks.iter().filter(|block| block.kind < 6) {
        let mut bytes = place.whole.clone();
        bytes[block.end - 1] ^= 1;
        let (sealed, found) = recovered(&place, &bytes);
        // Names of frames are checked against the frames.
        let damaged = if block.kind == 3 { 2 } else { 1 };
        assert_eq!(found.damaged_blocks, damaged);
        let expected = place.open(&bytes).unwrap();
        let (told, reasons) = told_apart(&sealed);
        let kind = block.kind;
        assert_eq!(told, small::told(&expected), "kind {kind}");
        let said = format!("{damaged} damaged blocks");
        assert!(reasons.contains(&said), "{reasons:?}");
        assert_eq!(sealed.integrity.lost_samples, 0, "kind {kind}");
        tables.insert(kind);
    }
    assert_eq!(tables.len(), 5);
}

#[test]
fn a_copy_that_cannot_be_made_leaves_what_was_there() {
    let place = Place::new();
    let from = place.file("killed.gotrace", &place.whole[..200]);
    let before = place.file("sealed.gotrace", &place.whole);
    let folder = place.folder.path().join("folder.gotrace");
    std::fs::create_dir(&folder).unwrap();
    assert!(recover(&from, &folder, |_| {}).is_err());
    // Where a folder has the name of the copy in the making, it cannot be made.
    let partial = format!("sealed.gotrace.partial-{}", std::process::id());
    std::fs::create_dir(place.folder.path().join(partial)).unwrap();
    assert!(recover(&from, &before, |_| {}).is_err());
    assert_eq!(read(&before), place.whole);
}

#[test]
fn damaged_blocks_are_left_out_of_what_is_recovered() {
    let place = Place::new();
    let mut bytes = place.whole.clone();
    let blocks = format::walk(&bytes);
    let at = blocks.iter().position(|block| block.kind == 8).unwrap();
    bytes[blocks[at].end - 1] ^= 1;
    let (sealed, found) = recovered(&place, &bytes);
    assert_eq!(
        (found.damaged_blocks, found.lost_samples),
        (1, blocks[at].rows)
    );
    let kept = small::samples(&place.open(&bytes).unwrap());
    assert_eq!(small::samples(&sealed), kept);
    assert_eq!(kept.len() as u64, 20 - blocks[at].rows);
    assert!(!sealed.integrity.unsealed);
}

#[test]
fn a_trace_is_never_recovered_onto_itself_or_onto_what_is_no_trace() {
    let place = Place::new();
    let from = place.file("killed.gotrace", &place.whole[..200]);
    let link = place.folder.path().join("link.gotrace");
    std::fs::hard_link(&from, &link).unwrap();
    for to in [&from, &link] {
        let refused = recover(&from, to, |_| {});
        assert!(
            matches!(refused, Err(Error::SameFile { .. })),
            "{refused:?}"
        );
    }
    let dear = place.file("letter.txt", b"dear to somebody");
    let refused = recover(&from, &dear, |_| {});
    assert!(matches!(refused, Err(Error::Foreign { .. })), "{refused:?}");
    assert_eq!(read(&dear), b"dear to somebody");
    assert_eq!(read(&from), place.whole[..200]);
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
