//! speedscope's files: read as its importer does, and held to its published schema.

use super::fixture::{self, SAMPLES, ms};
use super::lines::{Lines, by_kind};
use super::python;
use gotrace::analyze::Analysis;
use gotrace::analyze::call_tree::{Grouping, Options};
use gotrace::export::speedscope;
use gotrace::trace::Trace;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

pub(crate) fn written(trace: &Trace) -> Vec<u8> {
    let tree = Analysis::of(trace).call_tree(&Options {
        grouping: Grouping::Tool,
        ..Options::default()
    });
    let mut out = Vec::new();
    speedscope::write(&tree, "go build \"./...\"", None, &mut out).unwrap();
    out
}

/// The lines of `speedscope.py` about a trace, by their first field.
pub(crate) fn speedscope_of(trace: &Trace) -> Option<Lines> {
    python::read("export/speedscope.py", &written(trace)).map(|said| by_kind(&said))
}

#[test]
fn each_tool_is_a_profile_with_its_stacks() {
    let Some(lines) = speedscope_of(&fixture::trace()) else {
        return;
    };
    let profiles: Vec<_> = lines["profile"].iter().map(|line| line.join(" ")).collect();
    let [compile, go] = [60, 10].map(|millis| ms(millis).0);
    let expected = [
        format!("compile nanoseconds 0 {compile}"),
        format!("go nanoseconds 0 {go}"),
    ];
    assert_eq!(profiles, expected);
    let mut found = BTreeMap::new();
    for sample in &lines["sample"] {
        let stack = (sample[0].clone(), sample[2..].to_vec());
        let new = found.insert(stack, sample[1].clone());
        assert_eq!(new, None, "a stack of a tool stands once");
    }
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    for (pid, stack, weight, _) in SAMPLES.iter().filter(|sample| sample.3) {
        let tool = if *pid == 100 { "go" } else { "compile" };
        let stack = if stack.is_empty() {
            &["[no stack]"]
        } else {
            *stack
        };
        let stack: Vec<_> = stack.iter().map(|&name| name.to_owned()).collect();
        *sums.entry((tool.to_owned(), stack)).or_default() += ms(*weight).0;
    }
    let expected = sums
        .into_iter()
        .map(|(stack, sum)| (stack, sum.to_string()));
    assert_eq!(found, expected.collect());
}

/// Where `scripts/fetch-consumers` keeps what speedscope publishes.
const PUBLISHED: &str = ".tools/consumers/speedscope-1.25.0";

#[test]
fn files_hold_to_the_published_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(PUBLISHED);
    let Ok(schema) = std::fs::read(folder.join("file-format-schema.json")) else {
        println!("skipped: no {PUBLISHED}; scripts/fetch-consumers");
        return;
    };
    for trace in [fixture::trace(), Trace::default()] {
        let value = written(&trace);
        let input = [&b"{\"schema\":"[..], &schema, b",\"value\":", &value, b"}"].concat();
        if let Some(answer) = python::read("export/json_schema.py", &input) {
            assert_eq!(answer, "holds\n");
        }
    }
}

#[test]
fn nothing_is_a_profile_that_says_so() {
    if let Some(lines) = speedscope_of(&Trace::default()) {
        assert_eq!(lines["profile"], [["no samples", "nanoseconds", "0", "0"]]);
        assert!(!lines.contains_key("sample"));
    }
}

/// What speedscope's own page shows of a trace, as Chromium renders it; `None`, and why, without either.
fn page_of(trace: &Trace) -> Option<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(PUBLISHED)
        .join("index.html");
    if !page.exists() {
        println!("skipped: no {PUBLISHED}; scripts/fetch-consumers");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<_> = written(trace).iter().map(u8::to_string).collect();
    let script = format!(
        "speedscope.loadFileFromBase64('trace.json', btoa(String.fromCharCode({})))",
        bytes.join(",")
    );
    let path = folder.path().join("trace.js");
    std::fs::write(&path, script).unwrap();
    let output = Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--enable-unsafe-swiftshader",
        ])
        .args([
            "--allow-file-access-from-files",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!(
            "file://{}#localProfilePath={}",
            page.display(),
            path.display()
        ))
        .output();
    let Ok(output) = output else {
        println!("skipped: no chromium; apt-get install chromium");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_page_shows_each_tool_with_its_time() {
    let Some(page) = page_of(&fixture::trace()) else {
        return;
    };
    let row = |tool: &str| {
        let (_, rest) = page.split_once(&format!("<tr title=\"{tool}\"")).unwrap();
        let (row, _) = rest.split_once("</tr>").unwrap();
        row.to_owned()
    };
    assert!(row("compile").contains(">60.00ms<"), "{page}");
    assert!(row("go").contains(">10.00ms<"), "{page}");
    assert!(page_of(&Trace::default()).unwrap().contains("no samples"));
}
