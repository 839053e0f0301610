//! Columns of numbers: values in, the smallest of four encodings out, and back.
//!
//! ```text
//! column = mode u8, then, for n rows (n is known from elsewhere; nothing at all when it is 0):
//!   0 constant  the value, varint
//!   1 varint    n varints
//!   2 runs      pairs of value, varint, and run length - 1, varint, until n rows are full
//!   3 planes    width w u8, then n low bytes, n next bytes, ... w times
//! ```
//!
//! Planes compress better than varints where the low bytes are noise and the high ones are not.

use super::bytes::{Bytes, Malformed, put_varint};

const CONSTANT: u8 = 0;
const VARINT: u8 = 1;
const RUNS: u8 = 2;
const PLANES: u8 = 3;

/// Appends a column.
pub(super) fn put_column(out: &mut Vec<u8>, values: &[u64]) {
    let Some(&first) = values.first() else {
        return;
    };
    let shape = Shape::of(values);
    if shape.runs == 1 {
        out.push(CONSTANT);
        put_varint(out, first);
    } else if shape.run_bytes.saturating_mul(2) < shape.varint_bytes {
        put_runs(out, values);
    } else if shape.varint_bytes.saturating_mul(2) > values.len().saturating_mul(3) {
        put_planes(out, values, shape.width);
    } else {
        out.push(VARINT);
        out.reserve(shape.varint_bytes);
        for &value in values {
            put_varint(out, value);
        }
    }
}

/// How long each encoding of a column would be.
struct Shape {
    runs: usize,
    /// Where runs may be shorter than half of the varints; they are not, where this is `usize::MAX`.
    run_bytes: usize,
    varint_bytes: usize,
    width: u8,
}

impl Shape {
    // Large columns of noise are looked at most: no branch here depends on what their values are.
    fn of(values: &[u64]) -> Self {
        let all = values.iter().fold(0, |all, value| all | value);
        let later = values.get(1..).unwrap_or_default();
        let changes = values.iter().zip(later).filter(|(one, next)| one != next);
        let runs = changes.count().saturating_add(1);
        let varint_bytes = values.iter().map(|value| varint_length(*value)).sum();
        // A run has two bytes or more.
        let run_bytes = match runs.saturating_mul(4) < varint_bytes {
            true => run_bytes(values),
            false => usize::MAX,
        };
        let bits = u64::BITS.saturating_sub(all.leading_zeros());
        Self {
            runs,
            run_bytes,
            varint_bytes,
            width: bits.div_ceil(8).max(1).try_into().unwrap_or(8),
        }
    }
}

fn run_bytes(values: &[u64]) -> usize {
    let runs = values.chunk_by(|one, next| one == next);
    let lengths = runs.map(|run| {
        let value = run.first().copied().unwrap_or_default();
        let length = (run.len() as u64).saturating_sub(1);
        varint_length(value).saturating_add(varint_length(length))
    });
    lengths.fold(0, usize::saturating_add)
}

const fn varint_length(value: u64) -> usize {
    // A seventh of the bits, rounded up: 9/64 is near enough to 1/7 for as few as there are.
    let bits = u64::BITS.saturating_sub((value | 1).leading_zeros());
    (bits.wrapping_mul(9).wrapping_add(64) >> 6) as usize
}

fn put_runs(out: &mut Vec<u8>, values: &[u64]) {
    out.push(RUNS);
    for run in values.chunk_by(|one, next| one == next) {
        put_varint(out, run.first().copied().unwrap_or_default());
        put_varint(out, (run.len() as u64).saturating_sub(1));
    }
}

fn put_planes(out: &mut Vec<u8>, values: &[u64], width: u8) {
    out.push(PLANES);
    out.push(width);
    for plane in 0..u32::from(width) {
        let shift = plane.saturating_mul(8);
        out.extend(values.iter().map(|value| (value >> shift & 0xff) as u8));
    }
}

/// Reads a column of `rows` values into `values`, replacing what is there.
pub(super) fn take_column(
    bytes: &mut Bytes<'_>,
    rows: usize,
    values: &mut Vec<u64>,
) -> Result<(), Malformed> {
    values.clear();
    if rows == 0 {
        return Ok(());
    }
    match bytes.u8()? {
        CONSTANT => {
            let value = bytes.varint()?;
            values.resize(rows, value);
            Ok(())
        }
        VARINT => take_varints(bytes, rows, values),
        RUNS => take_runs(bytes, rows, values),
        PLANES => take_planes(bytes, rows, values),
        _ => Err(Malformed("expected column mode 0 to 3, found another one")),
    }
}

fn take_varints(
    bytes: &mut Bytes<'_>,
    rows: usize,
    values: &mut Vec<u64>,
) -> Result<(), Malformed> {
    if bytes.rest().len() < rows {
        return Err(Malformed("expected more numbers than there are bytes"));
    }
    values.reserve(rows);
    while values.len() < rows {
        // Most numbers are small: eight single bytes at a time.
        if let Some(eight) = bytes.rest().first_chunk::<8>()
            && rows.saturating_sub(values.len()) >= 8
            && u64::from_le_bytes(*eight) & 0x8080_8080_8080_8080 == 0
        {
            values.extend(eight.iter().map(|&byte| u64::from(byte)));
            bytes.take(8)?;
        } else {
            values.push(bytes.varint()?);
        }
    }
    Ok(())
}

fn take_runs(bytes: &mut Bytes<'_>, rows: usize, values: &mut Vec<u64>) -> Result<(), Malformed> {
    while values.len() < rows {
        let value = bytes.varint()?;
        let length = usize::try_from(bytes.varint()?)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        if length > rows.saturating_sub(values.len()) {
            return Err(Malformed("expected runs for no more rows than there are"));
        }
        values.resize(values.len().saturating_add(length), value);
    }
    Ok(())
}

fn take_planes(bytes: &mut Bytes<'_>, rows: usize, values: &mut Vec<u64>) -> Result<(), Malformed> {
    let width = bytes.u8()?;
    if !(1..=8).contains(&width) {
        return Err(Malformed("expected 1 to 8 planes, found another number"));
    }
    let low = bytes.take(rows as u64)?;
    values.extend(low.iter().map(|&byte| u64::from(byte)));
    for plane in 1..u32::from(width) {
        let shift = plane.saturating_mul(8);
        let bits = bytes.take(rows as u64)?;
        for (value, &byte) in values.iter_mut().zip(bits) {
            *value |= u64::from(byte) << shift;
        }
    }
    Ok(())
}
