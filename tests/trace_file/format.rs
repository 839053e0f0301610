//! The tables of `docs/trace-format.md` against the bytes of files, and files of old versions.

use super::small;
use gotrace::trace::file::Integrity;
use gotrace::trace::{Nanos, Trace};
use std::path::Path;

/// The file as version 1 wrote it; see `tests/data/format/README.md`.
const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/format/v1-small.gotrace"
);

/// The same with calls and dynamic linking, which came later.
const BINDINGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/format/v1-bindings.gotrace"
);

/// That with what was unmapped, and what processors counted, which came later still.
const COUNTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/format/v1-counts.gotrace"
);

/// And with calls that were added up.
const TREES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/format/v1-trees.gotrace"
);

/// A field of a fixed layout: where, how long, and what the page says of it.
struct Field {
    offset: usize,
    length: usize,
    what: String,
}

fn page() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/trace-format.md");
    std::fs::read_to_string(page).unwrap()
}

/// The rows of the first table below a heading, without its head.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|--"));
    rows.skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

fn layout(heading: &str) -> Vec<Field> {
    table(&page(), heading)
        .into_iter()
        .map(|row| Field {
            offset: row[0].parse().unwrap(),
            length: row[1].parse().unwrap(),
            what: row[2].clone(),
        })
        .collect()
}

fn length(layout: &[Field]) -> usize {
    layout.iter().fold(0, |end, field| {
        assert_eq!(field.offset, end, "{}: leaves a gap", field.what);
        field.offset + field.length
    })
}

/// The number in the field that the page describes with these words.
fn number(bytes: &[u8], layout: &[Field], what: &str) -> u64 {
    let field = layout.iter().find(|field| field.what.starts_with(what));
    let field = field.unwrap_or_else(|| panic!("no field {what:?}"));
    let bytes = &bytes[field.offset..field.offset + field.length];
    bytes
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn sum(bytes: &[u8]) -> u64 {
    u64::from(crc32fast::hash(bytes))
}

/// A block as the page lets one find it.
pub(crate) struct Block {
    pub(crate) kind: u64,
    pub(crate) rows: u64,
    pub(crate) end: usize,
}

/// Goes from header to header by the tables of the page, and checks all that they say.
pub(crate) fn walk(file: &[u8]) -> Vec<Block> {
    let (head, block) = (layout("File header"), layout("Block header"));
    assert_eq!((length(&head), length(&block)), (32, 44));
    assert_eq!(&file[..8], b"\x89gotrace");
    assert_eq!(number(file, &head, "version"), 1);
    assert_eq!(number(file, &head, "length of this header"), 32);
    assert_eq!(number(file, &head, "checksum"), sum(&file[..28]));
    let mut blocks = Vec::new();
    let mut at = 32;
    while file[at..].starts_with(b"\xb7blk") {
        let header = &file[at..at + 44];
        let field = |what| number(header, &block, what);
        let stored = field("length of the contents as they follow") as usize;
        let contents = &file[at + 44..at + 44 + stored];
        assert_eq!(field("checksum of bytes"), sum(&header[..40]));
        assert_eq!(field("checksum of the contents"), sum(contents));
        let raw = field("length of the contents before") as usize;
        match field("codec") {
            0 => assert_eq!(raw, stored),
            _ => assert_eq!(zstd::bulk::decompress(contents, raw).unwrap().len(), raw),
        }
        at += 44 + stored;
        blocks.push(Block {
            kind: field("kind"),
            rows: field("rows"),
            end: at,
        });
    }
    blocks
}

#[test]
fn files_lie_as_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    small::write(&path);
    let file = std::fs::read(&path).unwrap();
    let blocks = walk(&file);
    let end = blocks.last().unwrap().end;
    let trailer = layout("Trailer");
    assert_eq!(length(&trailer), file.len() - end);
    let last = &file[end..];
    assert_eq!(number(last, &trailer, "checksum"), sum(&last[..8]));
    assert_eq!(&last[12..], b"gotrace\x89");
    let index = number(last, &trailer, "offset of the index") as usize;
    assert_eq!(index, blocks[blocks.len() - 2].end);
    assert_eq!(blocks.last().unwrap().rows as usize, blocks.len() - 1);

    let named: Vec<u64> = table(&page(), "Kinds of blocks")
        .iter()
        .map(|row| row[0].parse().unwrap())
        .collect();
    let mut found: Vec<u64> = blocks.iter().map(|block| block.kind).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, named);
    let samples = blocks.iter().filter(|block| block.kind == 8);
    assert_eq!(samples.map(|block| block.rows).sum::<u64>(), 20);
}

#[test]
fn every_record_of_the_page_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    small::write(&path);
    let file = std::fs::read(&path).unwrap();
    let mut found = Vec::new();
    let mut begin = 32;
    for block in walk(&file) {
        if block.kind == 7 {
            let stored = &file[begin + 44..block.end];
            let raw = zstd::bulk::decompress(stored, 1 << 20);
            let mut rest = raw.as_deref().unwrap_or(stored);
            while let [number, length, after @ ..] = rest {
                assert!(*length < 0x80, "a varint of one byte in so small a trace");
                found.push(usize::from(*number));
                rest = &after[usize::from(*length)..];
            }
        }
        begin = block.end;
    }
    found.sort_unstable();
    found.dedup();
    let named: Vec<usize> = table(&page(), "Contents of records")
        .iter()
        .map(|row| row[0].parse().unwrap())
        .collect();
    assert_eq!(found, named);
}

#[test]
fn a_file_with_bindings_is_read_as_it_was_written() {
    let fixture = Path::new(BINDINGS);
    if std::env::var_os("WRITE_FIXTURE").is_some_and(|which| which == "bindings") {
        small::write_without_counts(fixture);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    small::write_without_counts(&path);
    let (old, new) = (Trace::open(fixture).unwrap(), Trace::open(&path).unwrap());
    assert_eq!(old.integrity, Integrity::default());
    assert_eq!(small::told(&old), small::told(&new));
    assert_eq!((old.binding_count(), old.loads.len()), (2, 1));
}

#[test]
fn a_file_with_counts_is_read_as_it_was_written() {
    let fixture = Path::new(COUNTS);
    if std::env::var_os("WRITE_FIXTURE").is_some_and(|which| which == "counts") {
        small::write_without_trees(fixture);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    small::write_without_trees(&path);
    let (old, new) = (Trace::open(fixture).unwrap(), Trace::open(&path).unwrap());
    assert_eq!(old.integrity, Integrity::default());
    assert_eq!(small::told(&old), small::told(&new));
    let counts = old.processes[1].counts.unwrap();
    assert_eq!((counts.instructions, counts.energy_nj), (12, 16));
    assert_eq!(old.unmappings.len(), 1);
}

#[test]
fn a_file_with_call_trees_is_read_as_it_was_written() {
    let fixture = Path::new(TREES);
    if std::env::var_os("WRITE_FIXTURE").is_some_and(|which| which == "trees") {
        small::write(fixture);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    small::write(&path);
    let (old, new) = (Trace::open(fixture).unwrap(), Trace::open(&path).unwrap());
    assert_eq!(old.integrity, Integrity::default());
    assert_eq!(small::told(&old), small::told(&new));
    let block = old.call_trees().next().unwrap().unwrap();
    let rows: Vec<_> = block
        .iter()
        .map(|row| (row.level, row.calls, row.open, row.total))
        .collect();
    assert_eq!(rows, [(0, 1, 0, Nanos(9)), (1, 2, 1, Nanos(5))]);
}

#[test]
fn a_file_of_version_1_is_read_as_it_was_written() {
    let fixture = Path::new(FIXTURE);
    if std::env::var_os("WRITE_FIXTURE").is_some_and(|which| which == "1") {
        small::write_without_calls(fixture);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.gotrace");
    small::write_without_calls(&path);
    let (old, new) = (Trace::open(fixture).unwrap(), Trace::open(&path).unwrap());
    assert_eq!(old.integrity, Integrity::default());
    assert_eq!(small::told(&old), small::told(&new));
    assert_eq!(small::samples(&old).len(), 20);
    assert_eq!(old.processes.len(), 4);
}
