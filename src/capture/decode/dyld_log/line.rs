//! One line of dyld, without its prefix: which of the known forms it has, and what is in it.
//!
//! The forms are those of dyld-1378 (`dyld/Loader.cpp`, `JustInTimeLoader.cpp`, `PrebuiltLoader.cpp`,
//! `DyldRuntimeState.cpp`, `DyldAPIs.cpp`), odd widths and a bracket too many included.

use super::pattern::{Fit, Found, Part, fit, pattern};
use std::sync::LazyLock;

/// Which of an image's two tables of targets a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// What `bind#N` of a fixup counts in.
    Binds,
    /// What `weak-bind#N` of a fixup counts in: definitions that others may override.
    Weak,
    /// The line does not tell: a prebuilt loader prints both alike.
    Either,
}

/// What a fixup wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote<'a> {
    /// An address of the image itself, or something of no symbol.
    Other,
    /// The target of this number.
    Target(Table, &'a [u8], u64),
    /// Nothing: the weak target of this number is missing.
    Skipped(&'a [u8], u64),
    /// It is not said what: an image with chained fixups.
    Unsaid,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Library {
        uuid: &'a [u8],
        path: &'a [u8],
    },
    KernelMapped {
        path: &'a [u8],
    },
    Mapping {
        path: &'a [u8],
        slice_offset: u64,
    },
    Cached {
        path: &'a [u8],
    },
    Segment {
        name: &'a [u8],
        rights: &'a [u8],
        start: u64,
        end: u64,
        paged_in: bool,
    },
    Loader,
    Target {
        importer: &'a [u8],
        number: u64,
        address: Option<u64>,
        provider: &'a [u8],
        symbol: &'a [u8],
        table: Table,
    },
    Fixup {
        slot: u64,
        value: u64,
        wrote: Wrote<'a>,
    },
    Bind {
        slot: u64,
        value: u64,
        importer: &'a [u8],
        provider: &'a [u8],
        symbol: &'a [u8],
    },
    PageIn {
        path: &'a [u8],
    },
    Initializer {
        address: u64,
        path: &'a [u8],
    },
    Interposed {
        by: &'a [u8],
        symbol: &'a [u8],
        from: u64,
        to: u64,
    },
    Open {
        path: &'a [u8],
    },
    Opened,
    OpenFailed {
        why: &'a [u8],
    },
    LookedUp {
        symbol: &'a [u8],
        address: Option<u64>,
    },
    Find {
        path: &'a [u8],
    },
    Possible {
        path: &'a [u8],
    },
    Found {
        how: &'a [u8],
        path: &'a [u8],
    },
    Unusable {
        path: &'a [u8],
        why: &'a [u8],
    },
    Missed {
        path: &'a [u8],
        errno: u64,
    },
    Refused {
        path: &'a [u8],
        why: &'a [u8],
    },
    NotFound,
    Unmapped {
        start: u64,
        end: u64,
        path: &'a [u8],
    },
    /// Why a library or a program was not loaded.
    Failure {
        what: &'static [u8],
        text: &'a [u8],
    },
    /// More of that, on a line of its own.
    More {
        what: &'static [u8],
        text: &'a [u8],
    },
    /// Known, and of no interest.
    Ignored,
    Unknown,
}

type Read = for<'a> fn(&Found<'a>) -> Line<'a>;
/// A form in the notation of [`pattern`], and what is made of what it has.
type Form = (&'static str, Read);

fn target<'a>(found: &Found<'a>, table: Table) -> Line<'a> {
    Line::Target {
        importer: found.name(0),
        number: found.number(0),
        address: Some(found.number(1)),
        provider: found.name(1),
        symbol: found.name(2),
        table,
    }
}

fn fixup<'a>(found: &Found<'a>, wrote: Wrote<'a>) -> Line<'a> {
    Line::Fixup {
        slot: found.number(0),
        value: found.number(1),
        wrote,
    }
}

fn segment<'a>(found: &Found<'a>, paged_in: bool) -> Line<'a> {
    Line::Segment {
        name: found.name(0),
        rights: found.name(1),
        start: found.number(0),
        end: found.number(1),
        paged_in,
    }
}

/// Of two forms that a line has, the first counts.
const FORMS: &[Form] = &[
    ("fixup: *0x%x10 = 0x%x16 <rebase>", |found| {
        fixup(found, Wrote::Other)
    }),
    ("fixup: *0x%x10 = 0x%x16 <%f/bind#%n>", |found| {
        let target = Wrote::Target(Table::Binds, found.name(0), found.number(2));
        fixup(found, target)
    }),
    ("fixup: *0x%x10 = 0x%x16 <%f/weak-bind#%n>", |found| {
        let target = Wrote::Target(Table::Weak, found.name(0), found.number(2));
        fixup(found, target)
    }),
    (
        "fixup: *0x%x10 (skipping missing weak bind) <%f/weak-bind#%n>",
        |found| Line::Fixup {
            slot: found.number(0),
            value: 0,
            wrote: Wrote::Skipped(found.name(0), found.number(1)),
        },
    ),
    ("fixup: *0x%x10 = 0x%x16", |found| {
        fixup(found, Wrote::Unsaid)
    }),
    ("fixup: *0x%x10 = 0x%x12 <%l>", |found| {
        fixup(found, Wrote::Other)
    }),
    (
        "<%f/bind#%n> -> 0x%x1 <%f/variant-table#%n('%l')>)",
        |found| target(found, Table::Binds),
    ),
    ("<%f/bind#%n> -> 0x%x1 <%f/%l>)", |found| {
        target(found, Table::Binds)
    }),
    ("<%f/bind#%n> -> missing-weak-bind (%l)", |found| {
        Line::Target {
            importer: found.name(0),
            number: found.number(0),
            address: None,
            provider: b"",
            symbol: found.name(1),
            table: Table::Weak,
        }
    }),
    ("<%f/bind#%n> -> missing-weak-bind", |found| Line::Target {
        importer: found.name(0),
        number: found.number(0),
        address: None,
        provider: b"",
        symbol: b"",
        table: Table::Weak,
    }),
    ("<%f/bind#%n> -> 0x%x1 (%l+0x%x8)", |found| {
        target(found, Table::Either)
    }),
    ("<%f/bind#%n> -> 0x%x1 (%f/%l)", |found| {
        target(found, Table::Weak)
    }),
    ("<%f/bind#%n> -> 0x%x1", |found| {
        target(found, Table::Either)
    }),
    ("<%f/bind#%n(variant-table#%n)> -> 0x%x1", |found| {
        Line::Target {
            importer: found.name(0),
            number: found.number(0),
            address: Some(found.number(2)),
            provider: b"",
            symbol: b"",
            table: Table::Either,
        }
    }),
    ("<%u> %*", |found| Line::Library {
        uuid: found.name(0),
        path: found.name(1),
    }),
    ("%_ROSETTA (r.x) 0x%x12->0x%x12", |found| Line::Segment {
        name: ROSETTA,
        start: found.number(0),
        end: found.number(1),
        rights: b"r.x",
        paged_in: false,
    }),
    ("Mapping %l (slice offset=0x%x1)", |found| Line::Mapping {
        path: found.name(0),
        slice_offset: found.number(0),
    }),
    ("Mapping %*", |found| Line::Mapping {
        path: found.name(0),
        slice_offset: 0,
    }),
    ("Using mapping in dyld cache for %*", |found| Line::Cached {
        path: found.name(0),
    }),
    ("Kernel mapped %*", |found| Line::KernelMapped {
        path: found.name(0),
    }),
    ("Setting up kernel page-in linking for %*", |found| {
        Line::PageIn {
            path: found.name(0),
        }
    }),
    (
        "__map_with_linking_np(%l) failed, falling back to linking in-process",
        |_| Line::Ignored,
    ),
    ("unmapped 0x%x12->0x%x12 for %*", |found| Line::Unmapped {
        start: found.number(0),
        end: found.number(1),
        path: found.name(0),
    }),
    ("using JustInTimeLoader 0x%x1 for %*", |_| Line::Loader),
    ("using PrebuiltLoader 0x%x1 for %*", |_| Line::Loader),
    ("using PremappedLoader 0x%x1 for %*", |_| Line::Loader),
    ("lazy load fixup: *0x%x10 = 0x%x1", |found| {
        fixup(found, Wrote::Other)
    }),
    ("cache singleton fixup: *0x%x12 = 0x%x12", |found| {
        fixup(found, Wrote::Other)
    }),
    ("bind:   *0x%x12 = 0x%x12 (*%f+0x%x12 = %f/%l)", |found| {
        Line::Bind {
            slot: found.number(0),
            value: found.number(1),
            importer: found.name(0),
            provider: found.name(1),
            symbol: found.name(2),
        }
    }),
    ("running initializer 0x%x1 in %*", |found| {
        Line::Initializer {
            address: found.number(0),
            path: found.name(0),
        }
    }),
    ("dlopen(\"%l\", 0x%x8)", |found| Line::Open {
        path: found.name(0),
    }),
    ("      dlopen(%f) => NULL, '%*", |found| Line::OpenFailed {
        why: found.name(1),
    }),
    ("      dlopen(%l) => 0x%x1", |_| Line::Opened),
    ("dlsym(0x%x1, \"%l\")", |_| Line::Ignored),
    ("     dlsym(\"%l\") => NULL%*", |found| Line::LookedUp {
        symbol: found.name(0),
        address: None,
    }),
    ("     dlsym(\"%l\") => 0x%x1", |found| Line::LookedUp {
        symbol: found.name(0),
        address: Some(found.number(0)),
    }),
    ("find path \"%l\"", |found| Line::Find {
        path: found.name(0),
    }),
    ("  possible path(%f): \"%l\"", |found| Line::Possible {
        path: found.name(1),
    }),
    ("  found: %f-error: \"%l\" => \"%l\"", |found| {
        Line::Unusable {
            path: found.name(1),
            why: found.name(2),
        }
    }),
    ("  found: %f: (0x%x4) \"%l\"", |found| Line::Found {
        how: found.name(0),
        path: found.name(1),
    }),
    ("  found: already-loaded-by-rpath: %*", |found| {
        Line::Found {
            how: b"already-loaded-by-rpath",
            path: found.name(0),
        }
    }),
    ("  found: %f: \"%f\" -> %*", |found| Line::Found {
        how: found.name(0),
        path: found.name(2),
    }),
    ("  found: %f: \"%l\"", |found| Line::Found {
        how: found.name(0),
        path: found.name(1),
    }),
    ("  found existing image by install name: \"%l\"", |found| {
        Line::Found {
            how: b"already-loaded-by-install-name",
            path: found.name(0),
        }
    }),
    ("    stat(\"%l\") returned: errno=%n", |found| {
        Line::Missed {
            path: found.name(0),
            errno: found.number(0),
        }
    }),
    ("    stat(\"%l\") %*", |found| Line::Refused {
        path: found.name(0),
        why: found.name(1),
    }),
    (
        "    \"%l\" cannot override a protected system dylib",
        |found| Line::Refused {
            path: found.name(0),
            why: b"cannot override a protected system dylib",
        },
    ),
    ("  not found: \"%l\"", |_| Line::NotFound),
    ("Library not loaded: %*", |found| Line::Failure {
        text: found.name(0),
        what: b"Library not loaded: ",
    }),
    ("Symbol not found: %*", |found| Line::Failure {
        text: found.name(0),
        what: b"Symbol not found: ",
    }),
    ("  Referenced from: %*", |found| Line::More {
        text: found.name(0),
        what: b"  Referenced from: ",
    }),
    ("  Reason: %*", |found| Line::More {
        text: found.name(0),
        what: b"  Reason: ",
    }),
    ("  Expected in: %*", |found| Line::More {
        text: found.name(0),
        what: b"  Expected in: ",
    }),
    ("  Expected as %*", |found| Line::More {
        text: found.name(0),
        what: b"  Expected as ",
    }),
];

/// Forms that begin with a name: nearly anything could become one of these.
const LOOSE: &[Form] = &[
    ("%_%s(%r) 0x%x12->0x%x12", |found| segment(found, false)),
    ("%_%s(%r) 0x%x12->0x%x12 ", |found| segment(found, false)),
    (
        "%_%s(%r) 0x%x12->0x%x12 (fileOffset=0x%x1, size=%nKB)",
        |found| segment(found, true),
    ),
    (
        "%f has interposed '%l' to replacing binds to 0x%x8 with 0x%x8",
        |found| Line::Interposed {
            by: found.name(0),
            symbol: found.name(1),
            from: found.number(0),
            to: found.number(1),
        },
    ),
];

/// A form, ready to be tried.
struct Ready {
    pattern: Vec<Part>,
    read: Read,
}

static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| {
    let forms = FORMS.iter().chain(LOOSE);
    let ready = forms.map(|(text, read)| Ready {
        pattern: pattern(text),
        read: *read,
    });
    ready.collect()
});

/// How lines begin that dyld prints and that say nothing here.
const IGNORED: &[&str] = &[
    "mprotect 0x",
    "_dyld_",
    "dyld_",
    "dlclose(",
    "dladdr(",
    "dlopen_preflight(",
    "dlopen(0x0",
    "dlerror()",
    " => ",
    "add notifier ",
    "add bulk notifier ",
    "registering old style destructor ",
    "  interpose replaced ",
    "interpose: *",
    "   '",
    "looking for weak-def symbol ",
    "  using ",
    "  did not find ",
    "move delayed to loaded: ",
    "move loaded to delayed: ",
    "cache patch: ",
    "cache fixup: ",
    "cache GOT fixup: ",
    "dyld cache ",
    "rebase: *0x",
    "  LC_RPATH ",
    "  switch to ",
    "Note: ",
    "PrebuiltLoader",
    "did not look for saved ",
    " objc-mapped: ",
    "adding DOF ",
    "dtrace probes ",
    "Found ",
    "searching ",
    "   no pseudo-dylibs matched",
    "NS",
];

/// The name that dyld gives translated code behind an image.
pub(super) const ROSETTA: &[u8] = b"ROSETTA";

impl<'a> Line<'a> {
    /// Reads a line, without its end.
    pub(super) fn read(text: &'a [u8]) -> Self {
        for form in READY.iter() {
            if let Fit::Whole(found) = fit(&form.pattern, text) {
                return (form.read)(&found);
            }
        }
        if IGNORED.iter().any(|word| text.starts_with(word.as_bytes())) {
            return Self::Ignored;
        }
        Self::Unknown
    }

    /// Whether lines may follow that have no prefix of their own.
    pub(super) fn goes_on(&self) -> bool {
        matches!(
            self,
            Self::Failure { .. }
                | Self::OpenFailed { .. }
                | Self::Unusable { .. }
                | Self::More { .. }
        )
    }
}

/// Whether a line could begin like this.
pub(super) fn could_begin(text: &[u8]) -> bool {
    let fits = |form: &Ready| !matches!(fit(&form.pattern, text), Fit::No);
    let ignored = |word: &&str| {
        let word = word.as_bytes();
        text.starts_with(word) || word.starts_with(text)
    };
    let (strict, loose) = READY.split_at_checked(FORMS.len()).unwrap_or_default();
    // Names of segments begin so; a name that interposes can be any.
    let segment = text.starts_with(b"__") && loose.iter().take(3).any(fits);
    strict.iter().any(fits) || IGNORED.iter().any(ignored) || segment
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line for each form, in their order, as dyld's own formats make it (`%014s`, `0x%012lX`, `%p`).
    const LINES: &[&str] = &[
        "fixup: *0x0104AD7FD8 = 0x0000000104A01000 <rebase>",
        "fixup: *0x0104AD7FE0 = 0x000000019F1012A4 <hello/bind#0>",
        "fixup: *0x0104AD7FE8 = 0x000000019F1012A4 <hello/weak-bind#7>",
        "fixup: *0x0104AD7FF0 (skipping missing weak bind) <hello/weak-bind#3>",
        "fixup: *0x0104AD7FF8 = 0x0000000104A01000",
        "fixup: *0x000104AD8000 = 0x000104A01000 <objc-selector 'init'>",
        "<hello/bind#1> -> 0x19f1012a4 <libsystem_platform.dylib/variant-table#2('_memcpy')>)",
        "<hello/bind#0> -> 0x19f1012a4 <libsystem_kernel.dylib/_open>)",
        "<hello/bind#2> -> missing-weak-bind (_not_there)",
        "<hello/bind#2> -> missing-weak-bind",
        "<hello/bind#3> -> 0x19f1012a4 (libc++.1.dylib+0x00001A40)",
        "<hello/bind#3> -> 0x19f1012a4 (libc++.1.dylib/__Znwm)",
        "<hello/bind#4> -> 0x19f1012a4",
        "<hello/bind#4(variant-table#1)> -> 0x19f1012a4",
        "<7A2C1B9E-4F50-3D1A-8E2B-90C4D5E6F701> /opt/me/bin/hello",
        "       ROSETTA (r.x) 0x000104610000->0x000104620000",
        "Mapping /opt/me/lib/libfat.dylib (slice offset=0x4000)",
        "Mapping /opt/me/lib/libthin.dylib",
        "Using mapping in dyld cache for /usr/lib/libSystem.B.dylib",
        "Kernel mapped /opt/me/bin/hello",
        "Setting up kernel page-in linking for /opt/me/bin/hello",
        "__map_with_linking_np(/opt/me/bin/hello) failed, falling back to linking in-process",
        "unmapped 0x000105000000->0x00010500C000 for /opt/me/lib/libthin.dylib",
        "using JustInTimeLoader 0x1f0a28 for /opt/me/bin/hello",
        "using PrebuiltLoader 0x1f0a28 for /usr/lib/libSystem.B.dylib",
        "using PremappedLoader 0x1f0a28 for /usr/lib/libSystem.B.dylib",
        "lazy load fixup: *0x0104AD8010 = 0x19F1012A4",
        "cache singleton fixup: *0x000104AD8010 = 0x00019F1012A4",
        "bind:   *0x000104AD8018 = 0x00019F1012A4 (*hello+0x0000000D8018 = libSystem.B.dylib/_read)",
        "running initializer 0x19f2c8e30 in /usr/lib/libSystem.B.dylib",
        "dlopen(\"/opt/me/lib/libplug.dylib\", 0x00000002)",
        "      dlopen(libplug.dylib) => NULL, 'dlopen(libplug.dylib, 0x0002): tried: ...'",
        "      dlopen(libplug.dylib) => 0x1f0a28",
        "dlsym(0x1f0a28, \"plug_open\")",
        "     dlsym(\"plug_later\") => NULL",
        "     dlsym(\"plug_open\") => 0x104601200",
        "find path \"@rpath/libplug.dylib\"",
        "  possible path(rpath): \"/opt/me/bin/../lib/libplug.dylib\"",
        "  found: dylib-from-disk-error: \"/opt/me/lib/libplug.dylib\" => \"not a mach-o file\"",
        "  found: dylib-from-cache: (0x00B4) \"/usr/lib/libz.1.dylib\"",
        "  found: already-loaded-by-rpath: /opt/me/lib/libplug.dylib",
        "  found: already-loaded-by-path: \"@rpath/libplug.dylib\" -> /opt/me/lib/libplug.dylib",
        "  found: dylib-from-disk: \"/opt/me/lib/libplug.dylib\"",
        "  found existing image by install name: \"/opt/me/lib/libplug.dylib\"",
        "    stat(\"/private/lib/libplug.dylib\") returned: errno=13",
        "    stat(\"/opt/me/lib\") was not a file",
        "    \"/usr/lib/libz.1.dylib\" cannot override a protected system dylib",
        "  not found: \"@rpath/libplug.dylib\"",
        "Library not loaded: @rpath/libplug.dylib",
        "Symbol not found: _plug_open",
        "  Referenced from: <7A2C1B9E-4F50-3D1A-8E2B-90C4D5E6F701> /opt/me/bin/hello",
        "  Reason: tried: '/opt/me/lib/libplug.dylib' (no such file)",
        "  Expected in:     <0D1E2F30-4152-3637-8899-AABBCCDDEEFF> /opt/me/lib/libplug.dylib",
        "  Expected as weak-def export from some loaded dylib",
        "        __TEXT (r.x) 0x000104600000->0x000104604000",
        "        __TEXT (r.x) 0x000104A00000->0x000104AD4000 ",
        "    __DATA_CONST (rw.) 0x000104604000->0x000104608000 (fileOffset=0x4000, size=16KB)",
        "libover.dylib has interposed '_read' to replacing binds to 0x19F1012A4 with 0x104700010",
    ];

    /// No other form takes a form's line, and no part of a line is taken for what never begins one.
    #[test]
    fn every_form_has_its_line() {
        assert_eq!(READY.len(), LINES.len());
        for (form, line) in READY.iter().zip(LINES) {
            let first = READY
                .iter()
                .find(|one| matches!(fit(&one.pattern, line.as_bytes()), Fit::Whole(_)));
            let first = first.unwrap_or_else(|| panic!("{line}"));
            assert!(std::ptr::eq(first, form), "{line}: {:?}", first.pattern);
            assert_ne!(Line::read(line.as_bytes()), Line::Unknown);
        }
        for line in LINES.iter().take(FORMS.len()) {
            for end in 0..line.len() {
                assert!(could_begin(&line.as_bytes()[..end]), "{line} up to {end}");
            }
        }
    }

    #[test]
    fn what_never_begins_a_line_is_known() {
        for text in [
            "",
            "K",
            "__TE",
            "__TEXT (r.",
            "  interp",
            "  interpose replaced 0x1",
        ] {
            assert!(could_begin(text.as_bytes()), "{text}");
        }
        // A word that no form begins with, and names that are none of segments.
        for text in [
            "Colonel mapped ",
            "TEXT (r.x) 0x",
            "  interposer",
            "__TEXT (w.",
            "libx has ",
        ] {
            assert!(!could_begin(text.as_bytes()), "{text}");
        }
    }
}
