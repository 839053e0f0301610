//! Files of the repository, each with views of its text that the rules look at.

use std::fs;
use std::path::Path;

/// Folders that hold nothing of ours: build output, fetched tools, history.
const SKIPPED: [&str; 4] = ["target", ".git", ".tools", "__pycache__"];

/// One file. All views have the lines of the text at the same places.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root of the repository, with `/`.
    pub(crate) path: String,
    /// As it is on disk, bytes that are no UTF-8 replaced.
    pub(crate) text: String,
    /// Rust only: without comments and the contents of literals.
    pub(crate) code: String,
    /// Rust only: the code without what is compiled for tests alone.
    pub(crate) product: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if is_rust(path) {
            blank_comments_and_literals(text)
        } else {
            String::new()
        };
        let product = if is_test(path) {
            String::new()
        } else {
            blank_tests(&code)
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            product,
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        is_rust(&self.path)
    }

    /// The room of `src/` that the file belongs to.
    pub(crate) fn room(&self) -> Option<&str> {
        let (room, rest) = self.path.strip_prefix("src/")?.split_once('/')?;
        (!rest.is_empty()).then_some(room)
    }
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Every file of the repository, sorted by path.
pub(crate) fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    let mut files: Vec<File> = paths
        .iter()
        .map(|path| {
            let bytes = fs::read(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
            File::new(path, &String::from_utf8_lossy(&bytes))
        })
        .collect();
    forget_test_modules(&mut files);
    files
}

fn walk(folder: &Path, paths: &mut Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let made = path.ends_with("samples/make/bin");
        if made || path.is_symlink() || SKIPPED.contains(&name.as_str()) {
            continue;
        } else if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(
                path.strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/"),
            );
        }
    }
}

/// A file that its parent declares as `#[cfg(test)] mod name;` is compiled for tests alone.
fn forget_test_modules(files: &mut [File]) {
    let mut prefixes = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let folder = match file.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => file.path.trim_end_matches(".rs").to_owned(),
        };
        for (at, _) in file.code.match_indices("#[cfg(test)]") {
            let item = file.code[at + 12..].trim_start();
            if let Some((name, _)) = item
                .strip_prefix("mod ")
                .and_then(|rest| rest.split_once(';'))
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            {
                prefixes.push(format!("{folder}/{name}"));
            }
        }
    }
    for file in files {
        let module = file.path.trim_end_matches(".rs");
        if prefixes
            .iter()
            .any(|p| module == p || module.starts_with(&format!("{p}/")))
        {
            file.product.clear();
        }
    }
}

/// Replaces comments, and what stands inside of literals, with spaces.
pub(crate) fn blank_comments_and_literals(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, hidden) = token(rest, blanked.chars().next_back());
        debug_assert!(kept + hidden >= first.len_utf8());
        blanked.push_str(&rest[..kept]);
        let hidden_text = &rest[kept..kept + hidden];
        blanked.extend(
            hidden_text
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' }),
        );
        rest = &rest[kept + hidden..];
    }
    blanked
}

/// How many bytes to keep, and how many after them to hide.
fn token(rest: &str, before: Option<char>) -> (usize, usize) {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        (0, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (0, block_comment(rest))
    } else if let Some(length) = (!in_word).then(|| raw_string(rest)).flatten() {
        (0, length)
    } else if rest.starts_with('"') {
        (0, quoted(rest, '"'))
    } else if rest.starts_with('\'') && is_char_literal(rest) {
        (0, quoted(rest, '\''))
    } else {
        (rest.chars().next().map_or(0, char::len_utf8), 0)
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of `r"..."`, `r#"..."#`, `br"..."`, ... at the start.
fn raw_string(rest: &str) -> Option<usize> {
    let marker = ["br", "cr", "r"]
        .into_iter()
        .find(|marker| rest.starts_with(marker))?;
    let hashes = rest[marker.len()..]
        .bytes()
        .take_while(|&b| b == b'#')
        .count();
    let body = marker.len() + hashes + 1;
    if !rest[marker.len() + hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        rest[body..]
            .find(&end)
            .map_or(rest.len(), |at| body + at + end.len()),
    )
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

/// Replaces items under `#[cfg(test)]` with spaces.
fn blank_tests(code: &str) -> String {
    let mut blanked = code.to_owned();
    while let Some(start) = blanked.find("#[cfg(test)]") {
        let end = start + item_length(&blanked[start..]);
        let spaces: String = blanked[start..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        blanked.replace_range(start..end, &spaces);
    }
    blanked
}

/// The length of an item: up to its `;`, or the brace that closes its body.
fn item_length(code: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The line, counted from 1, of a place in a text.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Places where a word stands by itself.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
        })
}

#[test]
fn comments_and_literals_are_blanked() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"x // y\") // z", "f(        )     "),
        (r####"r#"a " b"# c"####, "           c"),
        ("'\"' 'a 'b' x", "    'a     x"),
        ("'\\'' b\"\\\"\" y", "     b     y"),
        ("for r in x", "for r in x"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
    ] {
        assert_eq!(blank_comments_and_literals(text), code, "{text}");
    }
}

#[test]
fn tests_are_no_product() {
    let file = File::new(
        "src/trace/a.rs",
        "use a;\n#[cfg(test)]\nmod tests {\n fn f() { b(); }\n}\n#[cfg(test)]\nuse c;\nd();\n",
    );
    assert_eq!(
        file.product.split_whitespace().collect::<Vec<_>>(),
        ["use", "a;", "d();"]
    );
    assert_eq!(file.product.lines().count(), file.text.lines().count());
    assert!(
        File::new("src/trace/a/tests.rs", "use a;")
            .product
            .is_empty()
    );
}

#[test]
fn a_module_declared_for_tests_is_no_product() {
    let mut files = [
        File::new("src/trace/mod.rs", "#[cfg(test)]\nmod made_up;\nmod real;"),
        File::new("src/trace/made_up.rs", "a();"),
        File::new("src/trace/made_up/more.rs", "a();"),
        File::new("src/trace/real.rs", "b();"),
    ];
    forget_test_modules(&mut files);
    let products: Vec<bool> = files.iter().map(|file| file.product.is_empty()).collect();
    assert_eq!(products, [false, true, true, false]);
}

#[test]
fn words_stand_by_themselves() {
    assert_eq!(
        words("cat concat cat_ (cat)", "cat").collect::<Vec<_>>(),
        [0, 17]
    );
    assert_eq!(line_at("a\nb\nc", 4), 3);
}
