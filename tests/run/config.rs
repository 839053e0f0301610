//! `gotrace.toml` and `GOTRACE_*` from outside: what a trace says of where its settings come from,
//! what is refused before the command runs, and that nothing gives a secret back.

use crate::traced::{Place, stderr};
use gotrace::trace::Trace;
use std::fs;
use std::process::Output;

const TOOLEXEC: [&str; 2] = ["--backend", "toolexec"];

/// Writes the user's file.
fn write_users(place: &Place, text: &str) {
    let folder = place.path("home/.config/gotrace");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("gotrace.toml"), text).unwrap();
}

/// Writes the file of the repository that the working folder is the root of.
fn write_repositorys(place: &Place, text: &str) {
    fs::create_dir_all(place.path("work/.git")).unwrap();
    fs::write(place.path("work/gotrace.toml"), text).unwrap();
}

/// A setting of a trace, with its source.
fn setting(trace: &Trace, key: &str) -> Option<(String, String)> {
    let mut settings = trace.settings.iter();
    let found = settings.find(|setting| trace.text(setting.key) == key)?;
    let text = |id| trace.text(id).into_owned();
    Some((text(found.value), text(found.source)))
}

fn refused(place: &Place, flags: &[&str]) -> String {
    let output: Output = place.run(flags, &["touch", "ran"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert!(!place.path("work/ran").exists());
    assert!(!place.path("trace").exists());
    stderr(&output)
}

#[test]
fn values_come_from_the_nearest_place_and_the_trace_says_which() {
    let place = Place::new();
    write_users(
        &place,
        "backend = \"toolexec\"\nprofile = true\noff-cpu = true\n",
    );
    write_repositorys(&place, "off-cpu = false\n");
    let sources = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut run = place.run(flags, &["true"]);
        run.envs(variables.iter().copied());
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        ["backend", "profile", "off_cpu"].map(|key| setting(&trace, key).unwrap())
    };
    let pair = |value: &str, source: String| (value.to_owned(), source);
    let user = place.path("home/.config/gotrace/gotrace.toml");
    let user = |line: usize| format!("{}:{line}", user.display());
    let repository = format!("{}:1", place.path("work/gotrace.toml").display());
    assert_eq!(
        sources(&[], &[]),
        [
            pair("toolexec,actiongraph", user(1)),
            pair("true", user(2)),
            pair("false", repository.clone()),
        ]
    );
    assert_eq!(
        sources(&["--profile=no"], &[("GOTRACE_BACKEND", "toolexec")]),
        [
            pair(
                "toolexec,actiongraph",
                "environment, GOTRACE_BACKEND".to_owned()
            ),
            pair("false", "command line".to_owned()),
            pair("false", repository),
        ]
    );
    assert_eq!(
        sources(&["--no-config", "--backend", "toolexec"], &[]),
        [
            pair("toolexec,actiongraph", "command line".to_owned()),
            pair("false", "default".to_owned()),
            pair("false", "default".to_owned()),
        ]
    );
}

#[test]
fn what_is_wrong_keeps_the_command_from_being_started() {
    let place = Place::new();
    write_repositorys(&place, "\nbackend = \"bpf\"\n");
    let file = place.path("work/gotrace.toml");
    let expected = format!(
        "gotrace: {}:2: backend: a repository's file cannot set it, the user's can\nhint: --no-config reads no gotrace.toml\n",
        file.display()
    );
    assert_eq!(refused(&place, &[]), expected);
    // A folder below, too, and the environment alike.
    fs::remove_file(&file).unwrap();
    let mut run = place.run(&[], &["true"]);
    let output = run.env("GOTRACE_RATE", "fast").output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("GOTRACE_RATE: expected a whole number"));
    // What leads elsewhere is not followed: a line of it would be shown.
    fs::write(place.path("secret"), "password of somebody").unwrap();
    std::os::unix::fs::symlink(place.path("secret"), &file).unwrap();
    let said = refused(&place, &[]);
    assert!(
        said.contains("expected a plain file, found a link"),
        "{said}"
    );
    assert!(!said.contains("password"), "{said}");
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let said = refused(&place, &[]);
    assert!(said.contains("found a pipe or a device"), "{said}");

    let flags = [&TOOLEXEC[..], &["--no-config"]].concat();
    let output = place.run(&flags, &["touch", "ran"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(place.path("work/ran").exists());
}

#[test]
fn what_a_file_hides_is_in_no_trace_and_nothing_shows_secrets_again() {
    let place = Place::new();
    write_users(&place, "redact = [\"licence\"]\n");
    write_repositorys(&place, "redact = [\"deploy\"]\n");
    let script = [
        "true",
        "--licence-key=first",
        "--deploy",
        "second",
        "--token=third",
        "--plain=kept",
    ];
    for way in crate::traced::ways_to_see_builds() {
        let mut run = place.run(&way, &script);
        let output = run.env("GO_LICENCE", "fourth").output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        let ids = (0..trace.strings.len()).filter_map(|id| u32::try_from(id).ok());
        let texts = ids.map(|id| trace.text(gotrace::trace::StringId(id)).into_owned());
        let texts = texts.collect::<Vec<_>>().join("\n");
        for secret in ["first", "second", "third", "fourth"] {
            assert!(!texts.contains(secret), "{way:?}: {secret}");
        }
        assert!(texts.contains("--plain=kept"), "{way:?}");
        let (names, source) = setting(&trace, "redact").unwrap();
        assert_eq!(names, "deploy,licence");
        assert_eq!(source.matches("gotrace.toml:1").count(), 2, "{source}");
    }
}

#[test]
fn doctor_names_the_files_in_force() {
    let place = Place::new();
    let doctor = || {
        let mut doctor = place.command(env!("CARGO_BIN_EXE_gotrace"));
        let output = doctor.arg("doctor").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let line = |text: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.contains(" config ")).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line(&doctor()), "ok config no gotrace.toml is in force");
    write_users(&place, "rate = 99\n");
    write_repositorys(&place, "rate = 10000000\n");
    let said = doctor();
    let user = place.path("home/.config/gotrace/gotrace.toml");
    let expected = format!("ok config {}, yours: rate = 99", user.display());
    assert_eq!(line(&said), expected);
    let repository = place.path("work/gotrace.toml");
    assert!(
        said.contains(&format!("because      {}:1: rate: ", repository.display())),
        "{said}"
    );
    assert!(said.contains("gotrace run --no-config"), "{said}");
}
