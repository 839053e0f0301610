//! Strings of a trace in, text for JSON out, and the bytes of those that were no text.

use crate::trace::{StringId, Strings};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The key under which a record has the bytes of what was no text.
pub(super) const NOT_TEXT: &str = "bytes_hex";

/// Turns the strings of one record into text and keeps the bytes that text cannot hold.
///
/// JSON is Unicode, paths and arguments need not be. Bytes that are not UTF-8 become
/// replacement characters in the text, and the whole string is kept in hexadecimal under the
/// path of its key, so that nothing is lost.
#[derive(Debug)]
pub(super) struct Texts<'t> {
    strings: &'t Strings,
    not_text: BTreeMap<String, String>,
}

impl<'t> Texts<'t> {
    /// Starts a record.
    pub(super) const fn of(strings: &'t Strings) -> Self {
        Self {
            strings,
            not_text: BTreeMap::new(),
        }
    }

    /// The text of a string that will stand under `key`.
    pub(super) fn get(&mut self, key: &str, id: StringId) -> Cow<'t, str> {
        self.bytes(|| key.to_owned(), Cow::Borrowed(self.strings.get(id)))
    }

    /// The texts of strings that will stand in a list under `key`.
    pub(super) fn list(&mut self, key: &str, ids: &[StringId]) -> Vec<Cow<'t, str>> {
        let mut texts = Vec::with_capacity(ids.len());
        for (position, &id) in ids.iter().enumerate() {
            let bytes = Cow::Borrowed(self.strings.get(id));
            texts.push(self.bytes(|| format!("{key}.{position}"), bytes));
        }
        texts
    }

    /// The text of bytes that will stand under `key`, which is made only when it is needed.
    pub(super) fn bytes(
        &mut self,
        key: impl FnOnce() -> String,
        bytes: Cow<'t, [u8]>,
    ) -> Cow<'t, str> {
        if std::str::from_utf8(&bytes).is_err() {
            self.not_text.insert(key(), hex(&bytes));
        }
        text(bytes)
    }

    /// What could not be told as text: key paths and bytes in hexadecimal.
    pub(super) fn not_text(self) -> BTreeMap<String, String> {
        self.not_text
    }
}

/// Bytes as text; what is not UTF-8 becomes replacement characters.
pub(super) fn text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    }
}

/// Bytes in hexadecimal, as build ids are written.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(
        String::with_capacity(bytes.len() * 2),
        |mut hexadecimal, byte| {
            // Writing into a string cannot fail.
            write!(hexadecimal, "{byte:02x}").ok();
            hexadecimal
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let mut strings = Strings::default();
        let plain = strings.push("grüß\n\"".as_bytes());
        let bad = strings.push(b"a\xffb");
        let mut texts = Texts::of(&strings);
        assert_eq!(texts.get("exe", plain), "grüß\n\"");
        assert_eq!(
            texts.list("argv", &[plain, bad]),
            ["grüß\n\"", "a\u{fffd}b"]
        );
        let kept: Vec<_> = texts.not_text().into_iter().collect();
        assert_eq!(kept, [("argv.1".to_owned(), "61ff62".to_owned())]);
    }
}
