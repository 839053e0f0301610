//! Where images lie, against the kernel's own list of a living process and `readelf`.

use gotrace::analyze::slides::Slides;
use gotrace::binary::elf::Elf;
use gotrace::symbolize;
use gotrace::trace::{Avma, Image, ImageId, ImageOffset, Mapping, Nanos, ProcessId, Trace};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Every range of a process that shows a file, code or not.
fn mapped(trace: &mut Trace, process: ProcessId, pid: u32) -> BTreeMap<String, u64> {
    let mut lowest = BTreeMap::new();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [range, _, offset, _, _, path] = words[..] else {
            continue;
        };
        let Some(data) = path
            .starts_with('/')
            .then(|| std::fs::read(path).ok())
            .flatten()
        else {
            continue;
        };
        let Ok(elf) = Elf::parse(&data) else { continue };
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        lowest
            .entry(path.to_owned())
            .or_insert_with(|| number(start));
        let known = trace
            .images
            .iter()
            .position(|image| trace.strings.get(image.path) == path.as_bytes());
        let image = known.unwrap_or_else(|| {
            let path = trace.strings.push(path.as_bytes());
            trace.images.push(Image {
                path,
                build_id: elf.build_id().unwrap_or_default().to_vec(),
                ..Image::default()
            });
            trace.images.len() - 1
        });
        trace.mappings.push(Mapping {
            time: Nanos(0),
            process,
            image: ImageId(u32::try_from(image).unwrap()),
            start: Avma(number(start)),
            end: Avma(number(end)),
            offset: ImageOffset(number(offset)),
        });
    }
    lowest
}

/// The address that a file states for its first segment.
fn stated(path: &str) -> u64 {
    let output = Command::new("readelf")
        .args(["-lW", path])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let load = text
        .lines()
        .find(|line| line.trim().starts_with("LOAD"))
        .unwrap();
    let address = load.split_whitespace().nth(2).unwrap();
    u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn slides_of_living_processes_are_those_of_the_kernel() {
    let cc1 = Command::new("gcc")
        .arg("-print-prog-name=cc1")
        .output()
        .unwrap();
    let cc1 = String::from_utf8(cc1.stdout).unwrap().trim().to_owned();
    let folder = tempfile::tempdir().unwrap();
    // A program for fixed addresses with many libraries, and one for any; both wait for input.
    let mut fixed = Command::new(&cc1);
    let mut children = Vec::new();
    for command in [
        fixed.arg("-quiet").arg("-"),
        &mut Command::new("cat"),
        &mut Command::new("cat"),
    ] {
        let command = command.current_dir(folder.path()).stdin(Stdio::piped());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // What is read has been written by a program that runs: it is past its loader.
        while !waits(child.id()) {
            assert!(child.try_wait().unwrap().is_none(), "{command:?} has ended");
            std::thread::yield_now();
        }
        children.push(child);
    }
    let mut trace = Trace::default();
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (process, child) in (0..).map(ProcessId).zip(&children) {
        for (path, lowest) in mapped(&mut trace, process, child.id()) {
            let slide = lowest.wrapping_sub(stated(&path));
            expected.entry(path).or_default().push(slide);
        }
    }
    for mut child in children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    symbolize::fill(&mut trace);
    let slides = Slides::of(&trace);
    assert_eq!(slides.mismatches, []);
    for (image, places) in &slides.images {
        let path = trace.text(trace.images[image.index()].path).into_owned();
        let mut found: Vec<u64> = Vec::new();
        for (&slide, &count) in &places.slides {
            found.extend((0..count).map(|_| slide));
        }
        let expected = expected.get_mut(&path).unwrap();
        expected.sort_unstable();
        assert_eq!(&found, expected, "{path}");
        // Code, data that may be written to, and more.
        assert!(places.checked >= 2 * places.processes, "{path}");
        if Path::new(&path).file_name() == Path::new(&cc1).file_name() {
            assert_eq!(found, [0]);
        }
    }
    assert!(slides.images.len() > 8, "{}", slides.images.len());
    // One mapping a page further on is found.
    let mut mappings = trace.mappings.iter_mut();
    let code = mappings.find(|one| one.offset.0 > 0).unwrap();
    code.start.0 += 0x1000;
    assert_eq!(Slides::of(&trace).mismatches.len(), 1);
}

/// Whether a process sleeps in `read`.
fn waits(pid: u32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    call.starts_with("0 0x0 ")
}
