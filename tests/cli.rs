//! The command line from outside: `docs/commands.md` is what `--help` prints.

#[cfg(test)]
#[path = "cli/generated.rs"]
mod generated;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "cli/progress.rs"]
mod progress;
#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "run/pty.rs"]
mod pty;
#[cfg(test)]
#[path = "cli/written.rs"]
mod written;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// What `gotrace ARGUMENTS` prints, on a line of fixed length.
#[cfg(test)]
fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .args(arguments)
        .arg("--help")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?} --help: {}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help text lists.
#[cfg(test)]
fn commands(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[test]
fn the_page_of_commands_is_what_help_prints() {
    let overview = help(&[]);
    let mut page = String::from(
        "# Commands\n\nEvery command and flag, as `gotrace COMMAND --help` prints them. This page is written by\n`UPDATE=1 cargo test --test cli`.\n",
    );
    write!(
        page,
        "\n## gotrace\n\n```text\n{}\n```\n",
        overview.trim_end()
    )
    .unwrap();
    let commands = commands(&overview);
    assert!(
        commands.contains(&"run") && commands.contains(&"show"),
        "{commands:?}"
    );
    for name in commands {
        let text = help(&[name]);
        let mut add = |marks: &str, words: &[&str], text: &str| {
            let (words, text) = (words.join(" "), text.trim_end());
            write!(page, "\n{marks} gotrace {words}\n\n```text\n{text}\n```\n").unwrap();
        };
        add("##", &[name], &text);
        for inner in self::commands(&text) {
            let words = [name, inner];
            add("###", &words, &help(&words));
        }
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == page,
        "stale: UPDATE=1 cargo test --test cli writes docs/commands.md anew"
    );
}

#[test]
fn every_flag_has_a_sentence() {
    let overview = help(&[]);
    let outer = commands(&overview).into_iter().map(|name| vec![name]);
    let outer: Vec<Vec<&str>> = outer.collect();
    let texts: Vec<(String, Vec<&str>)> = outer
        .into_iter()
        .map(|words| (help(&words), words))
        .collect();
    let inner = texts.iter().flat_map(|(text, words)| {
        let inner = commands(text).into_iter();
        inner.map(|name| {
            let words = [words.as_slice(), &[name]].concat();
            (help(&words), words)
        })
    });
    for (text, words) in inner.chain(texts.iter().cloned()) {
        for (at, line) in text.lines().enumerate() {
            let flag = line.trim_start();
            if !flag.starts_with('-') || line.starts_with("          ") {
                continue;
            }
            let described = flag
                .split_once("  ")
                .is_some_and(|(_, words)| !words.is_empty());
            let next = text.lines().nth(at + 1).unwrap_or_default();
            assert!(
                described || next.starts_with("     "),
                "gotrace {}: {flag}: says nothing",
                words.join(" ")
            );
        }
    }
}

/// The page that the index of the documents has for a command.
#[cfg(test)]
fn page_of(command: &str, index: &str) -> Option<String> {
    let row = format!("| `gotrace {command}` | [");
    let row = index.lines().find_map(|line| line.strip_prefix(&row))?;
    let (name, _) = row.split_once(']')?;
    std::fs::read_to_string(documents().join(name)).ok()
}

#[cfg(test)]
fn documents() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

#[test]
fn every_command_has_a_page_that_shows_it() {
    let index = std::fs::read_to_string(documents().join("README.md")).unwrap();
    let readme = std::fs::read_to_string(documents().join("../README.md")).unwrap();
    let overview = help(&[]);
    let shows = |page: &str, command: &str| {
        let mut in_session = false;
        page.lines().any(|line| {
            in_session = match line {
                "```console" => true,
                line if line.starts_with("```") => false,
                _ => in_session,
            };
            let line = line.strip_prefix("$ ").filter(|_| in_session);
            let called = format!("gotrace {command} ");
            line.is_some_and(|line| format!("{line} ").contains(&called))
        })
    };
    for command in commands(&overview) {
        let page = page_of(command, &index);
        let page = page.unwrap_or_else(|| panic!("gotrace {command}: no page in docs/README.md"));
        assert!(
            shows(&page, command),
            "gotrace {command}: its page does not show it"
        );
        let named = readme.contains(&format!("| `gotrace {command} "))
            || readme.contains(&format!("| `gotrace {command}`"));
        assert!(named, "gotrace {command}: README.md does not name it");
    }
    assert!(page_of("nothing", &index).is_none());
    assert!(!shows("gotrace run\n```sh\n$ gotrace run\n```\n", "run"));
}

#[test]
fn usage_errors_end_with_2() {
    for arguments in [&["no-such-command"][..], &["show", "--no-such-flag"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_gotrace"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}
