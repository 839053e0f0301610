//! What must be the same in two runs, or their figures cannot be laid side by side.

use super::cache::Cache;
use super::translation::Translation;
use crate::analyze::{Analysis, Name, argv};
use crate::trace::{Arch, NOT_FOR_TIMING, Process, StringId, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// A circumstance of a run. Order is that of reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// How the command ended.
    Exit,
    /// The command line, its program without a path, without where its output goes.
    Command,
    /// Version of Go.
    Go,
    /// GOOS, GOARCH and `CGO_ENABLED`: what is built.
    Target,
    /// GOFLAGS, without what gotrace adds.
    Flags,
    /// Cores that the command could use.
    Cores,
    /// GOMAXPROCS, where it was set.
    Gomaxprocs,
    /// Whether packages came from the build cache: `cold` or `warm`.
    Cache,
    /// Operating system.
    System,
    /// Architecture of the machine.
    Machine,
    /// Name of the processor.
    Processor,
    /// How the processor chooses its frequency.
    Governor,
    /// `mains` or `battery`.
    Power,
    /// Whether the processor became too hot meanwhile and was slowed: `yes` or `no`.
    Throttled,
    /// How it was recorded: backends, rate, profiles, watched functions.
    Capture,
    /// Why its times say nothing; not there where they do.
    Timing,
    /// Version of the kernel.
    Kernel,
    /// Architecture of the programs that ran.
    Arch,
    /// What translated them.
    Translator,
    /// Version of gotrace.
    Gotrace,
    /// Another variable of the environment that decides how Go builds, or how fast.
    Variable(Name),
}

impl Fact {
    /// A word for tables, for `--allow` and for JSON.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Exit => "exit",
            Self::Command => "command",
            Self::Go => "go",
            Self::Target => "target",
            Self::Flags => "flags",
            Self::Cores => "cores",
            Self::Gomaxprocs => "gomaxprocs",
            Self::Cache => "cache",
            Self::System => "system",
            Self::Machine => "machine",
            Self::Processor => "processor",
            Self::Governor => "governor",
            Self::Power => "power",
            Self::Throttled => "throttled",
            Self::Capture => "capture",
            Self::Timing => "timing",
            Self::Kernel => "kernel",
            Self::Arch => "arch",
            Self::Translator => "translator",
            Self::Gotrace => "gotrace",
            Self::Variable(name) => name,
        }
    }

    /// Where it has to be the same, for figures lie where it is not.
    #[must_use]
    pub fn binding(&self) -> Binding {
        match self {
            Self::Kernel | Self::Gotrace | Self::Throttled => Binding::Nowhere,
            Self::Timing => Binding::Absent,
            Self::Arch | Self::Translator => Binding::WithinASide,
            Self::Variable(name) if decides(name) => Binding::WithinASide,
            Self::Variable(_) => Binding::Nowhere,
            _ => Binding::Everywhere,
        }
    }

    /// The word by which `--allow` lets it differ.
    #[must_use]
    pub fn permit(&self) -> &str {
        match self {
            Self::Variable(_) => ENVIRONMENT,
            fact => fact.name(),
        }
    }

    /// What to say of it where it differs: `the Go versions differ`.
    #[must_use]
    pub fn complaint(&self) -> &'static str {
        match self {
            Self::Exit => "the command did not end well",
            Self::Command => "the commands differ",
            Self::Go => "the Go versions differ",
            Self::Target => "different target",
            Self::Flags => "GOFLAGS differs",
            Self::Cores => "the numbers of cores differ",
            Self::Gomaxprocs => "GOMAXPROCS differs",
            Self::Cache => "the build caches differ",
            Self::System => "the operating systems differ",
            Self::Machine => "the machines' architectures differ",
            Self::Processor => "the processors differ",
            Self::Governor => "the processors' governors differ",
            Self::Power => "one ran on battery",
            Self::Throttled => "the processor was too hot and slowed in some runs",
            Self::Capture => "they were recorded in different ways",
            Self::Timing => "a run was recorded in a way that is not for timing",
            Self::Kernel => "the kernels differ",
            Self::Arch => "the programs' architectures differ",
            Self::Translator => "the translators differ",
            Self::Gotrace => "the versions of gotrace differ",
            Self::Variable(_) => "the environments differ",
        }
    }

    /// All but variables.
    pub const ALL: [Self; 20] = [
        Self::Exit,
        Self::Command,
        Self::Go,
        Self::Target,
        Self::Flags,
        Self::Cores,
        Self::Gomaxprocs,
        Self::Cache,
        Self::System,
        Self::Machine,
        Self::Processor,
        Self::Governor,
        Self::Power,
        Self::Throttled,
        Self::Capture,
        Self::Timing,
        Self::Kernel,
        Self::Arch,
        Self::Translator,
        Self::Gotrace,
    ];

    /// All words of [`Self::permit`].
    pub const PERMITS: [&str; 18] = [
        "exit",
        "command",
        "go",
        "target",
        "flags",
        "cores",
        "gomaxprocs",
        "cache",
        "system",
        "machine",
        "processor",
        "governor",
        "power",
        "capture",
        "timing",
        "arch",
        "translator",
        ENVIRONMENT,
    ];
}

/// The word for all variables.
const ENVIRONMENT: &str = "environment";

/// Where a fact has to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// In all runs of both sides.
    Everywhere,
    /// In all runs of a side: the sides may be compared for it.
    WithinASide,
    /// It is only shown.
    Nowhere,
    /// In no run: where it is there, figures lie.
    Absent,
}

/// Whether a variable decides what is built, or how fast: runs in which it is not the same are no
/// repeats of one thing.
fn decides(variable: &str) -> bool {
    let known = [
        "CC",
        "CXX",
        "GOAMD64",
        "GOARM64",
        "GODEBUG",
        "GOEXPERIMENT",
        "GOGC",
        "GOMEMLIMIT",
    ];
    known.contains(&variable) || variable.starts_with("CGO_")
}

/// The circumstances of a run. What is not known has no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(pub BTreeMap<Fact, Name>);

/// Variables that name places, or that have a fact of their own.
const NOT_SHOWN: [&str; 13] = [
    "PATH",
    "CGO_ENABLED",
    "GOBIN",
    "GOCACHE",
    "GOENV",
    "GOFLAGS",
    "GOMAXPROCS",
    "GOMODCACHE",
    "GOPATH",
    "GOROOT",
    "GOTMPDIR",
    "GOARCH",
    "GOOS",
];

/// Variables of the target whose value in effect the go command tells: `go env -w` sets them, too.
pub(super) const OF_GO: [&str; 3] = ["GOAMD64", "GOARM64", "GOEXPERIMENT"];

/// What stands for the translator of programs that have none.
pub const NATIVE: &str = "none";

/// Settings of the recording that change what is measured.
const OF_CAPTURE: [&str; 4] = ["backend", "rate_hz", "off_cpu", "profile"];

impl Facts {
    /// What a trace tells of the circumstances of its run.
    #[must_use]
    pub fn of(analysis: &Analysis<'_>) -> Self {
        let trace = analysis.trace;
        let mut facts = Self::default();
        let set = |key: &str| setting(trace, key);
        facts.add(Fact::Command, command(analysis));
        if let Some(go) = trace.toolchains.first() {
            facts.add(Fact::Go, trace.text(go.version).into_owned());
            // `go env` says nothing of flags where there are none.
            facts.0.insert(
                Fact::Flags,
                Name::from(
                    set("go.GOFLAGS")
                        .or_else(|| set("env.GOFLAGS"))
                        .unwrap_or_default(),
                ),
            );
        }
        if let (Some(os), Some(arch)) = (set("go.GOOS"), set("go.GOARCH")) {
            let cgo = set("go.CGO_ENABLED").unwrap_or_default();
            facts.add(Fact::Target, format!("{os}/{arch}, CGO_ENABLED={cgo}"));
        }
        let cores = match trace.host.cores {
            0 => String::new(),
            cores => cores.to_string(),
        };
        let procs = set("env.GOMAXPROCS").filter(|procs| !procs.is_empty());
        facts.add(Fact::Gomaxprocs, procs.unwrap_or_else(|| cores.clone()));
        facts.add(Fact::Cores, cores);
        let of_setting = || (set("cache.state")? == "empty").then_some("cold");
        let of_graphs = Cache::of(analysis).map(|cache| cache.state());
        if let Some(cache) = of_graphs.or_else(of_setting) {
            facts.add(Fact::Cache, cache.to_owned());
        }
        let system = trace.text(trace.host.os).into_owned();
        let (os, kernel) = system.split_once(' ').unwrap_or((&system, ""));
        facts.add(Fact::System, os.to_owned());
        facts.add(Fact::Kernel, kernel.to_owned());
        if trace.host.arch != Arch::Unknown {
            facts.add(Fact::Machine, trace.host.arch.name().to_owned());
        }
        facts.add(Fact::Processor, trace.text(trace.host.cpu).into_owned());
        facts.add(Fact::Governor, set("host.governor").unwrap_or_default());
        facts.add(Fact::Power, set("host.power").unwrap_or_default());
        let throttles = (set("host.throttles"), set("host.throttles_after"));
        if let (Some(before), Some(after)) = throttles {
            let throttled = if before == after { "no" } else { "yes" };
            facts.add(Fact::Throttled, throttled.to_owned());
        }
        facts.add(Fact::Capture, capture(trace));
        facts.add(Fact::Timing, set(NOT_FOR_TIMING).unwrap_or_default());
        facts.add(Fact::Gotrace, trace.text(trace.host.gotrace).into_owned());
        facts.translation(&Translation::of(trace, &analysis.roles));
        facts.variables(trace);
        facts
    }

    fn translation(&mut self, translation: &Translation) {
        if translation.arch != Arch::Unknown {
            self.add(Fact::Arch, translation.arch.name().to_owned());
        }
        let translator = translation.translator.as_deref().unwrap_or(NATIVE);
        self.add(Fact::Translator, translator.to_owned());
    }

    pub(super) fn add(&mut self, fact: Fact, value: String) {
        if !value.is_empty() {
            self.0.insert(fact, Name::from(value));
        }
    }

    fn variables(&mut self, trace: &Trace) {
        for setting in &trace.settings {
            let key = trace.text(setting.key);
            let Some(name) = key.strip_prefix("env.") else {
                continue;
            };
            if !NOT_SHOWN.contains(&name) {
                let fact = Fact::Variable(Name::from(name));
                self.add(fact, trace.text(setting.value).into_owned());
            }
        }
        for name in OF_GO {
            if let Some(value) = setting(trace, &format!("go.{name}")) {
                self.add(Fact::Variable(Name::from(name)), value);
            }
        }
    }
}

/// The value of the last setting of that name.
fn setting(trace: &Trace, key: &str) -> Option<String> {
    let mut settings = trace.settings.iter().rev();
    let found = settings.find(|setting| trace.strings.get(setting.key) == key.as_bytes())?;
    Some(trace.text(found.value).into_owned())
}

/// The command line without the folder of its program, and without `-o FILE`.
fn command(analysis: &Analysis<'_>) -> String {
    let first = analysis.roles.iter().next();
    let Some(process) = first.and_then(|(id, _)| analysis.trace.process(id)) else {
        return String::new();
    };
    let mut words = argv::args(analysis.trace, &process.exec);
    let mut kept = vec![argv::base(words.next().unwrap_or_default())];
    while let Some(word) = words.next() {
        match word {
            b"-o" | b"--o" => drop(words.next()),
            _ if word.starts_with(b"-o=") || word.starts_with(b"--o=") => {}
            _ => kept.push(word),
        }
    }
    String::from_utf8_lossy(&kept.join(&b' ')).into_owned()
}

/// What is watched unless it is told otherwise.
const DEFAULT_SET: &str = "go-build";

fn capture(trace: &Trace) -> String {
    let mut words = Vec::new();
    for key in OF_CAPTURE {
        match setting(trace, key) {
            Some(value) if value == "false" => {}
            Some(value) if value == "true" => words.push(key.to_owned()),
            Some(value) if key == "rate_hz" => words.push(format!("{value} Hz")),
            Some(value) => words.push(value),
            None => {}
        }
    }
    let sets: BTreeSet<_> = trace.probes.iter().map(|probe| probe.set).collect();
    let mut sets: BTreeSet<_> = sets.into_iter().map(|id| trace.text(id)).collect();
    // Programs that are translated cannot have probes: there it tells nothing that it is missing.
    let translated = |process: &Process| process.exec.translator != StringId::EMPTY;
    let by_bpf = setting(trace, "backend").is_some_and(|backend| backend.contains("bpf"));
    if !sets.remove(DEFAULT_SET) && by_bpf && !trace.processes.iter().any(translated) {
        words.push(format!("without set {DEFAULT_SET}"));
    }
    words.extend(sets.into_iter().map(|set| match &*set {
        "" => "named functions".to_owned(),
        set => format!("set {set}"),
    }));
    words.join(", ")
}
