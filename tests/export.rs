//! What `export` writes, read by others: Perfetto's descriptors, Python's JSON and CSV, inferno,
//! `go tool pprof`, speedscope.

#[cfg(test)]
#[path = "export/bindings.rs"]
mod bindings;
#[cfg(test)]
#[path = "export/call_trees.rs"]
mod call_trees;
#[cfg(test)]
#[path = "export/compare.rs"]
mod compare;
#[cfg(test)]
#[path = "export/counted.rs"]
mod counted;
#[cfg(test)]
#[path = "export/experiment.rs"]
mod experiment;
#[cfg(test)]
#[path = "export/firefox.rs"]
mod firefox;
#[cfg(test)]
#[path = "export/fixture.rs"]
mod fixture;
#[cfg(test)]
#[path = "export/json.rs"]
mod json;
#[cfg(test)]
#[path = "export/lines.rs"]
mod lines;
#[cfg(test)]
#[path = "export/linking.rs"]
mod linking;
#[cfg(feature = "parquet")]
#[cfg(test)]
#[path = "export/parquet.rs"]
mod parquet;
#[cfg(test)]
#[path = "export/perfetto.rs"]
mod perfetto;
#[cfg(test)]
#[path = "export/pipes.rs"]
mod pipes;
#[cfg(test)]
#[path = "export/pprof.rs"]
mod pprof;
#[cfg(test)]
#[path = "export/python.rs"]
mod python;
#[cfg(test)]
#[path = "export/real.rs"]
mod real;
#[cfg(test)]
#[path = "export/speedscope.rs"]
mod speedscope;
#[cfg(test)]
#[path = "export/tables.rs"]
mod tables;
#[cfg(test)]
#[path = "export/text_format.rs"]
mod text_format;
#[cfg(test)]
#[path = "export/viewers.rs"]
mod viewers;
