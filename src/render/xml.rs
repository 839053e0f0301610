//! Text in SVG: names come from strangers and must stay text.

use super::text::safe;

/// The text as the content of an element or of an attribute in double quotes.
///
/// What XML cannot hold or a reader cannot see is written as an escape first; line ends stay,
/// for tooltips of several lines.
#[must_use]
pub fn escape(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escape_line).collect();
    lines.join("\n")
}

fn escape_line(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    for c in safe(line).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escape("</script>\"'&\x1b\u{fffe}\nnext"),
            "&lt;/script&gt;&quot;&#39;&amp;\\x1b\u{fffd}\nnext"
        );
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_back(text in any::<String>()) {
            let xml = format!("<a b=\"{0}\">{0}</a>", escape(&text));
            let document = roxmltree::Document::parse(&xml).unwrap();
            prop_assert_eq!(document.root_element().attributes().len(), 1);
            prop_assert_eq!(document.root_element().children().filter(roxmltree::Node::is_element).count(), 0);
        }
    }
}
