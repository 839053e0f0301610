//! The plan: an executable's functions that are asked for, and where each is probed.

use super::asked::{Chosen, choose, leave_out_wrappers};
use super::{Mode, Phase, Spec};
use crate::binary::elf::Elf;
use crate::binary::go::{Function, Pclntab};
use crate::binary::instruction::{self, NoSite, Site, SiteEdge, Stepping};
use crate::binary::{Error, Svma};
use crate::trace::CallEdge;
use rustc_hash::FxHashSet;
use std::cmp::Reverse;

/// As much as a cookie holds of how far the stack pointer is from where it was at the entry.
const DEEPEST: u32 = u16::MAX as u32;
/// How many names are told that come near one that is not there.
const NEAREST: usize = 3;

/// Where to probe an executable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Functions, in the order of their addresses.
    pub functions: Vec<Planned>,
    /// Functions that are asked for and cannot be probed.
    pub left_out: Vec<LeftOut>,
    /// What was asked for and is not there.
    pub unmatched: Vec<Unmatched>,
}

/// A function, and its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Name, as Go developers write it.
    pub name: Vec<u8>,
    /// Source file, or empty.
    pub file: Vec<u8>,
    /// First address.
    pub address: Svma,
    /// Which of its edges are asked for.
    pub mode: Mode,
    /// The set that asks for it; none where the user does.
    pub set: Option<String>,
    /// The phase that its calls mark.
    pub phase: Option<Phase>,
    /// Go's register for g holds it at all its places.
    pub g_in_register: bool,
    /// It may have parameters.
    pub takes_arguments: bool,
    /// The entry first.
    pub sites: Vec<PlannedSite>,
    /// Exits that are asked for and cannot be seen, with why.
    pub blind_exits: Vec<(Svma, NoSite)>,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSite {
    /// Offset in the file.
    pub offset: u64,
    /// What passing it means.
    pub edge: CallEdge,
    /// What it costs.
    pub stepping: Stepping,
    /// See [`Site::stack_depth`].
    pub stack_depth: u32,
    /// The instruction.
    pub text: String,
}

/// A function that cannot be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub name: Vec<u8>,
    /// Why.
    pub why: NoSite,
}

/// A glob that no function matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// What was asked for.
    pub spec: Spec,
    /// Names that come near.
    pub nearest: Vec<String>,
}

impl Unmatched {
    /// What to tell the user who asked for it in the executable `of`.
    #[must_use]
    pub fn words(&self, of: &str) -> String {
        let glob = self.spec.function.text();
        format!("{of}: no function is called {glob}{}", self.advice())
    }

    /// What else may have been meant; begins with a semicolon where there is anything to say.
    #[must_use]
    pub fn advice(&self) -> String {
        let glob = self.spec.function.text();
        let mut advice = match self.nearest.as_slice() {
            [] => String::new(),
            names => format!("; near it: {}", names.join(", ")),
        };
        if glob.contains(':') {
            advice.push_str("; behind the last colon only entry and call are modes");
        }
        if glob.replace("[...]", "").contains('[') {
            advice.push_str("; brackets stand for themselves, only * and ? are wild");
        }
        advice
    }
}

/// Why an executable has no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// It is packed.
    #[error("it is packed by UPX: its functions exist only while it runs")]
    Packed,
    /// It is no Go program, or its table of functions cannot be read.
    #[error("it has no Go functions that can be read")]
    NotGo(#[source] Error),
}

/// Finds what the specs ask for. A function that several ask for is planned once: what the user
/// names wins over sets, calls over entries; its calls mark the phase that a set has for it all the same.
///
/// # Errors
///
/// When the executable's functions cannot be read.
pub fn plan(elf: &Elf<'_>, specs: &[&Spec]) -> Result<Plan, NoPlan> {
    plan_with(elf, specs, false, None)
}

/// The same; with `arguments`, functions that the user names are entered where their first
/// argument is still to be read. Of all that are asked for, `only` those at some addresses are planned.
pub(super) fn plan_with(
    elf: &Elf<'_>,
    specs: &[&Spec],
    arguments: bool,
    only: Option<&FxHashSet<u64>>,
) -> Result<Plan, NoPlan> {
    let table = Pclntab::of(elf).map_err(|error| {
        if is_packed(elf) {
            NoPlan::Packed
        } else {
            NoPlan::NotGo(error)
        }
    })?;
    let mut plan = Plan::default();
    let unmatched = choose(&table, specs, |function, name, chosen| {
        if only.is_some_and(|only| !only.contains(&function.entry().0)) {
            return;
        }
        match planned(elf, function, name, chosen, arguments) {
            Ok(function) => plan.functions.push(function),
            Err(why) => plan.left_out.push(LeftOut {
                name: name.to_vec(),
                why,
            }),
        }
    });
    plan.unmatched = unmatched;
    let left_out = plan.left_out.iter().map(|left_out| left_out.name.clone());
    leave_out_wrappers(&mut plan.functions, left_out, |function| {
        (&function.name, &function.file)
    });
    Ok(plan)
}

fn planned(
    elf: &Elf<'_>,
    function: &Function<'_>,
    name: &[u8],
    chosen: Chosen<'_>,
    arguments: bool,
) -> Result<Planned, NoSite> {
    let spec = chosen.spec;
    let with_argument = arguments && spec.set.is_none();
    let code = elf.memory().bytes_from("code", function.entry());
    let code = code.map_err(|_unreadable| NoSite::NoCode)?;
    let found = instruction::sites(elf.machine, function, code);
    let entry = if with_argument {
        found.entry_with_argument
    } else {
        found.entry
    };
    let entry = entry?;
    let entered_at = entry.address;
    let mut sites = vec![planned_site(elf, entry)?];
    let mut blind_exits = Vec::new();
    if spec.mode == Mode::Call {
        blind_exits = found.blind_exits;
        // A function of one instruction (`ret`, or `jmp` to another one) is left where it is
        // entered, and takes no time. Which of two probes of one place comes first is not told.
        let exits = found.exits.into_iter();
        for exit in exits.filter(|exit| exit.address != entered_at) {
            let address = exit.address;
            match planned_site(elf, exit) {
                Ok(site) => sites.push(site),
                Err(why) => blind_exits.push((address, why)),
            }
        }
    }
    let lines = function.lines(function.entry()).unwrap_or_default();
    Ok(Planned {
        name: name.to_vec(),
        file: lines
            .last()
            .map_or_else(Vec::new, |line| line.file.to_vec()),
        address: function.entry(),
        mode: spec.mode,
        set: spec.set.clone(),
        phase: chosen.phase(),
        g_in_register: found.g_in_register,
        takes_arguments: function.takes_arguments(),
        sites,
        blind_exits,
    })
}

fn planned_site(elf: &Elf<'_>, site: Site) -> Result<PlannedSite, NoSite> {
    let offset = elf.memory().offset_of(site.address).ok_or(NoSite::NoCode)?;
    if site.stack_depth > DEEPEST {
        return Err(NoSite::UnknownDepth);
    }
    Ok(PlannedSite {
        offset: offset.0,
        edge: match site.edge {
            SiteEdge::Entry => CallEdge::Entry,
            SiteEdge::Return => CallEdge::Exit,
            SiteEdge::TailJump => CallEdge::TailJump,
        },
        stepping: site.stepping,
        stack_depth: site.stack_depth,
        text: site.text,
    })
}

/// Names whose last word comes near the last word of a glob, or which have all its words, whatever
/// their case; those first that have most words in common, then the nearest and shortest.
pub(super) fn nearest(table: &Pclntab<'_>, glob: &str) -> Vec<String> {
    let wanted = words(glob);
    let Some(last) = wanted.last() else {
        return Vec::new();
    };
    // One letter in three may be another one; of one or two letters none.
    let limit = match last.len() {
        0..3 => 0,
        letters => letters.div_ceil(3).min(3),
    };
    let names = table.functions().flatten();
    let near = names.filter_map(|function| {
        let name = function.name().ok()?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let words = words(&name);
        let word = words.last()?;
        let distance = match last.len() > 2 && word.contains(last) {
            true => Some(0),
            false => distance(last, word, limit),
        };
        let in_common = wanted
            .iter()
            .filter(|wanted| words.contains(wanted))
            .count();
        let distance = match distance {
            None if in_common > 1 && in_common == wanted.len() => limit + 1,
            distance => distance?,
        };
        Some((Reverse(in_common), distance, name.len(), name))
    });
    let mut near: Vec<_> = near.collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(NEAREST);
    near.into_iter().map(|(.., name)| name).collect()
}

fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// How many letters must be put in, taken out, changed or swapped to make one word of another, where that
/// is no more than `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    Some(strsim::osa_distance(a, b)).filter(|distance| *distance <= limit)
}

/// UPX leaves its mark behind the program headers.
fn is_packed(elf: &Elf<'_>) -> bool {
    elf.memory().loads().iter().any(|load| {
        let begin = elf.memory().contents(load);
        let begin = begin.get(..1024).unwrap_or(begin);
        begin.windows(4).any(|bytes| bytes == b"UPX!")
    })
}
