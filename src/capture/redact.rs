//! Takes secrets out of what a trace will hold: arguments, command lines, environment values.
//!
//! Redaction comes before anything is written, so no later step can forget it. It errs on the
//! side of hiding: a value that only looks secret is lost to the trace, never the other way. What is
//! known here to be secret is always hidden; users can only add to it.

/// What stands in the place of what was taken out.
const HIDDEN: &[u8] = b"[redacted]";

/// Parts of a name that say that its value is secret.
const SECRET_NAMES: [&[u8]; 14] = [
    b"auth",
    b"jwt",
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

/// What is taken out: what is known to be secret, and the values of more names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Parts of names, in lower case.
    names: Vec<Vec<u8>>,
}

impl Redaction {
    /// Letters that a part of a name has at least: shorter ones are in every other name.
    pub const SHORTEST: usize = 3;

    /// Whether a text can be a part of names whose values are to be hidden.
    #[must_use]
    pub fn takes(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        name.len() >= Self::SHORTEST && name.bytes().all(plain)
    }

    /// Hides the values of names, too, that have one of these as a part, in large or small letters;
    /// what [`Self::takes`] refuses is left out.
    #[must_use]
    pub fn with<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let taken = names.filter(|name| Self::takes(name));
        let mut names: Vec<Vec<u8>> = taken
            .map(|name| name.to_ascii_lowercase().into_bytes())
            .collect();
        names.sort_unstable();
        names.dedup();
        Self { names }
    }

    /// The parts of names that were added, each in lower case.
    pub(super) fn added(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// Whether the value of an environment variable may be stored: those that decide how Go builds.
    #[must_use]
    pub(super) fn keeps_variable(&self, name: &[u8]) -> bool {
        let listed: [&[u8]; 4] = [b"CC", b"CXX", b"PATH", b"GOMAXPROCS"];
        let go = name.starts_with(b"GO") || name.starts_with(b"CGO_");
        (go || listed.contains(&name)) && !self.is_secret_name(name)
    }

    /// Arguments without their secrets.
    #[must_use]
    pub(super) fn arguments(&self, argv: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut words = self.words();
        let argv = argv.iter();
        argv.map(|argument| words.redact(argument, true)).collect()
    }

    /// One line of commands, as a shell would read it, without its secrets.
    #[must_use]
    pub(super) fn line(&self, text: &[u8]) -> Vec<u8> {
        self.words().redact(text, false)
    }

    /// The value of an environment variable without its secrets.
    #[must_use]
    pub(super) fn value(&self, value: &[u8]) -> Vec<u8> {
        self.words().redact(value, true)
    }

    fn words(&self) -> Words<'_> {
        Words {
            redaction: self,
            expected: Expected::default(),
        }
    }

    fn is_secret_header(&self, name: &[u8]) -> bool {
        name.to_ascii_lowercase().ends_with(b"cookie") || self.is_secret_name(name)
    }

    fn is_secret_name(&self, name: &[u8]) -> bool {
        let lower = name.to_ascii_lowercase();
        let known = SECRET_NAMES.iter().copied();
        let mut parts = known.chain(self.added());
        parts.any(|part| contains(&lower, part))
    }
}

/// What the words so far say of the next one.
#[derive(Debug, Default)]
struct Expected {
    /// It is secret: `--password`.
    secret: bool,
    /// It is a definition, `name=value`: `-X`.
    definition: bool,
    /// It is secret if it holds a colon: `-u user:password`.
    user: bool,
}

/// What becomes of a word.
enum Fate {
    Keep,
    /// Secret from here on.
    Hide(usize),
    /// Secret is what follows: the value of a header.
    HideRest,
    Rewrite(Vec<u8>),
}

/// Words that are read one after the other.
struct Words<'r> {
    redaction: &'r Redaction,
    expected: Expected,
}

impl Words<'_> {
    /// Text without its secrets. Words end at white space and at quotes, so that command lines
    /// within arguments are seen, however deep they are quoted. What begins with a quote ends with
    /// it; if `whole`, what begins with the text ends with the text.
    fn redact(&mut self, text: &[u8], whole: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut quotes: Vec<u8> = Vec::new();
        let mut at = 0;
        let mut opened = whole;
        while let Some(&byte) = text.get(at) {
            if is_quote(byte) {
                opened = quotes.last() != Some(&byte);
                if opened {
                    quotes.push(byte);
                } else {
                    quotes.pop();
                }
            } else if byte.is_ascii_whitespace() {
                opened = false;
            } else {
                let rest = &text[at..];
                let ends = |byte: &u8| byte.is_ascii_whitespace() || is_quote(*byte);
                let length = rest.iter().position(ends).unwrap_or(rest.len());
                let word = &rest[..length];
                // To the quote that closes what is open, or to the end of the text.
                let enclosed = || {
                    let close = quotes.last();
                    let close = close.and_then(|quote| rest.iter().position(|b| b == quote));
                    close.unwrap_or(rest.len())
                };
                at += match self.fate(word) {
                    Fate::Keep => {
                        out.extend_from_slice(word);
                        length
                    }
                    Fate::Rewrite(kept) => {
                        out.extend(kept);
                        length
                    }
                    Fate::Hide(from) => {
                        out.extend_from_slice(&word[..from]);
                        out.extend_from_slice(HIDDEN);
                        match rest.get(length) {
                            _ if std::mem::take(&mut opened) => enclosed(),
                            Some(&quote) if is_quote(quote) && quotes.last() != Some(&quote) => {
                                after_quoted(rest, length)
                            }
                            _ => length,
                        }
                    }
                    Fate::HideRest => {
                        out.extend_from_slice(word);
                        out.push(b' ');
                        out.extend_from_slice(HIDDEN);
                        enclosed()
                    }
                };
                opened = false;
                continue;
            }
            out.push(byte);
            at += 1;
        }
        out
    }

    fn fate(&mut self, word: &[u8]) -> Fate {
        let before = std::mem::take(&mut self.expected);
        let redaction = self.redaction;
        if before.secret || before.user && word.contains(&b':') {
            return Fate::Hide(0);
        }
        let equals = word.iter().position(|&byte| byte == b'=');
        if before.definition {
            return equals.map_or(Fate::Keep, |at| Fate::Hide(at + 1));
        }
        if let Some(at) = position(word, b"-X=") {
            let name = at + 3;
            let equals = word[name..].iter().position(|&byte| byte == b'=');
            return equals.map_or(Fate::Keep, |at| Fate::Hide(name + at + 1));
        }
        if let Some(at) = equals {
            let (name, rest) = word.split_at(at + 1);
            if redaction.is_secret_name(name) || is_secret_value(rest) {
                return Fate::Hide(at + 1);
            }
        }
        if let Some(header) = word.strip_suffix(b":")
            && redaction.is_secret_header(header)
        {
            return Fate::HideRest;
        }
        if is_secret_value(word) {
            return Fate::Hide(0);
        }
        let is_flag = word.starts_with(b"-");
        let scheme = [&b"bearer"[..], b"basic"].contains(&&*word.to_ascii_lowercase());
        self.expected.secret =
            scheme || is_flag && equals.is_none() && redaction.is_secret_name(word);
        self.expected.definition = word.ends_with(b"-X");
        self.expected.user = matches!(word, b"-u" | b"--user" | b"--proxy-user");
        let kept = without_url_password(word);
        match kept == word {
            true => Fate::Keep,
            false => Fate::Rewrite(kept),
        }
    }
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// Where the quoted text that begins at `at` ends, its closing quote included.
fn after_quoted(text: &[u8], at: usize) -> usize {
    let inside = &text[at + 1..];
    let end = inside.iter().position(|byte| *byte == text[at]);
    end.map_or(text.len(), |end| at + 1 + end + 1)
}

fn is_secret_value(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    // Shorter ones are words that begin alike.
    value.len() >= 16 && SECRET_VALUES.iter().any(|start| value.starts_with(start))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(argv: &[&str]) -> Vec<String> {
        let argv: Vec<&[u8]> = argv.iter().map(|text| text.as_bytes()).collect();
        let kept = Redaction::default().arguments(&argv);
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
        assert_eq!(one("Authorization: Bearer x"), "Authorization: [redacted]");
        assert_eq!(one("x-api-key: 1 2"), "x-api-key: [redacted]");
        assert_eq!(redacted(&["curl", "-u", "me:pw", "h"])[2], "[redacted]");
        assert_eq!(redacted(&["sort", "-u", "names"])[2], "names");
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
    fn command_lines_within_arguments_are_seen() {
        for (text, kept) in [
            (
                "go build -ldflags \"-X main.key=s3cret -w\" ./...",
                "go build -ldflags \"-X main.key=[redacted] -w\" ./...",
            ),
            (
                "go build -ldflags=\"-s -X 'main.key=s3 cret'\" ./...",
                "go build -ldflags=\"-s -X 'main.key=[redacted]'\" ./...",
            ),
            (
                "'-ldflags=-X main.key=s3cret' -mod=mod",
                "'-ldflags=-X main.key=[redacted]' -mod=mod",
            ),
            (
                "-ldflags=-X\tmain.key=s3cret\t-w",
                "-ldflags=-X\tmain.key=[redacted]\t-w",
            ),
            ("A=1 deploy --token abc", "A=1 deploy --token [redacted]"),
            (
                "curl -H \"Authorization: Basic eDp5\" h",
                "curl -H \"Authorization: [redacted]\" h",
            ),
            ("x --password 'a b' y", "x --password '[redacted]' y"),
        ] {
            assert_eq!(one(text), kept);
        }
        assert_eq!(
            redacted(&["link", "-X", "main.v=1 2"])[2],
            "main.v=[redacted]"
        );
    }

    #[test]
    fn lines_change_nothing_but_secrets() {
        let text = b"cd '/a b'\n/x/link  -o y -X=m.t=abc  -X \"m.u=d e\" \"--token=1 2\" z\n";
        let kept = String::from_utf8(Redaction::default().line(text)).expect("text");
        assert_eq!(
            kept,
            "cd '/a b'\n/x/link  -o y -X=m.t=[redacted]  -X \"m.u=[redacted]\" \
             \"--token=[redacted]\" z\n"
        );
    }

    #[test]
    fn only_what_decides_a_build_is_kept_of_the_environment() {
        for name in ["GOFLAGS", "CGO_CFLAGS", "CC", "CXX", "PATH", "GOMAXPROCS"] {
            assert!(
                Redaction::default().keeps_variable(name.as_bytes()),
                "{name}"
            );
        }
        for name in ["HOME", "AWS_SECRET_ACCESS_KEY", "GOOGLE_API_KEY", "CCX"] {
            assert!(
                !Redaction::default().keeps_variable(name.as_bytes()),
                "{name}"
            );
        }
    }

    #[test]
    fn names_can_only_be_added() {
        let redaction = Redaction::with(["Licence", "ab", "", "a b", "licence"].into_iter());
        assert_eq!(redaction.added().collect::<Vec<_>>(), [b"licence"]);
        let argv: [&[u8]; 5] = [
            b"--licence-key=1",
            b"--licence",
            b"2",
            b"MY_LICENCE=3",
            b"--token=4",
        ];
        let kept = redaction.arguments(&argv);
        let kept: Vec<_> = kept
            .iter()
            .map(|word| word.escape_ascii().to_string())
            .collect();
        assert_eq!(
            kept,
            [
                "--licence-key=[redacted]",
                "--licence",
                "[redacted]",
                "MY_LICENCE=[redacted]",
                "--token=[redacted]"
            ]
        );
        assert!(!redaction.keeps_variable(b"GO_LICENCE"));
        let known = Redaction::default();
        assert!(known.keeps_variable(b"GO_LICENCE"));
        assert_eq!(known.line(b"--licence=1 x"), b"--licence=1 x");
    }
}
