//! Takes secrets out of what a trace will hold: arguments, command lines, environment values.
//!
//! Redaction comes before anything is written, so no later step can forget it. It errs on the
//! side of hiding: a value that only looks secret is lost to the trace, never the other way.

/// What stands in the place of what was taken out.
const HIDDEN: &[u8] = b"[redacted]";

/// Parts of a name that say that its value is secret.
const SECRET_NAMES: [&[u8]; 12] = [
    b"token",
    b"secret",
    b"passw",
    b"passphrase",
    b"apikey",
    b"api-key",
    b"api_key",
    b"credential",
    b"private-key",
    b"private_key",
    b"access-key",
    b"access_key",
];

/// Beginnings of values that are keys or tokens whatever their name, as those who issue them
/// document: GitHub, GitLab, Slack, AWS, Google, npm, JSON web tokens, PEM.
const SECRET_VALUES: [&[u8]; 15] = [
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"xoxb-",
    b"xoxp-",
    b"AKIA",
    b"ASIA",
    b"AIza",
    b"npm_",
    b"eyJ",
    b"-----BEGIN",
];

/// Whether the value of an environment variable may be stored: those that decide how Go builds.
#[must_use]
pub(super) fn keeps_variable(name: &[u8]) -> bool {
    let listed: [&[u8]; 4] = [b"CC", b"CXX", b"PATH", b"GOMAXPROCS"];
    let go = name.starts_with(b"GO") || name.starts_with(b"CGO_");
    (go || listed.contains(&name)) && !is_secret_name(name)
}

/// Arguments without their secrets.
#[must_use]
pub(super) fn arguments(argv: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut hide_next = false;
    let mut defines_next = false;
    argv.iter()
        .map(|&argument| {
            let hidden = std::mem::take(&mut hide_next);
            let defines = std::mem::take(&mut defines_next);
            if hidden {
                return HIDDEN.to_vec();
            }
            if defines {
                return hide_after_equals(argument);
            }
            let is_flag = argument.starts_with(b"-");
            hide_next = is_flag && !argument.contains(&b'=') && is_secret_name(argument);
            defines_next = matches!(argument, b"-X" | b"--X");
            self::argument(argument)
        })
        .collect()
}

/// One line of commands, as a shell would read it, without its secrets.
#[must_use]
pub(super) fn line(text: &[u8]) -> Vec<u8> {
    // Words keep their quotes and what stands between them, so that nothing but secrets changes.
    let words = words(text);
    let plain: Vec<&[u8]> = words.iter().map(|word| word.text).collect();
    let mut out = Vec::with_capacity(text.len());
    for (word, kept) in words.iter().zip(arguments(&plain)) {
        out.extend_from_slice(&kept);
        out.extend_from_slice(word.gap);
    }
    out
}

/// The value of an environment variable without its secrets.
#[must_use]
pub(super) fn value(value: &[u8]) -> Vec<u8> {
    if value.contains(&b' ') {
        line(value)
    } else {
        argument(value)
    }
}

fn argument(argument: &[u8]) -> Vec<u8> {
    // -ldflags "-X main.token=..." and the like: a command line inside an argument.
    if argument.contains(&b' ') && contains(argument, b"-X") {
        return linker_flags(argument);
    }
    if let Some(at) = position(argument, b"-X=") {
        let (before, after) = argument.split_at(at + 3);
        return [before, &hide_after_equals(after)].concat();
    }
    if let Some(equals) = argument.iter().position(|&byte| byte == b'=') {
        let (name, rest) = argument.split_at(equals + 1);
        if is_secret_name(name) || is_secret_value(rest) {
            return [name, HIDDEN].concat();
        }
    }
    if is_secret_value(argument) {
        return HIDDEN.to_vec();
    }
    without_url_password(argument)
}

/// `-X name=value` with a space, wherever it stands in the text, and every other secret word.
fn linker_flags(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut defines = false;
    for word in words(text) {
        let bare = word.text;
        out.extend(match defines {
            true => hide_after_equals(bare),
            false if bare.contains(&b' ') => bare.to_vec(),
            false => argument(bare),
        });
        out.extend_from_slice(word.gap);
        defines = bare.ends_with(b"-X");
    }
    out
}

fn hide_after_equals(definition: &[u8]) -> Vec<u8> {
    match definition.iter().position(|&byte| byte == b'=') {
        Some(equals) => {
            let quote = definition
                .last()
                .filter(|last| matches!(last, b'"' | b'\''))
                .map(std::slice::from_ref)
                .unwrap_or_default();
            [&definition[..=equals], HIDDEN, quote].concat()
        }
        None => definition.to_vec(),
    }
}

fn is_secret_name(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| contains(&lower, part))
}

fn is_secret_value(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    // Shorter ones are words that begin alike.
    value.len() >= 16 && SECRET_VALUES.iter().any(|start| value.starts_with(start))
        || value.starts_with(b"Bearer ")
        || value.starts_with(b"Basic ")
}

/// `https://user:password@host` without the password.
fn without_url_password(text: &[u8]) -> Vec<u8> {
    let Some(scheme) = position(text, b"://") else {
        return text.to_vec();
    };
    let authority = scheme + 3;
    let rest = &text[authority..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b',' | b'|'));
    let end = end.unwrap_or(rest.len());
    let at = rest[..end].iter().rposition(|&byte| byte == b'@');
    let kept = match at {
        Some(at) => [HIDDEN, &rest[at..end]].concat(),
        None => rest[..end].to_vec(),
    };
    // GOPROXY holds several, separated by commas or bars.
    [
        &text[..authority],
        &kept,
        &without_url_password(&rest[end..]),
    ]
    .concat()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    position(text, part).is_some()
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A word of a command line with its quotes, and the spaces after it.
struct Word<'a> {
    text: &'a [u8],
    gap: &'a [u8],
}

fn words(text: &[u8]) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut quote = None;
        let mut end = rest.len();
        for (at, &byte) in rest.iter().enumerate() {
            match quote {
                Some(open) if byte == open => quote = None,
                Some(_) => {}
                None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
                None if byte.is_ascii_whitespace() => {
                    end = at;
                    break;
                }
                None => {}
            }
        }
        let (word, after) = rest.split_at(end);
        let gap = after
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let (gap, after) = after.split_at(gap);
        words.push(Word { text: word, gap });
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(argv: &[&str]) -> Vec<String> {
        let argv: Vec<&[u8]> = argv.iter().map(|text| text.as_bytes()).collect();
        let kept = arguments(&argv);
        kept.into_iter()
            .map(|bytes| String::from_utf8(bytes).expect("text"))
            .collect()
    }

    fn one(argument: &str) -> String {
        redacted(&[argument]).remove(0)
    }

    #[test]
    fn linker_definitions_keep_their_names_only() {
        assert_eq!(
            redacted(&["link", "-X", "main.v=1.2", "-X=main.k=s3cret", "-o", "x"]),
            [
                "link",
                "-X",
                "main.v=[redacted]",
                "-X=main.k=[redacted]",
                "-o",
                "x"
            ]
        );
        assert_eq!(
            one("-ldflags=-s -X main.a=1 -X=main.b=2 -w"),
            "-ldflags=-s -X main.a=[redacted] -X=main.b=[redacted] -w"
        );
        assert_eq!(one("-ldflags=-X main.a=1"), "-ldflags=-X main.a=[redacted]");
        assert_eq!(one("-ldflags=-X=main.a=1"), "-ldflags=-X=main.a=[redacted]");
        assert_eq!(one("-s -X 'main.a=x y' -w"), "-s -X 'main.a=[redacted]' -w");
    }

    #[test]
    fn tokens_are_hidden_by_name_and_by_look() {
        assert_eq!(one("--token=abc"), "--token=[redacted]");
        assert_eq!(redacted(&["x", "--password", "abc", "y"])[2], "[redacted]");
        assert_eq!(one("NPM_TOKEN=abc"), "NPM_TOKEN=[redacted]");
        assert_eq!(one("ghp_0123456789abcdef0123"), "[redacted]");
        assert_eq!(one("auth=ghp_0123456789abcdef0123"), "auth=[redacted]");
        assert_eq!(one("Authorization: x"), "Authorization: x");
        assert_eq!(one("https://u:p@h/x"), "https://[redacted]@h/x");
        assert_eq!(
            one("https://a:b@h,https://c:d@i,direct"),
            "https://[redacted]@h,https://[redacted]@i,direct"
        );
    }

    #[test]
    fn what_is_no_secret_stays() {
        for argument in [
            "./...",
            "-o",
            "/tmp/tokens.go",
            "-p",
            "a/b@v1.2",
            "npm_x",
            "-X",
        ] {
            assert_eq!(one(argument), argument);
        }
        assert_eq!(one("http://h/a@b"), "http://h/a@b");
    }

    #[test]
    fn lines_change_nothing_but_secrets() {
        let text = b"cd '/a b'\n/x/link  -o y -X=m.t=abc  -X \"m.u=d e\" \"--token=1 2\" z\n";
        let kept = String::from_utf8(line(text)).expect("text");
        assert_eq!(
            kept,
            "cd '/a b'\n/x/link  -o y -X=m.t=[redacted]  -X \"m.u=[redacted]\" \
             \"--token=[redacted] z\n"
        );
    }

    #[test]
    fn only_what_decides_a_build_is_kept_of_the_environment() {
        for name in ["GOFLAGS", "CGO_CFLAGS", "CC", "CXX", "PATH", "GOMAXPROCS"] {
            assert!(keeps_variable(name.as_bytes()), "{name}");
        }
        for name in ["HOME", "AWS_SECRET_ACCESS_KEY", "GOOGLE_API_KEY", "CCX"] {
            assert!(!keeps_variable(name.as_bytes()), "{name}");
        }
    }
}
