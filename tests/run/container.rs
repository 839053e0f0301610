//! gotrace where a translator runs gotrace itself, as in `docker run --platform`: in a namespace
//! whose processor is said to be the translator's.

use crate::traced::{Place, go, stderr};
use gotrace::trace::Trace;
use std::path::Path;
use std::process::Command;

/// As a Linux virtual machine of Apple shows it to what Rosetta runs.
const ROSETTA: &str =
    "processor\t: 0\nvendor_id\t: VirtualApple\nmodel name\t: VirtualApple @ 2.50GHz processor\n";

#[test]
fn an_emulated_container_is_told_and_the_host_is_named() {
    let Some(go) = go() else { return };
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || !nix::unistd::geteuid().is_root()
    {
        println!("skipped: only root has a mount namespace of its own, and Rosetta runs amd64");
        return;
    }
    let place = Place::new();
    std::fs::write(place.path("cpuinfo"), ROSETTA).unwrap();
    let mut inside = place.command("unshare");
    let script = "mount --bind \"$1\" /proc/cpuinfo && shift && exec \"$@\"";
    inside.args(["--mount", "sh", "-c", script, "sh"]);
    let run = place.run(&[], &[go.as_path(), Path::new("version")]);
    inside.arg(place.path("cpuinfo")).arg(run.get_program());
    let output = inside.args(run.get_args()).output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("using toolexec, without bpf"), "{said}");

    // Whoever opens the trace reads it, too, on any machine.
    let mut show = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let shown = show.arg("show").arg(place.path("trace")).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    for summary in [&said, &shown] {
        let mut lines = summary.lines();
        assert!(summary.contains("translated by rosetta: "), "{summary}");
        let unseen = lines.find(|line| line.starts_with("not seen: ")).unwrap();
        assert!(unseen.contains("gotrace itself is translated, by rosetta"));
        assert!(unseen.contains("run gotrace on the host"), "{unseen}");
    }
    let trace: Trace = place.trace();
    let setting = |key: &str| {
        let mut settings = trace.settings.iter();
        let setting = settings.find(|setting| trace.text(setting.key) == key);
        setting.map(|setting| trace.text(setting.value).into_owned())
    };
    assert_eq!(setting("backend").as_deref(), Some("toolexec,actiongraph"));
}
