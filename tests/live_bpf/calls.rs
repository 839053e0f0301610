//! Entries and exits of functions, against what the program counts itself.

use super::command::{Run, Traced, available, go};
use gotrace::capture::linux::bpf::Options;
use gotrace::capture::probes::Watch;
use gotrace::capture::{Observation, Probed, calls::Called};
use gotrace::trace::{CallEdge, ProbeId, StackOwner};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn build(go: &Path, source: &str, folder: &Path) -> PathBuf {
    let program = folder.join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/live_bpf")
        .join(source);
    let (of, what) = match source.is_dir() {
        true => (source.as_path(), ".".as_ref()),
        false => (folder, source.as_path()),
    };
    let output = Command::new(go)
        .args(["build", "-o"])
        .args([program.as_path(), what])
        .current_dir(of)
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    program
}

pub(crate) fn probed(run: &Run) -> BTreeMap<ProbeId, &Probed> {
    let probed = run.observations.iter().filter_map(|o| match o {
        Observation::Probed(probed) => Some((probed.probe, &**probed)),
        _ => None,
    });
    probed.collect()
}

pub(crate) fn calls(run: &Run) -> impl Iterator<Item = &Called> {
    run.observations.iter().flat_map(|o| match o {
        Observation::Called(batch) => batch.calls(),
        _ => &[],
    })
}

/// How often each function was entered, returned from, and left by a tail jump.
fn counts(run: &Run) -> BTreeMap<String, (u64, u64, u64)> {
    let probed = probed(run);
    let mut counts: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for called in calls(run) {
        let function = String::from_utf8_lossy(&probed[&called.probe].function).into_owned();
        let (entries, exits, jumps) = counts.entry(function).or_default();
        match called.edge {
            CallEdge::Entry => *entries += 1,
            CallEdge::Exit => *exits += 1,
            CallEdge::TailJump => *jumps += 1,
        }
    }
    counts
}

#[test]
fn counts_are_those_of_the_program() {
    let (true, Some(go)) = (available(), go()) else {
        return;
    };
    for (source, one_by_one) in [("calls.go", false), ("calls.go", true), ("assembly", false)] {
        let folder = tempfile::tempdir().unwrap();
        let program = build(&go, source, folder.path());
        let printed = folder.path().join("printed");
        let script = format!("exec {} > {}", program.display(), printed.display());
        let options = Options {
            expected: vec![program.clone()],
            watch: Watch {
                named: vec!["program:main.*".parse().unwrap()],
                ..Watch::default()
            },
            one_by_one,
            ..Options::default()
        };
        let run = Traced {
            options,
            ..Traced::new(&["sh", "-c", &script])
        }
        .run();
        assert_eq!(run.wait_status, 0);
        let counts = counts(&run);
        for line in std::fs::read_to_string(printed).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (entries, returns) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            let (seen, exits, _) = counts[words[0]];
            assert_eq!((seen, exits), (entries, returns), "{line}");
        }
        let elsewhere =
            calls(&run).find(|called| !matches!(called.stack, StackOwner::Goroutine(_)));
        assert!(elsewhere.is_none(), "{elsewhere:?}");
        let lost = run.losses();
        assert!(
            lost.iter().all(|o| matches!(o, Observation::Unseen { .. })),
            "{lost:?}"
        );
    }
}
