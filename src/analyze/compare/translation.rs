//! Who ran the programs of a run: the machine itself, or a translator.

use crate::analyze::machine::Machine;
use crate::analyze::{Name, Roles};
use crate::trace::{Arch, Nanos, Trace};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Who ran the programs of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translation {
    /// What translated them: `qemu-aarch64`. `None` where all were native.
    pub translator: Option<Name>,
    /// Part of the CPU time that translated programs used, 0 to 1.
    pub share: f64,
    /// Architecture of the programs that used most CPU time.
    pub arch: Arch,
}

impl Translation {
    pub(super) fn of(trace: &Trace, roles: &Roles) -> Self {
        let mut translators: BTreeMap<Option<Name>, Nanos> = BTreeMap::new();
        let mut archs: BTreeMap<Arch, Nanos> = BTreeMap::new();
        let machine = Machine::of(trace);
        for process in roles.iter().filter_map(|(id, _)| trace.process(id)) {
            let exec = &process.exec;
            let translator = machine.translator(trace, exec.arch, exec.translator);
            *translators.entry(translator).or_default() += process.cpu();
            *archs.entry(process.exec.arch).or_default() += process.cpu();
        }
        let all: Nanos = translators.values().copied().sum();
        let native = translators.remove(&None).unwrap_or_default();
        let most = translators.into_iter();
        let most = most.max_by_key(|(name, cpu)| (*cpu, Reverse(name.clone())));
        let go = trace.toolchains.first();
        let of_go = || go.and_then(|go| machine.translator(trace, go.arch, go.translator));
        let arch = archs.into_iter().max_by_key(|&(arch, cpu)| (cpu, arch));
        Self {
            translator: most.and_then(|(name, _)| name).or_else(of_go),
            share: if all == Nanos::ZERO {
                0.0
            } else {
                all.since(native).seconds() / all.seconds()
            },
            arch: arch.map_or(trace.host.arch, |(arch, _)| arch),
        }
    }
}
