//! What dyld prints, read: transcripts with what they say, and every way to spoil them.

use super::*;

/// What each event says, in a line.
fn words(pid: Pid, event: &Event) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let opened = |opened: bool| if opened { " by dlopen" } else { "" };
    let what = match event {
        Event::Began { path } => format!("begins {}", text(path)),
        Event::Loaded(loaded) => {
            let uuid = loaded.uuid.map(u128::from_be_bytes);
            let uuid = uuid.map_or("-".to_owned(), |uuid| format!("{uuid:032x}"));
            let segments: Vec<_> = loaded.segments.iter().map(|one| text(&one.name)).collect();
            let header = loaded.header().map_or(0, |header| header.0);
            let translated = loaded
                .translated
                .map(|(start, end)| format!(" aot {start} {end}"));
            format!(
                "loads {} {uuid} {:?} {header:#x} {}{}{}",
                text(&loaded.path),
                loaded.origin,
                segments.join(","),
                translated.unwrap_or_default(),
                opened(loaded.opened)
            )
        }
        Event::Unloaded { path, range } => {
            format!("unloads {} {} {}", text(path), range.0, range.1)
        }
        Event::PagedIn { path } => format!("pages in {}", text(path)),
        Event::Bound(bound) => {
            let provider = bound.provider.as_deref().map_or("-".to_owned(), text);
            let slot = bound.slot.map_or("no slot".to_owned(), |slot| {
                let how = if slot.numbered { "" } else { " by value" };
                let offset = slot
                    .offset
                    .map_or("?".to_owned(), |offset| offset.to_string());
                format!("{} {offset}{how}", slot.address)
            });
            let outcome = match bound.outcome {
                Outcome::Bound(address) => address.to_string(),
                Outcome::Missing => "missing".to_owned(),
            };
            format!(
                "binds {} {} {provider} {outcome} {slot}{}{}",
                text(&bound.importer),
                text(&bound.symbol),
                if bound.weak { " weak" } else { "" },
                opened(bound.opened)
            )
        }
        Event::Initializer { address, path } => format!("runs {address} of {}", text(path)),
        Event::Searched {
            wanted,
            path,
            looked,
        } => {
            let looked = match looked {
                Looked::Found(how) => text(how),
                Looked::Unusable(why) => text(why),
                other => format!("{other:?}"),
            };
            format!("looks for {} at {}: {looked}", text(wanted), text(path))
        }
        Event::Interposed {
            by,
            symbol,
            from,
            to,
        } => format!("{} interposes {} {from} {to}", text(by), text(symbol)),
        Event::LookedUp {
            symbol,
            address,
            provider,
        } => {
            let address = address.map_or("nothing".to_owned(), |address| address.to_string());
            let provider = provider.as_deref().map_or("-".to_owned(), text);
            format!("looks up {} {address} {provider}", text(symbol))
        }
        Event::Failed { why } => format!("fails {}", text(why)),
    };
    format!("{pid} {what}")
}

fn read_in(pieces: usize, log: &[u8]) -> (Vec<String>, Shortfall) {
    let mut events = Vec::new();
    let mut reader = DyldLog::default();
    let mut out = |pid, event: Event| events.push(words(pid, &event));
    for piece in log.chunks(pieces) {
        reader.feed(piece, &mut out);
    }
    let shortfall = reader.finish(&mut out);
    (events, shortfall)
}

fn read(log: &[u8]) -> (Vec<String>, Shortfall) {
    let whole = read_in(usize::MAX, log);
    for pieces in [1, 7, 4096] {
        assert_eq!(read_in(pieces, log), whole, "in pieces of {pieces}");
    }
    whole
}

const NATIVE: &[u8] = include_bytes!("../../../../tests/data/dyld/go-native.log");
const TRANSLATED: &[u8] = include_bytes!("../../../../tests/data/dyld/translated.log");
const TWO: &[u8] = include_bytes!("../../../../tests/data/dyld/two-at-once.log");

#[test]
fn targets_are_joined_with_the_slots_that_they_were_written_to() {
    let (events, shortfall) = read(NATIVE);
    assert_eq!(
        events,
        [
            "501 begins /opt/me/bin/hello",
            "501 loads /opt/me/bin/hello 7a2c1b9e4f503d1a8e2b90c4d5e6f701 Kernel 0x104a00000 __PAGEZERO,__TEXT,__DATA_CONST,__DATA,__LINKEDIT",
            "501 looks for /usr/lib/libSystem.B.dylib at /usr/lib/libSystem.B.dylib: dylib-from-cache",
            "501 loads /usr/lib/libSystem.B.dylib 3a1f0c229d413b3ea5d60e6e2e6f4a10 Cache 0x19f2c8000 __TEXT,__DATA_CONST,__LINKEDIT",
            "501 looks for /usr/lib/system/libsystem_kernel.dylib at /usr/lib/system/libsystem_kernel.dylib: dylib-from-cache",
            "501 loads /usr/lib/system/libsystem_kernel.dylib 51c9f3a055b23a069c8e7d7b0c1e2d3f Cache 0x19f100000 __TEXT,__DATA_CONST",
            // 0x104ad7fe0 - 0x104a00000
            "501 binds /opt/me/bin/hello _open /usr/lib/system/libsystem_kernel.dylib 0x19f1012a4 0x104ad7fe0 +0xd7fe0",
            "501 binds /opt/me/bin/hello ___error /usr/lib/system/libsystem_kernel.dylib 0x19f104c88 0x104ad7fe8 +0xd7fe8",
            "501 binds /opt/me/bin/hello ___error /usr/lib/system/libsystem_kernel.dylib 0x19f104c88 0x104ad8010 +0xd8010",
            "501 binds /opt/me/bin/hello _not_on_this_system /usr/lib/libSystem.B.dylib missing 0x104ad7ff0 +0xd7ff0",
            "501 runs 0x19f2c8e30 of /usr/lib/libSystem.B.dylib",
        ]
    );
    assert_eq!(shortfall, Shortfall::default());
}

#[test]
fn a_translated_process_its_searches_and_the_program_after_it() {
    let (events, shortfall) = read(TRANSLATED);
    assert_eq!(
        events,
        [
            "9077 begins /opt/me/bin/tool",
            "9077 loads /opt/me/bin/tool c2a10f440b1c3e5d9f6a123456789abc Kernel 0x104000000 __PAGEZERO,__TEXT,__DATA",
            "9077 looks for @rpath/libplug.dylib at /opt/me/bin/../lib/libplug.dylib: Missing",
            "9077 looks for @rpath/libplug.dylib at /opt/homebrew/lib/libplug.dylib: dylib-from-disk",
            "9077 looks for @rpath/libplug.dylib at /opt/homebrew/lib/libplug.dylib: mach-o file, but is an incompatible architecture (have 'arm64', need 'x86_64')",
            "9077 looks for @rpath/libplug.dylib at /private/lib/libplug.dylib: Errno(13)",
            "9077 looks for @rpath/libplug.dylib at /usr/local/lib/libplug.dylib: dylib-from-disk",
            "9077 loads /usr/local/lib/libplug.dylib - File { slice: 16384 } 0x104600000 __TEXT,__DATA,__LINKEDIT aot 0x104610000 0x104620000",
            "9077 looks for /usr/lib/libz.1.dylib at /usr/lib/libz.1.dylib: dylib-from-cache",
            "9077 loads /usr/lib/libz.1.dylib 0d1e2f30415236378899aabbccddeeff Cache 0x7ff810400000 __TEXT",
            "9077 pages in /opt/me/bin/tool",
            // No slot was printed of the program, which the kernel links.
            "9077 binds /opt/me/bin/tool _plug_open /usr/local/lib/libplug.dylib 0x104601200 no slot",
            "9077 binds /opt/me/bin/tool _deflateInit2_ /usr/lib/libz.1.dylib 0x7ff810401a40 no slot",
            "9077 binds /usr/local/lib/libplug.dylib _deflateInit2_ /usr/lib/libz.1.dylib 0x7ff810401a40 0x104604018 +0x4018",
            "9077 binds /usr/local/lib/libplug.dylib __ZNSt9exceptionD1Ev - missing 0x104604020 +0x4020 weak",
            "9077 binds /usr/local/lib/libplug.dylib __ZnwmX /usr/local/lib/libplug.dylib 0x104601300 0x104604028 +0x4028 weak",
            "9077 looks for /usr/local/lib/libmore.dylib at /usr/local/lib/libmore.dylib: Missing",
            "9077 fails dlopen(/usr/local/lib/libmore.dylib, 0x0001): Library not loaded: libdeep.dylib\n  Referenced from: <0D1E2F30-4152-3637-8899-AABBCCDDEE00> /usr/local/lib/libmore.dylib\n  Reason: tried: 'libdeep.dylib' (no such file)",
            "9077 loads /usr/local/lib/libnow.dylib aaaaaaaabbbb3ccc8dddeeeeeeeeeeee File { slice: 0 } 0x105000000 __TEXT,__DATA by dlopen",
            // Slots without numbers: one holds an address of the image itself, one that of a target.
            "9077 binds /usr/local/lib/libnow.dylib _plug_open /usr/local/lib/libplug.dylib 0x104601200 0x105004008 +0x4008 by value by dlopen",
            "9077 looks up plug_now 0x105001040 /usr/local/lib/libnow.dylib",
            "9077 looks up plug_later nothing -",
            "9077 unloads /usr/local/lib/libnow.dylib 0x105000000 0x10500c000",
            "9077 binds /usr/local/lib/libnow.dylib _deflateInit2_ /usr/lib/libz.1.dylib 0x7ff810401a40 no slot by dlopen",
            "9077 begins /opt/me/bin/after-exec",
            "9077 loads /opt/me/bin/after-exec 11111111222233338444555555555555 Kernel 0x100000000 __TEXT,__DATA",
        ]
    );
    // The last line is cut in the middle of an address.
    let cut = Shortfall {
        unread: 1,
        ..Shortfall::default()
    };
    assert_eq!(shortfall, cut);
}

#[test]
fn lines_of_two_processes_that_write_at_once_are_told_apart() {
    let (events, shortfall) = read(TWO);
    let of = |pid: &str| -> Vec<String> {
        let of = events.iter().filter_map(|event| event.strip_prefix(pid));
        of.map(|event| event.trim_start().to_owned()).collect()
    };
    assert_eq!(
        of("31"),
        [
            "begins /bin/one",
            "loads /bin/one 00000000000030008000000000000031 Kernel 0x100000000 __TEXT,__DATA",
            "binds /bin/one _open libsystem_kernel.dylib 0x19f1012a4 0x100004000 +0x4000",
            "binds /bin/one _close libsystem_kernel.dylib 0x19f104c88 0x100004008 +0x4008",
        ]
    );
    assert_eq!(
        of("32"),
        [
            "begins /bin/two",
            "loads /bin/two 00000000000030008000000000000032 Kernel 0x200000000 __TEXT,__DATA",
            "binds /bin/two _open libsystem_kernel.dylib 0x19f1012a4 0x200004010 +0x4010",
            "binds /bin/two _close libsystem_kernel.dylib 0x19f104c88 0x200004018 +0x4018",
        ]
    );
    // The two lines of __TEXT: nothing in them tells which is whose.
    let expected = Shortfall {
        ambiguous: 2,
        ..Shortfall::default()
    };
    assert_eq!(shortfall, expected);
}

/// What one process prints, a line an entry.
fn program(pid: u32, leaf: &str, base: u64, symbols: &[u8]) -> Vec<String> {
    let text = base + 0x4000;
    let data = base + 0x8000;
    let path = format!("/opt/me/bin/{leaf}");
    let mut lines = vec![
        format!("<{pid:08X}-0000-3000-8000-000000000000> {path}"),
        format!("Kernel mapped {path}"),
        format!("__TEXT (r.x) 0x{base:012X}->0x{text:012X} "),
        format!("__DATA (rw.) 0x{text:012X}->0x{data:012X} "),
        "find path \"/usr/lib/libSystem.B.dylib\"".to_owned(),
        "  possible path(original path): \"/usr/lib/libSystem.B.dylib\"".to_owned(),
        "  found: dylib-from-cache: (0x00B4) \"/usr/lib/libSystem.B.dylib\"".to_owned(),
        "Using mapping in dyld cache for /usr/lib/libSystem.B.dylib".to_owned(),
        "__TEXT (r.x) 0x00019F2C8000->0x00019F2CA000 ".to_owned(),
        "<3A1F0C22-9D41-3B3E-A5D6-0E6E2E6F4A10> /usr/lib/libSystem.B.dylib".to_owned(),
    ];
    let address = |symbol: &u8| 0x1_9f2c_8000 + u64::from(*symbol) * 8;
    let numbered = || symbols.iter().enumerate();
    lines.extend(numbered().map(|(number, symbol)| {
        let address = address(symbol);
        format!("<{leaf}/bind#{number}> -> 0x{address:x} <libSystem.B.dylib/_symbol_{symbol}>)")
    }));
    lines.extend(numbered().map(|(number, symbol)| {
        let slot = text + 8 * number as u64;
        let address = address(symbol);
        format!("fixup: *0x{slot:010X} = 0x{address:016X} <{leaf}/bind#{number}>")
    }));
    lines
}

/// The calls by which dyld writes these lines.
fn writes(pid: u32, lines: &[String]) -> Vec<Vec<u8>> {
    let calls = lines.iter().flat_map(|line| {
        let body = format!("{line}\n").into_bytes();
        let pieces: Vec<_> = body.chunks(32).map(<[u8]>::to_vec).collect();
        std::iter::once(format!("dyld[{pid}]: ").into_bytes()).chain(pieces)
    });
    calls.collect()
}

/// Three processes write at the same time, in turns of some calls each.
#[test]
fn most_is_told_apart_of_processes_that_write_all_the_time() {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((state >> 33) % below).expect("small")
    };
    let (mut all, mut wrong) = (0, 0);
    for round in 0..24_u8 {
        let symbols: Vec<u8> = (0..=round).collect();
        let programs: Vec<(u32, Vec<String>)> = (0..3_u32)
            .map(|number| {
                let base = 0x1_0000_0000 + u64::from(number) * 0x123_4000;
                let pid = 4000 + number;
                (pid, program(pid, &format!("tool{number}"), base, &symbols))
            })
            .collect();
        let written = |(pid, lines): &(u32, Vec<String>)| writes(*pid, lines);
        let alone = programs
            .iter()
            .map(|one| read_in(usize::MAX, &written(one).concat()).0);
        let alone: Vec<String> = alone.flatten().collect();
        let calls = programs.iter().map(|one| written(one).into_iter());
        let mut calls: Vec<_> = calls.collect();
        let mut log = Vec::new();
        while calls.iter().any(|calls| calls.len() > 0) {
            let turn = calls[random(3)].by_ref();
            log.extend(turn.take(1 + random(24)).flatten());
        }
        let (together, _) = read_in(usize::MAX, &log);
        all += alone.len();
        wrong += alone
            .iter()
            .filter(|event| !together.contains(event))
            .count();
    }
    assert!(
        all > 1000 && wrong * 10 < all,
        "{wrong} of {all} are not right"
    );
}

#[test]
fn all_forms_of_a_target_and_of_a_fixup_are_read() {
    let begin =
        "dyld[8]: Kernel mapped /a/app\ndyld[8]: __DATA (rw.) 0x000000010000->0x000000020000 \n";
    let events = |lines: &[&str]| {
        let lines = lines.iter().map(|line| format!("dyld[8]: {line}\n"));
        let log = format!("{begin}{}", lines.collect::<String>());
        let (events, shortfall) = read(log.as_bytes());
        assert_eq!(shortfall, Shortfall::default(), "{log}");
        events.get(2..).unwrap_or_default().to_vec()
    };
    // A prebuilt loader: no names, and both tables alike; the second begins with 0 again.
    assert_eq!(
        events(&[
            "<app/bind#0> -> 0x30000",
            "<app/bind#1> -> 0x30010 (libz.dylib+0x00000010)",
            "<app/bind#0> -> 0x30020",
            "fixup: *0x0000010000 = 0x0000000000030000 <app/bind#0>",
            "fixup: *0x0000010008 = 0x0000000000030020 <app/weak-bind#0>",
        ]),
        [
            "8 binds /a/app  - 0x30000 0x10000 ?",
            "8 binds /a/app  - 0x30020 0x10008 ? weak",
            "8 binds /a/app  libz.dylib 0x30010 no slot",
        ]
    );
    // Names with every sign that ends a name elsewhere, and slots as classic relocations print them.
    assert_eq!(
        events(&[
            "<app/bind#0> -> 0x30000 <lib (1).dylib/-[A(B) c>d/e:]>)",
            "<app/bind#1> -> 0x30008 <lib+x.dylib/variant-table#3('_memcpy')>)",
            "<app/bind#2> -> 0x0 <<none>/_gone>)",
            "fixup: *0x0000000000000010000 = 0x0000000000030000 <app/bind#0>",
            "fixup: *0x0000010010 = 0x0000000000000000 <app/bind#2>",
            "fixup: *0x000000010018 = 0x000000030000 <objc-selector 'a <b>'>",
            "fixup: *0x000000010020 = 0x000000030000 <function-variant-table#1>",
            "lazy load fixup: *0x0000010028 = 0x30000",
            "cache singleton fixup: *0x000000010030 = 0x000000030000",
        ]),
        [
            "8 binds /a/app -[A(B) c>d/e:] lib (1).dylib 0x30000 0x10000 ?",
            "8 binds /a/app _gone - missing 0x10010 ?",
            "8 binds /a/app _memcpy lib+x.dylib 0x30008 no slot",
        ]
    );
    // The form of older releases, and another library that takes a symbol over.
    assert_eq!(
        events(&[
            "bind:   *0x000000010000 = 0x000000030000 (*app+0x000000000100 = libSystem.B.dylib/_read)",
            "libover.dylib has interposed '_read' to replacing binds to 0x00030000 with 0x00040000",
        ]),
        [
            "8 binds /a/app _read libSystem.B.dylib 0x30000 0x10000 ?",
            "8 libover.dylib interposes _read 0x30000 0x40000",
        ]
    );
}

#[test]
fn two_images_of_one_name_are_told_apart_by_where_their_slots_are() {
    let mut log = String::from("dyld[8]: Kernel mapped /app\n");
    for (at, path) in [(1, "/a/libx.dylib"), (2, "/b/libx.dylib")] {
        log += &format!(
            "dyld[8]: Mapping {path}\n\
             dyld[8]: __TEXT (r.x) 0x0000000{at}0000->0x0000000{at}4000\n\
             dyld[8]: __DATA (rw.) 0x0000000{at}4000->0x0000000{at}8000\n\
             dyld[8]: <no uuid> {path}\n"
        );
    }
    for at in [1, 2] {
        // Each binds to the other.
        let other = 3 - at;
        log += &format!(
            "dyld[8]: <libx.dylib/bind#0> -> 0x{other}0010 <libx.dylib/_x>)\n\
             dyld[8]: fixup: *0x000000{at}{}4000 = 0x000000000000{other}0010 <libx.dylib/bind#0>\n",
            ""
        );
    }
    let (events, shortfall) = read(log.replace("*0x000000", "*0x00000").as_bytes());
    let bound: Vec<_> = events
        .iter()
        .filter(|event| event.contains("binds"))
        .collect();
    assert_eq!(
        bound,
        [
            "8 binds /a/libx.dylib _x /b/libx.dylib 0x20010 0x14000 +0x4000",
            "8 binds /b/libx.dylib _x /a/libx.dylib 0x10010 0x24000 +0x4000",
        ],
        "{shortfall:?}"
    );
}

#[test]
fn what_is_no_log_is_counted_and_kept_within_bounds() {
    let (events, shortfall) =
        read(b"hello\n\n\0\xff\xfe\n[1]: \ndyld[]: x\ndyld[99999999999]: y\n");
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(shortfall.unread, 6);
    // A line without an end, three megabytes of it, and a real one after it.
    let mut log = b"dyld[7]: find path \"".to_vec();
    log.resize(3 << 20, b'a');
    log.extend_from_slice(b"\"\ndyld[7]: Kernel mapped /bin/x\n");
    let (events, shortfall) = read_in(1 << 16, &log);
    assert_eq!(events.first().map(String::as_str), Some("7 begins /bin/x"));
    assert_eq!(shortfall.unread, 1);
    // Ends in every way.
    for log in [NATIVE, TRANSLATED, TWO] {
        for end in (0..log.len()).step_by(7) {
            read_in(usize::MAX, &log[..end]);
        }
    }
    // Prefixes alone: nothing is ever written behind them.
    let log: String = (0..5000).map(|pid| format!("dyld[{pid}]: ")).collect();
    let (_, shortfall) = read_in(999, format!("{log}\n").as_bytes());
    assert!(shortfall.unread > 4900, "{shortfall:?}");
    // A target of a number that is in no order, and slots of targets that were never printed.
    let (events, shortfall) = read(
        b"dyld[7]: <a/bind#18446744073709551615> -> 0xffffffffffffffff <b/_c>)\n\
          dyld[7]: fixup: *0xffffffffffffffff = 0xffffffffffffffff <a/bind#4>\n\
          dyld[7]: fixup: *0x0000000001 (skipping missing weak bind) <z/weak-bind#0>\n",
    );
    assert_eq!(events, ["7 binds a _c b 0xffffffffffffffff no slot"]);
    assert_eq!(shortfall.unjoined, 2);
}

#[test]
fn a_process_that_ends_between_prefix_and_text_holds_up_no_other() {
    let mut log = b"dyld[1]: ".to_vec();
    for _ in 0..100 {
        log.extend_from_slice(NATIVE);
    }
    let (events, shortfall) = read(&log);
    let (alone, _) = read(NATIVE);
    let of = |pid: &str| events.iter().filter(|event| event.starts_with(pid)).count();
    assert!(
        of("501 ") > alone.len() * 99,
        "{} {shortfall:?}",
        of("501 ")
    );
}

/// What a process says after its own image.
fn says(lines: &[&str]) -> Vec<String> {
    let lines = lines.iter().map(|line| format!("dyld[8]: {line}\n"));
    let log = format!("dyld[8]: Kernel mapped /app\n{}", lines.collect::<String>());
    let (events, _) = read(log.as_bytes());
    let rest = events.iter().filter_map(|event| event.strip_prefix("8 "));
    let rest = rest.filter(|event| !event.ends_with("/app") && !event.starts_with("loads /app "));
    rest.map(str::to_owned).collect()
}

const X_AT_5: &str = "__TEXT (r.x) 0x000105000000->0x000105004000";
const X_AT_6: &str = "__TEXT (r.x) 0x000106000000->0x000106004000";

#[test]
fn an_image_that_is_unmapped_is_found_no_more() {
    let events = says(&[
        "Mapping /a/libx.dylib",
        X_AT_5,
        "<no uuid> /a/libx.dylib",
        "Mapping /b/libx.dylib",
        X_AT_6,
        "<no uuid> /b/libx.dylib",
        "     dlsym(\"f\") => 0x105000010",
        "unmapped 0x000105000000->0x000105004000 for /a/libx.dylib",
        "     dlsym(\"f\") => 0x105000010",
        "     dlsym(\"f\") => 0x106000010",
        "<app/bind#0> -> 0x105000010 <libx.dylib/_f>)",
    ]);
    assert_eq!(
        events[2..],
        [
            "looks up f 0x105000010 /a/libx.dylib",
            "unloads /a/libx.dylib 0x105000000 0x105004000",
            "looks up f 0x105000010 -",
            "looks up f 0x106000010 /b/libx.dylib",
            "binds /app _f /b/libx.dylib 0x105000010 no slot",
        ]
    );
}

#[test]
fn what_is_mapped_and_not_told_was_not_loaded() {
    let events = says(&[
        "Mapping /a/libx.dylib",
        X_AT_5,
        "<no uuid> /b/libx.dylib",
        "Mapping /c/libx.dylib",
        "using JustInTimeLoader 0x1f0a28 for /c/libx.dylib",
        X_AT_6,
        "<no uuid> /c/libx.dylib",
    ]);
    assert_eq!(
        events,
        [
            "loads /b/libx.dylib - Unsaid 0x0 ",
            "loads /c/libx.dylib - File { slice: 0 } 0x106000000 __TEXT",
        ]
    );
}

#[test]
fn why_something_failed_is_told_with_all_its_lines() {
    let events = says(&["Library not loaded: /x", "  Reason: none"]);
    assert_eq!(events, ["fails Library not loaded: /x\n  Reason: none"]);
    let events = says(&[
        "find path \"/x\"",
        "    stat(\"/x\") was not a file",
        "  possible path(rpath): \"/y\"",
    ]);
    let expected = [
        "looks for /x at /x: was not a file",
        "looks for /x at /y: Missing",
    ];
    assert_eq!(events, expected);
}

#[test]
fn what_is_bound_while_dlopen_runs_is_so_by_dlopen() {
    let bind = "bind:   *0x000104AD8018 = 0x00019F1012A4 (*app+0x0000000D8018 = libz.dylib/_z)";
    let open = "dlopen(\"/x\", 0x00000001)";
    let by_dlopen = |before: &[&str]| {
        let events = says(&[before, &[bind]].concat());
        events
            .last()
            .is_some_and(|event| event.ends_with(" by dlopen"))
    };
    assert!(!by_dlopen(&[]));
    assert!(by_dlopen(&[open]));
    assert!(!by_dlopen(&[open, "      dlopen(x) => 0x1f0a28"]));
    assert!(by_dlopen(&[open, open, "      dlopen(x) => 0x1f0a28"]));
    assert!(!by_dlopen(&["dlopen(\"(null)\", 0x00000001)"]));
}

#[test]
fn lines_of_no_known_form_are_counted() {
    let (_, shortfall) = read(b"dyld[8]: Kernel mapped /app\ndyld[8]: what is this\n");
    assert_eq!(shortfall.unread, 1);
}
