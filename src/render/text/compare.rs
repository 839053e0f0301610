//! The tables of `gotrace compare`.

use super::page::{Page, Tone};
use super::summary::line;
use super::table::{Cell, Column, Table};
use crate::analyze::compare::{Fact, Measure, Row, Subject, Verdict};
use crate::analyze::{Comparison, Name};
use crate::render::change::{self, Figures};
use crate::render::units::{self, Scale};
use crate::trace::Nanos;
use std::io;

/// Reasons that are named for each package that was built anew.
const REASONS: usize = 3;

/// What is compared in a table of its own, what its rows are called, and how.
pub const SECTIONS: [(&str, &str, Measure); 8] = [
    ("package", "packages by CPU time", Measure::Cpu),
    ("tool", "tools by CPU time", Measure::Cpu),
    ("phase", "phases by CPU time", Measure::Cpu),
    ("action", "actions by running time", Measure::Wall),
    ("function", "functions by own CPU time", Measure::Own),
    (
        "function",
        "functions by CPU time with what they called",
        Measure::Total,
    ),
    ("function", "functions by number of calls", Measure::Count),
    ("function", "functions by time in calls", Measure::CallTime),
];

/// Whether the overview leaves a section out, for what it holds stands in others, too.
fn is_detail((kind, _, measure): (&str, &str, Measure)) -> bool {
    kind == "action" || matches!(measure, Measure::Total | Measure::CallTime)
}

/// Writes what is compared, and what is not the same on both sides.
///
/// # Errors
///
/// Those of the writer.
pub fn head(comparison: &Comparison, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    line(page, out, &change::sides(comparison), Tone::Strong)?;
    line(page, out, &change::runs(comparison), Tone::Plain)?;
    for difference in &comparison.differences {
        let tone = if difference.binds {
            Tone::Warning
        } else {
            Tone::Dim
        };
        line(page, out, &change::fact(difference), tone)?;
    }
    Ok(())
}

/// Writes all circumstances of both sides: what is not the same first, then what is, then what is
/// not known.
///
/// # Errors
///
/// Those of the writer.
pub fn facts(comparison: &Comparison, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::word("fact"),
        Column::name("base"),
        Column::name("new"),
        Column::word(""),
    ]);
    for difference in &comparison.differences {
        let (note, tone) = if difference.binds {
            ("not comparable", Tone::Warning)
        } else {
            ("differs", Tone::Plain)
        };
        table.push(vec![
            difference.fact.name().into(),
            change::values(&difference.base).into(),
            change::values(&difference.new).into(),
            Cell::toned(note, tone),
        ]);
    }
    for (fact, value) in &comparison.same.0 {
        let value = change::fact_value(value);
        table.push(vec![fact.name().into(), value.into(), value.into()]);
    }
    for fact in Fact::ALL {
        let differs = comparison.differences.iter().any(|it| it.fact == fact);
        if !differs && !comparison.same.0.contains_key(&fact) {
            let cells = [fact.name(), "not known", "not known"];
            table.push(cells.map(|text| Cell::toned(text, Tone::Dim)).to_vec());
        }
    }
    writeln!(out)?;
    table.write(page, out)
}

/// Writes the overview: the whole command, then at most `top` rows of each kind, those that
/// changed first.
///
/// # Errors
///
/// Those of the writer.
pub fn overview(
    comparison: &Comparison,
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for caveat in change::caveats(comparison) {
        line(page, out, &caveat, Tone::Warning)?;
    }
    writeln!(out)?;
    whole(comparison, page, out)?;
    for one in SECTIONS.into_iter().filter(|one| !is_detail(*one)) {
        section(comparison, one, top, page, out)?;
    }
    if comparison.crosses_translators() {
        translation(comparison, top, page, out)?;
    }
    rebuilt(comparison, top, page, out)?;
    if let Some(words) = change::outputs(comparison) {
        writeln!(out)?;
        line(page, out, &words, Tone::Plain)?;
    }
    Ok(())
}

fn whole(comparison: &Comparison, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let measures = [
        Measure::Wall,
        Measure::Cpu,
        Measure::LongestChain,
        Measure::Parallelism,
    ];
    let rows = measures.into_iter();
    let mut rows: Vec<&Row> = rows
        .filter_map(|measure| comparison.row(&Subject::Whole, measure))
        .collect();
    let collections = Subject::Phase {
        track: Name::from("runtime"),
        phase: Name::from("GC mark"),
    };
    rows.extend(comparison.row(&collections, Measure::Count));
    rows.extend(comparison.ranked("signal", Measure::Count));
    table(comparison, "", &rows, None).write(page, out)
}

/// Writes the rows of one kind, at most `top`; nothing where there are none.
///
/// # Errors
///
/// Those of the writer.
pub fn section(
    comparison: &Comparison,
    (kind, title, measure): (&str, &str, Measure),
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut rows = comparison.ranked(kind, measure);
    rows.retain(|row| row.key.is_judged() || !row.is_zero());
    if rows.is_empty() {
        return Ok(());
    }
    let tally = change::tally(comparison, &rows);
    let title = match &*tally {
        "" => title.to_owned(),
        tally => format!("{title}: {tally}"),
    };
    writeln!(out)?;
    line(page, out, &title, Tone::Strong)?;
    let shown = rows.get(..top.min(rows.len())).unwrap_or_default();
    let times = shown
        .iter()
        .map(|row| row.base_median().max(row.new_median()));
    let scale = Scale::of_all(times.map(|time| Nanos(time as u64)));
    let scale = measure.is_time().then_some(scale);
    table(comparison, kind, shown, scale).write(page, out)?;
    match rows.len() - shown.len() {
        0 => Ok(()),
        left_out => {
            let rows = units::counted(left_out as u64, "more row is", "more rows are");
            let words = format!("{rows} left out: --by {kind} --top 0 shows all");
            line(page, out, &words, Tone::Dim)
        }
    }
}

fn table(comparison: &Comparison, kind: &str, rows: &[&Row], scale: Option<Scale>) -> Table {
    let mut columns = vec![
        Column::name(kind),
        Column::number("base"),
        Column::number("new"),
        Column::number("change"),
        Column::number(""),
    ];
    let intervals = !comparison.is_single();
    let floors = rows.iter().any(|row| row.noise.is_some());
    if intervals {
        columns.push(Column::number("95 % interval").optional(1));
    }
    if floors {
        columns.push(Column::word("noise floor").optional(2));
    }
    columns.push(Column::word(""));
    let mut table = Table::new(columns);
    for row in rows {
        let name = match row.key.subject {
            Subject::Whole => Cell::from(row.key.measure.name()),
            Subject::Phase { .. } if row.key.measure == Measure::Count => Cell::from("GC cycles"),
            _ => Cell::from(&*row.key.subject.name()),
        };
        let figures = Figures::of(row, scale);
        let mut cells = vec![
            name,
            figures.base.into(),
            figures.new.into(),
            figures.difference.into(),
            figures.ratio.into(),
        ];
        if intervals {
            cells.push(change::interval(row.ratio_interval()).into());
        }
        if floors {
            cells.push(change::noise(row.noise.as_ref(), row).into());
        }
        cells.push(verdict(comparison, row));
        table.push(cells);
    }
    table
}

fn verdict(comparison: &Comparison, row: &Row) -> Cell {
    let words = change::verdict(comparison, row);
    let Some(verdict) = &row.verdict else {
        return Cell::default();
    };
    let tone = match verdict {
        Verdict::Slower => Tone::Critical,
        Verdict::Faster => Tone::Strong,
        Verdict::Withheld { .. } => Tone::Warning,
        Verdict::WithinNoise | Verdict::TooFewRuns { .. } => Tone::Dim,
        Verdict::OnlyInBase | Verdict::OnlyInNew => Tone::Plain,
    };
    Cell::toned(words, tone)
}

/// What translation costs, by tool and package: in programs that come up, and in those that run.
fn translation(
    comparison: &Comparison,
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if let Some(words) = change::alternative(comparison) {
        writeln!(out)?;
        line(page, out, &words, Tone::Strong)?;
    }
    for kind in ["tool", "package"] {
        let rows = comparison.ranked(kind, Measure::Cpu);
        let mut table = Table::new(vec![
            Column::name(kind),
            Column::number("slowdown"),
            Column::number("start-up"),
            Column::number(""),
            Column::number("steady state"),
            Column::number(""),
            Column::number("in the translator"),
        ]);
        let both = rows.iter().filter(|row| row.ratio().is_some());
        let rows = both.take(top).filter_map(|row| translated(comparison, row));
        rows.for_each(|row| table.push(row));
        if !table.is_empty() {
            writeln!(out)?;
            let title = format!("translation by {kind}: CPU time of samples before and after main");
            line(page, out, &title, Tone::Strong)?;
            table.write(page, out)?;
        }
    }
    match change::unplaced(comparison) {
        Some(words) => line(page, out, &words, Tone::Dim),
        None => Ok(()),
    }
}

/// The two parts of a tool or package; `None` where it was not sampled.
fn translated(comparison: &Comparison, row: &Row) -> Option<Vec<Cell>> {
    let of = |measure| comparison.row(&row.key.subject, measure);
    let parts = [Measure::StartUp, Measure::SteadyState].map(of);
    let samples = || parts.into_iter().chain([of(Measure::Unplaced)]).flatten();
    if samples().all(Row::is_zero) {
        return None;
    }
    let mut cells = vec![Cell::from(&*row.key.subject.name()), times(row).into()];
    for part in parts {
        cells.push(
            part.map_or_else(|| change::NOT_KNOWN.to_owned(), base_to_new)
                .into(),
        );
        cells.push(
            part.map_or_else(|| change::NOT_KNOWN.to_owned(), times)
                .into(),
        );
    }
    let translated: fn(&Row) -> f64 = match comparison.new.translation.translator {
        Some(_) => Row::new_median,
        None => Row::base_median,
    };
    let all: f64 = samples().map(translated).sum();
    let within = of(Measure::Translator).map_or(0.0, translated);
    cells.push(units::percent(within / all).into());
    Some(cells)
}

/// `724 ms → 8.45 s`.
fn base_to_new(row: &Row) -> String {
    let Figures { base, new, .. } = Figures::of(row, None);
    format!("{base} → {new}")
}

fn times(row: &Row) -> String {
    row.ratio()
        .filter(|ratio| *ratio > 0.0 && row.has_both())
        .map_or_else(
            || change::NOT_KNOWN.to_owned(),
            |ratio| format!("×{ratio:.2}"),
        )
}

fn rebuilt(
    comparison: &Comparison,
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let all = &comparison.rebuilt;
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let packages = units::counted(all.len() as u64, "package", "packages");
    let title = format!("built anew, and why: {packages}");
    line(page, out, &title, Tone::Strong)?;
    for rebuilt in all.iter().take(top) {
        let words = format!("  {}", change::rebuilt(rebuilt, REASONS));
        line(page, out, &words, Tone::Plain)?;
    }
    match all.len().saturating_sub(top) {
        0 => Ok(()),
        left_out => {
            let packages = units::counted(left_out as u64, "more is", "more are");
            let words = format!("{packages} left out: --json has all");
            line(page, out, &words, Tone::Dim)
        }
    }
}
