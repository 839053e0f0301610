//! Answers to what is asked: what is at an address, where is a name.

use super::super::placement::Placement;
use super::index::{Debug, Index};
use super::tables::without_abi;
use super::{Table, Witness, text};
use crate::binary::Svma;
use crate::binary::go::{Function, display_name};
use crate::trace::Avma;
use std::collections::BTreeSet;

/// How many names that are nearly the one that was asked for are told.
const NEAR: usize = 5;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What is at this address: one of the file, or, where the slice was placed in memory, an
    /// actual one.
    Address(u64),
    /// Where this name is.
    Name(String),
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function, which may be one that was inlined.
    pub function: String,
    /// Source file; empty where it is not known.
    pub file: String,
    /// Line, 0 where it is not known.
    pub line: u32,
}

/// What one table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The table.
    pub by: Witness,
    /// Name, as linkers have it; empty where the table has no names.
    pub name: String,
    /// First address.
    pub start: Svma,
    /// Address after the last.
    pub end: Svma,
    /// Where in the source that is, the innermost inlined function first; empty where the table
    /// has no lines.
    pub places: Vec<Place>,
}

/// What was asked for, and what each table says.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What was asked for.
    pub asked: Asked,
    /// The address of the file that an actual one stands for.
    pub stated: Option<Svma>,
    /// The section that the address is in.
    pub section: Option<String>,
    /// One for each table that knows.
    pub answers: Vec<Answer>,
    /// Names that hold the one that was asked for, where no table has it.
    pub near: Vec<String>,
    /// Why nothing can be said.
    pub refused: Option<&'static str>,
}

impl Lookup {
    /// The names that tables give, each once, without Go's calling conventions.
    pub fn names(&self) -> BTreeSet<&str> {
        let names = self.answers.iter().map(|answer| {
            let name = without_abi(answer.name.as_bytes());
            answer.name.get(..name.len()).unwrap_or_default()
        });
        names.filter(|name| !name.is_empty()).collect()
    }
}

impl Index<'_> {
    pub(super) fn look_up(
        &self,
        asked: &Asked,
        placement: Option<&Placement>,
        debug: &Debug<'_>,
    ) -> Lookup {
        let mut found = Lookup {
            asked: asked.clone(),
            stated: None,
            section: None,
            answers: Vec::new(),
            near: Vec::new(),
            refused: None,
        };
        match asked {
            Asked::Address(_) if self.image.is_relative() => {
                found.refused = Some("an object has no addresses yet: look up names");
            }
            Asked::Address(address) => {
                found.stated = placement.and_then(|place| place.stated(Avma(*address)));
                let address = found.stated.unwrap_or(Svma(*address));
                let section = self.image.section_at(address);
                found.section = section.map(|section| section.name.to_string());
                found.answers = self.at(address, debug);
            }
            Asked::Name(name) => {
                found.answers = self.named(name, debug);
                if found.answers.is_empty() {
                    found.near = self.near(name, debug);
                }
            }
        }
        found
    }

    /// What each table says of an address.
    fn at(&self, address: Svma, debug: &Debug<'_>) -> Vec<Answer> {
        let function = self.go().and_then(|go| go.find(address).ok()?);
        let mut answers: Vec<Answer> = function
            .iter()
            .map(|function| of_go(function, address))
            .collect();
        for table in debug.tables.iter().chain(self.entries()) {
            answers.extend(table.covering(address).map(|entry| Answer {
                by: table.by,
                name: text(&entry.name),
                start: Svma(entry.start),
                end: Svma(entry.end),
                places: Vec::new(),
            }));
        }
        for (by, lines) in debug.lines(address) {
            let places = lines.into_iter().map(|line| Place {
                function: text(&line.function),
                file: text(&line.file),
                line: line.line,
            });
            let places: Vec<Place> = places.collect();
            match answers.iter_mut().find(|answer| answer.by == by) {
                Some(answer) => answer.places = places,
                // Code written in assembly has lines, and no function.
                None => answers.push(Answer {
                    by,
                    name: String::new(),
                    start: address,
                    end: address,
                    places,
                }),
            }
        }
        answers
    }

    /// Where each table has a name.
    fn named(&self, name: &str, debug: &Debug<'_>) -> Vec<Answer> {
        let wanted = name.as_bytes();
        let is = |found: &[u8]| found == wanted || Some(found) == wanted.strip_prefix(b"_");
        let functions = self
            .go()
            .into_iter()
            .flat_map(|go| go.functions().flatten());
        let functions = functions.filter(|function| {
            let name = function.linker_name().unwrap_or_default();
            is(name) || name.contains(&b'[') && is(&display_name(name))
        });
        let mut answers: Vec<Answer> = functions
            .map(|function| of_go(&function, function.entry()))
            .collect();
        for table in debug.tables.iter().chain(self.entries()) {
            for entry in table.entries.iter().filter(|entry| is(&entry.name)) {
                let start = Svma(entry.start);
                let mut lines = debug.lines(start).filter(|(by, _)| *by == table.by);
                // A place where a function begins may begin with one that is inlined there.
                let places = lines.next().and_then(|(_, mut lines)| lines.pop());
                let places = places.map(|line| Place {
                    function: text(&line.function),
                    file: text(&line.file),
                    line: line.line,
                });
                answers.push(Answer {
                    by: table.by,
                    name: text(&entry.name),
                    start,
                    end: Svma(entry.end),
                    places: places.into_iter().collect(),
                });
            }
        }
        answers
    }

    /// Names that hold a name, the shortest first.
    fn near(&self, name: &str, debug: &Debug<'_>) -> Vec<String> {
        let wanted = name.trim_start_matches('_').to_lowercase();
        if wanted.is_empty() {
            return Vec::new();
        }
        let functions = self
            .go()
            .into_iter()
            .flat_map(|go| go.functions().flatten());
        let of_go = functions.filter_map(|function| Some(text(function.linker_name().ok()?)));
        let tables = debug.tables.iter().chain(self.entries());
        let others = tables.flat_map(|table| table.entries.iter().map(|entry| text(&entry.name)));
        let near: BTreeSet<(usize, String)> = of_go
            .chain(others)
            .filter(|found| found.to_lowercase().contains(&wanted))
            .map(|found| (found.len(), found))
            .collect();
        near.into_iter().take(NEAR).map(|(_, name)| name).collect()
    }
}

fn of_go(function: &Function<'_>, address: Svma) -> Answer {
    let lines = function.lines(address).unwrap_or_default();
    Answer {
        by: Witness {
            table: Table::Pclntab,
            debug_file: false,
        },
        name: text(function.linker_name().unwrap_or_default()),
        start: function.entry(),
        end: function.end(),
        places: lines
            .iter()
            .map(|line| Place {
                function: text(line.function),
                file: text(line.file),
                line: line.line,
            })
            .collect(),
    }
}
