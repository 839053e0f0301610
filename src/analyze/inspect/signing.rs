//! Rules for the code signature: those that can be decided from the bytes of a file alone.
//!
//! Source: xnu's `bsd/kern/ubc_subr.c` (`cs_validate_csblob`, `cs_validate_range`).

use super::rule::{Finding, Rule};
use super::{hexadecimal, text};
use crate::binary::Error;
use crate::binary::macho::signature::{CodeDirectory, HashKind, Signature, SignatureFlags};
use crate::binary::macho::{MachO, Section, TableOf};

/// The slots whose contents are blobs of the signature; those of Info.plist and of resources are
/// other files.
const IN_SIGNATURE: [u32; 7] = [2, 5, 7, 8, 9, 10, 11];
/// Digits of a hash that are shown.
const SHOWN: usize = 8;

pub(super) fn check(
    image: &MachO<'_>,
    signature: &Result<Option<Signature<'_>>, Error>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    match signature {
        Ok(Some(signature)) => {
            for directory in &signature.directories {
                limit(image, signature, directory, &mut findings);
                special_slots(image, signature, directory, &mut findings);
                pages(image, directory, &mut findings);
            }
        }
        // Rosetta runs unsigned programs, and so did Intel Macs.
        Ok(None) if !image.cpu.is_arm64() => {}
        Ok(None) => findings.push(Finding {
            rule: Rule::SignatureMissing,
            section: None,
            offset: image.in_file(0),
            expected: "a load command LC_CODE_SIGNATURE".to_owned(),
            found: "none".to_owned(),
        }),
        Err(error) => findings.push(Finding {
            rule: Rule::SignatureForm,
            section: Some("__LINKEDIT".to_owned()),
            offset: image.in_file(image.table(TableOf::Signature).map_or(0, |one| one.offset)),
            expected: "a signature with a code directory".to_owned(),
            found: error.to_string(),
        }),
    }
    findings
}

/// What the bytes of a file cannot tell of its signature.
pub(super) fn undecided(signature: &Signature<'_>) -> Vec<&'static str> {
    let mut undecided = Vec::new();
    if signature.has_certificates() {
        undecided.push("whether the certificates are trusted, have ended or were revoked");
        undecided.push("whether the signature of the certificates holds");
        undecided.push("whether Apple has notarized it");
    }
    let mut directories = signature.directories.iter();
    if directories.any(|directory| directory.hash.of(&[]).is_none()) {
        undecided.push("whether hashes other than SHA-256 and SHA-384 hold");
    }
    let files = |directory: &CodeDirectory<'_>| {
        directory.special_hash(1).is_some() || directory.special_hash(3).is_some()
    };
    if signature.directories.iter().any(files) {
        undecided.push("whether Info.plist and resources, which are other files, are those signed");
    }
    let ad_hoc = signature
        .directory()
        .is_some_and(|directory| directory.flags.has(SignatureFlags::AD_HOC));
    if !ad_hoc || !undecided.is_empty() {
        undecided.push("what the rules of a Mac (Gatekeeper, quarantine) make of it");
    }
    undecided
}

fn finding(image: &MachO<'_>, rule: Rule, at: u64, said: [String; 2]) -> Finding {
    let [expected, found] = said;
    Finding {
        rule,
        section: Some("__LINKEDIT".to_owned()),
        offset: image.in_file(at),
        expected,
        found,
    }
}

fn limit(
    image: &MachO<'_>,
    signature: &Signature<'_>,
    directory: &CodeDirectory<'_>,
    findings: &mut Vec<Finding>,
) {
    if directory.limit != signature.offset {
        let said = [
            format!(
                "bytes up to {:#x}, where the signature begins",
                signature.offset
            ),
            format!("bytes up to {:#x}", directory.limit),
        ];
        let at = directory.offset.saturating_add(32);
        findings.push(finding(image, Rule::SignatureLimit, at, said));
    } else if directory.needed_pages() != u64::from(directory.pages) {
        let said = [
            format!("{} pages", directory.needed_pages()),
            format!("{}", directory.pages),
        ];
        let at = directory.offset.saturating_add(28);
        findings.push(finding(image, Rule::SignatureLimit, at, said));
    }
}

fn special_slots(
    image: &MachO<'_>,
    signature: &Signature<'_>,
    directory: &CodeDirectory<'_>,
    findings: &mut Vec<Finding>,
) {
    for slot in IN_SIGNATURE {
        let stored = directory.special_hash(slot);
        let blob = signature.blob(slot);
        let at = blob.map_or(directory.offset, |blob| blob.offset);
        let said = match (stored, blob) {
            (Some(stored), Some(blob)) => match directory.hash.of(blob.data) {
                Some(hash) if hash != stored => [shown(stored), shown(&hash)],
                _ => continue,
            },
            (Some(stored), None) => [shown(stored), "nothing in the signature".to_owned()],
            (None, Some(blob)) => {
                let found = directory.hash.of(blob.data);
                let found = found.map_or_else(|| "a blob".to_owned(), |hash| shown(&hash));
                ["no blob, for it has no hash".to_owned(), found]
            }
            (None, None) => continue,
        };
        let said = said.map(|said| format!("slot {slot}: {said}"));
        findings.push(finding(image, Rule::SpecialSlot, at, said));
    }
}

fn shown(hash: &[u8]) -> String {
    format!("{}...", hexadecimal(hash.get(..SHOWN).unwrap_or(hash)))
}

/// One finding for all pages: the first of them, and how many there are.
fn pages(image: &MachO<'_>, directory: &CodeDirectory<'_>, findings: &mut Vec<Finding>) {
    if matches!(directory.hash, HashKind::Sha1 | HashKind::Other(_)) {
        return;
    }
    let wrong = directory.wrong_pages(image.data);
    let Some(&first) = wrong.first() else {
        return;
    };
    let (start, end) = directory.page_range(first);
    let bytes = usize::try_from(start)
        .ok()
        .zip(usize::try_from(end).ok())
        .and_then(|(start, end)| image.data.get(start..end));
    let found = bytes.and_then(|bytes| directory.hash.of(bytes));
    let more = match wrong.len() {
        1 => String::new(),
        count => format!(", the first of {count}"),
    };
    findings.push(Finding {
        rule: Rule::PageHash,
        section: section(image, start, end),
        offset: image.in_file(start),
        expected: format!(
            "page {first} of {} with hash {}",
            text(directory.identifier),
            shown(directory.page_hash(first))
        ),
        found: match found {
            Some(hash) => format!("{}{more}", shown(&hash)),
            None => format!("the slice ends before{more}"),
        },
    });
}

/// The first section with bytes of a page; what is none of a section's is load commands,
/// padding, or a table of `__LINKEDIT`.
fn section(image: &MachO<'_>, start: u64, end: u64) -> Option<String> {
    let mut sections = image.sections();
    let holds = |section: &&Section<'_>| {
        let last = section.offset.saturating_add(section.data.len() as u64);
        section.offset < end && start < last
    };
    let found = sections.find(holds).map(Section::full_name);
    found.or_else(|| {
        let mut segments = image.segments().iter();
        let holds = segments.find(|segment| {
            let last = segment.offset.saturating_add(segment.file_size);
            segment.offset < end && start < last
        });
        holds.map(|segment| segment.name.clone())
    })
}
