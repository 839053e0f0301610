//! Frames of a trace in, what viewers show of them out: one row for each inlined function.

use crate::analyze::frame;
use crate::trace::{FrameId, FramePlace, Function, ImageId, Trace, Unnamed};
use std::borrow::Cow;

/// One row of a call stack as a viewer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameRow<'t> {
    /// The function's name, or `[why: image]` where there is none.
    pub(super) name: Cow<'t, [u8]>,
    /// The function, where it has a name.
    pub(super) function: Option<Function>,
    /// Line of the call or of the instruction, 0 where not known.
    pub(super) line: u32,
    /// The row above it in the same frame was inlined into it, and it may be inlined itself.
    pub(super) inlined: bool,
}

/// The rows of a frame, innermost first; at least one.
pub(super) fn rows(trace: &Trace, frame: FrameId) -> Vec<FrameRow<'_>> {
    match trace.symbol(frame) {
        Ok(locations) if !locations.is_empty() => locations
            .iter()
            .enumerate()
            .map(|(position, location)| {
                let function = trace
                    .functions
                    .get(location.function.index())
                    .copied()
                    .unwrap_or_default();
                FrameRow {
                    name: Cow::Borrowed(trace.strings.get(function.name)),
                    function: Some(function),
                    line: location.line,
                    inlined: position + 1 < locations.len(),
                }
            })
            .collect(),
        Ok(_) => vec![unnamed(trace, frame, Unnamed::NoSymbol)],
        Err(why) => vec![unnamed(trace, frame, why)],
    }
}

/// The image that a frame lies in.
pub(super) fn image(trace: &Trace, frame: FrameId) -> Option<ImageId> {
    match trace.frames.get(frame.index())?.place {
        FramePlace::Image(image, _) => Some(image),
        FramePlace::Unmapped(_) | FramePlace::Kernel(_) | FramePlace::Truncated => None,
    }
}

fn unnamed<'t>(trace: &'t Trace, frame: FrameId, why: Unnamed) -> FrameRow<'t> {
    FrameRow {
        name: Cow::Owned(frame::unnamed(trace, frame, why)),
        function: None,
        line: 0,
        inlined: false,
    }
}
