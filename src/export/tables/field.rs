//! A column, and how its cells are made: in one place, so that the two cannot differ.

use super::{Cell, Column, Kind, Source};
use std::borrow::Cow;

/// A column of a table whose rows are made of `R`s.
pub(super) struct Field<R> {
    name: &'static str,
    value: Value<R>,
}

type Get<R, T> = fn(&Source<'_>, &R) -> T;
type GetText<R> = for<'r> fn(&'r Source<'r>, &'r R) -> Cow<'r, str>;
type GetOptionalText<R> = for<'r> fn(&'r Source<'r>, &'r R) -> Option<Cow<'r, str>>;

enum Value<R> {
    Unsigned(Get<R, u64>),
    OptionalUnsigned(Get<R, Option<u64>>),
    Signed(Get<R, i64>),
    OptionalSigned(Get<R, Option<i64>>),
    Truth(Get<R, bool>),
    Text(GetText<R>),
    OptionalText(GetOptionalText<R>),
}

pub(super) const fn unsigned<R>(name: &'static str, get: Get<R, u64>) -> Field<R> {
    let value = Value::Unsigned(get);
    Field { name, value }
}

pub(super) const fn optional_unsigned<R>(name: &'static str, get: Get<R, Option<u64>>) -> Field<R> {
    let value = Value::OptionalUnsigned(get);
    Field { name, value }
}

pub(super) const fn signed<R>(name: &'static str, get: Get<R, i64>) -> Field<R> {
    let value = Value::Signed(get);
    Field { name, value }
}

pub(super) const fn optional_signed<R>(name: &'static str, get: Get<R, Option<i64>>) -> Field<R> {
    let value = Value::OptionalSigned(get);
    Field { name, value }
}

pub(super) const fn truth<R>(name: &'static str, get: Get<R, bool>) -> Field<R> {
    let value = Value::Truth(get);
    Field { name, value }
}

pub(super) const fn text<R>(name: &'static str, get: GetText<R>) -> Field<R> {
    let value = Value::Text(get);
    Field { name, value }
}

pub(super) const fn optional_text<R>(name: &'static str, get: GetOptionalText<R>) -> Field<R> {
    let value = Value::OptionalText(get);
    Field { name, value }
}

impl<R> Field<R> {
    pub(super) const fn column(&self) -> Column {
        let (kind, optional) = match self.value {
            Value::Unsigned(_) => (Kind::Unsigned, false),
            Value::OptionalUnsigned(_) => (Kind::Unsigned, true),
            Value::Signed(_) => (Kind::Signed, false),
            Value::OptionalSigned(_) => (Kind::Signed, true),
            Value::Truth(_) => (Kind::Truth, false),
            Value::Text(_) => (Kind::Text, false),
            Value::OptionalText(_) => (Kind::Text, true),
        };
        Column {
            name: self.name,
            kind,
            optional,
        }
    }

    pub(super) fn cell<'r>(&self, source: &'r Source<'r>, record: &'r R) -> Cell<'r> {
        match self.value {
            Value::Unsigned(get) => Cell::Unsigned(get(source, record)),
            Value::OptionalUnsigned(get) => get(source, record).map_or(Cell::None, Cell::Unsigned),
            Value::Signed(get) => Cell::Signed(get(source, record)),
            Value::OptionalSigned(get) => get(source, record).map_or(Cell::None, Cell::Signed),
            Value::Truth(get) => Cell::Truth(get(source, record)),
            Value::Text(get) => Cell::Text(get(source, record)),
            Value::OptionalText(get) => get(source, record).map_or(Cell::None, Cell::Text),
        }
    }
}
