//! What a table can be about.

/// What the rows of a table are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Packages of the build.
    Package,
    /// Actions of the build.
    Action,
    /// Programs that ran.
    Process,
    /// Tools: compile, link, gcc, ...
    Tool,
    /// Functions, by samples.
    Function,
    /// Images, by samples.
    Image,
    /// Phases of tools, where they were recorded.
    Phase,
    /// Pieces of the critical path, in the order of time.
    CriticalPath,
    /// What was lost or not seen.
    Gap,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Package,
        Self::Action,
        Self::Process,
        Self::Tool,
        Self::Function,
        Self::Image,
        Self::Phase,
        Self::CriticalPath,
        Self::Gap,
    ];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Action => "action",
            Self::Process => "process",
            Self::Tool => "tool",
            Self::Function => "function",
            Self::Image => "image",
            Self::Phase => "phase",
            Self::CriticalPath => "critical-path",
            Self::Gap => "gap",
        }
    }
}
