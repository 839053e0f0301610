//! Where Mach-O files are in memory: libraries of Go with C, files with chained fixups, arm64e, fat
//! files. A program of C maps their segments as a loader would, by what LLVM reads of them.

use crate::cgo;
use crate::files::llvm;
use crate::hostile::fat;
use crate::linked::unpacked;
use crate::placement::{Process, inspect, json, number, scratch};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Maps `FILE` in parts: first address, size, offset in the file, and protection, each. It then waits.
const LOADER: &str = r#"#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static unsigned long number(const char *text) { return strtoul(text, NULL, 0); }
int main(int count, char **words) {
  int file = open(words[1], O_RDONLY);
  for (int at = 2; at + 3 < count; at += 4) {
    void *place = (void *)number(words[at]);
    void *found = mmap(place, number(words[at + 1]), number(words[at + 3]),
                       MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, number(words[at + 2]));
    if (found != place) return 1;
  }
  puts("0x0");
  fflush(stdout);
  return getchar() == 'x';
}
"#;

fn loader() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = scratch("loader.c", LOADER);
        let program = source.with_extension("");
        let compiled = Command::new("gcc")
            .arg("-o")
            .args([&program, &source])
            .status();
        assert!(compiled.unwrap().success());
        program
    })
}

/// A segment as LLVM lists it.
struct Segment {
    name: String,
    address: u64,
    offset: u64,
    file_size: u64,
    protection: u64,
}

/// The segments of a slice that have bytes in the file.
fn segments(path: &Path, arch: &str) -> Option<Vec<Segment>> {
    let arguments = ["--macho", &format!("--arch={arch}"), "--private-headers"];
    let listing = llvm("llvm-objdump", &arguments, path)?;
    let commands = listing.split("cmd LC_SEGMENT_64").skip(1).map(|command| {
        let value = |key: &str| {
            let line = command
                .lines()
                .find_map(|line| line.trim().strip_prefix(key));
            line.unwrap().trim().to_owned()
        };
        let number = |key: &str| match value(key).strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
            None => value(key).parse().unwrap(),
        };
        let bits = value("initprot")
            .chars()
            .map(|letter| match letter {
                'r' => 1,
                'w' => 2,
                'x' => 4,
                _ => 0,
            })
            .sum();
        Segment {
            name: value("segname "),
            address: number("vmaddr"),
            offset: number("fileoff"),
            file_size: number("filesize"),
            protection: bits,
        }
    });
    Some(commands.filter(|one| one.file_size > 0).collect())
}

/// Loads a slice, which begins at `start` in the file, and holds what is found to where it was put;
/// what is said of an address that the file was moved to is the same. `listed` has the slice, too.
fn hold(path: &Path, start: u64, listed: &Path, arch: &str) {
    const SLIDE: u64 = 0x3_0000_0000;
    let Some(known) = segments(listed, arch) else {
        return;
    };
    assert!(known.len() > 2);
    let mut command = Command::new(loader());
    command.arg(path);
    for one in &known {
        let place = [
            one.address + SLIDE,
            one.file_size,
            start + one.offset,
            one.protection,
        ];
        command.args(place.map(|number| number.to_string()));
    }
    let process = Process::run(command);
    let (pid, file) = (process.id(), path.to_str().unwrap());
    let found = json(&["--json", "--at-runtime", &pid, file]);
    let rows = found["rows"].as_array().unwrap();
    // Of a fat file the slice that was loaded.
    assert_eq!(rows.len(), 1, "{found}");
    let ours = rows[0]["arch"].as_str().unwrap();
    assert_eq!(ours.replace("amd64", "x86_64"), arch);
    let base = known.iter().find(|one| one.offset == 0).unwrap().address;
    let loaded = format!("{:#x}", base + SLIDE);
    let said = json(&["--json", "--slide", &loaded, file]);
    let said = said["rows"].as_array().unwrap().iter();
    let said = said.filter(|row| row["arch"] == ours);
    for row in rows.iter().chain(said) {
        let place = &row["placement"];
        assert_eq!(number(&place["slide"]), SLIDE, "{row}");
        assert_eq!(place["load_address"], loaded);
        assert_eq!(place["problems"].as_array().unwrap().len(), 0, "{place}");
        let segments = place["segments"].as_array().unwrap();
        for one in &known {
            let ours = segments.iter().find(|row| row["name"] == one.name.as_str());
            assert_eq!(
                number(&ours.unwrap()["actual_address"]),
                one.address + SLIDE
            );
        }
    }
}

#[test]
fn chained_and_signed_files_are_where_they_are_put() {
    let chained = unpacked("chained-go.dylib");
    hold(&chained, 0, &chained, "arm64");
    // Where its slices begin, by llvm-lipo -detailed_info.
    let fat = unpacked("preload.dylib");
    for (arch, start) in [("x86_64", 0x1000), ("arm64", 0x8000), ("arm64e", 0x18000)] {
        hold(&fat, start, &fat, arch);
    }
}

#[test]
fn libraries_with_c_are_where_they_are_put() {
    let Some(folder) = cgo::built() else {
        return;
    };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (arm64, amd64) = (read("arm64.dylib"), read("amd64.dylib"));
    let second = u32::try_from(0x4000 + arm64.len().next_multiple_of(0x4000)).unwrap();
    let both = folder.join("both.dylib");
    let slices = [
        (cgo::ARM64, 0x4000, &arm64[..]),
        (cgo::AMD64, second, &amd64),
    ];
    std::fs::write(&both, fat(&slices)).unwrap();
    for (name, arch, start) in [
        ("arm64.dylib", "arm64", 0x4000),
        ("amd64.dylib", "x86_64", second),
    ] {
        let alone = folder.join(name);
        hold(&alone, 0, &alone, arch);
        hold(&both, start.into(), &alone, arch);
    }
    // An archive is nowhere before it is linked.
    let archive = folder.join("arm64.a");
    let found = inspect(&["--slide", "0x104a00000", archive.to_str().unwrap()]);
    let text = String::from_utf8(found.stdout).unwrap();
    assert_eq!(found.status.code(), Some(0));
    let objects = text
        .lines()
        .filter(|line| line.ends_with("no addresses before it is linked"));
    assert_eq!(objects.count(), text.lines().count(), "{text}");
}
