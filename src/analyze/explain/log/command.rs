//! Link lines in a log: as Go's linker shows them when they fail, as `-x` and `-ldflags=-v` show
//! them, and as compilers do with `-v`.

use crate::environment::link::Line;

/// No command line is longer: Linux allows 2 MiB of arguments, macOS 1 MiB.
const LONGEST: usize = 2 << 20;

/// The program that Go's linker says it ran, in vain: what it ran stands on the next line.
pub(super) fn failed(line: &str) -> Option<&str> {
    let (program, _) = line
        .split_once("link: running ")?
        .1
        .split_once(" failed: ")?;
    Some(program)
}

/// The link line that a line of a log is. `work` is what `$WORK` stands for, `failed` the program
/// that the line before said to have failed.
pub(super) fn link_line(line: &str, work: Option<&str>, failed: Option<&str>) -> Option<Line> {
    let line = line.trim_start();
    let line = line.strip_prefix("host link: ").unwrap_or(line);
    // What is no command is soon told: it has no option.
    if line.len() > LONGEST || !(line.contains(" -") || line.contains(" \"-")) {
        return None;
    }
    let line = match work {
        Some(work) if line.contains("$WORK") => line.replace("$WORK", work),
        _ => line.to_owned(),
    };
    let words = words(&line)?;
    // NAME=value may stand before a command, and `cd FOLDER &&`.
    let first = words.iter().position(|word| !is_assignment(word))?;
    let words = words.get(first..)?;
    let end = words
        .iter()
        .position(|word| is_shell(word))
        .unwrap_or(words.len());
    let words = words.get(..end)?;
    match failed {
        Some(program) if words.first().is_some_and(|word| word == program) => {
            Line::of_linking(words)
        }
        _ => Line::of(words),
    }
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Where a shell ends a command.
fn is_shell(word: &str) -> bool {
    matches!(word, "&&" | "||" | "|" | ";" | "#") || word.starts_with('>') || word.starts_with("2>")
}

/// Splits as a shell does: quotes hold words together. `None` where a quote has no end: an
/// apostrophe in a sentence.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (None::<String>, None);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(letter),
            (_, '\\') => word.get_or_insert_default().push(letters.next()?),
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::link::Input;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let words = |text| words(text).unwrap();
        assert_eq!(words("a  b"), ["a", "b"]);
        assert_eq!(
            words(r#""gcc" "-DX=\"1\"" 'it is' a\ b"#),
            ["gcc", "-DX=\"1\"", "it is", "a b"]
        );
        assert_eq!(words("a '' b"), ["a", "", "b"]);
        assert_eq!(super::words("it's"), None);
    }

    #[test]
    fn commands_are_found_in_all_their_clothes() {
        let z = [Input::File("a.o".into()), Input::Library("z".to_owned())];
        for text in [
            "gcc -o a a.o -lz",
            r#"host link: "gcc" "-o" "a" "a.o" "-lz""#,
            "TERM='dumb' CGO_X=1 gcc -o a a.o -lz 2>&1",
            r#" "/usr/bin/ld" -o a a.o -lz"#,
            "gcc -o a a.o -lz # a comment",
        ] {
            let line = link_line(text, None, None).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(line.inputs, z, "{text}");
        }
        let line = link_line("gcc -o a $WORK/b001/x.o", Some("/tmp/w"), None).unwrap();
        assert_eq!(line.inputs, [Input::File("/tmp/w/b001/x.o".into())]);
        let said = "/go/pkg/tool/linux_amd64/link: running /opt/cc.sh failed: exit status 1";
        let text = "/opt/cc.sh -arch x86_64 -o a a.o -lz";
        let line = link_line(text, None, failed(said)).unwrap();
        assert_eq!((line.inputs.as_slice(), line.is_compiler), (&z[..], true));
        assert_eq!(link_line(text, None, None), None, "a script of any name");
        for text in ["gcc is not - here", "ld: warning -x", "", "cd /x - y"] {
            assert!(
                link_line(text, None, None).is_none_or(|line| line.program == "gcc"),
                "{text}"
            );
        }
    }
}
