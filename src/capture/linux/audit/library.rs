//! The libraries for `LD_AUDIT`: unpacked for a run, one for each machine that its programs may be
//! for.
//!
//! `LD_AUDIT` reaches every program of the tree: 32-bit ones, and those of other machines, which an
//! emulator runs. ld.so complains on stderr of a library that is not there, or is for another
//! machine, and go takes what a tool says there for a diagnosis. So the path has `$LIB` in it, which
//! each ld.so replaces by what it calls its own folder of libraries (ld.so(8)), and a library lies
//! wherever that may lead to.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use crate::capture::decode::audit::layout::{RUN_BYTES, RUN_MARK};
use crate::capture::library;
use crate::environment::Refusal;
use crate::environment::translator::{self, BinfmtEntry};

/// A library, and what `$LIB` is for its machine.
struct Library {
    bytes: &'static [u8],
    folders: &'static [&'static str],
}

macro_rules! library {
    ($machine:literal: $($folder:literal),+) => {
        Library {
            bytes: include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/probes/prebuilt/linux-", $machine, "/libgotrace-audit.so"
            )),
            folders: &[$($folder),+],
        }
    };
}

/// On Debian `$LIB` names the machine. Elsewhere it tells 32 bits from 64 alone: there the native
/// library is put last, and what is for other machines of the same width is not served.
const LIBRARIES: &[Library] = &[
    library!("amd64": "lib/x86_64-linux-gnu"),
    library!("arm64": "lib/aarch64-linux-gnu"),
    library!("i386": "lib/i386-linux-gnu", "lib32", "lib"),
    library!("arm": "lib/arm-linux-gnueabihf"),
    library!("riscv64": "lib/riscv64-linux-gnu", "lib64/lp64d"),
    library!("armel": "lib/arm-linux-gnueabi"),
    library!("mips64el": "lib/mips64el-linux-gnuabi64"),
    library!("mipsel": "lib/mipsel-linux-gnu"),
    library!("ppc64el": "lib/powerpc64le-linux-gnu"),
    library!("x32": "lib/x86_64-linux-gnux32", "libx32"),
];

/// The library of the machine that gotrace itself is for.
const NATIVE: usize = if cfg!(target_arch = "aarch64") { 1 } else { 0 };

/// Name of the file.
const NAME: &str = "libgotrace-audit.so";

/// Unpacks the libraries below `folder`, to write into `buffers` while `gotrace` runs. Returns the
/// value for `LD_AUDIT`.
///
/// # Errors
///
/// When a file cannot be written, or the path of `buffers` is too long.
pub(super) fn unpack(folder: &Path, buffers: &Path, gotrace: u32) -> io::Result<PathBuf> {
    let mut run = buffers.as_os_str().as_bytes().to_vec();
    run.push(0);
    run.extend_from_slice(gotrace.to_string().as_bytes());
    if run.len() >= RUN_BYTES {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    run.resize(RUN_BYTES, 0);
    let native = native_folder();
    for library in LIBRARIES {
        let bytes = written(library.bytes, &run);
        for name in library.folders {
            library::install(
                &folder.join(name).join(NAME),
                bytes.as_deref().unwrap_or(library.bytes),
            )?;
        }
    }
    if let (Some(name), Some(library)) = (native, LIBRARIES.get(NATIVE)) {
        let bytes = written(library.bytes, &run);
        library::install(
            &folder.join(name).join(NAME),
            bytes.as_deref().unwrap_or(library.bytes),
        )?;
    }
    Ok(folder.join("$LIB").join(NAME))
}

/// A library with the run written into it; a stub has no place for it.
fn written(library: &[u8], run: &[u8]) -> Option<Vec<u8>> {
    let at = memchr::memmem::find(library, &RUN_MARK)?;
    let mut bytes = library.to_vec();
    bytes.get_mut(at..at + run.len())?.copy_from_slice(run);
    Some(bytes)
}

/// Whether `$LIB` leads programs of each machine that this one runs to a library of their own.
///
/// # Errors
///
/// When it does not, and there is an emulator.
pub(super) fn tells_machines_apart() -> Result<(), Refusal> {
    native_folder().map_or(Ok(()), |folder| {
        apart(&folder, &translator::binfmt_entries())
    })
}

fn apart(native: &Path, entries: &[BinfmtEntry]) -> Result<(), Refusal> {
    let emulator = entries.iter().find(|entry| entry.is_for_programs());
    let (1, Some(emulator)) = (native.components().count(), emulator) else {
        return Ok(());
    };
    let emulator = String::from_utf8_lossy(&emulator.interpreter);
    Err(Refusal {
        reason: "programs of other machines would be told to load the library of this one"
            .to_owned(),
        evidence: format!(
            "ld.so has $LIB for {}, whatever the machine, and {emulator} runs programs of another",
            native.display()
        ),
        remedy: "run without --bindings, or disable the emulator in /proc/sys/fs/binfmt_misc"
            .to_owned(),
    })
}

/// What `$LIB` is for the machine's own ld.so, judged by where it lies: below that folder.
fn native_folder() -> Option<PathBuf> {
    let loader = if cfg!(target_arch = "aarch64") {
        "/lib/ld-linux-aarch64.so.1"
    } else {
        "/lib64/ld-linux-x86-64.so.2"
    };
    folder_of(&fs::canonicalize(loader).ok()?)
}

/// `lib64` for `/usr/lib64/ld-2.36.so`, `lib/x86_64-linux-gnu` on Debian.
fn folder_of(loader: &Path) -> Option<PathBuf> {
    let folder = loader.parent()?;
    let mut parts = folder.components().map(Component::as_os_str);
    let first = parts.position(|part| part.as_bytes().starts_with(b"lib"))?;
    Some(folder.components().skip(first).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_is_for_its_machine_and_knows_its_run() {
        let folder = tempfile::tempdir().expect("folder");
        let path = unpack(folder.path(), Path::new("/dev/shm/x"), 4_711).expect("unpacked");
        assert!(path.ends_with("$LIB/libgotrace-audit.so"));
        // e_ident[EI_CLASS], e_machine as the psABIs number them, and whether it is more than a stub.
        for (name, class, machine, whole) in [
            ("lib/x86_64-linux-gnu", 2, 62, true),
            ("lib/aarch64-linux-gnu", 2, 183, true),
            ("lib/i386-linux-gnu", 1, 3, true),
            ("lib32", 1, 3, true),
            ("lib/arm-linux-gnueabihf", 1, 40, true),
            ("lib/riscv64-linux-gnu", 2, 243, true),
            ("lib/arm-linux-gnueabi", 1, 40, false),
            ("lib/mips64el-linux-gnuabi64", 2, 8, false),
            ("lib/mipsel-linux-gnu", 1, 8, false),
            ("lib/powerpc64le-linux-gnu", 2, 21, false),
            ("libx32", 1, 62, false),
        ] {
            let bytes = fs::read(folder.path().join(name).join(NAME)).expect(name);
            assert_eq!((bytes[4], bytes[18]), (class, machine), "{name}");
            let run = memchr::memmem::find(&bytes, b"/dev/shm/x\x004711\0");
            assert_eq!(run.is_some(), whole, "{name}");
            assert!(memchr::memmem::find(&bytes, &RUN_MARK).is_none(), "{name}");
        }
    }

    /// By readelf: type, and what is exported. ld.so asks a library for nothing else.
    #[test]
    fn each_library_exports_the_hooks_of_its_kind_and_a_stub_one() {
        let folder = tempfile::tempdir().expect("folder");
        unpack(folder.path(), Path::new("/dev/shm/x"), 4_711).expect("unpacked");
        let hooks = ["activity", "objclose", "objopen", "objsearch", "preinit"];
        let mut stubs = 0;
        for library in LIBRARIES {
            let path = folder.path().join(library.folders[0]).join(NAME);
            let readelf = std::process::Command::new("readelf")
                .args(["-hdW", "--dyn-syms"])
                .arg(&path)
                .output()
                .expect("readelf");
            let said = String::from_utf8_lossy(&readelf.stderr);
            assert!(said.is_empty(), "{}: {said}", path.display());
            let text = String::from_utf8_lossy(&readelf.stdout);
            assert!(text.contains("DYN (Shared object file)"), "{text}");
            assert!(!text.contains("(NEEDED)"), "{text}");
            let lines = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>());
            let exported = lines.filter_map(|words| match words[..] {
                [_, _, _, "FUNC", "GLOBAL", "DEFAULT", place, name] if place != "UND" => {
                    Some(name.to_owned())
                }
                _ => None,
            });
            let mut exported: Vec<_> = exported.collect();
            exported.sort();
            let bits = if text.contains("ELF64") { 64 } else { 32 };
            let symbind = format!("la_symbind{bits}");
            let whole = hooks.map(|hook| format!("la_{hook}")).into_iter();
            let whole = whole.chain([symbind, "la_version".to_owned()]);
            let is_stub = memchr::memmem::find(library.bytes, &RUN_MARK).is_none();
            stubs += usize::from(is_stub);
            match is_stub {
                true => assert_eq!(exported, ["la_version"], "{}", path.display()),
                false => assert_eq!(exported, whole.collect::<Vec<_>>(), "{}", path.display()),
            }
        }
        assert_eq!(stubs, 5);
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let long = PathBuf::from(format!("/{}", "x".repeat(RUN_BYTES)));
        assert!(unpack(folder.path(), &long, 1).is_err());
    }

    #[test]
    fn emulated_programs_need_a_folder_of_their_own() {
        let entry = |enabled: &str, magic: &str| {
            let text =
                format!("{enabled}\ninterpreter /usr/bin/qemu\nflags: \noffset 0\nmagic {magic}\n");
            BinfmtEntry::parse(&text).expect("an entry")
        };
        let (elf, other) = (entry("enabled", "7f454c46"), entry("enabled", "4d5a"));
        let off = entry("disabled", "7f454c46");
        let [debian, fedora] = ["lib/x86_64-linux-gnu", "lib64"].map(Path::new);
        assert_eq!(apart(debian, std::slice::from_ref(&elf)), Ok(()));
        assert_eq!(apart(fedora, &[other, off]), Ok(()));
        let refusal = apart(fedora, &[elf]).expect_err("refused");
        assert!(refusal.evidence.contains("lib64") && refusal.evidence.contains("/usr/bin/qemu"));
    }

    #[test]
    fn the_native_folder_is_where_the_loader_lies() {
        for (loader, folder) in [
            (
                "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                "lib/x86_64-linux-gnu",
            ),
            ("/usr/lib64/ld-linux-x86-64.so.2", "lib64"),
            ("/usr/lib/ld-linux-x86-64.so.2", "lib"),
            ("/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2", "lib"),
        ] {
            assert_eq!(
                folder_of(Path::new(loader)),
                Some(folder.into()),
                "{loader}"
            );
        }
    }
}
