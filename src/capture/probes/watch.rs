//! Which functions of which executables a run watches.

use super::plan::plan_with;
use super::{Asked, AskedOf, CallMode, Mode, NoPlan, Plan, ProbeSet, Spec, Unmatched};
use crate::binary::Svma;
use crate::binary::dwarf::{DebugSections, Parameter};
use crate::binary::elf::Elf;
use crate::binary::go::{BuildInfo, Container, Pclntab};
use crate::trace::{ArgumentKind, Probe};
use rustc_hash::FxHashSet;
use std::fmt;
use std::str::FromStr;

/// How much of the command's CPU time watching functions may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxTax {
    /// As a part of 1; without limit where there is none.
    pub share: Option<f64>,
    /// Functions that the user named may be given up for it, not only those of sets.
    pub named_too: bool,
}

impl Default for MaxTax {
    fn default() -> Self {
        Self {
            share: Some(0.04),
            named_too: false,
        }
    }
}

impl fmt::Display for MaxTax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.share {
            // Of a percentage that was read, 2.3, the double of its share is some bits off.
            Some(share) => write!(f, "{}%", (share * 1e8).round() / 1e6),
            None => f.write_str("off"),
        }
    }
}

impl FromStr for MaxTax {
    type Err = &'static str;

    /// `4%`, `4`, or `off`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self {
                share: None,
                named_too: false,
            });
        }
        let number = text.strip_suffix('%').unwrap_or(text).trim().parse().ok();
        let percent = number.filter(|percent: &f64| percent.is_finite() && *percent > 0.0);
        let percent = percent.ok_or("expected a percentage above 0, or off")?;
        Ok(Self {
            share: Some(percent / 100.0),
            named_too: true,
        })
    }
}

/// What the goroutine calls last, whether it returned or called `runtime.Goexit`: watched where
/// calls are, for those that are open then are over.
const GOROUTINE_END: &str = "runtime.goexit1";
/// As whose function it is recorded.
const ENDS: &str = Probe::ENDS_OF_GOROUTINES;

/// All that is asked for, by the user and by sets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// Functions that the user named.
    pub named: Vec<Spec>,
    /// Sets of functions.
    pub sets: Vec<ProbeSet>,
    /// Names of those sets that nobody asked for on this occasion: they are watched where that works,
    /// and left out where it does not.
    pub by_default: Vec<String>,
    /// Entries alone, of whatever is asked for.
    pub entries_only: bool,
    /// What it may cost.
    pub max_tax: MaxTax,
    /// First arguments are recorded, too.
    pub arguments: bool,
    /// How calls of what the user named are recorded.
    pub mode: CallMode,
    /// Only functions that mark phases.
    pub marks_alone: bool,
}

impl Watch {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.sets.is_empty()
    }

    /// Whether the user asked for functions: more than what is watched by default.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        let is_default =
            |set: &ProbeSet| set.name == super::DEFAULT || self.by_default.contains(&set.name);
        !self.named.is_empty() || !self.sets.iter().all(is_default)
    }

    /// Whether nothing is asked for but sets that gotrace comes with.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        let known = ProbeSet::embedded().unwrap_or_default();
        self.named.is_empty() && self.sets.iter().all(|set| known.contains(set))
    }

    /// What of it marks phases: for who can record each call, beside others that do not.
    #[must_use]
    pub fn marks(&self) -> Self {
        Self {
            named: Vec::new(),
            marks_alone: true,
            ..self.clone()
        }
    }

    /// What the user asked for: named, or in sets of theirs.
    #[must_use]
    pub fn wanted(&self) -> Vec<Spec> {
        let known = ProbeSet::embedded().unwrap_or_default();
        let own = self.sets.iter().filter(|set| !known.contains(set));
        let own = own.flat_map(|set| set.specs(None));
        self.named.iter().chain(own).cloned().collect()
    }

    /// Whether anything in an executable may be asked for.
    #[must_use]
    pub fn concerns(&self, path: &[u8]) -> bool {
        self.all().any(|spec| spec.image.matches(path))
    }

    /// Whether the user named functions of just this executable.
    #[must_use]
    pub fn names(&self, path: &[u8]) -> bool {
        let mut named = self.named.iter();
        named.any(|spec| spec.image.is_literal() && spec.image.matches(path))
    }

    /// A text of all that is asked for of an executable: another one where anything of it is another.
    #[must_use]
    pub fn text_of(&self, path: &[u8]) -> String {
        let named = self.named.iter();
        let named: Vec<_> = named.filter(|spec| spec.image.matches(path)).collect();
        let sets = self.sets.iter().flat_map(|set| &set.probes);
        let sets: Vec<_> = sets
            .filter(|probe| probe.spec.image.matches(path))
            .collect();
        let how = (self.entries_only, self.arguments);
        format!("{how:?} {named:?} {sets:?}")
    }

    /// What to watch in an executable.
    ///
    /// # Errors
    ///
    /// When it is not a Go program whose functions can be read.
    pub fn plan(&self, elf: &Elf<'_>, path: &[u8]) -> Result<Plan, NoPlan> {
        self.plan_only(elf, path, None)
    }

    /// The same, of functions at some addresses.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`].
    pub fn plan_only(
        &self,
        elf: &Elf<'_>,
        path: &[u8],
        only: Option<&FxHashSet<u64>>,
    ) -> Result<Plan, NoPlan> {
        let specs = self.specs(elf, path);
        let specs: Vec<&Spec> = specs.iter().collect();
        let mut plan = plan_with(elf, &specs, self.arguments, only)?;
        self.forgive_sets(&mut plan.unmatched);
        Ok(plan)
    }

    /// What of an executable is asked for, for a backend that finds the sites itself.
    ///
    /// # Errors
    ///
    /// When it is not a Go program whose functions can be read.
    pub fn asked<'a>(&self, image: &impl Container<'a>, path: &[u8]) -> Result<AskedOf, NoPlan> {
        let table = Pclntab::of(image).map_err(NoPlan::NotGo)?;
        let specs = self.specs(image, path);
        let specs: Vec<&Spec> = specs.iter().collect();
        let mut asked = AskedOf::new(image.memory(), &table, &specs);
        self.forgive_sets(&mut asked.unmatched);
        Ok(asked)
    }

    /// What is asked for of an executable, by whomever.
    fn specs<'a>(&self, image: &impl Container<'a>, path: &[u8]) -> Vec<Spec> {
        let version = BuildInfo::of(image).ok().and_then(|info| info.version());
        let sets = self.sets.iter().flat_map(|set| set.specs(version));
        let specs = self.named.iter().chain(sets);
        let mut specs: Vec<Spec> = specs
            .filter(|spec| spec.image.matches(path))
            .filter(|spec| !self.marks_alone || spec.phase.is_some())
            .cloned()
            .collect();
        if self.entries_only {
            for spec in &mut specs {
                spec.mode = Mode::Entry;
            }
        }
        let calls = |spec: &Spec| spec.set.is_none() && spec.mode == Mode::Call;
        if specs.iter().any(calls)
            && let Ok(function) = GOROUTINE_END.parse()
        {
            specs.extend(specs.first().cloned().map(|spec| Spec {
                function,
                mode: Mode::Entry,
                set: Some(ENDS.to_owned()),
                phase: None,
                ..spec
            }));
        }
        specs
    }

    /// A set that gotrace comes with is for many releases. Which these are is read from their files, and not
    /// for each executable where nothing is missing.
    fn forgive_sets(&self, unmatched: &mut Vec<Unmatched>) {
        if !unmatched.is_empty() {
            let wanted = self.wanted();
            unmatched.retain(|unmatched| wanted.iter().any(|spec| spec.is_same(&unmatched.spec)));
        }
    }

    fn all(&self) -> impl Iterator<Item = &Spec> {
        let sets = self.sets.iter().flat_map(|set| set.specs(None));
        self.named.iter().chain(sets)
    }

    /// How the first arguments of planned functions are to be recorded, in their order. `data` is
    /// the executable's file: where it holds debug information, it tells their types.
    #[must_use]
    pub fn arguments(&self, plan: &Plan, data: &[u8]) -> Vec<ArgumentKind> {
        let functions = plan.functions.iter().map(|function| Called {
            address: function.address,
            is_named: function.set.is_none(),
            g_in_register: function.g_in_register,
            takes_arguments: function.takes_arguments,
        });
        self.kinds(functions, data)
    }

    /// The same of functions that are asked for, as far as they keep g in its register.
    #[must_use]
    pub fn arguments_of(&self, functions: &[Asked], data: &[u8]) -> Vec<ArgumentKind> {
        let functions = functions.iter().map(|function| Called {
            address: function.address,
            is_named: function.set.is_none(),
            g_in_register: function.keeps_conventions,
            takes_arguments: function.takes_arguments,
        });
        self.kinds(functions, data)
    }

    fn kinds(&self, functions: impl Iterator<Item = Called>, data: &[u8]) -> Vec<ArgumentKind> {
        if !self.arguments {
            return functions.map(|_| ArgumentKind::None).collect();
        }
        let sections = DebugSections::of(data).ok();
        let dwarf = sections.as_ref().and_then(|sections| sections.dwarf().ok());
        let kind = |function: Called| {
            if !function.is_named || !function.g_in_register {
                return ArgumentKind::None;
            }
            let of = dwarf
                .as_ref()
                .and_then(|dwarf| dwarf.first_parameter(function.address));
            match of {
                // Numbers with a point come in registers of their own.
                Some(Parameter::None | Parameter::Float) => ArgumentKind::None,
                Some(Parameter::String) => ArgumentKind::Text,
                Some(Parameter::Signed(bytes)) => ArgumentKind::Signed(bytes),
                Some(Parameter::Unsigned(bytes)) => ArgumentKind::Unsigned(bytes),
                None if !function.takes_arguments => ArgumentKind::None,
                Some(Parameter::Other) | None => ArgumentKind::Integer,
            }
        };
        functions.map(kind).collect()
    }
}

/// What tells how a function's first argument can be recorded.
struct Called {
    address: Svma,
    /// By the user, not by a set.
    is_named: bool,
    g_in_register: bool,
    takes_arguments: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tax_is_a_percentage_or_off() {
        assert_eq!("off".parse::<MaxTax>().unwrap().share, None);
        let limit: MaxTax = "2.5%".parse().unwrap();
        assert_eq!(limit.share, Some(0.025));
        assert!(limit.named_too);
        assert!(!MaxTax::default().named_too);
        for bad in ["", "%", "-1", "0", "nan", "4 percent"] {
            assert!(bad.parse::<MaxTax>().is_err(), "{bad}");
        }
    }
}
