//! Where images are: of processes that run, against what they know of themselves; of Mach-O files,
//! against sums made by hand.

use crate::files::go_version;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) fn inspect(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("inspect")
        .args(arguments)
        .output()
        .unwrap()
}

pub(crate) fn json(arguments: &[&str]) -> serde_json::Value {
    let output = inspect(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn number(value: &serde_json::Value) -> u64 {
    let text = value.as_str().unwrap();
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

/// A process that prints where its functions are, and then waits for its input to end.
pub(crate) struct Process {
    child: Child,
    addresses: Vec<u64>,
}

impl Process {
    fn start(program: &Path) -> Self {
        Self::run(Command::new(program))
    }

    pub(crate) fn run(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{command:?} has ended");
        let words = line.split_whitespace();
        let addresses = words.map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16));
        Self {
            addresses: addresses.collect::<Result<_, _>>().unwrap(),
            child,
        }
    }

    pub(crate) fn id(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

pub(crate) fn scratch(name: &str, source: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(source.as_bytes()).unwrap();
    path
}

/// Prints its own function's address, and one of the C library's.
const C: &str = r#"#include <stdio.h>
#include <stdlib.h>
int main(void) {
  printf("%p %p\n", (void *)main, (void *)abort);
  fflush(stdout);
  return getchar() == 'x';
}
"#;

#[test]
fn a_running_program_is_where_it_says() {
    let source = scratch("places.c", C);
    for (name, way) in [("places-pie", "-pie"), ("places-fixed", "-no-pie")] {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let compiled = Command::new("gcc")
            .args(["-g", way, "-o"])
            .args([&program, &source])
            .status();
        assert!(compiled.unwrap().success());
        let process = Process::start(&program);
        let pid = process.id();
        let (main, abort) = (process.addresses[0], process.addresses[1]);
        let asked = format!("{main:#x}");
        let found = json(&["--json", "--at-runtime", &pid, "--lookup", &asked]);
        // The only image that holds the address is the program.
        let rows = found["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 1);
        let place = &rows[0]["placement"];
        assert_eq!(place["problems"].as_array().unwrap().len(), 0, "{place}");
        let answers = rows[0]["lookups"][0]["answers"].as_array().unwrap();
        assert!(answers.len() > 1 && answers.iter().all(|one| one["symbol"] == "main"));
        let stated = number(&rows[0]["lookups"][0]["stated_address"]);
        let slide = number(&place["slide"]);
        assert_eq!(stated + slide, main);
        assert_eq!(slide != 0, way == "-pie", "{slide:#x}");
        // The same by what a user knows of it.
        let loaded = place["load_address"].as_str().unwrap();
        let path = program.to_str().unwrap();
        let said = json(&["--json", "--slide", loaded, "--lookup", &asked, path]);
        assert_eq!(said["rows"][0]["placement"]["slide"], place["slide"]);

        // All images: the C library's function is in one of them alone.
        let all = json(&["--json", "--at-runtime", &pid]);
        let rows = all["rows"].as_array().unwrap();
        assert!(
            rows.len() >= 3,
            "program, loader and C library: {}",
            rows.len()
        );
        for row in rows {
            let place = &row["placement"];
            assert_eq!(place["problems"].as_array().unwrap().len(), 0, "{row}");
        }
        let asked = format!("{abort:#x}");
        let found = json(&["--json", "--at-runtime", &pid, "--lookup", &asked]);
        let row = &found["rows"][0];
        assert!(row["file"].as_str().unwrap().contains("libc"), "{row}");
        let answers = row["lookups"][0]["answers"].as_array().unwrap();
        assert!(answers.iter().any(|one| one["symbol"] == "abort"), "{row}");
    }
}

const GO: &str = r#"package main

import (
	"fmt"
	"os"
	"reflect"
)

func main() {
	fmt.Printf("%#x\n", reflect.ValueOf(main).Pointer())
	os.Stdin.Read(make([]byte, 1))
}
"#;

#[test]
fn a_running_go_program_is_where_it_says() {
    if go_version().is_none() {
        println!("skipped: no go on PATH");
        return;
    }
    let source = scratch("places.go", GO);
    for (name, mode) in [("places-go", "exe"), ("places-go-pie", "pie")] {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let built = crate::files::go()
            .arg("build")
            .arg(format!("-buildmode={mode}"))
            .arg("-o")
            .args([&program, &source])
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        let process = Process::start(&program);
        let pid = process.id();
        let asked = format!("{:#x}", process.addresses[0]);
        let found = json(&["--json", "--at-runtime", &pid, "--lookup", &asked]);
        let row = &found["rows"][0];
        assert_eq!(row["placement"]["slide"] == "0x0", mode == "exe", "{row}");
        let answer = &row["lookups"][0]["answers"][0];
        assert_eq!(
            (&answer["symbol"], &answer["table"]),
            (&"main.main".into(), &"pclntab".into())
        );
    }
}

#[test]
fn what_cannot_be_looked_at_is_refused() {
    let nobody = inspect(&["--at-runtime", "4294967295"]);
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert_eq!(nobody.status.code(), Some(4));
    assert!(said.contains("there is no process 4294967295"), "{said}");
    assert!(said.contains("ps -e"), "{said}");
    assert_eq!(inspect(&["--slide", "zz", "file"]).status.code(), Some(2));
}

#[test]
fn a_stated_slide_moves_a_mach_o_file() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/macho/classic");
    // main is stated at 0x100001628; the file's first byte at 0x100000000.
    for slide in ["0x104a00000", "+0x4a00000"] {
        let found = inspect(&["--slide", slide, "--lookup", "0x104a01628", file]);
        let text = String::from_utf8(found.stdout).unwrap();
        assert_eq!(found.status.code(), Some(0));
        assert!(
            text.contains("0x104a01628, 0x100001628 of the file"),
            "{text}"
        );
        assert!(text.contains("symtab               main  "), "{text}");
        let found = inspect(&["--slide", slide, file]);
        let text = String::from_utf8(found.stdout).unwrap();
        assert!(
            text.contains("loaded at 0x104a00000, slide 0x4a00000, which"),
            "{text}"
        );
        assert!(
            text.contains("__DATA        0x100008000  0x104a08000"),
            "{text}"
        );
    }
    let odd = inspect(&["--slide", "+0x1000", file]);
    let text = String::from_utf8(odd.stdout).unwrap();
    assert_eq!(odd.status.code(), Some(1));
    assert!(
        text.contains("expected a multiple of a page, 0x4000"),
        "{text}"
    );
}

/// A process that has ended has no memory until its parent has asked how.
#[test]
fn a_process_that_has_ended_has_no_images() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id().to_string();
    let stat = format!("/proc/{pid}/stat");
    while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    let found = inspect(&["--at-runtime", &pid]);
    child.wait().unwrap();
    assert_eq!(found.status.code(), Some(4));
    let said = String::from_utf8(found.stderr).unwrap();
    assert!(said.contains("has no memory: it has ended"), "{said}");
    assert!(said.contains("state Z"), "{said}");
}
