//! Parts of a profile in, a packed file out.

use super::proto::{Label, Profile};
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use rustc_hash::FxHashMap;
use std::io::{self, Write};

/// Bytes that are packed at once: most parts have some dozens.
const PIECE: usize = 64 * 1024;

/// Writes parts, and knows the texts that were written.
#[derive(Debug)]
pub(super) struct Parts<W: Write> {
    out: GzEncoder<W>,
    /// Parts that are not packed yet.
    buffer: Vec<u8>,
    texts: FxHashMap<String, i64>,
}

impl<W: Write> Parts<W> {
    /// Starts a file.
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let mut parts = Self {
            out: GzEncoder::new(out, Compression::default()),
            buffer: Vec::new(),
            texts: FxHashMap::default(),
        };
        parts.text("")?;
        Ok(parts)
    }

    /// Writes a part.
    pub(super) fn put(&mut self, part: &Profile) -> io::Result<()> {
        part.encode(&mut self.buffer).map_err(io::Error::other)?;
        match self.buffer.len() {
            ..PIECE => Ok(()),
            _ => self.pack(),
        }
    }

    fn pack(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// The position of a text in the file's table, where it is written when it is first asked for.
    pub(super) fn text(&mut self, text: &str) -> io::Result<i64> {
        if let Some(&position) = self.texts.get(text) {
            return Ok(position);
        }
        let position = i64::try_from(self.texts.len()).unwrap_or(i64::MAX);
        self.texts.insert(text.to_owned(), position);
        self.put(&Profile {
            string_table: vec![text.to_owned()],
            ..Profile::default()
        })?;
        Ok(position)
    }

    /// A label with a text.
    pub(super) fn text_label(&mut self, key: &str, text: &str) -> io::Result<Label> {
        Ok(Label {
            key: self.text(key)?,
            str: self.text(text)?,
            num: 0,
        })
    }

    /// A label with a number.
    pub(super) fn number_label(&mut self, key: &str, value: u64) -> io::Result<Label> {
        Ok(Label {
            key: self.text(key)?,
            str: 0,
            num: number(value),
        })
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.pack()?;
        self.out.finish().map(drop)
    }
}

/// The format's numbers have a sign.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
