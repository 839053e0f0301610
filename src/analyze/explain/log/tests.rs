//! Each message, as the linker or loader writes it.

use super::*;

fn only(text: &str) -> What {
    let mut log = Log::read(text.as_bytes());
    assert_eq!(log.problems.len(), 1, "{text}: {:?}", log.problems);
    log.problems.remove(0).what
}

fn undefined(symbol: &str, arch: Option<Arch>, format: Option<Format>, users: &[&str]) -> What {
    What::Undefined {
        symbol: symbol.to_owned(),
        arch,
        format,
        users: users.iter().map(|&user| user.to_owned()).collect(),
    }
}

fn wrong(path: &str, found: &[Arch], required: Option<Arch>, fatal: bool) -> What {
    What::WrongFile {
        path: path.to_owned(),
        found: found.to_vec(),
        required,
        fatal,
    }
}

#[test]
fn undefined_symbols_of_every_linker() {
    let elf = Some(Format::Elf);
    assert_eq!(
        only(
            "Undefined symbols for architecture x86_64:\n  \"_deflateInit2_\", referenced from:\n      __cgo_1_Cfunc_deflateInit2_ in _x002.o\n      l1 in _x003.o\nld: symbol(s) not found for architecture x86_64\nclang: error: linker command failed with exit code 1\n"
        ),
        undefined(
            "_deflateInit2_",
            Some(Arch::Amd64),
            Some(Format::MachO),
            &["__cgo_1_Cfunc_deflateInit2_ in _x002.o", "l1 in _x003.o"]
        )
    );
    assert_eq!(
        only(
            "/usr/bin/ld: /tmp/1.o: in function `_cgo_1_Cfunc_zlibVersion':\n/tmp/go-build/main.cgo2.c:71: undefined reference to `zlibVersion'\ncollect2: error: ld returned 1 exit status"
        ),
        undefined("zlibVersion", None, elf, &["_cgo_1_Cfunc_zlibVersion"])
    );
    assert_eq!(
        only(
            "use.o:use.cc:function main: error: undefined reference to 'frob::Box::open(int, char const*)'"
        ),
        undefined("frob::Box::open(int, char const*)", None, elf, &["main"])
    );
    assert_eq!(
        only(
            "ld.lld: error: undefined symbol: frob::close(long)\n>>> referenced by use.cc\n>>>               use.o:(main)\n"
        ),
        undefined("frob::close(long)", None, elf, &["use.cc", "use.o:(main)"])
    );
    assert_eq!(
        only("ld64.lld: error: undefined symbol: _frob_close\n>>> referenced by use-x86.o\n\n"),
        undefined("_frob_close", None, Some(Format::MachO), &["use-x86.o"])
    );
    assert_eq!(
        only(
            "error: undefined symbol: _frob_close\n    note: referenced by /tmp/1.o:__cgo_9_Cfunc_frob_close\n"
        ),
        undefined(
            "_frob_close",
            None,
            None,
            &["/tmp/1.o:__cgo_9_Cfunc_frob_close"]
        )
    );
    assert_eq!(
        only("/usr/bin/ld.bfd: ./libdep.so: undefined reference to `inner'"),
        undefined("inner", None, elf, &["./libdep.so"])
    );
    assert_eq!(
        only(
            "ld.lld: error: ./libdep.so: undefined reference to inner [--no-allow-shlib-undefined]"
        ),
        undefined("inner", None, elf, &["./libdep.so"])
    );
    assert_eq!(
        only("main.main: relocation target main.sum not defined"),
        What::GoUndefined {
            symbol: "main.sum".to_owned(),
            user: "main.main".to_owned(),
            other_abi: false,
        }
    );
}

#[test]
fn a_library_that_another_one_needs_is_named() {
    assert_eq!(
        only(
            "/usr/bin/ld: both.o: undefined reference to symbol 'inner'\n/usr/bin/ld: /home/frob/lib/libinner.so: error adding symbols: DSO missing from command line\n"
        ),
        What::NotOnLine {
            symbol: "inner".to_owned(),
            library: Some("/home/frob/lib/libinner.so".to_owned()),
        }
    );
}

#[test]
fn a_symbol_that_is_needed_twice_is_one_problem() {
    let log = Log::read(b"a.c:1: undefined reference to `x'\nb.c:2: undefined reference to `x'\nb.c:3: undefined reference to `y'\n");
    assert_eq!(log.problems.len(), 2);
    assert_eq!(log.lines, 3);
    assert_eq!((Log::read(b"").lines, Log::read(b"a").lines), (0, 1));
}

#[test]
fn files_for_another_architecture() {
    let (amd64, arm64, just_arm64) = (Arch::Amd64, Arch::Arm64, [Arch::Arm64]);
    for (text, expected) in [
        (
            "ld: warning: ignoring file /opt/homebrew/lib/libz.dylib, building for macOS-x86_64 but attempting to link with file built for macOS-arm64",
            wrong(
                "/opt/homebrew/lib/libz.dylib",
                &just_arm64,
                Some(amd64.clone()),
                false,
            ),
        ),
        (
            "ld: warning: ignoring file '/opt/homebrew/lib/libz.dylib': found architecture 'arm64', required architecture 'x86_64'",
            wrong(
                "/opt/homebrew/lib/libz.dylib",
                &just_arm64,
                Some(amd64.clone()),
                false,
            ),
        ),
        (
            "ld: warning: ignoring file '/x/libz.a[2](a.o)': fat file missing arch 'x86_64', file has 'arm64,arm64e'",
            wrong(
                "/x/libz.a[2](a.o)",
                &[arm64.clone(), Arch::Arm64e],
                Some(amd64.clone()),
                false,
            ),
        ),
        (
            "ld: warning: ignoring file /x/libz.a, file was built for archive which is not the architecture being linked (x86_64): /x/libz.a",
            wrong("/x/libz.a", &[], Some(amd64.clone()), false),
        ),
        (
            "ld: warning: ignoring file /x/libz.dylib, missing required architecture arm64 in file /x/libz.dylib (2 slices)",
            wrong("/x/libz.dylib", &[], Some(arm64.clone()), false),
        ),
        (
            "ld64.lld: warning: mac/arm64/libfrob.a(frob.o) has architecture arm64 which is incompatible with target architecture x86_64",
            wrong(
                "mac/arm64/libfrob.a(frob.o)",
                &just_arm64,
                Some(amd64.clone()),
                false,
            ),
        ),
        (
            "error: invalid cpu architecture: aarch64\n    note: while parsing /x/libfrob.a(frob.o)",
            wrong("/x/libfrob.a(frob.o)", &just_arm64, None, true),
        ),
        (
            "/usr/bin/ld.bfd: skipping incompatible a64/libplain.a when searching for -lplain",
            wrong("a64/libplain.a", &[], None, false),
        ),
        (
            "/usr/bin/ld.bfd: a64/plain.o: error adding symbols: file in wrong format",
            wrong("a64/plain.o", &[], None, true),
        ),
        (
            "/usr/bin/ld.gold: fatal error: a64/libplain.a(plain.o): unsupported ELF machine number 183",
            wrong("a64/libplain.a(plain.o)", &[arm64], None, true),
        ),
        (
            "ld.lld: error: a64/plain.o is incompatible with elf64-x86-64",
            wrong("a64/plain.o", &[], Some(amd64), true),
        ),
    ] {
        assert_eq!(only(text), expected, "{text}");
    }
    assert_eq!(without_member("/x/libz.a[2](a.o)"), "/x/libz.a");
    assert_eq!(without_member("/x (1)/libz.a"), "/x (1)/libz.a");
}

#[test]
fn libraries_that_are_not_there() {
    let library = |name: &str| What::NoLibrary(Input::Library(name.to_owned()));
    for text in [
        "ld: library not found for -lz",
        "ld: library 'z' not found",
        "/usr/bin/ld: cannot find -lz: No such file or directory",
        "/usr/bin/ld.gold: error: cannot find -lz",
        "ld.lld: error: unable to find library -lz",
        "error: unable to find dynamic system library \"z\" using strategy paths_first. searched paths:",
        "mold: fatal: library not found: z",
    ] {
        assert_eq!(only(text), library("z"), "{text}");
    }
    let framework = What::NoLibrary(Input::Framework("Nosuch".to_owned()));
    for text in [
        "ld: framework not found Nosuch",
        "ld: framework 'Nosuch' not found",
        "ld64.lld: error: framework not found for -framework Nosuch",
    ] {
        assert_eq!(only(text), framework, "{text}");
    }
}

#[test]
fn loaders_say_who_needs_what_and_why_not() {
    let text = "dyld[7]: Library not loaded: @rpath/libz.1.dylib\n  Referenced from: <93BD> /x/a\n  Reason: tried: '/x/libz.1.dylib' (no such file), '/y/libz.1.dylib' (mach-o file, but is an incompatible architecture (have 'arm64', need 'x86_64'))\n";
    let why = "mach-o file, but is an incompatible architecture (have 'arm64', need 'x86_64')";
    assert_eq!(
        only(text),
        What::NotLoaded {
            library: "@rpath/libz.1.dylib".to_owned(),
            user: Some("/x/a".to_owned()),
            tried: vec![
                ("/x/libz.1.dylib".to_owned(), "no such file".to_owned()),
                ("/y/libz.1.dylib".to_owned(), why.to_owned()),
            ],
        }
    );
    assert_eq!(
        only("dyld[7]: Symbol not found: _deflate\n  Referenced from: <1> /x/a\n  Expected in:     <2> /usr/lib/libz.1.dylib\n".replace(":     <", ": <").as_str()),
        What::NotBound {
            symbol: "_deflate".to_owned(),
            user: Some("/x/a".to_owned()),
            file: None,
            library: Some("/usr/lib/libz.1.dylib".to_owned()),
        }
    );
    assert!(matches!(
        only("./a: error while loading shared libraries: libz.so.1: cannot open shared object file: No such file or directory"),
        What::NotLoaded { library, .. } if library == "libz.so.1"
    ));
}

#[test]
fn symbols_that_are_not_bound_tell_their_file() {
    for (text, user, file) in [
        (
            "./m: symbol lookup error: ./m: undefined symbol: gone",
            "./m",
            "./m",
        ),
        (
            "/x/m: symbol lookup error: /x/libdep.so.1: undefined symbol: gone, version DEP_2",
            "/x/m (/x/libdep.so.1)",
            "/x/libdep.so.1",
        ),
    ] {
        let expected = What::NotBound {
            symbol: "gone".to_owned(),
            user: Some(user.to_owned()),
            file: Some(file.to_owned()),
            library: None,
        };
        assert_eq!(only(text), expected, "{text}");
    }
}

#[test]
fn pkg_config_and_what_it_misses() {
    let package = |name: &str, by: Option<&str>, version: Option<(&str, &str)>| What::NoPackage {
        name: name.to_owned(),
        required_by: by.map(str::to_owned),
        version: version.map(|(wanted, found)| (wanted.to_owned(), found.to_owned())),
    };
    let nine = Some((">= 9", "1.2"));
    for (text, expected) in [
        (
            "Package frob was not found in the pkg-config search path.\nPackage 'frob', required by 'virtual:world', not found\n",
            package("frob", None, None),
        ),
        (
            "Package dep was not found in the pkg-config search path.\nPackage 'dep', required by 'frob', not found\n",
            package("dep", Some("frob"), None),
        ),
        ("No package 'frob' found\n", package("frob", None, None)),
        (
            "Package dependency requirement 'frob >= 9' could not be satisfied.\nPackage 'frob' has version '1.2', required version is '>= 9'\n",
            package("frob", None, nine),
        ),
        (
            "Requested 'frob >= 9' but version of The Frob is 1.2\n",
            package("frob", None, nine),
        ),
        (
            "example.com/a: exec: \"pkg-config\": executable file not found in $PATH\n",
            What::NoPkgConfig {
                program: "pkg-config".to_owned(),
                package: Some("example.com/a".to_owned()),
            },
        ),
    ] {
        assert_eq!(only(text), expected, "{text}");
    }
    // What is said of other things.
    for text in [
        "Package frob: fine",
        "No package here",
        "exec: \"nosuch\": executable file not found in $PATH",
    ] {
        assert!(Log::read(text.as_bytes()).problems.is_empty(), "{text}");
    }
}

#[test]
fn programs_that_do_not_start() {
    let program = |path: &str| Some(path.to_owned());
    for (text, expected) in [
        (
            "fork/exec /t/a: bad CPU type in executable",
            What::BadCpu(program("/t/a")),
        ),
        (
            "zsh: bad CPU type in executable: ./a",
            What::BadCpu(program("./a")),
        ),
        (
            "-bash: ./a: Bad CPU type in executable",
            What::BadCpu(program("./a")),
        ),
        (
            "fork/exec /t/a: exec format error",
            What::BadFormat(program("/t/a")),
        ),
        (
            "bash: ./a: cannot execute binary file: Exec format error",
            What::BadFormat(program("./a")),
        ),
    ] {
        assert_eq!(only(text), expected, "{text}");
    }
    let killed = |program: Option<&str>, signature, macos| What::Killed {
        program: program.map(str::to_owned),
        signature,
        macos,
    };
    for (text, expected) in [
        ("zsh: killed     ./a -x", killed(Some("./a"), false, None)),
        (
            "./a.sh: line 3: 123 Killed: 9               ./a -x",
            killed(Some("./a"), false, Some(true)),
        ),
        (
            "Exception Type:  EXC_CRASH (SIGKILL (Code Signature Invalid))",
            killed(None, true, Some(true)),
        ),
        (
            "example.com/a: /t/compile: signal: killed",
            killed(Some("/t/compile"), false, Some(false)),
        ),
    ] {
        assert_eq!(only(text), expected, "{text}");
    }
    assert!(matches!(
        only(
            "assertion failed [arm_interval().contains(address)]: code fragment does not contain the given arm address"
        ),
        What::Translator(_)
    ));
    assert_eq!(
        only(
            "cgo: C compiler \"nosuchcc\" not found: exec: \"nosuchcc\": executable file not found in $PATH"
        ),
        What::NoCompiler("nosuchcc".to_owned())
    );
}

#[test]
fn what_fails_before_linking() {
    for (text, header, place) in [
        (
            "./main.go:2:11: fatal error: foo/bar.h: No such file or directory",
            "foo/bar.h",
            "./main.go:2:11",
        ),
        (
            "./main.go:2:11: fatal error: 'foo/bar.h' file not found",
            "foo/bar.h",
            "./main.go:2:11",
        ),
        (
            "/t/main.go:2:10: error: 'foo/bar.h' not found",
            "foo/bar.h",
            "/t/main.go:2:10",
        ),
    ] {
        let expected = What::NoHeader {
            header: header.to_owned(),
            place: place.to_owned(),
        };
        assert_eq!(only(text), expected, "{text}");
    }
    let other = |text: &str, compiler: Option<&str>, format, arch| {
        let expected = What::OtherTarget {
            compiler: compiler.map(str::to_owned),
            format,
            arch,
            message: text.lines().last().unwrap_or_default().to_owned(),
        };
        assert_eq!(only(text), expected, "{text}");
    };
    let mac = Some(Format::MachO);
    let option = "gcc: error: unrecognized command-line option '-arch'; did you mean '-march='?";
    other(option, Some("gcc"), mac, None);
    let option =
        "aarch64-linux-gnu-gcc: error: unrecognized command-line option \u{2018}-m64\u{2019}";
    let compiler = Some("aarch64-linux-gnu-gcc");
    other(option, compiler, None, Some(Arch::Amd64));
    for text in [
        "# runtime/cgo\ngcc_arm64.S:30: Error: no such instruction: `stp x29,x30,[sp,'",
        "# runtime/cgo\ngcc_arm64.S:30:2: error: invalid instruction mnemonic 'stp'",
    ] {
        other(text, None, None, Some(Arch::Arm64));
    }
    assert_eq!(
        only("package example.com/z: build constraints exclude all Go files in /t/z"),
        What::NoFiles {
            package: "example.com/z".to_owned(),
            folder: "/t/z".to_owned(),
        }
    );
    for text in [
        "gcc: error: foo.c: No such file or directory",
        "gcc: error: unrecognized command-line option '-fnosuch'",
        "mine_arm64.S:3: Error: no such instruction: `stp'",
        "error: 'a b' not found",
    ] {
        assert!(Log::read(text.as_bytes()).problems.is_empty(), "{text}");
    }
}

#[test]
fn colours_are_taken_off() {
    assert_eq!(plain("\u{1b}[0;1;31merror: \u{1b}[0mx"), "error: x");
    assert_eq!(plain("\u{1b}[\u{1b}"), "");
}

#[test]
fn ordinary_output_is_no_problem() {
    let text = "go: downloading example.com/x v1.0.0\nok  \texample.com/a\t0.1s\n./a.go:3:2: undefined: foo\n--- FAIL: TestA\n# a comment with words\n";
    assert!(Log::read(text.as_bytes()).problems.is_empty());
}

#[test]
fn a_log_without_end_is_bounded() {
    let mut text = String::new();
    for number in 0..5000 {
        text.push_str(&format!("ld.lld: error: undefined symbol: s{number}\n"));
    }
    let log = Log::read(text.as_bytes());
    assert_eq!(log.problems.len(), MOST_PROBLEMS);
    assert_eq!(log.left_out, 3000);
}
