//! Copies with trampolines: whatever is made of an executable has each byte outside of its places.

use gotrace::binary::elf::Elf;
use gotrace::binary::go::Pclntab;
use gotrace::binary::trampoline::{Marked, Place, Survey, copy};
use std::ops::Range;

/// Of the file header a copy has another entry, and other segments.
const CHANGED: [Range<usize>; 3] = [24..32, 32..40, 56..58];
/// A table may say that it has any number of functions.
const FUNCTIONS: usize = 200;

/// The bytes as a program whose functions are to tell of their calls.
pub(crate) fn trampoline(data: &[u8]) -> String {
    let elf = match Elf::parse(data) {
        Ok(elf) => elf,
        Err(error) => return error.to_string(),
    };
    let survey = match Survey::of(&elf) {
        Ok(survey) => survey,
        Err(error) => return format!("{error}: {error:?}"),
    };
    let table = match Pclntab::of(&elf) {
        Ok(table) => table,
        Err(error) => return error.to_string(),
    };
    let mut said = String::new();
    let mut found: Vec<Vec<Place>> = Vec::new();
    for function in table.functions().flatten().take(FUNCTIONS) {
        match survey.places(&function, true) {
            Ok(places) => found.push(places),
            Err(why) => {
                let why = why.to_string();
                if !said.contains(&why) {
                    said.push_str(&why);
                }
            }
        }
    }
    let numbered = (0..).zip(&found);
    let places = Marked::all(
        numbered.map(|(number, places): (u32, _)| (number % 2 == 1, places.as_slice())),
    );
    match copy(&survey, data, 7, [1000, 240, 60], &places) {
        Ok(copied) => {
            hold(&elf, data, &copied.original, &places);
            format!("copied {} {said}", found.len().min(9))
        }
        Err(error) => format!("{error} {said}"),
    }
}

/// Holds a copy against its original.
fn hold(elf: &Elf<'_>, data: &[u8], copy: &[u8], places: &[Marked<'_>]) {
    let mut expected = data.to_vec();
    let replaced = places.iter().filter_map(|marked| {
        let offset = elf.memory().offset_of(marked.place.address)?;
        let start = usize::try_from(offset.0).ok()?;
        Some(start..start.checked_add(usize::try_from(marked.place.length()).ok()?)?)
    });
    let replaced: Vec<Range<usize>> = replaced.collect();
    assert_eq!(
        replaced.len(),
        places.len(),
        "a place that is nowhere in the file"
    );
    assert_eq!(copy.len(), data.len());
    for range in replaced.into_iter().chain(CHANGED) {
        let copied = &copy[range.clone()];
        expected[range].copy_from_slice(copied);
    }
    assert!(expected == copy, "a byte outside of all places differs");
}
