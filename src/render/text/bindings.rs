//! The tables of `gotrace bindings`.

use super::page::{Page, Tone};
use super::table::{Cell, Column, ROWS, Table, left_out};
use crate::analyze::Name;
use crate::analyze::bindings::{
    Bindings, Cost, Counts, Difference, GroupBy, Link, Linked, ProgramRow,
};
use crate::render::units::{self, Scale};
use crate::trace::Nanos;
use std::collections::BTreeMap;
use std::io;

/// What stands for a provider where there is none.
const NOBODY: &str = "(nobody: weak)";

/// Writes one table of dynamic linking, at most `top` rows, and below it what it does not show.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    bindings: &Bindings,
    by: GroupBy,
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let (table, rows) = match by {
        GroupBy::Process => programs(bindings, top),
        GroupBy::Image => images(bindings, top),
        GroupBy::Provider => providers(bindings, top),
        GroupBy::Symbol => symbols(bindings, top),
        GroupBy::Search => searches(bindings, top),
        GroupBy::Finding => findings(bindings, top),
    };
    if table.is_empty() && by == GroupBy::Process && bindings.programs.iter().any(is_known) {
        return nothing(bindings, page, out);
    }
    if table.is_empty() {
        let words = match by {
            GroupBy::Search => "no library was looked for in vain, or loaders did not tell of it",
            GroupBy::Finding if !bindings.has_files => {
                "what the files of images ask for was not recorded: there is nothing to compare with"
            }
            GroupBy::Finding => "every bind is as the files say, as far as they were read",
            _ => "nothing passes the filter",
        };
        return writeln!(out, "{}", page.paint(words, Tone::Dim));
    }
    table.write(page, out)?;
    left_out(rows.saturating_sub(top), ROWS, page, out)?;
    for words in below(bindings, by) {
        writeln!(out, "{}", page.paint(&words, Tone::Dim))?;
    }
    Ok(())
}

/// Whether it is known why a program binds nothing, or that it does.
fn is_known(row: &ProgramRow) -> bool {
    row.linked != Linked::Unknown
}

/// Whether a program has a row: the others are told of below the table.
fn is_shown(row: &ProgramRow) -> bool {
    row.linked == Linked::Dynamic || row.counts.total() > 0
}

/// How many programs there is nothing to show of, for each reason.
fn others(bindings: &Bindings) -> Vec<String> {
    let mut others: BTreeMap<String, u64> = BTreeMap::new();
    for row in bindings.programs.iter().filter(|row| !is_shown(row)) {
        *others.entry(row.linked.words()).or_default() += 1;
    }
    let others = others.into_iter();
    let words = others.map(|(why, count)| {
        let programs = units::counted(count, "program", "programs");
        format!("{programs}: {why}")
    });
    words.collect()
}

/// What the reader of a table must know.
fn below(bindings: &Bindings, by: GroupBy) -> Vec<String> {
    let mut words = match by {
        GroupBy::Process => others(bindings),
        _ => Vec::new(),
    };
    if by == GroupBy::Image && bindings.images.iter().any(|row| row.estimate > Nanos::ZERO) {
        let estimate = "times of images are estimated: the time of relocation, shared out by what there is to relocate";
        words.push(estimate.to_owned());
    }
    if matches!(by, GroupBy::Process | GroupBy::Image) && bindings.cost.unmeasured > Nanos::ZERO {
        words.push(
            "≈ about: where CPU time of linking was not measured, wall time stands for it"
                .to_owned(),
        );
    }
    if by != GroupBy::Search {
        words.extend(unread(bindings));
    }
    let findings = bindings.findings.len() as u64;
    if by != GroupBy::Finding && findings > 0 {
        let binds = units::counted(findings, "import is", "imports are");
        words.push(format!("{binds} not bound as files say: --by finding"));
    }
    words
}

/// Images of which nothing is known but what loaders told, the first of them by name.
fn unread(bindings: &Bindings) -> Option<String> {
    let mut unread = bindings.unread();
    let (first, why) = unread.next()?;
    let more = unread.count() as u64;
    let images = units::counted(more + 1, "image", "images");
    let others = match more {
        0 => String::new(),
        more => format!(" and {}", units::counted(more, "other", "others")),
    };
    let image = &first.image;
    Some(format!(
        "{images} could not be read, no binds are derived of {image} ({why}){others}"
    ))
}

/// Columns of counts: the kinds of binds that occur, where there is more than one.
struct Shown([bool; 4]);

impl Shown {
    fn of(counts: &Counts) -> Self {
        let occur = Self::kinds(counts).map(|(_, count)| count > 0);
        let several = occur.iter().filter(|&&occurs| occurs).count() > 1;
        Self(occur.map(|occurs| occurs && several))
    }

    const fn kinds(counts: &Counts) -> [(&'static str, u64); 4] {
        [
            ("eager", counts.eager),
            ("lazy", counts.lazy),
            ("dlsym", counts.dlsym),
            ("derived", counts.derived),
        ]
    }

    fn those(&self, counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let kinds = self.0.into_iter().zip(Self::kinds(counts));
        kinds.filter_map(|(shown, kind)| shown.then_some(kind))
    }

    fn columns(&self) -> impl Iterator<Item = Column> {
        let kinds = self.those(&Counts::default());
        kinds.map(|(title, _)| Column::number(title).optional(2))
    }

    fn cells(&self, counts: &Counts) -> impl Iterator<Item = Cell> {
        let kinds = self.those(counts);
        kinds.map(|(_, count)| units::count(count).into())
    }
}

fn programs(bindings: &Bindings, top: usize) -> (Table, usize) {
    let shown = Shown::of(&bindings.counts);
    let rows = bindings.programs.iter().filter(|row| is_shown(row));
    let missed = rows.clone().any(|row| row.misses > 0);
    let timed = bindings.cost.count > 0;
    let mut columns = vec![
        Column::name("program"),
        Column::name("package").optional(4),
        Column::number("pid").optional(3),
        Column::number("images"),
        Column::number("binds"),
    ];
    columns.extend(shown.columns());
    columns.extend(missed.then(|| Column::number("missed").optional(5)));
    if timed {
        columns.push(Column::number("linking"));
        columns.push(Column::number("of CPU").optional(1));
    }
    let mut table = Table::new(columns);
    let scale = Scale::of_all(rows.clone().take(top).map(|row| row.cost.cpu));
    for row in rows.clone().take(top) {
        let mut cells = vec![
            (*row.tool).into(),
            row.package.as_deref().unwrap_or_default().into(),
            row.pid.to_string().into(),
            units::count(row.loads).into(),
            units::count(row.counts.total()).into(),
        ];
        cells.extend(shown.cells(&row.counts));
        cells.extend(missed.then(|| units::count(row.misses).into()));
        if timed {
            cells.extend(linking(row, scale));
        }
        table.push(cells);
    }
    (table, rows.count())
}

/// What linking took in a program, and what part of its CPU time that is.
fn linking(row: &ProgramRow, scale: Scale) -> [Cell; 2] {
    let about = about(&row.cost);
    let time = match row.cost.count {
        0 => Cell::toned("-", Tone::Dim),
        _ => format!("{about}{}", scale.write(row.cost.cpu)).into(),
    };
    let share = match row.cpu {
        Some(cpu) if cpu > Nanos::ZERO => {
            format!("{about}{}", units::share(row.cost.cpu.min(cpu), cpu))
        }
        _ => String::new(),
    };
    [time, share.into()]
}

/// What stands before a time of which a part was not measured.
const fn about(cost: &Cost) -> &'static str {
    match cost.unmeasured {
        Nanos::ZERO => "",
        _ => "≈ ",
    }
}

fn images(bindings: &Bindings, top: usize) -> (Table, usize) {
    let timed = bindings.cost.count > 0;
    let mut columns = vec![Column::name("image")];
    if timed {
        columns.push(Column::number("linking"));
        columns.push(Column::number("share").optional(1));
    }
    columns.extend([
        Column::number("loads"),
        Column::number("dlopen").optional(3),
        Column::number("relocations").optional(4),
        Column::number("wants").optional(2),
        Column::number("gives").optional(2),
    ]);
    let mut table = Table::new(columns);
    let scale = Scale::of_all(bindings.images.iter().take(top).map(|row| row.estimate));
    for row in bindings.images.iter().take(top) {
        let mut cells = vec![(*row.image).into()];
        if timed {
            cells.push(scale.write(row.estimate).into());
            cells.push(units::share(row.estimate, bindings.cost.cpu).into());
        }
        cells.extend([
            units::count(row.loads).into(),
            units::count(row.dlopens).into(),
            row.relocations.map_or("?".to_owned(), units::count).into(),
            units::count(row.wants.total()).into(),
            units::count(row.gives.total()).into(),
        ]);
        table.push(cells);
    }
    (table, bindings.images.len())
}

fn providers(bindings: &Bindings, top: usize) -> (Table, usize) {
    let shown = Shown::of(&bindings.counts);
    let mut columns = vec![Column::name("provider"), Column::number("binds")];
    columns.extend(shown.columns());
    columns.extend([
        Column::number("symbols"),
        Column::number("importers").optional(3),
        Column::number("programs").optional(1),
    ]);
    let mut table = Table::new(columns);
    for row in bindings.providers.iter().take(top) {
        let mut cells = vec![
            provider(row.image.as_ref()),
            units::count(row.counts.total()).into(),
        ];
        cells.extend(shown.cells(&row.counts));
        cells.extend(
            [row.symbols, row.importers, row.processes]
                .map(|count| Cell::from(units::count(count))),
        );
        table.push(cells);
    }
    (table, bindings.providers.len())
}

fn symbols(bindings: &Bindings, top: usize) -> (Table, usize) {
    let shown = Shown::of(&bindings.counts);
    let mut columns = vec![
        Column::name("symbol"),
        Column::name("provider"),
        Column::number("binds"),
    ];
    columns.extend(shown.columns());
    columns.extend([
        Column::number("importers").optional(3),
        Column::number("programs").optional(1),
    ]);
    let mut table = Table::new(columns);
    for row in bindings.symbols.iter().take(top) {
        let mut cells = vec![
            (*row.symbol).into(),
            provider(row.provider.as_ref()),
            units::count(row.counts.total()).into(),
        ];
        cells.extend(shown.cells(&row.counts));
        cells.extend([row.importers, row.processes].map(|count| Cell::from(units::count(count))));
        table.push(cells);
    }
    (table, bindings.symbols.len())
}

fn provider(image: Option<&Name>) -> Cell {
    match image {
        Some(path) => (**path).into(),
        None => Cell::toned(NOBODY, Tone::Dim),
    }
}

fn searches(bindings: &Bindings, top: usize) -> (Table, usize) {
    let mut table = Table::new(vec![
        Column::name("path"),
        Column::number("missed"),
        Column::number("found"),
        Column::number("refused").optional(2),
        Column::number("programs").optional(1),
        Column::word("by").optional(3),
    ]);
    for row in bindings.searches.iter().take(top) {
        let counts = [row.missed, row.found, row.refused, row.processes];
        let mut cells = vec![Cell::from(&*row.path)];
        cells.extend(counts.map(|count| Cell::from(units::count(count))));
        cells.push(Cell::toned(&*row.rule, Tone::Dim));
        table.push(cells);
    }
    (table, bindings.searches.len())
}

fn findings(bindings: &Bindings, top: usize) -> (Table, usize) {
    let mut table = Table::new(vec![
        Column::word(""),
        Column::name("symbol"),
        Column::name("importer"),
        Column::name("the file names").optional(2),
        Column::name("by the rules").optional(3),
        Column::name("bound to"),
        Column::number("programs").optional(1),
    ]);
    for row in bindings.findings.iter().take(top) {
        let symbol = match &*row.version {
            "" => row.symbol.to_string(),
            version => format!("{}@{version}", row.symbol),
        };
        let image = |image: Option<&Name>| Cell::from(image.map_or("-", |path| path));
        table.push(vec![
            Cell::toned(row.fit.words(), Tone::Warning),
            symbol.into(),
            (*row.importer).into(),
            (*row.library).into(),
            image(row.expected.as_ref()),
            image(row.seen.as_ref()),
            units::count(row.processes).into(),
        ]);
    }
    (table, bindings.findings.len())
}

/// Writes what the binds of two traces differ by, at most `top` rows of each side.
///
/// # Errors
///
/// Those of the writer.
pub fn difference(
    difference: &Difference,
    top: usize,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let common = units::counted(difference.common, "bind", "binds");
    let expected = match (difference.translation, difference.is_empty()) {
        (true, true) => "; as expected of a native and a translated run",
        (true, false) => "; of a native and a translated run no difference was expected",
        (false, _) => "",
    };
    let words = if difference.is_empty() {
        format!("both have the same {common}{expected}")
    } else {
        format!(
            "{common} in both, {} in base alone, {} in new alone{expected}",
            units::count(difference.gone.len() as u64),
            units::count(difference.came.len() as u64),
        )
    };
    writeln!(out, "{}", page.paint(&words, Tone::Strong))?;
    if !difference.is_empty() {
        let mut table = Table::new(vec![
            Column::word(""),
            Column::name("symbol"),
            Column::name("importer"),
            Column::name("provider"),
        ]);
        let mut rows = |sign: &'static str, links: &[Link]| {
            for link in links.iter().take(top) {
                table.push(vec![
                    sign.into(),
                    (*link.symbol).into(),
                    (*link.importer).into(),
                    provider(link.provider.as_ref()),
                ]);
            }
        };
        rows("-", &difference.gone);
        rows("+", &difference.came);
        table.write(page, out)?;
        let [gone, came] =
            [&difference.gone, &difference.came].map(|rows| rows.len().saturating_sub(top));
        left_out(gone + came, ROWS, page, out)?;
    }
    if difference.of_c_library > 0 {
        let binds = units::counted(difference.of_c_library, "bind", "binds");
        let words =
            format!("{binds} more within the C library, which differs between architectures");
        writeln!(out, "{}", page.paint(&words, Tone::Dim))?;
    }
    if !difference.derived {
        let words = if difference.lazy {
            "only binds at first calls are compared"
        } else {
            "binds that loaders do not tell of are not compared: they were not derived on both sides"
        };
        writeln!(out, "{}", page.paint(words, Tone::Dim))?;
    }
    Ok(())
}

/// What dynamic linking was in a run, in clauses; none where nothing was recorded.
#[must_use]
pub fn clauses(bindings: &Bindings, cpu: Nanos) -> Vec<String> {
    let programs = bindings.linked().count() as u64;
    if programs == 0 {
        return Vec::new();
    }
    let each = (bindings.loads as f64 / programs as f64).round() as u64;
    let images = units::counted(each, "image", "images");
    let each = if programs > 1 { " each" } else { "" };
    let mut words = vec![format!(
        "{} loaded {images}{each}",
        units::counted(programs, "program", "programs")
    )];
    let cost = &bindings.cost;
    if cost.count > 0 {
        let share = match cpu {
            Nanos::ZERO => String::new(),
            cpu => format!(" ({})", units::share(cost.cpu, cpu)),
        };
        words.push(format!(
            "linking took {}{} of CPU{share}",
            about(cost),
            units::duration(cost.cpu)
        ));
    }
    words.push(units::counted(bindings.counts.total(), "bind", "binds"));
    words
}

/// The costliest images, estimated, in clauses.
#[must_use]
pub fn costliest(bindings: &Bindings, most: usize) -> Vec<String> {
    let images = bindings.images.iter();
    images
        .filter(|row| row.estimate > Nanos::ZERO)
        .take(most)
        .map(|row| {
            let file = row.image.rsplit('/').next().unwrap_or_default();
            format!("{file} {}", units::duration(row.estimate))
        })
        .collect()
}

/// Says that there is nothing to show, and how there would be.
///
/// # Errors
///
/// Those of the writer.
pub fn nothing(bindings: &Bindings, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let words = if bindings.programs.iter().any(is_known) {
        others(bindings)
    } else {
        let words =
            "the trace holds no loads and no binds: gotrace run --bindings -- COMMAND records them";
        vec![words.to_owned()]
    };
    for words in words {
        writeln!(out, "{}", page.paint(&words, Tone::Dim))?;
    }
    Ok(())
}
