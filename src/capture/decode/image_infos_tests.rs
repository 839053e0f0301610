//! Processes made up field by field, in the order and with the sizes of the C structures: their offsets
//! follow from that, and are not those that the decoder has.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::{
    DyldInfo, ImageInfos, LaunchError, LaunchErrorKind, LoadedImage, SharedCache, TranslatedImage,
    Unread,
};
use crate::capture::decode::memory::ReadMemory;
use crate::trace::Avma;
use std::cell::{Cell, RefCell};

const LIST: u64 = 0x1_0460_4000;
const IMAGES: u64 = 0x1_0470_0ff0;
const UUIDS: u64 = 0x1_0480_0010;
const TRANSLATED: u64 = 0x1_0490_0000;
const TEXTS: u64 = 0x1_04a0_0000;

/// A C structure, as a compiler for 64 bits lays it out.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn put(&mut self, bytes: &[u8], align: usize) -> &mut Self {
        self.0.resize(self.0.len().next_multiple_of(align), 0);
        self.0.extend_from_slice(bytes);
        self
    }

    fn int(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes(), 4)
    }

    fn long(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes(), 8)
    }

    fn flag(&mut self, value: bool) -> &mut Self {
        self.put(&[u8::from(value)], 1)
    }
}

/// What the structures of a process say.
#[derive(Clone)]
struct Process {
    version: u32,
    images: Vec<(u64, u64)>,
    image_count: u32,
    image_array: u64,
    uuids: Vec<(u64, [u8; 16])>,
    uuid_count: u64,
    uuid_array: u64,
    translated: Vec<(u64, u64, u64, [u8; 32])>,
    translated_count: u32,
    translated_array: u64,
    texts: Vec<u8>,
    message: u64,
    error: (u64, [u64; 3]),
    cache: u64,
    changed: u64,
}

impl Process {
    /// A translated program and a library of the shared cache.
    fn new() -> Self {
        let program = 0x1_0000_0000;
        Self {
            version: 18,
            images: vec![(program, TEXTS), (0x7ff8_1234_5000, TEXTS + 8)],
            image_count: 2,
            image_array: IMAGES,
            uuids: vec![(program, *b"the program's id")],
            uuid_count: 1,
            uuid_array: UUIDS,
            translated: vec![(program, 0x1_0100_0000, 0x9000, [7; 32])],
            translated_count: 1,
            translated_array: TRANSLATED,
            texts: b"/b/prog\0/usr/lib/libSystem.B.dylib\0_frob\0".to_vec(),
            message: 0,
            error: (0, [0; 3]),
            cache: 0x7ff8_0000_0000,
            changed: 77,
        }
    }

    /// `struct dyld_all_image_infos`.
    fn list(&self) -> Vec<u8> {
        let (kind, [client, target, symbol]) = self.error;
        let mut list = Fields::default();
        list.int(self.version).int(self.image_count);
        list.long(self.image_array);
        list.long(0x11); // notification
        list.flag(false).flag(true); // processDetachedFromSharedRegion, libSystemInitialized
        list.long(0x7fff_5000_0000); // dyldImageLoadAddress
        list.long(0x22).long(0x33); // jitInfo, dyldVersion
        list.long(self.message).long(0x44); // terminationFlags
        list.long(0x55).long(0x66); // coreSymbolicationShmPage, systemOrderFlag
        list.long(self.uuid_count).long(self.uuid_array);
        list.long(LIST).long(2); // dyldAllImageInfosAddress, initialImageCount
        list.long(kind).long(client).long(target).long(symbol);
        list.long(0x5000); // sharedCacheSlide
        list.put(b"the shared cache", 1).long(self.cache);
        list.long(self.changed).long(0x77); // dyldPath
        for port in 0..8 {
            list.int(port);
        }
        for reserved in 0..7 {
            list.long(reserved);
        }
        list.long(0x88).long(0x99); // sharedCacheFSID, sharedCacheFSObjID
        list.long(0xaa).long(0xbb); // compact_dyld_image_info
        list.int(1).int(self.translated_count); // platform
        list.long(self.translated_array);
        list.long(0xcc).long(0xdd); // aotInfoArrayChangeTimestamp, aotSharedCacheBaseAddress
        list.put(&[0xee; 16], 1);
        list.0
    }

    fn pieces(&self) -> Vec<(u64, Vec<u8>)> {
        let mut images = Fields::default();
        for &(header, path) in &self.images {
            images.long(header).long(path).long(1_700_000_000);
        }
        let mut uuids = Fields::default();
        for (header, uuid) in &self.uuids {
            uuids.long(*header).put(uuid, 1);
        }
        let mut translated = Fields::default();
        for (header, code, size, key) in &self.translated {
            translated.long(*header).long(*code).long(*size).put(key, 1);
        }
        vec![
            (LIST, self.list()),
            (IMAGES, images.0),
            (UUIDS, uuids.0),
            (TRANSLATED, translated.0),
            // Texts end with their page.
            (TEXTS, {
                let mut texts = self.texts.clone();
                texts.resize(texts.len().next_multiple_of(0x1000), 0);
                texts
            }),
        ]
    }

    fn memory(&self) -> Memory {
        Memory {
            states: vec![self.pieces()],
            ..Memory::default()
        }
    }

    fn read(&self) -> Result<ImageInfos, Unread> {
        ImageInfos::read(&self.memory(), INFO)
    }
}

/// Memory that is another at each read of the list, as far as there are others.
#[derive(Default)]
struct Memory {
    states: Vec<Vec<(u64, Vec<u8>)>>,
    lists: Cell<usize>,
    asked: RefCell<Vec<(u64, usize)>>,
}

impl ReadMemory for Memory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.asked.borrow_mut().push((address, into.len()));
        if address == LIST {
            self.lists.set(self.lists.get() + 1);
        }
        let state = self.lists.get().saturating_sub(1);
        let state = &self.states[state.min(self.states.len() - 1)];
        let found = state.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(from..)?.get(..into.len())
        });
        found.inspect(|found| into.copy_from_slice(found)).is_some()
    }
}

const INFO: DyldInfo = DyldInfo {
    address: Avma(LIST),
    bytes: 368,
    format: 1,
};

/// Makes something wrong.
type Spoil = fn(&mut Process);

#[test]
fn the_answer_of_the_kernel_is_read() {
    // Compiled from mach/task_info.h, which packs to four bytes.
    let bytes = [
        0x00, 0x40, 0x60, 0x04, 0x01, 0, 0, 0, 0x70, 0x01, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
    ];
    assert_eq!(DyldInfo::read(&bytes), Some(INFO));
    for cut in 0..bytes.len() {
        assert_eq!(DyldInfo::read(&bytes[..cut]), None);
    }
}

#[test]
fn all_that_is_listed_is_read() {
    let process = Process::new();
    // `sizeof`, by a compiler.
    assert_eq!(process.list().len(), 368);
    let found = process.read().unwrap();
    let expected = ImageInfos {
        version: 18,
        images: vec![
            LoadedImage {
                address: Avma(0x1_0000_0000),
                path: Some(b"/b/prog".to_vec()),
                uuid: Some(*b"the program's id"),
            },
            LoadedImage {
                address: Avma(0x7ff8_1234_5000),
                path: Some(b"/usr/lib/libSystem.B.dylib".to_vec()),
                uuid: None,
            },
        ],
        dyld: Avma(0x7fff_5000_0000),
        has_begun: true,
        shared_cache: Some(SharedCache {
            address: Avma(0x7ff8_0000_0000),
            slide: 0x5000,
            uuid: *b"the shared cache",
        }),
        changed: 77,
        platform: 1,
        translated: vec![TranslatedImage {
            address: Avma(0x1_0000_0000),
            code: Avma(0x1_0100_0000),
            code_bytes: 0x9000,
            key: [7; 32],
        }],
        error: None,
    };
    assert_eq!(found, expected);
}

#[test]
fn native_processes_of_macos_13_have_less() {
    let mut process = Process::new();
    process.version = 17;
    (process.translated_count, process.translated_array) = (0, 0);
    (process.uuid_count, process.uuid_array) = (0, 0);
    process.cache = 0;
    let found = process.read().unwrap();
    assert_eq!(found.version, 17);
    assert_eq!(found.translated, []);
    assert_eq!(found.shared_cache, None);
    assert_eq!(found.images[0].uuid, None);
}

#[test]
fn why_dyld_did_not_start_a_program_is_told() {
    let path = Some(b"/usr/lib/libSystem.B.dylib".to_vec());
    let mut process = Process::new();
    process.error = (4, [TEXTS, TEXTS + 8, TEXTS + 35]);
    let expected = LaunchError {
        kind: LaunchErrorKind::SymbolMissing,
        message: None,
        client: Some(b"/b/prog".to_vec()),
        target: path.clone(),
        symbol: Some(b"_frob".to_vec()),
    };
    assert_eq!(process.read().unwrap().error, Some(expected));
    for (number, kind) in [
        (1, LaunchErrorKind::LibraryMissing),
        (2, LaunchErrorKind::WrongArchitecture),
        (3, LaunchErrorKind::WrongVersion),
        (5, LaunchErrorKind::Other),
    ] {
        process.error = (number, [0; 3]);
        process.message = TEXTS + 8;
        let found = process.read().unwrap().error.unwrap();
        assert_eq!((found.kind, &found.message), (kind, &path));
    }
}

#[test]
fn other_lists_are_refused() {
    let process = Process::new();
    let memory = process.memory();
    let format = DyldInfo { format: 0, ..INFO };
    let refused = ImageInfos::read(&memory, format).unwrap_err();
    assert_eq!(refused, Unread::Format { found: 0 });
    let address = Avma(LIST);
    let short = DyldInfo { bytes: 367, ..INFO };
    let refused = ImageInfos::read(&memory, short).unwrap_err();
    let found = 367;
    assert_eq!(refused, Unread::Short { address, found });
    // Nothing was read for that.
    assert_eq!(*memory.asked.borrow(), []);
    let mut process = process;
    process.version = 16;
    let found = 16;
    assert_eq!(process.read(), Err(Unread::Version { address, found }));
}

#[test]
fn counts_that_no_process_has_take_no_memory() {
    let address = Avma(LIST);
    let spoilt: [(&str, u64, Spoil); 3] = [
        ("images", 0xffff_ffff, |process| {
            process.image_count = u32::MAX;
        }),
        ("UUIDs", u64::MAX, |process| process.uuid_count = u64::MAX),
        ("translated images", 16_385, |process| {
            process.translated_count = 16_385;
        }),
    ];
    for (what, found, spoil) in spoilt {
        let mut process = Process::new();
        spoil(&mut process);
        let memory = process.memory();
        let refused = ImageInfos::read(&memory, INFO).unwrap_err();
        assert_eq!(
            refused,
            Unread::TooMany {
                address,
                what,
                found
            }
        );
        assert!(memory.asked.borrow().iter().all(|&(_, bytes)| bytes <= 368));
    }
}

#[test]
fn arrays_that_lead_nowhere_are_named() {
    let spoilt: [(&str, u64, u64, Spoil); 4] = [
        // One more than there is.
        ("images", IMAGES, 72, |process| process.image_count = 3),
        ("UUIDs", 0x10, 24, |process| process.uuid_array = 0x10),
        ("translated images", 0x10, 56, |process| {
            process.translated_array = 0x10;
        }),
        // The end of the array would be beyond the last address.
        ("images", u64::MAX - 40, 48, |process| {
            process.image_array = u64::MAX - 40;
        }),
    ];
    for (what, address, bytes, spoil) in spoilt {
        let mut process = Process::new();
        spoil(&mut process);
        let address = Avma(address);
        assert_eq!(
            process.read(),
            Err(Unread::Unmapped {
                what,
                address,
                bytes
            })
        );
    }
    let nowhere = DyldInfo {
        address: Avma(8),
        ..INFO
    };
    let refused = ImageInfos::read(&Process::new().memory(), nowhere).unwrap_err();
    assert_eq!(
        refused,
        Unread::Unmapped {
            what: "list of images",
            address: Avma(8),
            bytes: 368
        }
    );
}

#[test]
fn a_path_that_cannot_be_read_costs_itself_alone() {
    let mut process = Process::new();
    for path in [0, 8, u64::MAX] {
        process.images[0].1 = path;
        let found = process.read().unwrap();
        assert_eq!(found.images[0].path, None);
        assert!(found.images[1].path.is_some());
    }
    // 1023 bytes and a zero may be a path, over the border of a page, and more may not.
    for (length, expected) in [(1023, Some(vec![b'x'; 1023])), (1024, None)] {
        process.texts = [vec![0; 0xf00], vec![b'x'; length], vec![0]].concat();
        process.images[0].1 = TEXTS + 0xf00;
        assert_eq!(process.read().unwrap().images[0].path, expected);
    }
    // The last page ends with the text, without a zero.
    process.texts = vec![b'x'; 0x1000];
    process.images[0].1 = TEXTS + 0xff0;
    assert_eq!(process.read().unwrap().images[0].path, None);
}

#[test]
fn lists_that_change_are_read_again() {
    let before = Process::new();
    let hidden: [Spoil; 3] = [
        |process| process.image_array = 0,
        |process| process.uuid_array = 0,
        |process| process.translated_array = 0,
    ];
    let mut after = Process::new();
    after.images.pop();
    (after.image_count, after.changed) = (1, 78);
    for hide in hidden {
        let mut during = before.clone();
        hide(&mut during);
        // Never at rest.
        let changing = Unread::Changing {
            address: Avma(LIST),
        };
        assert_eq!(during.read(), Err(changing));
        let states = [&before, &during, &during, &after];
        let memory = Memory {
            states: states.map(Process::pieces).into(),
            ..Memory::default()
        };
        let found = ImageInfos::read(&memory, INFO).unwrap();
        assert_eq!((found.images.len(), found.changed), (1, 78));
    }
}

#[test]
fn errors_of_a_list_that_has_changed_meanwhile_are_none() {
    let mut before = Process::new();
    before.image_array = 0x10;
    let after = Process::new();
    let memory = Memory {
        states: [&before, &after].map(Process::pieces).into(),
        ..Memory::default()
    };
    assert_eq!(ImageInfos::read(&memory, INFO).unwrap().images.len(), 2);
}

#[test]
fn a_list_that_changes_at_each_look_ends() {
    let states = (0..100).map(|changed| {
        let mut process = Process::new();
        process.changed = changed;
        process.pieces()
    });
    let memory = Memory {
        states: states.collect(),
        ..Memory::default()
    };
    let changing = Unread::Changing {
        address: Avma(LIST),
    };
    assert_eq!(ImageInfos::read(&memory, INFO), Err(changing));
    assert_eq!(memory.lists.get(), 16);
}
