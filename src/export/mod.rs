//! Writes for machines: Perfetto, Chrome, Firefox Profiler, pprof, speedscope, folded stacks, tables
//! as CSV and Parquet, JSON lines, JSON.
//!
//! A trace, or what `analyze` computed of it, comes in; bytes go out to a writer as they are
//! made, so that memory does not grow with the length of the trace. Each format owns its own
//! records; no type of another room is serialized as it stands.

mod counts;
mod frames;
mod graph;
mod labels;
mod levels;
mod period;
mod samples;
mod stacks;
mod text;
mod words;

pub mod chrome;
pub mod csv;
pub mod firefox;
pub mod folded;
pub mod json;
pub mod jsonl;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod perfetto;
pub mod pprof;
pub mod speedscope;
pub mod tables;
