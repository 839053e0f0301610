//! The binds of two traces: who wants which symbol, and who has it, without what depends on the
//! architecture. Between a native and a translated run of one thing nothing is expected to differ.

use super::{Takes, image_name};
use crate::analyze::scope::promised;
use crate::analyze::{Analysis, Filter, Name, portable};
use crate::trace::{ImageId, StringId, Trace};
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// Who wants what, and who has it; images by the names of their files, folders left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The image that names the symbol.
    pub importer: Name,
    /// The symbol.
    pub symbol: Name,
    /// The image that has it; `None` for a weak symbol that none has.
    pub provider: Option<Name>,
}

/// What the binds of two traces differ by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Those of the base alone.
    pub gone: Vec<Link>,
    /// Those of the new trace alone.
    pub came: Vec<Link>,
    /// How many both have.
    pub common: u64,
    /// One of the two ran on its own processor, the other was translated: they are expected to have
    /// the same binds.
    pub translation: bool,
    /// The files of both were read: derived binds are compared, too.
    pub derived: bool,
}

impl Difference {
    /// Compares the binds of the programs that pass each filter.
    #[must_use]
    pub fn of(
        (base, base_filter): (&Analysis<'_>, &Filter),
        (new, new_filter): (&Analysis<'_>, &Filter),
        lazy: bool,
    ) -> Self {
        let (b, n) = (base.trace, new.trace);
        let derived = !lazy && !b.needs.is_empty() && !n.needs.is_empty();
        let of_base = links(b, &Takes::of(base, base_filter, lazy), derived);
        let of_new = links(n, &Takes::of(new, new_filter, lazy), derived);
        Self {
            gone: of_base.difference(&of_new).cloned().collect(),
            came: of_new.difference(&of_base).cloned().collect(),
            common: of_base.intersection(&of_new).count() as u64,
            translation: is_translated(base) != is_translated(new),
            derived,
        }
    }

    /// Whether both have the same binds.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.came.is_empty()
    }
}

fn is_translated(analysis: &Analysis<'_>) -> bool {
    let mut programs = analysis.roles.iter();
    let process = |(id, _)| analysis.trace.process(id);
    programs
        .by_ref()
        .filter_map(process)
        .any(|process| process.exec.translator != StringId::EMPTY)
}

fn links(trace: &Trace, takes: &Takes, derived: bool) -> BTreeSet<Link> {
    let mut seen: FxHashSet<(ImageId, StringId, Option<ImageId>)> = FxHashSet::default();
    for block in trace.bindings().flatten() {
        let asked_for = block.iter().filter(|bind| takes.bind(bind));
        seen.extend(asked_for.map(|bind| (bind.importer, bind.symbol, bind.provider)));
    }
    if derived {
        let sets = promised(trace);
        let sets = sets
            .iter()
            .filter(|set| set.processes.iter().any(|&id| takes.process(id)));
        let bound = sets.flat_map(|set| set.promises.iter().filter(|one| one.is_bound()));
        seen.extend(bound.map(|one| (one.importer, one.import.symbol, one.provider())));
    }
    let links = seen.into_iter().map(|(importer, symbol, provider)| Link {
        importer: plain(trace, importer),
        symbol: Name::from(&*portable(&trace.text(symbol))),
        provider: provider.map(|image| plain(trace, image)),
    });
    links.collect()
}

/// The name of an image's file without its architecture. The loader itself has another name and another
/// version on each: `ld-linux-x86-64.so.2`, `ld-linux-aarch64.so.1`.
fn plain(trace: &Trace, image: ImageId) -> Name {
    let path = image_name(trace, image);
    let file = path.rsplit('/').next().unwrap_or_default();
    if file.starts_with("ld-linux") {
        return Name::from("ld-linux");
    }
    Name::from(&*portable(file))
}
