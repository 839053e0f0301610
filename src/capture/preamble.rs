//! What a trace says before its first event: the machine, the toolchain, how it is recorded.

use std::ffi::OsString;

use super::recorder::Context;
use super::selection::Name;
use super::session::Options;
use super::system::process;
use super::{Environment, decode::arguments};
use crate::environment::Refusal;
use crate::environment::host::{self, Host};
use crate::environment::toolchain::Toolchain;
use crate::trace::Severity;
use crate::trace::file::Writer;
use crate::trace::{Record, Setting};
use std::os::unix::ffi::OsStrExt as _;

/// Something wrong with the machine's Go, that the trace is to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which check found it.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub text: String,
    /// How that is known; or empty.
    pub evidence: String,
    /// What helps; or empty.
    pub remedy: String,
}

/// What there is to say.
#[derive(Debug)]
pub(super) struct Preamble<'a> {
    pub(super) options: &'a Options,
    pub(super) backends: Vec<&'static str>,
    pub(super) refused: &'a [(Name, Refusal)],
    pub(super) environment: &'a Environment,
    pub(super) toolchain: Option<&'a Toolchain>,
    pub(super) user_flags: &'a [u8],
    pub(super) added_flags: &'a [u8],
    pub(super) added_variables: &'a [(OsString, OsString)],
    pub(super) findings: &'a [Found],
    pub(super) host: &'a Host,
}

/// Settings of `go env` that are kept, for they decide what is built and how fast.
const GO_SETTINGS: [&str; 9] = [
    "GOFLAGS",
    "GOOS",
    "GOARCH",
    "GOAMD64",
    "GOARM64",
    "GOEXPERIMENT",
    "GOTOOLCHAIN",
    "CGO_ENABLED",
    "GOCACHE",
];

/// How often the processor had been slowed for its heat, before and after the command: where the
/// two differ it was while the command ran.
const THROTTLES: &str = "host.throttles";
const THROTTLES_AFTER: &str = "host.throttles_after";

impl Preamble<'_> {
    /// Says it all.
    pub(super) fn tell(&self, context: &mut Context<'_>) {
        let host = self.host;
        context.host(host, env!("CARGO_PKG_VERSION"));
        if let Some(go) = self.toolchain {
            context.toolchain(go);
        }
        for (key, value) in [
            ("host.governor", &*host.governor),
            ("host.power", host.power),
        ] {
            if !value.is_empty() {
                context.setting(key, value.as_bytes(), "system");
            }
        }
        if let Some(count) = host::throttles() {
            context.setting(THROTTLES, count.to_string().as_bytes(), "system");
        }
        self.settings(context);
        let redaction = &self.options.redaction;
        for found in self.findings {
            let texts = [&found.text, &found.evidence, &found.remedy];
            let [text, evidence, remedy] = texts.map(|text| redaction.line(text.as_bytes()));
            context.finding(found.check, found.severity, [&text, &evidence, &remedy]);
        }
        for (name, refusal) in self.refused {
            let remedy = match refusal.remedy.as_str() {
                "" => String::new(),
                remedy => format!("; to change that: {remedy}"),
            };
            let why = format!("backend {name}: {refusal}{remedy}");
            // Nothing is missing for want of copies where the kernel watches.
            if *name == Name::Patch && self.backends.contains(&Name::Bpf.word()) {
                context.setting("without", why.as_bytes(), "gotrace");
            } else {
                context.blind(name.gives(), &why);
            }
        }
    }

    /// Where the value of a setting comes from; `given`: it is not the default.
    fn source(&self, key: &str, given: bool) -> String {
        match (self.options.sources.get(key), given) {
            (Some(source), _) => source.clone(),
            (None, true) => "command line".to_owned(),
            (None, false) => "default".to_owned(),
        }
    }

    /// How functions are watched, where they are, and what is hidden besides secrets that are known.
    fn watching(&self, context: &mut Context<'_>) {
        let Options {
            watch, redaction, ..
        } = self.options;
        let watchers = [Name::Bpf, Name::Dtrace].map(Name::word);
        let watches = self.backends.iter().any(|name| watchers.contains(name));
        if watches && !watch.is_empty() {
            let sets: Vec<&str> = watch.sets.iter().map(|set| &*set.name).collect();
            for (key, value, given) in [
                (
                    "max_tax",
                    watch.max_tax.to_string(),
                    watch.max_tax.named_too,
                ),
                (
                    "entries_only",
                    watch.entries_only.to_string(),
                    watch.entries_only,
                ),
                ("probe_sets", sets.join(","), watch.is_asked_for()),
            ] {
                context.setting(key, value.as_bytes(), &self.source(key, given));
            }
        }
        if watches && watch.is_empty() && self.options.sources.contains_key("probes") {
            context.setting("probes", b"false", &self.source("probes", true));
        }
        if self.backends.contains(&Name::Patch.word()) {
            for (key, value) in watch.mode.settings() {
                context.setting(key, value.as_bytes(), &self.source(key, true));
            }
        }
        let hidden: Vec<&[u8]> = redaction.added().collect();
        if !hidden.is_empty() {
            let source = self.source("redact", true);
            context.setting("redact", &hidden.join(&b','), &source);
        }
    }

    fn settings(&self, context: &mut Context<'_>) {
        let request = self.options.request;
        let redaction = &self.options.redaction;
        self.watching(context);
        let mut set = |key: &str, value: &[u8], source: &str| context.setting(key, value, source);
        let backend = self.options.sources.get("backend");
        let backend = backend.map_or("gotrace", String::as_str);
        set("backend", self.backends.join(",").as_bytes(), backend);
        let samples = [Name::Bpf, Name::Mach].map(Name::word);
        if self.backends.iter().any(|name| samples.contains(name)) {
            let rate = request.rate_hz.unwrap_or(super::DEFAULT_RATE_HZ);
            let rate = rate.to_string();
            let source = self.source("rate_hz", request.rate_hz.is_some());
            set("rate_hz", rate.as_bytes(), &source);
        }
        if let Some(slice) = self.options.slice {
            set("arch", slice.word().as_bytes(), "command line");
        }
        for (key, on) in [
            ("off_cpu", request.off_cpu),
            ("profile", request.profile),
            ("bindings", request.bindings),
        ] {
            set(key, on.to_string().as_bytes(), &self.source(key, on));
        }
        for (name, value) in self.environment.pairs() {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            let flags = name == b"GOFLAGS";
            if redaction.keeps_variable(name) && !flags {
                let key = format!("env.{}", String::from_utf8_lossy(name));
                set(&key, &redaction.value(value), "environment");
            }
        }
        if !self.user_flags.is_empty() {
            set(
                "env.GOFLAGS",
                &redaction.value(self.user_flags),
                "environment",
            );
        }
        set(
            "added.GOFLAGS",
            &redaction.value(self.added_flags),
            "gotrace",
        );
        for (name, value) in self.added_variables {
            let key = format!("added.{}", name.to_string_lossy());
            set(&key, &redaction.value(value.as_bytes()), "gotrace");
        }
        if let Some(go) = self.toolchain {
            for name in GO_SETTINGS {
                let value = redaction.value(go.variable(name).as_bytes());
                if !value.is_empty() {
                    set(&format!("go.{name}"), &value, "go env");
                }
            }
            set("cache.state", go.cache_state().as_bytes(), "GOCACHE");
        }
        let words: Vec<&[u8]> = self.options.command.iter().map(|w| w.as_bytes()).collect();
        let name = words
            .first()
            .map_or(&b""[..], |word| arguments::base_name(word));
        set("command", name, "command line");
        for (key, value) in &self.options.settings {
            set(key, &redaction.value(value), "gotrace");
        }
    }
}

/// What the machine says of itself when the command has ended.
pub(super) fn afterwards(writer: &mut Writer) -> Option<Record> {
    let count = host::throttles()?;
    Some(Record::Setting(Setting {
        key: writer.string(THROTTLES_AFTER.as_bytes()),
        value: writer.string(count.to_string().as_bytes()),
        source: writer.string(b"system"),
    }))
}

/// Lets [`own_max_rss`] begin anew: what earlier runs of a series took is none of this one's.
pub(super) fn forget_max_rss() {
    process::forget_max_rss();
}

/// The largest resident set of gotrace, in bytes.
pub(super) fn own_max_rss() -> u64 {
    process::own_max_rss().unwrap_or_else(|| super::sys::own_usage().max_rss_bytes)
}
