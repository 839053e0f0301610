//! A buffer of a process, read as a file: what is mapped can be cut short by its owner, and takes
//! whoever reads it by surprise.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::capture::decode::audit::layout::{
    CELL_BYTES, CELLS, FILE_BYTES, HEADER_BYTES, cell, header,
};
use crate::capture::decode::audit::{Buffer, Header, Malformed};

/// As much of the header as has fields.
const FIELDS_BYTES: usize = 256;

/// A buffer that is open.
#[derive(Debug)]
pub(super) struct BufferFile {
    file: File,
    fields: [u8; FIELDS_BYTES],
    /// The first cell that was read.
    first: u32,
    cells: Vec<u8>,
}

impl BufferFile {
    /// Opens the file of a process that one of `users` runs.
    pub(super) fn open(path: &Path, users: &[u32]) -> io::Result<Self> {
        Ok(Self {
            file: open(OpenOptions::new().read(true), path, users)?,
            fields: [0; FIELDS_BYTES],
            first: 0,
            cells: Vec::new(),
        })
    }

    /// Reads who writes it, and nothing that was written.
    pub(super) fn header(&mut self) -> io::Result<Result<Header, Malformed>> {
        self.read_at(0, Place::Fields)?;
        Ok(Header::parse(&self.fields))
    }

    /// Whether it was never given memory.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.iter().all(|byte| *byte == 0)
    }

    /// Reads what was written since `from`. While the process is not `gone`, it is read twice: what
    /// was there before is whole now.
    pub(super) fn read(&mut self, from: u32, gone: bool) -> io::Result<Result<Header, Malformed>> {
        self.read_at(0, Place::Fields)?;
        let tail = self.counter(header::TAIL);
        let count = tail.wrapping_sub(from).min(CELLS);
        self.first = tail.wrapping_sub(count);
        self.cells.resize(count as usize * CELL_BYTES, 0);
        self.read_cells()?;
        if !gone {
            let before: Vec<u8> = self.cells.clone();
            self.read_cells()?;
            let pairs = self.cells.chunks_exact_mut(CELL_BYTES);
            for (now, before) in pairs.zip(before.chunks_exact(CELL_BYTES)) {
                let number = cell::NUMBER..cell::NUMBER + 4;
                if now.get(number.clone()) != before.get(number) {
                    now.fill(0);
                }
            }
        }
        Ok(Header::parse(&self.fields))
    }

    fn read_cells(&mut self) -> io::Result<()> {
        let bytes = self.cells.len();
        let place = (self.first % CELLS) as usize;
        let until_end = (CELLS as usize - place)
            .saturating_mul(CELL_BYTES)
            .min(bytes);
        let offset = HEADER_BYTES + place * CELL_BYTES;
        self.read_at(offset, Place::Cells(0, until_end))?;
        self.read_at(HEADER_BYTES, Place::Cells(until_end, bytes))
    }

    /// Reads what there is; beyond the file's end there are zeros.
    fn read_at(&mut self, offset: usize, place: Place) -> io::Result<()> {
        let mut into = match place {
            Place::Fields => &mut self.fields[..],
            Place::Cells(from, to) => self.cells.get_mut(from..to).unwrap_or_default(),
        };
        into.fill(0);
        let mut offset = offset as u64;
        while !into.is_empty() {
            match self.file.read_at(into, offset) {
                Ok(0) => break,
                Ok(count) => {
                    offset += count as u64;
                    into = into.split_at_mut(count).1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Tells the process what has been read, so that it may write there again.
pub(super) fn set_read(path: &Path, users: &[u32], read: u32) -> io::Result<()> {
    let file = open(OpenOptions::new().write(true), path, users)?;
    file.write_all_at(&read.to_ne_bytes(), header::HEAD as u64)
}

fn open(options: &mut OpenOptions, path: &Path, users: &[u32]) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = options.custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !(found.is_file() && found.nlink() == 1 && users.contains(&found.uid())) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if found.len() > FILE_BYTES as u64 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(file)
}

#[derive(Clone, Copy)]
enum Place {
    Fields,
    Cells(usize, usize),
}

impl Buffer for BufferFile {
    fn counter(&self, place: usize) -> u32 {
        let bytes = self.fields.get(place..).and_then(<[u8]>::first_chunk);
        bytes.copied().map_or(0, u32::from_ne_bytes)
    }

    fn cell(&self, number: u32) -> [u8; CELL_BYTES] {
        let at = (number.wrapping_sub(self.first) as usize).saturating_mul(CELL_BYTES);
        let bytes = self.cells.get(at..).and_then(<[u8]>::first_chunk);
        bytes.copied().unwrap_or([0; CELL_BYTES])
    }
}
