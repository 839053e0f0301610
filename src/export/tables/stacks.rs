//! Tables of samples, of the stacks that they share, and of the images that code lies in.

use super::field::{optional_text, optional_unsigned, text, truth, unsigned};
use super::{Definition, Source, walk_all};
use crate::export::text::{hex, text as as_text};
use crate::export::{frames, samples, words};
use crate::trace::{
    Frame, FrameId, FramePlace, FrameRole, Function, Image, ImageId, Mapping, ProfileSample,
    Sample, StackId, Trace, Unmapping,
};
use std::borrow::Cow;

pub(super) static SAMPLES: Definition<Sample> = Definition {
    name: "samples",
    fields: &[
        unsigned("time_ns", |_, sample| sample.time.0),
        unsigned("process", |_, sample| sample.process.0.into()),
        unsigned("tid", |_, sample| sample.tid.0.into()),
        optional_unsigned("goroutine", |_, sample| Some(sample.goroutine?.0)),
        text("kind", |_, sample| words::sample_kind(sample.kind).into()),
        text("place", |_, sample| {
            words::sample_place(sample.place).into()
        }),
        unsigned("weight_ns", |_, sample| sample.weight.0),
        optional_text("track", |of, sample| {
            Some((&*of.phases().of_sample(sample)?.track).into())
        }),
        optional_text("phase", |of, sample| {
            Some((&*of.phases().of_sample(sample)?.phase).into())
        }),
        unsigned("stack", |_, sample| sample.stack.0.into()),
        optional_text("function", |of, sample| of.innermost(sample.stack)),
    ],
    walk: |of, each| samples::walk(of.trace(), |_, sample| each(sample)),
};

pub(super) static PROFILES: Definition<ProfileSample> = Definition {
    name: "profiles",
    fields: &[
        unsigned("process", |_, profile| profile.process.0.into()),
        unsigned("weight_ns", |_, profile| profile.weight.0),
        unsigned("stack", |_, profile| profile.stack.0.into()),
        optional_text("function", |of, profile| of.innermost(profile.stack)),
    ],
    walk: |of, each| {
        let profiles = of.trace().profiles.iter();
        walk_all(profiles.filter(|profile| of.shows(profile.process)), each)
    },
};

/// A stack that is not empty.
pub(super) struct Stack {
    id: StackId,
    callers: StackId,
    frame: FrameId,
}

pub(super) static STACKS: Definition<Stack> = Definition {
    name: "stacks",
    fields: &[
        unsigned("stack", |_, stack| stack.id.0.into()),
        unsigned("callers", |_, stack| stack.callers.0.into()),
        unsigned("frame", |_, stack| stack.frame.0.into()),
    ],
    walk: |of, each| {
        let stacks = &of.trace().stacks;
        let ids = (0..).map(StackId).take(stacks.len());
        let all = ids.filter_map(|id| {
            let (callers, frame) = stacks.node(id)?;
            Some(Stack { id, callers, frame })
        });
        walk_all(all, each)
    },
};

/// A function of a frame, or what stands for a frame without a name.
pub(super) struct FrameRow {
    id: FrameId,
    frame: Frame,
    /// 0 the innermost.
    position: u32,
    name: String,
    function: Option<Function>,
    line: u32,
    inlined: bool,
}

impl FrameRow {
    fn all(trace: &Trace) -> impl Iterator<Item = Self> {
        let ids = (0..).map(FrameId).zip(&trace.frames);
        ids.flat_map(|(id, &frame)| {
            let rows = (0..).zip(frames::rows(trace, id));
            rows.map(move |(position, row)| Self {
                id,
                frame,
                position,
                name: as_text(row.name).into_owned(),
                function: row.function,
                line: row.line,
                inlined: row.inlined,
            })
        })
    }
}

pub(super) static FRAMES: Definition<FrameRow> = Definition {
    name: "frames",
    fields: &[
        unsigned("frame", |_, row| row.id.0.into()),
        unsigned("position", |_, row| row.position.into()),
        text("name", |_, row| (&*row.name).into()),
        optional_text("file", |of, row| of.present(row.function?.file)),
        optional_unsigned("line", |_, row| (row.line > 0).then(|| row.line.into())),
        truth("inlined", |_, row| row.inlined),
        truth("unnamed", |_, row| row.function.is_none()),
        text("place", |_, row| words::frame_place(row.frame.place).into()),
        optional_unsigned("image", |_, row| match row.frame.place {
            FramePlace::Image(image, _) => Some(image.0.into()),
            FramePlace::Unmapped(_) | FramePlace::Kernel(_) | FramePlace::Truncated => None,
        }),
        optional_text("offset", |_, row| match row.frame.place {
            FramePlace::Image(_, offset) => Some(format!("{:#x}", offset.0).into()),
            FramePlace::Unmapped(_) | FramePlace::Kernel(_) | FramePlace::Truncated => None,
        }),
        optional_text("address", |_, row| match row.frame.place {
            FramePlace::Unmapped(address) | FramePlace::Kernel(address) => {
                Some(address.to_string().into())
            }
            FramePlace::Image(..) | FramePlace::Truncated => None,
        }),
        truth("return", |_, row| row.frame.role == FrameRole::Return),
    ],
    walk: |of, each| walk_all(FrameRow::all(of.trace()), each),
};

impl<'a> Source<'a> {
    /// Name of a stack's innermost row.
    fn innermost(&self, stack: StackId) -> Option<Cow<'a, str>> {
        let trace = self.trace();
        let frame = trace.stacks.frames(stack).next()?;
        let row = frames::rows(trace, frame).into_iter().next()?;
        Some(as_text(row.name))
    }
}

pub(super) static IMAGES: Definition<(ImageId, Image)> = Definition {
    name: "images",
    fields: &[
        unsigned("image", |_, (id, _)| id.0.into()),
        text("path", |of, (_, image)| of.trace().text(image.path)),
        text("build_id", |_, (_, image)| hex(&image.build_id).into()),
        text("arch", |_, (_, image)| image.arch.name().into()),
        text("kind", |_, (_, image)| words::image_kind(image.kind).into()),
    ],
    walk: |of, each| {
        let ids = (0..).map(ImageId);
        walk_all(ids.zip(of.trace().images.iter().cloned()), each)
    },
};

pub(super) static MAPPINGS: Definition<Mapping> = Definition {
    name: "mappings",
    fields: &[
        unsigned("time_ns", |_, mapping| mapping.time.0),
        unsigned("process", |_, mapping| mapping.process.0.into()),
        unsigned("image", |_, mapping| mapping.image.0.into()),
        text("start", |_, mapping| mapping.start.to_string().into()),
        text("end", |_, mapping| mapping.end.to_string().into()),
        text("offset", |_, mapping| {
            format!("{:#x}", mapping.offset.0).into()
        }),
    ],
    walk: |of, each| {
        let mappings = of.trace().mappings.iter();
        walk_all(mappings.filter(|mapping| of.shows(mapping.process)), each)
    },
};

pub(super) static UNMAPPINGS: Definition<Unmapping> = Definition {
    name: "unmappings",
    fields: &[
        unsigned("time_ns", |_, unmapping| unmapping.time.0),
        unsigned("process", |_, unmapping| unmapping.process.0.into()),
        unsigned("image", |_, unmapping| unmapping.image.0.into()),
        text("start", |_, unmapping| unmapping.start.to_string().into()),
    ],
    walk: |of, each| {
        let unmappings = of.trace().unmappings.iter();
        walk_all(unmappings.filter(|gone| of.shows(gone.process)), each)
    },
};
