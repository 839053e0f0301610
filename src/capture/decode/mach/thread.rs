//! A thread: what it has used and what it is called, and where its registers say that it is.

use super::super::rosetta::registers::Registers;
use crate::trace::Nanos;

/// Bytes of `struct thread_extended_info`.
pub const INFO_BYTES: usize = 112;

/// What `thread_info` fills in for `THREAD_EXTENDED_INFO` (`osfmk/mach/thread_info.h` of xnu).
///
/// ```text
/// 0x00 user (u64, ns)  0x08 system (u64, ns)  0x10 usage  0x14 policy  0x18 state  0x1c flags  0x20 sleep time
/// 0x24 priorities: current, base, highest (i32 each)  0x30 name[64]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadInfo {
    /// CPU time in user mode: the kernel counts microseconds.
    pub user: Nanos,
    /// CPU time in the kernel.
    pub system: Nanos,
    /// It runs, or is ready to (`TH_STATE_RUNNING`).
    pub is_running: bool,
    /// The name that the program gave it, mostly none.
    pub name: Vec<u8>,
}

/// `TH_STATE_RUNNING`.
const RUNNING: u32 = 1;

impl ThreadInfo {
    /// Reads what the kernel filled in; `None` where that is less than the whole.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; INFO_BYTES] = bytes.first_chunk()?;
        let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let state = u32::from_le_bytes(*bytes.get(0x18..)?.first_chunk()?);
        let name = bytes.get(0x30..)?.split(|byte| *byte == 0).next()?;
        Some(Self {
            user: Nanos(long(0x00)?),
            system: Nanos(long(0x08)?),
            is_running: state == RUNNING,
            name: name.to_vec(),
        })
    }

    /// CPU time in user mode and in the kernel.
    #[must_use]
    pub fn cpu(&self) -> Nanos {
        Nanos(self.user.0.saturating_add(self.system.0))
    }
}

/// Bytes of `x86_THREAD_STATE64`.
pub const AMD64_STATE_BYTES: usize = 168;

/// Where a thread is that runs as what its program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The instruction.
    pub pc: u64,
    /// The end of its stack.
    pub sp: u64,
    /// Its innermost frame.
    pub fp: u64,
    /// On arm64, where the last call returns to, or what is left there.
    pub link: Option<u64>,
    /// Where Go keeps its goroutine while Go code runs; else anything.
    pub g: u64,
}

/// Go's compiler for arm64 keeps the frame pointer right below the stack pointer: the return address is on top of the
/// stack, and the caller's frame pointer below it (`stur x29, [sp, #-8]`, `sub x29, sp, #8`).
const BELOW: u64 = 8;

impl Position {
    /// Where the innermost frame is at the lowest.
    #[must_use]
    pub const fn lowest_frame(&self) -> u64 {
        match self.link {
            Some(_) => self.sp.saturating_sub(BELOW),
            None => self.sp,
        }
    }

    /// Of registers of arm64: `g` is in x28.
    #[must_use]
    pub fn of_arm64(registers: &Registers) -> Self {
        Self {
            pc: registers.pc,
            sp: registers.sp,
            fp: registers.fp,
            link: Some(registers.lr),
            g: registers.x[28],
        }
    }

    /// Of what `thread_get_state` filled in on an Intel Mac (`osfmk/mach/i386/_structs.h` of xnu): `g` is in r14.
    ///
    /// ```text
    /// 0x00 rax rbx rcx rdx rdi rsi   0x30 rbp  0x38 rsp  0x40 r8 ... r13  0x70 r14 r15  0x80 rip  0x88 flags cs fs gs
    /// ```
    #[must_use]
    pub fn of_amd64(state: &[u8; AMD64_STATE_BYTES]) -> Self {
        let (longs, _) = state.as_chunks::<8>();
        let longs: [u64; AMD64_STATE_BYTES / 8] =
            std::array::from_fn(|at| longs.get(at).map_or(0, |long| u64::from_le_bytes(*long)));
        let [_, _, _, _, _, _, fp, sp, _, _, _, _, _, _, g, _, pc, ..] = longs;
        Self {
            pc,
            sp,
            fp,
            link: None,
            g,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The structure, filled in field by field as the header declares it.
    fn info(state: i32, name: &str) -> Vec<u8> {
        let mut bytes: Vec<u8> = [1_500_000_u64, 250_000]
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect();
        // cpu_usage, policy, run_state, flags, sleep_time, curpri, priority, maxpriority
        for word in [420, 1, state, 0, 0, 31, 31, 63_i32] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(format!("{name:\0<64}").as_bytes());
        bytes
    }

    #[test]
    fn a_thread_is_read_as_the_header_declares_it() {
        let bytes = info(1, "gopher");
        assert_eq!(bytes.len(), INFO_BYTES);
        let found = ThreadInfo::read(&bytes).expect("whole");
        assert_eq!(
            (found.user, found.cpu()),
            (Nanos(1_500_000), Nanos(1_750_000))
        );
        assert_eq!((found.is_running, &*found.name), (true, &b"gopher"[..]));
        // TH_STATE_WAITING
        let waiting = ThreadInfo::read(&info(3, "")).expect("whole");
        assert_eq!((waiting.is_running, &*waiting.name), (false, &b""[..]));
        for length in 0..bytes.len() {
            assert_eq!(ThreadInfo::read(&bytes[..length]), None, "{length}");
        }
        // A name without an end goes as far as its field.
        let full = ThreadInfo::read(&info(1, &"x".repeat(64))).expect("whole");
        assert_eq!(full.name.len(), 64);
    }

    #[test]
    fn registers_of_arm64_are_those_of_the_kernel() {
        let mut registers = Registers {
            x: std::array::from_fn(|number| number as u64),
            fp: 29,
            lr: 30,
            sp: 31,
            pc: 32,
        };
        let expected = Position {
            pc: 32,
            sp: 31,
            fp: 29,
            link: Some(30),
            g: 28,
        };
        assert_eq!(Position::of_arm64(&registers), expected);
        registers.x[28] = 0x1400_0000;
        assert_eq!(Position::of_arm64(&registers).g, 0x1400_0000);
    }

    /// Each register holds its own name, in the order of `_STRUCT_X86_THREAD_STATE64`.
    #[test]
    fn registers_of_amd64_are_those_of_the_kernel() {
        let names =
            "rax rbx rcx rdx rdi rsi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags cs fs gs";
        let state: Vec<u8> = names
            .split(' ')
            .flat_map(|name| format!("{name:\0<8}").into_bytes())
            .collect();
        let number = |name: &str| {
            let bytes = format!("{name:\0<8}").into_bytes();
            u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
        };
        let expected = Position {
            pc: number("rip"),
            sp: number("rsp"),
            fp: number("rbp"),
            link: None,
            g: number("r14"),
        };
        let state = state.try_into().expect("all registers");
        assert_eq!(Position::of_amd64(&state), expected);
    }
}
