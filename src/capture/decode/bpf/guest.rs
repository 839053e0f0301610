//! Programs that a translator runs: where their code is, and which addresses are callers.

use super::record::Link;
use crate::capture::{Monotonic, Observation};
use crate::trace::{ImageKind, Pid};
use std::sync::Arc;

/// What is known of the file of such a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestImage {
    /// Its path.
    pub path: Vec<u8>,
    /// Its build id, or empty.
    pub build_id: Vec<u8>,
    /// Where its code is loaded to: first address, the one after the last, offset in the file.
    /// Nowhere when that is decided when it runs.
    pub code: Vec<(u64, u64, u64)>,
    /// Then, where its code begins: as the file states it, and offset in the file.
    pub moves: Option<(u64, u64)>,
    /// Where its functions begin as the file states it, in order; none when that is not known.
    pub functions: Vec<u64>,
}

impl GuestImage {
    /// The mappings of its code.
    pub(super) fn mapped(&self, time: Monotonic, pid: Pid) -> Vec<Observation> {
        let mapped = self
            .code
            .iter()
            .map(|&(start, end, offset)| Observation::Mapped {
                time,
                pid,
                start,
                end,
                offset,
                path: self.path.clone(),
                build_id: self.build_id.clone(),
                kind: ImageKind::File,
            });
        mapped.collect()
    }
}

/// Such a program while it runs.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    image: Arc<GuestImage>,
    /// What it is moved by, once that is seen.
    slide: Option<u64>,
}

impl Guest {
    pub(super) fn new(image: Arc<GuestImage>) -> Self {
        let slide = image.moves.is_none().then_some(0);
        Self { image, slide }
    }

    /// Sees a file mapped to be read: where the translator puts the program.
    pub(super) fn sees(&mut self, mapped: &Observation) {
        let Observation::Mapped {
            start,
            end,
            offset,
            path,
            build_id,
            ..
        } = mapped
        else {
            return;
        };
        let same_id = !build_id.is_empty() && *build_id == self.image.build_id;
        if let Some((stated, in_file)) = self.image.moves
            && (same_id || *path == self.image.path)
            && in_file.wrapping_sub(*offset) < end.wrapping_sub(*start)
        {
            let at = start.wrapping_add(in_file.wrapping_sub(*offset));
            self.slide = Some(at.wrapping_sub(stated));
        }
    }

    /// The function that an address lies in, as its place among them; `None` where functions are
    /// not known.
    fn function(&self, address: u64) -> Option<usize> {
        let stated = address.wrapping_sub(self.slide?);
        let functions = &self.image.functions;
        (!functions.is_empty()).then(|| functions.partition_point(|start| *start <= stated))
    }
}

/// Takes out the address of the link register where it says nothing new: a function that has
/// called another finds its own address there, until it returns itself. `stack` is the host's
/// address, the guest's, that of the link register, and callers.
pub(super) fn drop_stale_link(stack: &mut Vec<u64>, link: Link, guest: Option<&Guest>) {
    let &[_host, here, caller, ..] = stack.as_slice() else {
        return;
    };
    // Both are written as return addresses.
    let function = |address: u64| guest?.function(address.wrapping_sub(1));
    let stale = match (link, function(here), function(caller)) {
        (Link::None, ..) => false,
        (_, Some(here), Some(caller)) => here == caller,
        (link, ..) => link != Link::Called,
    };
    if stale {
        stack.remove(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: u64 = 0x7f00_0000_1000;

    fn guest(image: GuestImage) -> Guest {
        Guest::new(Arc::new(image))
    }

    fn known() -> GuestImage {
        GuestImage {
            functions: vec![0x1000, 0x1100, 0x1200],
            ..GuestImage::default()
        }
    }

    fn left(stack: [u64; 4], link: Link, guest: Option<&Guest>) -> Vec<u64> {
        let mut stack = stack.to_vec();
        drop_stale_link(&mut stack, link, guest);
        stack
    }

    #[test]
    fn a_link_into_the_function_at_hand_is_stale() {
        let guest = guest(known());
        // In the second function, the link in its first, its own or the third, by last bytes.
        for (caller, kept) in [(0x10f0, true), (0x1150, false), (0x1204, true)] {
            for link in [Link::Unproven, Link::Called] {
                let stack = left([HOST, 0x1181, caller, 0x1300], link, Some(&guest));
                assert_eq!(stack.len(), if kept { 4 } else { 3 }, "{caller:#x}");
            }
        }
        // The call is the last instruction of the function before.
        let stack = left([HOST, 0x1101, 0x1100, 0x1300], Link::Called, Some(&guest));
        assert_eq!(stack.len(), 4);
    }

    #[test]
    fn without_functions_the_call_before_it_decides() {
        for guest in [None, Some(guest(GuestImage::default()))] {
            let with = |link| left([HOST, 0x1181, 0x1150, 0x1300], link, guest.as_ref()).len();
            assert_eq!(with(Link::Unproven), 3);
            assert_eq!(with(Link::Called), 4);
            assert_eq!(with(Link::None), 4);
        }
        let mut short = vec![HOST, 0x1181];
        drop_stale_link(&mut short, Link::Unproven, None);
        assert_eq!(short, [HOST, 0x1181]);
    }

    /// A program whose code begins at 0x1000, 0x200 in its file.
    #[test]
    fn functions_of_a_program_that_moves_are_known_once_it_is_seen() {
        let mut moved = guest(GuestImage {
            path: b"/a.out".to_vec(),
            build_id: vec![7],
            moves: Some((0x1000, 0x200)),
            ..known()
        });
        let mapped = |path: &[u8], build_id: &[u8], offset| Observation::Mapped {
            time: Monotonic(1),
            pid: Pid(1),
            start: 0x5_0000,
            end: 0x5_1000,
            offset,
            path: path.to_vec(),
            build_id: build_id.to_vec(),
            kind: ImageKind::File,
        };
        // Its code begins 0x200 bytes into the file: a page that ends there has none of it.
        let short = |end| Observation::Mapped {
            time: Monotonic(1),
            pid: Pid(1),
            start: 0x5_0000,
            end,
            offset: 0,
            path: b"/a.out".to_vec(),
            build_id: Vec::new(),
            kind: ImageKind::File,
        };
        for (end, slide) in [(0x5_0200, None), (0x5_0201, Some(0x5_0200 - 0x1000))] {
            let mut moved = moved.clone();
            moved.sees(&short(end));
            assert_eq!(moved.slide, slide, "{end:#x}");
        }
        let stack = [HOST, 0x5_0381, 0x5_0350, 0x5_0500];
        let stale = |guest: &Guest| left(stack, Link::Called, Some(guest)).len() == 3;
        for other in [
            mapped(b"/lib.so", b"", 0),
            mapped(b"/lib.so", &[8], 0),
            mapped(b"/a.out", &[7], 0x2000), // its data
        ] {
            moved.sees(&other);
            assert!(!stale(&moved), "{other:?}");
        }
        for itself in [mapped(b"/a.out", &[8], 0), mapped(b"/link", &[7], 0)] {
            let mut moved = moved.clone();
            moved.sees(&itself);
            assert!(stale(&moved), "{itself:?}");
            // The link leads into the function before.
            let called = [HOST, 0x5_0301, 0x5_0300, 0x5_0500];
            assert_eq!(left(called, Link::Unproven, Some(&moved)).len(), 4);
        }
    }
}
