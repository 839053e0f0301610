//! Where qemu's user mode keeps the registers of an arm64 program, found by running one whose
//! registers are known.
//!
//! In: [`program`] runs under qemu, and whoever runs it hands over the host's registers and a way
//! to read its memory, first in the program's loop ([`Running::of`]), then in its system call
//! ([`Running::waiting`]). Out: [`Offsets`]. Nothing is assumed but this:
//!
//! - while translated code runs, RBP points to `CPUArchState` (`TCG_AREG0` of qemu's
//!   tcg/i386/tcg-target.h);
//! - `struct TranslationBlock` lies before its code, both at multiples of 64 bytes, and holds the
//!   guest's address, a pointer to the code, and behind that its size (`tcg_tb_alloc`, `struct
//!   tb_tc`);
//! - thread-local storage holds a pointer to the CPU (`thread_cpu`), of which `CPUArchState` is a
//!   part.

use super::memory::ReadMemory;
use std::fmt::Write as _;

/// Where things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// Of the pointer to the CPU, from the thread pointer.
    pub cpu: i32,
    /// From the CPU to its `CPUArchState`.
    pub state: u32,
    /// Of x0 in `CPUArchState`; the other registers follow.
    pub registers: u16,
    /// Of the guest's pc, likewise.
    pub pc: u16,
    /// Of the guest's address in `TranslationBlock`.
    pub block_pc: u16,
    /// Of the pointer to its code, which its size follows.
    pub block_code: u16,
    /// From the block to its code.
    pub block_bytes: u32,
}

/// Registers of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostRegisters {
    /// RIP.
    pub pc: u64,
    /// RBP.
    pub bp: u64,
    /// FS base: the thread pointer.
    pub thread: u64,
    /// The system call that it is in, as `ORIG_RAX` has it.
    pub call: u64,
}

const TEXT: u64 = 0x40_0000;
const PAGE: u64 = 0x1000;
/// Not zero when the loop is to end.
pub const FLAG: u64 = TEXT + PAGE;
const HEADERS: u64 = 64 + 2 * 56;
/// `ppoll` on amd64.
pub const WAITING_CALL: u64 = 271;

/// How much of `CPUArchState`, and of thread-local storage, is searched.
const STATE_BYTES: usize = 4096;
const STORAGE_BYTES: u64 = 4096;
/// `CPUArchState` is so near to the beginning of its CPU: 11 KiB in qemu 10.0.
const CPU_BYTES: u64 = 0x2_0000;
/// Blocks are searched as far as the BPF program does.
const BLOCK_STEPS: u64 = 128;
const BLOCK_ALIGNMENT: u64 = 64;
/// The least and the most that is looked at of a block.
const BLOCK_WORDS: usize = 16;

/// What a register holds in the loop.
fn mark(register: u64) -> u64 {
    0x6774_7261_6365_0000 | register << 8 | 0x50
}

/// The words of code: 60 instructions that fill registers, then the loop.
struct Code {
    words: Vec<u32>,
}

impl Code {
    fn load(&mut self, register: u32, value: u64) {
        for (half, shift) in [0, 16, 32, 48].into_iter().enumerate() {
            let part = u32::try_from(value >> shift & 0xffff).unwrap_or(0);
            let half = u32::try_from(half).unwrap_or(0);
            let keep = if half == 0 { 0xd280_0000 } else { 0xf280_0000 };
            self.words.push(keep | half << 21 | part << 5 | register);
        }
    }

    fn address(&self) -> u64 {
        let words = u64::try_from(self.words.len()).unwrap_or(0);
        TEXT.saturating_add(HEADERS)
            .saturating_add(words.saturating_mul(4))
    }
}

/// The program, and where its loop and what follows its system call are.
fn code() -> (Vec<u32>, u64, u64) {
    let mut code = Code { words: Vec::new() };
    code.load(29, mark(31));
    code.words.push(0x9100_03bf); // mov sp, x29
    for register in (0..=25).chain(28..=30) {
        code.load(register, mark(register.into()));
    }
    code.load(26, FLAG);
    let looped = code.address();
    code.words.extend([
        0xf940_035b, // ldr x27, [x26]
        0xb500_007b, // cbnz x27, +12
        0x1400_0001, // b +4: a block of its own
        0x17ff_fffd, // b -12
    ]);
    code.words.push(0xd280_0928); // mov x8, #73: ppoll
    code.words
        .extend((0..=4).map(|register| 0xd280_0000 | register));
    code.words.push(0xd400_0001); // svc #0
    let after_call = code.address();
    code.words.push(0x17ff_fff9); // b -28: waits again
    (code.words, looped, after_call)
}

/// A small arm64 program: fills its registers with marks of their own, runs in a loop until the word at
/// [`FLAG`] changes, and then waits in a system call for ever.
#[must_use]
pub fn program() -> Vec<u8> {
    let (code, ..) = code();
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |elf: &mut Vec<u8>, value: u16| elf.extend(value.to_le_bytes());
    let long = |elf: &mut Vec<u8>, value: u64| elf.extend(value.to_le_bytes());
    half(&mut elf, 2); // ET_EXEC
    half(&mut elf, 183); // EM_AARCH64
    elf.extend(1_u32.to_le_bytes());
    long(&mut elf, TEXT.saturating_add(HEADERS)); // entry
    long(&mut elf, 64); // program headers
    long(&mut elf, 0);
    elf.extend(0_u32.to_le_bytes());
    for value in [64, 56, 2, 0, 0, 0] {
        half(&mut elf, value);
    }
    // One page of code, one of data: offset, address.
    for (flags, offset) in [(5_u32, 0), (6, PAGE)] {
        elf.extend(1_u32.to_le_bytes()); // PT_LOAD
        elf.extend(flags.to_le_bytes());
        let address = TEXT.saturating_add(offset);
        for value in [offset, address, address, PAGE, PAGE, PAGE] {
            long(&mut elf, value);
        }
    }
    elf.extend(code.iter().flat_map(|word| word.to_le_bytes()));
    elf.resize(usize::try_from(PAGE.saturating_mul(2)).unwrap_or(0), 0);
    elf
}

fn words<const N: usize>(memory: &dyn ReadMemory, address: u64) -> Option<[u64; N]> {
    let mut bytes = vec![0; N.saturating_mul(8)];
    if !memory.read(address, &mut bytes) {
        return None;
    }
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut found = [0; N];
    for (word, chunk) in found.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    Some(found)
}

/// What is known while the program is in its loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Address of `CPUArchState`.
    state: u64,
    registers: u16,
    block: Block,
    /// Thread-local words that may point to the CPU: offset, and distance to the state.
    cpus: Vec<(i32, u32)>,
}

/// Where things are in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    pc: u16,
    code: u16,
    bytes: u32,
}

impl Running {
    /// Looks at the process; `None` when it is not in the translated loop at that moment.
    #[must_use]
    pub fn of(memory: &dyn ReadMemory, host: HostRegisters) -> Option<Self> {
        let registers = find_registers(memory, host.bp)?;
        let block = find_block(memory, host.pc)?;
        let mut cpus = Vec::new();
        for back in (8..=STORAGE_BYTES).step_by(8) {
            let Some(cpu) = memory.long(host.thread.wrapping_sub(back)) else {
                break;
            };
            let distance = host.bp.wrapping_sub(cpu);
            if (1..CPU_BYTES).contains(&distance) {
                let offset = i32::try_from(back).ok()?.checked_neg()?;
                cpus.push((offset, u32::try_from(distance).ok()?));
            }
        }
        Some(Self {
            state: host.bp,
            registers,
            block,
            cpus,
        })
    }

    /// Looks at it again, when the program waits in its system call, and tells where all is.
    ///
    /// # Errors
    ///
    /// What could not be found.
    pub fn waiting(
        &self,
        memory: &dyn ReadMemory,
        host: HostRegisters,
    ) -> Result<Offsets, &'static str> {
        let (.., after_call) = code();
        let state = words::<{ STATE_BYTES / 8 }>(memory, self.state).ok_or("CPUArchState")?;
        let behind = usize::from(self.registers) / 8;
        let pc = state.iter().skip(behind).position(|at| *at == after_call);
        let pc = pc.map(|pc| pc.saturating_add(behind).saturating_mul(8));
        let pc = pc.and_then(|pc| u16::try_from(pc).ok());
        let pc = pc.ok_or("the guest's pc in CPUArchState")?;
        // What still points there while no translated code runs; of those the nearest, for other
        // things that happen to lie before the CPU lie farther away.
        let still = self.cpus.iter().filter(|(offset, distance)| {
            let at = host.thread.wrapping_add_signed(i64::from(*offset));
            memory.long(at) == Some(self.state.wrapping_sub(u64::from(*distance)))
        });
        let (cpu, state) = still
            .min_by_key(|(_, distance)| *distance)
            .ok_or("a thread-local pointer to the CPU")?;
        Ok(Offsets {
            cpu: *cpu,
            state: *state,
            registers: self.registers,
            pc,
            block_pc: self.block.pc,
            block_code: self.block.code,
            block_bytes: self.block.bytes,
        })
    }

    /// Whether both looked at the same qemu, so that neither saw something by chance.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.registers == other.registers && self.block == other.block
    }
}

/// Offset of the marks in `CPUArchState`.
fn find_registers(memory: &dyn ReadMemory, state: u64) -> Option<u16> {
    let words = words::<{ STATE_BYTES / 8 }>(memory, state)?;
    let holds = |(register, found): (u64, &u64)| match register {
        26 => *found == FLAG,
        27 => true,
        register => *found == mark(register),
    };
    let at = words
        .windows(32)
        .position(|window| (0..).zip(window).all(holds))?;
    u16::try_from(at.checked_mul(8)?).ok()
}

fn find_block(memory: &dyn ReadMemory, pc: u64) -> Option<Block> {
    let (_, looped, _) = code();
    let starts = [0, 8, 12].map(|into| looped.wrapping_add(into));
    let last = pc & !BLOCK_ALIGNMENT.wrapping_sub(1);
    for step in 0..BLOCK_STEPS {
        let block = last.checked_sub(step.checked_mul(BLOCK_ALIGNMENT)?)?;
        let words = words::<BLOCK_WORDS>(memory, block)?;
        let holds_pc = |pair: &[u64]| match pair {
            &[code, size] => {
                let head = code.wrapping_sub(block);
                let into = pc.wrapping_sub(code);
                head > 0
                    && head <= 512
                    && head % BLOCK_ALIGNMENT == 0
                    && into < size
                    && size < 65_536
            }
            _ => false,
        };
        let Some(code) = words.windows(2).position(holds_pc) else {
            continue;
        };
        let address = words.iter().position(|word| starts.contains(word));
        if let Some(address) = address {
            let bytes = words.get(code)?.checked_sub(block)?;
            return Some(Block {
                pc: u16::try_from(address.checked_mul(8)?).ok()?,
                code: u16::try_from(code.checked_mul(8)?).ok()?,
                bytes: u32::try_from(bytes).ok()?,
            });
        }
    }
    None
}

/// The first line of the text form.
const TITLE: &str = "gotrace qemu offsets 1";

impl Offsets {
    /// As text, to be kept.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{TITLE}\ncpu {}\n", self.cpu);
        for (name, value) in [
            ("state", self.state),
            ("registers", self.registers.into()),
            ("pc", self.pc.into()),
            ("block_pc", self.block_pc.into()),
            ("block_code", self.block_code.into()),
            ("block_bytes", self.block_bytes),
        ] {
            // Text takes everything.
            let _ok = writeln!(text, "{name} {value}");
        }
        text
    }

    /// Reads the text form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return None;
        }
        let mut value = |name: &str| -> Option<i64> {
            let (found, value) = lines.next()?.split_once(' ')?;
            (found == name).then(|| value.parse().ok())?
        };
        Some(Self {
            cpu: i32::try_from(value("cpu")?).ok()?,
            state: u32::try_from(value("state")?).ok()?,
            registers: u16::try_from(value("registers")?).ok()?,
            pc: u16::try_from(value("pc")?).ok()?,
            block_pc: u16::try_from(value("block_pc")?).ok()?,
            block_code: u16::try_from(value("block_code")?).ok()?,
            block_bytes: u32::try_from(value("block_bytes")?).ok()?,
        })
    }
}

#[cfg(test)]
#[path = "qemu_tests.rs"]
mod tests;
