//! The C library for Linux: names of files in, whether they are parts of it out.

/// The loader's name on every architecture.
pub(super) const LOADER: &str = "ld-linux";
/// How the names of its files begin.
const PARTS: [&str; 10] = [
    LOADER,
    "libanl.so",
    "libc.so",
    "libdl.so",
    "libm.so",
    "libmvec.so",
    "libpthread.so",
    "libresolv.so",
    "librt.so",
    "libutil.so",
];

/// Whether a file of this name, without its folders, is a part of the C library.
pub(super) fn is_part(file: &str) -> bool {
    PARTS.iter().any(|part| file.starts_with(part))
}
