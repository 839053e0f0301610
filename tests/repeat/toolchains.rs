//! Toolchains as configurations. Those of a foreign architecture are scripts that say they are.

use crate::series::settings;
use crate::traced::{Place, go, path_with, stderr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const HOST: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};
const GUEST: &str = if cfg!(target_arch = "aarch64") {
    "amd64"
} else {
    "arm64"
};

/// A folder with a `bin/go` that answers `go env` as one of this architecture.
fn toolchain(place: &Place, name: &str, arch: &str) -> String {
    let root = place.path(name);
    std::fs::create_dir_all(root.join("bin")).unwrap();
    let go = root.join("bin/go");
    let text = format!(
        "#!/bin/sh\necho '{{\"GOVERSION\": \"go1.99\", \"GOROOT\": \"{}\", \"GOHOSTARCH\": \"{arch}\", \"GOARCH\": \"'${{GOARCH:-{arch}}}'\"}}'\n",
        root.display()
    );
    std::fs::write(&go, text).unwrap();
    std::fs::set_permissions(&go, PermissionsExt::from_mode(0o755)).unwrap();
    root.display().to_string()
}

/// Runs a series that notes what its environment is, and returns the notes and what was said.
fn noted(place: &Place, flags: &[&str], variables: &[(&str, &str)]) -> (Vec<String>, String) {
    let script = "echo \"$(command -v go) $GOARCH $CGO_ENABLED $GOTOOLCHAIN $GOFLAGS\" >>seen";
    let mut all = vec!["-n", "1", "--warm-up", "0", "--backend", "toolexec"];
    all.extend(flags);
    let mut run = place.repeat(&all, &["sh", "-c", script]);
    run.envs(variables.iter().copied());
    let output = run.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = std::fs::read_to_string(place.path("work/seen")).unwrap();
    let words = |line: &str| {
        let of_user = line.split(" \"-toolexec").next().unwrap();
        let of_user = of_user.split(" -debug-actiongraph").next().unwrap();
        of_user.trim_end().replace("-trimpath", "T")
    };
    (seen.lines().map(words).collect(), stderr(&output))
}

#[test]
fn a_native_and_a_translated_one_build_for_the_same_target() {
    let place = Place::new();
    let native = toolchain(&place, "native", HOST);
    let guest = toolchain(&place, "guest", GUEST);
    let flags = [
        "--toolchain",
        &native,
        "--toolchain",
        &format!("{guest}/bin/go"),
    ];
    let (seen, said) = noted(&place, &flags, &[("GOROOT", "/elsewhere")]);
    let line = |root: &str| format!("{root}/bin/go {GUEST} 0 local T");
    assert_eq!(seen, [line(&native), line(&guest)]);
    assert!(said.contains(&format!(
        "every toolchain builds for {GUEST}, with CGO_ENABLED=0"
    )));
    for (arch, root) in [(HOST, native), (GUEST, guest)] {
        let settings = settings(&place.run_of(&format!("go1.99-{arch}/1.gotrace")));
        assert_eq!(settings["repeat.target"], GUEST);
        assert_eq!(settings["repeat.toolchain"], format!("{root}/bin/go"));
    }
}

#[test]
fn the_target_is_left_to_who_has_chosen_one() {
    for (flags, variables, expected) in [
        (&["--target", "own"][..], &[][..], "  local"),
        (&["--target", "riscv64"], &[], "riscv64 0 local T"),
        (&[], &[("GOARCH", "riscv64")], "riscv64  local"),
    ] {
        let place = Place::new();
        let native = toolchain(&place, "native", HOST);
        let guest = toolchain(&place, "guest", GUEST);
        let mut all = vec![
            "--toolchain",
            native.as_str(),
            "--toolchain",
            guest.as_str(),
        ];
        all.extend(flags);
        let (seen, _) = noted(&place, &all, variables);
        let line = |root: &str| format!("{root}/bin/go {expected}").trim_end().to_owned();
        assert_eq!(seen, [line(&native), line(&guest)], "{flags:?}");
    }
}

#[test]
fn the_alternative_to_translation_is_a_configuration_of_its_own() {
    let place = Place::new();
    let native = toolchain(&place, "native", HOST);
    let guest = toolchain(&place, "guest", GUEST);
    let flags = [
        "--toolchain",
        &native,
        "--toolchain",
        &guest,
        "--target",
        "own",
        "--cross-compile",
    ];
    let (seen, _) = noted(&place, &flags, &[]);
    let expected = [
        format!("{native}/bin/go   local"),
        format!("{guest}/bin/go   local"),
        format!("{native}/bin/go {GUEST} 0 local T"),
    ];
    assert_eq!(seen, expected);
    place.run_of(&format!("go1.99-{HOST}-cross-{GUEST}/1.gotrace"));

    // With the same target for all, the native one is that already.
    let place = Place::new();
    let native = toolchain(&place, "native", HOST);
    let guest = toolchain(&place, "guest", GUEST);
    let flags = [
        "--toolchain",
        &native,
        "--toolchain",
        &guest,
        "--cross-compile",
    ];
    let (seen, said) = noted(&place, &flags, &[]);
    assert_eq!(seen.len(), 2);
    assert!(
        said.contains(&format!("go1.99-{HOST} is the cross-compiling one")),
        "{said}"
    );
}

#[test]
fn toolchains_that_are_none_are_refused_by_name() {
    let place = Place::new();
    let native = toolchain(&place, "native", HOST);
    std::fs::create_dir(place.path("empty")).unwrap();
    let broken = toolchain(&place, "broken", HOST);
    std::fs::write(
        PathBuf::from(&broken).join("bin/go"),
        "#!/bin/sh\necho no\n",
    )
    .unwrap();
    let empty = place.path("empty").display().to_string();
    let by_path = format!("{native}/bin/go");
    for (toolchain, command, code, words) in [
        ("/no/such/go", "go", 3, "/no/such/go: no go command there"),
        (&empty, "go", 3, "empty: no go command there"),
        (&broken, "go", 3, "printed no JSON"),
        (&native, &by_path, 2, "bin/go: expected go alone"),
    ] {
        let flags = ["-n", "1", "--toolchain", toolchain];
        let output = place
            .repeat(&flags, &[command, "version"])
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!place.path("series").exists());
    }
}

#[test]
fn toolchains_in_two_places_build_the_same_bytes() {
    let Some(go) = go() else { return };
    let place = Place::new();
    crate::traced::sample("hello", &place.path("work"));
    let mut env = place.command(&go);
    let root = env.args(["env", "GOROOT"]).output().unwrap().stdout;
    let root = String::from_utf8(root).unwrap().trim_end().to_owned();
    let other = place.path("other");
    std::os::unix::fs::symlink(&root, &other).unwrap();
    let other = other.display().to_string();
    let flags = [
        "-n",
        "1",
        "--warm-up",
        "0",
        "--toolchain",
        &root,
        "--toolchain",
        &other,
        "--target",
        HOST,
    ];
    let mut run = place.repeat(&flags, &["go", "build", "-o", "../built", "."]);
    run.env("PATH", path_with(&go));
    run.env("GOCACHE", crate::traced::warm_cache());
    let output = run.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let hashes = place.files().into_iter().map(|name| {
        let trace = place.run_of(&name);
        settings(&trace)["output.sha256.../built"].clone()
    });
    let hashes: Vec<String> = hashes.collect();
    assert_eq!(hashes.len(), 2);
    assert_eq!(hashes[0], hashes[1]);
}
