//! Which functions of which executables a run watches.

use super::{Mode, NoPlan, Plan, Planned, ProbeSet, Spec, plan};
use crate::binary::elf::Elf;
use crate::binary::go::BuildInfo;
use crate::trace::ArgumentKind;

/// All that is asked for, by the user and by sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Functions that the user named.
    pub named: Vec<Spec>,
    /// Sets of functions.
    pub sets: Vec<ProbeSet>,
    /// Entries alone, of whatever is asked for.
    pub entries_only: bool,
    /// First arguments are recorded, too.
    pub arguments: bool,
}

impl Watch {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.sets.is_empty()
    }

    /// Whether anything in an executable may be asked for.
    #[must_use]
    pub fn concerns(&self, path: &[u8]) -> bool {
        self.all().any(|spec| spec.image.matches(path))
    }

    /// What to watch in an executable.
    ///
    /// # Errors
    ///
    /// When it is not a Go program whose functions can be read.
    pub fn plan(&self, elf: &Elf<'_>, path: &[u8]) -> Result<Plan, NoPlan> {
        let version = BuildInfo::of(elf).ok().and_then(|info| info.version());
        let sets = self.sets.iter().flat_map(|set| set.specs(version));
        let specs = self.named.iter().chain(sets);
        let mut specs: Vec<Spec> = specs
            .filter(|spec| spec.image.matches(path))
            .cloned()
            .collect();
        if self.entries_only {
            for spec in &mut specs {
                spec.mode = Mode::Entry;
            }
        }
        plan(elf, &specs.iter().collect::<Vec<_>>())
    }

    fn all(&self) -> impl Iterator<Item = &Spec> {
        let sets = self.sets.iter().flat_map(|set| set.specs(None));
        self.named.iter().chain(sets)
    }

    /// How the first argument of a function is to be recorded.
    #[must_use]
    pub fn argument(&self, function: &Planned) -> ArgumentKind {
        if self.arguments && function.set.is_none() && function.g_in_register {
            ArgumentKind::Integer
        } else {
            ArgumentKind::None
        }
    }
}
