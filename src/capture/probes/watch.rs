//! Which functions of which executables a run watches.

use super::{NoPlan, Plan, Planned, Spec, plan};
use crate::binary::elf::Elf;
use crate::trace::ArgumentKind;

/// All that is asked for, by the user and by sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Functions that the user named.
    pub named: Vec<Spec>,
    /// First arguments are recorded, too.
    pub arguments: bool,
}

impl Watch {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Whether anything in an executable may be asked for.
    #[must_use]
    pub fn concerns(&self, path: &[u8]) -> bool {
        self.named.iter().any(|spec| spec.image.matches(path))
    }

    /// What to watch in an executable.
    ///
    /// # Errors
    ///
    /// When it is not a Go program whose functions can be read.
    pub fn plan(&self, elf: &Elf<'_>, path: &[u8]) -> Result<Plan, NoPlan> {
        let specs = self.named.iter().filter(|spec| spec.image.matches(path));
        plan(elf, &specs.collect::<Vec<_>>())
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
