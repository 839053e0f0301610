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
