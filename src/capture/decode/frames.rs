//! A chain of frames: where a stack is and a way to read memory in, return addresses out.
//!
//! ```text
//! frame pointer -> 0 frame pointer of the caller, 0 where there is none   8 return address
//! ```
//!
//! Go's compilers keep it everywhere, on amd64 and arm64 alike, and so do Apple's. Under Rosetta 2 the program keeps
//! its own, as if nobody translated it: its return addresses are of the program, because it pushed them.
//!
//! Callers lie higher, but where Go's runtime changes stacks (`systemstack`, `mcall`) and the chain goes on where it
//! had left the other one. That may lie anywhere, and is taken as far away from here: what is near and not
//! higher is no frame.

use super::memory::ReadMemory;

/// Bytes from one frame to the next at most: a frame is smaller than a thread's stack.
const LARGEST_FRAME: u64 = 1 << 20;
/// Below it no code is: `__PAGEZERO` and what else is never mapped.
const LOWEST_CODE: u64 = 0x1_0000;
/// Frames of a stack at most.
pub const DEEPEST: usize = 512;
/// A thread has a stack for a goroutine, one of its own and one for signals; more changes than that make no sense.
const MOST_CHANGES: usize = 4;

/// Where a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackPointers {
    /// No frame lies lower: the stack pointer, or a little below it where compilers keep frames there.
    pub lowest: u64,
    /// The innermost frame.
    pub fp: u64,
}

/// Return addresses of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// The innermost first.
    pub returns: Vec<u64>,
    /// The chain went on to something that is no frame, or beyond [`DEEPEST`].
    pub cut: bool,
}

impl Frames {
    /// Follows the chain; it ends where a frame has no caller. `address_bits` of pointers are address, the others may
    /// be a signature (arm64e).
    #[must_use]
    pub fn walk(memory: &dyn ReadMemory, from: StackPointers, address_bits: u32) -> Self {
        let mask = 1_u64.unbounded_shl(address_bits).wrapping_sub(1);
        let mut found = Self::default();
        let mut lowest = from.lowest;
        let mut frame = from.fp & mask;
        let mut changes = 0_usize;
        while frame != 0 {
            if frame.abs_diff(lowest) > LARGEST_FRAME {
                changes = changes.saturating_add(1);
            } else if frame < lowest {
                found.cut = true;
                break;
            }
            if found.returns.len() == DEEPEST || changes > MOST_CHANGES {
                found.cut = true;
                break;
            }
            match step(memory, frame, mask) {
                // What a thread begins with was called by nobody.
                Some((0, 0)) => break,
                Some((caller, back)) if back >= LOWEST_CODE => {
                    found.returns.push(back);
                    lowest = frame.saturating_add(1);
                    frame = caller;
                }
                _ => {
                    found.cut = true;
                    break;
                }
            }
        }
        found
    }
}

/// The caller's frame and the return address: they lie at the frame pointer and behind it.
fn step(memory: &dyn ReadMemory, frame: u64, mask: u64) -> Option<(u64, u64)> {
    if !frame.is_multiple_of(8) {
        return None;
    }
    let caller = memory.long(frame)?;
    let back = memory.long(frame.checked_add(8)?)?;
    Some((caller & mask, back & mask))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::decode::memory::MemoryCopy;
    use crate::capture::decode::memory::made_up::Memory;

    const STACK: u64 = 0xc000_0000;
    /// Where a thread's own stack may be.
    const THREAD: u64 = 0x7000_0000_0000;

    /// Words from an address on.
    fn words(start: u64, words: &[u64]) -> MemoryCopy {
        MemoryCopy {
            start,
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    fn walk(stack: &[u64], fp: u64) -> Frames {
        let from = StackPointers { lowest: STACK, fp };
        Frames::walk(&words(STACK, stack), from, 64)
    }

    fn frames(returns: &[u64], cut: bool) -> Frames {
        let returns = returns.to_vec();
        Frames { returns, cut }
    }

    #[test]
    fn a_chain_is_followed_to_its_root() {
        // locals, frame of the leaf, locals, frame of main, frame of the root
        let stack = [
            7,
            7,
            STACK + 40,
            0x40_1111,
            7,
            STACK + 56,
            0x40_2222,
            0,
            0x40_3333,
        ];
        let whole = frames(&[0x40_1111, 0x40_2222, 0x40_3333], false);
        assert_eq!(walk(&stack, STACK + 16), whole);
        assert_eq!(walk(&stack, 0), frames(&[], false), "a thread that begins");
        let begun = [STACK + 16, 0x40_1111, 0, 0];
        assert_eq!(walk(&begun, STACK), frames(&[0x40_1111], false));
    }

    #[test]
    fn what_is_no_frame_ends_it() {
        let leaf = |caller| walk(&[caller, 0x40_1111, 0, 0x40_2222], STACK);
        let one = frames(&[0x40_1111], true);
        assert_eq!(leaf(STACK + 16).returns.len(), 2);
        for (caller, why) in [
            (STACK, "itself"),
            (STACK - 16, "further in"),
            (STACK + 12, "between words"),
            (STACK + 24, "half behind the end"),
            (STACK + 32, "behind the end"),
            (STACK + (1 << 20) + 8, "too far away"),
            (u64::MAX - 7, "nowhere"),
        ] {
            assert_eq!(leaf(caller), one, "{why}");
        }
        let low = walk(&[0, 0xffff], STACK);
        assert_eq!(low, frames(&[], true), "returns to where no code is");
        let from = StackPointers {
            lowest: STACK + 8,
            fp: STACK,
        };
        let below = Frames::walk(&words(STACK, &[0, 0x40_1111]), from, 64);
        assert_eq!(below, frames(&[], true), "below the lowest");
        // What is farther away than a frame is large is another stack.
        for (lowest, returns) in [(1 << 20, 0), ((1 << 20) + 1, 1)] {
            let from = StackPointers {
                lowest: STACK + lowest,
                fp: STACK,
            };
            let found = Frames::walk(&words(STACK, &[0, 0x40_1111]), from, 64);
            assert_eq!(found.returns.len(), returns, "{lowest:#x} below");
        }
    }

    #[test]
    fn go_changes_stacks() {
        let mut memory = Memory::default();
        // On the thread's own stack systemstack was called by a goroutine, which lies lower.
        memory
            .0
            .push(words(THREAD, &[THREAD + 16, 0x40_1111, STACK, 0x40_2222]));
        memory
            .0
            .push(words(STACK, &[STACK + 16, 0x40_3333, 0, 0x40_4444]));
        let from = StackPointers {
            lowest: THREAD,
            fp: THREAD,
        };
        let whole = frames(&[0x40_1111, 0x40_2222, 0x40_3333, 0x40_4444], false);
        assert_eq!(Frames::walk(&memory, from, 64), whole);
    }

    #[test]
    fn stacks_that_lead_to_each_other_end() {
        let mut memory = Memory::default();
        memory.0.push(words(THREAD, &[STACK, 0x40_1111]));
        memory.0.push(words(STACK, &[THREAD, 0x40_2222]));
        let from = StackPointers {
            lowest: THREAD,
            fp: THREAD,
        };
        let found = Frames::walk(&memory, from, 64);
        assert_eq!((found.returns.len(), found.cut), (MOST_CHANGES + 1, true));
    }

    #[test]
    fn signatures_are_no_part_of_an_address() {
        let sign = |address: u64| address | 0xa5a5 << 48;
        let stack = words(
            STACK,
            &[sign(STACK + 16), sign(0x40_1111), 0, sign(0x40_2222)],
        );
        let from = StackPointers {
            lowest: STACK,
            fp: sign(STACK),
        };
        let whole = frames(&[0x40_1111, 0x40_2222], false);
        assert_eq!(Frames::walk(&stack, from, 47), whole);
    }

    #[test]
    fn a_stack_is_as_deep_as_it_may_be() {
        let deep: Vec<u64> = (1..=600)
            .flat_map(|frame| [STACK + 16 * frame, 0x40_0000 + frame])
            .collect();
        let found = walk(&deep, STACK);
        assert_eq!((found.returns.len(), found.cut), (DEEPEST, true));
        assert_eq!(found.returns[511], 0x40_0000 + 512);
    }
}
