//! Rows of tables to the contents of blocks, and back. Ids are checked by who loads them.
//!
//! Every table block begins with the id of its first row; the others follow in order. Columns
//! are those of [`super::columns`]; "difference" is the zigzag difference of [`super::bytes`].

use super::bytes::{Bytes, Malformed, difference, follow, put_bytes, put_varint};
use super::columns::{put_column, take_column};
use super::layout::MAX_ROWS;
use crate::trace::{
    Arch, Avma, Frame, FrameId, FramePlace, FrameRole, FrameSymbol, Function, FunctionId, Image,
    ImageId, ImageKind, ImageOffset, Location, StackId, StringId, Unnamed,
};
use std::collections::HashMap;

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

/// Stacks, each a frame and the stack of its callers.
///
/// ```text
/// first id │ column: id - 1 - callers (0: the row before is the callers)
///          │ column: frame, difference from the frame of the row before (0 at first)
/// ```
pub(super) fn put_stacks(first: u32, nodes: &[(StackId, FrameId)]) -> Vec<u8> {
    let (mut callers, mut frames) = (Vec::new(), Vec::new());
    let mut before = 0;
    for (id, &(caller, frame)) in (u64::from(first)..).zip(nodes) {
        callers.push(id.wrapping_sub(1).wrapping_sub(u64::from(caller.0)));
        frames.push(difference(u64::from(frame.0), before));
        before = u64::from(frame.0);
    }
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(first));
    put_column(&mut out, &callers);
    put_column(&mut out, &frames);
    out
}

pub(super) fn take_stacks(
    contents: &[u8],
    rows: usize,
) -> Result<Rows<(StackId, FrameId)>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let first = bytes.u32()?;
    let (mut callers, mut frames) = (Vec::new(), Vec::new());
    take_column(&mut bytes, rows, &mut callers)?;
    take_column(&mut bytes, rows, &mut frames)?;
    end(&bytes)?;
    let mut nodes = Vec::with_capacity(rows);
    let mut before = 0;
    for ((id, &back), &step) in (u64::from(first)..).zip(&callers).zip(&frames) {
        before = follow(before, step);
        let caller = id
            .checked_sub(1)
            .and_then(|last| last.checked_sub(back))
            .ok_or(Malformed("expected callers that stand before their stack"))?;
        nodes.push((StackId(narrow(caller)?), FrameId(narrow(before)?)));
    }
    Ok(Rows { first, rows: nodes })
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

/// Names of frames. They have no ids of their own.
///
/// ```text
/// column: frame, difference from the row before (0 at first)
/// column: number of locations; 0: it has no name
/// column: reason, for those without a name
/// column: function of every location, difference from the location before (0 at first)
/// column: line of every location, likewise
/// ```
pub(super) fn put_symbols(symbols: &[FrameSymbol]) -> Vec<u8> {
    let named = |symbol: &FrameSymbol| symbol.names.as_ref().is_ok_and(|names| !names.is_empty());
    let counts: Vec<u64> = symbols
        .iter()
        .map(|symbol| symbol.names.as_ref().map_or(0, Vec::len) as u64)
        .collect();
    let reasons: Vec<u64> = symbols
        .iter()
        .filter(|symbol| !named(symbol))
        .map(|symbol| symbol.names.as_ref().err().map_or(0, |&why| why as u64))
        .collect();
    let locations = || {
        symbols
            .iter()
            .flat_map(|symbol| symbol.names.iter().flatten())
    };
    let mut out = Vec::new();
    put_column(
        &mut out,
        &steps(symbols.iter().map(|symbol| symbol.frame.0)),
    );
    put_column(&mut out, &counts);
    put_column(&mut out, &reasons);
    put_column(
        &mut out,
        &steps(locations().map(|location| location.function.0)),
    );
    put_column(&mut out, &steps(locations().map(|location| location.line)));
    out
}

pub(super) fn take_symbols(contents: &[u8], rows: usize) -> Result<Vec<FrameSymbol>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let frames = take_steps(&mut bytes, rows)?;
    let (mut counts, mut reasons) = (Vec::new(), Vec::new());
    take_column(&mut bytes, rows, &mut counts)?;
    let unnamed = counts.iter().filter(|&&count| count == 0).count();
    take_column(&mut bytes, unnamed, &mut reasons)?;
    let total = counts
        .iter()
        .fold(0_u64, |sum, &count| sum.saturating_add(count));
    let total = usize::try_from(total)
        .ok()
        .filter(|&total| total <= MAX_ROWS as usize)
        .ok_or(Malformed("expected fewer locations in one block"))?;
    let functions = take_steps(&mut bytes, total)?;
    let lines = take_steps(&mut bytes, total)?;
    end(&bytes)?;
    let mut locations = functions.into_iter().zip(lines);
    let mut reasons = reasons.into_iter();
    let mut symbols = Vec::with_capacity(rows);
    for (frame, count) in frames.into_iter().zip(counts) {
        let names = if count == 0 {
            let reason = reasons
                .next()
                .and_then(|number| usize::try_from(number).ok());
            Err(*reason
                .and_then(|number| Unnamed::ALL.get(number))
                .ok_or(Malformed("expected a reason of 0 to 10, found another one"))?)
        } else {
            let count = usize::try_from(count).unwrap_or_default();
            Ok(locations
                .by_ref()
                .take(count)
                .map(|(function, line)| Location {
                    function: FunctionId(function),
                    line,
                })
                .collect())
        };
        symbols.push(FrameSymbol {
            frame: FrameId(frame),
            names,
        });
    }
    Ok(symbols)
}

fn steps(values: impl Iterator<Item = u32>) -> Vec<u64> {
    let mut before = 0;
    values
        .map(|value| {
            let step = difference(u64::from(value), before);
            before = u64::from(value);
            step
        })
        .collect()
}

fn take_steps(bytes: &mut Bytes<'_>, rows: usize) -> Result<Vec<u32>, Malformed> {
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

fn narrow(value: u64) -> Result<u32, Malformed> {
    u32::try_from(value)
        .map_err(|_error| Malformed("expected an id of 32 bits, found a larger one"))
}

fn end(bytes: &Bytes<'_>) -> Result<(), Malformed> {
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(Malformed(
            "expected the end of the contents, found more bytes",
        ))
    }
}
