//! A comparison as Markdown, for the description of a pull request or a CI job's summary.

use super::change::{self, Figures};
use super::text::safe;
use crate::analyze::Comparison;
use crate::analyze::compare::{Measure, Outcome, Row, Subject, Verdict};
use std::io;

/// Reasons that are named for each package that was built anew.
const REASONS: usize = 3;

/// Writes the whole command, at most `top` rows that changed of each kind, why packages were built
/// anew, and what became of the gates, if there were any.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    comparison: &Comparison,
    gates: Option<&Outcome>,
    top: usize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(out, "### {}\n", verdict(comparison, gates))?;
    writeln!(
        out,
        "{}; {}",
        cell(&change::sides(comparison)),
        cell(&change::runs(comparison))
    )?;
    for difference in &comparison.differences {
        writeln!(out, "\n- {}", cell(&change::fact(difference)))?;
    }
    for caveat in change::caveats(comparison) {
        writeln!(out, "\n**{}**", cell(&caveat))?;
    }
    if let Some(gates) = gates {
        for breach in &gates.breaches {
            writeln!(out, "\n**{}**", cell(&change::breach(breach)))?;
        }
        for (key, verdict) in &gates.undecided {
            writeln!(out, "\n**{}**", cell(&change::undecided(key, verdict)))?;
        }
    }
    writeln!(out)?;
    let whole = [Measure::Wall, Measure::Cpu, Measure::LongestChain];
    let whole = whole.into_iter();
    let whole: Vec<&Row> = whole
        .filter_map(|measure| comparison.row(&Subject::Whole, measure))
        .collect();
    rows(comparison, &whole, out)?;
    for (kind, title) in [
        ("package", "Packages"),
        ("tool", "Tools"),
        ("phase", "Phases"),
    ] {
        section(comparison, kind, title, top, out)?;
    }
    rebuilt(comparison, top, out)
}

/// What the reader should know first.
fn verdict(comparison: &Comparison, gates: Option<&Outcome>) -> String {
    if let Some(gates) = gates {
        if !gates.breaches.is_empty() {
            return "Slower than allowed".to_owned();
        }
        if !gates.undecided.is_empty() {
            return "Not decided".to_owned();
        }
    }
    let wall = comparison.row(&Subject::Whole, Measure::Wall);
    let verdict = wall.and_then(|row| row.verdict.as_ref());
    match (wall, verdict) {
        (Some(row), Some(verdict @ (Verdict::Slower | Verdict::Faster))) => {
            let change = change::relative(row.ratio());
            format!("The build is {}: {change}", verdict.words())
        }
        (_, Some(Verdict::WithinNoise)) => "The build's time is within noise".to_owned(),
        (_, Some(verdict)) => format!("The build's time: {}", verdict.words()),
        _ => "Two groups of runs".to_owned(),
    }
}

fn section(
    comparison: &Comparison,
    kind: &str,
    title: &str,
    top: usize,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let all = comparison.ranked(kind, Measure::Cpu);
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n<details><summary>{title}: {}</summary>\n",
        cell(&change::tally(comparison, &all))
    )?;
    let shown = all.get(..top.min(all.len())).unwrap_or_default();
    rows(comparison, shown, out)?;
    if let left_out @ 1.. = all.len().saturating_sub(top) {
        writeln!(out, "\n{left_out} more left out.")?;
    }
    writeln!(out, "\n</details>")
}

fn rows(comparison: &Comparison, rows: &[&Row], out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "| | base | new | change | 95 % interval | |")?;
    writeln!(out, "|---|---:|---:|---:|---:|---|")?;
    for row in rows {
        let measure = row.key.measure;
        let name = match row.key.subject {
            Subject::Whole => measure.name().to_owned(),
            _ => code(&row.key.subject.name()),
        };
        let words = change::verdict(comparison, row);
        let verdict = match row.verdict {
            Some(Verdict::Slower | Verdict::Faster) => format!("**{words}**"),
            _ => words,
        };
        let figures = Figures::of(row, None);
        writeln!(
            out,
            "| {name} | {} | {} | {} ({}) | {} | {} |",
            figures.base,
            figures.new,
            figures.difference,
            figures.ratio,
            change::interval(row.ratio_interval()),
            verdict
        )?;
    }
    Ok(())
}

fn rebuilt(comparison: &Comparison, top: usize, out: &mut dyn io::Write) -> io::Result<()> {
    let all = &comparison.rebuilt;
    if all.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n<details><summary>Built anew, and why: {}</summary>\n",
        all.len()
    )?;
    for rebuilt in all.iter().take(top) {
        writeln!(out, "- {}", cell(&change::rebuilt(rebuilt, REASONS)))?;
    }
    if let left_out @ 1.. = all.len().saturating_sub(top) {
        writeln!(out, "- {left_out} more left out")?;
    }
    writeln!(out, "\n</details>")
}

/// A name as code, in a cell of a table.
fn code(name: &str) -> String {
    let name = safe(name).replace('`', "'").replace('|', "\\|");
    format!("`{name}`")
}

/// Text that stays within its cell, whatever it is: names come from strangers.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in safe(text).chars() {
        match c {
            '|' | '\\' | '*' | '_' | '[' | ']' | '#' | '~' => {
                cell.push('\\');
                cell.push(c);
            }
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            c => cell.push(c),
        }
    }
    cell
}
