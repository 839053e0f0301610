//! Libraries of macOS that are in no file of their own: path and UUID in, what dyld's shared cache has of them out.
//!
//! A cache is one file for an architecture, with more beside it (`.01`, ...), which the `object` crate puts together. A
//! library's header lies among its code, its tables of symbols in what all libraries share.
//! Symbols that are private to a library are in yet another file (`.symbols`), which is not read: function starts keep
//! them from being taken for others.

use super::mapped::Contents;
use crate::binary::macho::MachO;
use object::LittleEndian;
use object::read::macho::DyldCache;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where macOS keeps them, since 13 and before.
const FOLDERS: [&str; 3] = [
    "/System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld",
    "/System/Cryptexes/OS/System/Library/dyld",
    "/System/Library/dyld",
];
/// One for each kind of processor, also those that Rosetta stands in for.
const NAMES: [&str; 4] = [
    "dyld_shared_cache_arm64e",
    "dyld_shared_cache_arm64",
    "dyld_shared_cache_x86_64h",
    "dyld_shared_cache_x86_64",
];
/// Files of one cache at most: of macOS 15 it has some sixty.
const MOST_FILES: usize = 512;

/// The files of a cache that hold a library.
#[derive(Debug)]
pub(super) struct SharedCache {
    main: Contents,
    others: Vec<Contents>,
}

/// Whether a library of this path is one that macOS has in its cache alone.
pub(super) fn may_hold(path: &[u8]) -> bool {
    path.starts_with(b"/System/") || path.starts_with(b"/usr/lib/") && path.ends_with(b".dylib")
}

/// Finds the cache of this machine that holds a library with this UUID.
pub(super) fn find(path: &[u8], uuid: &[u8]) -> Option<SharedCache> {
    let files = FOLDERS
        .iter()
        .flat_map(|folder| NAMES.iter().map(|name| Path::new(folder).join(name)));
    find_in(files, path, uuid)
}

fn find_in(
    files: impl IntoIterator<Item = PathBuf>,
    path: &[u8],
    uuid: &[u8],
) -> Option<SharedCache> {
    let files = files.into_iter();
    let mut caches = files.filter_map(|file| SharedCache::open(&file));
    caches.find(|cache| cache.library(path, uuid).is_some())
}

impl SharedCache {
    fn open(file: &Path) -> Option<Self> {
        let main = Contents::open(file).ok()?;
        let suffixes = DyldCache::<LittleEndian>::subcache_suffixes(&*main).ok()?;
        if suffixes.len() > MOST_FILES {
            return None;
        }
        let others = suffixes.into_iter().map(|suffix| {
            let mut name = OsString::from(file);
            name.push(suffix);
            Contents::open(Path::new(&name)).ok()
        });
        let others = others.collect::<Option<_>>()?;
        Some(Self { main, others })
    }

    /// The library of this path, if its UUID is this one.
    pub(super) fn library(&self, path: &[u8], uuid: &[u8]) -> Option<MachO<'_>> {
        let others: Vec<&[u8]> = self.others.iter().map(|file| &**file).collect();
        let cache = DyldCache::<LittleEndian>::parse(&*self.main, &others).ok()?;
        let has_path = |path_of: &str| path_of.as_bytes() == path;
        let library = cache
            .images()
            .find(|library| library.path().is_ok_and(has_path))?;
        let (file, offset) = library.image_data_and_offset().ok()?;
        let header = file.get(usize::try_from(offset).ok()?..)?;
        let tables = MachO::in_cache(header, &[])
            .ok()?
            .segment("__LINKEDIT")?
            .address;
        let (tables, _) = cache.data_and_offset_for_address(tables.0)?;
        let library = MachO::in_cache(header, tables).ok()?;
        library
            .uuid()
            .is_some_and(|own| own == uuid)
            .then_some(library)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::Svma;
    use crate::symbolize::functions::Functions;

    /// A program of C stands for a library; where it has what, `llvm-objdump` and `llvm-nm` tell.
    const PROGRAM: &[u8] = include_bytes!("../../tests/data/macho/chained-arm64");
    const PATH: &[u8] = b"/usr/lib/libchained.dylib";
    /// Where the program states its first byte, and where in the cache that is.
    const STATED: u64 = 0x1_0000_0000;
    const BASE: u64 = 0x1_8000_0000;
    const CODE: u64 = BASE + 0x8000;
    const TABLES: u64 = BASE + 0x20_0000;

    fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
        bytes[at..at + N].copy_from_slice(&value);
    }

    fn word(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
    }

    fn long(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    }

    fn at(offset: u64) -> usize {
        usize::try_from(offset).expect("small")
    }

    /// Header of a cache's file with one mapping: fields of `dyld_cache_header`, by their offsets in dyld's
    /// `dyld_cache_format.h`.
    fn file(uuid: u8, address: u64, contents: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 0x4000];
        put(&mut file, 0, *b"dyld_v1  arm64e\0");
        put(&mut file, 0x10, 0x200_u32.to_le_bytes()); // mappingOffset: the length of the header
        put(&mut file, 0x58, [uuid; 16]);
        put(&mut file, 0x138, 0x200_u32.to_le_bytes()); // mappingWithSlideOffset
        put(&mut file, 0x13c, 1_u32.to_le_bytes());
        put(&mut file, 0x200, address.to_le_bytes());
        put(&mut file, 0x208, 0x10_0000_u64.to_le_bytes()); // size; the offset in the file is 0
        file.resize(0x8000, 0);
        file.extend(contents);
        file
    }

    /// Lays the program's code into a cache's first file, its tables into the second one.
    fn cache(folder: &Path) -> PathBuf {
        let (mut code, mut tables, mut moved) = (PROGRAM.to_vec(), Vec::new(), 0);
        let mut command = 32;
        for _ in 0..word(PROGRAM, 16) {
            let name = &PROGRAM[command + 8..command + 24];
            match word(PROGRAM, command) {
                0x19 if name.starts_with(b"__TEXT\0") => {
                    put(&mut code, command + 24, CODE.to_le_bytes());
                    put(&mut code, command + 40, 0x8000_u64.to_le_bytes());
                    for section in 0..at(word(PROGRAM, command + 64).into()) {
                        let address = command + 72 + section * 80 + 32;
                        let there = long(PROGRAM, address) - STATED + CODE;
                        put(&mut code, address, there.to_le_bytes());
                    }
                }
                0x19 if name.starts_with(b"__LINKEDIT\0") => {
                    let offset = long(PROGRAM, command + 40);
                    tables = PROGRAM[at(offset)..].to_vec();
                    moved = u32::try_from(offset).expect("small") - 0x8000;
                    put(&mut code, command + 24, (TABLES + 0x8000).to_le_bytes());
                    put(&mut code, command + 40, 0x8000_u64.to_le_bytes());
                }
                _ => {}
            }
            command += at(word(PROGRAM, command + 4).into());
        }
        let mut command = 32;
        for _ in 0..word(PROGRAM, 16) {
            let fields: &[usize] = match word(PROGRAM, command) {
                2 => &[8, 16],                            // LC_SYMTAB
                0x26 | 0x8000_0033 | 0x8000_0034 => &[8], // LC_FUNCTION_STARTS, exports, chains
                _ => &[],
            };
            for field in fields {
                let there = word(PROGRAM, command + field) - moved;
                put(&mut code, command + field, there.to_le_bytes());
            }
            if word(PROGRAM, command) == 2 {
                let first = at((word(PROGRAM, command + 8) - moved).into()) - 0x8000;
                for symbol in 0..at(word(PROGRAM, command + 12).into()) {
                    let symbol = first + symbol * 16;
                    if tables[symbol + 4] & 0x0e == 0x0e {
                        let there = long(&tables, symbol + 8) - STATED + CODE;
                        put(&mut tables, symbol + 8, there.to_le_bytes());
                    }
                }
            }
            command += at(word(PROGRAM, command + 4).into());
        }
        let mut main = file(1, BASE, &code);
        put(&mut main, 0x188, 0x300_u32.to_le_bytes()); // subCacheArrayOffset
        put(&mut main, 0x18c, 1_u32.to_le_bytes());
        put(&mut main, 0x300, [2; 16]);
        put(&mut main, 0x318, *b".01\0");
        put(&mut main, 0x1c0, 0x400_u32.to_le_bytes()); // imagesOffset
        put(&mut main, 0x1c4, 1_u32.to_le_bytes());
        put(&mut main, 0x400, CODE.to_le_bytes());
        put(&mut main, 0x418, 0x500_u32.to_le_bytes());
        main[0x500..0x500 + PATH.len()].copy_from_slice(PATH);
        let path = folder.join("dyld_shared_cache_arm64e");
        std::fs::write(&path, main).expect("a file");
        let other = folder.join("dyld_shared_cache_arm64e.01");
        std::fs::write(other, file(2, TABLES, &tables)).expect("a file");
        path
    }

    fn uuid() -> Vec<u8> {
        let command = PROGRAM.windows(8).position(|bytes| {
            bytes.starts_with(&0x1b_u32.to_le_bytes()) && bytes.ends_with(&24_u32.to_le_bytes())
        });
        let uuid = command.expect("LC_UUID") + 8;
        PROGRAM[uuid..uuid + 16].to_vec()
    }

    #[test]
    fn a_library_is_found_by_path_and_uuid_with_its_symbols() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = cache(folder.path());
        let found = find_in([folder.path().join("none"), path.clone()], PATH, &uuid());
        let cache = found.expect("the cache");
        let library = cache.library(PATH, &uuid()).expect("the library");
        let mut functions = Functions::default();
        functions.add_macho(&library);
        functions.sort();
        let name = |offset| functions.covering(Svma(CODE + offset)).map(<[u8]>::to_vec);
        assert_eq!(name(0x588).as_deref(), Some(&b"main"[..]));
        assert_eq!(name(0x60f).as_deref(), Some(&b"main"[..]));
        assert_eq!(name(0x610).as_deref(), Some(&b"square"[..]));
        assert_eq!(name(0x4000), None);
        // Where in the file the header lies, as it is in memory, is where its code is counted from.
        let offset = crate::binary::FileOffset(0x8000 + 0x588);
        assert_eq!(
            library.memory().address_of(offset),
            Some(Svma(CODE + 0x588))
        );

        assert!(find_in([path.clone()], b"/usr/lib/libother.dylib", &uuid()).is_none());
        assert!(find_in([path], PATH, &[7; 16]).is_none());
    }

    #[test]
    fn a_cache_that_is_not_whole_has_no_libraries() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = cache(folder.path());
        let other = folder.path().join("dyld_shared_cache_arm64e.01");
        let (main, tables) = (
            std::fs::read(&path).expect("a file"),
            std::fs::read(&other).expect("a file"),
        );
        let found = || find_in([path.clone()], PATH, &uuid()).is_some();
        assert!(found());
        for length in (0..main.len()).step_by(0x101) {
            std::fs::write(&path, &main[..length]).expect("a file");
            // Its last part is code that is not looked at.
            assert!(!found() || length > 0x8000, "{length:#x}");
        }
        std::fs::write(&path, &main).expect("a file");
        std::fs::write(&other, &tables[..0x100]).expect("a file");
        assert!(!found(), "a part that is cut");
        let mut changed = tables;
        changed[0x58] ^= 1;
        std::fs::write(&other, changed).expect("a file");
        assert!(!found(), "a part of another cache");
        std::fs::remove_file(&other).expect("a file");
        assert!(!found(), "a part that is gone");
    }

    #[test]
    fn libraries_of_the_system_are_in_the_cache() {
        assert!(may_hold(b"/usr/lib/libSystem.B.dylib"));
        assert!(may_hold(
            b"/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
        ));
        assert!(!may_hold(b"/usr/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(!may_hold(b"/opt/homebrew/lib/libz.dylib"));
    }
}
