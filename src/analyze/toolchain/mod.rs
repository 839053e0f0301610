//! Go toolchains, judged: which can be watched, whether a copy that was signed anew is still the
//! same, and whether two can be laid side by side.

mod pair;
mod signed;

pub use pair::{Check, Read, Standing, pair};
pub use signed::{InstrumentedProgram, Prepared, PreparedProgram, Resigned, Unsound, resigned};

use crate::analyze::doctor::quoted;
use crate::binary::macho::signature::{GET_TASK_ALLOW, SignatureFlags};
use crate::environment::goroot::{Format, Goroot, Program, Runs, Signed};
use std::collections::BTreeMap;

/// `CS_PLATFORM_BINARY` cannot be told from a file, but what restricts can: `CS_RESTRICT`.
const RESTRICT: u32 = 0x800;

/// What a program is called that is a copy in which functions tell of their calls.
pub const INSTRUMENTED: &str = "instrumented";

/// Whether the processes of a toolchain can be watched: their stacks, their images, their
/// functions. What the go command itself tells through `-toolexec` needs nothing of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They can.
    Yes,
    /// They cannot.
    No,
    /// It does not show.
    Unknown,
}

impl Verdict {
    /// `yes`, `no`, `unknown`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a toolchain can be watched, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// Whether.
    pub verdict: Verdict,
    /// Why, in a few words.
    pub why: String,
    /// What would help, as a command.
    pub remedy: Option<String>,
}

/// Judges a toolchain.
#[must_use]
pub fn tracing(goroot: &Goroot, runs: &Runs) -> Tracing {
    let plain = |verdict, why: String| Tracing {
        verdict,
        why,
        remedy: None,
    };
    let Some(go) = goroot.go() else {
        return plain(Verdict::Unknown, "it has no go command".to_owned());
    };
    let translated = match runs {
        Runs::Translated(by) => format!(", translated by {by}"),
        Runs::Natively | Runs::NotHere => String::new(),
    };
    match &go.format {
        Format::Other => plain(
            Verdict::Unknown,
            "the go command is no executable, but a script".to_owned(),
        ),
        Format::Unread(why) => plain(
            Verdict::Unknown,
            format!("the go command cannot be read: {why}"),
        ),
        Format::Elf { .. } if *runs == Runs::NotHere => {
            plain(Verdict::No, "nothing on this machine runs it".to_owned())
        }
        Format::Elf { .. } => plain(Verdict::Yes, format!("nothing forbids it{translated}")),
        Format::MachO(_) => of_macho(goroot, &translated),
    }
}

fn of_macho(goroot: &Goroot, translated: &str) -> Tracing {
    let closed = refusals(goroot);
    let why = match closed.first() {
        None => {
            return Tracing {
                verdict: Verdict::Yes,
                why: format!("no program of it is hardened{translated}"),
                remedy: None,
            };
        }
        Some((_, first)) => {
            let same = closed.iter().filter(|(_, why)| why == first).count();
            let programs = goroot.programs.len();
            format!("{same} of {programs} programs {first}")
        }
    };
    Tracing {
        verdict: Verdict::No,
        why,
        remedy: Some(format!(
            "gotrace toolchain prepare --from {} --to DIR",
            quoted(&goroot.root.display().to_string())
        )),
    }
}

/// The programs that a Mac lets nobody watch, and why.
fn refusals(goroot: &Goroot) -> Vec<(&Program, &'static str)> {
    let programs = goroot.programs.iter().filter_map(|program| {
        let Format::MachO(slices) = &program.format else {
            return None;
        };
        let why = slices.iter().find_map(|slice| match &slice.signature {
            None if slice.arch.starts_with("arm64") => Some("have no signature: a Mac kills them"),
            None => None,
            Some(signed) => refusal(signed),
        })?;
        Some((program, why))
    });
    programs.collect()
}

fn refusal(signed: &Signed) -> Option<&'static str> {
    let allows = signed.entitlements.iter().any(|key| key == GET_TASK_ALLOW);
    if signed.flags.has(SignatureFlags::RUNTIME) && !allows {
        return Some("are hardened, and allow no debugger");
    }
    signed
        .flags
        .has(RESTRICT)
        .then_some("are restricted by their signature")
}

/// How its programs are signed, in words: `hardened`, or counted where they differ:
/// `8 hardened, 2 unsigned`; empty for ELF.
#[must_use]
pub fn signatures(goroot: &Goroot) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for program in &goroot.programs {
        if let Format::MachO(_) = program.format {
            *kinds.entry(signature(program)).or_default() += 1;
        }
    }
    match kinds.len() {
        0 | 1 => kinds.into_keys().next().unwrap_or_default(),
        _ => {
            let mut kinds: Vec<(String, usize)> = kinds.into_iter().collect();
            kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let counted = kinds.iter().map(|(kind, count)| format!("{count} {kind}"));
            counted.collect::<Vec<_>>().join("; ")
        }
    }
}

/// How a program is signed, in words: of slices that differ, each.
#[must_use]
pub fn signature(program: &Program) -> String {
    let Format::MachO(slices) = &program.format else {
        return String::new();
    };
    let mut words: Vec<String> = slices
        .iter()
        .map(|slice| {
            let signed = slice.signature.as_ref();
            let signed = signed.map_or_else(|| "unsigned".to_owned(), in_words);
            match slice.instrumented {
                true => format!("{signed}, {INSTRUMENTED}"),
                false => signed,
            }
        })
        .collect();
    words.dedup();
    words.join(" / ")
}

fn in_words(signed: &Signed) -> String {
    let mut words = signed.flags.names();
    if words.is_empty() {
        words.push("signed".to_owned());
    }
    let short = |key: &String| {
        let key = key.strip_prefix("com.apple.security.").unwrap_or(key);
        key.to_owned()
    };
    words.extend(signed.entitlements.iter().map(short));
    words.join(", ")
}

/// The architectures of its programs: of the go command, and of the tools where they have others.
#[must_use]
pub fn architectures(goroot: &Goroot) -> String {
    let of_go = goroot.go().map(Program::archs).unwrap_or_default();
    let mut others: Vec<&str> = goroot
        .programs
        .iter()
        .flat_map(Program::archs)
        .filter(|arch| !of_go.contains(arch))
        .collect();
    others.sort_unstable();
    others.dedup();
    match others.len() {
        0 => of_go.join("+"),
        _ => format!("{}, tools {}", of_go.join("+"), others.join("+")),
    }
}
