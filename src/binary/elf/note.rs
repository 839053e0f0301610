//! Notes: small named records that linkers leave.
//!
//! ```text
//! 0 u32 length of owner   4 u32 length of contents   8 u32 kind
//! 12 owner, padded to 4   then contents, padded to 4
//! ```

use crate::binary::bytes::Bytes;

/// Finds the contents of a note by its owner (with its zero byte) and kind.
pub(super) fn find<'a>(notes: &'a [u8], owner: &[u8], kind: u32) -> Option<&'a [u8]> {
    let bytes = Bytes(notes);
    let mut at = 0_u64;
    loop {
        let owner_length = u64::from(bytes.u32("note", at).ok()?);
        let length = u64::from(bytes.u32("note", at.checked_add(4)?).ok()?);
        let found_kind = bytes.u32("note", at.checked_add(8)?).ok()?;
        let owner_at = at.checked_add(12)?;
        let found_owner = bytes.slice("note owner", owner_at, owner_length).ok()?;
        let contents_at = owner_at.checked_add(owner_length.checked_next_multiple_of(4)?)?;
        let contents = bytes.slice("note contents", contents_at, length).ok()?;
        if found_owner == owner && found_kind == kind {
            return Some(contents);
        }
        at = contents_at.checked_add(length.checked_next_multiple_of(4)?)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, contents: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [owner.len(), contents.len(), kind as usize] {
            note.extend_from_slice(&u32::try_from(word).unwrap().to_le_bytes());
        }
        for part in [owner, contents] {
            note.extend_from_slice(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn notes_are_found_behind_others() {
        let notes = [note(b"GNU\0", 1, b"abcde"), note(b"GNU\0", 3, b"id")].concat();
        assert_eq!(find(&notes, b"GNU\0", 3), Some(&b"id"[..]));
        assert_eq!(find(&notes, b"GNU\0", 1), Some(&b"abcde"[..]));
        assert_eq!(find(&notes, b"Go\0\0", 3), None);
        assert_eq!(find(&notes, b"GNU\0", 4), None);
    }

    #[test]
    fn notes_that_are_cut_are_none() {
        let whole = note(b"GNU\0", 3, b"identity");
        for length in 0..whole.len() {
            let cut = whole.get(..length).unwrap();
            assert_eq!(find(cut, b"GNU\0", 3), None);
        }
        let endless = [255; 64];
        assert_eq!(find(&endless, b"GNU\0", 3), None);
    }
}
