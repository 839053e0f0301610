//! The role of each process: which tool it is, and which package of the build it works for.

use super::{Name, Tool};
use crate::trace::{ProcessId, Trace};

/// What a process is, and for whom it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Which tool.
    pub tool: Tool,
    /// Import path of the package that it works for, where it could be told.
    ///
    /// A main package that only its command line is known of is called by its folder.
    pub package: Option<Name>,
    /// Directory of its action (`/tmp/go-build123/b042`), its own or its parent's.
    pub objdir: Option<Name>,
    /// The program that started it, gotrace's own ones passed over.
    pub parent: Option<ProcessId>,
    /// The nearest go command among its ancestors, or itself.
    pub go: Option<ProcessId>,
}

/// The roles of all processes of a trace.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    rows: Vec<Option<Role>>,
}

impl Roles {
    /// Tells the role of each process from what it ran.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let rows = trace
            .processes
            .iter()
            .map(|process| {
                (!process.own).then(|| Role {
                    tool: Tool::of(trace, process),
                    package: None,
                    objdir: None,
                    parent: process.parent,
                    go: None,
                })
            })
            .collect();
        Self { rows }
    }

    /// The role of a process; `None` for gotrace's own and for unknown ones.
    #[must_use]
    pub fn get(&self, process: ProcessId) -> Option<&Role> {
        self.rows.get(process.index())?.as_ref()
    }

    /// All processes but gotrace's own, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ProcessId, &Role)> + '_ {
        (0..)
            .map(ProcessId)
            .zip(&self.rows)
            .filter_map(|(id, role)| Some((id, role.as_ref()?)))
    }
}
