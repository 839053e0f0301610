//! Varints: numbers to bytes when writing, bytes to numbers when reading.
//!
//! Out of a damaged file come [`Malformed`] values, never a panic and never a large allocation.

/// What is wrong with the contents of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Writes a number as LEB128: seven bits a byte, low ones first, the top bit says "more".
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Writes a length and then the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Maps small negative and small positive differences to small numbers: 0, -1, 1, -2, ...
pub(super) const fn zigzag(difference: i64) -> u64 {
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(super) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ (value & 1).cast_signed().wrapping_neg()
}

/// The difference that leads from `from` to `to`, around the end of the number range if need be.
pub(super) const fn difference(to: u64, from: u64) -> u64 {
    zigzag(to.wrapping_sub(from).cast_signed())
}

/// The inverse of [`difference`].
pub(super) const fn follow(from: u64, difference: u64) -> u64 {
    from.wrapping_add(unzigzag(difference).cast_unsigned())
}

/// A number that has to fit into 32 bits: an id, a number of a thread.
pub(super) fn narrow(value: u64) -> Result<u32, Malformed> {
    u32::try_from(value)
        .map_err(|_error| Malformed("expected a number of 32 bits, found a larger one"))
}

/// Bytes that are read from front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self
            .rest
            .split_first()
            .ok_or(Malformed("expected a byte, found the end"))?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest.split_first() {
            Some((&first, rest)) if first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(first))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        let mut rest = self.rest;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed(
                    "expected a number of 64 bits, found a larger one",
                ));
            }
            value |= bits << shift;
            if byte < 0x80 {
                self.rest = rest;
                return Ok(value);
            }
            shift = shift.saturating_add(7);
            if shift > 63 {
                return Err(Malformed(
                    "expected a number of 64 bits, found a longer one",
                ));
            }
        }
        Err(Malformed("expected a number, found the end"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        narrow(self.varint()?)
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
            .map(|(taken, rest)| {
                self.rest = rest;
                taken
            })
            .ok_or(Malformed("expected more bytes than there are"))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(length)
    }
}
