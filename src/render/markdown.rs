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
    head(comparison, &verdict(comparison, gates), out)?;
    for caveat in change::caveats(comparison) {
        writeln!(out, "\n**{}**", cell(&caveat))?;
    }
    if let Some(gates) = gates {
        outcome(gates, out)?;
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

/// Writes that the sides cannot be compared, because of what, and what they are.
///
/// # Errors
///
/// Those of the writer.
pub fn refusal(comparison: &Comparison, why: &str, out: &mut dyn io::Write) -> io::Result<()> {
    head(comparison, "Not comparable", out)?;
    writeln!(
        out,
        "\n**not comparable because {}: nothing was judged**",
        cell(why)
    )
}

fn head(comparison: &Comparison, title: &str, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "### {title}\n")?;
    writeln!(
        out,
        "{}; {}",
        cell(&change::sides(comparison)),
        cell(&change::runs(comparison))
    )?;
    for difference in &comparison.differences {
        writeln!(out, "\n- {}", cell(&change::fact(difference)))?;
    }
    Ok(())
}

fn outcome(gates: &Outcome, out: &mut dyn io::Write) -> io::Result<()> {
    let breaches = gates.breaches.iter().map(change::breach);
    let undecided = gates.undecided.iter();
    let undecided = undecided.map(|(key, verdict)| {
        let words = change::undecided(key, verdict);
        format!("not judged: {words}")
    });
    let idle = gates.idle.iter().map(change::idle);
    for words in breaches.chain(undecided).chain(idle) {
        writeln!(out, "\n**{}**", cell(&words))?;
    }
    for words in change::one_sided(gates) {
        writeln!(out, "\n{}", cell(&words))?;
    }
    Ok(())
}

/// What the reader should know first.
fn verdict(comparison: &Comparison, gates: Option<&Outcome>) -> String {
    if let Some(gates) = gates {
        if !gates.breaches.is_empty() {
            return "Slower than allowed".to_owned();
        }
        if !gates.passed() {
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

/// A name as code, in a cell of a table: between more backticks than there are in it, with its bars
/// escaped, which is undone in code, too, where it stands in a table.
fn code(name: &str) -> String {
    let name = safe(name).replace('|', "\\|");
    let runs = name.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    if name.is_empty() || name.starts_with('`') || name.ends_with('`') {
        return format!("{fence} {name} {fence}");
    }
    format!("{fence}{name}{fence}")
}

/// Text that stays within its cell, whatever it is, and calls nobody: names come from strangers.
/// A comment that is not shown stands between what would be a mention or a reference
/// (`m@v1.2.0`, `#12`), for these are found in the text when escapes have been undone.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in safe(text).chars() {
        match c {
            '|' | '\\' | '*' | '_' | '[' | ']' | '~' | '`' => {
                cell.push('\\');
                cell.push(c);
            }
            '@' => cell.push_str("@<!-- -->"),
            '#' => cell.push_str("\\#<!-- -->"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            c => cell.push(c),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_as_it_was_between_more_backticks_than_it_has() {
        for (name, expected) in [
            ("m/a", "`m/a`"),
            ("m@v1.2.0", "`m@v1.2.0`"),
            ("a`b", "``a`b``"),
            ("a``b`c", "```a``b`c```"),
            ("`a", "`` `a ``"),
            ("a|b", "`a\\|b`"),
            ("", "`  `"),
        ] {
            assert_eq!(code(name), expected, "{name}");
        }
    }

    #[test]
    fn text_has_no_mark_and_calls_nobody() {
        for (text, expected) in [
            ("go install m@v1.2.0", "go install m@<!-- -->v1.2.0"),
            ("see #12", "see \\#<!-- -->12"),
            ("`x` | *y* <b>", "\\`x\\` \\| \\*y\\* &lt;b&gt;"),
            ("[a](b) \\ ~z~ a_b", "\\[a\\](b) \\\\ \\~z\\~ a\\_b"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
