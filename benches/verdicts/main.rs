//! How honest and how sharp the verdicts of a comparison are, as the tables of
//! `docs/compare-method.md`; `scripts/bench-compare` starts this and puts them there.
//!
//! `tables` simulates runs; `pool FOLDER` draws groups from recorded runs of one and the same build.

mod pool;
mod random;
mod tables;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`, and without a task there is nothing to do.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let done = match words[..] {
        [] => Ok(()),
        ["tables"] => {
            tables::write();
            Ok(())
        }
        ["pool", folder] => pool::write(Path::new(folder)),
        _ => Err("expected: tables, or: pool FOLDER".into()),
    };
    if let Err(error) = done {
        say(format!("verdicts: {error}"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]
fn say(line: impl Display) {
    println!("{line}");
}

/// A row of a table in Markdown.
fn row(cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    say(format!("| {} |", cells.join(" | ")));
}

fn head(cells: &[String]) {
    row(cells.iter().cloned());
    row(cells.iter().map(|_| "---:".to_owned()));
}

fn percent(part: usize, whole: usize) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}
