//! Programs that start others in another root, where the library for `LD_AUDIT` is not: how they are
//! known, and what of the variable is left for those.
//!
//! This file is a part of both programs, as [`super::layout`] is.

/// How the path ends by which gotrace names the library.
pub const LIBRARY: &[u8] = b"/$LIB/libgotrace-audit.so";

/// Options of a program that starts another one: those that change the root, and those of the others
/// whose value may be the next word. Letters, then long names.
struct Options {
    leave: (&'static [u8], &'static [&'static [u8]]),
    take_value: (&'static [u8], &'static [&'static [u8]]),
}

/// unshare(1) and nsenter(1) of util-linux 2.41.
const UNSHARE: Options = Options {
    leave: (b"R", &[b"--root"]),
    take_value: (
        b"wSGl",
        &[
            b"--wd",
            b"--setuid",
            b"--setgid",
            b"--setgroups",
            b"--map-user",
            b"--map-group",
            b"--map-users",
            b"--map-groups",
            b"--owner",
            b"--propagation",
            b"--monotonic",
            b"--boottime",
            b"--load-interp",
        ],
    ),
};
const NSENTER: Options = Options {
    leave: (b"amr", &[b"--all", b"--mount", b"--root"]),
    take_value: (
        b"tSGWN",
        &[
            b"--target",
            b"--setuid",
            b"--setgid",
            b"--wdns",
            b"--net-socket",
        ],
    ),
};

/// Whether a program, by its file's name and its arguments, starts others in another root.
pub fn leaves_root<'a>(name: &[u8], words: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let options = match name {
        b"chroot" | b"switch_root" | b"bwrap" | b"proot" | b"systemd-nspawn" => return true,
        b"unshare" => UNSHARE,
        b"nsenter" => NSENTER,
        _ => return false,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let value_follows = match word {
            [b'-', b'-', _, ..] => {
                if options.leave.1.iter().any(|name| word.starts_with(name)) {
                    return true;
                }
                options.take_value.1.contains(&word)
            }
            [b'-', letters @ ..] if word != b"--" && !letters.is_empty() => {
                let first = letters
                    .iter()
                    .position(|letter| options.take_value.0.contains(letter));
                let before = letters.get(..first.unwrap_or(letters.len()));
                let mut before = before.unwrap_or_default().iter();
                if before.any(|letter| options.leave.0.contains(letter)) {
                    return true;
                }
                // What stands behind the letter is its value.
                first.is_some_and(|first| first + 1 == letters.len())
            }
            // The command that is started, with options of its own.
            _ => return false,
        };
        if value_follows {
            words.next();
        }
    }
    false
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
