//! What a file exports: a trie of names.
//!
//! ```text
//! node      uleb size of what follows, 0 for none:   uleb flags, uleb address
//!                                     flags & 8:     uleb number of a library, name there, or empty
//!                                     flags & 10:    uleb stub, uleb resolver
//!           u8 number of children, then for each: the next letters, uleb offset in the trie
//! ```
//!
//! Source: `<mach-o/loader.h>`. Addresses count from the start of `__TEXT`.

use super::command::TableOf;
use super::cursor::Cursor;
use super::header::MachO;
use crate::binary::{Error, Svma, bytes::Bytes};

const REEXPORT: u64 = 0x08;
const RESOLVER: u64 = 0x10;
/// Names are together no longer than so many times the trie. Of real libraries, whose names begin
/// alike, those are some ten times as long.
const MOST_SHARED: usize = 256;

/// What an exported name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// Something in this file.
    Here(Svma),
    /// What the library of this number exports.
    Library {
        /// Counted from 1.
        number: u64,
        /// By this name, which may be another one.
        name: Vec<u8>,
    },
    /// A stub whose target a function of this file chooses.
    Resolved(Svma),
}

/// One exported symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Name.
    pub name: Vec<u8>,
    /// What it stands for.
    pub of: Exported,
}

impl MachO<'_> {
    /// All exports, in the order of the trie.
    ///
    /// # Errors
    ///
    /// When the trie reaches beyond the end of the slice, is cut short, or has no end.
    pub fn exports(&self) -> Result<Vec<Export>, Error> {
        let old = self.loader_tables().exports;
        let place = self.table(TableOf::Exports).unwrap_or(old);
        let trie = Bytes(self.data)
            .slice("export trie", place.offset, place.size)
            .map_err(|error| error.further(self.start.0))?;
        let base = self.segment("__TEXT").map_or(0, |text| text.address.0);
        walk(trie, base).map_err(|error| error.further(self.in_file(place.offset).0))
    }
}

fn walk(trie: &[u8], base: u64) -> Result<Vec<Export>, Error> {
    let mut exports = Vec::new();
    if trie.is_empty() {
        return Ok(exports);
    }
    // Each edge takes two bytes at least, and leads to a node of its own: more of them are a circle,
    // or lead to the same nodes again and again.
    let mut edges = trie.len();
    let mut letters_left = trie.len().saturating_mul(MOST_SHARED);
    let mut open: Vec<(u64, Vec<u8>)> = vec![(0, Vec::new())];
    while let Some((at, name)) = open.pop() {
        let endless = Error::Malformed {
            what: "export trie, which has no end",
            offset: at,
            value: at,
        };
        let mut cursor = Cursor::new("export trie", trie, at);
        let size = cursor.unsigned()?;
        let after = cursor.at.saturating_add(size);
        if size > 0 {
            let of = exported(&mut cursor, base)?;
            exports.push(Export {
                name: name.clone(),
                of,
            });
        }
        cursor.at = after;
        let children = cursor.u8()?;
        let first = open.len();
        for _ in 0..children {
            let letters = cursor.string()?;
            let child = cursor.unsigned()?;
            let name = [&name, letters].concat();
            edges = edges.checked_sub(2).ok_or_else(|| endless.clone())?;
            letters_left = letters_left
                .checked_sub(name.len())
                .ok_or_else(|| endless.clone())?;
            open.push((child, name));
        }
        if let Some(new) = open.get_mut(first..) {
            new.reverse();
        }
    }
    Ok(exports)
}

fn exported(cursor: &mut Cursor<'_>, base: u64) -> Result<Exported, Error> {
    let flags = cursor.unsigned()?;
    let number = cursor.unsigned()?;
    Ok(if flags & REEXPORT != 0 {
        Exported::Library {
            number,
            name: cursor.string()?.to_vec(),
        }
    } else if flags & RESOLVER != 0 {
        Exported::Resolved(Svma(base.wrapping_add(number)))
    } else {
        Exported::Here(Svma(base.wrapping_add(number)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_together_from_letters() {
        // "_a" here at 0x10, "_ab" from library 2 as "_c".
        let trie = [
            &[0, 1][..],
            b"_a\0",
            &[6],             // the root: one child
            &[2, 0, 0x10, 1], // "_a"
            b"b\0",
            &[13], // its child
            &[5, 8, 2],
            b"_c\0",
            &[0],
        ]
        .concat();
        assert_eq!(
            walk(&trie, 0x1000),
            Ok(vec![
                Export {
                    name: b"_a".to_vec(),
                    of: Exported::Here(Svma(0x1010)),
                },
                Export {
                    name: b"_ab".to_vec(),
                    of: Exported::Library {
                        number: 2,
                        name: b"_c".to_vec(),
                    },
                },
            ])
        );
        for length in 1..trie.len() {
            assert!(walk(&trie[..length], 0).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn circles_end() {
        let circle = [&[0, 1][..], b"a\0", &[0]].concat();
        assert!(matches!(
            walk(&circle, 0),
            Err(Error::Malformed { offset: 0, .. })
        ));
    }

    /// Else 14 KiB made more than a gigabyte of names.
    #[test]
    fn children_that_are_shared_do_not_multiply() {
        // Each node has 200 children, all of them the next node.
        let mut trie = Vec::new();
        for next in 1..10_u8 {
            trie.extend([0, 200]);
            trie.extend([b'a', 0, 0x80, next * 8].repeat(200));
            trie.resize(usize::from(next) * 1_024, 0);
        }
        assert!(walk(&trie, 0).is_err());
    }

    /// A chain of letters has names as long as half of it.
    #[test]
    fn one_long_name_is_no_circle() {
        let letters = [b'x'; 30_000];
        let trie = [
            &[0, 1][..],
            &letters,
            &[0, 0xb6, 0xea, 0x01],
            &[2, 0, 0x10, 0],
        ]
        .concat();
        let found = walk(&trie, 0).expect("whole");
        assert_eq!(found[0].name, letters);
    }
}
