//! Tables of a report: programs, and what packages, tools and phases cost.

use super::columns::{Columns, NONE};
use super::rows::Rows;
use crate::analyze::bindings::{Happened, Sums};
use crate::analyze::cost::{Cost, CostRow};
use crate::analyze::{Analysis, Costs, Name, Phases, Tool};
use crate::trace::{ExitStatus, Nanos, Process, ProcessId, Usage};
use rustc_hash::FxHashMap;
use std::io;

/// Writes the programs of the trace but gotrace's own.
pub(super) fn write(
    analysis: &Analysis<'_>,
    rows: &Rows,
    costs: &Costs,
    linked: &Happened,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let trace = analysis.trace;
    let found = rows.processes.iter().filter_map(|&id| trace.process(id));
    let processes: Vec<&Process> = found.collect();
    let cost_of: FxHashMap<ProcessId, &Cost> = costs
        .processes
        .iter()
        .map(|row| (row.key, &row.cost))
        .collect();
    let role = |process: &Process| analysis.roles.get(process.id);
    let cost = |process: &Process| {
        cost_of
            .get(&process.id)
            .copied()
            .copied()
            .unwrap_or_default()
    };
    let linking =
        |process: &Process| -> Sums { linked.sums.get(&process.id).copied().unwrap_or_default() };
    columns
        .table("processes", &processes)
        .words("pid", |process| process.pid.0)?
        .words("parent", |process| {
            let parent = role(process).and_then(|role| role.parent);
            parent.map_or(NONE, |parent| rows.process(parent))
        })?
        .names("tool", |process| {
            role(process).map_or("", |role| role.tool.name())
        })?
        .names("package", |process| {
            let package = role(process).and_then(|role| role.package.as_deref());
            package.unwrap_or_default()
        })?
        .names("command", |process| {
            let words = process.exec.argv.iter().map(|&word| trace.text(word));
            words.collect::<Vec<_>>().join(" ")
        })?
        .names("arch", |process| process.exec.arch.name())?
        .names("translator", |process| trace.text(process.exec.translator))?
        .names("status", |process| status(process))?
        .moments("start", |process| process.start)?
        .moments("end", |process| process.end_or(analysis.end))?
        .numbers("user", |process| used(&cost(process), |usage| usage.user.0))?
        .numbers("system", |process| {
            used(&cost(process), |usage| usage.system.0)
        })?
        .times("runqueue", |process| cost(process).usage.runqueue)?
        .numbers("waiting", |process| waiting(&cost(process)))?
        .numbers("max_rss_bytes", |process| {
            used(&cost(process), |usage| usage.max_rss_bytes)
        })?
        .numbers("loads", |process| linking(process).loads as f64)?
        .numbers("binds", |process| linking(process).binds as f64)?
        .times("linking", |process| linking(process).linking)?;
    Ok(())
}

/// What programs used; not known where no end of theirs was seen, nor of those that were imported.
fn used(cost: &Cost, value: fn(&Usage) -> u64) -> f64 {
    let usage = &cost.usage;
    if usage.cpu() == Nanos::ZERO && usage.max_rss_bytes == 0 {
        return f64::NAN;
    }
    value(usage) as f64
}

/// The least that programs waited: none tells nothing.
fn waiting(cost: &Cost) -> f64 {
    match cost.waiting {
        Nanos::ZERO => f64::NAN,
        time => time.0 as f64,
    }
}

fn status(process: &Process) -> String {
    match process.exit.map(|exit| exit.status) {
        None => "its end was not seen".to_owned(),
        Some(ExitStatus::Code(code)) => format!("exit code {code}"),
        Some(ExitStatus::Signal(signal)) => format!("killed by signal {signal}"),
        Some(ExitStatus::Replaced) => "went on as another program".to_owned(),
        Some(ExitStatus::Unknown) => "ended, how is not known".to_owned(),
    }
}

/// Writes what packages, tools and phases cost.
pub(super) fn write_costs(
    costs: &Costs,
    phases: &Phases,
    rows: &Rows,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    let package = |package: &Option<Name>| package.as_deref().unwrap_or_default().to_owned();
    write_rows("packages", &costs.packages, package, columns)?;
    let tool = |tool: &Tool| tool.name().to_owned();
    write_rows("tools", &costs.tools, tool, columns)?;
    columns
        .table("phases", &phases.rows)
        .names("track", |row| &*row.track)?
        .names("phase", |row| &*row.phase)?
        .bytes("beside", |row| u8::from(row.beside))?
        .bytes("colour", |row| rows.phase_colour(row))?
        .numbers("count", |row| row.count as f64)?
        .times("wall", |row| row.wall)?
        .times("cpu", |row| row.cpu.time)?
        .numbers("samples", |row| row.cpu.samples as f64)?
        .times("critical", |row| row.critical)?;
    Ok(())
}

fn write_rows<K>(
    table: &'static str,
    rows: &[CostRow<K>],
    name: impl Fn(&K) -> String,
    columns: &mut Columns<'_>,
) -> io::Result<()> {
    columns
        .table(table, rows)
        .names("name", |row| name(&row.key))?
        .times("wall", |row| row.cost.wall)?
        .numbers("user", |row| used(&row.cost, |usage| usage.user.0))?
        .numbers("system", |row| used(&row.cost, |usage| usage.system.0))?
        .numbers("waiting", |row| waiting(&row.cost))?
        .numbers("max_rss_bytes", |row| {
            used(&row.cost, |usage| usage.max_rss_bytes)
        })?
        .words("processes", |row| row.cost.processes)?;
    Ok(())
}
