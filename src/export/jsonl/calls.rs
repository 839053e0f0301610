//! Lines of watched functions, of their entries and exits, and of trees of their calls.

use crate::export::text::Texts;
use crate::export::words;
use crate::trace::{self, ArgumentKind, CallEdge, PhaseLasts, StringId, Trace};
use serde::Serialize;
use std::borrow::Cow;

type Text<'t> = Cow<'t, str>;

#[derive(Serialize)]
pub(super) struct Probe<'t> {
    probe: u32,
    image: u32,
    function: Text<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Text<'t>>,
    /// Text: readers of JSON round numbers.
    offset: String,
    instruction: Text<'t>,
    entry_cost_ns: u64,
    exits: u32,
    exit_cost_ns: u64,
    argument: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<Text<'t>>,
    #[serde(flatten)]
    phase: Option<Phase<'t>>,
}

#[derive(Serialize)]
struct Phase<'t> {
    track: Text<'t>,
    phase: Text<'t>,
    lasts: &'static str,
    beside: bool,
}

impl<'t> Probe<'t> {
    pub(super) fn of(probe: &trace::Probe, texts: &mut Texts<'t>) -> Self {
        let mut present =
            |key: &str, id: StringId| (id != StringId::EMPTY).then(|| texts.get(key, id));
        let (file, set) = (present("file", probe.file), present("set", probe.set));
        Self {
            probe: probe.id.0,
            image: probe.image.0,
            function: texts.get("function", probe.function),
            file,
            offset: format!("{:#x}", probe.entry.0),
            instruction: texts.get("instruction", probe.instruction),
            entry_cost_ns: probe.entry_cost.0,
            exits: probe.exits,
            exit_cost_ns: probe.exit_cost.0,
            argument: match probe.argument {
                ArgumentKind::None => "none",
                ArgumentKind::Integer => "integer",
                ArgumentKind::Text => "text",
                ArgumentKind::Signed(_) => "signed",
                ArgumentKind::Unsigned(_) => "unsigned",
            },
            set,
            phase: probe.phase.map(|mark| Phase {
                track: texts.get("track", mark.track),
                phase: texts.get("phase", mark.phase),
                lasts: match mark.lasts {
                    PhaseLasts::Call => "call",
                    PhaseLasts::UntilNext => "until_next",
                },
                beside: mark.beside,
            }),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Dropped<'t> {
    time_ns: u64,
    probe: u32,
    hits: u64,
    unrecorded: u64,
    why: Text<'t>,
}

impl<'t> Dropped<'t> {
    pub(super) fn of(dropped: &trace::ProbeDropped, texts: &mut Texts<'t>) -> Self {
        Self {
            time_ns: dropped.at.0,
            probe: dropped.probe.0,
            hits: dropped.hits,
            unrecorded: dropped.unrecorded,
            why: texts.get("why", dropped.why),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Call<'t> {
    time_ns: u64,
    process: u32,
    tid: u32,
    stack_of: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    goroutine: Option<u64>,
    probe: u32,
    function: Text<'t>,
    edge: &'static str,
    depth: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument_integer: Option<i128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    argument_text: Option<Text<'t>>,
}

impl<'t> Call<'t> {
    pub(super) fn of(trace: &'t Trace, call: &trace::CallEvent, texts: &mut Texts<'t>) -> Self {
        let probe = trace.probe(call.probe);
        let function = probe.map(|probe| probe.function);
        let kind = probe.map(|probe| probe.argument).unwrap_or_default();
        let (integer, text) = match call.argument {
            Some(trace::Argument::Integer(word)) => (Some(kind.number(word)), None),
            Some(trace::Argument::Text(id)) => (None, Some(texts.get("argument_text", id))),
            None => (None, None),
        };
        Self {
            time_ns: call.time.0,
            process: call.process.0,
            tid: call.tid.0,
            stack_of: words::stack_owner(call.stack),
            goroutine: call.stack.goroutine().map(|goid| goid.0),
            probe: call.probe.0,
            function: texts.get("function", function.unwrap_or_default()),
            edge: match call.edge {
                CallEdge::Entry => "entry",
                CallEdge::Exit => "exit",
                CallEdge::TailJump => "tail_jump",
            },
            depth: call.depth,
            argument_integer: integer,
            argument_text: text,
        }
    }
}

#[derive(Serialize)]
pub(super) struct TreeRow<'t> {
    process: u32,
    level: u32,
    probe: u32,
    function: Text<'t>,
    calls: u64,
    open: u64,
    total_ns: u64,
}

impl<'t> TreeRow<'t> {
    pub(super) fn of(trace: &'t Trace, row: &trace::CallTreeRow, texts: &mut Texts<'t>) -> Self {
        let function = trace.probe(row.probe).map(|probe| probe.function);
        Self {
            process: row.process.0,
            level: row.level,
            probe: row.probe.0,
            function: texts.get("function", function.unwrap_or_default()),
            calls: row.calls,
            open: row.open,
            total_ns: row.total.0,
        }
    }
}
