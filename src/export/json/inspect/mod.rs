//! What `inspect --json` writes. Addresses and offsets are text in hexadecimal.

mod placement;
mod symbols;

use super::object;
use crate::analyze::inspect::{
    Finding, GoFacts, Import, Inspection, LinkedBy, Module, SignatureFacts, SliceFacts, Unwound,
};
use crate::binary::Svma;
use serde::Serialize;
use std::io::{self, Write};

/// Name and version of what `inspect --json` writes.
pub const INSPECT_SCHEMA: &str = "gotrace.inspect/1";

#[derive(Serialize)]
struct Head {
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning_count: Option<usize>,
}

#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
    arch: &'a str,
    offset: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<&'a str>,
    kind: &'a str,
    platforms: Vec<Platform<'a>>,
    flags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    own_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loader: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_version: Option<&'a str>,
    unwind: &'a [&'static str],
    signed_pointers: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_pointers: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unwound: Option<UnwoundFunctions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unwound_error: Option<&'a str>,
    debug_information: bool,
    libraries: Vec<Library<'a>>,
    run_paths: &'a [String],
    segments: Vec<Segment<'a>>,
    load_commands: Vec<Command>,
    #[serde(skip_serializing_if = "Option::is_none")]
    go: Option<Go<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Signature<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bindings: Option<Vec<Binding<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Broken<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<placement::Placed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol_tables: Option<Vec<symbols::Tables<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol_tables_unread: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbols: Option<symbols::Symbols<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookups: Option<Vec<symbols::LookupRow<'a>>>,
}

#[derive(Serialize)]
struct Platform<'a> {
    name: &'a str,
    minimum: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk: Option<&'a str>,
}

#[derive(Serialize)]
struct UnwoundFunctions {
    frame_pointer_count: u64,
    frameless_count: u64,
    dwarf_count: u64,
    nothing_count: u64,
}

#[derive(Serialize)]
struct Library<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    used: &'a str,
}

#[derive(Serialize)]
struct Segment<'a> {
    name: &'a str,
    address: String,
    size_bytes: u64,
    offset: String,
    file_size_bytes: u64,
    protection: &'a str,
}

#[derive(Serialize)]
struct Command {
    name: &'static str,
    number: String,
    offset: String,
    size_bytes: u32,
}

#[derive(Serialize)]
struct Go<'a> {
    version: &'a str,
    package: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<ModuleRow<'a>>,
    dependencies: Vec<ModuleRow<'a>>,
    settings: Vec<Setting<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_table: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_table_error: Option<&'a str>,
    function_count: u64,
    linked_by: &'static str,
}

#[derive(Serialize)]
struct ModuleRow<'a> {
    path: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<&'a str>,
}

#[derive(Serialize)]
struct Setting<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Signature<'a> {
    flags: &'a [String],
    identifier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    hash: &'a str,
    page_count: u32,
    page_size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cdhash: Option<&'a str>,
    certificates: bool,
    entitlements: &'a [String],
    undecided: &'a [&'static str],
}

#[derive(Serialize)]
struct Binding<'a> {
    symbol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    library: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stub: Option<String>,
    how: &'static str,
    lazy: bool,
    addend: i64,
    may_be_missing: bool,
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exported_as: Option<&'a str>,
}

#[derive(Serialize)]
struct Broken<'a> {
    rule: &'static str,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a str>,
    offset: String,
    expected: &'a str,
    found: &'a str,
    consequence: &'static str,
}

/// Writes the object of `inspect --json`: a row for each slice of each file. `bindings` says
/// whether the imports were asked for.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn inspect(
    files: &[(String, Inspection)],
    bindings: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let slices = || files.iter().flat_map(|(_, inspection)| &inspection.slices);
    let findings: Vec<&Finding> = slices()
        .filter_map(|slice| slice.findings.as_ref())
        .flatten()
        .collect();
    let checked = slices().any(|slice| slice.findings.is_some());
    let count = |level: &str| {
        let of_level = findings
            .iter()
            .filter(|finding| finding.rule.level().name() == level);
        checked.then(|| of_level.count())
    };
    let head = Head {
        schema: INSPECT_SCHEMA,
        error_count: count("error"),
        warning_count: count("warning"),
    };
    let rows = files.iter().flat_map(|(file, inspection)| {
        let slices = inspection.slices.iter();
        slices.map(move |slice| row(file, inspection.format, slice, bindings))
    });
    object(&head, rows, out)
}

fn hexadecimal(number: u64) -> String {
    format!("{number:#x}")
}

fn address(address: Svma) -> String {
    address.to_string()
}

fn unwound_functions(functions: Unwound) -> UnwoundFunctions {
    UnwoundFunctions {
        frame_pointer_count: functions.frame_pointer,
        frameless_count: functions.frameless,
        dwarf_count: functions.dwarf,
        nothing_count: functions.nothing,
    }
}

fn row<'a>(file: &'a str, format: &'static str, slice: &'a SliceFacts, bindings: bool) -> Row<'a> {
    let unwound = slice.abi.unwound.as_ref();
    Row {
        file,
        format,
        member: slice.member.as_deref(),
        arch: &slice.arch,
        offset: hexadecimal(slice.offset.0),
        size_bytes: slice.size,
        unread: slice.unread.as_deref(),
        kind: &slice.kind,
        platforms: slice
            .platforms
            .iter()
            .map(|platform| Platform {
                name: &platform.name,
                minimum: &platform.minimum,
                sdk: platform.sdk.as_deref(),
            })
            .collect(),
        flags: &slice.flags,
        identity: slice.identity.as_deref(),
        own_name: slice.own_name.as_deref(),
        entry: slice.entry.map(address),
        loader: slice.loader.as_deref(),
        source_version: slice.source_version.as_deref(),
        unwind: &slice.abi.unwind,
        signed_pointers: slice.abi.signed_pointers,
        frame_pointers: slice.abi.frame_pointers,
        unwound: unwound.and_then(|unwound| unwound.as_ref().ok().copied().map(unwound_functions)),
        unwound_error: unwound.and_then(|unwound| unwound.as_ref().err().map(String::as_str)),
        debug_information: slice.debug_information,
        libraries: slice
            .libraries
            .iter()
            .map(|library| Library {
                path: &library.path,
                version: library.version.as_deref(),
                used: &library.used,
            })
            .collect(),
        run_paths: &slice.run_paths,
        segments: segments(slice),
        load_commands: commands(slice),
        go: slice.go.as_ref().map(go),
        signature: slice.signature.as_ref().map(signature),
        bindings: bindings.then(|| slice.imports.iter().map(binding).collect()),
        findings: slice
            .findings
            .as_ref()
            .map(|findings| findings.iter().map(broken).collect()),
        placement: slice.placement.as_ref().map(placement::placed),
        symbol_tables: slice.symbols.as_ref().map(symbols::tables),
        symbol_tables_unread: slice.symbols.as_ref().map(|facts| &facts.unread[..]),
        symbols: slice.symbols.as_ref().and_then(symbols::symbols),
        lookups: slice
            .symbols
            .as_ref()
            .map(|facts| facts.lookups.iter().map(symbols::lookup).collect()),
    }
}

fn segments(slice: &SliceFacts) -> Vec<Segment<'_>> {
    let segments = slice.segments.iter().map(|segment| Segment {
        name: &segment.name,
        address: address(segment.address),
        size_bytes: segment.size,
        offset: hexadecimal(segment.offset.0),
        file_size_bytes: segment.file_size,
        protection: &segment.protection,
    });
    segments.collect()
}

fn commands(slice: &SliceFacts) -> Vec<Command> {
    let commands = slice.commands.iter().map(|command| Command {
        name: command.name,
        number: hexadecimal(command.number.into()),
        offset: hexadecimal(command.offset.0),
        size_bytes: command.size,
    });
    commands.collect()
}

fn go(go: &GoFacts) -> Go<'_> {
    Go {
        version: &go.version,
        package: &go.package,
        module: go.module.as_ref().map(module),
        dependencies: go.dependencies.iter().map(module).collect(),
        settings: go
            .settings
            .iter()
            .map(|(key, value)| Setting { key, value })
            .collect(),
        function_table: go.table.as_ref().ok().copied(),
        function_table_error: go.table.as_ref().err().map(String::as_str),
        function_count: go.functions,
        linked_by: match go.linked_by {
            LinkedBy::Go => "go",
            LinkedBy::System => "system",
            LinkedBy::None => "none",
        },
    }
}

fn module(module: &Module) -> ModuleRow<'_> {
    ModuleRow {
        path: &module.path,
        version: &module.version,
        replaced_by: module.replaced_by.as_deref(),
    }
}

fn signature(signature: &SignatureFacts) -> Signature<'_> {
    Signature {
        flags: &signature.flags,
        identifier: &signature.identifier,
        team: signature.team.as_deref(),
        hash: &signature.hash,
        page_count: signature.pages,
        page_size_bytes: signature.page_size,
        cdhash: signature.cdhash.as_deref(),
        certificates: signature.certificates,
        entitlements: &signature.entitlements,
        undecided: &signature.undecided,
    }
}

fn binding(import: &Import) -> Binding<'_> {
    Binding {
        symbol: &import.symbol,
        version: import.version.as_deref(),
        kind: import.kind,
        provider: &import.provider,
        library: import.library,
        slot: import.slot.map(address),
        section: import.section.as_deref(),
        stub: import.stub.map(address),
        how: import.how,
        lazy: import.lazy,
        addend: import.addend,
        may_be_missing: import.weak,
        signed: import.signed,
        exported_as: import.exported_as.as_deref(),
    }
}

fn broken(finding: &Finding) -> Broken<'_> {
    Broken {
        rule: finding.rule.id(),
        level: finding.rule.level().name(),
        section: finding.section.as_deref(),
        offset: hexadecimal(finding.offset.0),
        expected: &finding.expected,
        found: &finding.found,
        consequence: finding.rule.consequence(),
    }
}
