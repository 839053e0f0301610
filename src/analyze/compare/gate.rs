//! Gates: what must not become slower, and by how much it may.

use super::key::{Measure, Subject};
use super::row::{Row, Verdict};
use super::{Comparison, Key};
use crate::analyze::Name;

/// What stands for any text in a pattern, as in Go's.
const ANY: &str = "...";

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Kind of subject, see [`Subject::kind`].
    pub kind: Name,
    /// Its name, in which `...` stands for any text, as in Go's patterns; empty for the whole
    /// command.
    pub pattern: Name,
    /// By how much it may become slower: 0.05 for 5 %.
    pub limit: f64,
}

/// A row that a gate does not let pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// What became slower.
    pub key: Key,
    /// By how much: 0.07 for 7 %; infinite where there was nothing before.
    pub change: f64,
    /// What was allowed.
    pub limit: f64,
}

/// What became of all gates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows that are slower than allowed, beyond noise.
    pub breaches: Vec<Breach>,
    /// Rows that could not be judged, and why: too few runs, something was lost, or one side alone
    /// has what a gate is about.
    pub undecided: Vec<(Key, Verdict)>,
    /// Rows that one side alone has, of gates that hold others: no limit holds these.
    pub one_sided: Vec<(Key, Verdict)>,
    /// Gates that no row is about.
    pub idle: Vec<Gate>,
}

impl Outcome {
    /// Whether every gate held something, all of that could be judged, and nothing is slower than
    /// allowed.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.breaches.is_empty() && self.undecided.is_empty() && self.idle.is_empty()
    }
}

/// All limits of a command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gates(pub Vec<Gate>);

impl Gate {
    /// The whole command: its wall time and its CPU time.
    #[must_use]
    pub fn whole(limit: f64) -> Self {
        Self {
            kind: Name::from("whole"),
            pattern: Name::default(),
            limit,
        }
    }

    fn is_about(&self, key: &Key) -> bool {
        picks(&self.kind, &self.pattern, key)
    }

    fn judge(&self, comparison: &Comparison, outcome: &mut Outcome) {
        let rows = comparison.rows.iter();
        let rows: Vec<&Row> = rows.filter(|row| self.is_about(&row.key)).collect();
        if rows.is_empty() {
            outcome.idle.push(self.clone());
        }
        // Who names a package wants to hear that it is gone, or has another name. Of many, some
        // always come and go: where nothing is left to be judged, that is no pass either.
        let one_sided = |row: &Row| row.verdict.as_ref().is_some_and(Verdict::is_one_sided);
        let matters = !self.pattern.contains(ANY) || rows.iter().all(|row| one_sided(row));
        for row in rows {
            let Some(verdict) = &row.verdict else {
                continue;
            };
            let place = match verdict {
                Verdict::Slower => {
                    outcome.breaches.extend(self.breach(row));
                    continue;
                }
                Verdict::Faster | Verdict::WithinNoise => continue,
                Verdict::TooFewRuns { .. } | Verdict::Withheld { .. } => &mut outcome.undecided,
                Verdict::OnlyInBase | Verdict::OnlyInNew if matters => &mut outcome.undecided,
                Verdict::OnlyInBase | Verdict::OnlyInNew => &mut outcome.one_sided,
            };
            let told = (row.key.clone(), verdict.clone());
            if !place.contains(&told) {
                place.push(told);
            }
        }
    }

    fn breach(&self, row: &Row) -> Option<Breach> {
        let change = row.ratio().map_or(f64::INFINITY, |ratio| ratio - 1.0);
        (change > self.limit).then(|| Breach {
            key: row.key.clone(),
            change,
            limit: self.limit,
        })
    }
}

impl Gates {
    /// Holds a comparison to the gates.
    #[must_use]
    pub fn judge(&self, comparison: &Comparison) -> Outcome {
        let mut outcome = Outcome::default();
        for gate in &self.0 {
            gate.judge(comparison, &mut outcome);
        }
        outcome
    }
}

/// Whether a figure is one of those of a kind (see [`Subject::kind`]) that are judged, and its
/// name is as the pattern says, in which `...` stands for any text. Of the whole command these are
/// wall and CPU time.
#[must_use]
pub fn picks(kind: &str, pattern: &str, key: &Key) -> bool {
    let measured = match key.subject {
        Subject::Whole => matches!(key.measure, Measure::Wall | Measure::Cpu),
        _ => key.is_judged(),
    };
    measured && key.subject.kind() == kind && matches(pattern, &key.subject.name())
}

/// Whether a text is as the pattern says, in which `...` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once(ANY) else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split(ANY).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn three_dots_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("...", "", true),
            ("a/...", "a/b/c", true),
            ("a/...", "b/a/c", false),
            ("...SSA", "compile SSA", true),
            ("a...b...c", "axbxc", true),
            ("a...b...c", "acxb", false),
            ("a...a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
