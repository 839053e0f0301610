//! What dyld has loaded into a process of a Mac: in, what `task_info` answers and a way to read the
//! process's memory; out, its images, and what Rosetta 2 has translated of them.
//!
//! dyld keeps a list for debuggers and crash reports, in a layout that Apple's own tools read from
//! outside: `struct dyld_all_image_infos`, include/mach-o/dyld_images.h of dyld-1378. Fields have only
//! ever been added; these are there since version 17, macOS 11. Numbers are little-endian.
//!
//! ```text
//! 0x000 version (u32)                    0x004 number of images (u32)
//! 0x008 images (ptr), 0 while they change
//! 0x019 libSystem has begun (u8)         0x020 dyld itself (ptr)
//! 0x038 message of dyld's error (ptr)
//! 0x058 number of UUIDs (u64)            0x060 UUIDs (ptr), 0 while they change
//! 0x078 kind of dyld's error (u64)       0x080 who wanted, 0x088 from whom, 0x090 which symbol (ptr)
//! 0x098 slide of the shared cache (u64)  0x0a0 its UUID (16 bytes)    0x0b0 where it is (ptr)
//! 0x0b8 when the images changed (u64)
//! 0x140 platform (u32)                   0x144 number of translated images (u32)
//! 0x148 translated images (ptr), 0 while they change                  0x170 end
//!
//! image            0x00 its header (ptr)  0x08 path (ptr)           0x10 time of the file (u64)   24 bytes
//! UUID             0x00 its header (ptr)  0x08 UUID (16 bytes)                                    24 bytes
//! translated image 0x00 its header (ptr)  0x08 arm64 code (ptr)     0x10 bytes of that (u64)
//!                  0x18 key: SHA-256 (32 bytes)                                                   56 bytes
//! ```
//!
//! The process runs on meanwhile. What was read counts only if the list is the same before and after.

use super::memory::{Pieces, ReadMemory};
use crate::trace::Avma;
use rustc_hash::FxHashMap;

/// Bytes of the list, as far as it is read.
const BYTES: usize = 0x170;
/// The first that has translated images.
const VERSION: u32 = 17;
const IMAGE_BYTES: usize = 24;
const UUID_BYTES: usize = 24;
const TRANSLATED_BYTES: usize = 56;
/// More images than a program has: the largest applications have some two thousand.
const MOST: u64 = 16_384;
/// `PATH_MAX` with its zero; messages of dyld's errors are as long.
const LONGEST_TEXT: usize = 1024;
/// The smaller of a Mac's pages, which translated processes have: what follows may not be there.
const PAGE: u64 = 0x1000;
/// How often the list is read before it is said that it changes all the time.
const ATTEMPTS: usize = 8;

/// Where in the list is when it changed: as long as that is the same, so is the list.
pub const CHANGED: u64 = 0xb8;

/// `struct task_dyld_info`, which `task_info` fills in for `TASK_DYLD_INFO`.
///
/// ```text
/// 0x00 where the list is (ptr)  0x08 its bytes (u64)  0x10 format (i32): 0 for 32 bits, 1 for 64
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DyldInfo {
    /// Where the list is.
    pub address: Avma,
    /// How many bytes it has.
    pub bytes: u64,
    /// `TASK_DYLD_ALL_IMAGE_INFO_64`, or what it is instead.
    pub format: i32,
}

/// `TASK_DYLD_ALL_IMAGE_INFO_64`.
const FORMAT_64: i32 = 1;

impl DyldInfo {
    /// Reads what the kernel filled in; `None` where that is less than the whole.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            address: Avma(u64_at(bytes, 0x00)?),
            bytes: u64_at(bytes, 0x08)?,
            format: u32_at(bytes, 0x10)?.cast_signed(),
        })
    }
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// The process has 32 bits, which no macOS since 10.15 runs.
    #[error("list of images: expected that of a 64-bit process, format 1, found format {found}")]
    Format {
        /// What the kernel says.
        found: i32,
    },
    /// The kernel says that the list is smaller than it has been since macOS 11.
    #[error("list of images at {address}: expected {BYTES:#x} bytes or more, found {found:#x}")]
    Short {
        /// Where.
        address: Avma,
        /// How many it has.
        found: u64,
    },
    /// It is of an older dyld.
    #[error(
        "list of images at {address}: expected version {VERSION} or later (macOS 11), found {found}"
    )]
    Version {
        /// Where.
        address: Avma,
        /// Which it has.
        found: u32,
    },
    /// No process has so many.
    #[error("list of images at {address}: expected {MOST} {what} at most, found {found}")]
    TooMany {
        /// Where the list is.
        address: Avma,
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
    },
    /// There is no memory where it is said to be.
    #[error("{what} at {address}: expected {bytes} bytes, found no such memory")]
    Unmapped {
        /// What was to be there.
        what: &'static str,
        /// Where.
        address: Avma,
        /// How much.
        bytes: u64,
    },
    /// Each time it was read it was being changed, or dyld has not begun.
    #[error("list of images at {address}: expected one at rest, found it changing each time")]
    Changing {
        /// Where.
        address: Avma,
    },
}

/// An image that dyld has loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedImage {
    /// Where its Mach-O header is.
    pub address: Avma,
    /// The path that it was loaded by; `None` where that could not be read.
    pub path: Option<Vec<u8>>,
    /// Its `LC_UUID`, where dyld lists it: not of images in the shared cache.
    pub uuid: Option<[u8; 16]>,
}

/// An image whose code Rosetta 2 has translated ahead of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslatedImage {
    /// Where the header of the amd64 image is.
    pub address: Avma,
    /// Where the arm64 code is.
    pub code: Avma,
    /// How many bytes that has.
    pub code_bytes: u64,
    /// What names the translation in the cache: a SHA-256.
    pub key: [u8; 32],
}

/// The shared cache of system libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SharedCache {
    /// Where it is.
    pub address: Avma,
    /// How far from where it states that it would be.
    pub slide: u64,
    /// Which one.
    pub uuid: [u8; 16],
}

/// What dyld says of a program that it did not start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaunchError {
    /// Of what kind.
    pub kind: LaunchErrorKind,
    /// What dyld says.
    pub message: Option<Vec<u8>>,
    /// The image that wanted something.
    pub client: Option<Vec<u8>>,
    /// The library that it wanted, or wanted something of.
    pub target: Option<Vec<u8>>,
    /// The symbol that it wanted.
    pub symbol: Option<Vec<u8>>,
}

/// Kinds of errors of dyld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaunchErrorKind {
    /// Another one: the message tells.
    #[default]
    Other,
    /// A library is not there.
    LibraryMissing,
    /// A library is for other processors.
    WrongArchitecture,
    /// A library is too old.
    WrongVersion,
    /// A library has no such symbol.
    SymbolMissing,
}

/// What dyld has loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfos {
    /// Version of the list.
    pub version: u32,
    /// All images, the program first.
    pub images: Vec<LoadedImage>,
    /// dyld itself, which is in no list.
    pub dyld: Avma,
    /// Whether initializers have begun to run.
    pub has_begun: bool,
    /// The system's libraries.
    pub shared_cache: Option<SharedCache>,
    /// When images were loaded or unloaded last, in ticks of `mach_absolute_time`: as long as this is
    /// the same, so is the list.
    pub changed: u64,
    /// For which platform the program was linked, as in `LC_BUILD_VERSION`: 1 is macOS.
    pub platform: u32,
    /// What Rosetta 2 has translated ahead of time; images of a translated process that are not in here
    /// are translated while they run.
    pub translated: Vec<TranslatedImage>,
    /// Why the program was not started.
    pub error: Option<LaunchError>,
}

impl ImageInfos {
    /// Reads the list of a process. That may run, but then the list may change all the time.
    ///
    /// # Errors
    ///
    /// When there is no list that is known, it leads to memory that is not there, or it is never at
    /// rest: a process that has just been started has none yet.
    pub fn read(memory: &dyn ReadMemory, info: DyldInfo) -> Result<Self, Unread> {
        let address = info.address;
        if info.format != FORMAT_64 {
            return Err(Unread::Format { found: info.format });
        }
        if info.bytes < BYTES as u64 {
            return Err(Unread::Short {
                address,
                found: info.bytes,
            });
        }
        for _ in 0..ATTEMPTS {
            let list = List::read(memory, address)?;
            if list.is_changing() {
                continue;
            }
            let found = list.follow(memory);
            if List::read(memory, address)? == list {
                return found;
            }
        }
        Err(Unread::Changing { address })
    }
}

/// The bytes of the list.
#[derive(PartialEq, Eq)]
struct List {
    address: Avma,
    bytes: [u8; BYTES],
}

impl List {
    fn read(memory: &dyn ReadMemory, address: Avma) -> Result<Self, Unread> {
        let mut bytes = [0; BYTES];
        fill(memory, "list of images", address, &mut bytes)?;
        Ok(Self { address, bytes })
    }

    /// A number of the list, all of which lie in it.
    fn u32(&self, at: usize) -> u32 {
        u32_at(&self.bytes, at).unwrap_or_default()
    }

    fn u64(&self, at: usize) -> u64 {
        u64_at(&self.bytes, at).unwrap_or_default()
    }

    fn pointer(&self, at: usize) -> Avma {
        Avma(self.u64(at))
    }

    fn is_changing(&self) -> bool {
        let is_null = |at| self.u64(at) == 0;
        let is_hidden = |at, count| is_null(at) && count > 0;
        is_null(0x008)
            || is_hidden(0x060, self.u64(0x058))
            || is_hidden(0x148, self.u32(0x144).into())
    }

    fn follow(&self, memory: &dyn ReadMemory) -> Result<ImageInfos, Unread> {
        let version = self.u32(0x000);
        if version < VERSION {
            return Err(Unread::Version {
                address: self.address,
                found: version,
            });
        }
        let uuids = self.rows::<UUID_BYTES>(memory, "UUIDs", self.u64(0x058), 0x060)?;
        let uuids = uuids
            .iter()
            .filter_map(|row| Some((u64_at(row, 0)?, array_at(row, 8)?)));
        let uuids: FxHashMap<u64, [u8; 16]> = uuids.collect();
        let images = self.rows::<IMAGE_BYTES>(memory, "images", self.u32(0x004).into(), 0x008)?;
        // They lie close to each other.
        let paths = Pieces::of(memory);
        let images = images.iter().filter_map(|row| {
            let address = u64_at(row, 0)?;
            Some(LoadedImage {
                address: Avma(address),
                path: text(&paths, Avma(u64_at(row, 8)?)),
                uuid: uuids.get(&address).copied(),
            })
        });
        let translated = self.rows::<TRANSLATED_BYTES>(
            memory,
            "translated images",
            self.u32(0x144).into(),
            0x148,
        )?;
        let translated = translated.iter().filter_map(|row| {
            Some(TranslatedImage {
                address: Avma(u64_at(row, 0)?),
                code: Avma(u64_at(row, 8)?),
                code_bytes: u64_at(row, 0x10)?,
                key: array_at(row, 0x18)?,
            })
        });
        Ok(ImageInfos {
            version,
            images: images.collect(),
            dyld: self.pointer(0x020),
            has_begun: self.bytes.get(0x019).is_some_and(|&flag| flag != 0),
            shared_cache: self.shared_cache(),
            changed: self.u64(0x0b8),
            platform: self.u32(0x140),
            translated: translated.collect(),
            error: self.error(memory),
        })
    }

    /// The rows of an array that a pointer of the list leads to.
    fn rows<const N: usize>(
        &self,
        memory: &dyn ReadMemory,
        what: &'static str,
        count: u64,
        pointer: usize,
    ) -> Result<Vec<[u8; N]>, Unread> {
        let count = match usize::try_from(count) {
            Ok(rows) if count <= MOST => rows,
            _ => {
                return Err(Unread::TooMany {
                    address: self.address,
                    what,
                    found: count,
                });
            }
        };
        let mut rows = vec![[0; N]; count];
        if count > 0 {
            let rows = rows.as_flattened_mut();
            fill(memory, what, self.pointer(pointer), rows)?;
        }
        Ok(rows)
    }

    fn shared_cache(&self) -> Option<SharedCache> {
        let address = self.pointer(0x0b0);
        (address != Avma(0)).then_some(SharedCache {
            address,
            slide: self.u64(0x098),
            uuid: array_at(&self.bytes, 0x0a0)?,
        })
    }

    fn error(&self, memory: &dyn ReadMemory) -> Option<LaunchError> {
        let kind = match self.u64(0x078) {
            1 => LaunchErrorKind::LibraryMissing,
            2 => LaunchErrorKind::WrongArchitecture,
            3 => LaunchErrorKind::WrongVersion,
            4 => LaunchErrorKind::SymbolMissing,
            _ => LaunchErrorKind::Other,
        };
        let text = |at| text(memory, self.pointer(at));
        let error = LaunchError {
            kind,
            message: text(0x038),
            client: text(0x080),
            target: text(0x088),
            symbol: text(0x090),
        };
        (error != LaunchError::default()).then_some(error)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn fill(
    memory: &dyn ReadMemory,
    what: &'static str,
    address: Avma,
    into: &mut [u8],
) -> Result<(), Unread> {
    let bytes = into.len() as u64;
    let ends = address.0.checked_add(bytes).is_some();
    match ends && memory.read(address.0, into) {
        true => Ok(()),
        false => Err(Unread::Unmapped {
            what,
            address,
            bytes,
        }),
    }
}

/// The text at an address up to its zero; `None` where there is none, or it has no end.
fn text(memory: &dyn ReadMemory, address: Avma) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut next = address.0;
    while next != 0 && found.len() < LONGEST_TEXT {
        let page = PAGE.saturating_sub(next & (PAGE - 1));
        let left = LONGEST_TEXT.saturating_sub(found.len());
        let mut piece = vec![0; usize::try_from(page).ok()?.min(left)];
        if !memory.read(next, &mut piece) {
            return None;
        }
        if let Some(end) = memchr::memchr(0, &piece) {
            found.extend(piece.get(..end)?);
            return Some(found);
        }
        next = next.checked_add(piece.len() as u64)?;
        found.append(&mut piece);
    }
    None
}

#[cfg(test)]
#[path = "image_infos_tests.rs"]
mod tests;
