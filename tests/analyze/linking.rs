//! Dynamic linking: counts, costs and differences against values worked out by hand.

use super::builder::{Builder, ms};
use gotrace::analyze::bindings::{
    Bindings, Bound, Difference, GroupBy, Happened, Linked, Mark, Sums,
};
use gotrace::analyze::{Analysis, Filter};
use gotrace::render::text::{Page, bindings as text};
use gotrace::trace::{
    Avma, BindHow, BindKind, Binding, ImageId, ImageNeeds, Interpreter, LinkCause, Linking, Load,
    Nanos, ProcessId, RelocationCounts, Search, SearchOutcome, StringId, Tid, Trace, Unload,
};

/// How a test names a bind: program, importer, provider, symbol, how.
type Told<'a> = (ProcessId, ImageId, Option<ImageId>, &'a str, BindHow);

fn load(build: &mut Builder, process: ProcessId, image: ImageId, cause: LinkCause, at: u64) {
    build.trace.loads.push(Load {
        time: ms(at),
        process,
        image,
        cause,
        ..Load::default()
    });
}

fn bind(build: &mut Builder, (process, importer, provider, symbol, how): Told<'_>, at: u64) {
    let symbol = build.text(symbol);
    build.trace.push_bindings(&[Binding {
        time: ms(at),
        process,
        tid: Tid(1),
        importer,
        provider,
        symbol,
        address: Avma(1),
        slot: None,
        how,
        kind: BindKind::Call,
    }]);
}

fn linking(
    build: &mut Builder,
    process: ProcessId,
    life: (u64, u64),
    cause: LinkCause,
    cpu: Option<u64>,
) {
    build.trace.linkings.push(Linking {
        from: ms(life.0),
        to: ms(life.1),
        process,
        tid: Tid(1),
        cause,
        cpu: cpu.map(ms),
    });
}

fn needs(build: &mut Builder, image: ImageId, relative: u64) {
    build.trace.needs.push(ImageNeeds {
        image,
        relocations: RelocationCounts {
            relative,
            ..RelocationCounts::default()
        },
        ..ImageNeeds::default()
    });
}

/// `go` is static; gcc loads libc and, later, a plugin; as loads libc; a guest's ls was not watched.
fn trace() -> Trace {
    let mut build = Builder::default();
    let go = build.process(None, "/go/bin/go build", (0, 100), 50);
    let gcc = build.process(Some(go), "/usr/bin/gcc -c", (10, 60), 20);
    let assembler = build.process(Some(gcc), "/usr/bin/as x.s", (20, 50), 10);
    let guest = build.process(Some(go), "/guest/ls", (60, 70), 1);
    let [exe, other, libc, plugin] = [
        "/usr/bin/gcc",
        "/usr/bin/as",
        "/lib/libc.so.6",
        "/lib/plugin.so",
    ]
    .map(|path| build.image(path));
    let loader = build.text("/lib64/ld-linux-x86-64.so.2");
    let why = build.text("it is of another architecture");
    for (process, path, unwatched) in [
        (go, StringId::EMPTY, StringId::EMPTY),
        (gcc, loader, StringId::EMPTY),
        (guest, loader, why),
    ] {
        build.trace.interpreters.push(Interpreter {
            process,
            path,
            unwatched,
        });
    }
    for (process, image) in [
        (gcc, exe),
        (gcc, libc),
        (assembler, other),
        (assembler, libc),
    ] {
        load(&mut build, process, image, LinkCause::Start, 21);
    }
    load(&mut build, gcc, plugin, LinkCause::Dlopen, 40);
    build.trace.unloads.push(Unload {
        time: ms(55),
        process: gcc,
        image: plugin,
        ..Unload::default()
    });
    // 300 relocations of gcc and 100 of libc: 4 ms are 3 and 1. The plugin has its 2 ms alone.
    needs(&mut build, exe, 300);
    needs(&mut build, libc, 100);
    needs(&mut build, other, 100);
    needs(&mut build, plugin, 7);
    linking(&mut build, gcc, (22, 26), LinkCause::Start, None);
    linking(&mut build, gcc, (41, 45), LinkCause::Dlopen, Some(2));
    linking(&mut build, assembler, (22, 24), LinkCause::Start, Some(2));
    for told in [
        (gcc, exe, Some(libc), "malloc", BindHow::Eager),
        (gcc, exe, Some(libc), "free", BindHow::Lazy),
        (gcc, exe, None, "__gmon_start__", BindHow::Eager),
        (gcc, plugin, Some(libc), "malloc", BindHow::Lazy),
        (gcc, exe, Some(plugin), "onload", BindHow::Dlsym),
        (assembler, other, Some(libc), "malloc", BindHow::Eager),
    ] {
        bind(&mut build, told, 42);
    }
    let [path, rule] = ["/opt/plugin.so", "LD_LIBRARY_PATH"].map(|text| build.text(text));
    for (process, outcome, count) in [
        (gcc, SearchOutcome::Missed, 2),
        (assembler, SearchOutcome::Missed, 1),
        (gcc, SearchOutcome::Found, 1),
    ] {
        build.trace.searches.push(Search {
            time: ms(39),
            process,
            path,
            rule,
            importer: None,
            outcome,
            count,
        });
    }
    build.trace
}

fn all(trace: &Trace) -> Bindings {
    Analysis::of(trace).bindings(&Filter::default(), false)
}

#[test]
fn binds_are_told_by_program_symbol_and_time() {
    let mut trace = trace();
    let (gcc, libc) = (ProcessId(1), ImageId(2));
    let symbol = (0..)
        .map(StringId)
        .find(|&id| trace.strings.get(id) == b"malloc")
        .unwrap();
    let later = |micros: u64| Binding {
        time: Nanos(50_000_000 + micros * 1_000),
        process: gcc,
        tid: Tid(1),
        importer: ImageId(0),
        provider: Some(libc),
        symbol,
        address: Avma(1),
        slot: None,
        how: BindHow::Lazy,
        kind: BindKind::Call,
    };
    // Two within a millisecond, and one after it.
    trace.push_bindings(&[later(900), later(100), later(1_000)]);
    let analysis = Analysis::of(&trace);
    let symbols = all(&trace).symbols;
    let bound = Bound::all(&analysis, &symbols, 100).unwrap();
    let mut told: Vec<_> = bound
        .iter()
        .map(|one| {
            let symbol = &*symbols[one.symbol].symbol;
            (symbol, one.process.0, one.time.0 / 1_000, one.count)
        })
        .collect();
    told.sort_unstable();
    let expected = [
        ("__gmon_start__", 1, 42_000, 1),
        ("free", 1, 42_000, 1),
        ("malloc", 1, 42_000, 2),
        ("malloc", 1, 50_100, 2),
        ("malloc", 1, 51_000, 1),
        ("malloc", 2, 42_000, 1),
        ("onload", 1, 42_000, 1),
    ];
    assert_eq!(told, expected);
    // Those that are asked for, and not more than wanted.
    let malloc = Bound::all(&analysis, &symbols[..1], 100).unwrap();
    assert!(malloc.iter().all(|one| one.symbol == 0) && malloc.len() == 4);
    assert_eq!(Bound::all(&analysis, &symbols, 6), None);
}

#[test]
fn programs_have_their_loads_binds_and_times() {
    let trace = trace();
    let found = all(&trace);
    let rows: Vec<_> = found
        .programs
        .iter()
        .map(|row| {
            let counts = row.counts;
            (
                row.process.0,
                row.loads,
                (counts.eager, counts.lazy, counts.dlsym, counts.missing),
                row.cost.cpu,
                row.misses,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (1, 3, (2, 2, 1, 1), ms(6), 2),
            (2, 2, (1, 0, 0, 0), ms(2), 1),
            (0, 0, (0, 0, 0, 0), Nanos(0), 0),
            (3, 0, (0, 0, 0, 0), Nanos(0), 0),
        ]
    );
    let linked: Vec<_> = found
        .programs
        .iter()
        .map(|row| row.linked.clone())
        .collect();
    let unwatched = Linked::Unwatched("it is of another architecture".into());
    assert_eq!(
        linked,
        [Linked::Dynamic, Linked::Dynamic, Linked::Static, unwatched]
    );
    assert_eq!((found.loads, found.counts.total()), (5, 6));
    // 4 ms of wall time were not measured, 4 ms of CPU were.
    assert_eq!(
        (found.cost.cpu, found.cost.unmeasured, found.cost.wall),
        (ms(8), ms(4), ms(10))
    );
}

#[test]
fn images_share_the_time_by_their_relocations() {
    let trace = trace();
    let rows: Vec<_> = all(&trace)
        .images
        .iter()
        .map(|row| {
            let counts = (row.wants.total(), row.gives.total());
            (row.image.to_string(), row.loads, row.estimate, counts)
        })
        .collect();
    let row = |name: &str, loads, estimate, wants, gives| {
        (name.to_owned(), loads, estimate, (wants, gives))
    };
    assert_eq!(
        rows,
        [
            row("/usr/bin/gcc", 1, ms(3), 4, 0),
            // 1 ms of gcc's 4, and half of as's 2.
            row("/lib/libc.so.6", 2, ms(2), 0, 4),
            row("/lib/plugin.so", 1, ms(2), 1, 1),
            row("/usr/bin/as", 1, ms(1), 1, 0),
        ]
    );
}

#[test]
fn providers_and_symbols_are_counted_once_a_program() {
    let trace = trace();
    let found = all(&trace);
    let providers: Vec<_> = found
        .providers
        .iter()
        .map(|row| {
            let image = row.image.as_deref().unwrap_or("-");
            (
                image,
                row.counts.total(),
                row.symbols,
                row.importers,
                row.processes,
            )
        })
        .collect();
    assert_eq!(
        providers,
        [
            ("/lib/libc.so.6", 4, 2, 3, 2),
            ("-", 1, 1, 1, 1),
            ("/lib/plugin.so", 1, 1, 1, 1),
        ]
    );
    let malloc = &found.symbols[0];
    assert_eq!(&*malloc.symbol, "malloc");
    assert_eq!(
        (
            malloc.counts.eager,
            malloc.counts.lazy,
            malloc.importers,
            malloc.processes
        ),
        (2, 1, 3, 2)
    );
    let search = &found.searches[0];
    assert_eq!((search.missed, search.found, search.processes), (3, 1, 2));
}

#[test]
fn binds_belong_to_the_time_of_relocation_that_they_are_in() {
    let trace = trace();
    let found = Happened::of(&Analysis::of(&trace));
    let spans: Vec<_> = found
        .spans
        .iter()
        .map(|span| (span.linking.process.0, span.linking.from, span.binds))
        .collect();
    // All are of 42 ms, in the second time of gcc's; as has but one time, which was over.
    assert_eq!(spans, [(1, ms(22), 0), (2, ms(22), 0), (1, ms(41), 5)]);
    let files: Vec<_> = found.marks.iter().map(Mark::file).collect();
    assert_eq!(files, ["gcc", "libc.so.6", "as", "libc.so.6", "plugin.so"]);
    let gcc = Sums {
        loads: 3,
        binds: 5,
        linking: ms(8),
    };
    assert_eq!(found.sums[&ProcessId(1)], gcc);
}

/// At 100, 100.5 and 101.5 ms (each within a millisecond of the one before), and at 103 ms; what was bound eagerly
/// outside of any time of relocation is none of them.
#[test]
fn binds_while_a_program_runs_are_drawn_near_each_other() {
    let mut trace = Trace::default();
    trace.processes.push(gotrace::trace::Process::default());
    for (micros, how) in [
        (100_000, BindHow::Lazy),
        (100_500, BindHow::Dlsym),
        (101_500, BindHow::Lazy),
        (102_000, BindHow::Eager),
        (103_000, BindHow::Lazy),
    ] {
        trace.push_bindings(&[Binding {
            time: Nanos::from_micros(micros),
            how,
            ..Binding::default()
        }]);
    }
    let found = Happened::of(&Analysis::of(&trace)).late;
    let found: Vec<_> = found
        .iter()
        .map(|late| (late.from.0 / 1_000, late.to.0 / 1_000, late.binds))
        .collect();
    assert_eq!(found, [(100_000, 101_500, 3), (103_000, 103_000, 1)]);
}

#[test]
fn a_filter_and_lazy_leave_the_rest_out() {
    let trace = trace();
    let analysis = Analysis::of(&trace);
    let assembler = Filter {
        tool: Some("as".to_owned()),
        ..Filter::default()
    };
    let found = analysis.bindings(&assembler, false);
    assert_eq!((found.programs.len(), found.loads), (1, 2));
    assert_eq!((found.counts.eager, found.cost.cpu), (1, ms(2)));
    let lazy = analysis.bindings(&Filter::default(), true);
    assert_eq!((lazy.counts.lazy, lazy.counts.total()), (2, 2));
    // Each of two images made one, libc gave both; as, which is loaded as often, has none.
    let images: Vec<_> = lazy.images.iter().map(|row| &*row.image).collect();
    let expected = [
        "/lib/plugin.so",
        "/usr/bin/gcc",
        "/lib/libc.so.6",
        "/usr/bin/as",
    ];
    assert_eq!(images, expected);
    let late = Filter {
        from: Some(ms(40)),
        ..Filter::default()
    };
    let late = analysis.bindings(&late, false);
    // The plugin, and its relocation; the binds are of 42 ms.
    assert_eq!(
        (late.loads, late.cost.cpu, late.counts.total()),
        (1, ms(2), 6)
    );
    // as loaded nothing in this time, and was watched; ls ran later.
    let within = Filter {
        from: Some(ms(40)),
        to: Some(ms(50)),
        ..Filter::default()
    };
    let linked = analysis.bindings(&within, false).programs;
    let mut linked: Vec<_> = linked.iter().map(|row| (&*row.tool, &row.linked)).collect();
    linked.sort_by_key(|(tool, _)| *tool);
    let expected = [
        ("as", &Linked::Dynamic),
        ("cc", &Linked::Dynamic),
        ("go", &Linked::Static),
    ];
    assert_eq!(linked, expected);
}

/// A program that binds these symbols of a C library, on either architecture.
fn machine(arm64: bool, symbols: &[&str]) -> Trace {
    let mut build = Builder::default();
    let ls = build.process(None, "/bin/ls", (0, 10), 5);
    let (folder, loader) = match arm64 {
        true => ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
        false => ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    };
    if arm64 {
        let qemu = build.text("qemu-aarch64");
        build.edit(ls).exec.translator = qemu;
    }
    let exe = build.image("/bin/ls");
    let libc = build.image(&format!("/lib/{folder}/libc.so.6"));
    let loader = build.image(&format!("/lib/{loader}"));
    for symbol in symbols {
        bind(&mut build, (ls, exe, Some(libc), symbol, BindHow::Lazy), 1);
    }
    let told = (ls, libc, Some(loader), "__tls_get_addr", BindHow::Eager);
    bind(&mut build, told, 1);
    build.trace
}

#[test]
fn native_and_translated_have_the_same_binds() {
    let (native, translated) = (
        machine(false, &["malloc", "free"]),
        machine(true, &["free", "malloc"]),
    );
    let (native, translated) = (Analysis::of(&native), Analysis::of(&translated));
    let filter = Filter::default();
    let of = |base, new| Difference::of((base, &filter), (new, &filter), false);
    let found = of(&native, &translated);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((found.common, found.translation), (3, true));
    assert!(!of(&native, &native).translation);

    let more = machine(true, &["malloc", "write"]);
    let found = of(&native, &Analysis::of(&more));
    let names = |links: &[gotrace::analyze::bindings::Link]| {
        let name = |link: &gotrace::analyze::bindings::Link| {
            let provider = link.provider.as_deref().unwrap_or("-");
            format!("{} {} {provider}", link.symbol, link.importer)
        };
        links.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&found.gone), ["free ls libc.so.6"]);
    assert_eq!(names(&found.came), ["write ls libc.so.6"]);
    assert_eq!(found.common, 2);
}

#[test]
fn images_whose_files_are_gone_are_named() {
    let mut trace = trace();
    assert_eq!(all(&trace).unread().count(), 0);
    let why = trace.strings.push(b"No such file or directory");
    let gone = &mut trace.needs[3];
    gone.unread = why;
    gone.relocations = RelocationCounts::default();
    let found = all(&trace);
    let unread: Vec<_> = found.unread().collect();
    let [(row, why)] = unread[..] else {
        panic!("{unread:?}");
    };
    assert_eq!(
        (&*row.image, &**why),
        ("/lib/plugin.so", "No such file or directory")
    );
    assert_eq!(row.relocations, None);
    let mut out = Vec::new();
    text::write(&found, GroupBy::Process, 20, &Page::default(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let words = "1 image could not be read, no binds are derived of /lib/plugin.so (No such";
    assert!(out.contains(words), "{out}");
}
