//! Binds in, how many of each kind out: in all, by program, by provider, by symbol.

use super::image_name;
use crate::analyze::Name;
use crate::analyze::scope::{Fit, Promised};
use crate::trace::{BindHow, Binding, ImageId, ProcessId, StringId, Trace};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;

/// How many binds of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// When the importer was loaded.
    pub eager: u64,
    /// At first calls.
    pub lazy: u64,
    /// Asked for by name (`dlsym`).
    pub dlsym: u64,
    /// Not seen, worked out from relocations and the order of loads.
    pub derived: u64,
    /// Of the eager and lazy ones, weak symbols that no image has.
    pub missing: u64,
}

impl Counts {
    /// All that were seen or derived.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.seen().saturating_add(self.derived)
    }

    /// Those that a loader told of.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.eager
            .saturating_add(self.lazy)
            .saturating_add(self.dlsym)
    }

    fn add(&mut self, how: BindHow, missing: bool) {
        let count = match how {
            BindHow::Eager => &mut self.eager,
            BindHow::Lazy => &mut self.lazy,
            BindHow::Dlsym => &mut self.dlsym,
            BindHow::Derived => &mut self.derived,
        };
        *count += 1;
        self.missing += u64::from(missing);
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        self.eager += other.eager;
        self.lazy += other.lazy;
        self.dlsym += other.dlsym;
        self.derived += other.derived;
        self.missing += other.missing;
    }
}

/// An image that has what others want.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderRow {
    /// Its path; `None` for weak symbols that no image has.
    pub image: Option<Name>,
    /// Binds to it.
    pub counts: Counts,
    /// Distinct symbols of it that were bound.
    pub symbols: u64,
    /// Distinct images that want them.
    pub importers: u64,
    /// Programs in which they were bound.
    pub processes: u64,
}

/// A symbol, and the image that has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolRow {
    /// The symbol.
    pub symbol: Name,
    /// The path of the image; `None` for a weak symbol that no image has.
    pub provider: Option<Name>,
    /// Binds to it.
    pub counts: Counts,
    /// Distinct images that want it.
    pub importers: u64,
    /// Programs in which it was bound.
    pub processes: u64,
}

/// What was counted.
pub(super) struct Counted {
    pub(super) all: Counts,
    pub(super) by_process: FxHashMap<ProcessId, Counts>,
    /// By image: binds that it wanted, and binds to it.
    pub(super) by_image: FxHashMap<ImageId, (Counts, Counts)>,
    pub(super) providers: Vec<ProviderRow>,
    pub(super) symbols: Vec<SymbolRow>,
}

/// Counts binds, image by image; images of one path become one row at the end.
pub(super) struct Counter<'t> {
    trace: &'t Trace,
    all: Counts,
    by_process: FxHashMap<ProcessId, Counts>,
    by_image: FxHashMap<ImageId, (Counts, Counts)>,
    links: FxHashMap<(Option<ImageId>, StringId), usize>,
    rows: Vec<Row>,
}

/// The binds of one symbol to one image.
#[derive(Default)]
struct Row {
    provider: Option<ImageId>,
    symbol: StringId,
    counts: Counts,
    importers: FxHashSet<ImageId>,
    processes: FxHashSet<ProcessId>,
}

impl<'t> Counter<'t> {
    pub(super) fn of(trace: &'t Trace) -> Self {
        Self {
            trace,
            all: Counts::default(),
            by_process: FxHashMap::default(),
            by_image: FxHashMap::default(),
            links: FxHashMap::default(),
            rows: Vec::new(),
        }
    }

    /// A bind that is in the trace.
    pub(super) fn seen(&mut self, bind: &Binding) {
        let who = (bind.process, bind.importer, bind.provider);
        self.add(who, bind.symbol, bind.how);
    }

    /// What no loader told of, in programs that have the same images.
    pub(super) fn derived(&mut self, set: &Promised<'_>, processes: &[ProcessId]) {
        for promise in set.promises.iter().filter(|one| one.fit == Fit::Derived) {
            for &process in processes {
                let who = (process, promise.importer, promise.provider());
                self.add(who, promise.import.symbol, BindHow::Derived);
            }
        }
    }

    fn add(
        &mut self,
        (process, importer, provider): (ProcessId, ImageId, Option<ImageId>),
        symbol: StringId,
        how: BindHow,
    ) {
        let missing = provider.is_none();
        self.all.add(how, missing);
        let of_process = self.by_process.entry(process).or_default();
        of_process.add(how, missing);
        self.by_image
            .entry(importer)
            .or_default()
            .0
            .add(how, missing);
        if let Some(provider) = provider {
            self.by_image
                .entry(provider)
                .or_default()
                .1
                .add(how, missing);
        }
        let next = self.rows.len();
        let number = *self.links.entry((provider, symbol)).or_insert(next);
        if number == next {
            self.rows.push(Row {
                provider,
                symbol,
                ..Row::default()
            });
        }
        if let Some(row) = self.rows.get_mut(number) {
            row.counts.add(how, missing);
            row.importers.insert(importer);
            row.processes.insert(process);
        }
    }

    pub(super) fn finish(self) -> Counted {
        Counted {
            providers: self.providers(),
            symbols: self.symbols(),
            all: self.all,
            by_process: self.by_process,
            by_image: self.by_image,
        }
    }

    fn provider_name(&self, row: &Row) -> Option<Name> {
        row.provider.map(|image| image_name(self.trace, image))
    }

    fn providers(&self) -> Vec<ProviderRow> {
        #[derive(Default)]
        struct Of {
            counts: Counts,
            symbols: FxHashSet<StringId>,
            importers: FxHashSet<ImageId>,
            processes: FxHashSet<ProcessId>,
        }
        let mut by_path: FxHashMap<Option<Name>, Of> = FxHashMap::default();
        for row in &self.rows {
            let of = by_path.entry(self.provider_name(row)).or_default();
            of.counts.add_all(&row.counts);
            of.symbols.insert(row.symbol);
            of.importers.extend(&row.importers);
            of.processes.extend(&row.processes);
        }
        let mut rows: Vec<ProviderRow> = by_path
            .into_iter()
            .map(|(image, of)| ProviderRow {
                image,
                counts: of.counts,
                symbols: of.symbols.len() as u64,
                importers: of.importers.len() as u64,
                processes: of.processes.len() as u64,
            })
            .collect();
        rows.sort_by(|a, b| {
            let order = |row: &ProviderRow| Reverse(row.counts.total());
            order(a).cmp(&order(b)).then_with(|| a.image.cmp(&b.image))
        });
        rows
    }

    fn symbols(&self) -> Vec<SymbolRow> {
        type Of = (Counts, FxHashSet<ImageId>, FxHashSet<ProcessId>);
        let mut by_name: FxHashMap<(StringId, Option<Name>), Of> = FxHashMap::default();
        for row in &self.rows {
            let of = by_name
                .entry((row.symbol, self.provider_name(row)))
                .or_default();
            of.0.add_all(&row.counts);
            of.1.extend(&row.importers);
            of.2.extend(&row.processes);
        }
        let mut rows: Vec<SymbolRow> = by_name
            .into_iter()
            .map(|((symbol, provider), of)| SymbolRow {
                symbol: Name::from(self.trace.strings.get(symbol)),
                provider,
                counts: of.0,
                importers: of.1.len() as u64,
                processes: of.2.len() as u64,
            })
            .collect();
        rows.sort_by(|a, b| {
            let order = |row: &SymbolRow| Reverse(row.counts.total());
            let names = |row: &SymbolRow| (row.symbol.clone(), row.provider.clone());
            order(a)
                .cmp(&order(b))
                .then_with(|| names(a).cmp(&names(b)))
        });
        rows
    }
}
