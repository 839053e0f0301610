//! `bindings --json`, and its tables: every key is documented, and what is printed stays as it was.

use super::fixture;
use super::json::{Read, assert_golden, assert_same, documented};
use gotrace::analyze::bindings::{Difference, GroupBy};
use gotrace::analyze::{Analysis, Filter};
use gotrace::export::json;
use gotrace::render::text::{Page, bindings as text};
use gotrace::trace::{BindHow, Binding, ImageId, Import, Offer, ProcessId, StringId, Tid, Trace};
use std::collections::BTreeSet;

/// The fixture, with a call of gcc's to `free` that went to libz although libc has it.
fn trace() -> Trace {
    let mut trace = fixture::trace();
    let free = trace.strings.push(b"free");
    let image = |trace: &Trace, name: &str| {
        let mut images = trace.images.iter();
        let found = images.position(|image| trace.text(image.path) == name);
        ImageId(u32::try_from(found.unwrap()).unwrap())
    };
    let (gcc, libc) = (
        image(&trace, "/usr/bin/gcc"),
        image(&trace, "/lib/libc.so.6"),
    );
    let libz = image(&trace, "/lib/libz.so.1");
    let mut version = StringId::EMPTY;
    for needs in &mut trace.needs {
        if needs.image == gcc {
            let import = Import {
                symbol: free,
                slot: 0x4010,
                ..needs.imports[0]
            };
            version = import.version;
            needs.imports.push(import);
        }
    }
    for needs in trace.needs.iter_mut().filter(|one| one.image == libc) {
        needs.offers.push(Offer {
            symbol: free,
            version,
            number: 2,
            ..Offer::default()
        });
    }
    trace.push_bindings(&[Binding {
        time: fixture::ms(740),
        process: ProcessId(6),
        tid: Tid(105),
        importer: gcc,
        provider: Some(libz),
        symbol: free,
        how: BindHow::Lazy,
        ..Binding::default()
    }]);
    trace
}

fn printed(trace: &Trace, by: GroupBy) -> Vec<u8> {
    let analysis = Analysis::of(trace);
    let bindings = analysis.bindings(&Filter::default(), false);
    let mut out = Vec::new();
    json::bindings(&analysis, &bindings, by, usize::MAX, &mut out).unwrap();
    out
}

/// The fixture as new trace, and as base one without its binds; the other way round.
fn differences() -> [(Trace, Trace); 2] {
    let without = fixture::without_binds;
    [(without(), trace()), (trace(), without())]
}

fn difference((base, new): &(Trace, Trace)) -> Vec<u8> {
    let (base, new) = (Analysis::of(base), Analysis::of(new));
    let filter = Filter::default();
    let found = Difference::of((&base, &filter), (&new, &filter), false);
    let mut out = Vec::new();
    json::bindings_difference((&base, &new), &found, usize::MAX, &mut out).unwrap();
    out
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_printed() {
    let trace = trace();
    let mut keys = BTreeSet::new();
    let by = GroupBy::ALL.map(|by| (by.name(), printed(&trace, by)));
    let differences = differences().map(|pair| ("difference", difference(&pair)));
    for (name, object) in by.into_iter().chain(differences) {
        let mut read = Read::default();
        if read.add(&object).is_none() {
            return;
        }
        for (of, key) in read.keys {
            assert_eq!(of, name);
            keys.insert(match (key.strip_prefix("rows."), name) {
                (Some(key), _) => (name.to_owned(), key.to_owned()),
                (None, "difference") => ("object of --base".to_owned(), key),
                (None, _) => ("object".to_owned(), key),
            });
        }
    }
    assert_same(&keys, &documented("bindings\n"));
}

#[test]
fn what_is_printed_is_as_it_was() {
    let trace = trace();
    for by in GroupBy::ALL {
        let written = String::from_utf8(printed(&trace, by)).unwrap();
        assert_golden(&format!("bindings-{}.json", by.name()), &written);
    }
    let [(base, new), _] = differences();
    let written = String::from_utf8(difference(&(base, new))).unwrap();
    assert_golden("bindings-difference.json", &written);
}

#[test]
fn tables_are_as_they_were() {
    let trace = trace();
    let analysis = Analysis::of(&trace);
    let bindings = analysis.bindings(&Filter::default(), false);
    let page = Page::default();
    let mut out = Vec::new();
    for by in GroupBy::ALL {
        out.extend(format!("--by {}\n", by.name()).into_bytes());
        text::write(&bindings, by, 20, &page, &mut out).unwrap();
    }
    out.extend(b"--lazy\n");
    let lazy = analysis.bindings(&Filter::default(), true);
    text::write(&lazy, GroupBy::Process, 20, &page, &mut out).unwrap();
    for (base, new) in &differences() {
        let (base, new) = (Analysis::of(base), Analysis::of(new));
        let filter = Filter::default();
        let found = Difference::of((&base, &filter), (&new, &filter), false);
        out.extend(b"--base\n");
        text::difference(&found, 2, &page, &mut out).unwrap();
    }
    let cpu = analysis.costs().total.cpu();
    for clauses in [text::clauses(&bindings, cpu), text::costliest(&bindings, 5)] {
        out.extend(format!("{}\n", clauses.join(", ")).into_bytes());
    }
    assert_golden("bindings.txt", &String::from_utf8(out).unwrap());
}
