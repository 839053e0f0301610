//! Looks imports up, as a loader does.

use super::order::{Group, Scopes};
use crate::trace::{
    ImageId, ImageNeeds, Import, ImportKind, LinkCause, Load, Offer, ProcessId, StringId, Trace,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the files of images ask for and offer, by image.
#[derive(Debug)]
pub struct Needs<'t> {
    by_image: FxHashMap<ImageId, &'t ImageNeeds>,
    by_path: FxHashSet<ImageId>,
    offers: FxHashMap<ImageId, FxHashMap<StringId, Vec<&'t Offer>>>,
}

impl<'t> Needs<'t> {
    /// Indexes what a trace has.
    #[must_use]
    pub fn of(trace: &'t Trace) -> Self {
        let mut offers: FxHashMap<ImageId, FxHashMap<StringId, Vec<&Offer>>> = FxHashMap::default();
        for needs in &trace.needs {
            let of_image = offers.entry(needs.image).or_default();
            for offer in &needs.offers {
                of_image.entry(offer.symbol).or_default().push(offer);
            }
        }
        let paths = |needs: &&ImageNeeds| {
            let mut names = needs.libraries.iter().map(|name| trace.strings.get(*name));
            names.any(|name| matches!(name.first(), Some(b'/' | b'@')))
        };
        let by_path = trace.needs.iter().filter(paths);
        Self {
            by_path: by_path.map(|needs| needs.image).collect(),
            by_image: trace.needs.iter().map(|one| (one.image, one)).collect(),
            offers,
        }
    }

    /// What the file of an image asks for.
    #[must_use]
    pub fn get(&self, image: ImageId) -> Option<&'t ImageNeeds> {
        self.by_image.get(&image).copied()
    }

    /// Whether it is known what the file of an image offers.
    pub(super) fn is_read(&self, image: ImageId) -> bool {
        self.get(image)
            .is_some_and(|needs| needs.unread == StringId::EMPTY)
    }

    /// The libraries that an image names.
    pub(super) fn libraries(&self, image: ImageId) -> impl Iterator<Item = StringId> + use<'t> {
        let needs = self.get(image);
        needs
            .into_iter()
            .flat_map(|one| one.libraries.iter().copied())
    }

    /// Whether an image is what another one means by a name: by its own name, its path, or the
    /// end of its path.
    pub(super) fn is_called(&self, trace: &Trace, image: ImageId, name: StringId) -> bool {
        let own = self.get(image).map(|needs| needs.own_name);
        if own == Some(name) {
            return true;
        }
        let path = trace.images.get(image.index()).map(|image| image.path);
        let path = path.map_or(&[][..], |path| trace.strings.get(path));
        let name = trace.strings.get(name);
        // `@rpath` stands for whatever folder the loader found it in.
        let anywhere = name.first() == Some(&b'@') || !name.contains(&b'/');
        path == name || anywhere && last_part(path) == last_part(name)
    }

    /// Whether an image's file names the library of each import, by path, as files of macOS do:
    /// then nothing is searched for.
    pub(super) fn names_providers(&self, image: ImageId) -> bool {
        self.by_path.contains(&image)
    }

    /// Whether an image names another one.
    pub(super) fn names(&self, trace: &Trace, image: ImageId, other: ImageId) -> bool {
        let mut libraries = self.libraries(image);
        libraries.any(|name| self.is_called(trace, other, name))
    }

    /// Whether an image is the loader itself.
    pub(super) fn is_loader(&self, trace: &Trace, image: ImageId) -> bool {
        let own = self
            .get(image)
            .map_or(StringId::EMPTY, |needs| needs.own_name);
        trace.strings.get(own).starts_with(b"ld-linux")
    }

    /// The definition that a file has for an import, if it has one.
    fn find(&self, image: ImageId, import: &Import) -> Option<&'t Offer> {
        let offers = self.offers.get(&image)?.get(&import.symbol)?;
        // A call is not bound to another image's stub.
        let jumps = matches!(import.kind, ImportKind::Call | ImportKind::ThreadLocal);
        let mut fitting = offers.iter().filter(|offer| !(jumps && offer.stub));
        if import.version != StringId::EMPTY {
            let right = |offer: &&&Offer| {
                let without = offer.version == StringId::EMPTY && !offer.hidden;
                offer.version == import.version || without
            };
            return fitting.find(right).copied();
        }
        // Without a version, the first one that the file ever had; else its only default.
        let oldest = fitting.clone().find(|offer| offer.number < 3);
        if let Some(oldest) = oldest {
            return Some(oldest);
        }
        let mut defaults = fitting.by_ref().filter(|offer| !offer.hidden);
        let only = defaults.next();
        only.filter(|_| defaults.next().is_none()).copied()
    }
}

/// A path without its folders.
fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// What an import comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The definition that this image has.
    In(ImageId),
    /// Nothing, and it may be missing.
    MissingWeak,
    /// Nothing, although it must not be missing: a lazy one that is never called.
    Nowhere,
    /// That is not known: the file of an image that is searched could not be read.
    Unknown,
}

/// One import and what it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved<'t> {
    /// The image that asks.
    pub importer: ImageId,
    /// The namespace that it is in.
    pub namespace: u32,
    /// What it asks for.
    pub import: &'t Import,
    /// What that comes to.
    pub found: Found,
    /// The definition that was found; not known where the file names the image.
    pub offer: Option<&'t Offer>,
}

/// Resolves all imports of programs; programs with the same images are resolved once.
#[derive(Debug)]
pub struct Resolver<'t> {
    trace: &'t Trace,
    /// What images ask for and offer.
    pub needs: Needs<'t>,
    known: FxHashMap<Scopes, Rc<[Resolved<'t>]>>,
}

impl<'t> Resolver<'t> {
    /// Indexes a trace.
    #[must_use]
    pub fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            needs: Needs::of(trace),
            known: FxHashMap::default(),
        }
    }

    /// Everything that the images of a program ask for, in the order of loads. Nothing for a
    /// program whose loads were not seen.
    pub fn process(&mut self, process: ProcessId) -> Rc<[Resolved<'t>]> {
        let loads = self.trace.loads.iter();
        let loads = loads.filter(|load| load.process == process);
        let scopes = Scopes::of(self.trace, &self.needs, loads);
        self.scopes(scopes)
    }

    /// The loads of every program, grouped, by program.
    #[must_use]
    pub fn all_scopes(&self) -> Vec<(ProcessId, Scopes)> {
        let mut loads: BTreeMap<ProcessId, Vec<&Load>> = BTreeMap::new();
        for load in &self.trace.loads {
            loads.entry(load.process).or_default().push(load);
        }
        let scopes = loads.into_iter().map(|(process, loads)| {
            let scopes = Scopes::of(self.trace, &self.needs, loads.into_iter());
            (process, scopes)
        });
        scopes.collect()
    }

    /// As [`Self::process`], for loads that are grouped.
    pub fn scopes(&mut self, scopes: Scopes) -> Rc<[Resolved<'t>]> {
        if let Some(known) = self.known.get(&scopes) {
            return Rc::clone(known);
        }
        let resolved: Rc<[Resolved<'t>]> =
            Lookup::new(self.trace, &self.needs, &scopes).all().into();
        self.known.insert(scopes, Rc::clone(&resolved));
        resolved
    }
}

/// The lookups of one program.
struct Lookup<'a, 't> {
    trace: &'t Trace,
    needs: &'a Needs<'t>,
    scopes: &'a Scopes,
    /// Which image's definition of a unique symbol a namespace took.
    unique: FxHashMap<(u32, StringId), ImageId>,
}

impl<'a, 't> Lookup<'a, 't> {
    fn new(trace: &'t Trace, needs: &'a Needs<'t>, scopes: &'a Scopes) -> Self {
        Self {
            trace,
            needs,
            scopes,
            unique: FxHashMap::default(),
        }
    }

    fn all(mut self) -> Vec<Resolved<'t>> {
        let mut resolved = Vec::new();
        for group in &self.scopes.groups {
            let places = self.places(group);
            let mut images = self.scopes.images(group.namespace);
            let all_read = images.all(|image| self.needs.is_read(image));
            for &importer in &group.images {
                let Some(needs) = self.needs.get(importer) else {
                    continue;
                };
                for import in &needs.imports {
                    let own = needs.symbolic.then_some(importer);
                    let places = own.into_iter().chain(places.iter().copied());
                    let program = self.program(group);
                    let found = self.look_up(importer, group.namespace, program, import, places);
                    resolved.push(Resolved {
                        importer,
                        namespace: group.namespace,
                        import,
                        found: match found {
                            Some((image, _)) => Found::In(image),
                            None if !all_read => Found::Unknown,
                            None if import.weak => Found::MissingWeak,
                            None => Found::Nowhere,
                        },
                        offer: found.and_then(|(_, offer)| offer),
                    });
                }
            }
        }
        resolved
    }

    /// Where the images of a group look, in order.
    fn places(&self, group: &Group) -> Vec<ImageId> {
        let (trace, needs) = (self.trace, self.needs);
        let mut places = self.scopes.global(trace, needs, group.namespace);
        if group.cause == LinkCause::Dlopen || places.is_empty() {
            places.extend(self.scopes.local(trace, needs, group));
            // What an earlier `dlopen` made global.
            places.extend(self.scopes.images(group.namespace));
        }
        places
    }

    fn program(&self, group: &Group) -> Option<ImageId> {
        let mut groups = self.scopes.groups.iter();
        let start =
            groups.find(|one| one.cause == LinkCause::Start && one.namespace == group.namespace);
        start?.images.first().copied()
    }

    fn look_up(
        &mut self,
        importer: ImageId,
        namespace: u32,
        program: Option<ImageId>,
        import: &Import,
        places: impl Iterator<Item = ImageId>,
    ) -> Option<(ImageId, Option<&'t Offer>)> {
        if self.needs.names_providers(importer) {
            let mut places = self.scopes.images(namespace);
            let named =
                places.find(|image| self.needs.is_called(self.trace, *image, import.library));
            return named.map(|image| (image, None));
        }
        let copied = import.kind == ImportKind::Copy;
        // Whoever has a protected definition keeps to it.
        let own = self.needs.find(importer, import);
        if let Some(own) = own.filter(|own| own.protected) {
            return Some((importer, Some(own)));
        }
        let places = places.filter(|place| !(copied && Some(*place) == program));
        // What an image that could not be read defines would come first.
        let mut places = places.take_while(|place| self.needs.is_read(*place));
        let found = places.find_map(|place| Some((place, self.needs.find(place, import)?)));
        let (mut image, mut offer) = found?;
        if offer.unique {
            image = *self
                .unique
                .entry((namespace, import.symbol))
                .or_insert(image);
            offer = self.needs.find(image, import).unwrap_or(offer);
        }
        Some((image, Some(offer)))
    }
}
