//! Buffers as a library writes them that is killed, goes mad or means harm. The bytes are laid out here by
//! hand, as the drawing in `probes/audit/src/layout.rs` has it.
#![expect(clippy::arithmetic_side_effects, reason = "tests may panic")]

use super::{Buffer, Drained, Event, Header, How, Malformed, Ring, Story, What};
use crate::capture::Monotonic;
use crate::capture::linking;
use crate::trace::{Arch, LinkCause, Pid, SearchOutcome, Tid};

/// Cells of a ring.
const CELLS: u32 = 65_536;
/// Kinds of cells.
const MORE: u8 = 1;
const OPENED: u8 = 5;
const CLOSED: u8 = 6;
const BOUND: u8 = 7;
const SEARCHED: u8 = 8;
const ACTIVITY: u8 = 9;
const STARTED: u8 = 10;

/// A whole file in memory.
struct File(Vec<u8>);

impl File {
    fn new() -> Self {
        Self(vec![0; 4096 + 64 * CELLS as usize])
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn set_tail(&mut self, tail: u32) {
        self.put(64, &tail.to_ne_bytes());
    }

    /// Writes the cell with this number: from byte 4 on, and the number itself last.
    fn write(&mut self, number: u32, bytes: &[u8]) {
        let at = 4096 + 64 * (number % CELLS) as usize;
        self.put(at + 4, bytes);
        self.put(at, &number.wrapping_add(1).to_ne_bytes());
    }

    /// Writes an event, and returns the number behind it.
    fn event(&mut self, number: u32, event: &Written<'_>) -> u32 {
        let (first, rest) = event.text.split_at(event.text.len().min(24));
        let rest: Vec<&[u8]> = rest.chunks(56).collect();
        let count = 1 + u32::try_from(rest.len()).expect("few");
        self.write(
            number,
            &event.bytes(u8::try_from(count).expect("few"), first),
        );
        for (index, text) in (1..).zip(rest) {
            self.write(number.wrapping_add(index), &more(text));
        }
        number.wrapping_add(count)
    }
}

impl Buffer for File {
    fn counter(&self, place: usize) -> u32 {
        u32::from_ne_bytes(self.0[place..place + 4].try_into().expect("four bytes"))
    }

    fn cell(&self, number: u32) -> [u8; 64] {
        let at = 4096 + 64 * (number % CELLS) as usize;
        self.0[at..at + 64].try_into().expect("64 bytes")
    }
}

/// An event, to be written.
#[derive(Clone, Copy)]
struct Written<'t> {
    kind: u8,
    time: u64,
    tid: u32,
    image: u32,
    other: u32,
    flags: u32,
    address: u64,
    text: &'t [u8],
}

const NOTHING: Written<'static> = Written {
    kind: 0,
    time: 0,
    tid: 1,
    image: 0,
    other: 0,
    flags: 0,
    address: 0,
    text: b"",
};

impl Written<'_> {
    /// The first cell behind its number.
    fn bytes(&self, count: u8, text: &[u8]) -> Vec<u8> {
        let length = u16::try_from(self.text.len()).expect("short");
        let mut bytes = vec![self.kind, count];
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.time.to_ne_bytes());
        bytes.extend(
            [self.tid, self.image, self.other, self.flags]
                .map(u32::to_ne_bytes)
                .concat(),
        );
        bytes.extend(self.address.to_ne_bytes());
        bytes.extend(text);
        bytes
    }
}

/// A cell of more text behind its number.
fn more(text: &[u8]) -> Vec<u8> {
    [&[MORE, 0, 0, 0][..], text].concat()
}

fn bound(time: u64, symbol: &[u8]) -> Written<'_> {
    Written {
        kind: BOUND,
        time,
        image: 1,
        other: 3,
        text: symbol,
        ..NOTHING
    }
}

/// Symbols of the binds that come out, and what else came of it.
fn drain(ring: &mut Ring, file: &File, gone: bool) -> (Vec<String>, Drained) {
    let mut symbols = Vec::new();
    let drained = ring.drain(file, gone, |event| {
        if let What::Bound { symbol, .. } = event.what {
            symbols.push(String::from_utf8_lossy(&symbol).into_owned());
        }
    });
    (symbols, drained)
}

fn torn(count: u64) -> Drained {
    Drained {
        torn: count,
        lost: 0,
    }
}

#[test]
fn a_header_is_whole_or_says_what_it_lacks() {
    let mut bytes = b"GOTRAUD1".to_vec();
    bytes.extend([64_u16, 183].map(u16::to_ne_bytes).concat());
    bytes.extend([2_u32, 77, 76, 75, 0].map(u32::to_ne_bytes).concat());
    bytes.extend(123_456_789_u64.to_ne_bytes());
    let header = Header::parse(&bytes).expect("whole");
    let expected = Header {
        pid: Pid(77),
        parent: Pid(76),
        fork_of: Some(Pid(75)),
        arch: Arch::Arm64,
        word: 64,
        interface: 2,
        start: 123_456_789,
    };
    assert_eq!(header, expected);
    // EM_386, EM_X86_64, and EM_RISCV, which no library is for.
    for (machine, arch) in [(3_u16, Arch::X86), (62, Arch::Amd64), (243, Arch::Unknown)] {
        let mut other = bytes.clone();
        other.splice(10..12, machine.to_ne_bytes());
        assert_eq!(Header::parse(&other).expect("whole").arch, arch);
    }
    for length in 0..bytes.len() {
        let error = Header::parse(&bytes[..length]).expect_err("cut");
        assert_eq!(error, Malformed::Short(length));
    }
    bytes[7] = b'2';
    let error = Header::parse(&bytes).expect_err("another one");
    assert_eq!(error, Malformed::Magic);
    let words = "audit buffer: it does not begin with \"GOTRAUD1\"";
    assert_eq!(error.to_string(), words);
}

#[test]
fn every_field_of_an_event_is_at_its_place() {
    let mut file = File::new();
    // Through three cells: 24 bytes, 56, and one.
    let long = "x".repeat(81);
    let next = file.event(
        0,
        &Written {
            kind: OPENED,
            time: 0x1122_3344_5566_7788,
            tid: 42,
            image: 7,
            other: 2,
            flags: 2,
            address: 0x7fff_0000_1000,
            text: long.as_bytes(),
        },
    );
    assert_eq!(next, 3);
    for (number, flags) in (3..).zip([0, 1, 2]) {
        let event = Written {
            flags,
            ..bound(5, b"puts")
        };
        file.event(number, &event);
    }
    file.set_tail(6);
    let mut events = Vec::new();
    Ring::default().drain(&file, false, |event| events.push(event));
    let opened = Event {
        time: Monotonic(0x1122_3344_5566_7788),
        tid: Tid(42),
        what: What::Opened {
            image: 7,
            path: long.into_bytes(),
            slide: 0x7fff_0000_1000,
            namespace: 2,
            inherited: true,
        },
    };
    assert_eq!(events.first(), Some(&opened));
    let how: Vec<How> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Bound {
                importer: 1,
                provider: 3,
                how,
                ..
            } => Some(*how),
            _ => None,
        })
        .collect();
    assert_eq!(how, [How::Eager, How::Lazy, How::AskedFor]);
    // Kinds that have less to say.
    let mut file = File::new();
    let kinds = [CLOSED, SEARCHED, ACTIVITY, STARTED];
    for (number, kind) in (0..).zip(kinds) {
        let event = Written {
            kind,
            image: 4,
            flags: 8,
            address: 77,
            text: b"/lib/x",
            ..NOTHING
        };
        file.event(number, &event);
    }
    file.set_tail(4);
    let mut kinds = Vec::new();
    Ring::default().drain(&file, false, |event| kinds.push(event.what));
    let searched = What::Searched {
        image: 4,
        path: b"/lib/x".to_vec(),
        rule: 8,
    };
    let activity = What::Activity {
        image: 4,
        action: 8,
        cpu_ns: 77,
    };
    assert_eq!(kinds, [What::Closed(4), searched, activity, What::Started]);
}

#[test]
fn a_program_says_who_it_is_and_that_it_ends() {
    // Kinds 2 to 4 and 11 to 13; bit 31 of the flags says that there were more arguments.
    let cells = [
        (2, 0),
        (3, 0),
        (3, 1 << 31),
        (4, 0),
        (12, 0),
        (13, 0),
        (11, 0),
    ];
    let mut file = File::new();
    for (number, (kind, flags)) in (0..).zip(cells) {
        let event = Written {
            kind,
            flags,
            text: b"go\0env\0",
            ..NOTHING
        };
        file.event(number, &event);
    }
    file.set_tail(7);
    let mut told = Vec::new();
    let drained = Ring::default().drain(&file, false, |event| told.push(event.what));
    assert_eq!(drained, torn(0));
    let text = || b"go\0env\0".to_vec();
    let arguments = |cut| What::Arguments { argv: text(), cut };
    let expected = [
        What::Program(text()),
        arguments(false),
        arguments(true),
        What::Folder(text()),
        What::Package(text()),
        What::Leaves,
        What::Ending,
    ];
    assert_eq!(told, expected);
}

#[test]
fn ten_thousand_binds_in_a_millisecond_come_out_in_order_and_what_found_no_room_is_counted() {
    let mut file = File::new();
    for number in 0..10_000 {
        let symbol = format!("s{number}");
        file.event(number, &bound(u64::from(number) * 100, symbol.as_bytes()));
    }
    file.set_tail(10_000);
    file.put(192, &5_u32.to_ne_bytes());
    let mut ring = Ring::default();
    let mut times = Vec::new();
    let drained = ring.drain(&file, false, |event| times.push(event.time.0));
    assert_eq!(drained, Drained { torn: 0, lost: 5 });
    assert_eq!(times.len(), 10_000);
    assert_eq!((times[1], times[9_999]), (100, 999_900));
    assert!(times.is_sorted());
    // What is known to be lost is not lost again, and the count may go once around.
    assert_eq!(drain(&mut ring, &file, false), (Vec::new(), torn(0)));
    file.put(192, &2_u32.to_ne_bytes());
    let (_, drained) = drain(&mut ring, &file, false);
    assert_eq!(drained.lost, u32::MAX - 2);
}

#[test]
fn numbers_go_around() {
    let mut file = File::new();
    let start = u32::MAX - 2;
    let mut next = start;
    for symbol in [
        "before",
        "a name that takes one more cell of the ring",
        "last",
        "after",
    ] {
        next = file.event(next, &bound(1, symbol.as_bytes()));
    }
    assert_eq!(next, 2);
    file.set_tail(next);
    let mut ring = Ring::default();
    ring.read = start;
    let (symbols, drained) = drain(&mut ring, &file, false);
    assert_eq!((symbols.len(), drained), (4, torn(0)));
    assert_eq!(ring.read, 2);
    // A ring that was written around: numbers of the round before are none of this one.
    file.set_tail(next.wrapping_add(CELLS));
    assert_eq!(
        drain(&mut ring, &file, false),
        (Vec::new(), torn(u64::from(CELLS / 2)))
    );
}

#[test]
fn a_writer_that_is_killed_costs_its_own_event() {
    let long = [b'n'; 100];
    let event = bound(1, &long);
    // After each of its steps: its cells are reserved, further text is there, all is there.
    for steps in 0..4_u32 {
        let mut file = File::new();
        assert_eq!(file.event(0, &bound(1, b"first")), 1);
        if steps > 0 {
            file.write(2, &more(&long[24..80]));
        }
        if steps > 1 {
            file.write(3, &more(&long[80..]));
        }
        if steps > 2 {
            file.write(1, &event.bytes(3, &long[..24]));
        }
        assert_eq!(file.event(4, &bound(1, b"last")), 5);
        file.set_tail(5);
        let mut ring = Ring::default();
        let (symbols, drained) = drain(&mut ring, &file, false);
        if steps == 3 {
            assert_eq!((symbols.len(), drained), (3, torn(0)));
            continue;
        }
        // As long as it lives, it may go on.
        assert_eq!((symbols, drained), (vec!["first".to_owned()], torn(0)));
        assert_eq!(ring.read, 1);
        let (symbols, drained) = drain(&mut ring, &file, true);
        assert_eq!(symbols, ["last"]);
        // Cells of text that were never written cannot be told from those of another event.
        assert_eq!(drained, torn(u64::from(3 - steps)));
    }
}

#[test]
fn a_thread_that_is_killed_does_not_hold_up_the_others() {
    let mut file = File::new();
    // Cell 0 is reserved, and half of the ring is written behind it.
    for number in 1..=CELLS / 2 {
        file.event(number, &bound(1, b"later"));
    }
    file.set_tail(CELLS / 2);
    let mut ring = Ring::default();
    assert_eq!(drain(&mut ring, &file, false), (Vec::new(), torn(0)));
    file.set_tail(CELLS / 2 + 1);
    let (symbols, drained) = drain(&mut ring, &file, false);
    assert_eq!((symbols.len(), drained), (CELLS as usize / 2, torn(1)));
}

#[test]
fn a_tail_that_lies_costs_no_more_than_a_ring() {
    for tail in [CELLS + 1, 1 << 31, u32::MAX] {
        let mut file = File::new();
        file.event(tail - 1, &bound(1, b"one"));
        file.set_tail(tail);
        let mut ring = Ring::default();
        let (symbols, drained) = drain(&mut ring, &file, true);
        assert_eq!(symbols, ["one"]);
        // One for the lie, and each cell that was never written.
        assert_eq!(drained, torn(u64::from(CELLS)));
        assert_eq!(ring.read, tail);
        // And back again.
        file.set_tail(0);
        drain(&mut ring, &file, true);
        assert_eq!(ring.read, 0);
    }
}

#[test]
fn cells_that_lie_about_their_length_are_torn() {
    let event = bound(1, b"symbol");
    let lies: [fn(&mut Vec<u8>); 4] = [
        // More cells than were reserved; more text than its cells hold; cells that are none of it.
        |bytes| bytes[1] = 255,
        |bytes| bytes[2..4].copy_from_slice(&25_u16.to_ne_bytes()),
        |bytes| bytes[1] = 2,
        |bytes| bytes[2..4].copy_from_slice(&u16::MAX.to_ne_bytes()),
    ];
    for lie in lies {
        let mut file = File::new();
        let mut bytes = event.bytes(1, event.text);
        lie(&mut bytes);
        file.write(0, &bytes);
        file.event(1, &bound(1, b"sound"));
        file.set_tail(2);
        let mut ring = Ring::default();
        // It looks as if it were still to be written.
        assert_eq!(drain(&mut ring, &file, false), (Vec::new(), torn(0)));
        let (symbols, drained) = drain(&mut ring, &file, true);
        assert_eq!((symbols, drained), (vec!["sound".to_owned()], torn(1)));
    }
    // No cells at all are one; a text that ends early is as long as it says; unknown kinds are torn.
    let mut file = File::new();
    file.write(0, &event.bytes(0, event.text));
    let mut short = event.bytes(1, event.text);
    short[2..4].copy_from_slice(&3_u16.to_ne_bytes());
    file.write(1, &short);
    for (number, kind) in (2..).zip([0, 14, 255]) {
        file.event(number, &Written { kind, ..event });
    }
    file.set_tail(5);
    let (symbols, drained) = drain(&mut Ring::default(), &file, false);
    assert_eq!(
        (symbols, drained),
        (vec!["symbol".to_owned(), "sym".to_owned()], torn(3))
    );
}

#[test]
fn texts_fill_their_cells_to_the_last_byte() {
    // A first cell has room for 24 bytes, each that follows for 56.
    for length in [0, 23, 24, 25, 79, 80, 81, 136] {
        let symbol = "s".repeat(length);
        let mut file = File::new();
        let next = file.event(0, &bound(1, symbol.as_bytes()));
        file.set_tail(next);
        let found = drain(&mut Ring::default(), &file, false);
        assert_eq!(found, (vec![symbol], torn(0)), "{length} bytes");
    }
}

/// What a story makes of events.
pub(super) fn told(events: impl IntoIterator<Item = (u64, What)>) -> Vec<linking::Event> {
    let (mut story, mut out) = (Story::new(false), Vec::new());
    for (time, what) in events {
        let (time, tid) = (Monotonic(time), Tid(1));
        story.hear(Event { time, tid, what }, &mut out);
    }
    story.end(&mut out);
    out
}

pub(super) fn opened(image: u32, path: &str) -> What {
    What::Opened {
        image,
        path: path.as_bytes().to_vec(),
        slide: 0x1000,
        namespace: 0,
        inherited: false,
    }
}

pub(super) const fn activity(action: u32) -> What {
    What::Activity {
        image: 1,
        action,
        cpu_ns: 5,
    }
}

pub(super) fn tried(path: &str, rule: u32) -> What {
    let path = path.as_bytes().to_vec();
    What::Searched {
        image: 1,
        path,
        rule,
    }
}

#[test]
fn the_start_of_a_program_is_relocated_once_from_its_last_load_on() {
    let events = told([
        (1, What::Program(b"/bin/x".to_vec())),
        (2, activity(1)),
        (3, opened(1, "")),
        (4, opened(2, "/lib/ld.so")),
        (5, tried("libc.so.6", 1)),
        (6, tried("/a/libc.so.6", 2)),
        (7, tried("/b/libc.so.6", 8)),
        (9, opened(3, "/b/libc.so.6")),
        (20, activity(0)),
        (21, What::Started),
    ]);
    let paths: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            linking::What::Loaded(loaded) => {
                Some((event.time.0, String::from_utf8_lossy(&loaded.path)))
            }
            _ => None,
        })
        .collect();
    let expected = [(3, "/bin/x"), (4, "/lib/ld.so"), (9, "/b/libc.so.6")];
    assert_eq!(paths, expected.map(|(time, path)| (time, path.into())));
    let relocated: Vec<_> = events
        .iter()
        .filter_map(|event| match event.what {
            linking::What::Relocated { to, cause, cpu_ns } => {
                Some((event.time.0, to.0, cause, cpu_ns))
            }
            _ => None,
        })
        .collect();
    assert_eq!(relocated, [(9, 20, LinkCause::Start, Some(5))]);
    let searches: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what {
            linking::What::Searched(one) => Some((&one.path[..], one.rule, one.outcome)),
            _ => None,
        })
        .collect();
    let expected = [
        (
            &b"/a/libc.so.6"[..],
            "LD_LIBRARY_PATH",
            SearchOutcome::Missed,
        ),
        (b"/b/libc.so.6", "ld.so.cache", SearchOutcome::Found),
    ];
    assert_eq!(searches, expected);
}

/// Until glibc 2.41 ld.so says that all is consistent before it relocates what `dlopen` mapped, and its
/// clock has nothing of that yet.
#[test]
fn the_cpu_time_of_dlopen_is_not_known() {
    let bound = |how| What::Bound {
        importer: 5,
        provider: 2,
        symbol: b"x".as_slice().into(),
        address: 1,
        how,
    };
    let relocated = |how| {
        let events = told([
            (1, What::Started),
            (2, activity(1)),
            (3, opened(5, "/lib/a.so")),
            (4, activity(0)),
            (6, bound(how)),
            (8, What::Ending),
        ]);
        let mut found = events.iter().filter_map(|event| match event.what {
            linking::What::Relocated { to, cpu_ns, .. } => Some((event.time.0, to.0, cpu_ns)),
            _ => None,
        });
        (found.next(), found.next())
    };
    assert_eq!(relocated(How::Eager), (Some((2, 6, None)), None));
    assert_eq!(relocated(How::Lazy), (Some((2, 4, None)), None));
}

#[test]
fn a_story_that_makes_no_sense_is_told_as_far_as_it_goes() {
    // Ends without begins, begins without ends, an image twice, a bind before everything.
    let bind = What::Bound {
        importer: 9,
        provider: 0,
        symbol: b"x".as_slice().into(),
        address: u64::MAX,
        how: How::Eager,
    };
    let events = told([
        (9, activity(0)),
        (8, bind),
        (7, What::Closed(0)),
        (6, activity(1)),
        (5, activity(1)),
        (4, opened(u32::MAX, "")),
        (3, opened(u32::MAX, "")),
        (2, activity(u32::MAX)),
        (1, What::Started),
        (0, activity(1)),
    ]);
    let kinds = events.iter().map(|event| match event.what {
        linking::What::Bound(_) => 'b',
        linking::What::Unloaded(_) => 'u',
        linking::What::Loaded(_) => 'l',
        _ => '?',
    });
    assert_eq!(kinds.collect::<String>(), "bull");
}

#[test]
fn searches_that_never_end_take_no_more_memory_than_some() {
    let (mut story, mut out) = (Story::new(false), Vec::new());
    let mut told = 0;
    for number in 0..100_000 {
        let what = tried(&format!("/lib/{number}"), 2);
        let (time, tid) = (Monotonic(number), Tid(1));
        story.hear(Event { time, tid, what }, &mut out);
        told += out.len();
        out.clear();
    }
    story.end(&mut out);
    let last = out.len();
    assert_eq!(told + last, 100_000);
    assert!(last < 10_000, "{last} were kept to the end");
}

#[test]
fn programs_that_start_others_in_another_root_are_known_by_their_words() {
    let leaves = |line: &str| {
        let mut words = line.split(' ').map(str::as_bytes);
        super::roots::leaves_root(words.next().unwrap_or_default(), words)
    };
    for line in [
        "chroot /srv/bookworm make",
        "bwrap --ro-bind /srv / make",
        "unshare -rR /srv make",
        "unshare --root=/srv make",
        "nsenter -t 1 -a",
        "nsenter --target 1 --mount",
        "unshare -S 0 -R/srv make",
        "unshare --wd / --root /srv make",
    ] {
        assert!(leaves(line), "{line}");
    }
    for line in [
        "make chroot",
        "unshare -rn go build",
        "nsenter -t 1 -n ip a",
        "unshare --mount make",
        "unshare -n ls -R",
        "unshare -n -- ls -R",
        "unshare -wRoot ls",
        "unshare -w -R ls",
        "nsenter -nt 1 rm --all",
        "nsenter --target 1 -n stat -r",
        "unshare - -R",
        "",
    ] {
        assert!(!leaves(line), "{line}");
    }
}

#[test]
fn only_the_library_of_gotrace_is_taken_out_of_the_variable() {
    let taken = |value: &str| {
        let mut bytes = value.as_bytes().to_vec();
        let length = super::roots::take_out(&mut bytes);
        bytes.truncate(length);
        String::from_utf8(bytes).expect("text")
    };
    let own = "/tmp/x/audit/$LIB/libgotrace-audit.so";
    assert_eq!(taken(own), "");
    assert_eq!(taken(&format!("/a.so:{own}")), "/a.so");
    assert_eq!(
        taken(&format!("/a.so:{own}:/b/$LIB/b.so")),
        "/a.so:/b/$LIB/b.so"
    );
    assert_eq!(
        taken(&format!("{own}:/long/name/of/another.so:{own}")),
        "/long/name/of/another.so"
    );
    assert_eq!(taken("/a.so:/b.so"), "/a.so:/b.so");
    assert_eq!(taken("/a.so:"), "/a.so", "nothing stands behind the colon");
    assert_eq!(taken(""), "");
}
