//! How long `gotrace inspect` takes for a large executable, and how much memory.
//!
//! `scripts/bench --only inspect` starts this with the compiler of an official toolchain. Twenty rounds
//! each, a line of name and seconds for every one, none left out: `--check` with every page hash,
//! `--lookup` and `--symbols` by the program itself; `open`, up to the first name; a million random
//! addresses of the code to `functions`, and to files, `lines` and inlined calls. Sizes are in bytes.

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
            complain(&format!("{path}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(path: &Path) -> Result<(), Box<dyn Error>> {
    report("bytes", path.metadata()?.len() as f64);
    for (name, option) in [
        ("check", "--check"),
        ("lookup", "--lookup=runtime.mallocgc"),
        ("symbols", "--symbols"),
    ] {
        rounds(name, || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_gotrace"));
            let command = command.arg("inspect").arg(option).arg(path);
            let status = command.stdout(Stdio::null()).status()?;
            status
                .success()
                .then_some(())
                .ok_or("gotrace inspect failed")?;
            Ok(())
        })?;
        // Kibibytes, of the largest child so far.
        let memory = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
        report(&format!("{name}-peak"), memory as f64 * 1024.0);
    }
    rounds("open", || {
        let contents = Contents::open(path)?;
        let slice = slice(&contents)?;
        let image = Image::of(&slice)?;
        let index = Index::of(&image, None);
        black_box(index.function(start(&slice)?));
        Ok(())
    })?;
    look_up(path)
}

fn look_up(path: &Path) -> Result<(), Box<dyn Error>> {
    let contents = Contents::open(path)?;
    let slice = slice(&contents)?;
    let image = Image::of(&slice)?;
    let index = Index::of(&image, None);
    let macho = MachO::parse(&slice)?;
    let code = macho.section("__TEXT", "__text").ok_or("no code")?;
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
    rounds("functions", || {
        named = addresses
            .iter()
            .filter(|one| index.function(**one).is_some())
            .count();
        Ok(())
    })?;
    report("named", named as f64);
    let table = Pclntab::of(&macho)?;
    rounds("lines", || {
        for address in &addresses {
            if let Some(function) = table.find(*address)? {
                black_box(function.lines(*address)?);
            }
        }
        Ok(())
    })
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

/// Times some rounds, in seconds.
fn rounds(
    name: &str,
    mut round: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round()?;
        report(name, start.elapsed().as_secs_f64());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
fn report(name: &str, value: f64) {
    println!("{name} {value}");
}

#[expect(clippy::print_stderr, reason = "what went wrong is no figure")]
fn complain(line: &str) {
    eprintln!("{line}");
}
