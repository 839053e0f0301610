//! The text of a `.tbd` file in; the library that it stands for out.
//!
//! The SDK of macOS has such a text in place of each library: names, and for which targets
//! (architecture and platform) the library exports them. Read are all five versions: YAML
//! (`text`) up to 4, JSON (`json`) since 5. Source: LLVM's `TextStub.cpp`, `TextStubV5.cpp`.
//!
//! One file may hold more libraries: those that the first re-exports, inlined. Architectures are
//! kept as they are written, for new ones appear (`arm64e.x1`) before anyone has heard of them.

mod json;
mod text;
mod yaml;

/// Why a text is no stub. Each names its line where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It begins neither as YAML nor as JSON of a stub does.
    #[error("not a .tbd file: expected `---` or `{{` at its start")]
    NotStub,
    /// It is not text.
    #[error("byte {offset:#x} is no UTF-8")]
    NotText {
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// A line that the part of YAML that stubs are written in does not have.
    #[error("line {line}: expected {expected}, found {found}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What had to be there.
        expected: &'static str,
        /// What is there, cut to some letters.
        found: String,
    },
    /// A version that nobody has seen.
    #[error("version of .tbd: expected 1 to 5, found {found}")]
    Version {
        /// What is there.
        found: String,
    },
    /// A key without which a stub says nothing.
    #[error("no {key}")]
    Missing {
        /// Which one.
        key: &'static str,
    },
    /// What should be JSON is none.
    #[error("not JSON")]
    Json(#[source] serde_json::Error),
}

/// Architecture and platform, as they are written: `arm64e` on `macos`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `x86_64`, `arm64`, `arm64e`, ...
    pub arch: String,
    /// `macos`, `maccatalyst`, `ios-simulator`, ...
    pub platform: String,
}

impl Target {
    fn parse(text: &str) -> Self {
        let (arch, platform) = text.split_once('-').unwrap_or((text, ""));
        Self {
            arch: arch.to_owned(),
            platform: match platform {
                "macosx" | "1" => "macos",
                other => other,
            }
            .to_owned(),
        }
    }
}

/// What a name is of, which decides how the linker spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// As it is.
    Symbol,
    /// A class of Objective-C: two symbols.
    Class,
    /// What exceptions of a class are told by.
    ExceptionType,
    /// A variable of a class.
    InstanceVariable,
}

/// Names that a library has for some targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// For which targets.
    pub targets: Vec<Target>,
    /// Symbols, as the linker spells them.
    pub symbols: Vec<String>,
}

impl Group {
    const fn for_targets(targets: Vec<Target>) -> Self {
        Self {
            targets,
            symbols: Vec::new(),
        }
    }

    fn add(&mut self, spelling: Spelling, names: impl IntoIterator<Item = String>) {
        for name in names {
            match spelling {
                Spelling::Symbol => self.symbols.push(name),
                Spelling::Class => {
                    self.symbols.push(format!("_OBJC_CLASS_$_{name}"));
                    self.symbols.push(format!("_OBJC_METACLASS_$_{name}"));
                }
                Spelling::ExceptionType => self.symbols.push(format!("_OBJC_EHTYPE_$_{name}")),
                Spelling::InstanceVariable => self.symbols.push(format!("_OBJC_IVAR_$_{name}")),
            }
        }
    }
}

/// One library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    /// Where the loader finds it: `/usr/lib/libz.1.dylib`.
    pub install_name: String,
    /// Its version, as it is written.
    pub version: Option<String>,
    /// All targets that it is there for.
    pub targets: Vec<Target>,
    /// Libraries whose names are its own, too, for these targets.
    pub reexported: Vec<(Vec<Target>, Vec<String>)>,
    /// What it exports.
    pub exports: Vec<Group>,
}

impl Library {
    /// The targets for which it exports a symbol itself.
    pub fn exporting(&self, symbol: &str) -> impl Iterator<Item = &Target> {
        let groups = self.exports.iter();
        let with = move |group: &&Group| group.symbols.iter().any(|name| name == symbol);
        groups.filter(with).flat_map(|group| &group.targets)
    }
}

/// A `.tbd` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    /// Version of the format, 1 to 5.
    pub version: u8,
    /// The library that the file stands for, and behind it those that it has inlined.
    pub libraries: Vec<Library>,
}

impl Stub {
    /// Whether a file begins as a stub does.
    #[must_use]
    pub fn begins(data: &[u8]) -> bool {
        let text = data.trim_ascii_start();
        text.starts_with(b"---") || (text.starts_with(b"{") && is_json(text))
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it is no text, not written in the part of YAML or JSON that stubs are written in, of
    /// an unknown version, or without the name or the targets of its library.
    pub fn parse(data: &[u8]) -> Result<Self, Error> {
        if !Self::begins(data) {
            return Err(Error::NotStub);
        }
        let text = std::str::from_utf8(data).map_err(|error| Error::NotText {
            offset: error.valid_up_to(),
        })?;
        if text.trim_start().starts_with('{') {
            json::read(text)
        } else {
            text::read(text)
        }
    }

    /// The library that the file stands for.
    #[must_use]
    pub fn library(&self) -> Option<&Library> {
        self.libraries.first()
    }
}

/// JSON of other kinds is common, and short of these words.
fn is_json(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"tapi_tbd_version").is_some()
}
