//! What the readers in Python print: a line for each thing, fields between tabs, what it is first.

use std::collections::BTreeMap;

/// Lines by their first field, which is left out.
pub(crate) type Lines = BTreeMap<String, Vec<Vec<String>>>;

/// What a reader printed, by what the lines are.
pub(crate) fn by_kind(said: &str) -> Lines {
    let mut lines = Lines::new();
    for line in said.lines() {
        let mut fields = line.split('\t').map(str::to_owned);
        let kind = fields.next().unwrap();
        lines.entry(kind).or_default().push(fields.collect());
    }
    lines
}

/// The fields that a line is to have.
pub(crate) fn row(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|&field| field.to_owned()).collect()
}
