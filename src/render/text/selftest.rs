//! What `gotrace selftest` shows: a line for each trial while it goes on, and a report in the end.

use super::doctor;
use super::page::{Page, Tone};
use crate::analyze::doctor::Diagnosis;
use crate::analyze::selftest::{Counts, Outcome, Standing};
use crate::environment::host::Host;
use crate::render::units;
use std::io;

/// Columns of a standing and the space behind it, as wide as `not here`.
const STANDING: usize = 10;
/// Columns of a trial's name and the space behind it, as wide as `translated`.
const NAME: usize = 12;

/// Writes the line of a trial, and why it did not pass.
///
/// # Errors
///
/// Those of the writer.
pub fn line(outcome: &Outcome, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let standing = outcome.standing.name();
    let tone = match outcome.standing {
        Standing::Passed => Tone::Dim,
        Standing::NotHere(_) => Tone::Plain,
        Standing::Failed(_) => Tone::Critical,
    };
    let standing = page.paint(&format!("{standing:STANDING$}"), tone);
    let trial = outcome.trial;
    writeln!(out, "{standing}{:NAME$}{}", trial.id(), trial.question())?;
    let mut more = |text: &str| match text.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{:STANDING$}{:NAME$}{}", "", "", page.safe(text)),
    };
    match &outcome.standing {
        Standing::Passed => Ok(()),
        Standing::Failed(why) => more(why),
        Standing::NotHere(refusal) => {
            more(&refusal.to_string())?;
            more(&match refusal.remedy.as_str() {
                "" => String::new(),
                remedy => format!("to change that: {remedy}"),
            })
        }
    }
}

/// Writes how many trials ended in which way.
///
/// # Errors
///
/// Those of the writer.
pub fn counts(outcomes: &[Outcome], out: &mut dyn io::Write) -> io::Result<()> {
    let Counts {
        passed,
        failed,
        not_here,
    } = Counts::of(outcomes);
    writeln!(
        out,
        "{passed} passed, {failed} failed, {not_here} cannot be tried here"
    )
}

/// Writes the report: the machine, what `doctor` finds, and each trial with all that was compared.
///
/// # Errors
///
/// Those of the writer.
pub fn report(
    host: &Host,
    diagnosis: &Diagnosis,
    outcomes: &[Outcome],
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    writeln!(out, "gotrace {} selftest", env!("CARGO_PKG_VERSION"))?;
    let memory = units::bytes(host.memory_bytes);
    let (cpu, arch, cores) = (&host.cpu, host.arch, host.cores);
    writeln!(out, "{} ({})", host.os, host.distribution)?;
    writeln!(out, "{cpu}, {arch}, {cores} cores, {memory}\n")?;
    for outcome in outcomes {
        line(outcome, page, out)?;
    }
    counts(outcomes, out)?;
    for outcome in outcomes {
        trial(outcome, page, out)?;
    }
    writeln!(out, "\n== doctor")?;
    doctor::findings(diagnosis, false, page, out)
}

/// Writes a trial as the report has it: what was run, what was compared, and what was said meanwhile.
///
/// # Errors
///
/// Those of the writer.
pub fn trial(outcome: &Outcome, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(
        out,
        "\n== {}: {}",
        outcome.trial.id(),
        outcome.standing.name()
    )?;
    for command in &outcome.commands {
        writeln!(out, "$ {}", page.safe(command))?;
    }
    for one in &outcome.comparisons {
        let mark = if one.fits { "agrees " } else { "DIFFERS" };
        writeln!(out, "{mark} {}", one.what)?;
        writeln!(out, "        expected {}", page.safe(&one.expected))?;
        writeln!(out, "        found    {}", page.safe(&one.found))?;
    }
    for told in outcome.told.lines() {
        writeln!(out, "| {}", page.safe(told))?;
    }
    Ok(())
}
