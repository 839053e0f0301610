//! `gotrace run` and `gotrace repeat` from outside: what becomes of the command, and what of its
//! trace. What a go command and its cache notice of the shim between it and its tools.
#![cfg(unix)]

#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/beside.rs"]
mod beside;
#[cfg(test)]
#[path = "run/builds.rs"]
mod builds;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/call_modes.rs"]
mod call_modes;
#[cfg(test)]
#[path = "run/command.rs"]
mod command;
#[cfg(test)]
#[path = "run/config.rs"]
mod config;
#[cfg(test)]
#[path = "run/container.rs"]
mod container;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/dtrace.rs"]
mod dtrace;
#[cfg(test)]
#[path = "repeat/experiment.rs"]
mod experiment;
#[cfg(test)]
#[path = "run/files.rs"]
mod files;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/guest_calls.rs"]
mod guest_calls;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/guests.rs"]
mod guests;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/hardship.rs"]
mod hardship;
#[cfg(test)]
#[path = "run/lifetime.rs"]
mod lifetime;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/linking.rs"]
mod linking;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/loader.rs"]
mod loader;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[expect(
    dead_code,
    reason = "words before a program are all that is asked of it here"
)]
#[path = "symbols/machine.rs"]
mod machine;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/own_path.rs"]
mod own_path;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/patch.rs"]
mod patch;
#[cfg(test)]
#[path = "run/probes.rs"]
mod probes;
#[cfg(test)]
#[path = "run/pty.rs"]
mod pty;
#[cfg(test)]
#[path = "repeat/cold.rs"]
mod repeat_cold;
#[cfg(test)]
#[path = "repeat/ends.rs"]
mod repeat_ends;
#[cfg(test)]
#[path = "repeat/runs.rs"]
mod repeat_runs;
#[cfg(test)]
#[path = "repeat/series.rs"]
mod series;
#[cfg(test)]
#[path = "run/terminal.rs"]
mod terminal;
#[cfg(test)]
#[path = "repeat/toolchains.rs"]
mod toolchains;
#[cfg(test)]
#[path = "toolexec/cache.rs"]
mod toolexec_cache;
#[cfg(test)]
#[path = "toolexec/flags.rs"]
mod toolexec_flags;
#[cfg(test)]
#[path = "toolexec/shim.rs"]
mod toolexec_shim;
#[cfg(test)]
#[path = "run/traced.rs"]
mod traced;
