//! What single events come to in the story of a process, whoever they are of.

use super::tests::{activity, opened, told, tried};
use super::{Event, How, Story, What};
use crate::capture::Monotonic;
use crate::capture::linking::{self, ImageNumber};
use crate::trace::{SearchOutcome, Tid};

/// What a story of a program that runs already makes of what its threads tell.
fn threads(events: impl IntoIterator<Item = (u64, u32, What)>) -> Vec<linking::Event> {
    let (mut story, mut out) = (Story::new(false), Vec::new());
    for (time, tid, what) in events {
        let (time, tid) = (Monotonic(time), Tid(tid));
        story.hear(Event { time, tid, what }, &mut out);
    }
    story.end(&mut out);
    out
}

fn bound(importer: u32, how: How) -> What {
    bound_to(b"malloc", importer, how)
}

fn bound_to(symbol: &[u8], importer: u32, how: How) -> What {
    What::Bound {
        importer,
        provider: 4,
        symbol: symbol.into(),
        address: 1,
        how,
    }
}

/// Where was searched, and what for: found or missed, in the order of paths.
fn searches(events: &[linking::Event]) -> Vec<(&[u8], SearchOutcome, u64)> {
    let searched = events.iter().filter_map(|event| match &event.what {
        linking::What::Searched(one) => Some((&one.path[..], one.outcome, one.count)),
        _ => None,
    });
    searched.collect()
}

fn relocations(events: &[linking::Event]) -> Vec<(u64, u64)> {
    let relocated = events.iter().filter_map(|event| match event.what {
        linking::What::Relocated { to, .. } => Some((event.time.0, to.0)),
        _ => None,
    });
    relocated.collect()
}

#[test]
fn a_program_asks_for_its_loader_once_and_a_fork_does_not_again() {
    let asks = |fork| {
        let (mut story, mut out) = (Story::new(fork), Vec::new());
        for (image, path) in [(1, ""), (2, "/lib/ld.so"), (3, "/lib/libc.so.6")] {
            let (time, tid, what) = (Monotonic(1), Tid(1), opened(image, path));
            story.hear(Event { time, tid, what }, &mut out);
        }
        let asked = out.iter().filter_map(|event| match &event.what {
            linking::What::Asks { interpreter, .. } => Some(interpreter.clone()),
            _ => None,
        });
        asked.collect::<Vec<_>>()
    };
    assert_eq!(asks(false), [b"/lib/ld.so"]);
    assert!(asks(true).is_empty());
}

/// ld.so has no name for its program, unless it was started by hand: then the one that it was given.
#[test]
fn a_program_has_its_path_or_that_which_ld_so_was_given() {
    for (given, path) in [
        ("", "/bin/x"),
        ("/opt/x", "/opt/x"),
        ("./x", "/home/gopher/./x"),
        ("out/x", "/home/gopher/out/x"),
        ("x", "x"),
    ] {
        let events = told([
            (1, What::Program(b"/bin/x".to_vec())),
            (2, What::Folder(b"/home/gopher".to_vec())),
            (3, opened(1, given)),
        ]);
        let [event] = events.as_slice() else {
            panic!("{given}: {events:?}");
        };
        let linking::What::Loaded(loaded) = &event.what else {
            panic!("{given}: {event:?}");
        };
        assert_eq!(String::from_utf8_lossy(&loaded.path), path, "{given}");
    }
}

/// The C library binds `_dl_audit_preinit` lazily, because gotrace audits.
#[test]
fn what_is_bound_for_the_sake_of_gotrace_alone_is_not_told() {
    let events = told([
        (1, bound_to(b"_dl_audit_preinit", 3, How::Lazy)),
        (2, bound_to(b"_dl_audit_preinit", 3, How::Eager)),
        (3, bound_to(b"puts", 3, How::Lazy)),
    ]);
    let times: Vec<u64> = events.iter().map(|event| event.time.0).collect();
    assert_eq!(times, [2, 3]);
}

/// Before the program runs, `malloc` and its like are looked up by ld.so itself.
#[test]
fn what_ld_so_asks_for_in_the_name_of_the_program_is_its_own() {
    let importers = |events: Vec<linking::Event>| -> Vec<ImageNumber> {
        let found = events.iter().filter_map(|event| match &event.what {
            linking::What::Bound(bound) => Some(bound.importer),
            _ => None,
        });
        found.collect()
    };
    let events = told([
        (1, bound(1, How::AskedFor)),
        (2, bound(1, How::Lazy)),
        (3, bound(3, How::AskedFor)),
        (4, What::Started),
        (5, bound(1, How::AskedFor)),
    ]);
    assert_eq!(importers(events), [2, 1, 3, 1].map(ImageNumber));
}

#[test]
fn a_relocation_is_of_one_thread() {
    let events = threads([
        (1, 1, What::Started),
        (2, 1, activity(1)),
        (3, 1, opened(5, "/lib/a.so")),
        (4, 2, activity(0)),
        (7, 1, activity(0)),
        (8, 2, bound(5, How::Eager)),
        (9, 1, What::Ending),
    ]);
    assert_eq!(relocations(&events), [(2, 7)]);
}

#[test]
fn a_relocation_goes_on_while_images_that_it_opened_are_bound() {
    let last_bind_of = |importer| {
        let events = told([
            (1, What::Started),
            (2, activity(1)),
            (3, opened(5, "/lib/a.so")),
            (4, opened(6, "/lib/b.so")),
            (5, activity(0)),
            (6, bound(importer, How::Eager)),
            (8, What::Ending),
        ]);
        relocations(&events)
    };
    assert_eq!(last_bind_of(6), [(2, 6)]);
    assert_eq!(last_bind_of(5), [(2, 6)]);
    assert_eq!(last_bind_of(4), [(2, 5)], "it was there before");
}

#[test]
fn a_library_is_found_at_the_place_that_is_opened_whatever_else_was_tried() {
    let events = told([
        (1, tried("x.so", 1)),
        (2, tried("/a/x.so", 2)),
        (3, tried("/b/x.so", 8)),
        (4, opened(5, "/a/x.so")),
    ]);
    let expected: [(&[u8], _, _); 2] = [
        (b"/a/x.so", SearchOutcome::Found, 1),
        (b"/b/x.so", SearchOutcome::Missed, 1),
    ];
    assert_eq!(searches(&events), expected);
}

#[test]
fn a_new_name_says_that_the_last_one_was_not_found() {
    let events = told([
        (1, tried("x.so", 1)),
        (2, tried("/a/x.so", 2)),
        (3, tried("y.so", 1)),
        (4, opened(5, "/a/x.so")),
    ]);
    let expected: [(&[u8], _, _); 1] = [(b"/a/x.so", SearchOutcome::Missed, 1)];
    assert_eq!(searches(&events), expected);
}

#[test]
fn threads_search_side_by_side() {
    let events = threads([
        (1, 2, tried("/b/y.so", 2)),
        (2, 1, tried("/a/x.so", 2)),
        (3, 1, opened(5, "/a/x.so")),
        (4, 2, opened(6, "/b/y.so")),
    ]);
    let expected: [(&[u8], _, _); 2] = [
        (b"/a/x.so", SearchOutcome::Found, 1),
        (b"/b/y.so", SearchOutcome::Found, 1),
    ];
    assert_eq!(searches(&events), expected);
}

/// `LA_SER_...` of `<link.h>`.
#[test]
fn a_search_says_what_led_there_and_who_asked() {
    let rules = [0x01, 0x02, 0x04, 0x08, 0x40, 0x80];
    let events = told(rules.map(|rule| {
        let (image, path) = (rule & 1, format!("/{rule:#04x}/x.so").into_bytes());
        (1, What::Searched { image, path, rule })
    }));
    let searched = events.iter().filter_map(|event| match &event.what {
        linking::What::Searched(one) => Some((one.rule, one.importer)),
        _ => None,
    });
    let expected = [
        ("path", Some(ImageNumber(1))),
        ("LD_LIBRARY_PATH", None),
        ("runpath", None),
        ("ld.so.cache", None),
        ("default folders", None),
        ("", None),
    ];
    assert_eq!(searched.collect::<Vec<_>>(), expected);
}

#[test]
fn more_than_1024_different_searches_are_told_at_once() {
    let told_before_the_end = |different: u64| {
        let (mut story, mut out) = (Story::new(false), Vec::new());
        for time in 0..different {
            let places = [tried("x.so", 1), tried(&format!("/{time}/x.so"), 2)];
            for what in places.into_iter().chain([tried("x.so", 1)]) {
                let (time, tid) = (Monotonic(time), Tid(1));
                story.hear(Event { time, tid, what }, &mut out);
            }
        }
        out.len()
    };
    assert_eq!(told_before_the_end(1), 0);
    assert_eq!(told_before_the_end(1024), 0);
    assert_eq!(told_before_the_end(1025), 1025);
}
