//! Why builds fail: real output of linkers, and the strings of Apple's, with trees of small files
//! that the link lines lead to. `tests/data/explain/README.md` says how each was made.

#[cfg(test)]
#[path = "explain/cases.rs"]
mod cases;
#[cfg(test)]
#[path = "expected/mod.rs"]
mod expected;
#[cfg(test)]
#[path = "explain/golden.rs"]
mod golden;
#[cfg(test)]
#[path = "explain/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "explain/live.rs"]
mod live;
#[cfg(test)]
#[path = "explain/symbols.rs"]
mod symbols;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of logs and trees.
#[cfg(test)]
fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain")
}

/// Names of the logs, without `.log`.
#[cfg(test)]
fn logs() -> Vec<String> {
    let entries = std::fs::read_dir(data().join("logs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .map(|name| name.strip_suffix(".log").unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// The tree of files that a log is of.
#[cfg(test)]
fn tree(log: &str) -> PathBuf {
    let linux = ["bfd-", "gold-", "lld-", "gcc-"];
    let of_linux = linux.iter().any(|begins| log.starts_with(begins));
    data().join(if of_linux { "linux" } else { "mac" })
}

/// Runs `gotrace explain` on a log with its tree.
#[cfg(test)]
fn explain(log: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(["explain", "--root"])
        .arg(tree(log))
        .arg("--log")
        .arg(data().join(format!("logs/{log}.log")))
        .args(arguments)
        .env_remove("COLUMNS")
        .output()
        .unwrap()
}

/// Without a link line that says otherwise, linkers build for the machine that they run on.
#[cfg(test)]
fn is_amd64() -> bool {
    let amd64 = cfg!(all(target_arch = "x86_64", target_os = "linux"));
    if !amd64 {
        println!("skipped: what is expected is that of an amd64 machine with Linux");
    }
    amd64
}
