//! Frames in, kinds of code out.

use crate::export::frames::FrameRow;
use crate::trace::{Frame, FramePlace, Trace};

/// A kind of code: its position is its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Category {
    Other = 0,
    Go = 1,
    Runtime = 2,
    Native = 3,
    Kernel = 4,
}

impl Category {
    /// All, with the colours that they are drawn in. Grey is for what has no other.
    pub(super) const ALL: [(&'static str, &'static str); 5] = [
        ("Other", "grey"),
        ("Go", "blue"),
        ("Go runtime", "yellow"),
        ("Native", "green"),
        ("Kernel", "orange"),
    ];

    /// What a row of a frame is in.
    pub(super) fn of(trace: &Trace, frame: Frame, row: &FrameRow<'_>) -> Self {
        if matches!(frame.place, FramePlace::Kernel(_)) {
            return Self::Kernel;
        }
        let Some(function) = row.function else {
            return Self::Other;
        };
        let runtime = [&b"runtime."[..], b"runtime/", b"internal/runtime/"];
        let is_go = [&b".go"[..], b".s"];
        if runtime.iter().any(|prefix| row.name.starts_with(prefix)) {
            Self::Runtime
        } else if is_go
            .iter()
            .any(|end| trace.strings.get(function.file).ends_with(end))
        {
            Self::Go
        } else {
            Self::Native
        }
    }
}
