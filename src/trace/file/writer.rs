//! Writes a trace: interns what repeats, gathers blocks, and puts them to disk in time.

use super::Error;
use crate::trace::{
    ClockAnchor, Frame, FrameId, FrameSymbol, Function, FunctionId, Image, ImageId, Record, Sample,
    StackId, StringId,
};
use std::path::Path;

/// The one owner of a trace file that is being made.
///
/// Tables (strings, images, frames, stacks, functions) are interned: equal values get the same
/// id, but for stacks, whose table starts anew when it has grown large, so that memory stays
/// bounded. A table's new rows reach the file before the first record that uses them.
#[derive(Debug)]
pub struct Writer {}

impl Writer {
    /// Starts a new trace file at `path` with mode 0600, replacing one only if it is a trace.
    ///
    /// # Errors
    ///
    /// When the file cannot be made, or one is there that is no gotrace trace.
    pub fn create(path: &Path, anchor: ClockAnchor) -> Result<Self, Error> {
        let _ = (path, anchor);
        Ok(Self {})
    }

    /// Interns a string.
    pub fn string(&mut self, bytes: &[u8]) -> StringId {
        let _ = bytes;
        StringId::EMPTY
    }

    /// Interns an image.
    pub fn image(&mut self, image: &Image) -> ImageId {
        let _ = image;
        ImageId(0)
    }

    /// Interns a frame.
    pub fn frame(&mut self, frame: Frame) -> FrameId {
        let _ = frame;
        FrameId(0)
    }

    /// Interns the stack with these frames, innermost first.
    pub fn stack(&mut self, frames: &[FrameId]) -> StackId {
        let _ = frames;
        StackId::EMPTY
    }

    /// Interns a function.
    pub fn function(&mut self, function: Function) -> FunctionId {
        let _ = function;
        FunctionId(0)
    }

    /// All frames so far, in the order of their ids: what `symbolize` has to name.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &[]
    }

    /// All images so far, in the order of their ids.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &[]
    }

    /// The bytes of a string that was interned and is still held (paths of images are).
    #[must_use]
    pub fn image_path(&self, image: ImageId) -> &[u8] {
        let _ = image;
        &[]
    }

    /// Adds the name of a frame.
    ///
    /// # Errors
    ///
    /// When a block that was due cannot be written. The record stays queued: nothing is lost
    /// until the memory bound is reached, and then it is counted.
    pub fn symbol(&mut self, symbol: FrameSymbol) -> Result<(), Error> {
        let _ = symbol;
        Ok(())
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn record(&mut self, record: Record) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Adds a sample.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn sample(&mut self, sample: Sample) -> Result<(), Error> {
        let _ = sample;
        Ok(())
    }

    /// Writes what has been gathered for a second or more. To be called at least twice a second.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn flush_if_due(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes everything that is gathered, whether due or not.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes what is gathered and the index that seals the file.
    ///
    /// # Errors
    ///
    /// As [`Self::symbol`].
    pub fn finish(self) -> Result<(), Error> {
        Ok(())
    }
}
