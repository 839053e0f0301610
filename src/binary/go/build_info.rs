//! The Go version, main module and settings that the linker records in an executable.
//!
//! ```text
//!  0 ff " Go buildinf:"   14 u8 pointer size   15 u8 flags
//! flags & 2 (Go 1.18 and later): 32 varint length, version; varint length, module info
//! else, little-endian:           16 address of the version's string header {address, length}
//!                                24 address of the module info's
//! ```
//!
//! Module info is lines of tab-separated words between two marks of 16 bytes.
//! Source: `debug/buildinfo` and `runtime/debug` of the Go standard library.

use super::Container;
use crate::binary::{Error, Svma, bytes::Bytes};
use std::fmt;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGN: usize = 16;
const INLINE: u8 = 2;
const BIG_ENDIAN: u8 = 1;
const MARK: usize = 16;

/// A version of Go, as far as it tells apart releases (`go1.27.3` is 1.27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1, so far.
    pub major: u32,
    /// 27 of `go1.27.3`.
    pub minor: u32,
}

impl Version {
    /// Reads `go1.27.3`, `go1.28rc1`, `devel go1.28-abcdef ...`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (_, numbers) = text.split_once("go")?;
        let (major, rest) = numbers.split_once('.')?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        Some(Self {
            major: major.parse().ok()?,
            minor: rest.get(..end)?.parse().ok()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "go{}.{}", self.major, self.minor)
    }
}

/// A module that an executable was built with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
    /// What stood in for it by a `replace`: a path and a version, which is empty for a folder.
    pub replaced_by: Option<(String, String)>,
}

/// How an executable was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// `go1.27.3`.
    pub go_version: String,
    /// Import path of the main package, or empty.
    pub path: String,
    /// Main module and its version, or empty.
    pub module: (String, String),
    /// Modules that packages came from besides, in the order of the file.
    pub dependencies: Vec<Dependency>,
    /// `-ldflags`, `CGO_ENABLED`, `GOARCH`, `vcs.revision`, ... in the order of the file.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// Reads it from an executable.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when the executable was not made by Go 1.13 or later; another error
    /// when what is there cannot be read.
    pub fn of<'a>(image: &impl Container<'a>) -> Result<Self, Error> {
        let blob = Bytes(find(image)?);
        let flags = blob.u8("build info flags", 15)?;
        let (version, module) = if flags & INLINE != 0 {
            let (version, next) = counted(blob, 32)?;
            let (module, _) = counted(blob, next)?;
            (version, module)
        } else if flags & BIG_ENDIAN == 0 && blob.u8("build info pointer size", 14)? == 8 {
            (pointed(image, blob, 16)?, pointed(image, blob, 24)?)
        } else {
            return Err(Error::Unsupported {
                what: "build info flags",
                expected: "inline, or little-endian with 8-byte pointers",
                found: u64::from(flags),
            });
        };
        let mut info = Self {
            go_version: String::from_utf8_lossy(version).into_owned(),
            ..Self::default()
        };
        info.read_module(module);
        Ok(info)
    }

    /// The release of Go.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        Version::parse(&self.go_version)
    }

    /// A setting by its name.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    fn read_module(&mut self, module: &[u8]) {
        let end = module.len().saturating_sub(MARK);
        let text = String::from_utf8_lossy(module.get(MARK..end).unwrap_or_default());
        for line in text.lines() {
            let mut words = line.split('\t');
            let word = words.next();
            let first = words.next().unwrap_or_default();
            match word {
                Some("path") => first.clone_into(&mut self.path),
                Some("mod") => {
                    let version = words.next().unwrap_or_default();
                    self.module = (first.to_owned(), version.to_owned());
                }
                Some("dep") => self.dependencies.push(Dependency {
                    path: first.to_owned(),
                    version: words.next().unwrap_or_default().to_owned(),
                    replaced_by: None,
                }),
                Some("=>") => {
                    if let Some(replaced) = self.dependencies.last_mut() {
                        let version = words.next().unwrap_or_default();
                        replaced.replaced_by = Some((first.to_owned(), version.to_owned()));
                    }
                }
                Some("build") => {
                    if let Some((key, value)) = first.split_once('=') {
                        let plain = |text: &str| text.trim_matches(['"', '`']).to_owned();
                        self.settings.push((plain(key), plain(value)));
                    }
                }
                _ => {}
            }
        }
    }
}

fn find<'a>(image: &impl Container<'a>) -> Result<&'a [u8], Error> {
    let aligned = |data: &'a [u8]| {
        let at = (0..data.len())
            .step_by(ALIGN)
            .find(|&at| data.get(at..).is_some_and(|rest| rest.starts_with(MAGIC)))?;
        data.get(at..)
    };
    if let Some(found) = image
        .go_section("go.buildinfo")
        .and_then(|(_, data)| aligned(data))
    {
        return Ok(found);
    }
    let loads = image.memory().loads().iter().filter(|load| load.writable);
    loads
        .filter_map(|load| aligned(image.memory().contents(load)))
        .next()
        .ok_or(Error::Missing {
            what: "Go build info",
        })
}

/// A string with its length before it, and where the next one begins.
fn counted(blob: Bytes<'_>, at: u64) -> Result<(&[u8], u64), Error> {
    let (length, size) = blob.varint("build info string length", at)?;
    let start = at.saturating_add(size);
    let text = blob.slice("build info string", start, u64::from(length))?;
    Ok((text, start.saturating_add(u64::from(length))))
}

/// A string by the address of its header. In position-independent executables the addresses are
/// relocations, which are not applied here: then the version stays unknown.
fn pointed<'a>(image: &impl Container<'a>, blob: Bytes<'_>, at: u64) -> Result<&'a [u8], Error> {
    let memory = image.memory();
    let header = blob.u64("build info address", at)?;
    if header == 0 {
        return Ok(&[]);
    }
    let header = Bytes(memory.bytes_from("build info string header", Svma(header))?);
    let text = header.u64("build info string address", 0)?;
    let length = header.u64("build info string length", 8)?;
    if length == 0 {
        return Ok(&[]);
    }
    let text = Bytes(memory.bytes_from("build info string", Svma(text))?);
    text.slice("build info string", 0, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_releases_and_others_are_read() {
        for (text, minor) in [
            ("go1.27.3", Some(27)),
            ("go1.21", Some(21)),
            ("go1.28rc1", Some(28)),
            ("go1.27.3 X:nodwarf5", Some(27)),
            ("devel go1.28-abcdef Mon Nov 23", Some(28)),
            ("go1.x", None),
            ("go2", None),
            ("go1.99999999999", None),
            ("", None),
        ] {
            let version = Version::parse(text);
            assert_eq!(version.map(|version| version.minor), minor, "{text}");
        }
        assert_eq!(Version::parse("go1.9.1").unwrap().to_string(), "go1.9");
        assert!(Version::parse("go1.9") < Version::parse("go1.16"));
    }
}
