//! The message that the library of `probes/preload` sends, filled in by a program that the machine's own compiler
//! makes of the library's header.

use gotrace::capture::decode::preload::{Hello, PortName};
use gotrace::trace::Pid;
use std::path::Path;
use std::process::Command;

/// Fills in a message as it is received, field by field, and a trailer as `<mach/message.h>` declares it.
const PROGRAM: &str = r#"
#include <stdio.h>
#include "hello.h"
struct trailer {
    uint32_t type, size, number, security[2];
    struct { uint32_t auid, euid, egid, ruid, rgid, pid, session, version; } audit;
};
int main(void) {
    struct gotrace_hello hello = {
        .bits = 0x80001112, .size = sizeof hello, .remote = 0x1403, .local = 0x0e0b, .id = GOTRACE_HELLO_ID,
        .descriptors = 1, .task = 0x2107, .disposition = 17, .type = 0,
        .version = GOTRACE_HELLO_VERSION, .pid = 4712, .parent = 813,
    };
    struct trailer trailer = {
        .size = sizeof trailer, .number = 3, .security = {501, 20},
        .audit = {.auid = 500, .euid = 503, .egid = 20, .ruid = 502, .rgid = 20, .pid = 4712, .session = 9},
    };
    fwrite(&hello, sizeof hello, 1, stdout);
    fwrite(&trailer, sizeof trailer, 1, stdout);
    return 0;
}
"#;

#[test]
fn what_the_library_sends_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let [source, program] = ["hello.c", "hello"].map(|name| folder.path().join(name));
    std::fs::write(&source, PROGRAM).unwrap();
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/preload");
    let mut gcc = Command::new("gcc");
    let gcc = gcc
        .arg("-I")
        .arg(header)
        .arg("-o")
        .arg(&program)
        .arg(&source);
    assert!(gcc.status().unwrap().success());
    let written = Command::new(program).output().unwrap().stdout;
    let expected = Hello {
        pid: Pid(4712),
        parent: Pid(813),
        task: PortName(0x2107),
        reply: PortName(0x1403),
    };
    assert_eq!(Hello::read(&written), Ok(expected));
}
