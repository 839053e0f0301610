//! How long `gotrace inspect` takes for a large executable, and how much memory.
//!
//! `cargo bench --bench inspect -- FILE` measures, twenty times each: `--check` with every page hash, by
//! the program itself; opening the file for symbols, up to the first name; a million random addresses
//! of its code to function names, and a tenth as many to files and lines. Each figure is the median, with
//! the shortest and the longest time.

use gotrace::analyze::inspect::symbols::{Image, Index};
use gotrace::binary::Svma;
use gotrace::binary::macho::{MachO, Slice, SliceOf, Slices};
use gotrace::binary::{FileOffset, go::Pclntab};
use gotrace::symbolize::Contents;
use nix::sys::resource::{UsageWho, getrusage};
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const ROUNDS: usize = 20;
const ADDRESSES: usize = 1_000_000;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`, and without a file there is nothing to measure.
    let mut words = std::env::args().skip(1);
    let Some(path) = words.find(|word| !word.starts_with('-')) else {
        return ExitCode::SUCCESS;
    };
    match measure(Path::new(&path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("{path}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(path: &Path) -> Result<(), Box<dyn Error>> {
    let size = path.metadata()?.len();
    report(&format!("{}: {size} bytes", path.display()));
    for option in ["--check", "--symbols", "--lookup=runtime.mallocgc"] {
        let seconds = rounds(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
            let command = command.arg("inspect").arg(option).arg(path);
            let status = command.stdout(Stdio::null()).status()?;
            status.success().then_some(()).ok_or("it failed")?;
            Ok(())
        })?;
        // Kibibytes, of the largest child so far: each is larger than those before.
        let memory = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
        let memory = memory as f64 * 1024.0 / size as f64;
        report(&format!(
            "{option}: {seconds}; memory so far {memory:.2} times the file"
        ));
    }
    let opened = rounds(|| {
        let contents = Contents::open(path)?;
        let slice = slice(&contents)?;
        let image = Image::of(&slice)?;
        let index = Index::of(&image, None);
        black_box(index.function(start(&slice)?));
        Ok(())
    })?;
    report(&format!("opened for symbols: {opened}"));
    look_up(path)
}

fn look_up(path: &Path) -> Result<(), Box<dyn Error>> {
    let contents = Contents::open(path)?;
    let slice = slice(&contents)?;
    let image = Image::of(&slice)?;
    let index = Index::of(&image, None);
    let code = MachO::parse(&slice)?;
    let code = code.section("__TEXT", "__text").ok_or("no code")?;
    // SplitMix64, so that each run asks for the same addresses.
    let mut state = 0_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Svma(code.address.0 + (mixed ^ (mixed >> 31)) % code.size)
    };
    let addresses: Vec<Svma> = (0..ADDRESSES).map(|_| next()).collect();
    let mut named = 0;
    let names = rounds(|| {
        named = addresses
            .iter()
            .filter(|one| index.function(**one).is_some())
            .count();
        Ok(())
    })?;
    report(&format!(
        "{ADDRESSES} addresses to functions, {named} of them named: {names}"
    ));
    let macho = MachO::parse(&slice)?;
    let table = Pclntab::of(&macho)?;
    let some = addresses.get(..ADDRESSES / 10).unwrap_or_default();
    let lines = rounds(|| {
        for address in some {
            let function = table.find(*address)?;
            black_box(
                function
                    .map(|function| function.lines(*address))
                    .transpose()?,
            );
        }
        Ok(())
    })?;
    report(&format!(
        "{} addresses to files, lines and inlined calls: {lines}",
        some.len()
    ));
    Ok(())
}

fn slice(contents: &Contents) -> Result<Slice<'_>, Box<dyn Error>> {
    let data: &[u8] = contents;
    if !Slices::begins(data) {
        return Ok(Slice {
            of: SliceOf::Thin,
            offset: FileOffset(0),
            data,
        });
    }
    Slices::of(data)?
        .slices
        .into_iter()
        .next()
        .ok_or_else(|| "no slice".into())
}

fn start(slice: &Slice<'_>) -> Result<Svma, Box<dyn Error>> {
    Ok(MachO::parse(slice)?.entry().ok_or("no entry")?)
}

/// Times some rounds: median, shortest, longest.
fn rounds(mut round: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<String, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        times.push(start.elapsed());
    }
    times.sort();
    let at = |number: usize| times.get(number).copied().unwrap_or_default();
    Ok(format!(
        "{:?} [{:?}, {:?}]",
        at(ROUNDS / 2),
        at(0),
        at(ROUNDS - 1)
    ))
}

#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
fn report(line: &str) {
    println!("{line}");
}
