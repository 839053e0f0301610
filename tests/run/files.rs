//! Where traces go, and what happens where they cannot.

use crate::traced::{Place, end, program, stderr, ways_to_see_builds};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

fn traces(folder: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn without_a_name_a_new_private_file_is_made_beside_the_others() {
    let place = Place::new();
    for count in 1..=3 {
        let mut run = place.command(env!("CARGO_BIN_EXE_gotrace"));
        let output = run.args(["run", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let found = traces(place.path("state/gotrace"));
        assert_eq!(found.len(), count);
        for path in found {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert!(path.to_string_lossy().ends_with("-true.gotrace") || count > 1);
            gotrace::trace::Trace::open(&path).unwrap();
        }
    }
    assert!(traces(place.path("work")).is_empty());
}

#[test]
fn only_a_trace_is_replaced() {
    let place = Place::new();
    std::fs::write(place.path("trace"), "dear to somebody").unwrap();
    let output = place.run(&[], &["touch", "ran"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains(&place.path("trace").display().to_string()));
    assert!(!place.path("work/ran").exists());
    let kept = std::fs::read_to_string(place.path("trace")).unwrap();
    assert_eq!(kept, "dear to somebody");

    std::fs::remove_file(place.path("trace")).unwrap();
    for command in ["true", "touch"] {
        let output = place.run(&[], &[command, "ran"]).output().unwrap();
        assert!(output.status.success());
        program(&place.trace(), command);
    }
}

#[test]
fn where_no_file_can_be_made_another_place_is_found_and_named() {
    let place = Place::new();
    std::fs::create_dir(place.path("tmp")).unwrap();
    let mut run = place.command(env!("CARGO_BIN_EXE_gotrace"));
    run.args(["run", "-o", "/proc/no/trace", "--", "sh", "-c", "exit 7"])
        .env("TMPDIR", place.path("tmp"));
    let output = run.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let said = stderr(&output);
    assert!(said.contains("/proc/no/trace: cannot create"), "{said}");
    let found = traces(place.path("tmp"));
    let [found] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(said.contains(&found.display().to_string()), "{said}");
    program(&gotrace::trace::Trace::open(found).unwrap(), "sh");
}

#[test]
fn where_there_is_no_place_at_all_the_command_runs_untraced() {
    let place = Place::new();
    let mut run = place.command(env!("CARGO_BIN_EXE_gotrace"));
    run.args(["run", "-o", "/proc/no/trace", "--", "sh", "-c"])
        .arg("grep SigBlk /proc/self/status; exit 7")
        .env("TMPDIR", "/proc");
    let output = run.output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(stderr(&output).contains("without being traced"));
    let blocked = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(blocked.trim_end(), "SigBlk:\t0000000000000000");
}

/// A limit on the size of files stands for a full disk: writes fail in the same way.
#[test]
fn a_full_disk_costs_the_rest_of_the_trace_only() {
    // The backend `audit` has a library to write before the command starts.
    for way in ways_to_see_builds() {
        // Its memory for records counts as a file for such a limit: it is refused, and says so.
        if way[1] == "patch" {
            continue;
        }
        let place = Place::new();
        let script = "i=0; while [ $i -lt 300 ]; do /bin/echo $i; i=$((i+1)); done; exit 6";
        let run = place.run(&way, &["sh", "-c", script]);
        let mut limited = place.command("sh");
        limited.args(["-c", "ulimit -f 1; exec \"$@\"", "sh"]);
        limited.arg(run.get_program()).args(run.get_args());
        let output = limited.output().unwrap();
        assert_eq!(end(&output), (Some(6), None), "{}", stderr(&output));
        let expected: String = (0..300).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        if way[1] == "toolexec" {
            // No tool of a go command ran: there is next to nothing to write.
            continue;
        }
        let said = stderr(&output);
        assert!(
            said.contains(&place.path("trace").display().to_string()),
            "{said}"
        );
        let trace = gotrace::trace::Trace::open(&place.path("trace")).unwrap();
        assert!(trace.integrity.unsealed && trace.ending.is_none());
    }
}
