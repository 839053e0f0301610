//! Where code of the runtime finds `g`: the offset from the thread pointer, read from the
//! instructions of functions that use it.
//!
//! ```text
//! amd64  executable:       64 48 8b 04 25 f8 ff ff ff     mov %fs:-8,%rax
//!        any address:      48 c7 c1 f8 ff ff ff           mov $-8,%rcx
//!                          64 48 8b 01                    mov %fs:(%rcx),%rax
//!        not yet linked:   48 8b 0d ....                  mov slot(%rip),%rcx; the loader fills it
//! arm64  d53bd040 mrs x0,tpidr_el0    d2800..b movz x27,#offset    f87b681c ldr x28,[x0,x27]
//! ```
//!
//! Linkers place it: Go's own at -8 (amd64) or 16 (arm64), another one where the thread-local
//! variables of C code leave room. Symbols (`runtime.tlsg`) may be stripped, the code is not.

use super::Pclntab;
use crate::binary::Svma;
use crate::binary::elf::{Elf, Machine};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// They read or write it within their first instructions, in every release since Go 1.16.
const AMD64_USERS: [&str; 4] = [
    "runtime.systemstack",
    "runtime.asmcgocall",
    "runtime.mcall",
    "runtime.rt0_go",
];
const ARM64_USERS: [&str; 2] = ["runtime.load_g", "runtime.save_g"];
/// How many bytes of a function are read; `rt0_go` is the longest.
const LONGEST: usize = 1024;
/// What the loader keeps at the thread pointer of arm64 before the first variable.
const ARM64_HEADER: i64 = 16;

/// The offset of `g` from the thread pointer (FS base, `TPIDR_EL0`).
pub(super) fn offset_of_g(elf: &Elf<'_>, table: &Pclntab<'_>) -> Option<i32> {
    let (users, offset_in): (&[&str], OffsetIn) = match elf.machine {
        Machine::Amd64 => (&AMD64_USERS, in_amd64),
        Machine::Arm64 => (&ARM64_USERS, in_arm64),
        Machine::Other(_) => return None,
    };
    table.named(users).into_iter().find_map(|function| {
        let code = elf.memory().bytes_from("code", function.entry()).ok()?;
        let size = usize::try_from(function.end().offset_from(function.entry())?).ok()?;
        let code = code.get(..size.min(code.len()).min(LONGEST))?;
        i32::try_from(offset_in(elf, code, function.entry())?).ok()
    })
}

type OffsetIn = fn(&Elf<'_>, &[u8], Svma) -> Option<i64>;

fn in_amd64(elf: &Elf<'_>, code: &[u8], entry: Svma) -> Option<i64> {
    let decoder = Decoder::with_ip(64, code, entry.0, DecoderOptions::NONE);
    let mut before = Vec::new();
    for instruction in decoder {
        if instruction.segment_prefix() == Register::FS {
            return match instruction.memory_base() {
                Register::None => Some(instruction.memory_displacement64().cast_signed()),
                base => before.iter().rev().find_map(|at| loaded(elf, at, base)),
            };
        }
        before.push(instruction);
    }
    None
}

/// What an instruction loads into a register.
fn loaded(elf: &Elf<'_>, instruction: &Instruction, register: Register) -> Option<i64> {
    if instruction.mnemonic() != Mnemonic::Mov || instruction.op0_register() != register {
        return None;
    }
    if instruction.is_ip_rel_memory_operand() {
        return from_slot(elf, Svma(instruction.ip_rel_memory_address()));
    }
    matches!(
        instruction.op1_kind(),
        OpKind::Immediate32to64 | OpKind::Immediate64
    )
    .then(|| instruction.immediate(1).cast_signed())
}

/// What the dynamic loader writes into a slot of an executable. For a library it depends on
/// what else is loaded.
fn from_slot(elf: &Elf<'_>, slot: Svma) -> Option<i64> {
    elf.interpreter?;
    let relocation = elf.relocations().iter().find(|r| r.address == slot)?;
    let offset = relocation.thread_local()?;
    let tls = elf.tls?;
    if elf.machine == Machine::Arm64 {
        let header = ARM64_HEADER.cast_unsigned();
        let start = header.checked_next_multiple_of(tls.align.max(1))?;
        return start.checked_add_signed(offset).map(u64::cast_signed);
    }
    let size = tls.size.checked_next_multiple_of(tls.align.max(1))?;
    offset.checked_sub(i64::try_from(size).ok()?)
}

/// Follows what is moved into x27, from the moment that the thread pointer is read.
fn in_arm64(elf: &Elf<'_>, code: &[u8], entry: Svma) -> Option<i64> {
    const OFFSET: u32 = 27;
    let words = code.chunks_exact(4).filter_map(|word| word.try_into().ok());
    let mut value = None;
    let mut at = entry.0;
    for word in words.map(u32::from_le_bytes) {
        let to_offset = word & 0x1f == OFFSET;
        let part = u64::from(word >> 5 & 0xffff);
        let shift = (word >> 21 & 3).saturating_mul(16);
        match word {
            // movz, movk
            _ if word & 0xff80_0000 == 0xd280_0000 && to_offset => {
                value = part.checked_shl(shift);
            }
            _ if word & 0xff80_0000 == 0xf280_0000 && to_offset => {
                let kept = value? & !0xffff_u64.checked_shl(shift)?;
                value = Some(kept | part.checked_shl(shift)?);
            }
            // adrp x27, page
            _ if word & 0x9f00_0000 == 0x9000_0000 && to_offset => {
                let pages = (word >> 29 & 3) | (word >> 5 & 0x7_ffff) << 2;
                let pages = i64::from((pages << 11).cast_signed() >> 11);
                let page = (at & !0xfff).checked_add_signed(pages.checked_mul(4096)?);
                value = page;
            }
            // ldr x27, [x27, #offset]
            _ if word & 0xffc0_03ff == 0xf940_037b => {
                let slot = value?.checked_add(u64::from(word >> 10 & 0xfff).checked_mul(8)?)?;
                value = Some(from_slot(elf, Svma(slot))?.cast_unsigned());
            }
            // ldr x28, [x0, x27] and str x28, [x0, x27]
            0xf87b_681c | 0xf83b_681c => return value.map(u64::cast_signed),
            _ => {}
        }
        at = at.saturating_add(4);
    }
    None
}
