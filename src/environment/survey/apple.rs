//! What only a Mac has: Rosetta, the command line tools, SDKs; and the prefixes of Homebrew.

use super::{Integrity, Surroundings};
use std::path::{Path, PathBuf};

/// The file that the kernel of macOS loads to translate (xnu, `mach_loader.c`), and the bundle that
/// the installer of Rosetta makes.
const ROSETTA: [&str; 2] = [
    "/usr/libexec/rosetta/runtime",
    "/Library/Apple/usr/libexec/oah/libRosettaRuntime",
];
/// Where Homebrew is: Apple Silicon, Intel (where `Cellar` tells it from other programs), Linux.
const PREFIXES: [&str; 3] = ["/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"];

/// What only a Mac has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apple {
    /// Rosetta 2 is installed.
    pub rosetta: bool,
    /// Where the developer tools are that `xcode-select` chose. Without them `/usr/bin/cc` is
    /// there, and does no more than ask to install them.
    pub developer_tools: Option<PathBuf>,
    /// The SDK that is taken.
    pub sdk: Option<PathBuf>,
    /// `SDKROOT` names a folder that is not there.
    pub missing_sdk: Option<PathBuf>,
    /// System Integrity Protection, where it could be asked about.
    pub integrity: Option<Integrity>,
}

impl Apple {
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        let tools = surroundings.output(Path::new("/usr/bin/xcode-select"), &["-p"]);
        let tools = tools.ok().map(PathBuf::from).filter(|path| path.is_dir());
        let chosen = surroundings.get("SDKROOT").map(PathBuf::from);
        // SDKROOT may be a name that xcrun knows: macosx.
        let chosen = chosen.filter(|sdk| sdk.is_absolute());
        let within = tools.as_ref().and_then(|tools| {
            let places = [
                "SDKs/MacOSX.sdk",
                "Platforms/MacOSX.platform/Developer/SDKs/MacOSX.sdk",
            ];
            places
                .map(|place| tools.join(place))
                .into_iter()
                .find(|sdk| sdk.is_dir())
        });
        Self {
            rosetta: has_rosetta(),
            integrity: Integrity::of(surroundings),
            developer_tools: tools,
            missing_sdk: chosen.clone().filter(|sdk| !sdk.is_dir()),
            sdk: chosen.filter(|sdk| sdk.is_dir()).or(within),
        }
    }
}

/// Whether Rosetta 2 is installed.
pub(in crate::environment) fn has_rosetta() -> bool {
    ROSETTA.iter().any(|path| Path::new(path).exists())
}

/// Where Homebrew is installed.
pub(super) fn homebrew() -> Vec<PathBuf> {
    let prefixes = PREFIXES.into_iter().map(PathBuf::from);
    prefixes
        .filter(|prefix| prefix.join("bin/brew").exists() && prefix.join("Cellar").is_dir())
        .collect()
}
