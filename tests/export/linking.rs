//! Dynamic linking in the fixture: gcc with libz and libc, the shell with libc; go is static.

use super::fixture::{HOSTILE, ms};
use gotrace::trace::{
    Avma, BindHow, BindKind, Binding, Image, ImageId, ImageNeeds, ImageOffset, Import, ImportKind,
    Interpreter, LinkCause, Linking, Load, LoadOrigin, Mapping, Nanos, Offer, ProcessId,
    RelocationCounts, Search, SearchOutcome, Segment, StringId, Tid, Trace, Unload,
};

const SHELL: ProcessId = ProcessId(5);
const GCC: ProcessId = ProcessId(6);

/// Images and strings that the records name.
struct Names {
    gcc: ImageId,
    libz: ImageId,
    libc: ImageId,
    inflate: StringId,
    malloc: StringId,
    environ: StringId,
    hostile: StringId,
}

pub(crate) fn add(trace: &mut Trace) {
    let mut image = |path: &str| {
        let path = trace.strings.push(path.as_bytes());
        trace.images.push(Image {
            path,
            ..Image::default()
        });
        ImageId(u32::try_from(trace.images.len() - 1).unwrap())
    };
    let (gcc, libz, libc) = (
        image("/usr/bin/gcc"),
        image("/lib/libz.so.1"),
        image("/lib/libc.so.6"),
    );
    let strings = &mut trace.strings;
    let names = Names {
        gcc,
        libz,
        libc,
        inflate: strings.push(b"inflate"),
        malloc: strings.push(b"malloc"),
        environ: strings.push(b"environ"),
        hostile: strings.push(HOSTILE),
    };
    loads(trace, &names);
    searches(trace, &names);
    needs(trace, &names);
    binds(trace, &names);
}

fn loads(trace: &mut Trace, names: &Names) {
    let loader = trace.strings.push(b"/lib64/ld-linux-x86-64.so.2");
    let unwatched = trace.strings.push(b"it is of another architecture");
    for (process, path, unwatched) in [
        (ProcessId(0), StringId::EMPTY, StringId::EMPTY),
        (SHELL, loader, unwatched),
        (GCC, loader, StringId::EMPTY),
    ] {
        trace.interpreters.push(Interpreter {
            process,
            path,
            unwatched,
        });
    }
    let load = |image, base: u64| Load {
        time: ms(731),
        process: GCC,
        tid: Tid(105),
        image,
        address: Some(Avma(base)),
        slide: Some(base),
        ..Load::default()
    };
    let late = Load {
        time: ms(800),
        cause: LinkCause::Dlopen,
        namespace: 1,
        origin: LoadOrigin::SharedCache,
        paged_in: true,
        translated: Some((Avma(0x7e00_0000), Avma(0x7e00_1000))),
        ..load(names.libz, 0x7f00_0000)
    };
    trace.loads.extend([
        load(names.gcc, 0x5500_0000),
        load(names.libc, 0x7c00_0000),
        late,
    ]);
    trace.unloads.push(Unload {
        time: ms(850),
        process: GCC,
        tid: Tid(105),
        image: names.libz,
        namespace: 1,
    });
    for (from, to, cause, cpu) in [
        (732, 734, LinkCause::Start, None),
        (801, 802, LinkCause::Dlopen, Some(Nanos(900_000))),
    ] {
        trace.linkings.push(Linking {
            from: ms(from),
            to: ms(to),
            process: GCC,
            tid: Tid(105),
            cause,
            cpu,
        });
    }
    // Where the kernel saw gcc's code: as far from its file's address as the loader says.
    trace.mappings.push(Mapping {
        time: ms(730),
        process: GCC,
        image: names.gcc,
        start: Avma(0x5500_1000),
        end: Avma(0x5500_3000),
        offset: ImageOffset(0x1000),
    });
}

fn searches(trace: &mut Trace, names: &Names) {
    let rule = trace.strings.push(b"LD_LIBRARY_PATH");
    let (missed, found) = (
        trace.strings.push(b"/opt/libz.so.1"),
        trace.strings.push(b"/lib/libz.so.1"),
    );
    let search = |path, rule, outcome, count| Search {
        time: ms(799),
        process: GCC,
        path,
        rule,
        importer: Some(names.gcc),
        outcome,
        count,
    };
    trace.searches.extend([
        search(missed, rule, SearchOutcome::Missed, 3),
        search(found, StringId::EMPTY, SearchOutcome::Found, 1),
    ]);
}

fn needs(trace: &mut Trace, names: &Names) {
    let (version, library) = (
        trace.strings.push(b"GLIBC_2.2.5"),
        trace.strings.push(b"libc.so.6"),
    );
    let import = Import {
        symbol: names.malloc,
        version,
        library,
        slot: 0x4000,
        stub: Some(0x1040),
        kind: ImportKind::Call,
        weak: false,
        places: 1,
    };
    trace.needs.push(ImageNeeds {
        image: names.gcc,
        segments: vec![Segment {
            offset: ImageOffset(0x1000),
            stated: 0x1000,
            length: 0x2000,
            in_file: 0x1800,
            executable: true,
        }],
        own_name: StringId::EMPTY,
        libraries: vec![library],
        bind_now: false,
        symbolic: false,
        relocations: RelocationCounts {
            relative: 300,
            jump_slot: 2,
            data: 1,
            copy: 0,
            other: 0,
        },
        imports: vec![
            import,
            Import {
                symbol: names.hostile,
                version: StringId::EMPTY,
                library: StringId::EMPTY,
                slot: 0x4008,
                stub: None,
                weak: true,
                kind: ImportKind::Data,
                places: 12,
            },
        ],
        left_out: 0,
        offers: Vec::new(),
        unread: StringId::EMPTY,
    });
    trace.needs.push(ImageNeeds {
        image: names.libc,
        segments: Vec::new(),
        own_name: library,
        bind_now: true,
        offers: vec![
            Offer {
                symbol: names.malloc,
                version,
                number: 2,
                ..Offer::default()
            },
            Offer {
                symbol: names.hostile,
                number: 1,
                unique: true,
                ..Offer::default()
            },
        ],
        ..ImageNeeds::default()
    });
    trace.needs.push(ImageNeeds {
        image: names.libz,
        unread: trace.strings.push(b"the file is gone"),
        ..ImageNeeds::default()
    });
}

fn binds(trace: &mut Trace, names: &Names) {
    let bind = Binding {
        time: ms(733),
        process: GCC,
        tid: Tid(105),
        importer: names.gcc,
        provider: Some(names.libc),
        symbol: names.malloc,
        address: Avma(0x7c00_1000),
        slot: Some(Avma(0x5500_4000)),
        how: BindHow::Eager,
        kind: BindKind::Call,
    };
    trace.push_bindings(&[
        bind,
        Binding {
            provider: None,
            symbol: names.hostile,
            address: Avma(0),
            slot: None,
            ..bind
        },
        Binding {
            symbol: names.environ,
            how: BindHow::Derived,
            kind: BindKind::Data,
            slot: None,
            ..bind
        },
        Binding {
            time: ms(803),
            importer: names.libz,
            how: BindHow::Lazy,
            slot: None,
            ..bind
        },
        Binding {
            time: ms(804),
            provider: Some(names.libz),
            symbol: names.inflate,
            address: Avma(0x7f00_1000),
            how: BindHow::Dlsym,
            slot: None,
            ..bind
        },
    ]);
}
