//! A function's name as the linker keeps it in, as Go developers write it out.

use std::borrow::Cow;

/// Shortens type arguments to `[...]`, as tracebacks do, and undoes the escapes (`%2e`) that
/// the compiler makes in import paths.
///
/// `gopkg.in/yaml%2ev3.Map[go.shape.int].Get` becomes `gopkg.in/yaml.v3.Map[...].Get`.
#[must_use]
pub fn display_name(linker_name: &[u8]) -> Cow<'_, [u8]> {
    let shortened = shorten(linker_name);
    if shortened.contains(&b'%') {
        Cow::Owned(unescape(&shortened))
    } else {
        shortened
    }
}

fn shorten(name: &[u8]) -> Cow<'_, [u8]> {
    let open = name.iter().position(|&byte| byte == b'[');
    let close = name.iter().rposition(|&byte| byte == b']');
    match (open, close) {
        (Some(open), Some(close)) if open < close => {
            let (before, after) = (name.get(..open), name.get(close..));
            let mut short = before.unwrap_or_default().to_vec();
            short.extend_from_slice(b"[...");
            short.extend_from_slice(after.unwrap_or_default());
            Cow::Owned(short)
        }
        _ => Cow::Borrowed(name),
    }
}

fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            // A sign is no digit, but `from_str_radix` takes one.
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(byte));
        rest = match escaped {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> String {
        String::from_utf8(display_name(name.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn names_are_shown_as_developers_write_them() {
        for (linker, shown_as) in [
            ("net/http.(*Server).Serve", "net/http.(*Server).Serve"),
            ("main.Map[go.shape.int]", "main.Map[...]"),
            ("main.Map[go.shape.[]int].Get", "main.Map[...].Get"),
            ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3.Unmarshal"),
            ("odd%zz.name%2", "odd%zz.name%2"),
            ("odd%+1", "odd%+1"),
            ("main.]odd[", "main.]odd["),
            ("", ""),
        ] {
            assert_eq!(shown(linker), shown_as);
        }
    }
}
