//! The library that maps the ring into copies of programs for macOS. Its code is compiled for the machine that tests run
//! on, with what is Darwin's alone made up, and run.

use gotrace::binary::trampoline::{MEMORY_SECTION, MEMORY_SEGMENT, ring};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What Darwin has, and this machine has not.
const HEADERS: [(&str, &str); 2] = [
    (
        "crt_externs.h",
        "static void *_NSGetMachExecuteHeader(void) { return 0; }\n",
    ),
    (
        "mach-o/getsect.h",
        "#include <string.h>\n\
         static int issetugid(void) { return 0; }\n\
         static unsigned long long of_program[8192] __attribute__((aligned(4096))) = {0, 0, 42};\n\
         static void *getsectiondata(void *header, const char *segment, const char *section, unsigned long *size) {\n\
             (void)header;\n\
             *size = sizeof of_program;\n\
             return strcmp(segment, SEGMENT) || strcmp(section, SECTION) ? 0 : of_program;\n\
         }\n",
    ),
];

/// What a program finds, whose records go to the ring; and what its child finds.
const PROGRAM: &str = r#"
#include "ring.c"
#include <stdio.h>
#include <sys/wait.h>
int main(void) {
    volatile struct gotrace_memory *found = (struct gotrace_memory *)of_program;
    int next = open("/dev/null", O_RDONLY);
    printf("image %llu pid %d descriptor %d ", (unsigned long long)found->image, found->pid == (uint32_t)getpid(), next);
    fflush(stdout);
    if (fork() == 0) {
        printf("child %d ", found->ring != 0);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    if (found->ring != 0) {
        volatile uint64_t *ring = (uint64_t *)(uintptr_t)found->ring;
        ring[GOTRACE_RING_CHUNK / 8] = 4711;
        printf("aligned %d", found->ring % GOTRACE_RING_CHUNK == 0);
    }
    printf("\n");
    printf("%lu %lu %lu %lu %lu %lu %lu\n", offsetof(struct gotrace_ring, bytes), offsetof(struct gotrace_ring, mask),
           offsetof(struct gotrace_ring, chunks), offsetof(struct gotrace_ring, patience),
           offsetof(struct gotrace_ring, closed), offsetof(struct gotrace_memory, pid),
           offsetof(struct gotrace_memory, image));
    return 0;
}
"#;

fn program(folder: &Path) -> PathBuf {
    for (name, text) in HEADERS {
        let path = folder.join("headers").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (source, program) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&source, format!("#include <stddef.h>\n{PROGRAM}")).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args([
        "-D_GNU_SOURCE",
        "-DMAP_ANON=MAP_ANONYMOUS",
        "-pthread",
        "-I",
    ])
    .arg(folder.join("headers"))
    .arg("-I")
    .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("probes/ring"))
    .args(
        [("SEGMENT", MEMORY_SEGMENT), ("SECTION", MEMORY_SECTION)]
            .map(|(name, value)| format!("-D{name}=\"{value}\"")),
    )
    .arg("-o")
    .args([&program, &source]);
    assert!(gcc.status().unwrap().success());
    program
}

/// A ring of two chunks.
fn file(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = vec![0; ring::FIRST_CHUNK + 2 * ring::CHUNK];
    let length = bytes.len() as u64;
    bytes[..8].copy_from_slice(&ring::MAGIC.to_le_bytes());
    bytes[ring::BYTES..ring::BYTES + 8].copy_from_slice(&length.to_le_bytes());
    bytes[ring::MASK..ring::MASK + 4].copy_from_slice(&1_u32.to_le_bytes());
    bytes[ring::CHUNKS..ring::CHUNKS + 4].copy_from_slice(&2_u32.to_le_bytes());
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn run(program: &Path, folder: &Path, path: &Path) -> String {
    let mut command = Command::new(program);
    command.current_dir(folder).env("GOTRACE_RING", path);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn a_ring_is_mapped_and_a_child_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let path = folder.path().join("ring");
    let without = run(&program, folder.path(), &path);
    let (without, _) = without.split_once(" child").unwrap();
    file(&path, |_| {});
    let said = run(&program, folder.path(), &path);
    let (first, layout) = said.split_once('\n').unwrap();
    let with = without.replace("pid 0", "pid 1");
    assert_eq!(
        first,
        format!("{with} child 0 aligned 1"),
        "the descriptor stays"
    );
    let expected = [
        ring::BYTES,
        ring::MASK,
        ring::CHUNKS,
        ring::PATIENCE,
        ring::CLOSED,
        8,
        16,
    ];
    assert_eq!(
        layout.trim(),
        expected.map(|offset| offset.to_string()).join(" ")
    );
    let written = std::fs::read(&path).unwrap();
    assert_eq!(
        written[ring::FIRST_CHUNK..ring::FIRST_CHUNK + 8],
        4711_u64.to_le_bytes()
    );
}

#[test]
fn what_is_no_ring_of_ones_own_is_not_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let path = folder.path().join("ring");
    let nothing = run(&program, folder.path(), &path);
    assert!(nothing.starts_with("image 42 pid 0 ") && nothing.contains(" child 0 \n"));
    let refused = |path: &Path| assert_eq!(run(&program, folder.path(), path), nothing);
    refused(Path::new(""));
    let changes: [fn(&mut Vec<u8>); 6] = [
        |bytes| bytes[0] ^= 1,
        |bytes| bytes.truncate(30),
        |bytes| bytes.truncate(ring::CHUNK),
        |bytes| bytes.push(0),
        |bytes| bytes[ring::MASK] = 3,
        |bytes| bytes[ring::CHUNKS] = 3,
    ];
    for change in changes {
        file(&path, change);
        refused(&path);
    }
    file(&path, |_| {});
    refused(Path::new("ring"));
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    refused(&link);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();
    refused(&path);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(run(&program, folder.path(), &path).contains("aligned 1"));
}
