//! What stands below the options of `--help`: what the command does at greater length, and examples.
//!
//! In: commands as clap derives them, whose long text is their documentation. Out: the same, with that text
//! and the examples below the options, so that each option stays on a line of its own.

use super::examples;
use clap::Command;

/// gotrace's commands, each explained below its options.
pub(super) fn explained(gotrace: Command) -> Command {
    below(gotrace, "")
}

fn below(command: Command, name: &str) -> Command {
    let mut words = prose(&command).unwrap_or_default();
    if !words.is_empty() {
        words.push_str("\n\n");
    }
    words.push_str("Examples:");
    for (purpose, line) in examples::of(name) {
        words.push_str(&format!("\n  # {purpose}\n  {line}"));
    }
    let command = command.long_about(None).after_help(words);
    command.mut_subcommands(|inner| {
        let name = name_within(name, &inner);
        below(inner, &name)
    })
}

/// The name of a subcommand as it is typed after `gotrace`.
pub(super) fn name_within(outer: &str, command: &Command) -> String {
    format!("{outer} {}", command.get_name()).trim().to_owned()
}

/// What a command's documentation says below its first sentence.
fn prose(command: &Command) -> Option<String> {
    let text = command.get_long_about()?.to_string();
    let (_, below) = text.split_once("\n\n")?;
    Some(below.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Arguments;
    use super::*;
    use clap::CommandFactory as _;

    /// The words of a line, as a shell that knows only single quotes divides it.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        for (at, part) in line.split('\'').enumerate() {
            let mut pieces = part.split(' ').filter(|_| at % 2 == 0);
            match pieces.next() {
                Some(first) => words.last_mut().unwrap().push_str(first),
                None => words.last_mut().unwrap().push_str(part),
            }
            words.extend(pieces.map(str::to_owned));
        }
        words
    }

    fn commands(command: &Command, name: &str) -> Vec<String> {
        let inner = command.get_subcommands().flat_map(|inner| {
            let name = name_within(name, inner);
            commands(inner, &name)
        });
        std::iter::once(name.to_owned()).chain(inner).collect()
    }

    #[test]
    fn every_command_has_examples_that_it_takes() {
        for name in commands(&Arguments::command(), "") {
            let examples = examples::of(&name);
            assert!(!examples.is_empty(), "gotrace {name}: has no example");
            for (_, line) in examples {
                let line = line.strip_prefix("sudo ").unwrap_or(line);
                let words = words(line.split(" | ").next().unwrap());
                let at = format!("gotrace {name}");
                assert!(line.starts_with(at.trim()), "{at}: {line}");
                let parsed = Arguments::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn what_a_command_says_stands_below_its_options() {
        let help = explained(Arguments::command());
        let run = help.find_subcommand("run").unwrap().clone();
        let text = run.term_width(0).render_help().to_string();
        let at = |words: &str| {
            text.find(words)
                .unwrap_or_else(|| panic!("{words}: {text}"))
        };
        assert!(at("--wait") < at("gotrace ends with its exit code"));
        assert!(at("gotrace ends with its exit code") < at("Examples:"));
        assert!(
            text.contains("\n  gotrace run -- go build ./...\n"),
            "{text}"
        );
    }
}
