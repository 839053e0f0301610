//! Changes in words: how much a figure was, is, and differs; for tables of every kind.

use super::units::{self, Scale};
use crate::analyze::Name;
use crate::analyze::compare::{
    Breach, Comparison, Difference, Fact, Gate, Key, Measure, Missing, NATIVE, Outcome, Rebuilt,
    Row, Side, Subject, Value, Verdict,
};
use crate::analyze::statistics::{Interval, Noise};
use crate::trace::Nanos;

/// Ratios outside of these are written as such, not as percent.
const PERCENT: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// Names that are written out of many.
const NAMED: usize = 3;

/// One value of a measure: `1.24 s`, `1.71`, `65`.
#[must_use]
pub fn value(value: f64, measure: Measure) -> String {
    match measure {
        Measure::Parallelism => format!("{value:.2}"),
        Measure::Count => units::count(value.round() as u64),
        _ => units::duration(Nanos(value as u64)),
    }
}

/// A difference of a measure, with its sign.
#[must_use]
pub fn difference(difference: f64, measure: Measure) -> String {
    signed(difference, &value(difference.abs(), measure))
}

/// A row in figures; a dash stands for what is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Median of base.
    pub base: String,
    /// Median of new.
    pub new: String,
    /// New less base.
    pub difference: String,
    /// New to base.
    pub ratio: String,
}

impl Figures {
    /// Times on the `scale` of their column, if there is one.
    #[must_use]
    pub fn of(row: &Row, scale: Option<Scale>) -> Self {
        let one = |number: f64| match scale {
            Some(scale) => scale.write(Nanos(number as u64)),
            None => value(number, row.key.measure),
        };
        let side = |values: &[f64], median| match values {
            [] => NOT_KNOWN.to_owned(),
            _ => one(median),
        };
        let change = row.difference();
        let (difference, ratio) = if row.has_both() {
            (signed(change, &one(change.abs())), relative(row.ratio()))
        } else {
            (NOT_KNOWN.to_owned(), NOT_KNOWN.to_owned())
        };
        Self {
            base: side(&row.base, row.base_median()),
            new: side(&row.new, row.new_median()),
            difference,
            ratio,
        }
    }
}

/// What stands for a figure that is not known.
pub const NOT_KNOWN: &str = "-";

fn signed(difference: f64, size: &str) -> String {
    let sign = match difference {
        _ if difference > 0.0 => "+",
        _ if difference < 0.0 => "-",
        _ => "",
    };
    format!("{sign}{size}")
}

/// A ratio of new to base: `+6.0 %`, `×9.40`; a dash where there was nothing in base.
#[must_use]
pub fn relative(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if PERCENT.contains(&ratio) => percent(ratio - 1.0),
        Some(0.0) => "-100 %".to_owned(),
        Some(ratio) if ratio.is_finite() => times(ratio),
        _ => "-".to_owned(),
    }
}

fn percent(change: f64) -> String {
    let value = change * 100.0;
    if value.abs() < 0.05 {
        "0.0 %".to_owned()
    } else if value.abs() < 9.95 {
        format!("{value:+.1} %")
    } else {
        format!("{value:+.0} %")
    }
}

fn times(ratio: f64) -> String {
    if ratio < 9.995 {
        format!("×{ratio:.2}")
    } else if ratio < 99.95 {
        format!("×{ratio:.1}")
    } else {
        format!("×{ratio:.0}")
    }
}

/// An interval of ratios: `[+4.1 %, +8.2 %]`, `[×9.10, ×9.62]`; `unknown` where any ratio may be, empty where there
/// is none.
#[must_use]
pub fn interval(interval: Option<Interval>) -> String {
    let Some(Interval { low, high, .. }) = interval else {
        return String::new();
    };
    if low <= 0.0 && high.is_infinite() {
        return "unknown".to_owned();
    }
    let in_percent = PERCENT.contains(&low) && PERCENT.contains(&high);
    let one = |ratio: f64| match ratio {
        _ if !ratio.is_finite() => "∞".to_owned(),
        _ if in_percent => percent(ratio - 1.0),
        _ => times(ratio),
    };
    format!("[{}, {}]", one(low), one(high))
}

/// What runs of one and the same thing differ by, and whether these two runs differ by more.
#[must_use]
pub fn noise(noise: Option<&Noise>, row: &Row) -> String {
    let Some(noise) = noise else {
        return String::new();
    };
    let floor = if noise.ratio.is_finite() {
        units::percent(noise.ratio - 1.0)
    } else {
        "∞".to_owned()
    };
    // The floor is that of pairs of runs: medians of more scatter less.
    let one_each = row.base.len() == 1 && row.new.len() == 1;
    if one_each && noise.exceeded_by(row.base_median(), row.new_median()) {
        format!("{floor}, exceeded")
    } else {
        floor
    }
}

/// `base native (go1.27.3 amd64), new translated by qemu-aarch64 (go1.27.3 arm64)`.
#[must_use]
pub fn sides(comparison: &Comparison) -> String {
    let mut differences = comparison.differences.iter();
    let translators = differences.find(|it| it.fact == Fact::Translator);
    let (base, new): (&[Value], &[Value]) =
        translators.map_or((&[], &[]), |it| (&it.base, &it.new));
    format!(
        "base {}, new {}",
        side(&comparison.base, base),
        side(&comparison.new, new)
    )
}

/// A side, and its translators where they are not the same in all runs.
fn side(side: &Side, translators: &[Value]) -> String {
    let translation = &side.translation;
    let go = if side.go.is_empty() {
        "no Go toolchain"
    } else {
        &side.go
    };
    if translators.len() > 1 {
        let some = translators.iter().map(|value| match &*value.text {
            NATIVE => "native".to_owned(),
            translator => format!("translated by {translator}"),
        });
        return format!("{} ({go})", some.collect::<Vec<_>>().join(" and "));
    }
    let how = match &translation.translator {
        None => "native".to_owned(),
        Some(translator) if translation.share > 0.5 => format!("translated by {translator}"),
        Some(translator) => {
            let share = units::percent(translation.share);
            format!("{share} of its CPU time translated by {translator}")
        }
    };
    format!("{how} ({go} {})", translation.arch.name())
}

/// `10 runs against 10`, and what they ran; runs that failed are named.
#[must_use]
pub fn runs(comparison: &Comparison) -> String {
    let (base, new) = (&comparison.base, &comparison.new);
    let failed = |side: &Side| match side.failed.len() {
        0 => "",
        all if all == side.runs.len() => " (failed)",
        1 => " (and one that failed, left out)",
        _ => " (and some that failed, left out)",
    };
    let command = match comparison.same.0.get(&Fact::Command) {
        Some(command) => format!(": {command}"),
        None => format!(": {}; {}", base.command, new.command),
    };
    format!(
        "{}{} against {}{}{command}",
        units::counted(base.runs.len() as u64, "run", "runs"),
        failed(base),
        units::count(new.runs.len() as u64),
        failed(new)
    )
}

/// `GOFLAGS differs: base -race, new none`; of a side whose runs do not agree, with their names.
#[must_use]
pub fn fact(difference: &Difference) -> String {
    fact_of(difference, ["base", "new"])
}

/// The same of runs that a noise floor is made of: `noise: GOFLAGS differs: noise -race, compared
/// none`.
#[must_use]
pub fn noise_fact(difference: &Difference) -> String {
    let words = fact_of(difference, ["noise", "compared"]);
    format!("noise: {words}")
}

fn fact_of(difference: &Difference, [first, second]: [&str; 2]) -> String {
    let what = match &difference.fact {
        Fact::Variable(name) => format!("{name} differs"),
        fact => fact.complaint().to_owned(),
    };
    let within = match (difference.base.len() > 1, difference.new.len() > 1) {
        (false, false) => String::new(),
        (true, false) => format!(" within {first}"),
        (false, true) => format!(" within {second}"),
        (true, true) => " within both".to_owned(),
    };
    let (base, new) = (values(&difference.base), values(&difference.new));
    format!("{what}{within}: {first} {base}, {second} {new}")
}

/// Runs that are named for each value of a fact.
const RUNS_NAMED: usize = 4;

/// `-race`, or `none in runs 1, 2 and -race in run 3`.
#[must_use]
pub fn values(values: &[Value]) -> String {
    let one = |value: &Value| fact_value(&value.text).to_owned();
    let several = |value: &Value| {
        let word = if value.runs.len() == 1 { "run" } else { "runs" };
        let runs = listed(&value.runs, RUNS_NAMED);
        format!("{} in {word} {runs}", one(value))
    };
    match values {
        [value] => one(value),
        values => values.iter().map(several).collect::<Vec<_>>().join(" and "),
    }
}

/// The value of a fact; `none` where it is empty.
#[must_use]
pub const fn fact_value(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

/// `a, b and 3 more`.
fn listed(names: &[Name], most: usize) -> String {
    let shown = names.iter().take(most).map(|name| &**name);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What there is to know of a comparison before its figures are read.
#[must_use]
pub fn caveats(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    if comparison.is_single() {
        let more = match comparison.runs_needed {
            Some(need) => format!("; gotrace repeat -n {need} records enough"),
            None => String::new(),
        };
        lines.push(format!(
            "with one run a side, a change cannot be told from noise{more}"
        ));
    }
    lines.extend(counted_once(comparison));
    for (name, side) in [("base", &comparison.base), ("new", &comparison.new)] {
        let lost = &side.lost;
        for (what, why) in [
            ("wall time and all else", lost.ending.as_ref()),
            ("packages, tools and phases", lost.programs.as_ref()),
            ("the longest chain", lost.graph.as_ref()),
            ("phases", lost.samples.as_ref()),
            ("phases", lost.calls.values().next()),
        ] {
            if let Some(why) = why {
                lines.push(format!("no verdict on {what}: {name} {why}"));
            }
        }
        for (track, why) in &lost.marks {
            lines.push(format!("no verdict on phases of {track}: {name} {why}"));
        }
    }
    for (side, not_watched) in [("base", Missing::InBase), ("new", Missing::InNew)] {
        let unwatched = |row: &Row| match (&row.key.subject, &row.verdict) {
            (Subject::Phase { .. }, Some(Verdict::Withheld { missing, .. })) => {
                *missing == not_watched
            }
            _ => false,
        };
        if comparison.rows.iter().any(unwatched) {
            lines.push(format!(
                "no verdict on phases that were not watched in {side}"
            ));
        }
    }
    lines
}

/// Runs that were given in several places.
fn counted_once(comparison: &Comparison) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, side) in [("base", &comparison.base), ("new", &comparison.new)] {
        if !side.repeated.is_empty() {
            let again = listed(&side.repeated, RUNS_NAMED);
            lines.push(format!(
                "given several times in {name}, and counted once: {again}"
            ));
        }
    }
    if !comparison.shared.is_empty() {
        let shared = listed(&comparison.shared, RUNS_NAMED);
        lines.push(format!(
            "on both sides, which makes a change harder to tell: {shared}"
        ));
    }
    let compared = comparison.noise.as_ref().map(|group| &group.compared);
    if let Some(compared) = compared.filter(|compared| !compared.is_empty()) {
        let compared = listed(compared, RUNS_NAMED);
        lines.push(format!(
            "no part of the noise floor, for they are compared or given twice: {compared}"
        ));
    }
    lines
}

/// What to make of a row, in words. That there are too few runs is said once where there is but
/// one a side, see [`caveats`].
#[must_use]
pub fn verdict(comparison: &Comparison, row: &Row) -> String {
    let cached = match &row.key.subject {
        Subject::Package(package) => comparison.cached.contains(package),
        _ => false,
    };
    match &row.verdict {
        None => String::new(),
        Some(Verdict::TooFewRuns { .. }) if comparison.is_single() => String::new(),
        Some(Verdict::OnlyInBase) if cached => "cached in new".to_owned(),
        Some(Verdict::OnlyInNew) if cached => "cached in base".to_owned(),
        Some(verdict) => verdict.words(),
    }
}

/// `1 slower, 2 faster, 60 within noise`, of the rows of a table.
#[must_use]
pub fn tally(comparison: &Comparison, rows: &[&Row]) -> String {
    let mut counts: Vec<(String, u64)> = Vec::new();
    let words = rows.iter().map(|row| match row.verdict {
        Some(Verdict::TooFewRuns { .. }) if !comparison.is_single() => {
            "with too few runs".to_owned()
        }
        _ => verdict(comparison, row),
    });
    for words in words.filter(|words| !words.is_empty()) {
        match counts.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += 1,
            None => counts.push((words, 1)),
        }
    }
    let words = counts
        .iter()
        .map(|(words, count)| format!("{} {words}", units::count(*count)));
    words.collect::<Vec<_>>().join(", ")
}

/// `m/b: dependency m/a, flags`.
#[must_use]
pub fn rebuilt(rebuilt: &Rebuilt, most: usize) -> String {
    let shown = rebuilt.reasons.iter().take(most);
    let mut words: Vec<String> = shown.map(crate::analyze::compare::Reason::words).collect();
    if let more @ 1.. = rebuilt.reasons.len().saturating_sub(most) {
        words.push(format!("{more} more"));
    }
    format!("{}: {}", rebuilt.package, words.join(", "))
}

/// Whether what was linked is the same in all runs; `None` where nothing was on both sides.
#[must_use]
pub fn outputs(comparison: &Comparison) -> Option<String> {
    let differ: Vec<&str> = comparison
        .outputs
        .iter()
        .filter(|(_, same)| !**same)
        .map(|(package, _)| &**package)
        .collect();
    match (comparison.outputs.len(), differ.len()) {
        (0, _) => None,
        (all, 0) => {
            let outputs = units::counted(all as u64, "output", "outputs");
            Some(format!("{outputs} with the same content in all runs"))
        }
        (_, _) => Some(format!("outputs that differ: {}", differ.join(", "))),
    }
}

/// What the same target costs when it is built natively, where that is what was compared.
#[must_use]
pub fn alternative(comparison: &Comparison) -> Option<String> {
    let (base, new) = (&comparison.base.translation, &comparison.new.translation);
    let (native, translated) = match (&base.translator, &new.translator) {
        (None, Some(_)) => (true, new),
        (Some(_), None) => (false, base),
        _ => return None,
    };
    let target = comparison.same.0.get(&Fact::Target)?;
    let (system, _) = target.split_once(',')?;
    let (os, arch) = system.split_once('/')?;
    let wall = comparison.row(&Subject::Whole, Measure::Wall)?;
    let (fast, slow) = if native {
        (wall.base_median(), wall.new_median())
    } else {
        (wall.new_median(), wall.base_median())
    };
    let words = |time| value(time, Measure::Wall);
    let translator = translated.translator.as_deref().unwrap_or_default();
    (fast < slow).then(|| {
        format!(
            "GOOS={os} GOARCH={arch} with the native toolchain builds the same target in {}, {translator} in {}",
            words(fast),
            words(slow)
        )
    })
}

/// Time that is neither start-up nor steady state, for no stack of its programs tells which; `None`
/// where there is none.
#[must_use]
pub fn unplaced(comparison: &Comparison) -> Option<String> {
    let row = comparison.row(&Subject::Whole, Measure::Unplaced)?;
    let Figures { base, new, .. } = Figures::of(row, None);
    (!row.is_zero()).then(|| {
        format!(
            "in neither part: base {base}, new {new} of programs whose stacks do not tell which"
        )
    })
}

/// `wall 7.1 % slower, 5.0 % allowed`.
#[must_use]
pub fn breach(breach: &Breach) -> String {
    let change = if breach.change.is_finite() {
        units::percent(breach.change)
    } else {
        "infinitely".to_owned()
    };
    let allowed = units::percent(breach.limit);
    format!(
        "{} is {change} slower, {allowed} allowed",
        what(&breach.key)
    )
}

/// Why a gate could not be held: `package m/b: too few runs, need 8`.
#[must_use]
pub fn undecided(key: &Key, verdict: &Verdict) -> String {
    let why = match verdict {
        Verdict::Withheld { lost, .. } => format!("{}: {lost}", verdict.words()),
        verdict => verdict.words(),
    };
    format!("{}: {why}", what(key))
}

/// Rows that no gate can hold to a limit, since one side alone has them: `no limit holds 2
/// packages that only new has: m/c, m/d`.
#[must_use]
pub fn one_sided(outcome: &Outcome) -> Vec<String> {
    let mut groups: Vec<(&str, &Verdict, Vec<Name>)> = Vec::new();
    for (key, verdict) in &outcome.one_sided {
        let kind = key.subject.kind();
        let name = key.subject.name();
        match groups
            .iter_mut()
            .find(|(known, of, _)| *known == kind && *of == verdict)
        {
            Some((.., names)) => names.push(name),
            None => groups.push((kind, verdict, vec![name])),
        }
    }
    let words = groups.into_iter().map(|(kind, verdict, names)| {
        let side = match verdict {
            Verdict::OnlyInNew => "new",
            _ => "base",
        };
        let count = units::counted(names.len() as u64, kind, &format!("{kind}s"));
        let mut shown: Vec<&str> = names.iter().take(NAMED).map(|name| &**name).collect();
        let more = names.len().saturating_sub(NAMED);
        let more = format!("{more} more");
        if names.len() > NAMED {
            shown.push(&more);
        }
        let names = shown.join(", ");
        format!("no limit holds {count} that only {side} has: {names}")
    });
    words.collect()
}

/// A gate that nothing is about: `--fail-on package=m/none: neither side has it`.
#[must_use]
pub fn idle(gate: &Gate) -> String {
    format!(
        "--fail-on {}={}: neither side has it",
        gate.kind, gate.pattern
    )
}

/// `package m/b`, `wall`.
#[must_use]
pub fn what(key: &Key) -> String {
    match key.subject {
        Subject::Whole => key.measure.name().to_owned(),
        _ => format!("{} {}", key.subject.kind(), key.subject.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_percent_while_they_are_small() {
        for (ratio, expected) in [
            (1.0, "0.0 %"),
            (1.0004, "0.0 %"),
            (1.06, "+6.0 %"),
            (0.94, "-6.0 %"),
            (1.2, "+20 %"),
            (0.5, "-50 %"),
            (2.0, "+100 %"),
            (9.4, "×9.40"),
            (0.25, "×0.25"),
            (64.25, "×64.2"),
            (250.0, "×250"),
            (0.0, "-100 %"),
        ] {
            assert_eq!(relative(Some(ratio)), expected, "{ratio}");
        }
        assert_eq!(relative(None), "-");
        assert_eq!(relative(Some(f64::INFINITY)), "-");
    }

    #[test]
    fn both_ends_of_an_interval_are_written_alike() {
        let of = |low, high| {
            interval(Some(Interval {
                estimate: low,
                low,
                high,
            }))
        };
        assert_eq!(of(1.041, 1.082), "[+4.1 %, +8.2 %]");
        assert_eq!(of(0.981, 1.302), "[-1.9 %, +30 %]");
        assert_eq!(of(1.9, 2.1), "[×1.90, ×2.10]");
        assert_eq!(of(3.0, f64::INFINITY), "[×3.00, ∞]");
        assert_eq!(of(0.0, f64::INFINITY), "unknown");
        assert_eq!(interval(None), "");
    }

    #[test]
    fn differences_have_their_sign() {
        assert_eq!(difference(30e6, Measure::Cpu), "+30.0 ms");
        assert_eq!(difference(-1.5e9, Measure::Wall), "-1.50 s");
        assert_eq!(difference(-0.25, Measure::Parallelism), "-0.25");
        assert_eq!(difference(0.0, Measure::Count), "0");
    }
}
