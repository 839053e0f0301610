//! The images of one process: by address, and by the last name of their path.

use super::demux::leaf;
use super::{Loaded, Name, Segment};
use crate::trace::{Avma, ImageOffset};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Images that are remembered of a process.
const MOST: usize = 8192;
/// What an image takes besides its path.
const IMAGE_BYTES: u64 = 192;
/// `<none>`: a target without an image.
const NO_PROVIDER: &[u8] = b"<none>";

/// An image that was loaded.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) path: Name,
    ranges: Vec<(u64, u64)>,
    header: Option<Avma>,
}

impl Image {
    pub(super) fn holds(&self, address: u64) -> bool {
        let inside = |(start, end): &(u64, u64)| (*start..*end).contains(&address);
        self.ranges.iter().any(inside)
    }

    /// The path twice, for its last name is a key.
    fn bytes(&self) -> u64 {
        let path = (self.path.len() as u64).saturating_mul(2);
        IMAGE_BYTES.saturating_add(path)
    }

    /// How far from its header an address is.
    pub(super) fn offset(&self, address: u64) -> Option<ImageOffset> {
        address.checked_sub(self.header?.0).map(ImageOffset)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Images {
    all: Vec<Arc<Image>>,
    named: FxHashMap<Vec<u8>, Vec<Arc<Image>>>,
    bytes: u64,
}

impl Images {
    pub(super) fn add(&mut self, loaded: &Loaded) {
        if self.all.len() >= MOST {
            return;
        }
        let segments = loaded.segments.iter();
        let segments = segments.filter(|segment| segment.name != b"__PAGEZERO");
        let image = Arc::new(Image {
            path: Arc::clone(&loaded.path),
            ranges: segments
                .map(|segment| (segment.start.0, segment.end.0))
                .collect(),
            header: loaded.header(),
        });
        let named = self.named.entry(leaf(&image.path).to_vec());
        named.or_default().push(Arc::clone(&image));
        self.bytes = self.bytes.saturating_add(image.bytes());
        self.all.push(image);
    }

    /// What they take.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Forgets the image whose header was here.
    pub(super) fn remove(&mut self, header: Avma) {
        let gone = |image: &Arc<Image>| image.header == Some(header);
        self.all.retain(|image| !gone(image));
        self.named.retain(|_, named| {
            named.retain(|image| !gone(image));
            !named.is_empty()
        });
        let bytes = self.all.iter().map(|image| image.bytes());
        self.bytes = bytes.fold(0, u64::saturating_add);
    }

    fn named(&self, name: &[u8]) -> &[Arc<Image>] {
        self.named.get(name).map_or(&[], Vec::as_slice)
    }

    /// The only image of a name.
    pub(super) fn only(&self, name: &[u8]) -> Option<&Image> {
        match self.named(name) {
            [image] => Some(image),
            _ => None,
        }
    }

    /// The image that an address lies in: the last one that was mapped there, one of this name first.
    pub(super) fn holder(&self, address: u64, name: &[u8]) -> Option<&Arc<Image>> {
        let named = self.named(name).iter().rev();
        let mut all = named.chain(self.all.iter().rev());
        all.find(|image| image.holds(address))
    }

    /// The image that a target is in: the one of its name; of several the one that has the address.
    pub(super) fn provider(&self, name: &[u8], address: u64) -> Option<Name> {
        if name.is_empty() || name == NO_PROVIDER {
            return None;
        }
        let named = self.named(name);
        let image = match named {
            [image] => Some(image),
            _ => named.iter().rev().find(|image| image.holds(address)),
        };
        Some(image.map_or_else(|| name.into(), |image| Arc::clone(&image.path)))
    }
}

/// Where an image's header is: at the start of `__TEXT`.
pub(super) fn header(segments: &[Segment]) -> Option<Avma> {
    let text = segments.iter().find(|segment| segment.name == b"__TEXT");
    text.map(|segment| segment.start)
}
