//! Maps written bit by bit, from the description of the coding alone.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::super::Torn;
use super::OffsetMap;
use crate::capture::decode::memory::made_up::Memory;

const AT: u64 = 0x6000_0000;

/// Bits in the order in which they are read: of each byte the lowest first.
fn packed(bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits.bytes().filter(|bit| *bit != b' ').collect();
    let byte = |bits: &[u8]| {
        bits.iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | (bit - b'0'))
    };
    bits.chunks(8).map(byte).collect()
}

/// Chunks are guest's offset, host's offset, byte of code, steps. Numbers of the guest have 1 low bit,
/// of the host 2.
fn map(chunks: &[[u32; 4]], code: &[u8]) -> Vec<u8> {
    let code_from = 0x20 + 16 * u32::try_from(chunks.len()).unwrap();
    let head = [
        u32::from_le_bytes([9, 1, 2, 0]),
        0xdead_beef,
        0,
        0,
        code_from + u32::try_from(code.len()).unwrap(),
        u32::try_from(chunks.len()).unwrap(),
        0x20,
        code_from,
    ];
    let words = head.iter().chain(chunks.as_flattened());
    let words = words.flat_map(|word| word.to_le_bytes());
    words.chain(code.iter().copied()).collect()
}

fn look(map: &[u8], host: u32) -> Result<Option<u32>, Torn> {
    let mut memory = Memory::default();
    memory.put(AT, map);
    OffsetMap::read(&memory, AT)?.guest(&memory, host)
}

/// 32 bits, the lowest first.
fn raw(value: i32) -> String {
    (0..32)
        .map(|bit| if value >> bit & 1 == 1 { '1' } else { '0' })
        .collect()
}

#[test]
fn steps_of_each_form() {
    // Numbers of the host with two low bits: 1 is 0 10, 2 is 0 01, 3 is 0 11, 4 is 10 00.
    // Numbers of the guest with one low bit: 2 is 10 0, 3 is 10 1, 7 is 1110 1.
    let steps = [
        "0 10 1110 1".to_owned(),                          // 1 instruction, 7 bytes
        "10 10 10 0".to_owned(),                           // 5 instructions, 2 bytes
        format!("0 00 0 00 {} {}", raw(3), raw(-4)),       // form 0: 3 instructions, 4 bytes back
        "0 00 0 10 0 01 10 1".to_owned(),                  // form 1: 2 instructions, 3 bytes
        "0 00 0 01 0 11 0 10 0 1".to_owned(),              // form 2, flags 3: 1 instruction, 1 byte
        format!("0 00 0 11 0 00 {} {}", raw(6), raw(600)), // form 3: 6 instructions, 600 bytes
        "0 00 10 00 0 10 10 0".to_owned(),                 // form 4: 1 instruction, 2 bytes
    ];
    let map = map(&[[0x10, 8, 0, 7]], &packed(&steps.concat()));
    // Where each step of the host begins, in bytes, and the guest's offset there.
    let expected = [
        (8, 16),
        (12, 23),
        (32, 25),
        (44, 21),
        (52, 24),
        (56, 25),
        (80, 625),
        (84, 627),
    ];
    for (step, (host, guest)) in expected.into_iter().enumerate() {
        assert_eq!(look(&map, host), Ok(Some(guest)), "step {step}");
        assert_eq!(look(&map, host + 3), Ok(Some(guest)), "behind step {step}");
    }
    assert_eq!(look(&map, 1_000_000), Ok(Some(627)), "the last goes on");
    assert_eq!(look(&map, 7), Ok(None), "before the first");
}

#[test]
fn a_chunk_is_a_place_to_begin_at() {
    // Three chunks of one step each: 1 instruction and 2 bytes, in bytes of their own.
    let code = packed("0 10 10 0 00  0 10 10 0 00  0 10 10 0 00");
    let chunks = [[0, 0, 0, 1], [100, 40, 1, 1], [50, 80, 2, 1]];
    let map = map(&chunks, &code);
    let found = [0, 4, 39, 40, 44, 79, 80, 84, 99].map(|host| look(&map, host).unwrap().unwrap());
    assert_eq!(found, [0, 2, 2, 100, 102, 102, 50, 52, 52]);
}

#[test]
fn code_is_read_across_windows() {
    // 700 steps of 1 instruction and 2 bytes, six bits each: 525 bytes, three windows.
    let map = map(&[[0, 0, 0, 700]], &packed(&"010100".repeat(700)));
    for step in [0, 1, 340, 341, 342, 699, 700] {
        assert_eq!(look(&map, 4 * step), Ok(Some(2 * step)));
    }
}

#[test]
fn lies_are_refused() {
    let good = map(&[[0, 0, 0, 1]], &packed("0 10 10 0 00"));
    assert_eq!(look(&good, 4), Ok(Some(2)));
    let changed = |at: usize, bytes: &[u8]| {
        let mut map = good.clone();
        map[at..at + bytes.len()].copy_from_slice(bytes);
        look(&map, 4)
    };
    let coding = Err(Torn::Coding(AT));
    for (at, value) in [(1, 32), (2, 32), (3, 1), (8, 1), (12, 1)] {
        assert_eq!(changed(at, &[value]), coding, "byte {at:#x}");
    }
    let parts = Err(Torn::Parts(AT));
    let words: [(usize, u32); 7] = [
        (0x10, 0x2f),     // shorter than its own parts
        (0x14, 0),        // no chunk
        (0x14, 2),        // chunks in the code
        (0x14, 1 << 21),  // too many
        (0x14, u32::MAX), // more than there is space
        (0x18, 0x1c),     // chunks in the head
        (0x28, 2),        // code from behind its end
    ];
    for (at, value) in words {
        assert_eq!(
            changed(at, &value.to_le_bytes()),
            parts,
            "{at:#x}: {value:#x}"
        );
    }
    let code = Err(Torn::Code(AT));
    assert_eq!(changed(0x28, &[1]), code, "it has no code there");
    assert_eq!(changed(0x30, &[0xff]), code, "a number without an end");
    let mut two_steps = good.clone();
    two_steps[0x2c] = 2;
    assert_eq!(
        look(&two_steps, 3),
        Ok(Some(0)),
        "what is not needed is not read"
    );
    assert_eq!(look(&two_steps, 4), code, "a step is missing");
    let form = |bits: &str| look(&map(&[[0, 0, 0, 1]], &packed(bits)), 4);
    assert_eq!(form("0 00 10 10 0 10 10 0"), coding, "form 5");
    let longest = format!("0 00 0 00 {} {}", raw(16 << 20), raw(1));
    assert_eq!(form(&longest), Ok(Some(0)));
    for instructions in [0, (16 << 20) + 1, -1] {
        let step = format!("0 00 0 00 {} {}", raw(instructions), raw(1));
        assert_eq!(form(&step), code, "{instructions} instructions");
    }
}

#[test]
fn offsets_do_not_overflow() {
    // From the last offsets on, 1 instruction and 2 bytes.
    let map = map(&[[u32::MAX, u32::MAX - 3, 0, 1]], &packed("0 10 10 0 00"));
    assert_eq!(look(&map, u32::MAX), Err(Torn::Code(AT)));
    assert_eq!(look(&map, 0), Ok(None));
}

#[test]
fn a_number_as_long_as_its_type() {
    let mut map = map(&[[0, 0, 0, 1]], &[0xff; 600]);
    map[2] = 31;
    assert_eq!(
        look(&map, 0),
        Err(Torn::Code(AT)),
        "two ones with 31 low bits"
    );
}

#[test]
fn numbers_of_the_guest_have_up_to_31_low_bits() {
    // 1 instruction of the host; for the guest a high part of none or one, and 31 bits.
    for (high, low, guest) in [("0", 2, 2), ("10", 0, 0x8000_0000)] {
        let low = &raw(low)[..31];
        let code = packed(&format!("0 10 {high} {low}"));
        let mut map = map(&[[0, 0, 0, 1]], &code);
        map[1] = 31;
        assert_eq!(look(&map, 4), Ok(Some(guest)), "{high} {low}");
    }
}

#[test]
fn code_is_read_no_farther_than_a_chunk_reaches() {
    // A byte is a step of 1 instruction and nothing for the guest: 0 10 0 0000, with four low bits for it.
    let mut map = map(&[[5, 0, 0, u32::MAX]], &[0b10; (1 << 20) + 64]);
    map[1] = 4;
    assert_eq!(look(&map, (4 << 20) - 1), Ok(Some(5)));
    assert_eq!(look(&map, 4 << 20), Err(Torn::Code(AT)));
}

#[test]
fn what_is_not_there_is_told() {
    let good = map(&[[0, 0, 0, 9]], &packed(&"010100".repeat(400)));
    let cut = |length: usize| {
        let mut memory = Memory::default();
        memory.put(AT, &good[..length]);
        OffsetMap::read(&memory, AT)?.guest(&memory, 4)
    };
    assert_eq!(cut(0x1f), Err(Torn::Unmapped(AT)));
    assert_eq!(cut(0x2f), Err(Torn::Unmapped(AT + 0x20)));
    assert_eq!(cut(0x30 + 255), Err(Torn::Unmapped(AT + 0x30)));
    assert_eq!(cut(0x30 + 256), Ok(Some(2)));
}
