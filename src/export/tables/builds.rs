//! Tables of programs and of the steps of builds.

use super::field::{optional_signed, optional_text, optional_unsigned, text, truth, unsigned};
use super::{Definition, Source, walk_all};
use crate::analyze::build::{ActionIndex, BuildAction};
use crate::analyze::{Name, Role};
use crate::export::text::hex;
use crate::export::{graph, words};
use crate::trace::{Nanos, Process, ProcessId, StringId, Thread};

pub(super) static PROCESSES: Definition<Process> = Definition {
    name: "processes",
    fields: &[
        unsigned("process", |_, process| process.id.0.into()),
        unsigned("pid", |_, process| process.pid.0.into()),
        optional_unsigned("parent", |of, process| {
            Some(of.role(process.id)?.parent?.0.into())
        }),
        optional_unsigned("predecessor", |_, process| {
            Some(process.predecessor?.0.into())
        }),
        text("tool", |of, process| {
            of.role(process.id)
                .map_or("", |role| role.tool.name())
                .into()
        }),
        optional_text("package", |of, process| {
            Some(of.role(process.id)?.package.as_deref()?.into())
        }),
        text("exe", |of, process| of.trace().text(process.exec.exe)),
        text("cwd", |of, process| of.trace().text(process.exec.cwd)),
        text("arch", |_, process| process.exec.arch.name().into()),
        optional_text("translator", |of, process| {
            of.present(process.exec.translator)
        }),
        unsigned("start_ns", |_, process| process.start.0),
        unsigned("exec_ns", |_, process| process.exec_at.0),
        optional_unsigned("end_ns", |_, process| Some(process.exit?.at.0)),
        optional_text("status", |_, process| {
            Some(words::status(process.exit?.status).into())
        }),
        optional_signed("exit_code", |_, process| {
            Some(process.exit?.status.code()?.into())
        }),
        optional_signed("signal", |_, process| {
            Some(process.exit?.status.signal()?.into())
        }),
        optional_unsigned("user_ns", |_, process| Some(process.exit?.usage.user.0)),
        optional_unsigned("system_ns", |_, process| Some(process.exit?.usage.system.0)),
        optional_unsigned("runqueue_ns", |_, process| {
            Some(process.exit?.usage.runqueue.0)
        }),
        optional_unsigned("max_rss_bytes", |_, process| {
            Some(process.exit?.usage.max_rss_bytes)
        }),
        optional_unsigned("minor_faults", |_, process| {
            Some(process.exit?.usage.minor_faults)
        }),
        optional_unsigned("major_faults", |_, process| {
            Some(process.exit?.usage.major_faults)
        }),
        optional_unsigned("read_bytes", |_, process| {
            Some(process.exit?.usage.read_bytes)
        }),
        optional_unsigned("written_bytes", |_, process| {
            Some(process.exit?.usage.written_bytes)
        }),
        optional_unsigned("voluntary_switches", |_, process| {
            Some(process.exit?.usage.voluntary_switches)
        }),
        optional_unsigned("involuntary_switches", |_, process| {
            Some(process.exit?.usage.involuntary_switches)
        }),
        optional_unsigned("forks_folded", |_, process| {
            Some(process.exit?.usage.forks_folded.into())
        }),
        optional_unsigned("instructions", |_, process| {
            Some(process.counts?.instructions)
        }),
        optional_unsigned("cycles", |_, process| Some(process.counts?.cycles)),
        optional_unsigned("performance_core_instructions", |_, process| {
            Some(process.counts?.performance_core_instructions)
        }),
        optional_unsigned("performance_core_cycles", |_, process| {
            Some(process.counts?.performance_core_cycles)
        }),
        optional_unsigned("energy_nj", |_, process| Some(process.counts?.energy_nj)),
    ],
    walk: |of, each| walk_all(of.processes(), each),
};

/// An argument of a process.
pub(super) struct Argument {
    process: ProcessId,
    position: usize,
    text: StringId,
}

pub(super) static ARGUMENTS: Definition<Argument> = Definition {
    name: "arguments",
    fields: &[
        unsigned("process", |_, argument| argument.process.0.into()),
        unsigned("position", |_, argument| argument.position as u64),
        text("argument", |of, argument| of.trace().text(argument.text)),
        optional_text("bytes_hex", |of, argument| {
            let bytes = of.trace().strings.get(argument.text);
            let is_text = std::str::from_utf8(bytes).is_ok();
            (!is_text).then(|| hex(bytes).into())
        }),
    ],
    walk: |of, each| {
        let arguments = of.processes().flat_map(|process| {
            let arguments = process.exec.argv.iter().enumerate();
            arguments.map(|(position, &text)| Argument {
                process: process.id,
                position,
                text,
            })
        });
        walk_all(arguments, each)
    },
};

pub(super) static THREADS: Definition<Thread> = Definition {
    name: "threads",
    fields: &[
        unsigned("process", |_, thread| thread.process.0.into()),
        unsigned("tid", |_, thread| thread.tid.0.into()),
        text("name", |of, thread| of.trace().text(thread.name)),
        unsigned("start_ns", |_, thread| thread.start.0),
        optional_unsigned("end_ns", |_, thread| Some(thread.end?.0)),
        unsigned("cpu_ns", |_, thread| thread.cpu.0),
        unsigned("runqueue_ns", |_, thread| thread.runqueue.0),
    ],
    walk: |of, each| {
        let threads = of.trace().threads.iter();
        walk_all(threads.filter(|thread| of.shows(thread.process)), each)
    },
};

/// An action of a build.
pub(super) struct Action {
    build: u32,
    number: ActionIndex,
    critical: bool,
    facts: BuildAction,
}

impl Action {
    /// All actions of all builds.
    fn all(of: &Source<'_>) -> impl Iterator<Item = Self> {
        let builds = (0..).zip(&of.analysis.builds.builds);
        builds.flat_map(|(build, graph)| {
            let critical = graph::critical_actions(graph);
            graph
                .indexed()
                .zip(critical)
                .map(move |((number, facts), critical)| Self {
                    build,
                    number,
                    critical,
                    facts: facts.clone(),
                })
        })
    }
}

pub(super) static ACTIONS: Definition<Action> = Definition {
    name: "actions",
    fields: &[
        unsigned("build", |_, action| action.build.into()),
        unsigned("number", |_, action| action.number.0.into()),
        text("kind", |_, action| action.facts.kind.name().into()),
        text("action", |_, action| (&*action.facts.mode).into()),
        text("package", |_, action| (&*action.facts.package).into()),
        optional_unsigned("process", |of, action| {
            Some(of.analysis.main_process(&action.facts)?.id.0.into())
        }),
        optional_text("tool", |of, action| {
            let process = of.analysis.main_process(&action.facts)?;
            Some(of.role(process.id)?.tool.name().into())
        }),
        text("outcome", |_, action| action.facts.outcome.name().into()),
        unsigned("ready_ns", |_, action| action.facts.ready.0),
        unsigned("start_ns", |_, action| action.facts.start.0),
        unsigned("end_ns", |_, action| action.facts.end.0),
        unsigned("wall_ns", |_, action| action.facts.running().0),
        unsigned("slot_wait_ns", |_, action| action.facts.waited().0),
        unsigned("cpu_ns", |_, action| action.facts.cpu.0),
        unsigned("runqueue_ns", |_, action| action.facts.runqueue.0),
        unsigned("count", |_, action| action.facts.processes.len() as u64),
        unsigned("unlocks", |_, action| action.facts.unlocks.into()),
        unsigned("gates", |_, action| action.facts.gates.into()),
        truth("critical", |_, action| action.critical),
    ],
    walk: |of, each| walk_all(Action::all(of), each),
};

/// What an action needs.
pub(super) struct Dependency {
    build: u32,
    number: ActionIndex,
    needs: ActionIndex,
}

pub(super) static DEPENDENCIES: Definition<Dependency> = Definition {
    name: "dependencies",
    fields: &[
        unsigned("build", |_, dependency| dependency.build.into()),
        unsigned("number", |_, dependency| dependency.number.0.into()),
        unsigned("needs", |_, dependency| dependency.needs.0.into()),
    ],
    walk: |of, each| {
        let dependencies = Action::all(of).flat_map(|action| {
            let (build, number) = (action.build, action.number);
            let needs = action.facts.deps.into_iter();
            needs.map(move |needs| Dependency {
                build,
                number,
                needs,
            })
        });
        walk_all(dependencies, each)
    },
};

/// A phase of a process, once.
pub(super) struct Phase {
    process: ProcessId,
    track: Name,
    name: Name,
    beside: bool,
    begin: Nanos,
    end: Nanos,
}

pub(super) static PHASES: Definition<Phase> = Definition {
    name: "phases",
    fields: &[
        unsigned("process", |_, phase| phase.process.0.into()),
        text("track", |_, phase| (&*phase.track).into()),
        text("phase", |_, phase| (&*phase.name).into()),
        truth("beside", |_, phase| phase.beside),
        unsigned("start_ns", |_, phase| phase.begin.0),
        unsigned("end_ns", |_, phase| phase.end.0),
    ],
    walk: |of, each| {
        let phases = of.phases();
        let spans = phases.spans().into_iter().map(|span| Phase {
            process: span.process,
            track: span.phase.track.clone(),
            name: span.phase.phase.clone(),
            beside: span.phase.beside,
            begin: span.begin,
            end: span.end,
        });
        walk_all(spans, each)?;
        Ok(phases.unreadable_blocks())
    },
};

impl<'a> Source<'a> {
    fn role(&self, process: ProcessId) -> Option<&'a Role> {
        self.analysis.roles.get(process)
    }

    /// The processes of the command.
    fn processes(&self) -> impl Iterator<Item = &'a Process> {
        let roles = self.analysis.roles.iter();
        roles.filter_map(|(id, _)| self.trace().process(id))
    }
}
