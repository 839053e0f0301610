//! What Go's compiler and assembler write: no format of the system's, but one line of text, and then
//! tables for Go's linker, which are not read here.
//!
//! ```text
//! go object GOOS GOARCH go1.N SETTINGS, ended by a line feed
//! ```
//!
//! Source: `objabi.HeaderString` of `cmd/internal/objabi`.

const START: &[u8] = b"go object ";
/// No line is longer.
const LONGEST: usize = 4096;

/// For what an object was compiled, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoObject {
    /// `ios`.
    pub system: String,
    /// `arm64`.
    pub arch: String,
    /// `go1.27.3`, and what else decides whether objects go together.
    pub made_by: Vec<String>,
}

impl GoObject {
    /// Reads the first line; `None` where the bytes are no object of Go's.
    #[must_use]
    pub fn of(data: &[u8]) -> Option<Self> {
        let line = data.strip_prefix(START)?;
        let line = line.get(..LONGEST).unwrap_or(line);
        let line = line.get(..memchr::memchr(b'\n', line)?)?;
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace().map(str::to_owned);
        Some(Self {
            system: words.next()?,
            arch: words.next()?,
            made_by: words.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_for_what_it_is() {
        let found = GoObject::of(b"go object ios arm64 go1.27.3 GOARM64=v8.0\n\n!\n\0").unwrap();
        assert_eq!(
            (found.system.as_str(), found.arch.as_str()),
            ("ios", "arm64")
        );
        assert_eq!(found.made_by, ["go1.27.3", "GOARM64=v8.0"]);
        for none in [
            &b"go object ios"[..],
            b"go object ios arm64",
            b"go object \n",
            b"",
        ] {
            assert_eq!(GoObject::of(none), None);
        }
    }
}
