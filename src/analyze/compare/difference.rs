//! Facts that are not the same in all runs of two sides.

use super::facts::{Binding, Fact, Facts};
use crate::analyze::Name;
use std::collections::BTreeSet;

/// A fact of two sides that is not the same on both, or within one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which fact.
    pub fact: Fact,
    /// Its values in base.
    pub base: Vec<Value>,
    /// Its values in new.
    pub new: Vec<Value>,
    /// Whether that forbids a comparison.
    pub binds: bool,
}

/// A value of a fact on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The value; `not recorded` or `not set` where there is none.
    pub text: Name,
    /// Names of the runs that have it.
    pub runs: Vec<Name>,
}

impl Value {
    /// Adds a run to those that have this value.
    pub(super) fn add(values: &mut Vec<Self>, text: &Name, run: &Name) {
        match values.iter_mut().find(|value| value.text == *text) {
            Some(value) => value.runs.push(run.clone()),
            None => values.push(Self {
                text: text.clone(),
                runs: vec![run.clone()],
            }),
        }
    }
}

/// What is said in place of a fact that a trace does not hold.
pub(super) const NOT_RECORDED: &str = "not recorded";
/// What is said of a variable: those that are set are recorded.
const NOT_SET: &str = "not set";

/// Facts that are not the same in all of these runs, which come with their names, and those that
/// are.
#[must_use]
pub fn differences(base: &[(Name, Facts)], new: &[(Name, Facts)]) -> (Vec<Difference>, Facts) {
    let all = base.iter().chain(new);
    let facts: BTreeSet<&Fact> = all.flat_map(|(_, facts)| facts.0.keys()).collect();
    let mut differences = Vec::new();
    let mut same = Facts::default();
    for fact in facts {
        let (base, new) = (values(base, fact), values(new, fact));
        match (&base[..], &new[..]) {
            ([one], [other]) if one.text == other.text && fact.binding() != Binding::Absent => {
                same.0.insert(fact.clone(), one.text.clone());
            }
            _ => differences.push(Difference {
                binds: binds(fact, &base, &new),
                fact: fact.clone(),
                base,
                new,
            }),
        }
    }
    (differences, same)
}

/// The values of a fact on a side, in their order.
fn values(side: &[(Name, Facts)], fact: &Fact) -> Vec<Value> {
    let none = Name::from(match fact {
        Fact::Variable(_) => NOT_SET,
        _ => NOT_RECORDED,
    });
    let mut values: Vec<Value> = Vec::new();
    for (run, facts) in side {
        Value::add(&mut values, facts.0.get(fact).unwrap_or(&none), run);
    }
    values.sort_by(|a, b| a.text.cmp(&b.text));
    values
}

/// What is not recorded is not known to differ.
fn binds(fact: &Fact, base: &[Value], new: &[Value]) -> bool {
    let known = |values: &[Value]| -> BTreeSet<Name> {
        let known = values.iter().filter(|value| &*value.text != NOT_RECORDED);
        known.map(|value| value.text.clone()).collect()
    };
    let (base, new) = (known(base), known(new));
    match fact.binding() {
        Binding::Everywhere => (&base | &new).len() > 1,
        Binding::WithinASide => base.len().max(new.len()) > 1,
        Binding::Nowhere => false,
        Binding::Absent => !base.is_empty() || !new.is_empty(),
    }
}
