//! What happened beside samples in; the markers of each thread out.
//!
//! `schema.json` tells viewers how each kind is shown.

use super::places::Strings;
use super::{millis, put_column};
use crate::analyze::bindings::Happened;
use crate::analyze::build::BuildAction;
use crate::analyze::{Analysis, Build, PhaseIndex, summary};
use crate::export::{graph, words};
use crate::trace::{Nanos, Process, ProcessId, StringId};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// How viewers are to show the kinds of [`Data`].
pub(super) const SCHEMA: &str = include_str!("schema.json");

/// Something that happened: at once, where it has no end.
pub(super) struct Marker {
    /// Position of its name in the table of texts.
    name: usize,
    start: Nanos,
    end: Option<Nanos>,
    data: Data,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Data {
    Action {
        package: String,
        action: String,
        outcome: &'static str,
        cpu: f64,
        waited: f64,
        unlocks: u32,
        critical: &'static str,
    },
    Wait {
        label: String,
    },
    CriticalPath {
        label: String,
    },
    Process {
        command: String,
        cwd: String,
        arch: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        translator: Option<String>,
        #[serde(flatten)]
        exit: Option<Exit>,
    },
    Phase {
        phase: String,
    },
    Relocation {
        binds: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        cpu: Option<f64>,
    },
    Load {
        image: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        slide: Option<String>,
    },
    Loss {
        count: u64,
        why: String,
    },
    BlindSpot {
        why: String,
    },
}

#[derive(Serialize)]
struct Exit {
    status: &'static str,
    user: f64,
    system: f64,
    rss: u64,
}

/// The markers of a trace, by the thread that they stand on.
#[derive(Default)]
pub(super) struct Markers {
    /// Of each build.
    pub(super) builds: Vec<Vec<Marker>>,
    /// What was lost or not seen.
    pub(super) gaps: Vec<Marker>,
    /// Of each program.
    pub(super) programs: FxHashMap<ProcessId, Vec<Marker>>,
}

impl Markers {
    /// Reads all calls and binds once; returns how many blocks of them could not be read, too.
    pub(super) fn of(analysis: &Analysis<'_>, strings: &mut Strings) -> (Self, u64) {
        let mut markers = Self::default();
        let builds = analysis.builds.builds.iter();
        markers.builds = builds.map(|build| of_build(build, strings)).collect();
        markers.critical_path(analysis, strings);
        markers.gaps(analysis, strings);
        for (id, _) in analysis.roles.iter() {
            if let Some(process) = analysis.trace.process(id) {
                let life = life(analysis, process, strings);
                markers.programs.entry(id).or_default().push(life);
            }
        }
        let unreadable_blocks =
            markers.phases(analysis, strings) + markers.linking(analysis, strings);
        (markers, unreadable_blocks)
    }

    /// Pieces of the path stand on the thread of their build.
    fn critical_path(&mut self, analysis: &Analysis<'_>, strings: &mut Strings) {
        for segment in &analysis.builds.critical_path.segments {
            if let Some(markers) = self.builds.get_mut(segment.build as usize) {
                markers.push(Marker {
                    name: strings.position("critical path"),
                    start: segment.start,
                    end: Some(segment.end),
                    data: Data::CriticalPath {
                        label: summary::label(analysis, segment).to_string(),
                    },
                });
            }
        }
    }

    fn gaps(&mut self, analysis: &Analysis<'_>, strings: &mut Strings) {
        let trace = analysis.trace;
        self.gaps.extend(trace.losses.iter().map(|loss| Marker {
            name: strings.position(&format!("lost: {}", trace.text(loss.what))),
            start: loss.from,
            end: Some(loss.to),
            data: Data::Loss {
                count: loss.count,
                why: trace.text(loss.why).into_owned(),
            },
        }));
        self.gaps
            .extend(trace.blind_spots.iter().map(|spot| Marker {
                name: strings.position(&format!("not seen: {}", trace.text(spot.what))),
                start: spot.time,
                end: None,
                data: Data::BlindSpot {
                    why: trace.text(spot.why).into_owned(),
                },
            }));
    }

    fn phases(&mut self, analysis: &Analysis<'_>, strings: &mut Strings) -> u64 {
        let phases = PhaseIndex::of(analysis);
        for span in phases.spans() {
            self.programs.entry(span.process).or_default().push(Marker {
                name: strings.position(&span.phase.track),
                start: span.begin,
                end: Some(span.end),
                data: Data::Phase {
                    phase: span.phase.phase.to_string(),
                },
            });
        }
        phases.unreadable_blocks()
    }

    fn linking(&mut self, analysis: &Analysis<'_>, strings: &mut Strings) -> u64 {
        let happened = Happened::of(analysis);
        for span in &happened.spans {
            let linking = &span.linking;
            self.programs
                .entry(linking.process)
                .or_default()
                .push(Marker {
                    name: strings.position(span.name()),
                    start: linking.from,
                    end: Some(linking.to),
                    data: Data::Relocation {
                        binds: span.binds,
                        cpu: linking.cpu.map(millis),
                    },
                });
        }
        for mark in &happened.marks {
            let load = &mark.load;
            self.programs.entry(load.process).or_default().push(Marker {
                name: strings.position(mark.file()),
                start: load.time,
                end: None,
                data: Data::Load {
                    image: mark.image.to_string(),
                    slide: load.slide.map(|slide| format!("{slide:#x}")),
                },
            });
        }
        happened.unreadable_blocks
    }
}

fn of_build(build: &Build, strings: &mut Strings) -> Vec<Marker> {
    let critical = graph::critical_actions(build);
    let mut markers = Vec::new();
    for ((_, action), critical) in build.indexed().zip(critical) {
        if action.begun() {
            markers.push(of_action(action, critical, strings));
        }
        if action.begun() && action.waited() > Nanos::ZERO {
            markers.push(Marker {
                name: strings.position("waiting for a slot"),
                start: action.ready,
                end: Some(action.start),
                data: Data::Wait {
                    label: action.label(),
                },
            });
        }
    }
    markers
}

fn of_action(action: &BuildAction, critical: bool, strings: &mut Strings) -> Marker {
    Marker {
        name: strings.position(action.kind.name()),
        start: action.start,
        end: Some(action.end),
        data: Data::Action {
            package: action.package.to_string(),
            action: action.mode.to_string(),
            outcome: action.outcome.name(),
            cpu: millis(action.cpu),
            waited: millis(action.waited()),
            unlocks: action.unlocks,
            critical: if critical { "yes" } else { "no" },
        },
    }
}

fn life(analysis: &Analysis<'_>, process: &Process, strings: &mut Strings) -> Marker {
    let trace = analysis.trace;
    let exec = &process.exec;
    let argv: Vec<_> = exec.argv.iter().map(|&word| trace.text(word)).collect();
    let translator = (exec.translator != StringId::EMPTY).then(|| trace.text(exec.translator));
    Marker {
        name: strings.position("process"),
        start: process.start,
        end: Some(process.end_or(analysis.end)),
        data: Data::Process {
            command: argv.join(" "),
            cwd: trace.text(exec.cwd).into_owned(),
            arch: exec.arch.name(),
            translator: translator.map(Cow::into_owned),
            exit: process.exit.map(|exit| Exit {
                status: words::status(exit.status),
                user: millis(exit.usage.user),
                system: millis(exit.usage.system),
                rss: exit.usage.max_rss_bytes,
            }),
        },
    }
}

/// Writes the table of a thread's markers.
pub(super) fn write(markers: &[Marker], out: &mut impl Write) -> io::Result<()> {
    const INSTANT: u8 = 0;
    const INTERVAL: u8 = 1;
    let ends = markers.iter().map(|marker| marker.end.map(millis));
    let phases = markers.iter().map(|marker| match marker.end {
        Some(_) => INTERVAL,
        None => INSTANT,
    });
    out.write_all(b"\n\"markers\":{")?;
    put_column("data", markers.iter().map(|marker| &marker.data), out)?;
    put_column("name", markers.iter().map(|marker| marker.name), out)?;
    put_column(
        "startTime",
        markers.iter().map(|marker| millis(marker.start)),
        out,
    )?;
    put_column("endTime", ends, out)?;
    put_column("phase", phases, out)?;
    put_column("category", markers.iter().map(|_| 0), out)?;
    write!(out, "\"length\":{}}}", markers.len())
}
