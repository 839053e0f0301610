//! A program before and after it was signed anew: the rules hold, and the code is the same.

use crate::analyze::Inspection;
use crate::analyze::inspect::{Finding, Level, Wanted};
use crate::binary::macho::{MachO, Slice, Slices, TableOf};
use crate::binary::{Error, FileOffset};

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

/// Holds a program against what it was before it was signed anew. Every page of it is hashed.
///
/// # Errors
///
/// When something else than the signature and what the load commands say of it has changed, or
/// the result breaks a rule of macOS.
pub fn resigned(original: &[u8], signed: &[u8]) -> Result<Resigned, Unsound> {
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
        same_code(before, after)?;
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

/// That every byte of every segment is the same, from behind the load commands to the signature.
fn same_code(before: &Slice<'_>, after: &Slice<'_>) -> Result<(), Unsound> {
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
    let last = signature(&old).min(signature(&new));
    for segment in old.segments() {
        let start = segment.offset.max(commands);
        let end = segment.offset.saturating_add(segment.file_size).min(last);
        let bytes = |data: &[u8]| {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            data.get(start..end).map(<[u8]>::to_vec)
        };
        if start >= end {
            continue;
        }
        let (one, other) = (bytes(old.data), bytes(new.data));
        if one == other {
            continue;
        }
        let pairs = one.iter().flatten().zip(other.iter().flatten());
        let into = pairs.take_while(|(one, other)| one == other).count();
        return Err(Unsound::Changed {
            segment: segment.name.clone(),
            offset: new.in_file(start.saturating_add(into as u64)),
        });
    }
    Ok(())
}
