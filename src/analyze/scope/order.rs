//! The order in which a loader looks through images: loads of a program in, lists of images out.

use super::resolver::Needs;
use crate::trace::{ImageId, ImageKind, LinkCause, Load, Trace};
use std::collections::VecDeque;

/// Images that came at once: those of the start, or those of one `dlopen`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Group {
    /// The namespace that they came into.
    pub namespace: u32,
    /// Why.
    pub cause: LinkCause,
    /// In the order in which they came; the first one is what was asked for.
    pub images: Vec<ImageId>,
}

/// Where a loader looks, in one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes {
    /// The images of the program, by how they came.
    pub groups: Vec<Group>,
    /// The loader, and the namespaces beside the first that it is in because an image there needs it:
    /// no event says so (`_dl_map_object_from_fd`, elf/dl-load.c of glibc).
    pub loader: Option<(ImageId, Vec<u32>)>,
}

impl Scopes {
    /// Groups the loads of one program, which are in the order of time.
    ///
    /// What `dlopen` loads for another image of a group belongs to it: some image of the group
    /// needs it. Whatever nobody needs was asked for.
    #[must_use]
    pub fn of<'t>(trace: &Trace, needs: &Needs<'_>, loads: impl Iterator<Item = &'t Load>) -> Self {
        // The kernel's own image is in no scope.
        let of_file = |load: &&Load| {
            let image = trace.images.get(load.image.index());
            image.is_none_or(|image| image.kind == ImageKind::File)
        };
        let mut scopes = Self::default();
        for load in loads.filter(of_file) {
            scopes.enter_loader(trace, needs, load);
            let known = |group: &Group| {
                group.namespace == load.namespace && group.images.contains(&load.image)
            };
            // It was unloaded, and is back.
            if scopes.groups.iter().any(known) {
                continue;
            }
            let belongs = |group: &&mut Group| {
                let same = group.namespace == load.namespace && group.cause == load.cause;
                let wanted = || {
                    let mut images = group.images.iter();
                    images.any(|image| needs.names(trace, *image, load.image))
                };
                same && (load.cause == LinkCause::Start || wanted())
            };
            match scopes.groups.last_mut().filter(belongs) {
                Some(group) => group.images.push(load.image),
                None => scopes.groups.push(Group {
                    namespace: load.namespace,
                    cause: load.cause,
                    images: vec![load.image],
                }),
            }
        }
        scopes
    }

    fn enter_loader(&mut self, trace: &Trace, needs: &Needs<'_>, load: &Load) {
        match &mut self.loader {
            None if needs.is_loader(trace, load.image) => {
                self.loader = Some((load.image, Vec::new()));
            }
            Some((loader, namespaces)) if needs.names(trace, load.image, *loader) => {
                let is_new = load.namespace != 0 && !namespaces.contains(&load.namespace);
                namespaces.extend(is_new.then_some(load.namespace));
            }
            _ => {}
        }
    }

    /// All images of a namespace.
    pub(super) fn images(&self, namespace: u32) -> impl Iterator<Item = ImageId> + '_ {
        let groups = self.groups.iter();
        let groups = groups.filter(move |group| group.namespace == namespace);
        let images = groups.flat_map(|group| group.images.iter().copied());
        let loader = self.loader.as_ref();
        let loader = loader.filter(|(_, namespaces)| namespaces.contains(&namespace));
        images.chain(loader.map(|(loader, _)| *loader))
    }

    /// Where every image of a namespace looks first: the program, what is preloaded, and what they
    /// need. Empty for namespaces without a program.
    pub(super) fn global(&self, trace: &Trace, needs: &Needs<'_>, namespace: u32) -> Vec<ImageId> {
        let mut groups = self.groups.iter();
        let start =
            groups.find(|group| group.namespace == namespace && group.cause == LinkCause::Start);
        let Some(group) = start else {
            return Vec::new();
        };
        let mut roots: Vec<ImageId> = group.images.first().copied().into_iter().collect();
        roots.extend(preloaded(trace, needs, &group.images));
        breadth_first(trace, needs, roots, &group.images)
    }

    /// Where an image of a group looks after that.
    pub(super) fn local(&self, trace: &Trace, needs: &Needs<'_>, group: &Group) -> Vec<ImageId> {
        let loaded: Vec<ImageId> = self.images(group.namespace).collect();
        let root = group.images.first().copied().into_iter().collect();
        breadth_first(trace, needs, root, &loaded)
    }
}

/// Images between the program and the first one that it needs: `LD_PRELOAD` loads them there. The
/// loader itself is there before all others.
fn preloaded(trace: &Trace, needs: &Needs<'_>, images: &[ImageId]) -> Vec<ImageId> {
    let Some((program, rest)) = images.split_first() else {
        return Vec::new();
    };
    let rest: Vec<ImageId> = rest
        .iter()
        .copied()
        .filter(|image| !needs.is_loader(trace, *image))
        .collect();
    let first = needs.libraries(*program).find_map(|name| {
        let mut rest = rest.iter();
        rest.position(|image| needs.is_called(trace, *image, name))
    });
    // A program that needs no library has only what was preloaded, and what that needs.
    let end = first.unwrap_or(rest.len().min(1));
    rest.get(..end).unwrap_or_default().to_vec()
}

/// The roots, and what they need, and what that needs, among the images that are there.
fn breadth_first(
    trace: &Trace,
    needs: &Needs<'_>,
    roots: Vec<ImageId>,
    there: &[ImageId],
) -> Vec<ImageId> {
    let mut found = roots.clone();
    let mut waiting = VecDeque::from(roots);
    while let Some(image) = waiting.pop_front() {
        for name in needs.libraries(image) {
            let mut there = there.iter().copied();
            let named = there.find(|image| needs.is_called(trace, *image, name));
            if let Some(named) = named.filter(|named| !found.contains(named)) {
                found.push(named);
                waiting.push_back(named);
            }
        }
    }
    found
}
