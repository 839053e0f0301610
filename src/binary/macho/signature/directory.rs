//! The code directory: the hashes of pages and of the signature's other parts.
//!
//! ```text
//!  0 u32 fade0c02  4 u32 length  8 u32 version  12 u32 flags  16 u32 offset of the first page's hash
//! 20 u32 offset of the identifier  24 u32 number of special slots  28 u32 number of pages
//! 32 u32 end of what is signed  36 u8 size of a hash  37 u8 its kind  38 u8 platform
//! 39 u8 size of a page, a power  40 u32 0
//! version 20100: 44 u32 offset of scatter   20200: 48 u32 offset of the team
//! version 20300: 52 u32 0  56 u64 end of what is signed, where 32 bits do not do
//! version 20400: 64 u64 start of __TEXT  72 u64 its end  80 u64 flags
//! hash of page i at first + i * size; of special slot k at first - k * size, zeroes for none
//! ```
//!
//! All big-endian. Source: xnu's `osfmk/kern/cs_blobs.h`.

use super::Blob;
use crate::binary::{Error, bytes::Bytes};
use sha2::{Digest as _, Sha256, Sha384};
use std::fmt;

const WITH_TEAM: u32 = 0x2_0200;
const WITH_WIDE_LIMIT: u32 = 0x2_0300;
/// The largest page is 64 KiB; 0 stands for one page without end.
const LARGEST_PAGE: u8 = 16;

/// How hashes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashKind {
    /// SHA-1, which is not checked here: signatures have had SHA-256 beside or instead since 2015.
    Sha1,
    /// SHA-256.
    Sha256,
    /// The first 20 bytes of SHA-256.
    Sha256Short,
    /// SHA-384.
    Sha384,
    /// Another one, by its number.
    Other(u8),
}

impl HashKind {
    /// How long a hash is; `None` where that is not known.
    #[must_use]
    pub const fn size(self) -> Option<usize> {
        match self {
            Self::Sha1 | Self::Sha256Short => Some(20),
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Other(_) => None,
        }
    }

    /// The hash of bytes; `None` for kinds that are not computed here.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Sha256 => Some(Sha256::digest(bytes).to_vec()),
            Self::Sha256Short => Sha256::digest(bytes).get(..20).map(<[u8]>::to_vec),
            Self::Sha384 => Some(Sha384::digest(bytes).to_vec()),
            Self::Sha1 | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for HashKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha256Short => "SHA-256, 20 bytes",
            Self::Sha384 => "SHA-384",
            Self::Other(number) => return write!(f, "hash {number}"),
        })
    }
}

/// `CS_*` flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureFlags(pub u32);

impl SignatureFlags {
    /// Signed by nobody: the hashes alone.
    pub const AD_HOC: u32 = 0x2;
    /// Hardened: no debugger, no injected library without an entitlement.
    pub const RUNTIME: u32 = 0x1_0000;
    /// Made by a linker, so that tools may replace it.
    pub const LINKER_SIGNED: u32 = 0x2_0000;

    /// Whether a flag is set.
    #[must_use]
    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Names of those that are set, the lowest bit first; others as numbers.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        (0_u32..32)
            .filter_map(|bit| 1_u32.checked_shl(bit))
            .filter(|&flag| self.has(flag))
            .map(|flag| match flag {
                0x1 => "valid".to_owned(),
                Self::AD_HOC => "ad hoc".to_owned(),
                0x4 => "get-task-allow".to_owned(),
                0x100 => "hard".to_owned(),
                0x200 => "kill".to_owned(),
                0x400 => "check-expiration".to_owned(),
                0x800 => "restrict".to_owned(),
                0x1000 => "enforcement".to_owned(),
                0x2000 => "library-validation".to_owned(),
                Self::RUNTIME => "hardened".to_owned(),
                Self::LINKER_SIGNED => "linker-signed".to_owned(),
                other => format!("{other:#x}"),
            })
            .collect()
    }
}

/// One code directory.
#[derive(Clone, Debug)]
pub struct CodeDirectory<'a> {
    /// Its slot: 0 for the first.
    pub slot: u32,
    /// Where it begins in the slice.
    pub offset: u64,
    /// Its bytes.
    pub data: &'a [u8],
    /// Which fields it has.
    pub version: u32,
    /// What the kernel is to do.
    pub flags: SignatureFlags,
    /// What the program is called, mostly its file name or bundle.
    pub identifier: &'a [u8],
    /// The developer's team, where a certificate says one.
    pub team: Option<&'a [u8]>,
    /// How hashes are made.
    pub hash: HashKind,
    /// Bytes in a page; 0 for all in one.
    pub page_size: u64,
    /// Number of pages with a hash.
    pub pages: u32,
    /// Number of special slots with a hash.
    pub special_slots: u32,
    /// End of what is signed, in the slice.
    pub limit: u64,
    /// Where the hash of the first page is.
    hashes: u64,
    hash_size: u64,
}

impl<'a> CodeDirectory<'a> {
    /// Offsets in errors count from the start of the blob.
    pub(super) fn read(blob: &Blob<'a>) -> Result<Self, Error> {
        let bytes = Bytes(blob.data);
        let field = |offset| bytes.u32_be("code directory", offset);
        let version = field(8)?;
        let text = |what, offset: u32| bytes.string(what, offset.into());
        let team = match version {
            WITH_TEAM.. => Some(field(48)?).filter(|&offset| offset != 0),
            _ => None,
        };
        let wide = match version {
            WITH_WIDE_LIMIT.. => bytes.u64_be("end of what is signed", 56)?,
            _ => 0,
        };
        let page = bytes.u8("size of a page", 39)?;
        if page > LARGEST_PAGE {
            return Err(Error::Unexpected {
                what: "size of a page",
                offset: 39,
                expected: format!("2^{LARGEST_PAGE} at most"),
                found: format!("2^{page}"),
            });
        }
        let directory = Self {
            slot: blob.slot,
            offset: blob.offset,
            data: blob.data,
            version,
            flags: SignatureFlags(field(12)?),
            identifier: text("identifier", field(20)?)?,
            team: team
                .map(|offset| text("team identifier", offset))
                .transpose()?,
            hash: match bytes.u8("kind of hash", 37)? {
                1 => HashKind::Sha1,
                2 => HashKind::Sha256,
                3 => HashKind::Sha256Short,
                4 => HashKind::Sha384,
                other => HashKind::Other(other),
            },
            page_size: match page {
                0 => 0,
                power => 1_u64.checked_shl(power.into()).unwrap_or(0),
            },
            pages: field(28)?,
            special_slots: field(24)?,
            limit: if wide == 0 { field(32)?.into() } else { wide },
            hashes: field(16)?.into(),
            hash_size: bytes.u8("size of a hash", 36)?.into(),
        };
        directory.check(bytes)?;
        Ok(directory)
    }

    /// That all hashes are there, and as long as their kind makes them.
    fn check(&self, bytes: Bytes<'a>) -> Result<(), Error> {
        if let Some(size) = self.hash.size()
            && size as u64 != self.hash_size
        {
            return Err(Error::Unexpected {
                what: "size of a hash",
                offset: 36,
                expected: format!("{size} for {}", self.hash),
                found: self.hash_size.to_string(),
            });
        }
        let before = u64::from(self.special_slots).saturating_mul(self.hash_size);
        let first = self.hashes.checked_sub(before).ok_or(Error::Malformed {
            what: "number of special slots",
            offset: 24,
            value: self.special_slots.into(),
        })?;
        let count = u64::from(self.special_slots).saturating_add(self.pages.into());
        let size = count.saturating_mul(self.hash_size);
        bytes.slice("hashes", first, size).map(|_hashes| ())
    }

    /// How many pages what is signed has.
    #[must_use]
    pub const fn needed_pages(&self) -> u64 {
        match self.page_size {
            0 => 1,
            size => self.limit.div_ceil(size),
        }
    }

    fn hash_at(&self, offset: u64) -> &'a [u8] {
        let hash = Bytes(self.data).slice("hash", offset, self.hash_size);
        hash.unwrap_or_default()
    }

    /// The stored hash of a page.
    #[must_use]
    pub fn page_hash(&self, page: u32) -> &'a [u8] {
        let into = u64::from(page).saturating_mul(self.hash_size);
        self.hash_at(self.hashes.saturating_add(into))
    }

    /// The stored hash of a special slot; `None` for one that is absent: not counted, or zeroes.
    #[must_use]
    pub fn special_hash(&self, slot: u32) -> Option<&'a [u8]> {
        if slot == 0 || slot > self.special_slots {
            return None;
        }
        let before = u64::from(slot).saturating_mul(self.hash_size);
        let hash = self.hash_at(self.hashes.saturating_sub(before));
        hash.iter().any(|&byte| byte != 0).then_some(hash)
    }

    /// Where a page lies in the slice.
    #[must_use]
    pub fn page_range(&self, page: u32) -> (u64, u64) {
        let size = if self.page_size == 0 {
            self.limit
        } else {
            self.page_size
        };
        let start = u64::from(page).saturating_mul(size);
        (start, start.saturating_add(size).min(self.limit))
    }

    /// The pages of a slice whose hash is another one than the stored one. Hashes everything that
    /// is signed; none are found where the kind of hash is not computed here.
    #[must_use]
    pub fn wrong_pages(&self, slice: &[u8]) -> Vec<u32> {
        let bytes = Bytes(slice);
        (0..self.pages)
            .filter(|&page| {
                let (start, end) = self.page_range(page);
                let contents = bytes.slice("page", start, end.saturating_sub(start));
                let Ok(contents) = contents else {
                    return true;
                };
                let hash = self.hash.of(contents);
                hash.is_some_and(|hash| hash != self.page_hash(page))
            })
            .collect()
    }

    /// What names this version of the program to the kernel: the first 20 bytes of the hash of
    /// this directory; `None` where the kind of hash is not computed here.
    #[must_use]
    pub fn cdhash(&self) -> Option<Vec<u8>> {
        let mut hash = self.hash.of(self.data)?;
        hash.truncate(20);
        Some(hash)
    }
}
