//! The bytes of a signature by nobody: the hashes of pages, and the parts that go with them.
//!
//! In: code, up to where the signature begins; out: a superblob. Two manners are made: that of
//! linkers, a code directory alone; and that of `codesign --sign -`, which adds empty requirements,
//! entitlements as XML and as DER, and the empty place of certificates. What a code directory
//! consists of is written in [`super::directory`].
//!
//! Source: xnu's `osfmk/kern/cs_blobs.h`, and what `codesign`, `rcodesign`, Go's linker and zig write.

use super::{CMS_SLOT, DIRECTORY, DIRECTORY_SLOT, ENTITLEMENTS, ENTITLEMENTS_SLOT, SUPERBLOB};
use super::{SignatureFlags, der, entitlements};
use sha2::{Digest as _, Sha256};

const REQUIREMENTS: u32 = 0xfade_0c01;
const ENTITLEMENTS_DER: u32 = 0xfade_7172;
const CERTIFICATES: u32 = 0xfade_0b01;
const INFORMATION_SLOT: u32 = 1;
const REQUIREMENTS_SLOT: u32 = 2;
const ENTITLEMENTS_DER_SLOT: u32 = 7;
/// With the place of `__TEXT`, and nothing of what came later: the hardened runtime, linkage.
const VERSION: u32 = 0x2_0400;
/// Up to the identifier.
const HEADER: usize = 88;
const HASH: usize = 32;
/// `CS_EXECSEG_MAIN_BINARY`.
const MAIN_BINARY: u64 = 0x1;
/// The entitlement that lets debuggers and recorders take the task port of a process.
pub const GET_TASK_ALLOW: &str = "com.apple.security.get-task-allow";
/// The entitlement that lets a program take the task ports of others.
pub const DEBUGGER: &str = "com.apple.security.cs.debugger";

/// After whose manner a signature is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As linkers sign what they write: a code directory, nothing else.
    Linker,
    /// As `codesign --sign -` does.
    #[default]
    Tool,
}

/// What a signature says of code.
pub(super) struct Statement<'a> {
    pub(super) manner: Manner,
    pub(super) identifier: &'a [u8],
    /// Keys that are true.
    pub(super) entitlements: &'a [String],
    /// Bytes in a page: 2 to the power of this.
    pub(super) page_power: u8,
    /// Where `__TEXT` begins in the slice, and how many bytes it has there.
    pub(super) text: (u64, u64),
    /// It is a program.
    pub(super) is_program: bool,
    /// What is in `__TEXT,__info_plist`.
    pub(super) information: Option<&'a [u8]>,
}

/// A blob and the slot that it is for.
struct Part {
    slot: u32,
    data: Vec<u8>,
}

impl Statement<'_> {
    /// What goes with the code directory, in the order of the slots.
    fn parts(&self) -> Vec<Part> {
        if self.manner == Manner::Linker {
            return Vec::new();
        }
        let none = 0_u32.to_be_bytes();
        let mut parts = vec![part(REQUIREMENTS_SLOT, REQUIREMENTS, &none)];
        if !self.entitlements.is_empty() {
            let xml = entitlements::list_of(self.entitlements);
            let der = der::entitlements(self.entitlements);
            parts.push(part(ENTITLEMENTS_SLOT, ENTITLEMENTS, xml.as_bytes()));
            parts.push(part(ENTITLEMENTS_DER_SLOT, ENTITLEMENTS_DER, &der));
        }
        parts.push(part(CMS_SLOT, CERTIFICATES, &[]));
        parts
    }

    fn flags(&self) -> u32 {
        match self.manner {
            Manner::Linker => SignatureFlags::AD_HOC | SignatureFlags::LINKER_SIGNED,
            Manner::Tool => SignatureFlags::AD_HOC,
        }
    }

    /// Hashes of the special slots, the highest first, as they stand before those of pages.
    fn special_hashes(&self, parts: &[Part]) -> Vec<[u8; HASH]> {
        let hash = |slot: u32| match self.information {
            Some(information) if slot == INFORMATION_SLOT => Some(digest(information)),
            _ => {
                let mut parts = parts.iter();
                let part = parts.find(|part| part.slot == slot);
                part.map(|part| digest(&part.data))
            }
        };
        let hashes = (INFORMATION_SLOT..=ENTITLEMENTS_DER_SLOT).rev().map(hash);
        hashes
            .skip_while(Option::is_none)
            .map(Option::unwrap_or_default)
            .collect()
    }

    /// The code directory; it is whole but for what its size is given by where `code` is not.
    fn directory(&self, code: &[u8], parts: &[Part]) -> Vec<u8> {
        let special = self.special_hashes(parts);
        let page = 1_usize.checked_shl(self.page_power.into());
        let pages = code.chunks(page.unwrap_or(usize::MAX));
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let hashes = HEADER
            .saturating_add(self.identifier.len())
            .saturating_add(1)
            .saturating_add(special.len().saturating_mul(HASH));
        let (text, text_size) = self.text;

        let mut body = Vec::new();
        for number in [
            VERSION,
            self.flags(),
            count(hashes),
            count(HEADER),
            count(special.len()),
            count(pages.len()),
            count(code.len()),
        ] {
            body.extend(number.to_be_bytes());
        }
        // Size and kind of a hash (SHA-256), platform, page.
        body.extend([32, 2, 0, self.page_power]);
        // Spare, scatter, team, spare; the limit in 64 bits.
        body.extend([0; 24]);
        let segment = if self.is_program { MAIN_BINARY } else { 0 };
        for number in [text, text_size, segment] {
            body.extend(number.to_be_bytes());
        }
        body.extend(self.identifier);
        body.push(0);
        special.iter().for_each(|hash| body.extend(hash));
        pages.for_each(|page| body.extend(digest(page)));
        part(DIRECTORY_SLOT, DIRECTORY, &body).data
    }

    /// How long the signature of so much code is, without what makes it a multiple of 16.
    pub(super) fn size(&self, code: u64) -> u64 {
        let parts = self.parts();
        let pages = code.div_ceil(1_u64.checked_shl(self.page_power.into()).unwrap_or(1));
        let without_pages = superblob(&self.directory(&[], &parts), &parts);
        (without_pages.len() as u64).saturating_add(pages.saturating_mul(HASH as u64))
    }

    /// The signature of code.
    pub(super) fn sign(&self, code: &[u8]) -> Vec<u8> {
        let parts = self.parts();
        superblob(&self.directory(code, &parts), &parts)
    }
}

fn digest(bytes: &[u8]) -> [u8; HASH] {
    Sha256::digest(bytes).into()
}

fn part(slot: u32, magic: u32, contents: &[u8]) -> Part {
    let length = u32::try_from(contents.len().saturating_add(8)).unwrap_or(u32::MAX);
    let mut data = magic.to_be_bytes().to_vec();
    data.extend(length.to_be_bytes());
    data.extend(contents);
    Part { slot, data }
}

/// The code directory, which comes first, and all parts behind each other, after a table of them.
fn superblob(directory: &[u8], parts: &[Part]) -> Vec<u8> {
    let parts = parts.iter().map(|part| (part.slot, part.data.as_slice()));
    let blobs: Vec<(u32, &[u8])> = std::iter::once((DIRECTORY_SLOT, directory))
        .chain(parts)
        .collect();
    let count = u32::try_from(blobs.len()).unwrap_or(u32::MAX);
    let mut at = count.saturating_mul(8).saturating_add(12);
    let mut table = count.to_be_bytes().to_vec();
    for (slot, data) in &blobs {
        table.extend(slot.to_be_bytes());
        table.extend(at.to_be_bytes());
        at = at.saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }
    blobs.iter().for_each(|(_, data)| table.extend(*data));
    part(0, SUPERBLOB, &table).data
}
