//! What can be set outside of the command line: each key with what it takes, and how far a
//! repository's file may go.

use crate::capture::probes::{FunctionGlob, Keep, MaxTax, ProbeSet};
use crate::capture::{DEFAULT_RATE_HZ, Redaction, Selection};
use std::fmt;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Key {
    /// Stack samples a second and core.
    Rate,
    /// How to watch.
    Backend,
    /// Stacks of waiting threads.
    OffCpu,
    /// The CPU profiles of compiler and linker.
    Profile,
    /// What programs load and bind.
    Bindings,
    /// Whether functions are watched at all.
    Probes,
    /// Sets of functions besides the one that is always on.
    ProbeSets,
    /// Entries of functions alone.
    EntriesOnly,
    /// What watching functions may cost.
    MaxTax,
    /// How calls of functions are recorded that are named.
    CallMode,
    /// How many levels of calls in each other.
    CallDepth,
    /// Inside of which function.
    CallInside,
    /// From the entry of which function on,
    CallFrom,
    /// and until the exit of which.
    CallTo,
    /// Names whose values are hidden, too.
    Redact,
}

/// What a key is set to.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum Value {
    /// Of [`Key::Rate`].
    Rate(u32),
    /// Of [`Key::Backend`].
    Backend(Selection),
    /// Of those that are on or off.
    Switch(bool),
    /// Of [`Key::MaxTax`].
    MaxTax(MaxTax),
    /// Of [`Key::CallMode`].
    Keep(Keep),
    /// Of [`Key::CallDepth`].
    Depth(u32),
    /// Of [`Key::CallInside`], [`Key::CallFrom`] and [`Key::CallTo`].
    Function(FunctionGlob),
    /// Of [`Key::ProbeSets`] and [`Key::Redact`].
    Names(Vec<String>),
}

/// A value as it is written, before it is known to suit its key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Switch(bool),
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// What no key takes, in words: `a table`.
    Other(&'static str),
}

/// What the file of a repository may set a key to.
///
/// Whoever clones a repository has not read its file: it may have less recorded than its user would,
/// and never more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Anything that is less than what would hold without it.
    Less,
    /// This, and not the contrary.
    Only(bool),
    /// Anything: it is added to what the others say.
    Adds,
    /// Nothing.
    Never,
}

impl Key {
    pub(in crate::cli) const ALL: [Self; 15] = [
        Self::Rate,
        Self::Backend,
        Self::OffCpu,
        Self::Profile,
        Self::Bindings,
        Self::Probes,
        Self::ProbeSets,
        Self::EntriesOnly,
        Self::MaxTax,
        Self::CallMode,
        Self::CallDepth,
        Self::CallInside,
        Self::CallFrom,
        Self::CallTo,
        Self::Redact,
    ];

    /// Those that say how calls are recorded.
    pub(in crate::cli) const OF_CALLS: [Self; 5] = [
        Self::CallMode,
        Self::CallDepth,
        Self::CallInside,
        Self::CallFrom,
        Self::CallTo,
    ];

    /// What files call it: as the option is called.
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Backend => "backend",
            Self::OffCpu => "off-cpu",
            Self::Profile => "profile",
            Self::Bindings => "bindings",
            Self::Probes => "probes",
            Self::ProbeSets => "probe-sets",
            Self::EntriesOnly => "entries-only",
            Self::MaxTax => "max-tax",
            Self::CallMode => "call-mode",
            Self::CallDepth => "call-depth",
            Self::CallInside => "call-inside",
            Self::CallFrom => "call-from",
            Self::CallTo => "call-to",
            Self::Redact => "redact",
        }
    }

    /// What the environment calls it: `GOTRACE_MAX_TAX`.
    pub(super) fn variable(self) -> String {
        let name = self.name().to_ascii_uppercase().replace('-', "_");
        format!("GOTRACE_{name}")
    }

    /// The key of the setting that a trace has of it.
    pub(in crate::cli) const fn setting(self) -> &'static str {
        match self {
            Self::Rate => "rate_hz",
            Self::Backend => "backend",
            Self::OffCpu => "off_cpu",
            Self::Profile => "profile",
            Self::Bindings => "bindings",
            Self::Probes => "probes",
            Self::ProbeSets => "probe_sets",
            Self::EntriesOnly => "entries_only",
            Self::MaxTax => "max_tax",
            Self::CallMode => "call_mode",
            Self::CallDepth => "call_depth",
            Self::CallInside => "call_inside",
            Self::CallFrom => "call_from",
            Self::CallTo => "call_to",
            Self::Redact => "redact",
        }
    }

    /// How far a repository's file may go.
    pub(super) const fn limit(self) -> Limit {
        match self {
            Self::Rate | Self::MaxTax => Limit::Less,
            Self::OffCpu | Self::Profile | Self::Bindings | Self::Probes => Limit::Only(false),
            Self::EntriesOnly => Limit::Only(true),
            Self::Redact => Limit::Adds,
            Self::Backend
            | Self::ProbeSets
            | Self::CallMode
            | Self::CallDepth
            | Self::CallInside
            | Self::CallFrom
            | Self::CallTo => Limit::Never,
        }
    }

    /// What it takes, in words.
    fn expected(self) -> String {
        match self {
            Self::Rate => "a whole number from 0 to 10000, of samples a second and core".to_owned(),
            Self::Backend => {
                "a string: auto, or a comma list of bpf, mach, toolexec, patch, audit, dyldlog and dtrace"
                    .to_owned()
            }
            Self::OffCpu | Self::Profile | Self::Bindings | Self::Probes | Self::EntriesOnly => {
                "true or false".to_owned()
            }
            Self::ProbeSets => {
                let known = ProbeSet::embedded().unwrap_or_default();
                let names: Vec<String> = known.into_iter().map(|set| set.name).collect();
                format!(
                    "a list of sets that gotrace comes with, of {}",
                    names.join(", ")
                )
            }
            Self::MaxTax => r#"a percentage as a string, like "4%", or "off""#.to_owned(),
            Self::CallMode => {
                r#"a string: "full", "aggregate", or "longer=TIME", like "longer=10us""#.to_owned()
            }
            Self::CallDepth => "a whole number from 1 on, of levels of calls".to_owned(),
            Self::CallInside | Self::CallFrom | Self::CallTo => {
                "the name of a function as a string, or a glob of names".to_owned()
            }
            Self::Redact => format!(
                "a list of parts of names, each of {} or more letters, digits, - and _",
                Redaction::SHORTEST
            ),
        }
    }

    /// What would hold if nobody said anything.
    pub(super) fn default(self) -> Value {
        match self {
            Self::Rate => Value::Rate(DEFAULT_RATE_HZ),
            Self::Backend => Value::Backend(Selection::Auto),
            Self::OffCpu | Self::Profile | Self::Bindings | Self::EntriesOnly => {
                Value::Switch(false)
            }
            Self::Probes => Value::Switch(true),
            Self::MaxTax => Value::MaxTax(MaxTax::default()),
            Self::CallMode => Value::Keep(Keep::default()),
            Self::CallDepth => Value::Depth(u32::MAX),
            Self::CallInside | Self::CallFrom | Self::CallTo => {
                Value::Function(FunctionGlob::any())
            }
            Self::ProbeSets | Self::Redact => Value::Names(Vec::new()),
        }
    }

    /// A value that the key takes.
    ///
    /// # Errors
    ///
    /// What was expected, and what was found.
    pub(super) fn value(self, raw: &Raw) -> Result<Value, String> {
        let taken = match (self, raw) {
            (Self::Rate, Raw::Number(rate @ 0..=10_000)) => {
                u32::try_from(*rate).ok().map(Value::Rate)
            }
            (Self::Backend, Raw::Text(names)) => names.parse().ok().map(Value::Backend),
            (
                Self::OffCpu | Self::Profile | Self::Bindings | Self::Probes | Self::EntriesOnly,
                Raw::Switch(on),
            ) => Some(Value::Switch(*on)),
            (Self::MaxTax, Raw::Text(text)) => text.parse().ok().map(|limit: MaxTax| {
                // Functions that are named on the command line are given up only where the limit is
                // named there, too.
                Value::MaxTax(MaxTax {
                    named_too: false,
                    ..limit
                })
            }),
            (Self::CallMode, Raw::Text(text)) => text.parse().ok().map(Value::Keep),
            (Self::CallDepth, Raw::Number(depth @ 1..)) => {
                u32::try_from(*depth).ok().map(Value::Depth)
            }
            (Self::CallInside | Self::CallFrom | Self::CallTo, Raw::Text(text)) => {
                text.parse().ok().map(Value::Function)
            }
            (Self::ProbeSets, Raw::List(names)) => sets(names).map(Value::Names),
            (Self::Redact, Raw::List(names)) => {
                let all = names.iter().all(|name| Redaction::takes(name));
                all.then(|| Value::Names(names.clone()))
            }
            _ => None,
        };
        taken.ok_or_else(|| format!("expected {}, found {}", self.expected(), raw.shown()))
    }

    /// A value out of the environment, where all is text and lists have commas.
    ///
    /// # Errors
    ///
    /// As [`Self::value`].
    pub(super) fn of_text(self, text: &str) -> Result<Value, String> {
        let raw = match self.default() {
            Value::Rate(_) | Value::Depth(_) => {
                text.parse().map_or_else(|_| text_of(text), Raw::Number)
            }
            Value::Switch(_) => match text {
                "true" | "yes" | "1" => Raw::Switch(true),
                "false" | "no" | "0" => Raw::Switch(false),
                _ => text_of(text),
            },
            Value::Names(_) => Raw::List(text.split(',').map(str::to_owned).collect()),
            Value::Backend(_) | Value::MaxTax(_) | Value::Keep(_) | Value::Function(_) => {
                text_of(text)
            }
        };
        self.value(&raw)
    }

    /// Why a repository's file may not set it to that; `None` where it may.
    pub(super) fn refusal(self, value: &Value) -> Option<String> {
        match (self.limit(), value) {
            (Limit::Never, _) => {
                Some("a repository's file cannot set it, the user's can".to_owned())
            }
            (Limit::Only(allowed), Value::Switch(on)) if *on != allowed => Some(format!(
                "a repository's file can only set it to {allowed}, found {on}"
            )),
            _ => None,
        }
    }

    /// Whether a value has less recorded, or made, than another one.
    pub(super) fn is_less(self, value: &Value, than: &Value) -> bool {
        let share = |limit: &MaxTax| limit.share.unwrap_or(f64::INFINITY);
        match (value, than) {
            (Value::Rate(value), Value::Rate(than)) => value < than,
            (Value::MaxTax(value), Value::MaxTax(than)) => share(value) < share(than),
            (Value::Switch(value), Value::Switch(than)) => {
                value != than && self.limit() == Limit::Only(*value)
            }
            _ => false,
        }
    }
}

fn text_of(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

/// The names of sets, if all are those of sets that gotrace comes with.
fn sets(names: &[String]) -> Option<Vec<String>> {
    let known = ProbeSet::embedded().ok()?;
    let all = names
        .iter()
        .all(|name| known.iter().any(|set| set.name == *name));
    all.then(|| names.to_vec())
}

impl Raw {
    /// What it is, for an error: short, whatever the file holds.
    fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Switch(on) => on.to_string(),
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let shown: Vec<String> = items.iter().take(8).map(|item| quoted(item)).collect();
                format!("[{}]", shown.join(", "))
            }
            Self::Other(what) => (*what).to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    let mut kept: String = text.chars().take(40).collect();
    if kept.len() < text.len() {
        kept.push_str("...");
    }
    format!("{kept:?}")
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate}"),
            Self::Backend(selection) => write!(f, "{selection}"),
            Self::Switch(on) => write!(f, "{on}"),
            Self::MaxTax(limit) => write!(f, "{limit}"),
            Self::Keep(keep) => write!(f, "{keep}"),
            Self::Depth(depth) => write!(f, "{depth}"),
            Self::Function(glob) => f.write_str(glob.text()),
            Self::Names(names) => write!(f, "{names:?}"),
        }
    }
}
