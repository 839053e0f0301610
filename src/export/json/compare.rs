//! What `compare --json` writes.

use super::object;
use crate::analyze::Name;
use crate::analyze::compare::{
    self, Comparison, Difference, FALSE_DISCOVERIES, Measure, Row, Subject, Value, Verdict,
};
use crate::analyze::statistics::Interval;
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// Name and version of what `compare --json` writes.
pub const COMPARE_SCHEMA: &str = "gotrace.compare/1";

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    comparable: bool,
    base: Side<'a>,
    new: Side<'a>,
    shared: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<Noise<'a>>,
    facts: Facts<'a>,
    family: Family,
    outputs: Outputs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gates: Option<Gates>,
}

/// The runs of a noise floor.
#[derive(Serialize)]
struct Noise<'a> {
    runs: Vec<&'a str>,
    compared: Vec<&'a str>,
    failed: Vec<&'a str>,
    differ: Vec<&'a str>,
}

impl<'a> Noise<'a> {
    fn of(group: &'a compare::NoiseGroup) -> Self {
        let names = |names: &'a [Name]| names.iter().map(|name| &**name).collect();
        Self {
            runs: names(&group.runs),
            compared: names(&group.compared),
            failed: names(&group.failed),
            differ: group.differences.iter().map(|it| it.fact.name()).collect(),
        }
    }
}

#[derive(Serialize)]
struct Side<'a> {
    command: &'a str,
    go: &'a str,
    arch: &'static str,
    translator: Option<&'a str>,
    translated_share: f64,
    runs: Vec<&'a str>,
    failed: Vec<&'a str>,
    repeated: Vec<&'a str>,
    lost: Lost<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt: Option<Vec<Rebuilt<'a>>>,
}

/// A package that new built, and why.
#[derive(Serialize)]
struct Rebuilt<'a> {
    package: &'a str,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Lost<'a> {
    samples: Option<&'a str>,
    calls: Option<&'a str>,
    marks: Option<&'a str>,
    programs: Option<&'a str>,
    graph: Option<&'a str>,
    ending: Option<&'a str>,
}

impl<'a> Side<'a> {
    fn of(side: &'a compare::Side) -> Self {
        let names = |names: &'a [Name]| names.iter().map(|name| &**name).collect();
        Self {
            command: &side.command,
            go: &side.go,
            arch: side.translation.arch.name(),
            translator: side.translation.translator.as_deref(),
            translated_share: side.translation.share,
            runs: names(&side.runs),
            failed: names(&side.failed),
            repeated: names(&side.repeated),
            lost: Lost {
                samples: side.lost.samples.as_deref(),
                calls: side.lost.calls.values().next().map(|words| &**words),
                marks: side.lost.marks.values().next().map(|words| &**words),
                programs: side.lost.programs.as_deref(),
                graph: side.lost.graph.as_deref(),
                ending: side.lost.ending.as_deref(),
            },
            rebuilt: None,
        }
    }
}

/// What the same is in all runs, and what is not.
#[derive(Serialize)]
struct Facts<'a> {
    same: Vec<Same<'a>>,
    differ: Vec<Differs<'a>>,
}

#[derive(Serialize)]
struct Same<'a> {
    fact: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Differs<'a> {
    fact: &'a str,
    base: Vec<&'a str>,
    new: Vec<&'a str>,
    base_runs: Vec<Vec<&'a str>>,
    new_runs: Vec<Vec<&'a str>>,
    binds: bool,
}

impl<'a> Differs<'a> {
    fn of(difference: &'a Difference) -> Self {
        let values = |values: &'a [Value]| values.iter().map(|value| &*value.text).collect();
        let names = |value: &'a Value| value.runs.iter().map(|run| &**run).collect();
        let runs = |values: &'a [Value]| values.iter().map(names).collect();
        Self {
            fact: difference.fact.name(),
            base: values(&difference.base),
            new: values(&difference.new),
            base_runs: runs(&difference.base),
            new_runs: runs(&difference.new),
            binds: difference.binds,
        }
    }
}

/// Rows that were judged together, here and in an experiment.
#[derive(Serialize)]
pub(super) struct Family {
    pub(super) count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<usize>,
    pub(super) false_discovery_rate: f64,
    pub(super) runs_needed: Option<usize>,
}

#[derive(Serialize)]
struct Outputs<'a> {
    same: Vec<&'a str>,
    differ: Vec<&'a str>,
}

impl<'a> Outputs<'a> {
    fn of(comparison: &'a Comparison) -> Self {
        let which = |wanted: bool| {
            let outputs = comparison.outputs.iter();
            let outputs = outputs.filter(|(_, same)| **same == wanted);
            outputs.map(|(package, _)| &**package).collect()
        };
        Self {
            same: which(true),
            differ: which(false),
        }
    }
}

#[derive(Serialize)]
struct Gates {
    passed: bool,
    breaches: Vec<Breach>,
    undecided: Vec<Undecided>,
    one_sided: Vec<Undecided>,
    idle: Vec<Idle>,
}

/// A gate that no row is about.
#[derive(Serialize)]
struct Idle {
    subject: String,
    name: String,
}

#[derive(Serialize)]
struct Breach {
    subject: &'static str,
    name: String,
    measure: &'static str,
    change: Option<f64>,
    limit: f64,
}

#[derive(Serialize)]
struct Undecided {
    subject: &'static str,
    name: String,
    measure: &'static str,
    verdict: &'static str,
}

impl Gates {
    fn of(outcome: &compare::Outcome) -> Self {
        let breaches = outcome.breaches.iter().map(|breach| Breach {
            subject: breach.key.subject.kind(),
            name: breach.key.subject.name().to_string(),
            measure: measure(breach.key.measure),
            change: finite(breach.change),
            limit: breach.limit,
        });
        let told = |(key, why): &(compare::Key, Verdict)| Undecided {
            subject: key.subject.kind(),
            name: key.subject.name().to_string(),
            measure: measure(key.measure),
            verdict: verdict(why),
        };
        let idle = outcome.idle.iter().map(|gate| Idle {
            subject: gate.kind.to_string(),
            name: gate.pattern.to_string(),
        });
        Self {
            passed: outcome.passed(),
            breaches: breaches.collect(),
            undecided: outcome.undecided.iter().map(told).collect(),
            one_sided: outcome.one_sided.iter().map(told).collect(),
            idle: idle.collect(),
        }
    }
}

#[derive(Serialize)]
struct RowKeys<'a> {
    subject: &'static str,
    #[serde(flatten)]
    which: Which<'a>,
    measure: &'static str,
    base: Option<Number>,
    new: Option<Number>,
    base_values: Vec<Number>,
    new_values: Vec<Number>,
    difference: Option<Number>,
    difference_low: Option<Number>,
    difference_high: Option<Number>,
    ratio: Option<f64>,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
    noise_ratio: Option<f64>,
    p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_needed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a str>,
}

/// What names the subject: by its kind, one or two of these.
#[derive(Default, Serialize)]
struct Which<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
}

impl<'a> Which<'a> {
    fn of(subject: &'a Subject) -> Self {
        let mut which = Self::default();
        match subject {
            Subject::Whole => {}
            Subject::Package(package) => which.package = Some(package),
            Subject::Tool(tool) => which.tool = Some(tool),
            Subject::Phase { track, phase } => {
                which.track = Some(track);
                which.phase = Some(phase);
            }
            Subject::Signal(signal) => which.signal = Some(signal),
            Subject::Action { kind, package } => {
                which.action = Some(kind.name());
                which.package = Some(package);
            }
            Subject::Function { tool, name } => {
                which.tool = Some(tool);
                which.function = Some(name);
            }
        }
        which
    }
}

impl<'a> RowKeys<'a> {
    fn of(row: &'a Row) -> Self {
        let difference = row.difference_interval();
        let ratio = row.ratio_interval();
        let there = |values: &[f64], median: f64| (!values.is_empty()).then_some(Number(median));
        let all = |values: &[f64]| values.iter().copied().map(Number).collect();
        let end = |end: fn(&Interval) -> f64| finite(end(difference.as_ref()?)).map(Number);
        Self {
            subject: row.key.subject.kind(),
            which: Which::of(&row.key.subject),
            measure: measure(row.key.measure),
            base: there(&row.base, row.base_median()),
            new: there(&row.new, row.new_median()),
            base_values: all(&row.base),
            new_values: all(&row.new),
            difference: row.has_both().then(|| Number(row.difference())),
            difference_low: end(|interval| interval.low),
            difference_high: end(|interval| interval.high),
            ratio: row.ratio().filter(|_| row.has_both()),
            ratio_low: ratio.and_then(|interval| finite(interval.low)),
            ratio_high: ratio.and_then(|interval| finite(interval.high)),
            noise_ratio: row.noise.and_then(|noise| finite(noise.ratio)),
            p: row.p,
            verdict: row.verdict.as_ref().map(verdict),
            runs_needed: match row.verdict {
                Some(Verdict::TooFewRuns { need }) => Some(need),
                _ => None,
            },
            lost: match &row.verdict {
                Some(Verdict::Withheld { lost, .. }) => Some(lost),
                _ => None,
            },
        }
    }
}

/// A number that is written as an integer where it is one.
struct Number(f64);

/// Integers up to here are exact in both.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// JSON has no infinity.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

const fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::Wall => "wall_ns",
        Measure::Cpu => "cpu_ns",
        Measure::Parallelism => "cpu_per_wall",
        Measure::LongestChain => "longest_chain_ns",
        Measure::Own => "own_ns",
        Measure::Total => "total_ns",
        Measure::StartUp => "start_up_ns",
        Measure::SteadyState => "steady_state_ns",
        Measure::Unplaced => "unplaced_ns",
        Measure::Translator => "translator_ns",
        Measure::CallTime => "call_time_ns",
        Measure::Count => "count",
    }
}

const fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Slower => "slower",
        Verdict::Faster => "faster",
        Verdict::WithinNoise => "within_noise",
        Verdict::OnlyInBase => "only_in_base",
        Verdict::OnlyInNew => "only_in_new",
        Verdict::TooFewRuns { .. } => "too_few_runs",
        Verdict::Withheld { .. } => "withheld",
    }
}

/// Writes the object of `compare --json`. `rows` are those to be shown; of a comparison that lies
/// there should be none, and `comparable` says so.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn compare<'c>(
    comparison: &'c Comparison,
    comparable: bool,
    gates: Option<&compare::Outcome>,
    rows: impl Iterator<Item = &'c Row>,
    out: &mut impl Write,
) -> io::Result<()> {
    let same = comparison.same.0.iter().map(|(fact, value)| Same {
        fact: fact.name(),
        value,
    });
    let rebuilt = comparison.rebuilt.iter().map(|rebuilt| {
        let reasons = rebuilt.reasons.iter().map(compare::Reason::words);
        Rebuilt {
            package: &rebuilt.package,
            reasons: reasons.collect(),
        }
    });
    let head = Head {
        schema: COMPARE_SCHEMA,
        comparable,
        base: Side::of(&comparison.base),
        new: Side {
            rebuilt: Some(rebuilt.collect()),
            ..Side::of(&comparison.new)
        },
        shared: comparison.shared.iter().map(|name| &**name).collect(),
        noise: comparison.noise.as_ref().map(Noise::of),
        facts: Facts {
            same: same.collect(),
            differ: comparison.differences.iter().map(Differs::of).collect(),
        },
        family: Family {
            count: comparison.family,
            left_out: Some(comparison.left_out),
            false_discovery_rate: FALSE_DISCOVERIES,
            runs_needed: comparison.runs_needed,
        },
        outputs: Outputs::of(comparison),
        gates: gates.map(Gates::of),
    };
    object(&head, rows.map(RowKeys::of), out)
}
