//! The last records of a trace: what the build left, how the command ended, and what watching it took.

use super::outputs::Look;
use super::recorder::Recorded;
use super::session::Recording;
use super::{Error, preamble};
use crate::trace::{BlindSpot, Ending, ExitStatus, Nanos, Pid, Record};

/// How the command ended, what watching it took, and what the build left.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) at: Nanos,
    pub(super) wall: Nanos,
    pub(super) interrupted: bool,
    pub(super) own_cpu: Nanos,
    pub(super) look: Look,
    pub(super) descendants: Vec<(Pid, String)>,
}

/// Writes the trace's last record.
pub(super) fn finish(recorded: Option<Recorded>, end: &Ended, complaints: Vec<Error>) -> Recording {
    let recording = Recording {
        writer: None,
        failure: None,
        files: Vec::new(),
        loads: Vec::new(),
        origins: Vec::new(),
        status: end.status,
        command_end: end.at,
        wall: end.wall,
        interrupted: end.interrupted,
        descendants: end.descendants.clone(),
        complaints,
        not_linked: Vec::new(),
    };
    let Some(Recorded {
        mut writer,
        mut failure,
        files,
        loads,
        origins,
        built,
        shim_cpu,
        kernel_cpu,
    }) = recorded
    else {
        return recording;
    };
    let ending = Ending {
        command_end: end.at,
        status: Some(end.status),
        own_cpu: end.own_cpu + shim_cpu,
        own_max_rss_bytes: preamble::own_max_rss(),
        kernel_cpu,
    };
    let not_linked = end.look.not_linked(&built);
    let mut last = end.look.records(&mut writer, end.at, &built);
    last.extend(preamble::afterwards(&mut writer));
    last.push(Record::Ending(ending));
    if !end.descendants.is_empty() {
        let descendants = end.descendants.iter();
        let names = descendants.map(|(pid, name)| format!("{name} (pid {pid})"));
        let names = names.collect::<Vec<_>>().join(", ");
        let spot = BlindSpot {
            time: end.at,
            what: writer.string(format!("the end of {names}").as_bytes()),
            why: writer.string(b"it outlived the command; --wait waits for it"),
        };
        last.insert(0, Record::BlindSpot(spot));
    }
    for record in last {
        if let Err(error) = writer.record(record) {
            failure.get_or_insert(error);
        }
    }
    Recording {
        writer: Some(writer),
        failure,
        files,
        loads,
        origins,
        not_linked,
        ..recording
    }
}
