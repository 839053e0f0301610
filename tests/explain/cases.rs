//! What is wrong in each log, worked out by hand from the sources in `tests/data/explain/sources`
//! and from what `llvm-nm` and `nm` list of the files: cause, symbols, the file that tells it, and
//! what helps.

use crate::{explain, is_amd64};
use serde_json::Value;

/// Cause, what it is about, the file, the architectures that it is for and that it has it for, what
/// helps.
type Case<'a> = (
    &'a str,
    &'a [&'a str],
    &'a str,
    &'a [&'a str],
    &'a [&'a str],
    &'a str,
);

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

fn check(log: &str, cases: &[Case<'_>]) {
    let output = explain(log, &["--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len(), cases.len(), "{log}: {json:#}");
    for (row, (cause, about, file, archs, has, remedy)) in rows.iter().zip(cases) {
        assert_eq!(row["cause"], *cause, "{log}: {row:#}");
        let symbols = row["symbols"].as_array().unwrap().iter();
        let mut named: Vec<&str> = symbols.map(|one| one["symbol"].as_str().unwrap()).collect();
        named.extend(row["subject"].as_str());
        assert_eq!(named, *about, "{log}");
        let first = &row["files"][0];
        if file.is_empty() {
            assert_eq!(first, &Value::Null, "{log}");
        } else {
            assert_eq!(first["path"], *file, "{log}");
            assert_eq!(texts(&first["archs"]), *archs, "{log}");
            assert_eq!(texts(&first["has"]), *has, "{log}");
        }
        let first = &row["remedies"][0];
        let said = ["value", "command", "arch", "kind"]
            .iter()
            .find_map(|key| first[key].as_str());
        assert_eq!(said.unwrap_or_default(), *remedy, "{log}: {row:#}");
    }
}

const SDK: &str = "/Library/Developer/CommandLineTools/SDKs/MacOSX.sdk";

#[test]
fn a_missing_flag_is_named() {
    let libz = format!("{SDK}/usr/lib/libz.tbd");
    let all: &[&str] = &["amd64", "arm64", "arm64e"];
    let symbols: &[&str] = &["_deflateInit2_", "_zlibVersion"];
    check(
        "ld64-missing-z",
        &[("not-linked", symbols, &libz, all, all, "-lz")],
    );
    // No file of zlib is in the tree: the name alone tells.
    let symbols: &[&str] = &["compressBound", "zlibVersion"];
    check(
        "gcc-missing-z",
        &[("not-linked", symbols, "", &[], &[], "-lz")],
    );
}

/// LLD for macOS, and a compiler that is a script of the user's.
#[test]
fn slices_are_told_from_what_is_in_them() {
    if !is_amd64() {
        return;
    }
    let (arm64, both): (&[&str], &[&str]) = (&["arm64"], &["amd64", "arm64"]);
    let frob: &[&str] = &["_frob_close", "_frob_open"];
    let archive = "/home/frob/arm64/libfrob.a";
    let wrong = "wrong-slice";
    check(
        "ld64lld-arm64-archive",
        &[(wrong, frob, archive, arm64, arm64, "libfrob.a")],
    );
    let object = "/home/frob/use-arm64.o";
    check(
        "ld64lld-arm64-object",
        &[(wrong, &["_main"], object, arm64, arm64, "use-arm64.o")],
    );
    let absent = "symbol-absent";
    let archive = "/opt/frob/lib/libfrob.a";
    check(
        "ld64lld-absent",
        &[(absent, &["_frob_close"], archive, both, arm64, "libfrob.a")],
    );
    let stub = "/home/frob/tbd/libfrob.tbd";
    // Hidden from programs for macOS 15.0; for 15.1 LLD links the same.
    let withheld = "/home/frob/hide/libfrob.tbd";
    check(
        "ld64lld-hidden",
        &[(
            "symbol-hidden",
            &["_frob_open"],
            withheld,
            both,
            &[],
            "libfrob.tbd",
        )],
    );
    for log in ["ld64lld-tbd", "zig-wrapper-tbd"] {
        check(
            log,
            &[(absent, &["_frob_open"], stub, both, arm64, "libfrob.tbd")],
        );
    }
}

#[test]
fn a_missing_library_and_its_symbols_are_one() {
    if !is_amd64() {
        return;
    }
    let amd64: &[&str] = &["amd64"];
    let file = "/usr/lib/x86_64-linux-gnu/libver.so.3";
    let about: &[&str] = &["plain", "-lver"];
    check(
        "gold-library",
        &[("library-missing", about, file, amd64, amd64, "libver.so")],
    );
}

#[test]
fn what_fails_before_linking_is_explained() {
    if !is_amd64() {
        return;
    }
    let header = "header-missing";
    let parser = "/usr/include/libxml2/libxml/parser.h";
    check(
        "gcc-header",
        &[
            (header, &["frob/frob.h"], "", &[], &[], "frob/frob.h"),
            (
                header,
                &["libxml/parser.h"],
                parser,
                &[],
                &[],
                "-I/usr/include/libxml2",
            ),
            (header, &["sqlite3.h"], "", &[], &[], "sqlite3.h"),
        ],
    );
    // Where compilers look already, no flag helps.
    let searched = "/usr/include/searched.h";
    let about: &[&str] = &["searched.h"];
    let command = "$(go env CC) -E -v -x c /dev/null";
    check(
        "gcc-header-searched",
        &[(header, about, searched, &[], &[], command)],
    );
    let other = "compiler-other-target";
    let cross = "aarch64-linux-gnu-gcc";
    check("gcc-other-target", &[(other, &[], "", &[], &[], cross)]);
    let zig = "zig cc -target x86_64-macos";
    check("gcc-darwin", &[(other, &["gcc"], "", &[], &[], zig)]);
}

#[test]
fn what_pkg_config_misses_has_a_remedy() {
    if !is_amd64() {
        return;
    }
    let program = "pkg-config-missing";
    check(
        "gcc-pkg-config",
        &[(program, &["pkg-config"], "", &[], &[], "pkg-config")],
    );
    let missing = "package-missing";
    let there = "/opt/there/lib/pkgconfig";
    check(
        "gcc-package",
        &[
            (missing, &["libxml-2.0"], "", &[], &[], "libxml-2.0.pc"),
            (missing, &["frobdep"], "", &[], &[], "frobdep.pc"),
            ("package-version", &["frobpp"], "", &[], &[], "frobpp >= 9"),
            (
                missing,
                &["there"],
                &format!("{there}/there.pc"),
                &[],
                &[],
                &format!("PKG_CONFIG_PATH={there}"),
            ),
        ],
    );
}

/// A library that is there is not to be installed.
#[test]
fn a_library_that_is_there_is_to_be_found() {
    if !is_amd64() {
        return;
    }
    let cause = "library-not-loaded";
    let (dep, ver) = (
        "/home/frob/lib/libdep.so",
        "/usr/lib/x86_64-linux-gnu/libver.so.3",
    );
    check(
        "gcc-not-loaded",
        &[
            (
                cause,
                &["libdep.so"],
                dep,
                &[],
                &[],
                "-Wl,-rpath,/home/frob/lib",
            ),
            (cause, &["libver.so.3"], ver, &[], &[], "sudo ldconfig"),
            (cause, &["libnosuch.so.1"], "", &[], &[], "libnosuch.so.1"),
        ],
    );
}

/// SIGKILL has many senders.
#[test]
fn want_of_memory_is_said_where_there_is_evidence() {
    let compile: &[&str] = &["/usr/local/go/pkg/tool/linux_amd64/compile"];
    let kernel = "sudo dmesg | grep -i \"killed process\"";
    check("gcc-killed", &[("killed", compile, "", &[], &[], kernel)]);
    check(
        "gcc-killed-memory",
        &[("killed-memory", compile, "", &[], &[], "go build -p 1")],
    );
}

#[test]
fn packages_without_files_say_whether_cgo_is_why() {
    let output = explain("gcc-no-files", &["--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let causes: Vec<_> = json["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["cause"].as_str().unwrap(),
                row["subject"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("cgo-off", "/home/frob/zz"),
        ("files-excluded", "/home/frob/win"),
        ("files-excluded", "/home/frob/gone"),
    ];
    assert_eq!(causes, expected);
    assert_eq!(json["rows"][0]["files"][0]["path"], "/home/frob/zz/main.go");
    assert_eq!(
        json["rows"][1]["notes"][0]["reason"],
        "//go:build windows && !cgo"
    );
}

#[test]
fn a_library_for_arm64_alone_does_not_serve_amd64() {
    if !is_amd64() {
        return;
    }
    // The right one is there, too, and comes later in the search.
    let first = "/opt/homebrew/lib/libfrob.dylib";
    let arm64: &[&str] = &["arm64"];
    check(
        "ld64-shadowed",
        &[(
            "wrong-slice",
            &["_frob_open"],
            first,
            arm64,
            arm64,
            "/opt/frob/lib",
        )],
    );
    let first = "/home/frob/arm64/libfrob.a";
    check(
        "ld64-shadowed-absent",
        &[(
            "symbol-absent",
            &["_frob_late"],
            first,
            arm64,
            &[],
            "/opt/late/lib",
        )],
    );
    let symbols: &[&str] = &["_frob_close", "_frob_open"];
    let homebrew = "/opt/homebrew/lib/libfrob.dylib";
    let arm64: &[&str] = &["arm64"];
    check(
        "ldprime-arm64-only",
        &[(
            "wrong-slice",
            symbols,
            homebrew,
            arm64,
            arm64,
            "libfrob.dylib",
        )],
    );
    let named = "/opt/homebrew/opt/frob/lib/libfrob.dylib";
    check(
        "ld64-arm64-only-no-link-line",
        &[(
            "wrong-slice",
            &["_frob_close"],
            named,
            arm64,
            &[],
            "libfrob.dylib",
        )],
    );
    for (log, file) in [
        ("zig-arm64-archive", "/home/frob/arm64/libfrob.a"),
        ("zig-arm64-dylib", "/home/frob/dy/libfrob.dylib"),
        ("gold-arm64-archive", "/home/frob/a64/libplain.a"),
        ("gold-arm64-shared", "/home/frob/so64/libplain.so"),
        ("lld-arm64-archive", "/home/frob/a64/libplain.a"),
        ("lld-arm64-shared", "/home/frob/so64/libplain.so"),
    ] {
        let name = file.rsplit('/').next().unwrap();
        check(log, &[("wrong-slice", &[file], file, arm64, &[], name)]);
    }
    for (log, file) in [
        ("bfd-arm64-archive", "/home/frob/a64/libplain.a"),
        ("bfd-arm64-shared", "/home/frob/so64/libplain.so"),
    ] {
        let name = file.rsplit('/').next().unwrap();
        check(
            log,
            &[("wrong-slice", &["-lplain"], file, arm64, &[], name)],
        );
    }
    let amd64 = "/home/frob/sym/libfrob.a";
    check(
        "zig-x86-archive-arm64",
        &[("wrong-slice", &[amd64], amd64, &["amd64"], &[], "libfrob.a")],
    );
}

#[test]
fn a_slice_may_be_there_without_the_symbol() {
    let library = "/opt/frob/lib/libfrob.a";
    let both: &[&str] = &["amd64", "arm64"];
    check(
        "ld64-absent-from-slice",
        &[(
            "symbol-absent",
            &["_frob_close"],
            library,
            both,
            &["arm64"],
            "libfrob.a",
        )],
    );
    // In no slice at all, and another library of the line cannot be read.
    check(
        "ld64-unread",
        &[(
            "symbol-absent",
            &["_frob_reset", "__ZN4frob5resetEl"],
            library,
            both,
            &[],
            "libfrob.a",
        )],
    );
}

#[test]
fn stubs_of_all_versions_are_read() {
    let stub = |name: &str| format!("{SDK}/usr/lib/{name}.tbd");
    let (one, two, three, five) = (
        stub("libone"),
        stub("libtwo"),
        stub("libthree"),
        stub("libfive"),
    );
    let both: &[&str] = &["amd64", "arm64"];
    let old: &[&str] = &["amd64", "386"];
    check(
        "ld64-every-version",
        &[
            (
                "not-linked",
                &["_one", "_OBJC_CLASS_$_OneClass"],
                &one,
                old,
                old,
                "-lone",
            ),
            ("not-linked", &["_two"], &two, both, &["amd64"], "-ltwo"),
            (
                "not-linked",
                &["_three", "frob::close(long)"],
                &three,
                both,
                both,
                "-lthree",
            ),
            ("not-linked", &["_five"], &five, both, both, "-lfive"),
            // Of a library that the stub has inlined, for amd64 alone.
            ("not-linked", &["_inner"], &five, both, &["amd64"], "-lfive"),
            (
                "symbol-absent",
                &["_one_old"],
                &one,
                old,
                &["386"],
                "libone.tbd",
            ),
            // Re-exported by libSystem, which is linked without being named.
            (
                "symbol-absent",
                &["_extra"],
                &stub("system/libsystem_extra"),
                &["amd64", "arm64e"],
                &["arm64e"],
                "libsystem_extra.tbd",
            ),
        ],
    );
}

#[test]
fn frameworks_and_folders_are_found() {
    let security = format!("{SDK}/System/Library/Frameworks/Security.framework/Security.tbd");
    let all: &[&str] = &["amd64", "arm64", "arm64e"];
    check(
        "ld64-framework",
        &[
            (
                "not-linked",
                &["_SecItemCopyMatching"],
                &security,
                all,
                all,
                "-framework Security",
            ),
            ("unknown", &["_extra_unknown"], "", &[], &[], ""),
        ],
    );
    let frob = "/opt/homebrew/lib/libfrob.dylib";
    let flags = "-L/opt/homebrew/lib -lfrob";
    check(
        "ldprime-library-elsewhere",
        &[("library-missing", &["-lfrob"], frob, &["arm64"], &[], flags)],
    );
    check(
        "zig-nolib",
        &[
            ("library-missing", &["-lnosuch"], "", &[], &[], "libnosuch"),
            ("library-missing", &["-lresolv"], "", &[], &[], "libresolv"),
        ],
    );
}

#[test]
fn linkers_of_linux() {
    if !is_amd64() {
        return;
    }
    let amd64: &[&str] = &["amd64"];
    let system = "/usr/lib/x86_64-linux-gnu";
    let scripted = format!("{system}/libscripted.so.1");
    let versioned = format!("{system}/libver.so.3");
    let cpp: &[&str] = &["frob::Box::open(int, char const*)", "frob::close(long)"];
    for linker in ["bfd", "gold", "lld"] {
        check(
            &format!("{linker}-cpp"),
            &[
                ("not-linked", cpp, &scripted, amd64, amd64, "-lscripted"),
                (
                    "not-linked",
                    &["plain"],
                    &versioned,
                    amd64,
                    amd64,
                    "libver.so",
                ),
            ],
        );
        let inner = format!("{system}/libinner.so");
        check(
            &format!("{linker}-needed"),
            &[("not-linked", &["inner"], &inner, amd64, amd64, "-linner")],
        );
    }
    for linker in ["bfd", "lld"] {
        check(
            &format!("{linker}-library"),
            &[(
                "library-missing",
                &["-lver"],
                &versioned,
                amd64,
                &[],
                "libver.so",
            )],
        );
    }
    let archive = "/home/frob/lib/libord.a";
    check(
        "bfd-order",
        &[("link-order", &["plain"], archive, amd64, amd64, "-lord")],
    );
    let inner = "/home/frob/lib/libinner.so";
    check(
        "bfd-dso",
        &[("not-linked", &["inner"], inner, &[], &[], "-linner")],
    );
    let library = "/home/frob/lib/libfrobpp.so";
    check(
        "bfd-c-or-cpp",
        &[("c-or-cpp", &["plain"], library, amd64, &[], "plain(int)")],
    );
}

#[test]
fn what_does_not_run() {
    let frob = "/opt/homebrew/lib/libfrob.dylib";
    check(
        "dyld-not-loaded",
        &[
            (
                "wrong-slice",
                &["@rpath/libfrob.dylib"],
                frob,
                &["arm64"],
                &[],
                "libfrob.dylib",
            ),
            (
                "symbol-not-bound",
                &["_frob_reset", frob],
                "",
                &[],
                &[],
                frob,
            ),
        ],
    );
    let codesign = "codesign --force --sign - /opt/frob/bin/frob";
    check(
        "killed",
        &[
            (
                "killed-signature",
                &["/opt/frob/bin/frob"],
                "",
                &[],
                &[],
                codesign,
            ),
            (
                "killed-signature",
                &[],
                "",
                &[],
                &[],
                "codesign --force --sign - PROGRAM",
            ),
        ],
    );
    check(
        "go-body-missing",
        &[("go-body-missing", &["main.sum"], "", &[], &[], "main.sum")],
    );
}
