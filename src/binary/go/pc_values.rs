//! The tables that give each instruction of a function a number: file, line, stack size, ...
//!
//! ```text
//! pairs of varints: change of the value (zigzag), for how many instruction units it holds
//! the value begins at -1, the pairs end with a change of 0 that is not the first
//! ```
//!
//! Source: `runtime.pcvalue` and `step` of `runtime/symtab.go`.

use crate::binary::Error;
use crate::binary::bytes::Bytes;

/// How many runs may hold for no instruction: without a limit, a damaged table could be read to
/// the end of the file, over and over.
const MOST_EMPTY: u32 = 16;

/// Walks the runs of a table: each a value, and the offset in the function at which it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs<'a> {
    table: Bytes<'a>,
    at: u64,
    unit: u64,
    value: i32,
    end: u64,
    first: bool,
}

impl std::fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl<'a> Runs<'a> {
    /// Begins at an offset of the table of tables; `unit` is the size of the smallest
    /// instruction.
    pub(super) const fn new(table: Bytes<'a>, offset: u32, unit: u8) -> Self {
        Self {
            table,
            at: offset as u64,
            unit: unit as u64,
            value: -1,
            end: 0,
            first: true,
        }
    }

    /// The next value and where it ends; `None` after the last.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(i32, u64)>, Error> {
        let (change, size) = self.table.varint("pc-value table", self.at)?;
        if change == 0 && !self.first {
            return Ok(None);
        }
        self.first = false;
        let after = self.at.saturating_add(size);
        let (length, size) = self.table.varint("pc-value table", after)?;
        self.at = after.saturating_add(size);
        let change = (change >> 1).cast_signed() ^ (change & 1).cast_signed().wrapping_neg();
        self.value = self.value.wrapping_add(change);
        let length = u64::from(length).saturating_mul(self.unit);
        self.end = self.end.saturating_add(length);
        Ok(Some((self.value, self.end)))
    }

    /// The value at an offset in the function, `None` where the table does not reach.
    pub(super) fn value_at(mut self, offset: u64) -> Result<Option<i32>, Error> {
        let mut empty = 0_u32;
        let mut start = 0;
        while let Some((value, end)) = self.next()? {
            if offset < end {
                return Ok(Some(value));
            }
            empty = empty.saturating_add(u32::from(start == end));
            if empty > MOST_EMPTY {
                break;
            }
            start = end;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_at(table: &[u8], unit: u8, offset: u64) -> Result<Option<i32>, Error> {
        Runs::new(Bytes(table), 0, unit).value_at(offset)
    }

    #[test]
    fn values_hold_for_their_runs() {
        // +1 (zigzag 2) for 3 units: 0; +5 (10) for 2: 5; -6 (11) for 1: -1; end.
        let table = [2, 3, 10, 2, 11, 1, 0];
        let known = [0, 0, 0, 5, 5, -1];
        for (offset, value) in (0..).zip(known) {
            assert_eq!(value_at(&table, 1, offset), Ok(Some(value)));
            assert_eq!(value_at(&table, 4, 4 * offset + 3), Ok(Some(value)));
        }
        assert_eq!(value_at(&table, 1, 6), Ok(None));
        // The first change may be 0: the value is then -1, and goes on.
        assert_eq!(value_at(&[0, 2, 2, 1, 0], 1, 1), Ok(Some(-1)));
        assert_eq!(value_at(&[0, 2, 2, 1, 0], 1, 2), Ok(Some(0)));
    }

    #[test]
    fn tables_that_do_not_end_are_given_up() {
        let cut = value_at(&[2, 3, 10], 1, 4).unwrap_err();
        assert!(matches!(cut, Error::CutShort { offset: 3, .. }), "{cut:?}");
        let endless: Vec<u8> = [2, 0].repeat(1000);
        assert_eq!(value_at(&endless, 1, 0), Ok(None));
    }
}
