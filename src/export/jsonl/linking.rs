//! Lines of dynamic linking.

use super::records::present;
use crate::export::text::Texts;
use crate::export::words;
use crate::trace::{self, ImportKind, SearchOutcome};
use serde::Serialize;
use std::borrow::Cow;

type Text<'t> = Cow<'t, str>;

#[derive(Serialize)]
pub(super) struct Load {
    time_ns: u64,
    process: u32,
    tid: u32,
    image: u32,
    cause: &'static str,
    namespace: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slide: Option<String>,
    origin: &'static str,
    paged_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    translated_start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    translated_end: Option<String>,
}

impl Load {
    pub(super) fn of(load: &trace::Load) -> Self {
        Self {
            time_ns: load.time.0,
            process: load.process.0,
            tid: load.tid.0,
            image: load.image.0,
            cause: words::link_cause(load.cause),
            namespace: load.namespace,
            address: load.address.map(|address| address.to_string()),
            slide: load.slide.map(hexadecimal),
            origin: words::load_origin(load.origin),
            paged_in: load.paged_in,
            translated_start: load.translated.map(|(start, _)| start.to_string()),
            translated_end: load.translated.map(|(_, end)| end.to_string()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Unload {
    time_ns: u64,
    process: u32,
    tid: u32,
    image: u32,
    namespace: u32,
}

impl Unload {
    pub(super) const fn of(unload: &trace::Unload) -> Self {
        Self {
            time_ns: unload.time.0,
            process: unload.process.0,
            tid: unload.tid.0,
            image: unload.image.0,
            namespace: unload.namespace,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Linking {
    from_ns: u64,
    to_ns: u64,
    process: u32,
    tid: u32,
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ns: Option<u64>,
}

impl Linking {
    pub(super) fn of(linking: &trace::Linking) -> Self {
        Self {
            from_ns: linking.from.0,
            to_ns: linking.to.0,
            process: linking.process.0,
            tid: linking.tid.0,
            cause: words::link_cause(linking.cause),
            cpu_ns: linking.cpu.map(|cpu| cpu.0),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Search<'t> {
    time_ns: u64,
    process: u32,
    path: Text<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Text<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importer: Option<u32>,
    outcome: &'static str,
    count: u64,
}

impl<'t> Search<'t> {
    pub(super) fn of(search: &trace::Search, texts: &mut Texts<'t>) -> Self {
        Self {
            time_ns: search.time.0,
            process: search.process.0,
            path: texts.get("path", search.path),
            rule: present(texts, "rule", search.rule),
            importer: search.importer.map(|image| image.0),
            outcome: match search.outcome {
                SearchOutcome::Missed => "missed",
                SearchOutcome::Found => "found",
                SearchOutcome::Refused => "refused",
            },
            count: search.count,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Interpreter<'t> {
    process: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Text<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unwatched: Option<Text<'t>>,
}

impl<'t> Interpreter<'t> {
    pub(super) fn of(interpreter: &trace::Interpreter, texts: &mut Texts<'t>) -> Self {
        Self {
            process: interpreter.process.0,
            path: present(texts, "path", interpreter.path),
            unwatched: present(texts, "unwatched", interpreter.unwatched),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ImageNeeds<'t> {
    image: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<Text<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_name: Option<Text<'t>>,
    segments: Vec<Segment>,
    libraries: Vec<Text<'t>>,
    bind_now: bool,
    symbolic: bool,
    relative: u64,
    jump_slot: u64,
    data: u64,
    copy: u64,
    other: u64,
    imports: Vec<Import<'t>>,
    left_out: u64,
    offers: Vec<Offer<'t>>,
}

#[derive(Serialize)]
struct Segment {
    offset: String,
    stated: String,
    length: String,
    in_file: String,
    executable: bool,
}

#[derive(Serialize)]
struct Import<'t> {
    symbol: Text<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Text<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    library: Option<Text<'t>>,
    slot: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stub: Option<String>,
    kind: &'static str,
    weak: bool,
    places: u64,
}

#[derive(Serialize)]
struct Offer<'t> {
    symbol: Text<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Text<'t>>,
    version_number: u32,
    hidden: bool,
    unique: bool,
    protected: bool,
    stub: bool,
}

impl<'t> ImageNeeds<'t> {
    pub(super) fn of(needs: &trace::ImageNeeds, texts: &mut Texts<'t>) -> Self {
        let segments = needs.segments.iter().map(|segment| Segment {
            offset: hexadecimal(segment.offset.0),
            stated: hexadecimal(segment.stated),
            length: hexadecimal(segment.length),
            in_file: hexadecimal(segment.in_file),
            executable: segment.executable,
        });
        let counts = &needs.relocations;
        Self {
            image: needs.image.0,
            unread: present(texts, "unread", needs.unread),
            own_name: present(texts, "own_name", needs.own_name),
            segments: segments.collect(),
            libraries: texts.list("libraries", &needs.libraries),
            bind_now: needs.bind_now,
            symbolic: needs.symbolic,
            relative: counts.relative,
            jump_slot: counts.jump_slot,
            data: counts.data,
            copy: counts.copy,
            other: counts.other,
            imports: (needs.imports.iter().enumerate())
                .map(|(at, import)| {
                    let key = |name: &str| format!("imports.{at}.{name}");
                    Import {
                        symbol: texts.get(&key("symbol"), import.symbol),
                        version: present(texts, &key("version"), import.version),
                        library: present(texts, &key("library"), import.library),
                        slot: hexadecimal(import.slot),
                        stub: import.stub.map(hexadecimal),
                        kind: match import.kind {
                            ImportKind::Call => "call",
                            ImportKind::Data => "data",
                            ImportKind::Copy => "copy",
                            ImportKind::ThreadLocal => "thread-local",
                        },
                        weak: import.weak,
                        places: import.places,
                    }
                })
                .collect(),
            left_out: needs.left_out,
            offers: (needs.offers.iter().enumerate())
                .map(|(at, offer)| {
                    let key = |name: &str| format!("offers.{at}.{name}");
                    Offer {
                        symbol: texts.get(&key("symbol"), offer.symbol),
                        version: present(texts, &key("version"), offer.version),
                        version_number: offer.number,
                        hidden: offer.hidden,
                        unique: offer.unique,
                        protected: offer.protected,
                        stub: offer.stub,
                    }
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Binding<'t> {
    time_ns: u64,
    process: u32,
    tid: u32,
    importer: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<u32>,
    symbol: Text<'t>,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    how: &'static str,
    kind: &'static str,
}

impl<'t> Binding<'t> {
    pub(super) fn of(bind: &trace::Binding, texts: &mut Texts<'t>) -> Self {
        Self {
            time_ns: bind.time.0,
            process: bind.process.0,
            tid: bind.tid.0,
            importer: bind.importer.0,
            provider: bind.provider.map(|image| image.0),
            symbol: texts.get("symbol", bind.symbol),
            address: bind.address.to_string(),
            slot: bind.slot.map(|slot| slot.to_string()),
            how: words::bind_how(bind.how),
            kind: words::bind_kind(bind.kind),
        }
    }
}

/// Text: readers of JSON round numbers.
fn hexadecimal(number: u64) -> String {
    format!("{number:#x}")
}
