//! Throws changed seeds at readers of foreign bytes: none of them may panic, hang or fill the memory.
//!
//! `scripts/fuzz` starts this. An input that is met with a new answer becomes a seed itself, so that
//! changes pile up. Everything follows from one number: `--seed N` makes the same inputs again. What
//! fails is written to `target/fuzz/`, and read again by `--input FILE`.

mod mutation;
mod targets;
mod trampoline;

use mutation::{Random, mutated};
use std::collections::HashSet;
use std::error::Error;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use targets::Target;

/// What takes longer than this hangs, or would with a larger file.
const SLOW: Duration = Duration::from_secs(2);
/// Address space in bytes: an allocation beyond it ends the run, and `current` has the input.
const MEMORY: u64 = 4 << 30;
/// Inputs that are kept beside the seeds.
const MOST_KEPT: usize = 2000;
const KEPT: &str = "target/fuzz";

struct Options {
    target: Option<String>,
    seconds: u64,
    seed: u64,
    input: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match options() {
        // `cargo bench` starts every benchmark: without a target there is nothing to do.
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("fuzz: {error}"));
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            report(&format!("fuzz: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, Box<dyn Error>> {
    let mut options = Options {
        target: None,
        seconds: 10,
        seed: 1,
        input: None,
    };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word}: expected a value"));
        match word.as_str() {
            "--seconds" => options.seconds = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--input" => options.input = Some(value()?.into()),
            "--list" => {
                targets::ALL.iter().for_each(|(name, ..)| report(name));
                return Ok(None);
            }
            name => options.target = Some(name.to_owned()),
        }
    }
    Ok(options.target.is_some().then_some(options))
}

fn run(options: &Options) -> Result<usize, Box<dyn Error>> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY)?;
    let named = |target: &&Target| Some(target.0) == options.target.as_deref();
    let target = targets::ALL.iter().chain(targets::FAILING).find(named);
    let target = target.ok_or("no such target: --list shows them")?;
    if let Some(path) = &options.input {
        report(&(target.2)(&std::fs::read(path)?));
        return Ok(0);
    }
    let mut failures = 0;
    std::fs::create_dir_all(KEPT)?;
    // Failures are told by this program, once each.
    std::panic::set_hook(Box::new(|_panic| {}));
    let mut search = Search::of(target, options.seed)?;
    let end = Instant::now() + Duration::from_secs(options.seconds);
    while Instant::now() < end && failures < 10 {
        if let Some(why) = search.step()? {
            failures += 1;
            report(&format!("{}: {why}", target.0));
        }
    }
    report(&format!(
        "{}: {} inputs, {} different answers, {failures} failures (--seed {})",
        target.0,
        search.count,
        search.answers.len(),
        options.seed
    ));
    Ok(failures)
}

/// Inputs of a target, and what came of them.
struct Search<'t> {
    target: &'t Target,
    random: Random,
    inputs: Vec<Vec<u8>>,
    answers: HashSet<String>,
    failed: HashSet<String>,
    count: u64,
    current: std::fs::File,
}

impl<'t> Search<'t> {
    fn of(target: &'t Target, seed: u64) -> Result<Self, Box<dyn Error>> {
        let mut inputs = Vec::new();
        for place in target.1 {
            read(
                &Path::new(env!("CARGO_MANIFEST_DIR")).join(place),
                &mut inputs,
            )?;
        }
        if inputs.is_empty() {
            return Err(format!("{}: no seeds", target.0).into());
        }
        let current = Path::new(KEPT).join(format!("{}-current", target.0));
        Ok(Self {
            target,
            random: Random(seed),
            inputs,
            answers: HashSet::new(),
            failed: HashSet::new(),
            count: 0,
            current: std::fs::File::create(current)?,
        })
    }

    /// Tries one input; says what is wrong where something is.
    fn step(&mut self) -> Result<Option<String>, Box<dyn Error>> {
        let seeds = self.inputs.len() as u64;
        let (one, other) = (
            self.random.below(self.inputs.len()),
            self.random.below(self.inputs.len()),
        );
        // Seeds themselves first.
        let data = if self.count < seeds {
            self.inputs[usize::try_from(self.count)?].clone()
        } else {
            mutated(&self.inputs[one], &self.inputs[other], &mut self.random)
        };
        self.count += 1;
        self.remember(&data)?;
        let start = used()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.target.2)(&data)));
        let took = used()?.saturating_sub(start);
        let why = match outcome {
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                format!("panic: {}", words.unwrap_or_default())
            }
            Ok(_) if took > SLOW => format!("took {took:?}"),
            Ok(answer) => {
                let answer = words(&answer);
                if self.answers.insert(answer) && self.inputs.len() < MOST_KEPT {
                    self.inputs.push(data);
                }
                return Ok(None);
            }
        };
        if !self.failed.insert(words(&why)) {
            return Ok(None);
        }
        let path = Path::new(KEPT).join(format!("{}-{}", self.target.0, self.count));
        std::fs::write(&path, &data)?;
        Ok(Some(format!("{why}: {}", path.display())))
    }

    /// Keeps the input where it can be found when the process ends with it.
    fn remember(&mut self, data: &[u8]) -> std::io::Result<()> {
        use std::io::Seek as _;
        self.current.rewind()?;
        self.current.write_all(data)?;
        self.current.set_len(data.len() as u64)
    }
}

/// CPU time of this process: a machine that is busy with other work makes no input slow.
fn used() -> nix::Result<Duration> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// The words of an answer, without its numbers: answers that differ by these alone are the same.
fn words(answer: &str) -> String {
    let is_word = |word: &&str| {
        let digits = |c: char| c.is_ascii_digit() || !c.is_ascii();
        word.len() > 2 && !word.contains(digits)
    };
    let words = answer.split(|c: char| !c.is_alphanumeric() && c != '-');
    let words: Vec<&str> = words.filter(is_word).take(40).collect();
    words.join(" ")
}

/// A seed, or all that a folder has.
fn read(place: &Path, inputs: &mut Vec<Vec<u8>>) -> Result<(), Box<dyn Error>> {
    if place.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(place)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| read(entry, inputs));
    }
    inputs.push(std::fs::read(place)?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "printing is what this is for")]
fn report(line: &str) {
    println!("{line}");
}
