//! What the processes of an executable are watched for: its file in, a script and the functions of it out.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustc_hash::FxHashMap;

use super::loader::{self, Loader};
use super::script::{Script, Wanted};
use crate::binary::elf::Elf;
use crate::binary::go::{BuildInfo, Container, GoroutineFields};
use crate::binary::macho::{MachO, Slices};
use crate::capture::probes::{Asked, AskedOf, Mode, NoPlan, Watch};
use crate::capture::repeat::PrivateFolder;
use crate::capture::{Monotonic, Observation, Probed, alive, chain, plain_file};
use crate::environment::translator;
use crate::trace::{Arch, ArgumentKind, ProbeId};

/// The largest executable that is looked into.
const LARGEST: u64 = 1 << 30;

/// Functions and scripts of all executables that have been met.
#[derive(Debug)]
pub(super) struct Targets {
    watch: Watch,
    rate_hz: u32,
    /// Of root alone: what `dtrace` is to do is written by nobody else.
    folder: Arc<PrivateFolder>,
    known: HashMap<PathBuf, Arc<Target>>,
    probes: u32,
    /// What dyld does is to be told.
    bindings: bool,
    loader: Arc<Loader>,
}

/// An executable.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// What `dtrace` is to do; none where there is nothing to watch.
    pub(super) script: Option<ScriptFile>,
    /// That with what dyld does, where it is to be told.
    pub(super) with_loader: Option<ScriptFile>,
    /// What is known of dyld.
    pub(super) loader: Arc<Loader>,
    /// Its architecture.
    pub(super) arch: Arch,
    /// Its functions that are watched, by the names that `dtrace` prints.
    pub(super) functions: FxHashMap<Vec<u8>, Watched>,
    /// What translates it, or empty.
    pub(super) translator: String,
    /// Samples a second.
    pub(super) rate_hz: u32,
    /// Its path.
    pub(super) path: PathBuf,
    /// What was asked for and is not there, in words.
    pub(super) unmatched: Vec<String>,
}

/// The file of a script, which is there for as long as somebody may read it.
#[derive(Debug)]
pub(super) struct ScriptFile {
    folder: Arc<PrivateFolder>,
    name: String,
}

impl ScriptFile {
    /// A file of this name, which is not written yet.
    pub(super) fn new(folder: Arc<PrivateFolder>, name: &str) -> Self {
        let name = name.to_owned();
        Self { folder, name }
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// A function that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// Its number.
    pub(super) probe: ProbeId,
    /// Its exits are watched, too.
    pub(super) exits: bool,
    /// Its first argument is to be recorded.
    pub(super) argument: bool,
}

impl Targets {
    /// None yet.
    ///
    /// # Errors
    ///
    /// When there is no place for scripts.
    pub(super) fn new(
        watch: Watch,
        rate_hz: u32,
        bindings: bool,
        out: &Sender<Observation>,
    ) -> io::Result<Self> {
        let mut targets = Self {
            watch,
            rate_hz,
            folder: Arc::new(PrivateFolder::create("dtrace", Path::new("/tmp"), None)?),
            known: HashMap::new(),
            probes: 0,
            bindings,
            loader: Arc::default(),
        };
        if bindings {
            let watched = loader::FUNCTIONS.iter();
            let watched = watched.map(|function| targets.probe_of_loader(function, out));
            targets.loader = Arc::new(Loader::of(watched.collect()));
        }
        Ok(targets)
    }

    /// What the processes of this executable are watched for. What is new is told.
    pub(super) fn of(
        &mut self,
        path: &Path,
        now: Monotonic,
        out: &Sender<Observation>,
    ) -> Arc<Target> {
        if let Some(known) = self.known.get(path) {
            return Arc::clone(known);
        }
        let target = Arc::new(self.meet(path, now, out));
        self.known.insert(path.to_owned(), Arc::clone(&target));
        target
    }

    fn meet(&mut self, path: &Path, now: Monotonic, out: &Sender<Observation>) -> Target {
        let unseen = |what: String, why: String| {
            let time = now;
            drop(out.send(Observation::Unseen { time, what, why }));
        };
        let mut target = Target {
            path: path.to_owned(),
            rate_hz: self.rate_hz,
            translator: translator::of_executable(path),
            loader: Arc::clone(&self.loader),
            arch: alive::arch(path),
            ..Target::default()
        };
        let name = path.as_os_str().as_bytes();
        let concerns = self.watch.concerns(name);
        let found = if concerns {
            self.functions(path)
        } else {
            Ok(Found::default())
        };
        let found = found.unwrap_or_else(|why| {
            unseen(format!("functions of {}", path.display()), why);
            Found::default()
        });
        let wanted = Wanted {
            functions: &found.asked.functions,
            symbols: &found.asked.symbols,
            arch: target.arch,
            number_offset: found.number_offset,
            rate_hz: self.rate_hz,
            images: false,
            loader: false,
        };
        let script = Script::new(&wanted);
        for (place, why) in &script.left_out {
            if let Some(function) = found.asked.functions.get(*place) {
                let function = String::from_utf8_lossy(&function.name);
                unseen(
                    format!("{function} of {}", path.display()),
                    (*why).to_owned(),
                );
            }
        }
        for unmatched in &found.asked.unmatched {
            let words = unmatched.words(&path.display().to_string());
            unseen(unmatched.spec.to_string(), words.clone());
            target.unmatched.push(words);
        }
        for place in &script.watched {
            if let Some(function) = found.asked.functions.get(*place) {
                let watched = self.probe(name, function, out);
                target.functions.insert(function.symbol.clone(), watched);
            }
        }
        let write = |name: String, text: &str| {
            let file = ScriptFile::new(Arc::clone(&self.folder), &name);
            match fs::write(file.path(), text) {
                Ok(()) => Some(file),
                Err(error) => {
                    unseen(file.path().display().to_string(), error.to_string());
                    None
                }
            }
        };
        let number = self.known.len();
        if !target.functions.is_empty() || self.rate_hz > 0 {
            target.script = write(format!("{number}.d"), &script.text);
        }
        // Samples have no names where it is not known what lies where.
        if self.bindings || self.rate_hz > 0 {
            let with_loader = Script::new(&Wanted {
                images: true,
                loader: self.bindings,
                ..wanted
            });
            target.with_loader = write(format!("{number}-dyld.d"), &with_loader.text);
        }
        target
    }

    /// Tells of a function of dyld that is watched.
    fn probe_of_loader(
        &mut self,
        function: &loader::Function,
        out: &Sender<Observation>,
    ) -> Watched {
        let probe = self.next_probe();
        drop(out.send(Observation::Probed(Box::new(Probed {
            probe,
            path: function.path.into(),
            function: function.name.into(),
            exits: 1,
            ..Probed::default()
        }))));
        Watched {
            probe,
            exits: true,
            argument: false,
        }
    }

    fn next_probe(&mut self) -> ProbeId {
        let probe = ProbeId(self.probes);
        self.probes = self.probes.saturating_add(1);
        probe
    }

    fn functions(&self, path: &Path) -> Result<Found, String> {
        let data = plain_file::read(path, LARGEST).map_err(|error| error.to_string())?;
        let name = path.as_os_str().as_bytes();
        let found = match Elf::parse(&data) {
            Ok(elf) => Found::of(&self.watch, &elf, name),
            Err(_) => {
                let slices = Slices::of(&data).map_err(|error| error.to_string())?;
                // Executables of Go are of one architecture.
                let slice = slices.slices.first().ok_or("it has no code")?;
                let image = MachO::parse(slice).map_err(|error| error.to_string())?;
                Found::of(&self.watch, &image, name)
            }
        };
        found.map_err(|error| chain(&error))
    }

    /// Tells of a function that is watched.
    fn probe(&mut self, path: &[u8], function: &Asked, out: &Sender<Observation>) -> Watched {
        let probe = self.next_probe();
        let argument = self.watch.arguments
            && function.set.is_none()
            && function.keeps_conventions
            && function.takes_arguments;
        let exits = function.mode == Mode::Call;
        drop(out.send(Observation::Probed(Box::new(Probed {
            probe,
            path: path.to_owned(),
            function: function.name.clone(),
            file: function.file.clone(),
            entry: function.offset.0,
            exits: u32::from(exits),
            set: function.set.clone().unwrap_or_default(),
            phase: function.phase.clone(),
            argument: if argument {
                ArgumentKind::Integer
            } else {
                ArgumentKind::None
            },
            ..Probed::default()
        }))));
        Watched {
            probe,
            exits,
            argument,
        }
    }
}

/// What a file tells of what is asked for.
#[derive(Default)]
struct Found {
    asked: AskedOf,
    number_offset: Option<u16>,
}

impl Found {
    fn of<'a>(watch: &Watch, image: &impl Container<'a>, path: &[u8]) -> Result<Self, NoPlan> {
        let version = BuildInfo::of(image).ok().and_then(|info| info.version());
        let fields = version.and_then(|version| GoroutineFields::of(version).ok());
        Ok(Self {
            asked: watch.asked(image, path)?,
            number_offset: fields.map(|fields| fields.g_goid),
        })
    }
}
