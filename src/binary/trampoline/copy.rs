//! Writes a copy of an ELF executable that has trampolines.
//!
//! ```text
//! original     unchanged, but for the file header (entry, program headers) and the places
//! zeroes       up to where offset and address are as far apart as in the first segment, at a multiple of 64 KiB
//! memory       64 KiB that may be written: zeroes, and the number of the copy
//! code         what each copy has once | program headers, two more than before | trampolines
//! ```
//!
//! The headers are where older kernels look for them for the dynamic loader, too: at the start of the first segment
//! plus their offset in the file (`AT_PHDR`, `fs/binfmt_elf.c`).

use super::Survey;
use super::code::{Code, Fields, IMAGE, PAGE};
use super::text::{Marked, pad, put, trampolines};
use crate::binary::{Error, bytes::Bytes};

pub(super) const HEADER: usize = 56;
pub(super) const PT_LOAD: u32 = 1;
const PT_PHDR: u32 = 6;
const READ: u32 = 4;
pub(super) const WRITE: u32 = 2;
pub(super) const EXECUTE: u32 = 1;
/// Of all processors.
pub(super) const SMALLEST_PAGE: u64 = 0x1000;
/// Above what a table of program headers may have: the kernel takes 64 KiB of them.
const MOST_HEADERS: u16 = 1_000;

/// A copy, in two pieces: what lies between them is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The original, with its places replaced.
    pub original: Vec<u8>,
    /// What is beside it.
    pub beside: Vec<u8>,
    /// Where that begins in the file.
    pub beside_at: u64,
}

/// Writes a copy of the file that a survey is of. `image` is what its records' chunks say that it is; `descriptors` are
/// the numbers at which it looks for the ring.
///
/// # Errors
///
/// When the file's headers cannot be read, or its parts lie too far apart for jumps: 2 GiB on amd64, 128 MiB on arm64.
pub fn copy(
    survey: &Survey<'_>,
    data: &[u8],
    image: u64,
    descriptors: [u32; 3],
    places: &[Marked<'_>],
) -> Result<Copied, Error> {
    let headers = Headers::of(data)?;
    let fields = Fields::of(&survey.fields);
    let code = Code::for_linux(survey.holes)?;
    let start = headers.memory.address.saturating_add(PAGE);
    let program = survey.entry.0.wrapping_sub(start).cast_signed();
    let mut text = code.beginning(&fields, program, descriptors)?;
    pad(&mut text, 64, survey.holes);
    let headers_at = text.len();
    let room = headers.count().saturating_mul(HEADER);
    text.resize(headers_at.saturating_add(room), 0);
    let mut copy = data.to_vec();
    trampolines(survey, &code, start, places, &mut text, &mut copy)?;
    let table = headers.written(headers_at as u64, text.len() as u64);
    put(&mut text, headers_at, &table)?;

    put(&mut copy, 24, &start.to_le_bytes())?;
    let table_at = headers.memory.offset.saturating_add(PAGE);
    let table_at = table_at.saturating_add(headers_at as u64);
    put(&mut copy, 32, &table_at.to_le_bytes())?;
    let count = u16::try_from(headers.count()).unwrap_or(u16::MAX);
    put(&mut copy, 56, &count.to_le_bytes())?;
    let mut beside = vec![0; usize::try_from(PAGE).unwrap_or(0)];
    put(&mut beside, IMAGE, &image.to_le_bytes())?;
    beside.append(&mut text);
    Ok(Copied {
        original: copy,
        beside,
        beside_at: headers.memory.offset,
    })
}

/// The program headers of the original, and where more segments fit.
#[derive(Debug)]
struct Headers<'a> {
    table: &'a [u8],
    align: u64,
    memory: Memory,
}

/// Where the memory of a copy begins.
#[derive(Clone, Copy, Debug)]
struct Memory {
    offset: u64,
    address: u64,
}

impl<'a> Headers<'a> {
    fn of(data: &'a [u8]) -> Result<Self, Error> {
        let bytes = Bytes(data);
        let count = bytes.u16("segment count", 56)?;
        if count > MOST_HEADERS {
            return Err(Error::Unsupported {
                what: "segment count",
                expected: "at most 1000",
                found: count.into(),
            });
        }
        let at = bytes.u64("segment table offset", 32)?;
        let length = u64::from(count).saturating_mul(HEADER as u64);
        let table = bytes.slice("segment table", at, length)?;
        let mut base = None;
        let (mut end, mut align) = (0, 0x1000);
        for header in table.chunks_exact(HEADER).map(Bytes) {
            if header.u32("segment type", 0)? != PT_LOAD {
                continue;
            }
            let address = header.u64("segment address", 16)?;
            let offset = header.u64("segment offset", 8)?;
            base = base.or_else(|| address.checked_sub(offset));
            end = address
                .saturating_add(header.u64("segment memory size", 40)?)
                .max(end);
            align = header.u64("segment alignment", 48)?.max(align);
        }
        let base = base.ok_or(Error::Missing {
            what: "segment that is loaded",
        })?;
        // The kernel maps pages; code that is to find others by their distance counts on that.
        if !base.is_multiple_of(SMALLEST_PAGE) {
            return Err(Error::Malformed {
                what: "address of the first segment less its offset",
                offset: at,
                value: base,
            });
        }
        let offset = end.saturating_sub(base).max(data.len() as u64);
        let offset = offset.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        Ok(Self {
            table,
            align,
            memory: Memory {
                offset,
                address: base.saturating_add(offset),
            },
        })
    }

    fn count(&self) -> usize {
        (self.table.len() / HEADER).saturating_add(2)
    }

    /// The table of the copy, which lies `at` bytes behind the start of its code, of which there are `length` bytes.
    fn written(&self, at: u64, length: u64) -> Vec<u8> {
        let Memory { offset, address } = self.memory;
        let code = [offset, address].map(|begin| begin.saturating_add(PAGE));
        let mut table = Vec::with_capacity(self.count().saturating_mul(HEADER));
        for header in self.table.chunks_exact(HEADER) {
            if header.first_chunk() == Some(&PT_PHDR.to_le_bytes()) {
                let size = (self.count() as u64).saturating_mul(HEADER as u64);
                let [offset, address] = code.map(|begin| begin.saturating_add(at));
                table.extend(segment(PT_PHDR, READ, offset, address, size, 8));
            } else {
                table.extend_from_slice(header);
            }
        }
        let [code_offset, code_address] = code;
        table.extend(segment(
            PT_LOAD,
            READ | WRITE,
            offset,
            address,
            PAGE,
            self.align,
        ));
        table.extend(segment(
            PT_LOAD,
            READ | EXECUTE,
            code_offset,
            code_address,
            length,
            self.align,
        ));
        table
    }
}

/// A program header.
fn segment(kind: u32, flags: u32, offset: u64, address: u64, size: u64, align: u64) -> Vec<u8> {
    let kind = [kind, flags].map(u32::to_le_bytes);
    let place = [offset, address, address, size, size, align].map(u64::to_le_bytes);
    let kind = kind.iter().flatten();
    kind.chain(place.iter().flatten()).copied().collect()
}
