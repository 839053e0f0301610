//! What `gotrace inspect` shows of a file.

mod placement;
mod symbols;

pub use placement::placement;
pub use symbols::{lookups, symbols};

use super::{Cell, Column, Page, Table, Tone};
use crate::analyze::inspect::{
    Finding, GoFacts, Import, Inspection, Level, LinkedBy, Module, Rule, SignatureFacts,
    SliceFacts, Unwound,
};
use crate::render::units;
use std::io;

/// Columns before a value.
const LABEL: usize = 12;

/// Writes all that is known of a file; `named` is what it is called.
///
/// # Errors
///
/// Those of the writer.
pub fn file(
    named: &str,
    inspection: &Inspection,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for slice in &inspection.slices {
        title(named, inspection, slice, page, out)?;
        if let Some(why) = &slice.unread {
            row("not read", why, page, out)?;
            continue;
        }
        facts(slice, page, out)?;
        if let Some(go) = &slice.go {
            of_go(go, page, out)?;
        }
        if let Some(signature) = &slice.signature {
            of_signature(signature, page, out)?;
        }
        segments(slice, page, out)?;
    }
    Ok(())
}

/// What a slice is called: a member of an archive has a name of its own.
fn title_of(named: &str, slice: &SliceFacts) -> String {
    match &slice.member {
        Some(member) => format!("{named}({member})"),
        None => named.to_owned(),
    }
}

fn title(
    named: &str,
    inspection: &Inspection,
    slice: &SliceFacts,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let name = title_of(named, slice);
    let what = [inspection.format, &slice.arch, &slice.kind];
    let what: Vec<&str> = what.into_iter().filter(|word| !word.is_empty()).collect();
    let place = if slice.size == inspection.size {
        String::new()
    } else {
        format!(" at {:#x}", slice.offset.0)
    };
    let line = format!(
        "{name}: {}, {} bytes{place}",
        what.join(" "),
        units::count(slice.size)
    );
    writeln!(out, "{}", page.paint(&page.safe(&line), Tone::Strong))
}

fn row(label: &str, value: &str, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let label = page.paint(&format!("  {label:LABEL$}"), Tone::Dim);
    writeln!(out, "{label}{}", page.safe(value))
}

/// A row for each value, the label at the first.
fn rows(
    label: &str,
    values: impl IntoIterator<Item = String>,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut label = label;
    for value in values {
        row(label, &value, page, out)?;
        label = "";
    }
    Ok(())
}

fn facts(slice: &SliceFacts, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let platforms = slice.platforms.iter().map(|platform| {
        let sdk = match &platform.sdk {
            Some(sdk) => format!(", built with SDK {sdk}"),
            None => String::new(),
        };
        match platform.minimum.as_str() {
            "" => format!("{}{sdk}", platform.name),
            minimum => format!("{} {minimum} or newer{sdk}", platform.name),
        }
    });
    rows("platform", platforms, page, out)?;
    let mut some = |label: &str, value: Option<String>| match value {
        Some(value) if !value.is_empty() => row(label, &value, page, out),
        _ => Ok(()),
    };
    some("flags", Some(slice.flags.join(" ")))?;
    some("identity", slice.identity.clone())?;
    some("own name", slice.own_name.clone())?;
    some("entry", slice.entry.map(|entry| entry.to_string()))?;
    some("loader", slice.loader.clone())?;
    some("source", slice.source_version.clone())?;
    rows("ABI", abi(slice), page, out)?;
    let libraries = slice.libraries.iter().zip(1..).map(|(library, number)| {
        let version = library.version.as_ref();
        let version = version.map_or_else(String::new, |version| format!(" {version}"));
        let used = match library.used.as_str() {
            "required" => String::new(),
            used => format!(" ({used})"),
        };
        format!("{number} {}{version}{used}", library.path)
    });
    rows("libraries", libraries, page, out)?;
    rows("rpaths", slice.run_paths.iter().cloned(), page, out)
}

fn abi(slice: &SliceFacts) -> Vec<String> {
    let mut unwind = slice.abi.unwind.join(" and ");
    if unwind.is_empty() {
        unwind = match &slice.go {
            Some(_) => "none but Go's own tables".to_owned(),
            None => "none".to_owned(),
        };
    }
    let mut abi = vec![format!("unwinding: {unwind}")];
    if slice.abi.signed_pointers {
        abi.push("signed pointers".to_owned());
    }
    if slice.abi.frame_pointers == Some(true) {
        abi.push("frame pointers in Go code".to_owned());
    }
    abi.push(if slice.debug_information {
        "DWARF".to_owned()
    } else {
        "no DWARF".to_owned()
    });
    let functions = slice.abi.unwound.as_ref().map(|functions| match functions {
        Ok(functions) => unwound(functions),
        Err(why) => format!("unwinding not read: {why}"),
    });
    [abi.join("; ")].into_iter().chain(functions).collect()
}

fn unwound(functions: &Unwound) -> String {
    let ways = [
        (functions.frame_pointer, "with a frame pointer"),
        (functions.frameless, "frameless"),
        (functions.dwarf, "by DWARF"),
        (functions.nothing, "by no table of the system"),
    ];
    let ways = ways.iter().filter(|(count, _)| *count > 0);
    let ways: Vec<String> = ways
        .map(|(count, way)| format!("{} {way}", units::count(*count)))
        .collect();
    format!("functions unwound: {}", ways.join(", "))
}

fn of_go(go: &GoFacts, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let version = if go.version.is_empty() {
        "version unknown"
    } else {
        &go.version
    };
    let linked = match go.linked_by {
        LinkedBy::Go => "Go's linker",
        LinkedBy::System => "the system's linker",
        LinkedBy::None => "none yet: for the system's linker",
    };
    let table = match &go.table {
        Ok(since) => format!(
            "{} functions in a table as of {since}",
            units::count(go.functions)
        ),
        Err(why) => format!("function table: {why}"),
    };
    row(
        "Go",
        &format!("{version}, linked by {linked}; {table}"),
        page,
        out,
    )?;
    if !go.package.is_empty() {
        row("package", &go.package, page, out)?;
    }
    rows("module", go.module.iter().map(module), page, out)?;
    rows("depends on", go.dependencies.iter().map(module), page, out)?;
    let settings = go
        .settings
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    rows("settings", settings, page, out)
}

fn module(module: &Module) -> String {
    let replaced = module.replaced_by.as_ref();
    let replaced = replaced.map_or_else(String::new, |by| format!(" => {by}"));
    format!("{} {}{replaced}", module.path, module.version)
}

fn of_signature(
    signature: &SignatureFacts,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut words = signature.flags.clone();
    words.push(format!("identifier {}", signature.identifier));
    words.extend(signature.team.as_ref().map(|team| format!("team {team}")));
    words.push(if signature.certificates {
        "with certificates".to_owned()
    } else {
        "without certificates".to_owned()
    });
    row("signature", &words.join(", "), page, out)?;
    let hashes = format!(
        "{} of {} pages of {} bytes{}",
        signature.hash,
        units::count(signature.pages.into()),
        units::count(signature.page_size),
        match &signature.cdhash {
            Some(hash) => format!("; cdhash {hash}"),
            None => String::new(),
        }
    );
    row("hashes", &hashes, page, out)?;
    rows(
        "entitled to",
        signature.entitlements.iter().cloned(),
        page,
        out,
    )
}

/// A table of a slice, if it has any rows.
fn table(
    columns: Vec<Column>,
    rows: impl IntoIterator<Item = Vec<Cell>>,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut table = Table::new(columns).indented(2);
    for row in rows {
        table.push(row);
    }
    match table.is_empty() {
        true => Ok(()),
        false => table.write(page, out),
    }
}

/// A name, where there is one.
fn or_dash(name: &str) -> Cell {
    match name {
        "" => "-".into(),
        name => name.into(),
    }
}

fn segments(slice: &SliceFacts, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let columns = vec![
        Column::word("segment"),
        Column::number("address"),
        Column::number("size"),
        Column::number("offset"),
        Column::number("in file"),
        Column::word("protection"),
    ];
    let rows = slice.segments.iter().map(|segment| {
        vec![
            or_dash(&segment.name),
            segment.address.to_string().into(),
            format!("{:#x}", segment.size).into(),
            format!("{:#x}", segment.offset.0).into(),
            format!("{:#x}", segment.file_size).into(),
            segment.protection.clone().into(),
        ]
    });
    table(columns, rows, page, out)
}

/// Writes the load commands of each slice.
///
/// # Errors
///
/// Those of the writer.
pub fn commands(inspection: &Inspection, page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    for slice in &inspection.slices {
        let columns = vec![
            Column::number("offset"),
            Column::number("size"),
            Column::word("load command"),
        ];
        let rows = slice.commands.iter().map(|command| {
            vec![
                format!("{:#x}", command.offset.0).into(),
                command.size.to_string().into(),
                format!("{} ({:#x})", command.name, command.number).into(),
            ]
        });
        table(columns, rows, page, out)?;
    }
    Ok(())
}

/// Writes the imports of each slice.
///
/// # Errors
///
/// Those of the writer.
pub fn bindings(
    named: &str,
    inspection: &Inspection,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for slice in &inspection.slices {
        let name = title_of(named, slice);
        let title = match &slice.unread {
            Some(why) => format!("{name}: {}: not read: {why}", slice.arch),
            None => {
                let count = units::count(slice.imports.len() as u64);
                format!("{name}: {count} imports of {}", slice.arch)
            }
        };
        writeln!(out, "{}", page.paint(&page.safe(&title), Tone::Strong))?;
        imports(&slice.imports, page, out)?;
    }
    Ok(())
}

fn imports(imports: &[Import], page: &Page, out: &mut dyn io::Write) -> io::Result<()> {
    let kinds = imports.iter().any(|import| import.kind.is_some());
    let mut columns = vec![
        Column::name("symbol"),
        Column::name("from"),
        Column::number("slot"),
        Column::word("section").optional(1),
        Column::number("stub"),
        Column::word("bound by"),
    ];
    if kinds {
        columns.insert(1, Column::word("kind").optional(2));
    }
    let rows = imports.iter().map(|import| {
        let mut row = binding(import);
        if kinds {
            row.insert(1, import.kind.unwrap_or_default().into());
        }
        row
    });
    table(columns, rows, page, out)
}

fn binding(import: &Import) -> Vec<Cell> {
    let symbol = match &import.version {
        Some(version) => format!("{}@{version}", import.symbol),
        None => import.symbol.clone(),
    };
    let mut how = import.how.to_owned();
    for (set, word) in [
        (import.lazy, "at the first call"),
        (import.weak, "may be missing"),
        (import.signed, "signed"),
    ] {
        if set {
            how = format!("{how}, {word}");
        }
    }
    if let Some(name) = &import.exported_as {
        how = format!("{how}, as {name}");
    }
    let address = |address: Option<crate::binary::Svma>| {
        address.map_or_else(|| "-".to_owned(), |address| address.to_string())
    };
    vec![
        symbol.into(),
        import.provider.clone().into(),
        address(import.slot).into(),
        import.section.clone().unwrap_or_default().into(),
        address(import.stub).into(),
        how.into(),
    ]
}

/// Writes what the rules found, and what they could not decide.
///
/// # Errors
///
/// Those of the writer.
pub fn findings(
    named: &str,
    inspection: &Inspection,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for slice in &inspection.slices {
        let name = title_of(named, slice);
        let Some(findings) = &slice.findings else {
            let why = match &slice.unread {
                Some(why) => format!("{name}: {}: not checked: {why}", slice.arch),
                None => format!("{name}: no rules apply to {}", inspection.format),
            };
            writeln!(out, "{}", page.safe(&why))?;
            continue;
        };
        for one in findings {
            finding(&name, slice, one, page, out)?;
        }
        if findings.is_empty() {
            let rules = Rule::ALL.len();
            let line = format!("{name}: {}: none of {rules} rules is broken", slice.arch);
            writeln!(out, "{}", page.safe(&line))?;
        }
        let undecided = slice.signature.iter().flat_map(|one| &one.undecided);
        for what in undecided {
            let line = page.safe(&format!("  not decided here: {what}"));
            writeln!(out, "{}", page.paint(&line, Tone::Dim))?;
        }
    }
    Ok(())
}

fn finding(
    name: &str,
    slice: &SliceFacts,
    finding: &Finding,
    page: &Page,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let section = finding.section.as_ref();
    let section = section.map_or_else(String::new, |section| format!(" {section}"));
    let level = finding.rule.level();
    let line = format!(
        "{name}: {}: {}[{}]{section} at {:#x}",
        slice.arch,
        level.name(),
        finding.rule.id(),
        finding.offset.0
    );
    let tone = match level {
        Level::Error => Tone::Critical,
        Level::Warning => Tone::Warning,
    };
    writeln!(out, "{}", page.paint(&page.safe(&line), tone))?;
    for (label, text) in [
        ("expected", finding.expected.as_str()),
        ("found", &finding.found),
        ("so", finding.rule.consequence()),
    ] {
        row(label, text, page, out)?;
    }
    Ok(())
}
