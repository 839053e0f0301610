//! Reads a stream of opcodes: bytes, LEB128 numbers of 64 bits, strings.

use crate::binary::{Error, bytes::Bytes};

/// A place in a stream. Offsets in errors count from the start of the stream.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: Bytes<'a>,
    what: &'static str,
    /// Where it is.
    pub(super) at: u64,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(what: &'static str, data: &'a [u8], at: u64) -> Self {
        Self {
            bytes: Bytes(data),
            what,
            at,
        }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.0.len() as u64
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        let byte = self.bytes.u8(self.what, self.at)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Error> {
        let string = self.bytes.string(self.what, self.at)?;
        let length = (string.len() as u64).saturating_add(1);
        self.at = self.at.saturating_add(length);
        Ok(string)
    }

    /// An unsigned number, and how many bits were read of it.
    fn bits(&mut self) -> Result<(u64, u32, u8), Error> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..70_u32).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit, which a negative number fills with its sign.
            if shift == 63 && !matches!(part, 0 | 1 | 0x7f) {
                break;
            }
            value |= part.checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok((value, shift.saturating_add(7), byte));
            }
        }
        Err(Error::Malformed {
            what: self.what,
            offset: start,
            value,
        })
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, Error> {
        self.bits().map(|(value, ..)| value)
    }

    pub(super) fn signed(&mut self) -> Result<i64, Error> {
        let (value, bits, last) = self.bits()?;
        let negative = last & 0x40 != 0;
        let sign = if negative {
            u64::MAX.checked_shl(bits).unwrap_or(0)
        } else {
            0
        };
        Ok((value | sign).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(data: &[u8]) -> Cursor<'_> {
        Cursor::new("test", data, 0)
    }

    #[test]
    fn numbers_have_64_bits() {
        assert_eq!(cursor(&[0xe5, 0x8e, 0x26]).unsigned(), Ok(624_485));
        assert_eq!(cursor(&[0x7f]).signed(), Ok(-1));
        assert_eq!(cursor(&[0x80, 0x7f]).signed(), Ok(-128));
        assert_eq!(cursor(&[0xc0, 0]).signed(), Ok(64));
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(cursor(&most).unsigned(), Ok(u64::MAX));
        let least = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
        assert_eq!(cursor(&least).signed(), Ok(i64::MIN));
        let beyond = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2];
        assert!(matches!(
            cursor(&beyond).unsigned(),
            Err(Error::Malformed { offset: 0, .. })
        ));
        assert!(matches!(
            cursor(&[0x80]).unsigned(),
            Err(Error::CutShort { offset: 1, .. })
        ));
    }
}
