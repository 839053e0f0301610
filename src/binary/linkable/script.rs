//! Texts that stand for libraries on Linux (`libc.so`): which files they name.
//!
//! ```text
//! /* a comment */  OUTPUT_FORMAT(elf64-x86-64)
//! GROUP ( /lib/x86_64-linux-gnu/libc.so.6 AS_NEEDED ( /lib64/ld-linux-x86-64.so.2 ) )   INPUT ( -lm )
//! ```

use super::{Format, Kind, Linkable};

pub(super) fn read(data: &[u8]) -> Option<Linkable> {
    if data.len() as u64 > Linkable::LARGEST_SCRIPT {
        return None;
    }
    let text = std::str::from_utf8(data).ok()?;
    let mut found = Linkable::new(Kind::Script, Format::Elf);
    let text = without_comments(text);
    let spaced = text
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " ");
    let (mut depth, mut open, mut command) = (0_usize, false, "");
    for word in spaced.split_whitespace() {
        match word {
            "(" => {
                depth = depth.saturating_add(1);
                open |= matches!(command, "GROUP" | "INPUT");
            }
            ")" => {
                depth = depth.saturating_sub(1);
                open &= depth > 0;
            }
            "AS_NEEDED" if open => {}
            word if open => found.names.push(word.trim_matches('"').to_owned()),
            word if depth == 0 => command = word,
            _ => {}
        }
    }
    (!found.names.is_empty()).then_some(found)
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        kept.push_str(before);
        kept.push(' ');
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Vec<String>> {
        read(text.as_bytes()).map(|found| found.names)
    }

    #[test]
    fn groups_name_files() {
        let libc = "/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( /lib/libc.so.6 /usr/lib/libc_nonshared.a  AS_NEEDED ( /lib64/ld.so.2 ) )\n";
        assert_eq!(
            names(libc).unwrap(),
            [
                "/lib/libc.so.6",
                "/usr/lib/libc_nonshared.a",
                "/lib64/ld.so.2"
            ]
        );
        assert_eq!(
            names("INPUT(libncurses.so.6 -ltinfo)").unwrap(),
            ["libncurses.so.6", "-ltinfo"]
        );
    }

    #[test]
    fn other_texts_are_no_scripts() {
        for text in [
            "",
            "hello (world)",
            "OUTPUT_FORMAT(elf64)",
            "/* GROUP ( a )",
            ")))(((",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
        assert!(read(b"\xff\xfe").is_none());
    }
}
