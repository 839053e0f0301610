//! What the machine runs by itself, and what needs a translator.

use super::Name;
use crate::trace::{Arch, StringId, Trace};

/// What is said of a translator that nothing names: `binfmt_misc` is not mounted everywhere.
const UNNAMED: &str = "an unknown translator";

/// The machine of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// Its own architecture, where that is known for certain.
    arch: Arch,
}

impl Machine {
    /// gotrace knows the architecture that it runs as. Where programs of that one are translated,
    /// so is gotrace, and the machine is another one.
    pub(super) fn of(trace: &Trace) -> Self {
        let arch = trace.host.arch;
        let mut programs = trace.processes.iter().map(|process| &process.exec);
        let translated = programs.any(|it| it.arch == arch && it.translator != StringId::EMPTY);
        Self {
            arch: if translated { Arch::Unknown } else { arch },
        }
    }

    /// What translates a program of this architecture, if the recorder found it (`named`) or there
    /// must be something; `None` where it is native.
    pub(super) fn translator(self, trace: &Trace, arch: Arch, named: StringId) -> Option<Name> {
        if named != StringId::EMPTY {
            return Some(Name::from(trace.strings.get(named)));
        }
        let native = match (self.arch, arch) {
            (Arch::Unknown, _) | (_, Arch::Unknown) | (Arch::Amd64, Arch::X86) => true,
            (machine, program) => machine == program,
        };
        (!native).then(|| Name::from(UNNAMED))
    }
}
