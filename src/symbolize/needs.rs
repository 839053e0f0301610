//! Images in, what their files ask of the dynamic loader out: segments, libraries, relocations,
//! imports, and of what they define whatever some image imports.
//!
//! Files are read twice, one at a time: first for what they ask, then, when all that is asked is
//! known, for what they offer. A file that is gone or another one by now has its reason instead.

use super::executable::slice;
use super::image::{Source, contents};
use crate::binary::elf::{
    Class, Counts, Dynamic, DynamicSymbol, Machine, Reach, RelocationKind, Visibility,
};
use crate::binary::macho::{Bind, How, MachO, Provider, Slices};
use crate::binary::{Load, Svma};
use crate::trace::{
    ImageId, ImageKind, ImageNeeds, ImageOffset, Import, ImportKind, Offer, RelocationCounts,
    Segment, StringId,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Imports of one file at most: the largest libraries of C++ have some ten thousand.
const MOST_IMPORTS: usize = 1 << 17;
/// Imports of all files at most.
const MOST_OF_ALL: usize = 1 << 20;

/// Gathers what files ask for, file after file.
pub(super) struct Gathering<'i> {
    intern: &'i mut dyn FnMut(&[u8]) -> StringId,
    /// Imports are wanted.
    imports: bool,
    /// Every symbol that some file imports.
    wanted: FxHashMap<Box<[u8]>, StringId>,
    room: usize,
}

/// The images that are files; what the kernel provides asks for nothing.
pub(super) fn files<'f>(
    sources: impl IntoIterator<Item = Source<'f>>,
) -> Vec<(ImageId, Source<'f>)> {
    let sources = (0..).map(ImageId).zip(sources);
    let files = sources.filter(|(_, source)| source.kind == ImageKind::File);
    files.collect()
}

/// Reads what files ask for, and what they offer to each other. Without `imports` it is their
/// segments and the count of relocations.
pub(super) fn gather(
    sources: &[(ImageId, Source<'_>)],
    imports: bool,
    intern: &mut dyn FnMut(&[u8]) -> StringId,
) -> Vec<ImageNeeds> {
    let mut gathering = Gathering {
        intern,
        imports,
        wanted: FxHashMap::default(),
        room: MOST_OF_ALL,
    };
    let mut all = Vec::new();
    for (image, source) in sources {
        let needs = match contents(source) {
            Ok(file) => gathering.needs(&file, source),
            Err(why) => gathering.unread(why.words()),
        };
        all.push(ImageNeeds {
            image: *image,
            ..needs
        });
    }
    for (needs, (_, source)) in all.iter_mut().zip(sources) {
        // Nothing is wanted of anybody.
        if gathering.wanted.is_empty() {
            break;
        }
        if let (StringId::EMPTY, Ok(file)) = (needs.unread, contents(source)) {
            needs.offers = gathering.offers(&file);
        }
    }
    all
}

impl Gathering<'_> {
    fn string(&mut self, bytes: &[u8]) -> StringId {
        (self.intern)(bytes)
    }

    fn symbol(&mut self, name: &[u8]) -> StringId {
        if let Some(id) = self.wanted.get(name) {
            return *id;
        }
        let id = (self.intern)(name);
        self.wanted.insert(name.into(), id);
        id
    }

    fn unread(&mut self, why: &str) -> ImageNeeds {
        ImageNeeds {
            unread: self.string(why.as_bytes()),
            ..ImageNeeds::default()
        }
    }

    /// What a file asks for.
    fn needs(&mut self, file: &[u8], source: &Source<'_>) -> ImageNeeds {
        if Slices::begins(file) {
            return match slice(file, &source.build_id, source.arch) {
                Ok(image) => self.of_macho(&image),
                Err(why) => self.unread(why.words()),
            };
        }
        match Dynamic::parse(file) {
            Ok(dynamic) => self.of_elf(&dynamic),
            Err(error) => self.unread(&error.to_string()),
        }
    }

    fn of_elf(&mut self, dynamic: &Dynamic<'_>) -> ImageNeeds {
        let flags = dynamic.flags();
        let mut needs = ImageNeeds {
            own_name: self.string(dynamic.own_name().unwrap_or_default()),
            libraries: dynamic.needed().map(|name| self.string(name)).collect(),
            bind_now: flags.bind_now,
            symbolic: flags.symbolic,
            relocations: counts(dynamic.relocation_counts()),
            segments: dynamic.segments().iter().map(segment).collect(),
            ..ImageNeeds::default()
        };
        let stubs = dynamic.stubs();
        // Tables of classes name a symbol again and again: that is one import of many places.
        let mut known: FxHashMap<(u32, ImportKind), usize> = FxHashMap::default();
        let relocations = dynamic.relocations().filter(|_| self.imports);
        for relocation in relocations.collect::<Vec<_>>() {
            let Some(kind) = import_kind(relocation.kind) else {
                continue;
            };
            let symbol = dynamic.symbol(relocation.symbol);
            let named = symbol.filter(|one| relocation.symbol != 0 && !one.is_own());
            let Some(symbol) = named else { continue };
            let at = known.entry((relocation.symbol, kind));
            let at = *at.or_insert(needs.imports.len());
            if let Some(import) = needs.imports.get_mut(at) {
                import.places = import.places.saturating_add(1);
                continue;
            }
            if needs.imports.len() >= self.room.min(MOST_IMPORTS) {
                needs.left_out = needs.left_out.saturating_add(1);
                continue;
            }
            let stub = stubs.get(&relocation.slot);
            let import = self.of_symbol(&symbol, relocation.slot, stub.copied(), kind);
            needs.imports.push(import);
        }
        self.room = self.room.saturating_sub(needs.imports.len());
        if self.imports && is_loader(dynamic) {
            self.of_loader(dynamic, &mut needs);
        }
        needs
    }

    /// What glibc's loader looks up without a relocation, so that programs may bring their own:
    /// the allocator (`elf/dl-minimal.c`, `__rtld_malloc_init_real`).
    fn of_loader(&mut self, dynamic: &Dynamic<'_>, needs: &mut ImageNeeds) {
        let version: &[u8] = match (dynamic.machine, dynamic.class) {
            (Machine::Amd64, _) => b"GLIBC_2.2.5",
            (Machine::Arm64, _) => b"GLIBC_2.17",
            (_, Class::Bits32) => b"GLIBC_2.0",
            (_, Class::Bits64) => return,
        };
        for name in [&b"calloc"[..], b"free", b"malloc", b"realloc"] {
            let import = Import {
                symbol: self.symbol(name),
                version: self.string(version),
                kind: ImportKind::Data,
                places: 1,
                ..Import::default()
            };
            needs.imports.push(import);
        }
    }

    fn of_symbol(
        &mut self,
        symbol: &DynamicSymbol<'_>,
        slot: Svma,
        stub: Option<Svma>,
        kind: ImportKind,
    ) -> Import {
        let version = symbol.version;
        let library = version.and_then(|version| version.file);
        Import {
            symbol: self.symbol(symbol.name),
            version: self.string(version.map_or(&[], |version| version.name)),
            library: self.string(library.unwrap_or_default()),
            slot: slot.0,
            stub: stub.map(|stub| stub.0),
            kind,
            weak: symbol.reach == Reach::Weak && symbol.is_undefined(),
            places: 1,
        }
    }

    fn of_macho(&mut self, image: &MachO<'_>) -> ImageNeeds {
        let libraries: Vec<&[u8]> = image.dylibs().map(|dylib| dylib.path).collect();
        let mut needs = ImageNeeds {
            libraries: libraries.iter().map(|name| self.string(name)).collect(),
            own_name: self.string(image.own_name().unwrap_or_default()),
            segments: image.memory().loads().iter().map(segment).collect(),
            ..ImageNeeds::default()
        };
        let binds = match image.binds() {
            Ok(binds) if self.imports => binds,
            Ok(_) => return needs,
            Err(error) => return self.unread(&error.to_string()),
        };
        needs.bind_now = binds.iter().all(|bind| bind.how != How::Lazy);
        let stubs = image.stubs();
        let stubs: BTreeMap<Svma, Svma> = stubs
            .iter()
            .filter_map(|stub| Some((stub.target.ok()?, stub.address)))
            .collect();
        for bind in &binds {
            let stub = bind.slot.and_then(|slot| stubs.get(&slot)).copied();
            let calls = stub.is_some() || bind.how == How::Lazy;
            let count = match calls {
                true => &mut needs.relocations.jump_slot,
                false => &mut needs.relocations.data,
            };
            *count = count.saturating_add(1);
            if needs.imports.len() >= self.room.min(MOST_IMPORTS) {
                needs.left_out = needs.left_out.saturating_add(1);
                continue;
            }
            let import = self.of_bind(bind, &libraries, stub, calls);
            needs.imports.push(import);
        }
        if let Ok(chained) = image.chained() {
            needs.relocations.relative = chained.rebases.len() as u64;
        }
        self.room = self.room.saturating_sub(needs.imports.len());
        needs
    }

    fn of_bind(
        &mut self,
        bind: &Bind<'_>,
        libraries: &[&[u8]],
        stub: Option<Svma>,
        calls: bool,
    ) -> Import {
        let library = match bind.provider {
            Provider::Library(number) => usize::try_from(number)
                .ok()
                .and_then(|number| libraries.get(number.checked_sub(1)?)),
            _ => None,
        };
        Import {
            symbol: self.symbol(bind.symbol),
            version: StringId::EMPTY,
            library: self.string(library.copied().unwrap_or_default()),
            slot: bind.slot.map_or(0, |slot| slot.0),
            stub: stub.map(|stub| stub.0),
            kind: match calls {
                true => ImportKind::Call,
                false => ImportKind::Data,
            },
            weak: bind.weak_import,
            places: 1,
        }
    }

    /// What an ELF file defines of what is wanted. Files of macOS name the library of each import:
    /// nobody looks for it elsewhere.
    fn offers(&mut self, file: &[u8]) -> Vec<Offer> {
        let Ok(dynamic) = Dynamic::parse(file) else {
            return Vec::new();
        };
        let mut offers = Vec::new();
        for symbol in dynamic.offers() {
            let Some(&name) = self.wanted.get(symbol.name) else {
                continue;
            };
            let version = symbol.version.map_or(&[][..], |version| version.name);
            offers.push(Offer {
                symbol: name,
                version: self.string(version),
                number: symbol.version_number.map_or(0, u32::from),
                hidden: symbol.version_hidden,
                unique: symbol.reach == Reach::Unique,
                protected: symbol.visibility == Visibility::Protected,
                stub: symbol.is_undefined(),
            });
        }
        offers
    }
}

/// Whether a file is glibc's loader.
fn is_loader(dynamic: &Dynamic<'_>) -> bool {
    let name = dynamic.own_name();
    name.is_some_and(|name| name.starts_with(b"ld-linux"))
}

/// What is looked up for a relocation, if anything is.
const fn import_kind(kind: RelocationKind) -> Option<ImportKind> {
    match kind {
        RelocationKind::JumpSlot => Some(ImportKind::Call),
        RelocationKind::Copy => Some(ImportKind::Copy),
        RelocationKind::ThreadLocal => Some(ImportKind::ThreadLocal),
        RelocationKind::GlobalData | RelocationKind::Absolute | RelocationKind::Other => {
            Some(ImportKind::Data)
        }
        RelocationKind::Relative | RelocationKind::IndirectRelative => None,
    }
}

const fn counts(counts: Counts) -> RelocationCounts {
    RelocationCounts {
        relative: counts.relative,
        jump_slot: counts.jump_slot,
        data: counts.global_data.saturating_add(counts.absolute),
        copy: counts.copy,
        other: counts
            .indirect_relative
            .saturating_add(counts.thread_local)
            .saturating_add(counts.other),
    }
}

fn segment(load: &Load) -> Segment {
    Segment {
        offset: ImageOffset(load.offset.0),
        stated: load.address.0,
        length: load.size,
        in_file: load.file_size,
        executable: load.executable,
    }
}
