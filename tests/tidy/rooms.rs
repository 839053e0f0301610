//! The table of rooms: which part of the house may use which.

use crate::Complaint;
use crate::source::{File, line_at, words};

/// Every room and the rooms that it may use. What is not here is no room.
const ROOMS: [(&str, &[&str]); 10] = [
    ("trace", &[]),
    ("binary", &[]),
    ("environment", &["binary"]),
    ("capture", &["trace", "binary", "environment"]),
    ("import", &["trace"]),
    ("symbolize", &["trace", "binary"]),
    ("analyze", &["trace", "symbolize", "binary", "environment"]),
    (
        "render",
        &["trace", "symbolize", "analyze", "binary", "environment"],
    ),
    (
        "export",
        &["trace", "symbolize", "analyze", "binary", "environment"],
    ),
    (
        "cli",
        &[
            "trace",
            "binary",
            "environment",
            "capture",
            "import",
            "symbolize",
            "analyze",
            "render",
            "export",
        ],
    ),
];

/// What the table of rooms in ARCHITECTURE.md says otherwise than the one here, for the rooms
/// that there are.
pub(crate) fn untrue(map: &str, there_are: &[String]) -> Vec<String> {
    let rows: Vec<Vec<&str>> = map
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let mut complaints = Vec::new();
    for room in there_are {
        let row = rows.iter().find(|row| row[1] == format!("`{room}`"));
        let told = row.and_then(|row| row.get(3)).copied().unwrap_or_default();
        let held = match ROOMS.iter().find(|(name, _)| name == room) {
            Some((_, [])) => "-".to_owned(),
            Some((name, _)) if *name == "cli" => "all".to_owned(),
            Some((_, used)) => used
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
            None => "no room".to_owned(),
        };
        if told != held {
            complaints.push(format!("{room}: {told:?} in the map, {held:?} held"));
        }
    }
    complaints
}

/// A room uses only rooms that the table gives it.
pub(crate) fn one_way(file: &File) -> Vec<Complaint> {
    // What `src/bin` holds stands outside, as `src/main.rs` does: it opens the door and no more.
    let Some(room) = file.room().filter(|room| *room != "bin") else {
        return Vec::new();
    };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![Complaint::new(
            file,
            1,
            format!("`{room}` is no room of the house"),
        )];
    };
    used_rooms(file)
        .into_iter()
        .filter(|(used, _)| used != room && !allowed.contains(&used.as_str()))
        .filter(|(used, _)| ROOMS.iter().any(|(name, _)| name == used))
        .map(|(used, line)| Complaint::new(file, line, format!("{room} must not use {used}")))
        .collect()
}

/// What follows `crate::`, or as many `super::` as lead to the root, with its line.
fn used_rooms(file: &File) -> Vec<(String, usize)> {
    let mut used = Vec::new();
    for at in words(&file.code, "crate") {
        let rest = file.code[at + 5..].trim_start();
        collect(rest, line_at(&file.code, at), &mut used);
    }
    let depth = module_depth(&file.path);
    for at in words(&file.code, "super") {
        let mut rest = &file.code[at..];
        let mut climbed = 0;
        while let Some(after) = rest.strip_prefix("super") {
            climbed += 1;
            let Some(next) = after.trim_start().strip_prefix("::") else {
                break;
            };
            rest = next.trim_start();
        }
        if climbed >= depth {
            collect(&format!("::{rest}"), line_at(&file.code, at), &mut used);
        }
    }
    used
}

/// How many `super` lead from the module of a file to the root of the crate.
fn module_depth(path: &str) -> usize {
    let module = path.trim_start_matches("src/").trim_end_matches(".rs");
    module.trim_end_matches("/mod").split('/').count()
}

/// Adds the first name of each path that starts here: one, or those of a `{group}`.
fn collect(rest: &str, line: usize, used: &mut Vec<(String, usize)>) {
    let Some(rest) = rest.strip_prefix("::") else {
        return;
    };
    let rest = rest.trim_start();
    let Some(group) = rest.strip_prefix('{') else {
        used.push((first_name(rest), line));
        return;
    };
    let mut depth = 0usize;
    let mut start = 0;
    for (at, c) in group.char_indices() {
        match c {
            ',' | '}' if depth == 0 => {
                used.push((first_name(group[start..at].trim_start()), line));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
}

fn first_name(path: &str) -> String {
    path.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn each_way_to_name_a_room_is_seen() {
    for code in [
        "use crate::capture::Backend;",
        "use crate::{trace, capture};",
        "use crate::{\n    trace::{self, Nanos},\n    capture::{Backend, Error},\n};",
        "fn f() { crate::capture::start() }",
        "use crate :: capture;",
        "use super::super::capture::Backend;",
        "use super::super::{trace, capture::Backend};",
        "pub use crate::capture as other;",
    ] {
        let complaints = one_way(&File::new("src/analyze/cost.rs", code));
        assert_eq!(complaints.len(), 1, "{code}");
        assert_eq!(complaints[0].what, "analyze must not use capture", "{code}");
    }
}

#[test]
fn what_the_table_allows_passes() {
    for code in [
        "use crate::trace::{Nanos, capture};",
        "use crate::{trace, symbolize::{capture, Reason}};",
        "// use crate::capture;\n/// [`crate::capture`]",
        "let text = \"crate::capture\";",
        "pub(crate) fn capture() {}",
        "use super::capture;",
        "use crate::analyze::capture;",
    ] {
        assert!(
            one_way(&File::new("src/analyze/cost.rs", code)).is_empty(),
            "{code}"
        );
    }
}

#[test]
fn render_and_export_do_not_see_each_other_and_nobody_sees_cli() {
    for (room, used) in [
        ("render", "export"),
        ("export", "render"),
        ("capture", "cli"),
    ] {
        let file = File::new(
            &format!("src/{room}/mod.rs"),
            &format!("use crate::{used}::A;"),
        );
        assert_eq!(one_way(&file).len(), 1, "{room} uses {used}");
    }
}

#[test]
fn a_new_folder_is_no_room() {
    let complaints = one_way(&File::new("src/attic/mod.rs", "//! Things."));
    assert_eq!(complaints.len(), 1);
}

#[test]
fn a_map_that_lies_is_seen() {
    let rooms = ["trace", "symbolize"].map(str::to_owned);
    let map =
        "| room | what | uses |\n| `trace` | a | - |\n| `symbolize` | b | `trace`, `binary` |\n";
    assert_eq!(untrue(map, &rooms), [""; 0]);
    assert_eq!(untrue(&map.replace("`binary`", "`cli`"), &rooms).len(), 1);
    assert_eq!(untrue("", &rooms).len(), 2);
    assert_eq!(untrue(map, &["attic".to_owned()]).len(), 1);
}
