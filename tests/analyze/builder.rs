//! Makes small traces in memory, by names and seconds.

use gotrace::trace::{
    Action, Avma, Ending, Exec, Exit, ExitStatus, Frame, FrameId, FramePlace, FrameRole, Function,
    FunctionId, Image, ImageId, ImageOffset, Imports, Location, Nanos, Pid, Process, ProcessId,
    Sample, SampleKind, SamplePlace, StackId, StringId, Tid, Trace, Unnamed, Usage,
};
use std::collections::HashMap;

/// Milliseconds.
pub(crate) const fn ms(millis: u64) -> Nanos {
    Nanos(millis * 1_000_000)
}

/// A trace in the making.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) trace: Trace,
    strings: HashMap<String, StringId>,
    functions: HashMap<String, FunctionId>,
}

impl Builder {
    pub(crate) fn text(&mut self, text: &str) -> StringId {
        if text.is_empty() {
            return StringId::EMPTY;
        }
        let strings = &mut self.trace.strings;
        *self
            .strings
            .entry(text.to_owned())
            .or_insert_with(|| strings.push(text.as_bytes()))
    }

    /// A program that lived from `life.0` to `life.1` milliseconds, used all CPU of `cpu` in user
    /// mode, and was started by `parent`. The first word of the line is the executable.
    pub(crate) fn process(
        &mut self,
        parent: Option<ProcessId>,
        line: &str,
        life: (u64, u64),
        cpu: u64,
    ) -> ProcessId {
        let id = ProcessId(u32::try_from(self.trace.processes.len()).unwrap());
        let argv: Vec<StringId> = line.split(' ').map(|word| self.text(word)).collect();
        let process = Process {
            id,
            pid: Pid(1000 + id.0),
            parent,
            predecessor: None,
            start: ms(life.0),
            exec_at: ms(life.0),
            exec: Exec {
                exe: argv[0],
                argv,
                ..Exec::default()
            },
            exit: Some(Exit {
                at: ms(life.1),
                status: ExitStatus::Code(0),
                usage: Usage {
                    user: ms(cpu),
                    ..Usage::default()
                },
            }),
            counts: None,
            own: false,
        };
        self.trace.processes.push(process);
        id
    }

    pub(crate) fn edit(&mut self, id: ProcessId) -> &mut Process {
        &mut self.trace.processes[id.index()]
    }

    /// A node of an action graph; times in milliseconds: ready, start, done.
    pub(crate) fn action(
        &mut self,
        number: u32,
        what: (&str, &str),
        deps: &[u32],
        times: (u64, u64, u64),
    ) -> &mut Action {
        let action = Action {
            number,
            mode: self.text(what.0),
            package: self.text(what.1),
            deps: deps.to_vec(),
            ready: Some(ms(times.0)),
            start: Some(ms(times.1)),
            done: Some(ms(times.2)),
            need_build: true,
            ..Action::default()
        };
        self.trace.actions.push(action);
        self.trace.actions.last_mut().unwrap()
    }

    pub(crate) fn imports(&mut self, process: ProcessId, packages: &[&str]) {
        let packages = packages.iter().map(|package| self.text(package)).collect();
        self.trace.imports.push(Imports { process, packages });
    }

    pub(crate) fn image(&mut self, path: &str) -> ImageId {
        let path = self.text(path);
        self.trace.images.push(Image {
            path,
            ..Image::default()
        });
        ImageId(u32::try_from(self.trace.images.len() - 1).unwrap())
    }

    /// A frame with these functions, innermost first, or without a name.
    pub(crate) fn frame(&mut self, place: FramePlace, names: Result<&[&str], Unnamed>) -> FrameId {
        let id = FrameId(u32::try_from(self.trace.frames.len()).unwrap());
        let locations = names.map(|names| {
            let location = |name: &&str| Location {
                function: self.function(name),
                line: 1,
            };
            names.iter().map(location).collect()
        });
        self.trace.frames.push(Frame {
            place,
            role: FrameRole::Executing,
        });
        self.trace.symbols.push(locations);
        id
    }

    /// A named frame somewhere in an image.
    pub(crate) fn named(&mut self, image: ImageId, names: &[&str]) -> FrameId {
        let offset = ImageOffset(self.trace.frames.len() as u64);
        self.frame(FramePlace::Image(image, offset), Ok(names))
    }

    pub(crate) fn cut(&mut self) -> FrameId {
        self.frame(FramePlace::Truncated, Err(Unnamed::Truncated))
    }

    pub(crate) fn unmapped(&mut self) -> FrameId {
        self.frame(FramePlace::Unmapped(Avma(1)), Err(Unnamed::Unmapped))
    }

    fn function(&mut self, name: &str) -> FunctionId {
        if let Some(&id) = self.functions.get(name) {
            return id;
        }
        let id = FunctionId(u32::try_from(self.trace.functions.len()).unwrap());
        let function = Function {
            name: self.text(name),
            file: StringId::EMPTY,
        };
        self.trace.functions.push(function);
        self.functions.insert(name.to_owned(), id);
        id
    }

    /// A new stack, outermost frame first. Equal stacks get different ids, as when a writer
    /// starts its table anew.
    pub(crate) fn stack(&mut self, frames: &[FrameId]) -> StackId {
        frames.iter().fold(StackId::EMPTY, |callers, &frame| {
            self.trace.stacks.push(callers, frame).unwrap()
        })
    }

    pub(crate) fn sample(&mut self, process: ProcessId, stack: StackId, time: u64, weight: u64) {
        self.sample_at(process, stack, time, weight, SamplePlace::User);
    }

    pub(crate) fn sample_at(
        &mut self,
        process: ProcessId,
        stack: StackId,
        time: u64,
        weight: u64,
        place: SamplePlace,
    ) {
        self.trace.push_samples(&[Sample {
            time: ms(time),
            process,
            tid: Tid(1),
            goroutine: None,
            stack,
            weight: ms(weight),
            kind: SampleKind::OnCpu,
            place,
        }]);
    }

    /// Says when the command ended.
    pub(crate) fn end(&mut self, at: u64) {
        self.trace.ending = Some(Ending {
            command_end: ms(at),
            status: Some(ExitStatus::Code(0)),
            ..Ending::default()
        });
    }
}

/// Command lines as the go command writes them, shortened.
pub(crate) const COMPILE: &str = "/go/pkg/tool/linux_amd64/compile";
pub(crate) const LINK: &str = "/go/pkg/tool/linux_amd64/link";
pub(crate) const WORK: &str = "/tmp/go-build1";

pub(crate) fn compile(number: u32, package: &str) -> String {
    format!(
        "{COMPILE} -o {WORK}/b{number:03}/_pkg_.a -p {package} -importcfg {WORK}/b{number:03}/importcfg"
    )
}
