//! The text of a `gotrace.toml` in, its keys and values out, each with its line.

use super::key::{Key, Raw};
use super::{Owner, Source, Stated};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use strsim::osa_distance;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) struct FileError {
    /// The file.
    pub(super) path: PathBuf,
    /// The line, where it is one that is wrong.
    pub(super) line: Option<usize>,
    /// What was expected there, and what was found.
    pub(super) what: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Reads the keys of a file.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub(super) fn read(path: &Path, text: &str, owner: Owner) -> Result<Vec<Stated>, FileError> {
    let wrong = |at: usize, what: String| FileError {
        path: path.to_owned(),
        line: Some(line_of(text, at)),
        what,
    };
    let table = DeTable::parse(text).map_err(|error| {
        let what = error.message().trim_end().replace('\n', ", ");
        wrong(error.span().map_or(0, |span| span.start), what)
    })?;
    let path: Arc<Path> = path.into();
    let mut stated = Vec::new();
    for (name, value) in table.get_ref() {
        let at = name.span().start;
        let key = Key::ALL
            .into_iter()
            .find(|key| key.name() == *name.get_ref());
        let key = key.ok_or_else(|| wrong(at, unknown(name.get_ref())))?;
        let complaint = |what: String| wrong(value.span().start, format!("{}: {what}", key.name()));
        let value = key.value(&raw(value)).map_err(complaint)?;
        if owner == Owner::Repository
            && let Some(refusal) = key.refusal(&value)
        {
            return Err(wrong(at, format!("{}: {refusal}", key.name())));
        }
        stated.push(Stated {
            key,
            value,
            source: Source::File {
                path: Arc::clone(&path),
                line: line_of(text, at),
            },
        });
    }
    Ok(stated)
}

/// The line of a byte, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map_or(Raw::Other("a number beyond all bounds"), Raw::Number)
        }
        DeValue::Boolean(on) => Raw::Switch(*on),
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str());
            let texts: Option<Vec<String>> = texts.map(|text| text.map(str::to_owned)).collect();
            texts.map_or(Raw::Other("a list of something else"), Raw::List)
        }
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

/// That there is no such key, and which one may be meant.
fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(40).collect();
    let near = Key::ALL
        .iter()
        .map(|key| (osa_distance(&shown, key.name()), key.name()));
    match near.min() {
        Some((1..=2, meant)) => format!("no key is called {shown:?}; did you mean {meant}?"),
        _ => {
            let names: Vec<&str> = Key::ALL.iter().map(|key| key.name()).collect();
            format!(
                "no key is called {shown:?}: expected one of {}",
                names.join(", ")
            )
        }
    }
}
