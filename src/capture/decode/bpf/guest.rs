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
    /// Where its functions begin, in order; none when that is not known.
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

    /// The function that an address lies in, as its place among them.
    fn function(&self, address: u64) -> usize {
        self.functions.partition_point(|start| *start <= address)
    }
}

/// Takes out the address of the link register where it says nothing new: a function that has
/// called another finds its own address there, until it returns itself. `stack` is the host's
/// address, the guest's, that of the link register, and callers.
pub(super) fn drop_stale_link(stack: &mut Vec<u64>, link: Link, image: Option<&Arc<GuestImage>>) {
    let &[_host, here, caller, ..] = stack.as_slice() else {
        return;
    };
    let image = image.filter(|image| !image.functions.is_empty());
    let stale = match (link, image) {
        (Link::None, _) => false,
        // Both are written as return addresses.
        (_, Some(image)) => {
            image.function(here.wrapping_sub(1)) == image.function(caller.wrapping_sub(1))
        }
        (link, None) => link != Link::Called,
    };
    if stale {
        stack.remove(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: u64 = 0x7f00_0000_1000;

    fn image() -> Arc<GuestImage> {
        Arc::new(GuestImage {
            functions: vec![0x1000, 0x1100, 0x1200],
            ..GuestImage::default()
        })
    }

    fn left(stack: [u64; 4], link: Link, image: Option<&Arc<GuestImage>>) -> Vec<u64> {
        let mut stack = stack.to_vec();
        drop_stale_link(&mut stack, link, image);
        stack
    }

    #[test]
    fn a_link_into_the_function_at_hand_is_stale() {
        let image = image();
        // In the second function, the link in its first, its own or the third, by last bytes.
        for (caller, kept) in [(0x10f0, true), (0x1150, false), (0x1204, true)] {
            for link in [Link::Unproven, Link::Called] {
                let stack = left([HOST, 0x1181, caller, 0x1300], link, Some(&image));
                assert_eq!(stack.len(), if kept { 4 } else { 3 }, "{caller:#x}");
            }
        }
        // The call is the last instruction of the function before.
        let stack = left([HOST, 0x1101, 0x1100, 0x1300], Link::Called, Some(&image));
        assert_eq!(stack.len(), 4);
    }

    #[test]
    fn without_functions_the_call_before_it_decides() {
        for image in [None, Some(Arc::new(GuestImage::default()))] {
            let with = |link| left([HOST, 0x1181, 0x1150, 0x1300], link, image.as_ref()).len();
            assert_eq!(with(Link::Unproven), 3);
            assert_eq!(with(Link::Called), 4);
            assert_eq!(with(Link::None), 4);
        }
        let mut short = vec![HOST, 0x1181];
        drop_stale_link(&mut short, Link::Unproven, None);
        assert_eq!(short, [HOST, 0x1181]);
    }
}
