//! The code signature: what it covers, what it says, whether its hashes hold, and how one is made.
//!
//! ```text
//! superblob, big-endian   0 u32 fade0cc0  4 u32 length  8 u32 number of blobs
//!                        12 {u32 slot, u32 offset from here} for each
//! blob                    0 u32 magic  4 u32 length  8 contents
//! slots   0 code directory  1 Info.plist  2 requirements  3 resources  5 entitlements
//!         7 entitlements, DER  8 to 11 launch constraints  1000 on more code directories
//!         10000 CMS: the certificates and what they sign
//! ```
//!
//! Source: xnu's `osfmk/kern/cs_blobs.h`. Whether a certificate is trusted, has ended or was
//! revoked, and whether Apple has notarized the file, cannot be told from these bytes, and is not.

mod der;
mod directory;
mod entitlements;
mod maker;
mod signer;

pub use directory::{CodeDirectory, HashKind, SignatureFlags};
pub use entitlements::{Entitlement, entitlements, list_of};
pub use maker::{DEBUGGER, GET_TASK_ALLOW, Manner};
pub use signer::AdHoc;

use super::command::TableOf;
use super::header::MachO;
use crate::binary::{Error, bytes::Bytes};

const SUPERBLOB: u32 = 0xfade_0cc0;
const DIRECTORY: u32 = 0xfade_0c02;
const ENTITLEMENTS: u32 = 0xfade_7171;
/// The slot of the first code directory.
pub const DIRECTORY_SLOT: u32 = 0;
/// The slot of the entitlements as XML.
pub const ENTITLEMENTS_SLOT: u32 = 5;
/// The slot of the CMS.
pub const CMS_SLOT: u32 = 0x1_0000;
const MORE_DIRECTORIES: std::ops::Range<u32> = 0x1000..0x1006;
/// No signature has more blobs.
const MOST_BLOBS: u32 = 64;

/// One part of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob<'a> {
    /// What for.
    pub slot: u32,
    /// Where it begins in the slice.
    pub offset: u64,
    /// What kind.
    pub magic: u32,
    /// Its bytes, with the 8 of its header.
    pub data: &'a [u8],
}

/// The signature of a slice.
#[derive(Clone, Debug)]
pub struct Signature<'a> {
    /// Where it begins in the slice.
    pub offset: u64,
    /// How many bytes the load command gives it.
    pub size: u64,
    /// Its parts.
    pub blobs: Vec<Blob<'a>>,
    /// Its code directories: mostly one; the first is that of slot 0.
    pub directories: Vec<CodeDirectory<'a>>,
}

impl<'a> Signature<'a> {
    /// Reads the signature of a slice; `None` where it has none.
    ///
    /// # Errors
    ///
    /// When it reaches beyond the end of the slice, a blob beyond the end of the signature, or
    /// something in it is no such thing. Without a code directory, [`Error::Missing`].
    pub fn of(image: &MachO<'a>) -> Result<Option<Self>, Error> {
        let Some(table) = image.table(TableOf::Signature) else {
            return Ok(None);
        };
        let data = image.table_bytes(TableOf::Signature)?;
        let read = read(data, table.offset);
        read.map(Some)
            .map_err(|error| error.further(image.in_file(table.offset).0))
    }

    /// The blob of a slot.
    #[must_use]
    pub fn blob(&self, slot: u32) -> Option<&Blob<'a>> {
        self.blobs.iter().find(|blob| blob.slot == slot)
    }

    /// The code directory of slot 0.
    #[must_use]
    pub fn directory(&self) -> Option<&CodeDirectory<'a>> {
        self.directories.first()
    }

    /// Whether it has certificates: the CMS of an ad-hoc signature is empty, or not there.
    #[must_use]
    pub fn has_certificates(&self) -> bool {
        self.blob(CMS_SLOT).is_some_and(|cms| cms.data.len() > 8)
    }

    /// What the program is allowed beyond the ordinary.
    #[must_use]
    pub fn entitlements(&self) -> Vec<Entitlement> {
        let blob = self
            .blob(ENTITLEMENTS_SLOT)
            .filter(|blob| blob.magic == ENTITLEMENTS);
        blob.map_or_else(Vec::new, |blob| {
            entitlements(blob.data.get(8..).unwrap_or_default())
        })
    }
}

/// Offsets in errors count from the start of the signature.
fn read(data: &[u8], start: u64) -> Result<Signature<'_>, Error> {
    let bytes = Bytes(data);
    expect(
        "magic of the signature",
        0,
        SUPERBLOB,
        bytes.u32_be("signature", 0)?,
    )?;
    let length = bytes.u32_be("length of the signature", 4)?;
    let whole = Bytes(bytes.slice("signature", 0, length.into())?);
    let count = whole.u32_be("number of blobs", 8)?;
    if count > MOST_BLOBS {
        return Err(Error::Unexpected {
            what: "number of blobs",
            offset: 8,
            expected: format!("{MOST_BLOBS} at most"),
            found: count.to_string(),
        });
    }
    let mut signature = Signature {
        offset: start,
        size: data.len() as u64,
        blobs: Vec::new(),
        directories: Vec::new(),
    };
    for number in 0..u64::from(count) {
        let at = number.saturating_mul(8).saturating_add(12);
        let slot = whole.u32_be("slot of a blob", at)?;
        let offset = u64::from(whole.u32_be("offset of a blob", at.saturating_add(4))?);
        let magic = whole.u32_be("blob", offset)?;
        let length = whole.u32_be("length of a blob", offset.saturating_add(4))?;
        let blob = Blob {
            slot,
            offset: start.saturating_add(offset),
            magic,
            data: whole.slice("blob", offset, length.into())?,
        };
        if slot == DIRECTORY_SLOT || MORE_DIRECTORIES.contains(&slot) {
            expect("magic of the code directory", offset, DIRECTORY, magic)?;
            let directory = CodeDirectory::read(&blob).map_err(|error| error.further(offset))?;
            signature.directories.push(directory);
        }
        signature.blobs.push(blob);
    }
    signature
        .directories
        .sort_by_key(|directory| directory.slot);
    match signature.directories.first() {
        Some(first) if first.slot == DIRECTORY_SLOT => Ok(signature),
        _ => Err(Error::Missing {
            what: "code directory in the signature",
        }),
    }
}

fn expect(what: &'static str, offset: u64, expected: u32, found: u32) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Unexpected {
        what,
        offset,
        expected: format!("{expected:#x}"),
        found: format!("{found:#x}"),
    })
}
