//! Puts the probing program at places of an executable's file: what needs rights while the
//! command runs.

use super::assistant::Assistant;
use super::trial::{self, Costs};
use crate::capture::linux::sys;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the kernel says by which number perf knows uprobes.
const EVENT_TYPE: &str = "/sys/bus/event_source/devices/uprobe/type";
/// Places of one link at most: `MAX_UPROBE_MULTI_CNT` of `kernel/trace/bpf_trace.c`.
const MOST_PLACES: usize = 1 << 20;
/// So many places may be refused before all that are left are given up: each is found by halving,
/// and a try takes some 10 ms.
const MOST_REFUSED: usize = 8;
/// What the kernel says of a single place: it cannot have a probe there, or not this one.
/// `ENOTSUPP` has no name outside of the kernel.
const OF_A_PLACE: [i32; 5] = [libc::EINVAL, libc::EIO, libc::EBUSY, libc::EOPNOTSUPP, 524];

/// Offset in a file, and cookie.
pub(super) type Place = (u64, u64);

/// What came of attaching.
#[derive(Debug)]
pub(super) struct Attached<L> {
    /// The probes stand as long as these are open.
    pub(super) links: Vec<L>,
    /// Offsets of the places that were refused, and why.
    pub(super) refused: Vec<(u64, io::Error)>,
}

impl<L> Default for Attached<L> {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            refused: Vec::new(),
        }
    }
}

impl<L> Attached<L> {
    /// Attaches to as many places at once as the kernel takes, and around those that it refuses.
    fn around(
        places: &[Place],
        most: usize,
        attach: &impl Fn(&[Place]) -> io::Result<L>,
    ) -> io::Result<Self> {
        let mut attached = Self::default();
        for places in places.chunks(most) {
            attached.add(places, attach)?;
        }
        Ok(attached)
    }

    fn add(
        &mut self,
        places: &[Place],
        attach: &impl Fn(&[Place]) -> io::Result<L>,
    ) -> io::Result<()> {
        let error = match attach(places) {
            Ok(link) => {
                self.links.push(link);
                return Ok(());
            }
            Err(error) => error,
        };
        let of_a_place = error.raw_os_error();
        let of_a_place = of_a_place.is_some_and(|number| OF_A_PLACE.contains(&number));
        if !of_a_place || self.refused.len() >= MOST_REFUSED {
            return Err(error);
        }
        if let [(offset, _)] = places {
            self.refused.push((*offset, error));
            return Ok(());
        }
        let (first, second) = places.split_at(places.len() / 2);
        self.add(first, attach)?;
        self.add(second, attach)
    }
}

/// Functions of an executable as they are numbered in a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered<'a> {
    /// The executable's path, by which sets know it.
    pub(super) path: &'a [u8],
    /// The number of its first function.
    pub(super) first: usize,
}

/// What puts probes to their places.
#[derive(Debug)]
pub(super) enum Attacher {
    /// This process, which has the rights.
    #[cfg_attr(
        not(feature = "bpf"),
        expect(dead_code, reason = "what is here is for the loader")
    )]
    Ourselves(Programs),
    /// The helper executable.
    Helper(Assistant),
}

impl Attacher {
    /// What a hit costs here, and what keeps the probes that were tried.
    pub(super) fn costs(&self) -> io::Result<(Costs, Vec<OwnedFd>)> {
        match self {
            Self::Ourselves(programs) => trial::costs(programs),
            Self::Helper(assistant) => Ok((assistant.costs(), Vec::new())),
        }
    }

    /// Attaches to the places of functions, in all processes that map the file, now and later,
    /// until the links are dropped.
    pub(super) fn attach(
        &self,
        file: &File,
        places: &[Place],
        of: Numbered<'_>,
    ) -> io::Result<Attached<OwnedFd>> {
        match self {
            Self::Ourselves(programs) => programs.attach(file, places),
            Self::Helper(assistant) => {
                let links = assistant.attach(file, of)?;
                Ok(Attached {
                    links,
                    refused: Vec::new(),
                })
            }
        }
    }

    /// Attaches to some of the places again, instead of all. Not by the helper, which takes no
    /// places from us.
    pub(super) fn attach_some(
        &self,
        file: &File,
        places: &[Place],
    ) -> io::Result<Attached<OwnedFd>> {
        match self {
            Self::Ourselves(programs) => programs.attach(file, places),
            Self::Helper(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The probing program, in both forms.
#[derive(Debug)]
pub(super) struct Programs {
    /// For many places at once, Linux 6.6 and later.
    many: OwnedFd,
    /// It was attached once, so that the kernel knows such a thing.
    is_known: AtomicBool,
    /// The kernel knows no such thing.
    one_by_one: AtomicBool,
    /// For one at a time.
    one: OwnedFd,
    /// Where the two find the programs that they leave for. The kernel empties such a table when
    /// no process holds it any more.
    _tables: Vec<OwnedFd>,
}

impl Programs {
    /// With `one_by_one`, as before Linux 6.6.
    #[cfg_attr(
        not(feature = "bpf"),
        expect(dead_code, reason = "what is here is for the loader")
    )]
    pub(super) fn new(many: OwnedFd, one: OwnedFd, tables: Vec<OwnedFd>, one_by_one: bool) -> Self {
        Self {
            many,
            is_known: AtomicBool::new(false),
            one_by_one: AtomicBool::new(one_by_one),
            one,
            _tables: tables,
        }
    }

    /// Attaches to places in all processes that map the file, now and later, until the links are
    /// dropped. Takes some 10 ms, most of which the kernel waits: several threads can do so side by
    /// side.
    pub(super) fn attach(&self, file: &File, places: &[Place]) -> io::Result<Attached<OwnedFd>> {
        if !self.one_by_one.load(Ordering::Relaxed) {
            let many = |places: &[Place]| sys::attach_many(self.many.as_fd(), file, places);
            let attached = Attached::around(places, MOST_PLACES, &many);
            let nothing = match &attached {
                Ok(attached) => attached.links.is_empty(),
                Err(error) => error.raw_os_error() == Some(libc::EINVAL),
            };
            if !nothing || self.is_known.load(Ordering::Relaxed) {
                self.is_known.store(true, Ordering::Relaxed);
                return attached;
            }
            self.one_by_one.store(true, Ordering::Relaxed);
        }
        let event_type = fs::read_to_string(EVENT_TYPE)?;
        let event_type = event_type.trim().parse().map_err(io::Error::other)?;
        let one = |places: &[Place]| match places {
            [place] => sys::attach_one(self.one.as_fd(), event_type, file, *place),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        };
        Attached::around(places, 1, &one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A kernel that refuses some offsets, with this error.
    fn kernel(refused: &[u64], errno: i32) -> impl Fn(&[Place]) -> io::Result<Vec<u64>> + use<'_> {
        move |places| {
            let offsets: Vec<u64> = places.iter().map(|place| place.0).collect();
            match offsets.iter().any(|offset| refused.contains(offset)) {
                true => Err(io::Error::from_raw_os_error(errno)),
                false => Ok(offsets),
            }
        }
    }

    fn places(count: u64) -> Vec<Place> {
        (0..count).map(|offset| (offset, 0)).collect()
    }

    #[test]
    fn all_places_but_the_refused_ones_are_attached_once() {
        let bad = [0, 499, 500, 999];
        let attached = Attached::around(&places(1000), 300, &kernel(&bad, 524)).expect("some");
        let mut offsets = attached.links.concat();
        offsets.sort_unstable();
        let good: Vec<u64> = (0..1000).filter(|offset| !bad.contains(offset)).collect();
        assert_eq!(offsets, good);
        let refused: Vec<u64> = attached.refused.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(refused, bad);
        assert_eq!(attached.refused[0].1.raw_os_error(), Some(524));
    }

    #[test]
    fn no_more_places_are_given_at_once_than_the_kernel_takes() {
        let sizes = RefCell::new(Vec::new());
        let attach = |places: &[Place]| {
            sizes.borrow_mut().push(places.len());
            Ok(())
        };
        Attached::around(&places(25), 10, &attach).expect("all");
        assert_eq!(sizes.into_inner(), [10, 10, 5]);
    }

    #[test]
    fn what_is_no_fault_of_a_place_ends_it_at_once() {
        let calls = RefCell::new(0);
        let attach = |_: &[Place]| -> io::Result<()> {
            *calls.borrow_mut() += 1;
            Err(io::Error::from_raw_os_error(libc::ENOMEM))
        };
        let error = Attached::around(&places(25), 10, &attach).expect_err("no memory");
        assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
        assert_eq!(calls.into_inner(), 1);
    }

    #[test]
    fn a_kernel_that_refuses_everything_is_not_asked_for_each_place() {
        let all: Vec<u64> = (0..1000).collect();
        let error = Attached::around(&places(1000), 1000, &kernel(&all, libc::EINVAL));
        assert!(error.is_err());
    }
}
