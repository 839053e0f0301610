//! Chained fixups, in a file made by hand: one import, one address of the file itself.
//!
//! No tool on Linux writes such files for Go yet; the layout is that of `<mach-o/fixup-chains.h>`.

use gotrace::binary::macho::{Addition, How, MachO, NewSegment, Protection, Provider, Slices};
use gotrace::binary::{Error, Svma};

const TEXT: u64 = 0x1_0000_0000;
const DATA: usize = 0x4000;
const FIXUPS: usize = 0x8000;
const BIND: u64 = 1 << 63;
/// Eight bytes further on, in steps of four.
const NEXT: u64 = 2 << 51;

fn segment(name: &str, place: u64) -> Vec<u8> {
    let mut command = Vec::new();
    command.extend([0x19_u32, 72].map(u32::to_le_bytes).concat());
    command.extend(name.bytes());
    command.resize(24, 0);
    command.extend(
        [TEXT + place, 0x4000, place, 0x4000]
            .map(u64::to_le_bytes)
            .concat(),
    );
    command.extend([3_u32, 3, 0, 0].map(u32::to_le_bytes).concat());
    command
}

/// The load commands of all segments.
fn all_segments() -> Vec<u8> {
    let places = [0, DATA as u64, FIXUPS as u64];
    let segments = ["__TEXT", "__DATA", "__LINKEDIT"].iter().zip(places);
    let commands = segments.map(|(name, place)| segment(name, place));
    commands.collect::<Vec<_>>().concat()
}

/// A library for arm64 of this subtype and with so many load commands, up to `__LINKEDIT`.
fn up_to_fixups([subtype, count]: [u32; 2], commands: &[u8], pointers: &[u64]) -> Vec<u8> {
    let size = commands.len() as u32;
    let head = [0xfeed_facf_u32, 0x0100_000c, subtype, 6, count, size, 0, 0];
    let mut file = [&head.map(u32::to_le_bytes).concat(), commands].concat();
    file.resize(DATA + 0x10, 0);
    file.extend(pointers.iter().flat_map(|pointer| pointer.to_le_bytes()));
    file.resize(FIXUPS, 0);
    file
}

/// A library with these two pointers in its data; so many segments and this version of the table.
fn library(pointers: [u64; 2], segments: u32, version: u32) -> Vec<u8> {
    let mut commands = all_segments();
    commands.extend([0xc_u32, 48, 24, 0, 0, 0].map(u32::to_le_bytes).concat());
    commands.extend(b"/usr/lib/libSystem.dylib");
    let table = [0x8000_0034_u32, 16, FIXUPS as u32, 0x80];
    commands.extend(table.map(u32::to_le_bytes).concat());
    let mut file = up_to_fixups([0, 5], &commands, &pointers);
    // Starts at 32, imports at 96, names at 100; one import.
    let header = [version, 32, 96, 100, 1, 1, 0, 0];
    file.extend(header.map(u32::to_le_bytes).concat());
    // Of the segments the second has chains; a fourth would be none of this file's.
    let offset_of = |number: u32| {
        if number == 1 || number == 3 {
            32_u32
        } else {
            0
        }
    };
    file.extend(segments.to_le_bytes());
    for number in 0..segments {
        file.extend(offset_of(number).to_le_bytes());
    }
    file.resize(FIXUPS + 64, 0);
    file.extend(24_u32.to_le_bytes());
    file.extend([0x4000_u16, 6].map(u16::to_le_bytes).concat());
    file.extend((DATA as u64).to_le_bytes());
    file.extend(0_u32.to_le_bytes());
    file.extend([1_u16, 0x10].map(u16::to_le_bytes).concat());
    file.resize(FIXUPS + 96, 0);
    // Library 1, name at 1.
    file.extend((1_u32 | 1 << 9).to_le_bytes());
    file.extend(b"\0_malloc\0");
    file.resize(FIXUPS + 0x4000, 0);
    file
}

/// The symbols and where they are put, and the places of addresses and these.
type Found = (Vec<(String, u64)>, Vec<(Svma, Svma)>);

fn chained(file: &[u8]) -> Result<Found, Error> {
    let slices = Slices::of(file).unwrap();
    let image = MachO::parse(&slices.slices[0]).unwrap();
    let found = image.chained()?;
    for bind in &found.binds {
        assert_eq!(
            (bind.how, bind.provider),
            (How::Chained, Provider::Library(1))
        );
        assert_eq!((bind.segment, bind.into, bind.at.0), (1, 0x10, 0x4010));
        assert!(!bind.signed && !bind.weak_import);
    }
    assert_eq!(image.binds()?.len(), found.binds.len());
    let binds = found.binds.iter().map(|bind| {
        let symbol = String::from_utf8_lossy(bind.symbol).into_owned();
        (symbol, bind.slot.unwrap().0)
    });
    Ok((binds.collect(), found.rebases))
}

#[test]
fn chains_hold_imports_and_addresses() {
    let file = library([BIND | NEXT, 0x1234], 3, 0);
    let (binds, rebases) = chained(&file).unwrap();
    assert_eq!(binds, [("_malloc".to_owned(), TEXT + 0x4010)]);
    assert_eq!(rebases, [(Svma(TEXT + 0x4018), Svma(TEXT + 0x1234))]);
}

/// A program of the library, with two segments and a library more.
fn with_more_segments(file: &[u8]) -> Result<Vec<u8>, Error> {
    let mut program = file.to_vec();
    program[12] = 2;
    let segment = |name| NewSegment {
        name,
        section: "__it",
        protection: Protection(3),
        flags: 0,
        contents: &[7; 0x20],
    };
    let addition = Addition {
        segments: &[segment("__ONE"), segment("__TWO")],
        library: "@executable_path/it.dylib",
    };
    let slices = Slices::of(&program)?;
    addition.to(&MachO::parse(&slices.slices[0])?, &program)
}

/// The list of a program's segments has two more, and what stands behind it is found as before.
#[test]
fn chains_go_on_where_segments_are_added() {
    let file = library([BIND | NEXT, 0x1234], 3, 0);
    let more = with_more_segments(&file).unwrap();
    assert_eq!(chained(&more), chained(&file));
    let slices = Slices::of(&more).unwrap();
    let image = MachO::parse(&slices.slices[0]).unwrap();
    assert_eq!(image.segments().len(), 5);
    // __LINKEDIT is two pages further on, and 16 bytes longer; of its list the numbers of segments, of which the second
    // has chains.
    let at = FIXUPS + 0x8000;
    let words = more[at + 32..].chunks_exact(4).take(6);
    let words: Vec<u32> = words
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    assert_eq!(words, [5, 0, 48, 0, 0, 0]);
    assert_eq!(more.len(), file.len() + 0x8000 + 16);
    let refused = with_more_segments(&library([BIND | NEXT, 0x1234], 4, 0)).unwrap_err();
    let expected =
        "number of segments in chained fixups at 0x8020: expected 3, as many as there are, found 4";
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn chains_that_lead_nowhere_are_errors() {
    let beyond = chained(&library([BIND | 5, 0], 3, 0)).unwrap_err();
    assert_eq!(
        beyond.to_string(),
        "number of an import at 0x4010: expected one below 1, found 5"
    );
    let no_segment = chained(&library([BIND, 0], 4, 0)).unwrap_err();
    assert_eq!(
        no_segment.to_string(),
        "segment of a chain at 0x8000: expected one below 3, found 3"
    );
    let newer = chained(&library([BIND, 0], 3, 1)).unwrap_err();
    assert_eq!(newer.to_string(), "chained fixups at 0x8000 cannot be read");
}

/// A library with these opcodes for binding and these pointers in its data.
fn threaded(opcodes: &[u8], pointers: [u64; 3]) -> Vec<u8> {
    let mut commands = all_segments();
    // Of the tables of LC_DYLD_INFO_ONLY the second is that of binds.
    let table = [FIXUPS as u32, opcodes.len() as u32];
    let words = [
        0x8000_0022_u32,
        48,
        0,
        0,
        table[0],
        table[1],
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    commands.extend(words.map(u32::to_le_bytes).concat());
    let mut file = up_to_fixups([2, 4], &commands, &pointers);
    file.extend(opcodes);
    file.resize(FIXUPS + 0x4000, 0);
    file
}

type Threaded = Vec<(String, u64, bool, bool, i64)>;

fn walked(opcodes: &[u8], pointers: [u64; 3]) -> Result<Threaded, Error> {
    let file = threaded(opcodes, pointers);
    let slices = Slices::of(&file).unwrap();
    let image = MachO::parse(&slices.slices[0]).unwrap();
    let binds = image.binds()?;
    let facts = binds.iter().map(|bind| {
        assert_eq!((bind.how, bind.segment), (How::Opcodes, 1));
        assert_eq!(bind.at.0, DATA as u64 + bind.into);
        let symbol = String::from_utf8_lossy(bind.symbol).into_owned();
        (
            symbol,
            bind.slot.unwrap().0,
            bind.signed,
            bind.weak_import,
            bind.addend,
        )
    });
    Ok(facts.collect())
}

/// A table of two imports, `_a` and `_b` (may be missing, 4 is added), for a chain at 0x10 of __DATA.
const TWO: &[u8] = b"\xd0\x02\x11\x40_a\0\x90\x41_b\0\x60\x04\x90\x71\x10\xd1\x00";
const IMPORT: u64 = 1 << 62;
/// The next pointer, in steps of eight.
const STEP: u64 = 1 << 51;

#[test]
fn chains_of_old_arm64e_name_imports_of_a_table() {
    let address = TEXT + 0x4010;
    let found = walked(TWO, [IMPORT | STEP | 1, 0x1234 | STEP, IMPORT | (1 << 63)]).unwrap();
    assert_eq!(
        found,
        [
            ("_b".to_owned(), address, false, true, 4),
            ("_a".to_owned(), address + 16, true, false, 0),
        ]
    );
    // Two steps on; what lies between is none of the chain's.
    let found = walked(TWO, [IMPORT | (2 * STEP), IMPORT, IMPORT]).unwrap();
    assert_eq!(found.len(), 2);
}

#[test]
fn chains_of_old_arm64e_that_lead_nowhere_are_errors() {
    let error = |opcodes: &[u8], first| walked(opcodes, [first, 0, 0]).unwrap_err().to_string();
    assert_eq!(
        error(TWO, IMPORT | 2),
        "number of an import at 0x4010: 0x2 cannot be"
    );
    let no_segment = TWO
        .to_vec()
        .iter()
        .map(|&byte| if byte == 0x71 { 0x79 } else { byte })
        .collect::<Vec<_>>();
    assert_eq!(
        error(&no_segment, IMPORT),
        "segment of a chain at 0x8011: 0x9 cannot be"
    );
    // From the last bytes of the segment on.
    let at_end = b"\xd0\x00\x71\xfc\x7f\xd1";
    assert_eq!(
        error(at_end, 0),
        "pointer of a chain at 0x7ffc: expected 8 bytes, found 4"
    );
    assert_eq!(
        error(b"\xd0\x01\xc0\x02\x00", 0),
        "import of a table at 0x8002: 0x0 cannot be"
    );
    assert_eq!(
        error(b"\xd2", 0),
        "bind opcode at 0x8000: expected 00 to d1, found d2"
    );
    // Again and again from the same place: more binds than the file has room for.
    let again = [&TWO[..TWO.len() - 1], &[0xd1; 0x3000]].concat();
    let said = error(&again, IMPORT);
    assert!(
        said.starts_with("chain of pointers, which is walked again at 0x4010"),
        "{said}"
    );
    // As many binds as no file has pointers for.
    assert_eq!(
        error(b"\x11\x40_a\0\x71\x10\xc0\xff\xff\xff\x7f\x00", 0),
        "number of binds at 0x8007: expected 6144 at most, for which the file has room, found 268435455"
    );
}
