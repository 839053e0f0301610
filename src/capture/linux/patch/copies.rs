//! Programs in, their copies out: what is asked for of each is planned, put into a copy, and kept.

use super::ENTRY_COST;
use super::account::{Account, Argument, OfPath, What, without_address};
use super::cache::{Cache, Kept};
use super::choice::Choice;
use super::in_place::{Fate, InPlace};
use super::sums::{self, FileKey, Sums};
use crate::binary::elf::{Elf, Machine};
use crate::binary::trampoline::{self, Graft, NoCopy, Survey};
use crate::capture::calls::OF_COPIES;
use crate::capture::decode::call_sieve::{self, Functions, Traits};
use crate::capture::linux::parts::{Part, Parts, Rest};
use crate::capture::linux::sys;
use crate::capture::own_path::{Otherwise, OwnPath};
use crate::capture::probes::{CallMode, FunctionGlob, Missing, NoPlan, Watch};
use crate::capture::ring::Image;
use crate::capture::stand_in::{NUMBERS, StandIn, StandIns};
use crate::capture::sys::has_capabilities;
use crate::capture::{Monotonic, Observation, chain, launch, plain_file};
use crate::trace::{Nanos, Pid, ProbeId};
use crossbeam_channel::Sender;
use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest program of which a copy is made.
const LARGEST: u64 = 1 << 30;
const SET_ID: u32 = 0o6000;
/// What is asked for of programs of which none is made a copy.
const NEVER_STARTED: &str = "gotrace has started no program of that name, nor has a go command as its tool (what programs, scripts, go run and go test start runs as it is; as root the backend bpf watches that)";

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
    #[error("a copy would not have the rights that it takes on ({0})")]
    Rights(&'static str),
    #[error("expected less than 1 GiB, found {0} bytes")]
    Large(u64),
    #[error("its copy cannot be kept in {} (set XDG_CACHE_HOME to a folder of yours)", .0.display())]
    Keep(PathBuf, #[source] io::Error),
    #[error("more functions than a run can watch")]
    TooMany,
    #[error("it is for another processor, whose time stamp counter is not known here")]
    Counter,
}

/// All copies of a run.
#[derive(Debug)]
pub(super) struct Copies {
    watch: Watch,
    /// The kernel's probes watch what copies do not tell of.
    beside_kernel: bool,
    cache: Cache,
    sums: Sums,
    ring: Arc<OwnedFd>,
    known: Mutex<Known>,
}

/// The copy of a program.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) copy: PathBuf,
    /// The file that it was made of.
    pub(super) original: FileKey,
    pub(super) path: OfPath,
    pub(super) graft: Option<Graft>,
}

#[derive(Debug)]
struct Known {
    programs: FxHashMap<PathBuf, (FileKey, Option<Made>)>,
    /// By what their records say that they are.
    images: FxHashMap<u64, Arc<Image>>,
    probes: u32,
    /// What an entry costs at most.
    entry_cost: Nanos,
    /// The command's program, where that is to run from its own file.
    in_place: Option<(PathBuf, Arc<Fate>)>,
    /// What copies do not tell of, by their paths.
    rests: FxHashMap<PathBuf, Rest>,
    /// How many functions that are asked for are left alone, by why.
    left_alone: BTreeMap<String, usize>,
    /// The first program that has no copy although functions of it are asked for, and why.
    without: Option<String>,
    missing: Missing,
    /// What calls are recorded inside of, or between, and no watched function is: an option, and its value.
    unmet: Vec<(&'static str, FunctionGlob)>,
    out: Out,
}

/// What there is to tell: kept until there is somebody to tell it.
#[derive(Debug)]
enum Out {
    Later(Vec<Observation>),
    Now(Sender<Observation>),
}

impl Copies {
    pub(super) fn new(
        (watch, beside_kernel): (Watch, bool),
        (cache, sums): (Cache, Sums),
        ring: OwnedFd,
    ) -> Self {
        let known = Known {
            programs: FxHashMap::default(),
            images: FxHashMap::default(),
            probes: 0,
            entry_cost: ENTRY_COST,
            in_place: None,
            rests: FxHashMap::default(),
            left_alone: BTreeMap::new(),
            without: None,
            missing: Missing::of(&watch),
            unmet: call_sieve::bounds(&watch.mode),
            out: Out::Later(Vec::new()),
        };
        Self {
            watch,
            beside_kernel,
            cache,
            sums,
            ring: Arc::new(ring),
            known: Mutex::new(known),
        }
    }

    /// Tells what there is to tell to somebody, from now on.
    pub(super) fn tell_to(&self, out: &Sender<Observation>) {
        // There may be more than can wait, and others need what is known until somebody listens.
        loop {
            let waiting = self.known().waiting(out);
            let Some(observations) = waiting else {
                return;
            };
            for observation in observations {
                // A session that is gone wants to know nothing.
                drop(out.send(observation));
            }
        }
    }

    /// The program that a record's chunk says it is of.
    pub(super) fn image(&self, copy: u64) -> Option<Arc<Image>> {
        self.known().images.get(&copy).cloned()
    }

    /// The path of the original of what runs as its copy, or has that put over itself.
    pub(super) fn original(&self, running: &Path) -> Option<Vec<u8>> {
        let known = self.known();
        let of_copy = known.rests.get(running).map(|rest| rest.original.clone());
        of_copy.or_else(|| {
            let (path, fate) = known.in_place.as_ref()?;
            let is_it = path == running && fate.tells();
            is_it.then(|| path.as_os_str().as_bytes().to_vec())
        })
    }

    /// Whether the command's program, that was to run from its own file, tells of nothing, and that was said.
    pub(super) fn is_told(&self) -> bool {
        let known = self.known();
        let mut fates = known.in_place.iter();
        fates.any(|(_, fate)| fate.is_told())
    }

    /// What runs in the place of the command's program, or is put over that.
    pub(super) fn of_command(&self, program: &Path, when: OwnPath) -> Option<StandIn> {
        let made = self.copy_of(program)?;
        let otherwise = match (when, made.path) {
            (OwnPath::Never, _) | (OwnPath::Auto, OfPath::Unknown) => return self.of(program),
            // It has GOROOT for what it would look for.
            (OwnPath::Auto, _) if launch::is_go(program.as_os_str()) => return self.of(program),
            (OwnPath::Auto, OfPath::Sought) => Otherwise::Copy,
            (OwnPath::Auto, OfPath::Bound) => Otherwise::AsItIs,
            (OwnPath::Always, _) => Otherwise::Nothing,
        };
        let key = FileKey::of(&made.copy.metadata().ok()?);
        let fate = Arc::<Fate>::default();
        let path = program.canonicalize().ok()?;
        self.known().in_place = Some((path, Arc::clone(&fate)));
        let in_place = InPlace {
            graft: made.graft,
            original: made.original,
            copy: (made.copy.clone(), key),
            ring: Arc::clone(&self.ring),
            otherwise,
            fate,
        };
        Some(StandIn {
            program: made.copy,
            descriptor: Arc::clone(&self.ring),
            in_place: Some(in_place),
        })
    }

    /// Whether they tell of more than the sets that are watched by default.
    pub(super) fn are_asked_for(&self) -> bool {
        self.watch.is_asked_for()
    }

    /// Whether a program has a copy.
    pub(super) fn are_there(&self) -> bool {
        !self.known().rests.is_empty()
    }

    /// Why there is none, as far as that is known.
    pub(super) fn why_none(&self) -> String {
        let why = self.known().without.clone();
        why.unwrap_or_else(|| "none has functions that can tell of their calls".to_owned())
    }

    /// The kernel's probes watch all of what copies do not tell of. Where calls are not recorded one by one, that is
    /// no more than what marks phases.
    fn leaves_rest(&self) -> bool {
        self.beside_kernel && self.watch.mode.is_full()
    }

    /// How many functions are watched, in how many programs, what that costs, and how many are not, with why.
    pub(super) fn announcement(&self) -> String {
        let known = self.known();
        let programs = match known.images.len() {
            1 => "a program".to_owned(),
            many => format!("{many} programs"),
        };
        let cost = format!(
            "about {} ns an entry, and as much an exit",
            known.entry_cost.0
        );
        let words = match (known.probes, &known.without) {
            (0, Some(why)) => format!("no function tells of its calls: {why}"),
            (0, None) => "no function tells of its calls yet: those of other programs are found as they start".to_owned(),
            (1, _) => format!("a function of {programs} tells of its calls: {cost}"),
            (many, _) => format!("{many} functions of {programs} tell of their calls: {cost}"),
        };
        let mut reasons: Vec<_> = known.left_alone.iter().collect();
        if !reasons.is_empty() {
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let all: usize = known.left_alone.values().sum();
            let reasons = reasons.iter().map(|(why, count)| format!("{count}: {why}"));
            let reasons: Vec<String> = reasons.collect();
            return format!("{words}; {all} do not ({})", reasons.join("; "));
        }
        words
    }

    /// What the user named for just one executable, which is there and does not have it.
    pub(super) fn wrong_name(&self) -> Option<String> {
        self.known().missing.wrong_name().map(str::to_owned)
    }

    /// Tells what was asked for and found nowhere, and nothing more after that.
    pub(super) fn finish(&self) {
        let mut known = self.known();
        // Beside the kernel's probes those tell that: they see all programs.
        if !self.leaves_rest() {
            known.tell_missing();
        }
        known.out = Out::Later(Vec::new());
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of a program, made where it is not there yet.
    pub(super) fn copy_of(&self, program: &Path) -> Option<Made> {
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
        let kept = self.make(&path, file).unwrap_or_else(|why| {
            let leaves_rest = self.leaves_rest();
            self.known().judge((&self.watch, leaves_rest), name, &why);
            None
        });
        let made = kept.and_then(|Kept { account, copy }| {
            Some(Made {
                copy: copy?,
                original: key,
                path: account.path,
                graft: account.graft,
            })
        });
        let known = (key, made.clone());
        self.known().programs.insert(path, known);
        made
    }

    /// Makes a copy. What is known is held for moments only: others make theirs meanwhile.
    fn make(&self, path: &Path, mut file: File) -> Result<Option<Kept>, NotCopied> {
        let begun = sys::monotonic();
        let found = file.metadata()?;
        if found.mode() & SET_ID != 0 {
            return Err(NotCopied::Rights("set-user-ID"));
        }
        if has_capabilities(path) {
            return Err(NotCopied::Rights("capabilities of its file"));
        }
        if found.size() > LARGEST {
            return Err(NotCopied::Large(found.size()));
        }
        let (sum, data) = self.sum(&mut file, &found)?;
        let name = path.as_os_str().as_bytes();
        let base_name = path.file_name().unwrap_or_default();
        let leaves_strings = self.leaves_rest() && self.watch.arguments;
        let asked = format!("{leaves_strings} {}", self.watch.text_of(name));
        let key = Key::of(&sum, base_name, &asked);
        let kept = match self.cache.find(&key.text(), base_name) {
            // What is missing is told with what comes near.
            Some(kept) if kept.account.has_all => {
                self.known().missing.planned(name, &[]);
                kept
            }
            _ => {
                let data = match data {
                    Some(data) => data,
                    None => read(&mut file)?,
                };
                self.plan(&data, name, base_name, (&key, leaves_strings))?
            }
        };
        let mut known = self.known();
        if let Some(copy) = &kept.copy {
            let rest = Rest {
                original: name.to_vec(),
                bytes: found.size(),
                functions: Arc::new(kept.account.rest.iter().copied().collect()),
            };
            known.rests.insert(copy.clone(), rest);
        }
        known.enter(
            (name, self.leaves_rest()),
            (key.image(), &self.watch.mode),
            &kept.account,
        )?;
        let spent = sys::monotonic().saturating_sub(begun);
        known.tell(Observation::Configured {
            key: format!("patch_ns:{}", base_name.to_string_lossy()),
            value: spent.to_string(),
        });
        Ok(Some(kept))
    }

    /// The SHA-256 of a file, and its bytes where they had to be read for that.
    fn sum(&self, file: &mut File, found: &Metadata) -> io::Result<(String, Option<Vec<u8>>)> {
        let key = FileKey::of(found);
        if let Some(sum) = self.sums.find(&key) {
            return Ok((sum, None));
        }
        let data = read(file)?;
        let sum = sums::sum(&data);
        if FileKey::of(&file.metadata()?) == key {
            self.sums.keep(&key, &sum);
        }
        Ok((sum, Some(data)))
    }

    /// Finds out what of a program is to be put into its copy, and makes that.
    fn plan(
        &self,
        data: &[u8],
        path: &[u8],
        base_name: &OsStr,
        (key, leaves_strings): (&Key, bool),
    ) -> Result<Kept, NotCopied> {
        let elf = Elf::parse(data)?;
        if elf.machine == Machine::Amd64 && cfg!(not(target_arch = "x86_64")) {
            return Err(NotCopied::Counter);
        }
        let mut asked = self.watch.asked(&elf, path)?;
        asked.leave_out_wrappers();
        self.known().missing.planned(path, &asked.unmatched);
        let arguments = self.watch.arguments_of(&asked.functions, data);
        let (choice, copied, graft) = if asked.functions.is_empty() {
            (Choice::default(), None, None)
        } else {
            let survey = Survey::of(&elf)?;
            let choice = Choice::of(&elf, &survey, (asked.functions, leaves_strings), &arguments)?;
            let places = choice.marked();
            let copied = (!places.is_empty())
                .then(|| trampoline::copy(&survey, data, key.image(), NUMBERS, &places));
            let copied = copied.transpose()?;
            let graft = copied.as_ref();
            let graft = graft.map(|copied| Graft::of(&survey, data, copied));
            let graft = graft.transpose()?.flatten();
            drop(places);
            (choice, copied, graft)
        };
        let account = Account {
            has_all: asked.unmatched.is_empty(),
            path: OfPath::of(data, &elf),
            graft,
            ..choice.account(&elf)
        };
        let kept = self
            .cache
            .keep(&key.text(), base_name, account, copied.as_ref());
        kept.map_err(|error| NotCopied::Keep(self.cache.folder().to_owned(), error))
    }
}

/// All bytes of a file.
fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    file.read_to_end(&mut data)?;
    Ok(data)
}

/// What a copy is found by, and what its records' chunks say that it is.
struct Key([u8; 32]);

impl Key {
    /// That of the program with this sum and name, of which this is asked for.
    fn of(sum: &str, base_name: &OsStr, asked: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [
            sum.as_bytes(),
            base_name.as_bytes(),
            env!("CARGO_PKG_VERSION").as_bytes(),
            trampoline::ASSEMBLED[0],
            trampoline::ASSEMBLED[1],
            format!("{NUMBERS:?}").as_bytes(),
            asked.as_bytes(),
        ] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    fn text(&self) -> String {
        sums::hexadecimal(self.0.get(..16))
    }

    fn image(&self) -> u64 {
        let begin = self.0.first_chunk().copied();
        u64::from_le_bytes(begin.unwrap_or_default())
    }
}

impl StandIns for Copies {
    fn of(&self, program: &Path) -> Option<StandIn> {
        let made = self.copy_of(program)?;
        if made.path == OfPath::Bound {
            self.known().tell(unseen(
                format!("calls in {}", program.display()),
                "it finds its libraries by its own path, which its copy does not have".to_owned(),
            ));
            return None;
        }
        Some(StandIn {
            program: made.copy,
            descriptor: Arc::clone(&self.ring),
            in_place: None,
        })
    }
}

impl Parts for Copies {
    fn copy(&self, program: &Path) -> Option<PathBuf> {
        let program = program.canonicalize().ok()?;
        let known = self.known();
        let made = known.programs.get(&program)?.1.as_ref()?;
        Some(made.copy.clone())
    }

    fn tells(&self, pid: Pid) -> bool {
        let known = self.known();
        let mut fates = known.in_place.iter();
        fates.any(|(_, fate)| fate.is_of(pid))
    }

    fn part(&self, path: &Path) -> Part {
        let known = self.known();
        if let Some(rest) = known.rests.get(path) {
            return Part::Copy(rest.clone());
        }
        match known.programs.get(path) {
            Some((_, Some(_))) => Part::Original,
            _ => Part::Itself,
        }
    }
}

impl Known {
    /// What waits to be told; where nothing does, it is told at once from now on.
    fn waiting(&mut self, out: &Sender<Observation>) -> Option<Vec<Observation>> {
        match &mut self.out {
            Out::Later(observations) if !observations.is_empty() => {
                Some(std::mem::take(observations))
            }
            _ => {
                self.out = Out::Now(out.clone());
                None
            }
        }
    }

    fn tell(&mut self, observation: Observation) {
        match &mut self.out {
            Out::Later(observations) => observations.push(observation),
            // A session that is gone wants to know nothing.
            Out::Now(out) => drop(out.send(observation)),
        }
    }

    /// Tells what was asked for and found nowhere.
    fn tell_missing(&mut self) {
        let missing: Vec<_> = self
            .missing
            .each(NEVER_STARTED)
            .map(|(spec, why)| unseen(format!("calls of {spec}"), why.to_owned()))
            .collect();
        for observation in missing {
            self.tell(observation);
        }
        for bound in std::mem::take(&mut self.unmet) {
            let (what, why) = call_sieve::unmet(&bound);
            self.tell(unseen(what, why));
        }
    }

    /// Tells why a program has no copy, where that matters: of any program, those that are none of Go are not meant.
    /// Beside the kernel's probes nothing is missing for that.
    fn judge(&mut self, (watch, leaves_rest): (&Watch, bool), path: &[u8], why: &NotCopied) {
        let words = chain(why);
        let own = Path::new(OsStr::from_bytes(path));
        let first = || format!("{}: {words}", own.display());
        if leaves_rest {
            let name = own.file_name().unwrap_or_default().to_string_lossy();
            self.without.get_or_insert_with(first);
            self.tell(Observation::Configured {
                key: format!("patch_without:{name}"),
                value: words,
            });
            return;
        }
        if matches!(why, NotCopied::Plan(_) | NotCopied::Elf(_)) && !watch.names(path) {
            return;
        }
        self.without.get_or_insert_with(first);
        if !self.missing.unwatched(path, &words) {
            let path = String::from_utf8_lossy(path);
            self.tell(unseen(format!("calls in {path}"), words));
        }
    }

    /// Enters a program whose functions have the next numbers.
    fn enter(
        &mut self,
        (path, leaves_rest): (&[u8], bool),
        (image, mode): (u64, &CallMode),
        account: &Account,
    ) -> Result<(), NotCopied> {
        let unseen_here = account.unseen.iter();
        for what in unseen_here.filter(|what| !(what.is_rest && leaves_rest)) {
            self.tell(unseen(what.what(path), what.why.clone()));
            if what.what == What::Calls {
                let why = without_address(&what.why).to_owned();
                *self.left_alone.entry(why).or_default() += what.functions;
            }
        }
        // The same program may be there twice.
        if account.functions.is_empty() || self.images.contains_key(&image) {
            return Ok(());
        }
        let first = OF_COPIES.saturating_add(self.probes);
        let count = u32::try_from(account.functions.len()).map_err(|_many| NotCopied::TooMany)?;
        self.probes = self.probes.saturating_add(count);
        first.checked_add(count).ok_or(NotCopied::TooMany)?;
        for probed in account.probed(path, first) {
            self.tell(Observation::Probed(Box::new(probed)));
        }
        self.unmet.retain(|(_, glob)| {
            let mut functions = account.functions.iter();
            !functions.any(|function| glob.matches(function.name.as_bytes()))
        });
        let functions = Functions {
            first: ProbeId(first),
            traits: traits(account, mode),
        };
        let [entry_cost, _] = account.costs();
        self.entry_cost = self.entry_cost.max(entry_cost);
        let image_of = Image {
            functions,
            may_be_guest: account.is_for_arm64,
        };
        self.images.insert(image, Arc::new(image_of));
        Ok(())
    }
}

/// What is to be known of each function when its calls are read.
fn traits(account: &Account, mode: &CallMode) -> Vec<Traits> {
    let functions = account.functions.iter();
    let traits = functions.map(|function| {
        Traits::of(function.name.as_bytes(), mode)
            .with(Traits::ARGUMENT, function.argument != Argument::None)
            .with(Traits::MARKS, function.phase.is_some())
            .with(Traits::INSTANT, function.exits == 0)
    });
    traits.collect()
}

/// Something that cannot be seen, and why.
fn unseen(what: String, why: String) -> Observation {
    Observation::Unseen {
        time: Monotonic(sys::monotonic()),
        what,
        why,
    }
}
