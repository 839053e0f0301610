//! Cold runs: what is built in them, and that no file of the user's is touched for that.

use crate::series::settings;
use crate::traced::{Place, argv, go, path_with, stderr, warm_cache};
use gotrace::trace::Trace;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

/// Linkers that linked.
fn links(trace: &Trace) -> usize {
    let links = trace.processes.iter().filter(|row| {
        let words = argv(trace, row);
        words[0].ends_with(b"/link") && words.get(1).is_none_or(|word| word != b"-V=full")
    });
    links.count()
}

/// A program that is up to date is neither compiled nor linked, whatever the cache holds: a `go
/// build` is told to build it again, of a script it is said that it lacks the link.
#[test]
fn a_cold_run_links_what_is_up_to_date_or_says_that_it_does_not() {
    let Some(go) = go() else { return };
    let place = Place::new();
    let work = place.path("work");
    std::fs::write(work.join("go.mod"), "module example.com/tiny\n\ngo 1.21\n").unwrap();
    std::fs::write(work.join("main.go"), "package main\n\nfunc main() {}\n").unwrap();
    let build = ["go", "build", "-o", "tiny", "."];
    let mut first = place.command(&go);
    first.args(&build[1..]).env("GOCACHE", warm_cache());
    assert!(first.status().unwrap().success());
    let built = std::fs::read(work.join("tiny")).unwrap();
    let inode = std::fs::metadata(work.join("tiny")).unwrap().ino();

    let flags = ["--backend", "toolexec", "-n", "1", "--cold", "--warm-up=0"];
    let mut script = place.repeat(&flags, &["sh", "-c", &build.join(" ")]);
    let output = script.env("PATH", path_with(&go)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(links(&place.run_of("1.gotrace")), 0);
    let same = std::fs::metadata(work.join("tiny")).unwrap().ino();
    assert_eq!(same, inode);
    let said = stderr(&output);
    assert!(said.contains("tiny was not linked in 1 run: "), "{said}");
    assert!(said.contains("hint: let the command remove it first: sh -c 'rm -f tiny &&"));
    let mut show = place.command(env!("CARGO_BIN_EXE_gotrace"));
    let shown = show.arg("show").arg(place.path("series/1.gotrace"));
    let shown = String::from_utf8(shown.output().unwrap().stdout).unwrap();
    assert!(shown.contains("the link of tiny"), "{shown}");

    std::fs::remove_dir_all(place.path("series")).unwrap();
    let mut alone = place.repeat(&flags, &build);
    let output = alone.env("PATH", path_with(&go)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(!said.contains("not linked"), "{said}");
    let trace = place.run_of("1.gotrace");
    assert_eq!(links(&trace), 1);
    assert!(settings(&trace)["added.GOFLAGS"].starts_with("-a "));
    assert_eq!(std::fs::read(work.join("tiny")).unwrap(), built);
}

#[test]
fn a_cache_that_cannot_be_removed_is_named() {
    let place = Place::new();
    let flags = ["-n", "1", "--cold", "--warm-up=0"];
    let script = "rmdir \"$GOCACHE\" && touch \"$GOCACHE\"";
    let output = place
        .repeat(&flags, &["sh", "-c", script])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let [left] = &place.temporary()[..] else {
        panic!("{:?}", place.temporary())
    };
    let words = format!("{}: the cache of a run is left there: ", left.display());
    assert!(stderr(&output).contains(&words), "{}", stderr(&output));

    // What is gone already need not be removed.
    std::fs::remove_file(left).unwrap();
    std::fs::remove_dir_all(place.path("series")).unwrap();
    let output = place
        .repeat(&flags, &["sh", "-c", "rmdir \"$GOCACHE\""])
        .output()
        .unwrap();
    assert!(
        !stderr(&output).contains("left there"),
        "{}",
        stderr(&output)
    );
}

/// A series without `-o` goes where the user who called sudo finds it, and may read it.
#[test]
fn under_sudo_a_series_belongs_to_the_user() {
    const GAMES: u32 = 5;
    let user = nix::unistd::User::from_uid(GAMES.into()).ok().flatten();
    let (true, Some(user)) = (nix::unistd::Uid::effective().is_root(), user) else {
        println!("skipped: only root can be called by sudo, and by a user that there is");
        return;
    };
    let place = Place::new();
    let mut repeat = place.command(env!("CARGO_BIN_EXE_gotrace"));
    repeat.args(["repeat", "-n", "1", "--warm-up=0", "--", "/bin/true"]);
    repeat.env("SUDO_UID", GAMES.to_string());
    let state = place.path("state");
    let output = repeat.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let folder = state.join("gotrace");
    let [series] = &std::fs::read_dir(&folder).unwrap().collect::<Vec<_>>()[..] else {
        panic!("one series")
    };
    let series = series.as_ref().unwrap().path();
    for path in [series.clone(), series.join("1.gotrace")] {
        assert_eq!(std::fs::metadata(path).unwrap().uid(), user.uid.as_raw());
    }
    // Without XDG_STATE_HOME it is below the home of that user, not below root's.
    let mut repeat = place.command(env!("CARGO_BIN_EXE_gotrace"));
    repeat.args(["repeat", "-n", "1", "--warm-up=0", "--", "/bin/true"]);
    repeat
        .env("SUDO_UID", GAMES.to_string())
        .env_remove("XDG_STATE_HOME");
    let output = repeat.output().unwrap();
    let home = place.path("home/.local/state/gotrace");
    assert!(!home.exists(), "{}", stderr(&output));
}

/// What was written on a disk that is full then is no run.
#[test]
fn a_trace_that_cannot_be_finished_is_no_run() {
    let place = Place::new();
    // No file of gotrace's may grow beyond 2 KiB: the disk of this process is full.
    let mut shell = place.command("bash");
    let gotrace = env!("CARGO_BIN_EXE_gotrace");
    shell.args(["-c", "ulimit -f 2; exec \"$@\"", "bash", gotrace, "repeat"]);
    shell.args(["-n", "2", "--warm-up=0", "--backend", "toolexec", "-o"]);
    shell.arg(place.path("series")).args(["--", "true"]);
    // Arguments are a part of the trace, and digits that do not repeat take some space.
    let mut number = 1_u64;
    shell.args((0..3_000).map(|_| {
        number = number * 48_271 % 2_147_483_647;
        (number % 100_000).to_string()
    }));
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("run 1 of 2: what there is of its trace is "),
        "{said}"
    );
    assert_eq!(place.files(), ["1.failed"]);
}

/// The build names the files whose hashes are taken. Under sudo that must not have root read what
/// the user who called it may not.
#[test]
fn under_sudo_only_the_users_own_files_are_read() {
    const NOBODY: u32 = 65_534;
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: only root can be called by sudo");
        return;
    }
    let place = Place::new();
    let work = place.path("work");
    for folder in [place.path(""), work.clone()] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (name, owner) in [("own", NOBODY), ("secret", 0)] {
        std::fs::write(work.join(name), name).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(work.join(name), mode).unwrap();
        chown(work.join(name), Some(owner), None).unwrap();
    }
    symlink("secret", work.join("link")).unwrap();
    symlink("own", work.join("own-link")).unwrap();
    // A go command that claims to have built all of these.
    let names = ["own", "own-link", "secret", "link", "none"];
    let nodes = names.iter().enumerate().map(|(number, name)| {
        let path = work.join(name);
        let time = "2026-11-28T23:19:19Z";
        serde_json::json!({"ID": number, "Mode": "link-install", "Target": path, "TimeDone": time})
    });
    let graph = serde_json::Value::Array(nodes.collect()).to_string();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = build ] || exit 1\npath=${{GOFLAGS##*-debug-actiongraph=}}\n\
         echo '{graph}' >\"${{path%% *}}\"\n"
    );
    let bin = place.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("go"), script).unwrap();
    std::fs::set_permissions(bin.join("go"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let hashed = |sudo: bool| {
        drop(std::fs::remove_dir_all(place.path("series")));
        let flags = ["--backend", "toolexec", "-n", "1", "--warm-up=0"];
        let mut run = place.repeat(&flags, &["go", "build"]);
        run.env("PATH", path_with(&bin.join("go")));
        if sudo {
            run.env("SUDO_UID", NOBODY.to_string());
        }
        let output = run.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let settings = settings(&place.run_of("1.gotrace"));
        let hashes = settings.into_iter().filter_map(|(key, hash)| {
            let path = key.strip_prefix("output.sha256.")?.to_owned();
            let name = Path::new(&path).file_name()?.to_str()?.to_owned();
            Some((name, hash))
        });
        hashes.collect::<Vec<_>>()
    };
    let sum = |name: &str| {
        let sum = Command::new("sha256sum").arg(work.join(name)).output();
        let sum = String::from_utf8(sum.unwrap().stdout).unwrap();
        (name.to_owned(), sum.split(' ').next().unwrap().to_owned())
    };
    assert_eq!(hashed(true), ["own", "own-link"].map(sum));
    assert_eq!(
        hashed(false),
        ["link", "own", "own-link", "secret"].map(sum)
    );
}
