//! Colours: one for each kind of tool, the same in every view and told apart by colour-blind eyes.
//!
//! The hues are those of Okabe and Ito's set ("Color Universal Design", 2008); the dark variants
//! are lighter, so that they stand out from a dark page as much as the others from a white one.

use std::fmt;

/// A colour of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

impl Rgb {
    /// The colour moved toward white (`amount` > 0) or black (`amount` < 0), at most wholly (±1).
    #[must_use]
    pub fn lightened(self, amount: f64) -> Self {
        let end = if amount > 0.0 { 255 } else { 0 };
        self.toward(Self(end, end, end), amount.abs())
    }

    /// The colour moved toward another, by a part between 0 and 1 of the way.
    #[must_use]
    pub fn toward(self, other: Self, part: f64) -> Self {
        let part = part.clamp(0.0, 1.0);
        let mix = |from: u8, to: u8| {
            let (from, to) = (f64::from(from), f64::from(to));
            (from + (to - from) * part).round() as u8
        };
        Self(
            mix(self.0, other.0),
            mix(self.1, other.1),
            mix(self.2, other.2),
        )
    }
}

/// What a program of a Go build is, as far as its colour goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// The Go compiler.
    Compile,
    /// The Go linker.
    Link,
    /// The Go assembler.
    Asm,
    /// `go vet`.
    Vet,
    /// cgo, and the C compiler, assembler and linker that it needs.
    C,
    /// A test binary, or another program that the build made and ran.
    Run,
    /// The go command itself.
    Go,
    /// Everything else.
    Other,
}

impl Family {
    /// All, in the order of legends.
    pub const ALL: [Self; 8] = [
        Self::Compile,
        Self::Link,
        Self::Asm,
        Self::Vet,
        Self::C,
        Self::Run,
        Self::Go,
        Self::Other,
    ];

    /// The family of a tool by its name, as analysis gives it (`compile`, `cc1`, `test`, ...).
    #[must_use]
    pub fn of(tool: &str) -> Self {
        match tool {
            "compile" => Self::Compile,
            "link" => Self::Link,
            "asm" | "pack" => Self::Asm,
            "vet" => Self::Vet,
            "go" => Self::Go,
            "test" | "run" => Self::Run,
            "cgo" | "gcc" | "g++" | "clang" | "clang++" | "cc" | "c++" | "cc1" | "cc1plus"
            | "cc1obj" | "as" | "ld" | "ld.gold" | "ld.lld" | "lld" | "collect2" | "ar"
            | "gfortran" | "swig" | "pkg-config" => Self::C,
            _ if tool.ends_with(".test") => Self::Run,
            _ if ["-gcc", "-g++", "-clang", "-as", "-ld"]
                .iter()
                .any(|end| tool.ends_with(end)) =>
            {
                Self::C
            }
            _ => Self::Other,
        }
    }

    /// For legends.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Link => "link",
            Self::Asm => "asm",
            Self::Vet => "vet",
            Self::C => "cgo and C",
            Self::Run => "tests",
            Self::Go => "go",
            Self::Other => "other",
        }
    }

    /// A word without spaces, for classes of SVG elements.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Link => "link",
            Self::Asm => "asm",
            Self::Vet => "vet",
            Self::C => "c",
            Self::Run => "run",
            Self::Go => "go",
            Self::Other => "other",
        }
    }

    /// The colour of the n-th of things that are no tools, the most important first: six are told
    /// apart.
    #[must_use]
    pub fn of_rank(rank: usize) -> Self {
        const ORDER: [Family; 6] = [
            Family::Compile,
            Family::Link,
            Family::Asm,
            Family::C,
            Family::Run,
            Family::Vet,
        ];
        ORDER.get(rank).copied().unwrap_or(Self::Other)
    }

    /// On a white page.
    #[must_use]
    pub const fn light(self) -> Rgb {
        match self {
            Self::Compile => Rgb(0x2f, 0x7f, 0xc1),
            Self::Link => Rgb(0xe6, 0x9f, 0x00),
            Self::Asm => Rgb(0x00, 0x9e, 0x73),
            Self::Vet => Rgb(0xd9, 0xc9, 0x1f),
            Self::C => Rgb(0xc0, 0x6a, 0x98),
            Self::Run => Rgb(0xd5, 0x5e, 0x00),
            Self::Go => Rgb(0x8a, 0x90, 0x99),
            Self::Other => Rgb(0xb4, 0xb8, 0xbf),
        }
    }

    /// On a dark page.
    #[must_use]
    pub const fn dark(self) -> Rgb {
        match self {
            Self::Compile => Rgb(0x56, 0xa3, 0xe0),
            Self::Link => Rgb(0xf0, 0xb4, 0x2d),
            Self::Asm => Rgb(0x2f, 0xb5, 0x8d),
            Self::Vet => Rgb(0xe8, 0xdc, 0x55),
            Self::C => Rgb(0xd9, 0x8c, 0xb5),
            Self::Run => Rgb(0xef, 0x7d, 0x2e),
            Self::Go => Rgb(0x7f, 0x86, 0x90),
            Self::Other => Rgb(0x62, 0x68, 0x72),
        }
    }

    /// Number in the 256 colours of terminals.
    #[must_use]
    pub const fn terminal(self) -> u8 {
        match self {
            Self::Compile => 74,
            Self::Link => 214,
            Self::Asm => 36,
            Self::Vet => 185,
            Self::C => 175,
            Self::Run => 208,
            Self::Go => 246,
            Self::Other => 250,
        }
    }
}

/// Which way something went between two runs, as far as its colour goes: blue and vermilion, which
/// no kind of colour blindness confuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// It costs less.
    Faster,
    /// Nothing that could not be chance.
    Same,
    /// It costs more.
    Slower,
}

impl Change {
    /// All, in the order of legends.
    pub const ALL: [Self; 3] = [Self::Faster, Self::Same, Self::Slower];

    /// A word for legends and for classes of SVG elements.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Same => "same",
            Self::Slower => "slower",
        }
    }

    /// On a white page.
    #[must_use]
    pub const fn light(self) -> Rgb {
        match self {
            Self::Faster => Rgb(0x00, 0x72, 0xb2),
            Self::Same => Rgb(0x8a, 0x90, 0x99),
            Self::Slower => Rgb(0xd5, 0x5e, 0x00),
        }
    }

    /// On a dark page.
    #[must_use]
    pub const fn dark(self) -> Rgb {
        match self {
            Self::Faster => Rgb(0x56, 0xa3, 0xe0),
            Self::Same => Rgb(0x7f, 0x86, 0x90),
            Self::Slower => Rgb(0xef, 0x7d, 0x2e),
        }
    }

    /// Below black text, on any page: from grey for no change at all (0) to full colour (1).
    #[must_use]
    pub fn below_text(self, amount: f64) -> Rgb {
        const NONE: Rgb = Rgb(0xe2, 0xe4, 0xe8);
        match self {
            Self::Faster => NONE.toward(Rgb(0x4d, 0xa3, 0xe3), amount),
            Self::Same => NONE,
            Self::Slower => NONE.toward(Rgb(0xf0, 0x80, 0x33), amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_their_families() {
        assert_eq!(Family::of("compile"), Family::Compile);
        assert_eq!(Family::of("cc1"), Family::C);
        assert_eq!(Family::of("x86_64-linux-gnu-gcc"), Family::C);
        assert_eq!(Family::of("json.test"), Family::Run);
        assert_eq!(Family::of("git"), Family::Other);
    }

    #[test]
    fn lightening_ends_at_white_and_black() {
        let blue = Rgb(0, 100, 200);
        assert_eq!(blue.lightened(1.0), Rgb(255, 255, 255));
        assert_eq!(blue.lightened(-1.0), Rgb(0, 0, 0));
        assert_eq!(blue.lightened(0.0), blue);
        assert_eq!(blue.lightened(0.5).to_string(), "#80b2e4");
    }
}
