//! Programs that start others in another root, where the library for `LD_AUDIT` is not: how they are
//! known, and what of the variable is left for those.
//!
//! This file is a part of both programs, as [`super::layout`] is.

/// How the path ends by which gotrace names the library.
pub const LIBRARY: &[u8] = b"/$LIB/libgotrace-audit.so";

/// Whether a program, by its file's name and its arguments, starts others in another root.
///
/// Options are looked for among all words: what belongs to the command that is started may be taken
/// for them, and then that one is not watched.
pub fn leaves_root<'a>(name: &[u8], words: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let (letters, options): (&[u8], &[&[u8]]) = match name {
        b"chroot" | b"switch_root" | b"bwrap" | b"proot" | b"systemd-nspawn" => return true,
        b"unshare" => (b"R", &[b"--root"]),
        b"nsenter" => (b"amr", &[b"--all", b"--mount", b"--root"]),
        _ => return false,
    };
    words.into_iter().any(|word| match word {
        [b'-', b'-', ..] => options.iter().any(|option| word.starts_with(option)),
        [b'-', short @ ..] => short.iter().any(|letter| letters.contains(letter)),
        _ => false,
    })
}

/// Takes gotrace's library out of a value of `LD_AUDIT`, a list with colons, and leaves the others.
/// Returns how long it is then.
pub fn take_out(value: &mut [u8]) -> usize {
    let (mut from, mut length) = (0, 0);
    while from < value.len() {
        let rest = value.get(from..).unwrap_or_default();
        let part = rest.split(|byte| *byte == b':').next().unwrap_or_default();
        let end = from + part.len();
        if !part.ends_with(LIBRARY) {
            // With the colon in front of it, where it is not the first that stays.
            for at in from - usize::from(length > 0)..end {
                if let Some(byte) = value.get(at).copied()
                    && let Some(place) = value.get_mut(length)
                {
                    *place = byte;
                    length += 1;
                }
            }
        }
        from = end + 1;
    }
    length
}
