//! Output as the scripts would have it, written by hand.

use super::{Call, Event, Frame, Image, Lines, Shortfall, Stack, What};
use crate::trace::{Pid, Tid};

/// All of it, in pieces of some length.
fn read(text: &[u8], piece: usize) -> (Vec<Event>, Shortfall) {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    let mut out = |event| found.push(event);
    for piece in text.chunks(piece) {
        lines.feed(piece, &mut out);
    }
    let shortfall = lines.finish(&mut out);
    (found, shortfall)
}

const WHOLE: &[u8] = b"b\t50\t41\t1764000000000000000\n\
x\t100\t41\t40\tcompile\n\
e\t200\t41\t123456\tcompile\tcmd/compile/internal/ssa.Compile\tc000123000\t17\t1a8\n\
s\t300\t41\t123456\n\
\n\
\x20             0x10002f0c4\n\
\x20             compile`main.main+0x1c\n\
\x20             libdyld.dylib`start\n\
\x20             compile`0x100000004\n\
\x20             compile`operator+(int)+0x2\n\
.\n\
r\t400\t41\t123456\tcompile\tcmd/compile/internal/ssa.Compile\t1f4\t17\t1a8\n\
e\t450\t41\t123456\tcompile\tmemclr\t0\t-\t16fdff000\n\
i\t460\t41\t0\t1\t12\t104321000\t/opt/a\tb.dylib\n\
i\t470\t41\t1\t0\t1\tffffffff00000000\t/x\n\
z\t500\t41\t123456\t1\n";

fn call(function: &str, value: u64, stack: Stack) -> Call {
    Call {
        tid: Tid(123_456),
        module: b"compile".to_vec(),
        function: function.into(),
        value,
        stack,
    }
}

fn named(module: &str, function: &str, offset: u64) -> Frame {
    Frame::Named {
        module: module.into(),
        function: function.into(),
        offset,
    }
}

fn expected() -> Vec<Event> {
    let sample = What::Sampled {
        tid: Tid(123_456),
        stack: vec![
            Frame::Address(0x1_0002_f0c4),
            named("compile", "main.main", 0x1c),
            named("libdyld.dylib", "start", 0),
            Frame::Address(0x1_0000_0004),
            named("compile", "operator+(int)", 2),
        ],
        cut: false,
    };
    let executed = What::Executed {
        parent: Pid(40),
        name: b"compile".to_vec(),
    };
    let stack = Stack::Go {
        goroutine: 17,
        depth: 424,
    };
    let compile = |value| call("cmd/compile/internal/ssa.Compile", value, stack);
    [
        What::Armed {
            wall: 1_764_000_000_000_000_000,
        },
        executed,
        What::Entered(compile(0xc0_0012_3000)),
        sample,
        What::Returned(compile(500)),
        What::Entered(call("memclr", 0, Stack::Thread(0x1_6fdf_f000))),
        What::Image(Image {
            comes: true,
            place: 1,
            count: 12,
            header: 0x1_0432_1000,
            path: b"/opt/a\tb.dylib".to_vec(),
        }),
        What::Image(Image {
            comes: false,
            place: 0,
            count: 1,
            header: 0xffff_ffff_0000_0000,
            path: b"/x".to_vec(),
        }),
        What::Ended { how: 1 },
    ]
    .into_iter()
    .zip([50, 100, 200, 300, 400, 450, 460, 470, 500])
    .map(|(what, time)| Event {
        time,
        pid: Pid(41),
        what,
    })
    .collect()
}

#[test]
fn each_line_is_what_it_says_wherever_it_is_cut() {
    for piece in 1..WHOLE.len() {
        let (found, shortfall) = read(WHOLE, piece);
        assert_eq!(found, expected(), "{piece}");
        assert_eq!(shortfall, Shortfall::default(), "{piece}");
    }
}

/// The stack of the only sample, and whether it is cut.
fn stack(text: &str) -> (usize, bool, Shortfall) {
    let (found, shortfall) = read(text.as_bytes(), 7);
    let [
        Event {
            what: What::Sampled { stack, cut, .. },
            ..
        },
    ] = &found[..]
    else {
        panic!("one sample, found {found:?}");
    };
    (stack.len(), *cut, shortfall)
}

#[test]
fn a_stack_that_does_not_end_is_cut() {
    let none = Shortfall::default();
    assert_eq!(stack("s\t1\t2\t3\n 0x10\n.\n"), (1, false, none));
    assert_eq!(stack("s\t1\t2\t3\n 0x10\n"), (1, true, none));
    let cut = Shortfall { cut: true, ..none };
    assert_eq!(stack("s\t1\t2\t3\n 0x10\n 0x2"), (1, true, cut));
    let (found, shortfall) = read(b"s\t1\t2\t3\n 0x10\nz\t2\t2\t3\t1\n", 5);
    assert_eq!((found.len(), shortfall), (2, none));
    assert!(matches!(found[0].what, What::Sampled { cut: true, .. }));
    let one_too_many = format!("s\t1\t2\t3\n{}.\n", " 0x10\n".repeat(128));
    let malformed = Shortfall {
        malformed: 1,
        ..none
    };
    assert_eq!(stack(&one_too_many), (127, true, malformed));
}

#[test]
fn what_is_no_line_of_a_script_is_counted() {
    for line in [
        "q\t1\t2\t3\n",
        "e\t1\t2\n",
        "b\t1\t2\tx\n",
        "b\t1\t2\n",
        "e\t1\t2\t3\tm\tf\t12\n",
        "e\t1\t2\t3\tm\tf\t12\t1\t8\tmore\n",
        "e\t-1\t2\t3\tm\tf\t12\t1\t8\n",
        "e\t1\tx\t3\tm\tf\t12\t1\t8\n",
        "e\t1\t2\tx\tm\tf\t12\t1\t8\n",
        "e\t1\t2\t3\tm\tf\tx\t1\t8\n",
        "e\t1\t2\t3\tm\tf\t12\tx\t8\n",
        "e\t1\t2\t3\tm\tf\t12\t1\tx\n",
        "e\t1\t2\t3\tm\tf\t12\t-\t-\n",
        "r\t1\t2\t3\tm\tf\t\t1\t8\n",
        "x\t1\t2\tx\tname\n",
        "i\t1\t2\t0\t0\t1\n",
        "i\t1\t2\t0\t0\t1\t10\n",
        "i\t1\t2\t0\t0\t1\t10\t\n",
        "i\t1\t2\t2\t0\t1\t10\t/x\n",
        "i\t1\t2\t0\tx\t1\t10\t/x\n",
        "i\t1\t2\t0\t0\t-1\t10\t/x\n",
        "i\t1\t2\t0\t0\t1\t0x10\t/x\n",
        "z\t1\t2\t3\tx\n",
        "s\t1\t2\tx\n",
        "s\t1\t2\t3\t4\n",
        ".\n",
        "  0x10\n",
        "e\t1\t99999999999\t3\tm\tf\t12\t1\t8\n",
        "\u{e9}\t1\t2\n",
    ] {
        let (found, shortfall) = read(line.as_bytes(), 3);
        let malformed = Shortfall {
            malformed: 1,
            ..Shortfall::default()
        };
        assert_eq!((found, shortfall), (Vec::new(), malformed), "{line:?}");
    }
    for frame in [
        " main.main",
        " 0x",
        " m`",
        " m`+0x1",
        " 0x10000000000000000",
    ] {
        let text = format!("s\t1\t2\t3\n{frame}\n.\n");
        let malformed = Shortfall {
            malformed: 1,
            ..Shortfall::default()
        };
        assert_eq!(stack(&text), (0, false, malformed), "{frame:?}");
    }
}

#[test]
fn lines_without_an_end_take_no_memory() {
    let mut text = vec![b'e'; 100_000];
    text.extend(b"\nz\t2\t2\t3\t1\n");
    let too_long = Shortfall {
        too_long: 1,
        ..Shortfall::default()
    };
    for piece in [1000, 16 << 10, 200_000] {
        let (found, shortfall) = read(&text, piece);
        assert_eq!((found.len(), shortfall), (1, too_long), "{piece}");
    }
    let longest = [vec![b'e'; 16 << 10], b"\n".to_vec()].concat();
    assert_eq!(read(&longest, 1000).1.too_long, 0);
    let longer = [&b"e"[..], &longest].concat();
    assert_eq!(read(&longer, 1000).1.too_long, 1);
    let cut = Shortfall {
        cut: true,
        ..Shortfall::default()
    };
    assert_eq!(read(&text[..100_000], 1000), (Vec::new(), cut));
}
