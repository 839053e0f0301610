//! The page of `gotrace report`, walked through in a real browser (`browser.py`).

use crate::build::{record, run};
use std::path::Path;
use std::process::Command;

#[test]
fn the_page_is_walked_through() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let playwright = root.join(".tools/consumers/playwright-1.65.2");
    if !playwright.exists() {
        println!("skipped: no playwright; scripts/fetch-consumers fetches it");
        return;
    }
    if !Path::new("/usr/bin/chromium").exists() {
        println!("skipped: no chromium; apt-get install chromium");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = record(folder.path(), true);
    let page = folder.path().join("page.html");
    let (code, _, said) = run(&["report", "-o", page.to_str().unwrap()], &trace, 80);
    assert_eq!(code, Some(0), "{said}");
    let output = Command::new("python3")
        .arg("-B")
        .arg(root.join("tests/show/browser.py"))
        .args([&page, folder.path()])
        .env("PYTHONPATH", playwright)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}
