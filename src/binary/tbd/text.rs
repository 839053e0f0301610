//! Versions 1 to 4, in YAML.
//!
//! ```text
//! 1 to 3   archs: [ x86_64, arm64 ]   platform: macosx   install-name: /usr/lib/libz.1.dylib
//!          exports:  - archs: [ x86_64 ]  symbols: [ _deflate ]  re-exports: [ /usr/lib/libx.dylib ]
//!                      objc-classes, objc-ivars, objc-eh-types, weak-def-symbols, thread-local-symbols
//! 4        tbd-version: 4   targets: [ x86_64-macos, arm64e-macos ]   install-name: ...
//!          reexported-libraries:  - targets: [ ... ]  libraries: [ ... ]
//!          exports, reexports:    - targets: [ ... ]  symbols: [ ... ]  weak-symbols, ...
//! ```

use super::yaml::{self, Document, Node};
use super::{Error, Group, Library, Spelling, Stub, Target};

/// Keys of names that a library has, in any version.
const NAMES: [(&str, Spelling); 7] = [
    ("symbols", Spelling::Symbol),
    ("weak-symbols", Spelling::Symbol),
    ("weak-def-symbols", Spelling::Symbol),
    ("thread-local-symbols", Spelling::Symbol),
    ("objc-classes", Spelling::Class),
    ("objc-eh-types", Spelling::ExceptionType),
    ("objc-ivars", Spelling::InstanceVariable),
];

pub(super) fn read(text: &str) -> Result<Stub, Error> {
    let documents = yaml::documents(text)?;
    let first = documents.first().ok_or(Error::NotStub)?;
    let version = version(first)?;
    let libraries = documents.iter().map(library);
    Ok(Stub {
        version,
        libraries: libraries.collect::<Result<_, _>>()?,
    })
}

fn version(document: &Document) -> Result<u8, Error> {
    let unknown = |found: &str| Error::Version {
        found: found.to_owned(),
    };
    match document.tag.as_str() {
        "" | "!tapi-tbd-v1" => Ok(1),
        "!tapi-tbd-v2" => Ok(2),
        "!tapi-tbd-v3" => Ok(3),
        "!tapi-tbd" => match document.node.get("tbd-version").and_then(Node::word) {
            Some("4") => Ok(4),
            Some(other) => Err(unknown(other)),
            None => Err(Error::Missing { key: "tbd-version" }),
        },
        other => Err(unknown(other)),
    }
}

fn library(document: &Document) -> Result<Library, Error> {
    let version = version(document)?;
    let node = &document.node;
    let word = |key| node.get(key).and_then(Node::word);
    let install_name = word("install-name").ok_or(Error::Missing {
        key: "install-name",
    })?;
    let platform = word("platform").unwrap_or_default();
    let targets_of = |node: &Node| targets(node, version, platform);
    let targets = targets_of(node);
    if targets.is_empty() {
        let key = if version < 4 { "archs" } else { "targets" };
        return Err(Error::Missing { key });
    }
    let mut library = Library {
        install_name: install_name.to_owned(),
        version: word("current-version").map(str::to_owned),
        targets,
        ..Library::default()
    };
    for section in ["exports", "reexports"] {
        for part in node.get(section).map_or(&[][..], Node::list) {
            let mut group = Group::for_targets(targets_of(part));
            for (key, spelling) in NAMES {
                let names = part.get(key).into_iter().flat_map(Node::words);
                // Until version 2 classes are written with the low line that C has.
                let classes = version < 3 && spelling != Spelling::Symbol;
                let bare = |name: &str| match name.strip_prefix('_') {
                    Some(rest) if classes => rest.to_owned(),
                    _ => name.to_owned(),
                };
                group.add(spelling, names.map(bare));
            }
            reexported(&mut library, &group.targets, part.get("re-exports"));
            library.exports.push(group);
        }
    }
    for part in node.get("reexported-libraries").map_or(&[][..], Node::list) {
        reexported(&mut library, &targets_of(part), part.get("libraries"));
    }
    Ok(library)
}

fn reexported(library: &mut Library, targets: &[Target], names: Option<&Node>) {
    let names: Vec<String> = names
        .into_iter()
        .flat_map(Node::words)
        .map(str::to_owned)
        .collect();
    if !names.is_empty() {
        library.reexported.push((targets.to_vec(), names));
    }
}

fn targets(node: &Node, version: u8, platform: &str) -> Vec<Target> {
    let key = if version < 4 { "archs" } else { "targets" };
    let words = node.get(key).into_iter().flat_map(Node::words);
    words
        .map(|word| match version {
            4 => Target::parse(word),
            _ => Target::parse(&format!("{word}-{platform}")),
        })
        .collect()
}
