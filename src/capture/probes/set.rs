//! Probe sets: functions that are watched together, in TOML.
//!
//! ```toml
//! name = "go-build"
//! description = "a sentence"
//!
//! [[probe]]
//! image = "compile"              # a glob of base names, or of paths where it holds a /
//! function = "cmd/...noder.LoadPackage"
//! phase = "parse"                # the phase that its calls mark; without one, and with a track,
//!                                # they end the track's phase
//! track = "compile"              # what the phase is a part of; else the image, if it is one name
//! lasts = "until-next"           # until the next mark of its track, else "call": with the call
//! beside = false                 # true: not one of the tool's own phases
//! mode = "entry"                 # or "call": with exits; "call" where a phase lasts with it
//! since = "1.21"                 # the releases of Go that have it, both included
//! until = "1.24"
//! ```
//!
//! The marks of a track divide the time of their process, those of the track `goroutine` that of
//! the goroutine on whose stack, or on whose behalf, they were made.
//!
//! A function that some releases have under another name, or not at all, stands there once for each
//! range of releases.

use super::{BadSpec, Mode, Phase, Spec};
use crate::binary::go::Version;
use crate::trace::PhaseLasts;
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;
use toml::Spanned;

/// The sets that gotrace comes with.
const EMBEDDED: [(&str, &str); 4] = [
    (
        "go-build.toml",
        include_str!("../../../probes/sets/go-build.toml"),
    ),
    (
        "compile-passes.toml",
        include_str!("../../../probes/sets/compile-passes.toml"),
    ),
    ("gc.toml", include_str!("../../../probes/sets/gc.toml")),
    (
        "sched.toml",
        include_str!("../../../probes/sets/sched.toml"),
    ),
];

/// The set that is on unless another choice is made.
pub const DEFAULT: &str = "go-build";

/// Functions that are watched together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSet {
    /// Its name.
    pub name: String,
    /// A sentence.
    pub description: String,
    /// Its functions.
    pub probes: Vec<SetProbe>,
}

/// A function of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetProbe {
    /// Which.
    pub spec: Spec,
    /// The first release of Go that has it.
    pub since: Option<Version>,
    /// The last one.
    pub until: Option<Version>,
}

/// Where in a set's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// What stands there: a key, or as much of the line as tells it from others.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file, self.line)?;
        match self.key.as_str() {
            "" => Ok(()),
            key => write!(f, ", {key}"),
        }
    }
}

/// What is wrong with a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is not TOML of the form above.
    #[error("{at}: {found}")]
    Form {
        /// Where.
        at: Place,
        /// What was expected there, and what was found.
        found: String,
    },
    /// A function or image that cannot be one.
    #[error("{at}: cannot be one")]
    Pattern {
        /// Where.
        at: Place,
        /// Why.
        #[source]
        source: BadSpec,
    },
    /// A release that is none.
    #[error("{at}: expected a release of Go like 1.21, found {found:?}")]
    Release {
        /// Where.
        at: Place,
        /// What stands there.
        found: String,
    },
    /// A range of releases without any.
    #[error("{at}: expected {since} or later, where the probe begins, found {until}")]
    Range {
        /// Where.
        at: Place,
        /// The first release.
        since: Version,
        /// The last one.
        until: Version,
    },
    /// Keys that do not go together.
    #[error("{at}: {why}")]
    Together {
        /// Where.
        at: Place,
        /// What would.
        why: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    description: Option<String>,
    probe: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    image: Spanned<String>,
    function: Spanned<String>,
    phase: Option<Spanned<String>>,
    track: Option<Spanned<String>>,
    lasts: Option<Spanned<Lasts>>,
    beside: Option<Spanned<bool>>,
    mode: Option<Spanned<RowMode>>,
    since: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Lasts {
    Call,
    UntilNext,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RowMode {
    Entry,
    Call,
}

/// The text of a set's file, to tell where in it something stands.
struct Text<'t> {
    file: &'t str,
    text: &'t str,
}

impl Text<'_> {
    /// The line of a byte, and the key that it begins with.
    fn place(&self, byte: usize) -> Place {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        let text = self.text.lines().nth(line).unwrap_or_default();
        let key = text.split_once('=').map_or(text, |(key, _)| key);
        Place {
            file: self.file.to_owned(),
            line: line + 1,
            key: key.trim().to_owned(),
        }
    }

    fn of<T>(&self, value: &Spanned<T>) -> Place {
        self.place(value.span().start)
    }

    fn pattern<T: FromStr<Err = BadSpec>>(&self, text: &Spanned<String>) -> Result<T, SetError> {
        let parsed = text.get_ref().parse();
        parsed.map_err(|source| SetError::Pattern {
            at: self.of(text),
            source,
        })
    }

    fn release(&self, text: Option<&Spanned<String>>) -> Result<Option<Version>, SetError> {
        let read = |text: &Spanned<String>| {
            let full = format!("go{}", text.get_ref());
            // A set tells releases apart, not their corrections.
            let version = Version::parse(&full).filter(|version| version.to_string() == full);
            version.ok_or_else(|| SetError::Release {
                at: self.of(text),
                found: text.get_ref().clone(),
            })
        };
        text.map(read).transpose()
    }
}

impl ProbeSet {
    /// The sets that gotrace comes with.
    ///
    /// # Errors
    ///
    /// When one is wrong: a test sees to that.
    pub fn embedded() -> Result<Vec<Self>, SetError> {
        let sets = EMBEDDED.iter();
        sets.map(|(file, text)| Self::parse(file, text)).collect()
    }

    /// Reads a set from the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn parse(file: &str, text: &str) -> Result<Self, SetError> {
        let source = Text { file, text };
        let read: File = toml::from_str(text).map_err(|error| SetError::Form {
            at: source.place(error.span().map_or(0, |span| span.start)),
            found: error.message().trim_end().replace('\n', ", "),
        })?;
        let name = read.name.unwrap_or_else(|| {
            let stem = std::path::Path::new(file).file_stem();
            stem.map_or_else(
                || file.to_owned(),
                |stem| stem.to_string_lossy().into_owned(),
            )
        });
        let probes = read.probe.iter().map(|row| row.probe(&name, &source));
        Ok(Self {
            probes: probes.collect::<Result<_, _>>()?,
            name,
            description: read.description.unwrap_or_default(),
        })
    }

    /// What is to be watched in programs of a release of Go; in those of an unknown one, all.
    pub fn specs(&self, version: Option<Version>) -> impl Iterator<Item = &Spec> {
        let holds = move |probe: &&SetProbe| {
            version.is_none_or(|version| {
                probe.since.is_none_or(|since| since <= version)
                    && probe.until.is_none_or(|until| version <= until)
            })
        };
        self.probes.iter().filter(holds).map(|probe| &probe.spec)
    }
}

impl Row {
    fn probe(&self, set: &str, text: &Text<'_>) -> Result<SetProbe, SetError> {
        let since = text.release(self.since.as_ref())?;
        let until = text.release(self.until.as_ref())?;
        if let (Some(since), Some(until), Some(at)) = (since, until, &self.until)
            && until < since
        {
            let at = text.of(at);
            return Err(SetError::Range { at, since, until });
        }
        Ok(SetProbe {
            spec: Spec {
                image: text.pattern(&self.image)?,
                function: text.pattern(&self.function)?,
                mode: self.mode(text)?,
                set: Some(set.to_owned()),
                phase: self.mark(text)?,
            },
            since,
            until,
        })
    }

    fn lasts_with_call(&self) -> bool {
        self.lasts.as_ref().map(Spanned::get_ref) == Some(&Lasts::Call)
    }

    fn mode(&self, text: &Text<'_>) -> Result<Mode, SetError> {
        match &self.mode {
            Some(mode) if *mode.get_ref() == RowMode::Call => Ok(Mode::Call),
            Some(mode) if self.lasts_with_call() => Err(SetError::Together {
                at: text.of(mode),
                why: "expected call, for the phase lasts with the call, found entry",
            }),
            None if self.lasts_with_call() => Ok(Mode::Call),
            Some(_) | None => Ok(Mode::Entry),
        }
    }

    /// The phase that it marks, if any.
    fn mark(&self, text: &Text<'_>) -> Result<Option<Phase>, SetError> {
        let wrong = |at, why| Err(SetError::Together { at, why });
        let (track, name) = match (&self.track, &self.phase) {
            (None, None) => {
                let lasts = self.lasts.as_ref().map(|lasts| text.of(lasts));
                let beside = self.beside.as_ref().map(|beside| text.of(beside));
                return match lasts.or(beside) {
                    Some(at) => wrong(at, "expected a phase or a track with it, found neither"),
                    None => Ok(None),
                };
            }
            (_, Some(phase)) if phase.get_ref().is_empty() => {
                let why = "expected a name; a mark that ends a phase has a track, and no phase";
                return wrong(text.of(phase), why);
            }
            (Some(track), _) if track.get_ref().is_empty() => {
                return wrong(text.of(track), "expected a name");
            }
            (Some(track), phase) => (track.get_ref(), phase.as_ref()),
            (None, phase) if self.image.get_ref().contains(['*', '?', '/']) => {
                let at = phase
                    .as_ref()
                    .map_or(text.of(&self.image), |at| text.of(at));
                let why = "expected a track with it, for the image is not one name";
                return wrong(at, why);
            }
            (None, phase) => (self.image.get_ref(), phase.as_ref()),
        };
        if let (None, Some(lasts), true) = (name, &self.lasts, self.lasts_with_call()) {
            let why = "expected until-next or a phase, for the mark ends a phase, found call";
            return wrong(text.of(lasts), why);
        }
        Ok(Some(Phase {
            track: track.clone(),
            name: name.map(|name| name.get_ref().clone()).unwrap_or_default(),
            lasts: if self.lasts_with_call() {
                PhaseLasts::Call
            } else {
                PhaseLasts::UntilNext
            },
            beside: self.beside.as_ref().is_some_and(|beside| *beside.get_ref()),
        }))
    }
}
