//! A trace file that is written: whole blocks, one after the other, each where the last one ended.

use super::Error;
use super::disk::{Block, put_index};
use super::layout::{BlockHeader, Codec, Header, Kind, MAGIC, MAX_RAW, Trailer};
use crate::trace::{ClockAnchor, Nanos};
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// zstd's level, chosen by measuring: see `docs/trace-format.md`.
const LEVEL: i32 = 9;
/// That of call trees, which are written by the hundred thousand rows while programs wait to be read.
const LEVEL_OF_TREES: i32 = 1;

/// The contents of a block before compression, and what its header says of them.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) kind: u8,
    pub(super) rows: u32,
    pub(super) span: (Nanos, Nanos),
    pub(super) bytes: Vec<u8>,
}

/// An open trace file that grows by whole blocks.
#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    path: PathBuf,
    /// Where the last whole block ends.
    end: u64,
    blocks: Vec<Block>,
}

impl Sink {
    /// Checks that a file may be put at `path`: nothing is there, a trace, or an empty file.
    pub(super) fn check_target(path: &Path) -> Result<(), Error> {
        match File::open(path) {
            Ok(file) => check_replaceable(&file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(Error::Io {
                path: path.to_owned(),
                action: "replace",
                source,
            }),
        }
    }

    /// Starts a file, replacing one that is there only if it is a trace, or empty.
    pub(super) fn create(path: &Path, anchor: ClockAnchor) -> Result<Self, Error> {
        let io = |action| {
            let path = path.to_owned();
            move |source| Error::Io {
                path,
                action,
                source,
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io("create"))?;
        check_replaceable(&file, path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::InUse {
                path: path.to_owned(),
            },
            TryLockError::Error(source) => io("lock")(source),
        })?;
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(io("set the mode of"))?;
        file.set_len(0).map_err(io("empty"))?;
        let header = Header::encode(anchor);
        file.write_all_at(&header, 0).map_err(io("write"))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            end: header.len() as u64,
            blocks: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Compresses and writes a block. After an error the file ends where it ended before.
    pub(super) fn put(&mut self, contents: &Contents) -> Result<(), Error> {
        let level = match Kind::from_number(contents.kind) {
            Some(Kind::CallTrees) => LEVEL_OF_TREES,
            _ => LEVEL,
        };
        let packed = zstd::bulk::compress(&contents.bytes, level)
            .map_err(|source| self.io("compress a block of", source))?;
        let (codec, stored) = if packed.len() < contents.bytes.len() {
            (Codec::Zstd, packed.as_slice())
        } else {
            (Codec::Plain, contents.bytes.as_slice())
        };
        let (Ok(raw), Ok(length)) = (
            u32::try_from(contents.bytes.len()),
            u32::try_from(stored.len()),
        ) else {
            return Err(self.too_large());
        };
        if raw > MAX_RAW {
            return Err(self.too_large());
        }
        let header = BlockHeader {
            kind: contents.kind,
            codec: codec as u8,
            rows: contents.rows,
            raw,
            stored: length,
            from: contents.span.0,
            to: contents.span.1,
            crc: crc32fast::hash(stored),
        };
        self.put_stored(header, stored)
    }

    /// Writes a block whose contents are packed already.
    pub(super) fn put_stored(&mut self, header: BlockHeader, stored: &[u8]) -> Result<(), Error> {
        let mut bytes = header.encode();
        bytes.extend_from_slice(stored);
        self.append(&bytes)?;
        let block = Block {
            offset: self.end,
            header,
        };
        self.end = block.end();
        self.blocks.push(block);
        Ok(())
    }

    /// Writes the index and the trailer.
    pub(super) fn seal(&mut self) -> Result<(), Error> {
        let index = self.end;
        let mut bytes = put_index(&self.blocks);
        let mut rows = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        if bytes.len() > MAX_RAW as usize || rows > super::layout::MAX_ROWS {
            bytes.clear();
            rows = 0;
        }
        self.put(&Contents {
            kind: Kind::Index as u8,
            rows,
            span: (Nanos::ZERO, Nanos::ZERO),
            bytes,
        })?;
        self.append(&Trailer { index }.encode())
    }

    fn append(&self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, self.end).map_err(|source| {
            // Takes half a block back. Where that fails too, readers skip it.
            let _shortened = self.file.set_len(self.end);
            self.io("write", source)
        })
    }

    fn too_large(&self) -> Error {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "a block of more than 16 MiB");
        self.io("write", source)
    }

    fn io(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io {
            path: self.path.clone(),
            action,
            source,
        }
    }
}

/// A file that is no trace may be dear to somebody.
fn check_replaceable(file: &File, path: &Path) -> Result<(), Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        action: "read the beginning of",
        source,
    };
    let foreign = || Error::Foreign {
        path: path.to_owned(),
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(foreign());
    }
    if metadata.len() == 0 {
        return Ok(());
    }
    let mut begin = [0; MAGIC.len()];
    match file.read_exact_at(&mut begin, 0) {
        Ok(()) if begin == MAGIC => Ok(()),
        Ok(()) => Err(foreign()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(foreign()),
        Err(error) => Err(io(error)),
    }
}
