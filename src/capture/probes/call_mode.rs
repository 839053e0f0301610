//! How calls of functions are recorded: each of them, the long ones, or a tree of their sums; and which of them.

use super::FunctionGlob;
use crate::trace::Nanos;
use std::fmt;
use std::str::FromStr;

/// What is kept of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Each entry and each exit.
    #[default]
    Each,
    /// How many there were and how long they took, by who called whom.
    Sums,
    /// Entries and exits of calls that take this long at least.
    Longer(Nanos),
}

/// How calls of the functions that are named are recorded. Those that mark phases are recorded one by one in any
/// case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallMode {
    /// What is kept of them.
    pub keep: Keep,
    /// Only so many levels of calls in each other.
    pub depth: Option<u32>,
    /// Only calls of these functions, and those made by them, directly or not.
    pub inside: Option<FunctionGlob>,
    /// Only calls that begin after one of the first functions was entered in their process, and before one of the
    /// second is left after that; and so on.
    pub between: Option<(FunctionGlob, FunctionGlob)>,
}

impl CallMode {
    /// All of them, one by one.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::default()
    }

    /// The options that say so on a command line, and their values; none for what is so by default.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if self.keep != Keep::Each {
            settings.push(("call_mode", self.keep.to_string()));
        }
        settings.extend(self.depth.map(|depth| ("call_depth", depth.to_string())));
        let inside = self.inside.as_ref();
        settings.extend(inside.map(|glob| ("call_inside", glob.text().to_owned())));
        if let Some((from, to)) = &self.between {
            settings.push(("call_from", from.text().to_owned()));
            settings.push(("call_to", to.text().to_owned()));
        }
        settings
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Each => f.write_str("full"),
            Self::Sums => f.write_str("aggregate"),
            Self::Longer(Nanos(time)) => {
                let units = UNITS.iter().rev();
                let mut whole = units.filter(|(_, unit)| time.is_multiple_of(*unit));
                let (name, unit) = whole.next().unwrap_or(&UNITS[0]);
                write!(f, "longer={}{name}", time / unit)
            }
        }
    }
}

/// Units of time in nanoseconds.
const UNITS: [(&str, u64); 4] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];

/// What is wrong with the text of a [`Keep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected full, aggregate or longer=TIME (longer=10us; units are ns, us, ms and s)")]
pub struct BadMode;

impl FromStr for Keep {
    type Err = BadMode;

    fn from_str(text: &str) -> Result<Self, BadMode> {
        match text {
            "full" => return Ok(Self::Each),
            "aggregate" => return Ok(Self::Sums),
            _ => {}
        }
        let time = text.strip_prefix("longer=").ok_or(BadMode)?;
        let digits = time
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(time.len());
        let (number, name) = time.split_at(digits);
        let unit = UNITS.iter().find(|(unit, _)| *unit == name);
        let number: u64 = number.parse().map_err(|_error| BadMode)?;
        let (_, unit) = unit.ok_or(BadMode)?;
        let time = number.checked_mul(*unit).filter(|time| *time > 0);
        Ok(Self::Longer(Nanos(time.ok_or(BadMode)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_and_written() {
        for text in [
            "full",
            "aggregate",
            "longer=10us",
            "longer=1500ns",
            "longer=2s",
        ] {
            assert_eq!(text.parse::<Keep>().unwrap().to_string(), text);
        }
        let longer = Keep::Longer(Nanos(10_000));
        assert_eq!("longer=10us".parse(), Ok(longer));
        assert_eq!("longer=10000ns".parse::<Keep>().unwrap(), longer);
        for wrong in [
            "",
            "longer",
            "longer=",
            "longer=us",
            "longer=0us",
            "longer=10",
            "longer=1m",
            "longer=-1us",
            "longer=1.5us",
            "longer=18446744073709551615s",
        ] {
            assert_eq!(wrong.parse::<Keep>(), Err(BadMode), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_as_by_default_is_said() {
        assert_eq!(CallMode::default().settings(), []);
        assert!(CallMode::default().is_full());
        let glob = |text: &str| text.parse::<FunctionGlob>().unwrap();
        let mode = CallMode {
            keep: Keep::Sums,
            depth: Some(3),
            inside: Some(glob("main.f")),
            between: Some((glob("main.a"), glob("main.b"))),
        };
        let said = mode.settings();
        let said: Vec<String> = said.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            said.join(" "),
            "call_mode=aggregate call_depth=3 call_inside=main.f call_from=main.a call_to=main.b"
        );
        assert!(!mode.is_full());
    }
}
