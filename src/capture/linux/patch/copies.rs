//! Programs in, their copies out: what is asked for of each is planned, put into a copy, and kept.

use super::cache::Cache;
use crate::binary::elf::Elf;
use crate::binary::go::Pclntab;
use crate::binary::trampoline::{self, Marked, NoCopy, Place, Survey, Unpatched};
use crate::capture::linux::sys;
use crate::capture::observation::Probed;
use crate::capture::probes::{LeftOut, Missing, Mode, NoPlan, Plan, Planned, Watch};
use crate::capture::stand_in::{NUMBERS, StandIn, StandIns};
use crate::capture::{Monotonic, Observation, chain, plain_file};
use crate::trace::{ArgumentKind, Nanos, ProbeId};
use crossbeam_channel::Sender;
use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What telling of an entry and of an exit costs a program, rounded up: 7.1 and 9.5 ns on an AMD EPYC (virtual machine),
/// of which the reading of the counter is most.
const ENTRY_COST: Nanos = Nanos(10);
const EXIT_COST: Nanos = Nanos(11);
/// So many functions that are left alone are named; of more, how many for which reason.
const NAMED: usize = 20;
/// The largest program of which a copy is made.
const LARGEST: u64 = 1 << 30;
const SET_ID: u32 = 0o6000;

/// Why a program has no copy.
#[derive(Debug, thiserror::Error)]
enum NotCopied {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is no program that can be read")]
    Elf(#[from] crate::binary::Error),
    #[error(transparent)]
    Plan(#[from] NoPlan),
    #[error("no copy can be made of it")]
    Copy(#[from] NoCopy),
    #[error("a copy would not have the rights that it takes on (set-user-ID)")]
    SetId,
    #[error("expected less than 1 GiB, found {0} bytes")]
    Large(u64),
    #[error("its copy cannot be kept")]
    Keep(#[source] io::Error),
    #[error("more functions than a run can watch")]
    TooMany,
}

/// A program whose functions tell of their calls.
#[derive(Debug)]
pub(super) struct Image {
    /// The number of its first function.
    pub(super) first: ProbeId,
    /// Whether the first argument is recorded, for each function.
    pub(super) arguments: Vec<bool>,
}

/// All copies of a run.
#[derive(Debug)]
pub(super) struct Copies {
    watch: Watch,
    cache: Cache,
    ring: Arc<OwnedFd>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    programs: FxHashMap<PathBuf, (FileKey, Option<PathBuf>)>,
    /// By what their records say that they are.
    images: FxHashMap<u64, Arc<Image>>,
    probes: u32,
    missing: Missing,
    out: Out,
}

/// What there is to tell: kept until there is somebody to tell it.
#[derive(Debug)]
enum Out {
    Later(Vec<Observation>),
    Now(Sender<Observation>),
}

/// Tells a file from what is written in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileKey([i64; 6]);

impl FileKey {
    fn of(found: &Metadata) -> Self {
        let [device, inode, size] = [found.dev(), found.ino(), found.size()].map(u64::cast_signed);
        let changed = [found.ctime(), found.ctime_nsec(), found.mtime()];
        let [changed, changed_ns, modified] = changed;
        Self([device, inode, size, changed, changed_ns, modified])
    }
}

/// What of a program is to be put into its copy.
struct Chosen {
    /// What no backend can watch.
    left_out: Vec<LeftOut>,
    /// Of the plan's functions those that have places, with these.
    functions: Vec<(Planned, ArgumentKind, Vec<Place>)>,
    /// Of the others, why not.
    left_alone: Vec<(Planned, Unpatched)>,
}

impl Copies {
    pub(super) fn new(watch: Watch, cache: Cache, ring: OwnedFd) -> Self {
        let known = Known {
            programs: FxHashMap::default(),
            images: FxHashMap::default(),
            probes: 0,
            missing: Missing::of(&watch),
            out: Out::Later(Vec::new()),
        };
        Self {
            watch,
            cache,
            ring: Arc::new(ring),
            known: Mutex::new(known),
        }
    }

    /// Tells what there is to tell to somebody, from now on.
    pub(super) fn tell_to(&self, out: Sender<Observation>) {
        let mut known = self.known();
        if let Out::Later(observations) = &mut known.out {
            for observation in observations.drain(..) {
                // A session that is gone wants to know nothing.
                drop(out.send(observation));
            }
        }
        known.out = Out::Now(out);
    }

    /// The program that a record's chunk says it is of.
    pub(super) fn image(&self, copy: u64) -> Option<Arc<Image>> {
        self.known().images.get(&copy).cloned()
    }

    /// How many functions are watched, in how many programs.
    pub(super) fn counts(&self) -> (u32, usize) {
        let known = self.known();
        (known.probes, known.images.len())
    }

    /// What the user named for just one executable, which is there and does not have it.
    pub(super) fn wrong_name(&self) -> Option<String> {
        self.known().missing.wrong_name().map(str::to_owned)
    }

    /// Tells what was asked for and found nowhere, and nothing more after that.
    pub(super) fn finish(&self) {
        let mut known = self.known();
        let missing: Vec<_> = known
            .missing
            .each()
            .map(|(spec, why)| unseen(format!("calls of {spec}"), why.to_owned()))
            .collect();
        for observation in missing {
            known.tell(observation);
        }
        known.out = Out::Later(Vec::new());
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of a program, made where it is not there yet.
    pub(super) fn copy_of(&self, program: &Path) -> Option<PathBuf> {
        let path = program.canonicalize().ok()?;
        let name = path.as_os_str().as_bytes();
        if !self.watch.concerns(name) {
            return None;
        }
        let file = plain_file::open(&path).ok()?;
        let key = FileKey::of(&file.metadata().ok()?);
        if let Some((of, copy)) = self.known().programs.get(&path)
            && *of == key
        {
            return copy.clone();
        }
        let copy = self.make(&path, file).unwrap_or_else(|why| {
            self.known().judge(&self.watch, name, &why);
            None
        });
        let known = (key, copy.clone());
        self.known().programs.insert(path, known);
        copy
    }

    /// Makes a copy. What is known is held for moments only: others make theirs meanwhile.
    fn make(&self, path: &Path, mut file: File) -> Result<Option<PathBuf>, NotCopied> {
        let begun = sys::monotonic();
        let found = file.metadata()?;
        if found.mode() & SET_ID != 0 {
            return Err(NotCopied::SetId);
        }
        if found.size() > LARGEST {
            return Err(NotCopied::Large(found.size()));
        }
        let mut data = Vec::new();
        file.read_to_end(&mut data)?;
        let elf = Elf::parse(&data)?;
        let name = path.as_os_str().as_bytes();
        let plan = self.watch.plan(&elf, name)?;
        self.known().missing.planned(name, &plan);
        if plan.functions.is_empty() {
            return Ok(None);
        }
        let survey = Survey::of(&elf)?;
        let arguments = self.watch.arguments(&plan, &data);
        let chosen = choose(&elf, &survey, plan, &arguments)?;
        for observation in chosen.told(name) {
            self.known().tell(observation);
        }
        if chosen.functions.is_empty() {
            return Ok(None);
        }
        let (key, image) = chosen.key(&data);
        let base_name = path.file_name().unwrap_or_default();
        let copy = match self.cache.find(&key, base_name) {
            Some(copy) => copy,
            None => {
                let places: Vec<Marked<'_>> = chosen.marked().collect();
                let copied = trampoline::copy(&survey, &data, image, NUMBERS, &places)?;
                let kept = self.cache.keep(&key, base_name, &copied);
                kept.map_err(NotCopied::Keep)?
            }
        };
        let mut known = self.known();
        known.enter(&elf, name, image, &chosen)?;
        let spent = sys::monotonic().saturating_sub(begun);
        known.tell(Observation::Configured {
            key: format!("patch_ns:{}", base_name.to_string_lossy()),
            value: spent.to_string(),
        });
        Ok(Some(copy))
    }
}

impl StandIns for Copies {
    fn of(&self, program: &Path) -> Option<StandIn> {
        Some(StandIn {
            program: self.copy_of(program)?,
            descriptor: Arc::clone(&self.ring),
        })
    }
}

impl Known {
    fn tell(&mut self, observation: Observation) {
        match &mut self.out {
            Out::Later(observations) => observations.push(observation),
            // A session that is gone wants to know nothing.
            Out::Now(out) => drop(out.send(observation)),
        }
    }

    /// Tells why a program has no copy, where that matters: of any program, those that are none of Go are not meant.
    fn judge(&mut self, watch: &Watch, path: &[u8], why: &NotCopied) {
        if matches!(why, NotCopied::Plan(_) | NotCopied::Elf(_)) && !watch.names(path) {
            return;
        }
        let words = chain(why);
        if !self.missing.unwatched(path, &words) {
            let path = String::from_utf8_lossy(path);
            self.tell(unseen(format!("calls in {path}"), words));
        }
    }

    /// Enters a program whose functions have the next numbers.
    fn enter(
        &mut self,
        elf: &Elf<'_>,
        path: &[u8],
        image: u64,
        chosen: &Chosen,
    ) -> Result<(), NotCopied> {
        let first = self.probes;
        let count = u32::try_from(chosen.functions.len()).map_err(|_many| NotCopied::TooMany)?;
        self.probes = first.checked_add(count).ok_or(NotCopied::TooMany)?;
        let build_id = elf.build_id().unwrap_or_default();
        for (number, function) in (first..).zip(&chosen.functions) {
            let (planned, argument, places) = function;
            let entry = places.first().map(|place| place.address);
            let entry = entry.and_then(|entry| elf.memory().offset_of(entry));
            self.tell(Observation::Probed(Box::new(Probed {
                probe: ProbeId(number),
                path: path.to_vec(),
                build_id: build_id.to_vec(),
                function: planned.name.clone(),
                file: planned.file.clone(),
                entry: entry.map_or(0, |offset| offset.0),
                instruction: "jmp".to_owned(),
                entry_cost: ENTRY_COST,
                exits: u32::try_from(places.len().saturating_sub(1)).unwrap_or(u32::MAX),
                exit_cost: EXIT_COST,
                set: planned.set.clone().unwrap_or_default(),
                phase: planned.phase.clone(),
                argument: *argument,
            })));
        }
        let arguments = chosen.functions.iter();
        let arguments = arguments.map(|(_, argument, _)| *argument != ArgumentKind::None);
        self.images.insert(
            image,
            Arc::new(Image {
                first: ProbeId(first),
                arguments: arguments.collect(),
            }),
        );
        Ok(())
    }
}

/// Finds the places of what is planned.
fn choose(
    elf: &Elf<'_>,
    survey: &Survey<'_>,
    plan: Plan,
    arguments: &[ArgumentKind],
) -> Result<Chosen, NotCopied> {
    let table = Pclntab::of(elf)?;
    let mut chosen = Chosen {
        left_out: plan.left_out,
        functions: Vec::new(),
        left_alone: Vec::new(),
    };
    for (planned, argument) in plan.functions.into_iter().zip(arguments) {
        let function = table.find(planned.address).ok().flatten();
        let places = function.ok_or(Unpatched::NoCode);
        let places =
            places.and_then(|function| survey.places(&function, planned.mode == Mode::Call));
        match places {
            Ok(places) => {
                // What a pointer leads to is not read.
                let argument = match argument {
                    ArgumentKind::Text => ArgumentKind::None,
                    other => *other,
                };
                chosen.functions.push((planned, argument, places));
            }
            Err(why) => chosen.left_alone.push((planned, why)),
        }
    }
    Ok(chosen)
}

impl Chosen {
    fn marked(&self) -> impl Iterator<Item = Marked<'_>> {
        let functions = (0..).zip(&self.functions);
        functions.flat_map(|(number, (_, _, places))| {
            places.iter().map(move |place| Marked { number, place })
        })
    }

    /// What a copy is found by, and what its records' chunks say that it is: the original, what is put into it, and by
    /// which gotrace.
    fn key(&self, data: &[u8]) -> (String, u64) {
        let mut digest = Sha256::new();
        digest.update(Sha256::digest(data));
        digest.update(env!("CARGO_PKG_VERSION").as_bytes());
        for number in NUMBERS {
            digest.update(number.to_le_bytes());
        }
        for marked in self.marked() {
            digest.update(marked.number.to_le_bytes());
            digest.update(marked.place.address.0.to_le_bytes());
        }
        let digest = digest.finalize();
        let key = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
        let image = digest.first_chunk().copied().unwrap_or_default();
        (key.collect(), u64::from_le_bytes(image))
    }

    /// What cannot be seen of a program, and why.
    fn told(&self, path: &[u8]) -> Vec<Observation> {
        let path = String::from_utf8_lossy(path);
        let of_plan = self.left_out.iter();
        let of_plan = of_plan.map(|left_out| (&left_out.name, left_out.why.to_string()));
        let alone = self.left_alone.iter().filter(|(planned, why)| {
            // Nobody asked for those of the runtime: sets are for all backends.
            let of_set = planned.set.is_some();
            !(of_set && matches!(why, Unpatched::Exempt(_)))
        });
        let alone = alone.map(|(planned, why)| (&planned.name, why.to_string()));
        let all: Vec<_> = of_plan.chain(alone).collect();
        if all.len() <= NAMED {
            let each = all.into_iter().map(|(name, why)| {
                let name = String::from_utf8_lossy(name);
                unseen(format!("calls of {name} in {path}"), why)
            });
            return each.collect();
        }
        let mut reasons: BTreeMap<String, (usize, &[u8])> = BTreeMap::new();
        for (name, why) in &all {
            // Without the address, which is another one for each.
            let reason = why.split(" at 0x").next().unwrap_or(why).to_owned();
            reasons.entry(reason).or_insert((0, name)).0 += 1;
        }
        let each = reasons.into_iter().map(|(reason, (count, name))| {
            let name = String::from_utf8_lossy(name);
            unseen(
                format!("calls of {count} functions in {path} ({name}, ...)"),
                reason,
            )
        });
        each.collect()
    }
}

/// Something that cannot be seen, and why.
fn unseen(what: String, why: String) -> Observation {
    Observation::Unseen {
        time: Monotonic(sys::monotonic()),
        what,
        why,
    }
}
