//! Settings and gaps of a trace in, how its calls were recorded out.

use crate::trace::{StringId, Trace};
use std::borrow::Cow;

/// Settings that choose calls as they are recorded, with what comes before their value in words.
const CHOOSE: [(&str, &str); 4] = [
    ("call_depth", "no deeper than "),
    ("call_inside", "inside of "),
    ("call_from", "from "),
    ("call_to", "to "),
];

/// How calls were recorded, where that was not each by itself and all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Which: `aggregate`, `longer=10us`; none where each one that was chosen was recorded by itself.
    pub mode: Option<String>,
    /// Which of them: `inside of main.serve`.
    pub chosen: Vec<String>,
    /// Functions that were watched: those that the user named, where any were.
    pub watched: usize,
    /// Functions that could not be, as far as that is told.
    pub unwatched: u64,
}

/// The mode in which calls are added up.
const ADDED_UP: &str = "aggregate";

impl Recorded {
    /// `None` where each call was recorded by itself.
    #[must_use]
    pub fn of(trace: &Trace) -> Option<Self> {
        let told = trace.setting("call_mode").filter(|mode| mode != "full");
        // Not every recorder tells it.
        let found = (trace.call_tree_count() > 0).then_some(Cow::Borrowed(ADDED_UP));
        let mode = told.or(found);
        let chosen: Vec<String> = CHOOSE
            .iter()
            .filter_map(|(key, words)| Some(format!("{words}{}", trace.setting(key)?)))
            .collect();
        if mode.is_none() && chosen.is_empty() {
            return None;
        }
        let is_named = |set: StringId| set == StringId::EMPTY;
        let named = trace.probes.iter().filter(|probe| is_named(probe.set));
        let spots = trace.blind_spots.iter();
        Some(Self {
            mode: mode.map(Cow::into_owned),
            chosen,
            watched: match named.count() {
                0 => trace.probes.len(),
                named => named,
            },
            unwatched: spots
                .map(|spot| functions_of(&trace.text(spot.what)))
                .fold(0, u64::saturating_add),
        })
    }

    /// Calls were added up by who made them.
    #[must_use]
    pub fn is_added_up(&self) -> bool {
        self.mode.as_deref() == Some(ADDED_UP)
    }

    /// How long the calls are at least that were recorded: `10us`.
    #[must_use]
    pub fn shortest(&self) -> Option<&str> {
        self.mode.as_deref()?.strip_prefix("longer=")
    }
}

/// How many functions' calls were not seen: `calls of main.f in /bin/m`, `calls of 12 functions in /bin/m (main.f, ...)`.
fn functions_of(what: &str) -> u64 {
    let Some(of) = what.strip_prefix("calls of ") else {
        return 0;
    };
    let counted = of.split_once(" functions in ");
    counted
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_were_not_seen_are_counted() {
        assert_eq!(functions_of("calls of main.f in /bin/m"), 1);
        assert_eq!(
            functions_of("calls of 12 functions in /bin/m (main.f, ...)"),
            12
        );
        assert_eq!(functions_of("calls in /bin/m"), 0);
        assert_eq!(functions_of("an action graph"), 0);
    }
}
