//! The fields of a record: each kind of value to bytes and back.

use crate::trace::file::bytes::{
    Bytes, Malformed, difference, follow, narrow, put_varint, unzigzag, zigzag,
};
use crate::trace::file::tables::{arch_from, arch_number};
use crate::trace::{Arch, ImageId, Nanos, ProcessId, StackId, StringId};

/// What the row before said, from which the next one differs little.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    time: u64,
    process: u64,
    string: u64,
}

/// How many rows the tables have: what a record may name.
#[derive(Clone, Copy, Debug)]
pub(in crate::trace::file) struct Limits {
    pub(in crate::trace::file) strings: usize,
    pub(in crate::trace::file) images: usize,
    pub(in crate::trace::file) stacks: usize,
}

/// Writes the fields of one record.
pub(super) struct Put<'a> {
    out: Vec<u8>,
    before: &'a mut Before,
    time: Option<Nanos>,
}

impl<'a> Put<'a> {
    pub(super) fn new(before: &'a mut Before) -> Self {
        Self {
            out: Vec::new(),
            before,
            time: None,
        }
    }

    /// The bytes, and the first time among the fields.
    pub(super) fn done(self) -> (Vec<u8>, Option<Nanos>) {
        (self.out, self.time)
    }

    pub(super) fn number(&mut self, value: u64) {
        put_varint(&mut self.out, value);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.number(zigzag(value));
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    pub(super) fn arch(&mut self, arch: Arch) {
        self.out.push(arch_number(arch));
    }

    pub(super) fn time(&mut self, time: Nanos) {
        self.number(difference(time.0, self.before.time));
        self.before.time = time.0;
        self.time = self.time.or(Some(time));
    }

    pub(super) fn process(&mut self, process: ProcessId) {
        self.number(difference(u64::from(process.0), self.before.process));
        self.before.process = u64::from(process.0);
    }

    /// A string: 0 is the empty one, else 1 and the difference from the one after the last.
    pub(super) fn string(&mut self, string: StringId) {
        if string == StringId::EMPTY {
            self.number(0);
            return;
        }
        let next = self.before.string.wrapping_add(1);
        self.number(difference(u64::from(string.0), next).saturating_add(1));
        self.before.string = u64::from(string.0);
    }

    /// A number of strings, and the strings.
    pub(super) fn strings(&mut self, strings: &[StringId]) {
        self.number(strings.len() as u64);
        for &string in strings {
            self.string(string);
        }
    }

    pub(super) fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }
}

/// Reads the fields of one record.
pub(super) struct Take<'a, 'b> {
    bytes: Bytes<'a>,
    before: &'b mut Before,
    limits: Limits,
    undefined: bool,
}

impl<'a, 'b> Take<'a, 'b> {
    pub(super) const fn new(fields: &'a [u8], before: &'b mut Before, limits: Limits) -> Self {
        Self {
            bytes: Bytes::new(fields),
            before,
            limits,
            undefined: false,
        }
    }

    /// Whether every id so far has a row in its table.
    pub(super) const fn all_defined(&self) -> bool {
        !self.undefined
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        self.bytes.varint()
    }

    pub(super) fn narrow(&mut self) -> Result<u32, Malformed> {
        self.bytes.u32()
    }

    pub(super) fn signed(&mut self) -> Result<i64, Malformed> {
        self.number().map(unzigzag)
    }

    pub(super) fn nanos(&mut self) -> Result<Nanos, Malformed> {
        self.number().map(Nanos)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.bytes.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("expected a flag of 0 or 1, found another value")),
        }
    }

    pub(super) fn arch(&mut self) -> Result<Arch, Malformed> {
        arch_from(self.bytes.u8()?)
    }

    pub(super) fn time(&mut self) -> Result<Nanos, Malformed> {
        self.before.time = follow(self.before.time, self.number()?);
        Ok(Nanos(self.before.time))
    }

    pub(super) fn process(&mut self) -> Result<ProcessId, Malformed> {
        self.before.process = follow(self.before.process, self.number()?);
        narrow(self.before.process).map(ProcessId)
    }

    pub(super) fn image(&mut self) -> Result<ImageId, Malformed> {
        let id = self.narrow()?;
        self.undefined |= id as usize >= self.limits.images;
        Ok(ImageId(id))
    }

    pub(super) fn stack(&mut self) -> Result<StackId, Malformed> {
        let id = self.narrow()?;
        self.undefined |= id as usize >= self.limits.stacks;
        Ok(StackId(id))
    }

    pub(super) fn string(&mut self) -> Result<StringId, Malformed> {
        let Some(step) = self.number()?.checked_sub(1) else {
            return Ok(StringId::EMPTY);
        };
        self.before.string = follow(self.before.string.wrapping_add(1), step);
        let id = narrow(self.before.string)?;
        self.undefined |= id as usize >= self.limits.strings;
        Ok(StringId(id))
    }

    pub(super) fn strings(&mut self) -> Result<Vec<StringId>, Malformed> {
        let count = self.number()?;
        // No allocation ahead of the bytes: a damaged count must not claim memory.
        let mut strings = Vec::new();
        for _ in 0..count {
            strings.push(self.string()?);
        }
        Ok(strings)
    }

    /// As [`Self::strings`], for a number that the kind of record fixes.
    pub(super) fn some_strings<const N: usize>(&mut self) -> Result<[StringId; N], Malformed> {
        <[StringId; N]>::try_from(self.strings()?)
            .map_err(|_strings| Malformed("expected another number of strings"))
    }

    pub(super) fn optional<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.flag()? {
            take(self).map(Some)
        } else {
            Ok(None)
        }
    }
}
