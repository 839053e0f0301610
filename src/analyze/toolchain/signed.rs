//! A program before and after it was signed anew: the rules hold, and the code is the same, but for places where an
//! instrumented copy has jumps.

use crate::analyze::Inspection;
use crate::analyze::inspect::{Finding, Level, Wanted};
use crate::binary::macho::{Chained, MachO, Slice, Slices, TableOf};
use crate::binary::trampoline::CODE_SEGMENT;
use crate::binary::{Error, FileOffset, Svma};

/// What a program has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resigned {
    /// Its architectures.
    pub arch: String,
    /// What it is called in its signature.
    pub identifier: String,
    /// Flags and entitlements.
    pub signature: Vec<String>,
    /// Pages whose hash was computed anew, and holds.
    pub pages: u64,
}

/// A program of a copy.
#[derive(Clone, Debug)]
pub struct PreparedProgram {
    /// From the toolchain's folder.
    pub path: String,
    /// Architectures.
    pub arch: String,
    /// How the original is signed.
    pub before: String,
    /// How it is signed: flags and entitlements.
    pub after: Vec<String>,
    /// Pages whose hashes hold.
    pub pages: u64,
    /// Where functions of it were asked for.
    pub instrumented: Option<InstrumentedProgram>,
}

/// What has become of a program of which functions were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstrumentedProgram {
    /// How many functions tell of their calls.
    pub functions: usize,
    /// Functions that are left as they are, each with why.
    pub left_alone: Vec<(String, String)>,
    /// What was asked for and is not there, in words.
    pub unmatched: Vec<String>,
    /// Why there is no copy, where there is none.
    pub refused: Option<String>,
}

/// A copy of a toolchain.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What was signed.
    pub programs: Vec<PreparedProgram>,
    /// Version of Go.
    pub version: String,
    /// What was copied.
    pub from: String,
    /// The copy.
    pub to: String,
    /// How many files it has.
    pub files: usize,
}

/// Why a program that was signed is not to be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unsound {
    /// It cannot be read.
    #[error("what was signed cannot be read")]
    Unread(#[source] Error),
    /// It breaks a rule.
    #[error("rule {}: expected {}, found {}", .0.rule.id(), .0.expected, .0.found)]
    Broken(Box<Finding>),
    /// What was to be a jump leads elsewhere than to trampolines.
    #[error("place at {offset}: expected a jump into segment {CODE_SEGMENT}")]
    NoJump {
        /// Where in the file.
        offset: FileOffset,
    },
    /// A byte is another one than before.
    #[error("{segment} at {offset}: expected the bytes of the original, found others")]
    Changed {
        /// In which segment.
        segment: String,
        /// Where in the file.
        offset: FileOffset,
    },
    /// A slice has no signature, or there are other slices.
    #[error("expected {expected} signed slices, found {found}")]
    Unsigned {
        /// As many as the original has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}

/// Holds a program against what it was before it was signed anew. Every page of it is hashed. `places` are where an
/// instrumented copy has jumps: offsets, and how many bytes they replaced.
///
/// # Errors
///
/// When something else than the signature and what the load commands say of it has changed, or
/// the result breaks a rule of macOS.
pub fn resigned(
    original: &[u8],
    signed: &[u8],
    places: &[(u64, u64)],
) -> Result<Resigned, Unsound> {
    let wanted = Wanted {
        findings: true,
        ..Wanted::default()
    };
    let found = Inspection::of(signed, wanted).map_err(Unsound::Unread)?;
    let mut findings = found
        .slices
        .iter()
        .filter_map(|slice| slice.findings.as_ref())
        .flatten();
    if let Some(broken) = findings.find(|finding| finding.rule.level() == Level::Error) {
        return Err(Unsound::Broken(Box::new(broken.clone())));
    }
    let before = Slices::of(original).map_err(Unsound::Unread)?;
    let after = Slices::of(signed).map_err(Unsound::Unread)?;
    let signatures = found
        .slices
        .iter()
        .filter_map(|slice| Some((slice, slice.signature.as_ref()?)));
    let signatures: Vec<_> = signatures.collect();
    if signatures.len() != before.slices.len() || after.slices.len() != before.slices.len() {
        return Err(Unsound::Unsigned {
            expected: before.slices.len(),
            found: signatures.len(),
        });
    }
    for (before, after) in before.slices.iter().zip(&after.slices) {
        same_code(before, after, places)?;
    }
    let archs: Vec<&str> = signatures
        .iter()
        .map(|(slice, _)| slice.arch.as_str())
        .collect();
    let first = signatures.first().map(|(_, signature)| *signature);
    Ok(Resigned {
        arch: archs.join("+"),
        identifier: first.map_or_else(String::new, |first| first.identifier.clone()),
        signature: first.map_or_else(Vec::new, |first| {
            [first.flags.clone(), first.entitlements.clone()].concat()
        }),
        pages: signatures
            .iter()
            .map(|(_, signature)| u64::from(signature.pages))
            .sum(),
    })
}

/// That every byte of every segment is the same, from behind the load commands to the signature, but for places.
fn same_code(before: &Slice<'_>, after: &Slice<'_>, places: &[(u64, u64)]) -> Result<(), Unsound> {
    let old = MachO::parse(before).map_err(Unsound::Unread)?;
    let new = MachO::parse(after).map_err(Unsound::Unread)?;
    let end = |image: &MachO<'_>| {
        let last = image.commands.last();
        last.map_or(32, |last| last.offset.0 + u64::from(last.size))
    };
    let commands = end(&old).max(end(&new));
    let signature = |image: &MachO<'_>| {
        let table = image.table(TableOf::Signature);
        table.map_or(image.data.len() as u64, |table| table.offset)
    };
    let mut old_code = old.data.to_vec();
    for &(offset, length) in places {
        jumps(&new, offset)?;
        let place = usize::try_from(offset).unwrap_or(usize::MAX);
        let place = place..place.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        if let (Some(old), Some(new)) = (old_code.get_mut(place.clone()), new.data.get(place)) {
            old.copy_from_slice(new);
        }
    }
    for segment in old.segments() {
        let unsound = |offset| Unsound::Changed {
            segment: segment.name.clone(),
            offset: new.in_file(offset),
        };
        let moved = new.segment(&segment.name);
        let moved = moved.ok_or_else(|| unsound(segment.offset))?.offset;
        // Chains have an entry for each segment, and what they say is held against each other by itself.
        if moved != segment.offset && old.table(TableOf::ChainedFixups).is_some() {
            same_chains(&old, &new)
                .map_err(Unsound::Unread)?
                .then_some(())
                .ok_or_else(|| unsound(moved))?;
            continue;
        }
        let further = moved.saturating_sub(segment.offset);
        let last = signature(&old).min(signature(&new).saturating_sub(further));
        let start = segment.offset.max(commands);
        let end = segment.offset.saturating_add(segment.file_size).min(last);
        let bytes = |data: &[u8], further: u64| {
            let start = usize::try_from(start.saturating_add(further)).unwrap_or(usize::MAX);
            let end = usize::try_from(end.saturating_add(further)).unwrap_or(usize::MAX);
            data.get(start..end).map(<[u8]>::to_vec)
        };
        if start >= end {
            continue;
        }
        let (one, other) = (bytes(&old_code, 0), bytes(new.data, further));
        if one == other {
            continue;
        }
        let pairs = one.iter().flatten().zip(other.iter().flatten());
        let into = pairs.take_while(|(one, other)| one == other).count();
        let changed = start.saturating_add(further).saturating_add(into as u64);
        return Err(unsound(changed));
    }
    Ok(())
}

/// Whether two files bind the same names and have the same addresses written to the same places.
fn same_chains(old: &MachO<'_>, new: &MachO<'_>) -> Result<bool, Error> {
    let (old, new) = (old.chained()?, new.chained()?);
    let names = |chained: &Chained<'_>| {
        let binds = chained.binds.iter();
        binds.map(|bind| format!("{bind:?}")).collect::<Vec<_>>()
    };
    Ok(old.rebases == new.rebases && names(&old) == names(&new))
}

/// That there is a jump into the trampolines at an offset: `jmp` with four bytes, or `b`.
fn jumps(image: &MachO<'_>, offset: u64) -> Result<(), Unsound> {
    let leads = || {
        let at = image.memory().address_of(FileOffset(offset))?.0;
        let start = usize::try_from(offset).ok()?;
        let code = image.data.get(start..start.checked_add(5)?)?;
        match (image.cpu.is_arm64(), code) {
            (true, [word @ .., _]) => {
                let word = u32::from_le_bytes(word.try_into().ok()?);
                let words = (word << 6).cast_signed() >> 6;
                (word >> 26 == 0b00_0101)
                    .then(|| at.checked_add_signed(i64::from(words).checked_mul(4)?))?
            }
            (false, [0xe9, distance @ ..]) => {
                let distance = i32::from_le_bytes(distance.try_into().ok()?);
                at.checked_add(5)?.checked_add_signed(distance.into())
            }
            _ => None,
        }
    };
    let trampolines = image.segment(CODE_SEGMENT);
    match (leads(), trampolines) {
        (Some(to), Some(segment)) if segment.holds(Svma(to)) => Ok(()),
        _ => Err(Unsound::NoJump {
            offset: image.in_file(offset),
        }),
    }
}
