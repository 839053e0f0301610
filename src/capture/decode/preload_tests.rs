//! A message as it may come, and each way in which one may be none of ours.

use super::*;

/// A message as it is received from process 4711: `fuzz/seeds/preload.py` writes it.
const MESSAGE: &[u8] = include_bytes!("../../../fuzz/seeds/preload/hello");

#[test]
fn a_message_is_read_with_what_the_kernel_says() {
    let expected = Hello {
        pid: Pid(4711),
        parent: Pid(812),
        task: PortName(0x2107),
        reply: PortName(0x1403),
    };
    assert_eq!(MESSAGE.len(), HELLO_BYTES);
    assert_eq!(Hello::read(MESSAGE), Ok(expected));
    // There may be more room than the message takes.
    let roomy = [MESSAGE, &[0xff; 64]].concat();
    assert_eq!(Hello::read(&roomy), Ok(expected));
}

#[test]
fn both_sides_have_the_same_names_and_numbers() {
    let header = include_str!("../../../probes/preload/hello.h");
    let defined = |name: &str| {
        let mut lines = header.lines();
        let value = lines.find_map(|line| line.strip_prefix(&format!("#define {name} ")));
        value.expect(name).to_owned()
    };
    assert_eq!(
        defined("GOTRACE_HELLO_VARIABLE"),
        format!("\"{PORT_VARIABLE}\"")
    );
    assert_eq!(defined("GOTRACE_HELLO_ID"), format!("{ID:#x}"));
    assert_eq!(defined("GOTRACE_HELLO_VERSION"), VERSION.to_string());
    // What clang made of it: the name is in the library that is checked in, once for each processor.
    let library = include_bytes!("../../../probes/prebuilt/macos/libgotrace-preload.dylib");
    let named = memchr::memmem::find_iter(library, PORT_VARIABLE.as_bytes());
    assert_eq!(named.count(), 2);
}

#[test]
fn a_message_that_is_cut_is_none() {
    for found in 0..MESSAGE.len() {
        let cut = Hello::read(&MESSAGE[..found]);
        assert_eq!(cut, Err(Malformed::Short { found }));
    }
}

#[test]
fn each_field_is_held_to_what_it_must_be() {
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = MESSAGE.to_vec();
        bytes[at..at + to.len()].copy_from_slice(to);
        Hello::read(&bytes).map_err(|error| error.to_string())
    };
    for (at, to, why) in [
        (
            0x00,
            &[0x12, 0x11, 0, 0][..],
            "expected descriptors in its bits 0x80000000, found 0x0",
        ),
        (0x00, &[0x11], "expected right to answer 0x12, found 0x11"),
        (0x04, &[0x38], "expected 52 bytes, found 56"),
        (0x14, &[0x73], "expected id 0x676f7472, found 0x676f7473"),
        (0x18, &[2], "expected number of descriptors 0x1, found 0x2"),
        (0x26, &[20], "expected right to the task 0x11, found 0x14"),
        (0x27, &[1], "expected type of its descriptor 0x0, found 0x1"),
        (0x28, &[2], "expected version 0x1, found 0x2"),
        (
            0x2c,
            &[0],
            "expected one of process 4711, which sent it, found that of 4608",
        ),
        (0x34, &[1], "expected type of its trailer 0x0, found 0x1"),
        (0x38, &[8], "expected size of its trailer 0x34, found 0x8"),
        (
            0x5c,
            &[1, 0, 0, 0],
            "expected one of process 1, which sent it, found that of 4711",
        ),
    ] {
        let expected = format!("message to gotrace: {why}");
        assert_eq!(changed(at, to), Err(expected), "{at:#x}");
    }
}
