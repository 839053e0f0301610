//! A copy of a program that runs in its place, and what it inherits for that.

use super::system::in_place::InPlace;
use super::{Observation, sys};
use nix::sys::resource::{Resource, getrlimit};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The numbers at which a copy looks for its descriptor: the first that is free, and that the user's limit leaves.
pub(super) const NUMBERS: [u32; 3] = [1_000, 240, 60];

/// That a program runs as it is, for there is no room for its copy's descriptor: see [`has_room`].
pub(super) fn without_room(program: &[u8]) -> Observation {
    Observation::Unseen {
        time: sys::now(),
        what: format!("calls in {}", String::from_utf8_lossy(program)),
        why: format!(
            "its copy looks for its memory at the descriptors {}, {} and {}, which are taken or not allowed (ulimit -n)",
            NUMBERS[0], NUMBERS[1], NUMBERS[2]
        ),
    }
}

/// Whether one of the numbers is free for a child that is forked now. Without its descriptor a copy would tell nothing.
pub(super) fn has_room() -> bool {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(limit, _)| limit);
    let free = |number: &u32| {
        let open = Path::new("/dev/fd").join(number.to_string());
        u64::from(*number) < limit && open.symlink_metadata().is_err()
    };
    NUMBERS.iter().any(free)
}

/// What runs in a program's place.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// The copy.
    pub program: PathBuf,
    /// What it is to find at one of the numbers it looks at.
    pub descriptor: Arc<OwnedFd>,
    /// How the program can run from its own file instead.
    pub(super) in_place: Option<InPlace>,
}

/// Who knows which programs have a stand-in.
pub(super) trait StandIns: Send + Sync + std::fmt::Debug {
    /// That of a program, if it has one.
    fn of(&self, program: &Path) -> Option<StandIn>;
}
