//! Symbols and look-ups in what `inspect --json` writes.

use crate::analyze::inspect::symbols::{Answer, Asked, Lookup, Place, Symbol, SymbolFacts};
use serde::Serialize;
use serde::ser::Serializer;

#[derive(Serialize)]
pub(super) struct Tables<'a> {
    name: String,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

/// Symbols of a slice: made while they are written, for there may be a hundred thousand.
pub(super) struct Symbols<'a>(&'a [Symbol]);

impl Serialize for Symbols<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(symbol))
    }
}

#[derive(Serialize)]
struct SymbolRow<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    symbol: &'a str,
    address: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    section: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    tables: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct LookupRow<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stated_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'a str>,
    answers: Vec<AnswerRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    near: &'a [String],
}

#[derive(Serialize)]
struct AnswerRow<'a> {
    table: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    symbol: &'a str,
    start: String,
    end: String,
    places: Vec<PlaceRow<'a>>,
}

#[derive(Serialize)]
struct PlaceRow<'a> {
    function: &'a str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

pub(super) fn tables(facts: &SymbolFacts) -> Vec<Tables<'_>> {
    let tables = facts.tables.iter().map(|(by, count)| Tables {
        name: by.to_string(),
        count: *count,
        file: facts.debug_file.as_deref().filter(|_| by.debug_file),
    });
    tables.collect()
}

pub(super) fn symbols(facts: &SymbolFacts) -> Option<Symbols<'_>> {
    facts.symbols.as_deref().map(Symbols)
}

const fn line(line: u32) -> Option<u32> {
    match line {
        0 => None,
        line => Some(line),
    }
}

fn symbol(symbol: &Symbol) -> SymbolRow<'_> {
    SymbolRow {
        symbol: &symbol.name,
        address: symbol.start.to_string(),
        size_bytes: symbol.size,
        section: &symbol.section,
        file: &symbol.file,
        line: line(symbol.line),
        tables: symbol.by.iter().map(|by| by.to_string()).collect(),
    }
}

pub(super) fn lookup(found: &Lookup) -> LookupRow<'_> {
    let (address, symbol) = match &found.asked {
        Asked::Address(address) => (Some(format!("{address:#x}")), None),
        Asked::Name(name) => (None, Some(name.as_str())),
    };
    LookupRow {
        address,
        stated_address: found.stated.map(|stated| stated.to_string()),
        symbol,
        section: found.section.as_deref(),
        answers: found.answers.iter().map(answer).collect(),
        refused: found.refused,
        near: &found.near,
    }
}

fn answer(answer: &Answer) -> AnswerRow<'_> {
    AnswerRow {
        table: answer.by.to_string(),
        symbol: &answer.name,
        start: answer.start.to_string(),
        end: answer.end.to_string(),
        places: answer.places.iter().map(place).collect(),
    }
}

fn place(place: &Place) -> PlaceRow<'_> {
    PlaceRow {
        function: &place.function,
        file: &place.file,
        line: line(place.line),
    }
}
