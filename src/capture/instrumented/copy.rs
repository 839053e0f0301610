//! Making a copy: the bytes of a program and what is asked for in, the bytes of its copy out, and what the numbers in its
//! records mean. [`crate::binary::trampoline`] proves places and writes the copy.

use super::ToldFunction;
use crate::binary::Error;
use crate::binary::go::Pclntab;
use crate::binary::macho::{MachO, SliceOf, Slices};
use crate::binary::trampoline::{Exempt, Marked, NoCopy, Place, Survey, Unpatched, macho_copy};
use crate::capture::probes::{NoPlan, Unmatched, Watch};
use sha2::{Digest as _, Sha256};

/// Why a program has no copy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotInstrumented {
    /// Its bytes cannot be read.
    #[error("it is no program that can be read")]
    Unread(#[source] Error),
    /// It has several slices.
    #[error("expected a program of one architecture, found a file of {slices} slices")]
    Fat {
        /// How many.
        slices: usize,
    },
    /// Its functions are not known.
    #[error(transparent)]
    NoPlan(#[from] NoPlan),
    /// It is of a kind of which there are no copies.
    #[error("no copy can be made of it")]
    NoCopy(#[from] NoCopy),
    /// Its load commands or its code have no room.
    #[error("no copy can be made of it")]
    NoRoom(#[source] Error),
}

/// A copy of a program.
#[derive(Clone, Debug)]
pub struct Instrumented {
    /// Its bytes, not signed yet.
    pub bytes: Vec<u8>,
    /// What chunks of its records say that they are of.
    pub image: u64,
    /// Functions: the number of one in records is its place here.
    pub functions: Vec<ToldFunction>,
    /// Functions that are asked for and left as they are, each with why.
    pub left_alone: Vec<(String, String)>,
    /// What was asked for and is not there.
    pub unmatched: Vec<Unmatched>,
    /// Where jumps are in the file now: offsets, and how many bytes were replaced.
    pub places: Vec<(u64, u64)>,
}

impl Instrumented {
    /// The copy of the program of these bytes at this path, which loads the library at `library`; `None` where nothing of
    /// it is asked for. A copy without functions has the program's own bytes.
    ///
    /// # Errors
    ///
    /// Why there is no copy.
    pub fn of(
        data: &[u8],
        path: &[u8],
        watch: &Watch,
        library: &str,
    ) -> Result<Option<Self>, NotInstrumented> {
        if !watch.concerns(path) {
            return Ok(None);
        }
        let slices = Slices::of(data).map_err(NotInstrumented::Unread)?;
        let [slice] = slices.slices.as_slice() else {
            let slices = slices.slices.len();
            return Err(NotInstrumented::Fat { slices });
        };
        if !matches!(slice.of, SliceOf::Thin) {
            return Err(NotInstrumented::Fat { slices: 1 });
        }
        let image = MachO::parse(slice).map_err(NotInstrumented::Unread)?;
        let asked = watch.asked(&image, path)?;
        let survey = Survey::of_macho(&image)?;
        let table = Pclntab::of(&image).map_err(NoPlan::NotGo)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut functions: Vec<(ToldFunction, Vec<Place>)> = Vec::new();
        let mut left_alone = Vec::new();
        for function in asked.functions {
            match function.places(&table, &survey) {
                Ok(places) => functions.push((
                    ToldFunction {
                        name: text(&function.name),
                        file: text(&function.file),
                        mode: function.mode,
                        set: function.set,
                        entry: entry_of(&image, &places),
                        exits: u32::try_from(places.len().saturating_sub(1)).unwrap_or(u32::MAX),
                    },
                    places,
                )),
                // Nobody asked for those of the runtime: sets are for all backends.
                Err(Unpatched::Exempt(Exempt::Runtime)) if function.set.is_some() => {}
                Err(why) => left_alone.push((text(&function.name), why.to_string())),
            }
        }
        let marked = functions.iter();
        let marked = Marked::all(marked.map(|(_, places)| (false, places.as_slice())));
        let number = number(data, &marked);
        let bytes = match marked.is_empty() {
            true => data.to_vec(),
            false => macho_copy(&survey, &image, number, library, &marked)
                .map_err(NotInstrumented::NoRoom)?,
        };
        let places = marked.iter().filter_map(|Marked { place, .. }| {
            let offset = image.memory().offset_of(place.address)?;
            Some((offset.0, place.length()))
        });
        Ok(Some(Self {
            bytes,
            image: number,
            places: places.collect(),
            left_alone,
            unmatched: asked.unmatched,
            functions: functions.into_iter().map(|(told, _)| told).collect(),
        }))
    }
}

/// Where in the file an entry is seen: the first of a function's places.
fn entry_of(image: &MachO<'_>, places: &[Place]) -> u64 {
    let first = places.first();
    let offset = first.and_then(|place| image.memory().offset_of(place.address));
    offset.map_or(0, |offset| offset.0)
}

/// What tells a copy from any other: the original, what is put into it, and by which gotrace.
fn number(data: &[u8], places: &[Marked<'_>]) -> u64 {
    let mut digest = Sha256::new();
    digest.update(Sha256::digest(data));
    digest.update(env!("CARGO_PKG_VERSION").as_bytes());
    for Marked { number, place, .. } in places {
        digest.update(number.to_le_bytes());
        digest.update(place.address.0.to_le_bytes());
    }
    let digest = digest.finalize();
    u64::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
}
