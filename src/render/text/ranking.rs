//! The tables of `show`: one for each thing that time can be told by.

use super::gaps;
use super::limits;
use super::page::{Page, Tone};
use super::table::{Cell, Column, ROWS, Table, left_out};
use crate::analyze::build::{BuildAction, Outcome, Segment};
use crate::analyze::cost::Cost;
use crate::analyze::slides::Mismatch;
use crate::analyze::{Analysis, By, Costs, Filter, Images, Name, Phases, Profile, summary};
use crate::render::units::{self, Scale};
use crate::trace::{ExitStatus, Nanos, ProcessId, ProcessorCounts, Trace};
use std::cmp::Reverse;
use std::io;

/// Columns of the bar that makes shares visible.
const BAR: usize = 12;
/// Packages and tests that are named below the critical path.
const LIMITS: usize = 10;

/// Writes a table of at most `top` rows, all of them for `None`, and how many were left out.
/// `filter` says which programs they are about, and which samples stand behind functions and images. Returns how many blocks of
/// samples could not be read for it.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    analysis: &Analysis<'_>,
    by: By,
    filter: &Filter,
    top: Option<usize>,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<u64> {
    let mut unreadable_blocks = 0;
    let mut mismatches = Vec::new();
    let top = top.unwrap_or(usize::MAX);
    let (table, rows) = match by {
        By::Package => packages(&analysis.costs_of(filter), page, top),
        By::Tool => tools(&analysis.costs_of(filter), page, top),
        By::Process => processes(analysis, &analysis.costs_of(filter), top),
        By::Action => actions(analysis, top),
        By::CriticalPath => critical_path(analysis, page, top),
        By::Gap => {
            gaps::whole(&analysis.all_gaps(), top, page, out)?;
            return Ok(0);
        }
        By::Phase => {
            let phases = analysis.phases_of(filter);
            unreadable_blocks = phases.unreadable_blocks;
            if phases.rows.is_empty() {
                let words = match *filter == Filter::default() {
                    true => NO_PHASES,
                    false => "no phase of these programs was marked",
                };
                writeln!(out, "{}", page.paint(words, Tone::Dim))?;
                return Ok(unreadable_blocks);
            }
            self::phases(&phases, page, top)
        }
        By::Image => {
            let profile = analysis.profile(filter);
            unreadable_blocks = profile.unreadable_blocks;
            let images = analysis.images(&profile.images);
            if profile.total.samples == 0 {
                no_samples(analysis, page, out)?;
            }
            if images.rows.is_empty() {
                return Ok(unreadable_blocks);
            }
            mismatches = images.mismatches.clone();
            self::images(&images, &profile, page, top)
        }
        By::Function => {
            let profile = analysis.profile(filter);
            unreadable_blocks = profile.unreadable_blocks;
            if profile.total.samples == 0 {
                no_samples(analysis, page, out)?;
                return Ok(unreadable_blocks);
            }
            if profile.functions.is_empty() {
                let words = no_names(profile.total.samples);
                writeln!(out, "{}", page.paint(&words, Tone::Dim))?;
                return Ok(unreadable_blocks);
            }
            functions(&profile, page, top)
        }
    };
    if rows == 0 && *filter != Filter::default() {
        writeln!(
            out,
            "{}",
            page.paint("no program passes the filter", Tone::Dim)
        )?;
        return Ok(unreadable_blocks);
    }
    table.write(page, out)?;
    if by == By::Phase && analysis.trace.sample_count() == 0 {
        let words = "without samples it is not known how much CPU time a phase took";
        writeln!(out, "{}", page.paint(words, Tone::Dim))?;
    }
    let called = match by {
        By::CriticalPath => ("shorter piece is", "shorter pieces are"),
        _ => ROWS,
    };
    left_out(rows.saturating_sub(table.len()), called, page, out)?;
    misplaced(analysis, &mismatches, page, out)?;
    if let (By::CriticalPath, Some(limits)) = (by, analysis.limits()) {
        writeln!(out)?;
        limits::write(&limits, top.min(LIMITS), page, out)?;
    }
    Ok(unreadable_blocks)
}

fn no_samples(analysis: &Analysis<'_>, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let words = why_no_samples(analysis.trace);
    writeln!(out, "{}", page.paint(words, Tone::Dim))
}

/// Why there is none, or none that is wanted.
#[must_use]
pub fn why_no_samples(trace: &Trace) -> &'static str {
    match trace.sample_count() {
        0 => {
            "the trace holds no samples: the bpf backend takes them unless told --rate 0, and --profile asks the tools"
        }
        _ => "no sample passes the filter",
    }
}

/// Why there are samples, and no functions.
pub(in crate::render) fn no_names(samples: u64) -> String {
    let samples = units::counted(samples, "sample has", "samples have");
    format!("{samples} no frame with a name: gotrace show --by image says where they lie")
}

/// Why there are none.
pub(in crate::render) const NO_PHASES: &str = "no phase was marked: the backends patch and bpf record those of Go's tools, unless told --no-probes";

/// A table and how many rows there are in all.
type Ranking = (Table, usize);

fn cost_columns(first: Column) -> Vec<Column> {
    vec![
        first,
        Column::number("CPU"),
        Column::number("share"),
        Column::number("wall"),
        Column::number("waiting").optional(2),
        Column::number("peak memory").optional(3),
        Column::number("processes").optional(4),
        Column::word("").optional(5),
    ]
}

/// How the times of a column group are written.
struct CostScales {
    cpu: Scale,
    wall: Scale,
    waiting: Scale,
}

impl CostScales {
    fn of<'a>(costs: impl Iterator<Item = &'a Cost> + Clone) -> Self {
        Self {
            cpu: Scale::of_all(costs.clone().map(Cost::cpu)),
            wall: Scale::of_all(costs.clone().map(|cost| cost.wall)),
            waiting: Scale::of_all(costs.map(|cost| cost.waiting)),
        }
    }

    fn cells(&self, cost: &Cost, share: f64, page: &Page) -> Vec<Cell> {
        vec![
            self.cpu.write(cost.cpu()).into(),
            units::percent(share).into(),
            self.wall.write(cost.wall).into(),
            self.waiting.write(cost.waiting).into(),
            units::bytes(cost.usage.max_rss_bytes).into(),
            units::count(u64::from(cost.processes)).into(),
            page.bar(share, BAR).into(),
        ]
    }
}

fn packages(costs: &Costs, page: &Page, top: usize) -> Ranking {
    let mut table = Table::new(cost_columns(Column::name("package")));
    let shown = costs.packages.iter().take(top);
    let scales = CostScales::of(shown.clone().map(|row| &row.cost));
    for row in shown {
        let name = match &row.key {
            Some(package) => Cell::from(&**package),
            None => Cell::toned("(no package)", Tone::Dim),
        };
        let mut cells = vec![name];
        cells.extend(scales.cells(&row.cost, row.share, page));
        table.push(cells);
    }
    (table, costs.packages.len())
}

fn tools(costs: &Costs, page: &Page, top: usize) -> Ranking {
    let mut table = Table::new(cost_columns(Column::name("tool")));
    let shown = costs.tools.iter().take(top);
    let scales = CostScales::of(shown.clone().map(|row| &row.cost));
    for row in shown {
        let mut cells = vec![Cell::from(row.key.name())];
        cells.extend(scales.cells(&row.cost, row.share, page));
        table.push(cells);
    }
    (table, costs.tools.len())
}

fn phases(phases: &Phases, page: &Page, top: usize) -> Ranking {
    let mut table = Table::new(vec![
        Column::name("tool"),
        Column::name("phase"),
        Column::number("CPU"),
        Column::number("share"),
        Column::number("critical path").optional(1),
        Column::number("share").optional(1),
        Column::number("wall").optional(3),
        Column::number("times").optional(4),
        Column::word("").optional(5),
    ]);
    let shown = phases.rows.iter().take(top);
    let cpu = Scale::of_all(shown.clone().map(|row| row.cpu.time));
    let critical = Scale::of_all(shown.clone().map(|row| row.critical));
    let wall = Scale::of_all(shown.clone().map(|row| row.wall));
    // Without samples it is not known.
    let of_cpu = |words: String| match phases.cpu.samples {
        0 => Cell::toned("-", Tone::Dim),
        _ => words.into(),
    };
    for row in shown {
        let share = row.cpu.share(phases.cpu);
        let last = if row.beside {
            Cell::toned("beside the others", Tone::Dim)
        } else {
            page.bar(share, BAR).into()
        };
        table.push(vec![
            row.track.to_string().into(),
            row.phase.to_string().into(),
            of_cpu(cpu.write(row.cpu.time)),
            of_cpu(units::percent(share)),
            critical.write(row.critical).into(),
            units::share(row.critical, phases.critical).into(),
            wall.write(row.wall).into(),
            units::count(row.count).into(),
            last,
        ]);
    }
    (table, phases.rows.len())
}

fn processes(analysis: &Analysis<'_>, costs: &Costs, top: usize) -> Ranking {
    let mut columns = vec![
        Column::number("pid"),
        Column::word("tool"),
        Column::name("package"),
        Column::number("start").optional(2),
        Column::number("CPU"),
        Column::number("wall"),
        Column::number("waiting").optional(3),
        Column::number("peak memory").optional(4),
        Column::word("end").optional(5),
    ];
    let shown = costs.processes.iter().take(top);
    let counts = |id: ProcessId| analysis.trace.process(id)?.counts;
    if shown.clone().any(|row| counts(row.key).is_some()) {
        columns.extend([
            Column::number("instructions").optional(6),
            Column::number("a cycle").optional(7),
            Column::number("performance cores").optional(8),
            Column::number("energy").optional(9),
        ]);
    }
    let mut table = Table::new(columns);
    let scales = CostScales::of(shown.clone().map(|row| &row.cost));
    let start = |id: ProcessId| analysis.trace.process(id).map(|process| process.start);
    let starts = Scale::of_all(shown.clone().filter_map(|row| start(row.key)));
    for row in shown {
        let (Some(process), Some(role)) =
            (analysis.trace.process(row.key), analysis.roles.get(row.key))
        else {
            continue;
        };
        let mut cells = vec![
            process.pid.0.to_string().into(),
            role.tool.name().into(),
            role.package.as_deref().unwrap_or("").into(),
            starts.write(process.start).into(),
            scales.cpu.write(row.cost.cpu()).into(),
            scales.wall.write(row.cost.wall).into(),
            scales.waiting.write(row.cost.waiting).into(),
            units::bytes(row.cost.usage.max_rss_bytes).into(),
            end_of(process.exit.map(|exit| exit.status), analysis.trace),
        ];
        cells.extend(counts(row.key).iter().flat_map(count_cells));
        table.push(cells);
    }
    (table, costs.processes.len())
}

fn count_cells(counts: &ProcessorCounts) -> [Cell; 4] {
    let dash = || "-".to_owned();
    let rate = counts.instructions_per_cycle();
    let energy = match counts.energy_nj {
        0 => dash(),
        nanojoules => format!("{} mJ", units::count(nanojoules / 1_000_000)),
    };
    [
        units::count(counts.instructions),
        rate.map_or_else(dash, |rate| format!("{rate:.2}")),
        counts
            .performance_core_share()
            .map_or_else(dash, units::percent),
        energy,
    ]
    .map(Cell::from)
}

pub(in crate::render) fn end_of(status: Option<ExitStatus>, trace: &Trace) -> Cell {
    match status {
        Some(ExitStatus::Code(0)) => "".into(),
        Some(ExitStatus::Code(code)) => Cell::toned(format!("exit code {code}"), Tone::Warning),
        Some(ExitStatus::Signal(number)) => Cell::toned(format!("signal {number}"), Tone::Warning),
        Some(ExitStatus::Replaced) => Cell::toned("replaced", Tone::Dim),
        Some(ExitStatus::Unknown) => Cell::toned("unknown", Tone::Dim),
        // A recorder that came to its own end saw every end before it.
        None if trace.ending.is_some() => Cell::toned("lives on", Tone::Dim),
        None => Cell::toned("end not seen", Tone::Dim),
    }
}

fn actions(analysis: &Analysis<'_>, top: usize) -> Ranking {
    let builds = analysis.builds.builds.iter();
    let mut all: Vec<&BuildAction> = builds
        .flat_map(|build| &build.actions)
        .filter(|action| action.works())
        .collect();
    all.sort_by_key(|action| Reverse(action.running()));
    let mut table = Table::new(vec![
        Column::word("action"),
        Column::name("package"),
        Column::number("wall"),
        Column::number("CPU"),
        Column::number("waited"),
        Column::number("start").optional(4),
        Column::number("unlocks").optional(2),
        Column::number("gates").optional(3),
        Column::word("").optional(1),
    ]);
    let shown = all.iter().take(top);
    let scale =
        |time: fn(&BuildAction) -> Nanos| Scale::of_all(shown.clone().map(|action| time(action)));
    // One scale for what is compared: a wait of microseconds is none beside a second's work.
    let lengths = scale(|action| action.running().max(action.cpu).max(action.waited()));
    let starts = scale(|action| action.start);
    for action in shown.clone() {
        let end = match action.outcome {
            Outcome::Built => "".into(),
            other => Cell::toned(other.name(), Tone::Warning),
        };
        table.push(vec![
            action.kind.name().into(),
            (*action.package).into(),
            lengths.write(action.running()).into(),
            lengths.write(action.cpu).into(),
            lengths.write(action.waited()).into(),
            starts.write(action.start).into(),
            units::count(u64::from(action.unlocks)).into(),
            units::count(u64::from(action.gates)).into(),
            end,
        ]);
    }
    (table, all.len())
}

fn critical_path(analysis: &Analysis<'_>, page: &Page, top: usize) -> Ranking {
    let path = &analysis.builds.critical_path;
    let mut table = Table::new(vec![
        Column::number("start"),
        Column::number("length"),
        Column::number("share"),
        Column::name("what"),
        Column::word("").optional(1),
    ]);
    let shown = path.longest(top);
    let shown = shown.iter();
    let starts = Scale::of_all(shown.clone().map(|segment| segment.start));
    let lengths = Scale::of_all(shown.clone().map(Segment::length));
    for segment in shown {
        let length = segment.length();
        let share = length.seconds() / path.wall().seconds();
        table.push(vec![
            starts.write(segment.start).into(),
            lengths.write(length).into(),
            units::percent(share).into(),
            (*summary::label(analysis, segment)).into(),
            page.bar(share, BAR).into(),
        ]);
    }
    (table, path.segments.len())
}

fn functions(profile: &Profile, page: &Page, top: usize) -> Ranking {
    let mut table = Table::new(vec![
        Column::name("function"),
        Column::number("own"),
        Column::number("share"),
        Column::number("total"),
        Column::number("share").optional(2),
        Column::name("file").optional(4),
        Column::word("").optional(3),
    ]);
    let shown = profile.functions.iter().take(top);
    let own = Scale::of_all(shown.clone().map(|row| row.own.time));
    let total = Scale::of_all(shown.clone().map(|row| row.total.time));
    for row in shown {
        let share = row.own.share(profile.total);
        table.push(vec![
            (*row.name).into(),
            own.write(row.own.time).into(),
            units::percent(share).into(),
            total.write(row.total.time).into(),
            units::percent(row.total.share(profile.total)).into(),
            (*row.file).into(),
            page.bar(share, BAR).into(),
        ]);
    }
    (table, profile.functions.len())
}

fn images(images: &Images, profile: &Profile, page: &Page, top: usize) -> Ranking {
    let mut table = Table::new(vec![
        Column::name("image"),
        Column::number("own"),
        Column::number("share"),
        Column::number(if profile.from_profiles {
            "stacks"
        } else {
            "samples"
        })
        .optional(1),
        Column::number("processes").optional(2),
        Column::number("code").optional(3),
        Column::number("slides").optional(4),
        Column::word("").optional(5),
    ]);
    let shown = images.rows.iter().take(top);
    let own = Scale::of_all(shown.clone().map(|row| row.own.time));
    for row in shown {
        let share = row.own.share(profile.total);
        let places = &row.places;
        // One slide that is none: it lies where its file says.
        let slides = match places.slides.first_key_value() {
            None => Cell::from(""),
            Some((0, _)) if places.slides.len() == 1 => "as stated".into(),
            Some(_) => units::count(places.slides.len() as u64).into(),
        };
        table.push(vec![
            (*row.name).into(),
            own.write(row.own.time).into(),
            units::percent(share).into(),
            units::count(row.own.samples).into(),
            units::count(places.processes).into(),
            units::bytes(places.mapped_bytes).into(),
            slides,
            page.bar(share, BAR).into(),
        ]);
    }
    (table, images.rows.len())
}

/// Segments that do not lie where the slide of their image puts them.
fn misplaced(
    analysis: &Analysis<'_>,
    mismatches: &[(Name, Mismatch)],
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for (name, one) in mismatches.iter().take(LIMITS) {
        let pid = analysis
            .trace
            .process(one.process)
            .map(|process| process.pid);
        let found = match one.found {
            Some(found) => format!("found {found:#x}"),
            None => "its file has no segment there".to_owned(),
        };
        let words = format!(
            "{name}, pid {}: mapped at {:#x}: expected slide {:#x}, {found}",
            pid.unwrap_or_default(),
            one.address,
            one.expected
        );
        writeln!(out, "{}", page.paint(&words, Tone::Warning))?;
    }
    if let Some(left_out @ 1..) = mismatches.len().checked_sub(LIMITS) {
        let words = units::counted(left_out as u64, "more segment lies", "more segments lie");
        writeln!(out, "{words} elsewhere")?;
    }
    Ok(())
}
