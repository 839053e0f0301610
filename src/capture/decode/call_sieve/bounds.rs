//! What bounds which calls are kept: the options that name functions.

use super::Traits;
use crate::capture::probes::{CallMode, FunctionGlob};

impl Traits {
    /// What a function of this name is to a mode of recording: where it lets calls begin or end to be meant.
    #[must_use]
    pub fn of(name: &[u8], mode: &CallMode) -> Self {
        let is = |glob: Option<&FunctionGlob>| glob.is_some_and(|glob| glob.matches(name));
        let between = mode.between.as_ref();
        Self::default()
            .with(Self::INSIDE, is(mode.inside.as_ref()))
            .with(Self::FROM, is(between.map(|(from, _)| from)))
            .with(Self::TO, is(between.map(|(_, to)| to)))
    }
}

/// The functions that bound which calls are recorded, and the options that name them.
#[must_use]
pub fn bounds(mode: &CallMode) -> Vec<(&'static str, FunctionGlob)> {
    let inside = mode.inside.iter().map(|glob| ("--call-inside", glob));
    let between = mode.between.iter();
    let between = between.flat_map(|(from, to)| [("--call-from", from), ("--call-to", to)]);
    let all = inside.chain(between);
    all.map(|(option, glob)| (option, glob.clone())).collect()
}

/// What to say of a bound that no watched function has as its name: what is missing, and why.
#[must_use]
pub fn unmet((option, glob): &(&'static str, FunctionGlob)) -> (String, String) {
    (
        format!("calls by {option} {}", glob.text()),
        "no function that is watched has that name: name it by --probe, too".to_owned(),
    )
}
