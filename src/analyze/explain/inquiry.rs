//! What is to be asked of the files behind a log.

use super::log::{Log, Problem, What};
use crate::binary::linkable::{Arch, Format};
use crate::environment::link::{Input, Line, Question, Survey};
use std::path::Path;

/// The machine that gotrace runs on, for what a log does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// Its architecture.
    pub arch: Arch,
    /// The format of its programs.
    pub format: Format,
}

impl Here {
    /// Its system, in Go's words.
    pub(super) const fn system(&self) -> &'static str {
        match self.format {
            Format::MachO => "darwin",
            Format::Elf => "linux",
        }
    }
}

/// What is asked of one link line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Which link line of the log.
    pub link: Option<usize>,
    /// The line; one that names nothing where the log has none.
    pub line: Line,
    /// What is linked.
    pub format: Format,
    /// For which architecture.
    pub arch: Option<Arch>,
    /// Symbols that were not found.
    pub symbols: Vec<String>,
    /// Which problem of the log each of them is.
    pub of_symbols: Vec<usize>,
    /// Libraries that were not found.
    pub libraries: Vec<Input>,
    /// Which problem of the log each of them is.
    pub of_libraries: Vec<usize>,
}

impl Inquiry {
    /// As it is put to the files of a machine; `sdk` is the value of `SDKROOT`, where it is set.
    #[must_use]
    pub fn question<'a>(&'a self, sdk: Option<&'a Path>) -> Question<'a> {
        Question {
            line: &self.line,
            format: self.format,
            arch: self.arch.clone(),
            symbols: &self.symbols,
            libraries: &self.libraries,
            sdk,
        }
    }
}

/// All that a judgement looks at.
pub(super) struct About<'a> {
    pub(super) log: &'a Log,
    pub(super) inquiry: &'a Inquiry,
    pub(super) survey: &'a Survey,
}

impl About<'_> {
    pub(super) fn problem(&self, number: usize) -> Option<&Problem> {
        self.log.problems.get(number)
    }
}

/// What is to be asked, for each link line with a problem.
#[must_use]
pub fn inquiries(log: &Log, here: &Here) -> Vec<Inquiry> {
    let mut inquiries: Vec<Inquiry> = Vec::new();
    for (number, problem) in log.problems.iter().enumerate() {
        let (symbol, library) = match &problem.what {
            What::Undefined { symbol, .. } | What::NotOnLine { symbol, .. } => (Some(symbol), None),
            What::NoLibrary(input) => (None, Some(input)),
            _ => continue,
        };
        let at = inquiries.iter().position(|one| one.link == problem.link);
        let at = at.unwrap_or_else(|| {
            inquiries.push(about(log, problem, here));
            inquiries.len() - 1
        });
        let Some(inquiry) = inquiries.get_mut(at) else {
            continue;
        };
        if let Some(symbol) = symbol {
            inquiry.symbols.push(symbol.clone());
            inquiry.of_symbols.push(number);
        }
        if let Some(library) = library {
            inquiry.libraries.push(library.clone());
            inquiry.of_libraries.push(number);
        }
    }
    inquiries
}

fn about(log: &Log, problem: &Problem, here: &Here) -> Inquiry {
    let link = problem.link.and_then(|number| log.links.get(number));
    let line = link.map_or_else(Line::default, |link| link.line.clone());
    // All messages of one link line are of one linker.
    let of_line = log
        .problems
        .iter()
        .filter(|other| other.link == problem.link);
    let (mut format, mut arch) = (line.format, None);
    for other in of_line {
        match &other.what {
            What::Undefined {
                format: told,
                arch: for_arch,
                ..
            } => {
                format = format.or(*told);
                arch = arch.or_else(|| for_arch.clone());
            }
            What::WrongFile { required, .. } => arch = arch.or_else(|| required.clone()),
            What::NoLibrary(Input::Framework(_)) => format = format.or(Some(Format::MachO)),
            _ => {}
        }
    }
    let format = format.unwrap_or(here.format);
    // A compiler builds for its own machine when it is not told otherwise.
    let own = (format == here.format).then(|| here.arch.clone());
    Inquiry {
        link: problem.link,
        format,
        arch: arch.or_else(|| line.arch.clone()).or(own),
        line,
        symbols: Vec::new(),
        of_symbols: Vec::new(),
        libraries: Vec::new(),
        of_libraries: Vec::new(),
    }
}
