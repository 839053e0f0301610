//! Functions that are asked for, by the table of functions alone: for what finds the places of probes itself.

use super::plan::{is_wrapper, nearest, rank};
use super::{FunctionGlob, Mode, Phase, Spec, Unmatched};
use crate::binary::go::{Function, Pclntab};
use crate::binary::{FileOffset, Memory, Svma};
use crate::trace::PhaseLasts;
use rustc_hash::FxHashSet;

/// A function that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Name, as the linker keeps it.
    pub symbol: Vec<u8>,
    /// Name, as Go developers write it.
    pub name: Vec<u8>,
    /// Source file, or empty.
    pub file: Vec<u8>,
    /// Its first address.
    pub address: Svma,
    /// Offset of its first instruction in the file.
    pub offset: FileOffset,
    /// The glob by which it is asked for.
    pub glob: FunctionGlob,
    /// Which of its edges are asked for.
    pub mode: Mode,
    /// The set that asks for it; none where the user does.
    pub set: Option<String>,
    /// The phase that its calls mark.
    pub phase: Option<Phase>,
    /// It keeps Go's register conventions, see [`Function::keeps_conventions`].
    pub keeps_conventions: bool,
    /// It may have parameters.
    pub takes_arguments: bool,
}

/// What is asked for of an executable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedOf {
    /// Functions, in the order of their addresses.
    pub functions: Vec<Asked>,
    /// All functions of the executable, by the names that the linker keeps.
    pub symbols: Vec<Vec<u8>>,
    /// What was asked for and is not there.
    pub unmatched: Vec<Unmatched>,
}

impl AskedOf {
    /// Finds what the specs ask for. A function that several ask for is there once: what the user names wins
    /// over sets, calls over entries; its calls mark the phase that a set has for it all the same.
    pub(super) fn new(memory: &Memory<'_>, table: &Pclntab<'_>, specs: &[&Spec]) -> Self {
        let mut functions = Vec::new();
        let unmatched = choose(table, specs, |function, name, chosen| {
            functions.push(asked(memory, function, name, chosen));
        });
        let symbols = table.functions().flatten();
        let symbols = symbols.filter_map(|function| function.linker_name().ok());
        Self {
            functions,
            symbols: symbols.map(<[u8]>::to_vec).collect(),
            unmatched,
        }
    }

    /// Leaves out what the compiler made to call assembly, and gave the name of what it calls: with both, such calls
    /// would count twice.
    pub fn leave_out_wrappers(&mut self) {
        let functions = self.functions.iter();
        let functions = functions.filter(|function| !is_wrapper(&function.file));
        let names: FxHashSet<Vec<u8>> = functions.map(|function| function.name.clone()).collect();
        self.functions
            .retain(|function| !is_wrapper(&function.file) || !names.contains(&function.name));
    }
}

/// Which of the specs for a function counts.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'s> {
    pub(super) spec: &'s Spec,
    phase: Option<&'s Phase>,
}

impl<'s> Chosen<'s> {
    /// The one of the highest rank, and the phase of the highest that has one.
    fn of(specs: impl Iterator<Item = &'s Spec> + Clone) -> Option<Self> {
        let highest = |one: &'s Spec, other| if rank(other) > rank(one) { other } else { one };
        let spec = specs.clone().reduce(highest)?;
        let marking = specs.filter(|spec| spec.phase.is_some()).reduce(highest);
        Some(Self {
            spec,
            phase: marking.and_then(|spec| spec.phase.as_ref()),
        })
    }

    /// The phase that calls mark: where one ends with its call, exits have to be watched.
    pub(super) fn phase(&self) -> Option<Phase> {
        let ends =
            |phase: &&Phase| phase.lasts == PhaseLasts::UntilNext || self.spec.mode == Mode::Call;
        self.phase.filter(ends).cloned()
    }
}

/// Hands over each function that a spec asks for, with its name and the spec that counts, and tells which
/// specs ask for none.
pub(super) fn choose(
    table: &Pclntab<'_>,
    specs: &[&Spec],
    mut found: impl FnMut(&Function<'_>, &[u8], Chosen<'_>),
) -> Vec<Unmatched> {
    let mut matched = vec![false; specs.len()];
    for function in table.functions().flatten() {
        let Ok(name) = function.name() else { continue };
        let mut matching = Vec::new();
        for (spec, matched) in specs.iter().zip(&mut matched) {
            if spec.function.matches(&name) {
                *matched = true;
                matching.push(*spec);
            }
        }
        if let Some(chosen) = Chosen::of(matching.into_iter()) {
            found(&function, &name, chosen);
        }
    }
    let unmatched = specs.iter().zip(matched).filter(|(_, matched)| !matched);
    let unmatched = unmatched.map(|(spec, _)| Unmatched {
        spec: Spec::clone(spec),
        nearest: match spec.set {
            None => nearest(table, spec.function.text()),
            Some(_) => Vec::new(),
        },
    });
    unmatched.collect()
}

fn asked(memory: &Memory<'_>, function: &Function<'_>, name: &[u8], chosen: Chosen<'_>) -> Asked {
    let spec = chosen.spec;
    let lines = function.lines(function.entry()).unwrap_or_default();
    Asked {
        symbol: function.linker_name().unwrap_or_default().to_vec(),
        name: name.to_vec(),
        file: lines
            .last()
            .map_or_else(Vec::new, |line| line.file.to_vec()),
        address: function.entry(),
        offset: memory.offset_of(function.entry()).unwrap_or_default(),
        glob: spec.function.clone(),
        mode: spec.mode,
        set: spec.set.clone(),
        phase: chosen.phase(),
        keeps_conventions: function.keeps_conventions(),
        takes_arguments: function.takes_arguments(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_user_takes_no_phase_away() {
        let named: Spec = "compile:main.f".parse().unwrap();
        let phase = |lasts| Phase {
            name: "check".to_owned(),
            lasts,
            ..Phase::default()
        };
        let of_set = |lasts| Spec {
            set: Some("go-build".to_owned()),
            phase: Some(phase(lasts)),
            ..named.clone()
        };
        let chosen = |specs: [&Spec; 2]| {
            let chosen = Chosen::of(specs.into_iter()).unwrap();
            (chosen.spec.set.is_none(), chosen.phase())
        };
        let (until, with_call) = (PhaseLasts::UntilNext, PhaseLasts::Call);
        let expected = (true, Some(phase(with_call)));
        assert_eq!(chosen([&named, &of_set(with_call)]), expected);
        assert_eq!(chosen([&of_set(with_call), &named]), expected);
        // Without exits it is not known when a phase of a call ends.
        let entry: Spec = "compile:main.f:entry".parse().unwrap();
        assert_eq!(chosen([&entry, &of_set(with_call)]), (true, None));
        let expected = (true, Some(phase(until)));
        assert_eq!(chosen([&entry, &of_set(until)]), expected);
    }
}
