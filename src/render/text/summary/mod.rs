//! What is shown after a run: at most [`LINES`] lines that a person reads at one glance.

use super::bindings;
use super::gaps;
use super::page::{Page, Tone};
use super::ranking;
use super::table::{Cell, Column, Table};
use super::width::{columns, middle};
use crate::analyze::build::{Load, SegmentKind};
use crate::analyze::summary::{Summary, Tax, ToolchainFacts, Wrong};
use crate::analyze::{Limits, PhaseRow};
use crate::render::units::{self, Scale};
use crate::trace::{ExitStatus, Nanos};
use std::io;

/// The most lines that a summary has, with the one after it that names the trace.
pub const LINES: usize = 25;
/// Rows that a ranking of a [`Summary`] should hold for it. Where much else is to be told, there
/// are fewer rows of functions.
pub const ROWS: usize = 5;
/// The most lines about what was lost or not seen.
const GAP_LINES: usize = 3;
/// Phases that are named,
const PHASES: usize = 6;
/// of those that have this share at least.
const LEAST_SHARE: f64 = 0.005;
/// Images that are named.
const IMAGES: usize = 5;
/// Tools that are named.
const TOOLS: usize = 6;

/// Writes the summary of a trace.
///
/// # Errors
///
/// Those of the writer.
pub fn write(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut before = Vec::new();
    head(summary, page, &mut before)?;
    critical_path(summary, page, &mut before)?;
    packages(summary, page, &mut before)?;
    tools(summary, page, &mut before)?;
    phases(summary, page, &mut before)?;
    calls(summary, page, &mut before)?;
    linking(summary, page, &mut before)?;
    let mut after = Vec::new();
    if let Some(limits) = &summary.limits {
        slowest_test(limits, page, &mut after)?;
        network(&limits.load, page, &mut after)?;
    }
    wrong(&summary.wrong, page, &mut after)?;
    gaps::brief(&summary.gaps, GAP_LINES, page, &mut after)?;
    if let Some(tax) = &summary.tax {
        clauses(
            page,
            &mut after,
            "gotrace's tax: ",
            &tax_words(tax),
            Tone::Dim,
        )?;
    }
    let taken = before.iter().chain(&after).filter(|byte| **byte == b'\n');
    // Besides these, the title of the functions and the name of the trace.
    let rows = LINES.saturating_sub(taken.count() + 2).min(ROWS);
    out.write_all(&before)?;
    functions(summary, rows, page, out)?;
    out.write_all(&after)
}

/// How calls were recorded, where that was not each by itself.
fn calls(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let Some(recorded) = &summary.calls else {
        return Ok(());
    };
    let words = super::calls::recorded(recorded);
    clauses(page, out, "calls: ", &words, Tone::Plain)
}

/// What dynamic linking was and took, and the images that cost most.
fn linking(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let Some(linked) = &summary.bindings else {
        return Ok(());
    };
    let words = bindings::clauses(linked, summary.total.cpu());
    if !words.is_empty() {
        clauses(page, out, "dynamic linking: ", &words, Tone::Plain)?;
    }
    let costliest = bindings::costliest(linked, IMAGES);
    if !costliest.is_empty() {
        let start = "costliest images, estimated: ";
        clauses(page, out, start, &costliest, Tone::Plain)?;
    }
    Ok(())
}

/// Which phases the CPU time went to, and which stood on the critical path.
fn phases(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let phases = &summary.phases;
    let mut shares: Vec<(&PhaseRow, f64, f64)> = phases
        .rows
        .iter()
        .filter(|row| !row.beside)
        .map(|row| {
            let critical = row.critical.seconds() / phases.critical.seconds().max(1e-9);
            (row, row.cpu.share(phases.cpu), critical)
        })
        .collect();
    let words =
        |row: &PhaseRow, share| format!("{} {} {}", row.track, row.phase, units::percent(share));
    let seen = |share: &f64| *share >= LEAST_SHARE;
    let by_cpu = shares.iter().filter(|(_, cpu, _)| seen(cpu)).take(PHASES);
    let by_cpu: Vec<String> = by_cpu.map(|(row, cpu, _)| words(row, *cpu)).collect();
    shares.sort_by(|a, b| b.2.total_cmp(&a.2));
    let critical = shares
        .iter()
        .filter(|(_, _, critical)| seen(critical))
        .take(PHASES);
    let critical: Vec<String> = critical.map(|(row, _, share)| words(row, *share)).collect();
    for (start, found) in [
        ("phases by CPU time: ", by_cpu),
        ("phases on the critical path: ", critical),
    ] {
        if !found.is_empty() {
            clauses(page, out, start, &found, Tone::Plain)?;
        }
    }
    Ok(())
}

/// The text without its middle where it is too wide.
fn fitted(page: &Page, text: &str, columns: usize) -> String {
    let ellipsis = if page.unicode { '…' } else { '~' };
    middle(&page.safe(text), columns, ellipsis)
}

pub(super) fn line(page: &Page, out: &mut dyn io::Write, text: &str, tone: Tone) -> io::Result<()> {
    let text = fitted(page, text, page.columns);
    writeln!(out, "{}", page.paint(&text, tone))
}

/// A line of clauses, as many as the page is wide enough for; the first is there at least in part.
pub(super) fn clauses(
    page: &Page,
    out: &mut dyn io::Write,
    start: &str,
    clauses: &[String],
    tone: Tone,
) -> io::Result<()> {
    let mut text = format!("{start}{}", clauses.first().map_or("", String::as_str));
    for clause in clauses.iter().skip(1) {
        // Two columns for the comma and the space.
        if columns(&text) + 2 + columns(clause) > page.columns {
            break;
        }
        text.push_str(", ");
        text.push_str(clause);
    }
    line(page, out, &text, tone)
}

/// The toolchain and the command, and what the run took as a whole.
fn head(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let toolchain = summary.toolchains.first().map_or_else(
        || format!("no Go toolchain, {}", summary.host_arch.name()),
        toolchain,
    );
    let more = match summary.toolchains.len() {
        0 | 1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    let end = match summary.status {
        Some(ExitStatus::Code(0)) => String::new(),
        Some(ExitStatus::Code(code)) => format!(", exit code {code}"),
        Some(ExitStatus::Signal(signal)) => format!(", killed by signal {signal}"),
        Some(ExitStatus::Replaced | ExitStatus::Unknown) | None => ", end not seen".to_owned(),
    };
    let title = match &summary.imported {
        Some(from) => format!("imported from {from}: {}", summary.command),
        None => format!("{toolchain}{more}: {}{end}", summary.command),
    };
    line(page, out, &title, Tone::Strong)?;
    let total = &summary.total;
    let mut facts = vec![
        format!("wall {}", units::duration(summary.wall)),
        format!("CPU {}", units::duration(total.cpu())),
        format!(
            "parallelism {:.2} of {}",
            summary.parallelism,
            units::counted(u64::from(summary.cores), "core", "cores")
        ),
    ];
    if summary.builds > 0 {
        facts.push(units::counted(summary.built as u64, "action", "actions"));
    }
    if summary.cached > 0 {
        facts.push(format!("{} cached", units::count(summary.cached as u64)));
    }
    let processes = u64::from(total.processes);
    facts.push(units::counted(processes, "process", "processes"));
    clauses(page, out, "", &facts, Tone::Plain)
}

fn toolchain(facts: &ToolchainFacts) -> String {
    let how = match &facts.translator {
        Some(translator) => format!("translated by {translator}"),
        None => "native".to_owned(),
    };
    format!("{} {}, {how}", facts.version, facts.arch.name())
}

fn critical_path(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let path = &summary.critical_path;
    if summary.builds == 0 {
        let none = match summary.imported {
            Some(_) => "no actions were recorded: imported recordings have none",
            None => "no go command built anything",
        };
        return line(page, out, none, Tone::Plain);
    }
    let parts = [
        (path.running, "running"),
        (path.waiting, "waiting for a slot"),
        (path.go, "go itself"),
        (path.outside, "outside of go"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(time, _)| *time > Nanos::ZERO)
        .map(|(time, what)| (units::share(time, path.wall()), what))
        .filter(|(share, _)| !share.starts_with('<'))
        .map(|(share, what)| format!("{share} {what}"))
        .collect();
    clauses(page, out, "critical path: ", &parts, Tone::Strong)?;
    let mut table = Ranking::new();
    let scale = Scale::of_all(summary.critical_segments.iter().map(|s| s.segment.length()));
    // The line about calls takes the place of the last one.
    let rows = ROWS - usize::from(summary.calls.is_some());
    for named in summary.critical_segments.iter().take(rows) {
        let length = named.segment.length();
        let tone = match named.segment.kind {
            SegmentKind::Running(_) => Tone::Critical,
            _ => Tone::Plain,
        };
        table.push(
            &scale.write(length),
            &units::share(length, path.wall()),
            Cell::toned(&*named.label, tone),
        );
    }
    table.write(page, out)?;
    let best = summary.limits.as_ref();
    let Some(best) = best.and_then(|limits| limits.what_if.first()) else {
        return Ok(());
    };
    let saved = units::duration(best.saved);
    let words =
        |package: &str| format!("if {package} cost nothing, the build would take {saved} less");
    let room = page.columns.saturating_sub(columns(&words("")));
    let package = fitted(page, &best.package, room);
    line(page, out, &words(&package), Tone::Plain)
}

/// A time, its share, and what it was; under one another in all rankings.
struct Ranking(Table);

impl Ranking {
    fn new() -> Self {
        let columns = vec![
            Column::number("time"),
            Column::number("share"),
            Column::name("what"),
        ];
        Self(Table::new(columns).indented(2).without_headings())
    }

    fn push(&mut self, time: &str, share: &str, what: Cell) {
        // As wide as `400.0 ms` and `100 %`.
        self.0.push(vec![
            format!("{time:>8}").into(),
            format!("{share:>5}").into(),
            what,
        ]);
    }

    fn write(&self, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
        self.0.write(page, out)
    }
}

fn packages(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    if summary.packages.is_empty() {
        return Ok(());
    }
    line(page, out, "packages by CPU time", Tone::Strong)?;
    let scale = Scale::of_all(summary.packages.iter().map(|row| row.cost.cpu()));
    let mut table = Ranking::new();
    for row in &summary.packages {
        table.push(
            &scale.write(row.cost.cpu()),
            &units::percent(row.share),
            (*row.key).into(),
        );
    }
    table.write(page, out)
}

/// The tools in one line; in a ranking where there are no packages that they worked for.
fn tools(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let shown = || {
        summary
            .tools
            .iter()
            .filter(|row| row.cost.cpu() > Nanos::ZERO)
    };
    if summary.packages.is_empty() {
        line(page, out, "programs by CPU time", Tone::Strong)?;
        let scale = Scale::of_all(shown().map(|row| row.cost.cpu()));
        let mut table = Ranking::new();
        for row in shown() {
            table.push(
                &scale.write(row.cost.cpu()),
                &units::percent(row.share),
                (*row.key).into(),
            );
        }
        return table.write(page, out);
    }
    let words = shown().map(|row| format!("{} {}", row.key, units::percent(row.share)));
    let words: Vec<String> = words.take(TOOLS).collect();
    if words.is_empty() {
        return Ok(());
    }
    clauses(page, out, "tools by CPU time: ", &words, Tone::Strong)
}

fn functions(
    summary: &Summary,
    rows: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let all = summary.functions.iter();
    let ran = all.filter(|row| row.own.time > Nanos::ZERO);
    if summary.functions.is_empty() && summary.samples.samples > 0 {
        let none = format!("functions: {}", ranking::no_names(summary.samples.samples));
        return line(page, out, &none, Tone::Dim);
    }
    if summary.functions.is_empty() {
        let none = "functions: no samples; the bpf backend takes them unless told --rate 0, and --profile asks the tools";
        return line(page, out, none, Tone::Dim);
    }
    let (one, many) = match (summary.from_profiles, &summary.imported) {
        (true, None) => (
            "stack of the tools' own profiles",
            "stacks of the tools' own profiles",
        ),
        (true, Some(_)) => ("imported stack", "imported stacks"),
        (false, _) => ("sample", "samples"),
    };
    let samples = units::counted(summary.samples.samples, one, many);
    let title = format!("functions by CPU time, of {samples}");
    line(page, out, &title, Tone::Strong)?;
    let scale = Scale::of_all(ran.clone().map(|row| row.own.time));
    let mut table = Ranking::new();
    for row in ran.take(rows) {
        table.push(
            &scale.write(row.own.time),
            &units::percent(row.own.share(summary.samples)),
            (*row.name).into(),
        );
    }
    table.write(page, out)
}

fn slowest_test(limits: &Limits, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let Some(test) = limits.tests.first() else {
        return Ok(());
    };
    let times = [
        ("compile", test.compile),
        ("link", test.link),
        ("run", test.run),
    ];
    let times = times.map(|(what, time)| format!("{what} {}", units::duration(time)));
    let start = format!("slowest test {}: ", test.package);
    clauses(page, out, &start, &times, Tone::Plain)
}

/// What the longest build waited for before its first action, where modules were fetched.
fn network(load: &Load, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    if load.fetch_samples == 0 || load.waiting == Nanos::ZERO {
        return Ok(());
    }
    let words = format!(
        "go fetched modules: {} of waiting for network or disk before the first action",
        units::duration(load.waiting)
    );
    line(page, out, &words, Tone::Plain)
}

/// The worst that was wrong with the machine's Go, in one line.
fn wrong(wrong: &[Wrong], page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let Some((worst, others)) = wrong.split_first() else {
        return Ok(());
    };
    let more = match others.len() {
        0 => String::new(),
        more => format!(" ({more} more: gotrace doctor)"),
    };
    let text = format!("{}: {}{more}", worst.severity.name(), worst.text);
    line(page, out, &text, Tone::Warning)
}

/// The most important first.
fn tax_words(tax: &Tax) -> Vec<String> {
    let all = units::duration(tax.own + tax.kernel.unwrap_or_default());
    let share = match tax.share {
        Some(ratio) if ratio < 1.0 => format!(" ({} of the command's)", units::percent(ratio)),
        Some(ratio) if ratio < 9.95 => format!(" ({ratio:.1} times the command's)"),
        Some(ratio) => format!(" ({ratio:.0} times the command's)"),
        None => String::new(),
    };
    let mut words = vec![format!("{all} CPU{share}")];
    if let Some(kernel) = tax.kernel.filter(|&kernel| kernel > Nanos::ZERO) {
        words.push(format!("{} of it in programs", units::duration(kernel)));
    }
    words.push(format!("{} of memory", units::bytes(tax.max_rss_bytes)));
    words
}

#[cfg(test)]
mod tests;
