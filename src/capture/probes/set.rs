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
//! track = "compile"              # what the phase is a part of; else the image
//! lasts = "until-next"           # until the next mark of its track, else "call": with the call
//! beside = false                 # true: not one of the tool's own phases
//! mode = "entry"                 # or "call": with exits; "call" where a phase lasts with it
//! since = "1.21"                 # the releases of Go that have it, both included
//! until = "1.24"
//! ```

use super::{BadSpec, Mode, Phase, Spec};
use crate::binary::go::Version;
use crate::trace::PhaseLasts;
use serde::Deserialize;

/// The sets that gotrace comes with.
const EMBEDDED: [(&str, &str); 3] = [
    (
        "go-build.toml",
        include_str!("../../../probes/sets/go-build.toml"),
    ),
    (
        "compile-passes.toml",
        include_str!("../../../probes/sets/compile-passes.toml"),
    ),
    ("gc.toml", include_str!("../../../probes/sets/gc.toml")),
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

/// What is wrong with a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// It is not TOML of the form above.
    #[error("{file}: {message}")]
    Form {
        /// Its file.
        file: String,
        /// Where, what was expected, what was found.
        message: String,
    },
    /// A function or image that cannot be one.
    #[error("{file}: probe {number}, {key}: {source}")]
    Probe {
        /// Its file.
        file: String,
        /// Which probe, counted from 1.
        number: usize,
        /// Which key.
        key: &'static str,
        /// Why.
        #[source]
        source: BadSpec,
    },
    /// A release that is none.
    #[error("{file}: probe {number}, {key}: expected a release of Go like 1.21, found {found:?}")]
    Release {
        /// Its file.
        file: String,
        /// Which probe, counted from 1.
        number: usize,
        /// Which key.
        key: &'static str,
        /// What stands there.
        found: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    description: String,
    probe: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    image: String,
    function: String,
    phase: Option<String>,
    track: Option<String>,
    #[serde(default)]
    lasts: Lasts,
    #[serde(default)]
    beside: bool,
    mode: Option<RowMode>,
    since: Option<String>,
    until: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Lasts {
    Call,
    #[default]
    UntilNext,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RowMode {
    Entry,
    Call,
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
        let read: File = toml::from_str(text).map_err(|error| SetError::Form {
            file: file.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let rows = (1..).zip(read.probe);
        let probes = rows.map(|(number, row)| row.probe(&read.name, file, number));
        Ok(Self {
            probes: probes.collect::<Result<_, _>>()?,
            name: read.name,
            description: read.description,
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
    fn probe(self, set: &str, file: &str, number: usize) -> Result<SetProbe, SetError> {
        let bad = |key| {
            move |source| SetError::Probe {
                file: file.to_owned(),
                number,
                key,
                source,
            }
        };
        let release = |key, text: Option<String>| {
            let version = |text: String| match Version::parse(&format!("go{text}")) {
                Some(version) => Ok(version),
                None => Err(SetError::Release {
                    file: file.to_owned(),
                    number,
                    key,
                    found: text,
                }),
            };
            text.map(version).transpose()
        };
        let with_call = self.phase.is_some() && self.lasts == Lasts::Call;
        let mode = match self.mode {
            Some(RowMode::Call) => Mode::Call,
            _ if with_call => Mode::Call,
            Some(RowMode::Entry) | None => Mode::Entry,
        };
        let track = self.track.clone().unwrap_or_else(|| self.image.clone());
        let marks = self.phase.is_some() || self.track.is_some();
        let phase = marks.then(|| Phase {
            track,
            name: self.phase.unwrap_or_default(),
            lasts: match self.lasts {
                Lasts::Call => PhaseLasts::Call,
                Lasts::UntilNext => PhaseLasts::UntilNext,
            },
            beside: self.beside,
        });
        Ok(SetProbe {
            spec: Spec {
                image: self.image.parse().map_err(bad("image"))?,
                function: self.function.parse().map_err(bad("function"))?,
                mode,
                set: Some(set.to_owned()),
                phase,
            },
            since: release("since", self.since)?,
            until: release("until", self.until)?,
        })
    }
}
