//! What `dtrace` is to do in a process: functions that are asked for in, a script in D out.
//!
//! The clauses are those of `probes/macos/`, in which `$$...` stands for what is put in here. A probe is named
//! by a glob: names of Go functions hold characters that D does not take in names (`/`, `(`, `*`), and a name
//! that is not a glob and not there would have `dtrace` refuse the whole script.

use super::loader::{self, IMAGES, MOST_AT_ONCE};
use crate::capture::probes::{Asked, FunctionGlob, Mode};
use crate::trace::Arch;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;

const ARMED: &str = include_str!("../../../probes/macos/armed.d");
const GO: &str = include_str!("../../../probes/macos/go.d");
const THREAD: &str = include_str!("../../../probes/macos/thread.d");
const SAMPLES: &str = include_str!("../../../probes/macos/samples.d");
const PROCESSES: &str = include_str!("../../../probes/macos/processes.d");

/// Longer names are cut by `dtrace` (`DTRACE_FUNCNAMELEN` is 128, with the zero byte).
pub(super) const LONGEST_NAME: usize = 127;

/// What the processes of an executable are watched for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Functions that are asked for.
    pub(super) functions: &'a [Asked],
    /// All functions of the executable.
    pub(super) symbols: &'a [Vec<u8>],
    /// Its architecture.
    pub(super) arch: Arch,
    /// Where in a `g` of its runtime the goroutine's number is, if that is known.
    pub(super) number_offset: Option<u16>,
    /// Samples a second and processor; 0 for none.
    pub(super) rate_hz: u32,
    /// Images that dyld loads.
    pub(super) images: bool,
    /// Functions of dyld.
    pub(super) loader: bool,
}

/// A script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// The text.
    pub(super) text: String,
    /// Which of the functions it watches: places in [`Wanted::functions`].
    pub(super) watched: Vec<usize>,
    /// Which it does not, and why.
    pub(super) left_out: Vec<(usize, &'static str)>,
    /// How many probe descriptions there are in it.
    pub(super) descriptions: usize,
}

impl Script {
    /// The text of one for the function `main` of any program.
    pub(super) fn of_main() -> String {
        let mut script = Self {
            text: ARMED.to_owned(),
            ..Self::default()
        };
        script.add(
            THREAD,
            &[
                ("$$PROBES", "pid$target:a.out:?ain:entry"),
                ("$$KIND", Edge::Entry.kind()),
                ("$$VALUE", "arg0"),
            ],
        );
        script.text
    }

    /// Writes it.
    pub(super) fn new(wanted: &Wanted<'_>) -> Self {
        let mut script = Self {
            text: ARMED.to_owned(),
            ..Self::default()
        };
        script.choose(wanted.functions);
        let clauses = script.clauses(wanted);
        for ((clause, edge), descriptions) in clauses {
            script.descriptions += descriptions.len();
            let probes = descriptions.iter();
            let probes = probes.map(|glob| format!("pid$target:a.out:{glob}:{}", edge.name()));
            let probes: Vec<String> = probes.collect();
            script.add(
                clause.text(),
                &[
                    ("$$PROBES", &probes.join(",\n")),
                    ("$$KIND", edge.kind()),
                    ("$$VALUE", edge.value(wanted.arch)),
                    ("$$G_REGISTER", g_register(wanted.arch)),
                    (
                        "$$NUMBER_OFFSET",
                        &wanted.number_offset.unwrap_or_default().to_string(),
                    ),
                ],
            );
        }
        if wanted.rate_hz > 0 {
            script.add(SAMPLES, &[("$$RATE", &wanted.rate_hz.to_string())]);
        }
        script.add(PROCESSES, &[]);
        if wanted.loader {
            script.add_loader();
        }
        if wanted.images {
            for place in 0..MOST_AT_ONCE {
                script.add(IMAGES, &[("$$PLACE", &place.to_string())]);
            }
        }
        script
    }

    fn add_loader(&mut self) {
        for edge in [Edge::Entry, Edge::Return] {
            let functions = loader::FUNCTIONS.iter();
            let probes = functions.flat_map(|function| {
                let globs = function.globs().into_iter();
                globs.map(|glob| format!("pid$target:{}:{glob}:{}", function.module, edge.name()))
            });
            let probes: Vec<String> = probes.collect();
            self.add(
                THREAD,
                &[
                    ("$$PROBES", &probes.join(",\n")),
                    ("$$KIND", edge.kind()),
                    ("$$VALUE", "arg0"),
                ],
            );
        }
    }

    fn add(&mut self, clause: &str, values: &[(&str, &str)]) {
        let mut text = clause.to_owned();
        for (word, value) in values {
            text = text.replace(word, value);
        }
        self.text.push('\n');
        self.text.push_str(&text);
    }

    /// Which functions can be told apart by what `dtrace` prints of them.
    fn choose(&mut self, functions: &[Asked]) {
        let mut of_source = FxHashSet::default();
        for function in functions.iter().filter(|function| !is_wrapper(function)) {
            of_source.insert(&function.symbol);
        }
        let mut seen = FxHashSet::default();
        for (place, function) in functions.iter().enumerate() {
            let why = if function.symbol.len() > LONGEST_NAME {
                Some("dtrace cuts names that are longer than 127 bytes")
            } else if is_wrapper(function) && of_source.contains(&function.symbol) {
                Some("a function with source has the same name")
            } else if !seen.insert(&function.symbol) {
                Some("another function has the same name")
            } else {
                None
            };
            match why {
                Some(why) => self.left_out.push((place, why)),
                None => self.watched.push(place),
            }
        }
    }

    /// The probe descriptions of each clause.
    fn clauses(&self, wanted: &Wanted<'_>) -> BTreeMap<(Clause, Edge), Vec<String>> {
        let mut groups: BTreeMap<(Clause, &str, Mode), Vec<&[u8]>> = BTreeMap::new();
        let watched = self.watched.iter();
        for function in watched.filter_map(|place| wanted.functions.get(*place)) {
            let clause = Clause::of(function, wanted);
            let group = (clause, function.glob.text(), function.mode);
            groups.entry(group).or_default().push(&function.symbol);
        }
        let mut clauses: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for ((clause, asked, mode), symbols) in groups {
            let globs = globs(asked, &symbols, wanted.symbols);
            let edges: &[Edge] = match mode {
                Mode::Entry => &[Edge::Entry],
                Mode::Call => &[Edge::Entry, Edge::Return],
            };
            for edge in edges {
                let descriptions = clauses.entry((clause, *edge)).or_default();
                descriptions.extend(globs.iter().cloned());
            }
        }
        clauses
    }
}

/// What is printed of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Clause {
    Go,
    Thread,
}

impl Clause {
    fn of(function: &Asked, wanted: &Wanted<'_>) -> Self {
        match wanted.number_offset {
            Some(_) if function.keeps_conventions => Self::Go,
            _ => Self::Thread,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Go => GO,
            Self::Thread => THREAD,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Entry,
    Return,
}

impl Edge {
    const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Return => "return",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Entry => "e",
            Self::Return => "r",
        }
    }

    /// The first argument is where Go has it (`cmd/compile/abi-internal.md`), which on arm64 is where C has it.
    const fn value(self, arch: Arch) -> &'static str {
        match (self, arch) {
            (Self::Entry, Arch::Amd64) => "uregs[R_RAX]",
            _ => "arg0",
        }
    }
}

const fn g_register(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "uregs[R_R14]",
        _ => "uregs[R_X28]",
    }
}

/// The compiler made it.
fn is_wrapper(function: &Asked) -> bool {
    function.file == b"<autogenerated>"
}

/// Globs that match these symbols: one, where what was asked for means just them, for `dtrace` compares each
/// glob with all symbols of the program.
fn globs(asked: &str, symbols: &[&[u8]], all: &[Vec<u8>]) -> Vec<String> {
    if symbols.len() > 1
        && let glob = of_asked(asked)
        && let Ok(like) = glob.parse::<FunctionGlob>()
    {
        let group: FxHashSet<&[u8]> = symbols.iter().copied().collect();
        let matched = all.iter().map(Vec::as_slice);
        let matched: FxHashSet<&[u8]> = matched.filter(|symbol| like.matches(symbol)).collect();
        if matched == group {
            return vec![glob];
        }
    }
    symbols.iter().map(|symbol| of_symbol(symbol)).collect()
}

/// What stands for characters that D takes for something else. Letters of other alphabets have several bytes,
/// and whether `?` is one byte or one letter depends on the locale of `dtrace`.
fn stand_in(byte: u8) -> char {
    match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => char::from(byte),
        0x80.. => '*',
        _ => '?',
    }
}

/// Matches a symbol. It is a glob also where nothing in it asks for one.
fn of_symbol(symbol: &[u8]) -> String {
    let mut glob: String = symbol.iter().map(|byte| stand_in(*byte)).collect();
    if !glob.contains(['?', '*']) {
        glob.replace_range(..1, "?");
    }
    glob
}

/// Matches, among others, symbols that the glob of a user is meant for: type arguments that it leaves out are
/// in symbols.
fn of_asked(asked: &str) -> String {
    let mut glob = String::new();
    let mut before = 0;
    for byte in asked.replace("[...]", "[*]").bytes() {
        glob.push(match byte {
            // Behind a parenthesis it is the pointer of a receiver.
            b'*' if before != b'(' => '*',
            byte => stand_in(byte),
        });
        before = byte;
    }
    glob
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
