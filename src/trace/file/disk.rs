//! A trace file that is read: finds its blocks, hands out their contents.

use super::Error;
use super::bytes::{Bytes, Malformed, put_varint};
use super::layout::{
    BLOCK_HEADER_LENGTH, BlockHeader, HEADER_LENGTH, Header, Kind, MAGIC, MAX_RAW, SYNC,
    TRAILER_LENGTH, Trailer, VERSION,
};
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A block of a file: where its header stands, and what that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) header: BlockHeader,
}

impl Block {
    /// Where the contents begin.
    const fn contents(&self) -> u64 {
        self.offset.saturating_add(BLOCK_HEADER_LENGTH as u64)
    }

    /// Where the next block begins.
    pub(super) const fn end(&self) -> u64 {
        self.contents().saturating_add(self.header.stored as u64)
    }
}

/// What a walk over a file found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whole blocks, in the order of the file; the index is not among them.
    pub(super) blocks: Vec<Block>,
    /// The index, where there is one.
    pub(super) index: Option<Block>,
    /// The file ends with an index that fits it.
    pub(super) sealed: bool,
    /// Stretches between blocks that hold none.
    pub(super) gaps: u64,
    /// Bytes at the end that hold no whole block.
    pub(super) cut: u64,
}

/// An open trace file, of which the header has been checked.
#[derive(Debug)]
pub(super) struct Disk {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Disk {
    /// Opens a file and checks that it is a trace of a version that can be read.
    pub(super) fn open(path: &Path) -> Result<(Self, Header), Error> {
        let io = |action| {
            let path = path.to_owned();
            move |source| Error::Io {
                path,
                action,
                source,
            }
        };
        // To open a pipe is to wait for whoever writes it, and nobody reads one from its end.
        if !std::fs::metadata(path).map_err(io("open"))?.is_file() {
            return Err(io("open")(io::Error::other("not a plain file")));
        }
        let file = File::open(path).map_err(io("open"))?;
        let length = file.metadata().map_err(io("read the size of"))?.len();
        let disk = Self {
            file,
            path: path.to_owned(),
            length,
        };
        let mut bytes = vec![0; HEADER_LENGTH];
        let read = disk.read_up_to(&mut bytes, 0)?;
        bytes.truncate(read);
        let header = check_header(path, &bytes)?;
        Ok((disk, header))
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// The bytes of a block as they are stored.
    pub(super) fn stored(&self, block: &Block) -> Result<Vec<u8>, Error> {
        let length = u64::from(block.header.stored);
        if block.header.stored > MAX_RAW || block.end() > self.length {
            let what = "expected at most 16 MiB of contents, within the file";
            return Err(self.damaged(block, Malformed(what)));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file
            .read_exact_at(&mut bytes, block.contents())
            .map_err(|source| self.io("read", source))?;
        Ok(bytes)
    }

    /// The contents of a block, checked against its checksum and decompressed.
    pub(super) fn contents(&self, block: &Block) -> Result<Vec<u8>, Error> {
        let stored = self.stored(block)?;
        block
            .header
            .unpack(&stored)
            .map_err(|malformed| self.damaged(block, malformed))
    }

    pub(super) fn damaged(&self, block: &Block, malformed: Malformed) -> Error {
        Error::DamagedBlock {
            path: self.path.clone(),
            offset: block.offset,
            what: malformed.0.to_owned(),
        }
    }

    /// Finds all blocks: by the index where there is one that fits, else from header to header.
    pub(super) fn blocks(&self) -> Result<Found, Error> {
        match self.indexed()? {
            Some(found) => Ok(found),
            None => self.walk(),
        }
    }

    fn indexed(&self) -> Result<Option<Found>, Error> {
        let Some(trailer) = self.trailer()? else {
            return Ok(None);
        };
        let Some(index) = self.block_at(trailer.index)? else {
            return Ok(None);
        };
        let at = self.length.saturating_sub(TRAILER_LENGTH as u64);
        if index.end() != at || index.header.kind != Kind::Index as u8 {
            return Ok(None);
        }
        let Ok(contents) = self.contents(&index) else {
            return Ok(None);
        };
        if index.header.rows == 0 {
            let mut found = self.walk()?;
            found.sealed = true;
            return Ok(Some(found));
        }
        let Ok(blocks) = take_index(&contents, index.header.rows, index.offset) else {
            return Ok(None);
        };
        Ok(Some(Found {
            blocks,
            index: Some(index),
            sealed: true,
            gaps: 0,
            cut: 0,
        }))
    }

    fn trailer(&self) -> Result<Option<Trailer>, Error> {
        let Some(at) = self.length.checked_sub(TRAILER_LENGTH as u64) else {
            return Ok(None);
        };
        let mut bytes = [0; TRAILER_LENGTH];
        let read = self.read_up_to(&mut bytes, at)?;
        Ok(Trailer::decode(bytes.get(..read).unwrap_or_default()))
    }

    /// Goes from header to header, and after damage on to the next place where one is.
    fn walk(&self) -> Result<Found, Error> {
        let mut found = Found::default();
        let mut at = HEADER_LENGTH as u64;
        while at < self.length {
            match self.block_at(at)? {
                Some(block) if block.end() <= self.length => {
                    at = block.end();
                    if block.header.kind != Kind::Index as u8 {
                        found.blocks.push(block);
                        continue;
                    }
                    found.index = Some(block);
                    if self.contents(&block).is_err() {
                        found.gaps = found.gaps.saturating_add(1);
                    }
                }
                // A header whose contents are cut off, a trailer, or damage.
                _ => match self.next_header(at.saturating_add(1))? {
                    Some(next) => {
                        found.gaps = found.gaps.saturating_add(1);
                        at = next;
                    }
                    None => {
                        let rest = self.length.saturating_sub(at);
                        found.sealed = rest == TRAILER_LENGTH as u64 && self.trailer()?.is_some();
                        found.cut = if found.sealed { 0 } else { rest };
                        break;
                    }
                },
            }
        }
        Ok(found)
    }

    fn block_at(&self, offset: u64) -> Result<Option<Block>, Error> {
        let mut bytes = [0; BLOCK_HEADER_LENGTH];
        if self.read_up_to(&mut bytes, offset)? < BLOCK_HEADER_LENGTH {
            return Ok(None);
        }
        Ok(BlockHeader::decode(&bytes).map(|header| Block { offset, header }))
    }

    /// The next place at or after `from` where a sound header of a whole block stands.
    fn next_header(&self, from: u64) -> Result<Option<u64>, Error> {
        const WINDOW: usize = 64 << 10;
        let mut window = vec![0; WINDOW];
        let mut at = from;
        loop {
            let read = self.read_up_to(&mut window, at)?;
            let bytes = window.get(..read).unwrap_or_default();
            if bytes.len() < BLOCK_HEADER_LENGTH {
                return Ok(None);
            }
            for (place, bytes) in (at..).zip(bytes.windows(BLOCK_HEADER_LENGTH)) {
                if bytes.starts_with(&SYNC)
                    && let Some(header) = BlockHeader::decode(bytes)
                    && (Block {
                        offset: place,
                        header,
                    })
                    .end()
                        <= self.length
                {
                    return Ok(Some(place));
                }
            }
            // The last bytes may be the beginning of a header: they are looked at again.
            let looked = read.saturating_sub(BLOCK_HEADER_LENGTH).saturating_add(1);
            at = at.saturating_add(looked as u64);
        }
    }

    fn read_up_to(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
        let mut read = 0_usize;
        while let Some(rest) = buffer.get_mut(read..)
            && !rest.is_empty()
        {
            match self.file.read_at(rest, offset.saturating_add(read as u64)) {
                Ok(0) => break,
                Ok(more) => read = read.saturating_add(more),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.io("read", source)),
            }
        }
        Ok(read)
    }

    fn io(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io {
            path: self.path.clone(),
            action,
            source,
        }
    }
}

/// Checks the first bytes of a file: is it a trace, is it whole, can it be read?
pub(super) fn check_header(path: &Path, bytes: &[u8]) -> Result<Header, Error> {
    let path = || path.to_owned();
    if bytes.is_empty() {
        return Err(Error::Empty { path: path() });
    }
    let begins = bytes
        .iter()
        .zip(MAGIC)
        .all(|(&found, wanted)| found == wanted);
    if !begins {
        return Err(Error::NotATrace {
            path: path(),
            expected: hexadecimal(&MAGIC),
            found: hexadecimal(bytes.get(..MAGIC.len()).unwrap_or(bytes)),
        });
    }
    let supported = VERSION;
    if let Some(found) = Header::version(bytes) {
        if found > supported {
            return Err(Error::NewerVersion {
                path: path(),
                found,
                supported,
            });
        }
        if found == 0 {
            return Err(Error::BadVersion {
                path: path(),
                found,
                supported,
            });
        }
    }
    Header::decode(bytes).ok_or(Error::CutHeader {
        path: path(),
        expected: HEADER_LENGTH as u64,
        found: bytes.len() as u64,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// The part of a block's header that the index repeats.
const INDEXED: std::ops::Range<usize> = 4..40;

/// The contents of the index: every block, with what its header says.
///
/// ```text
/// rows of: offset varint, from the end of the block before (of the header at first)
///        │ bytes 4 to 40 of the block's header
/// ```
///
/// An index without rows says only that the file is whole: its blocks are found by walking.
pub(super) fn put_index(blocks: &[Block]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut end = HEADER_LENGTH as u64;
    for block in blocks {
        put_varint(&mut out, block.offset.saturating_sub(end));
        let header = block.header.encode();
        out.extend_from_slice(header.get(INDEXED).unwrap_or_default());
        end = block.end();
    }
    out
}

fn take_index(contents: &[u8], rows: u32, limit: u64) -> Result<Vec<Block>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let mut blocks = Vec::new();
    let mut end = HEADER_LENGTH as u64;
    for _ in 0..rows {
        let offset = end.saturating_add(bytes.varint()?);
        let header = BlockHeader::fields(bytes.take(INDEXED.len() as u64)?)
            .ok_or(Malformed("expected a block header"))?;
        let block = Block { offset, header };
        end = block.end();
        if end > limit {
            return Err(Malformed("expected blocks that end before the index"));
        }
        blocks.push(block);
    }
    if bytes.is_empty() {
        Ok(blocks)
    } else {
        Err(Malformed("expected the end of the index, found more bytes"))
    }
}
