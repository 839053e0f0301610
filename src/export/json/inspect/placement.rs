//! Places in memory in what `inspect --json` writes.

use crate::analyze::inspect::placement::{Placement, slide_text};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Placed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    slide: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_address: Option<String>,
    segments: Vec<Segment<'a>>,
    problems: &'a [String],
    elsewhere: Vec<Elsewhere>,
}

#[derive(Serialize)]
struct Segment<'a> {
    name: &'a str,
    stated_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual_address: Option<String>,
    size_bytes: u64,
}

#[derive(Serialize)]
struct Elsewhere {
    address: String,
    size_bytes: u64,
    offset: String,
}

pub(super) fn placed(placement: &Placement) -> Placed<'_> {
    Placed {
        slide: placement.slide.map(slide_text),
        load_address: placement.loaded.map(|loaded| loaded.to_string()),
        segments: placement
            .segments
            .iter()
            .map(|segment| Segment {
                name: &segment.name,
                stated_address: segment.stated.to_string(),
                actual_address: segment.actual.map(|actual| actual.to_string()),
                size_bytes: segment.size,
            })
            .collect(),
        problems: &placement.problems,
        elsewhere: placement
            .elsewhere
            .iter()
            .map(|one| Elsewhere {
                address: one.start.to_string(),
                size_bytes: one.size,
                offset: format!("{:#x}", one.offset.0),
            })
            .collect(),
    }
}
