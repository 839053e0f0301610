//! Makes a large trace of a small one: `cargo run --release --example enlarge -- TRACE LARGE SAMPLES ROUNDS`.
//! `scripts/bench` measures with what it writes how reports, exports and comparisons bear ten million samples.
//!
//! What is written is the command again and again, ROUNDS times, started by one shell. Each round takes as many
//! times longer as it needs for its part of the samples: where a thread was seen once, it is seen on and on, each
//! sample a weight behind the last. So there are as many programs, phases and stretches of threads as a long build
//! has, not one short build whose every moment is seen a thousand times: more samples make these longer, more rounds
//! make more of them. So that there are not only the stacks of one build, every 20th sample gets one more frame,
//! another one each time.

use anyhow::{Context as _, ensure};
use gotrace::trace::file::Writer;
use gotrace::trace::{
    CallEvent, Ending, Exec, Exit, ExitStatus, FrameId, FrameSymbol, Nanos, Process, ProcessId,
    Record, Sample, Trace, Usage,
};
use std::path::Path;

/// Each of so many samples has a frame that no other has there.
const RARE: usize = 20;
/// Strings that are written at once: the writer holds few mebibytes of what is not on disk.
const PIECE: usize = 4_096;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let usage = "usage: enlarge TRACE LARGE SAMPLES ROUNDS";
    let (small, large) = (words.next().context(usage)?, words.next().context(usage)?);
    let samples: usize = words.next().context(usage)?.parse().context(usage)?;
    let rounds: u32 = words.next().context(usage)?.parse().context(usage)?;
    let small = Trace::open(Path::new(&small)).with_context(|| small.clone())?;
    let enlarged = Enlarged::of(&small, samples, rounds)?;
    let mut writer = Writer::create(Path::new(&large), small.anchor)?;
    enlarged.write(&mut writer)?;
    writer.finish()?;
    Ok(())
}

/// A trace, its samples and calls in memory, and how much longer each round takes.
struct Enlarged<'t> {
    from: &'t Trace,
    samples: Vec<Sample>,
    calls: Vec<CallEvent>,
    /// Samples that are written.
    wanted: usize,
    /// How often the command is run.
    rounds: u32,
    /// Samples for each of `samples`, but the last ones of the last round.
    times: u64,
}

impl<'t> Enlarged<'t> {
    fn of(from: &'t Trace, wanted: usize, rounds: u32) -> anyhow::Result<Self> {
        let (mut samples, mut calls) = (Vec::new(), Vec::new());
        for block in from.samples() {
            samples.extend(block?.iter());
        }
        for block in from.calls() {
            calls.extend(block?.iter());
        }
        ensure!(!samples.is_empty(), "expected samples, found none");
        ensure!(rounds > 0, "expected a round at least, found none");
        samples.sort_by_key(|sample| sample.time);
        let times = wanted.div_ceil(samples.len() * rounds as usize);
        Ok(Self {
            from,
            samples,
            calls,
            wanted,
            rounds,
            times: u64::try_from(times)?,
        })
    }

    fn write(&self, writer: &mut Writer) -> anyhow::Result<()> {
        self.tables(writer)?;
        self.shell(writer)?;
        let mut left = self.wanted;
        for round in 0..self.rounds {
            self.programs(writer, round)?;
            self.calls(writer, round)?;
            left = self.samples(writer, round, left)?;
        }
        let ended = self.from.ending.unwrap_or_default();
        writer.record(Record::Ending(Ending {
            command_end: self.end(),
            ..ended
        }))?;
        Ok(())
    }

    /// What all rounds have in common, with the numbers that it has in the small trace.
    fn tables(&self, writer: &mut Writer) -> anyhow::Result<()> {
        let trace = self.from;
        for number in 1..u32::try_from(trace.strings.len())? {
            let id = gotrace::trace::StringId(number);
            ensure!(
                writer.string(trace.strings.get(id)) == id,
                "string {number} occurs twice"
            );
            if (number as usize).is_multiple_of(PIECE) {
                writer.flush()?;
            }
        }
        for image in &trace.images {
            writer.image(image);
        }
        for function in &trace.functions {
            writer.function(*function);
        }
        for (frame, names) in trace.frames.iter().zip(&trace.symbols) {
            let frame = writer.frame(*frame);
            let names = names.clone();
            writer.symbol(FrameSymbol { frame, names })?;
        }
        writer.record(Record::Host(trace.host.clone()))?;
        let toolchains = trace.toolchains.iter().cloned().map(Record::Toolchain);
        let settings = trace.settings.iter().cloned().map(Record::Setting);
        let probes = trace.probes.iter().cloned().map(Record::Probe);
        for record in toolchains.chain(settings).chain(probes) {
            writer.record(record)?;
        }
        Ok(())
    }

    /// The program that starts all rounds.
    fn shell(&self, writer: &mut Writer) -> anyhow::Result<()> {
        let argv = ["sh", "-c", "build again and again"].map(|word| writer.string(word.as_bytes()));
        writer.record(Record::ProcessStarted(Process {
            exec: Exec {
                argv: argv.to_vec(),
                ..Exec::default()
            },
            ..Process::default()
        }))?;
        let exit = Exit {
            at: self.end(),
            status: ExitStatus::Code(0),
            usage: Usage::default(),
        };
        writer.record(Record::ProcessEnded(ProcessId(0), exit))?;
        Ok(())
    }

    fn programs(&self, writer: &mut Writer, round: u32) -> anyhow::Result<()> {
        let trace = self.from;
        for process in &trace.processes {
            let mut process = process.clone();
            process.id = self.program(process.id, round);
            let parent = process.parent.map(|id| self.program(id, round));
            process.parent = Some(parent.unwrap_or_default());
            process.predecessor = process.predecessor.map(|id| self.program(id, round));
            process.start = self.time(process.start, round);
            process.exec_at = self.time(process.exec_at, round);
            let (id, exit) = (process.id, process.exit.take());
            writer.record(Record::ProcessStarted(process))?;
            if let Some(mut exit) = exit {
                exit.at = self.time(exit.at, round);
                for time in [
                    &mut exit.usage.user,
                    &mut exit.usage.system,
                    &mut exit.usage.runqueue,
                ] {
                    time.0 *= self.times;
                }
                writer.record(Record::ProcessEnded(id, exit))?;
            }
        }
        for thread in &trace.threads {
            let mut thread = *thread;
            thread.process = self.program(thread.process, round);
            thread.start = self.time(thread.start, round);
            thread.end = thread.end.map(|end| self.time(end, round));
            writer.record(Record::Thread(thread))?;
        }
        for mapping in &trace.mappings {
            let mut mapping = *mapping;
            mapping.process = self.program(mapping.process, round);
            mapping.time = self.time(mapping.time, round);
            writer.record(Record::Mapping(mapping))?;
        }
        let graphs = trace.actions.iter().map(|action| action.graph + 1).max();
        for action in &trace.actions {
            let mut action = action.clone();
            action.graph += round * graphs.unwrap_or_default();
            action.go = action.go.map(|id| self.program(id, round));
            for time in [&mut action.ready, &mut action.start, &mut action.done] {
                *time = time.map(|time| self.time(time, round));
            }
            writer.record(Record::Action(action))?;
        }
        for imports in &trace.imports {
            let mut imports = imports.clone();
            imports.process = self.program(imports.process, round);
            writer.record(Record::Imports(imports))?;
        }
        Ok(())
    }

    fn calls(&self, writer: &mut Writer, round: u32) -> anyhow::Result<()> {
        for event in &self.calls {
            writer.call(CallEvent {
                time: self.time(event.time, round),
                process: self.program(event.process, round),
                ..*event
            })?;
        }
        Ok(())
    }

    /// Returns how many samples are left to be written.
    fn samples(&self, writer: &mut Writer, round: u32, mut left: usize) -> anyhow::Result<usize> {
        let stacks = &self.from.stacks;
        for sample in &self.samples {
            let mut stack: Vec<FrameId> = stacks.frames(sample.stack).collect();
            let common = writer.stack(&stack);
            stack.insert(0, FrameId(0));
            let from = self.time(sample.time.since(sample.weight), round);
            for number in 1..=self.times.min(u64::try_from(left)?) {
                let mut of = common;
                if left.is_multiple_of(RARE) {
                    // A prime, so that it is another frame each time.
                    let frame = left / RARE * 7_919 % self.from.frames.len();
                    stack[0] = FrameId(u32::try_from(frame)?);
                    of = writer.stack(&stack);
                }
                writer.sample(Sample {
                    time: from + Nanos(number * sample.weight.0),
                    process: self.program(sample.process, round),
                    stack: of,
                    ..*sample
                })?;
                left -= 1;
            }
        }
        Ok(left)
    }

    fn program(&self, id: ProcessId, round: u32) -> ProcessId {
        let of_round = u32::try_from(self.from.processes.len()).unwrap_or(u32::MAX);
        ProcessId(1 + round * of_round + id.0)
    }

    fn time(&self, time: Nanos, round: u32) -> Nanos {
        Nanos((u64::from(round) * self.from.end().0 + time.0) * self.times)
    }

    fn end(&self) -> Nanos {
        self.time(Nanos::ZERO, self.rounds)
    }
}
