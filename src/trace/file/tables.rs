//! Rows of tables to the contents of blocks, and back. Ids are checked by who loads them.
//!
//! Every table block begins with the id of its first row; the others follow in order. Columns
//! are those of [`super::columns`]; "difference" is the zigzag difference of [`super::bytes`].

mod stacks;
mod symbols;

use super::bytes::{Bytes, Malformed, difference, follow, put_bytes, put_varint};
use super::columns::{put_column, take_column};
use crate::trace::{
    Arch, Avma, Frame, FramePlace, FrameRole, Function, Image, ImageId, ImageKind, ImageOffset,
    StringId,
};
pub(super) use stacks::{put_stacks, take_stacks};
use std::collections::HashMap;
pub(super) use symbols::{put_symbols, take_symbols};

/// The rows of a table block, with the id of the first one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows<T> {
    pub(super) first: u32,
    pub(super) rows: Vec<T>,
}

/// Strings: how many bytes each shares with the one before, how many follow, and those bytes.
///
/// ```text
/// first id │ column: shared │ column: more │ the bytes of all rows
/// ```
pub(super) fn put_strings<'a>(first: u32, strings: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut shared, mut more, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    let mut before: &[u8] = &[];
    for string in strings {
        let same = before
            .iter()
            .zip(string)
            .take_while(|(a, b)| a == b)
            .count();
        let rest = string.get(same..).unwrap_or_default();
        shared.push(same as u64);
        more.push(rest.len() as u64);
        bytes.extend_from_slice(rest);
        before = string;
    }
    let mut out = Vec::with_capacity(bytes.len().saturating_add(shared.len()));
    put_varint(&mut out, u64::from(first));
    put_column(&mut out, &shared);
    put_column(&mut out, &more);
    out.extend_from_slice(&bytes);
    out
}

/// Reads strings and hands each over. No more than `limit` bytes come out in all.
pub(super) fn take_strings(
    contents: &[u8],
    rows: usize,
    limit: u64,
) -> Result<Rows<Vec<u8>>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let first = bytes.u32()?;
    let (mut shared, mut more) = (Vec::new(), Vec::new());
    take_column(&mut bytes, rows, &mut shared)?;
    take_column(&mut bytes, rows, &mut more)?;
    let mut strings = Vec::new();
    let mut total = 0_u64;
    for (&same, &rest) in shared.iter().zip(&more) {
        let same = usize::try_from(same).unwrap_or(usize::MAX);
        let before: Option<&Vec<u8>> = strings.last();
        let mut string = before
            .map_or(&[][..], Vec::as_slice)
            .get(..same)
            .ok_or(Malformed("expected to share no more bytes than there are"))?
            .to_vec();
        string.extend_from_slice(bytes.take(rest)?);
        total = total.saturating_add(string.len() as u64);
        if total > limit {
            return Err(Malformed("expected fewer bytes of strings in one block"));
        }
        strings.push(string);
    }
    end(&bytes)?;
    Ok(Rows {
        first,
        rows: strings,
    })
}

/// Images, row by row: there are few.
///
/// ```text
/// first id │ rows of: path varint │ architecture u8 │ kind u8 │ length of build id varint │ build id
/// ```
pub(super) fn put_images(first: u32, images: &[Image]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(first));
    for image in images {
        put_varint(&mut out, u64::from(image.path.0));
        out.push(arch_number(image.arch));
        out.push(match image.kind {
            ImageKind::File => 0,
            ImageKind::Kernel => 1,
            ImageKind::Anonymous => 2,
        });
        put_bytes(&mut out, &image.build_id);
    }
    out
}

pub(super) fn take_images(contents: &[u8], rows: usize) -> Result<Rows<Image>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let first = bytes.u32()?;
    let mut images = Vec::new();
    for _ in 0..rows {
        images.push(Image {
            path: StringId(bytes.u32()?),
            arch: arch_from(bytes.u8()?)?,
            kind: match bytes.u8()? {
                0 => ImageKind::File,
                1 => ImageKind::Kernel,
                2 => ImageKind::Anonymous,
                _ => return Err(Malformed("expected image kind 0 to 2, found another one")),
            },
            build_id: bytes.bytes()?.to_vec(),
        });
    }
    end(&bytes)?;
    Ok(Rows {
        first,
        rows: images,
    })
}

pub(super) const fn arch_number(arch: Arch) -> u8 {
    match arch {
        Arch::Unknown => 0,
        Arch::Amd64 => 1,
        Arch::Arm64 => 2,
        Arch::X86 => 3,
    }
}

pub(super) const fn arch_from(number: u8) -> Result<Arch, Malformed> {
    match number {
        0 => Ok(Arch::Unknown),
        1 => Ok(Arch::Amd64),
        2 => Ok(Arch::Arm64),
        3 => Ok(Arch::X86),
        _ => Err(Malformed("expected architecture 0 to 3, found another one")),
    }
}

/// Remembers the last address in each image, in unmapped memory and in the kernel: the next one
/// is likely to be near.
#[derive(Default)]
struct Neighbours {
    images: HashMap<u64, u64>,
    unmapped: u64,
    kernel: u64,
}

const IMAGE: u64 = 0;
const UNMAPPED: u64 = 1;
const KERNEL: u64 = 2;
const TRUNCATED: u64 = 3;

impl Neighbours {
    fn of(&mut self, place: u64, image: u64) -> &mut u64 {
        match place {
            IMAGE => self.images.entry(image).or_default(),
            UNMAPPED => &mut self.unmapped,
            _ => &mut self.kernel,
        }
    }
}

/// Frames.
///
/// ```text
/// first id │ column: place + 4 * role │ column: image, for those in one
///          │ column: address, for all but truncated: difference from the last one in the same
///          │         image, in unmapped memory, or in the kernel, of this block (0 at first)
/// ```
pub(super) fn put_frames(first: u32, frames: &[Frame]) -> Vec<u8> {
    let (mut places, mut images, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    let mut neighbours = Neighbours::default();
    for frame in frames {
        let role = match frame.role {
            FrameRole::Executing => 0,
            FrameRole::Return => 4,
        };
        let (place, image, address) = match frame.place {
            FramePlace::Image(image, offset) => (IMAGE, u64::from(image.0), offset.0),
            FramePlace::Unmapped(avma) => (UNMAPPED, 0, avma.0),
            FramePlace::Kernel(avma) => (KERNEL, 0, avma.0),
            FramePlace::Truncated => (TRUNCATED, 0, 0),
        };
        places.push(place | role);
        if place == IMAGE {
            images.push(image);
        }
        if place != TRUNCATED {
            let last = neighbours.of(place, image);
            addresses.push(difference(address, *last));
            *last = address;
        }
    }
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(first));
    put_column(&mut out, &places);
    put_column(&mut out, &images);
    put_column(&mut out, &addresses);
    out
}

pub(super) fn take_frames(contents: &[u8], rows: usize) -> Result<Rows<Frame>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let first = bytes.u32()?;
    let (mut places, mut images, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    take_column(&mut bytes, rows, &mut places)?;
    let count = |wanted: &dyn Fn(u64) -> bool| places.iter().filter(|&&p| wanted(p & 3)).count();
    take_column(&mut bytes, count(&|place| place == IMAGE), &mut images)?;
    take_column(
        &mut bytes,
        count(&|place| place != TRUNCATED),
        &mut addresses,
    )?;
    end(&bytes)?;
    let (mut images, mut addresses) = (images.into_iter(), addresses.into_iter());
    let mut neighbours = Neighbours::default();
    let mut frames = Vec::with_capacity(rows);
    for place in places {
        let role = match place >> 2 {
            0 => FrameRole::Executing,
            1 => FrameRole::Return,
            _ => return Err(Malformed("expected frame role 0 or 1, found another one")),
        };
        let place = place & 3;
        let image = match place {
            IMAGE => images.next().unwrap_or_default(),
            _ => 0,
        };
        let mut address = 0;
        if place != TRUNCATED {
            let last = neighbours.of(place, image);
            address = follow(*last, addresses.next().unwrap_or_default());
            *last = address;
        }
        frames.push(Frame {
            place: match place {
                IMAGE => FramePlace::Image(ImageId(narrow(image)?), ImageOffset(address)),
                UNMAPPED => FramePlace::Unmapped(Avma(address)),
                KERNEL => FramePlace::Kernel(Avma(address)),
                _ => FramePlace::Truncated,
            },
            role,
        });
    }
    Ok(Rows {
        first,
        rows: frames,
    })
}

/// Functions.
///
/// ```text
/// first id │ column: name, difference from the row before │ column: file, likewise (0 at first)
/// ```
pub(super) fn put_functions(first: u32, functions: &[Function]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(first));
    put_column(&mut out, &steps(functions.iter().map(|f| f.name.0)));
    put_column(&mut out, &steps(functions.iter().map(|f| f.file.0)));
    out
}

pub(super) fn take_functions(contents: &[u8], rows: usize) -> Result<Rows<Function>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let first = bytes.u32()?;
    let names = take_steps(&mut bytes, rows)?;
    let files = take_steps(&mut bytes, rows)?;
    end(&bytes)?;
    let rows = names
        .into_iter()
        .zip(files)
        .map(|(name, file)| Function {
            name: StringId(name),
            file: StringId(file),
        })
        .collect();
    Ok(Rows { first, rows })
}

pub(super) fn steps(values: impl Iterator<Item = u32>) -> Vec<u64> {
    let mut before = 0;
    values
        .map(|value| {
            let step = difference(u64::from(value), before);
            before = u64::from(value);
            step
        })
        .collect()
}

pub(super) fn take_steps(bytes: &mut Bytes<'_>, rows: usize) -> Result<Vec<u32>, Malformed> {
    let mut values = Vec::new();
    take_column(bytes, rows, &mut values)?;
    let mut before = 0;
    values
        .into_iter()
        .map(|step| {
            before = follow(before, step);
            narrow(before)
        })
        .collect()
}

pub(super) fn narrow(value: u64) -> Result<u32, Malformed> {
    u32::try_from(value)
        .map_err(|_error| Malformed("expected an id of 32 bits, found a larger one"))
}

pub(super) fn end(bytes: &Bytes<'_>) -> Result<(), Malformed> {
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(Malformed(
            "expected the end of the contents, found more bytes",
        ))
    }
}
