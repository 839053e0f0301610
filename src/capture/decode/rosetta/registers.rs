//! Registers of a thread: the machine's own, and those of the program that Rosetta keeps in them.

use crate::capture::decode::memory::ReadMemory;

/// Bytes of `ARM_THREAD_STATE64` (`osfmk/mach/arm/_structs.h` of xnu), which the kernel gives of
/// translated threads, too.
pub const STATE_BYTES: usize = 272;

/// Registers of the machine.
///
/// ```text
/// 0x00 x0 ... x28   0xe8 fp (x29)   0xf0 lr (x30)   0xf8 sp   0x100 pc   0x108 cpsr (u32)   0x10c flags (u32)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// x0 to x28.
    pub x: [u64; 29],
    /// Frame pointer.
    pub fp: u64,
    /// Return address, or what is left of one.
    pub lr: u64,
    /// Stack pointer.
    pub sp: u64,
    /// Program counter.
    pub pc: u64,
}

impl Registers {
    /// Takes apart what `thread_get_state` filled in.
    #[must_use]
    pub fn read(state: &[u8; STATE_BYTES]) -> Self {
        let (longs, _) = state.as_chunks::<8>();
        let mut longs = longs.iter().copied().map(u64::from_le_bytes);
        let mut next = || longs.next().unwrap_or(0);
        Self {
            x: std::array::from_fn(|_| next()),
            fp: next(),
            lr: next(),
            sp: next(),
            pc: next(),
        }
    }

    /// Without signatures in pointers (arm64e), where addresses have so many bits
    /// (`machdep.virtual_address_size`; 47 where it cannot be asked).
    #[must_use]
    pub fn without_signatures(mut self, address_bits: u32) -> Self {
        let mask = 1_u64.unbounded_shl(address_bits).wrapping_sub(1);
        for pointer in [&mut self.fp, &mut self.lr, &mut self.sp, &mut self.pc] {
            *pointer &= mask;
        }
        self
    }

    /// The program's stack, while translated code runs: RSP in x4, RBP in x5. In Rosetta's own code and
    /// in system calls they hold something else; [`ContextLayout`] has what was kept then.
    #[must_use]
    pub fn guest_stack(&self) -> GuestStack {
        GuestStack {
            sp: self.x[4],
            bp: self.x[5],
        }
    }

    /// Where Rosetta keeps what belongs to this thread: x18. Not written down by Apple: whoever uses it
    /// has to see that memory there is tagged as such ([`super::regions::Region::ThreadContext`]).
    #[must_use]
    pub fn context(&self) -> u64 {
        self.x[18]
    }
}

/// Where the program's stack was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestStack {
    /// RSP.
    pub sp: u64,
    /// RBP.
    pub bp: u64,
}

/// Where the program's stack pointers are in a thread's context (`osfmk/kern/cambria_layout.h`
/// of xnu, which Rosetta's own build checks).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextLayout {
    /// Of RSP.
    pub sp: u64,
    /// Of RBP.
    pub bp: u64,
}

impl ContextLayout {
    /// That of a release of macOS; `None` before the first that has Rosetta 2.
    #[must_use]
    pub fn of(macos: u32) -> Option<Self> {
        match macos {
            ..11 => None,
            11 | 12 => Some(Self { sp: 96, bp: 104 }),
            13.. => Some(Self { sp: 48, bp: 56 }),
        }
    }

    /// The program's stack as it was when translated code was left.
    #[must_use]
    pub fn stack(self, memory: &dyn ReadMemory, context: u64) -> Option<GuestStack> {
        Some(GuestStack {
            sp: memory.long(context.checked_add(self.sp)?)?,
            bp: memory.long(context.checked_add(self.bp)?)?,
        })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::capture::decode::memory::MemoryCopy;

    /// Each register holds its own offset, and a signature in the upper bits.
    fn state() -> [u8; STATE_BYTES] {
        let mut state = [0; STATE_BYTES];
        for at in (0..STATE_BYTES).step_by(8) {
            state[at] = u8::try_from(at & 0xff).unwrap();
            state[at + 1] = u8::try_from(at >> 8).unwrap();
            state[at + 7] = 0xa5;
        }
        state
    }

    #[test]
    fn registers_are_where_the_kernel_puts_them() {
        let found = Registers::read(&state());
        assert_eq!(found.x[28], 0xa500_0000_0000_00e0);
        let bare = found.without_signatures(47);
        assert_eq!(
            (bare.fp, bare.lr, bare.sp, bare.pc),
            (232, 240, 248, 256),
            "offsets of arm_thread_state64_t"
        );
        assert_eq!(bare.x, found.x, "others may hold anything");
    }

    #[test]
    fn the_program_has_its_stack_in_x4_and_x5_and_its_context_in_x18() {
        let found = Registers::read(&state());
        let [sp, bp] = [4, 5].map(|x| 0xa500_0000_0000_0000 + 8 * x);
        assert_eq!(found.guest_stack(), GuestStack { sp, bp });
        assert_eq!(found.context(), 0xa500_0000_0000_0000 + 8 * 18);
    }

    #[test]
    fn contexts_of_releases() {
        let context = MemoryCopy {
            start: 0x1000,
            bytes: (0..16_u64)
                .flat_map(|word| (8 * word).to_le_bytes())
                .collect(),
        };
        let of = |macos| ContextLayout::of(macos).and_then(|layout| layout.stack(&context, 0x1000));
        assert_eq!(of(10), None);
        assert_eq!(of(12), Some(GuestStack { sp: 96, bp: 104 }));
        assert_eq!(of(13), Some(GuestStack { sp: 48, bp: 56 }));
        assert_eq!(of(26), of(13));
        let cut = ContextLayout::of(13).unwrap();
        assert_eq!(cut.stack(&context, 0x1000 + 80), None);
        assert_eq!(cut.stack(&context, u64::MAX), None);
    }
}
