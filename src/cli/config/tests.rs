//! What holds of what is set in several places, and what is refused, with its line.

use super::*;
use std::fs;

const HOME: &str = "/home/me/.config/gotrace/gotrace.toml";
const ROOT: &str = "/src/gotrace.toml";

fn read(owner: Owner, text: &str) -> Result<Vec<Stated>, String> {
    let path = match owner {
        Owner::User => HOME,
        Owner::Repository => ROOT,
    };
    file::read(Path::new(path), text, owner).map_err(|error| error.to_string())
}

/// What holds of the user's file, the repository's, and the environment.
fn config(user: &str, repository: &str, variables: &[(&str, &str)]) -> Config {
    let files = [(Owner::User, user), (Owner::Repository, repository)];
    let files = files.map(|(owner, text)| (owner, read(owner, text).unwrap()));
    let variable = |name: &str| {
        let found = variables.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| OsString::from(value))
    };
    Config::of(files.into(), of_environment(variable).unwrap())
}

/// The value of a key, and where it is from.
fn told(config: &Config, key: Key) -> Option<(String, String)> {
    let stated = config.stated(key)?;
    Some((stated.value.to_string(), stated.source.to_string()))
}

fn some(value: &str, source: &str) -> Option<(String, String)> {
    Some((value.to_owned(), source.to_owned()))
}

#[test]
fn flags_win_over_the_environment_and_that_over_files() {
    let user =
        "# mine\nrate = 99\nbackend = \"toolexec,bpf\"\nprobe-sets = [\"gc\"]\noff-cpu = true\n";
    let config = config(user, "rate = 50", &[("GOTRACE_BACKEND", "toolexec")]);
    assert_eq!(told(&config, Key::Rate), some("50", "/src/gotrace.toml:1"));
    assert_eq!(
        told(&config, Key::Backend),
        some("toolexec", "environment, GOTRACE_BACKEND")
    );
    let of_user = some(r#"["gc"]"#, "/home/me/.config/gotrace/gotrace.toml:4");
    assert_eq!(told(&config, Key::ProbeSets), of_user);
    assert_eq!(told(&config, Key::MaxTax), None);

    let mut choices = config.choices();
    assert_eq!(choices.rate(Some(7)), Some(7));
    assert!(!choices.switch(Key::OffCpu, Some(false)));
    assert!(!choices.switch(Key::Bindings, None));
    assert_eq!(choices.max_tax(None), MaxTax::default());
    let sources = choices.into_sources();
    assert_eq!(sources["rate_hz"], "command line");
    assert_eq!(sources["off_cpu"], "command line");
    // Nobody said anything of those.
    assert_eq!(sources.get("bindings"), None);
    assert_eq!(sources.get("max_tax"), None);
}

#[test]
fn a_repository_can_only_take_away() {
    let holds = |user: &str, repository: &str, key| {
        told(&config(user, repository, &[]), key).map(|(value, _)| value)
    };
    let value = |text: &str| Some(text.to_owned());
    // Less than the default, or than what the user wants; and never more.
    assert_eq!(holds("", "rate = 10", Key::Rate), value("10"));
    assert_eq!(holds("", "rate = 10000", Key::Rate), None);
    assert_eq!(holds("rate = 50", "rate = 99", Key::Rate), value("50"));
    assert_eq!(holds("rate = 999", "rate = 500", Key::Rate), value("500"));
    assert_eq!(holds("", r#"max-tax = "1%""#, Key::MaxTax), value("1%"));
    assert_eq!(holds("", r#"max-tax = "off""#, Key::MaxTax), None);
    let user = r#"max-tax = "off""#;
    assert_eq!(holds(user, r#"max-tax = "30%""#, Key::MaxTax), value("30%"));
    assert_eq!(
        holds("off-cpu = true", "off-cpu = false", Key::OffCpu),
        value("false")
    );
    assert_eq!(holds("", "probes = false", Key::Probes), value("false"));
    assert_eq!(
        holds("", "entries-only = true", Key::EntriesOnly),
        value("true")
    );

    for (text, complaint) in [
        (
            "off-cpu = true",
            "off-cpu: a repository's file can only set it to false, found true",
        ),
        (
            "profile = true",
            "profile: a repository's file can only set it to false, found true",
        ),
        (
            "bindings = true",
            "bindings: a repository's file can only set it to false, found true",
        ),
        (
            "probes = true",
            "probes: a repository's file can only set it to false, found true",
        ),
        (
            "entries-only = false",
            "entries-only: a repository's file can only set it to true, found false",
        ),
        (
            "backend = \"bpf\"",
            "backend: a repository's file cannot set it, the user's can",
        ),
        (
            "probe-sets = [\"gc\"]",
            "probe-sets: a repository's file cannot set it, the user's can",
        ),
        (
            "call-mode = \"aggregate\"",
            "call-mode: a repository's file cannot set it, the user's can",
        ),
        (
            "call-depth = 3",
            "call-depth: a repository's file cannot set it, the user's can",
        ),
        (
            "call-inside = \"main.f\"",
            "call-inside: a repository's file cannot set it, the user's can",
        ),
        (
            "call-from = \"main.f\"",
            "call-from: a repository's file cannot set it, the user's can",
        ),
        (
            "call-to = \"main.f\"",
            "call-to: a repository's file cannot set it, the user's can",
        ),
    ] {
        let error = read(Owner::Repository, &format!("\n{text}")).unwrap_err();
        assert_eq!(error, format!("{ROOT}:2: {complaint}"));
        assert!(read(Owner::User, text).is_ok(), "{text}");
    }
}

#[test]
fn what_is_hidden_can_only_grow() {
    let hidden = |config: &Config| config.choices().redaction();
    let all = config(
        "redact = [\"licence\"]",
        "redact = [\"deploy\"]",
        &[("GOTRACE_REDACT", "corp")],
    );
    let expected = Redaction::with(["licence", "deploy", "corp"].into_iter());
    assert_eq!(hidden(&all), expected);
    let sources = all.choices().into_sources();
    assert_eq!(
        sources["redact"],
        format!("{HOME}:1, {ROOT}:1, environment, GOTRACE_REDACT")
    );
    // An empty list takes nothing back.
    let kept = config("redact = [\"licence\"]", "redact = []", &[]);
    assert_eq!(hidden(&kept), Redaction::with(["licence"].into_iter()));
    for bad in [
        "redact = false",
        "redact = \"off\"",
        "redact = [\"\"]",
        "redact = [\"o\"]",
        "redact = [1]",
    ] {
        for owner in [Owner::User, Owner::Repository] {
            let error = read(owner, bad).unwrap_err();
            assert!(
                error.contains("redact: expected a list of parts of names"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_limit_in_a_file_is_not_for_functions_that_were_named() {
    let mut choices = config(r#"max-tax = "2%""#, "", &[]);
    let limit = choices.choices().max_tax(None);
    assert_eq!(limit.share, Some(0.02));
    assert!(!limit.named_too);
    choices = Config::default();
    let limit = choices.choices().max_tax("2%".parse().ok());
    assert!(limit.named_too);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, complaint) in [
        (
            "rate = 99\nrte = 1",
            2,
            r#"no key is called "rte"; did you mean rate?"#,
        ),
        (
            "probe_sets = []",
            1,
            r#"no key is called "probe_sets"; did you mean probe-sets?"#,
        ),
        (
            "output = \"/tmp/x\"",
            1,
            "no key is called \"output\": expected one of rate, backend, off-cpu, profile, bindings, probes, probe-sets, entries-only, max-tax, call-mode, call-depth, call-inside, call-from, call-to, redact",
        ),
        (
            "\n\nrate = \"fast\"",
            3,
            "rate: expected a whole number from 0 to 10000, of samples a second and core, found \"fast\"",
        ),
        (
            "rate = 10001",
            1,
            "rate: expected a whole number from 0 to 10000, of samples a second and core, found 10001",
        ),
        (
            "rate = 1.5",
            1,
            "rate: expected a whole number from 0 to 10000, of samples a second and core, found a number with a fraction",
        ),
        (
            "profile = \"force\"",
            1,
            "profile: expected true or false, found \"force\"",
        ),
        (
            "max-tax = 4",
            1,
            "max-tax: expected a percentage as a string, like \"4%\", or \"off\", found 4",
        ),
        (
            "backend = \"perf\"",
            1,
            "backend: expected a string: auto, or a comma list of bpf, mach, toolexec, patch, audit, dyldlog and dtrace, found \"perf\"",
        ),
        (
            "probe-sets = [\n  \"./evil.toml\",\n]",
            1,
            "probe-sets: expected a list of sets that gotrace comes with, of go-build, compile-passes, gc, sched, found [\"./evil.toml\"]",
        ),
        (
            "[rate]\nhz = 1",
            1,
            "rate: expected a whole number from 0 to 10000, of samples a second and core, found a table",
        ),
    ] {
        let error = read(Owner::User, text).unwrap_err();
        assert_eq!(error, format!("{HOME}:{line}: {complaint}"), "{text}");
    }
    // What is no TOML at all, and a key that is there twice.
    for (text, line) in [("rate = 1\nrate = 2", 2), ("rate = ", 1), ("a\nb", 1)] {
        let error = read(Owner::User, text).unwrap_err();
        assert!(error.starts_with(&format!("{HOME}:{line}: ")), "{error}");
    }
    // However long it is, and whatever is in it, the complaint is one short line.
    let long = format!("{}\u{7}\u{1b} = 1", "x".repeat(10_000));
    for text in [
        format!("\"{}\" = 1", "x".repeat(10_000)),
        format!("backend = \"{}\"", "\u{202e}y".repeat(9_000)),
        long,
    ] {
        let error = read(Owner::User, &text).unwrap_err();
        assert!(
            error.len() < 400 && !error.contains(['\n', '\u{1b}', '\u{202e}']),
            "{error}"
        );
    }
}

#[test]
fn what_is_wrong_with_how_calls_are_recorded_is_told() {
    for (text, line, complaint) in [
        (
            "call-mode = \"often\"",
            1,
            "call-mode: expected a string: \"full\", \"aggregate\", or \"longer=TIME\", like \"longer=10us\", found \"often\"",
        ),
        (
            "call-depth = 0",
            1,
            "call-depth: expected a whole number from 1 on, of levels of calls, found 0",
        ),
        (
            "call-depth = 4294967296",
            1,
            "call-depth: expected a whole number from 1 on, of levels of calls, found 4294967296",
        ),
        (
            "call-inside = \"\"",
            1,
            "call-inside: expected the name of a function as a string, or a glob of names, found \"\"",
        ),
        (
            "call-to = [\"main.f\"]",
            1,
            "call-to: expected the name of a function as a string, or a glob of names, found [\"main.f\"]",
        ),
    ] {
        let error = read(Owner::User, text).unwrap_err();
        assert_eq!(error, format!("{HOME}:{line}: {complaint}"), "{text}");
    }
    let config = config(
        "call-mode = \"longer=2us\"\ncall-from = \"main.a\"",
        "",
        &[],
    );
    let error = config.choices().call_mode().unwrap_err();
    let expected = format!("{HOME}:2: call-from: expected call-to beside it, found none");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_environment_is_checked_alike() {
    let of = |name: &str, value: &str| {
        let variable = |asked: &str| (asked == name).then(|| OsString::from(value));
        of_environment(variable).map_err(|error| error.to_string())
    };
    assert_eq!(of("GOTRACE_RATE", "").unwrap(), []);
    assert_eq!(
        of("GOTRACE_OFF_CPU", "yes").unwrap()[0].value,
        Value::Switch(true)
    );
    let sets = Value::Names(vec!["gc".to_owned(), "sched".to_owned()]);
    assert_eq!(of("GOTRACE_PROBE_SETS", "gc,sched").unwrap()[0].value, sets);
    assert_eq!(
        of("GOTRACE_RATE", "fast").unwrap_err(),
        "GOTRACE_RATE: expected a whole number from 0 to 10000, of samples a second and core, found \"fast\""
    );
    for (name, value) in [
        ("GOTRACE_OFF_CPU", "maybe"),
        ("GOTRACE_MAX_TAX", "much"),
        ("GOTRACE_REDACT", "x"),
        ("GOTRACE_PROBE_SETS", "gc,"),
    ] {
        assert!(of(name, value).is_err(), "{name}");
    }
}

#[test]
fn files_lie_where_the_system_and_the_repository_have_them() {
    let of = |os, config: &str, home: &str| {
        let path = |path: &str| (!path.is_empty()).then(|| path.into());
        place::of_user(os, path(config), path(home)).map(|path| path.display().to_string())
    };
    let some = |path: &str| Some(path.to_owned());
    assert_eq!(of("linux", "/c", "/h"), some("/c/gotrace/gotrace.toml"));
    assert_eq!(
        of("linux", "c", "/h"),
        some("/h/.config/gotrace/gotrace.toml")
    );
    assert_eq!(of("linux", "", ""), None);
    assert_eq!(
        of("macos", "/c", "/h"),
        some("/h/Library/Application Support/gotrace/gotrace.toml")
    );

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("src");
    let inner = root.join("module/cmd");
    fs::create_dir_all(&inner).unwrap();
    let write = |folder: &Path, name: &str| fs::write(folder.join(name), "").unwrap();
    write(folder.path(), "gotrace.toml");
    // Without a repository and a module, only the folder itself is looked at.
    assert_eq!(place::of_repository(&inner), None);
    write(&root.join("module"), "go.mod");
    write(&root, "gotrace.toml");
    assert_eq!(place::of_repository(&inner), None);
    fs::create_dir(root.join(".git")).unwrap();
    assert_eq!(
        place::of_repository(&inner),
        Some(root.join("gotrace.toml"))
    );
    write(&root.join("module"), "gotrace.toml");
    let nearest = root.join("module/gotrace.toml");
    assert_eq!(place::of_repository(&inner), Some(nearest));
    // What lies above the repository is not the repository's.
    fs::remove_file(root.join("gotrace.toml")).unwrap();
    fs::remove_file(root.join("module/gotrace.toml")).unwrap();
    assert_eq!(place::of_repository(&inner), None);
}

#[test]
fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gotrace.toml");
    let text = |owner, invoker| {
        let text = place::text(&path, owner, invoker);
        text.map_err(|error| error.to_string().split_once(": ").unwrap().1.to_owned())
    };
    let plain = |what: &str| Err(format!("expected a plain file, found {what}"));
    let both = [Owner::User, Owner::Repository];
    assert_eq!(text(Owner::User, None), Ok(None));

    fs::write(folder.path().join("target"), "rate = 1").unwrap();
    std::os::unix::fs::symlink(folder.path().join("target"), &path).unwrap();
    assert_eq!(text(Owner::Repository, None), plain("a link"));
    assert_eq!(text(Owner::User, None), Ok(Some("rate = 1".to_owned())));
    // Under sudo, what root reads for the user is theirs.
    let own = nix::unistd::getuid().as_raw();
    assert!(text(Owner::User, Some(own)).is_ok());
    let error = text(Owner::User, Some(own + 1)).unwrap_err();
    assert!(error.starts_with("expected a file of user"), "{error}");
    fs::remove_file(&path).unwrap();

    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert_eq!(text(Owner::User, None), plain("a pipe or a device"));
    assert_eq!(text(Owner::Repository, None), plain("a link"));
    fs::remove_file(&path).unwrap();

    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for owner in both {
        assert_eq!(text(owner, None), plain("a pipe or a device"));
    }
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    for owner in both {
        assert_eq!(text(owner, None), plain("a folder"));
    }
    fs::remove_dir(&path).unwrap();

    fs::write(&path, "#".repeat(65_537)).unwrap();
    for owner in both {
        let error = "expected at most 65536 bytes, found more".to_owned();
        assert_eq!(text(owner, None), Err(error));
    }
    fs::write(&path, "#".repeat(65_536)).unwrap();
    assert!(text(Owner::Repository, None).is_ok());
    fs::write(&path, b"rate = 1\n# \xff").unwrap();
    let error = place::text(&path, Owner::Repository, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("gotrace.toml:2: expected text in UTF-8, found something else"),
        "{error}"
    );
}
