//! What `gotrace gen` writes, read by those whom it is for: man(1) and the shells.

use super::{commands, help};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// What a tool says, or nothing where it is not installed.
fn says(command: &mut Command) -> Option<Output> {
    let output = command.output();
    if output.is_err() {
        println!("skipped: {} is missing", command.get_program().display());
    }
    output.ok()
}

fn generate(arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("gen")
        .args(arguments)
        .status();
    assert!(status.unwrap().success(), "gen {arguments:?}");
}

/// The names of a help text's options: `--output`, `--rate`, ...
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with('-'));
    let name = |line| str::split(line, [' ', '[', ',']).find(|word| word.starts_with("--"));
    lines.filter_map(name).collect()
}

/// A page as man(1) shows it, in one line, for it breaks lines anywhere; what it complains of fails.
fn shown(page: &Path) -> Option<String> {
    let mut man = Command::new("man");
    man.args(["--warnings", "--no-hyphenation", "--no-justification", "-l"]);
    man.env("LC_ALL", "C.UTF-8")
        .env("MANWIDTH", "200")
        .arg(page);
    let output = says(&mut man)?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{}: {complaints}",
        page.display()
    );
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn man_shows_a_page_for_each_command_with_every_option() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man/man1");
    generate(&["man", pages.to_str().unwrap()]);

    let overview = help(&[]);
    let mut wanted = vec![vec![]];
    for name in commands(&overview) {
        wanted.push(vec![name.to_owned()]);
        let text = help(&[name]);
        let inner = commands(&text).into_iter();
        wanted.extend(inner.map(|inner| vec![name.to_owned(), inner.to_owned()]));
    }
    assert_eq!(fs::read_dir(&pages).unwrap().count(), wanted.len());
    for words in &wanted {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let name = [&["gotrace"][..], &words].concat().join("-");
        let Some(page) = shown(&pages.join(format!("{name}.1"))) else {
            return;
        };
        assert!(page.contains(&format!("NAME {name} - ")), "{name}: {page}");
        let text = help(&words);
        assert!(options(&text).contains(&"--help"), "{name}: {text}");
        for option in options(&text) {
            assert!(page.contains(option), "{name}: {option} is not in {page}");
        }
        let (_, examples) = text.split_once("Examples:").unwrap();
        let lines = examples
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        for line in lines {
            let line = line.trim_start_matches("# ");
            assert!(page.contains(line), "{name}: {line} is not in {page}");
        }
    }
}

#[test]
fn shells_take_their_completions() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.path().join(shell);
        generate(&["completions", shell, "-o", script.to_str().unwrap()]);
        if let Some(output) = says(Command::new(shell).arg("-n").arg(&script)) {
            let complaints = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{shell}: {complaints}");
            assert!(complaints.is_empty(), "{shell}: {complaints}");
        }
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("gotrace");
    generate(&["completions", "bash", "-o", script.to_str().unwrap()]);
    for (words, at, expected) in [
        ("gotrace flam", 1, "flamegraph"),
        ("gotrace show --by pha", 3, "phase"),
        ("gotrace export --form", 2, "--format"),
        ("gotrace probes li", 2, "list"),
    ] {
        let last = words.rsplit(' ').next().unwrap();
        let before = words.rsplit(' ').nth(1).unwrap();
        let line = format!(
            ". '{}'; COMP_WORDS=({words}); COMP_CWORD={at}; _gotrace gotrace '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let Some(output) = says(Command::new("bash").args(["--norc", "-c", &line])) else {
            return;
        };
        let completed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(completed.trim(), expected, "{words}");
    }
}
