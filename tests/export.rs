//! What `export` writes, read by others: Perfetto's descriptors, Python's JSON, inferno.

#[cfg(test)]
#[path = "export/fixture.rs"]
mod fixture;
#[cfg(test)]
#[path = "export/perfetto.rs"]
mod perfetto;
#[cfg(test)]
#[path = "export/text_format.rs"]
mod text_format;
