//! What settings do, as tables.

use super::page::{Page, Tone};
use super::table::{Cell, Column, Table};
use crate::analyze::experiment::{Effect, Experiment, Row};
use crate::render::units::{self, Scale};
use crate::trace::Nanos;
use std::io;

/// Writes tables of wall time, CPU time and names, and what there is to know of them.
///
/// # Errors
///
/// Those of the writer.
pub fn write(experiment: &Experiment, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    times("wall time", |row| &row.wall, experiment, page, out)?;
    writeln!(out)?;
    times("CPU time", |row| &row.cpu, experiment, page, out)?;
    writeln!(out)?;
    if experiment.rows.iter().any(|row| row.naming.samples > 0) {
        names(experiment, page, out)?;
        reasons(experiment, page, out)?;
    } else {
        let words = "no samples: what names are found is seen with the backend bpf";
        writeln!(out, "{words}")?;
    }
    writeln!(
        out,
        "\nchanges are against the baseline, with 95 % intervals"
    )?;
    if experiment.rows.iter().any(|row| row.failed > 0) {
        writeln!(out, "runs that failed are in no figure")?;
    }
    if experiment.is_noisy() {
        let words = "the baseline differs from itself: this machine is too noisy for a verdict";
        writeln!(out, "{}", page.paint(words, Tone::Strong))?;
    }
    Ok(())
}

fn times(
    title: &str,
    effect: fn(&Row) -> &Effect,
    experiment: &Experiment,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let fails = experiment.rows.iter().any(|row| row.failed > 0);
    let mut columns = vec![
        Column::name(title),
        Column::number("runs").optional(1),
        Column::number("median"),
        Column::word("change"),
        Column::word("verdict"),
    ];
    if fails {
        columns.insert(2, Column::number("failed"));
    }
    let mut table = Table::new(columns);
    let medians = experiment.rows.iter().filter_map(|row| effect(row).median);
    let scale = Scale::of_all(medians.map(nanos));
    for row in &experiment.rows {
        let effect = effect(row);
        let median = effect.median.map(|value| scale.write(nanos(value)));
        let change = effect.change.map(|ratio| {
            let part = |ratio: f64| signed((ratio - 1.0) * 100.0, 1);
            let [low, high] = [ratio.low, ratio.high].map(part);
            format!("{} % [{low}, {high}]", part(ratio.estimate))
        });
        let mut cells = vec![
            row.name.as_str().into(),
            units::count(row.runs as u64).into(),
            median.unwrap_or_else(|| "-".to_owned()).into(),
            change.unwrap_or_default().into(),
            verdict(effect),
        ];
        if fails {
            cells.insert(2, units::count(row.failed as u64).into());
        }
        table.push(cells);
    }
    table.write(page, out)
}

fn names(experiment: &Experiment, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::name("names"),
        Column::number("samples"),
        Column::number("named"),
        Column::number("whole stacks").optional(2),
        Column::number("frames named"),
        Column::word("change in points"),
    ]);
    for row in &experiment.rows {
        let naming = &row.naming;
        let change = row.named.change.map(|points| {
            let part = |points: f64| signed(points * 100.0, 2);
            let [low, high] = [points.low, points.high].map(part);
            format!("{} [{low}, {high}]", part(points.estimate))
        });
        table.push(vec![
            row.name.as_str().into(),
            units::count(naming.samples).into(),
            percent(naming.named_samples, naming.samples).into(),
            percent(naming.whole_stacks, naming.samples).into(),
            percent(naming.named_frames(), naming.frames).into(),
            change.unwrap_or_default().into(),
        ]);
    }
    table.write(page, out)
}

/// Frames without a name, the most frequent reason first.
fn reasons(experiment: &Experiment, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::name("frames without a name"),
        Column::word("of all, by reason"),
    ]);
    for Row { name, naming, .. } in &experiment.rows {
        let mut reasons: Vec<_> = naming
            .unnamed
            .iter()
            .filter(|(_, count)| **count > 0)
            .collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let reasons = reasons.iter();
        let reasons =
            reasons.map(|(why, count)| format!("{why} {}", percent(**count, naming.frames)));
        let reasons: Vec<String> = reasons.collect();
        if !reasons.is_empty() {
            table.push(vec![name.as_str().into(), reasons.join(", ").into()]);
        }
    }
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    table.write(page, out)
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{:.2} %", part as f64 / whole as f64 * 100.0),
    }
}

fn verdict(effect: &Effect) -> Cell {
    match &effect.verdict {
        None => Cell::default(),
        Some(verdict) if verdict.is_change() => Cell::toned(verdict.words(), Tone::Strong),
        Some(verdict) => Cell::toned(verdict.words(), Tone::Dim),
    }
}

fn nanos(value: f64) -> Nanos {
    Nanos(value as u64)
}

/// With its sign, and zero without.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    let is_zero = text.bytes().all(|byte| !(b'1'..=b'9').contains(&byte));
    if is_zero {
        format!("{:.decimals$}", 0.0)
    } else {
        text
    }
}
