//! Version 5, in JSON.
//!
//! ```text
//! main_library    target_info: [{target}]   install_names: [{name}]   current_versions: [{version}]
//!                 reexported_libraries: [{targets, names}]
//!                 exported_symbols, reexported_symbols: [{targets,
//!                     text, data: {global, weak, thread_local, objc_class, objc_eh_type, objc_ivar}}]
//! libraries       the same, for each that is inlined
//! ```
//!
//! Where a part names no targets, it is for all of the library's.

use super::{Error, Group, Library, Spelling, Stub, Target};
use serde_json::Value;

const NAMES: [(&str, Spelling); 6] = [
    ("global", Spelling::Symbol),
    ("weak", Spelling::Symbol),
    ("thread_local", Spelling::Symbol),
    ("objc_class", Spelling::Class),
    ("objc_eh_type", Spelling::ExceptionType),
    ("objc_ivar", Spelling::InstanceVariable),
];

pub(super) fn read(text: &str) -> Result<Stub, Error> {
    let whole: Value = serde_json::from_str(text).map_err(Error::Json)?;
    match whole.get("tapi_tbd_version") {
        Some(version) if version.as_u64() == Some(5) => {}
        Some(other) => {
            return Err(Error::Version {
                found: other.to_string().chars().take(40).collect(),
            });
        }
        None => {
            return Err(Error::Missing {
                key: "tapi_tbd_version",
            });
        }
    }
    let main = whole.get("main_library").ok_or(Error::Missing {
        key: "main_library",
    })?;
    let inlined = list(&whole, "libraries");
    let libraries = std::iter::once(main).chain(inlined).map(library);
    Ok(Stub {
        version: 5,
        libraries: libraries.collect::<Result<_, _>>()?,
    })
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let texts = list(value, key).iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// The value of a key in the first object of a list.
fn first<'a>(value: &'a Value, list_key: &str, key: &str) -> Option<&'a str> {
    list(value, list_key).first()?.get(key)?.as_str()
}

fn library(value: &Value) -> Result<Library, Error> {
    let missing = |key| Error::Missing { key };
    let install_name = first(value, "install_names", "name").ok_or(missing("install_names"))?;
    let targets: Vec<Target> = list(value, "target_info")
        .iter()
        .filter_map(|info| info.get("target")?.as_str())
        .map(Target::parse)
        .collect();
    if targets.is_empty() {
        return Err(missing("target_info"));
    }
    let targets_of = |part: &Value| {
        let named = texts(part, "targets");
        match named.is_empty() {
            true => targets.clone(),
            false => named.iter().map(|name| Target::parse(name)).collect(),
        }
    };
    let mut exports = Vec::new();
    for key in ["exported_symbols", "reexported_symbols"] {
        for part in list(value, key) {
            let mut group = Group::for_targets(targets_of(part));
            for segment in ["text", "data"] {
                let Some(segment) = part.get(segment) else {
                    continue;
                };
                for (key, spelling) in NAMES {
                    group.add(spelling, texts(segment, key));
                }
            }
            exports.push(group);
        }
    }
    let reexported = list(value, "reexported_libraries")
        .iter()
        .map(|part| (targets_of(part), texts(part, "names")))
        .collect();
    Ok(Library {
        install_name: install_name.to_owned(),
        version: first(value, "current_versions", "version").map(str::to_owned),
        targets,
        reexported,
        exports,
    })
}
