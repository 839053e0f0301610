//! Offsets of two made-up qemus, laid out by hand; and the guest program, read by other means.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::{FLAG, HostRegisters, Offsets, Running, code, mark, program};
use crate::capture::decode::memory::ReadMemory;
use std::collections::BTreeMap;

/// Memory of a few pages.
#[derive(Clone, Default)]
struct Memory(BTreeMap<u64, u8>);

impl Memory {
    fn set(&mut self, address: u64, word: u64) {
        for (at, byte) in (address..).zip(word.to_le_bytes()) {
            self.0.insert(at, byte);
        }
    }

    fn zero(&mut self, start: u64, bytes: u64) {
        for at in start..start + bytes {
            self.0.entry(at).or_insert(0);
        }
    }
}

impl ReadMemory for Memory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        (address..)
            .zip(into)
            .all(|(at, byte)| match self.0.get(&at) {
                Some(found) => {
                    *byte = *found;
                    true
                }
                None => false,
            })
    }
}

const STATE: u64 = 0x5555_0000_4000;
const THREAD: u64 = 0x7fff_0000_8000;
const BLOCK: u64 = 0x7f00_0000_0c00;

/// A process that runs the program under a qemu with these offsets.
fn process(at: Offsets) -> (Memory, HostRegisters) {
    let (_, looped, _) = code();
    let mut memory = Memory::default();
    memory.zero(STATE, 4096);
    memory.zero(THREAD - 4096, 4096);
    memory.zero(BLOCK & !0xfff, 8192);
    for register in 0..32 {
        let value = if register == 26 { FLAG } else { mark(register) };
        memory.set(STATE + u64::from(at.registers) + 8 * register, value);
    }
    memory.set(
        THREAD.wrapping_add_signed(at.cpu.into()),
        STATE - u64::from(at.state),
    );
    memory.set(BLOCK + u64::from(at.block_pc), looped + 8);
    let code = BLOCK + u64::from(at.block_bytes);
    memory.set(BLOCK + u64::from(at.block_code), code);
    memory.set(BLOCK + u64::from(at.block_code) + 8, 215);
    let host = HostRegisters {
        pc: code + 100,
        bp: STATE,
        thread: THREAD,
        call: 0,
    };
    (memory, host)
}

fn waiting(mut memory: Memory, at: Offsets) -> Memory {
    let (.., after_call) = code();
    memory.set(STATE + u64::from(at.pc), after_call);
    memory
}

/// As on qemu 7.2 of Debian 12, as gdb shows them there.
const QEMU_7_2: Offsets = Offsets {
    cpu: -232,
    state: 0x330,
    registers: 64,
    pc: 320,
    block_pc: 0,
    block_code: 32,
    block_bytes: 192,
};

const OTHER: Offsets = Offsets {
    cpu: -8,
    state: 0x2ba0,
    registers: 1024,
    pc: 2000,
    block_pc: 8,
    block_code: 104,
    block_bytes: 128,
};

#[test]
fn all_is_found_wherever_it_is() {
    for at in [QEMU_7_2, OTHER] {
        let (memory, host) = process(at);
        let running = Running::of(&memory, host).expect("in its loop");
        let found = running.waiting(&waiting(memory, at), host);
        assert_eq!(found, Ok(at));
        assert_eq!(Offsets::parse(&at.to_text()), Some(at));
    }
}

#[test]
fn a_pointer_that_is_not_there_in_a_system_call_does_not_count() {
    let (mut memory, host) = process(QEMU_7_2);
    memory.set(THREAD - 200, STATE - 0x100); // nearer, but gone when the program waits
    memory.set(THREAD - 56, STATE - 0x1_68d0); // something else on the heap
    let running = Running::of(&memory, host).expect("in its loop");
    let mut later = waiting(memory, QEMU_7_2);
    later.set(THREAD - 200, 0);
    assert_eq!(running.waiting(&later, host), Ok(QEMU_7_2));
    later.set(THREAD - 232, 0);
    later.set(THREAD - 56, 0);
    let error = running.waiting(&later, host).expect_err("no pointer");
    assert!(error.contains("thread-local"));
}

#[test]
fn what_is_not_in_the_loop_is_not_taken_for_it() {
    let (memory, host) = process(QEMU_7_2);
    assert_eq!(
        Running::of(
            &memory,
            HostRegisters {
                bp: STATE + 8,
                ..host
            }
        ),
        None
    );
    // Behind the block's code, and in a block of another program.
    assert_eq!(
        Running::of(
            &memory,
            HostRegisters {
                pc: host.pc + 115,
                ..host
            }
        ),
        None
    );
    let mut other = memory.clone();
    other.set(BLOCK, 0x1234);
    assert_eq!(Running::of(&other, host), None);
    let mut changed = memory.clone();
    changed.set(STATE + 64 + 8 * 7, 1);
    assert_eq!(Running::of(&changed, host), None);
    assert_eq!(Running::of(&Memory::default(), host), None);
    let running = Running::of(&memory, host).expect("in its loop");
    let error = running.waiting(&memory, host).expect_err("no pc");
    assert!(error.contains("pc"));
    assert_eq!(
        running.waiting(&Memory::default(), host),
        Err("CPUArchState")
    );
    let (elsewhere, host) = process(OTHER);
    let elsewhere = Running::of(&elsewhere, host).expect("in its loop");
    assert!(!running.agrees_with(&elsewhere) && running.agrees_with(&running));
}

#[test]
fn a_block_has_its_code_behind_it_on_a_line_of_its_own() {
    let found = |block_bytes, size| {
        let at = Offsets {
            block_bytes,
            ..QEMU_7_2
        };
        let (mut memory, host) = process(at);
        memory.set(BLOCK + u64::from(at.block_code) + 8, size);
        Running::of(&memory, host).map(|running| running.block.bytes)
    };
    let sizes = [64, 192, 512].map(|bytes| found(bytes, 215));
    assert_eq!(sizes, [64, 192, 512].map(Some));
    assert_eq!(found(576, 215), None, "too far behind it");
    assert_eq!(found(96, 215), None, "within a line of the cache");
    assert_eq!(found(192, 65_535), Some(192));
    assert_eq!(found(192, 65_536), None, "too long");
    // It is no part of its own code: what is told begins a line before.
    assert_eq!(found(0, 215), Some(64));
}

#[test]
fn other_registers_or_another_block_are_of_another_qemu() {
    let of = |at| {
        let (memory, host) = process(at);
        Running::of(&memory, host).expect("in its loop")
    };
    let one = of(QEMU_7_2);
    let registers = Offsets {
        registers: 72,
        ..QEMU_7_2
    };
    let block = Offsets {
        block_bytes: 128,
        ..QEMU_7_2
    };
    assert!(one.agrees_with(&of(QEMU_7_2)));
    assert!(!one.agrees_with(&of(registers)));
    assert!(!one.agrees_with(&of(block)));
}

/// Words as `llvm-mc -triple aarch64` assembles them.
#[test]
fn a_register_is_filled_by_four_instructions() {
    let (words, ..) = code();
    // movz x29, #0x1f50; movk x29, #0x6365, lsl #16; movk x29, #0x7261, lsl #32; and #0x6774, lsl #48
    let expected = [0xd283_ea1d, 0xf2ac_6cbd, 0xf2ce_4c3d, 0xf2ec_ee9d];
    assert_eq!(words.get(..4), Some(&expected[..]));
}

#[test]
fn only_the_own_text_is_read_back() {
    let text = QEMU_7_2.to_text();
    for bad in [
        "",
        "cpu -232\n",
        &text.replace(" 1\n", " 2\n"),
        &text.replace("pc 320", "pc 65536"),
        &text.replace("registers", "register"),
        text.split_at(text.len() - 8).0,
    ] {
        assert_eq!(Offsets::parse(bad), None, "{bad}");
    }
}

#[test]
fn the_guest_program_is_an_arm64_executable() {
    use object::{Object as _, ObjectSegment as _};
    let bytes = program();
    let file = object::File::parse(&*bytes).expect("ELF");
    assert_eq!(file.architecture(), object::Architecture::Aarch64);
    assert_eq!(file.kind(), object::ObjectKind::Executable);
    let segments: Vec<_> = file.segments().map(|s| (s.address(), s.size())).collect();
    assert_eq!(segments, [(0x40_0000, 0x1000), (0x40_1000, 0x1000)]);
    assert_eq!(file.entry(), 0x40_00b0);
}
