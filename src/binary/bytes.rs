//! A stretch of bytes in, numbers (little-endian unless they say otherwise) and strings out; every
//! read is checked.

use super::Error;

/// No name that compilers make is longer. A table of names without a zero byte would else be
/// searched to its end for each of millions of them.
const LONGEST_STRING: usize = 64 << 10;

/// Writes bytes over others, which begin at `at`.
pub(super) fn overwrite(
    what: &'static str,
    bytes: &mut [u8],
    at: u64,
    value: &[u8],
) -> Result<(), Error> {
    let cut = Error::CutShort {
        what,
        offset: at,
        length: value.len() as u64,
        available: (bytes.len() as u64).saturating_sub(at),
    };
    let start = usize::try_from(at).ok();
    let place = start.and_then(|start| bytes.get_mut(start..start.checked_add(value.len())?));
    place.map(|place| place.copy_from_slice(value)).ok_or(cut)
}

/// Bytes that begin at an offset or address of their own meaning; all reads are relative to it.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// Exactly `length` bytes at `offset`.
    pub(super) fn slice(
        self,
        what: &'static str,
        offset: u64,
        length: u64,
    ) -> Result<&'a [u8], Error> {
        let cut = || Error::CutShort {
            what,
            offset,
            length,
            available: (self.0.len() as u64).saturating_sub(offset),
        };
        let start = usize::try_from(offset).map_err(|_beyond| cut())?;
        let end = offset
            .checked_add(length)
            .and_then(|end| usize::try_from(end).ok())
            .ok_or_else(cut)?;
        self.0.get(start..end).ok_or_else(cut)
    }

    /// Everything from `offset` on.
    pub(super) fn from(self, what: &'static str, offset: u64) -> Result<Self, Error> {
        let available = (self.0.len() as u64).saturating_sub(offset);
        if offset > self.0.len() as u64 {
            return Err(Error::CutShort {
                what,
                offset,
                length: 1,
                available: 0,
            });
        }
        self.slice(what, offset, available).map(Self)
    }

    fn array<const N: usize>(self, what: &'static str, offset: u64) -> Result<[u8; N], Error> {
        let bytes = self.slice(what, offset, N as u64)?;
        bytes.try_into().map_err(|_wrong| Error::CutShort {
            what,
            offset,
            length: N as u64,
            available: bytes.len() as u64,
        })
    }

    pub(super) fn u8(self, what: &'static str, offset: u64) -> Result<u8, Error> {
        self.array(what, offset).map(u8::from_le_bytes)
    }

    pub(super) fn u16(self, what: &'static str, offset: u64) -> Result<u16, Error> {
        self.array(what, offset).map(u16::from_le_bytes)
    }

    pub(super) fn u32(self, what: &'static str, offset: u64) -> Result<u32, Error> {
        self.array(what, offset).map(u32::from_le_bytes)
    }

    pub(super) fn u64(self, what: &'static str, offset: u64) -> Result<u64, Error> {
        self.array(what, offset).map(u64::from_le_bytes)
    }

    pub(super) fn u32_be(self, what: &'static str, offset: u64) -> Result<u32, Error> {
        self.array(what, offset).map(u32::from_be_bytes)
    }

    pub(super) fn u64_be(self, what: &'static str, offset: u64) -> Result<u64, Error> {
        self.array(what, offset).map(u64::from_be_bytes)
    }

    /// The bytes at `offset` up to a zero byte, which must come before [`LONGEST_STRING`].
    pub(super) fn string(self, what: &'static str, offset: u64) -> Result<&'a [u8], Error> {
        let rest = self.from(what, offset)?.0;
        let rest = rest.get(..LONGEST_STRING).unwrap_or(rest);
        let end = memchr::memchr(0, rest);
        end.and_then(|end| rest.get(..end)).ok_or(Error::CutShort {
            what,
            offset,
            length: (rest.len() as u64).saturating_add(1),
            available: rest.len() as u64,
        })
    }

    /// An unsigned LEB128 of at most 32 bits, and how many bytes it takes: mostly one.
    #[inline]
    pub(super) fn varint(self, what: &'static str, offset: u64) -> Result<(u32, u64), Error> {
        let first = usize::try_from(offset).ok().and_then(|at| self.0.get(at));
        match first {
            Some(&byte) if byte < 0x80 => Ok((u32::from(byte), 1)),
            _ => self.long_varint(what, offset),
        }
    }

    fn long_varint(self, what: &'static str, offset: u64) -> Result<(u32, u64), Error> {
        let mut value = 0_u32;
        for index in 0..5_u32 {
            let at = offset.saturating_add(u64::from(index));
            let byte = self.u8(what, at)?;
            let part = u32::from(byte & 0x7f);
            let shift = index.saturating_mul(7);
            // The fifth byte has room for four bits.
            if index == 4 && part > 0xf {
                break;
            }
            value |= part.checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok((value, u64::from(index).saturating_add(1)));
            }
        }
        Err(Error::Malformed {
            what,
            offset,
            value: u64::from(value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(offset: u64, length: u64, available: u64) -> Error {
        Error::CutShort {
            what: "test",
            offset,
            length,
            available,
        }
    }

    #[test]
    fn what_reaches_beyond_the_end_is_cut_short() {
        let bytes = Bytes(&[1, 2, 3, 4]);
        assert_eq!(bytes.slice("test", 1, 3), Ok(&[2, 3, 4][..]));
        assert_eq!(bytes.slice("test", 1, 4), Err(cut(1, 4, 3)));
        assert_eq!(bytes.slice("test", u64::MAX, 2), Err(cut(u64::MAX, 2, 0)));
        assert_eq!(bytes.u32("test", 0), Ok(0x0403_0201));
        assert_eq!(bytes.u32_be("test", 0), Ok(0x0102_0304));
        assert_eq!(bytes.u32("test", 1), Err(cut(1, 4, 3)));
        assert_eq!(bytes.u64_be("test", 0), Err(cut(0, 8, 4)));
        assert_eq!(bytes.u64("test", 0), Err(cut(0, 8, 4)));
        assert_eq!(bytes.from("test", 4).map(|rest| rest.0.len()), Ok(0));
        assert_eq!(bytes.from("test", 5).map(|rest| rest.0), Err(cut(5, 1, 0)));
    }

    #[test]
    fn strings_end_with_a_zero_byte() {
        let bytes = Bytes(b"ab\0c");
        assert_eq!(bytes.string("test", 0), Ok(&b"ab"[..]));
        assert_eq!(bytes.string("test", 2), Ok(&b""[..]));
        assert_eq!(bytes.string("test", 3), Err(cut(3, 2, 1)));
        assert_eq!(bytes.string("test", 9), Err(cut(9, 1, 0)));
    }

    #[test]
    fn varints_have_32_bits() {
        let read = |bytes: &[u8]| Bytes(bytes).varint("test", 0);
        assert_eq!(read(&[0]), Ok((0, 1)));
        assert_eq!(read(&[0x80, 1]), Ok((128, 2)));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok((u32::MAX, 5)));
        assert_eq!(read(&[0x80]), Err(cut(1, 1, 0)));
        let too_large = Error::Malformed {
            what: "test",
            offset: 0,
            value: 0x0fff_ffff,
        };
        assert_eq!(
            read(&[0xff, 0xff, 0xff, 0xff, 0x1f]),
            Err(too_large.clone())
        );
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff]), Err(too_large));
    }
}
