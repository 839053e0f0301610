//! What files promise, beside what happened: each import with its stub, its slot and its
//! definition, the binds that were seen of it, and what does not fit.
//!
//! Programs with the same images are one row: 30 runs of one compiler make as many promises as one.

use super::order::Scopes;
use super::resolver::{Found, Needs, Resolved, Resolver};
use crate::analyze::c_library;
use crate::trace::{
    BindHow, Binding, ImageId, Import, ImportKind, LinkCause, ProcessId, StringId, Trace,
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How what was seen of an import fits to what its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fit {
    /// It was seen to be bound, to what the rules say.
    Seen,
    /// It was not seen, as no bind of data is: the rules alone say what it is bound to.
    Derived,
    /// It is bound at its first call, and was not called.
    NeverCalled,
    /// It was not seen, and its program never got as far: it ended before, or its loader was only asked
    /// what it would load (ldd).
    NotReached,
    /// No image defines it, which is allowed.
    MissingWeak,
    /// It was not seen, and some file that may define it could not be read.
    Unknown,
    /// Its image is bound when it is loaded, and a program went on without it.
    NotBound,
    /// It was seen to be bound to another definition than the rules say.
    Elsewhere,
    /// It is bound to another library than the file names: one that comes first has it, too.
    Interposed,
}

impl Fit {
    /// Whether it is something to look at.
    #[must_use]
    pub const fn is_finding(self) -> bool {
        matches!(self, Self::NotBound | Self::Elsewhere | Self::Interposed)
    }

    /// In one or two words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Seen => "bound",
            Self::Derived => "derived",
            Self::NeverCalled => "never called",
            Self::NotReached => "not reached",
            Self::MissingWeak => "missing, weak",
            Self::Unknown => "not known",
            Self::NotBound => "not bound",
            Self::Elsewhere => "bound elsewhere",
            Self::Interposed => "interposed",
        }
    }
}

/// An import of an image, in the programs that have the same images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise<'t> {
    /// The image that asks.
    pub importer: ImageId,
    /// What it asks for: symbol, version, slot, stub.
    pub import: &'t Import,
    /// What it is bound to by the rules.
    pub expected: Found,
    /// What it was seen to be bound to; the expected one where both are.
    pub seen: Option<ImageId>,
    /// How often it was seen.
    pub binds: u64,
    /// How that fits.
    pub fit: Fit,
}

impl Promise<'_> {
    /// What it is bound to: as seen, else by the rules.
    #[must_use]
    pub const fn provider(&self) -> Option<ImageId> {
        match (self.seen, self.expected) {
            (Some(image), _) | (None, Found::In(image)) => Some(image),
            _ => None,
        }
    }

    /// Whether it is bound, seen or not.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        self.provider().is_some()
            && !matches!(self.fit, Fit::NeverCalled | Fit::NotReached | Fit::NotBound)
    }
}

/// The promises of programs that have the same images.
#[derive(Clone, Debug)]
pub struct Promised<'t> {
    /// The programs, in the order of their start.
    pub processes: Vec<ProcessId>,
    /// What their images ask for, in the order of loads.
    pub promises: Vec<Promise<'t>>,
}

/// Binds of one import that were seen: to what, how often.
type Seen = FxHashMap<(ImageId, StringId), BTreeMap<Option<ImageId>, u64>>;

/// Programs with the same images, and what was seen of them.
struct Set<'t> {
    processes: Vec<ProcessId>,
    /// Their loader told that it had relocated them.
    started: bool,
    resolved: Rc<[Resolved<'t>]>,
    seen: Seen,
}

/// The promises of every program whose loads were seen.
///
/// Reads all binds once. Memory is bounded by the sets of images and their imports, not by binds.
#[must_use]
pub fn promised(trace: &Trace) -> Vec<Promised<'_>> {
    let mut resolver = Resolver::of(trace);
    let starts = trace.linkings.iter();
    let starts = starts.filter(|linking| linking.cause == LinkCause::Start);
    let started: FxHashSet<ProcessId> = starts.map(|linking| linking.process).collect();
    let mut numbers: FxHashMap<(Scopes, bool), usize> = FxHashMap::default();
    let mut sets: Vec<Set<'_>> = Vec::new();
    let mut set_of: FxHashMap<ProcessId, usize> = FxHashMap::default();
    for (process, scopes) in resolver.all_scopes() {
        let started = started.contains(&process);
        let key = (scopes.clone(), started);
        let number = *numbers.entry(key).or_insert(sets.len());
        set_of.insert(process, number);
        match sets.get_mut(number) {
            Some(set) => set.processes.push(process),
            None => sets.push(Set {
                processes: vec![process],
                started,
                resolved: resolver.scopes(scopes),
                seen: Seen::default(),
            }),
        }
    }
    let binds = trace.bindings().flatten();
    binds
        .flat_map(|block| block.iter().collect::<Vec<Binding>>())
        .for_each(|bind| {
            let set = set_of
                .get(&bind.process)
                .and_then(|&number| sets.get_mut(number));
            // What a program asks for by name is in no file; what the loader does is among its imports.
            let in_file =
                bind.how != BindHow::Dlsym || resolver.needs.is_loader(trace, bind.importer);
            if let (Some(set), true) = (set, in_file) {
                let of_import = set.seen.entry((bind.importer, bind.symbol)).or_default();
                *of_import.entry(bind.provider).or_default() += 1;
            }
        });
    sets.into_iter()
        .map(|set| Promised {
            promises: set
                .resolved
                .iter()
                .map(|one| promise(trace, &resolver.needs, one, &set))
                .collect(),
            processes: set.processes,
        })
        .collect()
}

/// Lays what was seen of an import beside it.
fn promise<'t>(
    trace: &Trace,
    needs: &Needs<'t>,
    resolved: &Resolved<'t>,
    set: &Set<'_>,
) -> Promise<'t> {
    let Resolved {
        importer,
        import,
        found,
        ..
    } = *resolved;
    let expected = match found {
        Found::In(image) => Some(image),
        _ => None,
    };
    let named = needs.names_providers(importer);
    // ld.so does not tell of data: what was seen of the same symbol was seen of its calls.
    let told = import.kind == ImportKind::Call || named;
    let of_import = set.seen.get(&(importer, import.symbol));
    let of_import = of_import.filter(|_| told || needs.is_loader(trace, importer));
    let most = of_import.and_then(|providers| providers.iter().max_by_key(|(_, count)| **count));
    let provider = most.and_then(|(provider, _)| *provider);
    let calls = import.kind == ImportKind::Call;
    let lazy = calls && needs.get(importer).is_some_and(|needs| !needs.bind_now);
    let fit = match (most, expected) {
        // A library of macOS may hand on what another one defines, and what was not read defines
        // whatever is bound to it.
        (Some(_), Some(_))
            if provider != expected
                && !named
                && provider.is_none_or(|image| needs.is_read(image)) =>
        {
            Fit::Elsewhere
        }
        // Times of relocation are told wherever nothing else tells of the library of an import.
        (None, _) if !set.started && !named => Fit::NotReached,
        (None, _) if found == Found::Unknown => match lazy {
            true => Fit::NeverCalled,
            false => Fit::Unknown,
        },
        (_, None) if import.weak && provider.is_none() => Fit::MissingWeak,
        (None, _) if lazy => Fit::NeverCalled,
        // What the kernel fills in when a page is read, dyld does not tell of.
        (None, _) if named => Fit::Derived,
        (None, expected) if told || expected.is_none() => Fit::NotBound,
        _ if is_interposed(trace, needs, resolved, provider.or(expected)) => Fit::Interposed,
        (Some(_), _) => Fit::Seen,
        (None, _) => Fit::Derived,
    };
    Promise {
        importer,
        import,
        expected: found,
        seen: provider,
        binds: of_import.map_or(0, |providers| providers.values().sum()),
        fit,
    }
}

/// Whether an import is bound to another library than its file names. A copy of the library's
/// variable in the program, under each name that it has, and a stub of the program's that stands for the
/// function, are the library's own.
fn is_interposed(
    trace: &Trace,
    needs: &Needs<'_>,
    resolved: &Resolved<'_>,
    provider: Option<ImageId>,
) -> bool {
    let library = resolved.import.library;
    let Some(provider) = provider.filter(|_| library != StringId::EMPTY) else {
        return false;
    };
    if needs.is_called(trace, provider, library) {
        return false;
    }
    let name = trace.strings.get(library);
    // Functions of libm are in libc, too.
    let path = trace.images.get(provider.index()).map(|image| image.path);
    let parts = [name, path.map_or(b"", |path| trace.strings.get(path))];
    if parts.into_iter().all(is_of_c_library) {
        return false;
    }
    // Libraries of macOS hand on what others define.
    if name.starts_with(b"/usr/lib/") || name.starts_with(b"/System/") {
        return false;
    }
    // The second name of a copied variable has the library's version, which nothing has that the program
    // defines itself.
    let version = resolved.import.version;
    let of_library = resolved.offer.is_some_and(|offer| offer.version == version);
    let is_copy = |copy: &Import| {
        copy.kind == ImportKind::Copy
            && (copy.symbol == resolved.import.symbol || copy.library == library && of_library)
    };
    let stands_for_it = resolved.offer.is_some_and(|offer| offer.stub)
        || needs
            .get(provider)
            .is_some_and(|program| program.imports.iter().any(is_copy));
    !stands_for_it
}

/// Whether a path, or the name of a file, is that of a part of the C library.
fn is_of_c_library(path: &[u8]) -> bool {
    let file = path.rsplit(|byte| *byte == b'/').next();
    let file = file.and_then(|file| str::from_utf8(file).ok());
    file.is_some_and(c_library::is_part)
}
