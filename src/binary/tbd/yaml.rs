//! The part of YAML that stubs are written in: documents with tags, mappings and lists by
//! indentation, lists in brackets over several lines, plain and quoted words, comments.
//!
//! A reader of all of YAML would be thousands of lines, and those that there are in Rust are no
//! longer kept; anchors, block texts, mappings in braces and the rest occur in no stub, and are
//! refused.

use super::Error;

/// Stubs nest three deep.
const DEEPEST: usize = 16;

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Word(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Node {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                let found = entries.iter().find(|(name, _)| name == key);
                found.map(|(_, value)| value)
            }
            Self::Word(_) | Self::List(_) => None,
        }
    }

    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Its elements; none for what is no list.
    pub(super) fn list(&self) -> &[Self] {
        match self {
            Self::List(nodes) => nodes,
            Self::Word(_) | Self::Map(_) => &[],
        }
    }

    /// Its elements that are words.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.list().iter().filter_map(Self::word)
    }
}

/// A document: the tag behind its `---`, and what it holds.
pub(super) struct Document {
    pub(super) tag: String,
    pub(super) node: Node,
}

struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

impl Line<'_> {
    fn refuse(&self, expected: &'static str) -> Error {
        Error::Line {
            line: self.number,
            expected,
            found: format!("{:?}", self.text.chars().take(40).collect::<String>()),
        }
    }
}

/// Reads all documents of a text.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, Error> {
    let mut documents: Vec<(String, Vec<Line<'_>>)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if let Some(tag) = line.strip_prefix("---") {
            documents.push((tag.trim().to_owned(), Vec::new()));
            continue;
        }
        let shown = without_comment(line).trim_end();
        let text = shown.trim_start_matches(' ');
        if text.is_empty() || shown == "..." {
            continue;
        }
        let line = Line {
            number,
            indent: shown.len().saturating_sub(text.len()),
            text,
        };
        match documents.last_mut() {
            Some((_, lines)) => lines.push(line),
            None => return Err(line.refuse("`---`")),
        }
    }
    let read = documents.into_iter().map(|(tag, lines)| {
        let mut reader = Reader {
            lines: &lines,
            at: 0,
        };
        let node = reader.block(0, 0)?;
        match reader.peek() {
            Some(line) => Err(line.refuse("less indentation")),
            None => Ok(Document { tag, node }),
        }
    });
    read.collect()
}

/// A comment begins with `#` at the start of a line or behind a space, outside of quotes.
fn without_comment(line: &str) -> &str {
    if !line.contains('#') {
        return line;
    }
    let (mut quote, mut before, mut escaped) = (None, ' ', false);
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '#') if before.is_whitespace() => return line.get(..at).unwrap_or(line),
            _ => {}
        }
        before = letter;
    }
    line
}

struct Reader<'a> {
    lines: &'a [Line<'a>],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Line<'a>> {
        self.lines.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Line<'a>> {
        let line = self.peek()?;
        self.at = self.at.saturating_add(1);
        Some(line)
    }

    /// A mapping or a list whose lines are indented by `indent` or more: by as much as the first.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Node, Error> {
        match self.peek() {
            Some(line) if depth > DEEPEST => Err(line.refuse("less depth")),
            Some(line) if line.indent >= indent && is_item(line.text) => {
                self.list(line.indent, depth)
            }
            Some(line) if line.indent >= indent => self.map(line.indent, depth, None),
            _ => Ok(Node::Word(String::new())),
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Node, Error> {
        let mut nodes = Vec::new();
        while let Some(line) = self.peek() {
            if line.indent != indent || !is_item(line.text) {
                break;
            }
            self.next();
            let rest = line.text.get(1..).unwrap_or_default();
            let inner = rest.trim_start();
            let column = line.text.len().saturating_sub(inner.len());
            let column = indent.saturating_add(column);
            nodes.push(if inner.is_empty() {
                self.block(indent.saturating_add(1), depth.saturating_add(1))?
            } else if key(inner).is_some() {
                let first = Line {
                    number: line.number,
                    indent: column,
                    text: inner,
                };
                self.map(column, depth.saturating_add(1), Some(&first))?
            } else {
                self.value(line, inner)?
            });
        }
        Ok(Node::List(nodes))
    }

    /// A mapping, whose first entry may stand behind the dash of a list.
    fn map(
        &mut self,
        indent: usize,
        depth: usize,
        first: Option<&Line<'_>>,
    ) -> Result<Node, Error> {
        let mut entries = Vec::new();
        if let Some(line) = first {
            entries.push(self.entry(line, depth)?);
        }
        while let Some(line) = self.peek() {
            if line.indent != indent || is_item(line.text) {
                break;
            }
            self.next();
            entries.push(self.entry(line, depth)?);
        }
        match self.peek() {
            Some(line) if line.indent > indent => Err(line.refuse("less indentation")),
            _ => Ok(Node::Map(entries)),
        }
    }

    fn entry(&mut self, line: &Line<'_>, depth: usize) -> Result<(String, Node), Error> {
        let (key, rest) = key(line.text).ok_or_else(|| line.refuse("`key:`"))?;
        let node = if rest.is_empty() {
            // A list may stand at the very column of its key.
            let below = match self.peek() {
                Some(next) if is_item(next.text) => line.indent,
                _ => line.indent.saturating_add(1),
            };
            self.block(below, depth.saturating_add(1))?
        } else {
            self.value(line, rest)?
        };
        Ok((key.to_owned(), node))
    }

    /// A word, or a list in brackets, which takes up lines until it ends.
    fn value(&mut self, line: &Line<'_>, text: &str) -> Result<Node, Error> {
        if !text.starts_with('[') {
            return match word(text) {
                Some((word, "")) => Ok(Node::Word(word)),
                _ => Err(line.refuse("a word or a list in brackets")),
            };
        }
        let mut nodes = Vec::new();
        let mut rest = text.get(1..).unwrap_or_default().trim_start();
        loop {
            if rest.is_empty() {
                rest = self.next().ok_or_else(|| line.refuse("a `]`"))?.text;
            } else if let Some(after) = rest.strip_prefix(']') {
                return match after.trim() {
                    "" => Ok(Node::List(nodes)),
                    _ => Err(line.refuse("nothing behind `]`")),
                };
            } else {
                let (word, after) = word(rest).ok_or_else(|| line.refuse("a word"))?;
                nodes.push(Node::Word(word));
                let after = after.trim_start();
                rest = match after.strip_prefix(',') {
                    Some(after) => after.trim_start(),
                    None if after.is_empty() || after.starts_with(']') => after,
                    None => return Err(line.refuse("`,` or `]`")),
                };
            }
        }
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// The key of an entry, and what stands behind its colon.
fn key(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = text.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let divided = rest.is_empty() || rest.starts_with(' ');
    (!key.is_empty() && key.chars().all(plain) && divided).then(|| (key, rest.trim()))
}

/// The word that a text begins with, and what stands behind it.
fn word(text: &str) -> Option<(String, &str)> {
    match text.chars().next()? {
        '\'' => {
            // A quote within is written twice.
            let (mut word, mut rest) = (String::new(), text.get(1..)?);
            loop {
                let (part, after) = rest.split_once('\'')?;
                word.push_str(part);
                match after.strip_prefix('\'') {
                    Some(after) => {
                        word.push('\'');
                        rest = after;
                    }
                    None => return Some((word, after)),
                }
            }
        }
        '"' => {
            let (mut word, mut letters) = (String::new(), text.char_indices().skip(1));
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '"' => return Some((word, text.get(at.saturating_add(1)..)?)),
                    '\\' => word.push(letters.next()?.1),
                    other => word.push(other),
                }
            }
            None
        }
        '{' | '}' | '&' | '*' | '|' | '>' | '!' | '%' | '@' | '`' | '[' | ']' | ',' => None,
        _ => {
            let end = text.find([',', ']', '[']).unwrap_or(text.len());
            let (word, rest) = (text.get(..end)?, text.get(end..)?);
            Some((word.trim_end().to_owned(), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Node {
        Node::List(words.iter().map(|&w| Node::Word(w.to_owned())).collect())
    }

    fn only(text: &str) -> Node {
        let mut documents = documents(text).unwrap();
        assert_eq!(documents.len(), 1);
        documents.remove(0).node
    }

    #[test]
    fn lists_run_over_lines_and_words_may_be_quoted() {
        let node = only(
            "--- !tapi-tbd # a comment\nsymbols:  [ _a, 'R8$_b', \n   \"_c\\\"\", 'it''s', # more\n  ___d ]\nflat: [ ]\n...\n",
        );
        let expected = words(&["_a", "R8$_b", "_c\"", "it's", "___d"]);
        assert_eq!(node.get("symbols"), Some(&expected));
        assert_eq!(node.get("flat"), Some(&Node::List(Vec::new())));
    }

    #[test]
    fn indentation_nests() {
        let node = only(
            "---\nexports:\n  - archs: [ a ]\n    symbols: [ _x ]\n  - archs: [ b ]\nuuids:\n- target: t\n  value: v\n-\n  target: u\nlast: 1.2.3\n",
        );
        let exports = node.get("exports").unwrap().list();
        assert_eq!(exports.len(), 2);
        assert_eq!(exports[0].get("symbols"), Some(&words(&["_x"])));
        let uuids = node.get("uuids").unwrap().list();
        assert_eq!(uuids[0].get("value").unwrap().word(), Some("v"));
        assert_eq!(uuids[1].get("target").unwrap().word(), Some("u"));
        assert_eq!(node.get("last").unwrap().word(), Some("1.2.3"));
    }

    #[test]
    fn what_no_stub_has_is_refused_with_its_line() {
        for (text, line) in [
            ("a: b\n", 1),
            ("---\na: { b: c }\n", 2),
            ("---\na: [ b\nc: d\n", 3),
            ("---\n\na: [ b ] c\n", 3),
            ("---\na: [ b\n", 2),
            ("---\na: 'b\n", 2),
            ("---\na: b\n    c: d\n", 3),
            ("---\nno colon\n", 2),
            ("---\na: [ [ b ] ]\n", 2),
        ] {
            match documents(text) {
                Err(Error::Line { line: found, .. }) => assert!(found <= line, "{text}: {found}"),
                other => panic!("{text}: {:?}", other.map(|found| found.len())),
            }
        }
        let deep = format!("---\n{}", "-\n ".repeat(100));
        assert!(
            documents(&deep).is_ok(),
            "a list of nothing, again and again"
        );
        let mut deep = "---\n".to_owned();
        for depth in 0..100 {
            deep.push_str(&format!("{}a:\n", " ".repeat(depth)));
        }
        assert!(matches!(
            documents(&deep),
            Err(Error::Line { line: 19.., .. })
        ));
    }
}
