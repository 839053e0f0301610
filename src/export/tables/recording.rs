//! Tables of the whole recording: one row for the trace, how it was made, and what it lacks.

use super::field::{
    optional_signed, optional_text, optional_unsigned, signed, text, truth, unsigned,
};
use super::{Definition, Source, walk_all};
use crate::analyze::summary;
use crate::export::words;
use crate::trace::{BlindSpot, Counter, Finding, Loss, Nanos, Setting, Toolchain};
use std::borrow::Cow;

/// A trace has one.
pub(super) struct Whole {
    /// CPU time of all programs.
    cpu: Nanos,
}

pub(super) static TRACES: Definition<Whole> = Definition {
    name: "traces",
    fields: &[
        unsigned("start_unix_ns", |of, _| of.trace().anchor.unix_ns),
        text("command", |of, _| {
            Cow::Owned(summary::command(of.analysis).to_string())
        }),
        unsigned("wall_ns", |of, _| of.analysis.builds.critical_path.wall().0),
        unsigned("cpu_ns", |_, whole| whole.cpu.0),
        optional_text("status", |of, _| {
            let status = of.trace().ending?.status?;
            Some(Cow::Borrowed(words::status(status)))
        }),
        optional_signed("exit_code", |of, _| {
            of.trace().ending?.status?.code().map(i64::from)
        }),
        optional_signed("signal", |of, _| {
            of.trace().ending?.status?.signal().map(i64::from)
        }),
        truth("complete", |of, _| {
            of.trace().ending.is_some() && !of.trace().integrity.unsealed
        }),
        text("gotrace", |of, _| of.trace().text(of.trace().host.gotrace)),
        text("os", |of, _| of.trace().text(of.trace().host.os)),
        text("distribution", |of, _| {
            of.trace().text(of.trace().host.distribution)
        }),
        text("cpu", |of, _| of.trace().text(of.trace().host.cpu)),
        text("arch", |of, _| of.trace().host.arch.name().into()),
        unsigned("cores", |of, _| of.trace().host.cores.into()),
        unsigned("memory_bytes", |of, _| of.trace().host.memory_bytes),
        optional_text("go_version", |of, _| {
            toolchain(of).map(|go| of.trace().text(go.version))
        }),
        optional_text("go_arch", |of, _| {
            toolchain(of).map(|go| go.arch.name().into())
        }),
        optional_text("go_translator", |of, _| {
            of.present(toolchain(of)?.translator)
        }),
        optional_unsigned("own_cpu_ns", |of, _| Some(of.trace().ending?.own_cpu.0)),
        optional_unsigned("own_max_rss_bytes", |of, _| {
            Some(of.trace().ending?.own_max_rss_bytes)
        }),
    ],
    walk: |of, each| {
        let cpu = of.analysis.costs().total.cpu();
        walk_all([Whole { cpu }], each)
    },
};

/// The toolchain that the command found first.
fn toolchain<'a>(of: &Source<'a>) -> Option<&'a Toolchain> {
    of.analysis.trace.toolchains.first()
}

pub(super) static SETTINGS: Definition<Setting> = Definition {
    name: "settings",
    fields: &[
        text("key", |of, setting| of.trace().text(setting.key)),
        text("value", |of, setting| of.trace().text(setting.value)),
        text("source", |of, setting| of.trace().text(setting.source)),
    ],
    walk: |of, each| walk_all(&of.trace().settings, each),
};

pub(super) static FINDINGS: Definition<Finding> = Definition {
    name: "findings",
    fields: &[
        text("check", |of, finding| of.trace().text(finding.check)),
        text("level", |_, finding| finding.severity.name().into()),
        text("text", |of, finding| of.trace().text(finding.text)),
        text("evidence", |of, finding| of.trace().text(finding.evidence)),
        text("remedy", |of, finding| of.trace().text(finding.remedy)),
    ],
    walk: |of, each| walk_all(&of.trace().findings, each),
};

pub(super) static LOSSES: Definition<Loss> = Definition {
    name: "losses",
    fields: &[
        unsigned("from_ns", |_, loss| loss.from.0),
        unsigned("to_ns", |_, loss| loss.to.0),
        text("what", |of, loss| of.trace().text(loss.what)),
        unsigned("count", |_, loss| loss.count),
        text("why", |of, loss| of.trace().text(loss.why)),
    ],
    walk: |of, each| walk_all(&of.trace().losses, each),
};

pub(super) static BLIND_SPOTS: Definition<BlindSpot> = Definition {
    name: "blind_spots",
    fields: &[
        unsigned("time_ns", |_, spot| spot.time.0),
        text("what", |of, spot| of.trace().text(spot.what)),
        text("why", |of, spot| of.trace().text(spot.why)),
    ],
    walk: |of, each| walk_all(&of.trace().blind_spots, each),
};

pub(super) static COUNTERS: Definition<Counter> = Definition {
    name: "counters",
    fields: &[
        unsigned("time_ns", |_, counter| counter.time.0),
        text("name", |of, counter| of.trace().text(counter.name)),
        signed("value", |_, counter| counter.value),
    ],
    walk: |of, each| walk_all(&of.trace().counters, each),
};
