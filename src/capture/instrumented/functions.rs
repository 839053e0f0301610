//! What the numbers in records of an instrumented toolchain mean: the bytes of its `functions.json` in, programs and
//! their functions out. Whoever prepared the toolchain has written the file, and anybody may have changed it since.

use super::ToldFunction;
use crate::capture::probes::Mode;
use serde::Deserialize;
use std::path::{Component, Path, PathBuf};

/// The form that is known. `export` writes it, and a test reads what that has written.
pub const SCHEMA: &str = "gotrace.toolchain-functions/1";

/// A program whose functions tell of their calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldProgram {
    /// From the toolchain's folder.
    pub path: PathBuf,
    /// What chunks of its records say that they are of.
    pub image: u64,
    /// Functions: the number of one in records is its place here.
    pub functions: Vec<ToldFunction>,
}

/// What is wrong with such a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadFunctions {
    /// It is no JSON, or of another form.
    #[error("expected a JSON object with schema and rows")]
    Form(#[source] serde_json::Error),
    /// It is of another version, or something else.
    #[error("expected the schema {SCHEMA}, found {0:?}")]
    Schema(String),
    /// A program may lie anywhere.
    #[error("expected the path of a program within the toolchain, found {0:?}")]
    Path(String),
    /// What tells its records from those of others.
    #[error("{path}: expected 16 hexadecimal digits as image, found {found:?}")]
    Image {
        /// Of which program.
        path: String,
        /// What stands there.
        found: String,
    },
    /// Functions are numbered in their order.
    #[error("{path}: expected function {expected}, found {found}")]
    Number {
        /// Of which program.
        path: String,
        /// The next one.
        expected: usize,
        /// What stands there.
        found: u64,
    },
}

#[derive(Deserialize)]
struct File {
    schema: String,
    rows: Vec<ProgramRow>,
}

#[derive(Deserialize)]
struct ProgramRow {
    path: String,
    image: String,
    functions: Vec<FunctionRow>,
}

#[derive(Deserialize)]
struct FunctionRow {
    number: u64,
    name: String,
    file: String,
    edges: Edges,
    set: Option<String>,
    entry_offset: u64,
    exit_count: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Edges {
    Entry,
    Call,
}

/// Programs and their functions.
///
/// # Errors
///
/// When it is not such a file, or something in it cannot be.
pub fn programs(file: &[u8]) -> Result<Vec<ToldProgram>, BadFunctions> {
    let file: File = serde_json::from_slice(file).map_err(BadFunctions::Form)?;
    if file.schema != SCHEMA {
        return Err(BadFunctions::Schema(file.schema));
    }
    file.rows.into_iter().map(program).collect()
}

fn program(row: ProgramRow) -> Result<ToldProgram, BadFunctions> {
    let path = PathBuf::from(&row.path);
    if !is_below(&path) {
        return Err(BadFunctions::Path(row.path));
    }
    let is_image = row.image.len() == 16 && row.image.bytes().all(|byte| byte.is_ascii_hexdigit());
    let image = u64::from_str_radix(&row.image, 16).ok();
    let Some(image) = image.filter(|_| is_image) else {
        return Err(BadFunctions::Image {
            path: row.path,
            found: row.image,
        });
    };
    let functions = row.functions.into_iter().enumerate();
    let functions = functions.map(|(expected, function)| {
        if function.number != expected as u64 {
            return Err(BadFunctions::Number {
                path: row.path.clone(),
                expected,
                found: function.number,
            });
        }
        Ok(ToldFunction {
            name: function.name,
            file: function.file,
            mode: match function.edges {
                Edges::Entry => Mode::Entry,
                Edges::Call => Mode::Call,
            },
            set: function.set,
            entry: function.entry_offset,
            exits: function.exit_count,
        })
    });
    Ok(ToldProgram {
        path,
        image,
        functions: functions.collect::<Result<_, _>>()?,
    })
}

/// Whether it leads from a folder to something below it.
fn is_below(path: &Path) -> bool {
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn file() -> Value {
        json!({"schema": SCHEMA, "rows": [
            {"path": "bin/go", "image": "00000000000000ff", "functions": [
                {"number": 0, "name": "main.main", "file": "main.go", "edges": "call", "entry_offset": 4096, "exit_count": 2},
                {"number": 1, "name": "main.f", "file": "", "edges": "entry", "set": "go-build", "entry_offset": 8192,
                    "exit_count": 0, "what later versions add": [1]},
            ]},
            {"path": "pkg/tool/darwin_arm64/link", "image": "FEDCBA9876543210", "functions": []},
        ]})
    }

    fn error_of(change: impl Fn(&mut Value)) -> String {
        let mut changed = file();
        change(&mut changed);
        let error = programs(changed.to_string().as_bytes()).unwrap_err();
        crate::capture::chain(&error)
    }

    #[test]
    fn programs_and_functions_are_those_of_the_file() {
        let read = programs(file().to_string().as_bytes()).unwrap();
        let function =
            |name: &str, file: &str, mode, set: Option<&str>, entry, exits| ToldFunction {
                name: name.to_owned(),
                file: file.to_owned(),
                mode,
                set: set.map(str::to_owned),
                entry,
                exits,
            };
        let expected = [
            ToldProgram {
                path: "bin/go".into(),
                image: 255,
                functions: vec![
                    function("main.main", "main.go", Mode::Call, None, 4096, 2),
                    function("main.f", "", Mode::Entry, Some("go-build"), 8192, 0),
                ],
            },
            ToldProgram {
                path: "pkg/tool/darwin_arm64/link".into(),
                image: 0xfedc_ba98_7654_3210,
                functions: Vec::new(),
            },
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (path, found) in [
            ("", "found \"\""),
            ("/bin/go", "found \"/bin/go\""),
            ("../go", "found \"../go\""),
            ("bin/../../go", "found \"bin/../../go\""),
            ("./", "found \"./\""),
        ] {
            let error = error_of(|file| file["rows"][0]["path"] = path.into());
            assert!(
                error.starts_with("expected the path of a program within"),
                "{error}"
            );
            assert!(error.ends_with(found), "{error}");
        }
        for image in [
            "ff",
            "+0000000000000ff",
            "00000000000000fg",
            "\u{e9}0000000000000f",
            "000000000000000ff",
        ] {
            let error = error_of(|file| file["rows"][0]["image"] = image.into());
            assert!(
                error.starts_with("bin/go: expected 16 hexadecimal"),
                "{error}"
            );
        }
        for number in [0, 2, u64::MAX] {
            let error = error_of(|file| file["rows"][0]["functions"][1]["number"] = number.into());
            assert_eq!(
                error,
                format!("bin/go: expected function 1, found {number}")
            );
        }
        let error = error_of(|file| file["schema"] = "gotrace.toolchain-functions/2".into());
        assert_eq!(
            error,
            "expected the schema gotrace.toolchain-functions/1, found \"gotrace.toolchain-functions/2\""
        );
    }

    #[test]
    fn what_is_of_another_form_is_refused() {
        let function = |key: &'static str, value: Value| {
            move |file: &mut Value| file["rows"][0]["functions"][0][key] = value.clone()
        };
        for change in [
            function("number", json!(-1)),
            function("number", json!(0.5)),
            function("edges", json!("exit")),
            function("exit_count", json!(1_u64 << 32)),
            function("entry_offset", json!("4096")),
            function("name", json!(null)),
        ] {
            let error = error_of(change);
            assert!(
                error.starts_with("expected a JSON object with schema and rows: "),
                "{error}"
            );
        }
        let whole = file().to_string();
        let mut cut = 0;
        for end in 0..whole.len() {
            cut += usize::from(programs(&whole.as_bytes()[..end]).is_err());
        }
        assert_eq!(cut, whole.len());
        let deep = vec![b'['; 1 << 20];
        assert!(matches!(programs(&deep), Err(BadFunctions::Form(_))));
    }
}
