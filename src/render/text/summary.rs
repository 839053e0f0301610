//! What is shown after a run: at most [`LINES`] lines that a person reads at one glance.

use super::page::{Page, Tone};
use super::table::{Cell, Column, Table};
use super::width::middle;
use crate::analyze::build::Load;
use crate::analyze::summary::{Gap, Summary, Tax, ToolchainFacts};
use crate::render::units::{self, Scale};
use crate::trace::{ExitStatus, Nanos};
use std::io;

/// The most lines that a summary has, with the one after it that names the trace.
pub const LINES: usize = 25;
/// Rows that a ranking of a [`Summary`] should hold for it. Where much else is to be told, there
/// are fewer rows of functions.
pub const ROWS: usize = 5;
/// The most lines about what was lost or not seen.
const GAPS: usize = 3;

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
    let mut after = Vec::new();
    slowest_test(summary, page, &mut after)?;
    network(&summary.load, page, &mut after)?;
    gaps(&summary.gaps, page, &mut after)?;
    if let Some(tax) = &summary.tax {
        line(page, &mut after, &tax_words(tax), Tone::Dim)?;
    }
    let taken = before.iter().chain(&after).filter(|byte| **byte == b'\n');
    // Besides these, the title of the functions and the name of the trace.
    let rows = LINES.saturating_sub(taken.count() + 2).min(ROWS);
    out.write_all(&before)?;
    functions(summary, rows, page, out)?;
    out.write_all(&after)
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

fn functions(
    summary: &Summary,
    rows: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
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
    for row in summary.functions.iter().take(rows) {
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

#[cfg(test)]
mod tests {
    use super::{LINES, ROWS, write};
    use crate::analyze::Analysis;
    use crate::analyze::build::{Load, Segment, SegmentKind, TestRun, WhatIf};
    use crate::analyze::cost::{Cost, CostRow};
    use crate::analyze::profile::{FunctionRow, Weight};
    use crate::analyze::summary::{Gap, NamedSegment, Summary, Tax};
    use crate::render::text::Page;
    use crate::trace::{Nanos, Trace};

    /// A summary with something to say about everything.
    fn full() -> Summary {
        let time = Nanos(1_000_000);
        let name = || "name".into();
        let load = Load {
            waiting: time,
            fetch_samples: 1,
            ..Load::default()
        };
        let segment = Segment {
            build: 0,
            kind: SegmentKind::Load,
            start: Nanos::ZERO,
            end: time,
        };
        let (label, cost) = (name(), Cost::default());
        let row = FunctionRow {
            name: name(),
            file: name(),
            own: Weight::default(),
            total: Weight::default(),
        };
        let test = TestRun {
            package: name(),
            compile: time,
            link: time,
            run: time,
            run_cpu: time,
        };
        let what_if = WhatIf {
            package: name(),
            running: time,
            wall: time,
            saved: time,
        };
        let (key, share) = (name(), 0.0);
        let gap = Gap {
            what: name(),
            why: name(),
            count: None,
        };
        Summary {
            builds: 1,
            critical_segments: vec![NamedSegment { segment, label }; ROWS],
            packages: vec![CostRow { key, cost, share }; ROWS],
            functions: vec![row; ROWS],
            tests: vec![test],
            what_if: vec![what_if],
            gaps: vec![gap; 9],
            load,
            tax: Some(Tax {
                own: time,
                kernel: None,
                share: None,
                max_rss_bytes: 1,
            }),
            ..Analysis::of(&Trace::default()).summary(ROWS)
        }
    }

    fn lines(summary: &Summary) -> usize {
        let mut out = Vec::new();
        write(summary, &Page::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().count()
    }

    #[test]
    fn all_there_is_to_say_takes_no_more_lines_than_allowed() {
        assert_eq!(lines(&full()), LINES - 1);
        let mut short = full();
        short.gaps.clear();
        short.functions.clear();
        assert!(lines(&short) < LINES - ROWS);
    }
}
