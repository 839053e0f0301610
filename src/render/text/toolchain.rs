//! What `gotrace toolchain` shows.

use super::{Cell, Column, Page, Table, Tone};
use crate::analyze::doctor::quoted;
use crate::analyze::toolchain::{
    Check, InstrumentedProgram, Prepared, Standing, Tracing, Verdict, architectures, signatures,
};
use crate::environment::goroot::{Listed, Place, Runs};
use crate::render::units;
use std::collections::BTreeMap;
use std::io;

/// Writes what was signed, and how the copy is used.
///
/// # Errors
///
/// Those of the writer.
pub fn prepared(prepared: &Prepared, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let mut programs = prepared.programs.iter();
    let instrumented = programs.any(|program| program.instrumented.is_some());
    let mut columns = vec![
        Column::name("program"),
        Column::word("arch"),
        Column::name("was"),
        Column::name("is"),
        Column::number("pages").optional(1),
    ];
    if instrumented {
        columns.push(Column::number("functions"));
    }
    let mut table = Table::new(columns);
    for program in &prepared.programs {
        let mut row = vec![
            Cell::toned(program.path.as_str(), Tone::Strong),
            program.arch.as_str().into(),
            program.before.as_str().into(),
            short(&program.after).into(),
            units::count(program.pages).into(),
        ];
        if instrumented {
            let functions = program.instrumented.as_ref();
            row.push(units::count(functions.map_or(0, |made| made.functions as u64)).into());
        }
        table.push(row);
    }
    table.write(page, out)?;
    for program in &prepared.programs {
        if let Some(made) = &program.instrumented {
            not_instrumented(&program.path, made, page, out)?;
        }
    }
    let count = |count: usize| units::count(count as u64);
    let but = match instrumented {
        true => ", but for jumps to what tells of calls",
        false => "",
    };
    writeln!(
        out,
        "{}: {} files, {} of them signed; their code is that of {}, byte for byte{but}",
        page.safe(&prepared.to),
        count(prepared.files),
        count(prepared.programs.len()),
        page.safe(&prepared.from)
    )?;
    let path = quoted(&format!("{}/bin", prepared.to));
    writeln!(
        out,
        "use {} with: GOTOOLCHAIN=local PATH={}:$PATH",
        page.safe(&prepared.version),
        page.safe(&path)
    )
}

/// Writes what of a program was asked for and tells of no calls: of each reason how many functions, and the first.
fn not_instrumented(
    path: &str,
    made: &InstrumentedProgram,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let path = page.safe(path);
    let mut reasons: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for (function, why) in &made.left_alone {
        let first = reasons.entry(without_address(why)).or_insert((0, function));
        first.0 = first.0.saturating_add(1);
    }
    for (reason, (count, function)) in reasons {
        let function = page.safe(function);
        match count {
            1 => writeln!(out, "{path}: {function} is left alone: {reason}")?,
            _ => writeln!(
                out,
                "{path}: {} functions are left alone ({function}, ...): {reason}",
                units::count(count as u64)
            )?,
        }
    }
    for words in &made.unmatched {
        writeln!(out, "{}", page.safe(words))?;
    }
    match &made.refused {
        Some(why) => writeln!(
            out,
            "{path}: no function tells of its calls: {}",
            page.safe(why)
        ),
        None => Ok(()),
    }
}

/// A reason without the address in it, which is another one for each function.
fn without_address(why: &str) -> String {
    let Some((before, behind)) = why.split_once(" at 0x") else {
        return why.to_owned();
    };
    let behind = behind.trim_start_matches(|letter: char| letter.is_ascii_hexdigit());
    format!("{before}{behind}")
}

/// Entitlements without what they have in common.
fn short(words: &[String]) -> String {
    let words = words
        .iter()
        .map(|word| word.strip_prefix("com.apple.security.").unwrap_or(word));
    words.collect::<Vec<_>>().join(", ")
}

/// Writes toolchains as a table, and below why some cannot be watched; nothing where there are none.
///
/// # Errors
///
/// Those of the writer.
pub fn list(listed: &[(&Listed, Tracing)], page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    if listed.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(vec![
        Column::word("version"),
        Column::word("arch"),
        Column::name("runs"),
        Column::word("traceable"),
        Column::name("signature"),
        Column::name("toolchain"),
        Column::name("found by").optional(1),
    ]);
    for (one, tracing) in listed {
        let tone = match tracing.verdict {
            Verdict::No => Tone::Warning,
            Verdict::Yes | Verdict::Unknown => Tone::Plain,
        };
        table.push(vec![
            or_dash(one.goroot.version.clone()).into(),
            or_dash(architectures(&one.goroot)).into(),
            runs(&one.runs).into(),
            Cell::toned(tracing.verdict.name(), tone),
            or_dash(signatures(&one.goroot)).into(),
            Cell::toned(one.goroot.root.display().to_string(), Tone::Strong),
            places(&one.places).into(),
        ]);
    }
    table.write(page, out)?;
    for (one, tracing) in listed {
        if tracing.verdict == Verdict::Yes {
            continue;
        }
        let root = one.goroot.root.display().to_string();
        writeln!(out, "{}: {}", page.safe(&root), page.safe(&tracing.why))?;
        if let Some(remedy) = &tracing.remedy {
            writeln!(out, "  {}", page.safe(remedy))?;
        }
    }
    Ok(())
}

fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

fn runs(runs: &Runs) -> String {
    match runs {
        Runs::Natively => "natively".to_owned(),
        Runs::Translated(by) => format!("by {by}"),
        Runs::NotHere => "not here".to_owned(),
    }
}

/// How a toolchain was found, in words.
fn places(places: &[Place]) -> String {
    let words = places.iter().map(|place| match place {
        Place::Path { first: true, .. } => "PATH (runs as go)",
        Place::Path { .. } => "PATH",
        Place::Goroot => "GOROOT",
        Place::Toolchain => "GOTOOLCHAIN",
        Place::Official => "/usr/local/go",
        Place::Sdk => "~/sdk",
        Place::ModuleCache => "module cache",
        Place::Homebrew => "Homebrew",
        Place::Package => "package",
    });
    let mut words: Vec<&str> = words.collect();
    words.dedup();
    words.join(", ")
}

/// Writes what was found of a pair: what is wrong, or all of it, and a verdict.
///
/// # Errors
///
/// Those of the writer.
pub fn pair(
    names: [&str; 2],
    checks: &[Check],
    all: bool,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let shown = checks
        .iter()
        .filter(|check| all || check.standing != Standing::Fine);
    let mut said_before = "";
    for check in shown {
        let tone = match check.standing {
            Standing::Error => Tone::Critical,
            Standing::Warning => Tone::Warning,
            Standing::Note | Standing::Fine => Tone::Dim,
        };
        let head = format!("{}[{}]", check.standing.name(), check.name);
        let said = if check.standing == Standing::Fine {
            check.found.clone()
        } else {
            format!("expected {}, found {}", check.expected, check.found)
        };
        writeln!(
            out,
            "{} {}: {}",
            page.paint(&head, tone),
            page.safe(&check.subject),
            page.safe(&said)
        )?;
        if !check.remedy.is_empty() && check.remedy != said_before {
            writeln!(out, "  {}", page.safe(&check.remedy))?;
        }
        said_before = &check.remedy;
    }
    let count = |standing| checks.iter().filter(|one| one.standing == standing).count();
    let [base, new] = names.map(|name| page.safe(name));
    let verdict = match (count(Standing::Error), count(Standing::Warning)) {
        (0, 0) => "can be compared".to_owned(),
        (0, warnings) => format!("can be compared, with {warnings} to look at"),
        (errors, _) => format!(
            "cannot be compared: {errors} of {} checks fail",
            checks.len()
        ),
    };
    writeln!(out, "{base} and {new} {verdict}")
}
