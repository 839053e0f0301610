//! The binds of two traces: who wants which symbol, and who has it, without what depends on the
//! architecture. Between a native and a translated run of one thing nothing is expected to differ.

use super::{Takes, image_name};
use crate::analyze::scope::promised;
use crate::analyze::{Analysis, Filter, Name, c_library, portable};
use crate::trace::{ImageId, StringId, Trace};
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

/// Where a C library keeps what guards stacks; for amd64 it is no symbol.
const STACK_GUARD: &str = "__stack_chk_guard";

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

impl Link {
    /// Whether the C library wants it of itself, or by the architecture alone.
    fn is_of_c_library(&self) -> bool {
        let provided = self.provider.as_deref().is_some_and(c_library::is_part);
        provided && (c_library::is_part(&self.importer) || &*self.symbol == STACK_GUARD)
    }
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
    /// Between a native and a translated run: how many more differ within the C library, which binds to
    /// itself as its architecture wants it. They are in neither of the lists.
    pub of_c_library: u64,
    /// One of the two ran on its own processor, the other was translated: they are expected to have
    /// the same binds.
    pub translation: bool,
    /// The files of both were read: derived binds are compared, too.
    pub derived: bool,
    /// Only binds at first calls are compared.
    pub lazy: bool,
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
        let mut found = Self {
            gone: of_base.difference(&of_new).cloned().collect(),
            came: of_new.difference(&of_base).cloned().collect(),
            common: of_base.intersection(&of_new).count() as u64,
            of_c_library: 0,
            translation: is_translated(base) != is_translated(new),
            derived,
            lazy,
        };
        if found.translation {
            for links in [&mut found.gone, &mut found.came] {
                let all = links.len();
                links.retain(|link| !link.is_of_c_library());
                found.of_c_library += (all - links.len()) as u64;
            }
        }
        found
    }

    /// Whether both have the same binds.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.came.is_empty()
    }
}

fn is_translated(analysis: &Analysis<'_>) -> bool {
    let programs = analysis.roles.iter();
    let mut processes = programs.filter_map(|(id, _)| analysis.trace.process(id));
    processes.any(|process| process.exec.translator != StringId::EMPTY)
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
    if file.starts_with(c_library::LOADER) {
        return Name::from(c_library::LOADER);
    }
    Name::from(&*portable(file))
}
