//! What a traced build has compiled, a plain one need not compile again, and the other way round.

use crate::traced::{Place, argv, go, path_with, sample, stderr, warm_cache, ways_to_see_builds};
use std::path::Path;
use std::process::Command;

/// Packages that a build compiled, as `go build -v` names them.
fn compiled(build: &mut Command, go: &Path) -> Vec<String> {
    let output = build
        .env("PATH", path_with(go))
        .env("GOCACHE", warm_cache())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output).lines().map(str::to_owned).collect()
}

#[test]
fn builds_are_cached_across_tracing_and_not_tracing() {
    let Some(go) = go() else { return };
    let place = Place::new();
    sample("diamond", &place.path("work"));
    let build = ["go", "build", "-v", "-o", "../out/", "./..."];
    let plain = || {
        let mut plain = place.command(build[0]);
        plain.args(&build[1..]);
        plain
    };
    for way in ways_to_see_builds() {
        let flags = [way[0], way[1], "--quiet"];
        for traced_first in [true, false] {
            let changed = place.path("work/units/units.go");
            let before = std::fs::read_to_string(&changed).unwrap();
            std::fs::write(&changed, before + "\n// changed\nvar _ = 1\n").unwrap();
            let mut builds = [place.run(&flags, &build), plain()];
            if !traced_first {
                builds.reverse();
            }
            let [mut first, mut second] = builds;
            let packages = compiled(&mut first, &go);
            assert!(
                packages.iter().any(|name| name.ends_with("/units")),
                "{packages:?}"
            );
            let files = || {
                let files = std::fs::read_dir(place.path("out")).unwrap();
                let mut files: Vec<_> = files
                    .map(|file| std::fs::read(file.unwrap().path()).unwrap())
                    .collect();
                files.sort();
                files
            };
            let built = files();
            std::fs::remove_dir_all(place.path("out")).unwrap();
            assert_eq!(compiled(&mut second, &go), [""; 0], "{flags:?}");
            assert!(files() == built, "{flags:?}: the executables differ");
            let trace = place.trace();
            let compiles = trace.processes.iter().filter(|row| {
                let words = argv(&trace, row);
                words[0].ends_with(b"/compile") && words.get(1).is_none_or(|w| w != b"-V=full")
            });
            assert_eq!(compiles.count() > 0, traced_first, "{flags:?}");
        }
    }
}
