//! Who ran the programs of a run: the machine itself, or a translator.

use crate::analyze::{Name, Roles};
use crate::trace::{Arch, Nanos, Process, StringId, Trace};
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

/// A translator that nothing names, as where `binfmt_misc` is not mounted.
const UNNAMED: &str = "a translator";

impl Translation {
    pub(super) fn of(trace: &Trace, roles: &Roles) -> Self {
        let mut translators: BTreeMap<Option<Name>, Nanos> = BTreeMap::new();
        let mut archs: BTreeMap<Arch, Nanos> = BTreeMap::new();
        for process in roles.iter().filter_map(|(id, _)| trace.process(id)) {
            *translators.entry(translator(trace, process)).or_default() += process.cpu();
            *archs.entry(process.exec.arch).or_default() += process.cpu();
        }
        let all: Nanos = translators.values().copied().sum();
        let native = translators.remove(&None).unwrap_or_default();
        let most = translators.into_iter();
        let most = most.max_by_key(|(name, cpu)| (*cpu, Reverse(name.clone())));
        let of_go = trace.toolchains.first().map(|go| go.translator);
        let of_go = of_go.filter(|&name| name != StringId::EMPTY);
        let of_go = || of_go.map(|name| Name::from(trace.strings.get(name)));
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

/// What translated a program; a machine does not run those of another architecture by itself.
fn translator(trace: &Trace, process: &Process) -> Option<Name> {
    let exec = &process.exec;
    if exec.translator != StringId::EMPTY {
        return Some(Name::from(trace.strings.get(exec.translator)));
    }
    let foreign = match (trace.host.arch, exec.arch) {
        (Arch::Unknown, _) | (_, Arch::Unknown) | (Arch::Amd64, Arch::X86) => false,
        (machine, program) => machine != program,
    };
    foreign.then(|| Name::from(UNNAMED))
}
