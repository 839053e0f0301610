//! The action graph of a go command (`-debug-actiongraph`): JSON in, its nodes out.
//!
//! The format is not documented (`actionJSON` in `cmd/go/internal/work/action.go`), so that a
//! key that is missing or of another type leaves its field empty and harms no other.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

/// One node. Times are nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Its number in this graph.
    #[serde(rename = "ID", deserialize_with = "lenient")]
    pub number: u32,
    /// What it does.
    #[serde(rename = "Mode", deserialize_with = "lenient")]
    pub mode: String,
    /// Import path.
    #[serde(rename = "Package", deserialize_with = "lenient")]
    pub package: String,
    /// Numbers of the nodes that must be done before.
    #[serde(rename = "Deps", deserialize_with = "lenient")]
    pub deps: Vec<u32>,
    /// Directory that it works in.
    #[serde(rename = "Objdir", deserialize_with = "lenient")]
    pub objdir: String,
    /// File that it makes.
    #[serde(rename = "Target", deserialize_with = "lenient")]
    pub target: String,
    /// It or what it needs failed.
    #[serde(rename = "Failed", deserialize_with = "lenient")]
    pub failed: bool,
    /// The package was not in the cache.
    #[serde(rename = "NeedBuild", deserialize_with = "lenient")]
    pub need_build: bool,
    /// Hash of its inputs.
    #[serde(rename = "ActionID", deserialize_with = "lenient")]
    pub action_id: String,
    /// Hash of inputs and output.
    #[serde(rename = "BuildID", deserialize_with = "lenient")]
    pub build_id: String,
    /// When all that it needs was done.
    #[serde(rename = "TimeReady", deserialize_with = "moment")]
    pub ready: Option<u64>,
    /// When it began.
    #[serde(rename = "TimeStart", deserialize_with = "moment")]
    pub start: Option<u64>,
    /// When it was done.
    #[serde(rename = "TimeDone", deserialize_with = "moment")]
    pub done: Option<u64>,
    /// The commands it ran.
    #[serde(rename = "Cmd", deserialize_with = "lenient")]
    pub commands: Vec<String>,
}

/// A graph that cannot be read: it was cut, or two go commands wrote over each other.
#[derive(Debug, thiserror::Error)]
#[error("the action graph is no JSON list of actions")]
pub struct Malformed(#[source] serde_json::Error);

/// Reads a graph.
///
/// # Errors
///
/// When the text is no JSON list of objects.
pub fn nodes(json: &[u8]) -> Result<Vec<Node>, Malformed> {
    serde_json::from_slice(json).map_err(Malformed)
}

/// Whether this is the graph that a go command writes at its end: the one it writes before it
/// begins has no times.
#[must_use]
pub fn is_final(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| node.done.is_some())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Is(T),
    Other(IgnoredAny),
}

fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(match Lenient::deserialize(deserializer)? {
        Lenient::Is(value) => value,
        Lenient::Other(IgnoredAny) => T::default(),
    })
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text: String = lenient(deserializer)?;
    Ok(unix_nanos(&text))
}

/// Nanoseconds since 1970 of a time as Go writes it in JSON (RFC 3339), or `None` for Go's
/// zero time and for what is no time.
fn unix_nanos(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T')?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let zone_at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let seconds = seconds_of(whole)?;
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        ("+", rest) => seconds_of(rest)?,
        ("-", rest) => seconds_of(rest)?.checked_neg()?,
        _ => return None,
    };
    let days = days_since_1970(year, month, day)?;
    let seconds = days.checked_mul(86_400)?.checked_add(seconds)?;
    let seconds = u64::try_from(seconds.checked_sub(offset)?).ok()?;
    let nanos = format!("{fraction:0<9}").get(..9)?.parse::<u64>().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// `hh:mm` or `hh:mm:ss` in seconds.
fn seconds_of(clock: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':').map(|part| part.parse::<u8>().ok());
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = i64::from(parts.next().unwrap_or(Some(0))?);
    let minutes = i64::from(hours)
        .checked_mul(60)?
        .checked_add(minutes.into())?;
    minutes.checked_mul(60)?.checked_add(seconds)
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, counted by whole 400-year cycles
/// of years that begin in March, so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let month = month.checked_add(9)?.checked_rem(12)?;
    let in_year = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let leap = year.div_euclid(4);
    let leap = leap.checked_sub(year.div_euclid(100))?;
    let leap = leap.checked_add(year.div_euclid(400))?;
    let days = year.checked_mul(365)?.checked_add(leap)?;
    let days = days.checked_add(in_year)?.checked_add(day)?;
    // 719,469 is what the lines above give for 1970-01-01.
    days.checked_sub(719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_that_date_gives() {
        // date -u -d @1795452813, and the same moment in another zone.
        let same = 1_795_452_813_601_787_620;
        assert_eq!(unix_nanos("2026-11-23T16:53:33.60178762Z"), Some(same));
        assert_eq!(unix_nanos("2026-11-23T22:23:33.60178762+05:30"), Some(same));
        assert_eq!(unix_nanos("2026-11-23T11:53:33.60178762-05:00"), Some(same));
        assert_eq!(unix_nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            unix_nanos("2024-02-29T00:00:00Z"),
            Some(1_709_164_800_000_000_000)
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "2026-11-23",
            "2026-11-23T16:53:33",
            "2026-13-01T00:00:00Z",
            "2026-11-23T16:xx:33Z",
            "2026-11-23T16:53:33Zulu",
            "2026-11-23T16:53:33:00Z",
            "2026-11-23T16Z",
            "2026-11-23T16:53:33+05:30:00:00",
            "-2-11-23T16:53:33Z",
            "2026-11T16:53:33Z",
            "2026-xx-23T16:53:33Z",
            "2026-11-32T16:53:33Z",
            "10000-01-01T00:00:00Z",
            "2026-11-23T16:53:33+",
            "2026-11-23T16:53:33-0x:00",
            "2026-11-23T16:53:33.x0Z",
            "2026-11-23T256:00:00Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T00:00:00Z",
        ] {
            assert_eq!(unix_nanos(text), None, "{text}");
        }
    }

    #[test]
    fn keys_that_changed_their_type_leave_the_rest() {
        let json = br#"[{"ID":0,"Mode":"build","Package":7,"Deps":null,"Cmd":null,"New":{}},
            {"ID":"1","Mode":"link","Deps":[0],"TimeDone":"2026-11-23T16:53:33Z","Cmd":["a b"]}]"#;
        let nodes = nodes(json).expect("readable");
        assert_eq!(
            (nodes[0].mode.as_str(), nodes[0].package.as_str()),
            ("build", "")
        );
        assert_eq!((nodes[1].number, &nodes[1].deps[..]), (0, &[0][..]));
        assert_eq!(nodes[1].commands, ["a b"]);
        assert!(is_final(&nodes) && !is_final(&nodes[..1]));
    }

    #[test]
    fn a_cut_graph_is_an_error() {
        assert!(nodes(br#"[{"ID":0,"Mode":"bu"#).is_err());
        assert!(nodes(br#"{"ID":0}"#).is_err());
        assert!(nodes(b"").is_err());
    }
}
