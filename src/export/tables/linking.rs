//! Tables of dynamic linking.

use super::field::{optional_text, optional_unsigned, text, truth, unsigned};
use super::{Definition, walk_all};
use crate::export::words;
use crate::trace::{Binding, Linking, Load};

pub(super) static LOADS: Definition<Load> = Definition {
    name: "loads",
    fields: &[
        unsigned("time_ns", |_, load| load.time.0),
        unsigned("process", |_, load| load.process.0.into()),
        unsigned("tid", |_, load| load.tid.0.into()),
        unsigned("image", |_, load| load.image.0.into()),
        text("cause", |_, load| words::link_cause(load.cause).into()),
        unsigned("namespace", |_, load| load.namespace.into()),
        optional_text("address", |_, load| Some(load.address?.to_string().into())),
        optional_text("slide", |_, load| {
            load.slide.map(|slide| format!("{slide:#x}").into())
        }),
        text("origin", |_, load| words::load_origin(load.origin).into()),
        truth("paged_in", |_, load| load.paged_in),
    ],
    walk: |of, each| {
        let loads = of.trace().loads.iter();
        walk_all(loads.filter(|load| of.shows(load.process)), each)
    },
};

pub(super) static LINKINGS: Definition<Linking> = Definition {
    name: "linkings",
    fields: &[
        unsigned("from_ns", |_, linking| linking.from.0),
        unsigned("to_ns", |_, linking| linking.to.0),
        unsigned("process", |_, linking| linking.process.0.into()),
        unsigned("tid", |_, linking| linking.tid.0.into()),
        text("cause", |_, linking| {
            words::link_cause(linking.cause).into()
        }),
        optional_unsigned("cpu_ns", |_, linking| Some(linking.cpu?.0)),
    ],
    walk: |of, each| {
        let linkings = of.trace().linkings.iter();
        walk_all(linkings.filter(|linking| of.shows(linking.process)), each)
    },
};

pub(super) static BINDINGS: Definition<Binding> = Definition {
    name: "bindings",
    fields: &[
        unsigned("time_ns", |_, bind| bind.time.0),
        unsigned("process", |_, bind| bind.process.0.into()),
        unsigned("tid", |_, bind| bind.tid.0.into()),
        unsigned("importer", |_, bind| bind.importer.0.into()),
        optional_unsigned("provider", |_, bind| Some(bind.provider?.0.into())),
        text("symbol", |of, bind| of.trace().text(bind.symbol)),
        text("address", |_, bind| bind.address.to_string().into()),
        optional_text("slot", |_, bind| Some(bind.slot?.to_string().into())),
        text("how", |_, bind| words::bind_how(bind.how).into()),
        text("kind", |_, bind| words::bind_kind(bind.kind).into()),
    ],
    walk: |of, each| {
        let mut unreadable_blocks = 0;
        for block in of.trace().bindings() {
            let Ok(block) = block else {
                unreadable_blocks += 1;
                continue;
            };
            let mut binds = block.iter().filter(|bind| of.shows(bind.process));
            binds.try_for_each(|bind| each(&bind))?;
        }
        Ok(unreadable_blocks)
    },
};
