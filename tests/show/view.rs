//! The screens of `gotrace view`: against numbers worked out by hand, and against what `show` says of the same trace.

use crate::build::{record, record_all, run};
use gotrace::analyze::Analysis;
use gotrace::render::text::Page;
use gotrace::render::view::{Key, Step, View};
use gotrace::trace::{
    Avma, Exec, Frame, FrameId, FramePlace, FrameRole, Function, FunctionId, Location, Nanos, Pid,
    Process, ProcessId, Sample, SampleKind, SamplePlace, StackId, Tid, Trace,
};
use ratatui_core::backend::TestBackend;
use ratatui_core::style::Color;
use ratatui_core::terminal::Terminal;
use serde_json::Value;
use std::path::Path;

/// A view that is shown in so many columns and lines.
pub(crate) struct Shown<'a> {
    view: View<'a>,
    size: (u16, u16),
}

impl<'a> Shown<'a> {
    pub(crate) fn of(analysis: &'a Analysis<'a>, size: (u16, u16)) -> Self {
        let mut view = View::new(analysis, Page::default());
        view.resize(size.0, size.1);
        Self { view, size }
    }

    pub(crate) fn press(&mut self, key: Key) {
        if self.view.press(key) == Step::Work {
            self.view.work();
        }
    }

    /// Presses a key for each character.
    pub(crate) fn type_in(&mut self, keys: &str) {
        for key in keys.chars() {
            self.press(match key {
                '\n' => Key::Enter,
                '\x1b' => Key::Escape,
                key => Key::Char(key),
            });
        }
    }

    /// The lines that are to be seen, without what is empty at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (columns, lines) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
        let frame = terminal.draw(|frame| self.view.draw(frame.buffer_mut()));
        let buffer = frame.unwrap().buffer.clone();
        let row = |y| {
            let mut line = String::new();
            let mut x = 0;
            while x < columns {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                x += gotrace::render::text::columns(symbol).max(1) as u16;
            }
            line.trim_end().to_owned()
        };
        (0..lines).map(row).collect()
    }

    /// The line with these words, its fields apart.
    pub(crate) fn fields(&self, words: &str) -> Vec<String> {
        let lines = self.lines();
        let found = lines.iter().skip(3).find(|line| line.contains(words));
        let found = found.unwrap_or_else(|| panic!("{words}: {lines:#?}"));
        let fields = found.split("  ").map(str::trim);
        fields
            .filter(|field| !field.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

fn open(path: &Path) -> Trace {
    Trace::open(path).unwrap()
}

#[test]
fn packages_have_their_cost_and_their_part_of_the_critical_path() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let shown = Shown::of(&analysis, (80, 24));
    let lines = shown.lines();
    assert_eq!(
        lines[..9],
        [
            "/go/bin/go build ./...                                   wall 1.00 s, CPU 1.00 s",
            "1 summary 2 packages 3 actions 4 path 5 processes 6 stacks 7 calls 8 phases",
            "packages: 4 rows",
            "package                                       CPU▼     share  critical      wall",
            "m/b                                       500.0 ms      50 %  400.0 ms    0.40 s",
            "m/a                                       210.0 ms      21 %  200.0 ms    0.20 s",
            "m/cmd                                     190.0 ms      19 %  250.0 ms    0.25 s",
            "(no package)                              100.0 ms      10 %         -    1.00 s",
            "",
        ]
    );
    assert_eq!(lines[23].split("  ").next(), Some("lost: 7 samples"));
}

/// A time as `show` writes it, and half of its last digit: `1.00 s`, `312.0 ms`, `-`.
fn time(text: &str) -> (f64, f64) {
    let Some((number, unit)) = text.split_once(' ') else {
        assert_eq!(text, "-");
        return (0.0, 0.0);
    };
    let unit = match unit {
        "s" => 1e9,
        "ms" => 1e6,
        "µs" => 1e3,
        other => panic!("{other}"),
    };
    let decimals = number.split_once('.').map_or(0, |(_, after)| after.len());
    let value: f64 = number.parse().unwrap();
    (value * unit, 0.5001 * unit / 10_f64.powi(decimals as i32))
}

/// The rows of `show --json`.
fn rows(trace: &Path, by: &str) -> Vec<Value> {
    let (code, printed, complaint) = run(&["show", "--json", "--by", by], trace, 80);
    assert_eq!(code, Some(0), "{complaint}");
    let json: Value = serde_json::from_str(&printed).unwrap();
    json["rows"].as_array().unwrap().clone()
}

/// Compares times of a line of the screen with those of a row of JSON.
fn compare(line: &[String], columns: &[usize], row: &Value, keys: &[&str]) {
    for (column, key) in columns.iter().zip(keys) {
        let told = row[key].as_f64().unwrap();
        let (shown, blur) = time(&line[*column]);
        assert!((shown - told).abs() <= blur, "{key}: {line:?} {row}");
    }
}

#[test]
fn screens_say_what_show_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), true);
    let trace = open(&path);
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (160, 30));
    let packages = rows(&path, "package");
    assert_eq!(packages.len(), 4);
    for row in &packages {
        let name = row["package"].as_str().unwrap_or("(no package)");
        let line = shown.fields(name);
        compare(&line, &[1, 4, 5], row, &["cpu_ns", "wall_ns", "waiting_ns"]);
    }
    shown.type_in("5");
    let processes = rows(&path, "process");
    assert_eq!(processes.len(), 4);
    for row in &processes {
        let line = shown.fields(&format!(" {} ", row["pid"]));
        compare(&line, &[2, 3, 4], row, &["start_ns", "cpu_ns", "wall_ns"]);
    }
    shown.type_in("6t");
    let functions = rows(&path, "function");
    assert_eq!(functions.len(), 4);
    for row in &functions {
        let line = shown.fields(row["function"].as_str().unwrap());
        compare(&line, &[1, 3], row, &["own_ns", "total_ns"]);
    }
}

#[test]
fn a_package_leads_to_its_programs_and_these_to_their_stacks() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (100, 20));
    shown.press(Key::Enter);
    assert_eq!(shown.lines()[2], "processes of m/b: 1 row");
    let line = shown.fields("compile m/b");
    assert_eq!(
        line[..5],
        ["compile m/b", "102", "300.0 ms", "500.0 ms", "400.0 ms"]
    );
    shown.type_in("s");
    assert_eq!(shown.lines()[2], "stacks of pid 102: 4 rows");
    // 300 ms, of which the last 100 in memmove; one row, for the others are below it, one below one.
    let stacks = |shown: &Shown<'_>| -> Vec<Vec<String>> {
        let lines = shown.lines();
        let rows = lines[4..19].iter().filter(|line| !line.is_empty());
        let fields =
            |line: &String| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
        rows.map(fields).collect()
    };
    let seen = stacks(&shown);
    let own: Vec<_> = seen.iter().map(|row| row[1..].join(" ")).collect();
    let expected = [
        "runtime.goexit 300.0 ms 100 % - 30 ████████████",
        "main.main 300.0 ms 100 % - 30 ████████████",
        "cmd/compile/internal/ssa.Compile 300.0 ms 100 % 200.0 ms 30 ████████████",
    ];
    assert_eq!(own[..3], expected);
    assert_eq!(
        seen[3].join(" "),
        "runtime.memmove 100.0 ms 33 % 100.0 ms 10 ████"
    );
    shown.press(Key::Left);
    assert_eq!(stacks(&shown).len(), 1);
    shown.press(Key::Right);
    assert_eq!(stacks(&shown).len(), 4);
    shown.type_in("\x1b\x1b");
    assert_eq!(shown.lines()[2], "packages: 4 rows");
}

#[test]
fn rows_are_searched_filtered_and_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (100, 20));
    let order = |shown: &Shown<'_>| -> Vec<String> {
        let lines = shown.lines();
        let rows = lines[4..19].iter().filter(|line| !line.is_empty());
        let name = |line: &String| line.split("  ").next().unwrap().to_owned();
        rows.map(name).collect()
    };
    assert_eq!(order(&shown), ["m/b", "m/a", "m/cmd", "(no package)"]);
    shown.type_in("r");
    assert_eq!(order(&shown), ["(no package)", "m/cmd", "m/a", "m/b"]);
    shown.type_in("<");
    assert_eq!(order(&shown), ["(no package)", "m/a", "m/b", "m/cmd"]);
    // By CPU, share, and the critical path: 400, 250, 200 ms.
    shown.type_in(">>>");
    assert_eq!(order(&shown), ["m/b", "m/cmd", "m/a", "(no package)"]);
    shown.type_in("&M/\n");
    assert_eq!(order(&shown), ["no row has these words"]);
    shown.type_in("\x1b&m/c\n");
    assert_eq!(order(&shown), ["m/cmd"]);
    assert_eq!(shown.lines()[2], "packages: 4 rows, 1 with \"m/c\"");
    shown.type_in("\x1b/package\n\n");
    assert_eq!(
        shown.lines()[19],
        "nothing is known that lies behind this line"
    );
    shown.type_in("/nowhere\n");
    assert_eq!(shown.lines()[19], "not found: nowhere");
    // The search goes round the end: from the last row to the first.
    shown.type_in("/m/b\n\n");
    assert_eq!(shown.lines()[2], "processes of m/b: 1 row");
}

#[test]
fn an_action_leads_to_the_one_that_it_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (100, 20));
    shown.type_in("3");
    assert_eq!(shown.fields("link")[..3], ["link", "m/cmd", "250.0 ms"]);
    shown.type_in("/link\na\n");
    assert_eq!(shown.lines()[2], "processes of compile m/b: 1 row");
    shown.type_in("\x1baa");
    assert_eq!(shown.lines()[19], "it waited for no other action");
}

#[test]
fn boxes_are_as_wide_as_their_part_of_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (40, 12));
    shown.type_in("6f");
    // 400 ms are 40 columns: memmove's 100 are 10.
    let lines = shown.lines();
    assert_eq!(lines[2], "400 ms 100 %, own 0 s: runtime.goexit");
    assert_eq!(
        lines[3..9],
        [
            "▏stacks",
            "▏runtime.goexit",
            "▏main.main",
            "▏cmd/compile/internal/ssa.Compile",
            "▏ru…emmove",
            "",
        ]
    );
    for _ in 0..9 {
        shown.press(Key::Down);
    }
    assert_eq!(shown.lines()[2], "100 ms 25 %, own 100 ms: runtime.memmove");
    shown.press(Key::Enter);
    assert_eq!(shown.lines()[3], "▏runtime.memmove");
    shown.press(Key::Escape);
    assert_eq!(shown.lines()[3], "▏cmd/compile/internal/ssa.Compile");
}

#[test]
fn the_summary_says_all_that_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (100, 60));
    shown.type_in("1");
    let lines = shown.lines();
    assert!(
        lines
            .iter()
            .any(|line| line == "7 samples: the ring buffer was full"),
        "{lines:#?}"
    );
    let (_, summary, _) = run(&["show"], &record_all(folder.path()), 100);
    for line in summary.lines().take(8) {
        assert!(
            lines.iter().any(|shown| shown == line.trim_end()),
            "{line}: {lines:#?}"
        );
    }
}

#[test]
fn a_program_has_a_page_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (88, 40));
    shown.type_in("\n\n");
    let lines = shown.lines();
    assert_eq!(lines[2], "compile (102)");
    assert_eq!(lines[3], "pid     102, amd64");
    assert!(lines.contains(&"CPU     500 ms".to_owned()), "{lines:#?}");
    // 300 to 700 ms of 1000, in 80 columns.
    let life = lines
        .iter()
        .find(|line| line.starts_with("of all"))
        .unwrap();
    let (on, off) = ("█".repeat(32), "·".repeat(24));
    assert_eq!(*life, format!("of all  {off}{on}{off}"));
    shown.type_in("s");
    assert_eq!(shown.lines()[2], "stacks of pid 102: 4 rows");
}

/// Names that a terminal must not get as they are, and one that is long.
fn hostile() -> Trace {
    let mut trace = Trace::default();
    let names = [
        "\x1b[2J\x07\n\u{9b}evil".to_owned(),
        "\u{202e}gpj.exe\u{200b}".to_owned(),
        "a".repeat(100_000),
        "日本".repeat(50),
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}".to_owned(),
        String::new(),
    ];
    let mut callers = StackId::EMPTY;
    for (at, name) in (0..).zip(&names) {
        let name = trace.strings.push(name.as_bytes());
        trace.functions.push(Function {
            name,
            ..Function::default()
        });
        trace.frames.push(Frame {
            place: FramePlace::Unmapped(Avma(at)),
            role: FrameRole::Executing,
        });
        let function = FunctionId(u32::try_from(at).unwrap());
        let frame = FrameId(function.0);
        trace.symbols.push(Ok(vec![Location { function, line: 1 }]));
        callers = trace.stacks.push(callers, frame).unwrap();
        trace.processes.push(Process {
            id: ProcessId(function.0),
            pid: Pid(function.0),
            // Each is its own child's child, as no trace has it that was recorded.
            parent: Some(ProcessId((function.0 + 1) % 6)),
            exec: Exec {
                exe: name,
                argv: vec![name],
                package: name,
                cwd: name,
                ..Exec::default()
            },
            ..Process::default()
        });
        trace.push_samples(&[Sample {
            time: Nanos(5_000 + 1_000 * at),
            process: ProcessId(function.0),
            tid: Tid(function.0),
            goroutine: None,
            stack: callers,
            weight: Nanos(1_000),
            kind: SampleKind::OnCpu,
            place: SamplePlace::User,
        }]);
    }
    trace
}

/// One program of which nothing else is known.
fn bare() -> Trace {
    let mut trace = Trace::default();
    trace.processes.push(Process::default());
    trace
}

/// Stacks without time or programs, as another tool printed them.
fn imported(folder: &Path) -> Trace {
    let stacks = folder.join("stacks.folded");
    std::fs::write(&stacks, "main;a 3\nmain;b 1\nmain;a;\x1b[31m 2\n").unwrap();
    let path = folder.join("imported.gotrace");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_gotrace"))
        .arg("import")
        .args([&stacks, Path::new("-o"), &path])
        .status();
    assert!(status.unwrap().success());
    open(&path)
}

#[test]
fn no_trace_and_no_size_breaks_a_screen() {
    let folder = tempfile::tempdir().unwrap();
    let traces = [
        ("nothing", Trace::default()),
        ("one program", bare()),
        ("hostile", hostile()),
        ("imported", imported(folder.path())),
        ("no exits", open(&record(folder.path(), false))),
        ("a build", open(&record(folder.path(), true))),
    ];
    // Whatever is below is opened, looked at in all ways, and left again.
    let keys = "\n\nsletf\n\x1b\x1b\x1bc\x1bp\x1bt\n\x1bwGgr<>>/a\nnN&a\n\x1bjkhl";
    for (what, trace) in &traces {
        let analysis = Analysis::of(trace);
        for size in [(1, 1), (40, 10), (100, 30)] {
            let mut shown = Shown::of(&analysis, size);
            for tab in "12345678?".chars() {
                shown.press(Key::Char(tab));
                for key in keys.chars() {
                    shown.type_in(&key.to_string());
                    for line in shown.lines() {
                        let columns = gotrace::render::text::columns(&line);
                        assert!(columns <= usize::from(size.0), "{what} {size:?}: {line}");
                        let bad = |c: char| c.is_control() || "\u{202e}\u{200b}".contains(c);
                        assert!(!line.contains(bad), "{what} {size:?}: {line:?}");
                    }
                }
                for key in [
                    Key::PageDown,
                    Key::End,
                    Key::PageUp,
                    Key::Home,
                    Key::WheelDown,
                ] {
                    shown.press(key);
                }
                shown.press(Key::Click(3, 5));
                shown.press(Key::Click(3, 1));
                shown.lines();
            }
        }
    }
}

#[test]
fn imported_stacks_begin_where_there_is_something() {
    let folder = tempfile::tempdir().unwrap();
    let trace = imported(folder.path());
    let analysis = Analysis::of(&trace);
    let mut shown = Shown::of(&analysis, (80, 24));
    assert!(
        shown.lines()[2].starts_with("stacks: 4 rows"),
        "{:#?}",
        shown.lines()
    );
    // `a` has 3 of its own and 2 in what it calls, of 6.
    let line = shown.fields(" a ");
    assert!(line.contains(&"83 %".to_owned()), "{line:?}");
    shown.type_in("/b\n\n");
    assert_eq!(shown.lines()[2], "callers and callees of b: 2 rows");
}

#[test]
fn a_narrow_terminal_has_the_name_of_its_tab_alone() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    let shown = Shown::of(&analysis, (40, 10));
    let lines = shown.lines();
    assert_eq!(lines[1], "1 2 packages 3 4 5 6 7 8");
    assert_eq!(lines[3], "package                   CPU▼  critical");
    assert_eq!(lines[4], "m/b                   500.0 ms  400.0 ms");
}

#[test]
fn colours_are_used_only_where_the_page_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let trace = open(&record(folder.path(), true));
    let analysis = Analysis::of(&trace);
    for colour in [false, true] {
        let page = Page {
            colour,
            ..Page::default()
        };
        let mut view = View::new(&analysis, page);
        view.resize(80, 24);
        let mut coloured = 0;
        for key in ['2', '4', '6', 'f'] {
            if view.press(Key::Char(key)) == Step::Work {
                view.work();
            }
            let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
            let frame = terminal
                .draw(|frame| view.draw(frame.buffer_mut()))
                .unwrap();
            let cells = frame.buffer.content().iter();
            coloured += cells
                .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
                .count();
        }
        assert_eq!(coloured > 0, colour, "{coloured} cells");
    }
}
