//! What a file is built for: platform, oldest system, SDK.

use std::fmt;

/// Three numbers in 32 bits: `xxxx.yy.zz`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Triple(pub u32);

impl Triple {
    /// The first number.
    #[must_use]
    pub const fn major(self) -> u32 {
        self.0 >> 16
    }

    /// From its numbers.
    #[must_use]
    pub const fn of(major: u16, minor: u8) -> Self {
        Self((major as u32) << 16 | (minor as u32) << 8)
    }
}

impl fmt::Display for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minor, patch) = (self.0 >> 8 & 0xff, self.0 & 0xff);
        write!(f, "{}.{minor}", self.major())?;
        if patch > 0 {
            write!(f, ".{patch}")?;
        }
        Ok(())
    }
}

/// An operating system, as `LC_BUILD_VERSION` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform(pub u32);

impl Platform {
    /// macOS.
    pub const MACOS: Self = Self(1);

    /// Whether an amd64 or arm64 file of it runs on a Mac as it is.
    #[must_use]
    pub const fn is_macos(self) -> bool {
        self.0 == Self::MACOS.0
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "macOS",
            2 => "iOS",
            3 => "tvOS",
            4 => "watchOS",
            5 => "bridgeOS",
            6 => "Mac Catalyst",
            7 => "iOS simulator",
            8 => "tvOS simulator",
            9 => "watchOS simulator",
            10 => "DriverKit",
            11 => "visionOS",
            12 => "visionOS simulator",
            other => return write!(f, "platform {other}"),
        };
        f.write_str(name)
    }
}

/// For what a file was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// On which system it runs.
    pub platform: Platform,
    /// The oldest version that it runs on.
    pub minimum: Triple,
    /// The version whose headers and libraries it was built with, which decides how strict the
    /// dynamic loader is; 0.0 for none.
    pub sdk: Triple,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers() {
        assert_eq!(Triple(0x000d_0000).to_string(), "13.0");
        assert_eq!(Triple(0x001a_0203).to_string(), "26.2.3");
        assert_eq!(Triple::of(26, 2), Triple(0x001a_0200));
        assert_eq!(Platform(6).to_string(), "Mac Catalyst");
        assert_eq!(Platform(77).to_string(), "platform 77");
    }
}
