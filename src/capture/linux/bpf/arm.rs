//! Watches functions: executables that run in, probes on them out.
//!
//! An executable is planned and armed once, before the command starts where it is known by then,
//! else when it is first executed.

use super::attach::{Attached, Attacher, Numbered};
use super::now;
use super::trial::Costs;
use crate::binary::elf::{Elf, Machine};
use crate::binary::go::RuntimeLayout;
use crate::binary::instruction::Stepping;
use crate::capture::decode::arguments;
use crate::capture::decode::bpf::{Called, ExeKey, TRIAL};
use crate::capture::linux::parts::{Part, Parts};
use crate::capture::linux::sys::{FileView, SharedWords};
use crate::capture::observation::{Executed, Probed};
use crate::capture::probes::{Missing, NoPlan, Plan, Planned, PlannedSite, Watch};
use crate::capture::{Monotonic, Observation, plain_file};
use crate::trace::{ArgumentKind, CallEdge, Nanos, Probe, ProbeId};
use rustc_hash::FxHashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The cookie of a place, see records.h.
const PROBE_BITS: u32 = 24;
const EDGE_SHIFT: u32 = 24;
const REGISTER: u64 = 1 << 26;
const INTEGER: u64 = 1 << 27;
const TEXT: u64 = 1 << 28;
const GENERATION: u64 = 1 << 30;
const GOID_SHIFT: u32 = 32;
const DEPTH_SHIFT: u32 = 48;

/// `GENERATIONS` of records.h: probes beyond it are never given up.
pub(super) const GENERATIONS: usize = 16_384;
/// The generation of no link.
const GIVEN_UP: u64 = 2;
/// What a place costs each process that maps it: its breakpoint is written into a copy of the page.
/// Measured on Linux 6.18: 31 ms for 9,999 places in one process.
const COST_OF_A_PLACE_MS: f64 = 0.003;
/// What functions may cost in any case, in seconds: a compiler begins with more marks than it goes
/// on with.
const ALLOWED: f64 = 0.02;
const NEVER_RAN: &str = "no executable of that name ran (libraries and plugins are not watched)";
/// What runs here without a translator.
const HOST: Machine = if cfg!(target_arch = "aarch64") {
    Machine::Arm64
} else {
    Machine::Amd64
};

/// The executables that are armed.
#[derive(Debug)]
pub(super) struct Armed {
    attacher: Attacher,
    generations: SharedWords,
    costs: Costs,
    /// The probes of the trial, which nothing passes any more.
    trial: Vec<OwnedFd>,
    watch: Watch,
    copies: Option<Arc<dyn Parts>>,
    /// Since when the functions of a file are watched; `None` where none are.
    known: FxHashMap<ExeKey, Option<Monotonic>>,
    images: Vec<Image>,
    probes: Vec<Tally>,
    missing: Missing,
}

/// An executable whose functions are watched.
#[derive(Debug)]
struct Image {
    file: File,
    links: Vec<OwnedFd>,
    generation: u64,
    places: Vec<Place>,
}

/// Offset in the file, cookie without generation, position in `Armed::probes`.
type Place = (u64, u64, usize);

/// An executable, and what is to be watched in it.
#[derive(Debug)]
struct Found {
    /// The path by which it is known: of a copy, that of its original.
    path: Vec<u8>,
    file: File,
    plan: Plan,
    arguments: Vec<ArgumentKind>,
    goid: u16,
    build_id: Vec<u8>,
}

impl Found {
    fn of(watch: &Watch, key: ExeKey, path: &[u8], part: &Part) -> Result<Self, NotArmed> {
        let file = plain_file::open(Path::new(OsStr::from_bytes(path)))?;
        if file.metadata()?.size() != key.size {
            return Err(NotArmed::OtherFile);
        }
        Self::of_file(watch, file, path, part)
    }

    fn of_file(watch: &Watch, file: File, path: &[u8], part: &Part) -> Result<Self, NotArmed> {
        let view = FileView::map(&file)?;
        let elf = Elf::parse(view.bytes())?;
        let (path, only) = match part {
            Part::Copy(rest) => (rest.original.as_slice(), Some(&*rest.functions)),
            Part::Itself | Part::Original => (path, None),
        };
        let plan = watch.plan_only(&elf, path, only)?;
        if !plan.functions.is_empty() && elf.machine != HOST {
            return Err(NotArmed::Foreign);
        }
        let layout = RuntimeLayout::of(&elf).ok();
        let layout = layout.filter(|layout| !layout.assumed);
        Ok(Self {
            path: path.to_vec(),
            arguments: watch.arguments(&plan, view.bytes()),
            plan,
            goid: layout.map_or(0, |layout| layout.fields.g_goid),
            build_id: elf.build_id().unwrap_or_default().to_vec(),
            file,
        })
    }

    /// The places of its functions, which have the numbers from `first` on.
    fn places(&self, first: usize) -> Vec<Place> {
        let mut places = Vec::new();
        let functions = self.plan.functions.iter().zip(&self.arguments);
        for (at, (function, argument)) in (first..).zip(functions) {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let known = (*argument, self.goid);
            let sites = function.sites.iter();
            places
                .extend(sites.map(|site| (site.offset, cookie(number, function, site, known), at)));
        }
        places
    }

    fn attach(
        &self,
        attacher: &Attacher,
        places: &[Place],
        of: Numbered<'_>,
    ) -> Result<Attached<OwnedFd>, NotArmed> {
        let attached = attacher.attach(&self.file, &with_generation(places, 0), of);
        attached.map_err(|source| NotArmed::Attach {
            places: places.len(),
            source,
        })
    }
}

/// Does some work for each item, in a thread of its own; in their order.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items
            .iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        let done = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        done.map(|outcome| outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// What a watched function has cost.
#[derive(Debug)]
struct Tally {
    image: usize,
    function: String,
    entry_cost: Nanos,
    exit_cost: Nanos,
    /// The user named it.
    named: bool,
    /// It may be given up for what it costs.
    may_go: bool,
    given_up: bool,
    hits: u64,
    spent: Nanos,
}

/// Why an executable is not armed.
#[derive(Debug, thiserror::Error)]
enum NotArmed {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("another file is there now")]
    OtherFile,
    #[error("it is no program that can be read")]
    Elf(#[from] crate::binary::Error),
    #[error(transparent)]
    Plan(#[from] NoPlan),
    /// The kernel would write its breakpoints into it all the same.
    #[error("a translator runs it, which would take breakpoints for its code")]
    Foreign,
    #[error("more functions than a run can watch")]
    TooMany,
    #[error("{places} places could not be probed")]
    Attach {
        places: usize,
        #[source]
        source: io::Error,
    },
}

impl Armed {
    pub(super) fn new(
        attacher: Attacher,
        generations: SharedWords,
        (costs, trial): (Costs, Vec<OwnedFd>),
        (watch, copies): (Watch, Option<Arc<dyn Parts>>),
    ) -> Self {
        Self {
            missing: Missing::of(&watch),
            attacher,
            generations,
            costs,
            trial,
            watch,
            copies,
            known: FxHashMap::default(),
            images: Vec::new(),
            probes: Vec::new(),
        }
    }

    /// What the user named for just one executable, which is there and does not have it.
    pub(super) fn wrong_name(&self) -> Option<&str> {
        self.missing.wrong_name()
    }

    /// Tells what the user named and was found nowhere.
    pub(super) fn tell_missing(&self, out: &mut dyn FnMut(Observation)) {
        for (spec, why) in self.missing.each(NEVER_RAN) {
            out(Observation::Unseen {
                time: now(),
                what: format!("calls of {spec}"),
                why: why.to_owned(),
            });
        }
    }

    /// What watching costs, in words; none where only sets are watched.
    pub(super) fn announcement(&self) -> Option<String> {
        let places: usize = self.images.iter().map(|image| image.places.len()).sum();
        if self.watch.named.is_empty() {
            return None;
        }
        let micros = |time: Nanos| time.0 as f64 / 1e3;
        let functions = self.probes.iter().filter(|tally| tally.named).count();
        if functions == 0 {
            if self.copies.is_some() {
                return None;
            }
            let why = self.missing.why();
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            return Some(format!(
                "no function that was named is there yet{why}; each program is looked at when it starts"
            ));
        }
        Some(format!(
            "watching {} at {places} places, with those of sets: about {:.1} µs a hit where the kernel emulates the instruction, {:.1} µs where it does not (exits), {:.1} ms for each process",
            match functions {
                1 => "1 function".to_owned(),
                functions => format!("{functions} functions"),
            },
            micros(self.costs.emulated),
            micros(self.costs.single_stepped),
            places as f64 * COST_OF_A_PLACE_MS,
        ))
    }

    /// A place was passed.
    pub(super) fn hit(&mut self, called: &Called<'_>) {
        if let Some(tally) = self.probes.get_mut(called.probe.index()) {
            tally.hits += 1;
            tally.spent += match called.edge {
                CallEdge::Entry => tally.entry_cost,
                CallEdge::Exit | CallEdge::TailJump => tally.exit_cost,
            };
        }
    }

    /// Gives up the functions that cost most, where all of them cost more of the command's CPU time
    /// than they may.
    pub(super) fn hold_budget(&mut self, cpu: Nanos, out: &mut dyn FnMut(Observation)) {
        let Some(limit) = self.watch.max_tax.share else {
            return;
        };
        let allowed = (cpu.seconds() * limit).max(ALLOWED);
        // What those have cost that were given up is past.
        let live = self.probes.iter().filter(|tally| !tally.given_up);
        let mut spent: f64 = live.map(|tally| tally.spent.seconds()).sum();
        if spent <= allowed {
            return;
        }
        let share = spent / cpu.seconds().max(spent);
        let mut order: Vec<usize> = (0..self.probes.len().min(GENERATIONS)).collect();
        order.retain(|&at| self.probes[at].may_go && !self.probes[at].given_up);
        order.sort_by_key(|&at| std::cmp::Reverse(self.probes[at].spent));
        let mut images = Vec::new();
        for at in order {
            if spent <= allowed {
                break;
            }
            let tally = &mut self.probes[at];
            if tally.spent == Nanos::ZERO {
                break;
            }
            spent -= tally.spent.seconds();
            tally.given_up = true;
            images.push(tally.image);
            out(Observation::ProbeDropped {
                time: now(),
                probe: ProbeId(u32::try_from(at).unwrap_or(u32::MAX)),
                hits: tally.hits,
                unrecorded: 0,
                why: format!(
                    "functions cost {:.1} % of the command's CPU time, {:.1} % are allowed (--max-tax)",
                    share * 100.0,
                    limit * 100.0
                ),
            });
            out(Observation::Unseen {
                time: now(),
                what: format!("further calls of {}", tally.function),
                why: format!(
                    "it cost more than --max-tax allows: given up after {} hits, {:.1} ms",
                    tally.hits,
                    tally.spent.seconds() * 1e3
                ),
            });
        }
        images.sort_unstable();
        images.dedup();
        for image in images {
            self.attach_anew(image);
        }
    }

    /// Takes the places of functions that were given up out of an executable. Where that fails,
    /// they are passed on, and not recorded.
    fn attach_anew(&mut self, image: usize) {
        let Some(image) = self.images.get_mut(image) else {
            return;
        };
        let probes = &self.probes;
        let given_up = |at: usize| probes.get(at).is_none_or(|tally| tally.given_up);
        let next = 1 - image.generation;
        for &(_, _, at) in &image.places {
            if given_up(at) {
                self.generations.set(at, GIVEN_UP);
            }
        }
        image.places.retain(|(_, _, at)| !given_up(*at));
        let places = with_generation(&image.places, next);
        if let Ok(attached) = self.attacher.attach_some(&image.file, &places) {
            for &(_, _, at) in &image.places {
                self.generations.set(at, next);
            }
            image.links = attached.links;
            image.generation = next;
        }
    }

    /// Arms files that will run, side by side.
    pub(super) fn expect(&mut self, paths: &[PathBuf], out: &mut dyn FnMut(Observation)) {
        let paths = paths.iter().filter_map(|path| {
            let path = path.canonicalize().ok()?;
            let key = ExeKey::of(&std::fs::metadata(&path).ok()?);
            Some((key, path.into_os_string().into_vec()))
        });
        let mut paths: Vec<(ExeKey, Vec<u8>)> = paths.collect();
        paths.retain(|(key, path)| self.is_watched(path) && !self.known.contains_key(key));
        paths.dedup_by_key(|(key, _)| *key);
        let begun = now();
        let parts: Vec<Part> = paths.iter().map(|(_, path)| self.part(path)).collect();
        let parts: Vec<_> = paths.iter().zip(&parts).collect();
        let watch = &self.watch;
        let found = side_by_side(&parts, |((key, path), part)| {
            Found::of(watch, *key, path, part)
        });
        let planned = now();
        let mut first = self.probes.len();
        let mut numbered = Vec::new();
        for found in &found {
            let places = found.as_ref().map(|found| found.places(first));
            numbered.push((first, places.unwrap_or_default()));
            first += found.as_ref().map_or(0, |found| found.plan.functions.len());
        }
        let attacher = &self.attacher;
        let work: Vec<_> = paths.iter().zip(&found).zip(&numbered).collect();
        let links = side_by_side(&work, |(((_, path), found), (first, places))| match found {
            Ok(found) => {
                let first = *first;
                found.attach(attacher, places, Numbered { path, first })
            }
            Err(_) => Ok(Attached::default()),
        });
        let places = numbered
            .iter()
            .map(|(_, places)| places.len())
            .sum::<usize>() as u64;
        for (key, value) in [
            ("probe_places", places),
            ("probe_plan_ns", planned.0.saturating_sub(begun.0)),
            ("probe_attach_ns", now().0.saturating_sub(planned.0)),
        ] {
            out(Observation::Configured {
                key: key.to_owned(),
                value: value.to_string(),
            });
        }
        for ((((key, path), found), (_, places)), links) in
            paths.iter().zip(found).zip(numbered).zip(links)
        {
            let entered = found.and_then(|found| self.enter(found, places, links?, out));
            let watched = self.judge(path, entered, out);
            self.known.insert(*key, watched);
        }
    }

    /// What the file at a path is beside copies.
    fn part(&self, path: &[u8]) -> Part {
        let path = Path::new(OsStr::from_bytes(path));
        let copies = self.copies.as_ref();
        copies.map_or(Part::Itself, |copies| copies.part(path))
    }

    /// Whether functions of a file are asked for, and it runs itself.
    fn is_watched(&self, path: &[u8]) -> bool {
        match self.part(path) {
            Part::Itself => self.watch.concerns(path),
            Part::Original => false,
            Part::Copy(_) => true,
        }
    }

    /// Whether functions of a file may be asked for.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        self.watch.concerns(path.as_os_str().as_bytes())
    }

    /// Arms a file that runs since `running`, where something in it is asked for.
    pub(super) fn ran(
        &mut self,
        key: ExeKey,
        path: &[u8],
        running: Option<Monotonic>,
        out: &mut dyn FnMut(Observation),
    ) {
        if !self.is_watched(path) {
            return;
        }
        let watched = match self.known(key, path) {
            Some(watched) => watched,
            None => {
                let entered = self.arm(key, path, out);
                let watched = self.judge(path, entered, out);
                self.known.insert(key, watched);
                watched
            }
        };
        if let (Some(began), Some(watched)) = (running, watched)
            && began < watched
        {
            let late = watched.0.saturating_sub(began.0) as f64 / 1e6;
            out(Observation::Unseen {
                time: began,
                what: format!("calls in {}", String::from_utf8_lossy(path)),
                why: format!(
                    "it was not known before it ran, and is watched since {late:.1} ms after its start"
                ),
            });
        }
    }

    /// Arms a program that runs as it is although it has a copy: something else has started it than who knows of that.
    /// Where it only tells its version, as the go command asks its tools, nothing of it is missed.
    pub(super) fn ran_itself(&mut self, executed: &Executed, out: &mut dyn FnMut(Observation)) {
        let path = executed.exe.as_slice();
        let mut copies = self.copies.iter();
        let tells = copies.any(|copies| copies.tells(executed.pid));
        if tells || !matches!(self.part(path), Part::Original) || !self.watch.concerns(path) {
            return;
        }
        let words = arguments::split(&executed.argv);
        let Ok(found) = std::fs::metadata(OsStr::from_bytes(path)) else {
            return;
        };
        let key = ExeKey::of(&found);
        let asks_version = words.len() == 2 && words.get(1) == Some(&&b"-V=full"[..]);
        if asks_version || self.known.contains_key(&key) {
            return;
        }
        let entered = self.arm(key, path, out);
        let watched = self.judge(path, entered, out);
        self.known.insert(key, watched);
        let path = String::from_utf8_lossy(path);
        let what = format!("calls in {path} where it runs as it is, and not its copy");
        let why = match watched {
            _ if self.watch.marks_alone => {
                "calls are not recorded one by one, which copies alone can do: only phases are seen there"
                    .to_owned()
            }
            Some(watched) => {
                let late = watched.0.saturating_sub(executed.time.0) as f64 / 1e6;
                format!("something started it that gotrace did not expect to; it is watched since {late:.1} ms after that")
            }
            None => return,
        };
        out(Observation::Unseen {
            time: executed.time,
            what,
            why,
        });
    }

    /// Since when a file is watched, if anything in it is; tells why not, where that matters.
    fn judge(
        &mut self,
        path: &[u8],
        entered: Result<usize, NotArmed>,
        out: &mut dyn FnMut(Observation),
    ) -> Option<Monotonic> {
        match entered {
            Ok(0) => None,
            Ok(_) => Some(now()),
            // Of any program, those that are none of Go are not meant.
            Err(NotArmed::Plan(_) | NotArmed::Elf(_)) if !self.watch.names(path) => None,
            Err(why) => {
                let words = crate::capture::chain(&why);
                let path_text = String::from_utf8_lossy(path);
                if self.missing.unwatched(path, &words) {
                    return None;
                }
                out(Observation::Unseen {
                    time: now(),
                    what: format!("calls in {path_text}"),
                    why: words,
                });
                None
            }
        }
    }

    /// What is known of a file that was looked at before. Overlay file systems tell programs other
    /// numbers than the kernel, so that numbers alone would have it watched twice.
    fn known(&mut self, key: ExeKey, path: &[u8]) -> Option<Option<Monotonic>> {
        if let Some(watched) = self.known.get(&key) {
            return Some(*watched);
        }
        let told = std::fs::metadata(Path::new(OsStr::from_bytes(path))).ok()?;
        let told = ExeKey::of(&told);
        let watched = *self.known.get(&told).filter(|_| told.size == key.size)?;
        self.known.insert(key, watched);
        Some(watched)
    }

    /// Returns how many functions are watched now.
    fn arm(
        &mut self,
        key: ExeKey,
        path: &[u8],
        out: &mut dyn FnMut(Observation),
    ) -> Result<usize, NotArmed> {
        let found = Found::of(&self.watch, key, path, &self.part(path))?;
        let first = self.probes.len();
        let places = found.places(first);
        let attached = found.attach(&self.attacher, &places, Numbered { path, first })?;
        self.enter(found, places, attached, out)
    }

    /// Enters an executable that is armed, whose functions have the next numbers.
    fn enter(
        &mut self,
        found: Found,
        places: Vec<Place>,
        attached: Attached<OwnedFd>,
        out: &mut dyn FnMut(Observation),
    ) -> Result<usize, NotArmed> {
        let (plan, path) = (&found.plan, found.path.as_slice());
        self.tell_left_out(path, plan, out);
        self.missing.planned(path, &plan.unmatched);
        let first = self.probes.len();
        let functions = plan.functions.iter().zip(&found.arguments);
        for (number, (function, argument)) in (first..).zip(functions) {
            let probe = ProbeId(u32::try_from(number).unwrap_or(u32::MAX));
            if probe >= TRIAL {
                return Err(NotArmed::TooMany);
            }
            let probed = Probed {
                argument: *argument,
                ..self.probed(probe, function, path, &found.build_id)
            };
            self.probes.push(Tally {
                image: self.images.len(),
                function: String::from_utf8_lossy(&function.name).into_owned(),
                entry_cost: probed.entry_cost,
                exit_cost: probed.exit_cost,
                named: function.set.is_none(),
                may_go: match function.set.as_deref() {
                    // Without it the others' calls would not end.
                    Some(Probe::ENDS_OF_GOROUTINES) => false,
                    Some(_) => true,
                    None => self.watch.max_tax.named_too,
                },
                given_up: false,
                hits: 0,
                spent: Nanos::ZERO,
            });
            out(Observation::Probed(Box::new(probed)));
        }
        let functions = plan.functions.len();
        self.give_up_refused(path, &places, &attached.refused, out);
        self.images.push(Image {
            file: found.file,
            links: attached.links,
            generation: 0,
            places,
        });
        Ok(functions)
    }

    /// Gives up functions of which the kernel refuses a place: entries without exits, or exits
    /// without entries, would be told as calls that never end or never began.
    fn give_up_refused(
        &mut self,
        path: &[u8],
        places: &[Place],
        refused: &[(u64, io::Error)],
        out: &mut dyn FnMut(Observation),
    ) {
        for (offset, error) in refused {
            let place = places.iter().find(|(of, ..)| of == offset);
            let Some((at, tally)) =
                place.and_then(|&(_, _, at)| Some((at, self.probes.get_mut(at)?)))
            else {
                continue;
            };
            tally.given_up = true;
            self.generations.set(at, GIVEN_UP);
            out(Observation::Unseen {
                time: now(),
                what: format!(
                    "calls of {} in {}",
                    tally.function,
                    String::from_utf8_lossy(path)
                ),
                why: format!("the kernel puts no probe on offset {offset:#x}: {error}"),
            });
        }
    }

    /// Takes all probes away, side by side: the kernel waits for each.
    pub(super) fn disarm(self) {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(self.trial));
            for image in self.images {
                scope.spawn(move || drop(image.links));
            }
        });
    }

    fn tell_left_out(&self, path: &[u8], plan: &Plan, out: &mut dyn FnMut(Observation)) {
        let path = String::from_utf8_lossy(path);
        for left_out in &plan.left_out {
            out(Observation::Unseen {
                time: now(),
                what: format!(
                    "calls of {} in {path}",
                    String::from_utf8_lossy(&left_out.name)
                ),
                why: left_out.why.to_string(),
            });
        }
    }

    fn probed(&self, probe: ProbeId, function: &Planned, path: &[u8], build_id: &[u8]) -> Probed {
        let cost = |site: &PlannedSite| match site.stepping {
            Stepping::Emulated => self.costs.emulated,
            Stepping::SingleStepped => self.costs.single_stepped,
        };
        let entry = |site: &&PlannedSite| site.edge == CallEdge::Entry;
        let entry = function.sites.iter().find(entry);
        let exits = function
            .sites
            .iter()
            .filter(|site| site.edge != CallEdge::Entry);
        Probed {
            probe,
            path: path.to_vec(),
            build_id: build_id.to_vec(),
            function: function.name.clone(),
            file: function.file.clone(),
            entry: entry.map_or(0, |site| site.offset),
            instruction: entry.map_or_else(String::new, |site| site.text.clone()),
            entry_cost: entry.map_or(Nanos::ZERO, cost),
            exits: u32::try_from(exits.clone().count()).unwrap_or(u32::MAX),
            exit_cost: exits.map(cost).max().unwrap_or_default(),
            set: function.set.clone().unwrap_or_default(),
            phase: function.phase.clone(),
            argument: ArgumentKind::None,
        }
    }
}

/// The places of an open executable as they are attached, its functions numbered from `first` on:
/// what [`Armed`] finds, too. For the helper, which takes no places from anybody.
pub(super) fn places_of(
    watch: &Watch,
    file: &File,
    of: Numbered<'_>,
) -> Result<Vec<(u64, u64)>, String> {
    let plan = |file| Found::of_file(watch, file, of.path, &Part::Itself);
    let found = file.try_clone().map_err(NotArmed::Read).and_then(plan);
    let found = found.map_err(|error| crate::capture::chain(&error))?;
    let end = of.first.saturating_add(found.plan.functions.len());
    if end >= TRIAL.index() {
        return Err(NotArmed::TooMany.to_string());
    }
    Ok(with_generation(&found.places(of.first), 0))
}

/// Places as they are attached.
fn with_generation(places: &[Place], generation: u64) -> Vec<(u64, u64)> {
    let bit = generation * GENERATION;
    places
        .iter()
        .map(|(offset, cookie, _)| (*offset, cookie | bit))
        .collect()
}

fn cookie(
    number: u32,
    function: &Planned,
    site: &PlannedSite,
    (argument, goid): (ArgumentKind, u16),
) -> u64 {
    let edge = match site.edge {
        CallEdge::Entry => 0,
        CallEdge::Exit => 1,
        CallEdge::TailJump => 2,
    };
    let argument = match argument {
        _ if site.edge != CallEdge::Entry => 0,
        ArgumentKind::None => 0,
        ArgumentKind::Integer | ArgumentKind::Signed(_) | ArgumentKind::Unsigned(_) => INTEGER,
        ArgumentKind::Text => TEXT,
    };
    let register = if function.g_in_register { REGISTER } else { 0 };
    u64::from(number) & ((1 << PROBE_BITS) - 1)
        | edge << EDGE_SHIFT
        | register
        | argument
        | u64::from(goid) << GOID_SHIFT
        | u64::from(site.stack_depth) << DEPTH_SHIFT
}
