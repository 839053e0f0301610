//! The stack of a thread that runs as what its program is.
//!
//! Frame pointers tell all callers but one: a function that has no frame, or none yet, left its own return address
//! in the link register (arm64), or on top of the stack (amd64, at its first instruction).

use super::Stack;
use super::thread::Position;
use crate::capture::decode::frames::{Frames, StackPointers};
use crate::capture::decode::memory::ReadMemory;
use crate::trace::SamplePlace;

/// Follows a stack. `function` tells where the function begins that covers an address, where that is known.
#[must_use]
pub fn stack(
    memory: &dyn ReadMemory,
    at: Position,
    address_bits: u32,
    function: &dyn Fn(u64) -> Option<u64>,
) -> Stack {
    let from = StackPointers {
        lowest: at.lowest_frame(),
        fp: at.fp,
    };
    let Frames { returns, cut } = Frames::walk(memory, from, address_bits);
    let caller = caller(memory, at, function);
    let caller = caller.filter(|caller| returns.first() != Some(caller));
    let addresses = [at.pc].into_iter().chain(caller).chain(returns);
    Stack {
        addresses: addresses.collect(),
        truncated: cut,
        place: SamplePlace::User,
    }
}

/// The return address that is in no frame, if there may be one.
///
/// A link register is what the last call left: within the function itself, once it has called another one and has
/// its frame. Where functions begin and end is not known, nothing is said.
fn caller(
    memory: &dyn ReadMemory,
    at: Position,
    function: &dyn Fn(u64) -> Option<u64>,
) -> Option<u64> {
    let own = function(at.pc)?;
    match at.link {
        Some(link) => {
            let callers = function(link.checked_sub(1)?)?;
            (callers != own).then_some(link)
        }
        None if at.pc == own => {
            let back = memory.long(at.sp)?;
            function(back.checked_sub(1)?).map(|_| back)
        }
        None => None,
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::capture::decode::memory::MemoryCopy;
    use crate::capture::decode::memory::made_up::Memory;

    const STACK: u64 = 0x1400_0000;
    const LEAF: u64 = 0x10_0000;
    const CALLER: u64 = 0x10_1000;
    const MAIN: u64 = 0x10_2000;

    /// Functions of 4,096 bytes, from [`LEAF`] on.
    fn function(address: u64) -> Option<u64> {
        (LEAF..MAIN + 0x1000)
            .contains(&address)
            .then_some(address & !0xfff)
    }

    fn found(words: &[u64], pc: u64, link: Option<u64>) -> Vec<u64> {
        let memory = MemoryCopy {
            start: STACK,
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        };
        let at = Position {
            pc,
            sp: STACK,
            fp: STACK + 16,
            link,
            g: 0,
        };
        let stack = stack(&memory, at, 47, &function);
        assert!(!stack.truncated);
        stack.addresses
    }

    #[test]
    fn a_leaf_of_arm64_has_its_caller_in_the_link_register() {
        // The innermost frame is that of the caller, which main called.
        let words = [0, 0, 0, MAIN + 8];
        let leaf = found(&words, LEAF + 4, Some(CALLER + 8));
        assert_eq!(leaf, [LEAF + 4, CALLER + 8, MAIN + 8]);
        // Main has called it with its last instruction.
        let last = found(&words, LEAF + 4, Some(CALLER + 0x1000));
        assert_eq!(last, [LEAF + 4, CALLER + 0x1000, MAIN + 8]);
    }

    /// `main.middle` of a program that go1.27.3 has made for darwin/arm64, which `main.main` calls, and the prologue
    /// that both have: as `go tool objdump` shows them.
    const MIDDLE: u64 = 0x1_0007_4520;
    const INTO_MIDDLE: u64 = 0x1_0007_4580;
    const INTO_MAIN: u64 = 0x1_0004_7f3c;
    const PROLOGUE: [u32; 3] = [
        0xf81e_0ffe, // str x30, [sp, #-32]!
        0xf81f_83fd, // stur x29, [sp, #-8]
        0xd100_23fd, // sub x29, sp, #8
    ];

    /// Numbers of registers: frame pointer, link register, stack pointer.
    const FP: usize = 29;
    const LINK: usize = 30;
    const SP: usize = 31;

    /// Does what the Arm Architecture Reference Manual says of STR (immediate, pre-index), STUR and SUB (immediate).
    fn execute(instruction: u32, registers: &mut [u64; 32], memory: &mut Memory) {
        let field = |at: u32, bits: u32| (instruction >> at & ((1 << bits) - 1)) as usize;
        let (to, from) = (field(0, 5), field(5, 5));
        let offset = (field(12, 9) as u64) << 55;
        let offset = (offset.cast_signed() >> 55).cast_unsigned();
        let at = registers[from].wrapping_add(offset);
        match (instruction & 0xffe0_0c00, instruction & 0xffc0_0000) {
            (0xf800_0c00, _) => {
                memory.set(at, &registers[to].to_le_bytes());
                registers[from] = at;
            }
            (0xf800_0000, _) => memory.set(at, &registers[to].to_le_bytes()),
            (_, 0xd100_0000) => registers[to] = registers[from] - field(10, 12) as u64,
            _ => panic!("no such instruction here: {instruction:#x}"),
        }
    }

    #[test]
    fn a_function_of_go_for_arm64_is_followed_from_each_of_its_first_instructions() {
        let mut memory = Memory::default();
        memory.put(STACK, vec![0; 0x100]);
        let mut registers = [0; 32];
        registers[SP] = STACK + 0x100;
        registers[LINK] = INTO_MAIN;
        for instruction in PROLOGUE {
            execute(instruction, &mut registers, &mut memory);
        }
        registers[LINK] = INTO_MIDDLE;
        let starts = |address: u64| {
            [0x1_0007_4560, MIDDLE]
                .into_iter()
                .find(|at| address >= *at)
        };
        for (number, instruction) in (0..).zip(PROLOGUE.into_iter().map(Some).chain([None])) {
            let at = Position {
                pc: MIDDLE + 12 + 4 * number,
                sp: registers[SP],
                fp: registers[FP],
                link: Some(registers[LINK]),
                g: 0,
            };
            let found = stack(&memory, at, 47, &starts);
            let expected = [at.pc, INTO_MIDDLE, INTO_MAIN];
            assert_eq!(found.addresses, expected, "{number}");
            assert!(!found.truncated, "{number}");
            if let Some(instruction) = instruction {
                execute(instruction, &mut registers, &mut memory);
            }
        }
    }

    #[test]
    fn what_a_call_left_in_the_link_register_is_no_caller() {
        let words = [0, 0, 0, MAIN + 8];
        // After a call that has returned.
        let after = found(&words, CALLER + 12, Some(CALLER + 8));
        assert_eq!(after, [CALLER + 12, MAIN + 8]);
        // Before the first call: it is in the frame, too.
        let before = found(&words, CALLER + 12, Some(MAIN + 8));
        assert_eq!(before, [CALLER + 12, MAIN + 8]);
        for link in [0, 7, u64::MAX] {
            let nowhere = found(&words, CALLER + 12, Some(link));
            assert_eq!(nowhere, [CALLER + 12, MAIN + 8], "{link:#x}");
        }
        let unknown = found(&words, 0x50, Some(CALLER + 8));
        assert_eq!(unknown, [0x50, MAIN + 8], "code that nobody knows");
    }

    #[test]
    fn a_function_of_amd64_begins_with_its_caller_on_the_stack() {
        let words = [CALLER + 8, 0, 0, MAIN + 8];
        assert_eq!(found(&words, LEAF, None), [LEAF, CALLER + 8, MAIN + 8]);
        assert_eq!(found(&words, LEAF + 4, None), [LEAF + 4, MAIN + 8]);
        let other = [7, 0, 0, MAIN + 8];
        assert_eq!(found(&other, LEAF, None), [LEAF, MAIN + 8]);
    }

    #[test]
    fn a_stack_that_leads_nowhere_is_cut() {
        let at = Position {
            pc: LEAF,
            sp: STACK,
            fp: 0xdead_0000,
            link: Some(1),
            g: 0,
        };
        let stack = stack(&MemoryCopy::default(), at, 47, &function);
        assert_eq!((stack.addresses, stack.truncated), (vec![LEAF], true));
    }
}
