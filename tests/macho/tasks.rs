//! What is read of tasks, threads and processes of a Mac: layouts against Apple's own headers, which zig has; and
//! functions of Go programs for Macs against what `go tool nm` lists.

use crate::files::{built, go, scratch, shared};
use gotrace::binary::Svma;
use gotrace::capture::decode::mach::counters::VERSIONS;
use gotrace::capture::decode::mach::program::Program;
use gotrace::capture::decode::mach::thread::{AMD64_STATE_BYTES, INFO_BYTES};
use gotrace::capture::decode::preload::HELLO_BYTES;
use gotrace::capture::decode::rosetta::registers::STATE_BYTES;
use std::path::Path;
use std::process::Command;

/// Places of fields, as the tests of the decoders have them, and sizes that calls are given.
const LAYOUTS: &str = "
struct rusage_info_v6: ri_user_time 0x10 ri_system_time 0x18 ri_pageins 0x30 ri_diskio_bytesread 0x90
    ri_diskio_byteswritten 0x98 ri_lifetime_max_phys_footprint 0xf0 ri_instructions 0xf8 ri_cycles 0x100
    ri_runnable_time 0x120 ri_user_ptime 0x130 ri_system_ptime 0x138 ri_pinstructions 0x140 ri_pcycles 0x148
    ri_energy_nj 0x150
struct thread_extended_info: pth_user_time 0x00 pth_system_time 0x08 pth_run_state 0x18 pth_name 0x30
struct thread_identifier_info: thread_id 0x00
struct task_dyld_info: all_image_info_addr 0x00 all_image_info_size 0x08 all_image_info_format 0x10
mach_msg_audit_trailer_t: msgh_trailer_type 0x00 msgh_trailer_size 0x04 msgh_audit 0x14
struct dyld_all_image_infos: version 0x000 infoArrayCount 0x004 infoArray 0x008 libSystemInitialized 0x019
    dyldImageLoadAddress 0x020 errorMessage 0x038 uuidArrayCount 0x058 uuidArray 0x060 errorKind 0x078
    sharedCacheSlide 0x098 sharedCacheUUID 0x0a0 sharedCacheBaseAddress 0x0b0 infoArrayChangeTimestamp 0x0b8";

/// What is true of one architecture.
fn registers(arch: &str) -> String {
    match arch {
        "aarch64" => format!(
            "sizeof(arm_thread_state64_t) == {STATE_BYTES}, __x 0 __fp 0xe8 __lr 0xf0 __sp 0xf8 __pc 0x100"
        ),
        _ => format!(
            "sizeof(x86_thread_state64_t) == {AMD64_STATE_BYTES}, __rbp 0x30 __rsp 0x38 __r14 0x70 __rip 0x80"
        ),
    }
}

#[test]
fn layouts_are_those_of_apples_headers() {
    let zig = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/fixtures/zig-0.17.1/ziglang/zig");
    if !zig.is_file() {
        println!("skipped: no zig: scripts/fetch-fixtures");
        return;
    }
    for arch in ["aarch64", "x86_64"] {
        let mut program =
            "#include <stddef.h>\n#include <sys/resource.h>\n#include <mach/mach.h>\n\
            #include <mach-o/dyld_images.h>\n"
                .to_owned();
        let mut hold =
            |condition: String| program += &format!("_Static_assert({condition}, \"\");\n");
        let mut fields = |structure: &str, words: &str| {
            let words: Vec<&str> = words.split_whitespace().collect();
            for pair in words.chunks(2) {
                hold(format!("offsetof({structure}, {}) == {}", pair[0], pair[1]));
            }
        };
        for part in LAYOUTS
            .replace("\n   ", "")
            .lines()
            .filter(|line| !line.is_empty())
        {
            let (structure, words) = part.split_once(':').unwrap();
            fields(structure, words);
        }
        let (size, words) = registers(arch)
            .split_once(", ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let structure = size.split(['(', ')']).nth(1).unwrap();
        fields(structure, &words);
        hold(size.clone());
        for (version, bytes) in VERSIONS {
            hold(format!("sizeof(struct rusage_info_v{version}) == {bytes}"));
            hold(format!("RUSAGE_INFO_V{version} == {version}"));
        }
        hold(format!(
            "sizeof(struct thread_extended_info) == {INFO_BYTES}"
        ));
        hold(format!(
            "sizeof(mach_msg_audit_trailer_t) == {HELLO_BYTES} - 0x34"
        ));
        hold(
            "TASK_DYLD_INFO == 17 && TASK_BOOTSTRAP_PORT == 4 && MACH_RCV_TRAILER_AUDIT == 3"
                .to_owned(),
        );
        hold(
            "THREAD_EXTENDED_INFO == 5 && THREAD_IDENTIFIER_INFO == 4 && TH_STATE_RUNNING == 1"
                .to_owned(),
        );
        let folder = scratch().join("layouts");
        std::fs::create_dir_all(&folder).unwrap();
        let source = folder.join(format!("{arch}.c"));
        std::fs::write(&source, program).unwrap();
        let mut cc = Command::new(&zig);
        cc.args(["cc", "-c", "-target"])
            .arg(format!("{arch}-macos.13.0"))
            .arg("-o")
            .arg(folder.join(format!("{arch}.o")))
            .arg(&source);
        for name in ["GLOBAL", "LOCAL"] {
            cc.env(format!("ZIG_{name}_CACHE_DIR"), shared("zig"));
        }
        let output = cc.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn functions_begin_where_go_says() {
    for (name, path) in built().into_iter().flatten() {
        let program = Program::of(&std::fs::read(path).unwrap(), None);
        assert!(program.goroutines.is_some(), "{name}");
        let listing = go().args(["tool", "nm", "-n"]).arg(path).output().unwrap();
        let listing = String::from_utf8(listing.stdout).unwrap();
        let symbols = listing.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
            let marks = [
                "runtime.text",
                "runtime.etext",
                "_runtime.text",
                "_runtime.etext",
            ];
            let is_code = matches!(kind, "T" | "t") && !marks.contains(&name);
            is_code.then(|| u64::from_str_radix(address, 16).ok())?
        });
        let starts: Vec<u64> = symbols.collect();
        // A program without symbols has the table of functions all the same.
        assert!(
            starts.len() > 1_000 || *name == "stripped",
            "{name}: {}",
            starts.len()
        );
        for start in starts {
            for address in [start, start + 1] {
                let found = program.function(Svma(address));
                assert_eq!(found, Some(Svma(start)), "{name}: {address:#x}");
            }
        }
    }
}
