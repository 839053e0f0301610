//! Which backends watch a command: what the user asked for, and what works on this machine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::environment::Refusal;

/// A backend that `--backend` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A shim in front of each tool of the go command.
    Toolexec,
    /// BPF programs in the kernel.
    Bpf,
    /// Copies of programs, whose functions tell of their calls.
    Patch,
    /// A library that ld.so loads into each program.
    Audit,
    /// What dyld prints.
    Dyldlog,
    /// Tasks of macOS, handed over by the programs themselves.
    Mach,
    /// macOS's own `dtrace`.
    Dtrace,
}

impl Name {
    /// All of them, the richest first.
    pub const ALL: [Self; 7] = [
        Self::Bpf,
        Self::Mach,
        Self::Toolexec,
        Self::Patch,
        Self::Audit,
        Self::Dyldlog,
        Self::Dtrace,
    ];

    /// What `--backend` calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Toolexec => "toolexec",
            Self::Bpf => "bpf",
            Self::Patch => "patch",
            Self::Audit => "audit",
            Self::Dyldlog => "dyldlog",
            Self::Mach => "mach",
            Self::Dtrace => "dtrace",
        }
    }

    /// What it gives, in a few words.
    #[must_use]
    pub const fn gives(self) -> &'static str {
        match self {
            Self::Toolexec => "every tool that go commands run, with times and resource use",
            Self::Bpf => "the whole process tree, with stack samples",
            Self::Patch => "calls of functions, in copies of programs, without any rights",
            Self::Audit => "what programs load and bind, with --bindings",
            Self::Dyldlog => "what programs load and bind on macOS, not for timing",
            Self::Mach => "stack samples and counters of programs on macOS that are not hardened",
            Self::Dtrace => {
                "functions and stacks of the command and of go commands' tools on macOS"
            }
        }
    }

    /// The one system that has what it needs, if it needs such a thing: as [`std::env::consts::OS`].
    #[must_use]
    pub const fn system(self) -> Option<&'static str> {
        match self {
            Self::Toolexec | Self::Patch => None,
            Self::Bpf | Self::Audit => Some("linux"),
            Self::Dyldlog | Self::Mach | Self::Dtrace => Some("macos"),
        }
    }

    /// Whether it works here.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn availability(self) -> Result<(), Refusal> {
        match self {
            Self::Toolexec => Ok(()),
            Self::Bpf => super::bpf_availability(),
            Self::Patch => super::patch_availability(),
            Self::Audit => super::audit_availability(),
            Self::Dyldlog => super::dyldlog_availability(),
            Self::Mach => super::mach_availability(),
            Self::Dtrace => super::dtrace::availability(),
        }
    }

    /// Whether it would watch builds by the first of these toolchains for which it can.
    ///
    /// # Errors
    ///
    /// Why it would not.
    pub fn watches(self, goroots: &[PathBuf]) -> Result<(), Refusal> {
        self.availability()?;
        if self == Self::Patch {
            super::patch_reaches(goroots)?;
        }
        Ok(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The richest set that works here.
    #[default]
    Auto,
    /// These, or nothing.
    Named(Vec<Name>),
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Named(names) => f.write_str(
                &names
                    .iter()
                    .map(|name| name.word())
                    .collect::<Vec<_>>()
                    .join(","),
            ),
        }
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let mut names = Vec::new();
        for word in text.split(',') {
            let name = Name::ALL.into_iter().find(|name| name.word() == word);
            let name = name.ok_or_else(|| {
                format!("no backend is called {word:?}: expected auto, or a comma list of bpf, mach, toolexec, patch, audit, dyldlog and dtrace")
            })?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(Self::Named(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_comma_list() {
        let both = Selection::Named(vec![Name::Toolexec, Name::Bpf]);
        assert_eq!("toolexec,bpf,bpf".parse(), Ok(both));
        assert_eq!("auto".parse(), Ok(Selection::Auto));
        assert!("toolexec,".parse::<Selection>().is_err());
        assert!("perf".parse::<Selection>().is_err());
    }
}
