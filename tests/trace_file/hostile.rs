//! Files made to fill the memory or to keep a reader busy: sound by every checksum, and small.

use super::small;
use gotrace::trace::Trace;

const MI: usize = 1 << 20;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// A column whose rows all have one value.
pub(crate) fn constant(value: u64) -> Vec<u8> {
    [vec![0], varint(value)].concat()
}

/// A block as `docs/trace-format.md` draws it.
pub(crate) fn block(kind: u8, rows: usize, contents: &[u8]) -> Vec<u8> {
    let stored = zstd::bulk::compress(contents, 1).unwrap();
    let mut header = b"\xb7blk".to_vec();
    header.extend([kind, 1, 0, 0]);
    for number in [rows, contents.len(), stored.len()] {
        header.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    header.extend([0; 16]);
    header.extend(crc32fast::hash(&stored).to_le_bytes());
    header.extend(crc32fast::hash(&header).to_le_bytes());
    [header, stored].concat()
}

/// A small trace with `blocks` after its own, and how long that file is.
pub(crate) fn open(blocks: &[Vec<u8>]) -> (Trace, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.gotrace");
    small::write_without_trees(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    let own = super::format::walk(&bytes);
    let index = own.iter().position(|block| block.kind == 9).unwrap();
    bytes.truncate(own[index - 1].end);
    bytes.extend(blocks.concat());
    std::fs::write(&path, &bytes).unwrap();
    (Trace::open(&path).unwrap(), bytes.len())
}

#[test]
fn one_record_cannot_name_without_end() {
    let many = 15 * MI;
    let fields = [vec![0], varint(many as u64), vec![0; many]].concat();
    let record = [vec![7], varint(fields.len() as u64), fields].concat();
    let bomb = block(7, 1, &record);
    let (trace, length) = open(&vec![bomb; 40]);
    assert!(length < 200_000, "{length}");
    let named: usize = trace.imports.iter().map(|i| i.packages.len()).sum();
    assert!(named > many && named < 64 * MI, "{named}");
    assert!(
        trace.integrity.damaged_blocks >= 30,
        "{:?}",
        trace.integrity
    );
}

#[test]
fn one_frame_cannot_stand_for_functions_without_end() {
    let bare = open(&[]).0;
    let (first, function) = (bare.frames.len(), bare.functions.len());
    let count = 40;
    // Unmapped, each 16 bytes after the one before.
    let frames = [varint(first as u64), constant(1), constant(32)].concat();
    let functions = [varint(function as u64), constant(0), constant(0)].concat();
    let mut blocks = vec![block(3, count, &frames), block(5, 1, &functions)];
    for row in 0..count as u64 {
        let id = first as u64 + row;
        let key = [1, 0, 16 * (row + 1), 0, id].map(u64::to_le_bytes).concat();
        let contents = [
            crc32fast::hash(&key).to_le_bytes().to_vec(),
            constant(2 * id),
            constant(MI as u64),
            constant(2 * function as u64),
            constant(0),
            constant(0),
        ];
        blocks.push(block(6, 1, &contents.concat()));
    }
    let (trace, length) = open(&blocks);
    assert!(length < 20_000, "{length}");
    let names = trace.symbols.iter().flatten();
    let named: usize = names.map(Vec::len).sum();
    assert!((MI..2 * MI).contains(&named), "{named}");
    let damaged = trace.integrity.damaged_blocks;
    assert!(damaged as usize >= count - 2, "{damaged} of {count}");
}

#[test]
fn samples_of_nothing_cannot_go_on_without_end() {
    let contents = [
        varint(1),
        constant(0),
        constant(7),
        constant(2),
        constant(0),
        constant(0),
        constant(0),
        constant(0),
    ];
    let bomb = block(8, MI, &contents.concat());
    let (trace, length) = open(&vec![bomb; 8]);
    assert!(length < 20_000, "{length}");
    assert_eq!(trace.integrity.lost_samples, 4 * MI as u64);
}
