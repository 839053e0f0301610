//! A build that `perf record` records now, where there is a perf that may: names and CPU times are those
//! that perf itself tells.

use crate::script;
use gotrace::trace::Trace;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Records `go list std`; `None` where that cannot be.
fn recorded(folder: &Path) -> Option<()> {
    let mut perf = Command::new("perf");
    perf.args([
        "record",
        "-q",
        "-N",
        "--buildid-all",
        "-e",
        "cpu-clock",
        "-F",
        "499",
    ]);
    perf.args(["-g", "--call-graph", "fp", "-o"])
        .arg(folder.join("perf.data"));
    perf.args(["go", "list", "-deps", "std"]);
    match perf.output() {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => {
            println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            println!("skipped: perf: {error}");
            None
        }
    }
}

/// A name of Go without what its own table (`[...]`) and that of the linker write differently.
fn plain(symbol: &str) -> &str {
    let symbol = symbol.split_once('[').map_or(symbol, |(name, _)| name);
    let symbol = symbol.strip_suffix(".abi0").unwrap_or(symbol);
    symbol.strip_suffix(".abiinternal").unwrap_or(symbol)
}

#[test]
fn names_and_times_are_those_of_perf() {
    let folder = tempfile::tempdir().unwrap();
    let Some(()) = recorded(folder.path()) else {
        return;
    };
    let mut perf = Command::new("perf");
    perf.arg("script").args(["--ns", "--no-inline", "-F"]);
    perf.arg("comm,pid,tid,time,period,ip,sym,dso")
        .arg("-i")
        .arg(folder.path().join("perf.data"));
    let text = perf.output().unwrap().stdout;
    let expected = script::read(&String::from_utf8(text).unwrap());
    let trace = folder.path().join("a.gotrace");
    let mut gotrace = Command::new(env!("CARGO_BIN_EXE_gotrace"));
    let gotrace = gotrace
        .arg("import")
        .arg(folder.path().join("perf.data"))
        .arg("-o")
        .arg(&trace);
    assert!(gotrace.output().unwrap().status.success());
    let trace = Trace::open(&trace).unwrap();
    let found = crate::samples(&trace);
    assert_eq!(found.len(), expected.len());
    let mut compared = 0;
    let mut times: BTreeMap<u32, [u64; 2]> = BTreeMap::new();
    for (found, expected) in found.iter().zip(&expected) {
        let sums = times.entry(expected.tid).or_default();
        sums[0] += expected.period;
        sums[1] += found.weight.0;
        let innermost = trace.stacks.node(found.stack).map(|(_, frame)| frame);
        let (Some(frame), [leaf, ..]) = (innermost, &expected.user()[..]) else {
            continue;
        };
        // perf names C by the table of symbols alone, and the kernel's page by what it has copied.
        if !leaf.file.ends_with("/go") || leaf.symbol == "[unknown]" {
            continue;
        }
        let names = trace
            .symbol(frame)
            .map(|names| names.last().unwrap().function);
        let name = names.map(|function| trace.functions[function.index()].name);
        let name = name
            .map(|name| trace.text(name).into_owned())
            .unwrap_or_default();
        assert_eq!(plain(&name), plain(&leaf.symbol), "{leaf:?}");
        compared += 1;
    }
    assert!(
        compared > 20,
        "{compared} of {} samples are Go's",
        expected.len()
    );
    for (tid, [perf, own]) in times {
        assert_eq!(perf, own, "thread {tid}");
    }
}
