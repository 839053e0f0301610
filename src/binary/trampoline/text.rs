//! The trampolines of a copy behind each other, whatever the format of the file, and the jumps that lead to them.

use super::code::{Code, Fields};
use super::hole::Holes;
use super::place::Place;
use super::{Survey, edge_bits};
use crate::binary::Error;
use crate::binary::bytes::overwrite;
use crate::binary::instruction::SiteEdge;

/// Trampolines begin at multiples of this: on amd64 each is half a line of the cache.
const ALIGN: usize = 16;

/// A place, and the number of its function in records.
#[derive(Clone, Copy, Debug)]
pub struct Marked<'a> {
    /// Of its function, below [`super::ring::FUNCTION`].
    pub number: u32,
    /// At an entry the first argument is recorded.
    pub has_argument: bool,
    /// The place.
    pub place: &'a Place,
}

impl<'a> Marked<'a> {
    /// The places of functions, whose numbers are their positions; with each, whether its first argument is recorded.
    pub fn all(functions: impl IntoIterator<Item = (bool, &'a [Place])>) -> Vec<Self> {
        let functions = (0..).zip(functions);
        let places = functions.flat_map(|(number, (has_argument, places))| {
            places.iter().map(move |place| Self {
                number,
                has_argument,
                place,
            })
        });
        places.collect()
    }
}

/// Adds a trampoline for each place to the code of a copy, which begins at the address `start`, and has the places in the
/// copy of the file lead there.
pub(super) fn trampolines(
    survey: &Survey<'_>,
    code: &Code,
    start: u64,
    places: &[Marked<'_>],
    text: &mut Vec<u8>,
    copy: &mut [u8],
) -> Result<(), Error> {
    let fields = Fields::of(&survey.fields);
    let holes = survey.holes;
    let from_start = |address: u64| address.wrapping_sub(start).cast_signed();
    let of = |spans| {
        let entry = code.template(SiteEdge::Entry, spans, &fields)?;
        let exit = code.template(SiteEdge::Return, spans, &fields)?;
        Ok::<_, Error>([entry, exit])
    };
    let (with_argument, spanning) = (of(false)?, of(true)?);
    for Marked {
        number,
        has_argument,
        place,
    } in places
    {
        pad(text, ALIGN, holes);
        let at = text.len();
        let [entry, exit] = match has_argument {
            true => &with_argument,
            false => &spanning,
        };
        let template = match place.edge {
            SiteEdge::Entry => entry,
            SiteEdge::Return | SiteEdge::TailJump => exit,
        };
        let number = number | edge_bits(place.edge);
        text.extend_from_slice(&template.filled(at, number, place.stack_depth)?);
        text.extend_from_slice(&place.moved);
        if let Some(next) = place.next {
            let jump = holes.jump(position(text.len()), from_start(next.0))?;
            text.extend_from_slice(&jump);
        }
        let begin = position(at.saturating_add(template.begin));
        let jump = holes.jump(from_start(place.address.0), begin)?;
        replace(copy, survey, place, &jump)?;
    }
    Ok(())
}

/// Puts a jump to its trampoline over a place, and breakpoints over what is left of it.
fn replace(copy: &mut [u8], survey: &Survey<'_>, place: &Place, jump: &[u8]) -> Result<(), Error> {
    let offset = survey.memory.offset_of(place.address);
    let offset = offset.and_then(|offset| usize::try_from(offset.0).ok());
    let stretch = offset.and_then(|at| copy.get_mut(at..at.checked_add(place.replaced.len())?));
    let Some(stretch) = stretch.filter(|stretch| **stretch == *place.replaced) else {
        return Err(Error::Malformed {
            what: "code to be replaced",
            offset: place.address.0,
            value: place.length(),
        });
    };
    let rest = survey.holes.breakpoint().iter().cycle();
    for (byte, value) in stretch.iter_mut().zip(jump.iter().chain(rest)) {
        *byte = *value;
    }
    Ok(())
}

fn position(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Fills up to a multiple with what is never reached.
pub(super) fn pad(bytes: &mut Vec<u8>, to: usize, holes: Holes) {
    let missing = bytes.len().next_multiple_of(to).saturating_sub(bytes.len());
    bytes.extend(holes.breakpoint().iter().cycle().take(missing));
}

/// Writes bytes over others.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<(), Error> {
    overwrite("copy of an executable", bytes, at as u64, value)
}
