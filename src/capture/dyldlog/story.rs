//! What dyld told of one process, as what loaders do: paths become numbers of images.

use crate::capture::Monotonic;
use crate::capture::decode::dyld_log::{Bound, Event, Looked, Name, Origin, Outcome};
use crate::capture::linking::{self, ImageNumber, Loaded, Searched, What};
use crate::trace::{BindHow, BindKind, LinkCause, LoadOrigin, Pid, SearchOutcome, Tid};
use rustc_hash::FxHashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

/// The loader of every program of macOS that has one.
const LOADER: &[u8] = b"/usr/lib/dyld";

/// Images that are remembered of a process.
const MOST_IMAGES: usize = 8_192;

/// What a process has told, up to now.
#[derive(Debug, Default)]
pub(super) struct Story {
    numbers: FxHashMap<Name, ImageNumber>,
    next: u32,
    /// It is gotrace: its shims have no rows.
    own: bool,
    /// The program itself.
    program: Option<ImageNumber>,
    /// Events that are not to be handed over yet: a load is told of before dyld says who fills the
    /// image's slots.
    recent: Vec<linking::Event>,
    before: Vec<linking::Event>,
}

impl Story {
    /// Adds what dyld told, which was read at this time.
    pub(super) fn add(&mut self, time: Monotonic, pid: Pid, event: &Event) {
        let tid = Tid(pid.0);
        if let Event::Began { path } = event {
            self.own = is_own(path);
        }
        let Some(what) = self.what(event).filter(|_| !self.own) else {
            return;
        };
        self.recent.push(linking::Event { time, tid, what });
    }

    fn what(&mut self, event: &Event) -> Option<What> {
        match event {
            Event::Began { .. } => {
                self.numbers.clear();
                self.program = None;
                Some(What::Asks {
                    interpreter: LOADER.to_vec(),
                    unwatched: String::new(),
                })
            }
            Event::Loaded(loaded) => {
                let number = self.number(&loaded.path);
                self.program.get_or_insert(number);
                Some(What::Loaded(Box::new(Loaded {
                    number,
                    path: loaded.path.to_vec(),
                    build_id: loaded.uuid.map(Vec::from).unwrap_or_default(),
                    cause: cause(loaded.opened),
                    address: loaded.header().map(|header| header.0),
                    origin: match loaded.origin {
                        Origin::Cache => LoadOrigin::SharedCache,
                        Origin::Kernel | Origin::File { .. } | Origin::Unsaid => LoadOrigin::File,
                    },
                    translated: loaded.translated.map(|(from, to)| (from.0, to.0)),
                    ..Loaded::default()
                })))
            }
            Event::Unloaded { path, .. } => self.numbers.remove(path).map(What::Unloaded),
            Event::PagedIn { path } => {
                self.paged_in(path);
                None
            }
            Event::Bound(bound) => self.bound(bound),
            Event::Searched { path, looked, .. } => Some(What::Searched(Box::new(Searched {
                path: path.clone(),
                outcome: match looked {
                    Looked::Found(_) => SearchOutcome::Found,
                    Looked::Missing => SearchOutcome::Missed,
                    Looked::Errno(_) | Looked::Unusable(_) => SearchOutcome::Refused,
                },
                count: 1,
                ..Searched::default()
            }))),
            Event::LookedUp {
                symbol,
                address: Some(address),
                provider: Some(provider),
            } => Some(What::Bound(linking::Bound {
                importer: self.program?,
                provider: Some(*self.numbers.get(provider)?),
                symbol: symbol.as_slice().into(),
                address: address.0,
                how: BindHow::Dlsym,
                ..linking::Bound::default()
            })),
            // What failed is in the searches, and what is interposed in the binds.
            Event::LookedUp { .. }
            | Event::Initializer { .. }
            | Event::Interposed { .. }
            | Event::Failed { .. } => None,
        }
    }

    fn bound(&self, bound: &Bound) -> Option<What> {
        let importer = self.numbers.get(&bound.importer).copied();
        let provider = bound.provider.as_ref();
        let provider = provider.map(|path| self.numbers.get(path).copied());
        let unknown = ImageNumber(u32::MAX);
        let (provider, address) = match bound.outcome {
            Outcome::Missing => (None, 0),
            // An image that was not told of is counted by the recorder.
            Outcome::Bound(address) => (Some(provider.flatten().unwrap_or(unknown)), address.0),
        };
        Some(What::Bound(linking::Bound {
            importer: importer.unwrap_or(unknown),
            provider,
            symbol: bound.symbol.as_slice().into(),
            address,
            slot: bound.slot.map(|slot| slot.address.0),
            how: BindHow::Eager,
            kind: BindKind::Call,
        }))
    }

    fn number(&mut self, path: &Name) -> ImageNumber {
        let number = ImageNumber(self.next);
        self.next = self.next.saturating_add(1);
        if self.numbers.len() < MOST_IMAGES {
            self.numbers.insert(Arc::clone(path), number);
        }
        number
    }

    /// The kernel fills the slots of an image whose load is still here.
    fn paged_in(&mut self, path: &Name) {
        let Some(number) = self.numbers.get(path) else {
            return;
        };
        for event in self.before.iter_mut().chain(&mut self.recent) {
            if let What::Loaded(loaded) = &mut event.what
                && loaded.number == *number
            {
                loaded.paged_in = true;
            }
        }
    }

    /// Whether there is something to hand over next time.
    pub(super) const fn is_waiting(&self) -> bool {
        !self.before.is_empty()
    }

    /// What may be handed over: what came before the last call, or all.
    pub(super) fn take(&mut self, all: bool) -> Vec<linking::Event> {
        let mut taken = std::mem::take(&mut self.before);
        let recent = std::mem::take(&mut self.recent);
        if all {
            taken.extend(recent);
        } else {
            self.before = recent;
        }
        taken
    }
}

/// Whether a program is this one, which its shims are, too.
fn is_own(path: &[u8]) -> bool {
    let own = std::env::current_exe();
    let real = fs::canonicalize(OsStr::from_bytes(path));
    own.is_ok_and(|own| own.as_os_str().as_bytes() == path || real.is_ok_and(|real| real == own))
}

const fn cause(opened: bool) -> LinkCause {
    if opened {
        LinkCause::Dlopen
    } else {
        LinkCause::Start
    }
}
