//! What can go wrong with a trace file.

use std::io;
use std::path::PathBuf;

/// An error of a trace file. Displays name the file and never repeat their source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened, read or written.
    #[error("{}: cannot {action}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried: `open`, `read`, `write`, ...
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}
