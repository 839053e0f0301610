//! What is shown after a run: at most [`LINES`] lines that a person reads at one glance.

use super::page::{Page, Tone};
use super::table::{Cell, Column, Table};
use super::width::middle;
use crate::analyze::summary::{Gap, Summary, Tax, ToolchainFacts};
use crate::render::units::{self, Scale};
use crate::trace::{ExitStatus, Nanos};
use std::io;

/// The most lines that a summary has.
pub const LINES: usize = 25;
/// Rows that a ranking of a [`Summary`] should hold for it.
pub const ROWS: usize = 5;
/// The most lines about what was lost or not seen.
const GAPS: usize = 3;

/// Writes the summary of a trace.
///
/// # Errors
///
/// Those of the writer.
pub fn write(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    head(summary, page, out)?;
    critical_path(summary, page, out)?;
    packages(summary, page, out)?;
    functions(summary, page, out)?;
    slowest_test(summary, page, out)?;
    gaps(&summary.gaps, page, out)?;
    match &summary.tax {
        Some(tax) => line(page, out, &tax_words(tax), Tone::Dim),
        None => Ok(()),
    }
}

fn line(page: &Page, out: &mut dyn io::Write, text: &str, tone: Tone) -> io::Result<()> {
    let ellipsis = if page.unicode { '…' } else { '~' };
    let text = middle(&page.safe(text), page.columns, ellipsis);
    writeln!(out, "{}", page.paint(&text, tone))
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
    let title = format!("{toolchain}{more}: {}{end}", summary.command);
    line(page, out, &title, Tone::Strong)?;
    let mut facts = vec![
        format!("wall {}", units::duration(summary.wall)),
        format!("CPU {}", units::duration(summary.total.cpu())),
        format!(
            "parallelism {:.2} of {}",
            summary.parallelism,
            units::counted(u64::from(summary.cores), "core", "cores")
        ),
        units::counted(u64::from(summary.total.processes), "process", "processes"),
    ];
    if summary.builds > 0 {
        let built = units::counted(summary.built as u64, "action", "actions");
        facts.push(format!("{built} done"));
        let cached = units::counted(summary.cached as u64, "package", "packages");
        facts.push(format!("{cached} cached"));
    }
    line(page, out, &facts.join(", "), Tone::Plain)
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
        return line(page, out, "no go command built anything", Tone::Plain);
    }
    let parts = [
        (path.running, "running actions"),
        (path.waiting, "waiting for a slot"),
        (path.go, "go itself"),
        (path.outside, "outside of go"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(time, _)| *time > Nanos::ZERO)
        .map(|(time, what)| format!("{} {what}", units::share(time, path.wall())))
        .collect();
    let title = format!("critical path, of wall time: {}", parts.join(", "));
    line(page, out, &title, Tone::Strong)?;
    let mut table = ranking();
    let scale = Scale::of_all(summary.critical_segments.iter().map(|s| s.segment.length()));
    for named in &summary.critical_segments {
        let length = named.segment.length();
        table.push(vec![
            scale.write(length).into(),
            units::share(length, path.wall()).into(),
            Cell::toned(&*named.label, Tone::Critical),
        ]);
    }
    table.write(page, out)?;
    let Some(best) = summary.what_if.first() else {
        return Ok(());
    };
    let words = format!(
        "if {} cost nothing, the build would take {} less",
        best.package,
        units::duration(best.saved)
    );
    line(page, out, &words, Tone::Plain)
}

/// A time, its share, and what it was.
fn ranking() -> Table {
    let columns = vec![
        Column::number("time"),
        Column::number("share"),
        Column::name("what"),
    ];
    Table::new(columns).indented(2).without_headings()
}

fn packages(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    if summary.packages.is_empty() {
        return Ok(());
    }
    line(page, out, "packages by CPU time", Tone::Strong)?;
    let scale = Scale::of_all(summary.packages.iter().map(|row| row.cost.cpu()));
    let mut table = ranking();
    for row in &summary.packages {
        table.push(vec![
            scale.write(row.cost.cpu()).into(),
            units::percent(row.share).into(),
            (*row.key).into(),
        ]);
    }
    table.write(page, out)
}

fn functions(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    if summary.functions.is_empty() {
        let none =
            "functions: no samples; the bpf backend takes them, and --profile asks the tools";
        return line(page, out, none, Tone::Dim);
    }
    let samples = units::counted(summary.samples.samples, "sample", "samples");
    let title = format!("functions by CPU time, of {samples}");
    line(page, out, &title, Tone::Strong)?;
    let scale = Scale::of_all(summary.functions.iter().map(|row| row.own.time));
    let mut table = ranking();
    for row in &summary.functions {
        table.push(vec![
            scale.write(row.own.time).into(),
            units::percent(row.own.share(summary.samples)).into(),
            (*row.name).into(),
        ]);
    }
    table.write(page, out)
}

fn slowest_test(summary: &Summary, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let Some(test) = summary.tests.first() else {
        return Ok(());
    };
    let words = format!(
        "slowest test {}: {} to compile, {} to link, {} to run",
        test.package,
        units::duration(test.compile),
        units::duration(test.link),
        units::duration(test.run)
    );
    line(page, out, &words, Tone::Plain)
}

fn gaps(gaps: &[Gap], page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let shown = if gaps.len() > GAPS { GAPS - 1 } else { GAPS };
    for gap in gaps.iter().take(shown) {
        let what = match gap.count {
            Some(count) => format!("lost: {} {}: {}", units::count(count), gap.what, gap.why),
            None => format!("not seen: {}: {}", gap.what, gap.why),
        };
        line(page, out, &what, Tone::Warning)?;
    }
    match gaps.len().saturating_sub(shown) {
        0 => Ok(()),
        more => {
            let more = format!("and {more} more that were lost or not seen: gotrace dump");
            line(page, out, &more, Tone::Warning)
        }
    }
}

fn tax_words(tax: &Tax) -> String {
    let kernel = tax.kernel.map_or_else(String::new, |kernel| {
        format!(" and {} in the kernel", units::duration(kernel))
    });
    let share = tax.share.map_or_else(String::new, |share| {
        format!(", {} of the command's", units::percent(share))
    });
    format!(
        "gotrace itself: {} CPU{kernel}{share}, {} of memory",
        units::duration(tax.own),
        units::bytes(tax.max_rss_bytes)
    )
}
