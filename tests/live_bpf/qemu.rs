//! The qemus that are tried: the installed one, and that of Debian's backports, which runs those
//! programs alone whose header has a mark of the test.

use super::command::available;
use gotrace::environment::translator;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

/// Where entries are made.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// A qemu that the kernel runs programs by.
pub(crate) struct Qemu {
    /// Its executable.
    pub(crate) path: PathBuf,
    entry: Option<Entry>,
}

/// An entry of `binfmt_misc` for files with a mark in the padding of their header, which programs
/// do not have otherwise; taken out when dropped.
struct Entry {
    name: String,
    mark: [u8; 5],
}

impl Qemu {
    /// The one that runs arm64 programs here; says why there is none.
    pub(crate) fn installed() -> Option<Self> {
        if cfg!(not(target_arch = "x86_64")) {
            println!("skipped: arm64 programs are emulated on amd64");
            return None;
        }
        if !available() {
            return None;
        }
        // Any arm64 program tells.
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("a.out");
        fs::write(&program, gotrace::capture::decode::qemu::program()).unwrap();
        if translator::of_executable(&program) != "qemu-aarch64" {
            println!("skipped: nothing runs arm64 programs here; scripts/emulate --no-toolchain");
            return None;
        }
        Some(Self {
            path: translator::interpreter_of(&program).unwrap(),
            entry: None,
        })
    }

    /// That of Debian's backports; says why there is none.
    pub(crate) fn of_backports() -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/qemu-backports/qemu-aarch64");
        if !path.exists() {
            println!("skipped: no second qemu; scripts/emulate --no-toolchain --backports");
            return None;
        }
        Self::installed()?;
        Some(Self::entered(&path, "POF"))
    }

    /// One that is entered for this test alone, with these flags.
    pub(crate) fn entered(path: &Path, flags: &str) -> Self {
        static ENTERED: AtomicU8 = AtomicU8::new(1);
        let process = std::process::id();
        let number = ENTERED.fetch_add(1, Ordering::Relaxed);
        let [a, b, c, d] = process.to_le_bytes();
        let mark = [number, a, b, c, d];
        let name = format!("gotrace-test-{process}-{number}");
        let bytes = |bytes: &[u8]| -> String {
            bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
        };
        let magic = [b"\x7fELF\x02\x01\x01\0\0\0\0", &mark[..], b"\x02\0\xb7\0"].concat();
        let mut mask = [0xff; 20];
        (mask[7], mask[16]) = (0, 0xfe); // any system; executables, position-independent or not
        let entry = format!(
            ":{name}:M::{}:{}:{}:{flags}",
            bytes(&magic),
            bytes(&mask),
            path.display()
        );
        fs::write(Path::new(BINFMT).join("register"), entry).unwrap();
        Self {
            path: fs::canonicalize(path).unwrap(),
            entry: Some(Entry { name, mark }),
        }
    }

    /// Has it run this program.
    pub(crate) fn takes(&self, program: &Path) {
        if let Some(entry) = &self.entry {
            let file = fs::OpenOptions::new().write(true).open(program).unwrap();
            file.write_all_at(&entry.mark, 11).unwrap();
        }
    }

    /// Its build id, in hexadecimal digits.
    pub(crate) fn build_id(&self) -> String {
        use object::Object as _;
        let bytes = fs::read(&self.path).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        let id = elf.build_id().unwrap().unwrap();
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where its executable code is in its file.
    pub(crate) fn code(&self) -> std::ops::Range<u64> {
        use object::{Object as _, ObjectSegment as _, SegmentFlags};
        let bytes = fs::read(&self.path).unwrap();
        let elf = object::File::parse(&*bytes).unwrap();
        let code = elf.segments().find(|segment| {
            let SegmentFlags::Elf { p_flags, .. } = segment.flags() else {
                return false;
            };
            p_flags.contains(object::elf::PF_X)
        });
        let (start, bytes) = code.unwrap().file_range();
        start..start + bytes
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        fs::write(Path::new(BINFMT).join(&self.name), "-1").unwrap();
    }
}
