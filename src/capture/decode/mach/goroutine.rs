//! The goroutine that a thread runs: the register that holds `g` and a way to read memory in, its number out.
//!
//! C code may keep anything in that register, so `g` counts only if the thread's stack pointer is on the stack that
//! it names, or if the thread that it names has it for its own.

use crate::binary::go::GoroutineFields;
use crate::capture::decode::memory::ReadMemory;
use crate::trace::Goid;

/// `g.stack.lo` and `g.stack.hi`, in every release.
const STACK_LO: u64 = 0;
const STACK_HI: u64 = 8;

/// The goroutine of a thread; on the thread's own stack, that for which it works. `None` where there is none.
#[must_use]
pub fn of_thread(
    memory: &dyn ReadMemory,
    g: u64,
    sp: u64,
    fields: &GoroutineFields,
) -> Option<Goid> {
    let field = |of: u64, at: u64| memory.long(of.checked_add(at)?);
    let stack = field(g, STACK_LO)?..field(g, STACK_HI)?;
    if !g.is_multiple_of(8) || !stack.contains(&sp) {
        return None;
    }
    let number = field(g, fields.g_goid.into())?;
    if number != 0 {
        return Some(Goid(number));
    }
    let thread = field(g, fields.g_m.into())?;
    let own = [fields.m_g0, fields.m_gsignal];
    if !own.iter().any(|&at| field(thread, at.into()) == Some(g)) {
        return None;
    }
    let current = field(thread, fields.m_curg.into()).filter(|current| *current != 0)?;
    let number = field(current, fields.g_goid.into())?;
    (number != 0).then_some(Goid(number))
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::binary::go::Version;
    use crate::capture::decode::memory::made_up::Memory;

    const G: u64 = 0x1400_0000;
    const G0: u64 = 0x1400_1000;
    const M: u64 = 0x1400_2000;

    /// A thread of Go 1.26 that runs goroutine 7, with offsets from `runtime/runtime2.go` of that release.
    fn memory() -> Memory {
        let mut memory = Memory::default();
        for (at, stack) in [(G, 0xc000_0000_u64), (G0, 0x7000_0000)] {
            memory.put(at, vec![0; 0x200]);
            memory.set(at, &stack.to_le_bytes());
            memory.set(at + 8, &(stack + 0x2000).to_le_bytes());
            memory.set(at + 48, &M.to_le_bytes());
        }
        memory.put(M, vec![0; 0x200]);
        memory.set(G + 152, &7_u64.to_le_bytes());
        memory.set(M, &G0.to_le_bytes());
        memory.set(M + 184, &G.to_le_bytes());
        memory
    }

    fn of(memory: &Memory, g: u64, sp: u64) -> Option<Goid> {
        let version = Version {
            major: 1,
            minor: 26,
        };
        let fields = GoroutineFields::of(version).expect("known");
        of_thread(memory, g, sp, &fields)
    }

    #[test]
    fn a_goroutine_is_known_on_both_stacks() {
        assert_eq!(of(&memory(), G, 0xc000_1000), Some(Goid(7)));
        assert_eq!(of(&memory(), G0, 0x7000_1000), Some(Goid(7)));
    }

    #[test]
    fn what_is_no_goroutine_is_none() {
        for (g, sp, why) in [
            (G, 0xbfff_ffff, "below its stack"),
            (G, 0xc000_2000, "above it"),
            (G + 4, 0xc000_1000, "not where a g can be"),
            (M, 0xc000_1000, "another structure"),
            (0x50, 0xc000_1000, "no memory"),
            (u64::MAX - 7, 0xc000_1000, "no memory beyond"),
        ] {
            assert_eq!(of(&memory(), g, sp), None, "{why}");
        }
        let mut other = memory();
        other.set(M, &1_u64.to_le_bytes());
        assert_eq!(
            of(&other, G0, 0x7000_1000),
            None,
            "a thread that does not know it"
        );
        let mut idle = memory();
        idle.set(M + 184, &0_u64.to_le_bytes());
        assert_eq!(of(&idle, G0, 0x7000_1000), None, "the scheduler");
    }
}
