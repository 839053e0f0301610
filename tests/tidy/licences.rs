//! Dependencies: their licences and names, against the lists of `deny.toml`.

use std::collections::HashSet;
use std::process::Command;

/// A package that gotrace is built from.
#[derive(Debug, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// An expression of SPDX identifiers; empty where the package states none.
    pub(crate) licence: String,
    /// Where it comes from; empty for a package of this repository.
    pub(crate) source: String,
}

/// Every package that is built here, as cargo describes it without asking the network.
pub(crate) fn packages() -> Vec<Package> {
    let host = host();
    let platform = format!("--filter-platform={host}");
    let metadata = cargo(&["metadata", "--format-version=1", &platform]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    // Metadata has what a package takes for other systems alone, too.
    let tree = cargo(&["tree", "--workspace", "--prefix=none", "--format={p}"]);
    let built: HashSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some((name, rest.split(' ').next()?))
        })
        .collect();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| {
            let [name, version] = [&package["name"], &package["version"]].map(|one| one.as_str());
            name.zip(version).is_some_and(|one| built.contains(&one))
        })
        .map(|package| Package {
            name: text(&package["name"]),
            licence: text(&package["license"]),
            source: text(&package["source"]),
        })
        .collect()
}

/// The system that cargo builds for: packages of others are not on a new machine.
fn host() -> String {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What is wrong with a package, if anything is.
pub(crate) fn objection(
    package: &Package,
    allowed: &[String],
    banned: &[String],
) -> Option<String> {
    let Package {
        name,
        licence,
        source,
    } = package;
    if banned.contains(name) {
        Some(format!("{name} is banned"))
    } else if !source.is_empty() && !source.starts_with("registry+") {
        Some(format!("{name} comes from {source}, which is no registry"))
    } else if !permits(licence, allowed) {
        Some(format!(
            "{name} has the licence `{licence}`, which is not on the list"
        ))
    } else {
        None
    }
}

/// Whether the licences allow an expression: `A OR (B AND C)`, or `A/B` as it was once written.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    either(&mut tokens, allowed) && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(tokens: &mut Tokens<'_>, allowed: &[String]) -> bool {
    let mut permitted = both(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        permitted |= both(tokens, allowed);
    }
    permitted
}

fn both(tokens: &mut Tokens<'_>, allowed: &[String]) -> bool {
    let mut permitted = single(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        permitted &= single(tokens, allowed);
    }
    permitted
}

fn single(tokens: &mut Tokens<'_>, allowed: &[String]) -> bool {
    match tokens.next() {
        Some("(") => {
            let permitted = either(tokens, allowed);
            tokens.next() == Some(")") && permitted
        }
        Some(name) => {
            let exception = tokens.next_if_eq(&"WITH").and_then(|_| tokens.next());
            let full = exception.map_or(name.to_owned(), |e| format!("{name} WITH {e}"));
            allowed.contains(&full) || exception.is_some() && allowed.iter().any(|a| a == name)
        }
        None => false,
    }
}

/// The strings of a list `key = [...]` in a TOML text, whatever lines they stand on.
pub(crate) fn list(toml: &str, key: &str) -> Vec<String> {
    let uncommented: String = toml
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .collect();
    let start = uncommented
        .find(&format!("{key} = ["))
        .unwrap_or_else(|| panic!("no list {key}"));
    let body = uncommented[start..].split(']').next().unwrap_or_default();
    body.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn expressions() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(MIT AND GPL-3.0) OR LGPL-2.1", false),
        ("", false),
        ("(MIT", false),
        ("MIT MIT", false),
    ] {
        assert_eq!(permits(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn objections() {
    let package = |name: &str, licence: &str, source: &str| Package {
        name: name.to_owned(),
        licence: licence.to_owned(),
        source: source.to_owned(),
    };
    let object = |p: &Package| objection(p, &["MIT".to_owned()], &["tokio".to_owned()]);
    assert_eq!(object(&package("a", "MIT", "registry+index")), None);
    assert_eq!(object(&package("gotrace", "MIT", "")), None);
    assert!(object(&package("tokio", "MIT", "registry+index")).is_some());
    assert!(object(&package("a", "MIT", "git+https://example.com")).is_some());
    assert!(object(&package("a", "AGPL-3.0", "registry+index")).is_some());
}

#[test]
fn lists() {
    let toml = "[licenses]\nallow = [\n  \"MIT\", # ours\n  \"ISC\",\n]\nother = [\"x\"]\n";
    assert_eq!(list(toml, "allow"), ["MIT", "ISC"]);
}
