//! Binds in; out which symbols each program had bound, when and how often: for those who ask for some programs, or for
//! a piece of time.

use super::{SymbolRow, image_name};
use crate::analyze::scope::{Fit, Promised, promised};
use crate::analyze::{Analysis, Name};
use crate::trace::{ImageId, Nanos, ProcessId, StringId};
use rustc_hash::FxHashMap;

/// Binds of one symbol in one program that fall into the same of these are one.
const MILLISECOND: u64 = 1_000_000;

/// How often a program had a symbol bound around a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Which program.
    pub process: ProcessId,
    /// Position of the symbol among those that were asked for.
    pub symbol: usize,
    /// When the first of the binds was; of derived ones, which no loader tells of, when the program began.
    pub time: Nanos,
    /// How many.
    pub count: u64,
}

/// What was bound: a symbol, and the image that has it.
type What = (StringId, Option<ImageId>);

impl Bound {
    /// Reads all binds once, and returns those to `symbols` by program and symbol, millisecond by millisecond; `None` where
    /// that makes more than `most`. Blocks that cannot be read are left out, as [`Bindings`](super::Bindings) does,
    /// which counts them.
    #[must_use]
    pub fn all(analysis: &Analysis<'_>, symbols: &[SymbolRow], most: usize) -> Option<Vec<Self>> {
        let mut gathered = Gathered::of(analysis, symbols);
        for block in analysis.trace.bindings().flatten() {
            for bind in block.iter() {
                gathered.add(bind.process, (bind.symbol, bind.provider), bind.time);
            }
            if gathered.found.len() > most {
                return None;
            }
        }
        if !analysis.trace.needs.is_empty() {
            for set in promised(analysis.trace) {
                gathered.add_derived(&set);
                if gathered.found.len() > most {
                    return None;
                }
            }
        }
        Some(gathered.finish())
    }
}

struct Gathered<'a> {
    analysis: &'a Analysis<'a>,
    positions: FxHashMap<(&'a str, Option<&'a Name>), usize>,
    /// Positions of what was met: images of one path are one to a [`SymbolRow`].
    known: FxHashMap<What, Option<usize>>,
    /// By program, symbol and millisecond: when first, how often.
    found: FxHashMap<(ProcessId, usize, u64), (Nanos, u64)>,
}

impl<'a> Gathered<'a> {
    fn of(analysis: &'a Analysis<'a>, symbols: &'a [SymbolRow]) -> Self {
        let keys = symbols
            .iter()
            .map(|row| (&*row.symbol, row.provider.as_ref()));
        Self {
            analysis,
            positions: keys.zip(0..).collect(),
            known: FxHashMap::default(),
            found: FxHashMap::default(),
        }
    }

    fn position(&mut self, (symbol, provider): What) -> Option<usize> {
        let trace = self.analysis.trace;
        let positions = &self.positions;
        *self.known.entry((symbol, provider)).or_insert_with(|| {
            let symbol = Name::from(trace.strings.get(symbol));
            let provider = provider.map(|image| image_name(trace, image));
            positions.get(&(&*symbol, provider.as_ref())).copied()
        })
    }

    fn add(&mut self, process: ProcessId, what: What, time: Nanos) {
        if self.analysis.roles.get(process).is_none() {
            return;
        }
        if let Some(symbol) = self.position(what) {
            let key = (process, symbol, time.0 / MILLISECOND);
            let (first, count) = self.found.entry(key).or_insert((time, 0));
            *first = time.min(*first);
            *count += 1;
        }
    }

    fn add_derived(&mut self, set: &Promised<'_>) {
        for promise in set.promises.iter().filter(|one| one.fit == Fit::Derived) {
            for &id in &set.processes {
                let began = self
                    .analysis
                    .trace
                    .process(id)
                    .map(|process| process.exec_at);
                let what = (promise.import.symbol, promise.provider());
                self.add(id, what, began.unwrap_or_default());
            }
        }
    }

    /// By program, then by symbol and time.
    fn finish(self) -> Vec<Bound> {
        let found = self.found.into_iter();
        let mut all: Vec<Bound> = found
            .map(|((process, symbol, _), (time, count))| Bound {
                process,
                symbol,
                time,
                count,
            })
            .collect();
        all.sort_unstable_by_key(|bound| (bound.process, bound.symbol, bound.time));
        all
    }
}
