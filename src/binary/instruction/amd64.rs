//! Places in amd64 code.
//!
//! ```text
//! cmp rsp, [r14+10h]      the check of the stack's size, in one of its forms
//! jbe grow
//! push rbp                entry
//! ...
//! pop rbp
//! ret                     exit
//! grow: call runtime.morestack_noctxt
//! jmp first instruction
//! ```
//!
//! What the kernel does with an instruction: `arch/x86/kernel/uprobes.c` of Linux 6.6
//! (`branch_setup_xol_ops`, `push_setup_xol_ops`, `good_insns_64`, `good_2byte_insns`,
//! `is_prefix_bad`), taken narrowly: an instruction that is refused here costs one function,
//! one that the kernel refuses costs all that are attached with it.

use super::{FunctionSites, NoSite, SiteEdge, Stepping, site};
use crate::binary::go::Function;
use iced_x86::{
    Code, Decoder, DecoderOptions, FastFormatter, FlowControl, Instruction, InstructionInfoFactory,
    Mnemonic, OpKind, Register,
};
use rustc_hash::FxHashSet;

/// The check stands within so many instructions.
const CHECK: usize = 8;
/// `g.stackguard0` and `g.stackguard1`.
const GUARDS: [u64; 2] = [0x10, 0x18];

pub(super) fn sites(function: &Function<'_>, code: &[u8]) -> FunctionSites {
    let body = Body::decode(function.entry().0, code);
    let mut sites = FunctionSites {
        entry: body.entry(function, false),
        entry_with_argument: body.entry(function, true),
        exits: Vec::new(),
        blind_exits: Vec::new(),
        g_in_register: function.keeps_conventions() && !body.writes_g(),
    };
    for at in 0..body.instructions.len() {
        match body.exit(function, at) {
            None => {}
            Some(Ok(exit)) => sites.exits.push(exit),
            Some(Err(why)) => {
                let address = body.instructions.get(at).map_or(0, Instruction::ip);
                sites.blind_exits.push((crate::binary::Svma(address), why));
            }
        }
    }
    sites
}

/// The instructions of a function, decoded one after the other up to its end, or to what is none.
pub(in crate::binary) struct Body<'a> {
    start: u64,
    code: &'a [u8],
    instructions: Vec<Instruction>,
    /// Addresses that its own branches lead to.
    targets: FxHashSet<u64>,
}

impl<'a> Body<'a> {
    pub(in crate::binary) fn decode(start: u64, code: &'a [u8]) -> Self {
        let decoder = Decoder::with_ip(64, code, start, DecoderOptions::NONE);
        let instructions: Vec<Instruction> = decoder
            .into_iter()
            .take_while(|instruction| !instruction.is_invalid())
            .collect();
        let targets = instructions.iter().filter_map(branch_target).collect();
        Self {
            start,
            code,
            instructions,
            targets,
        }
    }

    pub(in crate::binary) fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// One of its own branches leads to an address.
    pub(in crate::binary) fn is_target(&self, address: u64) -> bool {
        self.targets.contains(&address)
    }

    /// The first address between these two that one of its own branches leads to.
    pub(in crate::binary) fn target_inside(&self, start: u64, end: u64) -> Option<u64> {
        (start.saturating_add(1)..end).find(|address| self.is_target(*address))
    }

    /// A jump leads out of it, or may.
    pub(in crate::binary) fn leaves(&self, jump: &Instruction) -> bool {
        branch_target(jump).is_some_and(|to| !self.is_inside(to))
    }

    fn is_inside(&self, address: u64) -> bool {
        let into = address.checked_sub(self.start);
        into.is_some_and(|into| into < self.code.len() as u64)
    }

    pub(in crate::binary) fn bytes(&self, instruction: &Instruction) -> &'a [u8] {
        let from = instruction.ip().checked_sub(self.start);
        let from = from.and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.code.get(from..from.checked_add(instruction.len())?))
            .unwrap_or_default()
    }

    /// The number of the first instruction behind the check of the stack's size; 0 without one.
    pub(in crate::binary) fn behind_check(&self) -> usize {
        let pairs = self.instructions.windows(2).take(CHECK);
        let check = pairs.enumerate().find(|(at, pair)| {
            let before = self.instructions.get(..*at).unwrap_or_default();
            matches!(pair, [compare, branch] if is_guard(compare, before) && is_below(branch))
        });
        check.map_or(0, |(at, _)| at.saturating_add(2))
    }

    /// The place of the entry; `with_argument`: before RAX or RBX, in which Go passes the first
    /// argument, get another value.
    fn entry(&self, function: &Function<'_>, with_argument: bool) -> Result<super::Site, NoSite> {
        let first = self.behind_check();
        let rest = self.instructions.get(first..).unwrap_or_default();
        let once = rest
            .iter()
            .take_while(|instruction| !self.targets.contains(&instruction.ip()));
        let mut fallback = None;
        for instruction in once {
            match self.stepping(instruction) {
                Ok(Stepping::Emulated) => {
                    fallback = Some((instruction, Ok(Stepping::Emulated)));
                    break;
                }
                other if fallback.is_none() => fallback = Some((instruction, other)),
                _ => {}
            }
            let over = with_argument && writes(instruction, &[Register::RAX, Register::RBX]);
            if over || instruction.flow_control() != FlowControl::Next {
                break;
            }
        }
        let (instruction, stepping) = fallback.ok_or(if rest.is_empty() {
            NoSite::NoCode
        } else {
            NoSite::Looped
        })?;
        let kind = (SiteEdge::Entry, stepping?);
        site(function, instruction.ip(), kind, text(instruction))
    }

    /// The exit that the instruction with this number is, if it is one.
    fn exit(&self, function: &Function<'_>, at: usize) -> Option<Result<super::Site, NoSite>> {
        let instruction = self.instructions.get(at)?;
        let outside = || branch_target(instruction).is_some_and(|to| !self.is_inside(to));
        let edge = match instruction.flow_control() {
            FlowControl::Return => SiteEdge::Return,
            FlowControl::UnconditionalBranch if outside() => SiteEdge::TailJump,
            FlowControl::ConditionalBranch if outside() => {
                return Some(Err(NoSite::Conditional(text(instruction))));
            }
            // Compiled code jumps so by tables of its own places only.
            FlowControl::IndirectBranch if !function.keeps_conventions() => {
                return Some(Err(NoSite::Indirect(text(instruction))));
            }
            _ => return None,
        };
        let stepping = match self.stepping(instruction) {
            Ok(stepping) => stepping,
            Err(why) => return Some(Err(why)),
        };
        let kind = (edge, stepping);
        Some(site(function, instruction.ip(), kind, text(instruction)))
    }

    /// R14 gets another value than g, which is read from thread-local storage.
    pub(in crate::binary) fn writes_g(&self) -> bool {
        // No instruction writes to R14 without naming it: what few name it are looked at more closely.
        let mut named = self.instructions.iter().filter(|instruction| {
            let mut operands = 0..instruction.op_count();
            operands.any(|at| {
                instruction.op_kind(at) == OpKind::Register
                    && instruction.op_register(at).full_register() == Register::R14
            })
        });
        named.any(|instruction| {
            writes(instruction, &[Register::R14]) && instruction.segment_prefix() != Register::FS
        })
    }

    /// What the kernel does with an instruction.
    fn stepping(&self, instruction: &Instruction) -> Result<Stepping, NoSite> {
        let refused = || Err(NoSite::Refused(text(instruction)));
        match self.bytes(instruction) {
            // push, with the prefix for r8 to r15; nop; jmp, call and jcc to a relative address.
            [0x50..=0x57] | [0x41, 0x50..=0x57] | [0x90] => Ok(Stepping::Emulated),
            [0xeb | 0xe8 | 0xe9 | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] => {
                Ok(Stepping::Emulated)
            }
            bytes => {
                // Behind REX, the operand-size prefix and those of repetition.
                let prefixes = bytes
                    .iter()
                    .take_while(|byte| matches!(byte, 0x66 | 0xf2 | 0xf3 | 0x40..=0x4f))
                    .count();
                let steps = match bytes.get(prefixes..) {
                    // A branch or a nop with a prefix is refused, other than `rep ret`.
                    Some([0x90 | 0xeb | 0xe8 | 0xe9 | 0x70..=0x7f, ..]) => false,
                    Some([0x0f, second, ..]) => is_good_second(*second),
                    Some([first, ..]) => is_good(*first),
                    _ => false,
                };
                if steps {
                    Ok(Stepping::SingleStepped)
                } else {
                    refused()
                }
            }
        }
    }
}

/// Whether an instruction gives one of these registers, or a part of it, another value.
fn writes(instruction: &Instruction, registers: &[Register]) -> bool {
    use iced_x86::OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
    let mut information = InstructionInfoFactory::new();
    let used = information.info(instruction).used_registers();
    used.iter().any(|used| {
        registers.contains(&used.register().full_register())
            && matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite)
    })
}

/// First opcode bytes that the kernel steps over.
const fn is_good(opcode: u8) -> bool {
    matches!(
        opcode,
        0x00..=0x05 | 0x08..=0x0d | 0x10..=0x15 | 0x18..=0x1d | 0x20..=0x25 | 0x28..=0x2d
            | 0x30..=0x35 | 0x38..=0x3d | 0x58..=0x5f | 0x63 | 0x68..=0x6b
            | 0x80..=0x8d | 0x8f | 0x91..=0x99 | 0x9b..=0x9f | 0xa0..=0xc3
            | 0xc6..=0xc9 | 0xd0..=0xd3 | 0xf5..=0xf9 | 0xfc..=0xff
    )
}

/// Second opcode bytes, after 0f.
const fn is_good_second(opcode: u8) -> bool {
    matches!(
        opcode,
        0x10..=0x17 | 0x1f | 0x28..=0x2f | 0x40..=0x76 | 0x7e | 0x7f | 0x90..=0x9f
            | 0xa2..=0xa5 | 0xab..=0xaf | 0xb0..=0xb7 | 0xba..=0xc6 | 0xc8..=0xcf | 0xd1..=0xfe
    )
}

/// Where a relative jump, conditional or not, leads.
fn branch_target(instruction: &Instruction) -> Option<u64> {
    let branches = matches!(
        instruction.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
    );
    (branches && instruction.op0_kind() == OpKind::NearBranch64)
        .then(|| instruction.near_branch_target())
}

/// Compares the stack pointer, or what it will be, with the guard of g's stack.
fn is_guard(instruction: &Instruction, before: &[Instruction]) -> bool {
    let base = instruction.memory_base();
    let of_g = base == Register::R14
        || before
            .iter()
            .any(|load| load.op0_register() == base && load.segment_prefix() == Register::FS);
    instruction.code() == Code::Cmp_r64_rm64
        && instruction.op1_kind() == OpKind::Memory
        && matches!(
            instruction.op0_register(),
            Register::RSP | Register::R12 | Register::R13 | Register::RAX | Register::RSI
        )
        && of_g
        && GUARDS.contains(&instruction.memory_displacement64())
}

fn is_below(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Jbe | Mnemonic::Jb)
}

fn text(instruction: &Instruction) -> String {
    let mut formatter = FastFormatter::new();
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}
