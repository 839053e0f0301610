//! The program's own stack: frame pointers that it keeps itself, as if nobody translated it.
//!
//! Its return addresses are of the program, not of the machine, because it pushed them. Go's compiler
//! keeps frame pointers everywhere, so a walk needs nothing else.

use super::registers::GuestStack;
use crate::capture::decode::memory::ReadMemory;

/// Bytes from one frame to the next at most: a frame is smaller than a thread's stack.
const LARGEST_FRAME: u64 = 1 << 20;
/// Below it no code is: `__PAGEZERO` and what else is never mapped.
const LOWEST_CODE: u64 = 0x1_0000;
/// Frames of a stack at most.
pub const DEEPEST: usize = 512;

/// Return addresses of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// The innermost first.
    pub returns: Vec<u64>,
    /// The chain went on to something that is no frame, or beyond [`DEEPEST`].
    pub cut: bool,
}

impl Frames {
    /// Follows the chain from the frame that RBP points to; it ends where a frame has no caller (RBP 0).
    #[must_use]
    pub fn walk(memory: &dyn ReadMemory, from: GuestStack) -> Self {
        let mut found = Self::default();
        let mut lowest = from.sp;
        let mut frame = from.bp;
        while frame != 0 {
            if found.returns.len() == DEEPEST {
                found.cut = true;
                break;
            }
            let Some((caller, back)) = step(memory, frame, lowest) else {
                found.cut = true;
                break;
            };
            found.returns.push(back);
            lowest = frame.saturating_add(1);
            frame = caller;
        }
        found
    }
}

/// The caller's frame and the return address: they lie at the frame pointer and behind it.
fn step(memory: &dyn ReadMemory, frame: u64, lowest: u64) -> Option<(u64, u64)> {
    let span = frame.checked_sub(lowest)?;
    if !frame.is_multiple_of(8) || span > LARGEST_FRAME {
        return None;
    }
    let caller = memory.long(frame)?;
    let back = memory.long(frame.checked_add(8)?)?;
    (back >= LOWEST_CODE).then_some((caller, back))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::decode::memory::MemoryCopy;

    const STACK: u64 = 0xc000_0000;

    /// Words from [`STACK`] on.
    fn stack(words: &[u64]) -> MemoryCopy {
        MemoryCopy {
            start: STACK,
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        }
    }

    fn walk(words: &[u64], bp: u64) -> Frames {
        Frames::walk(&stack(words), GuestStack { sp: STACK, bp })
    }

    fn frames(returns: &[u64], cut: bool) -> Frames {
        let returns = returns.to_vec();
        Frames { returns, cut }
    }

    #[test]
    fn a_chain_is_followed_to_its_root() {
        // locals, frame of the leaf, locals, frame of main, frame of the root
        let words = [
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
        assert_eq!(walk(&words, STACK + 16), whole);
        assert_eq!(walk(&words, 0), frames(&[], false), "a thread that begins");
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
        let below = Frames::walk(
            &stack(&[0, 0x40_1111]),
            GuestStack {
                sp: STACK + 8,
                bp: STACK,
            },
        );
        assert_eq!(below, frames(&[], true), "below the stack pointer");
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
