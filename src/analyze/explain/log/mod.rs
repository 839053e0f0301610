//! The output of a failed build or program in; what went wrong, as its messages say it, out.
//!
//! Lines are looked at one by one. [`command`] finds link lines; [`linker`] knows the messages of
//! linkers, [`compiling`] those of compilers, [`running`] those of loaders, shells and translators. A message that runs over lines is
//! added to while its lines last.

mod command;
mod compiling;
mod linker;
mod recorded;
mod running;

use crate::binary::linkable::{Arch, Format};
use crate::environment::link::{Input, Line};

/// More problems of one log are counted, and not kept.
const MOST_PROBLEMS: usize = 2000;
/// No more users of one symbol are kept.
const MOST_USERS: usize = 8;
/// What a line has beyond so many bytes is not looked at, unless it is a command.
const LONGEST_LINE: usize = 8 << 10;

/// A link line that the log shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which line of the log, from 1; 0 where it was recorded.
    pub at: usize,
    /// What it says.
    pub line: Line,
    /// The command, as the log has it.
    pub text: String,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which line of the log, from 1; 0 where no line says so.
    pub at: usize,
    /// The package that the go command was building.
    pub package: Option<String>,
    /// The link line before it, by its number.
    pub link: Option<usize>,
    /// What.
    pub what: What,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A linker did not find a symbol.
    Undefined {
        /// As the linker writes it.
        symbol: String,
        /// For which architecture, where it says so.
        arch: Option<Arch>,
        /// Whose linker it was, where the message tells.
        format: Option<Format>,
        /// Who needs it: functions, objects.
        users: Vec<String>,
    },
    /// A linker met a file for another architecture.
    WrongFile {
        /// Which one, with its member in brackets.
        path: String,
        /// What it is for.
        found: Vec<Arch>,
        /// What was needed.
        required: Option<Arch>,
        /// The linker ended there; else it went on without the file.
        fatal: bool,
    },
    /// A linker did not find a library.
    NoLibrary(Input),
    /// A symbol is in a shared library that another one needs, and that is not on the line.
    NotOnLine {
        /// The symbol.
        symbol: String,
        /// The library, where it is named.
        library: Option<String>,
    },
    /// Go's own linker did not find a function.
    GoUndefined {
        /// `main.sum`.
        symbol: String,
        /// `main.main`.
        user: String,
        /// It is there for another calling convention.
        other_abi: bool,
    },
    /// The C compiler is not there.
    NoCompiler(String),
    /// The program that tells flags of libraries is not there.
    NoPkgConfig {
        /// As it was called: `pkg-config`, or what `PKG_CONFIG` says.
        program: String,
        /// The package that was to be built.
        package: Option<String>,
    },
    /// pkg-config does not know a library, or not of a version that is asked for.
    NoPackage {
        /// As pkg-config calls it: `libxml-2.0`.
        name: String,
        /// The one that asks for it, where that is another library.
        required_by: Option<String>,
        /// The version that is asked for, and the one that is there.
        version: Option<(String, String)>,
    },
    /// A C compiler did not find a header.
    NoHeader {
        /// As the source names it: `foo/bar.h`.
        header: String,
        /// Where it does so: `./main.go:2:11`.
        place: String,
    },
    /// The C compiler is one for another system or processor.
    OtherTarget {
        /// As it calls itself.
        compiler: Option<String>,
        /// For whose programs it should compile, where the message tells.
        format: Option<Format>,
        /// Likewise, for which architecture.
        arch: Option<Arch>,
        /// The message.
        message: String,
    },
    /// All Go files of a package were left out.
    NoFiles {
        /// The package, where it is named.
        package: String,
        /// Its folder.
        folder: String,
    },
    /// A program did not start, for a library was not loaded.
    NotLoaded {
        /// As the program names it.
        library: String,
        /// Who needs it.
        user: Option<String>,
        /// Where the loader looked, and why not there.
        tried: Vec<(String, String)>,
    },
    /// A program did not start, for a library lacks a symbol.
    NotBound {
        /// The symbol.
        symbol: String,
        /// Who needs it.
        user: Option<String>,
        /// The file that names it.
        file: Option<String>,
        /// Where it was to be.
        library: Option<String>,
    },
    /// A program did not start, for a library lacks a version.
    NoVersion {
        /// The library that was loaded.
        library: String,
        /// The version that it is to have.
        version: String,
        /// The file that asks for it.
        user: String,
    },
    /// A process was killed.
    Killed {
        /// Which program, where that is said.
        program: Option<String>,
        /// The message says that its signature was the reason.
        signature: bool,
        /// Whether the message is one of macOS, where it tells.
        macos: Option<bool>,
    },
    /// A program is for another processor, and nothing translates it.
    BadCpu(Option<String>),
    /// A file is no program that the kernel knows.
    BadFormat(Option<String>),
    /// Rosetta ended a program.
    Translator(String),
}

/// What a log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Link lines, in order.
    pub links: Vec<Link>,
    /// What went wrong, in order.
    pub problems: Vec<Problem>,
    /// A line that tells that memory ran out.
    pub out_of_memory: Option<String>,
    /// How many more problems there are.
    pub left_out: usize,
    /// How many lines it has.
    pub lines: usize,
}

impl Log {
    /// Reads a log. Whatever it holds, there is no error: what is not known is passed over.
    #[must_use]
    pub fn read(text: &[u8]) -> Self {
        let mut reader = Reader::default();
        let lines = text.strip_suffix(b"\n").unwrap_or(text);
        let lines = lines.split(|&byte| byte == b'\n');
        for (line, number) in lines.zip(1..).filter(|_| !text.is_empty()) {
            reader.log.lines = number;
            let line = String::from_utf8_lossy(line);
            reader.line(number, plain(&line).trim_end());
        }
        reader.log
    }

    /// Adds that the command whose output this is was killed, where no message says so.
    pub fn command_was_killed(&mut self, program: &str) {
        let told = |problem: &Problem| matches!(problem.what, What::Killed { .. });
        if !self.problems.iter().any(told) {
            self.add(What::Killed {
                program: Some(program.to_owned()),
                signature: false,
                macos: None,
            });
        }
    }

    /// Adds that the system took a command for no program.
    pub fn command_is_no_program(&mut self, path: &str) {
        self.add(What::BadFormat(Some(path.to_owned())));
    }

    /// Adds what no line says.
    fn add(&mut self, what: What) {
        self.problems.push(Problem {
            at: 0,
            package: None,
            link: None,
            what,
        });
    }

    /// Libraries that pkg-config does not know.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().filter_map(|one| match &one.what {
            What::NoPackage { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Libraries that the loader of Linux did not find, with the program that needs each.
    pub fn not_loaded(&self) -> impl Iterator<Item = (&str, &str)> {
        self.problems.iter().filter_map(|one| match &one.what {
            What::NotLoaded {
                library,
                user: Some(user),
                ..
            } => Some((library.as_str(), user.as_str())),
            _ => None,
        })
    }

    /// Files that name a symbol which no library has, and the symbol.
    pub fn not_bound(&self) -> impl Iterator<Item = (&str, &str)> {
        self.problems.iter().filter_map(|one| match &one.what {
            What::NotBound {
                symbol,
                file: Some(file),
                ..
            } => Some((file.as_str(), symbol.as_str())),
            _ => None,
        })
    }

    /// Libraries that lack a version which is asked for.
    pub fn other_versions(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().filter_map(|one| match &one.what {
            What::NoVersion { library, .. } => Some(library.as_str()),
            _ => None,
        })
    }

    /// Headers that were not found.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().filter_map(|one| match &one.what {
            What::NoHeader { header, .. } => Some(header.as_str()),
            _ => None,
        })
    }

    /// Folders of packages all of whose files were left out.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().filter_map(|one| match &one.what {
            What::NoFiles { folder, .. } => Some(folder.as_str()),
            _ => None,
        })
    }

    /// Programs that messages name, and that are worth a look.
    #[must_use]
    pub fn programs(&self) -> Vec<&str> {
        let mut programs = Vec::new();
        for problem in &self.problems {
            let named: Vec<&str> = match &problem.what {
                What::Killed { program, .. } | What::BadCpu(program) | What::BadFormat(program) => {
                    program.as_deref().into_iter().collect()
                }
                // What was tried by its name alone is not what lies here by chance.
                What::NotLoaded { tried, .. } => tried
                    .iter()
                    .map(|(path, _)| path.as_str())
                    .filter(|path| path.contains('/'))
                    .collect(),
                What::WrongFile { path, .. } => vec![without_member(path)],
                _ => Vec::new(),
            };
            for path in named {
                if !programs.contains(&path) {
                    programs.push(path);
                }
            }
        }
        programs
    }
}

/// `libz.a` of `libz.a(inflate.o)` and `libz.a[3](inflate.o)`.
pub(super) fn without_member(path: &str) -> &str {
    let end = path.strip_suffix(')').and_then(|open| open.rfind('('));
    let path = end.and_then(|end| path.get(..end)).unwrap_or(path);
    let end = path.strip_suffix(']').and_then(|open| open.rfind('['));
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// What the next lines may add to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    /// "Undefined symbols for architecture": symbols follow, and who needs them.
    Undefined,
    /// A symbol of lld, mold or zig: who needs it follows.
    Users,
    /// zig's "invalid cpu architecture": the file follows.
    File,
    /// dyld: who needs it, and why not.
    Loader,
}

#[derive(Debug, Default)]
struct Reader {
    log: Log,
    open: Open,
    /// Of the symbols that follow.
    arch: Option<Arch>,
    package: Option<String>,
    /// Of GNU's linkers, in the lines that follow.
    function: Option<String>,
    /// What `$WORK` is.
    work: Option<String>,
    /// The program that the last line says to have failed.
    failed: Option<String>,
    /// The last message was kept, and lines may be added to it.
    kept: bool,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        if let Some(package) = line.strip_prefix("# ").filter(|name| !name.contains(' ')) {
            self.package = Some(package.to_owned());
            self.open = Open::Nothing;
            return;
        }
        if let Some(work) = line.strip_prefix("WORK=") {
            self.work = Some(work.to_owned());
            return;
        }
        if self.log.out_of_memory.is_none() && running::tells_of_memory(line) {
            self.log.out_of_memory = Some(line.trim().to_owned());
        }
        let failed = std::mem::replace(&mut self.failed, command::failed(line).map(str::to_owned));
        let of_link = command::link_line(line, self.work.as_deref(), failed.as_deref());
        if let Some(line_of_link) = of_link {
            self.log.links.push(Link {
                at: number,
                line: line_of_link,
                text: line.to_owned(),
            });
            self.open = Open::Nothing;
            return;
        }
        let line = match line.char_indices().nth(LONGEST_LINE) {
            Some((end, _)) => line.get(..end).unwrap_or(line),
            None => line,
        };
        if !self.adds(line) {
            self.open = Open::Nothing;
            let what = linker::read(self, line)
                .or_else(|| compiling::read(self, line))
                .or_else(|| running::read(self, line));
            if let Some(what) = what {
                self.keep(number, what);
            }
        }
    }

    /// Whether a line belongs to the message before it.
    fn adds(&mut self, line: &str) -> bool {
        match self.open {
            Open::Nothing => false,
            Open::Undefined | Open::Users | Open::File => linker::add(self, line),
            Open::Loader => running::add(self, line),
        }
    }

    fn keep(&mut self, at: usize, what: What) {
        // Linkers repeat themselves for each place that a symbol is needed in.
        if let What::Undefined { symbol, users, .. } = &what {
            let link = self.link();
            let known = self.log.problems.iter_mut().rev().find_map(|known| {
                let same_link = known.link == link;
                match &mut known.what {
                    What::Undefined {
                        symbol: name,
                        users: known,
                        ..
                    } if name == symbol && same_link => Some(known),
                    _ => None,
                }
            });
            if let Some(known) = known {
                for user in users {
                    add_user(known, user);
                }
                self.kept = false;
                return;
            }
        } else if self.knows_package(&what)
            || self.log.problems.iter().any(|known| known.what == what)
            || (matches!(what, What::OtherTarget { .. }) && self.knows_other_target())
        {
            self.kept = false;
            return;
        }
        self.kept = self.log.problems.len() < MOST_PROBLEMS;
        if !self.kept {
            self.log.left_out += 1;
            return;
        }
        self.log.problems.push(Problem {
            at,
            package: self.package.clone(),
            link: self.link(),
            what,
        });
    }

    /// Whether the package's compiler is known to be a wrong one: each of its lines says so again.
    fn knows_other_target(&self) -> bool {
        let mut problems = self.log.problems.iter();
        problems.any(|known| {
            matches!(known.what, What::OtherTarget { .. }) && known.package == self.package
        })
    }

    /// Whether a library that pkg-config misses is known: a second line says for whom.
    fn knows_package(&mut self, what: &What) -> bool {
        let What::NoPackage {
            name, required_by, ..
        } = what
        else {
            return false;
        };
        let known = self
            .log
            .problems
            .iter_mut()
            .find_map(|known| match &mut known.what {
                What::NoPackage {
                    name: known,
                    required_by,
                    ..
                } if known == name => Some(required_by),
                _ => None,
            });
        if let Some(by) = known {
            *by = by.take().or_else(|| required_by.clone());
            return true;
        }
        false
    }

    fn link(&self) -> Option<usize> {
        self.log.links.len().checked_sub(1)
    }

    /// The problem that lines are added to.
    fn last(&mut self) -> Option<&mut What> {
        let kept = self.kept;
        let last = self.log.problems.last_mut().filter(|_| kept)?;
        Some(&mut last.what)
    }
}

fn add_user(users: &mut Vec<String>, user: &str) {
    if users.len() < MOST_USERS && !user.is_empty() && !users.iter().any(|known| known == user) {
        users.push(user.to_owned());
    }
}

/// What is between the quotes that linkers use, at the start of a text, and what is behind them.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut letters = text.chars();
    let close = match letters.next()? {
        '`' | '\'' => '\'',
        '"' => '"',
        '\u{2018}' => '\u{2019}',
        _ => return None,
    };
    let rest = letters.as_str();
    // A name may hold the quote that ends it (C++'s digit separators do not get that far).
    let end = rest.find(close)?;
    Some((rest.get(..end)?, rest.get(end..)?.trim_start_matches(close)))
}

/// The text behind a mark.
fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, after)| after)
}

/// A line without the colours of terminals.
fn plain(line: &str) -> String {
    if !line.contains('\u{1b}') {
        return line.to_owned();
    }
    let mut kept = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            kept.push(letter);
        } else if letters.next() == Some('[') {
            // A sequence ends with a letter.
            letters.by_ref().find(|letter| ('@'..='~').contains(letter));
        }
    }
    kept
}

#[cfg(test)]
mod tests;
