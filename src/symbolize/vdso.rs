//! The running kernel's code in user memory, read from gotrace's own: it has no file, and is the
//! same in every process.

use std::fs::{self, File};
use std::io::{self, Error};
use std::os::unix::fs::FileExt as _;

/// It is two pages; a kernel that shows more than this shows something else.
const LARGEST: usize = 1 << 20;

/// Copies it, an ELF file as the loader would see it.
///
/// # Errors
///
/// When `/proc` does not show gotrace's own memory, or there is no such code (not Linux, or
/// `vdso=0`).
pub(super) fn read() -> io::Result<Vec<u8>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let (start, size) = range(&maps).ok_or_else(|| Error::other("no [vdso] is mapped"))?;
    let mut bytes = vec![0; size];
    File::open("/proc/self/mem")?.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

/// Where it is and how large, from lines of `FIRST-END PROTECTION ... [vdso]`.
fn range(maps: &str) -> Option<(u64, usize)> {
    let line = maps.lines().find(|line| line.ends_with(" [vdso]"))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let size = usize::try_from(end.checked_sub(start)?).ok()?;
    (size <= LARGEST).then_some((start, size))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn range_is_that_of_the_vdso_alone() {
        let maps = "\
7f994a4a6000-7f994a4aa000 r--p 00000000 00:00 0                          [vvar]
7f994a4aa000-7f994a4ac000 r-xp 00000000 00:00 0                          [vdso]
7f994a4ac000-7f994a4ad000 r--p 00000000 08:01 42                         /a [vdso].so
";
        assert_eq!(range(maps), Some((0x7f99_4a4a_a000, 0x2000)));
        assert_eq!(range(""), None);
        assert_eq!(range("x-y r-xp 0 00:00 0 [vdso]"), None);
        assert_eq!(range("2000-1000 r-xp 0 00:00 0 [vdso]"), None);
        assert_eq!(range("1000-ffffffff000 r-xp 0 00:00 0 [vdso]"), None);
    }
}
