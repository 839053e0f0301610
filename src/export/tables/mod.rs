//! A trace as tables: the one list of their names, columns and rows, for every format that has
//! rows and columns.
//!
//! `docs/tables.md` says what each column holds. An [`Analysis`] comes in; a row goes out as its
//! cells, in the order of the table's columns, one at a time. gotrace's own processes, and what
//! happened in them, stand in no table.

mod builds;
mod calls;
mod field;
mod linking;
mod recording;
mod stacks;

use crate::analyze::{Analysis, PhaseIndex};
use crate::trace::{ProcessId, StringId, Trace};
use field::Field;
use std::borrow::{Borrow, Cow};
use std::cell::OnceCell;
use std::io;

/// Name and version of the tables. Columns may be added in a version, and are never changed.
pub const SCHEMA: &str = "gotrace.tables/1";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers from 0 to 2⁶⁴ − 1.
    Unsigned,
    /// Whole numbers from −2⁶³ to 2⁶³ − 1.
    Signed,
    /// True or false.
    Truth,
    /// Unicode; bytes that are none stand as replacement characters.
    Text,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, with the unit.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Some rows have no value in it.
    pub optional: bool,
}

/// The value of a row in a column: of the column's [`Kind`], or none where it is optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'r> {
    /// There is none.
    None,
    /// Of [`Kind::Unsigned`].
    Unsigned(u64),
    /// Of [`Kind::Signed`].
    Signed(i64),
    /// Of [`Kind::Truth`].
    Truth(bool),
    /// Of [`Kind::Text`].
    Text(Cow<'r, str>),
}

/// The cells of one row, in the order of the columns.
pub type Row<'r> = &'r mut dyn Iterator<Item = Cell<'r>>;

/// Takes rows; its error ends the walk.
pub type Each<'e> = dyn FnMut(Row<'_>) -> io::Result<()> + 'e;

/// A table of a trace.
pub trait Table: Sync {
    /// Its name, a plural: `processes`.
    fn name(&self) -> &'static str;

    /// Its columns, in their order.
    fn columns(&self) -> Vec<Column>;

    /// Hands its rows to `each`, one at a time; returns how many blocks of the trace could not be
    /// read.
    ///
    /// # Errors
    ///
    /// Those of `each`.
    fn rows(&self, source: &Source<'_>, each: &mut Each<'_>) -> io::Result<u64>;
}

/// Every table, those of the whole recording first.
pub const ALL: [&dyn Table; 25] = [
    &recording::TRACES,
    &recording::SETTINGS,
    &recording::FINDINGS,
    &recording::LOSSES,
    &recording::BLIND_SPOTS,
    &recording::COUNTERS,
    &builds::PROCESSES,
    &builds::ARGUMENTS,
    &builds::THREADS,
    &builds::ACTIONS,
    &builds::DEPENDENCIES,
    &builds::PHASES,
    &stacks::SAMPLES,
    &stacks::PROFILES,
    &stacks::STACKS,
    &stacks::FRAMES,
    &stacks::IMAGES,
    &stacks::MAPPINGS,
    &stacks::UNMAPPINGS,
    &calls::PROBES,
    &calls::CALLS,
    &calls::CALL_TREES,
    &linking::LOADS,
    &linking::LINKINGS,
    &linking::BINDINGS,
];

/// The table of a name.
#[must_use]
pub fn named(name: &str) -> Option<&'static dyn Table> {
    ALL.into_iter().find(|table| table.name() == name)
}

/// What rows are made of: a trace, what was computed of it, and what is when it is first asked for.
#[derive(Debug)]
pub struct Source<'a> {
    analysis: &'a Analysis<'a>,
    phases: OnceCell<PhaseIndex>,
}

impl<'a> Source<'a> {
    /// Of a whole trace.
    #[must_use]
    pub const fn of(analysis: &'a Analysis<'a>) -> Self {
        Self {
            analysis,
            phases: OnceCell::new(),
        }
    }

    fn trace(&self) -> &'a Trace {
        self.analysis.trace
    }

    /// A string that is none when it is empty.
    fn present(&self, id: StringId) -> Option<Cow<'a, str>> {
        (id != StringId::EMPTY).then(|| self.trace().text(id))
    }

    /// Whether a process is one of the command's, and not gotrace's own.
    fn shows(&self, process: ProcessId) -> bool {
        self.analysis.roles.get(process).is_some()
    }

    /// Reads all calls, the first time.
    fn phases(&self) -> &PhaseIndex {
        self.phases.get_or_init(|| PhaseIndex::of(self.analysis))
    }
}

/// A table whose rows are made of `R`s.
struct Definition<R: 'static> {
    name: &'static str,
    fields: &'static [Field<R>],
    walk: Walk<R>,
}

/// Hands over what the rows are made of; returns how many blocks could not be read.
type Walk<R> = fn(&Source<'_>, &mut dyn FnMut(&R) -> io::Result<()>) -> io::Result<u64>;

impl<R> Table for Definition<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn columns(&self) -> Vec<Column> {
        self.fields.iter().map(Field::column).collect()
    }

    fn rows(&self, source: &Source<'_>, each: &mut Each<'_>) -> io::Result<u64> {
        (self.walk)(source, &mut |record| {
            each(&mut self.fields.iter().map(|field| field.cell(source, record)))
        })
    }
}

/// Hands over all of a list that is in memory.
fn walk_all<R>(
    records: impl IntoIterator<Item = impl Borrow<R>>,
    each: &mut dyn FnMut(&R) -> io::Result<()>,
) -> io::Result<u64> {
    let mut records = records.into_iter();
    records.try_for_each(|record| each(record.borrow()))?;
    Ok(0)
}
