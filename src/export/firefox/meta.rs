//! What a file says of itself.

use super::categories::Category;
use super::markers::SCHEMA;
use super::threads::{self, Thread};
use super::{millis, put_open};
use crate::analyze::{Analysis, summary};
use crate::export::period;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// Version of the format.
const VERSION: u8 = 60;
/// Version of Firefox's own format that was in use then.
const GECKO_VERSION: u8 = 31;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    product: &'static str,
    imported_from: &'static str,
    version: u8,
    preprocessed_profile_version: u8,
    /// Milliseconds between samples.
    interval: f64,
    /// Milliseconds since 1970.
    start_time: f64,
    start_time_as_clock_monotonic_nanoseconds_since_boot: u64,
    profiling_start_time: f64,
    profiling_end_time: f64,
    process_type: u8,
    stackwalk: u8,
    arguments: String,
    oscpu: Cow<'a, str>,
    #[serde(rename = "CPUName")]
    cpu_name: Cow<'a, str>,
    #[serde(rename = "logicalCPUs")]
    logical_cpus: u32,
    main_memory: u64,
    symbolicated: bool,
    uses_only_one_stack_type: bool,
    source_code_is_not_on_searchfox: bool,
    keep_profile_thread_order: bool,
    initial_visible_threads: Vec<usize>,
    initial_selected_threads: Vec<usize>,
    sample_units: SampleUnits,
    categories: [CategoryOf; Category::ALL.len()],
    extra: [Section; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SampleUnits {
    time: &'static str,
    event_delay: &'static str,
    #[serde(rename = "threadCPUDelta")]
    thread_cpu_delta: &'static str,
}

#[derive(Serialize)]
struct CategoryOf {
    name: &'static str,
    color: &'static str,
    subcategories: [&'static str; 1],
}

/// Lines that viewers show under more information.
#[derive(Serialize)]
struct Section {
    label: &'static str,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    label: String,
    format: &'static str,
    value: String,
}

/// Writes the object; `unreadable_blocks` could not be read.
pub(super) fn write(
    analysis: &Analysis<'_>,
    threads: &[Thread],
    unreadable_blocks: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let trace = analysis.trace;
    let host = &trace.host;
    let visible = threads::shown(threads);
    let meta = Meta {
        product: "gotrace",
        imported_from: "gotrace",
        version: GECKO_VERSION,
        preprocessed_profile_version: VERSION,
        // Of traces that do not tell, the time that viewers are used to.
        interval: period::of(trace).map_or(1.0, millis),
        start_time: trace.anchor.unix_ns as f64 / 1e6,
        start_time_as_clock_monotonic_nanoseconds_since_boot: trace.anchor.monotonic_ns,
        profiling_start_time: 0.0,
        profiling_end_time: millis(analysis.end),
        process_type: 0,
        stackwalk: 1,
        arguments: summary::command(analysis).to_string(),
        oscpu: trace.text(host.os),
        cpu_name: trace.text(host.cpu),
        logical_cpus: host.cores,
        main_memory: host.memory_bytes,
        symbolicated: true,
        uses_only_one_stack_type: true,
        source_code_is_not_on_searchfox: true,
        keep_profile_thread_order: true,
        initial_selected_threads: visible.first().copied().into_iter().collect(),
        initial_visible_threads: visible,
        sample_units: SampleUnits {
            time: "ms",
            event_delay: "ms",
            thread_cpu_delta: "ns",
        },
        categories: Category::ALL.map(|(name, color)| CategoryOf {
            name,
            color,
            subcategories: ["Other"],
        }),
        extra: [Section {
            label: "Lost or not seen",
            entries: gaps(analysis, unreadable_blocks),
        }],
    };
    put_open(&meta, out)?;
    write!(out, ",\n\"markerSchema\":{}}}", SCHEMA.trim_end())
}

fn gaps(analysis: &Analysis<'_>, unreadable_blocks: u64) -> Vec<Entry> {
    let gaps = analysis.gaps(unreadable_blocks).into_iter();
    let entries = gaps.map(|gap| Entry {
        label: match gap.count {
            Some(count) => format!("{count} {}", gap.what),
            None => gap.what.to_string(),
        },
        format: "string",
        value: gap.why.to_string(),
    });
    entries.collect()
}
