//! Trees laid out by hand.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::super::Torn;
use super::{Guest, Runtime};
use crate::capture::decode::memory::made_up::Memory;

const RUNTIME: u64 = 0x7fff_0000_0000;
const KNOWN: Runtime = Runtime {
    address: RUNTIME,
    root: 0x3ba08,
};
const PIECES: u64 = 0x1_4000_0000;
const MAPS: u64 = 0x1_5000_0000;

struct Node {
    below: u64,
    above: u64,
    host: u64,
    host_bytes: u32,
    guest: u64,
    guest_bytes: u32,
    kind: u8,
    map: u64,
}

impl Node {
    fn bytes(&self) -> [u8; 0xa0] {
        let mut bytes = [0xee; 0xa0];
        for (at, value) in [
            (0x30, self.below),
            (0x38, self.above),
            (0x48, self.guest),
            (0x58, self.host),
            (0x80, self.map),
        ] {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes[0x78] = self.kind;
        bytes[0x98..0x9c].copy_from_slice(&self.guest_bytes.to_le_bytes());
        bytes[0x9c..0xa0].copy_from_slice(&self.host_bytes.to_le_bytes());
        bytes
    }
}

/// Three pieces: translated code at 0x2000, below it the runtime's, above it code with a damaged kind.
fn tree() -> Memory {
    let mut memory = Memory::default();
    memory.put(RUNTIME + 0x3ba08, PIECES.to_le_bytes());
    let at = |index: u64| PIECES + 0xa0 * index;
    let nodes = [
        Node {
            below: at(1),
            above: at(2),
            host: 0x2000,
            host_bytes: 0x100,
            guest: 0x40_0000,
            guest_bytes: 2,
            kind: 4,
            map: MAPS,
        },
        Node {
            below: 0,
            above: 0,
            host: 0x1000,
            host_bytes: 0x80,
            guest: 0,
            guest_bytes: 0,
            kind: 0,
            map: 0,
        },
        Node {
            below: 0,
            above: 0,
            host: 0x3000,
            host_bytes: 0x10,
            guest: 0x50_0000,
            guest_bytes: 8,
            kind: 3,
            map: MAPS,
        },
    ];
    let bytes: Vec<[u8; 0xa0]> = nodes.iter().map(Node::bytes).collect();
    memory.put(PIECES, bytes.concat());
    // One chunk from host offset 4 on; one step of 1 instruction and 2 bytes: 0 10 10 0.
    let map = [0x0002_0100, 0, 0, 0, 0x31, 1, 0x20, 0x30, 0, 4, 0, 1].map(u32::to_le_bytes);
    memory.put(MAPS, [&map.concat()[..], &[0b0000_1010]].concat());
    memory
}

fn changed(address: u64, bytes: &[u8], host: u64) -> Result<Guest, Torn> {
    let mut memory = tree();
    memory.set(address, bytes);
    KNOWN.guest(&memory, host)
}

#[test]
fn each_place_is_what_it_is() {
    let memory = tree();
    for (host, expected) in [
        (0x2000, Guest::Entering),
        (0x2004, Guest::At(0x40_0000)),
        (0x2007, Guest::At(0x40_0000)),
        (0x2008, Guest::At(0x40_0002)),
        (0x20ff, Guest::At(0x40_0002)),
        (0x2100, Guest::Elsewhere),
        (0x1000, Guest::Runtime),
        (0x107f, Guest::Runtime),
        (0x1080, Guest::Elsewhere),
        (0xfff, Guest::Elsewhere),
        (u64::MAX, Guest::Elsewhere),
    ] {
        assert_eq!(KNOWN.guest(&memory, host), Ok(expected), "{host:#x}");
    }
    let kind = Err(Torn::Kind(PIECES + 0x140, 3));
    assert_eq!(KNOWN.guest(&memory, 0x300f), kind);
}

#[test]
fn an_empty_tree_has_nothing() {
    let root = RUNTIME + 0x3ba08;
    assert_eq!(changed(root, &[0; 8], 0x2004), Ok(Guest::Elsewhere));
}

#[test]
fn a_runtime_that_nobody_knows_is_none() {
    assert_eq!(Runtime::of(RUNTIME, [7; 16]), None);
}

#[test]
fn lies_are_refused() {
    let root = |to: u64| changed(RUNTIME + 0x3ba08, &to.to_le_bytes(), 0x2004);
    assert_eq!(root(0xff8), Err(Torn::Pointer(0xff8)));
    assert_eq!(root(0x1000), Err(Torn::Unmapped(0x1030)));
    assert_eq!(root(PIECES + 4), Err(Torn::Pointer(PIECES + 4)));
    assert_eq!(root(u64::MAX - 7), Err(Torn::Pointer(u64::MAX - 7)));
    let nowhere = Err(Torn::Unmapped(0x9030));
    assert_eq!(root(0x9000), nowhere);
    let circle = PIECES.to_le_bytes();
    let deep = Err(Torn::Depth(4096));
    assert_eq!(changed(PIECES + 0x38, &circle, 0x2100), deep, "to itself");
    assert_eq!(
        changed(PIECES + 0xa0 + 0x38, &circle, 0x1fff),
        deep,
        "up again"
    );
    for bytes in [0, (64 << 20) + 1] {
        let size = changed(PIECES + 0x9c, &u32::to_le_bytes(bytes), 0x2004);
        assert_eq!(size, Err(Torn::Size(PIECES, bytes)));
    }
    let largest = changed(PIECES + 0x9c, &u32::to_le_bytes(64 << 20), 0x2004);
    assert_eq!(largest, Ok(Guest::At(0x40_0000)));
    let no_map = Err(Torn::NoMap(PIECES));
    assert_eq!(changed(PIECES + 0x80, &[0; 8], 0x2004), no_map);
    assert_eq!(changed(PIECES + 0x98, &[0; 4], 0x2004), no_map);
    let outside = Err(Torn::Outside(MAPS));
    assert_eq!(changed(PIECES + 0x98, &[1, 0, 0, 0], 0x2008), outside);
    assert_eq!(changed(MAPS + 3, &[1], 0x2008), Err(Torn::Coding(MAPS)));
    assert_eq!(changed(MAPS + 0x30, &[0xff], 0x2008), Err(Torn::Code(MAPS)));
    let mut no_root = tree();
    no_root.0.remove(0);
    let missing = Err(Torn::Unmapped(RUNTIME + 0x3ba08));
    assert_eq!(KNOWN.guest(&no_root, 0x2004), missing);
}

#[test]
fn code_at_the_end_of_memory() {
    let last = (u64::MAX - 0x7f).to_le_bytes();
    assert_eq!(
        changed(PIECES + 0x58, &last, u64::MAX),
        Ok(Guest::At(0x40_0002))
    );
}
