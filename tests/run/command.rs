//! The command is as it would be without gotrace.

use crate::traced::{Place, argv, end, flags_of, program, stderr};
use gotrace::capture::Name;
use gotrace::trace::ExitStatus;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

/// Flags for each way of watching that works here, whatever it sees.
pub(crate) fn ways() -> Vec<[&'static str; 2]> {
    flags_of(&[Name::Bpf, Name::Toolexec, Name::Audit])
}

#[test]
fn the_exit_code_is_the_commands() {
    for way in ways() {
        for code in [0, 1, 3, 125, 255] {
            let place = Place::new();
            let run = place.run(&way, &["sh", "-c", &format!("exit {code}")]);
            let output = { run }.output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{way:?}");
            let trace = place.trace();
            let status = trace.ending.unwrap().status;
            assert_eq!(status, Some(ExitStatus::Code(code)));
            let exit = program(&trace, "sh").exit.unwrap();
            assert_eq!(exit.status, ExitStatus::Code(code));
        }
    }
}

#[test]
fn a_signal_that_kills_the_command_kills_gotrace_without_a_core() {
    for way in ways() {
        for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGINT] {
            let place = Place::new();
            let mut run = place.run(&way, &["sh", "-c", &format!("kill -{signal} $$")]);
            let output = run.output().unwrap();
            assert_eq!(end(&output), (None, Some(signal)), "{way:?}");
            assert!(!output.status.core_dumped());
            let trace = place.trace();
            assert_eq!(
                program(&trace, "sh").exit.unwrap().status,
                ExitStatus::Signal(signal)
            );
        }
    }
}

#[test]
fn what_cannot_be_run_is_named_and_ends_as_with_env() {
    let place = Place::new();
    std::fs::write(place.path("work/plain"), "text").unwrap();
    std::fs::create_dir(place.path("work/folder")).unwrap();
    for name in ["no-such-command", "./no-such", "./plain", "./folder", ""] {
        // The oracle: env(1) runs a command and adds nothing.
        let expected = place.command("env").arg("--").arg(name).output().unwrap();
        let output = place.run(&[], &[name]).output().unwrap();
        assert_eq!(end(&output), end(&expected), "{name:?}");
        let said = stderr(&output);
        assert!(
            said.starts_with(&format!("gotrace: {name}: ")),
            "{name:?}: {said}"
        );
        assert!(!place.path("trace").exists(), "{name:?} left a trace");
    }
}

#[test]
fn input_and_output_pass_through() {
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for way in ways() {
        let place = Place::new();
        let mut run = place.run(
            &[way[0], way[1], "--quiet"],
            &["sh", "-c", "cat; echo to stderr >&2"],
        );
        run.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = run.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let fed = bytes.clone();
        let feeder = std::thread::spawn(move || stdin.write_all(&fed).unwrap());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        assert!(output.stdout == bytes, "{way:?}");
        assert_eq!(stderr(&output), "to stderr\n", "{way:?}");
    }
}

/// What a process can see of how it was started, but for numbers that differ by chance.
const CIRCUMSTANCES: &str = r#"
pwd; umask; ulimit -a
grep -E '^(Umask|[UG]id|Groups|(Sig|Shd|Cap)[A-Z][a-z]+|NoNewPrivs|Seccomp|Cpus_allowed):' /proc/self/status
cat /proc/self/oom_score_adj
for fd in /proc/self/fd/*; do readlink "$fd" | sed 's/[0-9][0-9]*/N/g'; done
ps -o pgid= -p $$ | tr -d ' ' | grep -qx "$GROUP" && echo same group
ps -o sid= -p $$ | tr -d ' '
"#;

#[test]
fn the_circumstances_are_the_same() {
    for way in ways() {
        for prefix in ["", "trap '' PIPE XFSZ CHLD; ", "exec 0<&-; ulimit -c 0; "] {
            let place = Place::new();
            let script = place.path("script");
            std::fs::write(&script, CIRCUMSTANCES).unwrap();
            let shell = |run: &str| {
                let script = format!(
                    "{prefix}GROUP=$(ps -o pgid= -p $$ | tr -d ' ') exec {run} sh {}",
                    script.display()
                );
                let output = place.command("sh").args(["-c", &script]).output().unwrap();
                String::from_utf8_lossy(&output.stdout).into_owned()
            };
            let alone = shell("");
            assert!(alone.contains("same group"), "{alone}");
            let gotrace = env!("CARGO_BIN_EXE_gotrace");
            let trace = place.path("trace");
            let traced = format!(
                "{gotrace} run --quiet {} {} -o {} --",
                way[0],
                way[1],
                trace.display()
            );
            assert_eq!(shell(&traced), alone, "{way:?} after {prefix:?}");
        }
    }
}

#[test]
fn the_environment_is_the_same_but_for_what_is_documented() {
    let odd = OsStr::from_bytes(b"\xff=\n'\"");
    for way in ways() {
        let place = Place::new();
        let entries = |mut command: std::process::Command| {
            let output = command.env("ODD", odd).env("EMPTY", "").output().unwrap();
            let mut entries: Vec<Vec<u8>> = output
                .stdout
                .split(|&byte| byte == 0)
                .map(<[u8]>::to_vec)
                .collect();
            entries.retain(|entry| {
                let audit = way[1] == "audit" && entry.starts_with(b"LD_AUDIT=");
                !entry.starts_with(b"GOFLAGS=") && !audit
            });
            entries
        };
        let mut alone = place.command("env");
        alone.arg("-0");
        let traced = place.run(&way, &["env", "-0"]);
        let alone = entries(alone);
        assert!(alone.contains(&b"ODD=\xff=\n'\"".to_vec()));
        assert_eq!(entries(traced), alone, "{way:?}");
    }
}

#[test]
fn arguments_of_all_kinds_arrive_and_are_recorded() {
    let long = "x".repeat(100_000);
    let words: [&OsStr; 7] = [
        OsStr::new("a b"),
        OsStr::new("it's"),
        OsStr::new("\"quoted\""),
        OsStr::new("two\nlines"),
        OsStr::new(""),
        OsStr::from_bytes(b"\xff\xfe"),
        OsStr::new(&long),
    ];
    for way in ways() {
        let place = Place::new();
        // A file's name can be as odd as an argument.
        let odd = place
            .path("work")
            .join(OsStr::from_bytes(b"p'r \"i\n\xffnt"));
        symlink("/usr/bin/printf", &odd).unwrap();
        let mut command: Vec<OsString> = vec![odd.into(), "%s\\0".into()];
        command.extend(words.iter().map(OsString::from));
        let output = place.run(&way, &command).output().unwrap();
        let mut arrived: Vec<&[u8]> = output.stdout.split(|&byte| byte == 0).collect();
        arrived.pop();
        let sent: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(arrived, sent, "{way:?}: {}", stderr(&output));

        let trace = place.trace();
        let process = trace.processes.first().unwrap();
        let recorded = argv(&trace, process);
        let sent: Vec<Vec<u8>> = command.iter().map(|w| w.as_bytes().to_vec()).collect();
        assert!(!process.exec.argv_truncated);
        assert_eq!(recorded, sent, "{way:?}");
    }
}

#[test]
fn a_flood_of_errors_is_passed_on_whole() {
    for way in ways() {
        let place = Place::new();
        let flags = [way[0], way[1], "--quiet"];
        let flood = "yes gotrace: error | head -c 20000000 >&2; exit 9";
        let output = place.run(&flags, &["sh", "-c", flood]).output().unwrap();
        assert_eq!(
            (output.stderr.len(), output.status.code()),
            (20_000_000, Some(9))
        );
    }
}

#[test]
fn secrets_are_not_written_down() {
    const SECRET: &str = "s3cr3tw0rd";
    for way in ways() {
        let place = Place::new();
        let words = [
            "sh".to_owned(),
            "-c".to_owned(),
            "true".to_owned(),
            format!("--token={SECRET}"),
            "--password".to_owned(),
            SECRET.to_owned(),
            format!("-ldflags=-X main.key={SECRET}"),
            format!("https://me:{SECRET}@example.org/"),
        ];
        let mut run = place.run(&way, &words);
        run.env("API_TOKEN", SECRET)
            .env("GOPROXY", format!("https://me:{SECRET}@example.org"));
        assert!(run.output().unwrap().status.success());
        let trace = place.trace();
        let named = program(&trace, "sh");
        assert_eq!(named.exec.argv.len(), words.len());
        for id in 0..u32::try_from(trace.strings.len()).unwrap() {
            let text = trace.text(gotrace::trace::StringId(id));
            assert!(!text.contains(SECRET), "{way:?}: {text}");
        }
    }
}

#[test]
fn under_sudo_the_command_is_the_callers() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    use std::os::unix::fs::MetadataExt as _;
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    for way in ways() {
        let place = Place::new();
        for folder in ["", "work", "state"] {
            std::os::unix::fs::chown(place.path(folder), Some(uid), Some(gid)).unwrap();
        }
        let script = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME; touch made";
        let mut run = place.run(&way, &["sh", "-c", script]);
        run.env("SUDO_UID", uid.to_string()).env("USER", "root");
        let output = run.output().unwrap();
        let home = nobody.dir.display();
        let expected = format!("{uid}\n{gid}\n{gid}\n{home} nobody nobody\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{way:?}");
        for made in ["trace", "work/made"] {
            let found = std::fs::metadata(place.path(made)).unwrap();
            assert_eq!((found.uid(), found.gid()), (uid, gid), "{way:?}: {made}");
        }
    }
}

/// A command runs as what the machine is; what no file decides here is refused before it starts.
#[test]
fn another_architecture_is_refused_with_its_reason() {
    let uname = Command::new("uname").arg("-m").output();
    let machine = String::from_utf8(uname.unwrap().stdout).unwrap();
    let machine = machine.trim();
    let other = match machine {
        "x86_64" => "arm64",
        _ => "amd64",
    };
    for arch in ["native", machine] {
        let place = Place::new();
        let output = place.run(&["--arch", arch], &["true"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let trace = place.trace();
        let mut settings = trace.settings.iter();
        let setting = settings.find(|one| trace.text(one.key) == "arch");
        let word = setting.map(|one| trace.text(one.value).into_owned());
        assert!(word.is_some_and(|word| word != other), "{arch}");
    }
    let place = Place::new();
    let output = place.run(&["--arch", other], &["true"]).output().unwrap();
    assert_eq!(end(&output), (Some(125), None));
    let said = stderr(&output);
    assert!(
        said.contains(&format!("/true has no code for {other}")),
        "{said}"
    );
    assert!(!place.path("trace").exists());
    let output = place.run(&["--arch", "m68k"], &["true"]).output().unwrap();
    assert_eq!(end(&output), (Some(125), None), "a word that is none");
}

/// What env(1) ends with where it is asked for what it does not have: 2 would be the command's.
#[test]
fn what_keeps_a_command_from_its_start_is_no_code_of_the_command() {
    let place = Place::new();
    let wrong = place.path("wrong.toml");
    std::fs::write(&wrong, "name = 1\n").unwrap();
    let wrong = wrong.display().to_string();
    let missing = place.path("missing.toml").display().to_string();
    let of_env = Command::new("env").arg("--no-such").output().unwrap();
    for flags in [
        &["--no-such"][..],
        &["--rate", "many"],
        &["--probe-set", "no-such"],
        &["--probe-set", &wrong],
        &["--probe-set", &missing],
    ] {
        let output = place.run(flags, &["touch", "ran"]).output().unwrap();
        let said = stderr(&output);
        assert_eq!(end(&output), end(&of_env), "{flags:?}: {said}");
        assert!(said.contains(flags[flags.len() - 1]), "{said}");
        assert!(!place.path("work/ran").exists());
        assert!(!place.path("trace").exists());
    }
    // Behind dashes it is the name of a command, and behind a command an option of that.
    let named = place.run(&[], &["--no-such"]).output().unwrap();
    assert_eq!(end(&named), (Some(127), None));
    let mut echo = place.command(env!("CARGO_BIN_EXE_gotrace"));
    echo.args(["run", "-o"]).arg(place.path("trace"));
    let echo = echo.args(["echo", "--no-such"]).output().unwrap();
    assert_eq!(end(&echo), (Some(0), None));
    assert_eq!(echo.stdout, b"--no-such\n");
    for command in ["repeat", "experiment", "explain"] {
        let mut wrong = Command::new(env!("CARGO_BIN_EXE_gotrace"));
        let output = wrong.args([command, "--no-such", "true"]).output().unwrap();
        assert_eq!(
            end(&output),
            (Some(2), None),
            "{command}: {}",
            stderr(&output)
        );
    }
    let mut helped = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let output = helped.args(["run", "--help"]).output().unwrap();
    assert!(output.status.success() && !output.stdout.is_empty());
}
