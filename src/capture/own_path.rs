//! Whether a program that tells of its calls runs from its own file, or from a copy.

use std::fmt;
use std::str::FromStr;

/// When the command runs from its own file, so that it sees its own path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnPath {
    /// Where it can look for it, and the system allows it.
    #[default]
    Auto,
    /// It does, or is not started.
    Always,
    /// It runs from a copy.
    Never,
}

impl OwnPath {
    const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for OwnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is wrong with the text of an [`OwnPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, always or never")]
pub struct BadWord;

impl FromStr for OwnPath {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let found = Self::ALL.into_iter().find(|when| when.word() == text);
        found.ok_or(BadWord)
    }
}

/// What becomes of a program that cannot run from its own file and tell of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It runs from a copy, whose path it sees.
    Copy,
    /// It runs as it is, and tells of nothing.
    AsItIs,
    /// It is not started.
    Nothing,
}

/// How it went to have a program that runs from its own file tell of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grafted {
    /// It tells of them.
    Whole,
    /// It has ended before its program began, which others say.
    Ended,
    /// It does not: what became of it, and why.
    Not(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        for when in OwnPath::ALL {
            assert_eq!(when.to_string().parse(), Ok(when));
        }
        assert_eq!("no".parse::<OwnPath>(), Err(BadWord));
    }
}
