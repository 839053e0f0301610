//! GOFLAGS: flags for every go command that a build starts, kept together with the user's own.
//!
//! The go command splits GOFLAGS at white space; a field that begins with a quote ends at the
//! next quote of the same kind, and nothing inside is escaped (`cmd/internal/quoted`).

/// Why GOFLAGS cannot be extended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The user's GOFLAGS end inside a quote: the go command will refuse them too.
    #[error("GOFLAGS: a quote is not closed")]
    OpenQuote,
    /// A flag holds both kinds of quotes.
    #[error("GOFLAGS: a flag with both kinds of quotes cannot be written: {0}")]
    BothQuotes(String),
}

/// Splits as the go command does.
///
/// # Errors
///
/// When a quote is not closed.
pub fn split(text: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut fields = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(&first) = rest.first() {
        let (field, after) = if matches!(first, b'"' | b'\'') {
            let inside = &rest[1..];
            let end = inside.iter().position(|&byte| byte == first);
            let end = end.ok_or(Error::OpenQuote)?;
            (&inside[..end], &inside[end + 1..])
        } else {
            let end = rest.iter().position(|&byte| is_space(byte));
            rest.split_at(end.unwrap_or(rest.len()))
        };
        fields.push(field.to_vec());
        rest = after.trim_ascii_start();
    }
    Ok(fields)
}

/// Joins so that the go command splits it into the same fields.
///
/// # Errors
///
/// When a field needs quotes and holds both kinds of them.
pub fn join(fields: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    for field in fields {
        if !text.is_empty() {
            text.push(b' ');
        }
        let plain = !field.is_empty()
            && !field
                .iter()
                .any(|&byte| is_space(byte) || matches!(byte, b'"' | b'\''));
        if plain {
            text.extend_from_slice(field);
            continue;
        }
        let quote = match (field.contains(&b'"'), field.contains(&b'\'')) {
            (false, _) => b'"',
            (true, false) => b'\'',
            (true, true) => {
                let shown = String::from_utf8_lossy(field).into_owned();
                return Err(Error::BothQuotes(shown));
            }
        };
        text.push(quote);
        text.extend_from_slice(field);
        text.push(quote);
    }
    Ok(text)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The value of the last `-name=value` among flags.
#[must_use]
pub fn value<'a>(flags: &'a [Vec<u8>], name: &str) -> Option<&'a [u8]> {
    flags.iter().rev().find_map(|flag| {
        let flag = flag.strip_prefix(b"-")?;
        let flag = flag.strip_prefix(b"-").unwrap_or(flag);
        flag.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    })
}

/// The value of the last `-name=value` or `-name value` among the words of a command line. What
/// follows `-args` or `--` is a program's own.
#[must_use]
pub fn value_on_line<'a>(words: &[&'a [u8]], name: &str) -> Option<&'a [u8]> {
    let of_program = |word: &&[u8]| matches!(*word, b"-args" | b"--args" | b"--");
    let end = words.iter().position(of_program).unwrap_or(words.len());
    let words = &words[..end];
    words.iter().enumerate().rev().find_map(|(at, word)| {
        let flag = word.strip_prefix(b"-")?;
        let flag = flag.strip_prefix(b"-").unwrap_or(flag);
        match flag.strip_prefix(name.as_bytes())? {
            [] => words.get(at + 1).copied(),
            [b'=', value @ ..] => Some(value),
            _ => None,
        }
    })
}

/// The user's flags with `added` after them: a later flag wins over an earlier one.
///
/// # Errors
///
/// As [`split`] and [`join`].
pub fn extend(user: &[u8], added: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let mut flags = split(user)?;
    flags.extend_from_slice(added);
    join(&flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<String> {
        let fields = split(text.as_bytes()).expect("well quoted");
        fields
            .into_iter()
            .map(|field| String::from_utf8(field).expect("text"))
            .collect()
    }

    #[test]
    fn quotes_hold_only_at_the_start_of_a_field() {
        assert_eq!(
            fields(" -a  '-b=c d'\t\"-e='f'\" -g='h i"),
            ["-a", "-b=c d", "-e='f'", "-g='h", "i"]
        );
        assert_eq!(split(b"'-a"), Err(Error::OpenQuote));
        assert!(fields(" ").is_empty());
    }

    #[test]
    fn what_is_joined_is_split_into_the_same() {
        let flags = ["-a", "-b=c d", "-x='y z'", "-x=\"y\"", ""];
        let flags: Vec<Vec<u8>> = flags.iter().map(|flag| flag.as_bytes().to_vec()).collect();
        let text = join(&flags).expect("joinable");
        assert_eq!(split(&text).expect("well quoted"), flags);
        let both = vec![b"-x=' \"".to_vec()];
        assert!(matches!(join(&both), Err(Error::BothQuotes(_))));
    }

    #[test]
    fn a_command_line_has_flags_of_two_words() {
        let line = [
            "test", "-C", "a", "--o=b", "-o", "c", "-args", "-o=d", "-p=1",
        ];
        let line = line.map(str::as_bytes);
        assert_eq!(value_on_line(&line, "C"), Some(&b"a"[..]));
        assert_eq!(value_on_line(&line, "o"), Some(&b"c"[..]));
        assert_eq!(value_on_line(&line, "p"), None);
        assert_eq!(value_on_line(&line[..2], "C"), None);
    }

    #[test]
    fn the_users_flags_stay_and_ours_come_last() {
        let text = extend(b"-mod=mod '-ldflags=-s -w'", &[b"-toolexec=/g x".to_vec()]);
        let text = String::from_utf8(text.expect("joinable")).expect("text");
        assert_eq!(text, "-mod=mod \"-ldflags=-s -w\" \"-toolexec=/g x\"");
        let flags = split(text.as_bytes()).expect("well quoted");
        assert_eq!(value(&flags, "toolexec"), Some(&b"/g x"[..]));
        assert_eq!(value(&flags, "tool"), None);
    }
}
