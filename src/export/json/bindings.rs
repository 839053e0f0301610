//! What `bindings --json` writes.

use super::{Recording, object, recording};
use crate::analyze::bindings::{
    Bindings, Counts, Difference, Finding, GroupBy, ImageRow, Link, Linked, ProgramRow,
    ProviderRow, SearchRow, SymbolRow,
};
use crate::analyze::scope::Fit;
use crate::analyze::{Analysis, summary};
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `bindings --json` writes.
pub const BINDINGS_SCHEMA: &str = "gotrace.bindings/1";

#[derive(Serialize)]
struct Head<'a> {
    schema: &'static str,
    by: &'static str,
    command: String,
    program_count: u64,
    load_count: u64,
    #[serde(flatten)]
    counts: CountsOf,
    linking_ns: u64,
    linking_cpu_ns: u64,
    linking_unmeasured_ns: u64,
    linking_count: u64,
    finding_count: u64,
    unread_image_count: u64,
    unreadable_blocks: u64,
    recording: Recording<'a>,
}

#[derive(Serialize)]
struct CountsOf {
    bind_count: u64,
    eager_count: u64,
    lazy_count: u64,
    dlsym_count: u64,
    derived_count: u64,
    missing_count: u64,
}

impl CountsOf {
    const fn of(counts: &Counts) -> Self {
        Self {
            bind_count: counts.total(),
            eager_count: counts.eager,
            lazy_count: counts.lazy,
            dlsym_count: counts.dlsym,
            derived_count: counts.derived,
            missing_count: counts.missing,
        }
    }
}

/// Writes the object of `bindings --json`: at most `top` rows.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn bindings(
    analysis: &Analysis<'_>,
    bindings: &Bindings,
    by: GroupBy,
    top: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let cost = &bindings.cost;
    let head = Head {
        schema: BINDINGS_SCHEMA,
        by: by.name(),
        command: summary::command(analysis).to_string(),
        program_count: bindings.linked().count() as u64,
        load_count: bindings.loads,
        counts: CountsOf::of(&bindings.counts),
        linking_ns: cost.wall.0,
        linking_cpu_ns: cost.cpu.0,
        linking_unmeasured_ns: cost.unmeasured.0,
        linking_count: cost.count,
        finding_count: bindings.findings.len() as u64,
        unread_image_count: bindings.unread().count() as u64,
        unreadable_blocks: bindings.unreadable_blocks,
        recording: recording(analysis.trace),
    };
    match by {
        GroupBy::Process => {
            let rows = bindings.programs.iter().take(top);
            object(&head, rows.map(Program::of), out)
        }
        GroupBy::Image => {
            let rows = bindings.images.iter().take(top);
            object(&head, rows.map(|row| Image::of(row, cost.cpu.0)), out)
        }
        GroupBy::Provider => {
            let rows = bindings.providers.iter().take(top);
            object(&head, rows.map(Provider::of), out)
        }
        GroupBy::Symbol => {
            let rows = bindings.symbols.iter().take(top);
            object(&head, rows.map(Symbol::of), out)
        }
        GroupBy::Search => {
            let rows = bindings.searches.iter().take(top);
            object(&head, rows.map(Search::of), out)
        }
        GroupBy::Finding => {
            let rows = bindings.findings.iter().take(top);
            object(&head, rows.map(Found::of), out)
        }
    }
}

#[derive(Serialize)]
struct Program<'a> {
    process: u32,
    pid: u32,
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    linked: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    load_count: u64,
    unload_count: u64,
    #[serde(flatten)]
    counts: CountsOf,
    missed_count: u64,
    linking_ns: u64,
    linking_cpu_ns: u64,
    linking_unmeasured_ns: u64,
    linking_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ns: Option<u64>,
}

impl<'a> Program<'a> {
    fn of(row: &'a ProgramRow) -> Self {
        let (linked, why) = match &row.linked {
            Linked::Dynamic => ("dynamic", None),
            Linked::Static => ("static", None),
            Linked::Unwatched(why) => ("unwatched", Some(&**why)),
            Linked::Unknown => ("unknown", None),
        };
        Self {
            process: row.process.0,
            pid: row.pid.0,
            tool: &row.tool,
            package: row.package.as_deref(),
            linked,
            why,
            load_count: row.loads,
            unload_count: row.unloads,
            counts: CountsOf::of(&row.counts),
            missed_count: row.misses,
            linking_ns: row.cost.wall.0,
            linking_cpu_ns: row.cost.cpu.0,
            linking_unmeasured_ns: row.cost.unmeasured.0,
            linking_count: row.cost.count,
            cpu_ns: row.cpu.map(|cpu| cpu.0),
        }
    }
}

#[derive(Serialize)]
struct Image<'a> {
    image: &'a str,
    load_count: u64,
    dlopen_count: u64,
    process_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    relocation_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<&'a str>,
    wanted_count: u64,
    given_count: u64,
    estimated_ns: u64,
    estimated_share: f64,
}

impl<'a> Image<'a> {
    fn of(row: &'a ImageRow, all_ns: u64) -> Self {
        Self {
            image: &row.image,
            load_count: row.loads,
            dlopen_count: row.dlopens,
            process_count: row.processes,
            relocation_count: row.relocations,
            unread: row.unread.as_deref(),
            wanted_count: row.wants.total(),
            given_count: row.gives.total(),
            estimated_ns: row.estimate.0,
            estimated_share: match all_ns {
                0 => 0.0,
                all => row.estimate.0 as f64 / all as f64,
            },
        }
    }
}

#[derive(Serialize)]
struct Provider<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(flatten)]
    counts: CountsOf,
    symbol_count: u64,
    importer_count: u64,
    process_count: u64,
}

impl<'a> Provider<'a> {
    fn of(row: &'a ProviderRow) -> Self {
        Self {
            provider: row.image.as_deref(),
            counts: CountsOf::of(&row.counts),
            symbol_count: row.symbols,
            importer_count: row.importers,
            process_count: row.processes,
        }
    }
}

#[derive(Serialize)]
struct Symbol<'a> {
    symbol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(flatten)]
    counts: CountsOf,
    importer_count: u64,
    process_count: u64,
}

impl<'a> Symbol<'a> {
    fn of(row: &'a SymbolRow) -> Self {
        Self {
            symbol: &row.symbol,
            provider: row.provider.as_deref(),
            counts: CountsOf::of(&row.counts),
            importer_count: row.importers,
            process_count: row.processes,
        }
    }
}

#[derive(Serialize)]
struct Search<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    missed_count: u64,
    found_count: u64,
    refused_count: u64,
    process_count: u64,
}

impl<'a> Search<'a> {
    fn of(row: &'a SearchRow) -> Self {
        Self {
            path: &row.path,
            rule: &row.rule,
            missed_count: row.missed,
            found_count: row.found,
            refused_count: row.refused,
            process_count: row.processes,
        }
    }
}

#[derive(Serialize)]
struct Found<'a> {
    finding: &'static str,
    symbol: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    importer: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    library: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    process_count: u64,
}

impl<'a> Found<'a> {
    fn of(row: &'a Finding) -> Self {
        Self {
            finding: match row.fit {
                Fit::Elsewhere => "elsewhere",
                Fit::Interposed => "interposed",
                _ => "not_bound",
            },
            symbol: &row.symbol,
            version: &row.version,
            importer: &row.importer,
            library: &row.library,
            expected: row.expected.as_deref(),
            provider: row.seen.as_deref(),
            process_count: row.processes,
        }
    }
}

#[derive(Serialize)]
struct DifferenceHead<'a> {
    schema: &'static str,
    by: &'static str,
    command: String,
    base_command: String,
    common_count: u64,
    gone_count: u64,
    came_count: u64,
    c_library_count: u64,
    derived: bool,
    expected_empty: bool,
    recording: Recording<'a>,
}

#[derive(Serialize)]
struct Differing<'a> {
    side: &'static str,
    symbol: &'a str,
    importer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
}

/// Writes the object of `bindings --base --json`: at most `top` rows of each side.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn bindings_difference(
    (base, new): (&Analysis<'_>, &Analysis<'_>),
    difference: &Difference,
    top: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let head = DifferenceHead {
        schema: BINDINGS_SCHEMA,
        by: "difference",
        command: summary::command(new).to_string(),
        base_command: summary::command(base).to_string(),
        common_count: difference.common,
        gone_count: difference.gone.len() as u64,
        came_count: difference.came.len() as u64,
        c_library_count: difference.of_c_library,
        derived: difference.derived,
        expected_empty: difference.translation,
        recording: recording(new.trace),
    };
    let gone = difference.gone.iter().take(top).map(|link| ("base", link));
    let came = difference.came.iter().take(top).map(|link| ("new", link));
    let rows = gone.chain(came).map(|(side, link): (_, &Link)| Differing {
        side,
        symbol: &link.symbol,
        importer: &link.importer,
        provider: link.provider.as_deref(),
    });
    object(&head, rows, out)
}
