//! Whether two toolchains can be laid side by side: the same Go, apart from each other, and set up
//! alike.

use super::{architectures, signatures};
use crate::environment::goroot::{Contents, Format, Goroot, Runs, Side};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Settings that change what is built, and must be the same.
const SAME: [&str; 5] = ["GOFLAGS", "GOEXPERIMENT", "GOOS", "GOAMD64", "GOARM64"];
/// Differences of the standard library that are told one by one.
const SHOWN: usize = 10;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// As it is to be.
    Fine,
    /// Worth knowing.
    Note,
    /// The comparison may mislead.
    Warning,
    /// There is nothing to compare.
    Error,
}

impl Standing {
    /// `ok`, `note`, `warning`, `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: letters and dashes.
    pub name: &'static str,
    /// How it came out.
    pub standing: Standing,
    /// The file or the setting.
    pub subject: String,
    /// What it was to be: mostly what the first side has.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// What helps; empty where all is well.
    pub remedy: String,
}

/// One side and what was read of it.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The toolchain and its settings.
    pub side: &'a Side,
    /// Its standard library.
    pub contents: &'a Contents,
    /// How it would run here.
    pub runs: &'a Runs,
}

/// Checks a pair: every check once, however it comes out; a file that differs is a check of its own.
#[must_use]
pub fn pair(base: Read<'_>, new: Read<'_>) -> Vec<Check> {
    let mut checks = vec![version(base, new)];
    // Another version has another library; its thousands of files tell nothing more.
    if base.side.goroot.version == new.side.goroot.version {
        checks.extend(standard_library(base, new));
    }
    checks.extend(programs(base, new));
    checks.push(formats(base, new));
    checks.extend(runs(base, new));
    checks.push(signed(base, new));
    checks.push(instrumented(base, new));
    checks.extend(apart(base, new));
    checks.extend(alike(base, new));
    checks
}

/// A check that is fine where both are the same, else of a standing, with a remedy.
fn equal(
    name: &'static str,
    otherwise: Standing,
    subject: &str,
    values: [String; 2],
    remedy: &str,
) -> Check {
    let [expected, found] = values;
    let same = expected == found;
    Check {
        name,
        standing: if same { Standing::Fine } else { otherwise },
        subject: subject.to_owned(),
        expected,
        found,
        remedy: if same {
            String::new()
        } else {
            remedy.to_owned()
        },
    }
}

fn version(base: Read<'_>, new: Read<'_>) -> Check {
    let stated = |read: Read<'_>| match read.side.goroot.version.as_str() {
        "" => "no version".to_owned(),
        version => version.to_owned(),
    };
    let subject = new.side.goroot.root.join("VERSION");
    let remedy = format!("take {} for both sides: scripts/dual-sdk", stated(base));
    equal(
        "version",
        Standing::Error,
        &subject.display().to_string(),
        [stated(base), stated(new)],
        &remedy,
    )
}

fn standard_library(base: Read<'_>, new: Read<'_>) -> Vec<Check> {
    let root = &new.side.goroot.root;
    let differences = base.contents.differences(new.contents);
    if differences.is_empty() {
        let all = |read: Read<'_>| {
            let files = read.contents.files.len();
            format!("{files} files, sha256 {}", read.contents.hash())
        };
        let subject = root.join("src").display().to_string();
        let values = [all(base), all(new)];
        return vec![equal(
            "standard-library",
            Standing::Error,
            &subject,
            values,
            "",
        )];
    }
    let count = differences.len();
    let shown = |hash: Option<String>| match hash {
        Some(hash) => format!("sha256 {}...", hash.get(..16).unwrap_or(&hash)),
        None => "no such file".to_owned(),
    };
    let remedy = format!(
        "unpack one of the two again: {} and {} are not the same release as it was published",
        base.side.name, new.side.name
    );
    let mut checks: Vec<Check> = differences
        .into_iter()
        .take(SHOWN)
        .map(|one| Check {
            name: "standard-library",
            standing: Standing::Error,
            subject: root.join(one.path).display().to_string(),
            expected: shown(one.expected),
            found: shown(one.found),
            remedy: remedy.clone(),
        })
        .collect();
    if count > SHOWN {
        let subject = root.display().to_string();
        let values = [
            "no other file".to_owned(),
            format!("{} more", count - SHOWN),
        ];
        checks.push(equal(
            "standard-library",
            Standing::Error,
            &subject,
            values,
            &remedy,
        ));
    }
    checks
}

/// The names of its programs, without the folder that names the architecture.
fn names(goroot: &Goroot) -> BTreeSet<String> {
    let names = goroot.programs.iter().map(|program| {
        let tool = program.path.starts_with("pkg/tool");
        let name = program.path.file_name().unwrap_or_default();
        format!("{}{}", if tool { "tool " } else { "" }, name.display())
    });
    names.collect()
}

fn programs(base: Read<'_>, new: Read<'_>) -> Vec<Check> {
    let list = |read: Read<'_>, others: &BTreeSet<String>| {
        let own = names(&read.side.goroot);
        let more: Vec<&String> = own.difference(others).collect();
        match more.as_slice() {
            [] => format!("{} programs", own.len()),
            [first, ..] => format!("{} programs, among them {first}", own.len()),
        }
    };
    let (of_base, of_new) = (names(&base.side.goroot), names(&new.side.goroot));
    let root = new.side.goroot.root.display().to_string();
    let mut values = [list(base, &of_new), list(new, &of_base)];
    if of_base == of_new {
        values[1] = values[0].clone();
    }
    let remedy = "unpack the side that lacks programs again";
    let mut checks = vec![equal("programs", Standing::Error, &root, values, remedy)];
    for read in [base, new] {
        checks.extend(tools_of(&read.side.goroot));
    }
    checks
}

/// Tools of another architecture than their go command's make a side that is half one thing.
fn tools_of(goroot: &Goroot) -> Option<Check> {
    let own = goroot.go()?.archs();
    let other = goroot.tools().find(|tool| tool.archs() != own)?;
    let subject = goroot.root.join(&other.path).display().to_string();
    let values = [own.join("+"), other.archs().join("+")];
    let remedy = "unpack this side again";
    Some(equal("tools", Standing::Error, &subject, values, remedy))
}

/// Programs that tell of their calls take longer.
fn instrumented(base: Read<'_>, new: Read<'_>) -> Check {
    let programs = |read: Read<'_>| {
        let all = read.side.goroot.programs.iter();
        let instrumented = all.filter(|program| match &program.format {
            Format::MachO(slices) => slices.iter().any(|slice| slice.instrumented),
            _ => false,
        });
        match instrumented.count() {
            0 => "no instrumented programs".to_owned(),
            count => format!("{count} instrumented programs"),
        }
    };
    let remedy =
        "compare times of toolchains that are not instrumented: their functions tell nobody";
    equal(
        "instrumented",
        Standing::Warning,
        &new.side.goroot.root.display().to_string(),
        [programs(base), programs(new)],
        remedy,
    )
}

fn go_path(read: Read<'_>) -> String {
    read.side.goroot.root.join("bin/go").display().to_string()
}

fn formats(base: Read<'_>, new: Read<'_>) -> Check {
    let format = |read: Read<'_>| match read.side.goroot.go().map(|go| &go.format) {
        Some(Format::MachO(_)) => "Mach-O".to_owned(),
        Some(Format::Elf { .. }) => "ELF".to_owned(),
        _ => "no executable".to_owned(),
    };
    let values = [format(base), format(new)];
    let remedy = "take toolchains for one operating system";
    equal("system", Standing::Error, &go_path(new), values, remedy)
}

fn runs(base: Read<'_>, new: Read<'_>) -> Vec<Check> {
    let said = |read: Read<'_>| {
        let arch = architectures(&read.side.goroot);
        match read.runs {
            Runs::Natively => format!("{arch}, native"),
            Runs::Translated(by) => format!("{arch}, translated by {by}"),
            Runs::NotHere => format!("{arch}, which does not run here"),
        }
    };
    let check = |standing, read: Read<'_>, expected: String, remedy: &str| Check {
        name: "architecture",
        standing,
        subject: go_path(read),
        expected,
        found: said(read),
        remedy: remedy.to_owned(),
    };
    let mut checks = Vec::new();
    for read in [base, new] {
        if *read.runs == Runs::NotHere {
            let expected = "what runs on this machine".to_owned();
            let remedy = "check the pair on the machine that is to run it";
            checks.push(check(Standing::Warning, read, expected, remedy));
        }
    }
    if architectures(&base.side.goroot) == architectures(&new.side.goroot) {
        let expected = format!("another architecture than {}", said(base));
        let remedy = "for what translation costs, take one side for each architecture";
        checks.push(check(Standing::Note, new, expected, remedy));
    } else if checks.is_empty() {
        let expected = format!("another architecture than {}", said(base));
        checks.push(check(Standing::Fine, new, expected, ""));
    }
    checks
}

fn signed(base: Read<'_>, new: Read<'_>) -> Check {
    let shown = |read: Read<'_>| match signatures(&read.side.goroot) {
        none if none.is_empty() => "nothing that is signed".to_owned(),
        signatures => signatures,
    };
    let values = [shown(base), shown(new)];
    let remedy = "prepare both, or none: gotrace toolchain prepare";
    let mut check = equal(
        "signatures",
        Standing::Warning,
        &go_path(new),
        values,
        remedy,
    );
    // For amd64 no signature is needed; what is not hardened can be watched all the same.
    let open = |text: &str| !text.contains("hardened");
    if check.standing == Standing::Warning && open(&check.expected) && open(&check.found) {
        check.standing = Standing::Note;
        check.remedy.clear();
    }
    check
}

/// Folders that each side needs for itself.
fn apart(base: Read<'_>, new: Read<'_>) -> Vec<Check> {
    let roots = [&base.side.goroot.root, &new.side.goroot.root];
    let remedy = "copy one of the two elsewhere";
    let mut checks = vec![separate(
        "GOROOT",
        Standing::Error,
        roots.map(PathBuf::as_path),
        remedy,
    )];
    for read in [base, new] {
        let (value, root) = (read.side.value("GOROOT"), &read.side.goroot.root);
        let real = Path::new(value);
        if !value.is_empty() && real != root {
            checks.push(Check {
                name: "GOROOT",
                standing: Standing::Error,
                subject: read.side.source("GOROOT").to_owned(),
                expected: format!("no GOROOT, or {}", root.display()),
                found: value.to_owned(),
                remedy: "unset GOROOT: each go command finds its own".to_owned(),
            });
        }
    }
    for (name, standing, remedy) in [
        (
            "GOCACHE",
            Standing::Error,
            "give each side a GOCACHE: both have the same ids for the same action, so that one would build nothing",
        ),
        (
            "GOPATH",
            Standing::Error,
            "give each side a GOPATH: scripts/dual-sdk writes both",
        ),
        ("GOMODCACHE", Standing::Note, ""),
    ] {
        let values = [base.side.value(name), new.side.value(name)];
        checks.push(separate(name, standing, values.map(Path::new), remedy));
    }
    checks
}

fn separate(name: &'static str, otherwise: Standing, paths: [&Path; 2], remedy: &str) -> Check {
    let [base, new] = paths;
    let shared = base.starts_with(new) || new.starts_with(base);
    Check {
        name,
        standing: if shared { otherwise } else { Standing::Fine },
        subject: name.to_owned(),
        expected: format!("a folder apart from {}", base.display()),
        found: new.display().to_string(),
        remedy: if shared {
            remedy.to_owned()
        } else {
            String::new()
        },
    }
}

/// Settings that must be the same on both sides, or say so.
fn alike(base: Read<'_>, new: Read<'_>) -> Vec<Check> {
    let shown = |read: Read<'_>, name: &str| match read.side.value(name) {
        "" => "unset".to_owned(),
        value => value.to_owned(),
    };
    let both = |name: &str| [shown(base, name), shown(new, name)];
    let mut checks: Vec<Check> = SAME
        .into_iter()
        .map(|name| {
            let remedy = "give both sides the same";
            equal(name, Standing::Error, name, both(name), remedy)
        })
        .collect();
    for (name, why) in [
        ("GOARCH", "unset, each side builds for its own architecture"),
        (
            "CGO_ENABLED",
            "unset, cgo is on for a side's own architecture and off for another",
        ),
    ] {
        let values = both(name);
        let differ = architectures(&base.side.goroot) != architectures(&new.side.goroot);
        let open = differ && values.contains(&"unset".to_owned());
        let remedy = "give both sides the same";
        let mut check = equal(name, Standing::Error, name, values, remedy);
        if open {
            check.standing = Standing::Warning;
            check.expected = "the same for both".to_owned();
            check.remedy = format!("set {name} for both: {why}");
        }
        checks.push(check);
    }
    for read in [base, new] {
        let value = read.side.value("GOTOOLCHAIN");
        let fine = value == "local";
        let fixed = value.starts_with("go");
        checks.push(Check {
            name: "GOTOOLCHAIN",
            standing: match (fine, fixed) {
                (true, _) => Standing::Fine,
                (false, true) => Standing::Error,
                (false, false) => Standing::Warning,
            },
            subject: read.side.name.clone(),
            expected: "local".to_owned(),
            found: format!("{value}, by {}", read.side.source("GOTOOLCHAIN")),
            remedy: match fine {
                true => String::new(),
                false => {
                    "set GOTOOLCHAIN=local: a go.mod could have another toolchain run".to_owned()
                }
            },
        });
    }
    checks
}
