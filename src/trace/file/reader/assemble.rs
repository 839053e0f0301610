//! Records to the tables of a trace: starts and ends become processes, ids are checked.

use crate::trace::{Exit, Probe, ProbeId, Process, ProcessId, Record, Trace};

/// How many processes may be missing: their ids lie below one that is there.
const MOST_MISSING: usize = 1 << 16;

/// Puts every record where it belongs. Records that name a process that is not there are left
/// out and counted.
pub(super) fn assemble(trace: &mut Trace, records: Vec<Record>) {
    let mut started = Vec::new();
    let mut ended = Vec::new();
    let mut counted = Vec::new();
    let mut probes = Vec::new();
    for record in records {
        match record {
            Record::ProcessStarted(process) => started.push(process),
            Record::ProcessEnded(process, exit) => ended.push((process, exit)),
            Record::Thread(thread) => trace.threads.push(thread),
            Record::Mapping(mapping) => trace.mappings.push(mapping),
            Record::Unmapping(unmapping) => trace.unmappings.push(unmapping),
            Record::ProcessorCounts(process, counts) => counted.push((process, counts)),
            Record::Profile(sample) => trace.profiles.push(sample),
            Record::Action(action) => trace.actions.push(action),
            Record::Imports(imports) => trace.imports.push(imports),
            Record::Host(host) => trace.host = host,
            Record::Toolchain(toolchain) => trace.toolchains.push(toolchain),
            Record::Setting(setting) => trace.settings.push(setting),
            Record::Finding(finding) => trace.findings.push(finding),
            Record::Loss(loss) => trace.losses.push(loss),
            Record::BlindSpot(spot) => trace.blind_spots.push(spot),
            Record::Probe(probe) => probes.push(probe),
            Record::ProbeDropped(dropped) => trace.dropped_probes.push(dropped),
            Record::Counter(counter) => trace.counters.push(counter),
            Record::Ending(ending) => trace.ending = Some(ending),
            Record::Load(load) => trace.loads.push(load),
            Record::Unload(unload) => trace.unloads.push(unload),
            Record::Linking(linking) => trace.linkings.push(linking),
            Record::Search(search) => trace.searches.push(search),
            Record::Interpreter(interpreter) => trace.interpreters.push(interpreter),
            Record::ImageNeeds(needs) => trace.needs.push(needs),
        }
    }
    processes(trace, started, ended);
    for (id, counts) in counted {
        match trace.processes.get_mut(id.index()) {
            Some(process) => process.counts = Some(counts),
            None => undefined(trace),
        }
    }
    place_probes(trace, probes);
    check(trace);
}

fn processes(trace: &mut Trace, mut started: Vec<Process>, ended: Vec<(ProcessId, Exit)>) {
    // Stable: of two with the same id the first one stays.
    started.sort_by_key(|process| process.id);
    let most = started.len().saturating_add(MOST_MISSING);
    for process in started {
        let index = process.id.index();
        if index < trace.processes.len() || index >= most {
            undefined(trace);
            continue;
        }
        while trace.processes.len() < index {
            let id = ProcessId(u32::try_from(trace.processes.len()).unwrap_or(u32::MAX));
            trace.integrity.missing_rows = trace.integrity.missing_rows.saturating_add(1);
            trace.processes.push(lost(id, &process));
        }
        trace.processes.push(process);
    }
    for (id, exit) in ended {
        match trace.processes.get_mut(id.index()) {
            Some(process) if process.exit.is_none() => process.exit = Some(exit),
            _ => undefined(trace),
        }
    }
}

/// Puts probes at their numbers; rows without contents stand for those that are missing.
fn place_probes(trace: &mut Trace, mut probes: Vec<Probe>) {
    // Stable: of two with the same id the first one stays.
    probes.sort_by_key(|probe| probe.id);
    let most = probes.len().saturating_add(MOST_MISSING);
    for probe in probes {
        let index = probe.id.index();
        if index < trace.probes.len() || index >= most || trace.images.is_empty() {
            undefined(trace);
            continue;
        }
        while trace.probes.len() < index {
            trace.integrity.missing_rows = trace.integrity.missing_rows.saturating_add(1);
            trace.probes.push(Probe {
                id: ProbeId(u32::try_from(trace.probes.len()).unwrap_or(u32::MAX)),
                ..Probe::default()
            });
        }
        trace.probes.push(probe);
    }
}

/// What stands for a process whose start is lost: nothing is known of it but that it began
/// before the next one.
fn lost(id: ProcessId, next: &Process) -> Process {
    let mut process = Process {
        id,
        start: next.start,
        exec_at: next.start,
        ..Process::default()
    };
    process.exec.argv_truncated = true;
    process
}

fn check(trace: &mut Trace) {
    let count = trace.processes.len();
    let known = |process: &ProcessId| process.index() < count;
    let mut lost = 0_usize;
    for process in &mut trace.processes {
        for other in [&mut process.parent, &mut process.predecessor] {
            if other.as_ref().is_some_and(|other| !known(other)) {
                *other = None;
                lost = lost.saturating_add(1);
            }
        }
    }
    for action in &mut trace.actions {
        if action.go.as_ref().is_some_and(|go| !known(go)) {
            action.go = None;
            lost = lost.saturating_add(1);
        }
    }
    let probes = trace.probes.len();
    let before = |trace: &Trace| {
        [
            trace.threads.len(),
            trace.mappings.len(),
            trace.unmappings.len(),
            trace.profiles.len(),
            trace.imports.len(),
            trace.dropped_probes.len(),
            trace.loads.len(),
            trace.unloads.len(),
            trace.linkings.len(),
            trace.searches.len(),
            trace.interpreters.len(),
        ]
        .into_iter()
        .fold(0_usize, usize::saturating_add)
    };
    let all = before(trace);
    trace.threads.retain(|thread| known(&thread.process));
    trace.mappings.retain(|mapping| known(&mapping.process));
    (trace.unmappings).retain(|unmapping| known(&unmapping.process));
    trace.profiles.retain(|sample| known(&sample.process));
    trace.imports.retain(|imports| known(&imports.process));
    (trace.dropped_probes).retain(|dropped| dropped.probe.index() < probes);
    trace.loads.retain(|load| known(&load.process));
    trace.unloads.retain(|unload| known(&unload.process));
    trace.linkings.retain(|linking| known(&linking.process));
    trace.searches.retain(|search| known(&search.process));
    (trace.interpreters).retain(|interpreter| known(&interpreter.process));
    lost = lost.saturating_add(all.saturating_sub(before(trace)));
    let undefined = &mut trace.integrity.undefined;
    *undefined = undefined.saturating_add(lost as u64);
}

const fn undefined(trace: &mut Trace) {
    trace.integrity.undefined = trace.integrity.undefined.saturating_add(1);
}
