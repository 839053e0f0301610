//! What Go left in a file.

use super::{PlatformFacts, SliceFacts};
use crate::binary::Error;
use crate::binary::go::{BuildInfo, Container, Format, GoObject, Pclntab};

/// Which linker put the file together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkedBy {
    /// Go's own (`-linkmode=internal`).
    Go,
    /// The system's, which Go's calls (`-linkmode=external`, cgo).
    System,
    /// None yet: Go's has made an object for the system's (`-buildmode=c-archive`).
    None,
}

/// A module that packages came from.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// What stood in for it.
    pub replaced_by: Option<String>,
}

/// What Go left in a file.
#[derive(Clone, Debug)]
pub struct GoFacts {
    /// `go1.27.3`.
    pub version: String,
    /// Import path of the main package.
    pub package: String,
    /// The main module, where there is one.
    pub module: Option<Module>,
    /// The other modules.
    pub dependencies: Vec<Module>,
    /// How it was built: `-ldflags`, `CGO_ENABLED`, ...
    pub settings: Vec<(String, String)>,
    /// Which releases write such a function table, or why it cannot be read.
    pub table: Result<&'static str, String>,
    /// How many functions it has.
    pub functions: u64,
    /// Which linker put it together.
    pub linked_by: LinkedBy,
}

/// What Go's compiler or assembler wrote, for its linker.
pub(super) fn object(object: GoObject, size: u64) -> SliceFacts {
    let name = match object.system.as_str() {
        "darwin" => "macOS".to_owned(),
        "ios" => "iOS".to_owned(),
        _ => object.system,
    };
    SliceFacts {
        arch: object.arch,
        size,
        kind: "Go object".to_owned(),
        flags: object.made_by,
        platforms: vec![PlatformFacts {
            name,
            minimum: String::new(),
            sdk: None,
        }],
        ..SliceFacts::default()
    }
}

/// What Go left; `None` where the file is none of Go's.
pub(super) fn facts<'a>(image: &impl Container<'a>, linked_by: LinkedBy) -> Option<GoFacts> {
    let info = match BuildInfo::of(image) {
        Err(Error::Missing { .. }) => None,
        other => Some(other),
    };
    let table = match Pclntab::of(image) {
        Err(Error::Missing { .. }) => None,
        other => Some(other),
    };
    if info.is_none() && table.is_none() {
        return None;
    }
    // A build of before Go 1.13 has a table alone; a damaged one says nothing of itself.
    let info = info.and_then(Result::ok).unwrap_or_default();
    let functions = match &table {
        Some(Ok(table)) => table.len(),
        _ => 0,
    };
    let (path, version) = info.module;
    Some(GoFacts {
        version: info.go_version,
        package: info.path,
        module: (!path.is_empty()).then_some(Module {
            path,
            version,
            replaced_by: None,
        }),
        dependencies: info.dependencies.into_iter().map(module).collect(),
        settings: info.settings,
        table: match table {
            None => Err("not there".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(table)) => Ok(match table.format() {
                Format::Go116 => "Go 1.16",
                Format::Go118 => "Go 1.18",
                Format::Go120 => "Go 1.20",
            }),
        },
        functions,
        linked_by,
    })
}

fn module(dependency: crate::binary::go::Dependency) -> Module {
    Module {
        path: dependency.path,
        version: dependency.version,
        replaced_by: dependency
            .replaced_by
            .map(|(path, version)| format!("{path} {version}").trim_end().to_owned()),
    }
}
