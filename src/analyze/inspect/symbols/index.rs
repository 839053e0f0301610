//! The tables of a slice, each read when it is first needed.

use super::image::Image;
use super::tables::{self, Entries};
use super::{Table, Witness};
use crate::binary::dwarf::{DebugSections, Dwarf, Line};
use crate::binary::go::Pclntab;
use crate::binary::{Error, Svma};
use std::borrow::Cow;
use std::cell::OnceCell;

/// What names the addresses of a slice. Made at once; tables are read when they are asked.
#[derive(Debug)]
pub struct Index<'m> {
    pub(super) image: &'m Image<'m>,
    /// Go's table, or why it cannot be read.
    go: Option<Result<Pclntab<'m>, String>>,
    debug: Option<&'m Image<'m>>,
    tables: OnceCell<Tables<'m>>,
    packed: [OnceCell<Packed<'m>>; 2],
}

#[derive(Debug)]
struct Tables<'m> {
    read: Vec<Entries<'m>>,
    unread: Vec<String>,
}

/// Debug information, unpacked.
type Packed<'m> = Result<Option<DebugSections<'m>>, String>;

/// Debug information that is ready: borrowed from an [`Index`].
#[derive(Debug)]
pub(super) struct Debugging<'i> {
    pub(super) dwarf: Dwarf<'i>,
    pub(super) by: Witness,
}

impl<'m> Index<'m> {
    /// Looks for the tables of a slice, and of the file of debug information that belongs to it.
    #[must_use]
    pub fn of(image: &'m Image<'m>, debug: Option<&'m Image<'m>>) -> Self {
        let go = match image.pclntab() {
            Err(Error::Missing { what }) if what.contains("function table") => None,
            other => Some(other.map_err(|error| error.to_string())),
        };
        Self {
            image,
            go,
            debug,
            tables: OnceCell::new(),
            packed: [OnceCell::new(), OnceCell::new()],
        }
    }

    pub(super) fn go(&self) -> Option<&Pclntab<'m>> {
        self.go.as_ref()?.as_ref().ok()
    }

    /// The tables but for Go's and DWARF.
    fn tables(&self) -> &Tables<'m> {
        self.tables.get_or_init(|| {
            let (mut read, mut unread) = tables::of_file(self.image, false);
            if let Some(debug) = self.debug {
                let (more, why) = tables::of_file(debug, true);
                read.extend(more);
                unread.extend(why);
            }
            if let Some(Err(why)) = &self.go {
                unread.push(format!("{}: {why}", Table::Pclntab.name()));
            }
            Tables { read, unread }
        })
    }

    pub(super) fn entries(&self) -> &[Entries<'m>] {
        &self.tables().read
    }

    /// Debug information of the file itself and of the file of debug information; where there is
    /// some that cannot be read, why.
    pub(super) fn debugging(&self) -> (Vec<Debugging<'_>>, Vec<String>) {
        let mut ready = Vec::new();
        let mut unread = Vec::new();
        let images = [Some(self.image), self.debug];
        for ((image, packed), debug_file) in images.iter().zip(&self.packed).zip([false, true]) {
            let Some(image) = image else {
                continue;
            };
            let by = Witness {
                table: Table::Dwarf,
                debug_file,
            };
            let sections = match packed.get_or_init(|| image.dwarf()) {
                Ok(Some(sections)) => sections,
                Ok(None) => continue,
                Err(why) => {
                    unread.push(format!("{by}: {why}"));
                    continue;
                }
            };
            match sections.dwarf() {
                Ok(dwarf) => ready.push(Debugging { dwarf, by }),
                Err(error) => unread.push(format!("{by}: {}", chain(&error))),
            }
        }
        (ready, unread)
    }

    /// The name of the function that holds an address, as linkers have it: Go's table, else the
    /// first table of symbols that has it.
    #[must_use]
    pub fn function(&self, address: Svma) -> Option<Cow<'_, [u8]>> {
        if let Some(found) = self.go().and_then(|go| go.find(address).ok()?) {
            return found.linker_name().ok().map(Cow::Borrowed);
        }
        let tables = self.entries().iter();
        let mut covering = tables.flat_map(|table| table.covering(address));
        covering
            .find(|entry| !entry.name.is_empty())
            .map(|entry| Cow::Borrowed(entry.name.as_ref()))
    }

    /// How many functions and variables each table has.
    pub(super) fn counts(&self, of_dwarf: &[Entries<'_>]) -> Vec<(Witness, usize)> {
        let by = Witness {
            table: Table::Pclntab,
            debug_file: false,
        };
        let of_go = self
            .go()
            .map(|go| (by, usize::try_from(go.len()).unwrap_or(usize::MAX)));
        let tables = of_dwarf.iter().chain(self.entries());
        let tables = tables.map(|table| (table.by, table.entries.len()));
        of_go.into_iter().chain(tables).collect()
    }

    /// Tables that cannot be read, and why.
    pub(super) fn unread(&self) -> &[String] {
        &self.tables().unread
    }
}

/// The functions and lines of debug information, all of them read.
pub(super) struct Debug<'d> {
    pub(super) ready: &'d [Debugging<'d>],
    pub(super) tables: Vec<Entries<'d>>,
}

impl<'d> Debug<'d> {
    /// Reads the functions; what cannot be read is told in `unread`.
    pub(super) fn of(ready: &'d [Debugging<'d>], unread: &mut Vec<String>) -> Self {
        let mut tables = Vec::new();
        for one in ready {
            match tables::of_dwarf(&one.dwarf, one.by.debug_file) {
                Ok(table) => tables.push(table),
                Err(error) => unread.push(format!("{}: {}", one.by, chain(&error))),
            }
        }
        Self { ready, tables }
    }

    /// The lines at an address, by whichever debug information has them first, and whose it is.
    pub(super) fn lines(&self, address: Svma) -> impl Iterator<Item = (Witness, Vec<Line>)> {
        self.ready.iter().filter_map(move |one| {
            let lines = one.dwarf.lines(address).unwrap_or_default();
            (!lines.is_empty()).then_some((one.by, lines))
        })
    }
}

/// An error with what caused it.
pub(super) fn chain(error: &Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
