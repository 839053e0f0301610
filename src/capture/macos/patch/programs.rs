//! What the thread that empties the ring is to know of an instrumented toolchain.

use crate::capture::alive::{self, Alive};
use crate::capture::decode::call_sieve::Functions;
use crate::capture::instrumented::Told;
use crate::capture::probes::{self, Watch};
use crate::capture::ring::{Image, Programs};
use crate::capture::{Monotonic, Observation, sys};
use crate::trace::Pid;
use crossbeam_channel::Sender;
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The toolchain.
#[derive(Debug)]
pub(super) struct Prepared {
    root: PathBuf,
    images: FxHashMap<u64, Arc<Image>>,
    /// What there is to tell once somebody listens.
    waiting: Vec<Observation>,
    /// Copies that are not the toolchain's, of which that was told.
    foreign: FxHashSet<u64>,
    is_asked_for: bool,
}

impl Prepared {
    pub(super) fn new(told: Told, root: PathBuf, watch: &Watch) -> Self {
        let time = sys::now();
        let mut all = told.probed.iter();
        let is_asked_for = watch.is_asked_for() || all.any(|probed| probed.set != probes::DEFAULT);
        let probed = told.probed.into_iter();
        let probed = probed.map(|probed| Observation::Probed(Box::new(probed)));
        let unseen = told.unseen.into_iter();
        let unseen = unseen.map(|(what, why)| Observation::Unseen { time, what, why });
        let toolchain = Observation::Configured {
            key: "patch_toolchain".to_owned(),
            value: root.display().to_string(),
        };
        let images = told.images.into_iter();
        Self {
            waiting: [toolchain]
                .into_iter()
                .chain(probed)
                .chain(unseen)
                .collect(),
            images: images
                .map(|(copy, functions)| (copy, image(functions)))
                .collect(),
            root,
            foreign: FxHashSet::default(),
            is_asked_for,
        }
    }
}

/// Which counter a program reads is found out by what it has read.
fn image(functions: Functions) -> Arc<Image> {
    Arc::new(Image {
        functions,
        may_be_guest: true,
    })
}

impl Programs for Prepared {
    fn tell_to(&mut self, out: &Sender<Observation>) {
        for observation in std::mem::take(&mut self.waiting) {
            // A session that is gone wants to know nothing.
            drop(out.send(observation));
        }
    }

    fn are_asked_for(&self) -> bool {
        self.is_asked_for
    }

    /// Of a copy that is another toolchain's nothing is known, and its chunks come free all the same.
    fn image(&mut self, copy: u64) -> Option<Arc<Image>> {
        if let Some(image) = self.images.get(&copy) {
            return Some(Arc::clone(image));
        }
        if self.foreign.insert(copy) {
            self.waiting.push(Observation::Unseen {
                time: sys::now(),
                what: format!("calls in the copy {copy:016x} of a program"),
                why: format!("{} does not say what its functions are: it is of another toolchain, or prepared anew since", self.root.display()),
            });
        }
        Some(image(Functions::default()))
    }

    fn look(
        &mut self,
        _now: Monotonic,
        _processes: &mut dyn Iterator<Item = Pid>,
    ) -> Vec<Observation> {
        std::mem::take(&mut self.waiting)
    }

    /// Programs of the toolchain find the ring by their environment, whoever starts them.
    fn met(&self, pid: Pid) -> Option<Observation> {
        let found = Alive::of(pid)?;
        Some(Observation::Discovered {
            parent: found.parent,
            package: Vec::new(),
            executed: alive::program(pid, found.start),
        })
    }

    /// Who has mapped it is not counted here.
    fn without_ring(&self, _time: Monotonic, _given: u64, _mapped: u64) -> Option<Observation> {
        None
    }
}
