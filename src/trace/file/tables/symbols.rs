//! Names of frames, in the order of their addresses: neighbours are mostly in one function.

use super::{end, narrow, steps, take_steps};
use crate::trace::file::bytes::{Bytes, Malformed, difference, follow};
use crate::trace::file::columns::{put_column, take_column};
use crate::trace::file::layout::MAX_ROWS;
use crate::trace::{
    Frame, FrameId, FramePlace, FrameRole, FrameSymbol, FunctionId, Location, Unnamed,
};
use rustc_hash::FxHashMap;

/// Names of frames. They have no ids of their own.
///
/// ```text
/// CRC-32 of the frames' addresses, u32: see below
/// column: frames in the order of their ids, difference from the row before (0 at first)
/// then for the same frames in the order of their addresses
/// (place, image, address, role, id; numbered as in a block of frames; 0 where there is none):
/// column: number of locations; 0: it has no name
/// column: reason, for those without a name
/// column: function of the last location, difference from the last one of the row before
///         that has a name (0 at first)
/// column: function of the other locations, difference from that of the location after it
/// column: line of every location, difference from the line of the same function's last
///         location in this block (0 at first)
/// ```
///
/// The order depends on a table that may have been damaged. So the checksum is over all the
/// frames' places, in the order of the rows: five numbers of eight bytes for each.
pub(in crate::trace::file) fn put_symbols(symbols: &[FrameSymbol], frames: &[Frame]) -> Vec<u8> {
    let mut ids: Vec<u32> = symbols.iter().map(|symbol| symbol.frame.0).collect();
    ids.sort_unstable();
    let mut rows: Vec<(Key, &FrameSymbol)> = symbols
        .iter()
        .map(|symbol| (key(symbol.frame, frames), symbol))
        .collect();
    rows.sort_by_key(|row| row.0);
    let (mut counts, mut reasons) = (Vec::new(), Vec::new());
    let (mut outer, mut inner, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = 0;
    let mut last_lines = FxHashMap::default();
    for (_, symbol) in &rows {
        let names = match &symbol.names {
            Ok(names) => names.as_slice(),
            Err(_) => &[],
        };
        counts.push(names.len() as u64);
        if names.is_empty() {
            reasons.push(symbol.names.as_ref().err().map_or(0, |&why| why as u64));
        }
        let mut after = None;
        for name in names.iter().rev() {
            let function = u64::from(name.function.0);
            match after {
                None => {
                    outer.push(difference(function, before));
                    before = function;
                }
                Some(after) => inner.push(difference(function, after)),
            }
            after = Some(function);
            let line = last_lines.entry(function).or_insert(0);
            lines.push(difference(u64::from(name.line), *line));
            *line = u64::from(name.line);
        }
    }
    let mut out = checksum(rows.iter().map(|row| row.0))
        .to_le_bytes()
        .to_vec();
    put_column(&mut out, &steps(ids.into_iter()));
    for column in [&counts, &reasons, &outer, &inner, &lines] {
        put_column(&mut out, column);
    }
    out
}

pub(in crate::trace::file) fn take_symbols(
    contents: &[u8],
    rows: usize,
    frames: &[Frame],
) -> Result<Vec<FrameSymbol>, Malformed> {
    let mut bytes = Bytes::new(contents);
    let wanted = bytes.take(4)?;
    let ids = take_steps(&mut bytes, rows)?;
    if ids.iter().any(|&id| id as usize >= frames.len()) {
        return Err(Malformed("expected names of frames that are there"));
    }
    let mut keys: Vec<Key> = ids.into_iter().map(|id| key(FrameId(id), frames)).collect();
    keys.sort_unstable();
    if wanted != checksum(keys.iter().copied()).to_le_bytes() {
        return Err(Malformed("expected names of other frames"));
    }
    let [mut counts, mut reasons, mut outer, mut inner, mut lines] = <[Vec<u64>; 5]>::default();
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
    let named = rows.saturating_sub(unnamed);
    take_column(&mut bytes, named, &mut outer)?;
    take_column(&mut bytes, total.saturating_sub(named), &mut inner)?;
    take_column(&mut bytes, total, &mut lines)?;
    end(&bytes)?;
    let mut names = Names {
        reasons: reasons.into_iter(),
        outer: outer.into_iter(),
        inner: inner.into_iter(),
        lines: lines.into_iter(),
        before: 0,
        last_lines: FxHashMap::default(),
    };
    keys.into_iter()
        .zip(counts)
        .map(|(key, count)| {
            Ok(FrameSymbol {
                frame: FrameId(key.4),
                names: names.next(count)?,
            })
        })
        .collect()
}

/// What remains of the columns of a block that is decoded.
struct Names {
    reasons: std::vec::IntoIter<u64>,
    outer: std::vec::IntoIter<u64>,
    inner: std::vec::IntoIter<u64>,
    lines: std::vec::IntoIter<u64>,
    before: u64,
    last_lines: FxHashMap<u64, u64>,
}

impl Names {
    fn next(&mut self, count: u64) -> Result<Result<Vec<Location>, Unnamed>, Malformed> {
        if count == 0 {
            let reason = usize::try_from(self.reasons.next().unwrap_or_default()).ok();
            return Ok(Err(*reason
                .and_then(|number| Unnamed::ALL.get(number))
                .ok_or(Malformed(
                    "expected a reason of 0 to 12, found another one",
                ))?));
        }
        let mut function = follow(self.before, self.outer.next().unwrap_or_default());
        self.before = function;
        let mut names = vec![self.location(function)?];
        for _ in 1..count {
            function = follow(function, self.inner.next().unwrap_or_default());
            names.push(self.location(function)?);
        }
        names.reverse();
        Ok(Ok(names))
    }

    fn location(&mut self, function: u64) -> Result<Location, Malformed> {
        let line = self.last_lines.entry(function).or_insert(0);
        *line = follow(*line, self.lines.next().unwrap_or_default());
        Ok(Location {
            function: FunctionId(narrow(function)?),
            line: narrow(*line)?,
        })
    }
}

/// By what the rows are ordered: place, image, address, role, id.
type Key = (u64, u64, u64, u64, u32);

fn key(id: FrameId, frames: &[Frame]) -> Key {
    let Some(frame) = frames.get(id.index()) else {
        return (u64::MAX, 0, 0, 0, id.0);
    };
    let role = match frame.role {
        FrameRole::Executing => 0,
        FrameRole::Return => 1,
    };
    let (place, image, address) = match frame.place {
        FramePlace::Image(image, offset) => (super::IMAGE, u64::from(image.0), offset.0),
        FramePlace::Unmapped(avma) => (super::UNMAPPED, 0, avma.0),
        FramePlace::Kernel(avma) => (super::KERNEL, 0, avma.0),
        FramePlace::Truncated => (super::TRUNCATED, 0, 0),
    };
    (place, image, address, role, id.0)
}

fn checksum(keys: impl Iterator<Item = Key>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for (place, image, address, role, id) in keys {
        for number in [place, image, address, role, u64::from(id)] {
            crc.update(&number.to_le_bytes());
        }
    }
    crc.finalize()
}
