//! What `gotrace doctor` shows: findings under what they are about, and their count.

use super::page::{Page, Tone};
use super::width::columns;
use crate::analyze::doctor::{Diagnosis, Finding, Level};
use crate::render::units;
use std::io;

/// Columns of a level and the space behind it, as wide as `warning`.
const LEVEL: usize = 9;
/// Columns of a check's name and the space behind it.
const NAME: usize = 13;

/// Writes the findings, and how many there are; with `quiet` those that are wrong alone.
///
/// # Errors
///
/// Those of the writer.
pub fn findings(
    diagnosis: &Diagnosis,
    quiet: bool,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let shown = diagnosis.findings.iter();
    let shown = shown.filter(|finding| !quiet || finding.level >= Level::Warning);
    let mut section = None;
    for finding in shown {
        let of = finding.check.section();
        if section != Some(of) {
            writeln!(out, "{}", page.paint(of.name(), Tone::Strong))?;
            section = Some(of);
        }
        one(finding, page, out)?;
    }
    let counted = |level, one, many| {
        let count = diagnosis.count(level) as u64;
        units::counted(count, one, many)
    };
    let counts = [
        counted(Level::Error, "error", "errors"),
        counted(Level::Warning, "warning", "warnings"),
        counted(Level::Note, "note", "notes"),
    ];
    writeln!(out, "{}", counts.join(", "))
}

const fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Dim,
        Level::Note => Tone::Plain,
        Level::Warning => Tone::Warning,
        Level::Error => Tone::Critical,
    }
}

fn one(finding: &Finding, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let level = finding.level.name();
    let level = page.paint(&format!("{level:LEVEL$}"), tone(finding.level));
    let name = format!("{:NAME$}", finding.check.id());
    writeln!(out, "  {level}{name}{}", wrapped(&finding.text, page))?;
    // What is fine needs no proof.
    if finding.level == Level::Ok {
        return Ok(());
    }
    let mut more = |label: &str, text: String| {
        let label = page.paint(&format!("{label:NAME$}"), Tone::Dim);
        match text.is_empty() {
            true => Ok(()),
            false => writeln!(out, "  {:LEVEL$}{label}{text}", ""),
        }
    };
    more("because", wrapped(&finding.evidence, page))?;
    // A command is pasted as one line.
    more("try", page.safe(&finding.remedy))
}

/// The text in lines that fit the page, those after the first where the first begins.
fn wrapped(text: &str, page: &Page) -> String {
    let before = 2 + LEVEL + NAME;
    let room = page.columns.saturating_sub(before).max(NAME);
    let mut wrapped = String::new();
    let mut line = 0;
    for word in page.safe(text).split(' ') {
        let length = columns(word);
        if line > 0 && line + 1 + length > room {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(before));
            line = 0;
        } else if line > 0 {
            wrapped.push(' ');
            line += 1;
        }
        wrapped.push_str(word);
        line += length;
    }
    wrapped
}
