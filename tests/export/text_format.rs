//! Reads what `protoc --decode` prints: protobuf's text format.

/// A message: its fields in order, by name. A field that the descriptors do not know has its
/// number for a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(Vec<(String, Field)>);

#[derive(Clone, Debug)]
enum Field {
    Scalar(String),
    Message(Message),
}

impl Message {
    /// Reads a whole output.
    pub(crate) fn parse(text: &str) -> Self {
        let mut open = vec![Self::default()];
        let mut names = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_suffix(" {") {
                names.push(name.to_owned());
                open.push(Self::default());
            } else if line == "}" {
                let message = Field::Message(open.pop().unwrap());
                let name = names.pop().unwrap();
                open.last_mut().unwrap().0.push((name, message));
            } else {
                let (name, value) = line.split_once(": ").unwrap();
                let value = Field::Scalar(value.to_owned());
                open.last_mut().unwrap().0.push((name.to_owned(), value));
            }
        }
        assert_eq!(open.len(), 1, "messages are closed");
        open.pop().unwrap()
    }

    pub(crate) fn messages<'m, 'n>(
        &'m self,
        name: &'n str,
    ) -> impl Iterator<Item = &'m Self> + use<'m, 'n> {
        self.0.iter().filter_map(move |(key, field)| match field {
            Field::Message(message) if key == name => Some(message),
            _ => None,
        })
    }

    pub(crate) fn message(&self, name: &str) -> Option<&Self> {
        self.messages(name).next()
    }

    fn scalars<'m, 'n>(&'m self, name: &'n str) -> impl Iterator<Item = &'m str> + use<'m, 'n> {
        self.0.iter().filter_map(move |(key, field)| match field {
            Field::Scalar(value) if key == name => Some(value.as_str()),
            _ => None,
        })
    }

    /// The word of an enumeration, or any scalar as it is printed.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.scalars(name).next()
    }

    pub(crate) fn numbers<'m>(&'m self, name: &'m str) -> impl Iterator<Item = u64> + 'm {
        self.scalars(name).map(|value| value.parse().unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.numbers(name).next()
    }

    pub(crate) fn texts<'m>(&'m self, name: &'m str) -> impl Iterator<Item = String> + 'm {
        self.scalars(name)
            .map(|value| String::from_utf8(unescape(value)).unwrap())
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.texts(name).next()
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.scalars(name).next().map(unescape)
    }

    /// Names of fields that the descriptors do not know, anywhere.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, field) in &self.0 {
            if name.starts_with(|first: char| first.is_ascii_digit()) {
                found.push(name.clone());
            }
            if let Field::Message(message) = field {
                found.extend(message.unknown());
            }
        }
        found
    }
}

/// The bytes of a string as the text format quotes it: C escapes, bytes in octal.
fn unescape(quoted: &str) -> Vec<u8> {
    let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
    let mut rest = inner.unwrap().bytes();
    let mut bytes = Vec::new();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next().unwrap() {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            first @ b'0'..=b'7' => {
                let digits = [first, rest.next().unwrap(), rest.next().unwrap()];
                let value = digits.iter().fold(0, |v, d| v * 8 + u32::from(d - b'0'));
                bytes.push(u8::try_from(value).unwrap());
            }
            other => bytes.push(other),
        }
    }
    bytes
}
