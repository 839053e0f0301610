//! `gotrace compare`.

use super::exit::{BAD_INPUT, Usage};
use super::output::{self, Output};
use super::pictures::Pictures;
use super::status::Work;
use super::trace_group::TraceGroup;
use crate::analyze::Name;
use crate::analyze::compare::{Comparison, Fact, Gate, Gates, Options, Outcome};
use crate::export::json;
use crate::render::text::compare as text;
use crate::render::{change, markdown};
use anyhow::bail;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows of each kind in the overview, and of one kind with `--by`, without `--top`.
const TOP: usize = 8;
const TOP_OF_ONE: usize = 20;
/// Rows of each kind in Markdown, without `--top`.
const TOP_OF_MARKDOWN: usize = 10;

/// Compares two runs, or two groups of runs: what became slower or faster, and is it noise?
///
/// A side is a trace, or a folder that holds the traces of several runs (`gotrace repeat` makes such).
/// Differences are always new minus base. docs/comparing.md explains how verdicts come about. Exit code 1
/// is a gate that something did not pass, 3 are two sides that cannot be compared, or a gate that could
/// not be judged.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gotrace compare [OPTIONS] BASE NEW\n       gotrace compare [OPTIONS] BASE... -- NEW..."
)]
pub(super) struct Args {
    /// BASE and NEW; or, with `--`, all traces and folders of base
    #[arg(required = true, value_name = "BASE")]
    base: Vec<PathBuf>,
    /// All traces and folders of new
    #[arg(last = true, value_name = "NEW")]
    new: Vec<PathBuf>,
    /// Traces of one and the same thing, run several times: what they differ by is shown as the
    /// noise floor
    #[arg(long, value_name = "DIR")]
    noise: Option<PathBuf>,
    /// Compare although these facts are not the same: command, go, target, flags, cores, cache,
    /// ...; without a list, whatever they are
    #[arg(
        long,
        value_name = "FACT,...",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Fact::PERMITS),
        hide_possible_values = true
    )]
    allow: Option<Vec<String>>,
    /// Show only these rows
    #[arg(long, value_name = "WHAT", value_parser = by(), conflicts_with_all = ["json", "markdown"])]
    by: Option<&'static str>,
    /// Rows of each kind to show; 0 for all [default: 8 of each, 20 of one]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Write JSON (docs/json-schema.md); without `--top`, all rows
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Write Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
    /// Fail if wall or CPU time of the whole command is slower by more than this, beyond noise
    #[arg(long, value_name = "P%", value_parser = percent)]
    fail_over: Option<f64>,
    /// Fail if a package, tool or phase is slower by more than this, beyond noise:
    /// `package=example.com/m/...:10%` (`...` stands for any text); may be given several times
    #[arg(long, value_name = "KIND=NAME:P%", value_parser = gate)]
    fail_on: Vec<Gate>,
    /// Say nothing but errors and what is missing: no status line
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    pictures: Pictures,
}

/// The word that shows all facts of both sides, and no figures.
const FACT: &str = "fact";

fn by() -> impl clap::builder::TypedValueParser<Value = &'static str> {
    let mut kinds = text::SECTIONS.map(|(kind, ..)| kind).to_vec();
    kinds.dedup();
    kinds.push(FACT);
    PossibleValuesParser::new(kinds.clone()).try_map(move |name| {
        let found = kinds.iter().copied().find(|kind| *kind == name);
        found.ok_or("not something to show rows by")
    })
}

/// `5%` or `5`, as 0.05.
fn percent(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    Ok(super::selection::not_negative(number)? / 100.0)
}

/// `package=m/a:10%`.
fn gate(text: &str) -> Result<Gate, String> {
    let expected = "expected KIND=NAME:P%, as in package=example.com/m:10%";
    let (kind, rest) = text.split_once('=').ok_or(expected)?;
    let (pattern, limit) = rest.rsplit_once(':').ok_or(expected)?;
    if !["package", "tool", "phase"].contains(&kind) {
        return Err(format!("{kind}: expected package, tool or phase"));
    }
    Ok(Gate {
        kind: Name::from(kind),
        pattern: Name::from(pattern),
        limit: percent(limit)?,
    })
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (base, new) = self.sides()?;
        self.pictures.check()?;
        let gates = self.gates();
        let work = Work::begin(self.quiet, "");
        let base = TraceGroup::of(base)?.runs(&work)?;
        let new = TraceGroup::of(new)?.runs(&work)?;
        let options = Options {
            noise: match &self.noise {
                Some(folder) => TraceGroup::at(folder)?.runs(&work)?,
                None => Vec::new(),
            },
        };
        work.goes_on("comparing");
        let comparison = Comparison::of(&base, &new, &options);
        drop(work);
        if let (Some(folder), Some(noise)) = (&self.noise, &comparison.noise)
            && !noise.is_enough()
        {
            bail!(
                "{}: a noise floor takes two runs that ended well and are not compared \
                 themselves, found {}",
                folder.display(),
                noise.runs.len()
            );
        }
        let refused = self.refused(&comparison);
        let outcome = gates.map(|gates| gates.judge(&comparison));
        self.write(&comparison, refused.as_deref(), outcome.as_ref())?;
        if let Some(words) = refused {
            output::note(&format!("not comparable because {words}"));
            output::hint("--allow compares nevertheless, --allow=FACT,... if nothing else differs");
            return Ok(ExitCode::from(BAD_INPUT));
        }
        self.pictures.draw(&comparison)?;
        outcome.map_or(Ok(ExitCode::SUCCESS), |outcome| end(&outcome))
    }

    /// The operands of base and of new.
    fn sides(&self) -> Result<(&[PathBuf], &[PathBuf]), Usage> {
        match (&self.base[..], &self.new[..]) {
            ([_, _], []) => Ok(self.base.split_at(1)),
            (base, []) => Err(Usage(format!(
                "expected BASE and NEW, found {} operands; several on a side are BASE... -- NEW...",
                base.len()
            ))),
            sides => Ok(sides),
        }
    }

    fn gates(&self) -> Option<Gates> {
        let whole = self.fail_over.map(Gate::whole).into_iter();
        let gates: Vec<Gate> = whole.chain(self.fail_on.iter().cloned()).collect();
        (!gates.is_empty()).then_some(Gates(gates))
    }

    /// Why the two cannot be compared, as far as that is not allowed.
    fn refused(&self, comparison: &Comparison) -> Option<String> {
        let allowed = |fact: &Fact| match &self.allow {
            None => false,
            Some(facts) => facts.is_empty() || facts.iter().any(|name| name == fact.permit()),
        };
        let binding = comparison.complaints();
        let binding = binding.filter(|difference| !allowed(&difference.fact));
        let noise = comparison.noise.iter().flat_map(|it| &it.differences);
        let noise = noise.filter(|difference| !allowed(&difference.fact));
        let words = binding.map(change::fact);
        let words: Vec<String> = words.chain(noise.map(change::noise_fact)).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    fn write(
        &self,
        comparison: &Comparison,
        refused: Option<&str>,
        gates: Option<&Outcome>,
    ) -> anyhow::Result<()> {
        let comparable = refused.is_none();
        let mut output = Output::stdout();
        let page = output.page();
        let top = |default: usize| match self.top.unwrap_or(default) {
            0 => usize::MAX,
            top => top,
        };
        if self.json {
            let rows = if comparable {
                comparison.leading(top(0))
            } else {
                Vec::new()
            };
            let gates = gates.filter(|_| comparable);
            json::compare(comparison, comparable, gates, rows.into_iter(), &mut output)?;
        } else if self.markdown {
            match refused {
                Some(why) => markdown::refusal(comparison, why, &mut output)?,
                None => markdown::write(comparison, gates, top(TOP_OF_MARKDOWN), &mut output)?,
            }
        } else {
            text::head(comparison, &page, &mut output)?;
            match self.by {
                Some(FACT) => text::facts(comparison, &page, &mut output)?,
                _ if !comparable => {}
                None => text::overview(comparison, top(TOP), &page, &mut output)?,
                Some(by) => {
                    let sections = text::SECTIONS.into_iter();
                    for section in sections.filter(|(kind, ..)| *kind == by) {
                        text::section(comparison, section, top(TOP_OF_ONE), &page, &mut output)?;
                    }
                }
            }
        }
        output.finish()
    }
}

/// Says what a gate did not let pass, could not judge, or does not hold.
fn end(outcome: &Outcome) -> anyhow::Result<ExitCode> {
    for breach in &outcome.breaches {
        output::note(&change::breach(breach));
    }
    for (key, verdict) in &outcome.undecided {
        let words = change::undecided(key, verdict);
        output::note(&format!("gate not judged: {words}"));
    }
    for words in change::one_sided(outcome) {
        output::note(&words);
    }
    let mut idle = outcome.idle.iter().map(change::idle);
    match (&outcome.breaches[..], idle.next(), &outcome.undecided[..]) {
        ([], Some(words), _) => Err(Usage(words).into()),
        ([_, ..], words, _) => {
            for words in words.into_iter().chain(idle) {
                output::note(&words);
            }
            Ok(ExitCode::FAILURE)
        }
        ([], None, [_, ..]) => Ok(ExitCode::from(BAD_INPUT)),
        ([], None, []) => Ok(ExitCode::SUCCESS),
    }
}
