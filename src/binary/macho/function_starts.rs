//! Where functions begin, as linkers leave it in files that are stripped of all names.
//!
//! ```text
//! uleb distance from the start of __TEXT, then from one function to the next; 0 at the end
//! ```
//!
//! Source: `<mach-o/loader.h>`, `LC_FUNCTION_STARTS`. Go's own linker writes none.

use super::command::TableOf;
use super::cursor::Cursor;
use super::header::MachO;
use crate::binary::{Error, Svma};

impl MachO<'_> {
    /// First addresses of functions, in ascending order; none where the file has no such table.
    ///
    /// # Errors
    ///
    /// When the table reaches beyond the end of the slice, or a number in it is cut short.
    pub fn function_starts(&self) -> Result<Vec<Svma>, Error> {
        let data = self.table_bytes(TableOf::FunctionStarts)?;
        let base = self.segment("__TEXT").map_or(0, |text| text.address.0);
        let offset = self.table(TableOf::FunctionStarts);
        let offset = offset.map_or(0, |table| table.offset);
        read(data, base).map_err(|error| error.further(self.in_file(offset).0))
    }
}

fn read(data: &[u8], base: u64) -> Result<Vec<Svma>, Error> {
    let mut cursor = Cursor::new("function starts", data, 0);
    let mut starts = Vec::new();
    let mut address = base;
    while !cursor.is_at_end() {
        let at = cursor.at;
        let distance = cursor.unsigned()?;
        if distance == 0 {
            break;
        }
        address = address.checked_add(distance).ok_or(Error::Malformed {
            what: "function starts",
            offset: at,
            value: distance,
        })?;
        starts.push(Svma(address));
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_add_up_until_a_zero() {
        // 0x4b0 is b0 09 as LEB128; what follows the zero is padding.
        let table = [0xb0, 0x09, 0x10, 0x04, 0, 0, 7];
        let starts = [0x14b0, 0x14c0, 0x14c4].map(Svma).to_vec();
        assert_eq!(read(&table, 0x1000), Ok(starts));
        assert_eq!(read(&[], 0x1000), Ok(Vec::new()));
        let cut = read(&[0xb0], 0).unwrap_err();
        assert!(matches!(cut, Error::CutShort { offset: 1, .. }), "{cut:?}");
        let beyond = read(&[1, 1], u64::MAX - 1).unwrap_err();
        assert!(
            matches!(beyond, Error::Malformed { offset: 1, .. }),
            "{beyond:?}"
        );
    }
}
