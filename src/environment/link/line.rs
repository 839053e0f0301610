//! The arguments of a linker, or of a compiler that calls one: what is linked, from where.
//!
//! Known are those of GCC, clang, zig cc, GNU ld, gold, lld, mold, ld64 and its successor, as far as
//! they say which files are linked or take another argument with them.

use crate::binary::linkable::{Arch, Format};
use std::path::PathBuf;

/// Something to link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A file by its path.
    File(PathBuf),
    /// `-lNAME`, to be looked for.
    Library(String),
    /// `-framework NAME`.
    Framework(String),
}

/// A link line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The program that was called, as it was written.
    pub program: String,
    /// What it links for, where the arguments tell.
    pub format: Option<Format>,
    /// For which architecture, where they tell.
    pub arch: Option<Arch>,
    /// The version of macOS that programs are to run on, where they tell: `11.0`.
    pub minimum: Option<String>,
    /// `-L`, in order.
    pub folders: Vec<PathBuf>,
    /// `-F`, in order.
    pub framework_folders: Vec<PathBuf>,
    /// What is linked, in order.
    pub inputs: Vec<Input>,
    /// `-syslibroot`, `-isysroot`, `--sysroot`: what stands for `/` in folders of the system.
    pub sysroot: Option<PathBuf>,
    /// No shared libraries are linked.
    pub is_static: bool,
    /// The compiler is that of C++, which links its library.
    pub is_cpp: bool,
    /// The program calls a linker, and links the libraries of C without being told.
    pub is_compiler: bool,
}

/// Options whose next word is no input.
const WITH_VALUE: [&str; 56] = [
    "-o",
    "-e",
    "-u",
    "-z",
    "-h",
    "-T",
    "-m",
    "-x",
    "-MF",
    "-MT",
    "-MQ",
    "-I",
    "-D",
    "-U",
    "-include",
    "-isystem",
    "-iquote",
    "-idirafter",
    "-rpath",
    "-rpath-link",
    "-soname",
    "-dynamic-linker",
    "--dynamic-linker",
    "-plugin",
    "-install_name",
    "-compatibility_version",
    "-current_version",
    "-headerpad",
    "-exported_symbols_list",
    "-exported_symbol",
    "-unexported_symbols_list",
    "-order_file",
    "-map",
    "-object_path_lto",
    "-lto_library",
    "-dylib_install_name",
    "-dylib_compatibility_version",
    "-dylib_current_version",
    "-pagezero_size",
    "-stack_size",
    "-bundle_loader",
    "-final_output",
    "-undefined",
    "-dyld_env",
    "-umbrella",
    "-image_base",
    "-segaddr",
    "-version-script",
    "--version-script",
    "-wrap",
    "--wrap",
    "--defsym",
    "-Map",
    "-mllvm",
    "-A",
    "-b",
];
/// Those that take more.
const WITH_VALUES: [(&str, usize); 4] = [
    ("-platform_version", 3),
    ("-sectcreate", 3),
    ("-segprot", 3),
    ("-alias", 2),
];

impl Line {
    /// Reads the words of a command; `None` when it calls no linker: it is another program, or a
    /// compiler that only compiles.
    #[must_use]
    pub fn of(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        let tool = Tool::of(name_of(program), arguments.first().map(String::as_str))?;
        if tool == Tool::Compiler && !links(arguments) {
            return None;
        }
        Self::read(program, arguments, tool)
    }

    /// Reads the words of a command that is known to link, whatever it is called: `CC` may be any
    /// script.
    #[must_use]
    pub fn of_linking(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        let tool = Tool::of(name_of(program), arguments.first().map(String::as_str));
        Self::read(program, arguments, tool.unwrap_or(Tool::Compiler))
    }

    fn read(program: &str, arguments: &[String], tool: Tool) -> Option<Self> {
        let name = name_of(program);
        let mut line = Self {
            program: program.to_owned(),
            format: (name.starts_with("ld64") || name == "ld-classic").then_some(Format::MachO),
            is_compiler: tool == Tool::Compiler,
            is_cpp: name.contains("++") || arguments.first().is_some_and(|word| word == "c++"),
            ..Self::default()
        };
        if let Some((triple, _)) = name
            .rsplit_once('-')
            .filter(|(triple, _)| triple.contains('-'))
        {
            line.triple(triple);
        }
        let arguments = unfolded(arguments);
        let mut words = arguments.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            line.argument(word, &mut words);
        }
        (!line.inputs.is_empty()).then_some(line)
    }

    fn argument<'a>(&mut self, word: &'a str, rest: &mut impl Iterator<Item = &'a str>) {
        let mut value = |joined: &'a str| match joined {
            "" => rest.next().unwrap_or_default(),
            joined => joined,
        };
        if let Some((_, count)) = WITH_VALUES.iter().find(|(option, _)| *option == word) {
            let mut values = rest.take(*count);
            if word == "-platform_version" {
                self.format = Some(Format::MachO);
                self.minimum = values.nth(1).map(str::to_owned);
            }
            values.for_each(drop);
            return;
        }
        match word {
            "-arch" => {
                self.format = Some(Format::MachO);
                self.arch = Some(Arch::parse(value("")));
            }
            "-target" | "--target" => self.triple(value("")),
            "-framework" | "-weak_framework" | "-needed_framework" | "-reexport_framework" => {
                self.format = Some(Format::MachO);
                let name = value("").split(',').next().unwrap_or_default();
                self.inputs.push(Input::Framework(name.to_owned()));
            }
            "-syslibroot" | "-isysroot" => {
                self.format = self.format.or(Some(Format::MachO));
                self.sysroot = Some(value("").into());
            }
            "--sysroot" => self.sysroot = Some(value("").into()),
            "-static" | "-Bstatic" | "--static" | "-dn" => self.is_static = true,
            "-Bdynamic" | "-dy" => self.is_static = false,
            "-weak_library" | "-force_load" | "-reexport_library" | "-needed_library"
            | "-upward_library" | "-load_hidden" => {
                self.format = Some(Format::MachO);
                self.inputs.push(Input::File(value("").into()));
            }
            "-m" => self.emulation(value("")),
            "-macosx_version_min" | "-macos_version_min" => {
                self.format = Some(Format::MachO);
                self.minimum = Some(value("").to_owned());
            }
            _ => {
                if let Some(joined) = word.strip_prefix("-L") {
                    self.folders.push(value(joined).into());
                } else if let Some(joined) = word.strip_prefix("--library-path=") {
                    self.folders.push(joined.into());
                } else if let Some(name) = library(word) {
                    self.inputs.push(Input::Library(value(name).to_owned()));
                } else if let Some(joined) = word.strip_prefix("--sysroot=") {
                    self.sysroot = Some(joined.into());
                } else if let Some(version) = word
                    .strip_prefix("-mmacosx-version-min=")
                    .or_else(|| word.strip_prefix("-mmacos-version-min="))
                {
                    self.format = Some(Format::MachO);
                    self.minimum = Some(version.to_owned());
                } else if let Some(triple) = word.strip_prefix("--target=") {
                    self.triple(triple);
                } else if let Some(name) = word.strip_prefix("-melf_") {
                    self.emulation(&format!("elf_{name}"));
                } else if WITH_VALUE.contains(&word) {
                    value("");
                } else if let Some(joined) = word.strip_prefix("-F").filter(|_| !word.contains('='))
                {
                    self.framework_folders.push(value(joined).into());
                } else if !word.starts_with(['-', '@']) && !word.is_empty() {
                    self.inputs.push(Input::File(word.into()));
                }
            }
        }
    }

    /// `x86_64-macos`, `aarch64-linux-gnu`, `arm64-apple-darwin23`.
    fn triple(&mut self, triple: &str) {
        let arch = triple.split('-').next().unwrap_or_default();
        let apple = ["macos", "darwin", "apple"]
            .iter()
            .any(|name| triple.contains(name));
        if apple {
            self.format = Some(Format::MachO);
        } else if triple.contains("linux") {
            self.format = Some(Format::Elf);
        } else {
            return;
        }
        self.arch = Some(Arch::parse(arch));
    }

    fn emulation(&mut self, name: &str) {
        let arch = match name {
            "elf_x86_64" => "amd64",
            "elf_i386" => "386",
            _ => match name.strip_prefix("aarch64") {
                Some(_) => "arm64",
                None => return,
            },
        };
        self.format = Some(Format::Elf);
        self.arch = Some(Arch::parse(arch));
    }
}

fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tool {
    Linker,
    Compiler,
}

impl Tool {
    /// By the name of the program: `gcc-12`, `aarch64-linux-gnu-gcc`, `clang++`, `ld.lld`, ...
    fn of(name: &str, first: Option<&str>) -> Option<Self> {
        let version = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        let unversioned = name.trim_end_matches(version);
        let last = unversioned.rsplit('-').next().unwrap_or(unversioned);
        match last {
            "zig" => matches!(first, Some("cc" | "c++")).then_some(Self::Compiler),
            "cc" | "gcc" | "c++" | "g++" | "clang" | "clang++" => Some(Self::Compiler),
            "ld" | "ld.lld" | "ld64.lld" | "ld.gold" | "ld.bfd" | "ld.mold" | "mold" | "gold"
            | "lld" | "collect2" | "classic" => Some(Self::Linker),
            _ => (name == "ld64").then_some(Self::Linker),
        }
    }
}

/// A compiler links unless it is told to stop before.
fn links(arguments: &[String]) -> bool {
    const STOPS: [&str; 8] = [
        "-c",
        "-S",
        "-E",
        "-fsyntax-only",
        "-cc1",
        "-cc1as",
        "--version",
        "-dumpmachine",
    ];
    !arguments.iter().any(|word| STOPS.contains(&word.as_str()))
}

/// What `-l`, `-weak-l`, ... name; empty where it is the next word.
fn library(word: &str) -> Option<&str> {
    for option in [
        "-weak-l",
        "-needed-l",
        "-reexport-l",
        "-hidden-l",
        "-upward-l",
        "--library=",
    ] {
        if let Some(name) = word.strip_prefix(option) {
            return Some(name);
        }
    }
    // `-lto_library` and `-load_hidden` begin the same.
    word.strip_prefix("-l")
        .filter(|name| !name.starts_with("to_") && !name.starts_with("oad_"))
}

/// Arguments that a compiler passes on (`-Wl,a,b`, `-Xlinker a`) as those of the linker.
fn unfolded(arguments: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(word) = arguments.next() {
        if let Some(passed) = word.strip_prefix("-Wl,") {
            words.extend(passed.split(',').map(str::to_owned));
        } else if word == "-Xlinker" {
            words.extend(arguments.next().cloned());
        } else if word != "cc" && word != "c++" {
            words.push(word.clone());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<Line> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Line::of(&words)
    }

    fn file(path: &str) -> Input {
        Input::File(path.into())
    }

    fn library(name: &str) -> Input {
        Input::Library(name.to_owned())
    }

    #[test]
    fn gcc_as_go_calls_it() {
        let found = line("/usr/bin/gcc -m64 -Wl,--build-id=0x1 -o $WORK/b001/exe/a.out -Wl,-z,relro /t/go.o -O2 -g -L/opt/x -L /y -lpthread -l z -no-pie").unwrap();
        assert_eq!(
            found.inputs,
            [file("/t/go.o"), library("pthread"), library("z")]
        );
        assert_eq!(
            found.folders,
            [PathBuf::from("/opt/x"), PathBuf::from("/y")]
        );
        assert_eq!(
            (found.format, found.arch, found.is_compiler),
            (None, None, true)
        );
    }

    #[test]
    fn linkers_of_macos() {
        let clang = line("clang -arch x86_64 -m64 -Wl,-headerpad,1144 -o a.out go.o -framework CoreFoundation -isysroot /sdk -F/fw -lz").unwrap();
        assert_eq!(clang.arch, Some(Arch::Amd64));
        assert_eq!(clang.format, Some(Format::MachO));
        assert_eq!(clang.sysroot, Some("/sdk".into()));
        assert_eq!(clang.minimum, None);
        let told = line("clang -mmacosx-version-min=10.14 go.o").unwrap();
        assert_eq!(told.minimum.as_deref(), Some("10.14"));
        assert_eq!(clang.framework_folders, [PathBuf::from("/fw")]);
        let framework = Input::Framework("CoreFoundation".to_owned());
        assert_eq!(clang.inputs, [file("go.o"), framework, library("z")]);

        let ld = line("/usr/bin/ld -demangle -lto_library /x/libLTO.dylib -dynamic -arch arm64 -platform_version macos 14.0.0 14.2 -syslibroot /sdk -o out -L/usr/local/lib a.o -weak-lfoo -force_load b.a -lSystem").unwrap();
        let inputs = [file("a.o"), library("foo"), file("b.a"), library("System")];
        assert_eq!(ld.inputs, inputs);
        assert_eq!(ld.minimum.as_deref(), Some("14.0.0"));
        assert_eq!((ld.arch, ld.is_compiler), (Some(Arch::Arm64), false));

        let zig = line("/z/zig cc -target x86_64-macos -arch x86_64 -o out go.o -lresolv").unwrap();
        assert_eq!(zig.inputs, [file("go.o"), library("resolv")]);
        assert_eq!(zig.arch, Some(Arch::Amd64));
    }

    #[test]
    fn names_and_emulations_tell_the_architecture() {
        let arch = |text| line(text).unwrap().arch;
        assert_eq!(arch("aarch64-linux-gnu-gcc -o a a.o"), Some(Arch::Arm64));
        assert_eq!(
            arch("clang --target=aarch64-linux-gnu a.o"),
            Some(Arch::Arm64)
        );
        assert_eq!(arch("ld -m elf_x86_64 -o a a.o"), Some(Arch::Amd64));
        assert_eq!(arch("ld.lld -m aarch64linux a.o"), Some(Arch::Arm64));
        assert_eq!(arch("gcc-12 a.o -lz"), None);
    }

    #[test]
    fn what_does_not_link_is_no_line() {
        for text in [
            "gcc -c a.c -o a.o",
            "clang -E a.c",
            "go build",
            "gcc --version",
            "zig build-exe a.zig",
            "gcc",
            "",
            "/usr/lib/go/pkg/tool/linux_amd64/link -o a b.a",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }
}
