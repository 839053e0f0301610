//! The guest's program and its arguments, from the command line of the translator that runs it.

use super::arguments;

/// How a translator came to run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// The kernel loaded it by an entry of `binfmt_misc`: `TRANSLATOR PATH [ARGV0] ARGUMENT...`.
    Binfmt {
        /// ARGV0 is there: the entry has the flag `P`.
        keeps_argv0: bool,
    },
    /// Somebody called it: `TRANSLATOR [OPTION...] PATH ARGUMENT...`.
    ByName,
}

/// What a translator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Path of its executable, as it was given.
    pub program: Vec<u8>,
    /// Its arguments, each ended by a zero byte.
    pub argv: Vec<u8>,
}

/// Options of qemu's user mode that take the next word (linux-user/main.c of qemu 7.2 to 10.0).
const WITH_VALUE: [&[u8]; 20] = [
    b"g", b"L", b"s", b"cpu", b"E", b"U", b"0", b"r", b"B", b"R", b"d", b"dfilter", b"D", b"p",
    b"seed", b"trace", b"plugin", b"tb-size", b"accel", b"t",
];

impl Guest {
    /// Takes a translator's command line apart; `None` where it runs nothing.
    #[must_use]
    pub fn of(translator: &str, argv: &[u8], how: Invocation) -> Option<Self> {
        let words = arguments::split(argv);
        let (program, first, name) = match how {
            Invocation::Binfmt { keeps_argv0: true } => (1, 2, None),
            Invocation::Binfmt { keeps_argv0: false } => (1, 1, None),
            Invocation::ByName if translator.starts_with("qemu-") => {
                let options = Options::of(&words);
                (options.end?, options.end?, options.name)
            }
            Invocation::ByName => (1, 1, None),
        };
        let path = words.get(program)?;
        let own = words.get(first..).unwrap_or_default();
        let own = match (name, own) {
            (Some(name), [_, rest @ ..]) => [&[name], rest].concat(),
            _ => own.to_vec(),
        };
        Some(Self {
            program: path.to_vec(),
            argv: own
                .iter()
                .flat_map(|word| [word, &b"\0"[..]])
                .flatten()
                .copied()
                .collect(),
        })
    }
}

/// Where a command line of qemu, called by its name, has the program that is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which word is its path.
    pub word: usize,
    /// An option says what it is called; without one that is the path.
    pub is_named: bool,
}

impl Place {
    /// Looks for it; `None` where there is none.
    #[must_use]
    pub fn of(words: &[&[u8]]) -> Option<Self> {
        let options = Options::of(words);
        Some(Self {
            word: options.end?,
            is_named: options.name.is_some(),
        })
    }
}

/// The folder below which qemu, called by its name, is told to look for the guest's files first.
#[must_use]
pub fn folder_of_libraries<'a>(words: &[&'a [u8]]) -> Option<&'a [u8]> {
    Options::of(words).folder
}

/// Options of qemu's user mode.
#[derive(Default)]
struct Options<'a> {
    /// Which word is the first that is none of them: the guest's program.
    end: Option<usize>,
    /// What `-0` names the program.
    name: Option<&'a [u8]>,
    /// What `-L` names.
    folder: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn of(words: &[&'a [u8]]) -> Self {
        let mut options = Self::default();
        let mut rest = words.iter().enumerate().skip(1);
        while let Some((at, word)) = rest.next() {
            let Some(option) = word.strip_prefix(b"-").filter(|rest| !rest.is_empty()) else {
                options.end = Some(at);
                break;
            };
            let option = option.strip_prefix(b"-").unwrap_or(option);
            let takes = WITH_VALUE.contains(&option);
            let value = rest.by_ref().take(usize::from(takes)).next();
            let value = value.map(|(_, word)| *word);
            match option {
                b"0" => options.name = value,
                b"L" => options.folder = value,
                _ => {}
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<u8> {
        line.split(' ')
            .flat_map(|word| [word.as_bytes(), b"\0"])
            .flatten()
            .copied()
            .collect()
    }

    fn guest(translator: &str, line: &str, how: Invocation) -> Option<(String, Vec<u8>)> {
        let guest = Guest::of(translator, &words(line), how)?;
        Some((String::from_utf8(guest.program).expect("text"), guest.argv))
    }

    #[test]
    fn the_kernel_puts_the_translator_and_the_path_first() {
        for (keeps_argv0, line) in [
            (
                true,
                "/usr/libexec/qemu-binfmt/aarch64-binfmt-P /go/bin/go go build ./...",
            ),
            (false, "/media/rosetta/rosetta go build ./..."),
        ] {
            let (program, argv) =
                guest("any", line, Invocation::Binfmt { keeps_argv0 }).expect("a guest");
            assert_eq!(argv, words("go build ./..."));
            assert_eq!(program, if keeps_argv0 { "/go/bin/go" } else { "go" });
        }
        let cut = Invocation::Binfmt { keeps_argv0: true };
        assert_eq!(
            guest("any", "/qemu /go", cut),
            Some(("/go".to_owned(), Vec::new()))
        );
        assert_eq!(guest("any", "/qemu", cut), None);
    }

    #[test]
    fn options_of_a_translator_are_not_the_program() {
        for (line, program, own) in [
            ("qemu-aarch64 ./a.out -E x", "./a.out", "./a.out -E x"),
            ("qemu-aarch64 -L /usr/aarch64 -strace a b", "a", "a b"),
            ("qemu-aarch64 -E A=b -cpu max --tb-size 9 a", "a", "a"),
            ("qemu-aarch64 -0 name a b", "a", "name b"),
        ] {
            assert_eq!(
                guest("qemu-aarch64", line, Invocation::ByName),
                Some((program.to_owned(), words(own))),
                "{line}"
            );
        }
        for line in ["qemu-aarch64", "qemu-aarch64 -L", "qemu-aarch64 -version"] {
            assert_eq!(
                guest("qemu-aarch64", line, Invocation::ByName),
                None,
                "{line}"
            );
        }
        for (line, place) in [
            ("qemu-aarch64 -L /x a b", Some((3, false))),
            ("qemu-aarch64 -0 name a -0 x", Some((3, true))),
            ("qemu-aarch64 -0 name", None),
        ] {
            let line = words(line);
            let found = Place::of(&arguments::split(&line));
            assert_eq!(found.map(|found| (found.word, found.is_named)), place);
        }
        for (line, folder) in [
            (
                "qemu-aarch64 -strace -L /usr/aarch64 a",
                Some("/usr/aarch64"),
            ),
            ("qemu-aarch64 --L x a -L y", Some("x")),
            ("qemu-aarch64 -E -L a", None),
            ("qemu-aarch64 -L", None),
        ] {
            let line = words(line);
            let found = folder_of_libraries(&arguments::split(&line));
            assert_eq!(found, folder.map(str::as_bytes));
        }
        let box64 = guest("box64", "box64 a -b", Invocation::ByName);
        assert_eq!(box64, Some(("a".to_owned(), words("a -b"))));
        // These options are qemu's: of others the first word is the program.
        let others = guest("box64", "box64 -L a b", Invocation::ByName);
        assert_eq!(others, Some(("-L".to_owned(), words("-L a b"))));
    }
}
