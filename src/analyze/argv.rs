//! Reads the command lines of build tools: flags, sub-commands, `$WORK/bNNN` folders.

use crate::trace::{Exec, StringId, Trace};

/// The last part of a path.
pub(super) fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

/// The arguments of a program, its name first.
pub(super) fn args<'t>(trace: &'t Trace, exec: &'t Exec) -> impl Iterator<Item = &'t [u8]> {
    let get = |&id: &StringId| trace.strings.get(id);
    exec.argv.iter().map(get)
}

/// The value of a flag in the form of Go's tools: `-name value` or `-name=value`.
pub(super) fn flag<'t>(trace: &'t Trace, exec: &'t Exec, name: &[u8]) -> Option<&'t [u8]> {
    let mut args = args(trace, exec).skip(1);
    while let Some(arg) = args.next() {
        match arg.strip_prefix(name) {
            Some([]) => return args.next(),
            Some([b'=', value @ ..]) => return Some(value),
            _ => {}
        }
    }
    None
}

/// The sub-command of a go command: its first argument but `-C dir`.
pub(super) fn go_subcommand<'t>(trace: &'t Trace, exec: &'t Exec) -> &'t [u8] {
    take_go_subcommand(&mut args(trace, exec).skip(1))
}

fn take_go_subcommand<'t>(args: &mut impl Iterator<Item = &'t [u8]>) -> &'t [u8] {
    match args.next() {
        Some(b"-C" | b"--C") => args.nth(1).unwrap_or_default(),
        Some(arg) if arg.starts_with(b"-C=") || arg.starts_with(b"--C=") => {
            args.next().unwrap_or_default()
        }
        other => other.unwrap_or_default(),
    }
}

/// Flags of go commands that take no value in a word of their own (`cmd/go/internal/work`,
/// `AddBuildFlags` and those of each command, 1.21 to 1.27).
const GO_SWITCHES: [&[u8]; 22] = [
    b"a",
    b"asan",
    b"buildvcs",
    b"cover",
    b"deps",
    b"e",
    b"export",
    b"find",
    b"i",
    b"json",
    b"linkshared",
    b"m",
    b"modcacherw",
    b"msan",
    b"n",
    b"race",
    b"test",
    b"trimpath",
    b"u",
    b"v",
    b"work",
    b"x",
];

/// The value of a go command's own flag, given as `-name` or `--name`: the last one, as for the
/// go command. What it hands on to a program (`go run . -p 8080`, `go test -args -p`) is not its
/// own: `go test` and `go vet` take flags up to `-args` or `--`, the others up to the first word
/// that is none.
pub(super) fn go_flag<'t>(trace: &'t Trace, exec: &'t Exec, name: &[u8]) -> Option<&'t [u8]> {
    let mut args = args(trace, exec).skip(1);
    let anywhere = matches!(take_go_subcommand(&mut args), b"test" | b"vet");
    let mut found = None;
    while let Some(arg) = args.next() {
        let word = arg.strip_prefix(b"--").or_else(|| arg.strip_prefix(b"-"));
        let Some(word) = word.filter(|word| !word.is_empty()) else {
            if anywhere && !arg.starts_with(b"-") {
                continue;
            }
            break;
        };
        let mut parts = word.splitn(2, |&b| b == b'=');
        let flag = parts.next().unwrap_or_default();
        match parts.next() {
            _ if flag == b"args" => break,
            Some(value) if flag == name => found = Some(value),
            None if flag == name => found = args.next(),
            // What an unknown flag of a test takes is not known; values seldom begin with `-`.
            None if !anywhere && !GO_SWITCHES.contains(&flag) => {
                args.next();
            }
            _ => {}
        }
    }
    found
}

/// Finds a folder of one action, `.../go-build123456/b042`, in a text and returns its path
/// up to and without the slash after it.
///
/// cmd/go makes `$WORK` with `os.MkdirTemp(dir, "go-build")`, so a number follows, and calls
/// the folders in it `b` and at least three digits (`Builder.NewObjdir`).
pub(super) fn objdir(text: &[u8]) -> Option<&[u8]> {
    const WORK: &[u8] = b"/go-build";
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| find(rest, WORK)) {
        let number = at + found + WORK.len();
        let letter = number + digits(text, number);
        let end = letter + 2 + digits(text, letter + 2);
        let is_folder = letter > number
            && text.get(letter..letter + 2) == Some(b"/b")
            && end >= letter + 5
            && text.get(end).is_none_or(|b| !b.is_ascii_alphanumeric());
        if is_folder {
            let start = text
                .get(..at + found)?
                .iter()
                .rposition(|b| b" \t\"'=,:;@".contains(b))
                .map_or(0, |before| before + 1);
            // `-I/tmp/...`: the path begins at the first slash.
            let slash = text.get(start..end)?.iter().position(|&b| b == b'/')?;
            return text.get(start + slash..end);
        }
        at = number;
    }
    None
}

/// The value of the first ` -o ` in a command as cmd/go prints it, without quotes.
pub(super) fn printed_output(command: &[u8]) -> Option<&[u8]> {
    let rest = command.get(find(command, b" -o ")? + 4..)?;
    match rest.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&b| b == b'"').next(),
        None => rest.split(|&b| b == b' ').next(),
    }
}

/// Where `needle` begins in `text`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut at = 0;
    loop {
        at += text.get(at..)?.iter().position(|&b| b == first)?;
        if text.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
}

fn digits(text: &[u8], from: usize) -> usize {
    text.get(from..)
        .unwrap_or_default()
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(found: Option<&[u8]>) -> &str {
        std::str::from_utf8(found.unwrap_or(b"-")).unwrap()
    }

    #[test]
    fn finds_the_folder_of_an_action() {
        for (given, expected) in [
            (
                &b"/tmp/go-build123/b042/_pkg_.a"[..],
                "/tmp/go-build123/b042",
            ),
            (b"/tmp/go-build123/b042", "/tmp/go-build123/b042"),
            (b"/tmp/go-build123/b042=>", "/tmp/go-build123/b042"),
            (b"-I/var/t/go-build9/b1042/", "/var/t/go-build9/b1042"),
            (
                b"-ffile-prefix-map=/tmp/go-build1/b005=/tmp/go-build",
                "/tmp/go-build1/b005",
            ),
            (b"/home/u/.cache/go-build/ab/abc-d", "-"),
            (b"/tmp/go-build123/x042/", "-"),
            (b"/tmp/go-build123/b42/", "-"),
            (b"/tmp/go-build123/b042x/", "-"),
            (
                b"/go-build/b001 /tmp/go-build7/b001/x",
                "/tmp/go-build7/b001",
            ),
            (b"/go-build", "-"),
            (b"", "-"),
        ] {
            assert_eq!(
                text(objdir(given)),
                expected,
                "{}",
                String::from_utf8_lossy(given)
            );
        }
    }

    #[test]
    fn finds_the_output_of_a_printed_command() {
        assert_eq!(text(printed_output(b"cc -o a.o b.c")), "a.o");
        assert_eq!(text(printed_output(b"cc -o \"a b.o\" b.c")), "a b.o");
        assert_eq!(text(printed_output(b"cc -out x")), "-");
    }
}
