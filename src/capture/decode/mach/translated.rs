//! The stack of a thread that Rosetta 2 runs: the machine's registers and what is known of Rosetta's memory in, the
//! program's own stack out.
//!
//! While translated code runs, the program's stack pointers are in registers of the machine; else Rosetta has put
//! them into its context of the thread. Which instruction of the program it is that runs is not told by
//! anything that is no secret of Rosetta's: so a stack begins with the innermost call.

use std::ops::Range;

use super::Stack;
use crate::capture::decode::frames::{Frames, StackPointers};
use crate::capture::decode::image_infos::TranslatedImage;
use crate::capture::decode::memory::ReadMemory;
use crate::capture::decode::rosetta::regions::{Code, Region};
use crate::capture::decode::rosetta::registers::{ContextLayout, GuestStack, Registers};
use crate::trace::SamplePlace;

/// What is known of Rosetta in a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rosetta {
    /// What is translated ahead of time.
    pub translated: Vec<TranslatedImage>,
    /// Where its runtime lies.
    pub runtime: Range<u64>,
    /// Where it keeps stack pointers in a thread's context.
    pub context: Option<ContextLayout>,
}

/// Follows the program's stack. `tag` is `user_tag` of the memory at an address.
#[must_use]
pub fn stack(
    memory: &dyn ReadMemory,
    registers: &Registers,
    rosetta: &Rosetta,
    tag: &dyn Fn(u64) -> u32,
) -> Stack {
    let pc = registers.pc;
    let code = Code::at(pc, &rosetta.translated, &rosetta.runtime, tag(pc));
    let guest = match code {
        Code::AheadOfTime | Code::JustInTime => Some(registers.guest_stack()),
        Code::Runtime | Code::Other => kept(memory, registers, rosetta, tag),
    };
    let frames = guest.map(|GuestStack { sp, bp }| {
        let from = StackPointers { lowest: sp, fp: bp };
        Frames::walk(memory, from, u64::BITS)
    });
    let Frames { returns, cut } = frames.unwrap_or_default();
    let mut addresses = returns;
    // Within the call, for nothing of the program is known that runs behind it.
    if let Some(innermost) = addresses.first_mut() {
        *innermost = innermost.saturating_sub(1);
    }
    Stack {
        addresses,
        truncated: cut || guest.is_none(),
        place: match code {
            Code::AheadOfTime | Code::JustInTime => SamplePlace::TranslatedCode,
            Code::Runtime => SamplePlace::TranslatorRuntime,
            Code::Other => SamplePlace::Translator,
        },
    }
}

/// The stack pointers that Rosetta has put away, if there is a context where one should be.
fn kept(
    memory: &dyn ReadMemory,
    registers: &Registers,
    rosetta: &Rosetta,
    tag: &dyn Fn(u64) -> u32,
) -> Option<GuestStack> {
    let context = registers.context();
    if Region::of(tag(context)) != Some(Region::ThreadContext) {
        return None;
    }
    rosetta.context?.stack(memory, context)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::capture::decode::memory::made_up::Memory;
    use crate::trace::Avma;

    const STACK: u64 = 0xc000_0000;
    const KEPT: u64 = 0xc100_0000;
    const CONTEXT: u64 = 0x2_0000_0000;
    const AHEAD: u64 = 0x3_0000_0000;
    const RUNTIME: u64 = 0x7ff7_0000_0000;
    const HEAP: u64 = 0x4_0000_0000;

    fn memory() -> Memory {
        let mut memory = Memory::default();
        for (at, back) in [(STACK, 0x40_1111_u64), (KEPT, 0x40_3333)] {
            let words = [at + 16, back, 0, 0x40_2222];
            memory.put(at, words.map(u64::to_le_bytes).concat());
        }
        memory.put(CONTEXT, vec![0; 0x200]);
        // macOS 13 and later: RSP at 48, RBP at 56 (xnu, cambria_layout.h).
        memory.set(CONTEXT + 48, &KEPT.to_le_bytes());
        memory.set(CONTEXT + 56, &KEPT.to_le_bytes());
        memory
    }

    fn rosetta() -> Rosetta {
        Rosetta {
            translated: vec![TranslatedImage {
                address: Avma(0x40_0000),
                code: Avma(AHEAD),
                code_bytes: 0x1000,
                key: [0; 32],
            }],
            runtime: RUNTIME..RUNTIME + 0x1000,
            context: ContextLayout::of(13),
        }
    }

    /// Tags of `vm_statistics.h`.
    fn tag(address: u64) -> u32 {
        match address {
            CONTEXT => 231,
            HEAP => 234,
            _ => 0,
        }
    }

    fn at(pc: u64) -> Stack {
        let mut registers = Registers {
            x: [0; 29],
            fp: 0,
            lr: 0,
            sp: 0,
            pc,
        };
        registers.x[4] = STACK;
        registers.x[5] = STACK;
        registers.x[18] = CONTEXT;
        stack(&memory(), &registers, &rosetta(), &tag)
    }

    #[test]
    fn translated_code_has_the_stack_in_registers() {
        for pc in [AHEAD + 8, HEAP] {
            let found = at(pc);
            assert_eq!(found.addresses, [0x40_1110, 0x40_2222], "{pc:#x}");
            assert_eq!(found.place, SamplePlace::TranslatedCode);
            assert!(!found.truncated);
        }
    }

    #[test]
    fn the_runtime_has_put_it_away() {
        let found = at(RUNTIME + 8);
        assert_eq!(found.addresses, [0x40_3332, 0x40_2222]);
        assert_eq!(found.place, SamplePlace::TranslatorRuntime);
        let other = at(0x5_0000_0000);
        assert_eq!(other.addresses, found.addresses);
        assert_eq!(other.place, SamplePlace::Translator);
    }

    #[test]
    fn without_a_context_there_is_no_stack() {
        let mut registers = Registers {
            x: [0; 29],
            fp: 0,
            lr: 0,
            sp: 0,
            pc: RUNTIME,
        };
        let nothing = Stack {
            truncated: true,
            place: SamplePlace::TranslatorRuntime,
            ..Stack::default()
        };
        let found =
            |registers: &Registers, rosetta: &Rosetta| stack(&memory(), registers, rosetta, &tag);
        assert_eq!(found(&registers, &rosetta()), nothing, "x18 is no context");
        registers.x[18] = CONTEXT;
        let unknown = Rosetta {
            context: None,
            ..rosetta()
        };
        assert_eq!(found(&registers, &unknown), nothing, "an unknown release");
    }
}
