//! How long `gotrace compare` takes for two traces of many samples, and how much memory.
//!
//! `cargo bench --bench compare -- TRACE [SAMPLES]` takes the trace of a real build, sampled at
//! 999 Hz at best, and writes two that hold its programs, actions and names once, and its samples
//! again and again until there are 10 million. So that there are not only the stacks of one build,
//! every 20th sample gets one more frame, another each time. Then it compares the two, five times.
//! `scripts/bench` starts this, and reads what it prints (`scripts/bench.d/comparing.py`).

use gotrace::trace::file::Writer;
use gotrace::trace::{
    Action, Ending, FrameId, FrameSymbol, Function, Image, Nanos, ProcessId, Record, Sample,
    StringId, Trace,
};
use nix::sys::resource::{UsageWho, getrusage};
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const SAMPLES: u64 = 10_000_000;
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`, and without a trace there is nothing to measure.
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let Some(path) = words.next() else {
        return ExitCode::SUCCESS;
    };
    let samples = words.next().and_then(|word| word.parse().ok());
    match measure(Path::new(&path), samples.unwrap_or(SAMPLES)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("{path}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(path: &Path, samples: u64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut traces = Vec::new();
    for name in ["base.gotrace", "new.gotrace"] {
        let large = folder.path().join(name);
        Enlarged::of(&Trace::open(path)?).write(&large, samples)?;
        let trace = Trace::open(&large)?;
        report(&format!(
            "{name}: {} samples, {} stacks, {} frames, {} MiB on disk",
            trace.sample_count(),
            trace.stacks.len(),
            trace.frames.len(),
            large.metadata()?.len() >> 20
        ));
        traces.push(large);
    }
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_gotrace"))
            .arg("compare")
            .args(&traces)
            .stdout(Stdio::null())
            .status()?;
        let took = start.elapsed().as_secs_f64();
        // Kibibytes, of the largest child so far: there are no others.
        let memory = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() >> 10;
        report(&format!("{took:.2} s, {memory} MiB, {status}"));
    }
    Ok(())
}

/// A trace that is written again, with ids of its own.
struct Enlarged<'t> {
    from: &'t Trace,
    frames: Vec<FrameId>,
}

impl<'t> Enlarged<'t> {
    fn of(from: &'t Trace) -> Self {
        Self {
            from,
            frames: Vec::new(),
        }
    }

    fn write(mut self, path: &Path, samples: u64) -> Result<(), Box<dyn Error>> {
        let mut writer = Writer::create(path, self.from.anchor)?;
        self.records(&mut writer)?;
        self.names(&mut writer)?;
        self.samples(&mut writer, samples)?;
        let ended = Ending {
            ..self.from.ending.unwrap_or_default()
        };
        writer.record(Record::Ending(ended))?;
        writer.finish()?;
        Ok(())
    }

    fn text(&self, writer: &mut Writer, id: StringId) -> StringId {
        writer.string(self.from.strings.get(id))
    }

    fn records(&self, writer: &mut Writer) -> Result<(), Box<dyn Error>> {
        for process in &self.from.processes {
            let mut process = process.clone();
            let exec = &mut process.exec;
            for id in exec.argv.iter_mut().chain([
                &mut exec.cwd,
                &mut exec.exe,
                &mut exec.package,
                &mut exec.translator,
            ]) {
                *id = self.text(writer, *id);
            }
            let (id, exit) = (process.id, process.exit.take());
            writer.record(Record::ProcessStarted(process))?;
            if let Some(exit) = exit {
                writer.record(Record::ProcessEnded(id, exit))?;
            }
        }
        for action in &self.from.actions {
            let mut action: Action = action.clone();
            for id in action.commands.iter_mut().chain([
                &mut action.mode,
                &mut action.package,
                &mut action.target,
                &mut action.objdir,
                &mut action.action_id,
                &mut action.build_id,
            ]) {
                *id = self.text(writer, *id);
            }
            writer.record(Record::Action(action))?;
        }
        Ok(())
    }

    fn names(&mut self, writer: &mut Writer) -> Result<(), Box<dyn Error>> {
        for image in &self.from.images {
            let path = self.text(writer, image.path);
            writer.image(&Image {
                path,
                ..image.clone()
            });
        }
        let mut functions = Vec::new();
        for function in &self.from.functions {
            let name = self.text(writer, function.name);
            let file = self.text(writer, function.file);
            functions.push(writer.function(Function { name, file }));
        }
        for (frame, names) in self.from.frames.iter().zip(&self.from.symbols) {
            let frame = writer.frame(*frame);
            self.frames.push(frame);
            let mut names = names.clone();
            for location in names.iter_mut().flatten() {
                location.function = functions[location.function.index()];
            }
            writer.symbol(FrameSymbol { frame, names })?;
            writer.flush_if_due()?;
        }
        Ok(())
    }

    fn samples(&self, writer: &mut Writer, samples: u64) -> Result<(), Box<dyn Error>> {
        let mut all = Vec::new();
        for block in self.from.samples() {
            all.extend(block?.iter());
        }
        let stacks = &self.from.stacks;
        let frames = |sample: &Sample| stacks.frames(sample.stack);
        let end = self.from.end();
        for number in 0..samples {
            let at = usize::try_from(number)?;
            let sample = all.get(at % all.len()).ok_or("no samples")?;
            let mut stack: Vec<FrameId> = frames(sample)
                .filter_map(|frame| self.frames.get(frame.index()).copied())
                .collect();
            if at % 20 == 0 {
                // A prime, so that it is another one each time.
                stack.insert(0, self.frames[at / 20 * 7_919 % self.frames.len()]);
            }
            let stack = writer.stack(&stack);
            // Within the life of its program, as before.
            let time = sample.time.0.min(end.0);
            writer.sample(Sample {
                time: Nanos(time),
                stack,
                process: ProcessId(sample.process.0),
                ..*sample
            })?;
        }
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
fn report(line: &str) {
    println!("{line}");
}
