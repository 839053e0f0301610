//! Tables of a report: the run as a whole, its environment, what was lost and what was found.

use super::columns::Columns;
use crate::analyze::cost::Cost;
use crate::analyze::summary::{self, BuildCounts, Tax};
use crate::analyze::{Analysis, Costs, Phases};
use crate::render::palette::Family;
use crate::trace::{ExitStatus, Nanos, Trace};
use std::io;

/// Writes them.
pub(super) fn write(
    analysis: &Analysis<'_>,
    costs: &Costs,
    phases: &Phases,
    unreadable_blocks: u64,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    write_run(analysis, costs, phases, columns)?;
    write_environment(analysis.trace, columns)?;
    write_gaps(analysis, unreadable_blocks, columns)?;
    columns
        .table("colours", &Family::ALL)
        .names("words", |family| family.words())?
        .names("light", |family| family.light().to_string())?
        .names("dark", |family| family.dark().to_string())?;
    Ok(())
}

fn write_run(
    analysis: &Analysis<'_>,
    costs: &Costs,
    phases: &Phases,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let trace = analysis.trace;
    let status = trace.ending.and_then(|ending| ending.status);
    let wall = analysis.builds.critical_path.wall();
    let counts = BuildCounts::of(analysis);
    let count = |count: usize| count as f64;
    let unended = analysis
        .roles
        .iter()
        .filter_map(|(id, _)| trace.process(id));
    let unended = unended.filter(|process| process.exit.is_none()).count();
    columns
        .table("run", &[costs.total])
        .names("command", |_| summary::command(analysis).to_string())?
        .names("status", |_| status_words(status))?
        .bytes("failed", |_| {
            u8::from(!matches!(status, None | Some(ExitStatus::Code(0))))
        })?
        .names("imported", |_| trace.imported().unwrap_or_default())?
        .times("count", |_| match trace.holds_counts() {
            true => trace.count(),
            false => Nanos::ZERO,
        })?
        .numbers("recorded_unix_ms", |_| trace.anchor.unix_ns as f64 / 1e6)?
        .moments("end", |_| analysis.end)?
        .times("wall", |_| wall)?
        .times("cpu", Cost::cpu)?
        .times("runqueue", |total| total.usage.runqueue)?
        .numbers("parallelism", |total| {
            total.cpu().seconds() / wall.max(Nanos(1)).seconds()
        })?
        .words("cores", |_| trace.host.cores)?
        .numbers("builds", |_| count(counts.builds))?
        .numbers("built", |_| count(counts.built))?
        .numbers("cached", |_| count(counts.cached))?
        .words("processes", |total| total.processes)?
        .numbers("unended", |_| count(unended))?
        .numbers("samples", |_| phases.cpu.samples as f64)?;
    columns
        .table("tax", Tax::of(trace, costs.total).as_slice())
        .times("own", |tax| tax.own)?
        .numbers("kernel", |tax| {
            tax.kernel.map_or(f64::NAN, |kernel| kernel.0 as f64)
        })?
        .numbers("share", |tax| tax.share.unwrap_or(f64::NAN))?
        .numbers("max_rss_bytes", |tax| tax.max_rss_bytes as f64)?;
    Ok(())
}

fn status_words(status: Option<ExitStatus>) -> String {
    match status {
        Some(ExitStatus::Code(0)) => String::new(),
        Some(ExitStatus::Code(code)) => format!("exit code {code}"),
        Some(ExitStatus::Signal(signal)) => format!("killed by signal {signal}"),
        _ => "how it ended is not known".to_owned(),
    }
}

fn write_environment(trace: &Trace, columns: &mut Columns<'_>) -> io::Result<()> {
    columns
        .table("toolchains", &summary::toolchains(trace))
        .names("version", |row| &*row.version)?
        .names("arch", |row| row.arch.name())?
        .names("translator", |row| row.translator.as_deref().unwrap_or(""))?;
    columns
        .table("host", std::slice::from_ref(&trace.host))
        .names("os", |host| trace.text(host.os))?
        .names("distribution", |host| trace.text(host.distribution))?
        .names("cpu", |host| trace.text(host.cpu))?
        .names("arch", |host| host.arch.name())?
        .words("cores", |host| host.cores)?
        .numbers("memory_bytes", |host| host.memory_bytes as f64)?
        .names("gotrace", |host| trace.text(host.gotrace))?;
    columns
        .table("settings", &trace.settings)
        .names("key", |row| trace.text(row.key))?
        .names("value", |row| trace.text(row.value))?
        .names("source", |row| trace.text(row.source))?;
    columns
        .table("findings", &trace.findings)
        .names("severity", |row| row.severity.name())?
        .names("check", |row| trace.text(row.check))?
        .names("text", |row| trace.text(row.text))?
        .names("evidence", |row| trace.text(row.evidence))?
        .names("remedy", |row| trace.text(row.remedy))?;
    Ok(())
}

fn write_gaps(
    analysis: &Analysis<'_>,
    unreadable_blocks: u64,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let trace = analysis.trace;
    columns
        .table("gaps", &analysis.gaps(unreadable_blocks))
        .names("what", |gap| &*gap.what)?
        .names("why", |gap| &*gap.why)?
        .numbers("count", |gap| {
            gap.count.map_or(f64::NAN, |count| count as f64)
        })?;
    columns
        .table("losses", &trace.losses)
        .moments("from", |loss| loss.from)?
        .moments("to", |loss| loss.to)?
        .names("what", |loss| trace.text(loss.what))?
        .names("why", |loss| trace.text(loss.why))?
        .numbers("count", |loss| loss.count as f64)?;
    columns
        .table("blind_spots", &trace.blind_spots)
        .moments("time", |spot| spot.time)?
        .names("what", |spot| trace.text(spot.what))?
        .names("why", |spot| trace.text(spot.why))?;
    Ok(())
}
