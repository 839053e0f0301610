//! Names of frames as inferno's lines and XML can hold them.

use crate::render::text::{middle, safe};

/// Longer names lose their middle: those of generic functions can have thousands of characters.
const LONGEST: usize = 400;

/// The name without anything that has a meaning in a folded line or none in XML.
///
/// Semicolons part frames, a last word of digits is a weight, a line that begins with `# ` is a
/// comment, and what is empty is left out: none of this must come from a name.
pub(super) fn of(name: &str) -> String {
    let mut label = middle(safe(name).trim(), LONGEST, '…').replace(';', ",");
    if label.is_empty() {
        label.push_str("(no name)");
    }
    if label.starts_with("# ") {
        label.replace_range(1..2, "\u{a0}");
    }
    if let Some(space) = label.rfind(' ') {
        let word = label.get(space + 1..).unwrap_or_default();
        if word.chars().all(|c| c.is_ascii_digit() || c == '.') {
            label.replace_range(space..=space, "\u{a0}");
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_changes_the_meaning_of_a_line() {
        for (name, expected) in [
            ("a;b", "a,b"),
            ("", "(no name)"),
            ("  ", "(no name)"),
            ("\u{0}", "\\x00"),
            ("# note", "#\u{a0}note"),
            ("foo 12", "foo\u{a0}12"),
            ("foo 1.5", "foo\u{a0}1.5"),
            ("1 2 3", "1 2\u{a0}3"),
            ("foo (12)", "foo (12)"),
        ] {
            assert_eq!(of(name), expected);
        }
        assert_eq!(of(&"x".repeat(5_000)).chars().count(), LONGEST);
    }
}
