//! Runs readers in Python, which knows JSON, base64 and gzip by itself.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What `tests/<script>` prints of `input`; `None`, and why, where there is no Python.
/// A reader that refuses its input fails the test with what it says.
pub(crate) fn read(script: &str, input: &[u8]) -> Option<String> {
    read_with(script, input, None)
}

/// The same, with the packages of a folder.
pub(crate) fn read_with(script: &str, input: &[u8], packages: Option<&Path>) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(script);
    let child = Command::new("python3")
        .arg("-B")
        .arg(path)
        .envs(packages.map(|folder| ("PYTHONPATH", folder)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no python3; apt-get install python3");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {complaint}");
    writer.join().unwrap().unwrap();
    Some(String::from_utf8(output.stdout).unwrap())
}
