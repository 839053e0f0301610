//! Room for more load commands in the header of a file, and numbers written into it.

use super::MachO;
use crate::binary::Error;
use crate::binary::bytes::{Bytes, overwrite};

/// Size of the header, after which load commands begin.
pub(super) const HEADER: u64 = 32;

/// Where further load commands of so many bytes can be, behind the others and before what the file holds next.
/// `for_what` is told where there is no room.
pub(super) fn room(image: &MachO<'_>, wanted: u64, for_what: &str) -> Result<u64, Error> {
    let bytes = Bytes(image.data);
    let stated = HEADER.saturating_add(bytes.u32("size of the load commands", 20)?.into());
    let last = image.commands.last();
    let end = last.map_or(HEADER, |last| {
        last.offset.0.saturating_add(last.size.into())
    });
    if stated != end {
        return Err(Error::Unexpected {
            what: "size of the load commands",
            offset: 20,
            expected: format!("{}, as many as they have", end.saturating_sub(HEADER)),
            found: stated.saturating_sub(HEADER).to_string(),
        });
    }
    let held = image.sections().filter(|section| !section.data.is_empty());
    let segments = image.segments().iter().filter(|one| one.offset > 0);
    let next = held
        .map(|section| section.offset)
        .chain(segments.map(|segment| segment.offset))
        .min()
        .unwrap_or(image.data.len() as u64);
    let free = next.saturating_sub(end);
    let is_blank = |room: &[u8]| room.iter().all(|&byte| byte == 0);
    match bytes.slice("room for a load command", end, wanted) {
        Ok(blank) if free >= wanted && is_blank(blank) => Ok(end),
        _ => Err(Error::Unexpected {
            what: "room behind the load commands",
            offset: end,
            expected: format!("{wanted} bytes of zero, for {for_what}"),
            found: match free {
                free if free < wanted => format!("{free}, then a section"),
                _ => "other bytes".to_owned(),
            },
        }),
    }
}

/// The size of a file, or of a part of it.
pub(super) fn length(size: u64) -> Result<usize, Error> {
    usize::try_from(size).map_err(|_beyond| Error::Malformed {
        what: "size of a file",
        offset: 0,
        value: size,
    })
}

/// A number that has 32 bits in a header.
pub(super) fn narrow(offset: u64, value: u64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_beyond| Error::Unexpected {
        what: "number in a header",
        offset,
        expected: "32 bits at most: the file is too large".to_owned(),
        found: format!("{value:#x}"),
    })
}

/// Writes such a number.
pub(super) fn put_u32(bytes: &mut [u8], at: u64, value: u64) -> Result<(), Error> {
    put(bytes, at, &narrow(at, value)?.to_le_bytes())
}

/// Writes bytes over others.
pub(super) fn put(bytes: &mut [u8], at: u64, value: &[u8]) -> Result<(), Error> {
    overwrite("header", bytes, at, value)
}
