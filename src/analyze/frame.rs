//! A frame without a name in, the words that stand for it out.

use super::{argv, profile};
use crate::trace::{FrameId, FramePlace, Trace, Unnamed};

/// What stands for a frame that has no name: `[kernel]`, `[truncated]`, `[unmapped]`,
/// `[stripped: libz.so.1]`. Bytes, for the file's name need not be text.
#[must_use]
pub fn unnamed(trace: &Trace, frame: FrameId, why: Unnamed) -> Vec<u8> {
    let (why, file) = match profile::place(trace, frame) {
        FramePlace::Truncated => (Unnamed::Truncated, &b""[..]),
        FramePlace::Kernel(_) => (Unnamed::Kernel, &b""[..]),
        FramePlace::Unmapped(_) => (why, &b""[..]),
        FramePlace::Image(image, _) => {
            let path = trace.images.get(image.index()).map(|image| image.path);
            (why, argv::base(trace.strings.get(path.unwrap_or_default())))
        }
    };
    let mut name = format!("[{why}").into_bytes();
    if !file.is_empty() {
        name.extend_from_slice(b": ");
        name.extend_from_slice(file);
    }
    name.push(b']');
    name
}
