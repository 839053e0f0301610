//! How many columns text takes, and how it is made to fit; names come from strangers.

use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

/// The most combining marks that are kept on one character: more would paint over other lines.
const MAX_MARKS: usize = 4;

/// Columns that a safe text takes on a terminal.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().filter_map(char_columns).sum()
}

fn char_columns(c: char) -> Option<usize> {
    c.width()
}

/// The text with all that is not a printed character written as an escape.
///
/// Control characters could move the cursor, marks of direction could reorder the line, and what
/// has no width could make two names look the same. Combining marks stay where they belong to a
/// character.
#[must_use]
pub fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut marks = None;
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            _ if c.is_control() || is_invisible(c) => escape(c, &mut safe),
            _ => match (char_columns(c), marks) {
                (Some(0), Some(kept)) if kept < MAX_MARKS => {
                    marks = Some(kept + 1);
                    safe.push(c);
                    continue;
                }
                (Some(0) | None, _) => escape(c, &mut safe),
                (Some(_), _) => {
                    safe.push(c);
                    marks = Some(0);
                    continue;
                }
            },
        }
        marks = None;
    }
    safe
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(c: char, into: &mut String) {
    let written = if u32::from(c) < 0x100 {
        write!(into, "\\x{:02x}", u32::from(c))
    } else {
        write!(into, "\\u{{{:x}}}", u32::from(c))
    };
    debug_assert!(written.is_ok(), "writing to a string does not fail");
}

/// The text in ASCII: the characters that gotrace itself uses become their nearest, others `?`.
#[must_use]
pub(super) fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => ascii.push(c),
            '…' => ascii.push('~'),
            'µ' => ascii.push('u'),
            '·' | '—' | '–' | '─' => ascii.push('-'),
            '→' | '▸' => ascii.push('>'),
            '×' => ascii.push('x'),
            '●' | '◆' => ascii.push('*'),
            '│' => ascii.push('|'),
            '├' | '└' => ascii.push('+'),
            _ if char_columns(c) == Some(0) => {}
            _ => ascii.extend(std::iter::repeat_n('?', char_columns(c).unwrap_or(1))),
        }
    }
    ascii
}

/// The text cut in its middle to at most `width` columns; two thirds of what is kept are its end,
/// where paths and functions differ.
#[must_use]
pub fn middle(text: &str, width: usize, ellipsis: char) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let head = prefix(text, room / 3);
    let tail = suffix(text, room - columns(head));
    format!("{head}{ellipsis}{tail}")
}

/// The longest start of the text that takes at most `width` columns, marks included.
#[must_use]
pub(super) fn prefix(text: &str, width: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        taken += char_columns(c).unwrap_or(0);
        (taken > width).then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The longest end of the text that takes at most `width` columns and begins with a character.
fn suffix(text: &str, width: usize) -> &str {
    let mut taken = 0;
    let mut start = text.len();
    for (at, c) in text.char_indices().rev() {
        let columns = char_columns(c).unwrap_or(0);
        taken += columns;
        if taken > width {
            break;
        }
        if columns > 0 {
            start = at;
        }
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_move_the_cursor_is_written_out() {
        assert_eq!(safe("a\x1b[2Jb\nc\td\u{9b}"), "a\\x1b[2Jb\\nc\\td\\x9b");
        assert_eq!(safe("a\u{202e}b\u{200b}c"), "a\\u{202e}b\\u{200b}c");
        assert_eq!(safe("e\u{301}"), "e\u{301}");
        assert_eq!(safe("\u{301}e"), "\\u{301}e");
        assert_eq!(
            columns(&safe(&format!("e{}", "\u{301}".repeat(50)))),
            1 + 46 * 7
        );
        assert_eq!(safe("日本 net/http"), "日本 net/http");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("日本"), 4);
        assert_eq!(columns("e\u{301}"), 1);
        assert_eq!(middle("日本日本日本", 7, '…'), "日…日本");
    }

    #[test]
    fn the_middle_goes_first() {
        assert_eq!(
            middle(
                "cmd/compile/internal/ssa.(*regAllocState).regalloc",
                25,
                '…'
            ),
            "cmd/comp…cState).regalloc"
        );
        assert_eq!(middle("short", 5, '…'), "short");
        assert_eq!(middle("longer", 1, '…'), "…");
        assert_eq!(middle("longer", 0, '…'), "");
    }

    #[test]
    fn ascii_keeps_the_width() {
        assert_eq!(ascii("1.2 µs · 日本 → é"), "1.2 us - ???? > ?");
    }

    proptest! {
        #[test]
        fn cut_text_fits_and_is_safe(text in any::<String>(), width in 0_usize..40) {
            let safe = safe(&text);
            prop_assert!(!safe.chars().any(char::is_control));
            let cut = middle(&safe, width, '…');
            prop_assert!(columns(&cut) <= width);
            prop_assert_eq!(columns(&ascii(&safe)), columns(&safe));
        }
    }
}
