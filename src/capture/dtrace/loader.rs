//! What dyld does in a process, as far as `dtrace` sees it: which of its functions are watched, and what they tell.
//!
//! No function of dyld is an interface, but that which debuggers have a breakpoint in: names are those of dyld-1378
//! (`dyld/DyldAPIs.cpp`, `dyld/JustInTimeLoader.cpp`, `include/mach-o/dyld_images.h`), and may be others in the next
//! version. So all this is an addition: where `dtrace` refuses a script for it, the script without it is taken.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::target::Watched;
use crate::binary::macho::{Slice, SliceOf, Slices};
use crate::capture::decode::dtrace::line::Call;
use crate::capture::decode::mach::text::Text;
use crate::capture::decode::memory::MemoryCopy;
use crate::capture::plain_file;
use crate::trace::{Arch, Avma};

/// The clause of one image of a notification.
pub(super) const IMAGES: &str = include_str!("../../../probes/macos/images.d");
/// Images of a notification that there are clauses for: a program of Go has some fifty at its start.
pub(super) const MOST_AT_ONCE: u32 = 64;
/// Bytes of a file that its header and load commands are in.
const HEAD: u64 = 1 << 20;
/// The largest file with several slices that is looked into.
const LARGEST: u64 = 1 << 30;

/// A function of dyld.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    /// The image, as `dtrace` calls it.
    pub(super) module: &'static str,
    /// Its path.
    pub(super) path: &'static str,
    /// The function.
    pub(super) name: &'static str,
}

/// Those that are watched: what programs call, and what dyld spends its time in.
pub(super) const FUNCTIONS: [Function; 6] = [
    of_libdyld("dlopen"),
    of_libdyld("dlclose"),
    of_libdyld("dlsym"),
    of_dyld("dyld4::JustInTimeLoader::loadDependents"),
    of_dyld("dyld4::JustInTimeLoader::applyFixups"),
    of_dyld("dyld4::PrebuiltLoader::applyFixups"),
];

const fn of_libdyld(name: &'static str) -> Function {
    Function {
        module: "libdyld.dylib",
        path: "/usr/lib/system/libdyld.dylib",
        name,
    }
}

const fn of_dyld(name: &'static str) -> Function {
    Function {
        module: "dyld",
        path: "/usr/lib/dyld",
        name,
    }
}

impl Function {
    /// Globs of D that match it. Whether `dtrace` compares names of C++ mangled or not is not known: there is one for
    /// each, and neither matches the functions that are within it.
    pub(super) fn globs(&self) -> Vec<String> {
        let scopes: Vec<&str> = self.name.split("::").collect();
        match self.name.get(1..) {
            Some(rest) if scopes.len() == 1 => vec![format!("?{rest}")],
            _ => vec![
                format!("?{}*", scopes.join("??").get(1..).unwrap_or_default()),
                format!("?ZN*{}*", scopes.join("*")),
            ],
        }
    }

    /// Whether a call is one of it: `dlopen`, `dyld4::JustInTimeLoader::applyFixups(Diagnostics&, ...)`, or
    /// `_ZNK5dyld416JustInTimeLoader11applyFixupsER11Diagnostics...`.
    pub(super) fn is(&self, call: &Call) -> bool {
        if call.module != self.module.as_bytes() {
            return false;
        }
        let called = String::from_utf8_lossy(&call.function);
        match called.strip_prefix("_ZN") {
            Some(mangled) => {
                let mut rest = Some(mangled);
                for scope in self.name.split("::") {
                    let length = format!("{}{scope}", scope.len());
                    rest = rest.and_then(|rest| Some(rest.split_once(&length)?.1));
                }
                rest.is_some()
            }
            None => called.split('(').next() == Some(self.name),
        }
    }
}

/// What is known of dyld on this machine, for all processes of a run.
#[derive(Debug, Default)]
pub(super) struct Loader {
    /// Its functions that are watched, in the order of [`FUNCTIONS`], or none.
    watched: Vec<Watched>,
    refused: AtomicBool,
    /// It was told that dyld says nothing.
    pub(super) silent: Once,
    /// It was told that images have no files.
    pub(super) without_files: Once,
}

/// Something that is told once in a run, for it is the same with each process.
#[derive(Debug, Default)]
pub(super) struct Once(AtomicBool);

impl Once {
    /// Whether this is the first time.
    pub(super) fn is_now(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl Loader {
    /// Of which these functions are watched.
    pub(super) fn of(watched: Vec<Watched>) -> Self {
        Self {
            watched,
            ..Self::default()
        }
    }

    /// `dtrace` has refused a script for it.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether there is no use in asking for it again.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// The function of dyld that a call is of.
    pub(super) fn function(&self, call: &Call) -> Option<Watched> {
        let place = FUNCTIONS.iter().position(|function| function.is(call))?;
        self.watched.get(place).copied()
    }
}

/// Where the code of an image lies whose header is at an address: of the file's only slice, or of that which is for
/// an architecture. `None` where there is no such file: most libraries of the system are in the shared cache alone.
pub(super) fn text(path: &[u8], address: u64, arch: Arch) -> Option<Text> {
    let path = Path::new(OsStr::from_bytes(path));
    let head = plain_file::head(path, HEAD).ok()?;
    let header = match Slices::of(&head) {
        Ok(slices) if slices.slices.len() == 1 => head,
        _ => {
            let file = plain_file::read(path, LARGEST).ok()?;
            let slices = Slices::of(&file).ok()?;
            slices
                .slices
                .into_iter()
                .find(|slice| is_for(slice, arch))?
                .data
                .to_vec()
        }
    };
    // The header is the first that is mapped of a file.
    let memory = MemoryCopy {
        start: address,
        bytes: header,
    };
    Text::read(&memory, Avma(address))
}

fn is_for(slice: &Slice<'_>, arch: Arch) -> bool {
    match (&slice.of, arch) {
        (SliceOf::Fat(cpu), Arch::Amd64) => cpu.is_amd64(),
        (SliceOf::Fat(cpu), Arch::Arm64) => cpu.is_arm64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::decode::dtrace::line::Stack;
    use crate::trace::Tid;
    use std::process::Command;

    fn call(module: &str, function: &str) -> Call {
        Call {
            tid: Tid(1),
            module: module.into(),
            function: function.into(),
            value: 0,
            stack: Stack::Thread(0),
        }
    }

    /// The functions that a call is of.
    fn found(module: &str, function: &str) -> Vec<&'static str> {
        let call = call(module, function);
        let found = FUNCTIONS.iter().filter(|function| function.is(&call));
        found.map(|function| function.name).collect()
    }

    /// Whether the shell takes a name for one that a glob means.
    fn matches(glob: &str, name: &str) -> bool {
        let mut shell = Command::new("sh");
        let script = "case $1 in $2) exit 0;; esac; exit 1";
        let shell = shell.args(["-c", script, "sh", name, glob]);
        shell.status().expect("a shell").success()
    }

    /// Names as compilers make them (`c++filt` reads them): what is within a function is another one.
    #[test]
    fn functions_are_known_by_either_of_their_names() {
        let fixups = "dyld4::JustInTimeLoader::applyFixups";
        for (module, name, known) in [
            ("libdyld.dylib", "dlopen", "dlopen"),
            ("libdyld.dylib", "dlsym", "dlsym"),
            (
                "dyld",
                "dyld4::JustInTimeLoader::applyFixups(Diagnostics&, dyld4::RuntimeState&, dyld4::DyldCacheDataConstScopedWriter&, bool) const",
                fixups,
            ),
            (
                "dyld",
                "_ZNK5dyld416JustInTimeLoader11applyFixupsER11DiagnosticsRNS_12RuntimeStateE",
                fixups,
            ),
        ] {
            assert_eq!(found(module, name), [known], "{name}");
            let function = FUNCTIONS.iter().find(|function| function.name == known);
            let globs = function.expect("there").globs();
            let matching = globs.iter().filter(|glob| matches(glob, name));
            assert_eq!(matching.count(), 1, "{name}");
        }
        for (module, name) in [
            ("libsystem.dylib", "dlopen"),
            ("libdyld.dylib", "dlopen_preflight"),
            ("dyld", "dlopen"),
            ("dyld", "dyld4::JustInTimeLoader::applyFixupsGeneric()"),
            (
                "dyld",
                "_ZNK5dyld416JustInTimeLoader18applyFixupsGenericERv",
            ),
            (
                "dyld",
                "invocation function for block in dyld4::JustInTimeLoader::applyFixups(Diagnostics&)",
            ),
            (
                "dyld",
                "___ZNK5dyld416JustInTimeLoader11applyFixupsER11Diagnostics_block_invoke",
            ),
        ] {
            assert!(found(module, name).is_empty(), "{name}");
        }
        let within = "___ZNK5dyld416JustInTimeLoader11applyFixupsER11Diagnostics_block_invoke";
        let globs = FUNCTIONS.iter().flat_map(Function::globs);
        assert!(globs.into_iter().all(|glob| !matches(&glob, within)));
    }

    /// Numbers of `llvm-objdump --macho --private-headers`.
    #[test]
    fn code_lies_where_the_file_says() {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/macho/classic");
        let found = text(data.as_bytes(), 0x1_0432_1000, Arch::Amd64).expect("one slice");
        assert_eq!(
            (found.start, found.end),
            (Avma(0x1_0432_1000), Avma(0x1_0432_2810))
        );
        assert_eq!(text(b"/nowhere", 0, Arch::Arm64), None);
        assert_eq!(text(file!().as_bytes(), 0, Arch::Arm64), None);
    }

    #[test]
    fn of_several_slices_it_is_that_which_runs() {
        let fat = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/probes/prebuilt/macos/libgotrace-preload.dylib"
        );
        let cpu = |arch| text(fat.as_bytes(), 0x1000, arch).map(|text| text.cpu.to_string());
        assert_eq!(cpu(Arch::Arm64).as_deref(), Some("arm64"));
        assert_eq!(cpu(Arch::Amd64).as_deref(), Some("amd64"));
        assert_eq!(cpu(Arch::X86), None);
    }
}
